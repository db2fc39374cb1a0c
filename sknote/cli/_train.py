"""``sknote train``: from recordings to a model in a file."""

import os
import tempfile
from pathlib import Path

from sknote.cli._confident import add_confidence, check_confidence
from sknote.cli._data import digest, load_data, make_model, say_if_ungrouped
from sknote.cli._main import ALL_FAILED, DONE, WrongCommandError, say
from sknote.cli._output import on_terminal


def run(options):
    """Carry the command out; the file is written whole or not at all."""
    output = Path(options.output)
    _check_output(options.output)
    from sknote.deploy import save

    check_confidence(options)
    model = make_model(options)
    notes = load_data(options)
    if len(labels := set(notes.target.tolist())) < 2:
        raise ValueError(
            f"train: expected at least two labels, got {min(labels)!r} alone. There is nothing to "
            "tell apart."
        )
    network = None if options.model == "baseline" else model[-1]
    if network is not None:
        network.set_params(verbose=int(on_terminal()))
    if options.min_accuracy is not None:
        say_if_ungrouped(notes, "it is less often right than it promises")
    how = add_confidence(model, notes, options)
    model.fit(notes.data, notes.target, **how)
    model.set_params(load__n_jobs=None)
    if options.min_accuracy is not None:
        for row in model[-1].levels_.itertuples():
            right = "" if row.accuracy != row.accuracy else f", {row.accuracy:.3f} of them right"
            say(f"out of fold: {row.share:.3f} of the notes are answered with {row.level}{right}")
        if network is not None:
            model[-1].estimator_.set_params(verbose=0)
    if network is not None:
        network.set_params(verbose=0)
    data = {"name": os.path.basename(os.path.abspath(options.data)), "notes": len(notes.target)}
    data |= {"groups": len(set(notes.groups)), "sha256": digest(notes)}
    if options.licence:
        data["licence"] = options.licence
    what = {"data": data, "hierarchy": notes.hierarchy}
    try:
        save(model, output, **what)
    except OSError as error:  # a full disk, most likely: what was learned shall not be lost
        say(error)
        elsewhere = Path(tempfile.mkdtemp(prefix="sknote-"), output.name)
        try:
            save(model, elsewhere, **what)
        except OSError:
            elsewhere.parent.rmdir()
            raise
        say(f"wrote {elsewhere} instead of {output}")
        return ALL_FAILED
    say(f"wrote {output}")
    return DONE


def _check_output(path):
    """Refuse what cannot be written before the training, not after it."""
    if path.lower().endswith(".onnx"):
        raise WrongCommandError(
            f"train: expected a name that ends otherwise, as .sknote, got {path!r}, which other "
            "commands take for an ONNX file. `sknote export` makes one of a trained model."
        )
    from sknote._files import check_room
    from sknote.deploy.model_file._archive import MODEL

    check_room(path, "train", MODEL)
