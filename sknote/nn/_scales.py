"""Frequency scales, and their filters: mel bands and quarter tones."""

import numpy as np

__all__ = [
    "BINS_PER_OCTAVE",
    "LOG_F_MIN",
    "count_log_bands",
    "log_filterbanks",
    "mel_filterbank",
    "mel_frequencies",
    "mel_positions",
]

LOG_F_MIN = 440.0 * 2.0 ** (-45 / 12)  # C1, in Hz
BINS_PER_OCTAVE = 24


def count_log_bands(sample_rate, f_min):
    """How many quarter tones lie from `f_min` up to half the sample rate, at least 1."""
    octaves = np.log2(sample_rate / 2 / f_min)
    return max(1, int(np.ceil(octaves * BINS_PER_OCTAVE)))


def log_filterbanks(sample_rate, n_fft, n_bins, f_min, n_windows):
    """Triangular filters at quarter tones, for windows of ``n_fft``, ``n_fft / 2``, ...

    A band takes the shortest window whose resolution suffices for quarter tones (Brown 1991). A
    sine of amplitude 1 has a power of about 1 in its band.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    n_fft : int
        Length of the longest window, in samples.
    n_bins : int
        Number of bands.
    f_min : float
        Centre of the lowest band, in Hz.
    n_windows : int
        Number of window lengths.

    Returns
    -------
    list of (ndarray of shape (n_window // 2 + 1, n_bands), float)
        Filters, and the highest frequency that they let through, in Hz. The bands of all of them,
        one after the other, go from low to high.
    """
    centres = f_min * 2.0 ** (np.arange(n_bins) / BINS_PER_OCTAVE)
    ratio = 2.0 ** (1.0 / BINS_PER_OCTAVE) - 1.0
    wanted = sample_rate / (ratio * centres)  # samples
    which = np.clip(np.floor(np.log2(n_fft / wanted)), 0, n_windows - 1)
    banks = []
    for i in range(n_windows):
        n = n_fft >> i
        frequencies = np.arange(n // 2 + 1)[:, None] * (sample_rate / n)
        own = centres[which == i]
        width = np.maximum(own * ratio, sample_rate / n)
        bank = np.maximum(0.0, 1.0 - np.abs(frequencies - own) / width)
        gain = (n / 4.0) ** 2  # of a sine of amplitude 1 through a Hann window
        highest = np.max(own + width, initial=0.0)
        banks.append((bank / np.maximum(bank.sum(axis=0), 1e-12) / gain, highest))
    return banks


def mel_filterbank(sample_rate, n_fft, n_bins, f_min=0.0, f_max=None):
    """Triangular mel filters with equal area (Slaney 1998).

    Parameters
    ----------
    sample_rate : int
        In Hz.
    n_fft : int
        Length of the Fourier transform, in samples.
    n_bins : int
        Number of bands.
    f_min, f_max : float
        Range, in Hz; `f_max` None is half the sample rate.

    Returns
    -------
    ndarray of shape (n_fft // 2 + 1, n_bins), float64
    """
    edges = _mel_to_hz(np.linspace(*_mel_range(sample_rate, f_min, f_max), n_bins + 2))
    frequencies = np.arange(n_fft // 2 + 1) * (sample_rate / n_fft)
    rising = (frequencies[:, None] - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - frequencies[:, None]) / np.diff(edges)[1:]
    return np.maximum(0.0, np.minimum(rising, falling)) * (2.0 / (edges[2:] - edges[:-2]))


def mel_frequencies(sample_rate, n_bins, f_min=0.0, f_max=None):
    """Centres of mel bands in Hz, shape (n_bins,); parameters as in the filterbank."""
    low, high = _mel_range(sample_rate, f_min, f_max)
    return _mel_to_hz(np.linspace(low, high, n_bins + 2)[1:-1])


def mel_positions(frequencies, sample_rate, n_bins, f_min=0.0, f_max=None):
    """Fractional mel bands of frequencies in Hz; the inverse of :func:`mel_frequencies`."""
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
