"""Small searches, for tests of OptunaSearch."""

import numpy as np
from optuna.distributions import FloatDistribution
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_classification
from sklearn.model_selection import KFold
from sklearn.tree import DecisionTreeClassifier

from sknote.model_selection import OptunaSearch

X, Y = make_classification(90, 6, n_informative=4, flip_y=0.2, n_classes=3, random_state=0)
GROUPS = np.repeat(np.arange(18), 5)
TREE = DecisionTreeClassifier(random_state=0)
SPACE = {"ccp_alpha": FloatDistribution(1e-4, 0.1, log=True), "max_depth": [1, 2, 4, 8]}


def make(estimator=TREE, space=SPACE, **params):
    return OptunaSearch(estimator, space, **({"n_trials": 4, "cv": 3, "random_state": 0} | params))


class Scripted(ClassifierMixin, BaseEstimator):
    """Scores what `score_of` says for (value, first test row); counts its fits."""

    fits = []

    def __init__(self, value=0, script=None):
        self.value, self.script = value, script

    def fit(self, X, y, sample_weight=None, groups=None):
        self.classes_ = np.unique(y)
        Scripted.fits.append((self.value, X[:, 0], sample_weight, groups))
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])

    def score(self, X, y=None):
        score = self.script(self.value, int(X[0, 0] // 10))
        if isinstance(score, Exception):
            raise score
        return score


ROWS = np.arange(40.0)[:, None]  # with KFold(4), the fold is the tens of the row
HALVES = np.tile([0, 1], 20)


def scripted(script, values, **params):
    """A search over given values, in their order, with scripted scores for (value, fold)."""
    Scripted.fits.clear()
    order = iter(values)

    def space(trial):
        value = trial.user_attrs.get("value")
        if value is None:
            value = next(order)
            trial.set_user_attr("value", value)
        trial.suggest_float("dummy", 0, 1)
        return {"value": value}

    defaults = {"n_trials": len(values), "cv": KFold(4), "refit": False}
    return OptunaSearch(Scripted(script=script), space, **(defaults | params))
