"""The inner loop of nested cross-validation: a search on the training part of each outer fold."""

import warnings

import pandas as pd
from optuna import distributions
from optuna.distributions import distribution_to_json
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.pruners import MedianPruner
from optuna.trial import TrialState
from sklearn.base import clone
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.utils.validation import has_fit_parameter

import sknote
from benchmarks.cli import BenchmarkError
from benchmarks.datasets import fold_key
from benchmarks.environment import code_digest, digest, environment, versions
from benchmarks.features import CachedPipeline
from benchmarks.folds import count_warnings
from benchmarks.models import settings
from benchmarks.processes import Job
from benchmarks.results import read_result
from sknote.model_selection import OptunaSearch, baseline_space, note_space
from sknote.nn import SpectrogramAugment

_FOREST = "classify__extratreesclassifier__"
_WEIGHTS = [None, "balanced", "balanced_subsample"]
_TREES = {
    f"{_FOREST}max_features": distributions.FloatDistribution(0.02, 1.0, log=True),
    f"{_FOREST}min_samples_leaf": distributions.IntDistribution(1, 8, log=True),
    f"{_FOREST}criterion": distributions.CategoricalDistribution(["gini", "entropy"]),
    f"{_FOREST}class_weight": distributions.CategoricalDistribution(_WEIGHTS),
}
_BASELINE = {
    step: {name: one for name, one in baseline_space().items() if name.startswith(step)}
    for step in ("mfcc", "classify")
}
_NETWORK = ("front_end", "network", "training", "augmentation", "effects")
# model → its parts, and which of them are tuned if nobody says
SPACES = {
    "compact": ({part: note_space(part) for part in _NETWORK}, ("training", "augmentation")),
    "baseline": (_BASELINE, ("mfcc", "classify")),
    "extra_trees": (_BASELINE | {"classify": _TREES}, ("mfcc", "classify")),
}
PREFIX = "tuned_"


def search_space(model, pipeline, parts, *, max_epochs):
    """Return the space of some parts of a model, or of its usual ones, and the pipeline to tune."""
    if model not in SPACES:
        raise BenchmarkError(f"{model!r} has no search space; {', '.join(SPACES)} have one.")
    known, default = SPACES[model]
    parts = parts or default
    if not set(parts) <= set(known):
        raise BenchmarkError(f"the parts of the space of {model} are {', '.join(known)}.")
    if {"augmentation", "effects"} <= set(parts):
        raise BenchmarkError("--space can have augmentation or effects, not both.")
    space = {name: one for part in parts for name, one in known[part].items()}
    if max_epochs is not None:
        space.pop("classify__max_epochs", None)
    if "effects" in parts:
        pipeline = clone(pipeline).set_params(classify__augment=SpectrogramAugment())
    return space, pipeline


def plan_searches(task, folds, model, pipeline, space, asked, storage, *, cache_dir, options):
    """List the searches as jobs; a study's name holds all it depends on."""
    how = {"device": options.device, "n_threads": options.n_threads}
    common = {"space": {name: distribution_to_json(one) for name, one in space.items()}}
    common |= {"settings": settings(pipeline), **asked, **how}
    same = {"pipeline": pipeline, "space": space, "task": task, "asked": asked}
    same |= {"cache_dir": cache_dir, "environment": environment(packages=["optuna"], **how)}
    (folder := cache_dir / "searches").mkdir(parents=True, exist_ok=True)
    jobs = []
    for k, (train, test) in enumerate(folds):
        key = {"fold": fold_key(task, train, test), **common}
        study = f"{model}-fold{k}-{digest(key, code_digest(sknote), versions())}"
        own = {"fold": k, "train": train, "study_name": study}
        own["storage"] = storage or folder / f"{study}.log"
        jobs.append(Job(f"search of outer fold {k}", key, same | own))
    return jobs


def search_fold(
    fold, pipeline, space, task, train, asked, cache_dir, environment, storage, study_name
):
    """Search on the training part of an outer fold, and print a line for each trial."""

    def tell(study, trial):
        print(f"fold {fold}, trial {trial.number}: {trial.state.name} {trial.value}", flush=True)

    pipeline, groups = CachedPipeline(pipeline.steps, cache_dir), task.groups[train]
    search = OptunaSearch(
        pipeline,
        space,
        n_trials=asked["trials"],
        cv=StratifiedGroupKFold(asked["inner"], shuffle=True, random_state=asked["seed"]),
        scoring="accuracy",
        refit=False,  # the fold is fitted as all others are, by `fit_fold`
        pruner=MedianPruner(n_startup_trials=4) if asked["pruner"] == "median" else None,
        storage=storage,
        study_name=study_name,
        resume=True,
        precompute=False,  # the pipeline keeps its features
        callbacks=[tell],
        random_state=asked["seed"],
    )
    takes_groups = has_fit_parameter(pipeline[-1], "groups")
    fit_params = {f"{pipeline.steps[-1][0]}__groups": groups} if takes_groups else {}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        search.fit(task.notes(train), task.target[train], groups=groups, **fit_params)
    results = pd.DataFrame(search.cv_results_)
    durations = {trial.number: trial.duration for trial in search.study_.get_trials()}
    trials = results[["trial_number", "trial_state", "params"]]
    trials = trials.rename(columns=lambda name: name.removeprefix("trial_"))
    trials["inner_scores"] = results.filter(regex=r"split\d+_test_score").to_numpy().tolist()
    trials["seconds"] = trials.number.map(durations).dt.total_seconds()
    return {
        "params": search.best_params_,
        "inner_score": float(search.best_score_),
        "importance": importance(search.study_, space, asked["seed"]),
        "trials": trials.to_dict("records"),
        "warnings": count_warnings(caught),
        "environment": environment,
    }


def importance(study, space, seed):
    """Return the share of each parameter in the variance of different scores, by fANOVA."""
    complete = study.get_trials(states=[TrialState.COMPLETE])
    if len({trial.value for trial in complete}) < 2:
        return {}
    found = get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=seed))
    # a parameter of which there is one value only, in all trials, explains nothing
    return {name: found.get(name, 0.0) for name in space}


def fold_pipelines(name, pipeline, task, folds, folders):
    """Return a pipeline for each fold: of a tuned model with what the search in the fold chose."""
    if not name.startswith(PREFIX):
        return [pipeline] * len(folds)
    model = name.removeprefix(PREFIX)
    paths = [folder / f"tune-{task.dataset}-{model}.json" for folder in folders]
    path = next((path for path in paths if path.is_file()), None)
    chosen = read_result(path)["folds"] if path else []
    if [fold["key"] for fold in chosen] != [fold_key(task, *parts) for parts in folds]:
        raise BenchmarkError(
            f"{name}: {path or paths[-1]} is not there, or its parameters were chosen on other "
            "folds and have seen notes which they would be tested on. Choose them for the same "
            f"notes and seed: python -m benchmarks tune --dataset {task.dataset} --model {model} "
            f"--outer {len(folds)}"
        )
    return [clone(pipeline).set_params(**fold["params"]) for fold in chosen]
