"""The inner loop of nested cross-validation: a search on the training part of each outer fold."""

import json
import warnings
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from optuna.distributions import distribution_to_json
from optuna.pruners import MedianPruner
from sklearn.model_selection import StratifiedGroupKFold

from benchmarks.cache import MODEL_SOURCES, digest, source_digest, write_json
from benchmarks.cached import CachedPipeline, NoteFeatures
from benchmarks.cli import BenchmarkError
from benchmarks.environment import git_commit, machine, versions
from benchmarks.folds import MAX_WARNINGS
from benchmarks.models import settings
from sknote.model_selection import OptunaSearch

# name of a score in `benchmarks.metrics` → scikit-learn's name of the same
SCORERS = {"accuracy": "accuracy", "balanced_accuracy": "balanced_accuracy", "macro_f1": "f1_macro"}


@dataclass
class SearchJob:
    """All that a process needs for the search of one outer fold.

    Attributes
    ----------
    fold : int
    pipeline : Pipeline
    space : dict of str to optuna distribution
    task : Task
    train : ndarray of int
        Positions of the outer training part; the search is given no others.
    settings : dict
        ``trials``, ``timeout``, ``inner``, ``scoring``, ``pruner``, ``seed``.
    storage : str or Path
    study_name : str
    cache_dir, path : Path
        Of features; and the result.
    environment : dict
        Goes into the result.
    """

    fold: int
    pipeline: object
    space: dict
    task: object
    train: np.ndarray
    settings: dict
    storage: object
    study_name: str
    cache_dir: Path
    path: Path
    environment: dict


def plan_searches(task, folds, model, pipeline, space, search, *, cache_dir, storage, options):
    """List the searches, each with its study and the file that its result is kept in.

    Both names hold all that the trials depend on: recordings, labels, folds, the space, what the
    search was asked for, the model's parameters, sknote's code and versions.

    Parameters
    ----------
    task : Task
    folds : list of (train, test)
    model : str
    pipeline : Pipeline
    space : dict of str to optuna distribution
    search : dict
        The `settings` of the jobs.
    cache_dir : Path
    storage : str or None
        A URL or the path of a journal; None is a journal beside the results.
    options : Options

    Returns
    -------
    list of SearchJob
    """
    environment = {
        "versions": versions() | {"optuna": version("optuna")},
        "commit": git_commit(),
        "machine": machine(),
        "device": options.device,
        "n_threads": options.n_threads,
    }
    key = digest(
        task.key(),
        [[train.tolist(), test.tolist()] for train, test in folds],
        {name: distribution_to_json(distribution) for name, distribution in space.items()},
        search,
        settings(pipeline),
        source_digest([*MODEL_SOURCES, "model_selection/*.py"]),
        {name: environment[name] for name in ("versions", "device", "n_threads")},
    )
    folder = cache_dir / "searches" / task.dataset / f"{model}-{key}"
    folder.mkdir(parents=True, exist_ok=True)
    return [
        SearchJob(
            fold=k,
            pipeline=pipeline,
            space=space,
            task=task,
            train=train,
            settings=search,
            storage=storage or folder / "journal.log",
            study_name=f"tune-{task.dataset}-{model}-{key}-fold{k}",
            cache_dir=cache_dir,
            path=folder / f"fold{k}.json",
            environment=environment,
        )
        for k, (train, _) in enumerate(folds)
    ]


def run_search(job, report):
    """Search on the training part of an outer fold, and write what was found.

    Parameters
    ----------
    job : SearchJob
    report : callable
        Called after each trial with its number, state and score, and the seconds that it took.
    """

    def tell(study, trial):
        value = trial.value if trial.state.name == "COMPLETE" else None
        report((trial.number, trial.state.name, value, trial.duration.total_seconds()))

    settings = job.settings
    search = OptunaSearch(
        CachedPipeline(job.pipeline.steps, NoteFeatures(job.task, job.cache_dir)),
        job.space,
        n_trials=settings["trials"],
        timeout=settings["timeout"],
        cv=StratifiedGroupKFold(settings["inner"], shuffle=True, random_state=settings["seed"]),
        scoring=SCORERS[settings["scoring"]],
        refit=False,  # the fold is fitted as all others are, by `run_fold`
        pruner=MedianPruner(n_startup_trials=4) if settings["pruner"] == "median" else None,
        storage=job.storage,
        study_name=job.study_name,
        resume=True,
        precompute=False,
        callbacks=[tell],
        random_state=settings["seed"],
    )
    train = job.train
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            search.fit(train, job.task.target[train], groups=job.task.groups[train])
        except (ValueError, OSError) as error:
            raise BenchmarkError(str(error)) from error
    messages = Counter(f"{warning.category.__name__}: {warning.message}" for warning in caught)
    found = search.cv_results_
    splits = [found[f"split{k}_test_score"] for k in range(search.n_splits_)]
    durations = {
        t.number: t.duration.total_seconds()
        for t in search.study_.get_trials()
        if t.duration is not None
    }
    result = {
        "params": search.best_params_,
        "inner_score": float(search.best_score_),
        "trials": [
            {
                "number": int(number),
                "state": str(found["trial_state"][i]),
                "params": found["params"][i],
                "inner_scores": [None if np.isnan(s[i]) else float(s[i]) for s in splits],
                "seconds": durations[number],
            }
            for i, number in enumerate(found["trial_number"])
        ],
        "warnings": dict(messages.most_common(MAX_WARNINGS)),
        "environment": job.environment,
    }
    write_json(job.path, result)  # it says that the search is finished


def read_search(job):
    """Return what `run_search` wrote."""
    return json.loads(job.path.read_text(encoding="utf-8"))
