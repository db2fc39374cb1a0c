"""WaveformAugment: vary waveforms while fitting."""

from numbers import Real

import numpy as np
from joblib import Parallel, delayed
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sknote._interval import Interval
from sknote.audio import add_noise, pitch_shift, time_stretch
from sknote.feature_extraction._base import N_JOBS, SAMPLE_RATE, AudioTransformer

_SHORTEST = 2048


class WaveformAugment(AudioTransformer):
    """Shift the pitch of waveforms, stretch them and add noise, in training only.

    :meth:`fit_transform`, which a pipeline calls when it is fitted, varies each waveform;
    :meth:`transform`, which it calls to predict, leaves all of them alone. The effects are
    librosa's, which makes them costly: :class:`~sknote.nn.SpectrogramAugment` does the like on the
    batches of a network at a fraction of the cost.

    Parameters
    ----------
    sample_rate : int, default=22050
        Sample rate of the waveforms, in Hz.
    semitones : float, default=2
        Pitch shifts are up to this size.
    whole_semitones : bool, default=True
        Shift by whole semitones only. A fraction puts a note out of tune, and a label of its
        intonation would be wrong.
    stretch : float, default=0.1
        Rates are drawn from ``1 - stretch`` to ``1 + stretch``.
    noise : float, default=0.002
        Standard deviation of the added noise; full scale is 1.
    probability : float, default=0.5
        With which each of the three effects is applied to a note.
    n_jobs : int or None, default=None
        Number of threads.
    random_state : int, RandomState or None, default=None
        Seed of the draws; a row's own depend on it and on the row's number.

    Attributes
    ----------
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Notes
    -----
    Waveforms of less than 2048 samples, a window of the phase vocoder, are left alone.

    Examples
    --------
    >>> import numpy as np
    >>> from sknote.feature_extraction import WaveformAugment
    >>> tone = np.sin(2 * np.pi * 440 * np.arange(22050) / 22050).astype(np.float32)
    >>> augment = WaveformAugment(semitones=0, stretch=0, probability=1, random_state=0)
    >>> varied = augment.fit_transform([tone])[0]
    >>> round(float(np.std(varied - tone)), 4)
    0.002
    >>> bool(np.all(augment.transform([tone])[0] == tone))
    True
    """

    _parameter_constraints = {
        "sample_rate": [SAMPLE_RATE],
        "semitones": [Interval(Real, 0, None, closed="left")],
        "whole_semitones": ["boolean"],
        "stretch": [Interval(Real, 0, 1, closed="left")],
        "noise": [Interval(Real, 0, None, closed="left")],
        "probability": [Interval(Real, 0, 1, closed="both")],
        "n_jobs": N_JOBS,
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        sample_rate=22050,
        *,
        semitones=2,
        whole_semitones=True,
        stretch=0.1,
        noise=0.002,
        probability=0.5,
        n_jobs=None,
        random_state=None,
    ):
        self.sample_rate = sample_rate
        self.semitones = semitones
        self.whole_semitones = whole_semitones
        self.stretch = stretch
        self.noise = noise
        self.probability = probability
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit_transform(self, X, y=None):
        """Vary waveforms.

        Parameters
        ----------
        X : DataFrame with a column ``audio``, sequence, or array of shape (n_notes, n_samples)
            Waveforms at `sample_rate`.
        y : None
            Ignored.

        Returns
        -------
        DataFrame, object ndarray of shape (n_notes,) or ndarray
            The form of X with other waveforms, some of other lengths.
        """
        self.fit(X)
        waveforms, _ = self._unpack(X)
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        jobs = (delayed(self._vary)(waveform, [seed, i]) for i, waveform in enumerate(waveforms))
        return self._repack(X, list(Parallel(n_jobs=self.n_jobs, require="sharedmem")(jobs)))

    def transform(self, X):
        """Leave waveforms alone.

        Parameters
        ----------
        X : DataFrame with a column ``audio``, sequence, or array of shape (n_notes, n_samples)
            Waveforms at `sample_rate`.

        Returns
        -------
        DataFrame, object ndarray of shape (n_notes,) or ndarray of shape (n_notes, n_samples)
            The form of X with the same waveforms.
        """
        check_is_fitted(self)
        waveforms, _ = self._unpack(X)
        return self._repack(X, [waveform.astype(np.float32, copy=False) for waveform in waveforms])

    def _vary(self, waveform, seed):
        waveform = waveform.astype(np.float32, copy=False)
        if len(waveform) < _SHORTEST:
            return waveform
        rng = np.random.default_rng(seed)
        pitched, stretched, noisy = rng.random(3) < self.probability
        semitones = rng.uniform(-self.semitones, self.semitones)
        if self.whole_semitones:
            semitones = float(rng.integers(-int(self.semitones), int(self.semitones) + 1))
        rate = rng.uniform(1.0 - self.stretch, 1.0 + self.stretch)
        if pitched and semitones:
            waveform = pitch_shift(waveform, semitones, sample_rate=self.sample_rate)
        if stretched and rate != 1.0:
            waveform = time_stretch(waveform, rate)
        return add_noise(waveform, self.noise, rng) if noisy else waveform
