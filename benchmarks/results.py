"""Results: from finished folds to numbers with their spread, and the files that hold them."""

import json
import math
from collections import Counter

import numpy as np
import pandas as pd

from benchmarks.metrics import score, tables
from benchmarks.models import MODELS, settings

# In files from before results said what they are: a field that only one kind has
_FIELDS = {"space": "search", "speed": "speed", "slopes": "scale", "limit": "overhead"}


def read_result(path):
    """Read a result's file; older ones have no kind, and other words for the reference recipe."""
    text = path.read_text(encoding="utf-8")
    result = json.loads(text.replace('"guide_', '"reference_').replace("guide's", "recipe's"))
    kinds = [kind for field, kind in _FIELDS.items() if field in result]
    return {"kind": kinds[0] if kinds else "comparison"} | result


def write_result(path, result):
    """Write a result's file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def plain(value, digits=5):
    """Turn NumPy's numbers into JSON's, of so many significant digits, and NaN into None."""
    if isinstance(value, dict):
        return {str(key): plain(item, digits) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, digits) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return float(f"{value:.{digits}g}") if math.isfinite(value) else None
    return value


def summarize_model(task, name, pipelines, outcomes, speed):
    """Put together what `fit_fold` returned for each fold of a model, and its features' speed."""
    folds = [score_fold(task, fold) for fold in outcomes]
    rows = np.concatenate([fold["rows"] for fold in outcomes])
    proba = np.concatenate([fold["proba"] for fold in outcomes])
    y_true, y_pred = task.target[rows], task.classes[proba.argmax(axis=1)]
    instrument = task.data.instrument.fillna("unknown").to_numpy(dtype=str)[rows]
    each = [settings(pipeline) for pipeline in pipelines]
    result = {
        "summary": MODELS[name][0],
        "settings": each[0],
        **({"settings_of_folds": each} if each.count(each[0]) < len(each) else {}),
        **rests_on(outcomes),
        "features": speed,
        **mean_and_spread(folds),
        "pooled": score(y_true, proba, task.classes, task.hierarchy, task.groups[rows]),
        "folds": folds,
        **tables(y_true, y_pred, instrument, task.hierarchy),
    }
    fold_of = np.repeat(np.arange(len(folds)), [fold["n_test"] for fold in folds])
    by_fold = pd.Series(y_true == y_pred).groupby([instrument, fold_of]).mean()
    spread = by_fold.groupby(level=0).agg(["mean", "std"]).add_suffix("_accuracy")
    for name, row in result["instruments"].items():
        row |= spread.loc[name].to_dict()
    return result


def score_fold(task, fold):
    """Return the scores, times and memory of a finished fold, a dict of str to float."""
    rows, numbers = fold["rows"], ("n_train", "n_test", "fit_seconds", "fit_cpu_seconds")
    measured = {name: fold[name] for name in (*numbers, "peak_memory_mib")}
    measured["predict_notes_per_s"] = fold["n_test"] / fold["predict_seconds"]
    about = (task.classes, task.hierarchy, task.groups[rows])
    return score(task.target[rows], fold["proba"], *about) | measured


def rests_on(outcomes):
    """Join the warnings and environments of folds or searches, which may be of several commits."""
    warnings = sum((Counter(one["warnings"]) for one in outcomes), Counter())
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


def merge(path, task, models, kind="comparison"):
    """Make a result of what was run now and what its file has of the same task."""
    if path.exists():
        before = read_result(path)
        if all(before["task"][name] == task[name] for name in ("key", "settings")):
            models = before["models"] | models
        else:
            print(f"{path} was about other notes; {', '.join(before['models'])} leave it.")
    ordered = {name: models[name] for name in MODELS if name in models}
    return plain({"kind": kind, "task": task, "models": ordered})


def mean_and_spread(folds):
    """Return mean and standard deviation (of the sample) over folds, of every number in them."""
    return pd.DataFrame(folds).agg(["mean", "std"], skipna=False).to_dict("index")
