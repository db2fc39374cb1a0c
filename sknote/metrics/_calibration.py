"""How far probabilities are from what they promise."""

from numbers import Integral

import numpy as np

from sknote._interval import Interval, check_number
from sknote.labels._checks import check_proba
from sknote.metrics._checks import check_columns, check_weight

__all__ = ["expected_calibration_error"]

_BINS = Interval(Integral, 1, 10_000, closed="both")


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
        Number of bins between 0 and 1, up to 10,000.
    sample_weight : array-like of float of shape (n_samples,), default=None
        Weight of each note; None is 1.

    Returns
    -------
    float
        Between 0 (calibrated) and 1.

    Raises
    ------
    ValueError
        If labels, probabilities, classes or weights are not as many as notes and columns, or are
        none; if a class is named twice, or columns of a DataFrame are named as classes in another
        order; or if `n_bins` is out of its range.

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
    n_bins = check_number(n_bins, _BINS, "n_bins", caller)
    (y_true,) = check_columns(caller, y_true=y_true)
    proba, classes = check_proba(proba, classes, caller)
    proba = proba.astype(float)
    if len(proba) != len(y_true):
        raise ValueError(
            f"{caller}: y_true has {len(y_true)} values and proba {len(proba)} rows; "
            "expected as many of each."
        )
    if not np.allclose(proba.sum(axis=1), 1, atol=1e-3):
        raise ValueError(f"{caller}: expected rows of `proba` that sum to 1.")
    weight = check_weight(sample_weight, len(y_true), caller)
    confidence = proba.max(axis=1)
    correct = classes[proba.argmax(axis=1)] == y_true
    # A bin takes its upper edge, as in the paper.
    bins = np.searchsorted(np.linspace(0, 1, n_bins + 1)[1:-1], confidence, side="left")
    gap = np.bincount(bins, weights=weight * (confidence - correct))
    return float(np.abs(gap).sum() / weight.sum())
