"""ConformalClassifier: a set of labels of which the true one is a member as often as promised."""

from numbers import Real

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from sknote._caller import warn_caller
from sknote._compat import HasMethods
from sknote._input.choices import warn_of_unheard
from sknote._input.forms import check_any
from sknote._interval import Interval
from sknote._params import unchanged_on_error
from sknote.confidence._around import check_notes, fit_around, route_around, tags_around
from sknote.confidence._features import split_last
from sknote.confidence._hierarchies import check_hierarchy
from sknote.confidence._instruments import instruments_of
from sknote.confidence._learning import level_of_folds
from sknote.confidence._mapie import check_mapie, conformal_quantile, unlikeliness
from sknote.confidence._out_of_fold import check_probabilities
from sknote.confidence._pools import label_pools
from sknote.feature_extraction._base import N_JOBS
from sknote.labels import LabelHierarchy

__all__ = ["ConformalClassifier"]

_OF_INSTRUMENT = 0.75  # how much the threshold of the instrument counts, beside that of the label
_ROUNDING = 1e-9


class ConformalClassifier(ClassifierMixin, BaseEstimator):
    """Answer with a set of labels that holds the true one as often as is asked for.

    A note that can only be one thing gets one label, and a doubtful one gets all that it may be. In
    `fit`, clones of the classifier say of each note what they think of it without having heard its
    group. How much less probable than the most probable label the true one was then, says how much
    less probable a label may be to be in a set.

    Parameters
    ----------
    estimator : estimator
        Any classifier with `predict_proba`; or a pipeline with one, such as
        :func:`~sknote.make_note_pipeline`.
    confidence_level : float, default=0.9
        Which share of the sets is to hold the true label, of notes like those of `fit` in groups
        that it did not see. Sets hold a little more, as labels and instruments each have a say.
    cv : int, splitter, iterable or None, default=None
        The folds. None is five, or fewer where no label is in so many groups: stratified, of whole
        groups if there are some.
    hierarchy : LabelHierarchy or None, default=None
        Which labels are calibrated together where one has too few notes: pass that of the data set,
        ``notes.hierarchy``. None is ``LabelHierarchy()`` if any label begins with good, bad or
        regular, and else no hierarchy.
    conditional : bool, default=True
        Whether instruments and labels have thresholds of their own, so that none of them pays for
        the others. False is one threshold for all.
    extrapolate : bool, default=True
        Whether to allow for that the classifiers of the folds learn from fewer notes than
        `estimator_`, which would make sets larger than promised. It takes a fit of half the folds.
    n_jobs : int or None, default=None
        Folds that are fitted at a time.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Sorted labels.
    estimator_ : estimator
        The classifier, fitted to all notes.
    level_ : float
        The level that is asked for out of fold; at most `confidence_level`.
    thresholds_ : DataFrame of shape (1 + n_instruments, n_classes)
        The natural logarithm of how many times less probable than the most probable label one may
        be to be in a set. The first row is for instruments that have none of their own; infinity,
        with a warning, where notes are too few to promise anything: then all labels are in.
    pools_ : DataFrame of shape (n_classes, n_classes), bool
        Which labels each label was calibrated with; a single one where it has notes enough.
    n_features_in_, feature_names_in_
        As in scikit-learn, if the classifier has them.

    Notes
    -----
    Quantiles are those of split conformal prediction [1]_, by MAPIE [2]_ (``pip install
    'sknote[confidence]'``). The conformity score is the logarithm of the highest probability less
    that of the label. The most probable label has a score of 0 and is in every set: none is empty.
    A temperature would change nothing.

    The threshold of a label is 3/4 that of its instrument and 1/4 its own. One of a kind with too
    few notes for a quantile (ten, at a level of 0.9) is that of the smallest node above the label
    that has enough (its siblings, then their parents), and that of all notes for an instrument. The
    instrument of a note is the column ``instrument`` of X, or is told by the columns of a DataFrame
    of ``MFCCSummary(instrument="onehot")``; where there is none, that of all notes takes its place.
    The weights were chosen out of fold, on notes of the Philharmonia.

    Classifiers of the folds learn from fewer notes than `estimator_`, and miss more. By how much is
    told by one more clone, which is fitted to the test parts of half the folds: the share of missed
    labels is taken for a power of the number of notes, with an exponent from 0 to 1. With
    ``extrapolate=False``, or where notes are too few to tell (some 330 at a level of 0.9), more is
    held than promised.

    The promise is one for all notes together, and for whole groups only if they are alike: a
    player or a room that nobody heard may be worse.

    In `cross_validate`, pass groups a second time, for the `fit` inside: ``params={"groups":
    groups}``. In a pipeline whose first steps take long, put it around the last step:
    ``make_note_pipeline(classify=ConformalClassifier(NoteClassifier()))``. Of a
    :class:`~sklearn.pipeline.Pipeline` of scikit-learn, the last step is to be asked:
    ``model[-1].predict_set(model[:-1].transform(X))``.

    References
    ----------
    .. [1] V. Vovk, A. Gammerman and G. Shafer, "Algorithmic learning in a random world", Springer,
       2005.
    .. [2] V. Taquet et al., "MAPIE: an open-source library for distribution-free uncertainty
       quantification", arXiv:2207.12274, 2022.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sknote.confidence import ConformalClassifier
    >>> X = [[i % 3 + i % 7 / 5] for i in range(210)]
    >>> y = [["bad-air", "bad-pitch", "good"][i % 3] for i in range(210)]
    >>> model = ConformalClassifier(LogisticRegression()).fit(X, y)
    >>> [model.classes_[row].tolist() for row in model.predict_set([[0.2], [2.1]])]
    [['bad-air'], ['bad-pitch', 'good']]
    """

    # in `fit` among others for the classifier, and asked for where there are any: 0 is left out
    __metadata_request__fit = {"sample_weight": True}

    _parameter_constraints = {
        "estimator": [HasMethods(["fit", "predict_proba"])],
        "confidence_level": [Interval(Real, 0, 1, closed="neither")],
        "cv": ["cv_object"],
        "hierarchy": [LabelHierarchy, None],
        "conditional": ["boolean"],
        "extrapolate": ["boolean"],
        "n_jobs": N_JOBS,
    }

    def __init__(
        self,
        estimator,
        confidence_level=0.9,
        *,
        cv=None,
        hierarchy=None,
        conditional=True,
        extrapolate=True,
        n_jobs=None,
    ):
        self.estimator = estimator
        self.confidence_level = confidence_level
        self.cv = cv
        self.hierarchy = hierarchy
        self.conditional = conditional
        self.extrapolate = extrapolate
        self.n_jobs = n_jobs

    def fit(self, X, y, groups=None, **fit_params):
        """Fit the classifier, and find out of fold how probable the true labels are.

        Parameters
        ----------
        X : as the classifier takes it
            Notes.
        y : array-like of shape (n_notes,)
            Labels, at least two different ones.
        groups : array-like of shape (n_notes,) or None, default=None
            What the folds must not tear apart; the classifier gets them, too, if it takes any. None
            means that each note is a group of its own.
        **fit_params : dict
            For the `fit` of the classifier, such as ``sample_weight``. Thresholds count each note
            once.

        Returns
        -------
        ConformalClassifier
            The classifier itself.
        """
        self._validate_params()
        with unchanged_on_error(self):
            return self._fit(X, y, groups, fit_params)

    def _fit(self, X, y, groups, fit_params):
        name = type(self).__name__
        check_mapie(name)
        X, y, groups, fit_params = check_notes(self, X, y, groups, fit_params)
        hierarchy = check_hierarchy(self.hierarchy, self.classes_, name)
        instrument = instruments_of(X, name)
        known = fit_around(self, X, y, groups, fit_params)
        self.level_ = self.confidence_level
        if self.extrapolate:
            how = {"groups": groups, "fit_params": fit_params, "name": name}
            self.level_ = level_of_folds(self.estimator, X, y, known, self.confidence_level, **how)
        # what a fold could not know says nothing about `estimator_`, which has heard all labels
        rows = known.rows[known.is_heard]
        target = np.searchsorted(self.classes_, y[rows])
        self._calibrate(known.proba[known.is_heard], target, instrument[rows], hierarchy)
        return self

    def _calibrate(self, proba, target, instrument, hierarchy):
        """Find the threshold of each label in each instrument."""
        import pandas as pd

        least = self._least_notes()
        counts = np.bincount(target, minlength=len(self.classes_))
        pools = label_pools(self.classes_, counts, hierarchy, least)
        names = [one for one in sorted(set(instrument)) if one and self.conditional]
        names = [one for one in names if (instrument == one).sum() >= least]
        of_all = self._quantile(proba, target, np.ones(len(target), dtype=bool))
        of_instrument = [of_all]
        of_instrument += [self._quantile(proba, target, instrument == one) for one in names]
        of_label = np.full(len(self.classes_), of_all)
        if self.conditional:
            distinct, pool_of = np.unique(pools, axis=0, return_inverse=True)
            own = [self._quantile(proba, target, pool[target]) for pool in distinct]
            of_label = np.array(own)[pool_of.ravel()]
        values = np.add.outer(
            _OF_INSTRUMENT * np.array(of_instrument), (1 - _OF_INSTRUMENT) * of_label
        )
        index = pd.Index(["", *names], name="instrument")
        self.thresholds_ = pd.DataFrame(values, index=index, columns=self.classes_)
        self.pools_ = pd.DataFrame(pools, index=self.classes_, columns=self.classes_)
        if np.isinf(of_all):
            warn_caller(
                f"{type(self).__name__}: of {len(target)} notes nothing can be promised at a "
                f"confidence_level of {self.confidence_level:g}, which takes {least}: all labels "
                "will be in all sets. Give more notes, or a lower level."
            )

    def _least_notes(self):
        """Return how many notes a quantile takes, of which one may lie above it."""
        level = self.level_
        return int(np.ceil(max(1 / (1 - level), 1 / level) - _ROUNDING))

    def _quantile(self, proba, target, is_of):
        if is_of.sum() < self._least_notes():
            return np.inf
        return conformal_quantile(proba[is_of], target[is_of], self.level_)

    def predict_set(self, X):
        """Tell which labels each note may have.

        Parameters
        ----------
        X : as the classifier takes it
            Notes.

        Returns
        -------
        ndarray of bool of shape (n_notes, n_classes)
            Columns in the order of `classes_`; at least the most probable label is in each row.
        """
        check_is_fitted(self)
        score = unlikeliness(self.predict_proba(X))
        self._tell_unheard(X)
        row_of = {name: row for row, name in enumerate(self.thresholds_.index)}
        rows = [row_of.get(name, 0) for name in instruments_of(X, type(self).__name__)]
        return score <= self.thresholds_.to_numpy()[rows] + _ROUNDING

    def predict_proba(self, X):
        """Return the probabilities of the classifier as they are.

        Parameters
        ----------
        X : as the classifier takes it
            Notes.

        Returns
        -------
        ndarray of shape (n_notes, n_classes), float64
            Rows sum to 1; columns in the order of `classes_`.
        """
        check_is_fitted(self)
        check_any(X, type(self).__name__)
        proba = self.estimator_.predict_proba(X)
        return check_probabilities(proba, len(proba), len(self.classes_), type(self).__name__)

    def predict(self, X):
        """Answer each note with its most probable label.

        Parameters
        ----------
        X : as the classifier takes it
            Notes.

        Returns
        -------
        ndarray of shape (n_notes,)
            Members of `classes_`.
        """
        check_is_fitted(self)
        best = self.predict_proba(X).argmax(axis=1)
        self._tell_unheard(X)
        return self.classes_[best]

    def _tell_unheard(self, X):
        _, last = split_last(self.estimator_)
        if hasattr(last, "instruments_"):
            warn_of_unheard(X, last.instruments_, type(self).__name__)

    def get_metadata_routing(self):
        """Say who gets what of the arguments of `fit`, as in scikit-learn.

        Returns
        -------
        MetadataRouter
            Groups are for the folds, and the classifier gets what it requests.
        """
        return route_around(self)

    def __sklearn_tags__(self):
        return tags_around(self, super().__sklearn_tags__())
