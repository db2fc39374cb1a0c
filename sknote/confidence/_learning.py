"""What more notes would bring: classifiers of folds learn from fewer than the one that answers."""

import numpy as np

from sknote.confidence._mapie import unlikeliness
from sknote.confidence._out_of_fold import out_of_fold

__all__ = ["level_of_folds"]

_FEWEST = 20  # missed notes that a rate can be told of
_FEWER = 0.75  # of the notes of a fold, at most, that the classifier of fewer notes has


def level_of_folds(estimator, X, y, known, confidence_level, *, groups, fit_params, name):
    """Return the confidence level to ask of out-of-fold probabilities, for `confidence_level`.

    At one threshold, a classifier that learned from more notes misses fewer true labels: a power
    law of the number of notes, of which the exponent is told by one more clone that is fitted to
    the test parts of half the folds. It is between 0 and 1, and 0 where notes are too few to tell.
    `known` are the out-of-fold probabilities.
    """
    n_train = np.mean([len(train) for train, _ in known.folds])
    some = [test for _, test in known.folds[: len(known.folds) // 2]]
    some = np.unique(np.concatenate(some)) if some else np.array([], dtype=int)
    rest = np.setdiff1d(known.rows, some)
    is_told = (1 - confidence_level) * len(rest) >= _FEWEST and len(some) <= _FEWER * n_train
    if not is_told or len(np.unique(y[some])) < 2:
        return confidence_level
    how = {"groups": groups, "cv": [(some, rest)], "fit_params": fit_params, "name": name}
    fewer = out_of_fold(estimator, X, y, **how)
    at = np.searchsorted(known.rows, fewer.rows)
    heard = fewer.is_heard & known.is_heard[at]
    rows, target = np.arange(heard.sum()), np.searchsorted(known.classes, y[fewer.rows[heard]])
    if not len(rows):
        return confidence_level
    scores = [unlikeliness(proba[heard])[rows, target] for proba in (fewer.proba, known.proba[at])]
    threshold = np.quantile(scores[1], confidence_level)
    missed = [max((score > threshold).mean(), 1 / len(rows)) for score in scores]
    exponent = np.log(missed[0] / missed[1]) / np.log(n_train / len(some))
    return 1 - (1 - confidence_level) * (len(y) / n_train) ** np.clip(exponent, 0.0, 1.0)
