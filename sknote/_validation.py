"""Checks of what estimators are given: X in any of its forms, labels and groups."""

import numbers

import numpy as np
from sklearn import get_config
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.validation import _check_feature_names, validate_data

from sknote._forms import check_instrument, form_of, is_missing, sequence_items
from sknote._mapped import read_once

__all__ = ["check_groups", "check_labels", "unpack", "wants_dataframe"]

_EXPECTED = {
    0: "a path, bytes, a binary file object or a 1-D waveform",
    1: "a 1-D waveform",
    2: "a 2-D spectrogram of shape (n_frames, n_bins)",
}


def unpack(estimator, X, *, ndim, reset):
    """Turn any form of X into a list of audio values.

    Parameters
    ----------
    estimator : estimator
        Whose input X is; it gets ``n_features_in_`` (and ``feature_names_in_``) when `reset`.
    X : DataFrame, sequence or array
        One of the three forms. At `predict` it may have another one than in `fit`; columns but
        ``audio`` may be missing then, and instruments with them.
    ndim : {0, 1, 2}
        What an item must be: 0 anything that can be decoded, 1 a waveform, 2 a spectrogram.
    reset : bool
        True in `fit`, False afterwards.

    Returns
    -------
    items : list of length n_samples
        ndarrays of `ndim` dimensions (`ndim` 0: as they came).
    instrument : object ndarray of shape (n_samples,) or None
        Instrument names with None for a missing one; None if X has no instruments.

    Raises
    ------
    ValueError
        If X has none of the forms, no rows, columns that `fit` did not see, or an item of the
        wrong kind; the message names the row. After an array of rows of one length in `fit`, rows
        of an array have that length.
    """
    name = type(estimator).__name__
    form = form_of(X, name)
    if form == "frame":
        if reset:
            estimator.n_features_in_ = X.shape[1]
        if reset or not _has_only_columns_of_fit(estimator, X):
            _check_feature_names(estimator, X, reset=reset)
        instrument = check_instrument(X["instrument"], name) if "instrument" in X else None
        return _check_items(list(X["audio"]), name, ndim), instrument
    if form == "sequence":
        items = _check_items(sequence_items(X), name, ndim)
        if reset:
            _forget_names(estimator, items[0].shape[1] if ndim == 2 else 1)
        return items, None
    dtype = "numeric" if ndim == 0 else _FLOATS
    options = {"dtype": dtype, "allow_nd": True, "ensure_all_finite": False}
    if ndim == 2 and getattr(X, "ndim", 2) == 3:
        X = check_array(X, input_name="X", estimator=estimator, **options)
        if reset:
            _forget_names(estimator, X.shape[2])
        return _check_finite(list(X), name), None
    if hasattr(X, "columns") and not reset and not hasattr(estimator, "n_features_in_"):
        X = X.to_numpy()  # a stateless estimator that never saw names has none to compare
    if reset or hasattr(X, "columns") or not _fit_saw_any_lengths(estimator):
        X = validate_data(estimator, X, reset=reset, **options)
    else:
        X = check_array(X, input_name="X", estimator=estimator, **options)
    if X.ndim != 2:
        raise ValueError(
            f"{name}: expected {_EXPECTED[ndim]} in each row, got an array of shape {X.shape}."
        )
    return _check_finite(list(X[:, None, :] if ndim == 2 else X), name), None


def wants_dataframe(estimator):
    """Tell whether scikit-learn will make a DataFrame of what a transformer gives back."""
    own = getattr(estimator, "_sklearn_output_config", {}).get("transform")
    return (own or get_config()["transform_output"]) != "default"


def check_labels(y, n_samples, name):
    """Return labels as a 1-D NumPy array that can be sorted, of length `n_samples`."""
    if y is None:
        raise ValueError(f"{name}: requires y to be passed, but the target y is None.")
    y = column_or_1d(_as_array(y), warn=True)
    _check_length(y, n_samples, name, "y")
    if missing := _missing_rows(y):
        raise ValueError(
            f"{name}: y contains NaN: the label of row {missing[0]} is missing (of "
            f"{len(missing)} rows in all). Drop these notes, or give them a label."
        )
    _check_one_type(y, name, "labels", "y")
    return y


def check_groups(groups, n_samples, name):
    """Return groups as a 1-D NumPy array that can be sorted, or None.

    Parameters
    ----------
    groups : array-like of shape (n_samples,) or None
    n_samples : int or None
        How many there must be; None is any number.
    name : str
        Whose groups they are, for messages.

    Raises
    ------
    ValueError
        If a group is missing (the message names the row), or groups have different types.
    """
    if groups is None:
        return None
    groups = _as_array(groups)
    if groups.ndim == 0 or groups.shape[1:] not in ((), (1,)):
        raise ValueError(
            f"{name}: expected one group for each row, got groups of shape {groups.shape}. Put the "
            "parts of a group together in one string."
        )
    groups = groups.ravel()
    if n_samples is not None:
        _check_length(groups, n_samples, name, "groups")
    if missing := _missing_rows(groups):
        raise ValueError(
            f"{name}: groups contains NaN: the group of row {missing[0]} is missing (of "
            f"{len(missing)} rows in all). Drop these rows, or give them a group; one that belongs "
            "to no other is a group of its own."
        )
    _check_one_type(groups, name, "groups", "groups")
    return groups.astype(str) if groups.dtype == object else groups


_FLOATS = [np.float64, np.float32, np.float16]


def _has_only_columns_of_fit(estimator, X):
    """Tell whether the columns are some of those in `fit`, in their order."""
    known = getattr(estimator, "feature_names_in_", None)
    # without names there were no instruments, or there was no `fit`, which some do without
    return known is None or list(X.columns) == [name for name in known if name in X.columns]


def _fit_saw_any_lengths(estimator):
    """Tell whether X in `fit` was a DataFrame or a sequence, whose items may differ in length."""
    if (names := getattr(estimator, "feature_names_in_", None)) is not None:
        return "audio" in names
    return getattr(estimator, "n_features_in_", None) == 1


def _forget_names(estimator, n_features):
    estimator.n_features_in_ = n_features
    if hasattr(estimator, "feature_names_in_"):
        del estimator.feature_names_in_


def _as_array(values):
    # Arrow-backed columns and categoricals become plain NumPy here, and nowhere else.
    if hasattr(values, "to_numpy") and hasattr(values, "iloc"):
        dtype = getattr(values, "dtype", None)
        is_plain = isinstance(dtype, np.dtype) and dtype.kind != "O"
        values = values.to_numpy() if is_plain else values.to_numpy(dtype=object)
    array = np.asarray(values)
    if array.dtype.kind == "U" and array is not values:  # of [1, "a"] and ["a", nan], too
        array = np.asarray(values, dtype=object)
    if array.dtype == object:
        kinds = {type(value) for value in array.flat}
        plain = ((str, str), (bool, bool), (numbers.Integral, int), (numbers.Real, float))
        for kind, dtype in plain:
            if kinds and all(issubclass(one, kind) for one in kinds):
                return array.astype(dtype)
    return array


def _check_length(values, n_samples, name, what):
    if len(values) != n_samples:
        raise ValueError(
            f"{name}: X and {what} have inconsistent numbers of samples: "
            f"{n_samples} notes in X, {len(values)} values in {what}."
        )


def _missing_rows(values):
    if values.dtype.kind not in "OfcmM":
        return []
    return [row for row, value in enumerate(values) if is_missing(value)]


def _check_one_type(values, name, what, argument):
    kinds = sorted({type(value).__name__ for value in values}) if values.dtype == object else []
    if len(kinds) > 1:
        raise ValueError(
            f"{name}: expected {what} of one type, got {' and '.join(kinds)}. "
            f"Cast them, for example with {argument}.astype(str)."
        )


def _check_items(items, name, ndim):
    if ndim == 0:
        return items
    checked = []
    for row, item in enumerate(items):
        array = np.asarray(item) if not isinstance(item, (str, bytes)) else None
        if array is None or array.ndim != ndim or array.dtype.kind not in "fiu":
            got = type(item).__name__ if array is None or array.ndim == 0 else _describe(array)
            raise ValueError(f"{name}: expected {_EXPECTED[ndim]}, got {got} in row {row}.")
        if array.dtype.kind != "f":
            array = array.astype(np.float32)
        checked.append(array)
    return _check_finite(checked, name)


def _check_finite(arrays, name):
    for row, array in enumerate(read_once(arrays)):
        if not np.isfinite(array).all():
            raise ValueError(f"{name}: the values in row {row} contain NaN or infinity.")
    return arrays


def _describe(array):
    return f"an array of shape {array.shape} and type {array.dtype}"
