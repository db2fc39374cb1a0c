"""What classifiers around another one have in common: checks, fits, routing and tags."""

import numpy as np
from sklearn.base import clone
from sklearn.utils import get_tags, indexable
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping

from sknote._compat import check_method_params, num_samples, safe_indexing
from sknote._input.checks import check_classes, check_groups, check_labels
from sknote._input.tables import check_takes_sounds, holds_sounds
from sknote.confidence._out_of_fold import fit_params_of, out_of_fold
from sknote.model_selection._lost_groups import warn_of_lost_groups

__all__ = ["check_notes", "fit_around", "route_around", "tags_around"]


def check_notes(owner, X, y, groups, fit_params):
    """Check what `fit` of `owner` was given, and set its `classes_`.

    Returns X, labels, groups or None, and what fits of the classifier are given. Notes of which the
    weight is 0 are left out.
    """
    name = type(owner).__name__
    (X,) = indexable(X)
    if holds_sounds(X):
        check_takes_sounds(owner.estimator, "recordings or spectrograms", name)
    y = check_labels(y, num_samples(X), name)
    groups = check_groups(groups, len(y), name)
    if groups is None:
        warn_of_lost_groups(name)
    X, y, groups, fit_params = _with_weight(X, y, groups, fit_params, name)
    owner.classes_ = check_classes(y, None, name)
    return X, y, groups, fit_params_of(owner, groups, fit_params)


def fit_around(owner, X, y, groups, fit_params):
    """Fit clones of the classifier in folds, whose answers are returned, and one to all notes.

    That one is ``owner.estimator_``.
    """
    how = {"groups": groups, "cv": owner.cv, "fit_params": fit_params, "n_jobs": owner.n_jobs}
    known = out_of_fold(owner.estimator, X, y, **how, name=type(owner).__name__)
    owner.estimator_ = clone(owner.estimator).fit(X, y, **fit_params)
    for attribute in ("n_features_in_", "feature_names_in_"):
        if hasattr(owner.estimator_, attribute):
            setattr(owner, attribute, getattr(owner.estimator_, attribute))
    return known


def route_around(owner):
    """Return the routing of an `owner` that uses groups, and whose classifier gets what it asks."""
    mapping = MethodMapping().add(caller="fit", callee="fit")
    return (
        MetadataRouter(owner=owner)
        .add_self_request(owner)
        .add(estimator=owner.estimator, method_mapping=mapping)
    )


def tags_around(owner, tags):
    """Return the `tags` of an `owner` that takes what its classifier takes."""
    inner = get_tags(owner.estimator)
    tags.input_tags = inner.input_tags
    tags.classifier_tags.multi_class = inner.classifier_tags.multi_class
    return tags


def _with_weight(X, y, groups, fit_params, name):
    weight = fit_params.get("sample_weight")
    if weight is None or np.shape(weight) != y.shape or np.all(weight):
        return X, y, groups, fit_params
    rows = np.flatnonzero(weight)
    if len(np.unique(y[rows])) < 2:
        raise ValueError(
            f"{name}: expected notes of at least 2 classes with a sample_weight above "
            f"0, got {len(np.unique(y[rows]))} class(es)."
        )
    groups = None if groups is None else groups[rows]
    params = check_method_params(X, params=fit_params, indices=rows)
    return safe_indexing(X, rows), y[rows], groups, params
