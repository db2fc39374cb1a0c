"""Effects on batches of spectrograms in dB: pure functions, which draw nothing."""

import numpy as np
import torch

__all__ = [
    "add_noise_floor",
    "change_level",
    "mask_bands",
    "mask_time",
    "shift_pitch",
    "stretch_time",
]


def shift_pitch(values, semitones, axes):
    """Move spectra, shape (batch, n_frames, n_bins), up by semitones, shape (batch,).

    Linearly interpolated between the bins of the axes; the outermost are repeated at the edges.
    """
    last = values.shape[2] - 1
    steps, which = torch.unique(semitones, return_inverse=True)
    lower = [axes.frequencies * 2.0 ** (-step / 12.0) for step in steps.tolist()]
    sources = np.stack([axes.positions(frequencies) for frequencies in lower])
    source = torch.from_numpy(sources.clip(0, last))[which][:, None]
    below = (source + _WHOLE).floor()
    share = (source - below).to(values.dtype)

    def at(bins):
        return values.gather(2, bins.long().expand_as(values))

    if share.abs().max() < _WHOLE:  # as on an axis of quarter tones
        return at(below)
    return torch.lerp(at(below), at((below + 1).clamp(max=last)), share.expand_as(values))


_WHOLE = 1e-6  # bins that do not matter


def stretch_time(values, lengths, rate):
    """Play faster or slower by linear interpolation between frames.

    Takes values of shape (batch, n_frames, n_bins), lengths and rates of shape (batch,), where
    above 1 is faster, and shorter. Returns new values and lengths.
    """
    new_lengths = (lengths / rate).round().long().clamp_min(1)
    steps = torch.arange(int(new_lengths.max()), dtype=torch.float64)
    last = (lengths - 1)[:, None]
    source = torch.minimum(steps * rate[:, None], last.double())
    below = source.long()
    share = (source - below)[:, :, None].to(values.dtype)
    batch = torch.arange(len(values))[:, None]
    lower, upper = values[batch, below], values[batch, torch.minimum(below + 1, last)]
    return torch.lerp(lower, upper, share), new_lengths


def add_noise_floor(values, floor):
    """Add stationary noise of a level in each bin, shape (batch,), to spectrograms: sums of powers.

    All of them in dB; spectrograms have shape (batch, n_frames, n_bins).
    """
    decibel = 10.0 / np.log(10.0)
    return torch.logaddexp(values / decibel, (floor / decibel)[:, None, None]) * decibel


def change_level(values, gain, slope=1.0):
    """Add a gain in dB, shape (batch,), times a slope, to values of shape (batch, ...)."""
    return values + gain.to(values.dtype).view(-1, *(1,) * (values.ndim - 1)) * slope


def mask_bands(values, first, width, fill):
    """Replace `width` bins from `first` on, both (batch,), by `fill`, shape (n_bins,)."""
    bins = torch.arange(values.shape[2])
    hidden = (bins >= first[:, None]) & (bins < (first + width)[:, None])
    return torch.where(hidden[:, None, :], fill, values)


def mask_time(values, first, width, fill):
    """Replace `width` frames from `first` on, both (batch,), by `fill`, shape (n_bins,)."""
    frames = torch.arange(values.shape[1])
    hidden = (frames >= first[:, None]) & (frames < (first + width)[:, None])
    return torch.where(hidden[:, :, None], fill, values)
