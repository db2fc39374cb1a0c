"""Tests of the pipeline steps that a search computes once."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.datasets import make_classification
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer, StandardScaler

from sknote import make_note_pipeline
from sknote.feature_extraction import AudioLoader, Spectrogram
from sknote.model_selection import OptunaSearch
from sknote.model_selection.search._precompute import LeadingSteps

X, Y = make_classification(60, 5, random_state=0)


class Loader(TransformerMixin, BaseEstimator):
    """Learns nothing, and counts the rows that it was asked for."""

    rows = 0

    def __init__(self, power=1):
        self.power = power

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags

    def fit(self, X, y=None):
        return self

    def fit_transform(self, X, y=None):
        raise AssertionError("what is computed in advance is not for training only")

    def transform(self, X):
        Loader.rows += len(X)
        return np.asarray(X) ** self.power


class Shifter(Loader):
    fit_transform = TransformerMixin.fit_transform


def _pipeline(*steps):
    names = ["load", "spectrogram", "scale"]
    return Pipeline([*zip(names, steps), ("classify", RidgeClassifier())])


def _search(pipeline, space=None, **params):
    space = {"classify__alpha": [0.1, 1, 10]} if space is None else space
    return OptunaSearch(pipeline, space, **({"n_trials": 4, "cv": 3, "random_state": 0} | params))


def test_stateless_steps_are_computed_once_and_change_nothing():
    Loader.rows = 0
    search = _search(_pipeline(Loader(), Normalizer(), StandardScaler())).fit(X, Y)
    assert Loader.rows == len(X)
    plain = _search(_pipeline(Shifter(), Normalizer(), StandardScaler()), precompute=False)
    plain.fit(X, Y)
    for key in ("mean_test_score", "split0_test_score"):
        np.testing.assert_array_equal(search.cv_results_[key], plain.cv_results_[key])
    assert Loader.rows > 10 * len(X)
    best = search.best_estimator_
    assert isinstance(best.named_steps["load"], Loader) and best.get_params()["load__power"] == 1
    np.testing.assert_array_equal(best.predict(X), plain.predict(X))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(search)).predict(X), plain.predict(X))


def test_scores_equal_those_of_grid_search():
    grid = {"classify__alpha": [0.1, 1, 10]}
    theirs = GridSearchCV(_pipeline(Shifter(3), StandardScaler()), grid, cv=3).fit(X, Y)
    ours = _search(_pipeline(Loader(3), StandardScaler()), n_trials=12).fit(X, Y)
    scores = dict(zip(grid["classify__alpha"], theirs.cv_results_["mean_test_score"], strict=True))
    for params, score in zip(
        *map(ours.cv_results_.get, ("params", "mean_test_score")), strict=True
    ):
        assert score == scores[params["classify__alpha"]]


def _reused(pipeline, params, fit_params=(), **kwargs):
    steps = LeadingSteps(pipeline, X, dict.fromkeys(fit_params, 1), **kwargs)
    return list(steps.split(params)[2])


class Random(Loader):
    def __init__(self, random_state=None):
        self.random_state = random_state


class NonDeterministic(Loader):
    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.non_deterministic = True
        return tags


@pytest.mark.parametrize(
    ("steps", "params", "reused"),
    [
        ((Loader(), Normalizer()), {"classify__alpha": 1}, ["load", "spectrogram"]),
        ((Loader(), Normalizer()), {"spectrogram__norm": "l1"}, ["load"]),
        ((Loader(), Normalizer()), {"spectrogram": "passthrough"}, ["load"]),
        ((Loader(), Normalizer()), {"load__power": 2}, []),
        ((Loader(), Normalizer()), {"steps": []}, []),
        ((Loader(), StandardScaler(), Normalizer()), {}, ["load"]),  # it learns from all rows
        ((StandardScaler(), Loader()), {}, []),
        (("passthrough", Loader()), {}, ["spectrogram"]),
        ((FunctionTransformer(), Loader()), {}, []),  # its function may look at all rows
        ((Random(), Loader()), {}, []),
        ((NonDeterministic(), Loader()), {}, []),
    ],
)
def test_which_steps_are_computed_in_advance(steps, params, reused):
    assert _reused(_pipeline(*steps), params) == reused


def test_steps_that_take_fit_parameters_are_left_alone():
    pipeline = _pipeline(Loader(), Normalizer())
    assert _reused(pipeline, {}, ["classify__sample_weight"]) == ["load", "spectrogram"]
    assert _reused(pipeline, {}, ["spectrogram__sample_weight"]) == ["load"]
    assert _reused(pipeline, {}, enabled=False) == []

    class Weighted(Loader):
        def fit(self, X, y=None, sample_weight=None):
            return self

    with sklearn.config_context(enable_metadata_routing=True):
        step = Weighted().set_fit_request(sample_weight=True)
        assert _reused(_pipeline(step), {}, ["sample_weight"]) == []
        assert _reused(_pipeline(step), {}, ["groups"]) == ["load"]


def test_estimator_that_is_no_pipeline():
    steps = LeadingSteps(RidgeClassifier(), X, {})
    estimator, same, fitted = steps.split({})
    assert isinstance(estimator, RidgeClassifier) and same is X and fitted == {}


def test_define_by_run_space_that_tunes_a_step_in_some_trials():
    def space(trial):
        if trial.suggest_categorical("deep", [True, False]):
            return {"spectrogram__norm": trial.suggest_categorical("norm", ["l1", "l2"])}
        return {"classify__alpha": trial.suggest_float("alpha", 0.1, 1)}

    Loader.rows = 0
    search = _search(_pipeline(Loader(), Normalizer()), space, n_trials=8).fit(X, Y)
    deep = {"spectrogram__norm" in params for params in search.cv_results_["params"]}
    assert deep == {True, False}
    assert Loader.rows <= 2 * len(X)  # at most once for each of the two kinds of trial
    plain = _search(_pipeline(Shifter(), Normalizer()), space, n_trials=8, precompute=False)
    np.testing.assert_array_equal(
        plain.fit(X, Y).cv_results_["mean_test_score"], search.cv_results_["mean_test_score"]
    )


def test_step_that_changes_the_number_of_rows_is_an_error():
    class Halving(Loader):
        def transform(self, X):
            return X[::2]

    with pytest.raises(ValueError, match=r"step 'load' made 30 rows out of 60.*precompute=False"):
        _search(_pipeline(Halving())).fit(X, Y)


class Mean(TransformerMixin, BaseEstimator):
    """Stands for a classifier of ragged spectrograms: the mean of each."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        audio = X["audio"] if isinstance(X, pd.DataFrame) else X
        return np.array([spectrogram.mean(axis=0) for spectrogram in audio])

    def __sklearn_is_fitted__(self):
        return True


@pytest.mark.parametrize("form", ["frame", "list"])
def test_ragged_recordings(form):
    rng = np.random.default_rng(0)
    y = np.tile(["loud", "soft"], 12)
    notes = [
        (rng.standard_normal(rng.integers(2000, 6000)) * (1 if label == "loud" else 0.1)).astype(
            np.float32
        )
        for label in y
    ]
    if form == "frame":
        audio = np.empty(len(notes), dtype=object)
        audio[:] = notes
        notes = pd.DataFrame({"audio": audio, "instrument": "flute"})
    pipeline = Pipeline(
        [
            ("load", AudioLoader()),
            ("spectrogram", Spectrogram()),
            ("mean", Mean()),
            ("classify", RidgeClassifier()),
        ]
    )
    assert list(LeadingSteps(pipeline, notes, {}).split({})[2]) == ["load", "spectrogram"]
    search = _search(pipeline).fit(notes, y, groups=np.arange(24) // 4)
    assert search.best_score_ == 1
    np.testing.assert_array_equal(
        clone(pipeline).set_params(**search.best_params_).fit(notes, y).predict(notes),
        search.predict(notes),
    )


def test_steps_that_were_computed_are_put_back_and_no_parameter_changes():
    rng = np.random.default_rng(0)
    X, y = [rng.standard_normal(4000) for _ in range(12)], [0, 1] * 6
    pipeline = make_note_pipeline(classify__augment__semitones=0, classify__max_epochs=1)
    search = OptunaSearch(pipeline, {"classify__lr": [0.01]}, n_trials=1, cv=2, random_state=0)
    best = search.fit(X, y).best_estimator_
    changed = clone(pipeline).set_params(classify__lr=0.01)
    assert repr(clone(best).get_params()) == repr(changed.get_params())
    assert best.predict(X).shape == (len(X),)
    space = {"spectrogram__hop_length": [256]}
    search = OptunaSearch(pipeline, space, n_trials=1, cv=2, random_state=0)
    assert search.fit(X, y).best_estimator_["classify"].axes_.frame_rate == 22050 / 256
