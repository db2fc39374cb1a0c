"""Folds: fit and predict each in a process of its own, and never twice."""

import json
import time
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import has_fit_parameter

from benchmarks.cache import MODEL_SOURCES, digest, source_digest, write_atomic, write_json
from benchmarks.environment import git_commit, machine, peak_memory_mib, versions
from benchmarks.features import as_input, load_features
from benchmarks.models import settings
from benchmarks.processes import run_jobs

MAX_WARNINGS = 20  # different ones that a fold keeps


@dataclass
class FoldJob:
    """All that a process needs for one fold of one model.

    Attributes
    ----------
    model : str
    fold : int
    estimator : estimator
        The last step of the model's pipeline.
    files : list of Path
        Its features.
    train, test : ndarray of int
        Positions among all recordings.
    target, groups, instrument : ndarray of shape (n_found,)
    classes : ndarray of str
        Columns of the probabilities: all classes of the task.
    path : Path
        The result: numbers in ``.json``, probabilities in ``.npz``.
    environment : dict
        Goes into the result.
    """

    model: str
    fold: int
    estimator: object
    files: list
    train: np.ndarray
    test: np.ndarray
    target: np.ndarray
    groups: np.ndarray
    instrument: np.ndarray
    classes: np.ndarray
    path: Path
    environment: dict


def plan(task, folds, pipelines, files, *, cache_dir, options, n_jobs):
    """List the folds of all models, each with the file that its result is kept in.

    A file's name holds all that its numbers depend on: recordings, labels, folds, parameters,
    features, sknote's code, versions, and how many threads there were for the time.

    Parameters
    ----------
    task : Task
    folds : list of (train, test)
    pipelines : dict of str to list of Pipeline
        Model → its pipeline in each fold.
    files : dict of (str, int) to list of Path
        Model and fold → the features.
    cache_dir : Path
    options : Options
    n_jobs : int

    Returns
    -------
    list of FoldJob
    """
    environment = {
        "versions": versions(),
        "commit": git_commit(),
        "machine": machine(),
        "device": options.device,
        "n_jobs": n_jobs,
        "n_threads": options.n_threads,
    }
    common = [
        task.key(),
        [[train.tolist(), test.tolist()] for train, test in folds],
        source_digest(MODEL_SOURCES),
        {name: environment[name] for name in ("versions", "device", "n_jobs", "n_threads")},
    ]
    jobs = []
    for name, own in pipelines.items():
        features = [[path.name for path in files[name, k]] for k in range(len(folds))]
        key = digest(common, [settings(pipeline) for pipeline in own], features)
        folder = cache_dir / "runs" / task.dataset / f"{name}-{key}"
        for k, (train, test) in enumerate(folds):
            job = FoldJob(
                model=name,
                fold=k,
                estimator=own[k][-1],
                files=files[name, k],
                train=train,
                test=test,
                target=task.target,
                groups=task.groups,
                instrument=task.data.instrument.to_numpy(dtype=object),
                classes=task.classes,
                path=folder / f"fold{k}.json",
                environment=environment,
            )
            jobs.append(job)
    return jobs


def run_folds(jobs, *, n_jobs, n_threads):
    """Run the folds that are not finished yet; yields (job, None or JobFailed) as each ends."""
    todo = [job for job in jobs if not job.path.exists()]
    for index, result in run_jobs(run_fold, todo, n_jobs=n_jobs, n_threads=n_threads):
        yield todo[index], result


def run_fold(job):
    """Fit on the one part, predict the other, and write the result."""
    features = load_features(job.files) if job.files else None
    categories = sorted(set(job.instrument[job.train]))
    X_train, X_test = (
        as_input(None if features is None else features[rows], job.instrument[rows], categories)
        for rows in (job.train, job.test)
    )
    del features
    estimator = clone(job.estimator)
    fit_params = {}
    if has_fit_parameter(estimator, "groups"):
        fit_params["groups"] = job.groups[job.train]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        start, cpu_start = time.perf_counter(), time.process_time()
        estimator.fit(X_train, job.target[job.train], **fit_params)
        fit_seconds, fit_cpu_seconds = (
            time.perf_counter() - start,
            time.process_time() - cpu_start,
        )
        start = time.perf_counter()
        known = estimator.predict_proba(X_test)
        predict_seconds = time.perf_counter() - start
    proba = np.zeros((len(job.test), len(job.classes)), dtype=np.float32)
    proba[:, np.searchsorted(job.classes, estimator.classes_)] = known
    messages = Counter(f"{warning.category.__name__}: {warning.message}" for warning in caught)
    write_atomic(
        job.path.with_suffix(".npz"),
        lambda path: _save(
            path,
            proba=proba,
            classes=job.classes,
            rows=job.test,
            y_true=job.target[job.test],
        ),
    )
    result = {
        "n_train": len(job.train),
        "n_test": len(job.test),
        "fit_seconds": fit_seconds,
        "fit_cpu_seconds": fit_cpu_seconds,  # what it took, even where others used the machine
        "predict_seconds": predict_seconds,
        "peak_memory_mib": peak_memory_mib(),
        "warnings": dict(messages.most_common(MAX_WARNINGS)),
        "environment": job.environment,
    }
    write_json(job.path, result)  # last: it says that the fold is finished


def read_fold(job):
    """Return what `run_fold` measured, and the probabilities of the fold's test part."""
    with np.load(job.path.with_suffix(".npz")) as saved:
        proba = saved["proba"]
    return json.loads(job.path.read_text()), proba


def forget(jobs):
    """Delete the results of folds, so that they are run afresh."""
    for job in jobs:
        job.path.unlink(missing_ok=True)


def _save(path, **arrays):
    # an open file, because savez appends ".npz" to a name
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)
