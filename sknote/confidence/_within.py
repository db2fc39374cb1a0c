"""The pipeline within confidence or calibration: what is around it is taken off."""

import copy

from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sknote.confidence._selective import SelectiveClassifier

AROUND, INSIDE = "pipeline", "step"  # where a SelectiveClassifier is


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


def without_temperature(fitted, name):
    """Take a temperature off a fitted pipeline or search, wherever it is within it.

    Returns what it was around, and the calibrator, or None if there is none. A calibration of
    another kind is a TypeError, which begins with `name`.
    """
    if hasattr(fitted, "best_estimator_"):  # of a search
        return without_temperature(fitted.best_estimator_, name)
    if isinstance(fitted, FrozenEstimator):
        return without_temperature(fitted.estimator, name)
    if isinstance(fitted, Pipeline) and fitted.steps:
        *steps, (step, last) = fitted.steps
        inside, calibrator = without_temperature(last, name)
        return (fitted if inside is last else Pipeline([*steps, (step, inside)])), calibrator
    if not hasattr(fitted, "calibrated_classifiers_"):
        return fitted, None
    kind, parts = type(fitted).__name__, fitted.calibrated_classifiers_
    if len(parts) > 1 or parts[0].method != "temperature":
        raise TypeError(
            f"{name}: expected a pipeline that is calibrated by one temperature, got {kind} with "
            f"method={parts[0].method!r} and {len(parts)} calibrated classifiers. Calibrate it by "
            f"{kind}(FrozenEstimator(pipeline), method='temperature'). Or take the "
            f"calibrated_classifiers_[0].estimator of {kind}, and calibrate its answers in the app."
        )
    return parts[0].estimator, parts[0].calibrators[0]
