"""What the command line says about all models, and what is set in a pipeline."""

import difflib
from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """What the command line says about all models.

    `seed` is the ``random_state`` of whatever is fitted; `device` and `max_epochs` (None is each
    one's own number) are of the networks, `n_threads` of a process.
    """

    seed: int = 0
    n_threads: int = 1
    device: str = "cpu"
    max_epochs: int | None = None


def network(pipeline, options):
    """Say to a pipeline that ends in a network what the command line says."""
    pipeline.set_params(load__on_error="warn")
    pipeline.set_params(classify__random_state=options.seed, classify__device=options.device)
    if options.max_epochs is not None:
        pipeline.set_params(classify__max_epochs=options.max_epochs)
    return pipeline


def settings(pipeline):
    """Return all parameters of a pipeline as strings that are the same in every process."""
    found = {}
    for name, value in pipeline.get_params(deep=True).items():
        if hasattr(value, "get_params") or isinstance(value, type):
            found[name] = f"{value if isinstance(value, type) else type(value)}"
        elif not (name == "steps" or name.endswith(("__steps", "__transformers"))):
            found[name] = repr(value)
    return found


def meant(name, known):
    """List known names, and guess which one was meant."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"{', '.join(known)}." + (f" Did you mean {near[0]!r}?" if near else "")
