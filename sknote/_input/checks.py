"""Checks of what estimators are given: X in any of its forms, labels and groups."""

import contextlib
import numbers

import numpy as np
from sklearn import get_config
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from sknote._compat import check_feature_names, output_container
from sknote._input.arrays import NoArray, plain_array
from sknote._input.forms import check_instrument, form_of, is_missing, sequence_items
from sknote._input.frames import column_items
from sknote._input.mapped import read_once

# how large values may be, and what is to be done about larger ones
_LIMITS = {
    1: (65536.0, "Full scale is 1: divide the samples by theirs."),
    2: (1e15, "Drop this note, or mend what made it; decibels hardly exceed 200."),
}
MOST_JOBS = 1024
_EXPECTED = {
    0: "a path, bytes, a binary file object or a 1-D waveform",
    1: "a 1-D waveform",
    2: "a 2-D spectrogram of shape (n_frames, n_bins)",
}


def unpack(estimator, X, *, ndim, reset):
    """Turn any form of X into a list of audio values and their instruments.

    Each item must be what can be decoded (`ndim` 0; items stay as they came), a waveform (1) or a
    spectrogram (2). Instruments are an object array of names, None for a missing one, or None if X
    has none. With `reset`, in `fit`, the estimator gets ``n_features_in_`` (and
    ``feature_names_in_``). Later X may have another form than in `fit`; columns but ``audio`` may
    be missing then, and instruments with them.

    A ValueError, which names the row, says that X has none of the forms, no rows, columns that
    `fit` did not see, or an item of the wrong kind. After an array of rows of one length in `fit`,
    rows of an array have that length.
    """
    name = type(estimator).__name__
    form = form_of(X, name)
    if form == "frame":
        if reset or not _has_only_columns_of_fit(estimator, X):
            check_feature_names(estimator, X, reset=reset)
        if reset:
            estimator.n_features_in_ = X.shape[1]
        instrument = check_instrument(X["instrument"], name) if "instrument" in X else None
        return _check_items(column_items(X["audio"]), name, ndim), instrument
    if form == "sequence":
        items = _check_items(sequence_items(X), name, ndim)
        if reset:
            _forget_names(estimator, items[0].shape[1] if ndim == 2 else 1)
        return items, None
    X = _as_rows(X, name, ndim)
    dtype = "numeric" if ndim == 0 else [np.float64, np.float32, np.float16]
    options = {"dtype": dtype, "allow_nd": True, "ensure_all_finite": False}
    if ndim == 2 and getattr(X, "ndim", 2) == 3:
        with named(name):
            X = check_array(X, input_name="X", estimator=estimator, **options)
        if reset:
            _forget_names(estimator, X.shape[2])
        return _check_finite(list(X), name, ndim), None
    if hasattr(X, "columns") and not reset and not hasattr(estimator, "n_features_in_"):
        X = X.to_numpy()  # a stateless estimator that never saw names has none to compare
    with named(name):
        if reset or hasattr(X, "columns") or not _fit_saw_any_lengths(estimator):
            X = validate_data(estimator, X, reset=reset, **options)
        else:
            X = check_array(X, input_name="X", estimator=estimator, **options)
    if X.ndim != 2:
        raise ValueError(
            f"{name}: expected {_EXPECTED[ndim]} in each row, got an array of shape {X.shape}."
        )
    rows = list(X[:, None, :] if ndim == 2 else X)
    if ndim == 0 and not (reset and getattr(estimator, "on_error", "raise") == "raise"):
        return rows, None  # who decodes them says it, of the row, as of any recording
    return _check_finite(rows, name, ndim), None


def _as_rows(X, name, ndim):
    """Make an array of lists and tensors; refuse what is made one of without a word.

    That are times, truth values, raw bytes and masked values.
    """
    try:
        if isinstance(X, (list, tuple)) or hasattr(X, "detach") or np.ma.is_masked(X):
            X = plain_array(X)
    except NoArray as error:
        if isinstance(X, (list, tuple)):  # a part of it differs in length
            _check_items(X, name, ndim or 1)
        raise ValueError(f"{name}: expected notes, got {error}.") from error
    if getattr(getattr(X, "dtype", None), "kind", "f") in "bmMV":
        raise ValueError(f"{name}: expected {_EXPECTED[ndim]} in each row, got {_describe(X)}.")
    return X


def container_of(estimator):
    """Tell what a transformer gives back, as set: "default", "pandas" or "polars"."""
    return output_container(estimator) or get_config()["transform_output"]


@contextlib.contextmanager
def named(name):
    """Put the name of an estimator before what scikit-learn says in its checks without one."""
    try:
        yield
    except (TypeError, ValueError) as error:
        text = str(error).split("\n[")[0]  # without all the values of an array
        if name in text:
            raise
        kind = ValueError if isinstance(error, ValueError) else TypeError
        raise kind(f"{name}: {text}") from error


def check_labels(y, n_samples, name, *, argument="y"):
    """Return labels as a 1-D NumPy array that can be sorted, of length `n_samples` if not None."""
    if y is None:
        raise ValueError(f"{name}: requires y to be passed, but the target y is None.")
    with named(name):
        y = column_or_1d(_as_array(y), warn=True)
    if n_samples is not None:
        _check_length(y, n_samples, name, argument)
    _check_values(y, name, argument, "label", _GIVE_LABEL)
    if y.dtype == object and any(map(_is_too_large, y)):
        raise ValueError(
            f"{name}: expected whole numbers of at most 64 bits as labels in {argument}, got "
            f"larger ones, such as {next(filter(_is_too_large, y))}. Pass them as str."
        )
    if y.dtype.kind == "U" and len(rows := np.flatnonzero(np.char.strip(y) == "")):
        raise ValueError(
            f"{name}: expected labels in {argument}, the label of row {rows[0]} is empty: "
            f"{str(y[rows[0]])!r} ({len(rows)} in all). {_GIVE_LABEL}"
        )
    return y


_GIVE_LABEL = "Drop these notes, or give them a label."


def check_present(values, who, what="label", remedy=_GIVE_LABEL):
    """Check that none of the labels or groups in an array is missing; `who` is the caller's."""
    doubtful = values if values.dtype.kind in "OfcmM" else ()
    if missing := [row for row, value in enumerate(doubtful) if is_missing(value)]:
        raise ValueError(
            f"{who} contains NaN: the {what} of row {missing[0]} is missing ({len(missing)} in "
            f"all). {remedy}"
        )


def check_classes(y, known, name):
    """Return the sorted classes of labels, at least 2; or `known`, which must hold all of them."""
    with named(name):
        check_classification_targets(y)
    classes = np.unique(y)
    of_all = classes if known is None else np.asarray(known)
    if len(of_all) < 2:
        raise ValueError(
            f"{name}: expected labels of at least 2 classes, got {len(of_all)} class"
            f"{': ' if len(of_all) else 'es'}{repr(of_all.tolist())[1:-1]}."
        )
    if len(new := np.setdiff1d(classes, of_all)):
        raise ValueError(
            f"{name}: training goes on with the classes of the first call, and y has new ones: "
            f"{new.tolist()}. Fit a new classifier, or pass all classes to the first partial_fit."
        )
    return of_all


def check_all_classes(classes, known, name):
    """Return the sorted labels that may come, as `partial_fit` is given them.

    After the first call they must be the `known` ones; None means these, or that nobody says.
    """
    if classes is None:
        return known
    if np.ndim(classes) != 1:
        raise ValueError(f"{name}: expected classes to be a list of labels, got {classes!r}.")
    classes = np.unique(check_labels(classes, None, name, argument="classes"))
    if known is not None and not np.array_equal(classes, known):
        raise ValueError(
            f"{name}: expected the classes of the first call, {known.tolist()}, got "
            f"{classes.tolist()}. Pass the same ones, or None; or fit a new classifier."
        )
    return classes


def check_threads(n_threads, name):
    """Refuse a number of threads that is none, which `set_params` lets pass after `fit`."""
    is_number = isinstance(n_threads, numbers.Integral) and not isinstance(n_threads, bool)
    if n_threads is not None and not (is_number and 1 <= n_threads <= 1024):
        raise ValueError(
            f"{name}: expected n_threads to be None or a whole number from 1 to 1024, got "
            f"{n_threads!r}."
        )


def check_jobs(n_jobs, name):
    """Refuse a number of jobs that joblib knows no meaning for, or would not survive."""
    is_number = isinstance(n_jobs, numbers.Integral) and n_jobs != 0 and n_jobs <= MOST_JOBS
    if not is_number and n_jobs is not None:
        raise ValueError(
            f"{name}: expected n_jobs to be from 1 to {MOST_JOBS}, -1 or less, or None, got "
            f"{n_jobs!r}."
        )


def check_groups(groups, n_samples, name, argument="groups"):
    """Return groups as a 1-D NumPy array that can be sorted, or None if they are None.

    There must be `n_samples`, or any number if that is None. A missing group (the message names its
    row) and groups of different types are a ValueError. `argument` is what the caller calls them.
    """
    if groups is None:
        return None
    groups, what = _as_array(groups), argument.removesuffix("s")
    if groups.ndim == 0 or groups.shape[1:] not in ((), (1,)):
        raise ValueError(
            f"{name}: expected one {what} for each row, got {argument} of shape {groups.shape}. "
            f"Put the parts of a {what} together in one string."
        )
    groups = groups.ravel()
    if n_samples is not None:
        _check_length(groups, n_samples, name, argument)
    remedy = (
        f"Drop these rows, or give them a {what}; one that belongs to no other is a {what} of its "
        "own."
    )
    _check_values(groups, name, argument, what, remedy)
    return groups.astype(str) if groups.dtype == object else groups


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
                is_kept = dtype is int and any(map(_is_too_large, array.flat))
                return array if is_kept else array.astype(dtype)
    return array


def _is_too_large(value):
    return isinstance(value, numbers.Integral) and not -(1 << 63) <= value < 1 << 63


def _check_length(values, n_samples, name, what):
    if len(values) != n_samples:
        raise ValueError(
            f"{name}: X and {what} have inconsistent numbers of samples: "
            f"{n_samples} notes in X, {len(values)} values in {what}."
        )


def _check_values(values, name, argument, what, remedy):
    """Check that labels or groups can be sorted: none is missing, and all have one type."""
    check_present(values, f"{name}: {argument}", what, remedy)
    kinds = sorted({type(value).__name__ for value in values}) if values.dtype == object else []
    if len(kinds) > 1:
        raise ValueError(
            f"{name}: expected {what}s of one type, got {' and '.join(kinds)}. "
            f"Cast them, for example with {argument}.astype(str)."
        )


def _check_items(items, name, ndim):
    if ndim == 0:
        return items
    checked = []
    for row, item in enumerate(items):
        try:
            array = plain_array(item) if not isinstance(item, (str, bytes)) else None
        except NoArray as error:
            raise ValueError(
                f"{name}: expected {_EXPECTED[ndim]}, got {error.what} in row {row}. "
                f"{error.remedy}."
            ) from error
        if array is None or array.ndim != ndim or array.dtype.kind not in "fiu":
            got = type(item).__name__ if array is None or array.ndim == 0 else _describe(array)
            raise ValueError(f"{name}: expected {_EXPECTED[ndim]}, got {got} in row {row}.")
        if array.dtype.kind != "f":
            array = array.astype(np.float32)
        checked.append(array)
    return _check_finite(checked, name, ndim)


def _check_finite(arrays, name, ndim):
    limit, remedy = _LIMITS.get(ndim, (np.inf, ""))
    for row, array in enumerate(read_once(arrays)):
        # a NaN among them is the least and the greatest, and fails either comparison
        low, high = (float(array.min()), float(array.max())) if array.size else (0.0, 0.0)
        if not (-np.inf < low and high < np.inf):
            raise ValueError(f"{name}: the values in row {row} contain NaN or infinity.")
        if max(-low, high) > limit:
            raise ValueError(
                f"{name}: expected {_EXPECTED[ndim]} with values up to {limit:g}, got "
                f"{max(-low, high):.3g} in row {row}. {remedy}"
            )
    return arrays


def _describe(array):
    return f"an array of shape {array.shape} and type {array.dtype}"
