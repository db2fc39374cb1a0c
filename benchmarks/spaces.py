"""What ``tune`` tunes of each model: search spaces in parts, by name."""

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from sklearn.base import clone

from benchmarks.options import BenchmarkError
from benchmarks.settings import meant
from sknote.model_selection import baseline_space, note_space
from sknote.nn import SpectrogramAugment

_TREES = {
    "max_features": FloatDistribution(0.02, 1.0, log=True),
    "min_samples_leaf": IntDistribution(1, 8, log=True),
    "criterion": CategoricalDistribution(["gini", "entropy"]),
    "class_weight": CategoricalDistribution([None, "balanced", "balanced_subsample"]),
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
    "extra_trees": (
        _BASELINE
        | {"classify": {f"classify__extratreesclassifier__{n}": d for n, d in _TREES.items()}},
        ("mfcc", "classify"),
    ),
}


def search_space(model, pipeline, parts, *, max_epochs):
    """Return the space of a model (name → Optuna's distribution), and the pipeline to tune.

    `parts` is what is tuned (list of str), or None for the model's default. If `max_epochs` is
    given, the number of epochs is not tuned.
    """
    if model not in SPACES:
        raise BenchmarkError(
            f"the model {model!r} has no search space; there is one for {', '.join(SPACES)}."
        )
    known, default = SPACES[model]
    parts = list(default if parts is None else parts)
    if unknown := [part for part in parts if part not in known]:
        raise BenchmarkError(
            f"the space of {model} has no part {unknown[0]!r}; it has {meant(unknown[0], known)}"
        )
    if {"augmentation", "effects"} <= set(parts):
        raise BenchmarkError(
            "--space can have augmentation (on or off) or effects (the size of each), not both."
        )
    space = {name: one for part in parts for name, one in known[part].items()}
    if max_epochs is not None:
        space.pop("classify__max_epochs", None)
    if "effects" in parts:
        pipeline = clone(pipeline).set_params(classify__augment=SpectrogramAugment())
    return space, pipeline
