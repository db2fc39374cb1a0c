"""Scores of answers that may be refused, of nodes above labels, and of sets of labels."""

import numpy as np

from sknote.metrics import expected_calibration_error

FEWEST = 30  # notes of which an instrument or a label has a row of its own
_BINS, _COVERAGE = 15, 0.8
_CURVE = np.round(np.linspace(0.05, 1.0, 20), 2)


def score_answers(target, known):
    """Score what a fold, or all folds together, answered; `known` has an entry for each note.

    An answer is a label, a node above labels (`level` is 0 or more), or none (-1).
    """
    level, right = known["level"], known["right"]
    answered, is_leaf = level >= 0, level == 0
    return {
        "calibration_error": _calibration_error(target, known["proba"]),
        "calibrated_error": _calibration_error(target, known["calibrated"]),
        "chance_error": chance_error(known["calibrated"]),
        "answered": answered.mean(),
        "answered_right": _share(right[answered]),
        "leaf": is_leaf.mean(),
        "leaf_right": _share(right[is_leaf]),
        "right_at_80": 1 - risk_curve(target, known["calibrated"], [_COVERAGE])[0],
        "refused": known["novel"].mean(),
    }


def score_sets(target, instrument, sets, n_notes_of):
    """Score sets of labels: bool, shape (n_notes, n_classes); `target` has numbers of classes.

    `n_notes_of` has how many notes of each class the task has.
    """
    held = sets[np.arange(len(target)), target]
    sizes = sets.sum(axis=1)
    by_instrument = shares_of(held, instrument, FEWEST)
    by_label = shares_of(held, target, FEWEST)
    return {
        "coverage": held.mean(),
        "worst_instrument": min(by_instrument.values(), default=None),
        "rare_labels": _share(held[n_notes_of[target] < FEWEST]),
        "worst_label": min(by_label.values(), default=None),
        "size": sizes.mean(),
        "single": (sizes == 1).mean(),
    }


def shares_of(values, names, fewest):
    """Return name → mean, of names with so many values."""
    found = {}
    for name in np.unique(names).tolist():
        own = values[names == name]
        if len(own) >= fewest:
            found[name] = float(own.mean())
    return found


def reliability(target, proba):
    """Return the bins of confidence that have notes: mean confidence, accuracy, number of notes."""
    confidence, right = proba.max(axis=1), proba.argmax(axis=1) == target
    place = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    return [
        [float(confidence[place == k].mean()), float(right[place == k].mean()), int(n)]
        for k, n in enumerate(np.bincount(place, minlength=_BINS))
        if n
    ]


def risk_curve(target, proba, coverage=_CURVE):
    """Return the share of wrong labels among the notes that are surest, for each share of these."""
    order = np.argsort(-proba.max(axis=1), kind="stable")
    wrong = (proba.argmax(axis=1) != target)[order]
    counts = np.maximum(1, np.round(np.asarray(coverage) * len(wrong)).astype(int))
    return [float(wrong[:n].mean()) for n in counts]


def chance_error(proba, n_draws=100):
    """Return the calibration error of so many notes if all probabilities were true, on average.

    Shares of few notes in a bin are off by chance.
    """
    draws = np.random.default_rng(0).random((n_draws, len(proba)))
    cumulative = proba.cumsum(axis=1)
    return float(
        np.mean(
            [
                _calibration_error((draw[:, None] > cumulative[:, :-1]).sum(axis=1), proba)
                for draw in draws
            ]
        )
    )


def _calibration_error(target, proba):
    classes = np.arange(proba.shape[1])
    return expected_calibration_error(target, proba, classes)


def _share(values):
    return float(values.mean()) if len(values) else None
