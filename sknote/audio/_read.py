"""Recordings of any kind, and what is said of those that are odd or cannot be read."""

import os

import numpy as np

from sknote._caller import warn_caller
from sknote.audio._array import from_array
from sknote.audio._decode import decode
from sknote.audio._errors import as_decode_error
from sknote.exceptions import AudioDecodeError, AudioDecodeWarning

_ENCODED = (str, os.PathLike, bytes, bytearray, memoryview)
_LONGEST_NAME = 200


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
        with as_decode_error():
            if isinstance(source, _ENCODED) or hasattr(source, "read"):
                return decode(source, **options), None, remarks
            waveform = from_array(source, input_rate=input_rate or sample_rate, **options)
            return waveform, None, remarks
    except AudioDecodeError as error:
        return np.zeros(0, dtype=np.float32), error, remarks


def waveforms_or_error(results, sources, *, name, on_error, rows=None):
    """Yield the waveforms that :func:`read_audio` gave for sources, and say what was wrong.

    What is odd is an AudioDecodeWarning, whose first word is `name`. What could not be read is one
    too if `on_error` is "warn", and an AudioDecodeError if it is "raise". Both name the row, by its
    position and by what the caller calls it, if there are such `rows`.
    """
    for row, (source, (waveform, error, remarks)) in enumerate(zip(sources, results)):
        if error is None and not remarks:
            yield waveform
            continue
        label = "" if rows is None else f", index {rows[row]!r}"
        who = f"{name}: {_describe(source)} (row {row}{label})"
        for remark in remarks:
            warn_caller(f"{who}: {remark}.", AudioDecodeWarning)
        if error is not None:
            message = f"{who} could not be decoded: {error}."
            if on_error == "raise":
                remedy = "Pass on_error='warn' to go on with an empty waveform in its place."
                raise AudioDecodeError(f"{message} {remedy}") from error.__cause__
            warn_caller(f"{message} An empty waveform takes its place.", AudioDecodeWarning)
        yield waveform


def _describe(source):
    if isinstance(source, (str, os.PathLike)):
        try:
            name = repr(os.fspath(source))
        except Exception:  # of a class that is no path after all
            name = f"a recording of type {type(source).__name__}"
        return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}...{name[-1]}"
    return f"a recording of type {type(source).__name__}"
