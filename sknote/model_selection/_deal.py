"""Deal whole groups out to parts, so that each gets its share of every class."""

import numpy as np
from sklearn.utils import check_random_state

from sknote._input.checks import check_groups, check_labels

_FEW_GROUPS = {
    2: "at least 2 groups are needed, one to train on and one to validate on, got {}. "
    "Train without a validation part, or give more groups.",
    3: "at least 3 groups are needed, one to train on, one to validate on and one to test on, got "
    "{}. Split into two parts by grouped_validation_split, or give more groups.",
}


def count_classes(y, groups, n_parts, caller):
    """Check y and groups; count the notes of each class in each group.

    Returns counts, with one row a group and one column a class, of which the last counts all
    classes together; and the row of each sample.
    """
    y = check_labels(y, 0 if y is None else len(y), caller)
    _, y_code = np.unique(y, return_inverse=True)
    groups = check_groups(groups, len(y), caller)
    if groups is None:
        groups = np.arange(len(y_code))
    _, group_code = np.unique(groups, return_inverse=True)
    n_groups = group_code.max(initial=-1) + 1
    if n_groups < n_parts:
        raise ValueError(f"{caller}: {_FEW_GROUPS[n_parts].format(n_groups)}")
    counts = np.zeros((n_groups, y_code.max() + 2))
    np.add.at(counts, (group_code, y_code), 1)
    counts[:, -1] = counts.sum(axis=1)
    return counts, group_code


def deal_groups(counts, fractions, random_state, *, keep_classes=True):
    """Return the part of each group: 0 for training, then one for each of the fractions.

    Several orders of the groups are tried, and the parts that are nearest to their fractions count.
    With `keep_classes`, training keeps a group of every class; None stands for no such parts.
    """
    n_groups = len(counts)
    rng = check_random_state(random_state)
    # Another order may fit better; a few are tried where that is cheap.
    orders = [rng.permutation(n_groups) for _ in range(int(np.clip(5000 // n_groups, 1, 10)))]
    kept = slice(None) if keep_classes else slice(-1, None)  # the last column is all notes
    fits = (_fill(counts, order, fractions, kept) for order in orders)
    return min(fits, key=lambda fit: fit[0])[1]


def _fill(counts, order, fractions, kept):
    """Deal groups out in the given order; return the misfit and the part of each group, or None."""
    total = counts.sum(axis=0)
    weight = 1 / total
    missing = [fraction * total for fraction in fractions]  # of each class, what a part still wants
    left = total.copy()  # of each class, what training still has
    part = np.zeros(len(counts), dtype=int)

    def is_last(count):
        return np.any((left == count)[kept] & (count > 0)[kept])

    def gain(count, k):
        return weight @ (count * (2 * missing[k] - count))

    def give(group, k):
        if part[group] == 0:
            left[:] -= counts[group]
        else:
            missing[part[group] - 1] += counts[group]
        missing[k] -= counts[group]
        part[group] = k + 1

    # The misfit is convex in what a part has, so a group that does not help now never will later:
    # one pass is enough.
    for group in order:
        count = counts[group]
        if is_last(count):
            continue
        gains = [gain(count, k) for k in range(len(missing))]
        if max(gains) > 0:
            give(group, gains.index(max(gains)))
    # A part that no group helps, or that is left none, gets the one that harms it least.
    for k in range(len(missing)):
        if k + 1 not in part:
            size = np.bincount(part)
            free = [group for group in order if part[group] == 0 and not is_last(counts[group])]
            free = free or [group for group in order if part[group] and size[part[group]] > 1]
            if not free:
                return np.inf, None
            give(max(free, key=lambda group: gain(counts[group], k)), k)
    return sum(weight @ one**2 for one in missing), part
