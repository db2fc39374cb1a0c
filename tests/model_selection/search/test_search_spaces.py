"""What OptunaSearch draws from: distributions, lists, define-by-run spaces, estimators."""

import collections
import datetime
import enum
import itertools

import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.distributions import FloatDistribution, IntDistribution
from scipy.stats import loguniform
from searches import HALVES, ROWS, TREE, Scripted, X, Y, make
from sklearn.base import clone
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknote.model_selection import OptunaSearch


def test_define_by_run_space():
    def space(trial):
        kind = trial.suggest_categorical("kind", ["lda", "ridge"])
        if kind == "ridge":
            return {"clf": RidgeClassifier(alpha=trial.suggest_float("alpha", 0.1, 1))}
        return {"clf": LinearDiscriminantAnalysis()}

    pipeline = make_pipeline(StandardScaler(), RidgeClassifier())
    pipeline.steps[1] = ("clf", pipeline.steps[1][1])
    search = make(pipeline, space, n_trials=8).fit(X, Y)
    kinds = {type(params["clf"]) for params in search.cv_results_["params"]}
    assert kinds == {RidgeClassifier, LinearDiscriminantAnalysis}
    best = clone(pipeline).set_params(clf=clone(search.best_params_["clf"]))
    assert search.best_score_ == cross_val_score(best, X, Y, cv=3).mean()
    with pytest.raises(TypeError, match=r"must return a dict.*got NoneType"):
        make(space=lambda trial: None).fit(X, Y)


def test_space_that_prunes_what_it_does_not_want():
    def space(trial):
        depth = trial.suggest_int("max_depth", 1, 4)
        if depth > 2:
            raise optuna.TrialPruned
        return {"max_depth": depth}

    results = make(space=space, n_trials=10).fit(X, Y).cv_results_
    depths = np.ma.getdata(results["param_max_depth"])
    np.testing.assert_array_equal(results["trial_state"] == "PRUNED", depths > 2)
    np.testing.assert_array_equal(np.isnan(results["split0_test_score"]), depths > 2)


def test_estimators_as_choices():
    space = {"clf": [RidgeClassifier(), TREE], "scale": ["passthrough", StandardScaler()]}
    pipeline = make_pipeline(StandardScaler(), RidgeClassifier())
    pipeline.steps = [("scale", pipeline.steps[0][1]), ("clf", pipeline.steps[1][1])]
    search = make(pipeline, space, n_trials=6).fit(X, Y)
    assert search.best_estimator_.named_steps["clf"].n_features_in_ == 6


@pytest.mark.parametrize(
    ("space", "error", "message"),
    [
        ({"max_dept": [1, 2]}, ValueError, r"no parameter 'max_dept' \(did you mean 'max_depth'\?"),
        ({"zzz": [1], "max_depth": [1]}, ValueError, r"no parameter 'zzz'\. estimator.get_params"),
        ({"max_depth": loguniform(1, 2)}, TypeError, r"FloatDistribution\(1e-4, 1e-1, log=True\)"),
        ({"max_depth": 3}, TypeError, r"\['max_depth'\] must be a distribution.*Got 3 instead"),
        (lambda trial: {"max_dept": 1}, ValueError, r"did you mean 'max_depth'\?"),
        ({"max_depth": {1, 2}}, TypeError, r"choices in an order, e\.g\. a list\. Got \{1, 2\}"),
        ({"max_depth": "12"}, TypeError, "Got '12' instead"),
        ({"max_depth": np.ones((2, 2))}, TypeError, r"Got array\(\[\[1\., 1\.\], \[1\., 1\.\]\]\)"),
        ({1: [1, 2]}, TypeError, "expected names of parameters in param_distributions, got 1"),
        ([{}], ValueError, "param_distributions"),
    ],
)
def test_bad_space(space, error, message):
    with pytest.raises(error, match=message):
        make(space=space).fit(X, Y)


def test_did_you_mean_in_a_pipeline():
    pipeline = make_pipeline(StandardScaler(), RidgeClassifier())
    with pytest.raises(ValueError, match=r"did you mean 'ridgeclassifier__alpha'\?"):
        make(pipeline, {"ridgeclassifer__alpha": [1, 2]}).fit(X, Y)
    pipeline.steps = [("scale", StandardScaler()), ("classify", RidgeClassifier())]
    with pytest.raises(ValueError, match=r"did you mean 'classify__tol'\?"):
        make(pipeline, {"clasify__tl": [1, 2]}).fit(X, Y)


def test_names_that_only_set_params_knows():
    class Open(Scripted):
        def set_params(self, **params):
            self.extra = params.pop("module__width", None)
            return super().set_params(**params)

    search = make(Open(script=lambda value, fold: 0.5), {"module__width": [3]}, n_trials=1)
    assert search.fit(ROWS, HALVES).best_params_ == {"module__width": 3}


class Size(enum.IntEnum):
    SMALL = 1
    LARGE = 2


def shout(text):
    return text.upper()


CHOICES = {
    "numbers of NumPy": list(np.logspace(-2, 2, 4)),
    "narrow numbers": [np.float32(0.1), np.int8(3), np.bool_(True)],
    "texts of NumPy": list(np.array(["a", "b"])),
    "tuples": [(64,), (64, 32), (), None],
    "estimators": [RidgeClassifier(), RidgeClassifier(alpha=2), TREE, "drop", None],
    "equal, and not the same": [1, True, 1.0, np.int64(1), 0, False],
    "not even equal to itself": [float("nan"), np.nan, 1.0],
    "lists, dicts and arrays": [[1], {"a": 1}, np.arange(3), np.arange(3.0)],
    "functions": [shout, str.upper, lambda text: text, lambda text: 2 * text],
    "classes": [RidgeClassifier, LinearDiscriminantAnalysis],
    "dates": [datetime.date(2000, 1, 1), np.datetime64("2000-01-01")],
    "members of an enum": [Size.SMALL, Size.LARGE],
    "long ones": ["x" * 3000, b"x" * 3000, tuple(range(1000))],
    "infinite and large": [float("inf"), 10**30, -0.0],
}


@pytest.mark.parametrize(
    ("name", "kind"),
    [*itertools.product(CHOICES, [None, "journal"]), ("estimators", "sqlite")],
)
@pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")
def test_choices_come_back_as_they_were_given(tmp_path, kind, name):
    choices = list(CHOICES[name])
    storage = {"journal": tmp_path / "journal", "sqlite": f"sqlite:///{tmp_path}/db"}.get(kind)

    def search(n_trials):
        search = OptunaSearch(
            Scripted(script=lambda value, fold: 0.5), {"value": CHOICES[name]}, cv=2,
            n_trials=n_trials, storage=storage, study_name="one", resume=kind is not None,
            random_state=0,
        )  # fmt: skip
        return search.fit(ROWS, HALVES)

    def is_own(value):
        plain = (bool, int, float, str)
        own = any(value is choice for choice in choices)
        return own or (type(value) in plain and value in choices)

    search(2)
    made = search(2 * len(choices))
    values = [params["value"] for params in made.cv_results_["params"]]
    assert all(map(is_own, values))
    assert len({id(value) for value in values}) > 1
    assert is_own(made.best_params_["value"])
    assert type(made.best_estimator_.value) is type(made.best_params_["value"])


@pytest.mark.parametrize(
    ("then", "now"),
    [
        ([(1,), (2,)], [(1,), (3,)]),
        ([RidgeClassifier()], [RidgeClassifier(alpha=2)]),
        ([TREE, RidgeClassifier()], [RidgeClassifier(), TREE]),
        ([np.float32(1)], [np.float32(2)]),
        ([np.float32(0.1)], [0.1]),
        ([np.int64(1)], [1.0]),
        ([np.zeros(2000)], [np.append(np.zeros(1999), 1)]),
    ],
)
def test_study_of_other_choices_is_refused(tmp_path, then, now):
    made = make(
        Scripted(script=lambda value, fold: 0.5), {"value": then}, n_trials=2, refit=False,
        storage=tmp_path / "journal", study_name="one", resume=True,
    )  # fmt: skip
    made.fit(ROWS, HALVES).fit(ROWS, HALVES)
    with pytest.raises(ValueError, match="another search space"):
        made.set_params(param_distributions={"value": now}).fit(ROWS, HALVES)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([np.uint8(3), np.uint8(5)], [3, 5]),
        (np.array([0.1, 0.2]), (0.1, 0.2)),
        (np.array(["a", "b"]), ["a", "b"]),
        ([np.bool_(True), None], [True, None]),
        ([(np.int64(1), 2), [{"a": np.float64(0.5)}]], [(1, 2), [{"a": 0.5}]]),
        ([np.int64(1), True], [1, True]),
        (range(1, 9, 2), [1, 3, 5, 7]),
    ],
)
def test_study_of_equal_choices_is_resumed(tmp_path, one, other):
    for k, (then, now) in enumerate([(one, other), (other, one)]):
        made = make(
            Scripted(script=lambda value, fold: 0.5), {"value": then}, n_trials=2, refit=False,
            storage=tmp_path / f"journal {k}", study_name="one", resume=True,
        ).fit(ROWS, HALVES)  # fmt: skip
        made.set_params(param_distributions={"value": now}, n_trials=4).fit(ROWS, HALVES)
        own = {(type(value), repr(value)) for value in now}
        assert {(type(p["value"]), repr(p["value"])) for p in made.cv_results_["params"]} <= own


def test_study_of_a_choice_that_a_function_suggests(tmp_path):
    made = make(
        space=lambda trial: {"max_depth": trial.suggest_categorical("d", [np.int64(1), (2,)])},
        storage=tmp_path / "journal",
    )
    with (
        pytest.raises(TypeError, match=r"cannot keep a choice.*look up by it"),
        pytest.warns(UserWarning, match="Choices for a categorical"),
    ):
        made.fit(X, Y)


def test_array_of_choices(tmp_path):
    made = make(space={"max_depth": np.array([1, 2, 3])}, storage=tmp_path / "journal")
    assert isinstance(made.fit(X, Y).best_params_["max_depth"], np.int64)
    with pytest.raises(ValueError, match=r"\['max_depth'\] has no choices"):
        make(space={"max_depth": []}).fit(X, Y)


@pytest.mark.parametrize(
    "choices",
    [
        range(1, 4), pd.Series([1, 2, 3]), pd.Index([1, 2, 3]), pd.array([1, 2, 3]),
        pd.Categorical([1, 2, 3]), collections.deque([1, 2, 3]),
    ],
)  # fmt: skip
def test_any_sequence_of_choices(choices):
    results = make(space={"max_depth": choices}, n_trials=6).fit(X, Y).cv_results_
    depths = {params["max_depth"] for params in results["params"]}
    assert depths <= {1, 2, 3}
    assert len(depths) > 1
    with pytest.raises(ValueError, match="has no choices"):
        make(space={"max_depth": range(0)}).fit(X, Y)


def test_bounds_may_be_numbers_of_numpy(tmp_path):
    space = {
        "ccp_alpha": FloatDistribution(np.float64(1e-4), np.float32(0.5), log=True),
        "max_depth": IntDistribution(np.int64(1), np.int8(5)),
    }
    made = make(
        space=space, storage=tmp_path / "journal", study_name="one", resume=True, n_trials=2
    )
    assert made.fit(X, Y).fit(X, Y).best_params_.keys() == space.keys()


def test_a_search_for_nothing_is_refused():
    with pytest.raises(ValueError, match="param_distributions is empty"):
        make(space={}).fit(X, Y)
    with pytest.raises(ValueError, match="expected n_jobs to be from 1 to 1024"):
        make(n_jobs=0).fit(X, Y)


@pytest.mark.parametrize("space", [lambda: {}, lambda trial, more: {}])
def test_a_define_by_run_space_is_called_with_a_trial(space):
    with pytest.raises(TypeError, match=r"^OptunaSearch: expected a define-by-run param_distr"):
        make(space=space).fit(X, Y)


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize(
    ("kind", "params", "message"),
    [
        ("GridSampler", [{"other": [1]}], "'ccp_alpha'.* not found in the given grid"),
        ("BruteForceSampler", [], "'ccp_alpha'.*step must be given"),
    ],
)
def test_a_sampler_that_cannot_draw_is_named(kind, params, message):
    sampler = getattr(optuna.samplers, kind)(*params)
    who = f"^OptunaSearch: the sampler {kind} draws no value"
    with pytest.raises(ValueError, match=f"{who} .*{message}"):
        make(sampler=sampler).fit(X, Y)
