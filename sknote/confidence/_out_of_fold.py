"""Probabilities of notes by classifiers that did not hear their group: what confidence rests on."""

import inspect
import warnings
from dataclasses import dataclass

import numpy as np
from sklearn import get_config
from sklearn.base import clone
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, check_cv
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import process_routing
from sklearn.utils.parallel import Parallel, delayed

from sknote._caller import warn_caller
from sknote._compat import check_method_params, safe_indexing
from sknote._input.checks import named
from sknote.model_selection import check_folds

N_FOLDS = 5
_N_NAMED = 5  # how many classes a message names
_ROUNDING = 1e-3  # how far a sum of probabilities may be from 1


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """What out-of-fold classifiers say of all notes that some fold tests.

    `rows` are the positions of these notes, ascending, `proba` has a row for each and a column for
    every one of `classes`, `is_heard` tells which of them are of a class that their fold was
    trained on, and `looks` has what `look` gave for each fold, if there was one.
    """

    proba: np.ndarray
    classes: np.ndarray
    rows: np.ndarray
    is_heard: np.ndarray
    folds: list
    looks: list


def out_of_fold(
    estimator, X, y, *, groups=None, cv=None, fit_params=None, look=None, n_jobs=None, name
):
    """Fit clones of a classifier on folds of whole groups, and ask each about what it did not hear.

    `y` and `groups` are arrays that were checked. None for `cv` is five folds, or fewer where no
    class has so many groups: stratified, shuffled with seed 0, of whole groups if there are some. A
    number is that many such folds; a splitter or an iterable of folds is taken as it is. A class in
    fewer groups than folds is named in a UserWarning: where a fold has not heard it, its
    probability is 0.

    `fit_params` goes to every fit, with what is there for each note cut to the fold's. ``look``, a
    function of a fitted clone, X, and the positions of its training and its test notes, says what
    else to keep of it. `name` is who asks, for messages.
    """
    if not hasattr(estimator, "predict_proba"):
        raise TypeError(
            f"{name}: expected an estimator with predict_proba, got {type(estimator).__name__}. "
            "Wrap it in a CalibratedClassifierCV, or pass another one."
        )
    classes = np.unique(y)
    folds = _folds_of(X, y, groups, cv, name)
    fit_params = fit_params or {}
    ask = delayed(_ask_about_test)
    found = Parallel(n_jobs=n_jobs)(
        ask(clone(estimator), X, y, *fold, classes, fit_params, look, f"{name}, fold {k}")
        for k, fold in enumerate(folds)
    )
    proba, count = np.zeros((len(y), len(classes))), np.zeros(len(y))
    is_heard = np.ones(len(y), dtype=bool)
    for (train, test), (own, _) in zip(folds, found):
        np.add.at(proba, test, own)
        np.add.at(count, test, 1)
        is_heard[test] &= np.isin(y[test], y[train])
    rows = np.flatnonzero(count)  # repeated splits test a note more than once: their mean
    proba = proba[rows] / count[rows, None]
    looks = [looked for _, looked in found]
    return OutOfFold(proba, classes, rows, is_heard[rows], folds, looks)


def fit_params_of(owner, groups, params):
    """Return what the fits of ``owner.estimator`` are given, of what the `fit` of `owner` was.

    With metadata routing that is what they ask for; without it `params` as they are, and the groups
    where the classifier takes any.
    """
    given = {key: value for key, value in params.items() if value is not None}
    if get_config()["enable_metadata_routing"]:
        more = {} if groups is None else {"groups": groups}
        return dict(process_routing(owner, "fit", **more, **given).estimator.fit)
    if groups is not None and (key := _name_of_groups(owner.estimator)):
        given.setdefault(key, groups)
    return given


def check_probabilities(proba, n_notes, n_classes, name):
    """Refuse what `predict_proba` gave if it is no array of probabilities; return it as float64."""
    proba = np.asarray(proba, dtype=np.float64)
    if proba.shape != (n_notes, n_classes):
        raise ValueError(
            f"{name}: expected probabilities of shape ({n_notes}, {n_classes}) from predict_proba, "
            f"got shape {proba.shape}."
        )
    sums = proba.sum(axis=1)
    wrong = ~((proba >= 0).all(axis=1) & (np.abs(sums - 1) < _ROUNDING))
    if len(rows := np.flatnonzero(wrong)):
        raise ValueError(
            f"{name}: expected probabilities from predict_proba, at least 0 and with a sum of 1, "
            f"got {np.round(proba[rows[0]], 3).tolist()} in row {rows[0]} ({len(rows)} in all). "
            "Mend the classifier, or wrap it in a CalibratedClassifierCV."
        )
    return proba / sums[:, None]


def _folds_of(X, y, groups, cv, name):
    """Return the folds as pairs of positions, checked; warn of classes in too few groups."""
    members = np.arange(len(y)) if groups is None else groups
    n_members = {c: len(np.unique(members[y == c])) for c in np.unique(y).tolist()}
    if cv is None or (isinstance(cv, (int, np.integer)) and not isinstance(cv, bool)):
        most = max(n_members.values())
        if most < 2:
            raise ValueError(
                f"{name}: expected a label in at least 2 {_unit(groups)}, so that one can be "
                f"kept back, got n_samples = {len(y)} in {len(np.unique(members))} "
                f"{_unit(groups)}, each label in a single one. Give more notes, or finer groups."
            )
        if cv is not None and cv > (n_units := len(np.unique(members))):
            raise ValueError(
                f"{name}: expected cv of at most {n_units}, the number of {_unit(groups)}, got "
                f"{cv}. Use fewer folds, or None."
            )
        kind = StratifiedKFold if groups is None else StratifiedGroupKFold
        cv = kind(min(N_FOLDS, most) if cv is None else cv, shuffle=True, random_state=0)
    else:
        cv = check_cv(cv, y, classifier=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes in few groups, all of which are named below
        with named(name):
            folds = list(cv.split(X, y, groups))
        folds = check_folds(folds, y, groups)
    folds = [tuple(np.arange(len(y))[np.asarray(part)] for part in fold) for fold in folds]
    few = [f"{c!r} (in {n})" for c, n in n_members.items() if n < len(folds)]
    if few:
        warn_caller(
            f"{name}: {len(few)} class(es) in fewer {_unit(groups)} than the {len(folds)} "
            f"folds: {', '.join(few[:_N_NAMED])}{', ...' if len(few) > _N_NAMED else ''}. What is "
            "said of them rests on little, and where a fold has not heard one, its probability is "
            "0. Use fewer folds, or drop or merge the classes."
        )
    return folds


def _ask_about_test(estimator, X, y, train, test, classes, fit_params, look, name):
    """Fit on the training part; return the probabilities of the test part, and what `look` sees."""
    params = check_method_params(X, params=fit_params, indices=train)
    estimator.fit(safe_indexing(X, train), y[train], **params)
    own = check_probabilities(
        estimator.predict_proba(safe_indexing(X, test)), len(test), len(estimator.classes_), name
    )
    proba = np.zeros((len(test), len(classes)))
    proba[:, np.searchsorted(classes, estimator.classes_)] = own
    return proba, None if look is None else look(estimator, X, train, test)


def _name_of_groups(estimator):
    """Return what `fit` calls the groups, of a step of a pipeline with its name; None if nothing.

    The last step is the one that may split by them.
    """
    if isinstance(estimator, Pipeline) and estimator.steps:
        step, last = estimator.steps[-1]
        inside = _name_of_groups(last)
        return f"{step}__{inside}" if inside else None
    return "groups" if "groups" in inspect.signature(estimator.fit).parameters else None


def _unit(groups):
    return "notes" if groups is None else "groups"
