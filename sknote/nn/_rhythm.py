"""Rhythm: how often and how far a spectrum changes within a recording, and the level then."""

import torch
from torch.nn import functional

from sknote.nn._time_statistics import masked_deviation, ordered

__all__ = ["N_RHYTHM", "compute_rhythm"]

_HEARD = 30.0  # dB below the loudest frame: what is counted, from the first such frame to the last
_LOUD = 40.0  # dB below the strongest bin: bins that count, the more the louder
_STEPS = (1.0, 2.0, 3.0, 5.0)  # dB by which bins change at a change worth counting
_PERIODS = (0.046, 0.093, 0.163, 0.279, 0.465, 1.0)  # seconds; the limits of five ranges
_AROUND = 0.186  # seconds before and after a change
_N_AROUND = 17
_WIDEST = 12  # bins; a wider step of the strongest pitch counts as this one
_PARTIALS = (24, 38, 48)  # quarter tones from a tone to its partials 2 to 4
_SHORTEST = 0.1  # seconds; added to a duration that is divided by

N_RHYTHM = 4 + 2 * len(_STEPS) + 2 * (len(_PERIODS) - 1) + _N_AROUND + 2 + _WIDEST + 1


def compute_rhythm(spectrogram, energy, level, inside, frame_rate):
    """Describe how a spectrum changes, and with which rhythm.

    A trill, a tremolo or a phrase differs from a single tone by that, and phrases from each other
    by what the level does where the pitch changes.

    Parameters
    ----------
    spectrogram : Tensor of shape (batch, n_frames, n_bins)
        In dB.
    energy : Tensor of shape (batch, n_bins)
        Level of each bin's mean power, in dB.
    level : Tensor of shape (batch, n_frames)
        Of all bins together, in dB.
    inside : Tensor of shape (batch, n_frames), bool
        The frames that belong to each note.
    frame_rate : float
        Frames per second.

    Returns
    -------
    Tensor of shape (batch, 54)
        Of the spectral flux, percentiles and maximum; number of its peaks of four sizes, as a
        logarithm and per second; the largest autocorrelation of flux and of level in five ranges
        of periods; the level from 0.19 s before to 0.19 s after changes; standard deviation and
        spread of the strongest pitch, and how often per second it moves by how many bins. None of
        them moves with the level of a recording.
    """
    weight = (energy - energy.amax(dim=1, keepdim=True) + _LOUD).clamp_min(0.0)
    weight = (weight / weight.sum(dim=1, keepdim=True))[:, :, None]
    shape = spectrogram - spectrogram @ weight  # without its level
    change = (shape.diff(dim=1).abs_() @ weight)[:, :, 0]
    courses, count = _heard_part(level, _strongest(spectrogram), change, inside)
    heard = torch.arange(level.shape[1], device=level.device) < count[:, None]
    flux, level, pitch = courses
    low, median, high, most, _ = ordered(torch.stack([flux, level, pitch], dim=2), count)
    seconds = count.to(level) / frame_rate + _SHORTEST
    _, deviation = masked_deviation(pitch[:, :, None], heard)
    return torch.cat(
        [
            torch.stack([low[:, 0], median[:, 0], high[:, 0], most[:, 0]], dim=1),
            _count_peaks(flux, heard, seconds),
            _periodicity(torch.stack([flux, level], dim=1), heard, count, frame_rate),
            _level_around(flux - median[:, :1], level - median[:, 1:2], heard, count, frame_rate),
            deviation,
            (high - low)[:, 2:],
            _pitch_steps(pitch, heard, seconds),
        ],
        dim=1,
    )


def _strongest(spectrogram):
    """Bin of the lowest partial of the strongest tone in each frame, on a scale of quarter tones.

    On other scales it is some bin that moves when the tone does.
    """
    n_bins = spectrogram.shape[2] - _PARTIALS[-1]
    if n_bins < 1:
        return spectrogram.argmax(dim=2)
    partials = [spectrogram[:, :, first : first + n_bins] for first in _PARTIALS]
    return (spectrogram[:, :, :n_bins] + sum(partials)).argmax(dim=2)


def _heard_part(level, pitch, change, inside):
    """Bring flux, level and pitch to where a recording is heard; return them and its length.

    The flux of a frame is the mean of the changes before and after it.
    """
    quiet = level.masked_fill(~inside, -torch.inf)
    heard = (quiet > quiet.amax(dim=1, keepdim=True) - _HEARD).long()
    first, stop = heard.argmax(dim=1), heard.shape[1] - heard.flip(1).argmax(dim=1)
    frames = torch.arange(level.shape[1], device=level.device) + first[:, None]
    last = (stop - 1)[:, None]
    # a step from one heard frame to the next
    change = functional.pad(change, (0, 1)).gather(1, torch.minimum(frames, last))
    change = change.masked_fill(frames >= last, 0.0)
    flux = (change + functional.pad(change, (1, -1))) / 2
    frames = torch.minimum(frames, last)
    courses = flux, level.gather(1, frames), pitch.gather(1, frames).to(level)
    return courses, stop - first


def _count_peaks(flux, heard, seconds):
    before, after = functional.pad(flux, (1, -1)), functional.pad(flux, (-1, 1))
    peak = torch.where((flux > before) & (flux >= after) & heard, flux, 0.0)
    # half a dB about each size counts in part, so that rounding does not matter
    sizes = torch.tensor(_STEPS, dtype=flux.dtype, device=flux.device)
    number = (peak[:, :, None] - sizes + 0.5).clamp_(0.0, 1.0).sum(dim=1)
    return torch.cat([(number + 1.0).log(), number / seconds[:, None]], dim=1)


def _periodicity(courses, heard, count, frame_rate):
    """Largest autocorrelation in ranges of lags, without what is slower than a second."""
    limits = [round(seconds * frame_rate) for seconds in _PERIODS]
    frames = torch.arange(heard.shape[1], device=heard.device)
    half = max(1, limits[-1] // 2)
    stop = torch.minimum(frames + half + 1, count[:, None])
    start = torch.minimum((frames - half).clamp_min(0), stop - 1)
    unheard = ~heard[:, None]
    courses = (courses - courses[:, :, :1]).masked_fill(unheard, 0.0)
    sums = functional.pad(courses.cumsum(dim=2), (1, 0))
    start, stop = start[:, None].expand_as(courses), stop[:, None].expand_as(courses)
    slow = (sums.gather(2, stop) - sums.gather(2, start)) / (stop - start)
    courses = (courses - slow).masked_fill(unheard, 0.0)
    longest = limits[-1] + len(limits)
    size = courses.shape[2] + longest  # so long that the ends do not meet
    power = torch.fft.rfft(courses, size).abs().square()
    correlation = torch.fft.irfft(power, size)
    correlation = correlation / (correlation[:, :, :1] + 1e-3)
    found, after = [], limits[0]
    for limit in limits[1:]:
        limit = max(limit, after + 1)
        found.append(correlation[:, :, after + 1 : limit + 1].amax(dim=2))
        after = limit
    return torch.stack(found, dim=2).flatten(1)


def _level_around(flux, level, heard, count, frame_rate):
    """Mean course of the level around changes, the more of a change the larger it is."""
    edge = round(0.07 * frame_rate)  # where a recording begins and ends says nothing on changes
    frames = torch.arange(level.shape[1], device=level.device)
    within = (frames >= edge) & (frames < count[:, None] - edge)
    weight = flux.clamp_min(0.0).square() * within
    weight = weight / (weight.sum(dim=1, keepdim=True) + 1e-6)
    steps = torch.linspace(-_AROUND, _AROUND, _N_AROUND, dtype=torch.float64) * frame_rate
    steps = steps.round().long().to(level.device)
    places = (frames[:, None] + steps).clamp_min(0)[None]
    places = torch.minimum(places, (count - 1)[:, None, None]).flatten(1)
    around = level.gather(1, places).view(*level.shape, _N_AROUND)
    return (weight[:, None] @ around)[:, 0]


def _pitch_steps(pitch, heard, seconds):
    """How often per second the strongest pitch moves by 0, 1, ... bins."""
    width = pitch.diff(dim=1).abs().clamp_max(_WIDEST).long()
    number = functional.one_hot(width, _WIDEST + 1) * heard[:, 1:, None]
    return number.sum(dim=1) / seconds[:, None]
