"""Recordings of any kind, and what is said of those that are odd or cannot be read."""

import os
import warnings

import numpy as np

from sknote.audio._decode import decode, from_array
from sknote.exceptions import AudioDecodeError, AudioDecodeWarning

_ENCODED = (str, os.PathLike, bytes, bytearray, memoryview)


def read_audio(source, *, sample_rate, input_rate=None, offset=0.0, max_duration=None):
    """Turn a recording of any kind into a waveform; never raises for a bad one.

    `source` is whatever :func:`decode` or :func:`from_array` takes; an array has `input_rate` Hz,
    or if that is None, `sample_rate`. What comes back is the waveform, which is empty if the
    recording could not be read; the AudioDecodeError that says why, or None; and a list of what is
    odd about it.
    """
    remarks = []
    options = {"offset": offset, "max_duration": max_duration, "remarks": remarks}
    options["sample_rate"] = sample_rate
    try:
        if isinstance(source, _ENCODED) or hasattr(source, "read"):
            return decode(source, **options), None, remarks
        return from_array(source, input_rate=input_rate or sample_rate, **options), None, remarks
    except AudioDecodeError as error:
        return np.zeros(0, dtype=np.float32), error, remarks


def waveforms_or_error(results, sources, *, name, on_error):
    """Yield the waveforms that :func:`read_audio` gave for sources, and say what was wrong.

    What is odd is an AudioDecodeWarning, whose first word is `name`. What could not be read is one
    too if `on_error` is "warn", and an AudioDecodeError if it is "raise".
    """
    for row, (source, (waveform, error, remarks)) in enumerate(zip(sources, results)):
        who = f"{name}: {_describe(source)} (row {row})"
        for remark in remarks:
            warnings.warn(f"{who}: {remark}.", AudioDecodeWarning, stacklevel=3)
        if error is not None:
            message = f"{who} could not be decoded: {error}."
            if on_error == "raise":
                remedy = "Pass on_error='warn' to go on with an empty waveform in its place."
                raise AudioDecodeError(f"{message} {remedy}")
            warnings.warn(
                f"{message} An empty waveform takes its place.", AudioDecodeWarning, stacklevel=3
            )
        yield waveform


def _describe(source):
    if isinstance(source, (str, os.PathLike)):
        return repr(os.fspath(source))
    return f"a recording of type {type(source).__name__}"
