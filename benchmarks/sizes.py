"""Cross-validate models that learn from few notes, and from more: whole groups are drawn."""

import argparse
import sys

import numpy as np
import pandas as pd

from benchmarks import cli, conditions, run
from benchmarks.conditions import SCORES, choose_folds
from benchmarks.datasets import load_task
from benchmarks.features import make_features
from benchmarks.folds import fit_fold, plan
from benchmarks.layout import describe_data, new_figure, print_remarks, publish, table
from benchmarks.models import MODELS, settings
from benchmarks.processes import run_kept
from benchmarks.results import describe_task, mean_and_spread, merge, rests_on, score_fold
from sknote.model_selection import grouped_validation_split

ALL, DEFAULT = "all", "compact"
SETTINGS = (*conditions.SETTINGS, "sizes")
_SIZES = "150,300,600,1200,2500,all"
_COUNTS = ("n_train", "n_train_classes", "fit_seconds")


def training_sizes(text):
    """Read numbers of notes that are separated by commas, and the word ``all``."""
    sizes = text.split(",")
    if not all(size == ALL or (size.isdecimal() and int(size) >= 2) for size in sizes):
        raise argparse.ArgumentTypeError(f"expected numbers from 2, or {ALL}, got {text}")
    return [size if size == ALL else int(size) for size in sizes]


OPTIONS = {
    **conditions.FOLD_OPTIONS,
    "--sizes": (training_sizes, _SIZES, "of the notes to learn from, with commas"),
}


def main(args):
    """Run the command; returns its exit status."""
    common, models = run.prepare(args)
    task = load_task(args)
    pipelines, folds, remarks = choose_folds(task, models, args)
    parts, left_out = draw_parts(task, folds, args.sizes, args.seed)
    remarks += left_out
    every = [pipeline for own in pipelines.values() for pipeline in own]
    n_jobs = args.n_jobs * common.n_threads
    unreadable, more = make_features(task, every, args.cache_dir, n_jobs)
    jobs = plan_parts(task, parts, pipelines, args, common)
    how = {"cache_dir": args.cache_dir, "n_jobs": args.n_jobs, "n_threads": common.n_threads}
    found = iter(run_kept(fit_fold, jobs, **how, fresh=args.fresh))
    entries = {}
    for name, own in pipelines.items():
        outcomes = {size: [next(found) for _ in folds] for size in parts}
        entries[name] = summarize(task, name, own[0], parts, outcomes)
    about = {name: getattr(args, name) for name in SETTINGS}
    about = describe_task(task, about, [*remarks, *more], unreadable)
    name = args.name or f"sizes-{run.result_name(args, conditions.USUAL)}"
    if not args.name and args.sizes != training_sizes(_SIZES):
        name += "-of-" + "-".join(map(str, args.sizes))
    path = args.out / f"{name}.json"
    result = merge(path, about, entries, "sizes")
    publish(result, path, sys.modules[__name__])
    print_remarks(result["task"], {n: entry["warnings"] for n, entry in result["models"].items()})
    return 0


def draw_parts(task, folds, sizes, seed):
    """Draw whole groups of each training part, of about so many notes and stratified.

    Returns size → (drawn, test) of each fold, and remarks on sizes that no training part has.
    """
    most = min(len(train) for train, _ in folds)
    parts, remarks = {}, []
    for size in sizes:
        if size != ALL and size >= most:
            remarks.append(f"{size} notes to learn from are left out: a fold has {most} at most.")
            continue
        parts[str(size)] = [
            (train if size == ALL else _draw(task, train, size, seed + k), test)
            for k, (train, test) in enumerate(folds)
        ]
    if not parts:
        given = ",".join(map(str, sizes))
        raise cli.BenchmarkError(f"expected --sizes below {most}, or {ALL}, got {given}.")
    return parts, remarks


def _draw(task, train, size, seed):
    y, groups = task.target[train], task.groups[train]
    how = {"fraction": size / len(train), "random_state": seed}
    return train[grouped_validation_split(y, groups, **how)[1]]


def plan_parts(task, parts, pipelines, args, options):
    """List the folds of each model and size as jobs; where it learns from all, that is `run`'s."""
    how = {"cache_dir": args.cache_dir, "options": options, "n_jobs": args.n_jobs}
    folds = [fold for own in parts.values() for fold in own]
    jobs = plan(task, folds, {name: own * len(parts) for name, own in pipelines.items()}, **how)
    names = [
        f"{model}, {size} notes, fold {k}"
        for model in pipelines
        for size, own in parts.items()
        for k in range(len(own))
    ]
    return [job._replace(name=name) for job, name in zip(jobs, names)]


def summarize(task, name, pipeline, parts, outcomes):
    """Put together how good a model is in each fold for each size."""
    sizes = {}
    for size, own in outcomes.items():
        folds = []
        for (train, _), outcome in zip(parts[size], own):
            n_classes = len(np.unique(task.target[train]))
            scores = score_fold(task, outcome) | {"n_train_classes": n_classes}
            folds.append({key: scores[key] for key in (*SCORES, *_COUNTS) if key in scores})
        sizes[size] = mean_and_spread(folds) | {"folds": folds}
    every = [outcome for own in outcomes.values() for outcome in own]
    about = {"summary": MODELS[name][0], "settings": settings(pipeline), **rests_on(every)}
    return about | {"sizes": sizes}


def score_table(result, score):
    """Return the header and one row per size: a score of each model."""
    models = result["models"]
    rows = _rows(result, ("n_train", "n_train_classes"))
    for size, row in rows.items():
        for model, entry in models.items():
            known = entry["sizes"][size]
            if score not in known["mean"]:
                return [["notes", *models]]
            row[model] = known["mean"][score], known["std"][score]
    counts = {"n_train": ("notes drawn", ",.0f"), "n_train_classes": ("classes drawn", ".1f")}
    return table("notes", rows, counts | {name: (name, ".3f") for name in models})


def change_table(result):
    """Return the header and one row per size: the default less the best other, fold by fold."""
    columns = {}
    for score in ("accuracy", "macro_f1"):
        columns[f"other_{score}"] = (f"{SCORES[score]}: best other", "")
        columns[score] = ("difference", "+.3f")
    rows = _rows(result, ())
    for size, row in rows.items():
        for score in ("accuracy", "macro_f1"):
            if (found := best_other(result, size, score)) is None:
                return [["notes"]]
            row[f"other_{score}"], *row[score] = found
            row[score] = tuple(row[score])
    return table("notes", rows, columns)


def best_other(result, size, score):
    """Return the best model for a size but the default's own, and mean and spread of the lead.

    None stands for no default, or no other model.
    """
    sizes = {name: entry["sizes"][size] for name, entry in result["models"].items()}
    others = [name for name in sizes if not name.startswith((DEFAULT, "practice"))]
    if DEFAULT not in sizes or not others:
        return None
    best = max(others, key=lambda name: sizes[name]["mean"][score])
    both = zip(sizes[DEFAULT]["folds"], sizes[best]["folds"])
    leads = mean_and_spread([{score: own[score] - other[score]} for own, other in both])
    std = leads["std"][score]
    return best, leads["mean"][score], None if np.isnan(std) else std


def _rows(result, counts):
    """Return size → its numbers of notes and classes, of the first model."""
    first = next(iter(result["models"].values()))
    return {size: {n: one["mean"][n] for n in counts} for size, one in first["sizes"].items()}


TABLES = conditions.tables_of(score_table)
TABLES["changes"] = (f"{DEFAULT} less the best other model", change_table)


def caption(result):
    """Return sentences about the data, the folds and what is drawn."""
    return (
        "Whole groups of the training part of each fold are drawn, of about so many notes; a class "
        f"that is not among them cannot be answered. {run.caption(result)}"
    )


def draw(result, path):
    """Draw curves of accuracy and macro-F1 over the number of notes."""
    models, task = result["models"], result["task"]
    title = f"{task['dataset']}: {describe_data(task['data'])}"
    figure, panels = new_figure(10.5, 4.6, title)
    for axes, score in zip(panels, ("accuracy", "macro_f1")):
        for name, entry in models.items():
            points = [(one["mean"], one["std"][score] or 0) for one in entry["sizes"].values()]
            notes = [means["n_train"] for means, _ in points]
            values = pd.Series([means[score] for means, _ in points], notes).sort_index()
            spread = pd.Series([std for _, std in points], notes).sort_index()
            axes.errorbar(values.index, values, spread, marker="o", capsize=2, label=name)
        axes.set_xscale("log")
        axes.set_xticks(values.index, [f"{n:,.0f}" for n in values.index])
        axes.minorticks_off()
        axes.set_xlabel("notes to learn from")
        axes.set_ylabel(SCORES[score])
        axes.grid(alpha=0.3)
    panels[0].legend()
    figure.savefig(path)
