"""All models that are compared, by their names."""

from benchmarks import models, peers, variants
from benchmarks.options import BenchmarkError
from benchmarks.settings import Options, meant, settings

__all__ = ["MODELS", "Options", "build", "settings", "variants"]

# name → line for the report, function of the `Options` that returns an unfitted pipeline
MODELS = {**models.MODELS, **peers.MODELS, **variants.MODELS}


def build(name, options):
    """Return the unfitted pipeline of a model.

    A pipeline ends in the step that is fitted, afresh in every fold. The steps before it make
    features of each note by itself, so that they are computed once for all folds.
    """
    if name not in MODELS:
        raise BenchmarkError(f"there is no model {name!r}; there are {meant(name, MODELS)}")
    return MODELS[name][1](options)
