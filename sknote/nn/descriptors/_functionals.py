"""Functionals: what a note has once, and not in each bin."""

import math

import torch

from sknote._portable import kept
from sknote.nn.descriptors._rhythm import N_RHYTHM, compute_rhythm
from sknote.nn.descriptors._time_statistics import QUANTILES, masked_deviation, ordered
from sknote.spectral._lengths import frame_mask

__all__ = ["TIMES", "compute_functionals", "cosines", "count_functionals", "functional_slopes"]

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


def compute_functionals(spectrogram, energy, level, lengths, onset, offset, frame_rate):
    """Describe the course of a note's level and of the shape of its spectra, and its rhythm.

    Takes spectrograms of shape (batch, n_frames, n_bins), in dB; the level of each bin's mean
    power, shape (batch, n_bins), and of all bins together, shape (batch, n_frames), in dB; and for
    each note its number of frames, the first in which it sounds, and the first after it. Returns
    shape (batch, n_functionals).
    """
    inside = frame_mask(lengths, level.shape[1])
    basis = cosines(spectrogram.shape[2], _N_COEFFICIENTS).to(spectrogram)
    courses = torch.cat([spectrogram @ basis, level[:, :, None]], dim=2)
    mean, deviation = masked_deviation(courses, inside)
    *quantiles, maximum, minimum = ordered(courses, inside)
    steps = courses.diff(dim=1, prepend=courses[:, :1])  # the first is 0
    _, of_steps = masked_deviation(steps, inside)
    cepstra = [mean, *quantiles, maximum, minimum, deviation, of_steps]
    last = level.gather(1, lengths[:, None] - 1)[:, 0]
    peak = spectrogram.amax(dim=2).masked_fill(~inside, -torch.inf).amax(dim=1)
    place = level.masked_fill(~inside, -torch.inf).argmax(dim=1) / lengths
    levels = [maximum[:, -1], minimum[:, -1], level[:, 0], last, mean[:, -1], peak]
    seconds = torch.stack([lengths, onset, offset - onset], dim=1).to(level) / frame_rate
    return torch.cat(
        [
            torch.cat([values[:, :-1] for values in cepstra], dim=1),
            torch.stack([*levels, deviation[:, -1], place.to(level)], dim=1),
            compute_rhythm(spectrogram, energy, level, inside, frame_rate),
            torch.log(seconds + _SHORTEST),
        ],
        dim=1,
    )


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
