"""Search spaces: what may be tuned, and the values of one trial."""

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from sklearn.base import clone

from sknote._input.choices import nearest


def check_space(space, estimator):
    """Check a search space before anything is run, and return it with distributions only.

    A list stands for a `CategoricalDistribution` of its members; what else is no distribution is a
    TypeError, and a name that the estimator does not have a ValueError. A callable is a
    define-by-run space; its names are checked in each trial, when they are known.
    """
    if callable(space):
        return space
    distributions = {}
    for name, choices in space.items():
        if isinstance(choices, (list, tuple)):
            choices = CategoricalDistribution(choices)
        if not isinstance(choices, (CategoricalDistribution, FloatDistribution, IntDistribution)):
            raise TypeError(
                f"OptunaSearch: param_distributions[{name!r}] must be a distribution of Optuna, "
                f"e.g. optuna.distributions.FloatDistribution(1e-4, 1e-1, log=True), or a list of "
                f"choices. Got {choices!r} instead."
            )
        distributions[name] = choices
    check_names(estimator, any_values(distributions))
    return distributions


def any_values(distributions):
    """Return parameters that a space allows; the same ones each time."""
    values = {
        name: d.choices[0] if isinstance(d, CategoricalDistribution) else d.low
        for name, d in distributions.items()
    }
    return clone(values, safe=False)


def suggest(space, trial):
    """Return the parameters of a trial, as a dict that ``set_params`` takes.

    A finished `FrozenTrial` gives back the parameters that it had.
    """
    if not callable(space):
        return {name: _suggest_one(trial, name, d) for name, d in space.items()}
    params = space(trial)
    if not isinstance(params, dict):
        raise TypeError(
            "OptunaSearch: a define-by-run param_distributions must return a dict of parameter "
            f"names and values, got {type(params).__name__} instead."
        )
    return params


def _suggest_one(trial, name, distribution):
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
        near = [nearest(name, valid) for name in unknown]
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
