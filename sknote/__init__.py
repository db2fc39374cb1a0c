"""sknote hears how well a single musical note was played.

The public names below are imported when they are first used, so that ``import sknote`` stays
instant: torch, librosa and pandas are loaded only by what needs them.
"""

import importlib

__version__ = "0.1.0.dev0"

_HOME = {
    "AudioLoader": "feature_extraction",
    "LabelHierarchy": "labels",
    "MFCCSummary": "feature_extraction",
    "NoteClassifier": "classifier",
    "Spectrogram": "feature_extraction",
    "make_baseline_pipeline": "pipelines",
    "make_note_pipeline": "pipelines",
}
_MODULES = {
    "datasets",
    "deploy",
    "exceptions",
    "feature_extraction",
    "metrics",
    "model_selection",
    "nn",
}

__all__ = [*sorted(_HOME), *sorted(_MODULES)]


def __getattr__(name):
    if name in _HOME:
        return getattr(importlib.import_module(f"sknote.{_HOME[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"sknote.{name}")
    raise AttributeError(f"module 'sknote' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
