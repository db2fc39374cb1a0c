"""What the peaks of a note's spectra have to do with each other: one note has one row of partials.

All frequency axes here are logarithmic, so that a harmonic series is one pattern at any pitch.
"""

import math

import torch
from torch.nn import functional

from sknote._portable import kept
from sknote.nn.descriptors._description import PROFILES
from sknote.nn.descriptors._functionals import cosines
from sknote.spectral._axes import BINS_PER_OCTAVE

__all__ = ["count_partials", "describe_partials", "has_partials"]

_NAMES = ("energy", "quantile 0.5", "quantile 0.9", "beginning", "attack 0.1 to 0.19 s")
_ROWS = [PROFILES.index(name) for name in _NAMES]
_WIDTHS = (9, 17)  # bins, about which a peak stands out
_HIGHEST = 25.0  # dB that a peak counts, at most
_N_PARTIALS = 10  # those above are less than two bins apart
_SPREAD = 0.7  # bins to either side of a partial that belong to it
_BELOW = 20  # bins below the axis at which a fundamental may lie
_SHARES = (0.3, 0.5, 0.65, 0.8, 0.9)  # of the peaks in reach that a series has to explain
_N_LAGS = 73  # three octaves
_N_COSINES = 16
_FEWEST_BINS = 4 * BINS_PER_OCTAVE


def has_partials(axes):
    """Tell whether spectrograms on these axes can be described so."""
    return axes.scale == "log" and axes.n_bins is not None and axes.n_bins >= _FEWEST_BINS


def count_partials(n_bins):
    """Count the values of :func:`describe_partials`."""
    n_combs = len(_ROWS) * len(_WIDTHS) * (len(_SHARES) + 4)
    return n_combs + 2 * min(_N_LAGS, n_bins) + len(PROFILES) * min(_N_COSINES, n_bins)


def describe_partials(profiles):
    """Describe which peaks there are in the profiles of notes, and how they belong together.

    Parameters
    ----------
    profiles : Tensor of shape (batch, 23, n_bins)
        As :func:`describe_notes` gives them of spectrograms with 24 bins an octave.

    Returns
    -------
    Tensor of shape (batch, n_values)
        Of mean power, median, 90th percentile, beginning, and what is 0.1 to 0.19 s after the
        attack, each with the peaks over 9 and over 17 bins: how much of them the best harmonic
        series explains, at five prices of what it lacks; what is left without it; and how well a
        second series explains that. Of mean power and median, the autocorrelation of the peaks:
        which intervals there are between them. Of every profile, its first 16 cosine coefficients.
    """
    peaks = [_peaks(profiles[:, _ROWS], width) for width in _WIDTHS]
    combs = _combs(torch.stack(peaks, dim=2).flatten(1, 2))
    intervals = _intervals(peaks[0][:, :2])
    shape = profiles @ cosines(profiles.shape[2], _N_COSINES).to(profiles)
    return torch.cat([combs.flatten(1), intervals.flatten(1), shape.flatten(1)], dim=1)


def _peaks(levels, width):
    """Return by how much bins stand out of those around, in dB."""
    padded = functional.pad(levels, (width // 2, width // 2), "replicate")
    return (levels - functional.avg_pool1d(padded, width, 1)).clamp(0.0, _HIGHEST)


@kept
def _series(n_bins):
    """Return which bins belong to each harmonic series, and which are in its reach."""
    with torch.inference_mode(False):  # they are kept
        bins = torch.arange(n_bins, dtype=torch.float32, device="cpu")
        first = torch.arange(-_BELOW, n_bins - 2 * _BELOW, device="cpu").float()[:, None, None]
        number = torch.arange(1, _N_PARTIALS + 1, dtype=torch.float32, device="cpu")
        partial = BINS_PER_OCTAVE * number.log2()[:, None]
        members = torch.exp(-0.5 * ((bins - first - partial) / _SPREAD) ** 2).amax(dim=1)
        first, last = first[:, 0], first[:, 0] + BINS_PER_OCTAVE * math.log2(_N_PARTIALS)
        reach = ((bins >= first - 2) & (bins <= last + 2)).float()
        return members, reach


def _combs(peaks):
    """Tell how well one harmonic series explains peaks, and a second one the rest: (..., 9)."""
    members, reach = (part.to(peaks) for part in _series(peaks.shape[-1]))
    total = peaks.sum(dim=-1, keepdim=True) + 1e-3
    explained, near = peaks @ members.T, peaks @ reach.T
    found = [((explained - share * near) / total).amax(dim=-1) for share in _SHARES]
    found.append((explained / total).amax(dim=-1))
    best = (explained - _SHARES[2] * near).argmax(dim=-1)
    rest = peaks * (1.0 - members[best])
    found.append(rest.sum(dim=-1) / total[..., 0])
    explained, near = rest @ members.T, rest @ reach.T
    found += [((explained - share * near) / total).amax(dim=-1) for share in _SHARES[:2]]
    return torch.stack(found, dim=-1)


def _intervals(peaks):
    """Return the autocorrelation of peaks, relative to its first value, and the log of that."""
    n_bins = peaks.shape[-1]
    other = (
        torch.arange(n_bins, device=peaks.device)
        + torch.arange(min(_N_LAGS, n_bins), device=peaks.device)[:, None]
    )
    shifted = peaks[..., other.clamp_max(n_bins - 1)] * (other < n_bins).to(peaks.dtype)
    sums = (shifted * peaks[..., None, :]).sum(dim=-1)
    return torch.cat([sums[..., 1:] / (sums[..., :1] + 1e-3), (sums[..., :1] + 1.0).log()], dim=-1)
