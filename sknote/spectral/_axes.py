"""SpectralAxes: what the rows and columns of a spectrogram mean, in seconds and hertz."""

import dataclasses
from numbers import Integral, Real

import numpy as np

__all__ = ["BINS_PER_OCTAVE", "SpectralAxes", "agreed_axes", "mel_edges"]

LOG_F_MIN = 440.0 * 2.0 ** (-45 / 12)  # C1, in Hz
BINS_PER_OCTAVE = 24

_LONGEST = 1 << 20  # samples of a window; its filters would fill the memory

# n_fft, hop_length and n_bins of each scale
_DEFAULTS = {"log": (4096, 512, 200), "mel": (2048, 256, 64), "linear": (512, 128, None)}


@dataclasses.dataclass(frozen=True)
class SpectralAxes:
    """What the two axes of a spectrogram mean: the time of each frame, the frequency of each bin.

    :class:`~sknote.Spectrogram` makes it of its parameters (its `axes`), and whatever reads
    spectrograms reads it: :class:`~sknote.NoteClassifier`, augmentation, exported models, plots.

    Parameters
    ----------
    scale : {"log", "mel", "linear"}, default="log"
        Frequency axis: quarter tones, mel bands, or the bins of the Fourier transform.
    sample_rate : int, default=22050
        Sample rate of the waveforms, in Hz.
    n_fft : int or None, default=None
        Length of the longest window, in samples; None is 4096 for "log", 2048 for "mel" and 512
        for "linear".
    hop_length : int or None, default=None
        Distance of two frames, in samples; None is 512 for "log", 256 for "mel" and 128 for
        "linear".
    n_bins : int or None, default=None
        Number of bins; None is 200 for "log" (C1 to 10 kHz), or as many as lie below half the
        sample rate, and 64 for "mel". For "linear" it is ``n_fft // 2 + 1``, if not given.
    f_min : float, default=0.0
        Lowest frequency, in Hz; for "log" 0 is C1 (32.7 Hz), and for "linear" it is ignored.
    f_max : float or None, default=None
        Highest frequency of the mel bands, in Hz; None is half the sample rate. The other scales
        ignore it.

    Raises
    ------
    ValueError
        If there is no such scale, or a number is not above 0.

    Examples
    --------
    >>> from sknote.spectral import SpectralAxes
    >>> axes = SpectralAxes()
    >>> round(axes.frame_rate, 2), axes.frequencies[[0, 24]].round(1).tolist()
    (43.07, [32.7, 65.4])
    >>> axes.times(3).round(4).tolist()
    [0.0, 0.0232, 0.0464]
    """

    scale: str = "log"
    sample_rate: int = 22050
    n_fft: int | None = None
    hop_length: int | None = None
    n_bins: int | None = None
    f_min: float = 0.0
    f_max: float | None = None

    def __post_init__(self):
        if self.scale not in _DEFAULTS:
            raise ValueError(
                f"SpectralAxes: expected scale to be one of {sorted(_DEFAULTS)}, got "
                f"{self.scale!r}."
            )
        self._check("sample_rate", Integral)
        n_fft, hop_length, n_bins = _DEFAULTS[self.scale]
        self._default(n_fft=n_fft, hop_length=hop_length)
        if self.f_min < 0:
            raise ValueError(f"SpectralAxes: expected f_min of at least 0, got {self.f_min!r}.")
        if self.scale == "log":
            self._set(f_min=self.f_min or LOG_F_MIN, f_max=None)
            n_bins = min(n_bins, self._most_bins())
        elif self.scale == "mel":
            self._default(f_max=self.sample_rate / 2)
            self._check("f_max", Real)
        else:
            self._set(f_min=0.0, f_max=None)
            n_bins = self.n_fft // 2 + 1
        self._default(n_bins=n_bins)
        for name in ("n_fft", "hop_length", "n_bins"):
            self._check(name, Integral)
        if self.n_fft > _LONGEST:
            raise ValueError(
                f"SpectralAxes: expected n_fft of at most {_LONGEST}, got {self.n_fft!r}."
            )

    def _check(self, name, kind):
        value = getattr(self, name)
        if not (isinstance(value, kind) and value > 0):
            what = "a whole number" if kind is Integral else "a number"
            raise ValueError(f"SpectralAxes: expected {name} to be {what} above 0, got {value!r}.")

    def _default(self, **values):
        self._set(**{name: v for name, v in values.items() if getattr(self, name) is None})

    def _set(self, **values):
        for name, value in values.items():  # a frozen dataclass has no other way
            object.__setattr__(self, name, value)

    def _most_bins(self):
        if self.scale == "log":
            return _count_log_bands(self.sample_rate, self.f_min)
        return self.n_fft // 2 + 1

    @property
    def frame_rate(self):
        """Frames per second."""
        return self.sample_rate / self.hop_length

    @property
    def frequencies(self):
        """Frequency of each bin in Hz, an ndarray of shape (n_bins,)."""
        if self.scale == "log":
            return self.f_min * 2.0 ** (np.arange(self.n_bins) / BINS_PER_OCTAVE)
        if self.scale == "mel":
            return mel_edges(self.sample_rate, self.n_bins, self.f_min, self.f_max)[1:-1]
        return np.arange(self.n_bins) * (self.sample_rate / self.n_fft)

    def positions(self, frequencies):
        """Find where frequencies lie on the axis; the inverse of `frequencies`.

        Parameters
        ----------
        frequencies : ndarray
            In Hz.

        Returns
        -------
        ndarray of the same shape
            In bins, with fractions.
        """
        if self.scale == "log":
            return BINS_PER_OCTAVE * np.log2(frequencies / self.f_min)
        if self.scale == "mel":
            return _mel_positions(
                frequencies, self.sample_rate, self.n_bins, self.f_min, self.f_max
            )
        return frequencies * (self.n_fft / self.sample_rate)

    def times(self, n_frames):
        """Tell the times of frames.

        Parameters
        ----------
        n_frames : int
            Number of frames.

        Returns
        -------
        ndarray of shape (n_frames,)
            Middle of each frame, in seconds from the beginning of the recording.
        """
        return np.arange(n_frames) / self.frame_rate

    def agrees_with(self, other):
        """Tell whether frames are at the same times, and bins at the same frequencies.

        Windows may differ.

        Parameters
        ----------
        other : SpectralAxes
            To compare with.

        Returns
        -------
        bool
        """
        if self == other:
            return True
        same_rate = self.frame_rate == other.frame_rate
        return same_rate and np.array_equal(self.frequencies, other.frequencies)

    def can_have(self, n_bins):
        """Tell whether spectra of a number of bins can lie on the axis, whatever its own number is.

        Parameters
        ----------
        n_bins : int
            Number of bins.

        Returns
        -------
        bool
            False where bins would lie above half the sample rate.
        """
        return self.scale == "mel" or n_bins <= self._most_bins()

    def __str__(self):
        low, high = self.frequencies[[0, -1]]
        return (
            f"{self.n_bins} bins on a {self.scale} scale from {low:.1f} to {high:.1f} Hz, "
            f"{self.frame_rate:.4g} frames per second (hop_length={self.hop_length})"
        )


SpectralAxes.__module__ = "sknote.spectral"  # where users find it, and messages say


def agreed_axes(spectrograms, stated, carried, *, name, fitted):
    """Return the axes that spectrograms are on, and refuse those that they cannot be on.

    `stated` is what `name` expects; None is the defaults, with any number of bins; `fitted` tells
    whether that is what it was fitted on. `carried` has the fields of the axes that the
    spectrograms say they are on, or is None.
    """
    n_bins = spectrograms[0].shape[1]
    axes = SpectralAxes() if stated is None else stated
    if carried is not None:
        found = SpectralAxes(**carried)
        expected = dataclasses.replace(axes, n_bins=found.n_bins) if stated is None else axes
        if not expected.agrees_with(found):
            raise ValueError(
                f"{name}: expected spectrograms of {axes}, got some of {found}. "
                + ("It was fitted on the former." if fitted else _OTHER_AXES + f" to {name}.")
            )
        axes = found
    elif stated is None:
        if not axes.can_have(n_bins) and max(map(len, spectrograms)) > 1:
            raise ValueError(
                f"{name}: expected spectrograms of {axes}, got some of {n_bins} bins, more than "
                f"there are on this scale. {_OTHER_AXES} to {name}."
            )
        axes = dataclasses.replace(axes, n_bins=n_bins)
    for row, spectrogram in enumerate(spectrograms):
        if spectrogram.shape[0] == 0 or spectrogram.shape[1] != axes.n_bins:
            raise ValueError(
                f"{name}: expected spectrograms of at least 1 frame and of {axes.n_bins} bins, "
                f"got shape {spectrogram.shape} in row {row}."
            )
    return axes


_OTHER_AXES = "Pass axes=Spectrogram(...).axes, of the Spectrogram that made them,"


def _count_log_bands(sample_rate, f_min):
    """How many quarter tones lie from `f_min` up to half the sample rate, at least 1."""
    octaves = np.log2(sample_rate / 2 / f_min)
    return max(1, int(np.ceil(octaves * BINS_PER_OCTAVE)))


def mel_edges(sample_rate, n_bins, f_min=0.0, f_max=None):
    """Centres of mel bands with an edge below and one above, in Hz, of shape (n_bins + 2,)."""
    return _mel_to_hz(np.linspace(*_mel_range(sample_rate, f_min, f_max), n_bins + 2))


def _mel_positions(frequencies, sample_rate, n_bins, f_min=0.0, f_max=None):
    """Fractional mel bands of frequencies in Hz; the inverse of :func:`mel_edges`."""
    low, high = _mel_range(sample_rate, f_min, f_max)
    return (_hz_to_mel(frequencies) - low) / (high - low) * (n_bins + 1) - 1.0


def _mel_range(sample_rate, f_min, f_max):
    return _hz_to_mel(f_min), _hz_to_mel(sample_rate / 2 if f_max is None else f_max)


# Slaney's mel scale: linear below 1 kHz (15 mel), 27 steps to a factor of 6.4 above it.
_LINEAR_HZ, _KNEE_HZ, _KNEE_MEL, _LOG_STEP = 200.0 / 3, 1000.0, 15.0, np.log(6.4) / 27.0


def _hz_to_mel(hz):
    above = _KNEE_MEL + np.log(np.maximum(hz, _KNEE_HZ) / _KNEE_HZ) / _LOG_STEP
    return np.where(np.asarray(hz) < _KNEE_HZ, np.asarray(hz) / _LINEAR_HZ, above)


def _mel_to_hz(mel):
    above = _KNEE_HZ * np.exp(_LOG_STEP * (mel - _KNEE_MEL))
    return np.where(mel < _KNEE_MEL, mel * _LINEAR_HZ, above)
