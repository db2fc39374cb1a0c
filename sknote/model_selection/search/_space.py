"""Search spaces: what may be tuned, and the values of one trial."""

import contextlib
import inspect
from collections.abc import Sequence

import numpy as np
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from sklearn.base import clone

from sknote._input.arrays import plain_value
from sknote._input.choices import nearest_parameter
from sknote.model_selection.search._text import ADDRESS, shortened, text_of

_KEPT = (type(None), bool, int, float, str)  # what a study can keep, and get back as it was


class Choices:
    """Choices that a study cannot keep as they are, each with what stands for it there.

    A study keeps None, bool, int, float and str, and tells them apart by equality. A NumPy scalar
    is kept as the plain number or str that it equals, and everything else by a name.
    """

    def __init__(self, choices):
        plain = list(map(plain_value, choices))
        kept = [one if type(one) in _KEPT else _name(one) for one in plain]
        if _are_ambiguous(kept):
            kept = [f"{k}: {_name(one)}" for k, one in enumerate(plain)]
        self.distribution = CategoricalDistribution(kept)
        self.choices = dict(zip(kept, choices, strict=True))
        self._named = {name: one for name, one in zip(kept, plain) if name is not one}

    def __repr__(self):
        """Tell the same of choices that are equal, whether they are NumPy's or Python's."""
        told = {name: shortened(text_of(one)) for name, one in self._named.items()}
        return f"{self.distribution!r}{f' that stand for {told}' if told else ''}"


def _name(choice):
    return shortened(" ".join(ADDRESS.sub("", repr(choice)).split()))


def _are_ambiguous(kept):
    return any(kept.index(choice) != k for k, choice in enumerate(kept)) or any(
        choice != choice for choice in kept
    )


def check_space(space, estimator):
    """Check a search space before anything is run, and return it with distributions only.

    A sequence, such as a list, a range, a 1-D array or a column, stands for a
    `CategoricalDistribution` of its members, or for `Choices` if a study cannot keep these; what
    else is no distribution is a TypeError, and a name that the estimator does not have a
    ValueError. A callable is a define-by-run space; its names are checked
    in each trial, when they are known.
    """
    if callable(space):
        _check_signature(space)
        return space
    if not space:
        raise ValueError(
            "OptunaSearch: param_distributions is empty, and all trials would be the same. Name "
            "what is to be tuned."
        )
    if wrong := [name for name in space if not isinstance(name, str)]:
        raise TypeError(
            f"OptunaSearch: expected names of parameters in param_distributions, got {wrong[0]!r}."
        )
    distributions = {name: _check_distribution(name, value) for name, value in space.items()}
    check_names(estimator, any_values(distributions))
    return distributions


def _check_signature(space):
    """Refuse a define-by-run space that cannot be called with a trial."""
    with contextlib.suppress(ValueError):  # of what is not written in Python there may be none
        signature = inspect.signature(space)
        try:
            signature.bind(None)
        except TypeError as error:
            raise TypeError(
                "OptunaSearch: expected a define-by-run param_distributions that can be called "
                f"with a trial, got one with the arguments {signature}: {error}."
            ) from error


def _check_distribution(name, distribution):
    choices = getattr(distribution, "choices", distribution)
    if _is_sequence(choices):
        choices = list(choices)
        if not choices:
            raise ValueError(f"OptunaSearch: param_distributions[{name!r}] has no choices.")
        is_kept = all(type(choice) in _KEPT for choice in choices) and not _are_ambiguous(choices)
        return CategoricalDistribution(choices) if is_kept else Choices(choices)
    if not isinstance(distribution, (FloatDistribution, IntDistribution)):
        raise TypeError(
            f"OptunaSearch: param_distributions[{name!r}] must be a distribution of Optuna, "
            f"e.g. optuna.distributions.FloatDistribution(1e-4, 1e-1, log=True), or choices in an "
            f"order, e.g. a list. Got {_name(distribution)} instead."
        )
    return distribution


def _is_sequence(choices):
    """Tell whether it has an order, and is neither a text nor a table."""
    if isinstance(choices, (str, bytes, bytearray)):
        return False
    is_column = hasattr(choices, "to_numpy") and not hasattr(choices, "columns")
    is_column |= isinstance(choices, np.ndarray) and choices.ndim == 1
    return is_column or isinstance(choices, Sequence)


def any_values(distributions):
    """Return parameters that a space allows; the same ones each time."""
    values = {
        name: next(iter(d.choices.values() if isinstance(d, Choices) else d.choices))
        if hasattr(d, "choices")
        else d.low
        for name, d in distributions.items()
    }
    return clone(values, safe=False)


def suggest(space, trial):
    """Return the parameters of a trial, as a dict that ``set_params`` takes.

    A finished `FrozenTrial` gives back the parameters that it had.
    """
    if not callable(space):
        return {name: _suggest_one(trial, name, d) for name, d in space.items()}
    try:
        params = space(trial)
    except TypeError as error:
        if "JSON serializable" not in str(error):
            raise
        raise TypeError(
            f"OptunaSearch: the storage cannot keep a choice of suggest_categorical: {error}. "
            "Suggest None, bool, int, float or str, such as a name, and look up by it, in the "
            "define-by-run param_distributions, the object that it stands for."
        ) from error
    if not isinstance(params, dict):
        raise TypeError(
            "OptunaSearch: a define-by-run param_distributions must return a dict of parameter "
            f"names and values, got {type(params).__name__} instead."
        )
    return params


def _suggest_one(trial, name, distribution):
    if isinstance(distribution, Choices):
        kept = trial.suggest_categorical(name, distribution.distribution.choices)
        return distribution.choices[kept]
    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(name, distribution.choices)
    d = distribution
    if isinstance(d, IntDistribution):
        return trial.suggest_int(name, d.low, d.high, step=d.step, log=d.log)
    return trial.suggest_float(name, d.low, d.high, step=d.step, log=d.log)


def check_names(estimator, params):
    """Raise a ValueError that says "did you mean" if the estimator refuses a parameter's name."""
    try:
        # Asking set_params, not get_params: some estimators take names that they do not list.
        clone(estimator).set_params(**clone(params, safe=False))
    except (AttributeError, ValueError) as error:  # "a__b" where a is no estimator; no such name
        valid = estimator.get_params(deep=True)
        unknown = [name for name in params if name not in valid]
        if not unknown:
            raise
        near = [nearest_parameter(name, valid) for name in unknown]
        named = ", ".join(
            f"{name!r} (did you mean {likely[0]!r}?)" if likely else repr(name)
            for name, likely in zip(unknown, near)
        )
        raise ValueError(
            f"OptunaSearch: {type(estimator).__name__} has no parameter {named}. "
            "estimator.get_params() lists the parameters that it has."
        ) from error


def describe_space(space):
    """Return a JSON-able description of a space, by which a resumed study is recognized."""
    if callable(space):
        return "define-by-run"
    return {name: repr(distribution) for name, distribution in sorted(space.items())}
