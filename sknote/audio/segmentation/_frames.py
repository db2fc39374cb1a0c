"""Frames of a stream: levels in bands of frequency, relative to what was loudest of late."""

from functools import lru_cache
from itertools import pairwise

import numpy as np

__all__ = [
    "HOP",
    "N_HIGH",
    "N_LOW",
    "FrameStream",
    "band_levels",
    "band_octaves",
    "relative_levels",
]

HOP = 0.01  # seconds from frame to frame

# Two views of the last instants, each in bands of equal width in octaves: seconds over which its
# window rises and then falls, lowest frequency in hertz, number of bands, bands an octave. The
# windows end with the frame and are steep at that end, so that what is new counts at once.
N_LOW, N_HIGH = 126, 49
_VIEWS = ((0.0695, 0.023, 65.4, N_LOW, 24), (0.0145, 0.0087, 150.0, N_HIGH, 8))
_NARROWEST = 11.0  # Hz from the centre of a band to its ends, at least

_POWER_FLOOR = 1e-10
_QUIET = -50.0  # dB of full scale: what is never louder than this stays small
_RANGE = 70.0  # dB below the loudest that are told apart
_RELEASE = 5.0  # dB a second by which the loudest is forgotten


class FrameStream:
    """Levels of a stream of samples, a frame of shape (n_bands,) each 10 ms.

    Parameters
    ----------
    sample_rate : float
        Samples a second.
    """

    def __init__(self, sample_rate):
        self._views = _views(float(sample_rate))
        self._hop = HOP * sample_rate
        longest = max(len(window) for window, *_ in self._views)
        self._samples = np.zeros(longest, np.float32)
        self._start = -longest  # of the samples that are held, in samples of the stream
        self._n_frames = 0
        self._loudest = _QUIET

    def push(self, samples):
        """Yield the frames that end within what came so far, `samples` included."""
        self._samples = np.concatenate([self._samples, samples])
        end = self._start + len(self._samples)
        while (stop := round((self._n_frames + 1) * self._hop)) <= end:
            self._n_frames += 1
            yield self._frame(stop - self._start)
        longest = max(len(window) for window, *_ in self._views)
        done = round(self._n_frames * self._hop) - longest - self._start
        if done > 0:
            self._samples = self._samples[done:]
            self._start += done

    def _frame(self, stop):
        parts = []
        for window, n_fft, bank in self._views:
            spectrum = np.fft.rfft(self._samples[stop - len(window) : stop] * window, n_fft)
            spectrum = spectrum[: len(bank)]
            power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
            parts.append(power @ bank)
        levels = 10 * np.log10(np.concatenate(parts) + np.float32(_POWER_FLOOR))
        self._loudest = max(self._loudest - _RELEASE * HOP, levels[:N_LOW].max(), _QUIET)
        return _scale(levels, np.float32(self._loudest))


def band_levels(waveform, sample_rate):
    """Compute the levels of all frames of a waveform at once, in dB, (n_frames, n_bands)."""
    views = _views(float(sample_rate))
    longest = max(len(window) for window, *_ in views)
    padded = np.concatenate([np.zeros(longest, np.float32), waveform])
    hop = HOP * sample_rate
    stops = np.array([round((k + 1) * hop) for k in range(int(len(waveform) / hop))], int) + longest
    parts = []
    for window, n_fft, bank in views:
        slices = np.lib.stride_tricks.sliding_window_view(padded, len(window))
        blocks = []
        for block in np.array_split(stops - len(window), len(stops) // 500 + 1):
            spectra = np.fft.rfft(slices[block] * window, n_fft)[:, : len(bank)]
            blocks.append((spectra.real**2 + spectra.imag**2).astype(np.float32) @ bank)
        parts.append(np.concatenate(blocks))
    return 10 * np.log10(np.concatenate(parts, axis=1) + np.float32(_POWER_FLOOR))


def band_octaves():
    """Octaves of the bands of both views above the lowest one."""
    lowest = _VIEWS[0][2]
    return np.concatenate(
        [np.log2(f_min / lowest) + np.arange(n) / width for _, _, f_min, n, width in _VIEWS]
    )


def relative_levels(levels):
    """Make of levels in dB, of one stream from its beginning, what the network is given."""
    loudest = np.empty(len(levels), np.float32)
    last = _QUIET
    for i, level in enumerate(levels[:, :N_LOW].max(axis=1)):
        loudest[i] = last = max(last - _RELEASE * HOP, level, _QUIET)
    return _scale(levels, loudest[:, None])


def _scale(levels, loudest):
    return np.clip((levels - loudest + np.float32(_RANGE)) / np.float32(_RANGE), 0, 1.3)


@lru_cache(maxsize=8)
def _views(sample_rate):
    return [
        _view(sample_rate, rise, fall, f_min, n_bands, width)
        for rise, fall, f_min, n_bands, width in _VIEWS
    ]


def _view(sample_rate, rise, fall, f_min, n_bands, width):
    """Make the window, length of the transform, and bands, (n_bins, n_bands), of a view."""
    slopes = [
        0.5 - 0.5 * np.cos(np.pi * (np.arange(n) + 0.5) / n)
        for n in (round(rise * sample_rate), round(fall * sample_rate))
    ]
    window = np.concatenate([slopes[0], slopes[1][::-1]])
    window *= 2 / window.sum()  # a sine of amplitude 1 has a power of 1
    n_fft = _fast_length(len(window))
    step = sample_rate / n_fft
    frequencies = np.arange(n_fft // 2 + 1) * step
    centres = f_min * 2 ** (np.arange(-1, n_bands + 1) / width)
    bank = np.zeros((len(frequencies), n_bands))
    for i, (lower, centre) in enumerate(pairwise(centres[:-1])):
        narrowest = max(_NARROWEST, step)
        upper = max(centres[i + 2], centre + narrowest)
        lower = min(lower, centre - narrowest)
        rising = (frequencies - lower) / (centre - lower)
        falling = (upper - frequencies) / (upper - centre)
        bank[:, i] = np.clip(np.minimum(rising, falling), 0, None)
    n_used = int(np.flatnonzero(bank.any(axis=1))[-1]) + 1 if bank.any() else 1
    return window.astype(np.float32), n_fft, bank[:n_used].astype(np.float32)


def _fast_length(n):
    """Tell the least number from `n` on that has no prime factor above 5."""
    powers = (2**a * 3**b * 5**c for a in range(20) for b in range(13) for c in range(9))
    return min(power for power in powers if power >= n)
