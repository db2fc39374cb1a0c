"""Which differences of models are more than luck."""

from collections.abc import Mapping
from numbers import Integral, Real

import numpy as np

from sknote._input.checks import check_groups
from sknote._interval import Interval, check_number, check_seed
from sknote.metrics._checks import as_floats, check_columns, check_metric
from sknote.metrics._folds import corrected_t, scores_of_folds, warn_of_little

__all__ = ["compare_models"]

_RESAMPLES = Interval(Integral, 1, 1_000_000, closed="both")


def compare_models(
    models,
    *,
    n_train=None,
    n_test=None,
    y_true=None,
    groups=None,
    metric=None,
    baseline=None,
    score="test_score",
    confidence_level=0.95,
    n_resamples=2000,
    random_state=0,
):
    r"""Compare models with one of them, by paired differences with an interval.

    Of scores in the same folds, the interval is Student's with the correction of Nadeau and
    Bengio [1]_: training parts overlap, so that folds vary together, and the usual interval is too
    narrow. With differences :math:`d_1, \dots, d_k` of standard deviation :math:`s` it is

    .. math:: \bar d \pm t_{k-1}\, s
              \sqrt{\frac{1}{k} + \frac{n_\mathrm{test}}{n_\mathrm{train}}}.

    Of two folds, :math:`s` is known so badly that the interval tells next to nothing, which is
    warned of: at .95 it is eight times as wide as that of five folds.

    Of predictions for the same notes (`y_true`), it is a percentile interval over draws of whole
    groups with replacement, as the recordings of a group err together. It says what other groups
    would do to these predictions; that another training part makes another model, it does not know.

    Parameters
    ----------
    models : dict of str to array-like or dict
        For each model, in the same order: its score in each fold; or what
        :func:`~sklearn.model_selection.cross_validate` returned; or, with `y_true`, its predictions
        (labels, or whatever `metric` takes).
    n_train, n_test : int or array-like of int, default=None
        Notes that a fold is trained on and tested on, one number or one for each fold. Not needed
        after ``cross_validate(..., return_indices=True)``, and not allowed with `y_true`.
    y_true : array-like of shape (n_notes,), default=None
        True labels, if `models` has predictions.
    groups : array-like of shape (n_notes,), default=None
        What is drawn together, for `y_true`. None takes each note for a group of its own.
    metric : callable, default=None
        A function of true labels and predictions, for `y_true`, that returns a finite number
        for any of the groups. None is accuracy, which is much faster. What it needs besides is
        given to it before: ``functools.partial(hierarchical_f1_score, hierarchy=hierarchy)``.
    baseline : str, default=None
        The model that the others are compared with. None is the first.
    score : str, default="test_score"
        Which of the scores of `cross_validate` are compared.
    confidence_level : float, default=0.95
        Of the intervals.
    n_resamples : int, default=2000
        Number of draws of groups, up to 1,000,000.
    random_state : int, RandomState or None, default=0
        Of these draws.

    Returns
    -------
    DataFrame
        One row for each model but the baseline, with the columns ``baseline``, ``difference`` (mean
        score less that of the baseline), ``low`` and ``high`` (its interval), ``p_value``
        (two-sided, of no difference) and ``within_luck`` (whether the interval has 0 in it). Where
        the differences are the same in all folds, they say nothing of luck: interval and p are NaN,
        and ``within_luck`` is True. If they are all 0, the interval is 0 and p is 1.

    Raises
    ------
    ValueError
        If models have no scores in the same folds, or no predictions for the same notes; if a label
        or a group is missing; if `metric` returns what is no finite number; or if another parameter
        is out of its range, or of no use: `n_train` and `n_test` with `y_true`, `groups` and
        `metric` without it.
    TypeError
        If `metric` takes something else than true labels and predictions.

    Warns
    -----
    UserWarning
        If there are two folds only, or if differences are the same in all folds.

    Notes
    -----
    Neither knows how many models were tried: of twenty that are equally good, one differs by luck.

    References
    ----------
    .. [1] C. Nadeau and Y. Bengio, "Inference for the generalization error", Machine Learning 52,
       2003.

    Examples
    --------
    >>> from sknote.metrics import compare_models
    >>> scores = {"old": [0.80, 0.82, 0.78, 0.81], "new": [0.83, 0.84, 0.82, 0.83]}
    >>> table = compare_models(scores, n_train=300, n_test=100)
    >>> table.round(3).loc["new", ["difference", "low", "high"]].tolist()
    [0.027, 0.004, 0.051]
    >>> table.loc["new", "within_luck"].item()
    False
    """
    names = _check_models(models, baseline, confidence_level)
    n_resamples = check_number(n_resamples, _RESAMPLES, "n_resamples", "compare_models")
    check_seed(random_state, "compare_models")
    if y_true is None:
        _refuse("without", groups=groups, metric=metric)
        values, ratio = scores_of_folds(models, names, n_train, n_test, score)
        rows = [corrected_t(own - values[0], ratio, confidence_level) for own in values[1:]]
        warn_of_little(rows, names, values.shape[1])
    else:
        _refuse("with", n_train=n_train, n_test=n_test)
        draws = _drawn_scores(models, names, y_true, groups, metric, n_resamples, random_state)
        rows = [_percentiles(own - draws[0], confidence_level) for own in draws[1:]]
    return _as_table(rows, names)


def _as_table(rows, names):
    import pandas as pd

    columns = ["difference", "low", "high", "p_value"]
    table = pd.DataFrame(rows, columns=columns, index=pd.Index(names[1:], name="model"))
    table.insert(0, "baseline", names[0])
    table["within_luck"] = ~((table["low"] > 0) | (table["high"] < 0))
    return table


def _refuse(how, **given):
    """Refuse what is of no use with `y_true`, or without it."""
    if told := [name for name, value in given.items() if value is not None]:
        kind = "scores in folds" if how == "with" else "predictions"
        raise ValueError(
            f"compare_models: expected no {' and no '.join(told)} {how} y_true, got "
            f"{' and '.join(told)}, of use to {kind} alone. Leave that out, or "
            f"{'y_true' if how == 'with' else 'pass y_true, too'}."
        )


def _check_models(models, baseline, confidence_level):
    """Return the names of the models, the baseline first."""
    if not isinstance(models, Mapping) or len(models) < 2:
        is_dict = isinstance(models, Mapping)
        raise ValueError(
            "compare_models: expected a dict of at least 2 models, name to scores or predictions, "
            f"got {f'{len(models)} model' if is_dict else type(models).__name__}."
        )
    if not isinstance(confidence_level, Real) or not 0 < confidence_level < 1:
        raise ValueError(
            "compare_models: expected a `confidence_level` between 0 and 1, got "
            f"{confidence_level!r}."
        )
    names = list(models)
    if baseline is not None and baseline not in names:
        raise ValueError(
            f"compare_models: expected a `baseline` that is one of {names}, got {baseline!r}."
        )
    first = names[0] if baseline is None else baseline
    return [first, *(name for name in names if name != first)]


def _drawn_scores(models, names, y_true, groups, metric, n_resamples, random_state):
    """Return scores, shape (n_models, 1 + n_resamples): of all notes, and of drawn groups."""
    from sklearn.utils import check_random_state

    check_metric(metric, "compare_models")
    (labels,) = check_columns("compare_models", y_true=y_true)
    groups = check_groups(groups, None, "compare_models")
    groups = np.arange(len(labels)) if groups is None else groups
    columns = {"y_true": labels, "groups": groups}
    predictions = {}
    for name in names:
        predictions[name] = np.asarray(models[name])
        if predictions[name].shape[:1] != labels.shape:
            raise ValueError(
                f"compare_models: expected {len(labels)} predictions, one for each of y_true, got "
                f"an array of shape {predictions[name].shape} of {name!r}."
            )
        if metric is None:
            columns[f"models[{name!r}]"] = predictions[name]
    labels, groups, *answers = check_columns("compare_models", **columns)
    found, codes = np.unique(groups, return_inverse=True)
    if len(found) < 2:
        raise ValueError(
            "compare_models: expected at least 2 groups to draw from, got "
            f"{len(found)}. Pass finer `groups`, or more notes."
        )
    rng = check_random_state(random_state)
    even = np.full(len(found), 1 / len(found))
    drawn = np.vstack([np.ones(len(found), int), rng.multinomial(len(found), even, n_resamples)])
    if metric is None:
        n_right = [np.bincount(codes, own == labels) for own in answers]
        return (np.array(n_right) @ drawn.T) / (np.bincount(codes) @ drawn.T)
    y_true = np.asarray(y_true)
    scores = np.empty((len(names), len(drawn)))
    for k, weight in enumerate(drawn):
        rows = np.repeat(np.arange(len(codes)), weight[codes])
        own = {name: metric(y_true[rows], predictions[name][rows]) for name in names}
        scores[:, k] = [_checked(score, k, name) for name, score in own.items()]
    return scores


def _checked(score, k, name):
    """Return a score of all notes (k is 0) or of a draw as a float, which has to be finite."""
    value = as_floats(score)
    if value.ndim or not np.isfinite(value):
        notes = f"in draw {k} of groups, which may lack a class" if k else "for all notes"
        raise ValueError(
            f"compare_models: expected `metric` to return a finite number, got {score!r} of "
            f"{name!r} {notes}. Pass a metric that is defined for any notes."
        )
    return value


def _percentiles(changes, confidence_level):
    """Return the difference, its interval over draws, and p; the first is of all notes."""
    change, draws = changes[0], changes[1:]
    low, high = np.quantile(draws, [(1 - confidence_level) / 2, (1 + confidence_level) / 2])
    one_sided = (1 + min((draws <= 0).sum(), (draws >= 0).sum())) / (1 + len(draws))
    return change, low, high, min(1.0, 2 * one_sided)
