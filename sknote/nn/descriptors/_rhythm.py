"""Rhythm: how often and how far a spectrum changes within a recording, and the level then."""

import torch
from torch.nn import functional

from sknote._portable import autocorrelation, kept
from sknote.nn.descriptors._time_statistics import Frames

__all__ = ["N_RHYTHM", "compute_rhythm"]

_LOUD = 40.0  # dB below the strongest bin: bins that count, the more the louder
_STEPS = (1.0, 2.0, 3.0, 5.0)  # dB by which bins change at a change worth counting
_PERIODS = (0.046, 0.093, 0.163, 0.279, 0.465, 1.0)  # seconds; the limits of five ranges
_AROUND = 0.186  # seconds before and after a change
_N_AROUND = 17
_WIDEST = 12  # bins; a wider step of the strongest pitch counts as this one
_PARTIALS = (24, 38, 48)  # quarter tones from a tone to its partials 2 to 4
_TIE = 1e-3  # dB that a tone a quarter tone higher is preferred by: more than rounding, and no more
_SHORTEST = 0.1  # seconds; added to a duration that is divided by

N_RHYTHM = 4 + 2 * len(_STEPS) + 2 * (len(_PERIODS) - 1) + _N_AROUND + 2 + _WIDEST + 1


def compute_rhythm(spectrogram, energy, level, first, stop, frame_rate):
    """Describe how a spectrum changes, and with which rhythm.

    A trill, a tremolo or a phrase differs from a single tone by that, and phrases from each other
    by what the level does where the pitch changes.

    Takes spectrograms of shape (batch, n_frames, n_bins), in dB; the level of each bin's mean
    power, shape (batch, n_bins), and of all bins together, shape (batch, n_frames), in dB; and the
    first frame of each note that is heard, and the first one after it, each (batch,). Returns shape
    (batch, 54): of the spectral flux, percentiles and maximum; number of its peaks of four sizes,
    as a logarithm and per second; the largest autocorrelation of flux and of level in five ranges
    of periods; the level from 0.19 s before to 0.19 s after changes; standard deviation and spread
    of the strongest pitch, and how often per second it moves by how many bins. None of them moves
    with the level of a recording.
    """
    weight = (energy - energy.amax(dim=1, keepdim=True) + _LOUD).clamp_min(0.0)
    weight = (weight / weight.sum(dim=1, keepdim=True))[:, :, None]
    shape = spectrogram - spectrogram @ weight  # without its level
    change = (shape.diff(dim=1).abs_() @ weight)[:, :, 0]
    first, stop = first[:, None], stop[:, None]
    frames = torch.arange(level.shape[1], device=level.device)
    heard = (frames >= first) & (frames < stop)
    # steps from one heard frame to the next; the flux of a frame is the mean of those beside it
    both = heard[:, 1:] & heard[:, :-1]
    steps = functional.pad(change * both, (1, 1))
    flux = (steps[:, 1:] + steps[:, :-1]) / 2
    pitch = _strongest(spectrogram).to(level)
    courses = torch.stack([flux, level, pitch], dim=2)
    counted = Frames(heard, level.dtype)
    low, median, high, most, _ = counted.ordered(courses)
    _, deviation = counted.moments(courses[:, :, 2:])
    seconds = (stop - first).to(level) / frame_rate + _SHORTEST
    courses = (courses - median[:, None])[:, :, :2].transpose(1, 2)
    return torch.cat(
        [
            torch.stack([low[:, 0], median[:, 0], high[:, 0], most[:, 0]], dim=1),
            _count_peaks(flux, heard, seconds),
            _periodicity(courses, counted.outside, frames, first, stop, frame_rate),
            _level_around(*courses.unbind(1), frames, first, stop, frame_rate),
            deviation,
            (high - low)[:, 2:],
            _pitch_steps(pitch, both, seconds),
        ],
        dim=1,
    )


def _strongest(spectrogram):
    """Bin of the lowest partial of the strongest tone in each frame, on a scale of quarter tones.

    On other scales it is some bin that moves when the tone does. Where one partial alone stands
    above a floor, all tones that have it are alike, but for rounding: the highest is taken.
    """
    n_bins = spectrogram.shape[2] - _PARTIALS[-1]
    if n_bins < 1:
        return spectrogram.argmax(dim=2)
    partials = [spectrogram[:, :, first : first + n_bins] for first in _PARTIALS]
    ramp = torch.arange(n_bins, dtype=spectrogram.dtype, device=spectrogram.device) * _TIE
    return (spectrogram[:, :, :n_bins] + sum(partials) + ramp).argmax(dim=2)


def _count_peaks(flux, heard, seconds):
    around = functional.pad(flux, (1, 1))
    is_peak = (flux > around[:, :-2]) & (flux >= around[:, 2:]) & heard
    peak = torch.where(is_peak, flux, 0.0)
    # half a dB about each size counts in part, so that rounding does not matter
    sizes = torch.tensor(_STEPS, dtype=flux.dtype, device=flux.device)
    number = (peak[:, :, None] - sizes + 0.5).clamp_(0.0, 1.0).sum(dim=1)
    return torch.cat([(number + 1.0).log(), number / seconds], dim=1)


def _periodicity(courses, unheard, frames, first, stop, frame_rate):
    """Largest autocorrelation in ranges of lags, without what is slower than a second."""
    limits = [round(seconds * frame_rate) for seconds in _PERIODS]
    half = max(1, limits[-1] // 2)
    until = torch.minimum(frames + half + 1, stop)
    since = torch.minimum(torch.maximum(frames - half, first), until - 1)
    unheard = unheard[:, None]
    courses = courses.masked_fill(unheard, 0.0)
    sums = functional.pad(courses.cumsum(dim=2), (1, 0))
    later, sooner = (
        sums.gather(2, places[:, None].expand_as(courses)) for places in (until, since)
    )
    slow = (later - sooner) / (until - since)[:, None]
    courses = (courses - slow).masked_fill(unheard, 0.0)
    longest = limits[-1] + len(limits)
    correlation = autocorrelation(courses, longest)
    correlation = correlation / (correlation[:, :, :1] + 1e-3)
    found, after = [], limits[0]
    for limit in limits[1:]:
        limit = max(limit, after + 1)
        found.append(correlation[:, :, after + 1 : limit + 1].amax(dim=2))
        after = limit
    return torch.stack(found, dim=2).flatten(1)


def _level_around(flux, level, frames, first, stop, frame_rate):
    """Mean course of the level around changes, the more of a change the larger it is."""
    edge = round(0.07 * frame_rate)  # where a recording begins and ends says nothing on changes
    within = (frames >= first + edge) & (frames < stop - edge)
    weight = flux.clamp_min(0.0).square_() * within
    weight = weight / (weight.sum(dim=1, keepdim=True) + 1e-6)
    places = (frames[:, None] + _steps_around(frame_rate).to(frames)).flatten()
    places = torch.minimum(torch.maximum(places, first), stop - 1)
    around = level.gather(1, places).unflatten(1, (-1, _N_AROUND))
    return (weight[:, None] @ around)[:, 0]


@kept
def _steps_around(frame_rate):
    """Steps from a change to the frames at which the level is looked at, in frames."""
    with torch.inference_mode(False):  # they are kept
        steps = torch.linspace(-_AROUND, _AROUND, _N_AROUND, dtype=torch.float64, device="cpu")
        return (steps * frame_rate).round().long()


def _pitch_steps(pitch, both, seconds):
    """How often per second the strongest pitch moves by 0, 1, ... bins, both frames heard."""
    width = pitch.diff(dim=1).abs().clamp_max(_WIDEST)
    widths = torch.arange(_WIDEST + 1, device=pitch.device)
    number = (width[:, :, None] == widths) & both[:, :, None]
    return number.sum(dim=1) / seconds
