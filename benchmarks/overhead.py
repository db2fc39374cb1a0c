"""Time what a search takes beside fitting and scoring, in memory and on disk.

The same trials of the baseline, on features of synthetic notes, by `OptunaSearch` with its study in
memory, in a journal file and in SQLite, and by scikit-learn's `RandomizedSearchCV`.
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from sklearn.model_selection import RandomizedSearchCV

from benchmarks import options
from benchmarks.all_models import Options, build
from benchmarks.datasets import load_task, make_folds
from benchmarks.environment import environment
from benchmarks.features import inputs, make_features
from benchmarks.layout import measured_on, publish
from benchmarks.options import BenchmarkError, available_threads, positive, two_or_more
from benchmarks.results import plain
from sknote.model_selection import OptunaSearch, baseline_space

LIMIT = 0.05  # of a search
SETTINGS = ("trials", "folds", "seed", "max_notes")
OPTIONS = {
    "--max-notes": (positive, 1200, "to synthesize"),
    # the fewer classes, the quicker a fit, and the larger the overhead's share
    "--min-class-count": (positive, 50, "leave out classes with fewer notes"),
    "--trials": (positive, 20, "of each search"),
    "--folds": (two_or_more, 3, "of each trial"),
    **options.SEED,
    **options.FOLDERS,
}


def main(args):
    """Run the command; returns its exit status."""
    args.dataset, args.data_home = "synthetic", None
    pipeline, n_threads = build("baseline", Options(args.seed)), available_threads()
    task = load_task(args)
    make_features(task, [pipeline], args.cache_dir, n_threads)
    rows, instruments = task.rows, sorted(set(task.data.instrument))
    X = inputs(pipeline, task.notes(rows), instruments, args.cache_dir)
    folds, _ = make_folds(task, args.folds, args.seed)
    folds = [[np.searchsorted(rows, part) for part in fold] for fold in folds]
    searches = measure(pipeline[-1], X, task.target[rows], folds, args.trials, args.seed)
    result = {
        "kind": "overhead",
        "data": task.description,
        "settings": {name: getattr(args, name) for name in SETTINGS},
        "limit": LIMIT,
        "searches": searches,
        "environment": environment(n_threads),
    }
    publish(plain(result), args.out / "overhead.json", sys.modules[__name__])
    over = [name for name, row in searches.items() if row["share"] >= LIMIT]
    if over:
        raise BenchmarkError(f"over {LIMIT:.0%} of the search: {', '.join(over)}.")
    return 0


def measure(estimator, X, y, folds, n_trials, seed):
    """Time one search after the other, all with the same trials.

    `estimator` is the classifier of the baseline, `X` a DataFrame of shape (n_notes, n_features).
    Returns a dict of search → ``seconds`` (of its ``fit``, without a refit),
    ``fit_and_score_seconds`` (as in its `cv_results_`), ``overhead_seconds`` (the difference) and
    ``share`` (of the overhead in all).
    """
    classify = {n: one for n, one in baseline_space().items() if n.startswith("classify__")}
    space = {name.removeprefix("classify__"): one for name, one in classify.items()}
    how = {"cv": folds, "scoring": "accuracy", "refit": False, "random_state": seed}
    found, trials = {}, None
    with tempfile.TemporaryDirectory() as folder:
        storages = {
            "in memory": None,
            "journal file": Path(folder) / "journal.log",
            "SQLite": f"sqlite:///{folder}/study.db",
        }
        for name, storage in storages.items():
            search = OptunaSearch(estimator, space, n_trials=n_trials, storage=storage, **how)
            found[f"OptunaSearch, {name}"] = _time(search, X, y)
            if trials not in (None, search.cv_results_["params"]):
                raise RuntimeError(f"{name}: other trials than those of the search before.")
            trials = search.cv_results_["params"]
            print(f"{name}: done", flush=True)
    # each a grid of one point: scikit-learn draws all of them
    grid = [{name: [value] for name, value in params.items()} for params in trials]
    random = RandomizedSearchCV(estimator, grid, n_iter=n_trials, **how)
    return found | {"RandomizedSearchCV": _time(random, X, y)}


def _time(search, X, y):
    start = time.perf_counter()
    search.fit(X, y)
    seconds = time.perf_counter() - start
    times = search.cv_results_["mean_fit_time"] + search.cv_results_["mean_score_time"]
    inside = search.n_splits_ * float(times.sum())
    about = {"seconds": seconds, "fit_and_score_seconds": inside}
    return about | {"overhead_seconds": seconds - inside, "share": (seconds - inside) / seconds}


def table(result):
    """Return the header and one row per search."""
    rows = [["search", "whole (s)", "fits and scores (s)", "overhead (s)", "overhead (%)"]]
    for name, row in result["searches"].items():
        cells = [f"{row['seconds']:.1f}", f"{row['fit_and_score_seconds']:.1f}"]
        rows.append([name, *cells, f"{row['overhead_seconds']:.2f}", f"{100 * row['share']:.2f}"])
    return rows


def caption(result):
    """Return a sentence about what was searched on what."""
    data, settings = result["data"], result["settings"]
    return (
        f"{settings['trials']} trials of the baseline's classifier in {settings['folds']} grouped "
        f"folds, on {data['n_notes']:,} synthetic notes of {data['n_classes']} classes; the same "
        f"trials in all searches. {measured_on(result['environment'])}"
    )


TABLES = {"scores": ("Overhead", table)}
