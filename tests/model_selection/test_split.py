"""Tests of the grouped validation part and of the checks of folds."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold

from sknote.exceptions import GroupLeakageError
from sknote.model_selection import check_folds, check_no_leak, grouped_validation_split


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


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan")])
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
    ],
)
def test_impossible_validation_part(y, groups, message):
    with pytest.raises(ValueError, match=message):
        grouped_validation_split(y, groups, fraction=0.2)


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
        ("check_folds", 2, lambda g: check_folds([([0, 1], [2, 3])], None, g)),
        ("check_no_leak, train_groups", 1, lambda g: check_no_leak(g[1:], ["c"])),
        ("check_no_leak, test_groups", 0, lambda g: check_no_leak(["c"], g[2:])),
    ],
    ids=["split", "folds", "train", "test"],
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
    with pytest.raises(ValueError, match="no folds"):
        check_folds([], y)


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
