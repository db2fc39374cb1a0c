"""Spectrogram: waveforms to spectrograms in dB."""

import dataclasses
import functools
import warnings
from numbers import Integral, Real

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sknote._compat import StrOptions
from sknote._input.checks import check_threads
from sknote._interval import Interval
from sknote.feature_extraction._base import SAMPLE_RATE, AudioTransformer
from sknote.spectral import SpectralAxes
from sknote.spectral._statistics import frame_statistics


class Spectrogram(AudioTransformer):
    """Turn waveforms into spectrograms in dB, one row a frame.

    ``Spectrogram(scale="linear", normalize="note")`` is the spectrogram of 512-sample windows at
    a hop of 128 that much of the literature feeds to its networks, with each note brought to mean
    0 and deviation 1. The default keeps the level, from which the dynamics are told.

    Parameters
    ----------
    sample_rate : int, default=22050
        Sample rate of the waveforms, in Hz.
    n_fft : int or None, default=None
        Length of the longest window, in samples; None is 4096 for "log", 2048 for "mel" and 512
        for "linear".
    hop_length : int or None, default=None
        Distance of two frames, in samples; None is 512 for "log", 256 for "mel" and 128 for
        "linear".
    scale : {"log", "mel", "linear"}, default="log"
        "log": power at quarter tones, in long windows for low frequencies and shorter ones for
        high; another pitch is then the same pattern elsewhere. "mel": power in mel bands.
        "linear": the magnitude of each Fourier bin.
    n_bins : int or None, default=None
        Number of bands; None is 200 (C1 to 10 kHz) for "log", or as many as lie below half the
        sample rate, and 64 for "mel". For "linear" it is ``n_fft // 2 + 1``.
    normalize : {"note", "band"} or None, default=None
        "note": each note to mean 0 and standard deviation 1 (removes its level). "band": each
        band to mean 0 and standard deviation 1 over the notes seen in `fit`. None: decibels.
    f_min, f_max : float, default=0.0 and None
        Range of the mel bands, in Hz; None is half the sample rate. For "log", `f_min` is the
        lowest band (0 is C1) and `f_max` is ignored; for "linear" both are.
    top_db : float or None, default=None
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
    frequencies_ : ndarray of shape (n_bins,)
        Frequency of each bin, in Hz. Times of frames are ``axes.times(n_frames)``.
    mean_, scale_ : ndarray of shape (n_bins,)
        Mean and standard deviation of each band, in dB; only for ``normalize="band"``.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Notes
    -----
    Every waveform has ``1 + n_samples // hop_length`` frames, so that one shorter than a window,
    and an empty one, has a frame too. Waveforms without a sample, and those of which all samples
    are the same, are silence. Windows, mel scale and decibels
    follow librosa [1]_. Bands that no sound can reach are warned of in `fit`, and refused if there
    are no others.

    A DataFrame or sequence of spectrograms carries their axes, so that a classifier can tell
    whether they are those that it expects. An array whose rows are shorter than a hop becomes
    columns ``bin0``, ``bin1``, ...

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
    (44, 200)
    >>> Spectrogram().fit_transform(["note.wav"])
    Traceback (most recent call last):
        ...
    ValueError: Spectrogram: expected a 1-D waveform, got str in row 0.
    """

    _parameter_constraints = {
        "sample_rate": [SAMPLE_RATE],
        "n_fft": [Interval(Integral, 2, None, closed="left"), None],
        "hop_length": [Interval(Integral, 1, None, closed="left"), None],
        "scale": [StrOptions({"mel", "linear", "log"})],
        "n_bins": [Interval(Integral, 1, None, closed="left"), None],
        "normalize": [StrOptions({"note", "band"}), None],
        "f_min": [Interval(Real, 0, None, closed="left")],
        "f_max": [Interval(Real, 0, None, closed="neither"), None],
        "top_db": [Interval(Real, 0, None, closed="neither"), None],
        "dtype": [StrOptions({"float32", "float16"})],
        "n_threads": [Interval(Integral, 1, 1024, closed="both"), None],
    }

    def __init__(
        self,
        sample_rate=22050,
        *,
        n_fft=None,
        hop_length=None,
        scale="log",
        n_bins=None,
        normalize=None,
        f_min=0.0,
        f_max=None,
        top_db=None,
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
        super().fit(X)
        _check_bands(self.axes)
        self.n_bins_ = self.axes.n_bins
        self.frequencies_ = self.axes.frequencies
        if self.normalize == "band":
            waveforms, _ = self._unpack(X)
            self.mean_, self.scale_ = frame_statistics(self._compute(waveforms), smallest=1e-3)
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
        self.check_unchanged()
        spectrograms = self._compute(self._unpack(X)[0], self.normalization())
        return self._repack(X, [values.astype(self.dtype, copy=False) for values in spectrograms])

    @property
    def axes(self):
        """What rows and columns mean, by the present parameters: a :class:`SpectralAxes`."""
        linear = self.scale == "linear"
        return SpectralAxes(
            scale=self.scale,
            sample_rate=self.sample_rate,
            n_fft=self.n_fft,
            hop_length=self.hop_length,
            n_bins=None if linear else self.n_bins,
            f_min=self.f_min,
            f_max=self.f_max,
        )

    def frontend(self, *, portable=False):
        """Return the module of torch that computes decibels.

        Parameters
        ----------
        portable : bool, default=False
            Keep to operations that the runtimes of exported models are fast at.

        Returns
        -------
        sknote.spectral.SpectrogramFrontend
        """
        from sknote.spectral import SpectrogramFrontend

        return SpectrogramFrontend(self.axes, top_db=self.top_db, portable=portable)

    def normalization(self):
        """Return the module of torch that is applied to the decibels.

        Returns
        -------
        sknote.spectral.Normalization
        """
        from sknote.spectral._frontend import Normalization

        mean, scale = getattr(self, "mean_", None), getattr(self, "scale_", None)
        half = self.dtype == "float16"
        return Normalization(self.normalize, mean=mean, scale=scale, half=half)

    def get_feature_names_out(self, input_features=None):
        check_is_fitted(self, "n_bins_")
        if "audio" in (names := getattr(self, "feature_names_in_", ())):
            return np.asarray(names, dtype=object)
        if self.n_features_in_ == 1 or self.n_features_in_ >= self.axes.hop_length:
            return np.asarray(["audio"], dtype=object)
        return np.asarray([f"bin{i}" for i in range(self.n_bins_)], dtype=object)

    def _compute(self, waveforms, normalization=None):
        from sknote.spectral import compute_spectrograms

        check_threads(self.n_threads, "Spectrogram")
        return compute_spectrograms(
            _kept_frontend(self.axes, self.top_db),
            waveforms,
            self.n_threads,
            normalization=normalization,
        )

    def _carried(self):
        return {"spectral_axes": dataclasses.asdict(self.axes), "spectrogram": self.meaning()}

    def meaning(self):
        return {**vars(self.axes), "normalize": self.normalize, "top_db": self.top_db}

    def __sklearn_is_fitted__(self):
        return hasattr(self, "n_bins_") or self.normalize != "band"

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = self.normalize == "band"
        return tags


def _check_bands(axes):
    """Refuse axes on which every sound is the same, and warn of bands that are silent."""
    if axes.scale == "linear":
        return
    if axes.scale == "log" and axes.n_fft < 4:
        raise ValueError(
            f"Spectrogram: expected n_fft of at least 4 for scale='log', whose shortest window is "
            f"a quarter of it, got {axes.n_fft}. Leave it at None for 4096."
        )
    half = axes.sample_rate / 2
    limit, what = half, "half the sample rate"
    if axes.scale == "mel" and axes.f_max < half:
        limit, what = axes.f_max, "f_max"
    if axes.f_min >= limit:
        raise ValueError(
            f"Spectrogram: expected a lowest frequency below {what} ({limit:g} Hz), got "
            f"{axes.f_min:g} Hz. Set f_min to less."
        )
    n_empty = _kept_frontend(axes, None).n_empty
    if n_empty == axes.n_bins:
        raise ValueError(
            f"Spectrogram: expected mel bands that hold bins of the Fourier transform, got "
            f"n_fft={axes.n_fft}, of whose bins, {axes.sample_rate / axes.n_fft:g} Hz apart, none "
            f"lies in a band. Set n_fft to more, or widen the range from f_min to f_max."
        )
    if n_empty:
        if axes.scale == "log":
            remedy = f"Set n_bins to {axes.n_bins - n_empty} or less."
        elif axes.f_max > half:
            remedy = f"Set f_max to {half:g} Hz or less."
        else:
            remedy = "Set n_bins to less, or n_fft to more."
        warnings.warn(
            f"Spectrogram: {n_empty} of {axes.n_bins} bands hold no bin of the Fourier transform "
            f"and are silent whatever the sound is. {remedy}",
            stacklevel=3,
        )


@functools.lru_cache(maxsize=8)
def _kept_frontend(axes, top_db):
    """Make a front end and keep it: its filters take longer to make than a note to go through."""
    from sknote.spectral import SpectrogramFrontend

    return SpectrogramFrontend(axes, top_db=top_db)
