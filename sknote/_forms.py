"""The three forms of X, and the only code that tells them apart; imports no scikit-learn.

X is a DataFrame with a column ``audio`` (and perhaps ``instrument``), a sequence of audio values,
or an array of equal-length items. :func:`form_of` tells which; :func:`unpack_recordings` makes
lists of all three where X holds recordings, and :func:`sknote._validation.unpack` does so for the
estimators; :func:`repack` puts transformed items back into the form that came in.
"""

import numbers
import os
from collections.abc import Iterable, Mapping

import numpy as np

__all__ = [
    "as_object_array",
    "check_instrument",
    "form_of",
    "is_missing",
    "repack",
    "sequence_items",
    "unpack_recordings",
]

_EXPECTED = "expected a DataFrame with a column 'audio', a sequence or an array of notes"


def form_of(X, name):
    """Tell which form X has.

    Parameters
    ----------
    X : object
    name : str
        Whose input it is, for messages.

    Returns
    -------
    {"frame", "sequence", "array"}
        "array" is also a list of rows of numbers, a numeric table without a column ``audio``, and
        whatever else only scikit-learn can judge.

    Raises
    ------
    ValueError
        If X is a single recording, has no order or no rows, or is a table without recordings.
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

    Parameters
    ----------
    X : DataFrame, sequence or array of shape (n_notes, n_samples)
        Recordings: whatever can be decoded, or waveforms.
    name : str
        Whose input it is, for messages.

    Returns
    -------
    items : list of length n_notes
    instrument : object ndarray of shape (n_notes,) or None
        Names, None for a missing one; None if X has no instruments.
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


def repack(X, items):
    """Put transformed items into the form that X has.

    Parameters
    ----------
    X : DataFrame, sequence or array
        What was unpacked.
    items : list of ndarray
        The new audio values, one a row.

    Returns
    -------
    DataFrame, object ndarray of shape (n_samples,) or float ndarray
        A copy of the DataFrame with a new column ``audio``; an object array for a sequence; for an
        array, an array if the items have equal shapes, else an object array.
    """
    if hasattr(X, "columns") and "audio" in X.columns:
        return X.assign(audio=as_object_array(items))
    if not _is_sequence(X) and len({item.shape for item in items}) == 1:
        return np.stack(items)
    return as_object_array(items)


def as_object_array(items):
    """Make a 1-D object array; ``np.array`` would make a 2-D one when the lengths agree."""
    out = np.empty(len(items), dtype=object)
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
