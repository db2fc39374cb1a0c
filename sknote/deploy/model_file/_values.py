"""Parameters of estimators as JSON, and back: plain values, and objects of a few known classes."""

import dataclasses
import math

import numpy as np

from sknote.deploy._checks import WrongError, is_number, short
from sknote.nn import (
    CompactNet,
    NoteAnalyzer,
    RecordingAugment,
    SimpleStarterModel,
    SpectrogramAugment,
)
from sknote.spectral import SpectralAxes

NETWORKS = {one.__name__: one for one in (CompactNet, NoteAnalyzer, SimpleStarterModel)}
_AUGMENTS = {one.__name__: one for one in (SpectrogramAugment, RecordingAugment)}

# What a file may ask for at most: with more, a later `predict` would fill the memory.
_MOST = {"sample_rate": 10**7, "input_sample_rate": 10**7, "offset": 10**6, "max_duration": 10**6}
_MOST |= {"n_fft": 1 << 17, "hop_length": 1 << 20, "n_bins": 1 << 17, "f_min": 10**7}
_MOST |= {"n_mels": 1 << 14, "n_mfcc": 1 << 10, "n_threads": 1024, "n_jobs": 1024}


def encode_params(step, name):
    """Return the parameters of an estimator as values of JSON; `name` is its step's."""
    params = step.get_params(deep=False)
    return {key: encode(value, f"{name}__{key}") for key, value in params.items()}


def make(cls, params):
    """Make an estimator of a known class by parameters of a file, all of them checked.

    Those that the file does not name have their defaults.
    """
    known = cls().get_params(deep=False)
    if unknown := set(params) - set(known):
        raise WrongError(f"{cls.__name__} has no parameter {short(min(unknown))}")
    check_sizes(params, cls.__name__)
    params = {key: decode(value) for key, value in params.items()}
    if types := [key for key in params if isinstance(params[key], type) and key != "module"]:
        raise WrongError(f"the parameter {types[0]!r} of {cls.__name__} is a class")
    made = cls(**params)
    try:
        made._validate_params()
    except (TypeError, ValueError, OverflowError) as error:
        raise WrongError(f"its parameters are wrong ({short(str(error))})") from error
    return made


def check_sizes(params, name):
    """Check that no number is larger than a model can use."""
    for key, value in params.items():
        if is_number(value) and abs(value) > _MOST.get(key, 2**63):
            raise WrongError(
                f"the parameter {key!r} of {name} is {short(value)}, which is too large"
            )


def encode(value, name):
    """Return a parameter as a value of JSON; what cannot be one is refused by its name."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, list):
        return [encode(one, name) for one in value]
    if isinstance(value, tuple):
        return {"tuple": [encode(one, name) for one in value]}
    if isinstance(value, dict):
        return {"dict": [[encode(one, name) for one in pair] for pair in value.items()]}
    if type(value) is SpectralAxes:
        return {"SpectralAxes": encode_axes(value)}
    if type(value) in _AUGMENTS.values():
        return {type(value).__name__: encode_params(value, name)}
    if value in NETWORKS.values() if isinstance(value, type) else False:
        return {"class": value.__name__}
    what = short(value) if isinstance(value, float) else f"of the type {type(value).__name__}"
    raise WrongError(
        f"the parameter {name} is {what}, and a file that names no code cannot hold that. It is "
        f"needed to train, not to predict: call set_params({name}=...) with a plain value before, "
        "such as None"
    )


def decode(value):
    """Return the parameter that a value of JSON stands for."""
    if isinstance(value, list):
        return [decode(one) for one in value]
    if not isinstance(value, dict):
        return value
    tag, content = next(iter(value.items())) if len(value) == 1 else (None, None)
    if tag == "tuple" and isinstance(content, list):
        return tuple(map(decode, content))
    if tag == "dict" and isinstance(content, list) and all(map(_is_pair, content)):
        return {key: decode(one) for key, one in content}
    if tag == "SpectralAxes":
        return decode_axes(content)
    if tag in _AUGMENTS and isinstance(content, dict):
        return make(_AUGMENTS[tag], content)
    if tag == "class" and isinstance(content, str) and content in NETWORKS:
        return NETWORKS[content]
    raise WrongError(f"a parameter is {short(value)}, of which nothing is known")


def _is_pair(value):
    is_pair = isinstance(value, list) and len(value) == 2
    return is_pair and isinstance(value[0], (str, bool, int, float))


def encode_axes(axes):
    """Return the fields of axes as an object of JSON."""
    return {key: encode(value, key) for key, value in dataclasses.asdict(axes).items()}


def decode_axes(fields):
    """Return axes of the fields in a file."""
    names = {field.name for field in dataclasses.fields(SpectralAxes)}
    if not isinstance(fields, dict) or not set(fields) <= names:
        raise WrongError(f"the axes are {short(fields)}")
    check_sizes(fields, "SpectralAxes")
    if any(isinstance(value, bool) for value in fields.values()):
        raise WrongError(f"the axes are {short(fields)}")
    try:
        return SpectralAxes(**fields)
    except (TypeError, ValueError, OverflowError, ZeroDivisionError) as error:
        raise WrongError(f"its axes are wrong ({short(str(error))})") from error
