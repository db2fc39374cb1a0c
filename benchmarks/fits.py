"""Fits that are kept on disk as models, as long as the code that makes them stays as it is."""

import zlib

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

import sknote
from benchmarks.environment import code_digest, digest, versions
from benchmarks.models import settings
from sknote.deploy import load, save

ANSWERING = ("confidence", "deploy", "inspection", "metrics")  # what comes after a fit
_FITTED = {}  # in this process


class Remembered(ClassifierMixin, BaseEstimator):
    """A classifier that is fitted once to the same rows of X (by its index), whoever asks for it.

    `SelectiveClassifier` and `ConformalClassifier` make the same folds: this lets them share fits,
    of which each gets what it would have made itself. With a `folder`, where the steps of a
    pipeline before the classifier are given as well, other processes find them, too; `key` is plain
    data that tells from which notes X was made.
    """

    def __init__(self, estimator, steps=(), folder=None, key=None):
        self.estimator = estimator
        self.steps = steps
        self.folder = folder
        self.key = key

    def fit(self, X, y, groups=None):
        """Fit the classifier, unless it was fitted to these rows before."""
        key = self._place(X, y, groups)
        if key not in _FITTED:
            _FITTED[key] = self._find(key) or self._make(key, X, y, groups)
        self.best_estimator_ = _FITTED[key]  # named as in a search, into which others look
        self.classes_ = self.best_estimator_.classes_
        return self

    def predict_proba(self, X):
        """Return the probabilities of the classifier."""
        return self.best_estimator_.predict_proba(X)

    def _place(self, X, y, groups):
        pipeline = Pipeline([*self.steps, ("classify", self.estimator)])
        code = code_digest(sknote, but=ANSWERING)
        rows = [zlib.crc32(np.ascontiguousarray(part).tobytes()) for part in _parts(X, y, groups)]
        return digest(self.key, settings(pipeline), code, versions(), rows)

    def _find(self, key):
        path = self.folder and self.folder / f"{key}.sknote"
        return load(path)[-1] if path and path.is_file() else None

    def _make(self, key, X, y, groups):
        params = {"groups": groups} if has_fit_parameter(self.estimator, "groups") else {}
        fitted = clone(self.estimator).fit(X, y, **params)
        if self.folder:
            self.folder.mkdir(parents=True, exist_ok=True)
            pipeline = Pipeline([*self.steps, ("classify", fitted)])
            save(pipeline, self.folder / f"{key}.sknote")
        return fitted


def _parts(X, y, groups):
    """Return what tells a fit from others of the same notes, as arrays of numbers."""
    yield X.index.to_numpy()
    for part in (y, groups):
        if part is not None:
            yield np.unique(part, return_inverse=True)[1]
