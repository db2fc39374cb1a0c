"""Scores of models in the same folds, and how far their differences may be luck."""

import reprlib
import warnings
from collections.abc import Mapping

import numpy as np


def scores_of_folds(models, names, n_train, n_test, score):
    """Return scores, shape (n_models, n_folds), and notes tested on for one trained on."""
    values, folds = [], {}
    for name in names:
        own = models[name]
        if isinstance(own, Mapping):
            if score not in own:
                raise ValueError(
                    f"compare_models: expected {score!r} among the scores of {name!r}, got "
                    f"{list(own)}. Pass another `score`."
                )
            if "indices" in own:
                folds[name] = own["indices"]["train"], own["indices"]["test"]
            own = own[score]
        own = _numbers(own, f"scores of {name!r} in folds, or y_true for predictions")
        if own.ndim != 1 or len(own) < 2 or not np.isfinite(own).all():
            raise ValueError(
                "compare_models: expected a finite score in each of at least 2 folds, got "
                f"{own.tolist()!r} of {name!r}."
            )
        values.append(own)
    if len({len(own) for own in values}) > 1:
        lengths = ", ".join(f"{len(own)} of {name!r}" for name, own in zip(names, values))
        raise ValueError(f"compare_models: expected scores in the same folds, got {lengths}.")
    _check_same_folds(folds)
    if n_train is None and n_test is None and folds:
        n_train, n_test = (list(map(len, part)) for part in next(iter(folds.values())))
    return np.array(values), _ratio(n_train, n_test, len(values[0]))


def _check_same_folds(folds):
    """Refuse folds, by model, that are not all trained and tested on the same notes."""
    sets = {
        name: [[set(np.asarray(rows).tolist()) for rows in part] for part in parts]
        for name, parts in folds.items()
    }
    first = next(iter(sets), None)
    for name, own in sets.items():
        if own != sets[first]:
            raise ValueError(
                f"compare_models: expected scores in the same folds, but those of {name!r} are of "
                f"other notes than those of {first!r}. Pass the same splitter, with the same "
                "random_state, to every cross_validate."
            )


def _numbers(values, what):
    try:
        return np.asarray(values, dtype=float)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(
            f"compare_models: expected numbers as {what}, got {reprlib.repr(values)}."
        ) from error


def _ratio(n_train, n_test, n_folds):
    if n_train is None or n_test is None:
        raise ValueError(
            "compare_models: expected the numbers of notes that folds are trained and tested on. "
            "Pass n_train and n_test, or what cross_validate(..., return_indices=True) returned."
        )
    train, test = _numbers(n_train, "n_train"), _numbers(n_test, "n_test")
    shapes = {(), (n_folds,)}
    is_right = all(((part > 0) & (part < np.inf)).all() for part in (train, test))
    if {train.shape, test.shape} - shapes or not is_right:
        raise ValueError(
            f"compare_models: expected positive numbers, one or {n_folds} of each, got "
            f"n_train={n_train!r} and n_test={n_test!r}."
        )
    return float(np.mean(test / train))


def corrected_t(changes, ratio, confidence_level):
    """Return mean difference, its interval, and p."""
    from scipy import stats

    n, mean = len(changes), changes.mean()
    error = changes.std(ddof=1) * np.sqrt(1 / n + ratio)
    if not changes.any():
        return 0.0, 0.0, 0.0, 1.0
    # differences that are all the same but for rounding have no spread
    if error <= 1e-12 * max(abs(mean), 1e-300):
        return mean, np.nan, np.nan, np.nan
    half = error * stats.t.ppf((1 + confidence_level) / 2, n - 1)
    return mean, mean - half, mean + half, 2 * stats.t.sf(abs(mean) / error, n - 1)


def warn_of_little(rows, names, n_folds):
    """Warn where scores in folds say little of luck, or nothing."""
    if same := [name for name, row in zip(names[1:], rows) if np.isnan(row[1])]:
        warnings.warn(
            f"compare_models: {', '.join(map(repr, same))} differ from {names[0]!r} by the same "
            f"in all {n_folds} folds, as happens where a test part has few notes. That says "
            "nothing of luck: interval and p_value are NaN. Repeat the folds with other seeds, or "
            "pass predictions and y_true.",
            UserWarning,
            stacklevel=3,
        )
    elif n_folds == 2:
        warnings.warn(
            "compare_models: two folds tell next to nothing of luck (one degree of freedom). Use "
            "at least five, repeat them with other seeds, or pass predictions and y_true.",
            UserWarning,
            stacklevel=3,
        )
