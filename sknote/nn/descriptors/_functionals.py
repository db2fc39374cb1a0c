"""Functionals: what a note has once, and not in each bin."""

import math

import torch

from sknote._portable import kept
from sknote.nn.descriptors._rhythm import N_RHYTHM
from sknote.nn.descriptors._time_statistics import QUANTILES

__all__ = [
    "TIMES",
    "compute_functionals",
    "compute_times",
    "cosines",
    "count_functionals",
    "functional_slopes",
]

_N_COEFFICIENTS = 20
_SHORTEST = 0.03  # seconds; added before a logarithm

# Of each coefficient; those that move with the level of a recording come first.
_LEVELS = ("mean", *(f"quantile {share}" for share in QUANTILES), "maximum", "minimum")
_OF_CEPSTRA = (*_LEVELS, "deviation", "deviation of steps")
_OF_LEVEL = (*(f"level {name}" for name in ("maximum", "minimum", "first", "last", "mean")), "peak")
_OTHERS = ("level deviation", "place of the maximum")
TIMES = ("duration", "silence before", "sound")  # they come last


@kept
def cosines(n_bins, n_coefficients):
    """Basis of the cosine transform (DCT-II), scaled to orthogonal columns of norm 1 but the first.

    A float32 Tensor of shape (n_bins, n_coefficients), with no more coefficients than bins.
    """
    with torch.inference_mode(False):  # it is kept, to be used in training as well
        middle = (torch.arange(n_bins, device="cpu") + 0.5) / n_bins  # whatever the default is
        order = torch.arange(min(n_coefficients, n_bins), device="cpu")
        return torch.cos(math.pi * middle[:, None] * order) * math.sqrt(2.0 / n_bins)


def compute_functionals(spectrogram, level, peak, frames, lengths):
    """Describe the course of a note's level and of the shape of its spectra.

    Takes spectrograms of shape (batch, n_frames, n_bins), in dB, and their maxima, (batch, 1, 1);
    the level of all bins together, (batch, n_frames), in dB; :class:`Frames` of each note, and how
    many they are, (batch,). Returns shape (batch, 168), fewer for less than 20 bins.
    """
    basis = cosines(spectrogram.shape[2], _N_COEFFICIENTS).to(spectrogram)
    courses = torch.cat([spectrogram @ basis, level[:, :, None]], dim=2)
    mean, deviation = frames.moments(courses)
    *quantiles, maximum, minimum = frames.ordered(courses)
    steps = courses.diff(dim=1, prepend=courses[:, :1])  # the first is 0
    _, of_steps = frames.moments(steps)
    values = torch.stack([mean, *quantiles, maximum, minimum, deviation, of_steps], dim=1)
    last = level.gather(1, lengths[:, None] - 1)
    place = level.masked_fill(frames.outside, -torch.inf).argmax(dim=1, keepdim=True)
    of_level = [maximum[:, -1:], minimum[:, -1:], level[:, :1], last, mean[:, -1:], peak[:, 0]]
    place = (place / lengths[:, None]).to(level)
    return torch.cat([values[:, :, :-1].flatten(1), *of_level, deviation[:, -1:], place], dim=1)


def compute_times(n_frames, frame_rate, dtype):
    """Logarithms of times, of shape (batch, 3), that last so many frames."""
    return torch.log(n_frames.to(dtype) / frame_rate + _SHORTEST)


def count_functionals(n_bins):
    """Number of functionals of spectrograms of `n_bins` bins."""
    return len(functional_slopes(n_bins))


def functional_slopes(n_bins):
    """How much each functional grows with the level, per dB, of shape (n_functionals,)."""
    of_constant = cosines(n_bins, _N_COEFFICIENTS).sum(dim=0)
    of_constant[1:] = 0.0  # but for rounding they are
    still = torch.zeros_like(of_constant)
    cepstra = [of_constant if name in _LEVELS else still for name in _OF_CEPSTRA]
    others = of_constant.new_zeros(len(_OTHERS) + N_RHYTHM + len(TIMES))
    return torch.cat([*cepstra, of_constant.new_ones(len(_OF_LEVEL)), others])
