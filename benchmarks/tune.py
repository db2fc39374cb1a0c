"""Tune a model by nested, grouped cross-validation; a run that was cut off goes on where it was.

Each outer fold has a search of its own, which sees the fold's training part only; the model with
the parameters that it chose, and the model as it is, are then scored on the fold's test part.
"""

import argparse
from collections import Counter
from pathlib import Path

from sklearn.base import clone
from tqdm.auto import tqdm

from benchmarks.cache import default_cache_dir
from benchmarks.cli import BenchmarkError
from benchmarks.environment import available_threads
from benchmarks.run import (
    RESULTS,
    plot_into,
    positive,
    print_remarks,
    print_task,
    result_name,
    run_with_progress,
    two_or_more,
)
from benchmarks.tuned import PREFIX

SEARCH = ("trials", "timeout", "inner", "scoring", "pruner", "seed")
SETTINGS = ("outer", *SEARCH, "min_class_count", "max_notes", "max_epochs")


def add_arguments(parser):
    """Define the options of the command."""
    parser.add_argument(
        "--dataset", default="synthetic", choices=("synthetic", "philharmonia", "good_sounds")
    )
    parser.add_argument(
        "--model", default="baseline", help="compact, baseline or extra_trees (default: baseline)"
    )
    parser.add_argument(
        "--space",
        type=lambda text: list(dict.fromkeys(text.split(","))),
        help="parts of the model's space, separated by commas; an unknown one lists them "
        "(default: training,augmentation for compact, all for the others)",
    )
    parser.add_argument("--trials", type=positive, default=20, help="in each outer fold")
    parser.add_argument(
        "--timeout",
        type=_seconds,
        help="seconds after which an outer fold begins no further trial (default: no limit)",
    )
    parser.add_argument("--outer", type=two_or_more, default=3, help="folds that give the score")
    parser.add_argument("--inner", type=two_or_more, default=3, help="folds that choose")
    parser.add_argument(
        "--scoring",
        default="accuracy",
        choices=("accuracy", "balanced_accuracy", "macro_f1"),
        help="what the searches maximise (default: %(default)s)",
    )
    parser.add_argument(
        "--pruner",
        choices=("median", "none"),
        help="stop trials that are behind the median after two inner folds or more "
        "(default: median for compact, none for the others)",
    )
    parser.add_argument(
        "--storage", help="URL of a database, or path of a journal (default: one in --cache-dir)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of folds, models and searches")
    parser.add_argument(
        "--n-jobs",
        type=positive,
        help="outer folds at a time, which share the cores (default: one a core, at most --outer)",
    )
    parser.add_argument(
        "--max-notes", type=positive, help="a draw of so many notes (synthetic: default 900)"
    )
    parser.add_argument(
        "--min-class-count",
        type=positive,
        default=10,
        help="leave out classes with fewer notes (default: %(default)s)",
    )
    parser.add_argument(
        "--max-epochs", type=positive, help="fix the epochs of a network, in place of tuning them"
    )
    parser.add_argument("--device", default="cpu", help="cpu, cuda or auto, for the networks")
    parser.add_argument("--data-home", help="default: $SKNOTE_DATA, else ~/sknote_data")
    parser.add_argument(
        "--cache-dir",
        type=Path,
        default=default_cache_dir(),
        help="features, searches and finished folds (default: %(default)s)",
    )
    parser.add_argument(
        "--out", type=Path, default=RESULTS, help="folder of the results (default: %(default)s)"
    )
    parser.add_argument("--name", help="of the result's files (default: tune-DATASET-MODEL)")


def main(args):
    """Run the command; returns its exit status."""
    # heavy, and not needed for --help
    from benchmarks.cached import with_all_coefficients
    from benchmarks.datasets import load_task, make_folds
    from benchmarks.features import make_features
    from benchmarks.folds import plan
    from benchmarks.models import Options, build
    from benchmarks.searches import plan_searches, read_search
    from benchmarks.spaces import search_space, settings_ahead

    args.n_jobs = args.n_jobs or min(args.outer, available_threads())
    args.pruner = args.pruner or ("median" if args.model == "compact" else "none")
    n_threads = max(1, available_threads() // args.n_jobs)
    options = Options(args.seed, n_threads, args.device, args.max_epochs)
    model, tuned = args.model, PREFIX + args.model
    space, pipeline = search_space(
        model, build(model, options), args.space, max_epochs=args.max_epochs
    )
    task = load_task(
        args.dataset,
        data_home=args.data_home,
        max_notes=args.max_notes,
        min_class_count=args.min_class_count,
        seed=args.seed,
        cache_dir=args.cache_dir,
    )
    print_task(task)
    folds, fold_warnings = make_folds(task, args.outer, args.seed)

    def features(pipelines):
        n_jobs = args.n_jobs * n_threads
        return make_features(task, pipelines, cache_dir=args.cache_dir, n_jobs=n_jobs)

    ahead = [with_all_coefficients(one)[0] for one in settings_ahead(pipeline, space)]
    features(dict(enumerate([pipeline, *ahead])))
    searches = plan_searches(
        task,
        folds,
        model,
        pipeline,
        space,
        {name: getattr(args, name) for name in SEARCH},
        cache_dir=args.cache_dir,
        storage=args.storage,
        options=options,
    )
    _search(searches, args, n_threads)
    found = [read_search(job) for job in searches]
    pipelines = {
        model: [pipeline] * len(folds),
        tuned: [clone(pipeline).set_params(**search["params"]) for search in found],
    }
    jobs = plan(
        task,
        folds,
        pipelines,
        features({(name, k): own[k] for name, own in pipelines.items() for k in range(len(folds))}),
        cache_dir=args.cache_dir,
        options=options,
        n_jobs=args.n_jobs,
    )
    failed = run_with_progress(jobs, task, args.n_jobs, n_threads)
    if failed:
        raise BenchmarkError(
            f"{', '.join(failed)} failed; see above. The same command tries the missing folds "
            "again."
        )
    return _finish(args, task, folds, space, pipelines, found, jobs, fold_warnings)


def _search(searches, args, n_threads):
    """Run the unfinished searches, with a line for each trial."""
    from benchmarks.processes import JobFailed, run_jobs
    from benchmarks.searches import read_search, run_search

    todo = [job for job in searches if not job.path.exists()]
    n_finished = len(searches) - len(todo)
    if n_finished:
        print(f"{n_finished} of {len(searches)} searches are finished already.")
    failed, counts = {}, Counter()
    total = args.trials * len(searches)
    with tqdm(
        total=total, initial=args.trials * n_finished, desc="trials", unit="trial", disable=None
    ) as bar:

        def on_report(index, trial):
            number, state, score, seconds = trial
            n_before = counts[index]
            counts[index] = min(max(n_before, number + 1), args.trials)
            bar.update(counts[index] - n_before)
            said = f"{args.scoring} {score:.3f}" if score is not None else state.lower()
            bar.write(f"fold {todo[index].fold}, trial {number}: {said}, {seconds:.1f} s")

        for index, result in run_jobs(
            run_search, todo, n_jobs=args.n_jobs, n_threads=n_threads, on_report=on_report
        ):
            fold = todo[index].fold
            bar.update(args.trials - counts[index])
            counts[index] = args.trials
            if isinstance(result, JobFailed):
                failed[fold] = str(result)
                bar.write(f"fold {fold}: the search failed")
                continue
            search = read_search(todo[index])
            params = ", ".join(f"{name}={_short(v)}" for name, v in search["params"].items())
            bar.write(
                f"fold {fold}: searched; best inner {args.scoring} {search['inner_score']:.3f} "
                f"with {params}"
            )
    if failed:
        fold, message = min(failed.items())
        raise BenchmarkError(
            f"the search of outer fold {fold} failed: {message}\nFinished trials are kept; the "
            "same command goes on with them."
        )


def _finish(args, task, folds, space, pipelines, found, jobs, fold_warnings):
    """Write and print the result."""
    from benchmarks import show, show_tune
    from benchmarks.results import describe_task
    from benchmarks.tune_results import save, summarise

    described = describe_task(
        task,
        jobs,
        settings={name: getattr(args, name) for name in SETTINGS},
        warnings=fold_warnings,
    )
    result = summarise(task, folds, space, pipelines, found, jobs, described)
    path = args.out / f"{args.name or f'tune-{result_name(args)}-{args.model}'}.json"
    result = save(path, result)
    print(f"\n{show_tune.caption(result)}\n")
    for title, table in show_tune.TABLES.values():
        print(f"{title}:\n{show.as_text(table(result))}\n")
    print_remarks(result["task"], {args.model: result["warnings"]})
    print(f"Result: {path}")
    plot_into(path.with_suffix(".png"), "benchmarks.tune_plot", result)
    return 0


def _short(value):
    return f"{value:.3g}" if isinstance(value, float) else value


def _seconds(text):
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected seconds above 0, got {text}")
    return value
