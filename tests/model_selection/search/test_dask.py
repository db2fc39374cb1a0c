"""Tests on a real Dask cluster of two worker processes: the same results, paths only, no loss."""

import os
import signal
import time

import numpy as np
import pandas as pd
import pytest
from joblib import Parallel, delayed, parallel_config
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import GroupKFold, cross_val_predict, cross_validate

from sknote import make_baseline_pipeline, make_note_pipeline
from sknote.datasets import make_notes
from sknote.model_selection import OptunaSearch

distributed = pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")
pytestmark = pytest.mark.slow

CV = GroupKFold(2)
SPACE = {"classify__max_iter": [2, 4, 6, 8], "classify__min_samples_leaf": [2, 5]}


class Traffic(distributed.SchedulerPlugin):
    """Notes how many bytes each task and each result has, and what travels beside the tasks."""

    def __init__(self):
        self.tasks, self.results, self.beside = [], [], []

    def update_graph(self, scheduler, *, tasks, **kwargs):
        for key in tasks:
            if key.startswith("batch_of"):  # what joblib calls its tasks
                _, frames = distributed.protocol.serialize(scheduler.tasks[key].run_spec)
                self.tasks.append(sum(map(len, frames)))

    def transition(self, key, start, finish, *args, nbytes=0, **kwargs):
        if finish == "memory":
            (self.results if key.startswith("batch_of") else self.beside).append(nbytes)

    @property
    def total(self):
        return sum(self.tasks + self.results + self.beside)


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
    ) as cluster:
        yield cluster


@pytest.fixture
def traffic(cluster):
    """A client of the cluster, as the default one, and what travels."""
    plugin = Traffic()
    with distributed.Client(cluster) as client:
        client.wait_for_workers(2)
        cluster.scheduler.add_plugin(plugin, name="traffic")
        yield plugin
        cluster.scheduler.remove_plugin("traffic")


@pytest.fixture(scope="module")
def recordings(tmp_path_factory, encode):
    """Paths of 24 recordings, their labels and groups; and how many bytes the sounds take."""
    notes = make_notes(
        24, labels=["good-sound", "bad-attack"], class_imbalance=1, duration_range=(0.3, 0.4),
        random_state=0,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("recordings")
    X = notes.data.copy()
    n_bytes = sum(waveform.nbytes for waveform in X["audio"])
    paths = [folder / f"{i}.wav" for i in range(len(X))]
    for path, waveform in zip(paths, X["audio"], strict=True):
        path.write_bytes(encode(waveform, subtype="FLOAT"))
    X["audio"] = [str(path) for path in paths]
    return X, notes.target, notes.groups, n_bytes


def _note():
    return make_note_pipeline(
        spectrogram__n_threads=1,
        classify__max_epochs=1,
        classify__n_threads=1,
        classify__random_state=0,
    )


def _baseline():
    return make_baseline_pipeline(
        mfcc__n_threads=1, classify__max_iter=4, classify__random_state=0, load__n_jobs=2
    )


@pytest.mark.parametrize("pipeline", [_note(), _baseline()], ids=["note", "baseline"])
def test_cross_validation_equals_that_of_one_machine_and_moves_paths_only(
    traffic, recordings, pipeline
):
    X, y, groups, n_bytes = recordings

    def proba():
        return cross_val_predict(pipeline, X, y, groups=groups, cv=CV, method="predict_proba")

    alone = proba()
    with parallel_config("dask"):
        together = proba()
    np.testing.assert_array_equal(together, alone)
    assert len(traffic.tasks) < len(X)  # no task for a single recording
    assert traffic.total < n_bytes / 4


def test_features_are_extracted_where_the_recordings_are(traffic, recordings):
    X, _, _, n_bytes = recordings
    features = _baseline()[:-1].fit(X)
    parts = [X.iloc[rows] for rows in np.array_split(np.arange(len(X)), 4)]
    with parallel_config("dask"):
        tables = Parallel()(delayed(features.transform)(part) for part in parts)
    np.testing.assert_array_equal(np.concatenate(tables), features.transform(X))
    assert sum(traffic.tasks + traffic.beside) < n_bytes / 10


@pytest.mark.parametrize("precompute", [True, False])
def test_search_equals_that_of_one_machine_and_moves_paths_only(traffic, recordings, precompute):
    X, y, groups, n_bytes = recordings

    def search():
        search = OptunaSearch(
            _baseline(), SPACE, n_trials=3, cv=CV, random_state=0, precompute=precompute,
            return_train_score=True, n_jobs=-1,
        )  # fmt: skip
        return search.fit(X, y, groups=groups)

    with parallel_config("dask"):
        together = search()
    with parallel_config("sequential"):
        alone = search()
    for name, column in alone.cv_results_.items():
        if "_time" not in name:
            np.testing.assert_array_equal(together.cv_results_[name], column, err_msg=name)
    np.testing.assert_array_equal(together.predict_proba(X), alone.predict_proba(X))
    assert len(traffic.tasks) == len(traffic.results) == 3 * 2
    assert traffic.beside == []
    assert traffic.total < n_bytes / 10


@pytest.mark.filterwarnings("ignore:OptunaSearch. the groups that cross_validate has")
def test_nested_search_runs_its_inner_folds_on_the_cluster_too(traffic, recordings):
    X, y, groups, _ = recordings
    search = OptunaSearch(_baseline(), SPACE, n_trials=2, cv=2, random_state=0, refit=True)

    def scores():
        return cross_validate(search, X, y, cv=CV, groups=groups)["test_score"]

    alone = scores()
    with parallel_config("dask"):
        together = scores()
    np.testing.assert_array_equal(together, alone)
    assert len(traffic.tasks) >= 2 * (1 + 2 * 2)


# A worker that dies


def _mortal(log, die_in):
    """A classifier that logs its fits, and kills its worker once in the fit that `die_in` names.

    It is a class of this function so that it travels by value: workers cannot import this file.
    """

    class Mortal(ClassifierMixin, BaseEstimator):
        def __init__(self, a=0.5, log=None, die_in=None):
            self.a, self.log, self.die_in = a, log, die_in

        def fit(self, X, y):
            name = f"{self.a} {X['x'].sum()}"
            with open(self.log, "a") as file:
                file.write(f"begun {name}\n")
            with open(self.log) as file:
                first = sum(line.startswith("begun") for line in file) == self.die_in
            time.sleep(0.3)
            if first:
                os.kill(os.getpid(), signal.SIGKILL)
            with open(self.log, "a") as file:
                file.write(f"ended {name}\n")
            self.classes_ = np.unique(y)
            return self

        def predict(self, X):
            row = X["x"].to_numpy()
            return self.classes_[(np.sin(row) > self.a).astype(int)]

    return Mortal(log=str(log), die_in=die_in)


ROWS = pd.DataFrame({"x": np.arange(600.0), "path": [f"/far/away/{i:03}.wav" for i in range(600)]})
LABELS = np.where(np.cos(ROWS["x"]) > 0.3, "good-sound", "bad-attack")
TAKES = np.arange(600) // 10


def _fits(log):
    lines = [line.split(maxsplit=1) for line in log.read_text().splitlines()]
    begun, ended = ([fit for what, fit in lines if what == kind] for kind in ("begun", "ended"))
    return begun, ended


def test_folds_of_a_dead_worker_are_run_by_another(traffic, tmp_path):
    log = tmp_path / "log"
    folds = [(a.tolist(), b.tolist()) for a, b in GroupKFold(6).split(ROWS, LABELS, TAKES)]
    with parallel_config("dask", scatter=[ROWS, LABELS]):
        together = cross_validate(_mortal(log, 3), ROWS, LABELS, cv=folds)
    begun, ended = _fits(log)
    assert len(begun) == 7 and len(ended) == len(set(ended)) == 6
    alone = cross_validate(_mortal(tmp_path / "alone", None), ROWS, LABELS, cv=folds)
    np.testing.assert_array_equal(together["test_score"], alone["test_score"])


def test_search_survives_the_death_of_a_worker(traffic, tmp_path):
    def search(log, die_in):
        search = OptunaSearch(
            _mortal(log, die_in), {"a": [0.1, 0.2, 0.3, 0.4]}, n_trials=3, cv=4, refit=False,
            random_state=0, n_jobs=-1,
        )  # fmt: skip
        return search.fit(ROWS, LABELS, groups=TAKES)

    log = tmp_path / "log"
    with parallel_config("dask"):
        together = search(log, 6)
    begun, ended = _fits(log)
    assert len(begun) == 13 and len(ended) == 12
    assert traffic.beside == []
    with parallel_config("sequential"):
        alone = search(tmp_path / "alone", None)
    assert together.cv_results_["params"] == alone.cv_results_["params"]
    assert sorted(ended) == sorted(_fits(tmp_path / "alone")[1])
    for k in range(4):
        name = f"split{k}_test_score"
        np.testing.assert_array_equal(together.cv_results_[name], alone.cv_results_[name])
