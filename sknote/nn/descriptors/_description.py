"""The description of a note: profiles along the frequency axis, and functionals."""

import torch
from torch import nn

from sknote._portable import kept
from sknote.nn.descriptors._functionals import (
    compute_functionals,
    compute_times,
    functional_slopes,
)
from sknote.nn.descriptors._rhythm import compute_rhythm
from sknote.nn.descriptors._time_statistics import QUANTILES, Frames, sounding_parts
from sknote.spectral._lengths import frame_mask
from sknote.spectral._sounding import decibels, frame_levels

__all__ = ["PROFILES", "describe_notes", "level_slopes"]

LOUD, HEARD = 12.0, 30.0  # dB below the peak: what sounds, and where rhythm is counted
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
    frames = Frames(inside, x.dtype)
    peak, power, level = frame_levels(x)
    starts, stops = sounding_parts(level.masked_fill(frames.outside, -torch.inf), LOUD, HEARD)
    (onset, first), (offset, stop) = starts.unbind(1), stops.unbind(1)
    _, deviation = frames.moments(x)
    average = _Averages(x)
    energy = decibels(frames.mean(power)) + peak[:, 0]
    rows = [
        energy,
        *frames.ordered(x)[:4],
        *_stretches(average, lengths, onset, offset, frame_rate).unbind(1),
        deviation,
        *_modulation(average, onset, offset, frame_rate),
    ]
    functionals = [
        compute_functionals(x, level, peak, frames, lengths),
        compute_rhythm(x, energy, level, first, stop, frame_rate),
        compute_times(torch.stack([lengths, onset, offset - onset], dim=1), frame_rate, x.dtype),
    ]
    return {"profiles": torch.stack(rows, dim=1), "functionals": torch.cat(functionals, dim=1)}


class _Averages:
    """Means over any stretches of time, by differences of a cumulative sum."""

    def __init__(self, x):
        self.mean = x.mean(dim=1, keepdim=True)  # without it, sums would grow and lose digits
        self.values = x - self.mean
        sums = nn.functional.pad(self.values.cumsum(1), (0, 0, 1, 0))
        self.n_frames = x.shape[1]
        self.sums = sums.flatten(0, 1)
        self.first = torch.arange(x.shape[0], device=x.device)[:, None] * sums.shape[1]

    def __call__(self, start, stop):
        """Average from `start` up to `stop`, both (batch, n_stretches), without the mean of all."""
        return next(self.each(start[None], stop[None]))

    def each(self, start, stop):
        """Average so for each entry of `start` and `stop`, one after the other.

        Both have shape (n, batch, n_stretches).
        """
        n_frames = (stop - start)[..., None].unbind()
        starts, stops = ((self.first + frame).flatten(1).unbind() for frame in (start, stop))
        for begin, end, count in zip(starts, stops, n_frames):
            total = self.sums.index_select(0, end).sub_(self.sums.index_select(0, begin))
            yield total.unflatten(0, count.shape[:2]).div_(count)


def _stretches(average, lengths, onset, offset, frame_rate):
    """Means at the beginning and the end, and about attack and release."""
    which, begins, ends = (values.to(lengths.device) for values in _pieces(frame_rate))
    middle = torch.stack([0 * lengths, lengths, onset, offset], dim=1).index_select(1, which)
    last = lengths[:, None]
    start = torch.minimum((middle + begins).clamp_min(0), last - 1)
    stop = torch.maximum(torch.minimum(middle + ends, last), start + 1)
    return average(start, stop).add_(average.mean)


@kept
def _pieces(frame_rate):
    """Which of beginning, end, onset and offset stretches lie about, and from where to where."""
    with torch.inference_mode(False):  # they are kept
        edge = max(1, _frames(_EDGE, frame_rate))
        pieces = [(0, 0, edge), (1, -edge, 0)]
        for middle, stretches in ((2, _ATTACK), (3, _RELEASE)):
            for seconds in stretches:
                pieces.append((middle, *(_frames(second, frame_rate) for second in seconds)))
        return torch.tensor(pieces, device="cpu").unbind(1)


def _frames(seconds, frame_rate):
    return round(seconds * frame_rate)


def _modulation(average, onset, offset, frame_rate):
    """Deviations of moving averages of the sounding part from ones that are twice as long."""
    widths = [[[max(1, _frames(seconds, frame_rate))]] for seconds in _MODULATION]
    width = torch.tensor(widths, device=onset.device)
    frames = torch.arange(average.n_frames, device=onset.device)
    onset, offset = onset[:, None], offset[:, None]
    sounding = Frames((frames >= onset) & (frames < offset), average.values.dtype)
    first = frames - width // 2
    start = torch.minimum(torch.maximum(first, onset), offset - 1)
    stop = torch.maximum(torch.minimum(first + width, offset), start + 1)
    power, finer = [], average.values
    for coarser in average.each(start, stop):
        power.append(sounding.mean((finer - coarser).square_()))
        finer = coarser
    return (torch.stack(power) + 1e-3).sqrt().unbind()
