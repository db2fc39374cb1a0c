"""Tests of searches that are killed at a place of the test's choosing, and go on.

``SKNOTE_EVERY_KILL=1`` kills at every place instead of at a sample of them, which takes minutes.
"""

import json
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
import sqlalchemy
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.pruners import MedianPruner
from optuna.samplers import TPESampler
from sklearn.base import BaseEstimator, ClassifierMixin

from sknote.model_selection import OptunaSearch, report_epoch
from sknote.model_selection.search import _journal, _recovery, _storage

EVERY = bool(os.environ.get("SKNOTE_EVERY_KILL"))
PATIENCE = 250  # seconds; who waits for a dead process waits longer here


class Toy(ClassifierMixin, BaseEstimator):
    def __init__(self, a=0.5, b=1):
        self.a, self.b = a, b

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        for epoch in range(3):
            report_epoch(np.sin(self.a * 7 + epoch + X[0, 0]), epoch)
        return self

    def predict(self, X):
        return self.classes_[(np.sin(X[:, 0] * self.b) > self.a - 0.5).astype(int)]


X, Y = np.random.default_rng(0).normal(size=(40, 1)), np.arange(40) % 2
SPACE = {"a": FloatDistribution(0, 1), "b": IntDistribution(1, 100, log=True)}


def search(storage, n_trials=3, prunes=False):
    more = {"pruner": MedianPruner(n_startup_trials=1), "steps_per_fold": 4} if prunes else {}
    return OptunaSearch(
        Toy(), SPACE, n_trials=n_trials, cv=3, storage=storage, study_name="toy", resume=True,
        refit=False, random_state=1, sampler=TPESampler(n_startup_trials=1), **more,
    )  # fmt: skip


def outcome(search):
    """What a search found out, in words: parameters, states, scores and reports of the trials."""
    results = search.cv_results_
    columns = [results[name] for name in ("params", "trial_state", "mean_test_score")]
    reported = [t.intermediate_values for t in search.study_.trials if t.state.name != "FAIL"]
    return sorted(map(str, zip(*columns, strict=True))) + [str(sorted(r.items())) for r in reported]


@pytest.fixture(autouse=True)
def endless_patience(monkeypatch):
    for module in (_storage, _recovery):
        monkeypatch.setattr(module, "GRACE_PERIOD", 10 * PATIENCE)


@pytest.mark.parametrize("prunes", [False, True])
def test_journal_goes_on_from_wherever_it_ends(tmp_path, prunes):
    """Each write of a search is a line: its first lines are what a kill leaves."""
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    undisturbed = outcome(search(whole, prunes=prunes).fit(X, Y))
    lines = whole.read_bytes().splitlines(keepends=True)
    assert 25 < len(lines) < 40
    for n in range(0, len(lines), 1 if EVERY else 2):
        half = lines[n][: len(lines[n]) * (n % 3) // 2]  # nothing, a half, or all but its end
        cut.write_bytes(b"".join(lines[:n]) + half.rstrip())
        assert outcome(search(cut, prunes=prunes).fit(X, Y)) == undisturbed, (n, lines[n])


def place_a_kill(at):
    """Kill this process with SIGKILL before or after what it does to a file or a database.

    Places are counted: before and after taking the lock of a journal, before and after a line is
    safe on the disk, before and after the lock is given back; before and after each statement that
    changes a database, and before it is committed.
    """
    count = 0

    def here(*args, **kwargs):
        nonlocal count
        if threading.current_thread() is threading.main_thread():  # hearts beat when they like
            count += 1
            if count == at:
                os.kill(os.getpid(), signal.SIGKILL)

    def surrounded(function):
        def call(*args):
            here()
            result = function(*args)
            here()
            return result

        return call

    for name in ("symlink", "fsync", "unlink"):
        setattr(os, name, surrounded(getattr(os, name)))

    def statement(connection, cursor, statement, *args):
        if not statement.startswith(("SELECT", "PRAGMA")):
            here()

    sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", statement)
    sqlalchemy.event.listen(sqlalchemy.Engine, "after_cursor_execute", statement)
    sqlalchemy.event.listen(sqlalchemy.Engine, "commit", here)


def sweep(kind, folder, first, step):
    """Kill a search at each of its places, go on with it, and print what is not as it should be."""

    def storage(name):
        return f"sqlite:///{folder}/{name}" if kind == "sqlite" else f"{folder}/{name}"

    _storage.GRACE_PERIOD = _recovery.GRACE_PERIOD = _journal.LOCK_GRACE_PERIOD = 10 * PATIENCE
    # What was written stays written when a process is killed: the disk need not be waited for.
    os.fsync = lambda file: None
    sqlalchemy.event.listen(
        sqlalchemy.Engine, "connect", lambda db, _: db.execute("PRAGMA synchronous=OFF")
    )
    undisturbed = outcome(search(storage("undisturbed")).fit(X, Y))
    at, n_killed, wrong = first, 0, []
    while True:
        pid = os.fork()
        if not pid:
            place_a_kill(at)
            search(storage(at)).fit(X, Y)
            os._exit(0)
        if os.waitpid(pid, 0)[1] != signal.SIGKILL:
            break
        if outcome(search(storage(at)).fit(X, Y)) != undisturbed:
            wrong.append(f"other trials after a kill at {at}")
        n_killed += 1
        at += step
    print(json.dumps({"killed": n_killed, "wrong": wrong}))


@pytest.mark.timeout(0 if EVERY else 300)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.parametrize(("kind", "step"), [("journal", 11), ("sqlite", 31)])
def test_search_killed_anywhere_goes_on_at_once_with_the_same_trials(tmp_path, kind, step):
    place = ["1", "1"] if EVERY else [str(step // 2), str(step)]
    # In a process of its own, which has no threads yet and can therefore fork.
    done = subprocess.run(
        [sys.executable, __file__, kind, tmp_path, *place], capture_output=True, text=True,
        timeout=None if EVERY else PATIENCE,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["wrong"] == []
    assert found["killed"] >= (100 if EVERY else 5)


if __name__ == "__main__":
    sweep(*sys.argv[1:3], *map(int, sys.argv[3:]))
