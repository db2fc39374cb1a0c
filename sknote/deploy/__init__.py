"""Take a fitted pipeline to where it is used: as a file of its own, or without what trained it."""

from sknote._lazy import lazy_names

# what is exported runs without torch, so that torch is imported by what needs it alone
__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "CachedClassifier": ".answers",
        "NoteEvent": "._stream_events",
        "NoteStream": "._stream",
        "OnnxNoteClassifier": "._onnx_classifier",
        "SampleQueue": "._stream_queue",
        "export_onnx": "._onnx_export",
        "load": ".model_file",
        "model_card": ".model_file",
        "save": ".model_file",
    },
)
