"""Hide parts of a note, and ask a model what it says then."""

import dataclasses

import numpy as np
import torch
from scipy.ndimage import gaussian_filter, percentile_filter, uniform_filter1d
from scipy.signal import ShortTimeFFT
from scipy.signal.windows import hann
from scipy.special import logsumexp

from sknote.spectral._sounding import frame_levels, sounding_frames

__all__ = ["Hidden", "cells_of", "log_odds", "measure", "with_gains"]

_SECONDS, _MOST = 0.1, 12  # of a cell of time, and how many cells at most
_OCTAVES, _LOWEST = 0.84, 32.0  # of a band, and Hz below which there is none
_QUIET, _NEAR = 5, 25  # percentiles over time, and over the neighbouring bins: the noise floor
_AROUND = 13  # bins that are neighbours
_DEPTH = 30.0  # dB that are taken away at most: a deeper hole is heard as a fault of its own
_N_MASKS, _SHARE, _SMOOTH, _RIDGE = 96, 0.15, 1.0, 5.0
_BATCH = 64
_WINDOW = 1024  # samples, of the transform in which a sound is changed


@dataclasses.dataclass
class Cells:
    """A grid over what sounds of a note: edges in frames and bins, and how cells fade."""

    frames: np.ndarray  # (n_times + 1,)
    bins: np.ndarray  # (n_bands + 1,)
    in_time: np.ndarray  # (n_times, n_frames), from 0 to 1
    in_frequency: np.ndarray  # (n_bands, n_bins)

    def masks(self, chosen):
        """Fade chosen cells (n_masks, n_times, n_bands) to frames and bins."""
        chosen = np.asarray(chosen, np.float32)
        return np.matmul(np.matmul(self.in_time.T, chosen), self.in_frequency)

    def seconds(self, axes):
        """Edges in seconds, halfway between frames, (n_times + 1,)."""
        return np.maximum(self.frames - 0.5, 0.0) / axes.frame_rate

    def hertz(self, axes):
        """Edges in Hz, halfway between bins, (n_bands + 1,)."""
        return np.interp(self.bins - 0.5, np.arange(axes.n_bins), axes.frequencies)


def cells_of(decibels, axes):
    """Lay a grid over what sounds of a spectrogram in dB, shape (n_frames, n_bins)."""
    first, stop = _sounding(decibels)
    n_cells = int(np.clip(round((stop - first) / axes.frame_rate / _SECONDS), 1, _MOST))
    edges = np.linspace(first, stop, n_cells + 1)
    short = _SECONDS * axes.frame_rate
    if n_cells > 3 and edges[1] - first > short:  # the attack keeps its short cells
        edges = [first, first + short, *np.linspace(first + 2 * short, stop, n_cells - 1)]
    frames = np.unique(np.round(edges).astype(int))
    heights = np.log2(np.maximum(axes.frequencies, _LOWEST))
    n_bands = max(1, round((heights[-1] - heights[0]) / _OCTAVES))
    limits = np.linspace(heights[0], heights[-1], n_bands + 1)[1:-1]
    bins = np.unique([0, *np.searchsorted(heights, limits), len(heights)])
    return Cells(
        frames,
        bins,
        _fading(frames, len(decibels), 1.0),
        _fading(bins, len(heights), 2.0),
    )


def _sounding(decibels):
    spectrogram = torch.from_numpy(decibels)[None]
    lengths = torch.tensor([len(decibels)])
    first, stop = sounding_frames(frame_levels(spectrogram)[2], lengths)
    return int(first), int(stop)


def _fading(edges, size, width):
    """Cells that fade into each other about their edges; together they are 1 within the grid."""
    places = np.arange(size) + 0.5
    rise = np.clip((places - edges[:, None]) / (2 * width) + 0.5, 0.0, 1.0)
    rise[0] = places >= edges[0]
    rise[-1] = places >= edges[-1]
    return (rise[:-1] - rise[1:]).clip(0.0).astype(np.float32)


def _noise_floor(decibels):
    """What is always there around each bin, in dB; nowhere louder than the note, nor far below."""
    floor = np.percentile(decibels, _QUIET, axis=0)
    floor = percentile_filter(floor, _NEAR, _AROUND, mode="nearest")
    floor = uniform_filter1d(floor, _AROUND, mode="nearest")
    return np.clip(floor, decibels - _DEPTH, decibels).astype(np.float32)


def _usual(decibels):
    """What each bin has for most of the note, in dB, nowhere far from what it has."""
    first, stop = _sounding(decibels)
    usual = np.median(decibels[first:stop], axis=0)
    return np.clip(usual, decibels - _DEPTH, decibels + _DEPTH).astype(np.float32)


class Hidden:
    """A note of which parts are hidden, and what a model says of the rest.

    Parameters
    ----------
    decibels : ndarray of shape (n_frames, n_bins)
        The note.
    ask : callable
        Takes a batch of changed decibels, or of changes in dB; returns log-probabilities.
    of_sound : bool
        Whether `ask` takes changes of the sound.

    Attributes
    ----------
    to_noise, to_usual : ndarray of shape (n_frames, n_bins)
        Changes in dB that hide all of the note: behind its noise floor, and behind what it is for
        most of the time, which also fills a gap.
    """

    def __init__(self, decibels, ask, of_sound):
        self.decibels = decibels
        self._ask, self._of_sound = ask, of_sound
        self.to_noise = _noise_floor(decibels) - decibels
        self.to_usual = _usual(decibels) - decibels

    def log_proba(self, masks, hide):
        """Log-probabilities, one row for each mask (n_frames, n_bins): 1 where `hide` changes."""
        found = []
        for start in range(0, len(masks), _BATCH):
            change = masks[start : start + _BATCH] * hide
            found.append(self._ask(change if self._of_sound else change + self.decibels))
        return np.concatenate(found)


def with_gains(waveform, axes, change):
    """Change the level of a waveform by so many dB, (n_frames, n_bins), over time and frequency."""
    rate = axes.sample_rate
    if not change.any():  # as it is, to the last bit
        return waveform
    transform = ShortTimeFFT(hann(_WINDOW, sym=False), _WINDOW // 4, rate, scale_to=None)
    n_samples = len(waveform)
    padded = np.pad(waveform, (0, max(0, 2 * _WINDOW - n_samples)))
    spectrum = transform.stft(padded)
    frames = np.rint(transform.t(len(padded)) * axes.frame_rate).astype(int)
    bins = np.rint(axes.positions(np.maximum(transform.f, axes.frequencies[0]))).astype(int)
    frames, bins = frames.clip(0, change.shape[0] - 1), bins.clip(0, change.shape[1] - 1)
    gains = 10.0 ** (change[frames][:, bins].T / 20.0)
    return transform.istft(spectrum * gains, k1=len(padded))[:n_samples].astype(np.float32)


def log_odds(log_proba, columns):
    """Log-odds of the labels in some columns together, from log-probabilities."""
    others = np.delete(log_proba, columns, axis=1)
    if not others.shape[1]:
        return np.zeros(len(log_proba))
    return logsumexp(log_proba[:, columns], axis=1) - logsumexp(others, axis=1)


def measure(hidden, cells, columns, whole):
    """How much of the log-odds of labels each cell carries, (n_times, n_bands).

    Smooth patches that cover a seventh of the note are hidden, by chance but always the same, and
    what that costs is shared out among the cells by ridge regression: what is heard in two places
    is not missed where one alone is hidden. Half of the patches are hidden behind noise, and half
    behind what the note usually is; the mean of both counts.
    """
    shape = len(cells.in_time), len(cells.in_frequency)
    fields = np.random.default_rng(0).standard_normal((_N_MASKS, *shape))
    fields = gaussian_filter(fields, (0, _SMOOTH, _SMOOTH), mode="nearest")
    chosen = fields >= np.quantile(fields, 1 - _SHARE, axis=(1, 2), keepdims=True)
    found = np.zeros(shape)
    half = _N_MASKS // 2
    for hide, own in ((hidden.to_noise, chosen[:half]), (hidden.to_usual, chosen[half:])):
        odds = log_odds(hidden.log_proba(cells.masks(own), hide), columns)
        changed = _cell_means(cells, np.abs(hide)).ravel() / _DEPTH
        design = own.reshape(len(own), -1) * changed  # where nothing is, nothing is missed
        normal = design.T @ design + _RIDGE * np.eye(design.shape[1])
        missed = np.linalg.solve(normal, design.T @ (log_odds(whole, columns) - odds))
        found += (changed * missed).reshape(shape) / 2
    return found


def _cell_means(cells, values):
    """Means of values (n_frames, n_bins) over cells."""
    size = cells.in_time.sum(axis=1)[:, None] * cells.in_frequency.sum(axis=1)
    return cells.in_time @ values @ cells.in_frequency.T / size
