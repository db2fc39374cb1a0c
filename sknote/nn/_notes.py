"""From the rows of X to the notes that a network is trained on."""

import hashlib

import numpy as np
import torch

from sknote._mapped import read_once
from sknote.nn._batching import length_batches
from sknote.nn._threads import in_threads

__all__ = ["frame_statistics", "merge_equal_notes", "summarize_all"]

_SUMMARY_BATCH = 64
_SUMMARY_FRAMES = 512  # of a batch; more would leave the processor's cache


def merge_equal_notes(items, instrument, target, weight, groups):
    """Bring notes into an order of their own; equal ones become one, weightless ones none.

    Parameters
    ----------
    items : list of ndarray of shape (n_frames, n_bins)
        Spectrograms.
    instrument : object ndarray of shape (n_notes,) or None
        Instruments, None for a missing one.
    target : ndarray of shape (n_notes,), int64
        Class indices.
    weight : ndarray of shape (n_notes,)
        Weights.
    groups : ndarray of shape (n_notes,) or None
        Groups.

    Returns
    -------
    dict
        ``items``, ``instrument``, ``target``, ``weight`` and ``groups`` of the notes that are
        left. It does not depend on the order that the notes came in.

    Raises
    ------
    ValueError
        If all weights are 0.
    """
    if instrument is None:
        instrument = np.full(len(items), None, dtype=object)
    merged = {}
    for row, item in enumerate(read_once(items)):
        if weight[row] > 0:
            item = np.ascontiguousarray(item)
            digest = hashlib.blake2b(item, digest_size=16).digest()
            group = None if groups is None else str(groups[row])
            key = (target[row], digest, item.shape, str(instrument[row]), str(group))
            if key in merged:
                merged[key][1] += weight[row]
            else:
                merged[key] = [row, weight[row]]
    if not merged:
        raise ValueError(
            "NoteClassifier: sample_weight is 0 for all notes; nothing is left to fit."
        )
    # by content, not by target, so that a batch of a sorted y is as mixed as any other
    ordered = sorted(merged, key=lambda key: key[1:] + key[:1])
    rows = np.array([merged[key][0] for key in ordered])
    return {
        "items": [items[row] for row in rows],
        "instrument": instrument[rows],
        "target": target[rows],
        "weight": np.array([merged[key][1] for key in ordered]),
        "groups": None if groups is None else groups[rows],
    }


def frame_statistics(items, weight):
    """Mean and standard deviation of the frames of weighted notes.

    Parameters
    ----------
    items : list of ndarray of shape (n_frames, n_bins)
        Spectrograms.
    weight : ndarray of shape (n_notes,)
        Weight of each note's frames.

    Returns
    -------
    mean, scale : ndarray of shape (n_bins,), float64
        The scale of a constant bin is 1.
    """
    n_bins = items[0].shape[1]
    count, total, squares = 0.0, np.zeros(n_bins), np.zeros(n_bins)
    centre = items[0][0].astype(np.float64)  # against cancellation in the squares
    for item, note_weight in zip(items, weight):
        frames = item.astype(np.float64) - centre
        count += note_weight * len(frames)
        total += note_weight * frames.sum(axis=0)
        squares += note_weight * np.square(frames).sum(axis=0)
    mean = total / count
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 0.0))
    return mean + centre, np.where(deviation > 1e-6, deviation, 1.0)


def summarize_all(summarize, items, frame_rate, *, dtype=np.float32, n_threads=None):
    """Summarise notes in batches of like length.

    Parameters
    ----------
    summarize : callable
        As in :class:`~sknote.nn.CompactNet`.
    items : list of ndarray of shape (n_frames, n_bins)
        Spectrograms.
    frame_rate : float
        Frames per second.
    dtype : numpy dtype, default=float32
        In which to compute.
    n_threads : int or None, default=None
        Number of threads; None is torch's own choice.

    Returns
    -------
    dict of str to ndarray of shape (n_notes, ...)
    """
    lengths = np.array([len(item) for item in items], dtype=np.int64)

    def compute(rows):
        padded = np.zeros((len(rows), lengths[rows[-1]], items[0].shape[1]), dtype)
        for i, item in enumerate(read_once([items[row] for row in rows])):
            padded[i, : len(item)] = item
        with torch.inference_mode():
            batch = torch.from_numpy(padded), torch.from_numpy(lengths[rows])
            return {name: part.numpy() for name, part in summarize(*batch, frame_rate).items()}

    out = {}

    def fill(rows):
        for name, part in compute(rows).items():
            if name not in out:
                out[name] = np.empty((len(items), *part.shape[1:]), part.dtype)
            out[name][rows] = part

    first, *others = length_batches(lengths, _SUMMARY_BATCH, _SUMMARY_FRAMES)
    in_threads(fill, [first], 1)  # which makes room for all
    in_threads(fill, others, n_threads)
    return out
