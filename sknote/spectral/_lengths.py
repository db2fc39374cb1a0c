"""Notes of different lengths: which go into one batch, how it is padded, which frames are real."""

import numpy as np
import torch

from sknote._input.batches import length_batches
from sknote._input.mapped import read_once

__all__ = ["frame_mask", "length_batches", "pad"]


def frame_mask(lengths, n_frames):
    """Tell real frames from padding: of shape (batch, n_frames), True inside a note.

    Parameters
    ----------
    lengths : Tensor of shape (batch,), int64
        Frames that belong to each note.
    n_frames : int
        Frames of the padded batch.

    Returns
    -------
    Tensor of shape (batch, n_frames), bool
    """
    return torch.arange(n_frames, device=lengths.device) < lengths[:, None]


def pad(spectrograms, lengths, dtype=np.float32):
    """Put spectrograms into a Tensor (batch, max(lengths), n_bins), zero beyond their ends.

    What mapped ones hold of the memory is given back.
    """
    padded = None
    for i, values in enumerate(read_once(spectrograms)):
        if padded is None:
            padded = np.zeros((len(lengths), max(lengths), values.shape[1]), dtype)
        padded[i, : len(values)] = values
    return torch.from_numpy(padded)
