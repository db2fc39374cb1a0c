"""Cross-validate models on a data set, by group; a run that was cut off goes on where it was.

Without arguments it is the synthetic benchmark, which needs no data.
"""

from benchmarks import options, show_comparison
from benchmarks.all_models import Options, build, variants
from benchmarks.datasets import load_task, make_folds
from benchmarks.features import make_features, measure_features
from benchmarks.folds import run_folds
from benchmarks.layout import print_remarks, publish
from benchmarks.options import RESULTS, BenchmarkError, available_threads, positive, two_or_more
from benchmarks.results import describe_task, merge, summarize_model
from benchmarks.search import fold_pipelines

# what makes two results comparable, besides the data
SETTINGS = ("folds", "seed", "min_class_count", "max_notes", "max_epochs")
# what is not said in a result's name, and how it is said where it is not as usual
USUAL = {"folds": (5, "{}-folds"), "seed": (0, "seed-{}"), "min_class_count": (10, "{}-a-class")}
OPTIONS = {
    **options.DATA,
    "--models": (
        options.names,
        "compact,baseline,dummy",
        "with commas; 'variants' for compact and all of its variants; an unknown one lists them",
    ),
    "--folds": (two_or_more, 5, "of the whole task"),
    # to compare what may be chosen without a look at what the other results are about
    "--inner": (two_or_more, None, "so many folds of the training part of the first of --folds"),
    "--n-jobs": (positive, min(4, available_threads()), "folds at a time, which share the cores"),
    "--fresh": (bool, False, "run finished folds again instead of reusing them"),
    "--name": (str, None, "of the result's files (default: the data, and what is not as usual)"),
    **options.SEED,
    **options.FITS,
    **options.FOLDERS,
}


def main(args):
    """Run the command; returns its exit status."""
    n_threads = max(1, available_threads() // args.n_jobs)
    common = Options(args.seed, n_threads, args.device, args.max_epochs)
    models = {name: build(name, common) for name in variants.expand(args.models)}
    task = load_task(args)
    folds, remarks = make_folds(task, args.folds, args.seed)
    settings = {name: getattr(args, name) for name in SETTINGS}
    path = args.out / f"{args.name or result_name(args) + _unusual(settings)}.json"
    if args.inner is not None:
        task = task.within(folds[0][0])
        folds, remarks = make_folds(task, args.inner, args.seed + 1)
        settings["inner"], path = args.inner, path.with_stem(f"{path.stem}-inner")
    places = (args.out, RESULTS)
    pipelines = {name: fold_pipelines(name, models[name], task, folds, places) for name in models}
    every = [pipeline for own in pipelines.values() for pipeline in own]
    unreadable, more = make_features(task, every, args.cache_dir, args.n_jobs * n_threads)
    where = {"cache_dir": args.cache_dir, "options": common}
    outcomes = run_folds(task, folds, pipelines, n_jobs=args.n_jobs, fresh=args.fresh, **where)
    if not outcomes:
        raise BenchmarkError("every model failed; see above.")
    speeds = measure_features(task, {n: pipelines[n][0] for n in outcomes}, args.cache_dir)
    entries = {
        name: summarize_model(task, name, pipelines[name], own, speeds[name])
        for name, own in outcomes.items()
    }
    result = merge(path, describe_task(task, settings, [*remarks, *more], unreadable), entries)
    publish(result, path, show_comparison)
    print_remarks(result["task"], {n: entry["warnings"] for n, entry in result["models"].items()})
    failed = [name for name in models if name not in outcomes]
    if failed:
        print(f"Failed: {', '.join(failed)}; the same command tries the missing folds again.")
        if old := [name for name in failed if name in result["models"]]:
            print(f"What the result has of {', '.join(old)} is of an earlier run.")
    return 1 if failed else 0


def result_name(args):
    """Name a result by its data; a trial must not take the place of the real one."""
    given = {"notes": args.max_notes, "epochs": args.max_epochs}
    return "-".join([args.dataset, *(f"{n}-{what}" for what, n in given.items() if n is not None)])


def _unusual(settings):
    changed = {name: text for name, (usual, text) in USUAL.items() if settings[name] != usual}
    return "".join("-" + text.format(settings[name]) for name, text in changed.items())
