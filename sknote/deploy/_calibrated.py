"""Calibration around a pipeline: a temperature goes into an exported file, others do not."""

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from torch import nn

_EPS = float(np.finfo(np.float64).eps)  # what scikit-learn adds before it takes logarithms


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


class Tempered(nn.Module):
    """A model whose probabilities are those of a temperature, as scikit-learn has it."""

    def __init__(self, model, calibrator):
        super().__init__()
        self.model = model
        self.beta = float(calibrator.beta_)

    @property
    def network(self):
        """The network within."""
        return self.model.network

    def forward(self, waveforms, n_samples, instrument):
        """Compute probabilities, as :class:`sknote.nn.NoteModel` does."""
        return tempered(self.model(waveforms, n_samples, instrument), self.beta)


def tempered(proba, beta):
    """Bring probabilities of a batch to another temperature, 1 / `beta`."""
    return (beta * (proba + _EPS).log()).softmax(dim=1)
