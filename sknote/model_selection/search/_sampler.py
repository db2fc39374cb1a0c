"""A sampler whose draws depend on the seed and the history, and on nothing else.

Optuna keeps the trials of a study in its storage, but not the random state of the sampler, so that
a resumed search draws the same numbers again and goes another way than one that ran through. Here
the random state of each draw comes from (seed, place of the trial, name of the parameter).
"""

import contextlib
import copy
import zlib

import numpy as np
from optuna.samplers import BaseSampler

from sknote._compat import LazyRandomState


class SeededSampler(BaseSampler):
    """Wrap a sampler of Optuna so that a resumed study goes on as if it had never stopped.

    The sampler is copied for each trial, so that nothing which is only in memory carries over from
    one trial to the next; its own seed is not used, but `seed`, one for the whole study.
    ``place_of(study, trial)`` is the place of the trial in an undisturbed run. A trial that is run
    again because its process died keeps its place although it has a new number.
    """

    def __init__(self, sampler, seed, place_of):
        self.sampler = sampler
        self.seed = seed
        self.place_of = place_of
        self._of_trial = sampler
        self._place = None

    def __str__(self):
        return f"{type(self).__name__}({self.sampler})"

    def before_trial(self, study, trial):
        self._of_trial = copy.deepcopy(self.sampler)
        self._place = self.place_of(study, trial)
        self._reseed()
        # GridSampler deals its points by the number here; elsewhere TPESampler needs the real one.
        trial = copy.copy(trial)
        trial.number = self._place
        with self._named_errors():
            self._of_trial.before_trial(study, trial)

    def infer_relative_search_space(self, study, trial):
        with self._named_errors():
            return self._of_trial.infer_relative_search_space(study, trial)

    def sample_relative(self, study, trial, search_space):
        self._reseed()
        with self._named_errors():
            return self._of_trial.sample_relative(study, trial, search_space)

    def sample_independent(self, study, trial, param_name, param_distribution):
        # A stream for each name: a trial that died half-way through its parameters goes on alike.
        self._reseed(param_name)
        with self._named_errors(f" for {param_name!r}, {param_distribution!r}"):
            return self._of_trial.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study, trial, state, values):
        self._of_trial.after_trial(study, trial, state, values)

    @contextlib.contextmanager
    def _named_errors(self, what=""):
        """Say which sampler cannot work, as one that knows another space than that of the search.

        What a storage raises is left as it is.
        """
        try:
            yield
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"OptunaSearch: the sampler {type(self.sampler).__name__} draws no value{what}: "
                f"{str(error).rstrip('.')}. Pass one that fits param_distributions, or None."
            ) from error

    def _reseed(self, name=""):
        entropy = [self.seed, self._place, zlib.crc32(name.encode())]
        _seed_all(self._of_trial, int(np.random.SeedSequence(entropy).generate_state(1)[0]))


def _seed_all(sampler, seed):
    """Seed every random state in a sampler, also those of the samplers in it."""
    for value in vars(sampler).values():
        if isinstance(value, LazyRandomState):
            value.rng.seed(seed)
        elif type(value).__module__.startswith("optuna.samplers.") and hasattr(value, "__dict__"):
            _seed_all(value, seed)
