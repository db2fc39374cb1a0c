"""MFCCSummary: waveforms to a table of statistics."""

import functools
from numbers import Integral, Real

import numpy as np
from scipy.fft import dct
from scipy.signal import savgol_filter
from sklearn.utils.validation import check_is_fitted

from sknote._compat import StrOptions
from sknote._input.checks import check_threads, container_of
from sknote._input.choices import warn_of_misspelt, warn_of_twins
from sknote._input.frames import is_polars, make_table
from sknote._interval import Interval
from sknote.feature_extraction._base import SAMPLE_RATE, AudioTransformer

_STATISTICS = {
    "mean": lambda x: x.mean(axis=0),
    "std": lambda x: x.std(axis=0),
    "min": lambda x: x.min(axis=0),
    "p10": lambda x: np.percentile(x, 10, axis=0),
    "p50": lambda x: np.percentile(x, 50, axis=0),
    "p90": lambda x: np.percentile(x, 90, axis=0),
    "max": lambda x: x.max(axis=0),
}
_DELTA_WIDTH = 9


class MFCCSummary(AudioTransformer):
    """Summarize each note by statistics of its MFCC, deltas, level and duration.

    Per mel-frequency cepstral coefficient [1]_: mean, standard deviation, minimum, 10th, 50th and
    90th percentile and maximum over the note, and mean absolute value and standard deviation of
    its slope; further the level's percentiles, the time to its maximum, and the duration. A note
    is what sounds: frames at its ends that are much softer than the loudest one (by 25 dB before
    it, by 40 dB after it), or hardly above the noise around it, do not count.

    Parameters
    ----------
    sample_rate : int, default=22050
        Sample rate of the waveforms, in Hz.
    n_mfcc : int, default=20
        Number of coefficients.
    n_fft : int, default=2048
        Length of a window, in samples.
    hop_length : int, default=512
        Distance of two frames, in samples.
    n_mels : int, default=96
        Number of mel bands that the coefficients are made from.
    top_db : float or None, default=None
        Values further than this below a note's maximum are raised to it, in dB.
    instrument : {"category", "onehot", "drop"}, default="category"
        What becomes of a column ``instrument``. "category": a categorical column behind the
        numbers, as gradient boosting takes it. "onehot": a column of 0 and 1 for each instrument,
        for classifiers that take nothing but numbers, as most do. "drop": nothing.
    n_threads : int or None, default=None
        Number of threads; None is torch's own choice.

    Attributes
    ----------
    instruments_ : list of str
        Instruments seen in `fit`, if X had any.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Notes
    -----
    An instrument that `fit` did not see counts as missing: it has no category, and 0 in all columns
    of "onehot". Other columns of X are left out, so that a classifier learns from the sound and the
    instrument alone.

    References
    ----------
    .. [1] S. Davis and P. Mermelstein, "Comparison of parametric representations for monosyllabic
       word recognition in continuously spoken sentences", IEEE Trans. ASSP 28 (4), 1980.

    Examples
    --------
    >>> import numpy as np
    >>> from sknote import MFCCSummary
    >>> second = np.sin(2 * np.pi * 440 * np.arange(22050) / 22050)
    >>> summary = MFCCSummary()
    >>> summary.fit_transform([second]).shape
    (1, 188)
    >>> summary.get_feature_names_out()[:2].tolist()
    ['mfcc0_mean', 'mfcc1_mean']
    """

    _parameter_constraints = {
        "sample_rate": [SAMPLE_RATE],
        "n_mfcc": [Interval(Integral, 1, None, closed="left")],
        "n_fft": [Interval(Integral, 2, None, closed="left")],
        "hop_length": [Interval(Integral, 1, None, closed="left")],
        "n_mels": [Interval(Integral, 1, None, closed="left")],
        "top_db": [Interval(Real, 0, None, closed="neither"), None],
        "instrument": [StrOptions({"category", "onehot", "drop"})],
        "n_threads": [Interval(Integral, 1, 1024, closed="both"), None],
    }

    def __init__(
        self,
        sample_rate=22050,
        *,
        n_mfcc=20,
        n_fft=2048,
        hop_length=512,
        n_mels=96,
        top_db=None,
        instrument="category",
        n_threads=None,
    ):
        self.sample_rate = sample_rate
        self.n_mfcc = n_mfcc
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.n_mels = n_mels
        self.top_db = top_db
        self.instrument = instrument
        self.n_threads = n_threads

    def fit(self, X, y=None):
        self._validate_params()
        if self.n_mfcc > self.n_mels:
            raise ValueError(
                f"MFCCSummary: expected n_mfcc of at most n_mels={self.n_mels}, got {self.n_mfcc}."
            )
        _, instrument = self._unpack(X, reset=True)
        self.instruments_ = sorted(
            {name for name in ([] if instrument is None else instrument) if name}
        )
        warn_of_twins(self.instruments_, "MFCCSummary")
        self._as_fitted = self.meaning()
        return self

    def transform(self, X):
        """Compute the table.

        Parameters
        ----------
        X : DataFrame with a column ``audio``, sequence, or array of shape (n_notes, n_samples)
            Waveforms at `sample_rate`.

        Returns
        -------
        ndarray of shape (n_notes, n_features) or DataFrame
            Numbers. After a DataFrame in `fit` it is one, and the instrument follows the numbers,
            in the way that `instrument` says, if there was one in `fit`: it is missing where X has
            none. Other columns of X are left out.
        """
        check_is_fitted(self)
        self.check_unchanged()
        waveforms, instrument = self._unpack(X)
        table = self._summarize(waveforms, X)
        columns = getattr(self, "feature_names_in_", ())
        if "audio" not in columns:
            return table
        form = self.instrument if "instrument" in columns else "drop"
        names, category = self.get_feature_names_out(), None
        given = [None] * len(table) if instrument is None else instrument
        if form != "drop":
            warn_of_misspelt(given, self.instruments_, "MFCCSummary")
        if form == "onehot":
            is_it = [[name == known for known in self.instruments_] for name in given]
            table = np.hstack([table, np.reshape(is_it, (len(table), -1))])
        elif form == "category":
            known = {name: _Category(name) for name in self.instruments_}
            names, category = names[:-1], ([known.get(name) for name in given], [*known.values()])
        index = X.index if hasattr(X, "iloc") else None
        return make_table(table, names, category, library=self._library(X), index=index)

    def get_feature_names_out(self, input_features=None):
        check_is_fitted(self)
        names = self._own_names()
        if {"audio", "instrument"} <= set(getattr(self, "feature_names_in_", ())):
            if self.instrument == "category":
                names.append("instrument")
            elif self.instrument == "onehot":
                names += [f"instrument_{name}" for name in self.instruments_]
        return np.asarray(names, dtype=object)

    def meaning(self):
        return {name: value for name, value in self.get_params().items() if name != "n_threads"}

    def _library(self, X):
        container = container_of(self)
        if container == "default":
            return "polars" if is_polars(X) else "pandas"
        return container

    def _own_names(self):
        names = [f"mfcc{i}_{statistic}" for statistic in _STATISTICS for i in range(self.n_mfcc)]
        names += [f"delta{i}_{s}" for s in ("abs_mean", "std") for i in range(self.n_mfcc)]
        levels = ("p5", "p50", "p95", "first", "last", "peak_time")
        return [*names, *(f"level_{name}" for name in levels), "peak", "duration"]

    def _summarize(self, waveforms, X):
        from sknote._torch import torch_threads
        from sknote.spectral import SpectralAxes, SpectrogramFrontend, compute_spectrograms
        from sknote.spectral._silence import silent_rows
        from sknote.spectral._soundless import is_soundless

        check_threads(self.n_threads, "MFCCSummary")
        axes = SpectralAxes("mel", self.sample_rate, self.n_fft, self.hop_length, self.n_mels)
        frontend = SpectrogramFrontend(axes, top_db=self.top_db)
        bands = compute_spectrograms(frontend, waveforms, self.n_threads)
        test = functools.partial(is_soundless, sample_rate=self.sample_rate)
        say = {"name": "MFCCSummary", "consequence": "Its numbers tell nothing of a note."}
        silent_rows(waveforms, X, **say, test=test)
        with torch_threads(1):  # which looks for where notes sound
            return np.stack([self._row(*pair) for pair in zip(bands, waveforms)])

    def _row(self, bands, waveform):
        level = 10.0 * np.log10(np.power(10.0, bands.astype(np.float64) / 10.0).sum(axis=1))
        first, stop = _sounding(level)
        bands, level = bands[first:stop], level[first:stop]
        mfcc = dct(bands.astype(np.float64), axis=1, norm="ortho")[:, : self.n_mfcc]
        delta = savgol_filter(mfcc, _DELTA_WIDTH, polyorder=1, deriv=1, axis=0, mode="nearest")
        frame_seconds = self.hop_length / self.sample_rate
        seconds = min(len(bands) * frame_seconds, len(waveform) / self.sample_rate)
        return np.concatenate(
            [
                *(statistic(mfcc) for statistic in _STATISTICS.values()),
                np.abs(delta).mean(axis=0),
                delta.std(axis=0),
                np.percentile(level, [5, 50, 95]),
                [level[0], level[-1], level.argmax() * frame_seconds],
                [np.abs(waveform).max(initial=0.0), np.log(seconds + frame_seconds)],
            ]
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags


def _sounding(level):
    """Return the first frame in which a note sounds, and the first one after it."""
    import torch

    from sknote.spectral._sounding import sounding_frames

    first, stop = sounding_frames(torch.from_numpy(level)[None], torch.tensor([len(level)]))
    return int(first), int(stop)


class _Category(str):
    """The name of an instrument, which says what to do where a number is wanted of it."""

    __slots__ = ()

    def __float__(self):
        raise ValueError(
            "MFCCSummary: expected a classifier that takes categories, got one that wants a "
            f"number of the instrument {str(self)!r}. Pass MFCCSummary(instrument='onehot'), or "
            "'drop'."
        )

    def __reduce__(self):
        return str, (str(self),)
