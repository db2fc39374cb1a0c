"""What stands beside the graph in an exported file, checked before anything is done with it."""

import json

from sknote.deploy._checks import (
    OtherFormatError,
    WrongError,
    are_names,
    is_number,
    is_whole,
    labels_of,
    short,
)
from sknote.deploy._rule import restore_rule

FORMAT = 2
CONFIDENT = 3  # the format of files that say how sure an answer must be
KEY = "sknote"  # of the metadata
OLDER = 1  # the format of files that take one note at a time, without its length
INPUTS, OUTPUT, NOVELTY = ["waveform", "length", "instrument"], "probabilities", "novelty"

_HIGHEST_RATE = 10**7  # Hz; beyond it a second of sound takes more memory than a file is worth
_LONGEST = 10**6  # seconds
# Type and number of dimensions of each input, by format
_INPUTS = {
    OLDER: {"waveform": ("tensor(float)", 1), "instrument": ("tensor(int64)", 0)},
    FORMAT: {
        "waveform": ("tensor(float)", 2),
        "length": ("tensor(int64)", 1),
        "instrument": ("tensor(int64)", 1),
    },
}
_INPUTS[CONFIDENT] = _INPUTS[FORMAT]


def outputs_of(about):
    """Name the outputs of a graph, of which the metadata says this."""
    return [OUTPUT, NOVELTY] if about.get("confidence", {}).get("limits") else [OUTPUT]


def read_about(session, path):
    """Return what :func:`~sknote.deploy.export_onnx` wrote beside the graph of a session.

    That is a dict with ``format``, ``classes`` (an ndarray), ``instruments``, ``read``,
    ``on_error`` and ``rule`` (an AnswerRule, or None). What is not as `export_onnx` writes it, in
    the metadata or in the graph's inputs and outputs, is a ValueError.
    """
    try:
        text = session.get_modelmeta().custom_metadata_map.get(KEY)
        if text is None:
            raise ValueError(
                f"OnnxNoteClassifier: {path!r} was not written by sknote.deploy.export_onnx: it "
                "names no classes."
            )
        about = _parse(text)
        _check_graph(session, about["format"], len(about["classes"]), about["rule"])
    except (WrongError, UnicodeDecodeError) as error:  # the runtime decodes names and metadata
        raise ValueError(
            f"OnnxNoteClassifier: {path!r} is not as sknote.deploy.export_onnx writes it: {error}. "
            "Export the pipeline again."
        ) from error
    except OtherFormatError as error:
        raise ValueError(
            f"OnnxNoteClassifier: {path!r} has format {error}, and this version of sknote reads "
            f"formats {OLDER} to {CONFIDENT}. Export the pipeline again, or install the version "
            "that wrote it."
        ) from error
    return about


def _parse(text):
    try:
        about = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WrongError(f"its metadata is no JSON ({error})") from error
    if not isinstance(about, dict):
        raise WrongError(f"its metadata is no JSON object, but a {type(about).__name__}")
    version = _field(about, "format", lambda value: is_whole(value, 1), "a whole number")
    if version not in _INPUTS:
        raise OtherFormatError(version)
    read = _field(about, "read", lambda value: isinstance(value, dict), "an object")
    _field(about, "on_error", lambda value: value in ("raise", "warn"), "'raise' or 'warn'")
    _field(about, "instruments", are_names, "a list of different names")
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
        raise WrongError(f"{min(more)!r} is nothing that recordings are read by")
    classes, rule = _classes(about), None
    if version == CONFIDENT:
        rule = restore_rule(about.get("confidence"), classes)
    return about | {"classes": classes, "rule": rule}


def _field(about, name, is_right, expected):
    if name not in about:
        raise WrongError(f"its metadata lacks {name!r}")
    if not is_right(about[name]):
        raise WrongError(f"{name!r} is {short(about[name])}, and should be {expected}")
    return about[name]


def _classes(about):
    labels = _field(about, "classes", lambda value: isinstance(value, list), "a list of labels")
    named = _field(about, "dtype", lambda value: isinstance(value, str), "the name of a type")
    return labels_of(labels, named)


def _check_graph(session, version, n_classes, rule):
    """Check that a graph takes what it is given here, and answers with a number for each class.

    And with one for each limit, if it has any.
    """
    inputs = {one.name: (one.type, len(one.shape)) for one in session.get_inputs()}
    if inputs != _INPUTS[version]:
        raise WrongError(f"its inputs are {short(inputs)}, and should be {_INPUTS[version]}")
    outputs = [(one.type, list(one.shape)) for one in session.get_outputs()]
    n_dimensions = 1 if version == OLDER else 2
    sizes = [n_classes, *([len(rule.limits)] if rule is not None and rule.limits else [])]
    expected = [("tensor(float)", n_dimensions, [size]) for size in sizes]
    if [(kind, len(shape), shape[-1:]) for kind, shape in outputs] != expected:
        limits = "" if len(sizes) == 1 else f", and one of {sizes[1]}, as many as limits"
        raise WrongError(
            f"its outputs are {short(outputs)}, and should be one of {n_classes} numbers for each "
            f"note, as many as there are classes{limits}"
        )


def _is_rate(value):
    return is_whole(value, 1) and value <= _HIGHEST_RATE


def _is_time(value):
    return is_number(value) and 0 <= value <= _LONGEST
