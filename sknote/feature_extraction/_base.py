"""What the transformers of recordings have in common."""

from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from sknote._compat import check_feature_names_in
from sknote._input.checks import MOST_JOBS, container_of, unpack
from sknote._input.forms import carried_by, other_values, repack
from sknote._input.frames import make_frame
from sknote._interval import Interval
from sknote.audio._bounds import HIGHEST_RATE

# In Hz; what is larger is a slip, of which resampling would make nothing, or far too much.
SAMPLE_RATE = Interval(Integral, 1, HIGHEST_RATE, closed="both")

# As joblib takes them, which does not look at how many they are.
N_JOBS = [
    Interval(Integral, None, -1, closed="right"),
    Interval(Integral, 1, MOST_JOBS, closed="both"),
    None,
]


class AudioTransformer(TransformerMixin, BaseEstimator):
    """A transformer that puts something else in the place of each recording.

    X is a DataFrame with a column ``audio``, a sequence of audio values, or an array of values of
    one length; what comes out has the form that came in, and other columns are left alone.
    """

    _ndim = 1  # of what comes in: 0 is whatever can be decoded, 1 a waveform

    def fit(self, X, y=None):
        """Check the parameters, and learn what there is to learn: the columns, if nothing else.

        Parameters
        ----------
        X : DataFrame with a column ``audio``, sequence, or array of shape (n_notes, n_samples)
            Recordings, as `transform` takes them.
        y : None
            Ignored.

        Returns
        -------
        object
            The transformer itself.
        """
        self._validate_params()
        self._unpack(X, reset=True)
        self._as_fitted = self.meaning()
        return self

    def get_feature_names_out(self, input_features=None):
        """Names of the output columns: those of the input, where they stay the same.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names to use where X had none; ignored where columns become others.

        Returns
        -------
        ndarray of object
            One name for each column; ``["audio"]`` where a sequence stays one.
        """
        check_is_fitted(self, "n_features_in_")
        if input_features is None and self.n_features_in_ == 1:
            input_features = getattr(self, "feature_names_in_", ["audio"])
        return check_feature_names_in(self, input_features)

    def _unpack(self, X, *, reset=False):
        """Return what is in X and its instruments; refuse what says that it is something else."""
        items, instrument = unpack(self, X, ndim=self._ndim, reset=reset)
        name, axes = type(self).__name__, carried_by(X, "spectral_axes")
        if self._ndim == 0:
            if axes is not None and np.shape(items[0])[1:] == (axes["n_bins"],):
                raise ValueError(f"{name}: expected recordings, got spectrograms.")
        elif carried_by(X, "sample_rate") not in (None, self.sample_rate):
            rate = carried_by(X, "sample_rate")
            raise ValueError(
                f"{name}: expected waveforms at {self.sample_rate} Hz, got some at {rate} Hz. "
                f"Set sample_rate={rate}, or that of the AudioLoader to {self.sample_rate}."
            )
        return items, instrument

    def _repack(self, X, items):
        """Give items the form of X, or that which ``set_output`` asks for.

        Such a DataFrame has the columns of `fit`; of those that X lacks, the values are missing.
        """
        library = container_of(self)
        if library != "default" and "audio" in (names := self.get_feature_names_out()):
            return make_frame(X, items, names, library, self._carried())
        return repack(X, items, self._carried())

    def _carried(self):
        """Plain values that travel with what is made, by name."""
        return {}

    def meaning(self):
        """Tell what decides what the numbers mean that are made.

        Returns
        -------
        dict
            Parameters by name, in which defaults have become what they stand for.
        """
        return {}

    def changed_since_fit(self):
        """Tell which parameters of :meth:`meaning` were changed since `fit`.

        Returns
        -------
        str
            Empty if none was, or if there was no `fit`.
        """
        fitted = getattr(self, "_as_fitted", None)
        return other_values(fitted, self.meaning()) if fitted else ""

    def check_unchanged(self):
        """Refuse to go on with other numbers than in `fit`, which steps behind have learned.

        Raises
        ------
        ValueError
            If a parameter that decides what the numbers mean was changed since `fit`.
        """
        if changed := self.changed_since_fit():
            raise ValueError(
                f"{type(self).__name__}: since fit was changed {changed}, and what was fitted on "
                "the former does not know the latter. Fit again, or set it back."
            )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
