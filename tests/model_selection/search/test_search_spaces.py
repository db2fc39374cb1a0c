"""What OptunaSearch draws from: distributions, lists, define-by-run spaces, estimators."""

import warnings

import numpy as np
import optuna
import pytest
from scipy.stats import loguniform
from searches import HALVES, ROWS, TREE, Scripted, X, Y, make
from sklearn.base import clone
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


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
