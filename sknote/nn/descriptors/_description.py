"""The description of a note: profiles along the frequency axis, and functionals."""

import torch
from torch import nn

from sknote.nn.descriptors._functionals import compute_functionals, functional_slopes
from sknote.nn.descriptors._time_statistics import (
    QUANTILES,
    masked_deviation,
    ordered,
    sounding_part,
)
from sknote.spectral._lengths import frame_mask
from sknote.spectral._sounding import decibels, frame_levels

__all__ = ["PROFILES", "describe_notes", "level_slopes"]

_EDGE = 0.1  # seconds that count as the beginning, and as the end, of a recording
# Stretches of time in seconds: around where a note begins to sound, and around where it ceases to.
_ATTACK = ((-0.05, 0), (0, 0.025), (0.025, 0.05), (0.05, 0.1), (0.1, 0.19), (0.19, 0.37))
_RELEASE = ((-0.21, -0.095), (-0.095, -0.025), (0, 0.07), (0.07, 0.21))
_MODULATION = (0.05, 0.1, 0.19, 0.37, 0.75)  # each stretch of time is twice the one before

PROFILES = (
    "energy",
    *(f"quantile {share}" for share in QUANTILES),
    "maximum",
    "beginning",
    "end",
    *(f"attack {start} to {stop} s" for start, stop in _ATTACK),
    *(f"release {start} to {stop} s" for start, stop in _RELEASE),
    "deviation",
    *(f"modulation within {width} s" for width in _MODULATION),
)


def level_slopes(axes):
    """How much the values of a description grow with the level of a recording, per dB.

    Of the profiles, shape (23, 1), it is 1 for levels and 0 for differences of levels; of the
    functionals it has shape (n_functionals,).
    """
    levels = torch.arange(len(PROFILES)) < PROFILES.index("deviation")
    return {"profiles": levels[:, None].float(), "functionals": functional_slopes(axes.n_bins)}


def describe_notes(spectrogram, lengths, axes):
    """Describe how the spectra of notes are spread over time, in arrays of fixed shape.

    Parameters
    ----------
    spectrogram : Tensor of shape (batch, n_frames, n_bins)
        In dB; what lies beyond a note's own frames means nothing.
    lengths : Tensor of shape (batch,), int64
        Frames that belong to each note, at least one.
    axes : SpectralAxes
        Those of the spectrograms.

    Returns
    -------
    dict of str to Tensor
        ``"profiles"``, shape (batch, 23, n_bins): of each bin, in dB, level of the mean power;
        10th, 50th and 90th percentile; maximum; means of the first and the last 0.1 s; means over
        six stretches of time about the attack and four about the release; standard deviation over
        time; and modulation at five rates, about an octave apart, from 16 Hz down to 1 Hz. Where a
        note is too short for a stretch of time, its nearest frame stands for it.

        ``"functionals"``, shape (batch, 225), fewer for less than 20 bins: of each of the first 20
        cepstral coefficients, mean, percentiles, maximum, minimum, and the standard deviation of
        values and of steps from frame to frame; eight numbers on the course of the level; 54 on
        the rhythm, which tell trills and phrases apart: how often the spectrum changes, with what
        period, what the level does then, and how far the pitch moves; and the logarithms of three
        times in seconds: of the recording, of the silence before the note, and of the note.

    Notes
    -----
    Modulation is the deviation of moving averages from moving averages that are twice as long: the
    undecimated Haar wavelet transform [1]_ of a bin's level. Cepstra are cosine transforms of
    frames in dB [2]_. Changes of the spectrum are seen by its flux [3]_, the mean step of the bins'
    levels from frame to frame.

    References
    ----------
    .. [1] S. Mallat, "A Wavelet Tour of Signal Processing", 3rd ed., Academic Press, 2009.
    .. [2] S. Davis and P. Mermelstein, "Comparison of parametric representations for monosyllabic
       word recognition in continuously spoken sentences", IEEE Trans. ASSP 28, 1980.
    .. [3] S. Dixon, "Onset detection revisited", Proc. DAFx, 2006.

    Examples
    --------
    >>> import torch
    >>> from sknote.nn import describe_notes
    >>> from sknote.spectral import SpectralAxes
    >>> notes = torch.zeros(2, 50, 200)
    >>> description = describe_notes(notes, torch.tensor([50, 30]), SpectralAxes())
    >>> {name: tuple(values.shape) for name, values in description.items()}
    {'profiles': (2, 23, 200), 'functionals': (2, 225)}
    """
    frame_rate = axes.frame_rate
    inside = frame_mask(lengths, spectrogram.shape[1])
    # the first frame stands for the padding, so that whatever was there is harmless
    x = torch.where(inside[:, :, None], spectrogram, spectrogram[:, :1])
    peak, power, level = frame_levels(x)
    onset, offset = sounding_part(level, inside)
    mean_power = (power * inside[:, :, None]).sum(dim=1) / lengths[:, None]
    _, deviation = masked_deviation(x, inside)
    average = _Averages(x)
    energy = decibels(mean_power) + peak[:, 0]
    rows = [
        energy,
        *ordered(x, inside)[:4],
        *_stretches(average, lengths, onset, offset, frame_rate).unbind(1),
        deviation,
        *_modulation(x, average, onset, offset, frame_rate).unbind(1),
    ]
    functionals = compute_functionals(x, energy, level, lengths, onset, offset, frame_rate)
    return {"profiles": torch.stack(rows, dim=1), "functionals": functionals}


class _Averages:
    """Means over any stretches of time, by differences of a cumulative sum."""

    def __init__(self, x):
        self.shape = x.shape
        self.mean = x.mean(dim=1, keepdim=True)  # without it, sums would grow and lose digits
        sums = (x - self.mean).cumsum(1)
        self.sums = nn.functional.pad(sums, (0, 0, 1, 0)).flatten(0, 1)
        self.first = torch.arange(x.shape[0], device=x.device)[:, None] * (x.shape[1] + 1)

    def __call__(self, start, stop):
        """Average from `start` up to `stop`, both (batch, n_stretches)."""

        def until(frame):
            rows = self.sums.index_select(0, (self.first + frame).flatten())
            return rows.view(*frame.shape, self.shape[2])

        total = until(stop).sub_(until(start))
        return total.div_((stop - start)[:, :, None]).add_(self.mean)


def _frames(seconds, frame_rate):
    return round(seconds * frame_rate)


def _stretches(average, lengths, onset, offset, frame_rate):
    """Means at the beginning and the end, and about attack and release."""
    edge = max(1, _frames(_EDGE, frame_rate))
    pieces = [(0 * lengths, 0 * lengths + edge), (lengths - edge, lengths)]
    for middle, stretches in ((onset, _ATTACK), (offset, _RELEASE)):
        for seconds in stretches:
            pieces.append([middle + _frames(second, frame_rate) for second in seconds])
    start = torch.stack([start for start, _ in pieces], dim=1)
    stop = torch.stack([stop for _, stop in pieces], dim=1)
    last = lengths[:, None]
    start = torch.minimum(start.clamp_min(0), last - 1)
    return average(start, torch.maximum(torch.minimum(stop, last), start + 1))


def _modulation(x, average, onset, offset, frame_rate):
    """Deviations of moving averages of the sounding part from ones that are twice as long."""
    frames = torch.arange(x.shape[1], device=x.device)
    onset, offset = onset[:, None], offset[:, None]
    inside = (frames >= onset) & (frames < offset)
    share = (inside / (offset - onset)).to(x.dtype)[:, None]
    power, finer = [], x
    for seconds in _MODULATION:
        width = max(1, _frames(seconds, frame_rate))
        first = frames - width // 2
        start = torch.minimum(torch.maximum(first, onset), offset - 1)
        stop = torch.maximum(torch.minimum(first + width, offset), start + 1)
        coarser = average(start, stop)
        power.append(share @ (finer - coarser).square_())
        finer = coarser
    return (torch.cat(power, dim=1) + 1e-3).sqrt()
