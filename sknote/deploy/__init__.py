"""Take a fitted pipeline to where it is used, without the packages that trained it."""

import importlib

_HOME = {"OnnxNoteClassifier": "_onnx_classifier", "export_onnx": "_onnx_export"}

__all__ = ["OnnxNoteClassifier", "export_onnx"]


def __getattr__(name):
    # what is exported runs without torch, so that torch is imported by what needs it alone
    if name in _HOME:
        return getattr(importlib.import_module(f"sknote.deploy.{_HOME[name]}"), name)
    raise AttributeError(f"module 'sknote.deploy' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
