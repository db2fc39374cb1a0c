"""``sknote export``: a model for other programs."""

import sys

from sknote.cli._main import DONE, say


def run(options):
    """Carry the command out."""
    from sknote.deploy import export_onnx, load

    if sys.stderr.isatty():
        say("translating the model, which takes about a minute")
    say(f"wrote {export_onnx(load(options.model), options.onnx)}")
    return DONE
