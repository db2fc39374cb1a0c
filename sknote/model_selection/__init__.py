"""Splits by group, and hyperparameter search with Optuna; no estimator of sknote is known here.

What needs Optuna is imported when it is first used: a classifier that only splits does without.
"""

from sknote._lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "OptunaSearch": ".search",
        "baseline_space": "sknote.search_spaces",
        "check_folds": "._split",
        "check_no_leak": "._split",
        "grouped_train_valid_test_split": "._split",
        "grouped_validation_split": "._split",
        "note_space": "sknote.search_spaces",
        "report_epoch": ".search",
        "suggest_baseline": "sknote.search_spaces",
        "suggest_note": "sknote.search_spaces",
    },
)
