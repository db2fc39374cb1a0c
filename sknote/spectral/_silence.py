"""Recordings in which there is no sound at all: digital silence, and what stands for a lost file.

Of such a note every frame is the same, which no microphone ever gave. A single frame that is one
value in all of its bins is silent, too, if it has some bins to tell by.
"""

import re
import warnings

import numpy as np

from sknote._input.forms import name_rows
from sknote._input.mapped import read_once
from sknote.exceptions import NoSoundWarning
from sknote.spectral._lengths import frame_mask

__all__ = ["is_silent", "silent_notes", "silent_rows", "silent_summaries"]

_FEW = 8  # bins, of which nothing can be told
_ROUNDING = 1e-6  # of coefficients, in dB


def is_silent(spectrogram):
    """Tell whether an ndarray of shape (n_frames, n_bins) holds no sound."""
    if len(spectrogram) < 2:
        n_bins = spectrogram.shape[1]
        return len(spectrogram) == 0 or bool(
            n_bins >= _FEW and (spectrogram == spectrogram[0, 0]).all()
        )
    first, last = spectrogram[0], spectrogram[-1]
    return bool((first == last).all() and (spectrogram == first).all())


def silent_rows(items, X, *, name, consequence, y=None, test=is_silent):
    """Tell which of the spectrograms in X hold no sound, an ndarray of bool; warn of those.

    And of labels y whose notes are all of that kind. Of other items, a `test` tells.
    """
    silent = np.array([test(values) for values in read_once(items)], dtype=bool)
    if silent.any():
        rows = np.flatnonzero(silent)
        message = f"{name}: there is no sound in {name_rows(rows, X)}. {consequence}"
        if y is not None and len(lost := np.setdiff1d(y, y[~silent])):
            message += f" Of the labels {lost.tolist()[:5]} no other note is left."
        warnings.warn(NoSoundWarning(message, rows), stacklevel=4)
    return silent


def silent_summaries(table):
    """Tell which rows of a table of MFCCSummary hold no sound, an ndarray of bool; None of others.

    There, and nowhere else, all bands have the same level all the time, so that every coefficient
    but the first is 0. Which columns these are, only a DataFrame says.
    """
    names = [name for name in getattr(table, "columns", ()) if isinstance(name, str)]
    columns = [name for name in names if re.fullmatch(r"mfcc[1-9]\d*_(min|max)", name)]
    if not columns:
        return None
    values = np.column_stack([np.asarray(table[name], dtype=float) for name in columns])
    return (np.abs(values) < _ROUNDING).all(axis=1)


def silent_notes(spectrogram, lengths):
    """Tell which notes of a batch hold no sound.

    Of a Tensor (batch, n_frames, n_bins), whose `lengths` are the notes' own frames: a Tensor of
    bool, shape (batch,).
    """
    first = spectrogram[:, :1]
    beyond = ~frame_mask(lengths, spectrogram.shape[1])
    still = ((spectrogram == first).all(dim=2) | beyond).all(dim=1)
    if spectrogram.shape[2] < _FEW:
        return still & (lengths != 1)
    return still & ((lengths != 1) | (first == first[:, :, :1]).all(dim=2)[:, 0])
