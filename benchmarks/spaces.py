"""What ``tune`` tunes of each model: search spaces in parts, by name."""

import difflib
import itertools

from optuna.distributions import CategoricalDistribution as Choice
from optuna.distributions import FloatDistribution as Float
from optuna.distributions import IntDistribution as Int
from sklearn.base import clone

from benchmarks.cli import BenchmarkError
from sknote.model_selection import baseline_space, note_space
from sknote.nn import SpectrogramAugment

MAX_SETTINGS_AHEAD = 4  # settings of features that are worth making before anyone asks for them


def _steps_of_baseline():
    space = baseline_space()
    return {step: {n: d for n, d in space.items() if n.startswith(step)} for step in PARTS["trees"]}


def _of_compact():
    return {part: note_space(part) for part in PARTS["compact"]}


def _of_extra_trees():
    trees = {
        "max_features": Float(0.02, 1.0, log=True),
        "min_samples_leaf": Int(1, 8, log=True),
        "criterion": Choice(["gini", "entropy"]),
        "class_weight": Choice([None, "balanced", "balanced_subsample"]),
    }
    classify = {f"classify__extratreesclassifier__{name}": d for name, d in trees.items()}
    return _steps_of_baseline() | {"classify": classify}


PARTS = {
    "trees": ("mfcc", "classify"),
    "compact": ("front_end", "network", "training", "augmentation", "effects"),
}
# model → its parts, and which of them are tuned if nobody says
_SPACES = {
    "compact": (_of_compact, ("training", "augmentation")),
    "baseline": (_steps_of_baseline, PARTS["trees"]),
    "extra_trees": (_of_extra_trees, PARTS["trees"]),
}


def search_space(model, pipeline, parts, *, max_epochs):
    """Return the space of a model, and the pipeline in which it is tuned.

    Parameters
    ----------
    model : str
    pipeline : Pipeline
        As `benchmarks.models.build` returns it.
    parts : list of str or None
        What is tuned; None is the model's default.
    max_epochs : int or None
        A number of epochs that is fixed, and so not tuned.

    Returns
    -------
    space : dict of str to optuna distribution
    pipeline : Pipeline
    """
    if model not in _SPACES:
        raise BenchmarkError(
            f"the model {model!r} has no search space; there is one for {', '.join(_SPACES)}."
        )
    make, default = _SPACES[model]
    known = make()
    parts = list(default if parts is None else parts)
    for part in parts:
        if part not in known:
            near = difflib.get_close_matches(part, known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise BenchmarkError(
                f"the space of {model} has no part {part!r}; it has {', '.join(known)}.{hint}"
            )
    if {"augmentation", "effects"} <= set(parts):
        raise BenchmarkError(
            "--space can have augmentation (on or off) or effects (the size of each), not both."
        )
    space = {name: d for part in parts for name, d in known[part].items()}
    if max_epochs is not None:
        space.pop("classify__max_epochs", None)
    if "effects" in parts:
        pipeline = clone(pipeline).set_params(classify__augment=SpectrogramAugment())
    return space, pipeline


def settings_ahead(pipeline, space):
    """Return pipelines with all settings of features that a search will ask for, if they are few.

    Coefficients do not count: those of fewer are part of those of more. Of many settings, such as
    a whole front end has, only the pipeline's own is returned; a search makes what it needs.
    """
    names = [n for n in space if not n.startswith("classify__") and n != "mfcc__n_mfcc"]
    choices = list(itertools.product(*(space[name].choices for name in names)))
    if len(choices) > MAX_SETTINGS_AHEAD:
        return [pipeline]
    return [clone(pipeline).set_params(**dict(zip(names, values))) for values in choices]
