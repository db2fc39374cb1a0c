"""Cross-validate models on a data set, by group; a run that was cut off goes on where it was.

Without arguments it is the synthetic benchmark, which needs no data.
"""

import argparse
import importlib
from pathlib import Path

from tqdm.auto import tqdm

from benchmarks.cache import default_cache_dir
from benchmarks.cli import BenchmarkError
from benchmarks.environment import available_threads

RESULTS = Path(__file__).parent / "results"
# what makes two results comparable, besides the data
SETTINGS = ("folds", "seed", "min_class_count", "max_notes", "max_epochs")
# what is not said in a result's name
USUAL = {"folds": 5, "seed": 0, "min_class_count": 10}


def add_arguments(parser):
    """Define the options of the command."""
    parser.add_argument(
        "--dataset", default="synthetic", choices=("synthetic", "philharmonia", "good_sounds")
    )
    parser.add_argument(
        "--models",
        default="compact,baseline,dummy",
        type=lambda text: list(dict.fromkeys(text.split(","))),
        help="names, separated by commas (default: %(default)s); 'variants' stands for the default "
        "model and all of its variants; an unknown name lists them all",
    )
    parser.add_argument("--folds", type=two_or_more, default=USUAL["folds"])
    parser.add_argument(
        "--inner",
        type=two_or_more,
        help="so many folds of the training part of the first of --folds, to compare what may be "
        "chosen without a look at what the other results are about",
    )
    parser.add_argument(
        "--seed", type=int, default=USUAL["seed"], help="of folds, models and synthetic notes"
    )
    parser.add_argument(
        "--n-jobs",
        type=positive,
        default=min(4, available_threads()),
        help="folds at a time, which share the cores (default: one a core, at most 4)",
    )
    parser.add_argument(
        "--max-notes", type=positive, help="a draw of so many notes (synthetic: default 900)"
    )
    parser.add_argument(
        "--min-class-count",
        type=positive,
        default=USUAL["min_class_count"],
        help="leave out classes with fewer notes (default: %(default)s)",
    )
    parser.add_argument(
        "--max-epochs", type=positive, help="of the networks, for a trial (default: their own)"
    )
    parser.add_argument("--device", default="cpu", help="cpu, cuda or auto, for the networks")
    parser.add_argument("--data-home", help="default: $SKNOTE_DATA, else ~/sknote_data")
    parser.add_argument(
        "--cache-dir",
        type=Path,
        default=default_cache_dir(),
        help="features and finished folds (default: %(default)s)",
    )
    parser.add_argument(
        "--out", type=Path, default=RESULTS, help="folder of the results (default: %(default)s)"
    )
    parser.add_argument(
        "--name", help="of the result's files (default: the data set, and what is not as usual)"
    )
    parser.add_argument(
        "--fresh", action="store_true", help="run finished folds again instead of reusing them"
    )


def main(args):
    """Run the command; returns its exit status."""
    # heavy, and not needed for --help
    from benchmarks.datasets import load_task, make_folds, within
    from benchmarks.features import make_features
    from benchmarks.folds import forget, plan
    from benchmarks.models import Options, build
    from benchmarks.tuned import fold_pipelines
    from benchmarks.variants import expand

    n_threads = max(1, available_threads() // args.n_jobs)
    options = Options(args.seed, n_threads, args.device, args.max_epochs)
    models = {name: build(name, options) for name in expand(args.models)}
    task = load_task(
        args.dataset,
        data_home=args.data_home,
        max_notes=args.max_notes,
        min_class_count=args.min_class_count,
        seed=args.seed,
        cache_dir=args.cache_dir,
    )
    print_task(task)
    folds, fold_warnings = make_folds(task, args.folds, args.seed)
    if args.inner is not None:
        task = within(task, folds[0][0])
        folds, fold_warnings = make_folds(task, args.inner, args.seed + 1)
    places = (args.out, RESULTS)
    pipelines = {name: fold_pipelines(name, models[name], task, folds, places) for name in models}
    files = make_features(
        task,
        {(name, k): own[k] for name, own in pipelines.items() for k in range(len(folds))},
        cache_dir=args.cache_dir,
        n_jobs=args.n_jobs * n_threads,
    )
    jobs = plan(
        task,
        folds,
        pipelines,
        files,
        cache_dir=args.cache_dir,
        options=options,
        n_jobs=args.n_jobs,
    )
    if args.fresh:
        forget(jobs)
    failed = run_with_progress(jobs, task, args.n_jobs, n_threads)
    return _finish(args, task, pipelines, jobs, fold_warnings, failed)


def run_with_progress(jobs, task, n_jobs, n_threads):
    """Run the unfinished folds, with a line for each; returns model → what went wrong."""
    from benchmarks.folds import read_fold, run_folds
    from benchmarks.processes import JobFailed

    failed = {}
    n_finished = sum(job.path.exists() for job in jobs)
    if n_finished:
        print(f"{n_finished} of {len(jobs)} folds are finished already.")
    with tqdm(total=len(jobs), initial=n_finished, desc="folds", unit="fold", disable=None) as bar:
        for job, result in run_folds(jobs, n_jobs=n_jobs, n_threads=n_threads):
            bar.update()
            if isinstance(result, JobFailed):
                failed[job.model] = str(result)
                bar.write(f"{job.model}, fold {job.fold}: failed\n{result}")
                continue
            measured, proba = read_fold(job)
            accuracy = (task.classes[proba.argmax(axis=1)] == task.target[job.test]).mean()
            bar.write(
                f"{job.model}, fold {job.fold}: accuracy {accuracy:.3f}, "
                f"fit in {measured['fit_seconds']:.1f} s"
            )
    return failed


def _finish(args, task, pipelines, jobs, fold_warnings, failed):
    """Write and print the result."""
    from benchmarks import show
    from benchmarks.results import describe_task, save, summarise

    done = [name for name in pipelines if name not in failed]
    if not done:
        raise BenchmarkError("every model failed; see above.")
    entries = {}
    for name in done:
        own = [job for job in jobs if job.model == name]
        entries[name] = summarise(task, pipelines[name], own, args.cache_dir)
    described = describe_task(
        task,
        jobs,
        settings={name: getattr(args, name) for name in SETTINGS}
        | ({"inner": args.inner} if args.inner is not None else {}),
        warnings=fold_warnings,
    )
    name = args.name or result_name(args) + _unusual(args)
    path = args.out / f"{name}{'' if args.inner is None else '-inner'}.json"
    result = save(path, described, entries)
    print(f"\n{show.caption(result)}\n")
    for title, table in show.TABLES.values():
        if len(rows := table(result)) > 1:
            print(f"{title}:\n{show.as_text(rows)}\n")
    warnings = {name: entry["warnings"] for name, entry in result["models"].items()}
    print_remarks(result["task"], warnings)
    print(f"Result: {path}")
    plot_into(path.with_suffix(".png"), "benchmarks.plot", result)
    if failed:
        print(f"Failed: {', '.join(failed)}; the same command tries the missing folds again.")
        if old := [name for name in failed if name in result["models"]]:
            print(f"What the result has of {', '.join(old)} is of an earlier run.")
    return 1 if failed else 0


def plot_into(path, module, result):
    """Draw a result by a module's ``plot``, if matplotlib is there."""
    try:
        importlib.import_module(module).plot(result, path)
    except ImportError:
        print("No picture: matplotlib is not installed (pip install 'sknote[report]').")
    else:
        print(f"Picture: {path}")


def print_task(task):
    """Print what was found, and what was left out."""
    data = task.description
    print(
        f"{task.dataset}: {data['n_files']:,} recordings found, {data['n_notes']:,} used: "
        f"{data['n_classes']} classes, {data['n_groups']} groups, "
        f"{data['n_instruments']} instruments."
    )
    for reason, n in data["not_used_by_loader"].items():
        print(f"  {n:,} left out: {reason}")
    if data["n_not_drawn"]:
        print(f"  {data['n_not_drawn']:,} left out by lot: --max-notes")
    if data["n_in_rare_classes"]:
        print(
            f"  {data['n_in_rare_classes']:,} left out: their classes "
            f"({data['n_rare_classes']}) are under --min-class-count"
        )


def print_remarks(task, warnings):
    """Print what cannot be read, and the warnings (dict of str to list) of whom there were."""
    if task["data"]["unreadable"]:
        print(f"Not readable, and taken for silence: {', '.join(task['data']['unreadable'])}")
    remarks = [text for text in task["warnings"] if "could not be decoded" not in text]
    remarks += [f"{name}: {text}" for name, texts in warnings.items() for text in texts]
    for text in remarks[:10]:
        print(f"Note: {text}")
    if len(remarks) > 10:
        print(f"... and {len(remarks) - 10} more in the result's file.")
    print()


def result_name(args):
    """Name a result by its data; a trial must not take the place of the real one."""
    parts = [args.dataset]
    if args.max_notes is not None:
        parts.append(f"{args.max_notes}-notes")
    if args.max_epochs is not None:
        parts.append(f"{args.max_epochs}-epochs")
    return "-".join(parts)


def _unusual(args):
    parts = {"folds": f"{args.folds}-folds", "seed": f"seed-{args.seed}"}
    parts["min_class_count"] = f"{args.min_class_count}-a-class"
    return "".join(f"-{part}" for name, part in parts.items() if getattr(args, name) != USUAL[name])


def positive(text):
    """Read a whole number above 0."""
    return _at_least(1, text)


def two_or_more(text):
    """Read a whole number above 1."""
    return _at_least(2, text)


def _at_least(least, text):
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"expected a whole number from {least}, got {text}")
    return int(text)
