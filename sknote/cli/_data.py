"""What training and evaluation have in common: the recordings, and the model that is meant."""

import hashlib
import os

from sknote.cli._main import WrongCommandError, say
from sknote.cli._output import on_terminal

_NAMED = 20  # of what was left out


def load_data(options):
    """Load the recordings that the options name, and say what is left out."""
    from sknote.datasets import load_notes
    from sknote.exceptions import DataNotFoundError

    if options.group_column != "group" and os.path.isdir(os.path.expanduser(options.data)):
        raise WrongCommandError(
            f"{options.command}: --group-column is of a table, and {options.data!r} is a folder. "
            "Pass --group-pattern, or the table."
        )
    try:
        notes = load_notes(
            options.data,
            group_pattern=options.group_pattern,
            group_column=options.group_column,
            min_class_count=options.min_notes,
            n_jobs=-1,
            verbose=int(on_terminal()),
        )
    except DataNotFoundError as error:
        if not os.path.exists(os.path.expanduser(options.data)):
            raise
        raise ValueError(str(error)) from error  # they are there, and of no use
    if (hierarchy := _hierarchy(options, notes.target)) is not None:
        notes.hierarchy = hierarchy.fit(notes.target)
    for row in notes.left_out.head(_NAMED).itertuples():
        say(f"left out: {row.path}: {': '.join(filter(None, [row.reason, row.detail]))}")
    if counts := [f"{count} x {reason}" for reason, count in notes.dropped.items()]:
        say(f"left out, of all: {'; '.join(counts)}")
    n_groups, n_labels = len(set(notes.groups)), len(set(notes.target))
    say(f"{len(notes.target)} notes, {n_labels} labels, {n_groups} groups")
    return notes


def _hierarchy(options, labels):
    """Return the LabelHierarchy that the options describe, or None."""
    from sknote import LabelHierarchy

    if options.hierarchy is not None:
        return getattr(LabelHierarchy, options.hierarchy.replace("-", "_"))()
    if options.levels is None:
        return None
    separator, names = options.levels
    if not any(separator in label for label in labels):
        some = ", ".join(repr(str(label)) for label in sorted(set(labels))[:3])
        raise ValueError(
            f"{options.command}: expected labels with {separator!r} between {' and '.join(names)} "
            f"(--levels), got {some}. Name the levels with what stands between them in the labels."
        )
    return LabelHierarchy(separator, names)


def say_if_ungrouped(notes, what):
    """Say that `what` flatters, if nothing tells which notes belong together."""
    if len(set(notes.groups)) == len(notes.groups):
        say(
            "each note is a group of its own: if there are several of one player or of one "
            f"performance, {what}. Pass --group-pattern"
        )


def make_model(options):
    """Make the pipeline that the options describe."""
    from sknote import make_baseline_pipeline, make_note_pipeline

    common = {"load__n_jobs": -1, "classify__random_state": options.seed}
    if options.model == "baseline":
        if options.practice or options.epochs:
            raise WrongCommandError(
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
