"""Time what a search takes beside fitting and scoring, in memory and on disk.

The same trials of the baseline, on features of synthetic notes, by `OptunaSearch` with its study in
memory, in a journal file and in SQLite, and by scikit-learn's `RandomizedSearchCV`.
"""

import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.cache import default_cache_dir, write_json
from benchmarks.cli import BenchmarkError
from benchmarks.environment import available_threads, git_commit, machine, versions
from benchmarks.run import RESULTS, positive, print_task, two_or_more

LIMIT = 0.05  # of a search


def add_arguments(parser):
    """Define the options of the command."""
    parser.add_argument(
        "--max-notes", type=positive, default=1200, help="to synthesise (default: %(default)s)"
    )
    parser.add_argument(
        "--min-class-count",
        type=positive,
        default=50,
        help="leave out classes with fewer notes; the fewer are left, the quicker a fit, and the "
        "larger the overhead's share (default: %(default)s)",
    )
    parser.add_argument("--trials", type=positive, default=20, help="(default: %(default)s)")
    parser.add_argument("--folds", type=two_or_more, default=3, help="(default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of notes, folds and searches")
    parser.add_argument(
        "--cache-dir", type=Path, default=default_cache_dir(), help="(default: %(default)s)"
    )
    parser.add_argument(
        "--out", type=Path, default=RESULTS, help="folder of the result (default: %(default)s)"
    )


def main(args):
    """Run the command; returns its exit status."""
    from benchmarks import show
    from benchmarks.datasets import load_task, make_folds
    from benchmarks.features import as_input, load_features, make_features
    from benchmarks.models import Options, build
    from benchmarks.results import plain

    pipeline = build("baseline", Options(args.seed))
    task = load_task(
        "synthetic",
        data_home=None,
        max_notes=args.max_notes,
        min_class_count=args.min_class_count,
        seed=args.seed,
        cache_dir=args.cache_dir,
    )
    print_task(task)
    n_threads = available_threads()
    files = make_features(task, {"baseline": pipeline}, cache_dir=args.cache_dir, n_jobs=n_threads)
    instrument = task.data.instrument.to_numpy(dtype=object)
    X = as_input(load_features(files["baseline"]), instrument, sorted(set(instrument)))
    folds, _ = make_folds(task, args.folds, args.seed)
    rows = task.rows
    searches = measure(
        pipeline[-1],
        X.iloc[rows],
        task.target[rows],
        [[np.searchsorted(rows, part) for part in fold] for fold in folds],
        n_trials=args.trials,
        seed=args.seed,
    )
    result = plain(
        {
            "data": task.description,
            "settings": {
                name: getattr(args, name) for name in ("trials", "folds", "seed", "max_notes")
            },
            "limit": LIMIT,
            "searches": searches,
            "environment": {
                "versions": versions(),
                "commit": git_commit(),
                "machine": machine(),
                "n_threads": n_threads,
            },
        }
    )
    path = args.out / "overhead.json"
    write_json(path, result)
    print(f"\n{caption(result)}\n\n{show.as_text(table(result))}\n\nResult: {path}")
    over = [name for name, row in searches.items() if row["share"] >= LIMIT]
    if over:
        raise BenchmarkError(f"over {LIMIT:.0%} of the search: {', '.join(over)}.")
    return 0


def measure(estimator, X, y, folds, *, n_trials, seed):
    """Time one search after the other, all with the same trials.

    Parameters
    ----------
    estimator : estimator
        The classifier of the baseline.
    X : DataFrame of shape (n_notes, n_features)
    y : ndarray of shape (n_notes,)
    folds : list of (train, test)
    n_trials, seed : int

    Returns
    -------
    dict of str to dict
        Search → ``seconds`` (of its ``fit``, without a refit), ``fit_and_score_seconds`` (as in its
        `cv_results_`), ``overhead_seconds`` (the difference), ``share`` (of the overhead in all).
    """
    from sklearn.model_selection import RandomizedSearchCV

    from sknote.model_selection import OptunaSearch, baseline_space

    space = {
        name.removeprefix("classify__"): distribution
        for name, distribution in baseline_space().items()
        if name.startswith("classify__")
    }
    found, trials = {}, None
    with tempfile.TemporaryDirectory() as folder:
        storages = {
            "OptunaSearch, in memory": None,
            "OptunaSearch, journal file": Path(folder) / "journal.log",
            "OptunaSearch, SQLite": f"sqlite:///{folder}/study.db",
        }
        for name, storage in storages.items():
            search = OptunaSearch(
                estimator,
                space,
                n_trials=n_trials,
                cv=folds,
                scoring="accuracy",
                refit=False,
                storage=storage,
                random_state=seed,
            )
            found[name] = _time(search, X, y)
            if trials not in (None, search.cv_results_["params"]):
                raise RuntimeError(f"{name} had other trials than the search before.")
            trials = search.cv_results_["params"]
            print(f"{name}: {found[name]['seconds']:.1f} s", flush=True)
    # each a grid of one point: scikit-learn draws all of them
    grid = [{name: [value] for name, value in params.items()} for params in trials]
    search = RandomizedSearchCV(
        estimator,
        grid,
        n_iter=n_trials,
        cv=folds,
        scoring="accuracy",
        refit=False,
        random_state=seed,
    )
    found["RandomizedSearchCV"] = _time(search, X, y)
    return found


def _time(search, X, y):
    start = time.perf_counter()
    search.fit(X, y)
    seconds = time.perf_counter() - start
    results = search.cv_results_
    n_folds = search.n_splits_
    inside = n_folds * float((results["mean_fit_time"] + results["mean_score_time"]).sum())
    return {
        "seconds": seconds,
        "fit_and_score_seconds": inside,
        "overhead_seconds": seconds - inside,
        "share": (seconds - inside) / seconds,
    }


def table(result):
    """Return the header and one row per search."""
    rows = [["search", "whole (s)", "fits and scores (s)", "overhead (s)", "overhead (%)"]]
    for name, row in result["searches"].items():
        cells = [row["seconds"], row["fit_and_score_seconds"]]
        rows.append(
            [name, *(f"{cell:.1f}" for cell in cells), f"{row['overhead_seconds']:.2f}"]
            + [f"{100 * row['share']:.2f}"]
        )
    return rows


def caption(result):
    """Return a sentence about what was searched on what."""
    data, settings, environment = result["data"], result["settings"], result["environment"]
    return (
        f"{settings['trials']} trials of the baseline's classifier in {settings['folds']} grouped "
        f"folds, on {data['n_notes']:,} synthetic notes of {data['n_classes']} classes; the same "
        f"trials in all searches. {environment['machine']['processor']}; commit "
        f"{environment['commit']}."
    )


TABLES = {"scores": ("Overhead", table)}
