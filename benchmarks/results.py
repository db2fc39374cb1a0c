"""Results: from finished folds to numbers with their spread, and the files that hold them."""

import json
import math
import os
from collections import Counter

import numpy as np

from benchmarks.all_models import MODELS, settings
from benchmarks.metrics import score, tables

# In files from before results said what they are: a field that only one kind has
_FIELDS = {"space": "search", "speed": "speed", "slopes": "scale", "limit": "overhead"}


def read_result(path):
    """Read a result's file, a dict whose ``kind`` says which command it is of.

    "comparison" is what `run` writes, "search" what `tune` does; the others are named as the
    commands. Older files have no kind, and other words for the reference recipe.
    """
    text = path.read_text(encoding="utf-8")
    result = json.loads(text.replace('"guide_', '"reference_').replace("guide's", "recipe's"))
    kinds = [kind for field, kind in _FIELDS.items() if field in result]
    return {"kind": kinds[0] if kinds else "comparison"} | result


def write_result(path, result):
    """Write a result's file; a process that is killed leaves what was there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{os.getpid()}-{path.name}")
    text = json.dumps(result, indent=1, allow_nan=False)
    unfinished.write_text(text + "\n", encoding="utf-8")
    os.replace(unfinished, path)


def plain(value):
    """Turn NumPy's numbers into JSON's, of 5 significant digits, and NaN into None."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return float(f"{value:.5g}") if math.isfinite(value) else None
    return value


def summarize_model(task, name, pipelines, outcomes, speed):
    """Put the folds of one model together.

    `pipelines` are the model's own in each fold, `outcomes` what `fit_fold` returned for each, and
    `speed` that of the features. Returns a dict: ``mean`` and ``std`` (of the sample, over folds)
    of each number in ``folds``; ``pooled``, the scores of all answers together; the tables
    ``classes``, ``instruments`` (with mean and spread over folds as well) and ``levels`` of these;
    and what it all rests on.
    """
    folds = [score_fold(task, fold) for fold in outcomes]
    rows = np.concatenate([fold["rows"] for fold in outcomes])
    proba = np.concatenate([fold["proba"] for fold in outcomes])
    y_true, y_pred = task.target[rows], task.classes[proba.argmax(axis=1)]
    instrument = task.data.instrument.fillna("unknown").to_numpy(dtype=str)[rows]
    result = {
        "summary": MODELS[name][0],
        **_settings(pipelines),
        **rests_on(outcomes),
        "features": speed,
        **mean_and_spread(folds),
        "pooled": score(y_true, proba, task.classes, task.hierarchy, task.groups[rows]),
        "folds": folds,
        **tables(y_true, y_pred, instrument, task.hierarchy),
    }
    correct = y_true == y_pred
    fold_of = np.repeat(np.arange(len(folds)), [fold["n_test"] for fold in folds])
    for name, row in result["instruments"].items():
        own = instrument == name
        accuracy = [correct[own & (fold_of == k)].mean() for k in np.unique(fold_of[own])]
        row["mean_accuracy"], row["std_accuracy"] = np.mean(accuracy), _spread(accuracy)
    return result


def score_fold(task, fold):
    """Return the scores, times and memory of a finished fold, a dict of str to float."""
    rows, numbers = fold["rows"], ("n_train", "n_test", "fit_seconds", "fit_cpu_seconds")
    measured = {name: fold[name] for name in (*numbers, "peak_memory_mib")}
    measured["predict_notes_per_s"] = fold["n_test"] / fold["predict_seconds"]
    about = (task.classes, task.hierarchy, task.groups[rows])
    return score(task.target[rows], fold["proba"], *about) | measured


def rests_on(outcomes):
    """Join the ``warnings`` and the ``environment`` of folds or searches.

    Those of a run that was cut off may be of different commits: all of these are named.
    """
    warnings = Counter()
    for one in outcomes:
        warnings.update(one["warnings"])
    commits = dict.fromkeys(str(one["environment"]["commit"]) for one in outcomes)
    environment = outcomes[0]["environment"] | {"commit": ", ".join(commits)}
    return {"environment": environment, "warnings": dict(warnings)}


def describe_task(task, settings, warnings, unreadable):
    """Say which data a result is about, and which of it could not be used."""
    return {
        "key": task.key(),
        "dataset": task.dataset,
        "settings": settings,
        "data": task.description | {"unreadable": unreadable},
        "warnings": [*task.warnings, *warnings],
    }


def merge(path, task, models):
    """Make a comparison of what was run now and what its file has.

    Models that the file has from an earlier run of the same task, and that were not run now, stay.
    Those of another task go, which is said.
    """
    old = {}
    if path.exists():
        before = read_result(path)
        same = all(before["task"][name] == task[name] for name in ("key", "settings"))
        old = before["models"] if same else {}
        if not same:
            print(f"{path} was about other notes; {', '.join(before['models'])} leave it.")
    merged = old | models
    ordered = {name: merged[name] for name in MODELS if name in merged}
    return plain({"kind": "comparison", "task": task, "models": ordered})


def mean_and_spread(folds):
    """Return mean and standard deviation (of the sample) over folds, of every number in them."""
    return {
        "mean": {name: np.mean([fold[name] for fold in folds]) for name in folds[0]},
        "std": {name: _spread([fold[name] for fold in folds]) for name in folds[0]},
    }


def _settings(pipelines):
    """Tell what all folds have in common, and apart from it what each has for itself."""
    folds = [settings(pipeline) for pipeline in pipelines]
    common = {n: value for n, value in folds[0].items() if all(f[n] == value for f in folds)}
    own = [{name: fold[name] for name in fold if name not in common} for fold in folds]
    return {"settings": common} | ({"settings_of_folds": own} if any(own) else {})


def _spread(values):
    return np.std(values, ddof=1) if len(values) > 1 else math.nan
