"""Splits that keep every group whole: one part for validation, and checks of given folds.

The folds themselves are scikit-learn's (`StratifiedGroupKFold` is the usual choice); what is here
is what scikit-learn does not have: a stratified validation part of whole groups for use inside
``fit``, and errors that name the groups and classes that spoil a split.
"""

import warnings

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_consistent_length

from sknote._input.checks import check_groups
from sknote.exceptions import GroupLeakageError

N_NAMED = 5  # how many groups or classes a message names


def grouped_validation_split(y, groups=None, *, fraction, random_state=None):
    """Set whole groups aside for validation, stratified as well as whole groups allow.

    Groups are drawn in random order; one is set aside where that brings the number of notes of each
    class, and of all classes, nearer to `fraction` (in squares relative to the class's size), and
    where no class would lose its last training member. At least one group is always set aside.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Class labels.
    groups : array-like of shape (n_samples,), default=None
        Group of each sample; None means that each sample is a group of its own.
    fraction : float
        Share of the samples wanted for validation, above 0 and below 1.
    random_state : int, RandomState instance or None, default=None
        Seed of the order in which groups are tried.

    Returns
    -------
    train_idx, valid_idx : ndarray of int
        Positions of the samples of each part, ascending. No group is in both.

    Raises
    ------
    ValueError
        If `fraction` is not between 0 and 1, the lengths differ, a group is missing, there are
        fewer than two groups, or every group holds all that there is of some class.

    Examples
    --------
    >>> from sknote.model_selection import grouped_validation_split
    >>> y = ["good", "bad"] * 4
    >>> groups = ["a", "a", "b", "b", "c", "c", "d", "d"]
    >>> train, valid = grouped_validation_split(y, groups, fraction=0.25, random_state=0)
    >>> len(train), len(valid), len({groups[i] for i in valid})
    (6, 2, 1)
    """
    if not 0 < fraction < 1:
        raise ValueError(
            "grouped_validation_split: fraction must be above 0 and below 1, "
            f"got {fraction!r} instead."
        )
    check_consistent_length(y, groups)
    _, y_code = np.unique(np.asarray(y), return_inverse=True)
    groups = check_groups(groups, None, "grouped_validation_split")
    if groups is None:
        groups = np.arange(len(y_code))
    _, group_code = np.unique(groups, return_inverse=True)
    n_groups = group_code.max(initial=-1) + 1
    if n_groups < 2:
        raise ValueError(
            "grouped_validation_split: at least 2 groups are needed, one to train on and one to "
            f"validate on, got {n_groups}. Train without a validation part, or give more groups."
        )

    # One row a group, one column a class; the last column counts all classes together.
    counts = np.zeros((n_groups, y_code.max() + 2))
    np.add.at(counts, (group_code, y_code), 1)
    counts[:, -1] = counts.sum(axis=1)
    rng = check_random_state(random_state)
    # Another order may fit better; a few are tried where that is cheap.
    orders = [rng.permutation(n_groups) for _ in range(int(np.clip(5000 // n_groups, 1, 10)))]
    chosen = min((_fill(counts, order, fraction) for order in orders), key=lambda c: c[0])[1]
    if not chosen:
        raise ValueError(
            "grouped_validation_split: no group can be set aside, because each of the "
            f"{n_groups} groups holds all the notes of some class. Train without a validation "
            "part, or give each class at least two groups."
        )
    is_valid = np.isin(group_code, chosen)
    return np.flatnonzero(~is_valid), np.flatnonzero(is_valid)


def _fill(counts, order, fraction):
    """Choose groups in the given order; return the misfit and the chosen groups (maybe none)."""
    total = counts.sum(axis=0)
    weight = 1 / total
    missing = fraction * total  # of each class, what validation still wants
    left = total.copy()  # of each class, what training still has
    chosen, fallback = [], (np.inf, None)
    # The misfit is convex in what is chosen, so a group that does not help now never will later:
    # one pass is enough.
    for group in order:
        count = counts[group]
        if np.any((left == count) & (count > 0)):
            continue
        gain = weight @ (count * (2 * missing - count))
        if gain > 0:
            chosen.append(group)
            missing = missing - count
            left = left - count
        elif not chosen and -gain < fallback[0]:
            fallback = (-gain, group)
    if not chosen and fallback[1] is not None:
        chosen = [fallback[1]]
        missing = missing - counts[fallback[1]]
    return (weight @ missing**2 if chosen else np.inf), chosen


def check_no_leak(train_groups, test_groups):
    """Check that no group is on both sides of a split.

    Parameters
    ----------
    train_groups, test_groups : array-like
        Group of each sample of the two parts.

    Raises
    ------
    GroupLeakageError
        If a group is in both; the message names it.
    ValueError
        If a group is missing; the message names the row of its part.

    Examples
    --------
    >>> from sknote.model_selection import check_no_leak
    >>> check_no_leak(["a", "b"], ["c"])
    >>> check_no_leak(["a", "b"], ["b", "c"])
    Traceback (most recent call last):
        ...
    sknote.exceptions.GroupLeakageError: 1 group is on both sides of a split: 'b'. ...
    """
    train = check_groups(train_groups, None, "check_no_leak, train_groups")
    test = check_groups(test_groups, None, "check_no_leak, test_groups")
    shared = sorted(set(train.tolist()) & set(test.tolist()))
    if shared:
        raise GroupLeakageError(
            f"{len(shared)} group{'s are' if len(shared) > 1 else ' is'} on both sides of a split: "
            f"{_names(shared)}. A score on this split would be inflated; split by group, e.g. with "
            "cv=sklearn.model_selection.StratifiedGroupKFold(shuffle=True)."
        )


def check_folds(folds, y, groups=None):
    """Check the folds of a cross-validation before time is spent on them.

    Parameters
    ----------
    folds : iterable of (train, test)
        Positions of the samples of each part, e.g. ``StratifiedGroupKFold().split(X, y, groups)``.
    y : array-like of shape (n_samples,) or None
        Class labels; targets of any other kind are not looked at.
    groups : array-like of shape (n_samples,), default=None
        Group of each sample, if samples have groups.

    Returns
    -------
    list of (train, test)
        The folds.

    Raises
    ------
    ValueError
        If there is no fold, a part of one is empty, or a group is missing.
    GroupLeakageError
        If a group is on both sides of a fold.

    Warns
    -----
    UserWarning
        If a class is absent from the training part of a fold, because it is in too few groups; the
        classes are named. A model cannot predict a class that it was not shown.

    Examples
    --------
    >>> from sklearn.model_selection import GroupKFold
    >>> from sknote.model_selection import check_folds
    >>> y, groups = ["good", "bad"] * 3, [0, 0, 1, 1, 2, 2]
    >>> folds = check_folds(GroupKFold(3).split(y, y, groups), y, groups)
    >>> len(folds)
    3
    """
    folds = list(folds)
    if not folds:
        raise ValueError("There are no folds: the cross-validation made no split.")
    groups = check_groups(groups, None, "check_folds")
    for k, (train, test) in enumerate(folds):
        for part, name in ((train, "training"), (test, "test")):
            if len(np.flatnonzero(part) if np.asarray(part).dtype == bool else part) == 0:
                n_groups = "" if groups is None else f" There are {len(np.unique(groups))} groups;"
                raise ValueError(
                    f"The {name} part of fold {k} of {len(folds)} is empty.{n_groups} "
                    "use fewer folds."
                )
        if groups is not None:
            check_no_leak(groups[train], groups[test])
    if y is not None and type_of_target(y) in ("binary", "multiclass"):
        _warn_of_unseen_classes(folds, np.asarray(y), groups)
    return folds


def _warn_of_unseen_classes(folds, y, groups):
    classes = np.unique(y)
    unseen = sorted({c for train, _ in folds for c in np.setdiff1d(classes, y[train]).tolist()})
    if not unseen:
        return
    members = np.arange(len(y)) if groups is None else groups
    unit = "sample" if groups is None else "group"
    named = ", ".join(f"{c!r} (in {len(np.unique(members[y == c]))})" for c in unseen[:N_NAMED])
    warnings.warn(
        f"{len(unseen)} class(es) in too few {unit}s for {len(folds)} folds, so that a fold is "
        f"scored on a class that it was not trained on: {named}"
        f"{', ...' if len(unseen) > N_NAMED else ''}. Use fewer folds, or drop or merge "
        "the classes.",
        UserWarning,
        stacklevel=3,
    )


def _names(values):
    named = ", ".join(repr(value) for value in values[:N_NAMED])
    return named + (", ..." if len(values) > N_NAMED else "")
