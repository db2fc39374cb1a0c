"""Cross-validate models on a data set, by group; a run that was cut off goes on where it was."""

import sys
import warnings

import numpy as np
import pandas as pd

from benchmarks import cli
from benchmarks.cli import RESULTS, BenchmarkError, available_threads, positive, two_or_more
from benchmarks.datasets import load_task, make_folds
from benchmarks.features import make_features, measure_features
from benchmarks.folds import run_folds
from benchmarks.layout import COLOURS, describe_data, new_figure, print_remarks, publish, table
from benchmarks.models import Options, build, expand
from benchmarks.pages import keep_answers
from benchmarks.results import describe_task, merge, summarize_model
from benchmarks.search import fold_pipelines
from sknote.metrics import compare_models

# what makes two results comparable, besides the data
SETTINGS = ("folds", "seed", "min_class_count", "max_notes", "max_epochs")
# what is not said in a result's name, and how it is said where it is not as usual
WHOLE = {"max_notes": (None, "{}-notes"), "max_epochs": (None, "{}-epochs")}
USUAL = WHOLE | {"folds": (5, "{}-folds"), "seed": (0, "seed-{}")}
USUAL |= {"min_class_count": (10, "{}-a-class")}
# Column → heading, format
SCORES = {
    "accuracy": ("accuracy", ".3f"),
    "balanced_accuracy": ("balanced acc.", ".3f"),
    "macro_f1": ("macro-F1", ".3f"),
    "hierarchical_f1": ("hier. F1", ".3f"),
    "log_loss": ("log loss", ".2f"),
    "calibration_error": ("calibration err.", ".3f"),
}
_LEVELS = {
    "n_values": ("values", ""),
    "accuracy": ("accuracy, alone", ".3f"),
    "macro_f1": ("macro-F1, alone", ".3f"),
    "path_accuracy": ("accuracy, with all levels before", ".3f"),
}
_ERRORS = {
    "accuracy": ("right", ".3f"),
    "top_2_accuracy": ("right with the second answer", ".3f"),
    "repeated": ("errors that repeat", ".3f"),
}
_COSTS = {
    "fit_seconds": ("fit (s)", ".1f"),
    "fit_cpu_seconds": ("fit (CPU s)", ".1f"),
    "predict_notes_per_s": ("predict (notes/s)", ".0f"),
    "peak_memory_mib": ("peak memory (MiB)", ".0f"),
    "features": ("features (notes/s per core)", ".0f"),
}
_CHANGES = {
    "accuracy": ("accuracy (95 %)", "+.3f"),
    "macro_f1": ("macro-F1 (95 %)", "+.3f"),
    "log_loss": ("log loss (95 %)", "+.3f"),
}
OPTIONS = {
    **cli.DATA,
    "--models": (
        cli.names,
        "compact,baseline,dummy",
        "with commas; 'variants' for compact and all of its variants; an unknown one lists them",
    ),
    "--folds": (two_or_more, 5, "of the whole task"),
    "--inner": (two_or_more, None, "so many folds of the training part of the first of --folds"),
    "--n-jobs": (positive, None, "folds at a time (default: one a core, at most 4)"),
    "--fresh": (bool, False, "run finished folds again instead of reusing them"),
    "--name": (
        cli.file_name,
        None,
        "of the result's files (default: the data, and what is not as usual)",
    ),
    **cli.FITS,
    **cli.SHARED,
}


def main(args):
    """Run the command; returns its exit status."""
    common, models = prepare(args)
    task = load_task(args)
    folds, remarks = make_folds(task, args.folds, args.seed)
    settings = {name: getattr(args, name) for name in SETTINGS}
    path = args.out / f"{args.name or result_name(args, USUAL)}.json"
    if args.inner is not None:
        task = task.within(folds[0][0])
        folds, remarks = make_folds(task, args.inner, args.seed + 1)
        settings["inner"], path = args.inner, path.with_stem(f"{path.stem}-inner")
    places = (args.out, RESULTS)
    pipelines = {name: fold_pipelines(name, models[name], task, folds, places) for name in models}
    every = [pipeline for own in pipelines.values() for pipeline in own]
    unreadable, more = make_features(task, every, args.cache_dir, args.n_jobs * common.n_threads)
    where = {"cache_dir": args.cache_dir, "options": common}
    outcomes = run_folds(task, folds, pipelines, n_jobs=args.n_jobs, fresh=args.fresh, **where)
    speeds = measure_features(task, {n: pipelines[n][0] for n in outcomes}, args.cache_dir)
    entries = {
        name: summarize_model(task, name, pipelines[name], own, speeds[name])
        for name, own in outcomes.items()
    }
    about = describe_task(task, settings, [*remarks, *more], unreadable)
    result = merge(path, about, entries)
    keep_answers(args.cache_dir, path.stem, task, about, outcomes)
    publish(result, path, sys.modules[__name__])
    print_remarks(result["task"], {n: entry["warnings"] for n, entry in result["models"].items()})
    return 0


def prepare(args):
    """Share the cores out among jobs; returns what is said about all models, and the models."""
    import torch

    try:
        torch.device(args.device)
    except RuntimeError as error:
        raise BenchmarkError(f"--device: {error}") from error
    args.n_jobs = args.n_jobs or min(4, available_threads())
    n_threads = max(1, available_threads() // args.n_jobs)
    common = Options(args.seed, n_threads, args.device, args.max_epochs)
    return common, {name: build(name, common) for name in expand(args.models)}


def result_name(args, usual):
    """Name a result by its data and what is not as usual: a trial has a name of its own."""
    changed = [name for name, (value, _) in usual.items() if getattr(args, name) != value]
    return "-".join([args.dataset, *(usual[n][1].format(getattr(args, n)) for n in changed)])


def level_table(result):
    """Return the header and one row per model: each level of the labels by itself."""
    means = [entry["mean"] for entry in result["models"].values()]
    columns = {}
    for name in means[0]:
        if name.endswith("_accuracy") and name not in SCORES | _ERRORS:
            columns[name] = (name.removesuffix("_accuracy"), ".3f")
        # an order of which no two neighbours ever occur says nothing
        if name.endswith("_one_step") and any(mean[name] for mean in means):
            columns[name] = (f"{name.removesuffix('_one_step')}: errors one step off", ".3f")
    return table("model", _numbers(result), columns)


def hierarchy_table(result):
    """Return the header and a row per model for the labels and each level, all folds together."""
    rows = {}
    for model, entry in result["models"].items():
        if "levels" not in entry:
            continue
        n_labels = sum(row["support"] > 0 for row in entry["classes"].values())
        rows[f"{model}: label"] = entry["pooled"] | {"n_values": n_labels}
        rows |= {f"{model}: {level}": row for level, row in entry["levels"].items()}
    return table("model: level", rows, _LEVELS)


def error_table(result):
    """Return the header and one row per model: how near, and how lasting, its errors are."""
    # the result may hold models of earlier runs
    known = {name: row for name, row in _numbers(result).items() if "repeated" in row}
    return table("model", known, _ERRORS)


def class_table(result):
    """Return the header and one row per label: F1 of each model, all folds together."""
    models = result["models"]
    rows = {label: {"notes": row["support"]} for label, row in _first(result)["classes"].items()}
    for label, row in rows.items():
        row |= {n: entry["classes"].get(label, {}).get("f1") for n, entry in models.items()}
    return table("label", rows, {"notes": ("notes", "")} | {n: (n, ".2f") for n in models})


def change_table(result):
    """Return the header and a row for each model but the first: differences and what is luck."""
    first, rows = _first(result), {}
    for model, entry in list(result["models"].items())[1:]:
        cpu = [one["mean"]["fit_cpu_seconds"] for one in (entry, first)]
        rows[model] = {"summary": entry["summary"], "times": cpu[0] / cpu[1]}
    for name in _CHANGES:
        for model, change in paired_changes(result, name).items():
            rows[model][name] = change
    times = {"times": ("fit (CPU), times", ".2f")}
    return table("model", rows, {"summary": ("what it is", ""), **_CHANGES, **times})


def paired_changes(result, score):
    """Return model → mean difference from the first model, and its interval where there is one."""
    folds = {name: entry["folds"] for name, entry in result["models"].items()}
    first = _first(result)["folds"]
    # a model of an earlier run may be of fewer folds, or lack the score
    known = {n: own for n, own in folds.items() if len(own) == len(first) and score in own[0]}
    if not first[1:] or len(known) < 2:
        return {name: own[0][score] - first[0][score] for name, own in list(known.items())[1:]}
    sizes = {name: [fold[name] for fold in first] for name in ("n_train", "n_test")}
    scores = {name: [fold[score] for fold in own] for name, own in known.items()}
    with warnings.catch_warnings():  # how few the folds are, the caption says
        warnings.filterwarnings("ignore", "compare_models: .* folds", UserWarning)
        found = compare_models(scores, **sizes)
    rows = found[["difference", "low", "high"]].itertuples()
    return {name: one[0] if np.isnan(one[1]) else tuple(one) for name, *one in rows}


def instrument_table(result):
    """Return the header and one row per instrument: mean ± deviation of each model's accuracy."""
    models = result["models"]
    rows = {name: {"notes": row["n"]} for name, row in _first(result)["instruments"].items()}
    for name, row in rows.items():
        own = {model: entry["instruments"][name] for model, entry in models.items()}
        row |= {model: (one["mean_accuracy"], one["std_accuracy"]) for model, one in own.items()}
    return table("instrument", rows, {"notes": ("notes", "")} | {n: (n, ".3f") for n in models})


def caption(result):
    """Return a sentence about the data and the folds behind a result."""
    task, environments = result["task"], [e["environment"] for e in result["models"].values()]
    settings = task["settings"]
    machines = sorted({one["machine"]["processor"] for one in environments})
    commits = sorted({str(one["commit"]) for one in environments})
    folds = f"{settings['folds']} stratified grouped folds"
    if "inner" in settings:
        folds = f"{settings['inner']} such folds of the training part of the first of {folds}"
    spread = "mean ± standard deviation over folds"
    if n_run := settings.get("first_folds"):
        folds = f"the first {'' if n_run == 1 else f'{n_run} '}of {folds}"
        spread = "one fold has no spread" if n_run == 1 else spread
    return (
        f"{task['dataset']}: {describe_data(task['data'], 'instruments')}; "
        f"{folds}, seed {settings['seed']}; {spread}. "
        f"{', '.join(machines)}; commit {', '.join(commits)}."
    )


TABLES = {
    "scores": ("Scores", lambda result: table("model", _numbers(result), SCORES)),
    "levels": ("Accuracy on each level of the labels alone", level_table),
    "hierarchy": ("The labels and each of their levels, all folds together", hierarchy_table),
    "errors": ("Errors", error_table),
    "instruments": ("Accuracy on each instrument", instrument_table),
    "classes": ("F1 of each label", class_table),
    "changes": ("Differences from the first model, with their intervals", change_table),
    "costs": ("Cost", lambda result: table("model", _numbers(result), _COSTS)),
}
MAX_INSTRUMENTS = 16  # those with the most notes; the result's file has all


def draw(result, path):
    """Draw scores, and accuracy on each instrument; of many models, the scores alone in rows."""
    task, models = result["task"], result["models"]
    folds = "inner folds" if "inner" in task["settings"] else "grouped folds"
    folds = f"{len(_first(result)['folds'])} {folds}"
    title = f"{task['dataset']}: {describe_data(task['data'])}, {folds}"
    means, stds = (
        pd.DataFrame({name: entry[kind] for name, entry in models.items()}, dtype=float)
        for kind in ("mean", "std")
    )
    if len(models) > len(COLOURS):
        height = 1.4 + 0.3 * len(models)
        figure, panels = new_figure(11, height, title, ncols=len(_CHANGES), sharey=True)
        for axes, name in zip(panels, _CHANGES):
            axes.axvline(means.loc[name].iloc[0], color="gray", linestyle="--")
            axes.errorbar(means.loc[name], list(models), xerr=stds.loc[name].fillna(0), fmt="o")
            axes.set_xlabel(f"{SCORES[name][0]} (mean ± standard deviation)")
        panels[0].invert_yaxis()
    else:
        first = _first(result)["instruments"]
        frequent = sorted(first, key=lambda name: -first[name]["n"])[:MAX_INSTRUMENTS]
        # those that the first model knows best stand at the top
        instruments = sorted(frequent, key=lambda name: first[name]["accuracy"])
        height = max(4.2, 1.8 + (0.2 + 0.06 * len(models)) * len(instruments))
        figure, (left, right) = new_figure(11, height, title)
        how = {"color": list(COLOURS[: len(models)]), "width": 0.8}
        bars = [name for name in SCORES if name.endswith(("accuracy", "f1"))]
        means.loc[bars].plot.bar(ax=left, yerr=stds.loc[bars].fillna(0), rot=0, **how)
        left.set_xticks(range(len(bars)), [name.replace("_", "\n") for name in bars])
        left.set(ylabel="score (mean ± standard deviation over folds)", ylim=(0, 1.2))
        means, stds = (
            pd.DataFrame({m: pd.DataFrame(e["instruments"]).loc[kind] for m, e in models.items()})
            for kind in ("mean_accuracy", "std_accuracy")
        )
        stds = stds.loc[instruments].astype(float).fillna(0)
        means.loc[instruments].plot.barh(ax=right, xerr=stds, legend=False, **how)
        right.set_yticks(range(len(instruments)), [f"{n} ({first[n]['n']})" for n in instruments])
        right.set_xlabel("accuracy on the notes of an instrument (number of notes)")
    figure.savefig(path)


def _first(result):
    return next(iter(result["models"].values()))


def _numbers(result):
    """Return model → name → mean and deviation, or a number of all folds together."""
    rows = {}
    for model, entry in result["models"].items():
        rows[model] = {n: (value, entry["std"].get(n)) for n, value in entry["mean"].items()}
        rows[model]["features"] = (entry.get("features") or {}).get("notes_per_s")
        # in one fold there may be no pair of notes
        if "repeated_errors" in entry.get("pooled", {}):
            rows[model]["repeated"] = entry["pooled"]["repeated_errors"]
    return rows
