"""The inner loop of nested cross-validation: a search on the training part of each outer fold."""

import warnings

import numpy as np
import optuna
import pandas as pd
from optuna.distributions import distribution_to_json
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.pruners import MedianPruner
from optuna.trial import TrialState
from sklearn.base import clone
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.utils.validation import has_fit_parameter

import sknote
from benchmarks.datasets import fold_key
from benchmarks.environment import code_digest, digest, environment, versions
from benchmarks.features import CachedPipeline
from benchmarks.folds import count_warnings
from benchmarks.options import BenchmarkError
from benchmarks.processes import Job, JobFailed, is_kept, run_kept
from benchmarks.results import read_result
from benchmarks.settings import settings
from sknote.model_selection import OptunaSearch

PREFIX = "tuned_"
# name of a score in `benchmarks.metrics` → scikit-learn's name of the same
SCORERS = {"accuracy": "accuracy", "balanced_accuracy": "balanced_accuracy", "macro_f1": "f1_macro"}


def run_searches(task, folds, model, pipeline, space, asked, *, n_jobs, **where):
    """Run the unfinished searches; returns what each outer fold's `search_fold` returned."""
    jobs = plan_searches(task, folds, model, pipeline, space, asked, **where)
    how = {"cache_dir": where["cache_dir"], "n_threads": where["options"].n_threads}
    n_finished = sum(is_kept(search_fold, job, where["cache_dir"]) for job in jobs)
    if n_finished:
        print(f"{n_finished} of {len(jobs)} searches are finished already.")
    found = {}
    for job, search in run_kept(search_fold, jobs, n_jobs=n_jobs, **how):
        found[job.name] = search
        if not isinstance(search, JobFailed):
            best = f"{asked['scoring']} {search['inner_score']:.3f} with {search['params']}"
            print(f"fold {job.name}: searched; best inner {best}", flush=True)
    for fold, search in sorted(found.items()):
        if isinstance(search, JobFailed):
            raise BenchmarkError(
                f"the search of outer fold {fold} failed: {search}\nFinished trials are kept; the "
                "same command goes on with them."
            )
    return [found[job.name] for job in jobs]


def plan_searches(task, folds, model, pipeline, space, asked, *, cache_dir, storage, options):
    """List the searches of all outer folds as jobs of `search_fold`, named by the fold.

    `asked` has ``trials``, ``timeout``, ``inner``, ``scoring``, ``pruner`` and ``seed``. A study's
    name holds all that its trials depend on.
    """
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
    """Search on the training part of an outer fold, and print a line for each trial.

    Returns a dict: ``params`` (the best), ``inner_score``, ``trials`` (each with its number, state,
    parameters, inner scores and seconds), ``warnings`` and `environment`.
    """

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
    found = pd.DataFrame(search.cv_results_)
    scores = found[[f"split{k}_test_score" for k in range(search.n_splits_)]].to_numpy()
    durations = {trial.number: trial.duration for trial in search.study_.get_trials()}
    trials = [
        {
            "number": int(trial.trial_number),
            "state": str(trial.trial_state),
            "params": trial.params,
            "inner_scores": [None if np.isnan(score) else float(score) for score in own],
            "seconds": durations[trial.trial_number].total_seconds(),
        }
        for trial, own in zip(found.itertuples(), scores)
    ]
    return {
        "params": search.best_params_,
        "inner_score": float(search.best_score_),
        "trials": trials,
        "warnings": count_warnings(caught),
        "environment": environment,
    }


def importance(trials, space, seed):
    """Return the share of each parameter in the variance of the score, by fANOVA.

    Empty if `trials` (as `search_fold` returns them) have fewer than two different scores.
    """
    complete = [trial for trial in trials if trial["state"] == "COMPLETE"]
    scores = [float(np.mean(trial["inner_scores"])) for trial in complete]
    if len(set(scores)) < 2:
        return {}
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # or it tells of the study that is made
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    optuna.logging.set_verbosity(verbosity)
    for trial, score in zip(complete, scores):
        how = {"params": trial["params"], "distributions": space, "value": score}
        study.add_trial(optuna.trial.create_trial(**how))
    found = get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=seed))
    # a parameter of which there is one value only, in all trials, explains nothing
    return {name: found.get(name, 0.0) for name in space}


def fold_pipelines(name, pipeline, task, folds, folders):
    """Return a model's pipeline in each fold: the same one, unless the model is a tuned one.

    ``tuned_<model>`` takes in each fold what was chosen on its own training part, from a result of
    ``tune``; of the `folders` the first one that has it counts. A result of other folds is refused:
    there, parameters were chosen on notes that they would be tested on.
    """
    if not name.startswith(PREFIX):
        return [pipeline] * len(folds)
    model = name.removeprefix(PREFIX)
    file = f"tune-{task.dataset}-{model}.json"
    command = f"python -m benchmarks tune --dataset {task.dataset} --model {model}"
    path = next((folder / file for folder in folders if (folder / file).is_file()), None)
    if path is None:
        raise BenchmarkError(
            f"{name} takes its parameters from {folders[-1] / file}, which is not there. Make it: "
            f"{command} --outer {len(folds)}"
        )
    result = read_result(path)
    keys = [fold_key(task, train, test) for train, test in folds]
    if [fold["key"] for fold in result["folds"]] != keys:
        made = result["task"]["settings"]
        raise BenchmarkError(
            f"{name}: the parameters in {path} were chosen on other folds, so that they have seen "
            f"notes which they would be tested on. They hold for --folds {made['outer']} --seed "
            f"{made['seed']} with the notes of that search (--max-notes {made['max_notes']} "
            f"--min-class-count {made['min_class_count']}); for others, search with the same "
            f"options into a folder of your own and pass that as --out: {command} "
            f"--outer {len(folds)} --out ..."
        )
    return [clone(pipeline).set_params(**fold["params"]) for fold in result["folds"]]
