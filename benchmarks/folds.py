"""Folds of a comparison: fit and predict each in a process of its own, and never twice."""

import time
import warnings
from collections import Counter

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import has_fit_parameter

from benchmarks.datasets import fold_key
from benchmarks.environment import environment, peak_memory_mib
from benchmarks.features import inputs
from benchmarks.models import settings
from benchmarks.processes import Job, run_kept


def run_folds(task, folds, pipelines, *, cache_dir, options, n_jobs, fresh=False):
    """Run the unfinished folds of all models, or all if `fresh`; `pipelines` has one for each fold.

    Returns model → what `fit_fold` returned for each fold.
    """
    jobs = plan(task, folds, pipelines, cache_dir=cache_dir, options=options, n_jobs=n_jobs)
    how = {"cache_dir": cache_dir, "n_jobs": n_jobs, "n_threads": options.n_threads, "fresh": fresh}
    found = iter(run_kept(fit_fold, jobs, **how))
    return {model: [next(found) for _ in folds] for model in pipelines}


def plan(task, folds, pipelines, *, cache_dir, options, n_jobs):
    """List the folds of all models as jobs of `fit_fold`."""
    how = {"device": options.device, "n_jobs": n_jobs, "n_threads": options.n_threads}
    same = {"task": task, "cache_dir": cache_dir, "environment": environment(**how)}
    jobs = []
    for name, own in pipelines.items():
        for k, (train, test) in enumerate(folds):
            key = {"fold": fold_key(task, train, test), "settings": settings(own[k]), **how}
            arguments = {"pipeline": own[k], "train": train, "test": test, **same}
            jobs.append(Job(f"{name}, fold {k}", key, arguments))
    return jobs


def fit_fold(pipeline, task, train, test, cache_dir, environment, changed=None):
    """Fit on the one part of a task; predict the other, with a column for each of its classes.

    `changed` maps names to pipelines by whose first steps the other part is heard as well.
    """
    instruments = sorted(set(task.data.instrument.iloc[train]))
    pipeline = clone(pipeline)
    X_train = inputs(pipeline, task.notes(train), instruments, cache_dir)
    X_test = inputs(pipeline, task.notes(test), instruments, cache_dir)
    estimator, fit_params = pipeline[-1], {}
    if has_fit_parameter(estimator, "groups"):
        fit_params["groups"] = task.groups[train]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        start, cpu_start = time.perf_counter(), time.process_time()
        estimator.fit(X_train, task.target[train], **fit_params)
        middle, cpu_stop = time.perf_counter(), time.process_time()
        known = {None: estimator.predict_proba(X_test)}
        stop = time.perf_counter()
        for name, steps in (changed or {}).items():
            X = inputs(steps, task.notes(test), instruments, cache_dir)
            known[name] = estimator.predict_proba(X)
    probas = {}
    for name, values in known.items():
        probas[name] = np.zeros((len(test), len(task.classes)), dtype=np.float32)
        probas[name][:, np.searchsorted(task.classes, estimator.classes_)] = values
    return {
        "rows": test,
        "proba": probas.pop(None),
        "changed": probas,
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
    """Return text → how often, of the 20 most frequent warnings."""
    texts = Counter(f"{warning.category.__name__}: {warning.message}" for warning in caught)
    return dict(texts.most_common(20))
