"""CompactNet: the default network, small and made for the CPU."""

import functools

import torch
from torch import nn
from torch.nn import functional

from sknote.nn._ensemble_head import EnsembleHead, log_of_mean
from sknote.nn._functionals import TIMES, count_functionals, level_slopes
from sknote.nn._summary import LEVEL_ROWS, SUMMARY_ROWS, summarize_notes
from sknote.nn._views import CepstralView, ProfileView, Standardize


class CompactNet(nn.Module):
    """An ensemble of small networks that look at a note's summary in different ways.

    Of each note it takes a summary of fixed size (:func:`summarize_notes`), made once and not in
    every epoch, which is why it trains so fast. Some networks convolve along frequency, over all
    rows of the summary or, every other one, over those of the sustained sound; some look at the
    cepstra of its rows, every other one at the functionals too; and some at functionals alone. The
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
    n_members : int, default=8
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

    summarize = staticmethod(summarize_notes)
    level_rows = LEVEL_ROWS

    @staticmethod
    def level_slopes(n_bins):
        """How much the functionals of spectrograms of `n_bins` bins grow with the level."""
        return {"functionals": level_slopes(n_bins)}

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
        n_members=8,
        width=384,
        dropout=0.2,
    ):
        super().__init__()
        if n_profiles + n_cepstra + n_functionals < 1:
            raise ValueError(
                "CompactNet: expected at least one network, got n_profiles=0, n_cepstra=0 and "
                "n_functionals=0."
            )
        self.num_instruments = num_instruments
        n_values = count_functionals(n_bins)
        self.standardize = Standardize(n_values)
        everything = slice(None), len(SUMMARY_ROWS)
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

    def forward(self, spectrogram, lengths, instrument, functionals):
        """Compute logits.

        Parameters
        ----------
        spectrogram : Tensor of shape (batch, 23, n_bins)
            Summaries of spectrograms, each row standardised.
        lengths : Tensor of shape (batch,), int64
            Not used: the functionals hold the duration.
        instrument : Tensor of shape (batch,), int64
            Index of each note's instrument.
        functionals : Tensor of shape (batch, n_functionals)
            As they are in the summary.

        Returns
        -------
        Tensor of shape (batch, num_classes), or in training (batch, n_networks * n_members,
        num_classes)
        """
        calls = self.network_calls(spectrogram, lengths, instrument, functionals)
        logits = [call() for call in calls]
        if self.training:
            return torch.cat(logits, dim=1)
        return log_of_mean(torch.stack(logits).exp(), dim=0)

    def network_calls(self, spectrogram, lengths, instrument, functionals, *, generator=None):
        """Prepare one call for each network; they are independent and may run in threads.

        Parameters
        ----------
        spectrogram, lengths, instrument, functionals : Tensor
            As in :meth:`forward`.
        generator : torch.Generator or None, default=None
            Draws the seeds of dropout; None is torch's global generator.

        Returns
        -------
        list of callable
            Without arguments; in training each returns logits of shape (batch, n_members,
            num_classes), drawing its dropout from a generator of its own.
        """
        functionals = self.standardize(functionals)
        # the instrument counts as much as two deviations of any other feature
        which = 2.0 * functional.one_hot(instrument, self.num_instruments).to(functionals.dtype)
        calls = [
            functools.partial(network, spectrogram, functionals, which) for network in self.networks
        ]
        if not self.training:
            return calls
        seeds = torch.randint(2**62, (len(calls),), generator=generator).tolist()
        return [
            functools.partial(call, generator=torch.Generator().manual_seed(seed))
            for call, seed in zip(calls, seeds)
        ]


class _Network(nn.Module):
    """A view of the given rows of a summary, its last functionals, and an ensemble behind both."""

    def __init__(self, rows, view, n_functionals, num_instruments, num_classes, head):
        super().__init__()
        self.rows = rows
        self.view = view
        self.n_functionals = n_functionals
        n_features = n_functionals + num_instruments + (0 if view is None else view.n_features)
        self.head = EnsembleHead(n_features, num_classes, **head)

    def forward(self, spectrogram, functionals, which, generator=None):
        seen = [functionals[:, -self.n_functionals :], which]
        if self.view is not None:
            seen.insert(0, self.view(spectrogram[:, self.rows]).to(functionals.dtype))
        return self.head(torch.cat(seen, dim=1), generator)


_SUSTAINED = [
    row
    for row, name in enumerate(SUMMARY_ROWS)
    if name in ("energy", "beginning", "end", "deviation") or name.startswith("quantile")
]
