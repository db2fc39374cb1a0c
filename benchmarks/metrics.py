"""Scores of predictions: of one fold, and of all folds together."""

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, f1_score, log_loss, recall_score

from sknote.metrics import (
    class_report,
    expected_calibration_error,
    hierarchical_f1_score,
    instrument_report,
    level_scores,
)


def score(y_true, proba, classes, hierarchy, groups):
    """Score the probabilities of some notes.

    Parameters
    ----------
    y_true, groups : ndarray of shape (n_notes,)
    proba : ndarray of shape (n_notes, n_classes)
    classes : ndarray of str of shape (n_classes,)
        All classes of the task, also those that are not in `y_true`.
    hierarchy : LabelHierarchy

    Returns
    -------
    dict of str to float
        ``accuracy``; ``top_2_accuracy`` (the truth is one of the two most probable classes);
        ``repeated_errors`` (see there); ``balanced_accuracy`` (mean recall of the classes in
        `y_true`); ``macro_f1`` (mean F1 over `classes`, less those that are neither in `y_true` nor
        predicted, whose F1 is 0 / 0); ``hierarchical_f1``; ``log_loss`` (nats; a probability of 0
        counts as 1.2e-7); ``calibration_error`` (of the most probable class, 15 bins);
        ``<level>_accuracy`` of each level alone; ``<level>_one_step`` (see `one_step_share`).
    """
    y_pred = classes[proba.argmax(axis=1)]
    likely = classes[np.argsort(-proba, axis=1, kind="stable")[:, :2]]
    present, macro = np.unique(y_true), {"average": "macro", "zero_division": 0}
    scores = {
        "accuracy": accuracy_score(y_true, y_pred),
        "top_2_accuracy": (likely == y_true[:, None]).any(axis=1).mean(),
        "repeated_errors": repeated_errors(y_true, y_pred, groups),
        "balanced_accuracy": recall_score(y_true, y_pred, labels=present, **macro),
        "macro_f1": f1_score(y_true, y_pred, labels=classes, average="macro", zero_division=np.nan),
        "hierarchical_f1": hierarchical_f1_score(y_true, y_pred, hierarchy=hierarchy),
        "log_loss": log_loss(y_true, proba, labels=classes),
        "calibration_error": expected_calibration_error(y_true, proba, classes),
    }
    levels = level_scores(y_true, y_pred, hierarchy=hierarchy)
    near = one_step_share(y_true, y_pred, hierarchy)
    scores |= {f"{level}_accuracy": value for level, value in levels["accuracy"].items()}
    scores |= {f"{level}_one_step": share for level, share in near.items()}
    return {name: float(value) for name, value in scores.items()}


def one_step_share(y_true, y_pred, hierarchy):
    """Tell how many of the wrong answers are near misses in an ordered level.

    Returns ordered level → share of the wrong answers that agree with the truth in every other
    level and are the next value up or down in this one; 0 if no answer is wrong.
    """
    levels = hierarchy.level_names
    true, pred = (
        {level: hierarchy.roll_up(y, level, alone=True) for level in levels}
        for y in (y_true, y_pred)
    )
    n_different = sum((true[level] != pred[level]).astype(int) for level in levels)
    n_wrong = max(int((y_true != y_pred).sum()), 1)
    shares = {}
    for level, order in (hierarchy.orders or {}).items():
        # values without a place in the order are far from everything
        rank = {value: i for i, value in enumerate(order)}
        step = [
            abs(rank[t] - rank[p]) == 1 if t in rank and p in rank else False
            for t, p in zip(true[level], pred[level])
        ]
        shares[level] = float(((n_different == 1) & np.array(step, dtype=bool)).sum() / n_wrong)
    return shares


def repeated_errors(y_true, y_pred, groups):
    """Tell how often a note is labelled wrong if another one of its group and label is.

    Among all ordered pairs of notes with the same group and label of which the first is wrong, that
    is the share of which the second is wrong, too; NaN if there is none. Were errors accidents of
    single recordings, it would be the share of wrong notes.
    """
    cell, _ = pd.MultiIndex.from_arrays([groups, y_true]).factorize()
    n, n_wrong = np.bincount(cell), np.bincount(cell, weights=y_true != y_pred)
    n_pairs = (n_wrong * (n - 1)).sum()
    return (n_wrong * (n_wrong - 1)).sum() / n_pairs if n_pairs else np.nan


def tables(y_true, y_pred, instrument, hierarchy):
    """Tabulate the answers of all folds, one for each note.

    Returns ``classes``, ``instruments`` and ``levels``, each row → column → value.
    """
    reports = {
        "classes": class_report(y_true, y_pred, hierarchy=hierarchy),
        "instruments": instrument_report(y_true, y_pred, instrument, hierarchy=hierarchy),
        "levels": level_scores(y_true, y_pred, hierarchy=hierarchy),
    }
    return {name: report.to_dict(orient="index") for name, report in reports.items()}
