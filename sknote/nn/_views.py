"""Ways to look at the summary of a note: as a pattern along frequency, or as a shape."""

import torch
from torch import nn
from torch.nn import functional

from sknote.nn._functionals import cosines

__all__ = ["CepstralView", "ProfileView", "Standardize"]

# Fewer would leave the last layer a single value, of which there is no batch statistic (and
# oneDNN's strided convolutions in bfloat16 read memory that nobody wrote).
_FEWEST_BINS = 16


class ProfileView(nn.Module):
    """Convolutions along the frequency axis.

    On a logarithmic frequency axis another pitch is the same pattern elsewhere, so that what is
    learned at one pitch holds at the others.

    Parameters
    ----------
    n_rows : int
        Rows of a summary, the input's channels.
    channels : int, default=48
        Width of the first two layers; the next two are twice as wide.

    Attributes
    ----------
    n_features : int
        Width of the output.
    """

    def __init__(self, n_rows, channels=48):
        super().__init__()
        layers = []
        widths = (n_rows + 1, channels, channels, 2 * channels, 2 * channels)
        for before, after, size, stride in zip(widths, widths[1:], (9, 9, 7, 5), (1, 2, 2, 2)):
            layers += [
                nn.Conv2d(before, after, (1, size), stride=(1, stride), padding=(0, size // 2)),
                nn.BatchNorm2d(after),
                nn.ReLU(inplace=True),
            ]
        self.layers = nn.Sequential(*layers).to(memory_format=torch.channels_last)
        self.n_features = 4 * channels
        self.norm = nn.LayerNorm(self.n_features)

    def forward(self, summary):
        """Map summaries of shape (batch, n_rows, n_bins) to (batch, n_features)."""
        summary = functional.pad(summary, (0, max(0, _FEWEST_BINS - summary.shape[2])), "replicate")
        n_bins = summary.shape[2]
        height = torch.linspace(-1, 1, n_bins, dtype=summary.dtype, device=summary.device)
        height = height.expand(summary.shape[0], 1, n_bins)
        x = self.layers(torch.cat([summary, height], dim=1)[:, :, None])[:, :, 0]
        return self.norm(torch.cat([x.mean(dim=2), x.amax(dim=2)], dim=1))


class CepstralView(nn.Module):
    """The first cosine coefficients of each row along frequency, standardised.

    They say what shape the spectrum has, and little of where its partials lie.

    Parameters
    ----------
    n_rows : int
        Rows of a summary.
    n_bins : int
        Bins of a summary.
    n_coefficients : int, default=16
        Coefficients of each row, as far as there are so many bins.

    Attributes
    ----------
    n_features : int
        Width of the output.
    """

    def __init__(self, n_rows, n_bins, n_coefficients=16):
        super().__init__()
        self.register_buffer("cosines", cosines(n_bins, n_coefficients).clone())
        self.n_features = n_rows * self.cosines.shape[1]
        self.standardize = Standardize(self.n_features)

    def forward(self, summary):
        """Map summaries of shape (batch, n_rows, n_bins) to (batch, n_features)."""
        with torch.autocast(summary.device.type, enabled=False):
            x = (summary @ self.cosines.to(summary.dtype)).flatten(1)
        return self.standardize(x)


class Standardize(nn.Module):
    """Bring features to mean 0 and deviation 1 by the moments of all training batches so far.

    The moments of a batch by itself would not do: batches may be of a single class. Results are
    clipped at 4 deviations.

    Parameters
    ----------
    n_features : int
        Width of the input, and of the output.
    """

    def __init__(self, n_features):
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_features))
        self.register_buffer("variance", torch.ones(n_features))
        self.register_buffer("n_batches", torch.tensor(0.0))

    def forward(self, x):
        """Standardise features of shape (batch, n_features)."""
        if self.training:
            self._update(x.detach())
        return ((x - self.mean) / self.variance.clamp_min(1e-6).sqrt()).clamp(-4.0, 4.0)

    def _update(self, x):
        self.n_batches += 1
        share = (1.0 / self.n_batches).clamp_min(0.01)
        step = x.mean(dim=0) - self.mean
        self.mean += share * step
        spread = x.var(dim=0, correction=0) + (1.0 - share) * step.square()
        self.variance.lerp_(spread, share)
