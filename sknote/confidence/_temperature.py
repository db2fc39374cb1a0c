"""One temperature for all probabilities, by scikit-learn's means."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator

__all__ = ["fit_temperature"]

_ODD = 0.01  # share of notes whose label says nothing


class _Known(ClassifierMixin, BaseEstimator):
    """Hands probabilities through that are known already."""

    def fit(self, X, y=None):
        self.classes_ = np.arange(X.shape[1])
        return self

    def predict_proba(self, X):
        return X


def fit_temperature(proba, target):
    """Return the inverse temperature at which probabilities are likeliest.

    `proba` are out-of-fold, shape (n_notes, n_classes), and `target` has the number of each note's
    class. Where these are of a single class nothing is known, and it is 1.

    The likelihood counts with one note in a hundred being labelled by chance: a few odd ones, which
    a classifier is surely wrong about, would else make all others less sure than they may be.
    """
    if len(np.unique(target)) < 2:
        return 1.0
    known, rows = FrozenEstimator(_Known().fit(proba)), np.arange(len(proba))
    # one fold of all notes: they are out of fold already
    method = {"method": "temperature", "cv": [(rows, rows)], "ensemble": True}
    proba = (1.0 - _ODD) * proba + _ODD / proba.shape[1]
    fitted = CalibratedClassifierCV(known, **method).fit(proba, target)
    return float(fitted.calibrated_classifiers_[0].calibrators[0].beta_)
