"""Tests of studies that outlive a process: resumed, killed, shared."""

import time
import uuid

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState
from sklearn.linear_model import RidgeClassifier
from toy_searches import NAMES, PATIENCE, X, Y, as_toy, fits, outcome, search, start, storage_in

from sknote.model_selection import OptunaSearch
from sknote.model_selection.search import _storage
from sknote.model_selection.search._process import this_process
from sknote.model_selection.search._recovery import _RETRY_OF, queue_again, recover


@pytest.fixture
def storage_at(tmp_path, request):
    """A new storage of a kind; the test is skipped where there is no PostgreSQL."""

    def make(kind):
        if kind == "postgresql":
            return request.getfixturevalue("postgresql")(f"db{uuid.uuid4().hex}")
        return storage_in(kind, tmp_path)

    return make


@pytest.mark.parametrize(("kind", "die_at"), [("journal", 38), ("sqlite", 37), ("postgresql", 38)])
def test_killed_search_goes_on_as_if_it_had_not_been(
    tmp_path, storage_at, undisturbed, kind, die_at
):
    storage, log = storage_at(kind), str(tmp_path / "log")
    assert start(storage, log, die_at=die_at).wait(PATIENCE) == -9
    assert len(fits(log)) == die_at
    resumed = search(storage, log).fit(X, Y)
    assert outcome(resumed) == undisturbed
    made = fits(log)
    assert len(made) == 14 * 3 + 1  # only the fit that died was made twice
    assert len({tuple(fit) for fit in made}) == 14 * 3
    states = [trial.state for trial in resumed.study_.trials]
    assert states.count(TrialState.FAIL) == 1 and states.count(TrialState.COMPLETE) == 14


def test_interrupted_search_goes_on_as_if_it_had_not_been(tmp_path, undisturbed):
    storage, log = storage_in("journal", tmp_path), str(tmp_path / "log")

    def interrupt(study, trial):
        if trial.number == 12:
            raise KeyboardInterrupt

    @as_toy
    class Interrupting(NAMES["Toy"]):
        def fit(self, X, y):
            if len(fits(log)) == 34:
                raise KeyboardInterrupt
            return super().fit(X, y)

    def disturbed():
        made = search(storage, log)
        made.estimator = Interrupting(log=log)
        return made

    with pytest.raises(KeyboardInterrupt):
        search(storage, log).set_params(n_trials=5).fit(X, Y)
        disturbed().fit(X, Y)
    with pytest.raises(KeyboardInterrupt):
        search(storage, log, n_trials=13, callbacks=[interrupt]).fit(X, Y)
    assert outcome(search(storage, log).fit(X, Y)) == undisturbed
    assert len(fits(log)) == 14 * 3


def test_more_trials_later_equal_all_at_once(tmp_path, undisturbed):
    storage, log = storage_in("journal", tmp_path), str(tmp_path / "log")
    for n_trials in (1, 11, 14, 14):
        search(storage, log, n_trials=n_trials).fit(X, Y)
    assert outcome(search(storage, log, n_trials=10).fit(X, Y)) == undisturbed
    assert len(fits(log)) == 14 * 3


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["journal", "postgresql"])
def test_two_processes_run_no_trial_twice(tmp_path, storage_at, kind):
    storage, log = storage_at(kind), str(tmp_path / "log")
    workers = [start(storage, log, seconds=0.05) for _ in range(2)]
    assert [worker.wait(PATIENCE) for worker in workers] == [0, 0]
    with open(log) as lines:
        by_process = [line.split()[0] for line in lines]
    assert len(set(by_process)) == 2 and min(map(by_process.count, set(by_process))) >= 3
    assert len(fits(log)) == len({tuple(fit) for fit in fits(log)}) == 14 * 3
    done = search(storage, log).fit(X, Y)
    assert len(fits(log)) == 14 * 3
    assert done.cv_results_["trial_state"].tolist() == ["COMPLETE"] * 14
    assert not np.isnan([done.cv_results_[f"split{k}_test_score"] for k in range(3)]).any()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["journal", "postgresql"])
def test_several_processes_share_the_work_of_one_that_dies(tmp_path, storage_at, kind):
    storage, log = storage_at(kind), str(tmp_path / "log")
    workers = [start(storage, log, seconds=0.05, die_at=die_at) for die_at in (-1, 7)]
    assert [worker.wait(PATIENCE) for worker in workers] == [0, -9]
    done = search(storage, log).fit(X, Y)
    assert len(done.cv_results_["params"]) == 14
    states = [trial.state.name for trial in done.study_.trials]
    assert states.count("COMPLETE") == 14 and states.count("RUNNING") == 0
    made = fits(log)
    assert len(made) == 14 * 3 + 1
    assert len({tuple(fit) for fit in made}) == 14 * 3


def test_copies_of_a_lost_trial_and_trials_too_many_are_dropped(tmp_path, undisturbed):
    """As if two processes had found the same lost trial, or begun the last one, at once."""
    storage, log = storage_in("journal", tmp_path), str(tmp_path / "log")
    study = search(storage, log, n_trials=3).fit(X, Y).study_
    _leave_running(study, EARLIER)
    recover(study)
    queue_again(study, study.trials[3])
    queue_again(study, study.trials[3])
    assert outcome(search(storage, log).fit(X, Y)) == undisturbed
    study._storage.create_new_trial(study._study_id, optuna.create_trial(state=TrialState.WAITING))
    assert outcome(search(storage, log).fit(X, Y)) == undisturbed
    assert [t.number for t in study.trials if t.state == TrialState.FAIL] == [3, 5, 6, 17]
    assert len(fits(log)) == 14 * 3


def _study(storage):
    return optuna.create_study(storage=storage, study_name="s")


@pytest.fixture
def short_lives(monkeypatch):
    monkeypatch.setattr(_storage, "HEARTBEAT_INTERVAL", 0.1)
    monkeypatch.setattr(_storage, "GRACE_PERIOD", 0.5)


EARLIER = [*this_process()[:-1], "earlier"]  # a process that had the number of this one


def _leave_running(study, process):
    """A trial that is running in another process, as the storage shows it."""
    trial_id = study._storage.create_new_trial(study._study_id)
    study._storage.set_trial_user_attr(trial_id, "worker", [process, "its worker"])


def test_silent_process_on_another_machine_is_taken_for_dead(tmp_path, short_lives):
    storage, log = storage_in("journal", tmp_path), str(tmp_path / "log")
    first = search(storage, log, n_trials=2).fit(X, Y)
    _leave_running(first.study_, ["elsewhere", "", 1, 1])
    started = time.monotonic()
    done = search(storage, log, n_trials=3).fit(X, Y)
    assert time.monotonic() - started > 0.5
    assert [t.state.name for t in done.study_.trials] == ["COMPLETE"] * 2 + ["FAIL", "COMPLETE"]
    assert done.study_.trials[3].system_attrs[_RETRY_OF] == [2]


def test_beating_heart_is_not_taken_for_dead(tmp_path, short_lives):
    storage, log = storage_in("journal", tmp_path), str(tmp_path / "log")
    silent = []

    class Slow(NAMES["Toy"]):
        def fit(self, X, y):
            time.sleep(0.6)
            opened = _storage.open_storage(storage, on_stale_trial=None)
            silent.append(opened._get_stale_trial_ids(0))
            return super().fit(X, y)

    made = search(storage, log, n_trials=1)
    made.estimator = Slow(log=log)
    made.fit(X, Y)
    assert silent == [[], [], []]


def test_trial_that_another_process_took_over_is_left_to_it(tmp_path):
    """As after a laptop's sleep: the process finds that it was taken for dead."""
    storage, log = storage_in("journal", tmp_path), str(tmp_path / "log")

    class Sleeper(NAMES["Toy"]):
        def fit(self, X, y):
            super().fit(X, y)
            if len(fits(log)) == 4:  # in the second trial
                study = optuna.load_study(
                    study_name="toy", storage=_storage.open_storage(storage, on_stale_trial=None)
                )
                trial = study.trials[-1]
                study._storage.set_trial_user_attr(trial._trial_id, "worker", [this_process(), "?"])
                recover(study)
            return self

    made = search(storage, log, n_trials=4)
    made.estimator = Sleeper(log=log)
    made.fit(X, Y)
    assert [t.state.name for t in made.study_.trials if t.number != 1] == ["COMPLETE"] * 4
    assert made.study_.trials[1].state == TrialState.FAIL
    assert len(made.cv_results_["params"]) == 4


def test_trial_that_kills_every_process_is_given_up(tmp_path):
    storage, log = storage_in("journal", tmp_path), str(tmp_path / "log")
    study = search(storage, log, n_trials=1).fit(X, Y).study_
    _leave_running(study, EARLIER)
    for _ in range(10):
        recover(study)
        last = study.trials[-1]
        if last.state == TrialState.WAITING:
            study._storage.set_trial_state_values(last._trial_id, TrialState.RUNNING)
            study._storage.set_trial_user_attr(last._trial_id, "worker", [EARLIER, "its worker"])
    assert [t.state.name for t in study.trials] == ["COMPLETE"] + ["FAIL"] * 4
    assert [t.number for t in search(storage, log, n_trials=2).fit(X, Y).study_.trials][-1] == 5


def test_new_study_for_each_fit_unless_resumed(tmp_path):
    storage = str(tmp_path / "journal")
    made = OptunaSearch(RidgeClassifier(), {"alpha": [1, 2, 3]}, n_trials=2, storage=storage)
    names = [made.fit(X, Y).study_.study_name for _ in range(2)]
    assert names[0] != names[1]
    made.set_params(study_name="one").fit(X, Y)
    with pytest.raises(ValueError, match=r"already holds a study 'one'. Pass resume=True"):
        made.fit(X, Y)
    assert len(made.set_params(resume=True).fit(X, Y).study_.trials) == 2


def test_factory_of_a_storage(tmp_path):
    opened = []

    def factory():
        opened.append(optuna.storages.InMemoryStorage())
        return opened[-1]

    made = OptunaSearch(RidgeClassifier(), {"alpha": [1, 2]}, n_trials=2, storage=factory)
    assert made.fit(X, Y).study_._storage is opened[0]
    with pytest.raises(TypeError, match="factory must return a storage of Optuna, got NoneType"):
        made.set_params(storage=lambda: None).fit(X, Y)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"param_distributions": {"alpha": [1, 2]}}, r"another search space.*now.*\(1, 2\)"),
        ({"scoring": ["accuracy", "f1"], "refit": "f1"}, "was made with other metrics"),
        ({"cv": 4}, r"was made with other folds or other targets.*fixed random_state"),
        ({"scoring": "f1_macro"}, r"was made with another scoring.*then None, now .f1_macro."),
        ({"scoring": len}, r"was made with another scoring.*then None, now <built-in"),
    ],
)
def test_study_of_another_search_is_refused(tmp_path, change, message):
    made = OptunaSearch(
        RidgeClassifier(), {"alpha": [1, 2, 3]}, n_trials=2, cv=3, storage=tmp_path / "journal",
        study_name="one", resume=True,
    ).fit(X, Y)  # fmt: skip
    with pytest.raises(ValueError, match=f"(?s){message}"):
        made.set_params(**change).fit(X, Y)
    assert len(made.study_.trials) == 2
    if "cv" in change:
        with pytest.raises(ValueError, match="other targets"):
            made.set_params(cv=3).fit(X, Y[::-1])


def test_study_with_other_parameters_of_fit_is_refused(tmp_path):
    made = OptunaSearch(
        RidgeClassifier(), {"alpha": [1, 2, 3]}, n_trials=2, cv=3, storage=tmp_path / "journal",
        study_name="one", resume=True,
    )  # fmt: skip
    weight = np.linspace(0.5, 1, len(Y))
    made.fit(X, Y, sample_weight=weight)
    scores = made.cv_results_["mean_test_score"]
    made.fit(X, Y, sample_weight=weight.copy())  # goes on
    np.testing.assert_array_equal(made.cv_results_["mean_test_score"], scores)
    for params in ({}, {"sample_weight": weight[::-1]}):
        with pytest.raises(ValueError, match=r"(?s)other parameters of fit .*sample_weight of fit"):
            made.fit(X, Y, **params)


@pytest.mark.parametrize(
    "space",
    [
        lambda trial: {"alpha": trial.suggest_float("alpha", 5, 6)},
        lambda trial: {"alpha": trial.suggest_categorical("alpha", [1, 2])},
        lambda trial: {"tol": trial.suggest_float("tol", 1e-4, 1e-3)},
    ],
    ids=["range", "kind", "name"],
)
def test_study_of_another_define_by_run_space_is_refused(tmp_path, space):
    made = OptunaSearch(
        RidgeClassifier(), lambda trial: {"alpha": trial.suggest_float("alpha", 1, 2)}, n_trials=2,
        storage=tmp_path / "journal", study_name="one", resume=True, random_state=0,
    ).fit(X, Y)  # fmt: skip
    made.set_params(param_distributions=space, n_trials=4)
    with pytest.raises(ValueError, match="the study has trials of another search space"):
        made.fit(X, Y)
    assert len(made.study_.trials) == 2


def test_study_of_other_origin_is_refused(tmp_path):
    path = str(tmp_path / "journal")
    study = _study(_storage.open_storage(path, on_stale_trial=None))
    study.optimize(lambda trial: trial.suggest_float("alpha", 0, 1), n_trials=1)
    with pytest.raises(ValueError, match="was not made by OptunaSearch"):
        OptunaSearch(
            RidgeClassifier(), {"alpha": [1]}, storage=path, study_name="s", resume=True
        ).fit(X, Y)


@pytest.mark.parametrize("directions", [["minimize"], ["maximize", "maximize"]])
def test_an_empty_study_that_seeks_something_else_is_refused(tmp_path, directions):
    url = f"sqlite:///{tmp_path / 'trials.db'}"
    study = optuna.create_study(storage=url, study_name="s", directions=directions)
    made = OptunaSearch(
        RidgeClassifier(), {"alpha": [1, 2]}, storage=url, study_name="s", resume=True,
        random_state=0,
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"expected a study that maximizes \['score'\]"):
        made.fit(X, Y)
    assert not study.user_attrs  # nobody takes it for one of OptunaSearch


def test_resumed_with_another_seed_warns(tmp_path):
    made = OptunaSearch(
        RidgeClassifier(), {"alpha": [1, 2, 3]}, n_trials=2, storage=tmp_path / "journal",
        study_name="one", resume=True, random_state=0,
    ).fit(X, Y)  # fmt: skip
    with pytest.warns(UserWarning, match="begun with another random_state"):
        made.set_params(random_state=1).fit(X, Y)
