"""Spectrogram: waveforms to spectrograms in dB."""

import functools
import warnings
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from sknote._forms import as_object_array, repack
from sknote._validation import unpack, wants_dataframe

# n_fft, hop_length and n_bins of each scale
_DEFAULTS = {"mel": (2048, 256, 64), "linear": (512, 128, None), "log": (4096, 512, 200)}


class Spectrogram(TransformerMixin, BaseEstimator):
    """Turn waveforms into spectrograms in dB, one row a frame.

    ``Spectrogram(scale="linear", normalize="note")`` is the spectrogram of 512-sample windows at
    a hop of 128 that much of the literature feeds to its networks, with each note brought to mean
    0 and deviation 1. The default keeps the level, from which the dynamics are told.

    Parameters
    ----------
    sample_rate : int, default=22050
        Sample rate of the waveforms, in Hz.
    n_fft : int or None, default=None
        Length of a window, in samples; None is 2048 for "mel", 4096 for "log" and 512 for
        "linear".
    hop_length : int or None, default=None
        Distance of two frames, in samples; None is 256 for "mel", 512 for "log" and 128 for
        "linear".
    scale : {"mel", "linear", "log"}, default="mel"
        "mel": power in mel bands. "linear": the magnitude of each Fourier bin. "log": power at
        quarter tones, in long windows for low frequencies and shorter ones for high; another
        pitch is then the same pattern elsewhere.
    n_bins : int or None, default=None
        Number of bands; None is 64 for "mel" and 200 (C1 to 10 kHz) for "log", or as many as lie
        below half the sample rate. For "linear" it is ``n_fft // 2 + 1``.
    normalize : {"note", "band"} or None, default=None
        "note": each note to mean 0 and standard deviation 1 (removes its level). "band": each
        band to mean 0 and standard deviation 1 over the notes seen in `fit`. None: decibels.
    f_min, f_max : float, default=0.0 and None
        Range of the mel bands, in Hz; None is half the sample rate. For "log", `f_min` is the
        lowest band (0 is C1) and `f_max` is ignored; for "linear" both are.
    top_db : float or None, default=80.0
        Values further than this below a note's maximum are raised to it, in dB; None keeps all
        down to -100 dB.
    dtype : {"float32", "float16"}, default="float32"
        Type of the result; "float16" halves the memory at a resolution of 0.06 dB or better.
    n_threads : int or None, default=None
        Number of threads; None is torch's own choice.

    Attributes
    ----------
    n_bins_ : int
        Number of bins of a frame.
    mean_, scale_ : ndarray of shape (n_bins,)
        Mean and standard deviation of each band, in dB; only for ``normalize="band"``.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Notes
    -----
    Every waveform has ``1 + n_samples // hop_length`` frames, so that one shorter than a window,
    and an empty one (which counts as silence), has a frame too. Windows, mel scale and decibels
    follow librosa [1]_.

    References
    ----------
    .. [1] B. McFee et al., "librosa: audio and music signal analysis in Python", SciPy 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from sknote import Spectrogram
    >>> second = np.sin(2 * np.pi * 440 * np.arange(22050) / 22050)
    >>> frames = Spectrogram().fit_transform([second])[0]
    >>> frames.shape
    (87, 64)
    >>> Spectrogram().fit_transform(["note.wav"])
    Traceback (most recent call last):
        ...
    ValueError: Spectrogram: expected a 1-D waveform, got str in row 0.
    """

    _parameter_constraints = {
        "sample_rate": [Interval(Integral, 1, None, closed="left")],
        "n_fft": [Interval(Integral, 2, None, closed="left"), None],
        "hop_length": [Interval(Integral, 1, None, closed="left"), None],
        "scale": [StrOptions({"mel", "linear", "log"})],
        "n_bins": [Interval(Integral, 1, None, closed="left"), None],
        "normalize": [StrOptions({"note", "band"}), None],
        "f_min": [Interval(Real, 0, None, closed="left")],
        "f_max": [Interval(Real, 0, None, closed="neither"), None],
        "top_db": [Interval(Real, 0, None, closed="neither"), None],
        "dtype": [StrOptions({"float32", "float16"})],
        "n_threads": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self,
        sample_rate=22050,
        *,
        n_fft=None,
        hop_length=None,
        scale="mel",
        n_bins=None,
        normalize=None,
        f_min=0.0,
        f_max=None,
        top_db=80.0,
        dtype="float32",
        n_threads=None,
    ):
        self.sample_rate = sample_rate
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.scale = scale
        self.n_bins = n_bins
        self.normalize = normalize
        self.f_min = f_min
        self.f_max = f_max
        self.top_db = top_db
        self.dtype = dtype
        self.n_threads = n_threads

    def fit(self, X, y=None):
        """Check the parameters and, for ``normalize="band"``, learn the bands' statistics.

        Bands that no sound can reach are warned of, and refused if there are no others.

        Parameters
        ----------
        X : DataFrame with a column ``audio``, sequence, or array of shape (n_notes, n_samples)
            Waveforms.
        y : None
            Ignored.

        Returns
        -------
        Spectrogram
            The transformer itself.
        """
        self._validate_params()
        waveforms, _ = unpack(self, X, ndim=1, reset=True)
        settings = self._settings()
        _check_bands(settings)
        self.n_bins_ = settings["n_bins"]
        if self.normalize == "band":
            count, total, squares = 0, np.zeros(self.n_bins_), np.zeros(self.n_bins_)
            for spectrogram in self._compute(waveforms):
                spectrogram = spectrogram.astype(np.float64)
                count += len(spectrogram)
                total += spectrogram.sum(axis=0)
                squares += np.square(spectrogram).sum(axis=0)
            self.mean_ = total / count
            deviation = np.sqrt(np.maximum(squares / count - self.mean_**2, 0.0))
            self.scale_ = np.where(deviation > 1e-3, deviation, 1.0)
        return self

    def transform(self, X):
        """Compute spectrograms.

        Parameters
        ----------
        X : DataFrame with a column ``audio``, sequence, or array of shape (n_notes, n_samples)
            Waveforms at `sample_rate`.

        Returns
        -------
        DataFrame, object ndarray of shape (n_notes,) or ndarray
            The form of X with spectrograms, float ndarrays of shape (n_frames, n_bins), in place
            of the waveforms. An array gives one of shape (n_notes, n_frames, n_bins), or of shape
            (n_notes, n_bins) where there is a single frame.
        """
        if self.normalize == "band":
            check_is_fitted(self, "mean_")
        waveforms, _ = unpack(self, X, ndim=1, reset=False)
        spectrograms = [self._normalize(values) for values in self._compute(waveforms)]
        out = repack(X, [values.astype(self.dtype, copy=False) for values in spectrograms])
        if isinstance(out, np.ndarray) and out.ndim == 3:
            if out.shape[1] == 1:
                return out[:, 0]
            if wants_dataframe(self):
                return as_object_array(list(out))
        return out

    @property
    def frame_rate(self):
        """Frames per second."""
        return self.sample_rate / (self.hop_length or _DEFAULTS[self.scale][1])

    def get_feature_names_out(self, input_features=None):
        """Names of the output columns.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Ignored; there for scikit-learn's sake.

        Returns
        -------
        ndarray of object
            The columns of a DataFrame; ``["audio"]`` for a sequence; ``["bin0", ...]`` for an
            array whose rows are shorter than a hop.
        """
        check_is_fitted(self, "n_bins_")
        if "audio" in (names := getattr(self, "feature_names_in_", ())):
            return np.asarray(names, dtype=object)
        if self.n_features_in_ == 1 or self.n_features_in_ >= self._settings()["hop_length"]:
            return np.asarray(["audio"], dtype=object)
        return np.asarray([f"bin{i}" for i in range(self.n_bins_)], dtype=object)

    def _settings(self):
        n_fft, hop_length, n_bins = _DEFAULTS[self.scale]
        n_fft = self.n_fft or n_fft
        f_min = self.f_min
        if self.scale == "log":
            from sknote.nn._scales import LOG_F_MIN, count_log_bands

            f_min = f_min or LOG_F_MIN
            n_bins = min(n_bins, count_log_bands(self.sample_rate, f_min))
        return {
            "sample_rate": self.sample_rate,
            "n_fft": n_fft,
            "hop_length": self.hop_length or hop_length,
            "scale": self.scale,
            "n_bins": n_fft // 2 + 1 if self.scale == "linear" else self.n_bins or n_bins,
            "f_min": f_min,
            "f_max": self.f_max,
            "top_db": self.top_db,
        }

    def _compute(self, waveforms):
        from sknote.nn import spectrograms

        return spectrograms(_frontend(**self._settings()), waveforms, self.n_threads)

    def _normalize(self, values):
        if self.normalize == "note":
            deviation = values.std()
            return (values - values.mean()) / (deviation if deviation > 1e-3 else 1.0)
        if self.normalize == "band":
            return (values - self.mean_) / self.scale_
        return values

    def __sklearn_is_fitted__(self):
        return hasattr(self, "n_bins_") or self.normalize != "band"

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = self.normalize == "band"
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def _check_bands(settings):
    """Refuse settings of which every sound makes the same, and warn of bands that are silent."""
    scale, n_fft, n_bins = (settings[name] for name in ("scale", "n_fft", "n_bins"))
    if scale == "linear":
        return
    if scale == "log" and n_fft < 4:
        raise ValueError(
            f"Spectrogram: expected n_fft of at least 4 for scale='log', whose shortest window is "
            f"a quarter of it, got {n_fft}. Leave it at None for {_DEFAULTS[scale][0]}."
        )
    half = settings["sample_rate"] / 2
    lowest, highest = settings["f_min"], settings["f_max"] if scale == "mel" else None
    limit, what = half, "half the sample rate"
    if highest is not None and highest < half:
        limit, what = highest, "f_max"
    if lowest >= limit:
        raise ValueError(
            f"Spectrogram: expected a lowest frequency below {what} ({limit:g} Hz), got "
            f"{lowest:g} Hz. Set f_min to less."
        )
    n_empty = _frontend(**settings).n_empty
    if n_empty == n_bins:
        raise ValueError(
            f"Spectrogram: expected mel bands that hold bins of the Fourier transform, got "
            f"n_fft={n_fft}, of whose bins, {settings['sample_rate'] / n_fft:g} Hz apart, none "
            f"lies in a band. Set n_fft to more, or widen the range from f_min to f_max."
        )
    if n_empty:
        if scale == "log":
            remedy = f"Set n_bins to {n_bins - n_empty} or less."
        elif highest is not None and highest > half:
            remedy = f"Set f_max to {half:g} Hz or less."
        else:
            remedy = "Set n_bins to less, or n_fft to more."
        warnings.warn(
            f"Spectrogram: {n_empty} of {n_bins} bands hold no bin of the Fourier transform and "
            f"are silent whatever the sound is. {remedy}",
            stacklevel=3,
        )


@functools.lru_cache(maxsize=8)
def _frontend(**settings):
    """Make a front end; kept, since its filters take longer to make than a note to go through."""
    from sknote.nn import SpectrogramFrontend

    return SpectrogramFrontend(**settings)
