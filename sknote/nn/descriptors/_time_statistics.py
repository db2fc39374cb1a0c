"""Statistics over time of padded batches: where a note sounds, order statistics, deviations."""

import torch

from sknote._portable import sort_last

__all__ = ["QUANTILES", "masked_deviation", "ordered", "sounding_part"]

QUANTILES = (0.1, 0.5, 0.9)
_LOUD = 12.0  # dB


def sounding_part(level, inside, loud=_LOUD):
    """Find the first frame in which a note sounds, and the first one after it, each (batch,).

    A note sounds from the first to the last frame inside it whose level, shape (batch, n_frames),
    is within `loud` dB of its peak.
    """
    level = level.masked_fill(~inside, -torch.inf)
    sounding = (level > level.amax(dim=1, keepdim=True) - loud).long()
    return sounding.argmax(dim=1), level.shape[1] - sounding.flip(1).argmax(dim=1)


def masked_deviation(values, inside):
    """Mean and standard deviation over the frames inside, each of shape (batch, n_values)."""
    weight = inside.to(values.dtype)[:, :, None]
    count = weight.sum(dim=1)
    mean = (values * weight).sum(dim=1) / count
    variance = ((values - mean[:, None]).square_() * weight).sum(dim=1) / count
    return mean, variance.sqrt()


def ordered(values, inside):
    """Quantiles over time of values of shape (batch, n_frames, n_values), and their extremes.

    Of the frames inside, at least one of each note, by linear interpolation between frames. Returns
    a list of Tensors of shape (batch, n_values): the quantiles :data:`QUANTILES`, the maximum, and
    the minimum.
    """
    values = values.masked_fill(~inside[:, :, None], torch.inf)
    values = sort_last(values.transpose(1, 2).contiguous())

    last = inside.sum(dim=1, keepdim=True) - 1
    position = last * torch.tensor(QUANTILES, dtype=torch.float64, device=inside.device)
    below = position.long()
    places = torch.cat([below, torch.minimum(below + 1, last), last], dim=1)
    found = values.gather(2, places[:, None].expand(-1, values.shape[1], -1))
    below, above, maximum = found.split([len(QUANTILES), len(QUANTILES), 1], dim=2)
    share = (position - position.floor()).to(values)[:, None]
    return [*torch.lerp(below, above, share).unbind(2), maximum[:, :, 0], values[:, :, 0]]
