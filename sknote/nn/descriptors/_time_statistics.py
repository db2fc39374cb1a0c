"""Statistics over time of padded batches: where a note sounds, order statistics, deviations."""

import functools

import torch

from sknote._portable import sort_last

__all__ = ["QUANTILES", "Frames", "sounding_parts"]

QUANTILES = (0.1, 0.5, 0.9)


def sounding_parts(level, *loud):
    """Find where notes sound: within each of `loud` dB of their peaks.

    Takes the levels of frames, (batch, n_frames), -inf for those that are not to be looked at.
    Returns the first such frame, and the first after the last one, each (batch, len(loud)).
    """
    loud = torch.tensor(loud, dtype=level.dtype, device=level.device)
    floor = level.amax(dim=1, keepdim=True) - loud
    sounding = (level[:, None] > floor[:, :, None]).long()
    return sounding.argmax(dim=2), level.shape[1] - sounding.flip(2).argmax(dim=2)


class Frames:
    """Those frames of padded notes that statistics are made of, at least one of each note.

    Takes which they are, (batch, n_frames), and the type of the values.
    """

    def __init__(self, inside, dtype):
        self.outside = ~inside
        self.count = inside.sum(dim=1, keepdim=True)
        self.share = (inside.to(dtype) / self.count)[:, None]

    def mean(self, values):
        """Average values of shape (batch, n_frames, n_values) over time: (batch, n_values)."""
        return (self.share @ values)[:, 0]

    def moments(self, values):
        """Mean and standard deviation over time, each of shape (batch, n_values)."""
        mean = self.share @ values
        return mean[:, 0], self.mean((values - mean).square_()).sqrt()

    def ordered(self, values):
        """Quantiles over time of values of shape (batch, n_frames, n_values), and their extremes.

        By linear interpolation between frames. Returns a list of Tensors of shape (batch,
        n_values): the quantiles :data:`QUANTILES`, the maximum, and the minimum.
        """
        values = values.masked_fill(self.outside[:, :, None], torch.inf)
        values = sort_last(values.transpose(1, 2).contiguous())
        places, share = self._places
        found = values.gather(2, places.expand(-1, values.shape[1], -1))
        below, above, maximum = found.split([len(QUANTILES), len(QUANTILES), 1], dim=2)
        quantiles = torch.lerp(below, above, share.to(values))
        return [*quantiles.unbind(2), maximum[:, :, 0], values[:, :, 0]]

    @functools.cached_property
    def _places(self):
        last = self.count - 1
        position = last * torch.tensor(QUANTILES, dtype=torch.float64, device=last.device)
        below = position.long()
        places = torch.cat([below, torch.minimum(below + 1, last), last], dim=1)
        return places[:, None], (position - below)[:, None]
