"""NoteAnalyzer: three convolutions, a temporal convolution and attack focus."""

from itertools import pairwise

import torch
from torch import nn

from sknote.nn.networks._base import NoteNetwork
from sknote.nn.networks._checks import check_focus
from sknote.nn.networks._masking import MaskedBatchNorm2d, attack_frames
from sknote.nn.networks._reference import adopt_reference
from sknote.nn.networks._starter import convolve
from sknote.spectral._lengths import frame_mask


class NoteAnalyzer(NoteNetwork):
    """A convolutional network that looks at a note's attack if the note is short.

    Three strided 3 x 3 convolutions (64, 128, 256 channels) with batch normalization, 8 bands of
    frequency, a temporal convolution of 512 channels, the mean over real frames, an instrument
    embedding of 64, and two dense layers.

    Parameters
    ----------
    num_instruments : int, default=12
        Rows of the instrument embedding.
    num_classes : int, default=100
        Number of logits.
    frame_rate : float, default=22050 / 128
        Frames per second of the spectrograms; a classifier gives that of its axes.
    attack_seconds : float or None, default=0.1
        Notes below `short_seconds` are judged by this much of their beginning, in seconds, in
        training as at predict. None judges all notes by their whole length.
    short_seconds : float, default=0.5
        See `attack_seconds`.

    Notes
    -----
    ``load_state_dict`` takes a checkpoint of the reference recipe's class, too. Where the network
    has one instrument more, its first row, for unknown instruments, is the mean of the others.
    """

    def __init__(
        self,
        num_instruments=12,
        num_classes=100,
        *,
        frame_rate=22050 / 128,
        attack_seconds=0.1,
        short_seconds=0.5,
    ):
        super().__init__()
        check_focus("NoteAnalyzer", frame_rate, attack_seconds, short_seconds)
        self.focus = (frame_rate, attack_seconds, short_seconds)
        self.register_load_state_dict_pre_hook(adopt_reference)
        self.instrument_embedding = nn.Embedding(num_instruments, 64)
        widths = (1, 64, 128, 256)
        self.cnn = nn.ModuleList()
        for before, after in pairwise(widths):
            self.cnn.append(nn.Conv2d(before, after, kernel_size=3, stride=2, padding=1))
            self.cnn.append(MaskedBatchNorm2d(after))
        self.frequency_pool = nn.AdaptiveAvgPool2d((8, None))
        self.temporal = nn.Conv1d(256 * 8, 512, kernel_size=3, padding=1)
        self.fusion = nn.Sequential(nn.Linear(512 + 64, 512), nn.ReLU(), nn.Dropout(0.3))
        self.classifier = nn.Linear(512, num_classes)

    def forward(self, spectrogram, lengths, instrument):
        """Compute logits.

        Parameters
        ----------
        spectrogram : Tensor of shape (batch, n_frames, n_bins)
            Padded with zeros.
        lengths : Tensor of shape (batch,), int64
            Frames that belong to each note.
        instrument : Tensor of shape (batch,), int64
            Index of each note's instrument.

        Returns
        -------
        Tensor of shape (batch, num_classes)
        """
        x, _ = convolve(self.cnn, spectrogram, lengths)
        kept = attack_frames(lengths, *self.focus, stride=8)
        mask = frame_mask(kept, x.shape[3])[:, None].to(x.dtype)
        x = self.frequency_pool(x).flatten(1, 2) * mask
        pooled = (self.temporal(x) * mask).sum(dim=2) / kept[:, None]
        embedding = self.instrument_embedding(instrument)
        return self.classifier(self.fusion(torch.cat([pooled, embedding], dim=1)))
