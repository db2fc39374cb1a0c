"""What all scores ask of their inputs."""

import inspect
import reprlib

import numpy as np

from sknote.labels import LabelHierarchy
from sknote.labels._checks import as_label_array


def check_columns(caller, **columns):
    """Return columns of labels as arrays of one length, at least 1."""
    columns = {
        name: as_label_array(column, f"{caller}: {name}") for name, column in columns.items()
    }
    if len({len(column) for column in columns.values()}) > 1:
        lengths = ", ".join(f"{name} has {len(column)}" for name, column in columns.items())
        raise ValueError(f"{caller}: expected as many values in each of its inputs, but {lengths}.")
    if min(map(len, columns.values())) == 0:
        raise ValueError(f"{caller}: expected at least 1 label, got none.")
    return columns.values()


def check_hierarchy(hierarchy, caller):
    if not isinstance(hierarchy, LabelHierarchy):
        raise TypeError(
            f"{caller}: `hierarchy` must be a LabelHierarchy. Got {hierarchy!r} instead."
        )


def check_weight(sample_weight, n_samples, caller):
    if sample_weight is None:
        return np.ones(n_samples)
    weight = as_floats(sample_weight)
    if weight.shape != (n_samples,) or not (weight >= 0).all() or not 0 < weight.sum() < np.inf:
        raise ValueError(
            f"{caller}: `sample_weight` must be {n_samples} finite numbers, none negative and not "
            f"all 0. Got {reprlib.repr(sample_weight)} instead."
        )
    return weight


def as_floats(values):
    """Return an array of numbers; of what is none, a single NaN."""
    try:
        return np.asarray(values, dtype=float)
    except (TypeError, ValueError, OverflowError):
        return np.array(np.nan)


def check_metric(metric, caller):
    """Refuse what cannot be called with true labels and predictions, and is not None."""
    if metric is None:
        return
    wanted = f"{caller}: expected `metric` to be a function of true labels and predictions"
    if not callable(metric):
        raise TypeError(f"{wanted}, or None, got {metric!r}. Pass one of sklearn.metrics.")
    try:
        signature = inspect.signature(metric)
    except (TypeError, ValueError):  # some that are written in C have none
        return
    try:
        signature.bind(None, None)
    except TypeError as error:
        name = getattr(metric, "__name__", type(metric).__name__)
        raise TypeError(
            f"{wanted} alone, got {name}, which takes {signature} ({error}). Give it the rest "
            "before, as functools.partial(metric, hierarchy=hierarchy) does."
        ) from error
