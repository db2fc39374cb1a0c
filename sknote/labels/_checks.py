"""Checks of labels, of their probabilities, and of the parameters of a LabelHierarchy."""

import numbers

import numpy as np

from sknote._input.choices import did_you_mean


def as_label_array(labels, name="labels"):
    """Turn labels in any container into an array of strings without blanks around them.

    None and NaN become ``""``, and numbers that are equal, such as 1, 1.0 and True, become the same
    string. A single string, or what has not one dimension, is a ValueError that says `name`.
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


def check_proba(proba, classes):
    """Return probabilities as a float array and their classes as an array of labels.

    Another number of columns than of classes, or a value that is negative, NaN or infinite, is a
    ValueError.
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


def check_params(hierarchy):
    """Check the parameters of a LabelHierarchy, which are used by each of its methods."""
    names = hierarchy.level_names
    reserved = {"original", "normalized", "note", "count"}
    if isinstance(names, str) or not names or len({*names} - reserved) < len(names):
        raise ValueError(
            "LabelHierarchy: `level_names` must be different names, at least one and none of "
            f"{sorted(reserved)}. Got {names!r} instead."
        )
    if not isinstance(hierarchy.separator, str) or not hierarchy.separator:
        raise ValueError(
            "LabelHierarchy: `separator` must be a string that is not empty. "
            f"Got {hierarchy.separator!r} instead."
        )
    sequences = {"compounds": hierarchy.compounds}
    for name, order in (hierarchy.orders or {}).items():
        find_level(hierarchy.level_names, name)
        sequences[f"orders[{name!r}]"] = order
    for what, values in sequences.items():  # of a str, each letter would be one
        if isinstance(values, str) or not np.iterable(values):
            hint = f" Pass ({values!r},) for a single one." if isinstance(values, str) else ""
            raise ValueError(
                f"LabelHierarchy: `{what}` must be a sequence of str. Got {values!r} instead."
                + hint
            )
    normalize = hierarchy.normalize
    if not (normalize is None or isinstance(normalize, dict) or callable(normalize)):
        raise ValueError(
            "LabelHierarchy: `normalize` must be None, a dict or a function of a label. "
            f"Got {normalize!r} instead."
        )


def find_level(names, level):
    """Return the position of a level among the names of levels."""
    names = list(names)
    if level in names:
        return names.index(level)
    raise ValueError(
        f"LabelHierarchy: unknown level {level!r}. Expected one of {names}."
        + did_you_mean(level, names)
    )
