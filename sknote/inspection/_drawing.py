"""What the displays share: a place to draw on, and what an estimator answers."""

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from sknote._optional import import_optional
from sknote.confidence._hierarchies import check_hierarchy
from sknote.inspection._models import levels_within
from sknote.labels import LabelHierarchy
from sknote.labels._usual import usual_hierarchy

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#888888"  # told apart by everybody (Okabe and Ito)
LONGEST_NAME = 48  # characters


def place(display, ax, size):
    """Return a figure and axes to draw on: those that are given, or new ones of a size (inches)."""
    purpose = f"{type(display).__name__}.plot"
    pyplot = import_optional("matplotlib.pyplot", extra="report", purpose=purpose)
    if ax is None:
        _, ax = pyplot.subplots(figsize=size, layout="constrained")
    if not hasattr(ax, "figure") or not hasattr(ax, "plot"):
        raise TypeError(
            f"{purpose}: expected ax to be an Axes of matplotlib or None, got {_kind(ax)}. "
            "Pass one of those that matplotlib.pyplot.subplots gives."
        )
    return ax.figure, ax


def set_names(axis, places, names, **how):
    """Name places of an axis, of matplotlib, by what users call them, whatever that is."""
    texts = [str(name).encode("utf-8", "replace").decode("utf-8") for name in names]
    half = LONGEST_NAME // 2
    texts = [t if len(t) <= LONGEST_NAME else f"{t[:half]}…{t[-half:]}" for t in texts]
    axis.set_ticks(places, texts, parse_math=False, **how)  # "$" is no formula


def check_fitted(estimator, method, name):
    """Refuse what is no fitted classifier with a method, in the name of a display."""
    if isinstance(estimator, type) or not hasattr(estimator, method):
        raise TypeError(
            f"{name}: expected a fitted classifier with {method}, got {_kind(estimator)}. Pass the "
            "model itself, or use from_predictions."
        )
    if not hasattr(estimator, "fit") and hasattr(estimator, "classes_"):
        return  # of an exported pipeline
    try:
        check_is_fitted(estimator)
    except NotFittedError as error:
        raise NotFittedError(
            f"{name}: this {type(estimator).__name__} is not fitted yet."
        ) from error


def hierarchy_for(labels, hierarchy, name):
    """Return the levels of labels: those that are given, or the usual ones, or None."""
    if hierarchy is not None and not isinstance(hierarchy, LabelHierarchy):
        raise TypeError(
            f"{name}: expected hierarchy to be a LabelHierarchy or None, got {_kind(hierarchy)}. "
            "Pass LabelHierarchy(), or that of a data set."
        )
    if hierarchy is None and np.asarray(labels).dtype.kind in "UO":
        return usual_hierarchy(np.unique(labels))
    return hierarchy


def hierarchy_of(model, classes, hierarchy, name):
    """Return the levels of a model's classes: those that are given, its own, or the usual ones.

    Such as do not know the classes are a ValueError.
    """
    hierarchy = levels_within(model) if hierarchy is None else hierarchy
    hierarchy = hierarchy_for(classes, hierarchy, name)
    if hierarchy is not None:
        check_hierarchy(hierarchy, np.asarray(classes), name)
    return hierarchy


def _kind(value):
    """Name what is no such thing as was expected."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    return f"{type(value).__name__} {value!r}" if isinstance(value, str) else type(value).__name__


def clear(ax):
    """Leave out the lines of a picture that say nothing."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(alpha=0.25)
    ax.set_axisbelow(True)
