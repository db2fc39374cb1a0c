"""Where a note sounds within its recording: what lies before and after is not the note."""

import math

import torch

from sknote._portable import sort_last
from sknote.spectral._lengths import frame_mask

__all__ = ["crop_to_sound", "decibels", "frame_levels", "sounding_frames", "without_level"]

# dB below the loudest frame: what is softer is not the note. Before an onset it is what windows see
# of it across the edge; a note may fade away for long.
_BEFORE, _AFTER = 25.0, 40.0
_ABOVE_NOISE = 6.0  # dB that a note stands out of the noise around it
# What changes by less than 2 dB from one to the other share of the frames is noise and no decay, if
# it is 18 dB softer than the loudest frame, or more.
_NOISE_FROM, _NOISE_TO, _STEADY, _SOFT = 0.05, 0.15, 2.0, 18.0
_RANGE = 55.0  # dB below the loudest frame, for those who must not know the level
_POWER = 10.0 / math.log(10.0)


def decibels(power):
    """Bring powers to dB; the smallest number above 0 stands for 0."""
    return power.clamp_min(torch.finfo(power.dtype).tiny).log() * _POWER


def frame_levels(spectrogram):
    """Split a spectrogram in dB, shape (batch, n_frames, n_bins), into power and level.

    Returns the maximum of each note in dB, shape (batch, 1, 1); the power relative to it; and the
    level of all bins together in dB, shape (batch, n_frames).
    """
    peak = spectrogram.amax(dim=(1, 2), keepdim=True)
    power = ((spectrogram - peak) / _POWER).exp()
    return peak, power, decibels(power.sum(dim=2)) + peak[:, :, 0]


def sounding_frames(level, lengths):
    """Find the first frame in which a note sounds, and the first one after it, each (batch,).

    A note sounds from the first frame whose level is within 25 dB of the loudest to the last one
    within 40 dB; where there is noise around it, both are at least 6 dB above the noise.

    Parameters
    ----------
    level : Tensor of shape (batch, n_frames)
        In dB.
    lengths : Tensor of shape (batch,), int64
        Frames that belong to each recording, at least one.
    """
    inside = frame_mask(lengths, level.shape[1])
    own = level.masked_fill(~inside, -torch.inf)
    loudest = own.amax(dim=1)
    ordered = sort_last(level.masked_fill(~inside, torch.inf)[:, None])[:, 0]
    low, noise = (
        ordered.gather(1, (lengths[:, None] * share).long())[:, 0]
        for share in (_NOISE_FROM, _NOISE_TO)
    )
    is_noise = (noise - low < _STEADY) & (noise < loudest - _SOFT)
    audible = torch.where(is_noise, noise + _ABOVE_NOISE, -torch.inf)
    begun, lasting = (
        (own >= torch.maximum(audible, loudest - below)[:, None]).long()
        for below in (_BEFORE, _AFTER)
    )
    return begun.argmax(dim=1), level.shape[1] - lasting.flip(1).argmax(dim=1)


def crop_to_sound(spectrogram, lengths):
    """Leave of recordings what sounds, from the first frame on.

    Parameters
    ----------
    spectrogram : Tensor of shape (batch, n_frames, n_bins)
        In dB; what lies beyond a recording's own frames means nothing.
    lengths : Tensor of shape (batch,), int64
        Frames that belong to each recording, at least one.

    Returns
    -------
    spectrogram : Tensor of shape (batch, n_frames, n_bins)
        Each begins with the first frame that sounds, and repeats the last one behind it.
    lengths : Tensor of shape (batch,), int64
        Frames that sound.
    """
    inside = frame_mask(lengths, spectrogram.shape[1])
    spectrogram = torch.where(inside[:, :, None], spectrogram, spectrogram[:, :1])
    first, stop = sounding_frames(frame_levels(spectrogram)[2], lengths)
    frames = torch.arange(spectrogram.shape[1], device=spectrogram.device)
    index = torch.minimum(first[:, None] + frames, stop[:, None] - 1)
    return spectrogram.gather(1, index[:, :, None].expand_as(spectrogram)), stop - first


def without_level(spectrogram):
    """Take the level out of what sounds: the loudest frame of each becomes 0 dB in all.

    What is more than 55 dB softer is raised to there, since that depends on the gain of a recording
    too, by its noise and its rounding. Any gain gives the same result. Takes spectrograms in dB,
    (batch, n_frames, n_bins), as :func:`crop_to_sound` gives them, in which padding repeats frames.
    """
    loudest = frame_levels(spectrogram)[2].amax(dim=1)
    return (spectrogram - loudest[:, None, None]).clamp_min(-_RANGE)
