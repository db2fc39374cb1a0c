"""How sure an answer is: classifiers that name the level they are sure of, or a set of labels."""

from sknote._lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "ConformalClassifier": "._conformal",
        "SelectiveClassifier": "._selective",
    },
)
