"""Scores that count a label that is half right as half right."""

from numbers import Real

import numpy as np

from sknote._interval import Interval, check_number
from sknote.metrics._checks import check_columns, check_hierarchy, check_weight

__all__ = ["hierarchical_f1_score", "hierarchical_precision_recall_fscore"]

_BETA = Interval(Real, 0, 1_000_000, closed="both")


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
        Weight of recall against precision, from 0 to 1,000,000.
    sample_weight : array-like of float of shape (n_samples,), default=None
        Weight of each note; None is 1.

    Returns
    -------
    precision, recall, fscore : float
        Between 0 and 1.

    Raises
    ------
    ValueError
        If labels or weights are none, or not as many; or if `beta` is out of its range.

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
    check_hierarchy(hierarchy, caller)
    beta = check_number(beta, _BETA, "beta", caller)
    y_true, y_pred = check_columns(caller, y_true=y_true, y_pred=y_pred)
    weight = check_weight(sample_weight, len(y_true), caller)
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
