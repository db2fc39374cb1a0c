"""What stands beside the graph in an exported file, checked before anything is done with it."""

import json
import math
from numbers import Integral, Real

import numpy as np

FORMAT = 1
KEY = "sknote"  # of the metadata

_HIGHEST_RATE = 10**7  # Hz; beyond it a second of sound takes more memory than a file is worth
_LONGEST = 10**6  # seconds
_INPUTS = {"waveform": ("tensor(float)", 1), "instrument": ("tensor(int64)", 0)}


def read_about(session, path):
    """Return what :func:`~sknote.deploy.export_onnx` wrote beside the graph of a session.

    That is a dict with ``classes`` (an ndarray), ``instruments``, ``read`` and ``on_error``. What
    is not as `export_onnx` writes it, in the metadata or in the graph's inputs and outputs, is a
    ValueError.
    """
    try:
        text = session.get_modelmeta().custom_metadata_map.get(KEY)
        if text is None:
            raise ValueError(
                f"OnnxNoteClassifier: {path!r} was not written by sknote.deploy.export_onnx: it "
                "names no classes."
            )
        about = _parse(text)
        _check_graph(session, len(about["classes"]))
    except (_WrongError, UnicodeDecodeError) as error:  # the runtime decodes names and metadata
        raise ValueError(
            f"OnnxNoteClassifier: {path!r} is not as sknote.deploy.export_onnx writes it: {error}. "
            "Export the pipeline again."
        ) from error
    except _OtherFormatError as error:
        raise ValueError(
            f"OnnxNoteClassifier: {path!r} has format {error}, and this version of sknote reads "
            f"format {FORMAT}. Export the pipeline again, or install the version that wrote it."
        ) from error
    return about


class _WrongError(Exception):
    """Something is not as it should be; the message says what."""


class _OtherFormatError(Exception):
    """The message is the format."""


def _parse(text):
    try:
        about = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _WrongError(f"its metadata is no JSON ({error})") from error
    if not isinstance(about, dict):
        raise _WrongError(f"its metadata is no JSON object, but a {type(about).__name__}")
    version = _field(about, "format", lambda value: _is_whole(value, 1), "a whole number")
    if version != FORMAT:
        raise _OtherFormatError(version)
    read = _field(about, "read", lambda value: isinstance(value, dict), "an object")
    _field(about, "on_error", lambda value: value in ("raise", "warn"), "'raise' or 'warn'")
    _field(about, "instruments", _are_names, "a list of different names")
    rate = f"a whole number from 1 to {_HIGHEST_RATE}"
    seconds = f"a number from 0 to {_LONGEST}"
    _field(read, "sample_rate", _is_rate, rate)
    _field(read, "input_rate", lambda value: value is None or _is_rate(value), f"{rate}, or null")
    _field(read, "offset", _is_time, seconds)
    _field(
        read,
        "max_duration",
        lambda value: value is None or (_is_time(value) and value > 0),
        seconds,
    )
    if more := set(read) - {"sample_rate", "input_rate", "offset", "max_duration"}:
        raise _WrongError(f"{min(more)!r} is nothing that recordings are read by")
    return about | {"classes": _classes(about)}


def _field(about, name, is_right, expected):
    if name not in about:
        raise _WrongError(f"its metadata lacks {name!r}")
    if not is_right(about[name]):
        raise _WrongError(f"{name!r} is {_short(about[name])}, and should be {expected}")
    return about[name]


def _classes(about):
    """Make the array of labels; the type in the metadata tells numbers of several kinds apart."""
    labels = _field(about, "classes", lambda value: isinstance(value, list), "a list of labels")
    if not labels or len({(type(one), one) for one in labels if _is_label(one)}) < len(labels):
        raise _WrongError(f"'classes' is {_short(labels)}, and should be different labels")
    kinds = {"U": str, "b": bool, "i": int, "u": int, "f": float}
    named = _field(about, "dtype", lambda value: isinstance(value, str), "the name of a type")
    kind = named.lstrip("<>=|")[:1]
    wanted = kinds.get(kind)
    if wanted is None or not all(type(label) is wanted for label in labels):
        raise _WrongError(f"'classes' are not of the type {_short(named)} in 'dtype'")
    try:
        # the length of strings is that of the longest, whatever `dtype` says
        return np.array(labels, dtype=None if kind == "U" else np.dtype(named))
    except (TypeError, ValueError, OverflowError) as error:
        raise _WrongError(f"'classes' are not of the type {_short(named)} in 'dtype'") from error


def _check_graph(session, n_classes):
    """Check that a graph takes what it is given here, and answers with a number for each class."""
    inputs = {one.name: (one.type, len(one.shape)) for one in session.get_inputs()}
    if inputs != _INPUTS:
        raise _WrongError(f"its inputs are {_short(inputs)}, and should be {_INPUTS}")
    outputs = [(one.type, list(one.shape)) for one in session.get_outputs()]
    if outputs != [("tensor(float)", [n_classes])]:
        raise _WrongError(
            f"its outputs are {_short(outputs)}, and should be one of {n_classes} numbers, as many "
            "as there are classes"
        )


def _is_whole(value, lowest):
    return isinstance(value, Integral) and not isinstance(value, bool) and value >= lowest


def _is_rate(value):
    return _is_whole(value, 1) and value <= _HIGHEST_RATE


def _is_time(value):
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    return is_number and 0 <= value <= _LONGEST  # which NaN is not


def _are_names(value):
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        return False
    return len(set(value)) == len(value)


def _is_label(value):
    return isinstance(value, (str, int)) or (isinstance(value, float) and math.isfinite(value))


def _short(value):
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:100]}..."
