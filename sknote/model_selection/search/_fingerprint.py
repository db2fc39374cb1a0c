"""What the scores of a study depend on, in brief: the same in every process, unless it changed."""

import hashlib
import os

import numpy as np
from sklearn.base import clone

from sknote.model_selection.search._space import any_values
from sknote.model_selection.search._text import ADDRESS, describe, shortened

_NUMBERS = "biufcmM"  # kinds of arrays
_ENOUGH = 1024  # values of a recording that are looked at, evenly spread


def digest_folds(folds, y):
    """Return a digest of the folds and the targets; equal on every machine."""
    digest = hashlib.sha256()
    for part in (part for fold in folds for part in fold):
        part = np.asarray(part)
        part = np.flatnonzero(part) if part.dtype == bool else part
        digest.update(np.asarray(part, dtype="<i8").tobytes() + b"|")
    if y is not None:
        digest.update("\0".join(map(str, np.asarray(y).ravel().tolist())).encode())
    return digest.hexdigest()


def digest_data(X):
    """Return a digest of X, or None if X holds what cannot be told by its value, e.g. open files.

    Names, paths and single numbers are taken whole; of each recording, and of each row of an array,
    some thousand values, evenly spread.
    """
    columns = [("", X)]
    if hasattr(X, "columns"):
        columns = [(name, X[name]) for name in X.columns]
    digest = hashlib.sha256()
    try:
        for name, column in columns:
            digest.update(repr(name).encode())
            for part in _parts(column):
                digest.update(part + b"|")
    except (TypeError, ValueError):  # neither a list nor an array
        return None
    return digest.hexdigest()


def _parts(column):
    if not isinstance(column, (list, tuple)):
        array = np.asarray(column)
        if array.dtype.kind in _NUMBERS:
            yield _sample(array.reshape(len(array), -1))
            return
        column = array.ravel().tolist()
    for item in column:
        if isinstance(item, (str, os.PathLike)):
            yield repr(str(os.fspath(item))).encode()  # and no subclass, as that of NumPy
            continue
        if isinstance(item, (bytes, bytearray)):
            item = np.frombuffer(item, np.uint8)
        array = np.asarray(item)
        if array.dtype.kind in _NUMBERS:
            yield _sample(array.reshape(1, -1))
        elif ADDRESS.search(text := repr(item)):
            raise TypeError(text)
        else:
            yield text.encode()


def _sample(rows):
    form = f"{rows.dtype.str}{rows.shape}"
    return form.encode() + rows[:, :: max(1, rows.shape[1] // _ENOUGH)].tobytes()


def describe_estimator(estimator, space):
    """Describe an estimator by its class and the parameters that a search leaves as they are.

    What comes back are names of parameters, nested ones too, and their values as text; an object
    that shows no values, such as a function, goes by its name. Parameters in a dict `space` have no
    part in it. A define-by-run space does not say which ones it sets, so that all have.
    """
    if not callable(space):
        estimator = clone(estimator).set_params(**any_values(space))
    return {name: shortened(text) for name, text in describe(estimator).items()}
