"""What a user could pick instead of sknote: models of aeon and openSMILE, from the extra ``peers``.

openSMILE's licence is for research and teaching only, which is why it is in no other extra.
"""

import importlib.util
from functools import partial

import numpy as np
from scipy.special import softmax
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import make_column_transformer
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifierCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from benchmarks.cli import BenchmarkError
from sknote import AudioLoader, Spectrogram

# Model → the package that it comes from
PEERS = {"minirocket": "aeon", "multirocket_hydra": "aeon"}
PEERS |= {"egemaps_linear": "opensmile", "egemaps_trees": "opensmile"}
SECONDS = 4.0  # of a note that aeon's models are shown
HOP_LENGTH = 512
_SHORTEST = 0.1  # seconds; openSMILE needs about 0.06


class SoftmaxRidge(RidgeClassifierCV):
    """Ridge regression on ±1 whose probabilities, a softmax of its values, are not calibrated."""

    def predict_proba(self, X):
        """Return the softmax of the decision function, of shape (n_samples, n_classes)."""
        values = self.decision_function(X)
        if values.ndim == 1:
            values = np.column_stack([-values, values])
        return softmax(values, axis=1)


class RocketFeatures(TransformerMixin, BaseEstimator):
    """The scaled features of aeon's MiniRocket, or of its MultiRocket and Hydra together.

    Scalers and settings are those of its classifiers (Dempster, Schmidt and Webb, 2021 and 2023).
    Of one length: a spectrogram is cropped to `n_frames`, or padded by its smallest value.
    """

    def __init__(self, kind, *, n_frames, n_jobs=1, random_state=0):
        self.kind = kind
        self.n_frames = n_frames
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit_transform(self, X, y=None):
        """Fit, and return an array of shape (n_notes, n_features)."""
        from aeon.classification.convolution_based._hydra import _SparseScaler
        from aeon.transformations.collection import convolution_based as aeon

        how = {"n_jobs": self.n_jobs, "random_state": self.random_state}
        if self.kind == "minirocket":
            self.parts_ = [(aeon.MiniRocket(**how), StandardScaler(with_mean=False))]
        else:
            hydra = aeon.HydraTransformer(**how), _SparseScaler()
            self.parts_ = [hydra, (aeon.MultiRocket(**how), StandardScaler())]
        series = self._series(X)
        found = [scaler.fit_transform(part.fit_transform(series)) for part, scaler in self.parts_]
        return np.hstack([np.asarray(one) for one in found])

    def transform(self, X):
        """Return an array of shape (n_notes, n_features)."""
        series = self._series(X)
        found = [scaler.transform(part.transform(series)) for part, scaler in self.parts_]
        return np.hstack([np.asarray(one) for one in found])

    def _series(self, X):
        """Return an array of shape (n_notes, n_bins, n_frames)."""
        items = [item[: self.n_frames] for item in X]
        series = np.empty((len(items), items[0].shape[1], self.n_frames), dtype=np.float32)
        for row, item in enumerate(items):
            series[row] = item.min()
            series[row, :, : len(item)] = item.T
        return series


class EgemapsFunctionals(TransformerMixin, BaseEstimator):
    """The 88 functionals of openSMILE's eGeMAPSv02 (Eyben et al., 2016), of each waveform."""

    def __init__(self, sample_rate=22050):
        self.sample_rate = sample_rate

    def fit(self, X, y=None):
        """Do nothing."""
        return self

    def transform(self, X):
        """Return an array of shape (n_notes, 88); a very short note is padded with silence."""
        import opensmile

        level = opensmile.FeatureLevel.Functionals
        smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, level)
        shortest = round(_SHORTEST * self.sample_rate)
        padded = [np.pad(one, (0, max(0, shortest - len(one)))) for one in X]
        return np.vstack([smile.process_signal(one, self.sample_rate) for one in padded])

    def __sklearn_is_fitted__(self):
        return True


def is_installed(name):
    """Tell whether the package that a peer comes from is installed."""
    return importlib.util.find_spec(PEERS[name]) is not None


def _rocket(options, name):
    spectrogram = Spectrogram(
        scale="mel", n_bins=64, hop_length=HOP_LENGTH, top_db=80.0, dtype="float16"
    )
    n_frames = round(SECONDS * spectrogram.sample_rate / HOP_LENGTH)
    how = {"n_jobs": options.n_threads, "random_state": options.seed}
    features = RocketFeatures(name, n_frames=n_frames, **how)
    columns = make_column_transformer((features, "audio"), (_one_hot(), ["instrument"]))
    ridge = SoftmaxRidge(alphas=np.logspace(-3, 3, 10))  # aeon's
    return _pipeline(name, ("spectrogram", spectrogram), columns, ridge)


def _egemaps(options, name):
    scaler = StandardScaler()
    classifier = LogisticRegression(max_iter=3000, random_state=options.seed)
    if name == "egemaps_trees":
        how = {"n_jobs": options.n_threads, "random_state": options.seed}
        scaler, classifier = "passthrough", ExtraTreesClassifier(500, **how)
    columns = make_column_transformer((_one_hot(), ["instrument"]), remainder=scaler)
    return _pipeline(name, ("egemaps", EgemapsFunctionals()), columns, classifier)


def _one_hot():
    # float32, so that columns beside it are not widened
    return OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype=np.float32)


def _pipeline(name, features, columns, classifier):
    if not is_installed(name):
        raise BenchmarkError(
            f"the model {name!r} needs {PEERS[name]}, which is not installed: "
            "pip install 'sknote[peers]'"
        )
    classify = ("classify", make_pipeline(columns, classifier))
    return Pipeline([("load", AudioLoader(on_error="warn")), features, classify])


_LINES = {
    "minirocket": "aeon's MiniRocket on a log-mel spectrogram, and ridge regression",
    "multirocket_hydra": "aeon's MultiRocket and Hydra on the same, and ridge regression",
    "egemaps_linear": "openSMILE's eGeMAPS functionals, and logistic regression",
    "egemaps_trees": "openSMILE's eGeMAPS functionals, and 500 extremely randomised trees",
}
_FAMILIES = {"aeon": _rocket, "opensmile": _egemaps}
MODELS = {name: (line, partial(_FAMILIES[PEERS[name]], name=name)) for name, line in _LINES.items()}
