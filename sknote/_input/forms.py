"""The three forms of X, and the only code that tells them apart; imports no scikit-learn.

X is a DataFrame with a column ``audio`` (and perhaps ``instrument``), a sequence of audio values,
or an array of equal-length items. :func:`form_of` tells which; :func:`unpack_recordings` makes
lists of all three where X holds recordings, and :func:`sknote._input.checks.unpack` does so for the
estimators; :func:`repack` puts transformed items back into the form that came in.

What holds for all items, such as the axes of spectrograms, travels with a DataFrame in its `attrs`
and with an object array in the metadata of its dtype: :func:`carried_by` reads it.
"""

import numbers
import os
from collections.abc import Iterable, Mapping

import numpy as np

_EXPECTED = "expected a DataFrame with a column 'audio', a sequence or an array of notes"


def form_of(X, name):
    """Tell which form X has: "frame", "sequence" or "array".

    "array" is also a list of rows of numbers, a numeric table without a column ``audio``, and
    whatever else only scikit-learn can judge. A single recording, what has no order or no rows, and
    a table without recordings are a ValueError, whose first word is `name`.
    """
    kind = type(X).__name__
    if hasattr(X, "columns") or hasattr(X, "iloc"):
        return _form_of_pandas(X, name)
    if isinstance(X, (str, bytes, bytearray, memoryview, os.PathLike)) or hasattr(X, "read"):
        raise ValueError(
            f"{name}: {_EXPECTED}, got a single one of type {kind}. Pass [X] instead of X."
        )
    if isinstance(X, (list, tuple)) or hasattr(X, "__array__") or hasattr(X, "toarray"):
        is_list = isinstance(X, (list, tuple)) or getattr(X, "shape", None) == (0,)
        if is_list and len(X) == 0:
            raise ValueError(f"{name}: expected at least 1 note, got an empty {kind}.")
        if hasattr(X, "to_pandas"):
            raise ValueError(f"{name}: {_EXPECTED}, got {kind}. Pass X.to_pandas() instead of X.")
        return "sequence" if _is_sequence(X) else "array"
    remedy = ""
    if isinstance(X, Mapping):
        remedy = " Pass pandas.DataFrame(X) instead of X."
    elif isinstance(X, Iterable):
        remedy = " Pass list(X) instead of X."
    raise ValueError(f"{name}: {_EXPECTED}, got {kind}.{remedy}")


def unpack_recordings(X, name):
    """Turn any form of X into lists, without scikit-learn and without an estimator.

    X holds whatever can be decoded, or waveforms. What comes back are the items, and the names of
    instruments as an object array with None for a missing one, or None if X has no instruments.
    """
    form = form_of(X, name)
    if form == "frame":
        instrument = check_instrument(X["instrument"], name) if "instrument" in X else None
        return list(X["audio"]), instrument
    if form == "sequence":
        return sequence_items(X), None
    array = np.asarray(X)
    if array.ndim != 2 or array.size == 0 or array.dtype.kind not in "fiu":
        remedy = " Pass [X] if it is a single one." if array.ndim == 1 else ""
        raise ValueError(
            f"{name}: {_EXPECTED} of shape (n_notes, n_samples), got {type(X).__name__} of shape "
            f"{array.shape} and type {array.dtype}.{remedy}"
        )
    return list(array), None


def sequence_items(X):
    """List the items of X, which has the form "sequence"."""
    return list(np.ravel(X)) if isinstance(X, np.ndarray) else list(X)


def repack(X, items, carried=None):
    """Put transformed items, one a row, into the form that X has.

    That is a copy of a DataFrame with a new column ``audio``; an object array for a sequence; for
    an array, an array if the items have equal shapes, else an object array. Spectrograms of a
    single frame become a 2-D array. `carried` are plain values that shall travel with the items, by
    name; an array does not take them.
    """
    if hasattr(X, "columns") and "audio" in X.columns:
        out = X.assign(audio=as_object_array(items))
        out.attrs.update(carried or {})
        return out
    carried = {**(getattr(getattr(X, "dtype", None), "metadata", None) or {}), **(carried or {})}
    if not _is_sequence(X) and len({item.shape for item in items}) == 1:
        out = np.stack(items)
        return out[:, 0] if out.ndim == 3 and out.shape[1] == 1 else out
    return as_object_array(items, carried)


def carried_by(X, name):
    """Return what travels with the items of X under a name, or None."""
    if hasattr(X, "attrs") and hasattr(X, "columns"):
        return X.attrs.get(name)
    metadata = getattr(getattr(X, "dtype", None), "metadata", None)
    return (metadata or {}).get(name)


def as_object_array(items, carried=None):
    """Make a 1-D object array; ``np.array`` would make a 2-D one when the lengths agree."""
    out = np.empty(len(items), dtype=np.dtype(object, metadata=carried) if carried else object)
    for row, item in enumerate(items):
        out[row] = item
    return out


def check_instrument(values, name):
    """Return instrument names as an object array of str, None where one is missing."""
    values = np.asarray(values, dtype=object)
    out = np.empty(len(values), dtype=object)
    for row, value in enumerate(values):
        if isinstance(value, str):
            out[row] = str(value)
        elif not is_missing(value):
            raise ValueError(
                f"{name}: expected the name of an instrument (a string) for each note, got "
                f"{value!r} in row {row}."
            )
    return out


def is_missing(value):
    """Tell whether a value is None, NaN, NaT or pandas' NA."""
    if value is None or type(value).__name__ == "NAType":  # comparing NA gives NA, no truth
        return True
    return bool(np.ndim(value) == 0 and value != value)


def _form_of_pandas(X, name):
    kind = type(X).__name__
    if not hasattr(X, "iloc"):
        raise ValueError(f"{name}: {_EXPECTED}, got {kind}. Pass X.to_pandas() instead of X.")
    if not hasattr(X, "columns"):
        if "audio" in X.index:
            raise ValueError(
                f"{name}: {_EXPECTED}, got a single row of one. Pass X.to_frame().T instead of X."
            )
        return "sequence" if _is_sequence(X) else "array"
    columns = list(X.columns)
    if not columns:
        raise ValueError(f"{name}: {_EXPECTED}, got a {kind} without columns.")
    if "audio" in columns:
        if len(set(columns)) < len(columns):
            raise ValueError(
                f"{name}: expected a DataFrame with one column of each name, got the columns "
                f"{columns}."
            )
        if len(X) == 0:
            raise ValueError(f"{name}: expected at least 1 note, got a {kind} with 0 rows.")
        return "frame"
    if all(getattr(dtype, "kind", "O") in "biuf" for dtype in X.dtypes):
        return "array"  # a numeric table is an array with names
    raise ValueError(
        f"{name}: expected a DataFrame with a column 'audio', got the columns {columns}. Rename "
        "the column that holds the recordings, for example "
        f"X.rename(columns={{{columns[0]!r}: 'audio'}})."
    )


def _is_sequence(X):
    if isinstance(X, np.ndarray):
        if X.dtype.kind in "US":
            return X.ndim == 1
        return X.dtype == object and X.size > 0 and not _is_row_of_numbers(X, X.flat[0])
    if not isinstance(X, (list, tuple)):
        # a Series, an Index or the values of one
        is_column = hasattr(X, "to_numpy") and not hasattr(X, "columns")
        return is_column and getattr(X.dtype, "kind", "O") not in "biufc"
    if isinstance(X[0], (list, tuple)):  # rows of numbers, if they have one length
        return len({len(row) if hasattr(row, "__len__") else None for row in X}) > 1
    return not isinstance(X[0], numbers.Number)


def _is_row_of_numbers(X, first):
    # an object array that scikit-learn would read as numbers, as against a column of recordings
    return (X.ndim > 1 and X.shape[1] > 1) or isinstance(first, (numbers.Number, dict))
