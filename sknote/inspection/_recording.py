"""The one recording that is explained, as a model hears it."""

import os
import warnings

import numpy as np

from sknote._input.equal import is_constant
from sknote.audio import read_audio
from sknote.exceptions import AudioDecodeError, AudioDecodeWarning
from sknote.passages import with_own_rate

__all__ = ["reader"]


def reader(recording):
    """Return what decodes a recording; once, if it is asked again in the same way."""
    known = {}

    def read(how):
        key = tuple(sorted((name, value) for name, value in how.items() if value))
        if key not in known:
            known[key] = _read(recording, how)
        return known[key]

    return read


def _read(recording, how):
    """Decode one recording."""
    recording, own_rate = with_own_rate(recording, "explain_note")
    if own_rate is not None:
        how = how | {"input_rate": own_rate}
    if hasattr(recording, "iloc") and not hasattr(recording, "columns") and "audio" in recording:
        raise TypeError(
            f"explain_note: expected one recording, got a {type(recording).__name__}. Pass its "
            "'audio', and instrument=."
        )
    several = isinstance(recording, (list, tuple)) or hasattr(recording, "columns")
    if isinstance(recording, np.ndarray) and recording.ndim != 1:
        several = recording.ndim != 2 or len(recording) <= recording.shape[1]
    if several:
        shape = f" of shape {recording.shape}" if hasattr(recording, "shape") else ""
        raise TypeError(
            f"explain_note: expected one recording, got {type(recording).__name__}{shape}. Explain "
            "recordings one by one; an array has shape (n_samples,), or (n_samples, n_channels), "
            "and with a sample rate of its own is a pair (waveform, sample_rate)."
        )
    is_path = isinstance(recording, (str, os.PathLike))
    name = repr(os.fspath(recording)) if is_path else f"the {type(recording).__name__}"
    waveform, error, remarks = read_audio(recording, **how)
    if error is not None:
        raise AudioDecodeError(f"explain_note: {name} could not be decoded: {error}.") from error
    for remark in remarks:
        warnings.warn(f"explain_note: {name}: {remark}.", AudioDecodeWarning, stacklevel=5)
    return np.zeros_like(waveform) if is_constant(waveform) else waveform  # as models hear it
