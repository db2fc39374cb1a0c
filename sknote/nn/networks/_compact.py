"""CompactNet: the default network, small and made for the CPU."""

import functools

import torch
from torch import nn
from torch.nn import functional

from sknote._portable import kept
from sknote.nn.descriptors import (
    PROFILES,
    TIMES,
    cosines,
    count_functionals,
    describe_notes,
    level_slopes,
)
from sknote.nn.networks._base import NoteNetwork
from sknote.nn.networks._checks import check_dropout, check_sizes
from sknote.nn.networks._ensemble_head import EnsembleHead, log_of_mean


class CompactNet(NoteNetwork):
    """An ensemble of small networks that look at a note's description in different ways.

    Of each note it takes descriptors (:func:`describe_notes`), computed once and not in every
    epoch, which is why it trains so fast. Some networks convolve along frequency, over all
    profiles or, every other one, over those of the sustained sound; some look at the cepstra of
    the profiles, every other one at the functionals too; and some at functionals alone. The
    instrument and the times go with each view into an :class:`EnsembleHead`. The networks are
    trained side by side, each on its own errors, and averaged to predict.

    Parameters
    ----------
    num_instruments : int, default=12
        Number of instruments; index 0 is the unknown one.
    num_classes : int, default=100
        Number of logits.
    n_bins : int, default=200
        Bins of the spectrograms.
    n_profiles : int, default=2
        Number of networks that convolve along frequency.
    n_cepstra : int, default=2
        Number of networks that look at cepstra.
    n_functionals : int, default=1
        Number of networks that look at functionals.
    channels : int, default=48
        Width of the convolutions.
    n_coefficients : int, default=16
        Cosine coefficients of a row.
    n_members : int, default=2
        Size of each network's ensemble.
    width : int, default=384
        Width of the ensemble's layers.
    dropout : float, default=0.2
        In the ensemble.

    References
    ----------
    B. Lakshminarayanan, A. Pritzel and C. Blundell, "Simple and scalable predictive uncertainty
    estimation using deep ensembles", NIPS 2017.
    """

    looks_at = "description"
    independent = True
    describe = staticmethod(describe_notes)
    level_slopes = staticmethod(level_slopes)

    def __init__(
        self,
        num_instruments=12,
        num_classes=100,
        *,
        n_bins=200,
        n_profiles=2,
        n_cepstra=2,
        n_functionals=1,
        channels=48,
        n_coefficients=16,
        n_members=2,
        width=384,
        dropout=0.2,
    ):
        super().__init__()
        networks = {
            "n_profiles": n_profiles,
            "n_cepstra": n_cepstra,
            "n_functionals": n_functionals,
        }
        sizes = {"n_bins": n_bins, "channels": channels, "n_coefficients": n_coefficients}
        check_sizes("CompactNet", 0, **networks)
        check_sizes("CompactNet", 1, **sizes, n_members=n_members, width=width)
        check_dropout("CompactNet", dropout)
        if n_profiles + n_cepstra + n_functionals < 1:
            raise ValueError(
                "CompactNet: expected at least one network, got n_profiles=0, n_cepstra=0 and "
                "n_functionals=0."
            )
        self.num_instruments = num_instruments
        n_values = count_functionals(n_bins)
        self.standardize = Standardize(n_values)
        everything = slice(None), len(PROFILES)
        head = {"n_members": n_members, "width": width, "dropout": dropout}
        networks = []
        for i in range(n_profiles):
            rows, n_rows = everything if i % 2 == 0 else (_SUSTAINED, len(_SUSTAINED))
            networks.append((rows, ProfileView(n_rows, channels), len(TIMES)))
        for i in range(n_cepstra):
            view = CepstralView(everything[1], n_bins, n_coefficients)
            networks.append((everything[0], view, len(TIMES) if i % 2 == 0 else n_values))
        networks += [(None, None, n_values)] * n_functionals
        self.networks = nn.ModuleList(
            _Network(*network, num_instruments, num_classes, head) for network in networks
        )

    def forward(self, instrument, profiles, functionals):
        """Compute logits.

        Parameters
        ----------
        instrument : Tensor of shape (batch,), int64
            Index of each note's instrument.
        profiles : Tensor of shape (batch, 23, n_bins)
            Each row standardized.
        functionals : Tensor of shape (batch, n_functionals)
            As :func:`describe_notes` gives them.

        Returns
        -------
        Tensor of shape (batch, num_classes), or in training (batch, n_networks * n_members,
        num_classes)
        """
        inputs = {"instrument": instrument, "profiles": profiles, "functionals": functionals}
        logits = [call() for call in self.members(inputs)]
        if self.training:
            return torch.cat(logits, dim=1)
        return log_of_mean(torch.stack(logits).exp(), dim=0)

    def members(self, inputs, generator=None):
        """Prepare one call for each network.

        Parameters
        ----------
        inputs : dict of str to Tensor
            As in :meth:`forward`.
        generator : torch.Generator or None, default=None
            Draws the seeds of dropout; None is torch's global generator.

        Returns
        -------
        list of callable
            Without arguments; in training each returns logits of shape (batch, n_members,
            num_classes), drawing its dropout from a generator of its own.
        """
        profiles, functionals = inputs["profiles"], self.standardize(inputs["functionals"])
        known = torch.arange(self.num_instruments, device=functionals.device)
        # the instrument counts as much as two deviations of any other feature
        which = 2.0 * (inputs["instrument"][:, None] == known).to(functionals.dtype)
        calls = [
            functools.partial(network, profiles, functionals, which) for network in self.networks
        ]
        if not self.training:
            return calls
        seeds = torch.randint(2**62, (len(calls),), generator=generator).tolist()
        return [
            functools.partial(call, generator=torch.Generator().manual_seed(seed))
            for call, seed in zip(calls, seeds)
        ]


class _Network(nn.Module):
    """A view of some profiles, the last functionals, and an ensemble behind both."""

    def __init__(self, rows, view, n_functionals, num_instruments, num_classes, head):
        super().__init__()
        self.rows = rows
        self.view = view
        self.n_functionals = n_functionals
        n_features = n_functionals + num_instruments + (0 if view is None else view.n_features)
        self.head = EnsembleHead(n_features, num_classes, **head)

    def forward(self, profiles, functionals, which, generator=None):
        seen = [functionals[:, -self.n_functionals :], which]
        if self.view is not None:
            seen.insert(0, self.view(profiles[:, self.rows]).to(functionals.dtype))
        return self.head(torch.cat(seen, dim=1), generator)


_SUSTAINED = [
    row
    for row, name in enumerate(PROFILES)
    if name in ("energy", "beginning", "end", "deviation") or name.startswith("quantile")
]

# Fewer would leave the last layer a single value, of which there is no batch statistic (and
# oneDNN's strided convolutions in bfloat16 read memory that nobody wrote).
_FEWEST_BINS = 16


class ProfileView(nn.Module):
    """Convolutions along the frequency axis, from `n_rows` profiles to `n_features`.

    On a logarithmic frequency axis another pitch is the same pattern elsewhere, so that what is
    learned at one pitch holds at the others. The first two layers have `channels`, the next two
    twice as many.
    """

    def __init__(self, n_rows, channels=48):
        super().__init__()
        layers = []
        widths = (n_rows + 1, channels, channels, 2 * channels, 2 * channels)
        for before, after, size, stride in zip(widths, widths[1:], (9, 9, 7, 5), (2, 1, 2, 2)):
            layers += [
                nn.Conv2d(before, after, (1, size), stride=(1, stride), padding=(0, size // 2)),
                nn.BatchNorm2d(after),
                nn.ReLU(inplace=True),
            ]
        self.layers = nn.Sequential(*layers).to(memory_format=torch.channels_last)
        self.n_features = 4 * channels
        self.norm = nn.LayerNorm(self.n_features)

    def forward(self, profiles):
        """Map profiles of shape (batch, n_rows, n_bins) to (batch, n_features)."""
        if profiles.shape[2] < _FEWEST_BINS:
            missing = _FEWEST_BINS - profiles.shape[2]
            profiles = functional.pad(profiles, (0, missing), "replicate")
        n_bins = profiles.shape[2]
        height = _height(n_bins).to(profiles).expand(profiles.shape[0], 1, n_bins)
        x = self.layers(torch.cat([profiles, height], dim=1)[:, :, None])[:, :, 0]
        return self.norm(torch.cat([x.mean(dim=2), x.amax(dim=2)], dim=1))


@kept
def _height(n_bins):
    """Tell bins where they lie on the axis, from -1 to 1."""
    with torch.inference_mode(False):  # it is kept, to be used in training as well
        return torch.linspace(-1, 1, n_bins, device="cpu")


class CepstralView(nn.Module):
    """The first cosine coefficients of each profile along frequency, standardized.

    They say what shape the spectrum has, and little of where its partials lie. There are
    `n_features` of them: `n_coefficients`, or as many as bins, of each of `n_rows` profiles.
    """

    def __init__(self, n_rows, n_bins, n_coefficients=16):
        super().__init__()
        self.register_buffer("cosines", cosines(n_bins, n_coefficients).clone())
        self.n_features = n_rows * self.cosines.shape[1]
        self.standardize = Standardize(self.n_features)

    def forward(self, profiles):
        """Map profiles of shape (batch, n_rows, n_bins) to (batch, n_features)."""
        with torch.autocast(profiles.device.type, enabled=False):
            x = (profiles @ self.cosines.to(profiles.dtype)).flatten(1)
        return self.standardize(x)


class Standardize(nn.Module):
    """Bring features to mean 0 and deviation 1 by the moments of all training batches so far.

    The moments of a batch by itself would not do: batches may be of a single class. Results are
    clipped at 4 deviations.
    """

    def __init__(self, n_features):
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_features))
        self.register_buffer("variance", torch.ones(n_features))
        self.register_buffer("n_batches", torch.tensor(0.0))

    def forward(self, x):
        """Standardize features of shape (batch, n_features)."""
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
