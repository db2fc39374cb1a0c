"""Tests of the grouped validation part and of the checks of folds."""

import itertools
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold

from sknote.exceptions import GroupLeakageError
from sknote.model_selection import (
    check_folds,
    check_no_leak,
    grouped_train_valid_test_split,
    grouped_validation_split,
)


def _notes(n_groups, n_classes, rng, size=8):
    """Groups of uneven size that hold a few classes each."""
    groups, y = [], []
    for g in range(n_groups):
        n = int(rng.integers(1, 2 * size))
        groups += [f"g{g}"] * n
        y += rng.choice(n_classes, n).tolist()
    return np.array(y), np.array(groups)


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5, 0.8])
@pytest.mark.parametrize("seed", range(3))
def test_validation_part_is_whole_groups_of_the_wanted_size(fraction, seed):
    y, groups = _notes(80, 5, np.random.default_rng(seed))
    train, valid = grouped_validation_split(y, groups, fraction=fraction, random_state=seed)
    np.testing.assert_array_equal(np.sort(np.r_[train, valid]), np.arange(len(y)))
    assert not set(groups[train]) & set(groups[valid])
    assert set(y[train]) == set(y)
    assert len(valid) / len(y) == pytest.approx(fraction, abs=0.03)
    for c in range(5):
        assert np.mean(y[valid] == c) == pytest.approx(np.mean(y == c), abs=0.05)


def test_without_groups_classes_are_split_to_the_nearest_note():
    y = np.repeat(["a", "b", "c"], [100, 50, 10])
    _, valid = grouped_validation_split(y, fraction=0.2, random_state=0)
    assert dict(zip(*np.unique(y[valid], return_counts=True))) == {"a": 20, "b": 10, "c": 2}


def test_same_seed_same_split_and_other_seed_other_split():
    y, groups = _notes(60, 4, np.random.default_rng(0))
    a, b, c = (
        grouped_validation_split(y, groups, fraction=0.2, random_state=s)[1] for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(a, b)
    assert a.tolist() != c.tolist()


def test_class_with_one_member_or_one_group_stays_in_training():
    y = np.array(["common"] * 20 + ["once"] + ["one-group"] * 3)
    groups = np.array([*range(20), 20, 21, 21, 21])
    for seed in range(20):
        _, valid = grouped_validation_split(y, groups, fraction=0.5, random_state=seed)
        assert set(y[valid]) == {"common"}


def test_two_groups_give_one_each_even_for_a_small_fraction():
    train, valid = grouped_validation_split([0, 1] * 6, [0] * 8 + [1] * 4, fraction=0.05)
    assert train.tolist() == list(range(8)) and valid.tolist() == list(range(8, 12))


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan"), "0.2", None])
def test_fraction_out_of_range(fraction):
    with pytest.raises(ValueError, match="above 0 and below 1"):
        grouped_validation_split([0, 1, 0, 1], fraction=fraction)


@pytest.mark.parametrize(
    ("y", "groups", "message"),
    [
        ([0, 1, 0], [7, 7, 7], "at least 2 groups"),
        ([], None, "at least 2 groups are needed.*got 0"),
        ([0, 1, 2], None, "each of the 3 groups holds all the notes of some class"),
        ([0, 1, 2], [0, 1], "inconsistent numbers of samples"),
        (None, [0, 1], "requires y to be passed"),
        (["a", None, "b"], None, "the label of row 1 is missing"),
        ([[0, 1], [1, 0]], None, "1d array"),
    ],
)
def test_impossible_validation_part(y, groups, message):
    with pytest.raises(ValueError, match=message):
        grouped_validation_split(y, groups, fraction=0.2)


# ------------------------------------------------------------------ three parts


@pytest.mark.parametrize(("valid", "test"), [(0.15, 0.15), (0.2, 0.1), (0.1, 0.4), (0.45, 0.45)])
@pytest.mark.parametrize("seed", range(3))
def test_three_parts_are_whole_groups_of_the_wanted_sizes(valid, test, seed):
    y, groups = _notes(120, 5, np.random.default_rng(seed))
    parts = grouped_train_valid_test_split(
        y, groups, valid_fraction=valid, test_fraction=test, random_state=seed
    )
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(len(y)))
    for one, other in ((0, 1), (0, 2), (1, 2)):
        check_no_leak(groups[parts[one]], groups[parts[other]])
    for part, fraction in zip(parts, (1 - valid - test, valid, test)):
        assert (np.diff(part) > 0).all()
        assert len(part) / len(y) == pytest.approx(fraction, abs=0.03)
        for c in range(5):
            assert np.mean(y[part] == c) == pytest.approx(np.mean(y == c), abs=0.08)


def test_three_parts_without_groups_are_stratified_to_the_nearest_note():
    y = np.repeat(["a", "b", "c"], [100, 50, 10])
    _, valid, test = grouped_train_valid_test_split(
        y, valid_fraction=0.2, test_fraction=0.1, random_state=0
    )
    for part, sizes in ((valid, {"a": 20, "b": 10, "c": 2}), (test, {"a": 10, "b": 5, "c": 1})):
        assert dict(zip(*np.unique(y[part], return_counts=True))) == sizes


def test_three_parts_follow_the_seed_and_take_any_container():
    y, groups = _notes(60, 4, np.random.default_rng(0))
    first, again, other = (
        grouped_train_valid_test_split(y, groups, random_state=seed)[2] for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert first.tolist() != other.tolist()
    labels = np.array(["good", "bad", "air", "pitch"])[y]
    series = pd.Series(labels, index=range(9, 9 + len(y)), dtype="category"), pd.Series(groups)
    for one, same in zip(
        grouped_train_valid_test_split(labels, groups, random_state=1),
        grouped_train_valid_test_split(*series, random_state=1),
    ):
        np.testing.assert_array_equal(one, same)


def test_rare_classes_stay_in_training_without_a_warning():
    y = np.array(["common"] * 30 + ["once"] + ["one-group"] * 3 + ["two-groups"] * 2)
    groups = np.array([*range(30), 30, 31, 31, 31, 32, 33])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for seed in range(20):
            train, _, _ = grouped_train_valid_test_split(
                y, groups, valid_fraction=0.4, test_fraction=0.4, random_state=seed
            )
            assert set(y[train]) == set(y)


@pytest.mark.parametrize("fractions", [(0.15, 0.15), (0.8, 0.1), (0.1, 0.8), (0.01, 0.01)])
@pytest.mark.parametrize("n_groups", [3, 4, 7])
def test_every_part_has_a_group_however_few_there_are(n_groups, fractions):
    groups = np.repeat(np.arange(n_groups), 10)
    valid, test = fractions
    parts = grouped_train_valid_test_split(
        [0, 1] * (5 * n_groups), groups, valid_fraction=valid, test_fraction=test, random_state=0
    )
    assert all(len(part) >= 10 for part in parts)
    assert sum(len(np.unique(groups[part])) for part in parts) == n_groups


def test_classes_that_cannot_be_trained_on_are_named():
    y = np.repeat(["flute-good", "oboe-good", "violin-good", "cello-good"], 5)
    groups = np.repeat(["ann", "ben", "cleo", "dan"], 5)  # each plays what no one else does
    with pytest.warns(UserWarning, match=r"2 class\(es\) in too few groups .*-good' \(in 1\), '"):
        train, valid, test = grouped_train_valid_test_split(y, groups, random_state=0)
    assert sorted(map(len, (train, valid, test))) == [5, 5, 10]


@pytest.mark.parametrize(
    ("valid", "test"),
    [
        (0, 0.2),
        (0.2, -0.1),
        (0.5, 0.5),
        (0.3, 0.8),
        (float("nan"), 0.1),
        ("0.2", 0.1),
        (10**400, 0.1),
    ],
)
def test_fractions_that_leave_nothing_for_a_part(valid, test):
    with pytest.raises(ValueError, match=f"sum to less than 1, got {valid!r} and {test!r} instead"):
        grouped_train_valid_test_split([0, 1] * 9, valid_fraction=valid, test_fraction=test)


@pytest.mark.parametrize(
    ("y", "groups", "message"),
    [
        ([0, 1, 0, 1], [7, 7, 8, 8], "at least 3 groups are needed.* got 2"),
        ([], None, "at least 3 groups are needed.* got 0"),
        ([0, 1, 2], [0, 1], "inconsistent numbers of samples"),
    ],
)
def test_impossible_parts(y, groups, message):
    with pytest.raises(ValueError, match=message):
        grouped_train_valid_test_split(y, groups)


@pytest.mark.parametrize("seed", ["a", -1, 1.5, True, 10**400, np.random.default_rng(0)])
def test_what_is_no_seed_is_said(seed):
    y = [0, 1] * 6
    with pytest.raises(ValueError, match=r"^grouped_validation_split: `random_state` must be None"):
        grouped_validation_split(y, fraction=0.2, random_state=seed)
    with pytest.raises(ValueError, match=r"^grouped_train_valid_test_split: `random_state` must"):
        grouped_train_valid_test_split(y, random_state=seed)


def test_leak_names_the_groups():
    check_no_leak(["a", "b"], ["c", "d"])
    with pytest.raises(GroupLeakageError, match=r"2 groups are on both sides of a split: 'b', 'c'"):
        check_no_leak(["a", "b", "c"], ["b", "c", "d"])
    with pytest.raises(GroupLeakageError, match=r"9 groups .*: 0, 1, 2, 3, 4, \.\.\."):
        check_no_leak(range(9), range(9))


ONES = [1, 1, 1, 1]


@pytest.mark.parametrize("missing", [None, np.nan])
@pytest.mark.parametrize(
    ("name", "row", "call"),
    [
        ("grouped_validation_split", 2, lambda g: grouped_validation_split(ONES, g, fraction=0.5)),
        ("grouped_train_valid_test_split", 2, lambda g: grouped_train_valid_test_split(ONES, g)),
        ("check_folds", 2, lambda g: check_folds([([0, 1], [2, 3])], None, g)),
        ("check_no_leak, train_groups", 1, lambda g: check_no_leak(g[1:], ["c"])),
        ("check_no_leak, test_groups", 0, lambda g: check_no_leak(["c"], g[2:])),
    ],
    ids=["split", "three", "folds", "train", "test"],
)
def test_missing_group_is_named(missing, name, row, call):
    call(["a", "a", "nan", "b"])
    with pytest.raises(ValueError, match=rf"{name}: .* the group of row {row} is missing"):
        call(["a", "a", missing, "b"])


def test_groups_are_compared_as_they_are():
    check_no_leak([1, 2], ["1", "2"])
    with pytest.raises(GroupLeakageError, match="1 group is on both sides of a split: 1"):
        check_no_leak([1, 2], [1.0, 3.0])
    with pytest.raises(ValueError, match="expected groups of one type, got int and str"):
        check_no_leak(["a", 1], ["b"])


def test_good_folds_come_back_unchanged():
    y, groups = _notes(40, 3, np.random.default_rng(0))
    cv = StratifiedGroupKFold(4, shuffle=True, random_state=0)
    folds = check_folds(cv.split(y, y, groups), y, groups)
    for (train, test), (train2, test2) in zip(folds, cv.split(y, y, groups), strict=True):
        np.testing.assert_array_equal(train, train2)
        np.testing.assert_array_equal(test, test2)


def test_folds_that_leak_or_are_empty():
    y, groups = np.array([0, 1] * 4), np.repeat([0, 1], 4)
    with pytest.raises(GroupLeakageError, match="on both sides"):
        check_folds(KFold(4).split(y), y, groups)
    with pytest.raises(ValueError, match=r"test part of fold 1 of 2 is empty. There are 2 groups"):
        check_folds([(range(4), range(4, 8)), (range(8), [])], y, groups)
    with pytest.raises(ValueError, match="training part of fold 0 of 1 is empty"):
        check_folds([([], range(8))], y)
    with pytest.raises(ValueError, match="fold 0 names the samples 2 to 99, and there are 8"):
        check_folds([([0, 1], [2, 99])], y)
    with pytest.raises(ValueError, match=r"parts of fold 1 .* got float64 of shape \(1,\)"):
        check_folds([([0, 1], [2]), ([0, 1], [2.0])], y)
    with pytest.raises(ValueError, match=r"parts of fold 0 .* got bool of shape \(7,\)"):
        check_folds([(np.arange(7) < 4, [5])], y)
    for test in (range(3), [-2], np.arange(8) == 7):
        with pytest.raises(ValueError, match="on both sides of fold 0, the first of them"):
            check_folds([(range(8), test)], y)
    with pytest.raises(ValueError, match="no folds"):
        check_folds([], y)


@pytest.mark.parametrize(
    "folds",
    [
        None,
        3,
        KFold(2),
        "abc",
        ["ab"],
        [([0], [1], [2])],
        [(0, 1)],
        [(["a"], ["b"])],
        [("a", "b")],
        [([0, [1, 2]], [3])],
        [([0], [1]), 5],
    ],
)
def test_what_is_no_pair_of_parts_is_said(folds):
    with pytest.raises(ValueError, match=r"check_folds: expected .* positions of samples, got"):
        check_folds(folds, [0, 1] * 4)


def test_folds_without_an_end_are_refused():
    with pytest.raises(ValueError, match="check_folds: expected at most 100000 folds"):
        check_folds(itertools.repeat(([0, 1], [2, 3])), [0, 1] * 2)


def test_class_in_too_few_groups_is_named():
    y = np.array(["good", "bad"] * 6 + ["gallo"] * 2)
    groups = np.r_[np.repeat(range(6), 2), [6, 6]]
    with pytest.warns(UserWarning, match=r"too few groups for 7 folds.*'gallo' \(in 1\)"):
        check_folds(GroupKFold(7).split(y, y, groups), y, groups)


def test_targets_that_are_not_classes_are_not_looked_at():
    y = np.linspace(0, 1, 9) ** 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(check_folds(KFold(3).split(y), y)) == 3
        assert len(check_folds(KFold(3).split(y), None)) == 3


def test_splitting_does_not_import_optuna():
    code = (
        "import sys, sknote.model_selection as m; m.grouped_validation_split; "
        "assert 'optuna' not in sys.modules and 'OptunaSearch' in dir(m); "
        "assert {name for name in m.__all__ if getattr(m, name)} == set(m.__all__)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
