"""Which labels are calibrated together: a label alone, or the smallest node above it."""

import numpy as np

from sknote.labels import LabelHierarchy

__all__ = ["check_hierarchy", "label_pools"]


def label_pools(classes, counts, hierarchy, least):
    """Return which classes each class is calibrated with, bool of shape (n_classes, n_classes).

    A class with at least `least` notes (`counts`) is calibrated alone; a rarer one with all of the
    node above it that has the fewest notes but these; one without such a node with all classes.
    """
    alone = np.eye(len(classes), dtype=bool)
    if hierarchy is None:
        nodes = alone
    else:
        nodes = hierarchy.ancestor_matrix(classes)[0].T
        nodes = np.vstack([alone, nodes])  # labels that are normalized to one label are still two
    n_notes = nodes @ counts
    nodes, n_notes = nodes[n_notes >= least], n_notes[n_notes >= least]
    pools = np.ones_like(alone)
    for k, pool in enumerate(pools):
        above = np.flatnonzero(nodes[:, k])
        if counts[k] >= least:
            pool[:] = alone[k]
        elif len(above):
            pool[:] = nodes[above[n_notes[above].argmin()]]
    return pools


def check_hierarchy(hierarchy, classes, name):
    """Return the hierarchy of labels, None of labels that are no strings; refuse a foreign one."""
    if np.asarray(classes).dtype.kind not in "UO":
        return None
    if hierarchy is None:
        return LabelHierarchy()
    if hasattr(hierarchy, "classes_"):
        known = set(hierarchy.classes_.tolist())
        foreign = [one for one in classes.tolist() if hierarchy.transform([one])[0] not in known]
        if foreign:
            raise ValueError(
                f"{name}: the hierarchy does not know {len(foreign)} of the labels, such as "
                f"{foreign[0]!r}; it was fitted on {sorted(known)[:3]} and others. Fit it on these "
                "labels, or pass one that is not fitted."
            )
    return hierarchy
