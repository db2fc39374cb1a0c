"""What a classifier heard: displays in scikit-learn's style, reports and explanations."""

from sknote._lazy import lazy_names

# matplotlib is imported by what draws alone
__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {"NoteExplanation": "._explain", "explain_note": "._explain"},
)
