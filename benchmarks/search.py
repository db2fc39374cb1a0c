"""The inner loop of nested cross-validation: a search on the training part of each outer fold."""

import warnings

import numpy as np
from optuna import distributions
from optuna.distributions import distribution_to_json
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.pruners import MedianPruner
from optuna.trial import TrialState
from sklearn.base import clone
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.utils.validation import has_fit_parameter

import sknote
from benchmarks.cli import BenchmarkError, meant
from benchmarks.datasets import fold_key
from benchmarks.environment import code_digest, digest, environment, versions
from benchmarks.features import CachedPipeline
from benchmarks.folds import count_warnings
from benchmarks.models import settings
from benchmarks.processes import Job, JobFailed, run_kept
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
# name of a score in `benchmarks.metrics` → scikit-learn's name of the same
SCORERS = {"accuracy": "accuracy", "balanced_accuracy": "balanced_accuracy", "macro_f1": "f1_macro"}


def search_space(model, pipeline, parts, *, max_epochs):
    """Return the space of some parts of a model, or of its usual ones, and the pipeline to tune."""
    if model not in SPACES:
        raise BenchmarkError(
            f"the model {model!r} has no search space; there is one for {', '.join(SPACES)}."
        )
    known, default = SPACES[model]
    parts = parts or default
    for part in parts:
        if part not in known:
            it_has = meant(part, known)
            raise BenchmarkError(f"the space of {model} has no part {part!r}; it has {it_has}")
    if {"augmentation", "effects"} <= set(parts):
        raise BenchmarkError("--space can have augmentation or effects, not both.")
    space = {name: one for part in parts for name, one in known[part].items()}
    if max_epochs is not None:
        space.pop("classify__max_epochs", None)
    if "effects" in parts:
        pipeline = clone(pipeline).set_params(classify__augment=SpectrogramAugment())
    return space, pipeline


def run_searches(task, folds, model, pipeline, space, asked, *, n_jobs, **where):
    """Run the unfinished searches; returns what each outer fold's `search_fold` returned."""
    jobs = plan_searches(task, folds, model, pipeline, space, asked, **where)
    how = {"cache_dir": where["cache_dir"], "n_threads": where["options"].n_threads}
    found = {}
    for job, search in run_kept(search_fold, jobs, n_jobs=n_jobs, what="searches", **how):
        found[job.name] = search
        if not isinstance(search, JobFailed):
            best = f"{asked['scoring']} {search['inner_score']:.3f} with {search['params']}"
            print(f"fold {job.name}: searched; best inner {best}", flush=True)
    for fold, search in sorted(found.items()):
        if isinstance(search, JobFailed):
            kept = "Finished trials are kept; the same command goes on with them."
            raise BenchmarkError(f"the search of outer fold {fold} failed: {search}\n{kept}")
    return [found[job.name] for job in jobs]


def plan_searches(task, folds, model, pipeline, space, asked, *, cache_dir, storage, options):
    """List the searches as jobs, named by the fold; a study's name holds all it depends on."""
    how = {"device": options.device, "n_threads": options.n_threads}
    common = {"space": {name: distribution_to_json(one) for name, one in space.items()}}
    common |= {"settings": settings(pipeline), **asked, **how}
    same = {"pipeline": pipeline, "space": space, "task": task, "asked": asked}
    same |= {"cache_dir": cache_dir, "environment": environment(packages=["optuna"], **how)}
    (folder := cache_dir / "searches").mkdir(parents=True, exist_ok=True)
    jobs = []
    for k, (train, test) in enumerate(folds):
        key = {"fold": fold_key(task, train, test), **common}
        study = f"tune-{task.dataset}-{model}-fold{k}-"
        study += digest(key, code_digest(sknote), versions())
        own = {"fold": k, "train": train, "study_name": study}
        jobs.append(Job(k, key, own | same | {"storage": storage or folder / f"{study}.log"}))
    return jobs


def search_fold(
    fold, pipeline, space, task, train, asked, cache_dir, environment, storage, study_name
):
    """Search on the training part of an outer fold, and print a line for each trial."""

    def tell(study, trial):
        is_complete = trial.state == TrialState.COMPLETE
        said = f"{asked['scoring']} {trial.value:.3f}" if is_complete else trial.state.name.lower()
        seconds = trial.duration.total_seconds()
        print(f"fold {fold}, trial {trial.number}: {said}, {seconds:.1f} s", flush=True)

    pipeline, groups = CachedPipeline(pipeline.steps, cache_dir), task.groups[train]
    search = OptunaSearch(
        pipeline,
        space,
        n_trials=asked["trials"],
        timeout=asked["timeout"],
        cv=StratifiedGroupKFold(asked["inner"], shuffle=True, random_state=asked["seed"]),
        scoring=SCORERS[asked["scoring"]],
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
        try:
            search.fit(task.notes(train), task.target[train], groups=groups, **fit_params)
        except (ValueError, OSError) as error:
            raise BenchmarkError(str(error)) from error
    results = search.cv_results_
    durations = {trial.number: trial.duration for trial in search.study_.get_trials()}
    scores = np.stack([results[f"split{k}_test_score"] for k in range(search.n_splits_)], axis=1)
    columns = [results[name] for name in ("trial_number", "trial_state", "params")]
    return {
        "params": search.best_params_,
        "inner_score": float(search.best_score_),
        "importance": importance(search.study_, space, asked["seed"]),
        "trials": [
            {
                "number": int(number),
                "state": str(state),
                "params": params,
                "inner_scores": [None if np.isnan(score) else float(score) for score in own],
                "seconds": durations[number].total_seconds(),
            }
            for number, state, params, own in zip(*columns, scores)
        ],
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
    command = f"python -m benchmarks tune --dataset {task.dataset} --model {model}"
    paths = [folder / f"tune-{task.dataset}-{model}.json" for folder in folders]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise BenchmarkError(
            f"{name} takes its parameters from {paths[-1]}, which is not there. Make it: "
            f"{command} --outer {len(folds)}"
        )
    result = read_result(path)
    keys = [fold_key(task, train, test) for train, test in folds]
    if [fold["key"] for fold in result["folds"]] != keys:
        made = result["task"]["settings"]
        raise BenchmarkError(
            f"{name}: the parameters in {path} were chosen on other folds, so that they have seen "
            f"notes which they would be tested on. They hold for --folds {made['outer']} --seed "
            f"{made['seed']} --max-notes {made['max_notes']} --min-class-count "
            f"{made['min_class_count']}; for others, search with the same options into a folder of "
            f"your own and pass that as --out: {command} --outer {len(folds)} --out ..."
        )
    return [clone(pipeline).set_params(**fold["params"]) for fold in result["folds"]]
