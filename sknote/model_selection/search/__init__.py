"""OptunaSearch and its parts; Optuna is imported by what needs it.

A search (`_optuna_search`) opens a storage (`_storage`) and begins a study there or resumes it
(`_study`, which compares `_fingerprint`s); `_run` runs its trials, and `_recovery` those that a
killed process left. `_evaluate` is one trial, with the parameters of `_space`, drawn by `_sampler`,
on steps that `_precompute` computed once; `_report` is how epochs reach the pruner.
"""

from sknote._lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__, {"OptunaSearch": "._optuna_search", "report_epoch": "._report"}
)
