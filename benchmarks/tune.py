"""Tune a model by nested, grouped cross-validation; a run that was cut off goes on where it was.

Each outer fold has a search of its own, which sees the fold's training part only; the model with
the parameters that it chose, and the model as it is, are then scored on the fold's test part.
"""

from collections import Counter

import numpy as np
from optuna.distributions import distribution_to_json
from sklearn.base import clone

from benchmarks import options, show_search
from benchmarks.all_models import Options, build, settings
from benchmarks.datasets import fold_key, load_task, make_folds
from benchmarks.features import make_features
from benchmarks.folds import run_folds
from benchmarks.layout import print_remarks, publish
from benchmarks.options import BenchmarkError, available_threads, positive, two_or_more
from benchmarks.results import describe_task, mean_and_spread, plain, rests_on, score_fold
from benchmarks.run import result_name
from benchmarks.search import PREFIX, SCORERS, importance, run_searches
from benchmarks.spaces import search_space

SEARCH = ("trials", "timeout", "inner", "scoring", "pruner", "seed")
SETTINGS = ("outer", *SEARCH, "min_class_count", "max_notes", "max_epochs")
OPTIONS = {
    **options.DATA,
    "--model": (str, "baseline", "compact, baseline or extra_trees"),
    # default: training,augmentation for compact, all for the others
    "--space": (options.names, None, "parts of its space, with commas; an unknown one lists them"),
    "--trials": (positive, 20, "in each outer fold"),
    "--timeout": (options.seconds, None, "seconds after which a fold begins no further trial"),
    "--outer": (two_or_more, 3, "folds that give the score"),
    "--inner": (two_or_more, 3, "folds that choose"),
    "--scoring": (tuple(SCORERS), "accuracy", "what the searches maximize"),
    # stop trials that are behind the median after two inner folds or more
    "--pruner": (("median", "none"), None, "of trials (default: median for compact, else none)"),
    "--storage": (str, None, "URL of a database, or path of a journal (default: in --cache-dir)"),
    "--n-jobs": (positive, None, "outer folds at a time (default: one a core, at most --outer)"),
    "--name": (str, None, "of the result's files (default: tune-DATASET-MODEL)"),
    **options.SEED,
    **options.FITS,
    **options.FOLDERS,
}


def main(args):
    """Run the command; returns its exit status."""
    args.n_jobs = args.n_jobs or min(args.outer, available_threads())
    args.pruner = args.pruner or ("median" if args.model == "compact" else "none")
    n_threads = max(1, available_threads() // args.n_jobs)
    common = Options(args.seed, n_threads, args.device, args.max_epochs)
    pipeline, model, tuned = build(args.model, common), args.model, PREFIX + args.model
    space, pipeline = search_space(model, pipeline, args.space, max_epochs=args.max_epochs)
    task = load_task(args)
    folds, remarks = make_folds(task, args.outer, args.seed)
    where = {"cache_dir": args.cache_dir, "options": common, "n_jobs": args.n_jobs}
    unreadable, more = make_features(task, [pipeline], args.cache_dir, args.n_jobs * n_threads)
    asked = {name: getattr(args, name) for name in SEARCH}
    searches = run_searches(
        task, folds, model, pipeline, space, asked, storage=args.storage, **where
    )
    chosen = [clone(pipeline).set_params(**search["params"]) for search in searches]
    make_features(task, chosen, args.cache_dir, args.n_jobs * n_threads)
    pipelines = {model: [pipeline] * len(folds), tuned: chosen}
    outcomes = run_folds(task, folds, pipelines, **where)
    if failed := [name for name in pipelines if name not in outcomes]:
        raise BenchmarkError(
            f"{', '.join(failed)} failed; see above. The same command tries the missing folds "
            "again."
        )
    asked = {name: getattr(args, name) for name in SETTINGS}
    result = {
        "kind": "search",
        "task": describe_task(task, asked, [*remarks, *more], unreadable),
        "model": model,
        "space": {name: distribution_to_json(one) for name, one in space.items()},
        "settings": settings(pipeline),
        **summarize(task, folds, space, searches, outcomes, args.seed),
    }
    rounded = plain(result)
    for entry, exact in zip(rounded["folds"], result["folds"]):
        # models are made of these, and importances are sensitive to ties
        entry |= {name: exact[name] for name in ("params", "trials")}
    publish(
        rounded, args.out / f"{args.name or f'tune-{result_name(args)}-{model}'}.json", show_search
    )
    print_remarks(rounded["task"], {model: rounded["warnings"]})
    return 0


def summarize(task, folds, space, searches, outcomes, seed):
    """Put the searches and the folds of a model, as it is and tuned, together.

    Returns a dict: ``models`` has mean and standard deviation over outer folds of the model's
    scores, as it is and tuned, and ``gain`` of their difference in a fold; ``inner_score`` that of
    the best trials; ``folds`` what was chosen in each; ``importance`` the mean over folds.
    """
    scores = {name: [score_fold(task, fold) for fold in own] for name, own in outcomes.items()}
    gains = [
        {name: after[name] - before[name] for name in SCORERS}
        for before, after in zip(*scores.values())
    ]
    entries = [
        {
            "fold": k,
            "key": fold_key(task, *folds[k]),
            "params": search["params"],
            "inner_score": search["inner_score"],
            "importance": importance(search["trials"], space, seed),
            "n_trials": dict(Counter(trial["state"] for trial in search["trials"])),
            "search_seconds": sum(trial["seconds"] for trial in search["trials"]),
            "scores": {name: own[k] for name, own in scores.items()},
            "trials": search["trials"],
        }
        for k, search in enumerate(searches)
    ]
    known = [entry["importance"] for entry in entries if entry["importance"]]
    return {
        "models": {name: mean_and_spread(own) for name, own in scores.items()},
        "gain": mean_and_spread(gains),
        "inner_score": mean_and_spread([{"score": search["inner_score"]} for search in searches]),
        "importance": {name: np.mean([one[name] for one in known]) for name in space if known},
        "importance_evaluator": f"fANOVA (optuna, 64 trees, seed {seed})",
        **rests_on([*searches, *(fold for own in outcomes.values() for fold in own)]),
        "folds": entries,
    }
