"""From finished folds to one result: numbers with their spread, tables, and what they rest on."""

import json
import math
from collections import Counter

import numpy as np

from benchmarks.cache import write_json
from benchmarks.features import describe_features
from benchmarks.folds import read_fold
from benchmarks.metrics import score, tables
from benchmarks.models import MODELS
from benchmarks.models import settings as model_settings


def summarise(task, pipelines, jobs, cache_dir):
    """Put the finished folds of one model together.

    Parameters
    ----------
    task : Task
    pipelines : list of Pipeline
        The model's own in each fold.
    jobs : list of FoldJob
        All folds of the model.
    cache_dir : Path

    Returns
    -------
    dict
        ``mean`` and ``std`` (of the sample, over folds) of each number in ``folds``; ``pooled``,
        the scores of all answers together; the tables ``classes``, ``instruments`` (with mean and
        spread over folds as well) and ``levels`` of these; and what it all rests on.
        ``predictions`` is the folder, in the cache, of the probabilities of each fold.
    """
    instrument = task.data.instrument.fillna("unknown").to_numpy(dtype=str)
    folds, probas, warnings, commits = [], [], Counter(), []
    for job in jobs:
        fold, proba, own_warnings, environment = score_fold(task, job)
        warnings.update(own_warnings)
        commits.append(str(environment["commit"]))
        folds.append(fold)
        probas.append(proba)
    rows = np.concatenate([job.test for job in jobs])
    proba = np.concatenate(probas)
    y_true, y_pred = task.target[rows], task.classes[proba.argmax(axis=1)]
    result = {
        "summary": MODELS[jobs[0].model][1],
        **_settings(pipelines),
        # the folds of a run that was cut off may be of different commits
        "environment": environment | {"commit": ", ".join(dict.fromkeys(commits))},
        "predictions": jobs[0].path.parent.relative_to(cache_dir).as_posix(),
        "features": describe_features(task, jobs[0].files)[0] if jobs[0].files else None,
        **mean_and_spread(folds),
        "pooled": score(y_true, proba, task.classes, task.hierarchy, task.groups[rows]),
        "folds": folds,
        "warnings": dict(warnings),
    }
    result |= tables(y_true, y_pred, instrument[rows], task.hierarchy)
    correct = y_true == y_pred
    fold_of = np.repeat(np.arange(len(jobs)), [len(job.test) for job in jobs])
    for name, row in result["instruments"].items():
        own = instrument[rows] == name
        accuracy = [correct[own & (fold_of == k)].mean() for k in np.unique(fold_of[own])]
        row["mean_accuracy"], row["std_accuracy"] = np.mean(accuracy), _spread(accuracy)
    return result


def score_fold(task, job):
    """Score a finished fold.

    Parameters
    ----------
    task : Task
    job : FoldJob

    Returns
    -------
    numbers : dict of str to float
        Scores, times and memory.
    proba : ndarray of shape (n_test, n_classes)
    warnings : dict of str to int
    environment : dict
    """
    measured, proba = read_fold(job)
    warnings, environment = measured.pop("warnings"), measured.pop("environment")
    measured["predict_notes_per_s"] = measured["n_test"] / measured.pop("predict_seconds")
    target, groups = task.target[job.test], task.groups[job.test]
    scores = score(target, proba, task.classes, task.hierarchy, groups)
    return scores | measured, proba, warnings, environment


def describe_task(task, jobs, *, settings, warnings):
    """Say which data a result is about, and which of it could not be used.

    Parameters
    ----------
    task : Task
    jobs : list of FoldJob
    settings : dict
        What the command line asked for.
    warnings : list of str
        What making the folds had to say.

    Returns
    -------
    dict
    """
    unreadable, remarks = [], {}
    for files in {tuple(job.files): job.files for job in jobs if job.files}.values():
        _, unreadable, remarks = describe_features(task, files)
    return {
        "key": task.key(),
        "dataset": task.dataset,
        "settings": settings,
        "data": task.description | {"unreadable": unreadable},
        "warnings": [*task.warnings, *warnings, *remarks],
    }


def save(path, task, models):
    """Write a result.

    Models that the file has from an earlier run of the same task, and that were not run now, stay.
    Those of another task go, which is said.

    Parameters
    ----------
    path : Path
    task : dict
        As `describe_task` returns it.
    models : dict of str to dict
        Name → as `summarise` returns it.

    Returns
    -------
    dict
        What was written.
    """
    old = {}
    if path.exists():
        before = json.loads(path.read_text(encoding="utf-8"))
        same = all(before["task"][name] == task[name] for name in ("key", "settings"))
        old = before["models"] if same else {}
        if not same:
            print(f"{path} was about other notes; {', '.join(before['models'])} leave it.")
    merged = old | models
    result = {"task": task, "models": {name: merged[name] for name in MODELS if name in merged}}
    result = plain(result)
    write_json(path, result)
    return result


def mean_and_spread(folds):
    """Return mean and standard deviation (of the sample) over folds, of every number in them."""
    return {
        "mean": {name: np.mean([fold[name] for fold in folds]) for name in folds[0]},
        "std": {name: _spread([fold[name] for fold in folds]) for name in folds[0]},
    }


def _settings(pipelines):
    """Tell what all folds have in common, and apart from it what each has for itself."""
    folds = [model_settings(pipeline) for pipeline in pipelines]
    common = {
        name: value for name, value in folds[0].items() if all(f[name] == value for f in folds)
    }
    own = [{name: fold[name] for name in fold if name not in common} for fold in folds]
    return {"settings": common} | ({"settings_of_folds": own} if any(own) else {})


def _spread(values):
    return np.std(values, ddof=1) if len(values) > 1 else math.nan


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
