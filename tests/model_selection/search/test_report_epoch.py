"""Tests of a search that stops NoteClassifier between two epochs."""

import numpy as np
import pytest
import sklearn
from optuna.pruners import BasePruner
from sklearn.model_selection import GroupKFold

from sknote import NoteClassifier
from sknote.model_selection import OptunaSearch

N_EPOCHS = 3
RNG = np.random.default_rng(0)
Y = np.tile(["loud", "soft"], 20)
GROUPS = np.repeat(np.arange(10), 4)
X = [
    (RNG.standard_normal((12, 8)) + (2 if label == "loud" else -2)).astype(np.float32)
    for label in Y
]


class Pruning(BasePruner):
    """Prunes the trials that it is told to as soon as it is asked."""

    def __init__(self, numbers=()):
        self.numbers = numbers

    def prune(self, study, trial):
        return trial.number in self.numbers


class Counting(NoteClassifier):
    """Keeps what it was given in each fit, and whether that ended."""

    begun, ended = [], []

    def fit(self, X, y, sample_weight=None, groups=None):
        Counting.begun.append(len(y))
        super().fit(X, y, sample_weight=sample_weight, groups=groups)
        Counting.ended.append((self.net_.history, groups))
        return self


@pytest.fixture
def search():
    Counting.begun.clear()
    Counting.ended.clear()
    classifier = Counting(
        "starter", max_epochs=N_EPOCHS, augment=None, validation_fraction=0.25, random_state=0
    ).set_fit_request
    with sklearn.config_context(enable_metadata_routing=True):
        yield OptunaSearch(
            classifier(groups=True), {"lr": [1e-3, 1e-2]}, n_trials=2, cv=GroupKFold(2),
            steps_per_fold=N_EPOCHS + 1, pruner=Pruning(), refit=False, random_state=0,
        )  # fmt: skip


def test_note_classifier_reports_the_accuracy_on_its_own_validation_part(search):
    search.fit(X, Y, groups=GROUPS)
    values = search.study_.trials[0].intermediate_values
    assert sorted(values) == list(range(2 * (N_EPOCHS + 1)))
    (first, groups), (second, _) = Counting.ended[:2]
    assert len(np.unique(groups)) == 5 and len(groups) == len(Y) // 2  # of the training part only
    fold = search.cv_results_["split0_test_score"][0]
    assert [values[e] for e in range(N_EPOCHS)] == first[:, "valid_accuracy"]
    assert values[N_EPOCHS] == fold
    of_second = [(fold + accuracy) / 2 for accuracy in second[:, "valid_accuracy"]]
    assert [values[N_EPOCHS + 1 + e] for e in range(N_EPOCHS)] == pytest.approx(of_second)


def test_hopeless_trial_is_pruned_after_its_first_epoch(search):
    search.set_params(pruner=Pruning([1])).fit(X, Y, groups=GROUPS)
    assert search.cv_results_["trial_state"].tolist() == ["COMPLETE", "PRUNED"]
    assert list(search.study_.trials[1].intermediate_values) == [0]
    assert len(Counting.begun) == 3 and len(Counting.ended) == 2
    assert np.isnan(search.cv_results_["split0_test_score"][1])


def test_without_a_validation_part_no_epoch_is_reported(search):
    search.set_params(estimator__validation_fraction=None).fit(X, Y, groups=GROUPS)
    assert list(search.study_.trials[0].intermediate_values) == [N_EPOCHS, 2 * N_EPOCHS + 1]


def test_outside_of_a_search_a_fit_runs_through(search):
    classifier = search.estimator.fit(X, Y, groups=GROUPS)
    assert len(classifier.history_) == N_EPOCHS
