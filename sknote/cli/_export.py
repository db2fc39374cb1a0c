"""``sknote export``: a model for other programs, or for a page."""

import sys

from sknote.cli._main import DONE, USAGE, say


def run(options):
    """Carry the command out."""
    if wrong := _wrong(options):
        say(f"export: {wrong}")
        return USAGE
    from sknote.deploy import export_onnx, load

    if sys.stderr.isatty():
        say("translating the model, which takes about a minute")
    if options.web:
        from sknote.deploy._page import export_page

        say(f"wrote {export_page(load(options.model), options.folder, options.title)}")
    else:
        say(f"wrote {export_onnx(load(options.model), options.onnx)}")
    return DONE


def _wrong(options):
    if options.web and options.folder is None:
        return "expected the folder of the page, got none. Pass --web MODEL DIR"
    if options.folder is not None and not options.web:
        return f"expected --web for a page in {options.folder!r}, got --onnx. Pass one of the two"
    if options.title is not None and not options.web:
        return "--title is what a page calls its model, and there is none. Pass --web, too"
    return None
