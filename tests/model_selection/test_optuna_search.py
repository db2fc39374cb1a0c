"""Tests of OptunaSearch against scikit-learn's own searches, and of what those cannot do."""

import pickle
import warnings

import numpy as np
import optuna
import pandas as pd
import pytest
import sklearn
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.pruners import BasePruner, MedianPruner, WilcoxonPruner
from optuna.samplers import GridSampler, NSGAIISampler, RandomSampler
from optuna.trial import TrialState
from scipy.stats import loguniform
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import make_classification, make_regression
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import Lasso, RidgeClassifier
from sklearn.metrics import accuracy_score, f1_score, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    ShuffleSplit,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sknote.exceptions import GroupLeakageError
from sknote.model_selection import OptunaSearch, report_epoch

X, Y = make_classification(90, 6, n_informative=4, flip_y=0.2, n_classes=3, random_state=0)
GROUPS = np.repeat(np.arange(18), 5)
TREE = DecisionTreeClassifier(random_state=0)
SPACE = {"ccp_alpha": FloatDistribution(1e-4, 0.1, log=True), "max_depth": [1, 2, 4, 8]}


def make(estimator=TREE, space=SPACE, **params):
    return OptunaSearch(estimator, space, **({"n_trials": 4, "cv": 3, "random_state": 0} | params))


class Scripted(ClassifierMixin, BaseEstimator):
    """Scores what `score_of` says for (value, first test row); counts its fits."""

    fits = []

    def __init__(self, value=0, script=None):
        self.value, self.script = value, script

    def fit(self, X, y, sample_weight=None, groups=None):
        self.classes_ = np.unique(y)
        Scripted.fits.append((self.value, X[:, 0], sample_weight, groups))
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])

    def score(self, X, y=None):
        score = self.script(self.value, int(X[0, 0] // 10))
        if isinstance(score, Exception):
            raise score
        return score


ROWS = np.arange(40.0)[:, None]  # with KFold(4), the fold is the tens of the row
HALVES = np.tile([0, 1], 20)


def scripted(script, values, **params):
    """A search over given values, in their order, with scripted scores for (value, fold)."""
    Scripted.fits.clear()
    order = iter(values)

    def space(trial):
        value = trial.user_attrs.get("value")
        if value is None:
            value = next(order)
            trial.set_user_attr("value", value)
        trial.suggest_float("dummy", 0, 1)
        return {"value": value}

    defaults = {"n_trials": len(values), "cv": KFold(4), "refit": False}
    return OptunaSearch(Scripted(script=script), space, **(defaults | params))


# As scikit-learn's searches


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


# Reproducible


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


# Groups and metadata


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


# Several metrics


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


# Pruning


class Recorder(BasePruner):
    """Prunes the values that it is told to, and records what it is shown."""

    def __init__(self, prune=()):
        self.bad, self.seen = prune, []

    def __deepcopy__(self, memo):
        return self

    def prune(self, study, trial):
        self.seen.append((trial.number, dict(trial.intermediate_values)))
        return trial.user_attrs["value"] in self.bad


def test_pruner_sees_the_mean_of_the_folds_under_steps_of_their_own():
    pruner = Recorder()
    search = scripted(lambda value, fold: value + [0.4, 0.2, 0.6, 0.0][fold], [0, 1], pruner=pruner)
    search.fit(ROWS, HALVES)
    steps = [trial.intermediate_values for trial in search.study_.trials]
    assert steps[0] == pytest.approx({0: 0.4, 1: 0.3, 2: 0.4, 3: 0.3})
    assert steps[1] == pytest.approx({0: 1.4, 1: 1.3, 2: 1.4, 3: 1.3})
    # asked after the second and third of four folds: never by the first alone
    assert [(number, max(values)) for number, values in pruner.seen] == [
        (0, 1), (0, 2), (1, 1), (1, 2),
    ]  # fmt: skip


def test_pruned_trial_keeps_what_it_has_and_never_wins():
    search = scripted(lambda value, fold: value, [0.2, 0.9, 0.5], pruner=Recorder([0.9]))
    search.fit(ROWS, HALVES)
    results = search.cv_results_
    assert results["trial_state"].tolist() == ["COMPLETE", "PRUNED", "COMPLETE"]
    np.testing.assert_array_equal(results["split1_test_score"], [0.2, 0.9, 0.5])
    np.testing.assert_array_equal(results["split2_test_score"], [0.2, np.nan, 0.5])
    assert results["rank_test_score"].tolist() == [2, 3, 1]
    assert search.best_params_ == {"value": 0.5}
    assert len(Scripted.fits) == 4 + 2 + 4


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_wilcoxon_pruner_sees_paired_folds():
    search = scripted(lambda value, fold: fold / 10, [0, 1], pruner=WilcoxonPruner())
    search.fit(ROWS, HALVES)
    assert search.study_.trials[0].intermediate_values == {0: 0.0, 1: 0.1, 2: 0.2, 3: 0.3}


class Net(Scripted):
    """Reports three epochs on (what stands for) its own validation part."""

    def fit(self, X, y):
        super().fit(X, y)
        for epoch in range(3):
            report_epoch(self.value + epoch / 10, epoch)
        return self


def test_epochs_are_reported_between_the_folds():
    search = scripted(
        lambda value, fold: value - 0.5, [1, 2], pruner=Recorder(), steps_per_fold=4, cv=KFold(2)
    )
    search.estimator = Net(script=search.estimator.script)
    search.fit(ROWS, HALVES)
    # epochs 0-2 and fold 0, then the mean of fold 0 and epochs 0-2, and of folds 0 and 1
    assert search.study_.trials[0].intermediate_values == pytest.approx(
        {0: 1.0, 1: 1.1, 2: 1.2, 3: 0.5, 4: 0.75, 5: 0.8, 6: 0.85, 7: 0.5}
    )


def test_hopeless_fit_ends_within_an_epoch():
    search = scripted(lambda value, fold: value, [1, 2], pruner=Recorder([2]), steps_per_fold=4)
    search.estimator = Net(script=search.estimator.script)
    search.fit(ROWS, HALVES)
    assert search.cv_results_["trial_state"].tolist() == ["COMPLETE", "PRUNED"]
    assert search.study_.trials[1].intermediate_values == {0: 2.0}
    assert len(Scripted.fits) == 4 + 1


@pytest.mark.parametrize("params", [{}, {"steps_per_fold": 4}, {"pruner": Recorder()}])
def test_epochs_are_not_reported_unless_asked_for(params):
    search = scripted(lambda value, fold: value, [1], **params)
    search.estimator = Net(script=search.estimator.script)
    search.fit(ROWS, HALVES)
    reported = list(search.study_.trials[0].intermediate_values)
    assert reported == ([0, 1, 2, 3] if "pruner" in params else [])


# Spaces


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
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Choices for a categorical", UserWarning)
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


def test_names_that_only_set_params_knows():
    class Open(Scripted):
        def set_params(self, **params):
            self.extra = params.pop("module__width", None)
            return super().set_params(**params)

    search = make(Open(script=lambda value, fold: 0.5), {"module__width": [3]}, n_trials=1)
    assert search.fit(ROWS, HALVES).best_params_ == {"module__width": 3}


# When to stop


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


# Failures


def test_failed_fold_fails_its_trial_only():
    class Fragile(Scripted):
        def fit(self, X, y):
            if self.value == 1 and X[0, 0] == 0:
                raise RuntimeError("broken string")
            return super().fit(X, y)

    search = scripted(lambda value, fold: value, [0, 1, 2])
    search.estimator = Fragile(script=search.estimator.script)
    with pytest.warns() as caught:
        search.fit(ROWS, HALVES)
    messages = {w.category: str(w.message) for w in caught}
    assert "broken string" in messages[FitFailedWarning]
    assert "1 of 3 trials scored NaN and count as failed: numbers [1]" in messages[UserWarning]
    assert search.cv_results_["trial_state"].tolist() == ["COMPLETE", "FAIL", "COMPLETE"]
    assert search.cv_results_["split0_test_score"][1] == 1
    assert np.isnan(search.cv_results_["split1_test_score"][1])
    assert search.best_params_ == {"value": 2}

    with pytest.warns(FitFailedWarning):
        finite = scripted(lambda value, fold: value, [0, 1, 2], error_score=-1)
        finite.set_params(estimator=search.estimator).fit(ROWS, HALVES)
    assert finite.cv_results_["mean_test_score"][1] == pytest.approx(-0.5)
    assert finite.cv_results_["trial_state"].tolist() == ["COMPLETE"] * 3

    with pytest.raises(RuntimeError, match="broken string"):
        finite = scripted(lambda value, fold: value, [0, 1, 2], error_score="raise")
        finite.set_params(estimator=search.estimator).fit(ROWS, HALVES)


def test_all_fits_failing_is_an_error():
    class Broken(Scripted):
        def fit(self, X, y):
            raise RuntimeError("no sound")

    search = scripted(None, [0, 1]).set_params(estimator=Broken())
    with pytest.raises(ValueError, match=r"(?s)All the 8 fits failed.*no sound"):
        search.fit(ROWS, HALVES)
    assert [trial.state for trial in search.study_.trials] == [TrialState.FAIL] * 2


def test_score_of_nan_is_a_failed_trial():
    search = scripted(lambda value, fold: np.nan if value else 0.5, [0, 1])
    with pytest.warns(UserWarning, match=r"1 of 2 trials scored NaN.*numbers \[1\]"):
        search.fit(ROWS, HALVES)
    assert search.best_index_ == 0
    search = scripted(lambda value, fold: np.nan, [0, 1])
    with pytest.raises(ValueError, match="no trial has a score: of 2, 2 scored NaN and 0 were"):
        search.fit(ROWS, HALVES)
    assert len(search.cv_results_["params"]) == 2


def test_scorer_that_raises_is_a_failed_trial():
    search = scripted(lambda value, fold: ValueError("deaf") if value else 0.5, [0, 1])
    with pytest.warns(UserWarning) as caught:
        search.fit(ROWS, HALVES)
    assert any("deaf" in str(warning.message) for warning in caught)
    assert search.best_index_ == 0


def test_all_trials_pruned_is_an_error():
    search = scripted(lambda value, fold: value, [0, 1], pruner=Recorder([0, 1]))
    with pytest.raises(ValueError, match="of 2, 0 scored NaN and 2 were pruned"):
        search.fit(ROWS, HALVES)
    assert search.cv_results_["split0_test_score"].tolist() == [0, 1]


def test_categorical_distribution_equals_list():
    listed = make().fit(X, Y).cv_results_["params"]
    space = SPACE | {"max_depth": CategoricalDistribution([1, 2, 4, 8])}
    assert make(space=space).fit(X, Y).cv_results_["params"] == listed
