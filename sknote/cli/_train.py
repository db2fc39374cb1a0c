"""``sknote train``: from recordings to a model in a file."""

import os
import tempfile
from pathlib import Path

from sknote.cli._data import digest, load_data, make_model
from sknote.cli._main import DONE, say
from sknote.cli._output import on_terminal


def run(options):
    """Carry the command out; the file is written whole or not at all."""
    output = Path(options.output)
    _check_output(output)
    from sknote.deploy import save

    model = make_model(options)
    notes = load_data(options)
    if options.model != "baseline":
        model.set_params(classify__verbose=int(on_terminal()))
    model.fit(notes.data, notes.target)
    model.set_params(load__n_jobs=None)
    if options.model != "baseline":
        model.set_params(classify__verbose=0)
    data = {"name": os.path.basename(os.path.abspath(options.data)), "notes": len(notes.target)}
    data |= {"groups": len(set(notes.groups)), "sha256": digest(notes)}
    if options.licence:
        data["licence"] = options.licence
    what = {"data": data, "hierarchy": notes.hierarchy}
    try:
        save(model, output, **what)
    except OSError as error:  # a full disk, most likely: what was learned shall not be lost
        output = Path(tempfile.mkdtemp(prefix="sknote-"), output.name)
        save(model, output, **what)
        say(f"{error} It lies in {output} instead.")
    say(f"wrote {output}")
    return DONE


def _check_output(path):
    """Refuse what cannot be written before the training, not after it."""
    if path.is_dir():
        raise IsADirectoryError(f"train: {str(path)!r} is a folder. Name a file in it.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"train: there is no folder {str(path.parent)!r}.")
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"train: nothing can be written in {str(path.parent)!r}.")
