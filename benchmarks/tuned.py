"""Tuned models in a comparison: each fold takes what was chosen on its own training part."""

import json

from sklearn.base import clone

from benchmarks.cache import digest
from benchmarks.cli import BenchmarkError

PREFIX = "tuned_"


def fold_pipelines(name, pipeline, task, folds, folders):
    """Return a model's pipeline in each fold: the same one, unless the model is a tuned one.

    Parameters
    ----------
    name : str
        Of the model; ``tuned_<model>`` takes its parameters from a result of ``tune``.
    pipeline : Pipeline
    task : Task
    folds : list of (train, test)
    folders : list of Path
        Where the result may be; the first one that has it counts.

    Returns
    -------
    list of Pipeline

    Raises
    ------
    BenchmarkError
        If the result is not there, or was made on other folds: there, parameters would have been
        chosen on notes that they are to be tested on.
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
    result = json.loads(path.read_text(encoding="utf-8"))
    if [fold["key"] for fold in result["folds"]] != fold_keys(task, folds):
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


def fold_keys(task, folds):
    """Return what tells each fold of a task from any other, on every machine."""
    return [digest(task.key(), train.tolist(), test.tolist()) for train, test in folds]
