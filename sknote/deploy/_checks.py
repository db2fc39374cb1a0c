"""Checks of what foreign files say; what is wrong is one error, whose message says what."""

import json
import math
from numbers import Integral, Real

import numpy as np


class WrongError(Exception):
    """Something is not as it should be; the message says what."""


class OtherFormatError(Exception):
    """The message is the format."""


def parse_object(text, what):
    """Return what JSON text holds, an object, in which no name comes twice and no number is NaN."""
    try:
        found = json.loads(text, object_pairs_hook=_without_doubles, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise WrongError(f"{what} is no JSON ({short(str(error))})") from error
    if not isinstance(found, dict):
        raise WrongError(f"{what} is no JSON object, but a {type(found).__name__}")
    return found


def _without_doubles(pairs):
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name comes twice in one object")
    return found


def _no_number(name):
    raise ValueError(f"{name} is no number of JSON")


def check_record(value, what, /, **checks):
    """Return an object of JSON that has these names and no others, each value as its check says.

    A check is a function of the value, with what it expects, in words, as its docstring.
    """
    if not isinstance(value, dict):
        raise WrongError(f"{what} is {short(value)}, and should be an object")
    for name, is_right in checks.items():
        if name not in value:
            raise WrongError(f"{what} lacks {name!r}")
        if not is_right(value[name]):
            expected = is_right.__doc__.rstrip(".")
            raise WrongError(
                f"{name!r} of {what} is {short(value[name])}, and should be {expected}"
            )
    if more := set(value) - set(checks):
        raise WrongError(f"{what} has {short(min(more))}, which nothing is known of")
    return value


def is_object(value):
    """an object."""
    return isinstance(value, dict)


def is_list(value):
    """a list."""
    return isinstance(value, list)


def is_text(value):
    """a text."""
    return isinstance(value, str)


def is_flag(value):
    """true or false."""
    return isinstance(value, bool)


def is_count(value):
    """a whole number of at least 0."""
    return is_whole(value, 0) and value < 2**63


def are_names(value):
    """a list of different names."""
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        return False
    return len(set(value)) == len(value)


def are_names_or_none(value):
    """a list of different names, or null."""
    return value is None or are_names(value)


def are_numbers(value):
    """a list of numbers."""
    return isinstance(value, list) and all(is_number(one) for one in value)


def is_whole(value, lowest):
    return isinstance(value, Integral) and not isinstance(value, bool) and value >= lowest


def is_number(value):
    is_real = isinstance(value, Real) and not isinstance(value, bool)
    return is_real and abs(value) < 2**1023  # which NaN is not


def labels_of(values, named, objects=False):
    """Make the array of labels; `named`, a type of NumPy, tells numbers of several kinds apart.

    With `objects` that may be the type of Python's objects, for strings.
    """
    if not values or len({(type(one), one) for one in values if _is_label(one)}) < len(values):
        raise WrongError(f"'classes' is {short(values)}, and should be different labels")
    kinds = {"U": str, "b": bool, "i": int, "u": int, "f": float} | ({"O": str} if objects else {})
    kind = named.lstrip("<>=|")[:1]
    wanted = kinds.get(kind)
    if wanted is None or not all(type(label) is wanted for label in values):
        raise WrongError(f"'classes' are not of the type {short(named)} in 'dtype'")
    try:
        # the length of strings is that of the longest, whatever `dtype` says
        made = np.array(values, dtype=None if kind == "U" else np.dtype(named))
    except (TypeError, ValueError, OverflowError) as error:
        raise WrongError(f"'classes' are not of the type {short(named)} in 'dtype'") from error
    if made.dtype.kind != kind:
        raise WrongError(f"'classes' are not of the type {short(named)} in 'dtype'")
    return made


def _is_label(value):
    return isinstance(value, (str, int)) or (isinstance(value, float) and math.isfinite(value))


def short(value):
    """Return what is written of a value in a message."""
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:100]}..."
