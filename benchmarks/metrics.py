"""Scores of predictions: of one fold, and of all folds together."""

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, f1_score, log_loss, recall_score

from sknote import metrics


def score(y_true, proba, classes, hierarchy, groups):
    """Score the probabilities of some notes, as ``benchmarks/README.md`` describes.

    `classes` are all of the task, also those that are not in `y_true`.
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
        "hierarchical_f1": metrics.hierarchical_f1_score(y_true, y_pred, hierarchy=hierarchy),
        "log_loss": log_loss(y_true, proba, labels=classes),
        "calibration_error": metrics.expected_calibration_error(y_true, proba, classes),
    }
    levels = metrics.level_scores(y_true, y_pred, hierarchy=hierarchy)
    near = one_step_share(y_true, y_pred, hierarchy)
    scores |= {f"{level}_accuracy": value for level, value in levels["accuracy"].items()}
    scores |= {f"{level}_one_step": share for level, share in near.items()}
    return {name: float(value) for name, value in scores.items()}


def one_step_share(y_true, y_pred, hierarchy):
    """Return ordered level → share of the wrong answers that miss by one step in it alone."""
    levels = hierarchy.level_names
    true, pred = (
        pd.DataFrame({level: hierarchy.roll_up(y, level, alone=True) for level in levels})
        for y in (y_true, y_pred)
    )
    differs_once = (true != pred).sum(axis=1) == 1
    n_wrong = max((y_true != y_pred).sum(), 1)
    shares = {}
    for level, order in (hierarchy.orders or {}).items():
        # values without a place in the order are far from everything
        rank = {value: i for i, value in enumerate(order)}
        is_next = (true[level].map(rank) - pred[level].map(rank)).abs() == 1
        shares[level] = float((differs_once & is_next).sum() / n_wrong)
    return shares


def repeated_errors(y_true, y_pred, groups):
    """Tell how often a note is wrong if another of its group and label is; NaN without pairs."""
    cell, _ = pd.MultiIndex.from_arrays([groups, y_true]).factorize()
    n, n_wrong = np.bincount(cell), np.bincount(cell, weights=y_true != y_pred)
    n_pairs = (n_wrong * (n - 1)).sum()
    return (n_wrong * (n_wrong - 1)).sum() / n_pairs if n_pairs else np.nan


def tables(y_true, y_pred, instrument, hierarchy):
    """Tabulate the answers of all folds: ``classes``, ``instruments``, ``levels``, each by row."""
    reports = {
        "classes": metrics.class_report(y_true, y_pred, hierarchy=hierarchy),
        "instruments": metrics.instrument_report(y_true, y_pred, instrument, hierarchy=hierarchy),
        "levels": metrics.level_scores(y_true, y_pred, hierarchy=hierarchy),
    }
    return {name: report.to_dict(orient="index") for name, report in reports.items()}
