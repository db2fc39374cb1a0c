"""Splits by group, and hyperparameter search with Optuna; no estimator of sknote is known here.

What needs Optuna is imported when it is first used: a classifier that only splits does without.
"""

import importlib

from sknote.model_selection._report import report_epoch
from sknote.model_selection._split import check_folds, check_no_leak, grouped_validation_split

_HOME = {
    "OptunaSearch": "_search",
    "baseline_space": "_spaces",
    "note_space": "_spaces",
    "suggest_baseline": "_spaces",
    "suggest_note": "_spaces",
}

__all__ = [
    "OptunaSearch",
    "baseline_space",
    "check_folds",
    "check_no_leak",
    "grouped_validation_split",
    "note_space",
    "report_epoch",
    "suggest_baseline",
    "suggest_note",
]


def __getattr__(name):
    if name in _HOME:
        return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
