"""Recordings of any kind, and what is said of those that are odd or cannot be read."""

import os
import warnings

import numpy as np

from sknote.audio._decode import decode, from_array
from sknote.exceptions import AudioDecodeError, AudioDecodeWarning

__all__ = ["read_audio", "waveforms_or_error"]

_ENCODED = (str, os.PathLike, bytes, bytearray, memoryview)


def read_audio(source, *, sample_rate, input_rate=None, offset=0.0, max_duration=None):
    """Turn a recording of any kind into a waveform; never raises for a bad one.

    Parameters
    ----------
    source : str, path, bytes, binary file object or array-like
        As :func:`decode` or :func:`from_array` take it.
    sample_rate : int
        Of the result, in Hz.
    input_rate : int or None, default=None
        Of an array, in Hz; None means `sample_rate`.
    offset, max_duration
        As in :func:`decode`.

    Returns
    -------
    waveform : ndarray of shape (n_samples,), float32
        Empty if the recording could not be read.
    error : AudioDecodeError or None
        Why it could not.
    remarks : list of str
        What is odd about it.
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
    """Give the waveforms that :func:`read_audio` returned, and say what was wrong with which.

    Parameters
    ----------
    results : iterable of (ndarray, AudioDecodeError or None, list of str)
        One for each source.
    sources : sequence
        What was read.
    name : str
        Who read it, for messages.
    on_error : {"raise", "warn"}
        What to do about a source that could not be read.

    Yields
    ------
    ndarray of shape (n_samples,), float32

    Raises
    ------
    AudioDecodeError
        If one could not be read and `on_error` is "raise".

    Warns
    -----
    AudioDecodeWarning
        Of what is odd and, with "warn", of what could not be read.
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
