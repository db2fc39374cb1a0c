"""Selective classifiers of plain numbers, whose answers lie at all levels, for tests."""

import dataclasses

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from sknote.confidence import SelectiveClassifier

CLASSES = np.array(["bad-attack-air", "bad-attack-tongue", "bad-pitch", "good-sound"])


def selective(classes=CLASSES, hierarchy=None, threshold=0.7):
    """Return a model that is seldom sure, notes, and labels; two labels at a time lie close."""
    rng = np.random.default_rng(0)
    number = np.arange(240) % len(classes)
    centers = np.array([0.0, 0.8, 2.4, 4.4])[number]
    X = pd.DataFrame({"a": centers + rng.normal(0, 0.6, 240), "b": rng.normal(size=240)})
    y = np.asarray(classes)[number]
    how = {"novelty": False, "cv": 3, "min_accuracy": 0.5}
    model = SelectiveClassifier(LogisticRegression(C=9.0), hierarchy, **how).fit(X, y)
    model.rule_ = dataclasses.replace(model.rule_, threshold=threshold)
    return model, X, y


class Exported:
    """A model as an OnnxNoteClassifier is one: no estimator of scikit-learn, and without fit."""

    def __init__(self, model):
        self.classes_, self._model = model.classes_, model

    def predict(self, X):
        return self._model.predict(X)

    def predict_proba(self, X):
        return self._model.predict_proba(X)
