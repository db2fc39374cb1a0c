"""Notes of different lengths: which go into one batch, how it is padded, which frames are real."""

import numpy as np
import torch

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


def length_batches(lengths, batch_size, max_frames=1 << 15):
    """Yield rows of batches in order of length, of at most `batch_size` notes.

    None has more than `max_frames` frames, padding included, unless a single note has more.
    """
    order = np.argsort(lengths, kind="stable")
    start = 0
    while start < len(order):
        stop = min(start + batch_size, len(order))
        while stop > start + 1 and (stop - start) * lengths[order[stop - 1]] > max_frames:
            stop -= 1
        yield order[start:stop]
        start = stop


def pad(spectrograms, lengths, dtype=np.float32):
    """Put spectrograms into a Tensor (batch, max(lengths), n_bins), zero beyond their ends."""
    padded = None
    for i, values in enumerate(spectrograms):
        if padded is None:
            padded = np.zeros((len(lengths), max(lengths), values.shape[1]), dtype)
        padded[i, : len(values)] = values
    return torch.from_numpy(padded)
