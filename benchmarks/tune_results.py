"""From finished searches and folds to one result: the honest score beside the optimistic one."""

from collections import Counter

import numpy as np
import optuna
from optuna.distributions import distribution_to_json, json_to_distribution
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import TrialState

from benchmarks.cache import write_json
from benchmarks.models import settings as model_settings
from benchmarks.results import mean_and_spread, plain, score_fold
from benchmarks.tuned import fold_keys


def summarise(task, folds, space, pipelines, searches, jobs, described):
    """Put the searches and the folds of a model, as it is and tuned, together.

    Parameters
    ----------
    task : Task
    folds : list of (train, test)
    space : dict of str to optuna distribution
    pipelines : dict of str to list of Pipeline
        The model's name, then the tuned model's → the pipeline of each fold.
    searches : list of dict
        As `read_search` returns them.
    jobs : list of FoldJob
        Of both models.
    described : dict
        As `describe_task` returns it.

    Returns
    -------
    dict
        ``models`` has mean and standard deviation over outer folds of the model's scores, as it is
        and tuned, and ``gain`` of their difference in a fold; ``inner_score`` that of the best
        trials; ``folds`` what was chosen in each; ``importance`` the mean over folds.
    """
    model, tuned = pipelines
    scores, warnings = {model: [], tuned: []}, Counter()
    commits = [search["environment"]["commit"] for search in searches]
    for job in jobs:
        numbers, _, own_warnings, environment = score_fold(task, job)
        warnings.update(own_warnings)
        commits.append(environment["commit"])
        scores[job.model].append(numbers)
    gains = [
        {name: after[name] - before[name] for name in ("accuracy", "balanced_accuracy", "macro_f1")}
        for before, after in zip(scores[model], scores[tuned])
    ]
    settings = described["settings"]
    entries = []
    for k, (key, search) in enumerate(zip(fold_keys(task, folds), searches)):
        warnings.update(search["warnings"])
        entries.append(
            {
                "fold": k,
                "key": key,
                "params": search["params"],
                "inner_score": search["inner_score"],
                "importance": importance(search["trials"], space, settings["seed"]),
                "n_trials": dict(Counter(trial["state"] for trial in search["trials"])),
                "search_seconds": sum(trial["seconds"] for trial in search["trials"]),
                "scores": {name: own[k] for name, own in scores.items()},
                "trials": search["trials"],
            }
        )
    known = [entry["importance"] for entry in entries if entry["importance"]]
    return {
        "task": described,
        "model": model,
        "space": {name: distribution_to_json(d) for name, d in space.items()},
        "settings": model_settings(pipelines[model][0]),
        "models": {name: mean_and_spread(own) for name, own in scores.items()},
        "gain": mean_and_spread(gains),
        "inner_score": mean_and_spread([{"score": entry["inner_score"]} for entry in entries]),
        "importance": {name: np.mean([one[name] for one in known]) for name in space if known},
        "importance_evaluator": f"fANOVA (optuna, 64 trees, seed {settings['seed']})",
        "environment": searches[0]["environment"]
        # those of a run that was cut off may be of different commits
        | {"commit": ", ".join(dict.fromkeys(map(str, commits)))},
        "warnings": dict(warnings),
        "folds": entries,
    }


def save(path, result):
    """Write a result; returns what was written."""
    rounded = plain(result)
    for entry, exact in zip(rounded["folds"], result["folds"]):
        # models are made of these, and importances are sensitive to ties
        entry |= {name: exact[name] for name in ("params", "trials")}
    write_json(path, rounded)
    return rounded


def importance(trials, space, seed):
    """Return the share of each parameter in the variance of the score, by fANOVA.

    Parameters
    ----------
    trials : list of dict
        As `run_search` writes them.
    space : dict of str to optuna distribution
    seed : int

    Returns
    -------
    dict of str to float
        Empty if fewer than two different scores are there to compare.
    """
    study = as_study("importance", trials, space)
    values = {t.value for t in study.get_trials(states=(TrialState.COMPLETE,))}
    if len(values) < 2:
        return {}
    found = get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=seed))
    # a parameter of which there is one value only, in all trials, explains nothing
    return {name: found.get(name, 0.0) for name in space}


def as_study(name, trials, space):
    """Make a study of the trials of a result, for Optuna's plots and importances.

    Parameters
    ----------
    name : str
    trials : list of dict
    space : dict of str to optuna distribution, or to its JSON

    Returns
    -------
    optuna.study.Study
    """
    space = {n: json_to_distribution(d) if isinstance(d, str) else d for n, d in space.items()}
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # or it tells of each study that is made
    study = optuna.create_study(
        study_name=name, direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0)
    )
    optuna.logging.set_verbosity(verbosity)
    for trial in trials:
        state = TrialState[trial["state"]]
        done = [s for s in trial["inner_scores"] if s is not None]
        study.add_trial(
            optuna.trial.create_trial(
                state=state,
                params=trial["params"],
                distributions=space,
                value=float(np.mean(done)) if state == TrialState.COMPLETE else None,
                intermediate_values={k: float(np.mean(done[: k + 1])) for k in range(len(done))},
            )
        )
    return study
