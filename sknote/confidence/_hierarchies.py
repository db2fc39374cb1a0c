"""The hierarchy that a classifier with confidence goes by, and what it cannot place."""

import numpy as np
from sklearn.base import clone

from sknote._caller import warn_caller
from sknote.labels._levels import UNSPECIFIED
from sknote.labels._usual import QUALITIES, usual_hierarchy

__all__ = ["check_hierarchy"]

_SEPARATORS = ("/", "-")  # of the data sets, the surer one first
_CUT = {"-": "LabelHierarchy()", "/": "LabelHierarchy('/', ('first', 'second'))"}
_REMEDY = "Pass that of the data set (notes.hierarchy, LabelHierarchy.philharmonia())"


def check_hierarchy(hierarchy, classes, name):
    """Return the hierarchy of labels, or None if there is nothing above them.

    None stands for ``LabelHierarchy()``, if any label begins with a quality; numbers have none. One
    that was fitted and does not know a label is a ValueError; one that places no label, though they
    look like labels with levels, is warned of.
    """
    labels = np.asarray(classes)
    if labels.dtype.kind not in "UO":
        return None
    if hierarchy is None:
        return _usual(labels.tolist(), name)
    if not hasattr(hierarchy, "classes_"):
        clone(hierarchy).fit(labels)  # which warns of labels that no spelling rule knows
    elif len(foreign := labels[~np.isin(hierarchy.transform(labels), hierarchy.classes_)]):
        raise ValueError(
            f"{name}: the hierarchy does not know {len(foreign)} of the labels, such as "
            f"{str(foreign[0])!r}; it was fitted on {hierarchy.classes_[:3].tolist()} and others. "
            "Fit it on these labels, or pass one that is not fitted."
        )
    parts = [one for one in labels.tolist() if not set(_SEPARATORS).isdisjoint(one)]
    if parts and not any(_n_stated(hierarchy, one) > 1 for one in parts):
        warn_caller(
            f"{name}: the hierarchy finds no levels in the labels, such as {parts[0]!r}, which it "
            f"cuts at {hierarchy.separator!r}: there are no nodes above them. {_REMEDY}, or None."
        )
    return hierarchy


def _usual(labels, name):
    """Return the usual hierarchy, or None; warn if it would only have put labels together."""
    if (found := usual_hierarchy(labels)) is not None:
        return found
    for separator in _SEPARATORS:
        cut = [label for label in labels if separator in label]
        if cut and len({label.partition(separator)[0].strip() for label in labels}) < len(labels):
            warn_caller(
                f"{name}: hierarchy=None knows labels that begin with {', '.join(QUALITIES[:-1])} "
                f"or {QUALITIES[-1]}, got none of them, but such as {cut[0]!r}: there are no nodes "
                f"above them. {_REMEDY}, or {_CUT[separator]} to cut them at each {separator!r}."
            )
            break
    return None


def _n_stated(hierarchy, label):
    return sum(value != UNSPECIFIED for value in hierarchy.parse(label).values())
