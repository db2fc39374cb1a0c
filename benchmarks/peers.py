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
_SHORTEST = 2205  # samples; openSMILE needs about 1,300


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
        return self._features(X, "fit_transform")

    def transform(self, X):
        """Return an array of shape (n_notes, n_features)."""
        return self._features(X, "transform")

    def _features(self, X, method):
        series = np.stack([_of_length(item.T, self.n_frames) for item in X])
        found = [
            getattr(scale, method)(getattr(part, method)(series)) for part, scale in self.parts_
        ]
        return np.hstack([np.asarray(one) for one in found])


def _of_length(item, n_frames):
    missing = max(0, n_frames - item.shape[1])
    padded = np.pad(item, [(0, 0), (0, missing)], constant_values=item[:, :n_frames].min())
    return padded[:, :n_frames].astype(np.float32)


class EgemapsFunctionals(TransformerMixin, BaseEstimator):
    """The 88 functionals of openSMILE's eGeMAPSv02 (Eyben et al., 2016), of each waveform."""

    def fit(self, X, y=None):
        """Do nothing."""
        return self

    def transform(self, X):
        """Return an array of shape (n_notes, 88); a very short note is padded with silence."""
        import opensmile

        smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
        padded = [np.pad(one, (0, max(0, _SHORTEST - len(one)))) for one in X]
        return np.vstack([smile.process_signal(one, AudioLoader().sample_rate) for one in padded])


def _rocket(options, name):
    spectrogram = Spectrogram(scale="mel", n_bins=64, hop_length=512, top_db=80.0, dtype="float16")
    n_frames = 4 * spectrogram.sample_rate // 512  # of the first 4 s
    how = {"n_jobs": options.n_threads, "random_state": options.seed}
    features = RocketFeatures(name, n_frames=n_frames, **how), "audio"
    ridge = SoftmaxRidge(alphas=np.logspace(-3, 3, 10))  # aeon's
    return _pipeline(name, ("spectrogram", spectrogram), ridge, features)


def _egemaps(options, name):
    scaler = StandardScaler()
    classifier = LogisticRegression(max_iter=3000, random_state=options.seed)
    if name == "egemaps_trees":
        how = {"n_jobs": options.n_threads, "random_state": options.seed}
        scaler, classifier = "passthrough", ExtraTreesClassifier(500, **how)
    return _pipeline(name, ("egemaps", EgemapsFunctionals()), classifier, remainder=scaler)


def is_installed(name):
    """Tell whether a model can be made here; what is no peer always can."""
    return name not in PEERS or importlib.util.find_spec(PEERS[name]) is not None


def _pipeline(name, features, classifier, *columns, **more):
    if not is_installed(name):
        raise BenchmarkError(f"{name!r} needs {PEERS[name]}: pip install 'sknote[peers]'")
    # float32, so that columns beside it are not widened
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype=np.float32)
    columns = make_column_transformer(*columns, (one_hot, ["instrument"]), **more)
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
