"""A cache of features, and what it holds."""

from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.pipeline import make_pipeline

from sknote import AudioLoader, Spectrogram

STEPS = make_pipeline(AudioLoader(), Spectrogram(scale="mel", n_bins=16, n_threads=1))
CALLS = []


def steps_with(**params):
    return clone(STEPS).set_params(**params)


class Square(TransformerMixin, BaseEstimator):
    """Squares waveforms, and writes into CALLS how many it is given."""

    def __init__(self, gain=1.0):
        self.gain = gain

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        CALLS.append(len(X))
        out = np.empty(len(X), dtype=object)
        out[:] = [self.gain * np.asarray(x, np.float32)[:, None] ** 2 for x in X]
        return out

    def __sklearn_is_fitted__(self):
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags


def waveforms(n=10, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.uniform(-0.5, 0.5, 400 + 61 * i).astype(np.float32) for i in range(n)]


def files(folder):
    return sorted(Path(folder).rglob("*.features"))


def assert_alike(left, right):
    """Compare notes; processors round differently in batches of another size."""
    assert len(left) == len(right)
    for a, b in zip(left, right):
        assert a.dtype == b.dtype
        precision = 4 * np.finfo(a.dtype).eps
        np.testing.assert_allclose(a, b, rtol=precision, atol=precision * np.abs(b).max(initial=0))
