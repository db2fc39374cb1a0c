"""Groups and metadata in OptunaSearch, with and without routing."""

import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from searches import GROUPS, TREE, Scripted, X, Y, make
from sklearn.base import clone
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    StratifiedGroupKFold,
    cross_validate,
)
from sklearn.pipeline import Pipeline

from sknote.exceptions import GroupLeakageError
from sknote.model_selection import OptunaSearch

INDEX = np.arange(90.0)[:, None]


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize("cv", [None, 3, GroupKFold(3), GroupShuffleSplit(3, random_state=0)])
@pytest.mark.filterwarnings("ignore:The scoring Scripted.score does not support sample_weight")
def test_no_group_on_both_sides(routing, cv):
    Scripted.fits.clear()
    with sklearn.config_context(enable_metadata_routing=routing):
        estimator = Scripted(script=lambda value, fold: 0.5)
        if routing:
            estimator.set_fit_request(groups=True, sample_weight=True)
        search = OptunaSearch(estimator, {"value": [1, 2]}, n_trials=2, cv=cv)
        search.fit(INDEX, Y, groups=GROUPS, sample_weight=np.arange(90))
    *folds, last = Scripted.fits
    assert len(folds) == 2 * search.n_splits_
    for _, rows, weight, groups in folds:
        rows = rows.astype(int)
        left_out = np.setdiff1d(np.arange(90), rows)
        assert not set(GROUPS[rows]) & set(GROUPS[left_out])
        np.testing.assert_array_equal(weight, rows)
        if routing:
            np.testing.assert_array_equal(groups, GROUPS[rows])
        else:
            assert groups is None
    assert (last[3] is not None) == routing
    assert len(last[1]) == 90


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize("cv", [KFold(4), "iterable"])
@pytest.mark.filterwarnings("ignore:The groups parameter is ignored")
def test_cv_that_splits_a_group_is_refused(routing, cv):
    cv = list(KFold(4).split(X)) if cv == "iterable" else cv
    estimator = Scripted(script=lambda value, fold: 0.5)
    with sklearn.config_context(enable_metadata_routing=routing):
        if routing:
            estimator.set_fit_request(groups=True)
        search = OptunaSearch(estimator, {"value": [1, 2]}, cv=cv)
        with pytest.raises(GroupLeakageError, match="on both sides of a split: 4"):
            search.fit(INDEX, Y, groups=GROUPS)


def test_nested_cross_validation_keeps_groups_whole_inside():
    Scripted.fits.clear()
    with sklearn.config_context(enable_metadata_routing=True):
        search = OptunaSearch(
            Scripted(script=lambda value, fold: 0.5).set_fit_request(groups=False),
            {"value": [1, 2]}, n_trials=2, cv=3,
        )  # fmt: skip
        cross_validate(search, INDEX, Y, cv=GroupKFold(3), params={"groups": GROUPS})
    assert len(Scripted.fits) == 3 * (2 * 3 + 1)
    for outer in range(3):
        *inner, refitted = Scripted.fits[7 * outer : 7 * (outer + 1)]
        outer_rows = refitted[1].astype(int)
        for _, rows, _, _ in inner:
            held_out = np.setdiff1d(outer_rows, rows)
            assert len(held_out) and not set(GROUPS[held_out]) & set(GROUPS[rows.astype(int)])


@pytest.mark.parametrize(
    "form",
    [
        list,
        pd.Series,
        lambda v: pd.Series([f"{n:02}" for n in v]),
        lambda v: pd.Series([f"{n:02}" for n in v]).array,
        lambda v: pd.Series(v).astype("category"),
    ],
)
def test_targets_and_groups_in_any_form(form):
    search = make(cv=3).fit(X, form(Y), groups=form(GROUPS))
    assert search.best_score_ == make(cv=3).fit(X, Y, groups=GROUPS).best_score_


@pytest.mark.parametrize("cv", [3, GroupKFold(3)])
@pytest.mark.parametrize(
    ("first", "message"),
    [
        (None, "group of row 0 is missing"),
        (np.nan, "group of row 0 is missing"),
        (1, "groups of one type, got int and str"),
    ],
)
def test_missing_and_mixed_groups_are_refused(cv, first, message):
    with pytest.raises(ValueError, match=f"OptunaSearch: .*{message}"):
        make(cv=cv).fit(X, Y, groups=[first, *map(str, GROUPS[1:])])


@pytest.mark.parametrize("cv", [GroupKFold(3), GroupShuffleSplit(3), StratifiedGroupKFold(3)])
def test_split_by_group_without_groups_is_refused(cv):
    with pytest.raises(ValueError, match=r"splits by group, but no groups came.*metadata_routing"):
        make(cv=cv).fit(X, Y)
    with pytest.raises(ValueError, match=r"(?s)All the 3 fits failed.*no groups came"):
        cross_validate(make(cv=cv), X, Y, groups=GROUPS, cv=GroupKFold(3))


class Validating(Scripted):
    def __init__(self, value=0, script=None, validation_fraction=0.2):
        super().__init__(value, script)
        self.validation_fraction = validation_fraction


@pytest.mark.parametrize("wrap", [lambda inner: inner, lambda inner: Pipeline([("c", inner)])])
@pytest.mark.parametrize(
    ("inner", "warns"),
    [
        (Validating(script=lambda value, fold: 0.5), True),
        (Validating(script=lambda value, fold: 0.5, validation_fraction=None), False),
        (make(cv=2, n_trials=1), True),
        (GridSearchCV(TREE, {"max_depth": [1]}, cv=2), True),
        (TREE, False),
    ],
)
def test_groups_that_do_not_reach_a_split_inside_are_spoken_of(wrap, inner, warns):
    search = OptunaSearch(wrap(clone(inner)), lambda trial: {}, n_trials=1, cv=3)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        search.fit(INDEX, Y, groups=GROUPS)
    said = [str(w.message) for w in caught if "groups do not reach" in str(w.message)]
    assert [type(inner).__name__ in text for text in said] == [True] * warns


def nested(outer, search):
    """What a user may call around a search, with groups and without metadata routing."""
    if outer in ("GridSearchCV", "RandomizedSearchCV"):
        kind = getattr(sklearn.model_selection, outer)
        return kind(search, {"random_state": [0]}, cv=GroupKFold(3), **_ONE[outer]).fit(
            X, Y, groups=GROUPS
        )
    given = {"groups": GROUPS, "cv": GroupKFold(3)}
    if outer == "learning_curve":
        return sklearn.model_selection.learning_curve(search, X, Y, train_sizes=[1.0], **given)
    return getattr(sklearn.model_selection, outer)(search, X, Y, **given)


_ONE = {"GridSearchCV": {}, "RandomizedSearchCV": {"n_iter": 1}}


@pytest.mark.parametrize(
    "outer",
    ["cross_validate", "cross_val_score", "cross_val_predict", "learning_curve", *_ONE],
)
def test_groups_that_stay_outside_a_search_are_spoken_of(outer):
    search = make(cv=2, n_trials=1)
    with pytest.warns(UserWarning, match=r"OptunaSearch: the groups that [\w.]+ has do not reach"):
        nested(outer, search)


def test_where_there_are_no_groups_or_they_arrive_nothing_is_said():
    search = make(cv=2, n_trials=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cross_validate(search, X, Y, cv=3)
        search.fit(X, Y)
        with sklearn.config_context(enable_metadata_routing=True):
            cross_validate(search, X, Y, cv=GroupKFold(3), params={"groups": GROUPS})
