"""The levels at which labels can be answered, and the threshold that keeps what is promised."""

import numpy as np

from sknote.confidence._answers import LEAF, UNKNOWN, Level

_TRIED = 500  # thresholds, at most
_SPREADS = 0.5  # standard errors that are kept as a margin, chosen out of fold


def levels_of(classes, hierarchy, name):
    """Return the levels of an answer, the finest first: the labels, then the nodes above them.

    Of a nested hierarchy they end with the coarsest level; parallel ones come in their order. None
    has no nodes. A node above all labels says nothing of a note: it is no level.
    """
    labels = np.asarray(classes)
    levels = [Level(LEAF, tuple(labels.tolist()), np.arange(len(labels)))]
    if UNKNOWN in labels.tolist():
        raise ValueError(
            f"{name}: there is a label {UNKNOWN!r}, which is the answer where nothing is known. "
            "Give the label another name."
        )
    if hierarchy is None:
        return levels
    above = [_nodes_above(label, hierarchy) for label in labels.tolist()]
    order = hierarchy.level_names if hierarchy.parallel else reversed(hierarchy.level_names)
    for level in order:
        # a label that states nothing at this level stays what it is
        names = [nodes.get(level, f"{label}\0") for nodes, label in zip(above, labels.tolist())]
        nodes, node_of = np.unique(names, return_inverse=True)
        if 1 < len(nodes) < len(labels):
            plain = tuple(str(node).rstrip("\0") for node in nodes)
            levels.append(Level(level, plain, node_of))
    return levels


def _nodes_above(label, hierarchy):
    """Return the node of a label at each level that it states, by level."""
    found = {}
    for node in hierarchy.ancestors(label):
        stated = [name for name, value in hierarchy.parse(node).items() if value != "unspecified"]
        if stated and not (hierarchy.parallel and len(stated) > 1):
            found[stated[-1]] = node
    return found


def choose_threshold(levels, proba, target, groups, min_accuracy):
    """Return the lowest threshold at which what is answered, at any level, is right often enough.

    That is an accuracy of at least `min_accuracy` after two deductions: one wrong note more, and
    half a standard error, of which whole groups are the units. Infinity if there is none.

    `proba` are out-of-fold and calibrated, `target` has the number of each note's class, and
    `groups` are those of the notes, or None.
    """
    n_notes = len(proba)
    groups = np.arange(n_notes) if groups is None else np.unique(groups, return_inverse=True)[1]
    found = []
    for level in levels:
        node, mass, is_node = level.candidates(proba)
        found.append((np.where(is_node, mass, -1.0), node == level.node_of[target]))
    masses = np.unique(np.concatenate([mass for mass, _ in found]))
    masses = masses[masses > 0]
    if len(masses) > _TRIED:
        masses = masses[np.linspace(0, len(masses) - 1, _TRIED).round().astype(int)]
    for threshold in masses.tolist():
        right = np.full(n_notes, np.nan)
        for mass, is_right in reversed(found):  # the finest is the last to say it
            right = np.where(mass >= threshold, is_right, right)
        rows = np.flatnonzero(~np.isnan(right))
        if len(rows) and 1.0 - _error_bound(1.0 - right[rows], groups[rows]) >= min_accuracy:
            return threshold
    return np.inf


def _error_bound(wrong, groups):
    """Return what the share of wrong notes may be, by one note more and the spread over groups."""
    n_notes = len(wrong)
    residual = np.bincount(groups, wrong - wrong.mean())
    n_groups = (np.bincount(groups) > 0).sum()
    spread = np.sqrt((residual**2).sum() * n_groups / max(n_groups - 1, 1)) / n_notes
    return (wrong.sum() + 1.0) / (n_notes + 1.0) + _SPREADS * spread
