"""What `LabelHierarchy` is made of: pure functions on labels, levels and probabilities."""

import numbers

import numpy as np

UNSPECIFIED = "unspecified"


def as_label_array(labels, name="labels"):
    """Turn labels in any container into an array of strings without blanks around them.

    Parameters
    ----------
    labels : array-like of shape (n_samples,)
        A list, array or Series (also categorical or Arrow-backed); None and NaN become ``""``, and
        numbers that are equal, such as 1, 1.0 and True, become the same string.
    name : str, default="labels"
        What to call them in an error.

    Returns
    -------
    labels : ndarray of str of shape (n_samples,)

    Raises
    ------
    ValueError
        If `labels` is a single string or has not one dimension.
    """
    if isinstance(labels, str):
        raise ValueError(f"{name}: expected a list of labels, got the single string {labels!r}.")
    array = np.asarray(labels, dtype=object)
    if array.ndim != 1:
        raise ValueError(
            f"{name}: expected one label per sample, got an array of shape {array.shape}."
        )
    return np.array([_as_text(value) for value in array], dtype=str)


def _as_text(value):
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, (numbers.Integral, np.bool_)):
        value = int(value)
    elif isinstance(value, numbers.Real):
        value = float(value)
        value = int(value) if value.is_integer() else value
    # pandas' NA has no truth value, so what is missing is told by how it prints.
    text = str(value)
    return "" if text in ("None", "nan", "<NA>", "NaT") else text


def map_labels(function, labels):
    """Apply a function of one label to an array of them, once to each different one."""
    unique, codes = np.unique(as_label_array(labels), return_inverse=True)
    return np.array([function(str(label)) for label in unique], dtype=str)[codes]


def split_label(label, *, separator, n_levels, compounds=()):
    """Split a label into one value per level.

    Parameters
    ----------
    label : str
    separator : str
    n_levels : int
        The last level takes all that is left.
    compounds : sequence of str, default=()
        Values that contain the separator and yet are one; the longest that fits counts.

    Returns
    -------
    values : tuple of str of length n_levels
        ``"unspecified"`` where the label states nothing.
    """
    values = []
    for _ in range(n_levels - 1):
        fitting = [c for c in compounds if (label + separator).startswith(c + separator)]
        value = max(fitting, key=len) if fitting else label.partition(separator)[0]
        values.append(value)
        label = label[len(value) + len(separator) :]
    return tuple(value.strip() or UNSPECIFIED for value in [*values, label])


def join_values(values, separator):
    """Write values as a label that ends with the last value stated."""
    values = list(values)
    while len(values) > 1 and values[-1] == UNSPECIFIED:
        values.pop()
    return separator.join(values)


def natural_key(order):
    """Make a sorting key: first the values in `order`, then by alphabet, then "unspecified"."""

    def key(value):
        return value == UNSPECIFIED, order.index(value) if value in order else len(order), value

    return key


def sum_columns(proba, names):
    """Add up the columns of `proba` that have the same name; names come back sorted."""
    unique, codes = np.unique(names, return_inverse=True)
    return proba @ np.eye(len(unique), dtype=proba.dtype)[codes], unique


def top_down(proba, paths):
    """Find the most probable class within the most probable branch, level by level.

    Parameters
    ----------
    proba : ndarray of shape (n_samples, n_classes)
    paths : sequence of ndarray of str of shape (n_classes,)
        The path of each class at each level, the coarsest level first.

    Returns
    -------
    index : int ndarray of shape (n_samples,)
        Column of the answered class.
    """
    is_open = np.ones(proba.shape, dtype=bool)
    for names in paths:
        mass, branches = sum_columns(np.where(is_open, proba, 0.0), names)
        is_open &= names == branches[mass.argmax(axis=1)][:, None]
    return np.where(is_open, proba, -1.0).argmax(axis=1)


def check_proba(proba, classes):
    """Return probabilities as a float array and their classes as an array of labels.

    Raises
    ------
    ValueError
        If there is not one column per class, or a value is negative, NaN or infinite.
    """
    proba, names = np.asarray(proba), as_label_array(classes, "classes")
    if proba.ndim != 2 or proba.shape[1] != len(names):
        raise ValueError(
            f"proba: expected shape (n_samples, {len(names)}), one column for each of `classes`. "
            f"Got {proba.shape} instead."
        )
    proba = proba if proba.dtype.kind == "f" else proba.astype(float)
    if not (np.isfinite(proba) & (proba >= 0)).all():
        raise ValueError("proba: expected finite values of at least 0. Pass `predict_proba(X)`.")
    return proba, names
