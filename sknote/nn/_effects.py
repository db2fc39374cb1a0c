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


def shift_pitch(values, semitones, frequencies, positions):
    """Move spectra along the frequency axis.

    Parameters
    ----------
    values : Tensor of shape (batch, n_frames, n_bins)
        In dB.
    semitones : Tensor of shape (batch,)
        How far up.
    frequencies : ndarray of shape (n_bins,)
        Centre of each bin, in Hz.
    positions : callable
        Maps frequencies in Hz to (fractional) bins.

    Returns
    -------
    Tensor of shape (batch, n_frames, n_bins)
        Linearly interpolated; the outermost bins are repeated at the edges.
    """
    last = values.shape[2] - 1
    steps, which = torch.unique(semitones, return_inverse=True)
    sources = np.stack([positions(frequencies * 2.0 ** (-step / 12.0)) for step in steps.tolist()])
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

    Parameters
    ----------
    values : Tensor of shape (batch, n_frames, n_bins)
    lengths : Tensor of shape (batch,), int64
    rate : Tensor of shape (batch,)
        Above 1 is faster, and shorter.

    Returns
    -------
    values : Tensor of shape (batch, new_n_frames, n_bins)
    lengths : Tensor of shape (batch,), int64
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
    """Add stationary noise of a given level to every bin.

    Parameters
    ----------
    values : Tensor of shape (batch, n_frames, n_bins)
        Power in dB.
    floor : Tensor of shape (batch,)
        Level of the noise in each bin, in dB.

    Returns
    -------
    Tensor of shape (batch, n_frames, n_bins)
        The powers' sum, in dB.
    """
    decibel = 10.0 / np.log(10.0)
    return torch.logaddexp(values / decibel, (floor / decibel)[:, None, None]) * decibel


def change_level(values, gain):
    """Add a gain in dB, shape (batch,), to spectrograms of shape (batch, n_frames, n_bins)."""
    return values + gain[:, None, None]


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
