"""Which labels are calibrated together: a label alone, or the smallest node above it."""

import numpy as np

__all__ = ["label_pools"]


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
