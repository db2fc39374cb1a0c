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
import re
from collections.abc import Iterable, Mapping

import numpy as np

from sknote._input.arrays import NoArray, plain_array
from sknote._input.frames import as_object_array, column_items, is_polars, make_frame

_EXPECTED = "expected a DataFrame with a column 'audio', a sequence or an array of notes"


def form_of(X, name):
    """Tell which form X has: "frame", "sequence" or "array".

    "array" is also a list of rows of numbers, a numeric table without a column ``audio``, and
    whatever else only scikit-learn can judge. A single recording, what has no order or no rows,
    and a table without recordings or without names are a ValueError, whose first word is `name`;
    it never shows what is in X.
    """
    got = f"{name}: {_EXPECTED}, got"
    kind = type(X).__name__
    if isinstance(X, (str, bytes, bytearray, memoryview, os.PathLike)) or (
        hasattr(X, "read") and not hasattr(X, "iloc")
    ):
        raise ValueError(f"{got} a single one of type {kind}. Pass [X] instead of X.")
    if is_polars(X) and hasattr(X, "collect"):
        raise ValueError(f"{got} {kind}. Pass X.collect() instead of X.")
    if hasattr(X, "columns") or hasattr(X, "iloc"):
        return _form_of_table(X, got)
    if isinstance(X, (list, tuple)) or hasattr(X, "__array__") or hasattr(X, "toarray"):
        return _form_of_sequence(X, got)
    remedy = ""
    if isinstance(X, Mapping):
        remedy = " Pass pandas.DataFrame(X) instead of X."
    elif isinstance(X, Iterable):
        remedy = " Pass list(X) instead of X."
    raise ValueError(f"{got} {kind}.{remedy}")


def unpack_recordings(X, name):
    """Turn any form of X into lists, without scikit-learn and without an estimator.

    X holds whatever can be decoded, or waveforms. What comes back are the items, and the names of
    instruments as an object array with None for a missing one, or None if X has no instruments.
    """
    form = form_of(X, name)
    if form == "frame":
        instrument = check_instrument(X["instrument"], name) if "instrument" in X else None
        return column_items(X["audio"]), instrument
    if form == "sequence":
        return sequence_items(X), None
    try:
        array = plain_array(X)
    except NoArray as error:
        raise ValueError(f"{name}: {_EXPECTED}, got {error}.") from error
    if array.ndim != 2 or array.size == 0 or array.dtype.kind not in "fiu":
        raise ValueError(
            f"{name}: {_EXPECTED} of shape (n_notes, n_samples), got {type(X).__name__} of shape "
            f"{array.shape} and type {array.dtype}."
        )
    return list(array), None


def sequence_items(X):
    """List the items of X, which has the form "sequence"."""
    return list(np.ravel(X)) if isinstance(X, np.ndarray) else column_items(X)


def repack(X, items, carried=None):
    """Put transformed items, one a row, into the form that X has.

    That is a copy of a DataFrame with a new column ``audio``; an object array for a sequence; for
    an array, an array if the items have equal shapes, else an object array. Spectrograms of a
    single frame become a 2-D array. `carried` are plain values that shall travel with the items, by
    name; an array does not take them.
    """
    if hasattr(X, "columns") and "audio" in X.columns:
        if is_polars(X):
            return make_frame(X, items, X.columns, "polars")
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


def other_values(before, now):
    """Say which values of a dict have become others in another one; "" if none has."""
    changed = [name for name in before if name in now and now[name] != before[name]]
    return ", ".join(f"{one} from {before[one]!r} to {now[one]!r}" for one in changed)


def caller_rows(X):
    """Return how the caller of an estimator calls the rows of X, where that is not their position.

    That is the index of a DataFrame or Series, which stays with its rows in a fold of a
    cross-validation; None where there is none, or where it says no more than the position.
    """
    if not hasattr(X, "iloc"):
        return None
    rows = X.index.tolist()
    return None if rows == list(range(len(rows))) else rows


def name_rows(rows, X):
    """Name rows of X for a message: by position, and by what the caller calls them."""
    labels, named = caller_rows(X), [int(row) for row in rows[:_NAMED]]
    text = f"row{'s' * (len(rows) > 1)} {', '.join(map(str, named))}"
    if labels is not None:
        text += f" (index {', '.join(repr(labels[row]) for row in named)})"
    return f"{text} and {len(rows) - _NAMED} more" if len(rows) > _NAMED else text


_NAMED = 5  # rows in a message, at most


def at_rows(text, rows, paths=()):
    """Put rows in X for those that a transformer saw, which was given a few recordings of it."""
    if not isinstance(text, str):
        return text
    if paths and isinstance(paths[0], str):
        text = text.replace(paths[0], os.fspath(paths[1]))

    def in_X(match):
        place = int(match[1])
        return f"row {rows[place]}" if place < len(rows) else match[0]

    return re.sub(r"\brow (\d+)\b", in_X, text)


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
    if isinstance(value, str):
        return False
    return bool(np.ndim(value) == 0 and value != value)


def _form_of_table(X, got):
    """Tell the form of what pandas or polars made, or something like them."""
    kind = type(X).__name__
    if not hasattr(X, "iloc") and not is_polars(X):
        raise ValueError(f"{got} {kind}. Pass X.to_pandas() instead of X.")
    if not hasattr(X, "columns"):
        if "audio" in X.index:
            raise ValueError(f"{got} a single row of one. Pass X.to_frame().T instead of X.")
        return _form_of_sequence(X, got)
    columns = list(X.columns)
    if not columns:
        raise ValueError(f"{got} a {kind} without columns.")
    if "audio" in columns:
        name = got.partition(":")[0]
        if len(set(columns)) < len(columns):
            raise ValueError(
                f"{name}: expected a DataFrame with one column of each name, got the columns "
                f"{columns}."
            )
        check_any(X, name)
        return "frame"
    if all(_is_numeric(dtype) for dtype in X.dtypes):
        return "array"  # a numeric table is an array with names
    name = got.partition(":")[0]
    raise ValueError(
        f"{name}: expected a DataFrame with a column 'audio', got the columns {columns}. "
        + _where_recordings_are(X, columns)
    )


def _where_recordings_are(X, columns):
    """Say which column to rename, if one looks as if it held recordings."""
    words = ("audio", "path", "file", "record", "sound", "wav")
    named = [column for column in columns if any(word in str(column).lower() for word in words)]
    single = [column for column in columns if columns.count(column) == 1]
    holding = [column for column in single if any(map(_is_recording, X[column].head(1).to_list()))]
    if not holding and not named:
        return (
            "None of them seems to hold recordings. Add such a column; a data set that sknote "
            "loaded has it in its `data`, and in `frame` what else is known."
        )
    found = {(holding or named)[0]: "audio"}
    how = f"X.rename({found})" if is_polars(X) else f"X.rename(columns={found})"
    return f"Rename the column that holds the recordings, for example {how}."


def _is_recording(value):
    if isinstance(value, str):
        return os.path.splitext(value)[1][1:].isalnum()
    return _is_cell(value)


def check_any(X, name):
    """Refuse X, of any form, in which there is no note."""
    n_rows = len(X) if isinstance(X, (list, tuple)) else next(iter(getattr(X, "shape", ())), None)
    if n_rows == 0:
        kind = type(X).__name__
        got = f"a {kind} with 0 rows" if hasattr(X, "columns") else f"an empty {kind}"
        raise ValueError(f"{name}: expected at least 1 note, got {got}.")


def _form_of_sequence(X, got):
    """Tell the form of a list, an array or a column."""
    kind, shape = type(X).__name__, getattr(X, "shape", None)
    is_list = isinstance(X, (list, tuple))
    check_any(X, got.partition(":")[0])
    if hasattr(X, "to_pandas") and not is_polars(X):
        raise ValueError(f"{got} {kind}. Pass X.to_pandas() instead of X.")
    if fields := getattr(getattr(X, "dtype", None), "names", None):
        raise ValueError(
            f"{got} an array with the fields {list(fields)}. Pass pandas.DataFrame(X) instead of X."
        )
    first = _first(X)
    if isinstance(first, Mapping) and (is_list or len(shape) == 1):
        raise ValueError(f"{got} {kind} of dicts. Pass pandas.DataFrame(list(X)) instead of X.")
    if _is_sequence(X):
        return "sequence"
    is_flat = shape is not None and len(shape) < 2
    if is_flat or (is_list and isinstance(first, numbers.Number)):
        what = f"a single one: {kind} of {len(X)} numbers" if shape != () else f"a single {kind}"
        raise ValueError(
            f"{got} {what}. Pass [X] instead of X. (Reshape your data only if it holds several.)"
        )
    row = first if is_list else X[0] if isinstance(X, np.ndarray) and X.dtype.kind in "OUS" else ()
    if any(map(_is_cell, row)):
        raise ValueError(
            f"{got} rows of {len(row)} values without names. Pass the DataFrame itself, not its "
            "values, or pandas.DataFrame(X, columns=['audio', 'instrument'])."
        )
    return "array"


def _first(X):
    """The first value of a list, or of an array of objects."""
    if isinstance(X, (list, tuple)):
        return X[0]
    return X.flat[0] if isinstance(X, np.ndarray) and X.dtype == object and X.size else None


def _is_cell(value):
    """Tell whether a value in a row is no number, but something that a recording may be."""
    kinds = (str, bytes, bytearray, memoryview, os.PathLike, np.ndarray)
    return isinstance(value, kinds) or hasattr(value, "read")


def _is_numeric(dtype):
    is_numeric = getattr(dtype, "is_numeric", None)  # of polars
    return is_numeric() if is_numeric else getattr(dtype, "kind", "O") in "biuf"


def _is_sequence(X):
    if isinstance(X, np.ndarray):
        if X.dtype.kind in "US":
            return X.shape[1:] in ((), (1,)) and X.ndim > 0
        return X.dtype == object and X.size > 0 and not _is_row_of_numbers(X, X.flat[0])
    if not isinstance(X, (list, tuple)):
        # a Series, an Index or the values of one
        is_column = hasattr(X, "to_numpy") and not hasattr(X, "columns")
        return is_column and not _is_numeric(X.dtype) and getattr(X.dtype, "kind", "O") != "c"
    if isinstance(X[0], (list, tuple)):  # rows of numbers, if they have one length
        lengths = {len(row) if hasattr(row, "__len__") else None for row in X}
        return len(lengths) > 1 or _is_with_rate(X[0])
    # a single NaN is no recording, and who reads the others will name it
    return not all(isinstance(item, numbers.Number) for item in X)


def _is_with_rate(row):
    """Tell whether it is what readers of sound files return; the loader says what to do then."""
    if len(row) != 2 or np.ndim(row[0]) == 0:
        return False
    return isinstance(row[1], numbers.Number) or (isinstance(row[1], str) and row[1].isdecimal())


def _is_row_of_numbers(X, first):
    # an object array that scikit-learn would read as numbers, as against a column of recordings
    return (X.ndim > 1 and X.shape[1] > 1) or isinstance(first, (numbers.Number, dict))
