"""``sknote export``: a model for other programs, or for a page."""

from sknote.cli._main import DONE, WrongCommandError, say
from sknote.cli._output import clock


def run(options):
    """Carry the command out."""
    if wrong := _wrong(options):
        raise WrongCommandError(f"export: {wrong}")
    from sknote.deploy import export_onnx, load

    model = load(options.model)
    _refuse_baseline(model, options.model)
    _check_target(options)
    say("translating the model and comparing its answers, which takes about a minute")
    with clock("translating"):
        if options.web:
            from sknote.deploy._page import export_page

            written = export_page(model, options.folder, options.title)
        else:
            written = export_onnx(model, options.onnx)
    say(f"wrote {written}")
    return DONE


def _check_target(options):
    """Say what stands in the way of what is to be written before it is translated."""
    if options.web:
        from sknote.deploy._page import check_folder

        check_folder(options.folder)
    else:
        from sknote._files import check_target
        from sknote.deploy._kinds import ONNX

        check_target(options.onnx, "export", ONNX)


def _refuse_baseline(model, path):
    """Say what cannot be translated before it is said that this takes its time."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    from sknote.confidence._within import without_confidence

    inside, *_ = without_confidence(model)
    if isinstance(inside[-1], HistGradientBoostingClassifier):
        raise ValueError(
            f"export: expected a model with a network in {path!r}, got a baseline, which can be "
            "saved but not exported. Train one without --model baseline."
        )


def _wrong(options):
    if options.web and options.folder is None:
        return "expected the folder of the page, got none. Pass --web MODEL DIR"
    if options.folder is not None and not options.web:
        return f"expected --web for a page in {options.folder!r}, got --onnx. Pass one of the two"
    if options.onnx is not None and not options.onnx.lower().endswith(".onnx"):
        return (
            f"expected a name that ends in .onnx, by which the other commands know what it is, got "
            f"{options.onnx!r}"
        )
    if options.title is not None and not options.web:
        return "--title is what a page calls its model, and there is none. Pass --web, too"
    return None
