"""Folds of a comparison: fit and predict each in a process of its own, and never twice."""

import time
import warnings
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import has_fit_parameter
from tqdm.auto import tqdm

from benchmarks.datasets import fold_key
from benchmarks.environment import environment, peak_memory_mib
from benchmarks.features import inputs
from benchmarks.models import settings
from benchmarks.processes import Job, JobFailed, run_kept

MAX_WARNINGS = 20  # different ones that a fold keeps


def run_folds(task, folds, pipelines, *, cache_dir, options, n_jobs, fresh=False):
    """Run the unfinished folds of all models, or all if `fresh`, with a line for each.

    `pipelines` has the pipelines of each model, one a fold. Returns model → what `fit_fold`
    returned for each fold, without the models of which a fold failed.
    """
    jobs = plan(task, folds, pipelines, cache_dir=cache_dir, options=options, n_jobs=n_jobs)
    how = {"cache_dir": cache_dir, "n_jobs": n_jobs, "n_threads": options.n_threads, "fresh": fresh}
    outcomes = run_kept(fit_fold, jobs, what="folds", **how)
    found = defaultdict(dict)
    with tqdm(outcomes, total=len(jobs), desc="folds", unit="fold", disable=None) as bar:
        for job, fold in bar:
            model, k = job.name
            if isinstance(fold, JobFailed):
                bar.write(f"{model}, fold {k}: failed\n{fold}")
                continue
            found[model][k] = fold
            answers = task.classes[fold["proba"].argmax(axis=1)]
            accuracy = (answers == task.target[fold["rows"]]).mean()
            said = f"accuracy {accuracy:.3f}, fit in {fold['fit_seconds']:.1f} s"
            bar.write(f"{model}, fold {k}: {said}")
    whole = [model for model in pipelines if len(found[model]) == len(folds)]
    return {model: [found[model][k] for k in range(len(folds))] for model in whole}


def plan(task, folds, pipelines, *, cache_dir, options, n_jobs):
    """List the folds of all models as jobs of `fit_fold`, named (model, number of the fold)."""
    how = {"device": options.device, "n_jobs": n_jobs, "n_threads": options.n_threads}
    same = {"task": task, "cache_dir": cache_dir, "environment": environment(**how)}
    how["files"] = [Path(path).stat().st_mtime_ns for path in task.data.audio]
    jobs = []
    for name, own in pipelines.items():
        for k, (train, test) in enumerate(folds):
            key = {"fold": fold_key(task, train, test), "settings": settings(own[k]), **how}
            arguments = {"pipeline": own[k], "train": train, "test": test, **same}
            jobs.append(Job((name, k), key, arguments))
    return jobs


def fit_fold(pipeline, task, train, test, cache_dir, environment):
    """Fit on the one part of a task; predict the other, with a column for each of its classes."""
    instruments = sorted(set(task.data.instrument.iloc[train]))
    pipeline = clone(pipeline)
    X_train, X_test = (
        inputs(pipeline, task.notes(rows), instruments, cache_dir) for rows in (train, test)
    )
    estimator, fit_params = pipeline[-1], {}
    if has_fit_parameter(estimator, "groups"):
        fit_params["groups"] = task.groups[train]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        start, cpu_start = time.perf_counter(), time.process_time()
        estimator.fit(X_train, task.target[train], **fit_params)
        middle, cpu_stop = time.perf_counter(), time.process_time()
        known = estimator.predict_proba(X_test)
        stop = time.perf_counter()
    proba = np.zeros((len(test), len(task.classes)), dtype=np.float32)
    proba[:, np.searchsorted(task.classes, estimator.classes_)] = known
    return {
        "rows": test,
        "proba": proba,
        "n_train": len(train),
        "n_test": len(test),
        "fit_seconds": middle - start,
        "fit_cpu_seconds": cpu_stop - cpu_start,  # what it took, even where others used the machine
        "predict_seconds": stop - middle,
        "peak_memory_mib": peak_memory_mib(),
        "warnings": count_warnings(caught),
        "environment": environment,
    }


def count_warnings(caught):
    """Return text → how often, of the most frequent warnings."""
    texts = Counter(f"{warning.category.__name__}: {warning.message}" for warning in caught)
    return dict(texts.most_common(MAX_WARNINGS))
