"""DataFrames of pandas and of polars, the one made of the other; imports neither before it must.

In polars a column of recordings has one of its own types, so that it can be written and pickled: a
waveform is a list of numbers, a spectrogram a list of frames.
"""

import numpy as np

__all__ = ["as_object_array", "column_items", "is_polars", "make_frame", "make_table"]


def is_polars(X):
    """Tell whether X belongs to polars."""
    return type(X).__module__.partition(".")[0] == "polars"


def column_items(column):
    """List the values of a column; a list in polars becomes an array."""
    if not is_polars(column):
        return list(column)
    return [item.to_numpy() if is_polars(item) else item for item in column]


def as_object_array(items, carried=None):
    """Make a 1-D object array; ``np.array`` would make a 2-D one when the lengths agree."""
    out = np.empty(len(items), dtype=np.dtype(object, metadata=carried) if carried else object)
    for row, item in enumerate(items):
        out[row] = item
    return out


def make_frame(X, items, names, library, carried=None):
    """Make a DataFrame of "pandas" or "polars" with items in its column ``audio``.

    The other columns of the given names are those of X; a column that X lacks has missing values.
    What is `carried` goes into the `attrs` of pandas; polars has no place for it.
    """
    columns = {name: items if name == "audio" else _column(X, name) for name in names}
    if library == "polars":
        import polars

        return polars.DataFrame([_polars_series(name, columns[name], len(items)) for name in names])
    import pandas

    index = X.index if hasattr(X, "iloc") else pandas.RangeIndex(len(items))
    columns["audio"] = as_object_array(items)
    for name, values in columns.items():
        if is_polars(values):
            columns[name] = values.to_list()
    out = pandas.DataFrame(columns, index=index)
    out.attrs.update({**getattr(X, "attrs", {}), **(carried or {})})
    return out


def make_table(table, names, category, *, library, index=None):
    """Make a DataFrame of numbers and of a column ``instrument``, if `category` is not None.

    It is a pair then: the values, and all categories.
    """
    if library == "polars":
        import polars

        out = polars.DataFrame(table, schema=list(names), orient="row")
        if category is None:
            return out
        values, known = category
        kind = polars.Enum([str(name) for name in known])
        return out.with_columns(polars.Series("instrument", values, dtype=kind))
    import pandas

    out = pandas.DataFrame(table, columns=names, index=index)
    if category is not None:
        values, known = category
        known = pandas.Index(known, dtype=object)
        out["instrument"] = pandas.Categorical(values, categories=known)
    return out


def _column(X, name):
    return X[name] if hasattr(X, "columns") and name in X.columns else None


def _polars_series(name, values, n_rows):
    """Make a series of arrays, of a column of pandas or of polars, or of nothing."""
    import polars

    if is_polars(values):
        return values
    if values is None:
        return polars.Series(name, [None] * n_rows)
    if hasattr(values, "to_numpy"):
        dtype = values.dtype
        if isinstance(dtype, np.dtype) and dtype.kind in "biufmM":
            return polars.Series(name, values.to_numpy())
        values = [None if missing else v for v, missing in zip(values, values.isna())]
    if name == "audio" and len({(v.dtype, v.shape[1:]) for v in values}) == 1:
        return polars.Series(name, [polars.Series(v) for v in values])
    kinds = {type(value) for value in values} - {type(None)}
    is_plain = len(kinds) == 1 and kinds <= {str, int, float, bool, bytes}
    return polars.Series(name, values, dtype=None if is_plain or not kinds else polars.Object)
