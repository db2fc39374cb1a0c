"""Steps of a pipeline that no trial changes: computed once for a whole search."""

from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.validation import _num_samples

__all__ = ["LeadingSteps", "put_back"]


class LeadingSteps:
    """Compute the leading steps of a pipeline that are the same in every trial and fold.

    A step is computed in advance only where that cannot leak: it learns nothing (its tag
    ``requires_fit`` is False), is deterministic, has no ``random_state``, and is given no fit
    parameter. A `FunctionTransformer` is left alone, since its function may look at all rows.

    Parameters
    ----------
    estimator : estimator
        Anything but a `Pipeline` has no leading steps.
    X : indexable
        Input of the pipeline.
    fit_params : dict
        What is passed to ``fit`` besides X and y.
    enabled : bool, default=True
        Whether to compute anything in advance.
    """

    def __init__(self, estimator, X, fit_params, *, enabled=True):
        self.estimator = estimator
        self.names = []
        self._computed = {0: (X, {})}
        if not enabled or not isinstance(estimator, Pipeline) or estimator.transform_input:
            return
        for name, step in estimator.steps[:-1]:
            if not _is_reusable(step) or _takes(step, name, fit_params):
                return
            self.names.append(name)

    def split(self, params):
        """Return what is left to do in a trial.

        Parameters
        ----------
        params : dict
            Parameters of the trial; a step that they change is not computed in advance.

        Returns
        -------
        estimator : estimator
            A clone, in which the steps computed in advance are ``"passthrough"``.
        X : indexable
            Their output.
        fitted : dict of str to estimator
            The steps computed in advance, for :func:`put_back`.
        """
        n = 0
        while n < len(self.names) and not _touches(params, self.names[n]):
            n += 1
        if n not in self._computed:
            self._computed[n] = self._compute(n)
        X, fitted = self._computed[n]
        return clone(self.estimator).set_params(**dict.fromkeys(fitted, "passthrough")), X, fitted

    def _compute(self, n):
        start = max(done for done in self._computed if done < n)
        X, fitted = self._computed[start]
        fitted = dict(fitted)
        n_samples = _num_samples(X)
        for name in self.names[start:n]:
            step = self.estimator.named_steps[name]
            if step is None or step == "passthrough":
                continue
            # Not fit_transform: that may do what is meant for training only.
            fitted[name] = clone(step).fit(X)
            X = fitted[name].transform(X)
            if _num_samples(X) != n_samples:
                raise ValueError(
                    f"OptunaSearch: the step {name!r} made {_num_samples(X)} rows out of "
                    f"{n_samples}. Pass precompute=False if that is meant."
                )
        return X, fitted


def put_back(estimator, fitted):
    """Put the steps computed in advance back into an estimator; what others are does not follow."""
    return Pipeline.set_params(estimator, **fitted) if fitted else estimator


def _is_reusable(step):
    if step is None or step == "passthrough":
        return True
    tags = get_tags(step)
    return not (
        tags.requires_fit
        or tags.non_deterministic
        or "random_state" in step.get_params()
        or isinstance(step, FunctionTransformer)
    )


def _takes(step, name, fit_params):
    if step is None or step == "passthrough":
        return False
    if any(key.startswith(f"{name}__") for key in fit_params):
        return True
    routing = get_routing_for_object(step)
    methods = ("fit", "transform", "fit_transform")
    return any(routing.consumes(method, fit_params.keys()) for method in methods)


def _touches(params, name):
    return any(key in (name, "steps") or key.startswith(f"{name}__") for key in params)
