"""CompactNet: the default network, small and made for the CPU."""

import math

import torch
from torch import nn
from torch.nn import functional

from sknote.nn._ensemble_head import EnsembleHead
from sknote.nn._profile import CepstralView, ProfileView
from sknote.nn._summary import LEVEL_ROWS, N_SPECTRA, SUMMARY_ROWS, summarize_note


class CompactNet(nn.Module):
    """An ensemble of small networks that look at a note's summary in different ways.

    Of each note it takes a summary of fixed size (:func:`summarize_note`), made once and not in
    every epoch, which is why it trains so fast. Some networks convolve along frequency, over all
    rows of the summary or over those of the sustained sound; others look at the cepstra of its
    rows. The instrument and the duration go with each view into an :class:`EnsembleHead`. The
    networks are trained side by side, each on its own errors, and averaged to predict.

    Parameters
    ----------
    num_instruments : int, default=12
        Number of instruments; index 0 is the unknown one.
    num_classes : int, default=100
        Number of logits.
    n_bins : int, default=200
        Bins of the spectrograms.
    frame_rate : float, default=22050 / 512
        Frames per second of the spectrograms.
    n_profiles : int, default=4
        Number of networks that convolve along frequency.
    n_cepstra : int, default=2
        Number of networks that look at cepstra.
    channels : int, default=48
        Width of the convolutions.
    n_coefficients : int, default=24
        Cosine coefficients of a row.
    n_members : int, default=8
        Size of each network's ensemble.
    width : int, default=384
        Width of the ensemble's layers.
    dropout : float, default=0.3
        In the ensemble.

    References
    ----------
    B. Lakshminarayanan, A. Pritzel and C. Blundell, "Simple and scalable predictive uncertainty
    estimation using deep ensembles", NIPS 2017.
    """

    summarize = staticmethod(summarize_note)
    level_rows = LEVEL_ROWS

    def __init__(
        self,
        num_instruments=12,
        num_classes=100,
        *,
        n_bins=200,
        frame_rate=22050 / 512,
        n_profiles=4,
        n_cepstra=2,
        channels=48,
        n_coefficients=24,
        n_members=8,
        width=384,
        dropout=0.3,
    ):
        super().__init__()
        self.num_instruments = num_instruments
        self.frame_rate = frame_rate
        everything = list(range(N_SPECTRA))
        self.rows = [_SUSTAINED if i % 2 == 0 else everything for i in range(n_profiles)]
        views = [ProfileView(len(rows), channels) for rows in self.rows]
        self.rows += [everything] * n_cepstra
        views += [CepstralView(len(everything), n_bins, n_coefficients) for _ in range(n_cepstra)]
        self.views = nn.ModuleList(views)
        self.heads = nn.ModuleList(
            EnsembleHead(
                view.n_features + num_instruments + 3,
                num_classes,
                n_members=n_members,
                width=width,
                dropout=dropout,
            )
            for view in views
        )

    def forward(self, spectrogram, lengths, instrument):
        """Compute logits.

        Parameters
        ----------
        spectrogram : Tensor of shape (batch, 25, n_bins)
            Summaries of spectrograms, each row standardised.
        lengths : Tensor of shape (batch,), int64
            Frames that each spectrogram had.
        instrument : Tensor of shape (batch,), int64
            Index of each note's instrument.

        Returns
        -------
        Tensor of shape (batch, num_classes), or in training (batch, n_networks * n_members,
        num_classes)
        """
        dtype = spectrogram.dtype
        # the instrument counts as much as two deviations of any other feature
        which = 2.0 * functional.one_hot(instrument, self.num_instruments).to(dtype)
        duration = torch.log(lengths / self.frame_rate).to(dtype)[:, None]
        known = torch.cat([which, duration, spectrogram[:, N_SPECTRA:, 0]], dim=1)
        logits = []
        for rows, view, head in zip(self.rows, self.views, self.heads):
            seen = view(spectrogram[:, rows]).to(dtype)
            logits.append(head(torch.cat([seen, known], dim=1)))
        if self.training:
            return torch.cat(logits, dim=1)
        return torch.stack(logits).logsumexp(dim=0) - math.log(len(logits))


_SUSTAINED = [
    row
    for row, name in enumerate(SUMMARY_ROWS)
    if name in ("energy", "beginning", "end", "deviation") or name.startswith("quantile")
]
