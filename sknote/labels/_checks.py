"""Checks of labels, of their probabilities, and of the parameters of a LabelHierarchy."""

import numbers
import reprlib
from collections.abc import Mapping

import numpy as np

from sknote._input.checks import check_present
from sknote._input.choices import did_you_mean
from sknote._input.forms import is_missing


def as_label_array(labels, name="LabelHierarchy: labels", *, allow_missing=False):
    """Turn labels in any container into an array of strings without blanks around them.

    Numbers that are equal, such as 1, 1.0 and True, become the same string. A single string, what
    has not one dimension, bytes and a missing label are a ValueError that says `name`; with
    `allow_missing`, None and NaN become ``""``.
    """
    if isinstance(labels, str):
        raise ValueError(f"{name}: expected a list of labels, got the single string {labels!r}.")
    array = np.asarray(labels, dtype=object)
    if array.ndim != 1:
        raise ValueError(
            f"{name}: expected one label per sample, got an array of shape {array.shape}."
        )
    if not allow_missing:
        check_present(array, name)
    if raw := [value for value in array if isinstance(value, bytes)]:
        raise ValueError(
            f"{name}: expected labels as str or numbers, got bytes, such as {raw[0]!r}. Decode "
            "them, as by label.decode()."
        )
    return np.array([_as_text(value) for value in array], dtype=str)


def _as_text(value):
    if isinstance(value, str):
        return value.strip()
    if is_missing(value):
        return ""
    if isinstance(value, (numbers.Integral, np.bool_)):
        value = int(value)
    elif isinstance(value, numbers.Real):
        value = float(value)
        value = int(value) if value.is_integer() else value
    return str(value)


def check_proba(proba, classes, caller="LabelHierarchy"):
    """Return probabilities as a float array and their classes as an array of labels.

    A class that is named twice, another number of columns than of classes, columns of a DataFrame
    that are called otherwise, or a value that is negative, NaN or infinite, is a ValueError.
    """
    names = as_label_array(classes, f"{caller}: classes")
    unique, counts = np.unique(names, return_counts=True)
    if len(unique) < len(names):
        raise ValueError(
            f"{caller}: expected different `classes`, got {str(unique[counts.argmax()])!r} "
            f"{counts.max()} times; blanks around labels do not count."
        )
    _check_columns(getattr(proba, "columns", ()), names, caller)
    try:
        proba = np.asarray(proba)
        proba = proba if proba.dtype.kind == "f" else proba.astype(float)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{caller}: proba: expected rows of numbers, got {reprlib.repr(proba)}."
        ) from error
    if proba.ndim != 2 or proba.shape[1] != len(names):
        raise ValueError(
            f"{caller}: proba: expected shape (n_samples, {len(names)}), one column for each of "
            f"`classes`. Got {proba.shape} instead."
        )
    if not (np.isfinite(proba) & (proba >= 0)).all():
        raise ValueError(
            f"{caller}: proba: expected finite values of at least 0. Pass `predict_proba(X)`."
        )
    return proba, names


def _check_columns(columns, names, caller):
    """Check that the columns of a DataFrame, if they are called as classes, stand in their order.

    Numbers say nothing: they are what columns are called that nobody gave a name.
    """
    called = [column.strip() for column in columns if isinstance(column, str)]
    if not set(called).isdisjoint(names) and called != names.tolist():
        raise ValueError(
            f"{caller}: proba: expected columns in the order of `classes`, {names.tolist()}, got "
            f"{called}. Pass proba[list(classes)]."
        )


def check_params(hierarchy):
    """Check the parameters of a LabelHierarchy, which are used by each of its methods."""
    names = hierarchy.level_names
    reserved = {"original", "normalized", "note", "count"}
    if not _are_texts(names) or not len({*names} - reserved) == len(names) > 0:
        raise ValueError(
            "LabelHierarchy: `level_names` must be different names, at least one and none of "
            f"{sorted(reserved)}. Got {names!r} instead."
        )
    if not isinstance(hierarchy.separator, str) or not hierarchy.separator:
        raise ValueError(
            "LabelHierarchy: `separator` must be a string that is not empty. "
            f"Got {hierarchy.separator!r} instead."
        )
    if not isinstance(hierarchy.orders, (Mapping, type(None))):
        raise ValueError(
            f"LabelHierarchy: `orders` must be None or a dict. Got {hierarchy.orders!r} instead."
        )
    sequences = {"compounds": hierarchy.compounds}
    for name, order in (hierarchy.orders or {}).items():
        find_level(hierarchy.level_names, name)
        sequences[f"orders[{name!r}]"] = order
    for what, values in sequences.items():  # of a str, each letter would be one
        if not _are_texts(values):
            hint = f" Pass ({values!r},) for a single one." if isinstance(values, str) else ""
            raise ValueError(
                f"LabelHierarchy: `{what}` must be a sequence of str. Got {values!r} instead."
                + hint
            )
    if not isinstance(hierarchy.parallel, (bool, np.bool_)):
        raise ValueError(
            f"LabelHierarchy: `parallel` must be True or False. Got {hierarchy.parallel!r} instead."
        )
    normalize = hierarchy.normalize
    if not (normalize is None or isinstance(normalize, dict) or callable(normalize)):
        raise ValueError(
            "LabelHierarchy: `normalize` must be None, a dict or a function of a label. "
            f"Got {normalize!r} instead."
        )


def check_normalized(found, label):
    """Return what became of a label; what is no label, text and truth value is a ValueError."""
    is_triple = isinstance(found, (tuple, list)) and len(found) == 3
    if not is_triple or not all(isinstance(part, str) for part in found[:2]):
        raise ValueError(
            "LabelHierarchy: `normalize` must return a label, what was done to it, and whether "
            f"that is doubtful, (str, str, bool), got {reprlib.repr(found)} of {str(label)!r}."
        )
    return found


def _are_texts(values):
    is_sequence = np.iterable(values) and not isinstance(values, str)
    return is_sequence and all(isinstance(value, str) for value in values)


def find_level(names, level):
    """Return the position of a level among the names of levels."""
    names = list(names)
    if level in names:
        return names.index(level)
    raise ValueError(
        f"LabelHierarchy: unknown level {level!r}. Expected one of {names}."
        + did_you_mean(level, names)
    )
