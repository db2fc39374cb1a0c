"""Trials of OptunaSearch that are pruned, and trials that fail."""

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution
from optuna.pruners import BasePruner, WilcoxonPruner
from optuna.trial import TrialState
from searches import HALVES, ROWS, SPACE, Scripted, X, Y, make, scripted
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import KFold

from sknote.model_selection import report_epoch


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


@pytest.mark.parametrize("infinity", [np.inf, -np.inf])
def test_a_score_of_infinity_is_said(infinity):
    search = scripted(lambda value, fold: infinity if value else 0.5, [0, 1])
    with pytest.warns(UserWarning, match=r"1 of 2 trials scored infinity.*numbers \[1\]"):
        search.fit(ROWS, HALVES)


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
