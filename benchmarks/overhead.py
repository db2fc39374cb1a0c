"""Time what a search takes beside fitting and scoring, in memory and on disk."""

import sys
import tempfile
import time

import numpy as np
from sklearn.model_selection import RandomizedSearchCV

from benchmarks import cli
from benchmarks.cli import BenchmarkError, available_threads, positive
from benchmarks.datasets import load_task, make_folds
from benchmarks.environment import environment
from benchmarks.layout import measured_on, publish, table
from benchmarks.models import Options, build
from benchmarks.results import plain
from sknote.model_selection import OptunaSearch, baseline_space

LIMIT = 0.05  # of a search
TRIALS, FOLDS = 20, 3
OPTIONS = {
    "--max-notes": (positive, 1200, "to synthesize"),
    # the fewer classes, the quicker a fit, and the larger the overhead's share
    "--min-class-count": (positive, 50, "leave out classes with fewer notes"),
    **cli.SHARED,
}


def main(args):
    """Run the command; returns its exit status."""
    args.dataset, args.data_home = "synthetic", None
    pipeline, n_threads = build("baseline", Options(args.seed)), available_threads()
    task = load_task(args)
    X = pipeline[:-1].fit_transform(task.notes(task.rows))
    folds, _ = make_folds(task, FOLDS, args.seed)
    folds = [[np.searchsorted(task.rows, part) for part in fold] for fold in folds]
    searches = measure(pipeline[-1], X, task.target[task.rows], folds, TRIALS, args.seed)
    result = {
        "kind": "overhead",
        "data": task.description,
        "settings": {"trials": TRIALS, "folds": FOLDS, "seed": args.seed},
        "limit": LIMIT,
        "searches": searches,
        "environment": environment(n_threads),
    }
    publish(plain(result), args.out / "overhead.json", sys.modules[__name__])
    if over := [name for name, row in searches.items() if row["share"] >= LIMIT]:
        raise BenchmarkError(f"over {LIMIT:.0%} of the search: {', '.join(over)}.")
    return 0


def measure(estimator, X, y, folds, n_trials, seed):
    """Time one search after the other, of the baseline's classifier, all with the same trials."""
    step = "classify__"
    space = {n.removeprefix(step): d for n, d in baseline_space().items() if n.startswith(step)}
    how = {"cv": folds, "scoring": "accuracy", "refit": False, "random_state": seed}
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        storages = {"in memory": None, "journal file": f"{folder}/journal.log"}
        storages["SQLite"] = f"sqlite:///{folder}/study.db"
        for name, storage in storages.items():
            search = OptunaSearch(estimator, space, n_trials=n_trials, storage=storage, **how)
            found[f"OptunaSearch, {name}"] = _time(search, X, y)
    # each a grid of one point: scikit-learn draws all of them
    trials = search.cv_results_["params"]
    grid = [{name: [value] for name, value in params.items()} for params in trials]
    random = RandomizedSearchCV(estimator, grid, n_iter=n_trials, **how)
    return found | {"RandomizedSearchCV": _time(random, X, y)}


def _time(search, X, y):
    start = time.perf_counter()
    search.fit(X, y)
    seconds = time.perf_counter() - start
    times = search.cv_results_["mean_fit_time"] + search.cv_results_["mean_score_time"]
    overhead = seconds - search.n_splits_ * float(times.sum())
    about = {"seconds": seconds, "fit_and_score_seconds": seconds - overhead}
    return about | {"overhead_seconds": overhead, "share": overhead / seconds}


def caption(result):
    """Return a sentence about what was searched on what."""
    data, settings = result["data"], result["settings"]
    return (
        f"{settings['trials']} trials of the baseline's classifier in {settings['folds']} grouped "
        f"folds, on {data['n_notes']:,} synthetic notes of {data['n_classes']} classes; the same "
        f"trials in all searches. {measured_on(result['environment'])}"
    )


_COLUMNS = {
    "seconds": ("whole (s)", ".1f"),
    "fit_and_score_seconds": ("fits and scores (s)", ".1f"),
    "overhead_seconds": ("overhead (s)", ".2f"),
    "share": ("overhead (%)", ".2%"),
}
TABLES = {"scores": ("Overhead", lambda result: table("search", result["searches"], _COLUMNS))}
