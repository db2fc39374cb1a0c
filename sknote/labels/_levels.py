"""What `LabelHierarchy` is made of: pure functions on labels, levels and probabilities."""

import numpy as np

from sknote.labels._checks import as_label_array

UNSPECIFIED = "unspecified"


def map_labels(function, labels):
    """Apply a function of one label to an array of them, once to each different one."""
    unique, codes = np.unique(as_label_array(labels), return_inverse=True)
    return np.array([function(str(label)) for label in unique], dtype=str)[codes]


def sum_columns(proba, names):
    """Add up the columns of `proba` that have the same name; names come back sorted."""
    unique, codes = np.unique(names, return_inverse=True)
    return proba @ np.eye(len(unique), dtype=proba.dtype)[codes], unique


def top_down(proba, paths):
    """Find the most probable class within the most probable branch, level by level.

    `paths` has an array for each level, the coarsest first: the path of each class. What comes back
    is the column of the answered class for each row of `proba`.
    """
    is_open = np.ones(proba.shape, dtype=bool)
    for names in paths:
        mass, branches = sum_columns(np.where(is_open, proba, 0.0), names)
        is_open &= names == branches[mass.argmax(axis=1)][:, None]
    return np.where(is_open, proba, -1.0).argmax(axis=1)
