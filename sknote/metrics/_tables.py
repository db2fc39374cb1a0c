"""Tables of scores: a row for each instrument, class, or level of the labels."""

import numpy as np
from sklearn.metrics import accuracy_score, f1_score, precision_recall_fscore_support, recall_score

from sknote.labels._checks import as_label_array
from sknote.metrics._checks import check_columns, check_hierarchy
from sknote.metrics._hierarchical import hierarchical_f1_score

__all__ = ["class_report", "instrument_report", "level_scores"]


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

    Raises
    ------
    ValueError
        If a label is missing, or there is none, or not as many of each.

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

    caller = "instrument_report"
    instrument = as_label_array(instrument, f"{caller}: instrument", allow_missing=True)
    y_true, y_pred, instrument = check_columns(
        caller, y_true=y_true, y_pred=y_pred, instrument=instrument
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

    Raises
    ------
    ValueError
        If a label is missing, or there is none, or not as many of each.

    Examples
    --------
    >>> from sknote.metrics import class_report
    >>> report = class_report(["air", "air", "good"], ["air", "good", "good"])
    >>> report.loc["air", "recall"].item(), report.loc["air", "mistaken_for"]
    (0.5, 'good')
    """
    import pandas as pd

    y_true, y_pred = check_columns("class_report", y_true=y_true, y_pred=y_pred)
    classes = np.unique(np.concatenate([y_true, y_pred]))
    if hierarchy is not None:
        check_hierarchy(hierarchy, "class_report")
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

    Raises
    ------
    ValueError
        If a label is missing, or there is none, or not as many of each.

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

    check_hierarchy(hierarchy, "level_scores")
    y_true, y_pred = check_columns("level_scores", y_true=y_true, y_pred=y_pred)
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
