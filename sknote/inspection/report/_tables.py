"""The tables of a report: how good the answers are, sorted by this and that."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sknote.inspection.report._families import family_of
from sknote.labels._levels import UNSPECIFIED
from sknote.metrics import class_report, hierarchical_f1_score, instrument_report, level_scores

_BANDS = (0.25, 0.5, 1.0, 2.0, 4.0)  # seconds, between which notes are counted together


@dataclass(frozen=True)
class Table:
    """A DataFrame with what stands above it; columns in `shares` are from 0 to 1."""

    title: str
    text: str
    frame: object
    shares: tuple = ()


def make_tables(y_true, y_pred, hierarchy, instrument, seconds):
    """Return the tables of a report; those that need what is not known are left out."""
    tables = []
    if hierarchy is not None:
        tables.append(_by_level(y_true, y_pred, hierarchy))
    tables.append(_by_class(y_true, y_pred, hierarchy))
    if instrument is not None:
        family = np.array([family_of(name) for name in instrument], dtype=object)
        tables.append(_by_value("By instrument", y_true, y_pred, instrument, "instrument"))
        tables.append(_by_value("By family of instruments", y_true, y_pred, family, "family"))
        tables.append(_by_instrument_and_class(y_true, y_pred, instrument))
    if seconds is not None:
        tables.append(_by_duration(y_true, y_pred, seconds))
    return tables


def headline(y_true, proba, classes, hierarchy, groups):
    """Return the few numbers that stand first: name → text."""
    from sklearn.metrics import f1_score

    from sknote.metrics import expected_calibration_error

    y_pred = classes[proba.argmax(axis=1)]
    found = {"accuracy": f"{np.mean(y_pred == y_true):.3f}"}
    low, high = _interval(y_pred == y_true, groups)
    if low < high:
        units = "notes" if groups is None else "groups"
        found[f"its 95 % interval over {units}"] = f"{low:.3f} to {high:.3f}"
    score = f1_score(y_true, y_pred, average="macro", zero_division=0)
    found["macro-F1"] = f"{score:.3f}"
    if hierarchy is not None:
        score = hierarchical_f1_score(y_true, y_pred, hierarchy=hierarchy)
        found["hierarchical F1"] = f"{score:.3f}"
    found["calibration error"] = f"{expected_calibration_error(y_true, proba, classes):.3f}"
    found["notes"] = f"{len(y_true):,}"
    found["labels"] = f"{len(np.unique(y_true)):,}"
    if groups is not None:
        found["groups"] = f"{len(np.unique(groups)):,}"
    return found


def _interval(right, groups, n_draws=2000):
    """Return the 95 % interval of the accuracy.

    Of single notes it is exact, of groups by drawing whole ones with replacement, which tells
    nothing where all of them are alike, such as a single one.
    """
    if groups is None:
        from scipy.stats import binomtest

        return binomtest(int(right.sum()), len(right)).proportion_ci(0.95)
    units = np.unique(groups, return_inverse=True)[1]
    hits, sizes = np.bincount(units, right), np.bincount(units)
    rng = np.random.default_rng(0)
    drawn = rng.integers(len(sizes), size=(n_draws, len(sizes))) if len(sizes) < 2000 else None
    if drawn is None:  # of so many the normal distribution says the same
        mean = hits.sum() / sizes.sum()
        spread = 1.96 * np.sqrt(((hits - mean * sizes) ** 2).sum()) / sizes.sum()
        return max(0.0, mean - spread), min(1.0, mean + spread)
    means = hits[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    return tuple(np.quantile(means, [0.025, 0.975]))


def _by_level(y_true, y_pred, hierarchy):
    frame = level_scores(y_true, y_pred, hierarchy=hierarchy)
    labels = np.unique(np.concatenate([y_true, y_pred]))
    frame = frame[[_is_stated(labels, level, hierarchy) for level in frame.index]]
    if frame["one_step_away"].isna().all():
        frame = frame.drop(columns="one_step_away")
    text = "Each level of the labels alone, and with all levels above it (path accuracy)."
    shares = tuple(name for name in frame if name != "n_values")
    return Table("By level", text, frame, shares)


def _is_stated(labels, level, hierarchy):
    return (hierarchy.roll_up(labels, level, alone=True) != UNSPECIFIED).any()


def _by_class(y_true, y_pred, hierarchy):
    frame = class_report(y_true, y_pred, hierarchy=hierarchy).rename(columns={"support": "n"})
    text = "Of n notes with a label, recall is the share that was found, and precision the share "
    text += "that is right of the notes that were given it."
    return Table("By label", text, frame, ("precision", "recall", "f1"))


def _by_value(title, y_true, y_pred, values, name):
    frame = instrument_report(y_true, y_pred, values).rename_axis(name)
    return Table(title, "", frame, ("accuracy", "balanced_accuracy", "macro_f1"))


def _by_instrument_and_class(y_true, y_pred, instrument):
    import pandas as pd

    notes = pd.DataFrame({"instrument": instrument, "label": y_true, "right": y_true == y_pred})
    wrong = np.where(y_true == y_pred, None, y_pred)
    grouped = notes.assign(wrong=wrong).groupby(["instrument", "label"], sort=True)
    frame = grouped["right"].agg(n="size", accuracy="mean")
    frame["mistaken_for"] = [_most_frequent(own["wrong"]) for _, own in grouped]
    text = "What each instrument's labels were taken for when the answer was wrong."
    return Table("By instrument and label", text, frame.reset_index(level=1), ("accuracy",))


def _most_frequent(values):
    values = values.dropna()
    return "" if values.empty else str(values.value_counts().sort_index().idxmax())


def _by_duration(y_true, y_pred, seconds):
    edges = [0.0, *_BANDS, np.inf]
    names = [f"under {_BANDS[0]:g} s"]
    names += [f"{low:g} to {high:g} s" for low, high in pairwise(_BANDS)]
    names += [f"{_BANDS[-1]:g} s and longer"]
    place = np.digitize(seconds, edges[1:-1])
    values = np.array(names, dtype=object)[place]
    table = _by_value("By duration", y_true, y_pred, values, "duration")
    order = [name for name in names if name in table.frame.index]
    return Table(table.title, "", table.frame.loc[order], table.shares)
