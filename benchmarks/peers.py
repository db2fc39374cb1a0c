"""What a user could pick instead of sknote: models of aeon and openSMILE, from the extra ``peers``.

openSMILE's licence is for research and teaching only, which is why it is in no other extra. Each
model is told the instrument, as one column for each.
"""

import importlib.util

import numpy as np
from scipy.special import softmax
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import make_column_transformer
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifierCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from benchmarks.options import BenchmarkError
from sknote import AudioLoader, Spectrogram

# Model → the package that it comes from
PEERS = {
    "minirocket": "aeon",
    "multirocket_hydra": "aeon",
    "egemaps_linear": "opensmile",
    "egemaps_trees": "opensmile",
}
SECONDS = 4.0  # of a note that aeon's models are shown
HOP_LENGTH = 512
_SHORTEST = 0.1  # seconds; openSMILE needs about 0.06


class SoftmaxRidge(RidgeClassifierCV):
    """Ridge regression on ±1 whose probabilities are a softmax of its values.

    They come in the right order, and are no calibrated probabilities: log loss and calibration
    error say little about such a model.
    """

    def predict_proba(self, X):
        """Return the softmax of the decision function, of shape (n_samples, n_classes)."""
        values = self.decision_function(X)
        if values.ndim == 1:
            values = np.column_stack([-values, values])
        return softmax(values, axis=1)


class RocketFeatures(TransformerMixin, BaseEstimator):
    """The scaled features of aeon's MiniRocket, or of its MultiRocket and Hydra together.

    The transforms need series of one length: a spectrogram is cropped to `n_frames`, or padded by
    its smallest value, as by aeon's ``Padder(fill_value="min")``. Transforms, scalers and their
    settings are those of ``MiniRocketClassifier`` and ``MultiRocketHydraClassifier``.

    A. Dempster, D. F. Schmidt and G. I. Webb, "MiniRocket: a very fast (almost) deterministic
    transform for time series classification", KDD 2021; the same, "Hydra: competing convolutional
    kernels for fast and accurate time series classification", Data Mining and Knowledge Discovery,
    2023.
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

    def fit(self, X, y=None):
        """Fit to spectrograms, each of shape (n_frames, n_bins)."""
        self.fit_transform(X)
        return self

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
    """The 88 functionals of openSMILE's eGeMAPSv02, of each waveform (at `sample_rate`) by itself.

    F. Eyben et al., "The Geneva Minimalistic Acoustic Parameter Set (GeMAPS) for voice research
    and affective computing", IEEE Trans. Affective Computing 7 (2), 2016.
    """

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
        rows = []
        for waveform in X:
            padded = np.pad(waveform, (0, max(0, shortest - len(waveform))))
            rows.append(smile.process_signal(padded, self.sample_rate).to_numpy()[0])
        return np.stack(rows)

    def __sklearn_is_fitted__(self):
        return True


def is_installed(name):
    """Tell whether the package that a peer comes from is installed."""
    return importlib.util.find_spec(PEERS[name]) is not None


def _rocket(name, options):
    spectrogram = Spectrogram(
        scale="mel", n_bins=64, hop_length=HOP_LENGTH, top_db=80.0, dtype="float16"
    )
    n_frames = round(SECONDS * spectrogram.sample_rate / HOP_LENGTH)
    how = {"n_jobs": options.n_threads, "random_state": options.seed}
    features = RocketFeatures(name, n_frames=n_frames, **how)
    columns = make_column_transformer((features, "audio"), (_one_hot(), ["instrument"]))
    ridge = SoftmaxRidge(alphas=np.logspace(-3, 3, 10))  # aeon's
    return _pipeline(name, ("spectrogram", spectrogram), make_pipeline(columns, ridge))


def _egemaps(name, options):
    if name == "egemaps_linear":
        scaler = StandardScaler()
        classifier = LogisticRegression(max_iter=3000, random_state=options.seed)
    else:
        how = {"n_jobs": options.n_threads, "random_state": options.seed}
        scaler, classifier = "passthrough", ExtraTreesClassifier(500, **how)
    columns = make_column_transformer((_one_hot(), ["instrument"]), remainder=scaler)
    classify = make_pipeline(columns, classifier)
    return _pipeline(name, ("egemaps", EgemapsFunctionals()), classify)


def _one_hot():
    # float32, so that columns beside it are not widened
    return OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype=np.float32)


def _pipeline(name, features, classifier):
    if not is_installed(name):
        raise BenchmarkError(
            f"the model {name!r} needs {PEERS[name]}, which is not installed: "
            "pip install 'sknote[peers]'"
        )
    return Pipeline([("load", AudioLoader(on_error="warn")), features, ("classify", classifier)])


MODELS = {
    "minirocket": (
        "aeon's MiniRocket on a log-mel spectrogram, and ridge regression",
        lambda options: _rocket("minirocket", options),
    ),
    "multirocket_hydra": (
        "aeon's MultiRocket and Hydra on the same, and ridge regression",
        lambda options: _rocket("multirocket_hydra", options),
    ),
    "egemaps_linear": (
        "openSMILE's eGeMAPS functionals, and logistic regression",
        lambda options: _egemaps("egemaps_linear", options),
    ),
    "egemaps_trees": (
        "openSMILE's eGeMAPS functionals, and 500 extremely randomised trees",
        lambda options: _egemaps("egemaps_trees", options),
    ),
}
