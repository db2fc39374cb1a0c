"""A search of a toy that can be run in another process, and killed there."""

import subprocess
import sys
import textwrap

from sklearn.datasets import make_classification

PATIENCE = 250  # seconds for another process, on a machine that has much else to do
X, Y = make_classification(60, 5, flip_y=0.2, random_state=0)

# Runs in a process of its own, which it kills with SIGKILL in the fit with number `die_at`.
SCRIPT = """
    import os, signal, sys, time
    import numpy as np
    from optuna.distributions import FloatDistribution, IntDistribution
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.datasets import make_classification
    from sknote.model_selection import OptunaSearch

    class Toy(ClassifierMixin, BaseEstimator):
        die_at, seconds = -1, 0

        def __init__(self, a=0.5, b=1, log=None):
            self.a, self.b, self.log = a, b, log

        def fit(self, X, y):
            with open(self.log, "a") as log:
                log.write(f"{os.getpid()} {self.a!r} {self.b} {X[:, 0].sum()!r}\\n")
            with open(self.log) as log:
                mine = sum(line.startswith(f"{os.getpid()} ") for line in log)
            if mine == self.die_at:
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(self.seconds)
            self.classes_ = np.unique(y)
            return self

        def predict(self, X):
            return self.classes_[(np.sin(X[:, 0] * self.b) > self.a - 0.5).astype(int)]

    def search(storage, log, die_at=-1, seconds=0, **params):
        space = {"a": FloatDistribution(0, 1), "b": IntDistribution(1, 100, log=True)}
        params = {"n_trials": 14, "random_state": 3, "resume": True, "refit": False} | params
        Toy.die_at, Toy.seconds = die_at, seconds
        return OptunaSearch(
            Toy(log=log), space, cv=3, storage=storage, **({"study_name": "toy"} | params)
        )

    X, y = make_classification(60, 5, flip_y=0.2, random_state=0)
"""
NAMES = {"__name__": "__main__"}
exec(textwrap.dedent(SCRIPT), NAMES)
search = NAMES["search"]


def start(*args, **kwargs):
    call = f"search(*{args!r}, **{kwargs!r}).fit(X, y)"
    code = textwrap.dedent(SCRIPT) + call
    return subprocess.Popen([sys.executable, "-W", "error", "-c", code])


def storage_in(kind, folder):
    return {"journal": str(folder / "toy.journal"), "sqlite": f"sqlite:///{folder}/toy.db"}[kind]


def as_toy(kind):
    """Make a class that a study takes for Toy."""
    kind.__module__, kind.__qualname__ = "__main__", "Toy"
    return kind


def outcome(search):
    results = search.cv_results_
    return sorted(zip(map(repr, results["params"]), results["mean_test_score"], strict=True))


def fits(log):
    """What each fit was: parameters and fold."""
    with open(log) as lines:
        return [line.split()[1:] for line in lines]
