"""What training and evaluation have in common: the recordings, and the model that is meant."""

import hashlib

from sknote.cli._main import say
from sknote.cli._output import on_terminal

_NAMED = 20  # of what was left out


def load_data(options):
    """Load the recordings that the options name, and say what is left out."""
    from sknote.datasets import load_notes

    notes = load_notes(
        options.data,
        group_pattern=options.group_pattern,
        group_column=options.group_column,
        min_class_count=options.min_notes,
        n_jobs=-1,
        verbose=int(on_terminal()),
    )
    for row in notes.left_out.head(_NAMED).itertuples():
        say(f"left out: {row.path}: {': '.join(filter(None, [row.reason, row.detail]))}")
    if counts := [f"{count} x {reason}" for reason, count in notes.dropped.items()]:
        say(f"left out, of all: {'; '.join(counts)}")
    n_groups, n_labels = len(set(notes.groups)), len(set(notes.target))
    say(f"{len(notes.target)} notes, {n_labels} labels, {n_groups} groups")
    return notes


def make_model(options):
    """Make the pipeline that the options describe."""
    from sknote import make_baseline_pipeline, make_note_pipeline

    common = {"load__n_jobs": -1, "classify__random_state": options.seed}
    if options.model == "baseline":
        if options.practice or options.epochs:
            raise ValueError(
                f"{options.command}: --epochs and --practice are of networks. Leave them out, or "
                "choose another --model."
            )
        return make_baseline_pipeline(**common)
    if options.epochs:
        common["classify__max_epochs"] = options.epochs
    if options.practice:
        common["classify__augment"] = "practice"
    return make_note_pipeline(classify__module=options.model, **common)


def digest(notes):
    """Return the SHA-256 of recordings with their instruments, labels and groups, in any order."""
    rows = []
    for path, plays, label, group in zip(
        notes.data.audio, notes.data.instrument, notes.target, notes.groups
    ):
        with open(path, "rb") as file:
            contents = hashlib.file_digest(file, "sha256").hexdigest()
        rows.append("\0".join([contents, plays or "", str(label), str(group)]))
    return hashlib.sha256("\n".join(sorted(rows)).encode()).hexdigest()
