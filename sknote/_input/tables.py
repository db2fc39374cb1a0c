"""Classifiers of scikit-learn take tables of numbers; one that gets sounds is refused."""

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

__all__ = ["check_takes_sounds", "holds_sounds"]


def check_takes_sounds(estimator, what, name):
    """Refuse, as `name`, an estimator that takes tables alone, where it gets `what`.

    Of scikit-learn it is known what takes tables alone, also inside of others; of others it is not.
    """
    while inner := _first_inside(estimator):
        (estimator,) = inner
    is_known = type(estimator).__module__.startswith("sklearn.")
    if not is_known or any(hasattr(one, "fit") for one in estimator.get_params().values()):
        return
    tags = get_tags(estimator)
    if tags.input_tags.two_d_array and not (tags.input_tags.three_d_array or tags.no_validation):
        raise ValueError(
            f"{name}: {type(estimator).__name__} takes a table of numbers, and gets {what}. Use "
            "MFCCSummary(instrument='onehot') in their place, which makes a table of recordings "
            "(make_baseline_pipeline has one); spectrograms are for NoteClassifier."
        )


def holds_sounds(X):
    """Tell whether X, of any form, is of recordings or spectrograms, and so no table of numbers."""
    if hasattr(X, "columns"):
        return "audio" in X.columns and getattr(X["audio"].dtype, "kind", "O") == "O"
    is_object = isinstance(X, np.ndarray) and X.dtype.kind == "O"
    if is_object or isinstance(X, (list, tuple)):
        return len(X) > 0 and getattr(X[0], "ndim", 0) == 2
    return getattr(X, "ndim", 2) == 3


def _first_inside(estimator):
    """Return, in a list, what an estimator of others gives X to first; nothing if it is none."""
    inside = [step for _, step in estimator.steps] if isinstance(estimator, Pipeline) else []
    if hasattr(estimator, "get_params"):
        inside.append(estimator.get_params(deep=False).get("estimator"))
    return [one for one in inside if hasattr(one, "fit")][:1]
