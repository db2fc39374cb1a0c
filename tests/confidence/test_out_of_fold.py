"""Out-of-fold probabilities: whole groups, a column for every class, sums of 1."""

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import LeaveOneGroupOut, RepeatedStratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknote.confidence._out_of_fold import check_probabilities, fit_params_of, out_of_fold
from sknote.exceptions import GroupLeakageError


def blobs(n_groups=12, size=4, n_classes=3, seed=0):
    """Rows whose first column is their group, and whose label goes by group."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n_groups), size)
    y = np.array(["a", "b", "c", "d"], dtype="<U4")[groups % n_classes]
    X = np.c_[groups, rng.normal(size=(len(y), 2)) + 3 * (groups % n_classes)[:, None]]
    return X, y, groups


class Listener(ClassifierMixin, BaseEstimator):
    """Knows which groups, and how many rows, it was fitted on; answers by what `kind` says."""

    def __init__(self, kind="even"):
        self.kind = kind

    def fit(self, X, y, groups=None, weight=None):
        self.heard_ = set(np.asarray(X)[:, 0].tolist())
        self.given_ = groups, weight
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        assert not self.heard_ & set(np.asarray(X)[:, 0].tolist()), "a group on both sides"
        proba = np.full((len(X), len(self.classes_)), 1 / len(self.classes_))
        if self.kind == "nan":
            proba[-1, 0] = np.nan
        elif self.kind == "double":
            proba *= 2
        elif self.kind == "negative":
            proba[0, :2] = -0.5, 1 + proba[0, :2].sum() - 0.5
        elif self.kind == "narrow":
            proba = proba[:, 1:]
        return proba


@pytest.mark.filterwarnings("ignore:x. 3 class:UserWarning")  # one group a fold
@pytest.mark.parametrize("cv", [None, 3, LeaveOneGroupOut()])
def test_groups_stay_whole_and_every_note_is_asked_about(cv):
    X, y, groups = blobs()

    def look(model, X, train, test):
        return set(groups[train]), set(groups[test]), len(test)

    found = out_of_fold(Listener(), X, y, groups=groups, cv=cv, look=look, name="x")
    assert all(not train & test for train, test, _ in found.looks)
    assert sum(size for *_, size in found.looks) == len(y)
    assert found.rows.tolist() == list(range(len(y)))
    np.testing.assert_allclose(found.proba.sum(axis=1), 1)


@pytest.mark.parametrize("kind", ["array", "frame", "list"])
def test_every_form_of_x_gives_the_same(kind):
    X, y, groups = blobs()
    make = {"array": np.asarray, "frame": pd.DataFrame, "list": lambda X: X.tolist()}[kind]
    found = out_of_fold(LogisticRegression(), make(X), y, groups=groups, name="x")
    with parallel_config(backend="threading"):
        expected = out_of_fold(LogisticRegression(), X, y, groups=groups, n_jobs=2, name="x")
    np.testing.assert_allclose(found.proba, expected.proba)
    assert np.mean(found.classes[found.proba.argmax(axis=1)] == y) > 0.8


def test_folds_that_test_some_or_more_than_once():
    X, y, _ = blobs()
    half = out_of_fold(LogisticRegression(), X, y, cv=[(range(24), range(24, 40))], name="x")
    assert half.rows.tolist() == list(range(24, 40))
    twice = RepeatedStratifiedKFold(n_splits=2, n_repeats=2, random_state=0)
    found = out_of_fold(LogisticRegression(), X, y, cv=twice, name="x")
    np.testing.assert_allclose(found.proba.sum(axis=1), 1)


def test_a_class_that_a_fold_has_not_heard_has_probability_0_there_and_is_named():
    X, y, groups = blobs()
    y[groups == 0] = "rare"
    with pytest.warns(
        UserWarning, match=r"Selective: 2 class.es. in fewer groups than the 4 .*rare"
    ):
        found = out_of_fold(Listener(), X, y, groups=groups, cv=4, name="Selective")
    assert found.classes.tolist() == ["a", "b", "c", "rare"]
    assert (found.proba[y == "rare", 3] == 0).all()
    np.testing.assert_allclose(found.proba.sum(axis=1), 1)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("nan", "a sum of 1, got .*nan"),
        ("double", "a sum of 1, got .*0.667"),
        ("negative", "at least 0"),
        ("narrow", r"probabilities of shape \(\d+, 3\)"),
    ],
)
def test_probabilities_that_are_none(kind, message):
    X, y, groups = blobs()
    with pytest.raises(ValueError, match=f"Selective, fold 0: .*{message}"):
        out_of_fold(Listener(kind), X, y, groups=groups, name="Selective")


def test_what_cannot_be_split():
    X, y, groups = blobs()
    with pytest.raises(GroupLeakageError):
        out_of_fold(
            Listener(), X, y, groups=groups, cv=[(range(2, 48), range(2))], name="Selective"
        )
    with pytest.raises(ValueError, match="part of fold 0 of 1 is empty"):
        out_of_fold(Listener(), X, y, cv=[(range(48), [])], name="Selective")
    with pytest.raises(ValueError, match="Selective: expected a label in at least 2 groups"):
        out_of_fold(Listener(), X, y, groups=y, name="Selective")
    with pytest.raises(TypeError, match="Selective: expected an estimator with predict_proba"):
        out_of_fold(StandardScaler(), X, y, name="Selective")


def test_fit_params_are_cut_to_the_fold_and_groups_go_to_fits_that_take_them():
    X, y, groups = blobs()
    owner = Listener()
    owner.estimator = make_pipeline(StandardScaler(with_mean=False, with_std=False), Listener())
    params = fit_params_of(owner, groups, {"listener__weight": groups * 10, "other": None})
    assert set(params) == {"listener__groups", "listener__weight"}
    found = out_of_fold(
        owner.estimator, X, y, groups=groups, fit_params=params, name="x",
        look=lambda model, X, train, test: (model[-1].given_, train),
    )  # fmt: skip
    for given, train in found.looks:
        np.testing.assert_array_equal(given[0], groups[train])
        np.testing.assert_array_equal(given[1], groups[train] * 10)
    owner.estimator = LogisticRegression()
    assert fit_params_of(owner, groups, {}) == {}


def test_small_rounding_is_no_error():
    found = check_probabilities(np.array([[0.30004, 0.7]], dtype=np.float32), 1, 2, "x")
    assert found.dtype == np.float64
    assert found.sum() == pytest.approx(1, abs=1e-12)
