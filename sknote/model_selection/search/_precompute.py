"""Steps of a pipeline that no trial changes: computed once for a whole search."""

from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import get_routing_for_object

from sknote._compat import num_samples


class LeadingSteps:
    """Compute the leading steps of a pipeline that are the same in every trial and fold.

    A step is computed in advance only where that cannot leak: it learns nothing (its tag
    ``requires_fit`` is False), is deterministic, has no ``random_state``, and is given no fit
    parameter. A `FunctionTransformer` is left alone, since its function may look at all rows.

    An estimator that is no `Pipeline` has no leading steps. `fit_params` is what is passed to its
    ``fit`` besides X and y.
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
        """Return what is left to do in a trial with certain parameters.

        That is a clone of the estimator, in which the steps computed in advance are
        ``"passthrough"``; their output; and these steps by name, for ``set_params`` to put them
        back. A step that the parameters change is not computed in advance.
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
        n_samples = num_samples(X)
        for name in self.names[start:n]:
            step = self.estimator.named_steps[name]
            if step is None or step == "passthrough":
                continue
            # Not fit_transform: that may do what is meant for training only.
            fitted[name] = clone(step).fit(X)
            X = fitted[name].transform(X)
            if num_samples(X) != n_samples:
                raise ValueError(
                    f"OptunaSearch: the step {name!r} made {num_samples(X)} rows out of "
                    f"{n_samples}. Pass precompute=False if that is meant."
                )
        return X, fitted


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
