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
from benchmarks.processes import Job, JobFailed, is_kept, run_kept
from benchmarks.settings import settings

MAX_WARNINGS = 20  # different ones that a fold keeps


def run_folds(task, folds, pipelines, *, cache_dir, options, n_jobs, fresh=False):
    """Run the unfinished folds of all models, or all if `fresh`, with a line for each.

    `pipelines` maps models to their pipeline in each of `folds`, a list of (train, test); `n_jobs`
    folds run at a time. Returns a dict of model → what `fit_fold` returned for each fold, without
    the models of which a fold failed.
    """
    jobs = plan(task, folds, pipelines, cache_dir=cache_dir, options=options, n_jobs=n_jobs)
    n_before = 0 if fresh else sum(is_kept(fit_fold, job, cache_dir) for job in jobs)
    if n_before:
        print(f"{n_before} of {len(jobs)} folds are finished already.")
    found, failed = defaultdict(dict), set()
    how = {"cache_dir": cache_dir, "n_jobs": n_jobs, "n_threads": options.n_threads, "fresh": fresh}
    with tqdm(total=len(jobs), desc="folds", unit="fold", disable=None) as bar:
        for i, (job, fold) in enumerate(run_kept(fit_fold, jobs, **how)):
            model, k = job.name
            bar.update()
            if isinstance(fold, JobFailed):
                failed.add(model)
                bar.write(f"{model}, fold {k}: failed\n{fold}")
                continue
            found[model][k] = fold
            if i >= n_before:
                answers = task.classes[fold["proba"].argmax(axis=1)]
                accuracy = (answers == task.target[fold["rows"]]).mean()
                seconds = fold["fit_seconds"]
                bar.write(f"{model}, fold {k}: accuracy {accuracy:.3f}, fit in {seconds:.1f} s")
    return {
        model: [found[model][k] for k in range(len(folds))]
        for model in pipelines
        if model not in failed
    }


def plan(task, folds, pipelines, *, cache_dir, options, n_jobs):
    """List the folds of all models as jobs of `fit_fold`, named (model, number of the fold)."""
    how = {"device": options.device, "n_jobs": n_jobs, "n_threads": options.n_threads}
    about = environment(**how)
    changed = [Path(path).stat().st_mtime_ns for path in task.data.audio]
    jobs = []
    for name, own in pipelines.items():
        for k, (train, test) in enumerate(folds):
            key = {"fold": fold_key(task, train, test), "files": changed, **how}
            key["settings"] = settings(own[k])
            arguments = {"pipeline": own[k], "task": task, "train": train, "test": test}
            arguments |= {"cache_dir": cache_dir, "environment": about}
            jobs.append(Job((name, k), key, arguments))
    return jobs


def fit_fold(pipeline, task, train, test, cache_dir, environment):
    """Fit on the one part of a task, and predict the other (positions among all recordings).

    Returns a dict: ``rows`` (test), ``proba`` (ndarray of shape (n_test, n_classes), a column for
    each class of the task), times (s), memory (MiB), ``warnings`` and `environment`.
    """
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
