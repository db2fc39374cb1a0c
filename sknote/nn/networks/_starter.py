"""SimpleStarterModel: two convolutions and a global average."""

import torch
from torch import nn
from torch.nn import functional

from sknote.nn.networks._base import NoteNetwork
from sknote.nn.networks._checks import check_focus
from sknote.nn.networks._masking import MaskedBatchNorm2d, attack_frames
from sknote.nn.networks._reference import adopt_reference
from sknote.spectral._lengths import frame_mask


class SimpleStarterModel(NoteNetwork):
    """A small convolutional network with an instrument embedding.

    Two strided 3 x 3 convolutions (64 and 128 channels) with batch normalization, the mean over
    bins and real frames, and two dense layers.

    Parameters
    ----------
    num_instruments : int, default=12
        Rows of the instrument embedding.
    num_classes : int, default=100
        Number of logits.
    frame_rate : float, default=22050 / 128
        Frames per second of the spectrograms; a classifier gives that of its axes.
    attack_seconds : float or None, default=None
        If given, notes below `short_seconds` are judged by this much of their beginning, in
        seconds, in training as at predict.
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
        attack_seconds=None,
        short_seconds=0.5,
    ):
        super().__init__()
        check_focus("SimpleStarterModel", frame_rate, attack_seconds, short_seconds)
        self.focus = (frame_rate, attack_seconds, short_seconds)
        self.register_load_state_dict_pre_hook(adopt_reference)
        self.instrument_embedding = nn.Embedding(num_instruments, 32)
        self.cnn = nn.ModuleList(
            [
                nn.Conv2d(1, 64, kernel_size=3, stride=2, padding=1),
                MaskedBatchNorm2d(64),
                nn.Conv2d(64, 128, kernel_size=3, stride=2, padding=1),
                MaskedBatchNorm2d(128),
            ]
        )
        self.classifier = nn.Sequential(
            nn.Linear(128 + 32, 256), nn.ReLU(), nn.Dropout(0.3), nn.Linear(256, num_classes)
        )

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
        kept = attack_frames(lengths, *self.focus, stride=4)
        mask = frame_mask(kept, x.shape[3]).to(x.dtype)
        pooled = (x.mean(dim=2) * mask[:, None]).sum(dim=2) / kept[:, None]
        return self.classifier(torch.cat([pooled, self.instrument_embedding(instrument)], dim=1))


# oneDNN's strided convolutions in bfloat16 read memory that nobody wrote where the input of a
# layer has 1 or 2 frames (seen in torch 2.13 on a processor with AMX).
_FEWEST_FRAMES = 16


def convolve(layers, spectrogram, lengths):
    """Apply pairs of a convolution (stride 2) and a masked batch normalization, then ReLU.

    Returns the outcome, shape (batch, channels, n_bins / 2**n, n_frames / 2**n), zero in the
    padding, and how many frames each note has then.
    """
    x = spectrogram.transpose(1, 2)[:, None]
    x = functional.pad(x, (0, max(0, _FEWEST_FRAMES - x.shape[3])))
    x = x * frame_mask(lengths, x.shape[3])[:, None, None].to(x.dtype)
    for convolution, normalization in zip(layers[::2], layers[1::2]):
        x = convolution(x)
        lengths = (lengths + 1) // 2
        x = normalization(x, frame_mask(lengths, x.shape[3])).relu()
    return x, lengths
