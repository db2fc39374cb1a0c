"""SelectiveClassifier around a pipeline, or around its last step: off it, and as JSON."""

import copy

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sknote.confidence import SelectiveClassifier

AROUND, INSIDE = "pipeline", "step"  # where it is


def without_confidence(fitted):
    """Take a SelectiveClassifier off a fitted pipeline or search, wherever it is.

    Returns what it was around, itself, and where it was; None and None if there is none.
    """
    if hasattr(fitted, "best_estimator_"):
        return without_confidence(fitted.best_estimator_)
    if isinstance(fitted, FrozenEstimator):
        return without_confidence(fitted.estimator)
    if isinstance(fitted, SelectiveClassifier):
        check_is_fitted(fitted)
        return fitted.estimator_, fitted, AROUND
    if isinstance(fitted, Pipeline) and fitted.steps:
        *steps, (step, last) = fitted.steps
        inside, selective, _ = without_confidence(last)
        if selective is not None:
            fitted = copy.copy(fitted)
            fitted.steps = [*steps, (step, inside)]
            return fitted, selective, INSIDE
    return fitted, None, None


def describe_rule(rule):
    """Return an AnswerRule as an object of JSON; null stands for infinity."""
    return {
        "threshold": _finite(rule.threshold),
        "levels": [
            {"name": level.name, "nodes": list(level.nodes), "node_of": level.node_of.tolist()}
            for level in rule.levels[1:]
        ],
        "limits": [[reason, _finite(limit)] for reason, limit in rule.limits],
    }


def _finite(value):
    return float(value) if np.isfinite(value) else None
