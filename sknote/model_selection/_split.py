"""Splits that keep every group whole, into two parts or three, and checks of given folds.

The folds themselves are scikit-learn's (`StratifiedGroupKFold` is the usual choice); what is here
is what scikit-learn does not have: stratified parts of whole groups, for use inside ``fit`` and for
data that is split once, and errors that name the groups and classes that spoil a split.
"""

import itertools
import reprlib
import warnings
from numbers import Real

import numpy as np
from sklearn.utils.multiclass import type_of_target

from sknote._input.checks import check_groups
from sknote._interval import check_seed
from sknote.exceptions import GroupLeakageError
from sknote.model_selection._deal import count_classes, deal_groups

_MOST_FOLDS = 100_000
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
        If `fraction` is not between 0 and 1, `random_state` is no seed, the lengths differ, a group
        is missing, there are fewer than two groups, or every group holds all that there is of some
        class.

    Examples
    --------
    >>> from sknote.model_selection import grouped_validation_split
    >>> y = ["good", "bad"] * 4
    >>> groups = ["a", "a", "b", "b", "c", "c", "d", "d"]
    >>> train, valid = grouped_validation_split(y, groups, fraction=0.25, random_state=0)
    >>> len(train), len(valid), len({groups[i] for i in valid})
    (6, 2, 1)
    """
    if not (isinstance(fraction, Real) and 0 < fraction < 1):
        raise ValueError(
            "grouped_validation_split: fraction must be above 0 and below 1, "
            f"got {fraction!r} instead."
        )
    check_seed(random_state, "grouped_validation_split")
    counts, group_code = count_classes(y, groups, 2, "grouped_validation_split")
    part = deal_groups(counts, [fraction], random_state)
    if part is None:
        raise ValueError(
            "grouped_validation_split: no group can be set aside, because each of the "
            f"{len(counts)} groups holds all the notes of some class. Train without a validation "
            "part, or give each class at least two groups."
        )
    part = part[group_code]
    return np.flatnonzero(part == 0), np.flatnonzero(part == 1)


def grouped_train_valid_test_split(
    y, groups=None, *, valid_fraction=0.15, test_fraction=0.15, random_state=None
):
    """Split into three parts of whole groups, stratified as well as whole groups allow.

    One part to train on, one to choose by (epochs, thresholds, a model), and one that is looked at
    once, for the score. Groups are drawn in random order; one goes to validation or to test where
    that brings the number of notes of each class, and of all classes, nearer to what the part wants
    (in squares relative to the class's size), and where no class would lose its last training
    member. Each part has at least one group.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Class labels.
    groups : array-like of shape (n_samples,), default=None
        Group of each sample; None means that each sample is a group of its own.
    valid_fraction, test_fraction : float, default=0.15
        Shares of the samples wanted for validation and test, both above 0 and together below 1.
        What is left is for training.
    random_state : int, RandomState instance or None, default=None
        Seed of the order in which groups are tried.

    Returns
    -------
    train_idx, valid_idx, test_idx : ndarray of int
        Positions of the samples of each part, ascending. No group is in two of them.

    Raises
    ------
    ValueError
        If the fractions leave nothing for a part, `random_state` is no seed, the lengths differ, a
        group is missing, or there are fewer than three groups.

    Warns
    -----
    UserWarning
        If a class is in no training part, because whole groups leave no other way; the classes
        are named. A model cannot predict a class that it was not shown.

    See Also
    --------
    grouped_validation_split : Two parts.
    sklearn.model_selection.StratifiedGroupKFold : Every sample is tested once.

    Examples
    --------
    >>> from sknote.model_selection import grouped_train_valid_test_split
    >>> y = ["good", "bad"] * 10
    >>> groups = [i // 2 for i in range(20)]
    >>> train, valid, test = grouped_train_valid_test_split(
    ...     y, groups, valid_fraction=0.2, test_fraction=0.2, random_state=0
    ... )
    >>> len(train), len(valid), len(test)
    (12, 4, 4)
    >>> sorted({groups[i] for i in test} & {groups[i] for i in [*train, *valid]})
    []
    """
    fractions = valid_fraction, test_fraction
    # A share that rounding puts a little below 1 would leave nothing to train on.
    numbers = all(isinstance(fraction, Real) and fraction < 1 for fraction in fractions)
    if not (numbers and min(fractions) > 0 and sum(fractions) < 1 - 1e-9):
        raise ValueError(
            "grouped_train_valid_test_split: valid_fraction and test_fraction must be above 0 and "
            f"sum to less than 1, got {valid_fraction!r} and {test_fraction!r} instead. "
            "What they leave is trained on."
        )
    check_seed(random_state, "grouped_train_valid_test_split")
    counts, group_code = count_classes(y, groups, 3, "grouped_train_valid_test_split")
    part = deal_groups(counts, fractions, random_state)
    if part is None:
        part = deal_groups(counts, fractions, random_state, keep_classes=False)
    part = part[group_code]
    train, valid, test = (np.flatnonzero(part == k) for k in range(3))
    _warn_of_lost_classes(np.asarray(y), train, group_code)
    return train, valid, test


def _warn_of_lost_classes(y, train, group_code):
    """Warn of classes that are not among the samples to train on."""
    lost = np.setdiff1d(y, y[train]).tolist()
    if lost:
        named = [f"{c!r} (in {len(np.unique(group_code[y == c]))})" for c in lost[:N_NAMED]]
        warnings.warn(
            f"grouped_train_valid_test_split: {len(lost)} class(es) in too few groups to be in the "
            f"training part: {', '.join(named)}{', ...' if len(lost) > N_NAMED else ''}. A model "
            "cannot predict a class that it was not shown; use finer groups, or drop or merge the "
            "classes.",
            UserWarning,
            stacklevel=3,
        )


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
        Positions of the samples of each part, e.g. ``StratifiedGroupKFold().split(X, y, groups)``;
        up to 100,000 folds.
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
        If there is no fold, or no end of folds; if one is no pair, a part of one is empty or no
        positions of samples, both share one, or a group is missing.
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
    folds = _as_pairs(folds)
    if not folds:
        raise ValueError("check_folds: there are no folds; the cross-validation made no split.")
    groups = check_groups(groups, None, "check_folds")
    n_samples = next((len(part) for part in (y, groups) if part is not None), None)
    for k, (train, test) in enumerate(folds):
        for part, name in ((train, "training"), (test, "test")):
            if len(np.flatnonzero(part) if np.asarray(part).dtype == bool else part) == 0:
                n_groups = "" if groups is None else f" There are {len(np.unique(groups))} groups;"
                raise ValueError(
                    f"check_folds: the {name} part of fold {k} of {len(folds)} is empty."
                    f"{n_groups} use fewer folds."
                )
        _check_positions(train, test, k, n_samples)
        if groups is not None:
            check_no_leak(groups[train], groups[test])
    if y is not None and type_of_target(y) in ("binary", "multiclass"):
        _warn_of_unseen_classes(folds, np.asarray(y), groups)
    return folds


def _as_pairs(folds):
    """List folds, each a pair of sequences; what is none of this is a ValueError."""
    expected = "check_folds: expected pairs (train, test) of positions of samples, got"
    if not np.iterable(folds):
        raise ValueError(f"{expected} {folds!r}. Pass what a splitter's split(X, y) returns.")
    pairs = list(itertools.islice(folds, _MOST_FOLDS + 1))
    if len(pairs) > _MOST_FOLDS:
        raise ValueError(
            f"check_folds: expected at most {_MOST_FOLDS} folds, got more. Pass a splitter's folds "
            "once, and no iterator without an end."
        )
    for k, pair in enumerate(pairs):
        if not _is_pair(pair):
            raise ValueError(f"{expected} {reprlib.repr(pair)} as fold {k}.")
    return pairs


def _is_pair(pair):
    try:
        train, test = pair
        return np.ndim(train) == np.ndim(test) == 1
    except (TypeError, ValueError):  # no two, or rows of several lengths
        return False


def _check_positions(train, test, k, n_samples):
    """Check that the parts of a fold are positions of samples, and share none."""
    chosen = []
    for part in map(np.asarray, (train, test)):
        positions = np.flatnonzero(part) if part.dtype == bool else part
        of_samples = part.dtype != bool or n_samples in (None, len(part))
        if positions.dtype.kind not in "iu" or not of_samples:
            raise ValueError(
                f"check_folds: expected the parts of fold {k} to be positions of samples, got "
                f"{part.dtype} of shape {part.shape}."
            )
        first, last = positions.min(), positions.max()
        if n_samples is not None and not (-n_samples <= first and last < n_samples):
            raise ValueError(
                f"check_folds: fold {k} names the samples {first} to {last}, and there are "
                f"{n_samples}."
            )
        chosen.append(positions % n_samples if n_samples else positions)
    if len(shared := np.intersect1d(*chosen)):
        raise ValueError(
            f"check_folds: {len(shared)} samples are on both sides of fold {k}, the first of them "
            f"{shared[0]}. A score on it would be inflated."
        )


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
