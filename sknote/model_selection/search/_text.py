"""Values as text: equal in every process, and different where a score could be."""

import hashlib
import re

import numpy as np

from sknote._params import HOW_NOT_WHAT_IN_SEARCH

ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")  # in the text of what shows no value


def describe(estimator):
    """Describe an estimator by its class and its parameters, also nested ones, as text."""
    params = estimator.get_params(deep=True)
    listed = {id(value) for value in params.values()}
    described = {"class": _class_of(estimator)}
    for name in sorted(params):
        if name.rpartition("__")[2] not in HOW_NOT_WHAT_IN_SEARCH:
            described[name] = text_of(params[name], listed)
    return described


def text_of(value, listed=()):
    """Return what decides a value; of an estimator whose parameters are `listed`, the class."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(text_of(item, listed) for item in value)}]"
    if isinstance(value, (set, frozenset)):
        return f"{{{', '.join(sorted(text_of(item, listed) for item in value))}}}"
    if isinstance(value, dict):
        items = (f"{text_of(key)}: {text_of(item, listed)}" for key, item in value.items())
        return f"{{{', '.join(sorted(items))}}}"
    if isinstance(value, np.ndarray):
        data = text_of(value.tolist()).encode() if value.dtype == object else value.tobytes()
        return f"{value.dtype}{value.shape} {hashlib.sha256(data).hexdigest()}"
    if hasattr(value, "get_params") and not isinstance(value, type):
        return _class_of(value) if id(value) in listed else str(describe(value))
    return ADDRESS.sub("", repr(value))


def _class_of(estimator):
    return f"{type(estimator).__module__}.{type(estimator).__qualname__}"


def shortened(text, longest=100):
    """Return a text, or its beginning and a digest if it is long; the same in every process."""
    text = text.replace("__mp_main__", "__main__")  # as multiprocessing calls the script
    if len(text) <= longest:
        return text
    return f"{text[:longest]}... ({hashlib.sha256(text.encode()).hexdigest()[:16]})"
