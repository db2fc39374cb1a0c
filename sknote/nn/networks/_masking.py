"""Attack focus on short notes, and batch normalization that knows no padding."""

import torch
from torch import nn

__all__ = ["MaskedBatchNorm2d", "attack_frames"]


def attack_frames(lengths, frame_rate, attack_seconds, short_seconds, *, stride=1):
    """Frames that a network with attack focus looks at.

    Parameters
    ----------
    lengths : Tensor of shape (batch,), int64
        Lengths of the notes in frames, before any stride.
    frame_rate : float
        Frames per second, before any stride.
    attack_seconds : float or None
        How much of a short note to look at; None looks at all of it.
    short_seconds : float
        Notes below this length are short.
    stride : int, default=1
        Frames of the spectrogram per frame of the network.

    Returns
    -------
    Tensor of shape (batch,), int64
        Frames of the network to look at, counted from the onset; at least one.
    """
    strided = torch.div(lengths + stride - 1, stride, rounding_mode="floor")
    if attack_seconds is None:
        return strided
    attack = max(1, int(attack_seconds * frame_rate / stride) + 1)
    return torch.where(lengths < short_seconds * frame_rate, strided.clamp(max=attack), strided)


class MaskedBatchNorm2d(nn.BatchNorm2d):
    """Batch normalization whose statistics know no padding.

    Parameters, buffers and results without a mask are those of :class:`torch.nn.BatchNorm2d`.

    Parameters
    ----------
    num_features : int
        Number of channels.
    eps, momentum, affine, track_running_stats, device, dtype, bias : object
        As in :class:`torch.nn.BatchNorm2d`.
    """

    def forward(self, x, mask):
        """Normalize a batch; padding comes out as zero.

        Parameters
        ----------
        x : Tensor of shape (batch, channels, n_bins, n_frames)
            The batch.
        mask : Tensor of shape (batch, n_frames), bool
            True inside a note.

        Returns
        -------
        Tensor of shape (batch, channels, n_bins, n_frames)
        """
        if not self.training:
            return super().forward(x) * mask[:, None, None, :].to(x.dtype)
        x = x.to(self.weight.dtype)  # under autocast, sums in bfloat16 would be off by a percent
        mask = mask[:, None, None, :].to(x.dtype)
        count = mask.sum() * x.shape[2]
        mean = (x * mask).sum(dim=(0, 2, 3)) / count
        centred = x - mean[:, None, None]
        variance = (centred.square() * mask).sum(dim=(0, 2, 3)) / count
        with torch.no_grad():
            self.num_batches_tracked += 1
            unbiased = variance * (count / (count - 1).clamp_min(1.0))
            self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
            self.running_var.lerp_(unbiased.to(self.running_var.dtype), self.momentum)
        scale = self.weight / (variance + self.eps).sqrt()
        return (centred * scale[:, None, None] + self.bias[:, None, None]) * mask
