"""``sknote export``: a model for other programs."""

from sknote.cli._main import DONE, say


def run(options):
    """Carry the command out."""
    from sknote.deploy import export_onnx, load

    say(f"wrote {export_onnx(load(options.model), options.onnx)}")
    return DONE
