"""OptunaSearch beside scikit-learn's searches: results, seeds, several metrics, an end."""

import pickle

import numpy as np
import optuna
import pandas as pd
import pytest
import sklearn
from optuna.distributions import FloatDistribution
from optuna.pruners import MedianPruner
from optuna.samplers import GridSampler, NSGAIISampler, RandomSampler
from searches import GROUPS, HALVES, ROWS, TREE, Scripted, X, Y, make, scripted
from sklearn.base import clone
from sklearn.datasets import make_regression
from sklearn.linear_model import Lasso
from sklearn.metrics import accuracy_score, f1_score, make_scorer
from sklearn.model_selection import GridSearchCV, KFold, ShuffleSplit, cross_val_score


@pytest.mark.parametrize(
    "scoring",
    [None, "f1_macro", make_scorer(accuracy_score), ["accuracy", "f1_macro"],
     {"acc": "accuracy"}, lambda est, X, y: {"f1": f1_score(y, est.predict(X), average="macro")}],
    ids=["none", "name", "scorer", "list", "dict", "function of dict"],
)  # fmt: skip
def test_results_equal_those_of_grid_search(scoring):
    refit = {list: "f1_macro", dict: "acc"}.get(type(scoring), True)
    refit = "f1" if callable(scoring) and type(scoring).__name__ == "function" else refit
    grid = {"max_depth": [1, 2, 4], "criterion": ["gini", "entropy"]}
    theirs = GridSearchCV(TREE, grid, cv=4, scoring=scoring, refit=refit, return_train_score=True)
    ours = make(
        space=grid, sampler=GridSampler(grid), n_trials=6, cv=4, scoring=scoring, refit=refit,
        return_train_score=True,
    )  # fmt: skip
    theirs.fit(X, Y)
    ours.fit(X, Y)
    key = [str(sorted(p.items())) for p in theirs.cv_results_["params"]]
    mine = [str(sorted(p.items())) for p in ours.cv_results_["params"]]
    order = [mine.index(params) for params in key]
    assert set(theirs.cv_results_) == set(ours.cv_results_) - {"trial_number", "trial_state"}
    for name, column in theirs.cv_results_.items():
        if name.endswith("_time") or name == "params":
            continue
        np.testing.assert_array_equal(np.ma.getdata(ours.cv_results_[name])[order], column)
    assert ours.best_score_ == theirs.best_score_
    assert ours.multimetric_ == theirs.multimetric_
    np.testing.assert_array_equal(
        ours.predict(X), clone(TREE).set_params(**ours.best_params_).fit(X, Y).predict(X)
    )
    assert ours.score(X, Y) == pytest.approx(theirs.score(X, Y), abs=0.1)


@pytest.mark.parametrize("cv", [None, 3, KFold(3), ShuffleSplit(3, random_state=0), "iterable"])
def test_scores_equal_cross_val_score(cv):
    cv = list(KFold(3).split(X)) if cv == "iterable" else cv
    search = make(cv=cv).fit(X, Y)
    best = clone(TREE).set_params(**search.best_params_)
    assert search.best_score_ == cross_val_score(best, X, Y, cv=cv).mean()
    assert search.study_.best_value == pytest.approx(search.best_score_)


def test_regression_frames_and_refit_function():
    features, target = make_regression(60, 4, noise=5, random_state=0)
    frame = pd.DataFrame(features, columns=list("abcd"))
    search = make(
        Lasso(), {"alpha": FloatDistribution(0.1, 10)}, refit=lambda results: 2,
        scoring=["r2", "neg_mean_absolute_error"],
    ).fit(frame, target)  # fmt: skip
    assert search.best_index_ == 2
    assert search.best_params_ == search.cv_results_["params"][2]
    assert not hasattr(search, "best_score_")
    assert search.feature_names_in_.tolist() == list("abcd")


def test_without_refit_there_is_no_estimator():
    search = make(refit=False).fit(X, Y)
    assert not hasattr(search, "best_estimator_") and not hasattr(search, "predict")
    assert search.best_params_ == search.study_.best_params


def test_strings_as_targets_and_lists_as_input():
    labels = np.array(["good", "bad tongue>", "bad ^air"])[Y]
    search = make().fit(X.tolist(), labels.tolist())
    assert set(search.predict(X)) <= set(labels)
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"],
                                  make().fit(X, Y).cv_results_["mean_test_score"])  # fmt: skip


def test_fitted_search_can_be_pickled_and_cloned():
    search = make(pruner=MedianPruner(), sampler=RandomSampler()).fit(X, Y)
    again = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(again.predict(X), search.predict(X))
    assert len(again.study_.trials) == 4
    assert not hasattr(clone(search), "study_")


@pytest.mark.parametrize("sampler", [None, RandomSampler(), NSGAIISampler(), "qmc"])
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_same_seed_same_trials(sampler):
    sampler = optuna.samplers.QMCSampler(seed=5) if sampler == "qmc" else sampler
    one, two, other = (make(sampler=sampler, n_trials=13, random_state=s, cv=2) for s in (1, 1, 2))
    params = [s.fit(X, Y).cv_results_["params"] for s in (one, two, other)]
    assert params[0] == params[1]
    assert params[0] != params[2] or isinstance(sampler, optuna.samplers.QMCSampler)
    assert one.fit(X, Y).cv_results_["params"] == params[0]


def test_number_of_jobs_does_not_change_the_result():
    def results(n_jobs, **params):
        search = make(n_jobs=n_jobs, n_trials=8, cv=5, **params)
        with sklearn.config_context(enable_metadata_routing=False):
            results = search.fit(X, Y).cv_results_
        return {k: np.ma.getdata(v).tolist() for k, v in results.items() if "_time" not in k}

    pruner = MedianPruner(n_startup_trials=2)
    np.testing.assert_equal(results(2, pruner=pruner), results(None, pruner=pruner))


def test_splits_are_made_once_for_a_fit():
    class Counting(ShuffleSplit):
        calls = 0

        def split(self, X, y=None, groups=None):
            Counting.calls += 1
            return super().split(X, y, groups)

    search = scripted(lambda value, fold: 0.5, [1, 2, 3], cv=Counting(2)).fit(ROWS, HALVES)
    assert Counting.calls == 1
    rows = [fit[1].tolist() for fit in Scripted.fits]
    assert rows[:2] == rows[2:4] == rows[4:]
    assert search.n_splits_ == 2


def test_fit_leaves_parameters_and_global_state_alone():
    sampler = RandomSampler(seed=0)
    search = make(sampler=sampler)
    before = search.get_params(), np.random.get_state()[1].tolist()
    verbosity = optuna.logging.get_verbosity()
    search.fit(X, Y)
    assert search.get_params() == before[0]
    assert np.random.get_state()[1].tolist() == before[1]
    assert optuna.logging.get_verbosity() == verbosity
    assert search.sampler is sampler


def test_pareto_front_of_several_metrics():
    trade = {0: (0.9, 0.1), 1: (0.5, 0.5), 2: (0.4, 0.4), 3: (0.1, 0.9), 4: (0.9, 0.05)}
    scoring = {
        "a": lambda est, X, y: trade[est.value][0],
        "b": lambda est, X, y: trade[est.value][1],
    }
    search = scripted(None, [0, 1, 2, 3, 4], scoring=scoring, refit="b").fit(ROWS, HALVES)
    assert search.pareto_front_.tolist() == [0, 1, 3]
    assert search.best_index_ == 3 and search.best_score_ == pytest.approx(0.9)
    assert search.cv_results_["rank_test_a"].tolist() == [1, 3, 4, 5, 1]
    assert not hasattr(make().fit(X, Y), "pareto_front_")


def test_pruner_with_several_metrics_is_refused():
    search = make(scoring=["accuracy", "f1_macro"], refit=False, pruner=MedianPruner())
    with pytest.raises(ValueError, match=r"one metric, but scoring has \['accuracy', 'f1_macro'\]"):
        search.fit(X, Y)


def test_function_of_several_metrics_without_a_choice_is_refused():
    search = make(scoring=lambda est, X, y: {"a": 1, "b": 2}, refit=False)
    with pytest.raises(ValueError, match=r"returns \['a', 'b'\]; refit must name"):
        search.fit(X, Y)


def test_timeout_shorter_than_a_trial_runs_one():
    search = make(n_trials=None, timeout=1e-9).fit(X, Y)
    assert len(search.study_.trials) == 1
    assert search.best_index_ == 0


def test_timeout_alone_runs_for_as_long():
    search = scripted(lambda value, fold: value, range(10**6), n_trials=None, timeout=0.3)
    assert 2 <= len(search.fit(ROWS, HALVES).study_.trials) < 1000


def test_callbacks_are_called_and_can_stop():
    seen = []

    def callback(study, trial):
        seen.append(trial.number)
        if trial.number == 2:
            study.stop()

    assert len(make(n_trials=9, callbacks=[callback]).fit(X, Y).study_.trials) == 3
    assert seen == [0, 1, 2]


def test_callbacks_of_scikit_learn_see_every_fold():
    class Log:
        def __init__(self):
            self.tasks = []

        def setup(self, estimator, context):
            self.tasks.append("setup")

        def teardown(self, estimator, context):
            self.tasks.append("teardown")

        def on_fit_task_begin(self, estimator, context, **_):
            self.tasks.append(context.task_name)

        def on_fit_task_end(self, estimator, context, **_):
            return False

    log = Log()
    make(n_trials=2).set_callbacks(log).fit(X, Y)
    folds = ["trial-fold-evaluation"] * 6
    assert log.tasks == ["setup", "fit", *folds, "refit-with-best-params", "teardown"]


def test_verbose_prints_a_line_for_each_trial(capsys):
    make(n_trials=2).fit(X, Y)
    silent = capsys.readouterr()
    assert silent.out == silent.err == ""
    make(n_trials=2, verbose=3).fit(X, Y)
    assert capsys.readouterr().out.count("[CV") == 6


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_trials": 0}, "'n_trials' parameter.*must be an int in the range"),
        ({"n_trials": None}, "n_trials and timeout are both None"),
        ({"timeout": 0}, "'timeout' parameter"),
        ({"resume": True}, "resume=True needs a storage and a study_name"),
        ({"resume": True, "storage": "x"}, "resume=True needs a storage and a study_name"),
        ({"pruner": "median"}, "'pruner' parameter"),
        ({"sampler": "tpe"}, "'sampler' parameter"),
        ({"steps_per_fold": 0}, "'steps_per_fold' parameter"),
        ({"scoring": "nonsense"}, "'scoring' parameter"),
        ({"scoring": ["accuracy", "f1_macro"]}, "refit must be set to a scorer key"),
        ({"cv": []}, "no folds"),
        ({"cv": [([], range(90))]}, "training part of fold 0 of 1 is empty"),
        ({"cv": 100}, "n_splits=100 greater than the number"),
    ],
)
def test_bad_parameters(params, message):
    with pytest.raises(ValueError, match=message):
        make(**params).fit(X, Y)


def test_class_in_too_few_groups_is_named():
    labels = np.array(["a", "b", "c"], dtype=object)[Y]
    labels[:2] = "gallo"
    with pytest.warns(UserWarning) as caught:
        make().fit(X, labels, groups=GROUPS)
    assert any("'gallo' (in 1)" in str(warning.message) for warning in caught)


@pytest.mark.parametrize("missing", [None, np.nan, float("nan"), pd.NA])
def test_a_missing_label_is_named_before_anything_is_run(missing):
    y = np.array(["a", "b"] * 45, dtype=object)
    y[7] = missing
    for given in (y, pd.Series(y), y.tolist()):
        with pytest.raises(ValueError, match="OptunaSearch: y contains NaN: the label of row 7 is"):
            make().fit(X, given)


def test_labels_of_several_types_and_what_is_no_callback_are_refused():
    with pytest.raises(ValueError, match="expected labels of one type, got int and str"):
        make().fit(X, ["a", 1] * 45)
    with pytest.raises(TypeError, match=r"expected callbacks that can be called .* got \[1\]"):
        make(callbacks=[1]).fit(X, Y)
    with pytest.raises(TypeError, match=r"no classes of them, got \[<class '.*MaxTrialsCallback'"):
        make(callbacks=[optuna.study.MaxTrialsCallback]).fit(X, Y)
