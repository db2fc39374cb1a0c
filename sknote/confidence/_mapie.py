"""What is asked of MAPIE: how much less likely than the most probable label a true one may be."""

import warnings

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from sknote._optional import import_optional

__all__ = ["check_mapie", "conformal_quantile", "unlikeliness"]

_SMALLEST = 1e-12  # a probability of 0 counts as this


def check_mapie(name):
    """Say what has to be installed, before anything else is done."""
    return import_optional("mapie.classification", extra="confidence", purpose=name)


def unlikeliness(proba):
    """Return the logarithm of the highest probability of each note less that of each label."""
    logs = np.log(np.maximum(proba, _SMALLEST))
    return logs.max(axis=1, keepdims=True) - logs


def conformal_quantile(proba, target, confidence_level):
    """Return the unlikeliness below which true labels of notes lie, by split conformal prediction.

    `proba` are out-of-fold, and `target` has the number of each note's class.
    """
    from mapie.classification import SplitConformalClassifier

    score = _score_of_mapie()
    conformal = SplitConformalClassifier(
        _Known().fit(proba), confidence_level=confidence_level, conformity_score=score, prefit=True
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of labels that are not among these notes
        conformal.conformalize(proba, target)
        conformal.predict_set(proba[:1])  # where MAPIE takes the quantile
    return float(np.ravel(score.quantiles_)[0])


class _Known(ClassifierMixin, BaseEstimator):
    """Hands probabilities through that are known already."""

    def fit(self, X, y=None):
        self.classes_ = np.arange(X.shape[1])
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X):
        return np.argmax(X, axis=1)

    def predict_proba(self, X):
        return X


def _score_of_mapie():
    """Return unlikeliness as one of MAPIE's conformity scores."""
    from mapie.conformity_scores import LACConformityScore

    class Unlikeliness(LACConformityScore):
        def get_conformity_scores(self, y, y_pred, y_enc=None, **kwargs):
            return np.take_along_axis(unlikeliness(y_pred), y_enc.reshape(-1, 1), axis=1)

        def get_prediction_sets(self, y_pred_proba, conformity_scores, alpha_np, cv, **kwargs):
            # the labels of MAPIE's last axis, one for each confidence level
            of_level = [unlikeliness(y_pred_proba[:, :, k]) for k in range(len(alpha_np))]
            return np.stack(of_level, axis=2) <= self.quantiles_

    return Unlikeliness()
