"""sknote hears how well a single musical note was played.

The public names below are imported when they are first used, so that ``import sknote`` stays
instant: torch, librosa and pandas are loaded only by what needs them.
"""

from sknote._lazy import lazy_names

__version__ = "0.1.0.dev0"

_MODULES = {
    "audio",
    "confidence",
    "datasets",
    "deploy",
    "exceptions",
    "feature_extraction",
    "inspection",
    "metrics",
    "model_selection",
    "nn",
    "spectral",
}

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "AudioLoader": ".feature_extraction",
        "LabelHierarchy": ".labels",
        "MFCCSummary": ".feature_extraction",
        "NoteClassifier": ".classifier",
        "PassageClassifier": ".passage_classifier",
        "Spectrogram": ".feature_extraction",
        "make_baseline_pipeline": ".pipelines",
        "make_note_pipeline": ".pipelines",
        "predict_passage": ".passages",
    },
    _MODULES,
)
