"""Scores and tables for labels with levels, for probabilities, and for each instrument and class.

What scikit-learn already has (accuracy, log loss, a confusion matrix) is not repeated here. Labels
are compared as text, without blanks around them; numbers that are equal are the same label.
"""

import numpy as np
from sklearn.metrics import accuracy_score, f1_score, precision_recall_fscore_support, recall_score

from sknote.labels import LabelHierarchy
from sknote.labels._checks import as_label_array, check_proba

__all__ = [
    "class_report",
    "expected_calibration_error",
    "hierarchical_f1_score",
    "hierarchical_precision_recall_fscore",
    "instrument_report",
    "level_scores",
]


def hierarchical_precision_recall_fscore(
    y_true, y_pred, *, hierarchy, beta=1.0, sample_weight=None
):
    r"""Compute hierarchical precision, recall and F-score.

    Each label stands for itself and all nodes above it (the root left out), so that
    ``bad-attack-air`` for ``bad-attack-gallo`` is partly right. With :math:`P_i` the nodes of the
    predicted and :math:`T_i` those of the true label of note :math:`i` [1]_ [2]_,

    .. math:: hP = \frac{\sum_i |P_i \cap T_i|}{\sum_i |P_i|}, \quad
              hR = \frac{\sum_i |P_i \cap T_i|}{\sum_i |T_i|}, \quad
              hF = \frac{(1 + \beta^2)\, hP\, hR}{\beta^2\, hP + hR}.

    Parameters
    ----------
    y_true, y_pred : array-like of str of shape (n_samples,)
        True and predicted labels.
    hierarchy : LabelHierarchy
        Tells the nodes of a label (`LabelHierarchy.ancestors`); it need not be fitted.
    beta : float, default=1.0
        Weight of recall against precision.
    sample_weight : array-like of float of shape (n_samples,), default=None
        Weight of each note; None is 1.

    Returns
    -------
    precision, recall, fscore : float
        Between 0 and 1.

    References
    ----------
    .. [1] S. Kiritchenko et al., "Learning and evaluation in the presence of class hierarchies:
       application to text categorization", Canadian AI, 2006.
    .. [2] C. N. Silla and A. A. Freitas, "A survey of hierarchical classification across different
       application domains", Data Mining and Knowledge Discovery 22, 2011.

    Examples
    --------
    Of the three nodes of the second note, two are right:

    >>> from sknote import LabelHierarchy
    >>> from sknote.metrics import hierarchical_precision_recall_fscore
    >>> y_true = ["good", "bad-attack-air"]
    >>> y_pred = ["good", "bad-attack-gallo"]
    >>> hierarchical_precision_recall_fscore(y_true, y_pred, hierarchy=LabelHierarchy())
    (0.75, 0.75, 0.75)
    """
    caller = "hierarchical_precision_recall_fscore"
    _check_hierarchy(hierarchy, caller)
    y_true, y_pred = _check_columns(caller, y_true=y_true, y_pred=y_pred)
    weight = _check_weight(sample_weight, len(y_true), caller)
    classes, codes = np.unique(np.concatenate([y_true, y_pred]), return_inverse=True)
    true, pred = codes[: len(y_true)], codes[len(y_true) :]
    nodes = hierarchy.ancestor_matrix(classes)[0].astype(float)
    n_shared = nodes @ nodes.T
    n_own = nodes.sum(axis=1)
    shared = weight @ n_shared[true, pred]
    precision, recall = shared / (weight @ n_own[pred]), shared / (weight @ n_own[true])
    total = beta**2 * precision + recall
    fscore = (1 + beta**2) * precision * recall / total if total > 0 else 0.0
    return float(precision), float(recall), float(fscore)


def hierarchical_f1_score(y_true, y_pred, *, hierarchy, sample_weight=None):
    """Compute the hierarchical F1 score, one number for a scorer.

    Parameters
    ----------
    y_true, y_pred, hierarchy, sample_weight : array-like, LabelHierarchy
        As in `hierarchical_precision_recall_fscore`.

    Returns
    -------
    float
        Between 0 and 1.

    Examples
    --------
    >>> from sklearn.metrics import make_scorer
    >>> from sknote import LabelHierarchy
    >>> from sknote.metrics import hierarchical_f1_score
    >>> scorer = make_scorer(hierarchical_f1_score, hierarchy=LabelHierarchy.good_sounds())
    >>> hierarchical_f1_score(["bad-air"], ["bad-attack"], hierarchy=LabelHierarchy())
    0.5
    """
    return hierarchical_precision_recall_fscore(
        y_true, y_pred, hierarchy=hierarchy, sample_weight=sample_weight
    )[2]


def expected_calibration_error(y_true, proba, classes, *, n_bins=15, sample_weight=None):
    """Compute by how much the confidence of the answers differs from their accuracy.

    The notes are binned by the probability of the most probable class, in bins of equal width; the
    error is the mean over the bins, weighted by their size, of the absolute difference of mean
    confidence and accuracy [1]_.

    Parameters
    ----------
    y_true : array-like of str of shape (n_samples,)
        True labels; one that is not among `classes` counts as answered wrongly.
    proba : array-like of shape (n_samples, n_classes)
        Probabilities; every row sums to 1.
    classes : array-like of str of shape (n_classes,)
        The labels of the columns, e.g. ``classifier.classes_``.
    n_bins : int, default=15
        Number of bins between 0 and 1.
    sample_weight : array-like of float of shape (n_samples,), default=None
        Weight of each note; None is 1.

    Returns
    -------
    float
        Between 0 (calibrated) and 1.

    References
    ----------
    .. [1] C. Guo et al., "On calibration of modern neural networks", ICML, 2017.

    Examples
    --------
    Always .8 sure and right every second time:

    >>> from sknote.metrics import expected_calibration_error
    >>> proba = [[0.8, 0.2], [0.8, 0.2]]
    >>> round(expected_calibration_error(["bad", "good"], proba, ["bad", "good"]), 3)
    0.3
    """
    caller = "expected_calibration_error"
    (y_true,) = _check_columns(caller, y_true=y_true)
    proba, classes = check_proba(proba, classes)
    proba = proba.astype(float)
    if len(proba) != len(y_true):
        raise ValueError(
            f"{caller}: y_true has {len(y_true)} values and proba {len(proba)} rows; "
            "expected as many of each."
        )
    if not np.allclose(proba.sum(axis=1), 1, atol=1e-3):
        raise ValueError(f"{caller}: expected rows of `proba` that sum to 1.")
    if n_bins < 1:
        raise ValueError(f"{caller}: `n_bins` must be at least 1. Got {n_bins!r} instead.")
    weight = _check_weight(sample_weight, len(y_true), caller)
    confidence = proba.max(axis=1)
    correct = classes[proba.argmax(axis=1)] == y_true
    # A bin takes its upper edge, as in the paper.
    bins = np.searchsorted(np.linspace(0, 1, n_bins + 1)[1:-1], confidence, side="left")
    gap = np.bincount(bins, weights=weight * (confidence - correct))
    return float(np.abs(gap).sum() / weight.sum())


def instrument_report(y_true, y_pred, instrument, *, hierarchy=None):
    """Tabulate how well each instrument is classified.

    Parameters
    ----------
    y_true, y_pred : array-like of str of shape (n_samples,)
        True and predicted labels.
    instrument : array-like of str of shape (n_samples,)
        The instrument of each note; a missing one is reported as ``"unknown"``.
    hierarchy : LabelHierarchy, default=None
        If given, there is also a column ``hierarchical_f1``.

    Returns
    -------
    DataFrame
        One row per instrument, with the columns ``n`` (notes), ``n_classes`` (different true
        labels), ``accuracy``, ``balanced_accuracy`` (mean recall of the labels that the instrument
        has) and ``macro_f1`` (mean F1 of the labels that it has or was given).

    Examples
    --------
    >>> from sknote.metrics import instrument_report
    >>> y_true = ["good", "good", "bad", "bad"]
    >>> y_pred = ["good", "good", "bad", "good"]
    >>> report = instrument_report(y_true, y_pred, ["flute", "cello", "cello", "flute"])
    >>> report.loc["flute", ["n", "accuracy"]].tolist()
    [2.0, 0.5]
    """
    import pandas as pd

    y_true, y_pred, instrument = _check_columns(
        "instrument_report", y_true=y_true, y_pred=y_pred, instrument=instrument
    )
    instrument = np.where(instrument == "", "unknown", instrument)
    rows = {}
    for name in np.unique(instrument):
        true, pred = y_true[instrument == name], y_pred[instrument == name]
        present = np.unique(true)
        # balanced_accuracy_score warns when an answer is none of the labels present.
        recall = recall_score(true, pred, labels=present, average="macro", zero_division=0)
        rows[str(name)] = {
            "n": len(true),
            "n_classes": len(present),
            "accuracy": accuracy_score(true, pred),
            "balanced_accuracy": recall,
            "macro_f1": f1_score(true, pred, average="macro", zero_division=0),
        }
        if hierarchy is not None:
            score = hierarchical_f1_score(true, pred, hierarchy=hierarchy)
            rows[str(name)]["hierarchical_f1"] = score
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("instrument")


def class_report(y_true, y_pred, *, hierarchy=None):
    """Tabulate how well each class is recognized, and what it is mistaken for.

    Parameters
    ----------
    y_true, y_pred : array-like of str of shape (n_samples,)
        True and predicted labels.
    hierarchy : LabelHierarchy, default=None
        If given, the rows stand in its natural order instead of the alphabet's.

    Returns
    -------
    DataFrame
        One row per class, true or predicted, with the columns ``precision``, ``recall``, ``f1`` (0
        where undefined), ``support`` (true notes), ``n_predicted``, ``mistaken_for`` (the most
        frequent wrong answer, ``""`` if there is none) and ``n_mistaken`` (how often that was).

    Examples
    --------
    >>> from sknote.metrics import class_report
    >>> report = class_report(["air", "air", "good"], ["air", "good", "good"])
    >>> report.loc["air", "recall"].item(), report.loc["air", "mistaken_for"]
    (0.5, 'good')
    """
    import pandas as pd

    y_true, y_pred = _check_columns("class_report", y_true=y_true, y_pred=y_pred)
    classes = np.unique(np.concatenate([y_true, y_pred]))
    if hierarchy is not None:
        _check_hierarchy(hierarchy, "class_report")
        classes = hierarchy.sort(classes)
    precision, recall, f1, support = precision_recall_fscore_support(
        y_true, y_pred, labels=classes, zero_division=0
    )
    mistakes = [
        np.unique(y_pred[(y_true == c) & (y_pred != c)], return_counts=True) for c in classes
    ]
    report = {
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "support": support,
        "n_predicted": [int((y_pred == c).sum()) for c in classes],
        "mistaken_for": [str(names[n.argmax()]) if len(n) else "" for names, n in mistakes],
        "n_mistaken": [int(n.max()) if len(n) else 0 for _, n in mistakes],
    }
    return pd.DataFrame(report, index=pd.Index(classes.tolist(), name="class"))


def level_scores(y_true, y_pred, *, hierarchy):
    """Score each level of the labels by itself.

    Parameters
    ----------
    y_true, y_pred : array-like of str of shape (n_samples,)
        True and predicted labels.
    hierarchy : LabelHierarchy
        Tells the levels; it need not be fitted.

    Returns
    -------
    DataFrame
        One row per level, with the columns ``n_values`` (different true values), ``accuracy`` and
        ``macro_f1`` (the level alone), ``path_accuracy`` (the level and all before it; in the last
        row, that is the whole label) and ``one_step_away``: of the notes whose true value is in
        `LabelHierarchy.orders`, the share whose answer is the next one up or down. It is NaN where
        a level has no order, or none of its notes has a place in it.

    Examples
    --------
    >>> from sknote import LabelHierarchy
    >>> from sknote.metrics import level_scores
    >>> y_true = ["legato/piano", "legato/forte", "staccato/forte", "legato/forte"]
    >>> y_pred = ["legato/piano", "legato/piano", "legato/fortissimo", "legato/forte"]
    >>> scores = level_scores(y_true, y_pred, hierarchy=LabelHierarchy.philharmonia())
    >>> scores[["accuracy", "path_accuracy", "one_step_away"]].loc["dynamic"].tolist()
    [0.5, 0.5, 0.25]
    >>> scores.loc["articulation", "accuracy"].item()
    0.75
    """
    import pandas as pd

    _check_hierarchy(hierarchy, "level_scores")
    y_true, y_pred = _check_columns("level_scores", y_true=y_true, y_pred=y_pred)
    rows = {}
    for level in hierarchy.level_names:
        true, pred = (hierarchy.roll_up(y, level, alone=True) for y in (y_true, y_pred))
        true_path, pred_path = (hierarchy.roll_up(y, level, alone=False) for y in (y_true, y_pred))
        rank = {value: i for i, value in enumerate((hierarchy.orders or {}).get(level, ()))}
        steps = [abs(rank[t] - rank.get(p, np.inf)) for t, p in zip(true, pred) if t in rank]
        rows[level] = {
            "n_values": len(np.unique(true)),
            "accuracy": accuracy_score(true, pred),
            "macro_f1": f1_score(true, pred, average="macro", zero_division=0),
            "path_accuracy": accuracy_score(true_path, pred_path),
            "one_step_away": np.mean(np.equal(steps, 1)) if steps else np.nan,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("level")


def _check_columns(caller, **columns):
    """Return columns of labels as arrays of one length, at least 1."""
    columns = {
        name: as_label_array(column, f"{caller}: {name}") for name, column in columns.items()
    }
    if len({len(column) for column in columns.values()}) > 1:
        lengths = ", ".join(f"{name} has {len(column)}" for name, column in columns.items())
        raise ValueError(f"{caller}: expected as many values in each of its inputs, but {lengths}.")
    if min(map(len, columns.values())) == 0:
        raise ValueError(f"{caller}: expected at least 1 label, got none.")
    return columns.values()


def _check_hierarchy(hierarchy, caller):
    if not isinstance(hierarchy, LabelHierarchy):
        raise TypeError(
            f"{caller}: `hierarchy` must be a LabelHierarchy. Got {hierarchy!r} instead."
        )


def _check_weight(sample_weight, n_samples, caller):
    if sample_weight is None:
        return np.ones(n_samples)
    weight = np.asarray(sample_weight, dtype=float)
    if weight.shape != (n_samples,) or not (weight >= 0).all() or not 0 < weight.sum() < np.inf:
        raise ValueError(
            f"{caller}: `sample_weight` must be {n_samples} finite numbers, none negative and not "
            f"all 0. Got {sample_weight!r} instead."
        )
    return weight
