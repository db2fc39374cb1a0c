"""SelectiveClassifier: a label where it is sure, a node above it where it is not, or "unknown"."""

import dataclasses
from numbers import Real

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from sknote._caller import warn_caller
from sknote._compat import HasMethods
from sknote._input.checks import check_labels
from sknote._input.choices import warn_of_unheard
from sknote._input.forms import check_any
from sknote._interval import Interval
from sknote._params import unchanged_on_error
from sknote.confidence._answers import (
    COLUMNS,
    SILENT,
    UNKNOWN,
    AnswerRule,
    check_answers,
    tempered,
)
from sknote.confidence._around import check_notes, fit_around, route_around, tags_around
from sknote.confidence._features import see
from sknote.confidence._hierarchies import check_hierarchy
from sknote.confidence._novelty import fit_novelty, out_of_fold_scores
from sknote.confidence._out_of_fold import check_probabilities
from sknote.confidence._temperature import fit_temperature
from sknote.confidence._thresholds import choose_threshold, levels_of
from sknote.feature_extraction._base import N_JOBS
from sknote.labels import LabelHierarchy

__all__ = ["SelectiveClassifier"]

_REFUSED = 0.03  # share of notes like those of fit that may be taken for something else
_MOST_OWN = 3.0  # times that share, of the notes of fit themselves


class SelectiveClassifier(ClassifierMixin, BaseEstimator):
    """Answer with a label where that is sure, with a node above labels where not, or not at all.

    A teacher who is told ``bad-attack-tongue`` acts on it; if the classifier cannot tell the tongue
    from the air, ``bad-attack`` is the better answer, and ``"unknown"`` if it is not even sure that
    the attack is bad. In `fit`, clones of the classifier say of each note what they think of it
    without having heard its group. On this rests all else: a temperature that makes probabilities
    as sure as they are right; the lowest threshold at which answers are right often enough; and how
    far from all others a note is that is none.

    Parameters
    ----------
    estimator : estimator
        Any classifier with `predict_proba`; or a pipeline with one, such as
        :func:`~sknote.make_note_pipeline`.
    hierarchy : LabelHierarchy or None, default=None
        The levels of the labels: pass that of the data set, ``notes.hierarchy``. None is
        ``LabelHierarchy()`` if any label begins with good, bad or regular; else there is no node
        above labels.
    min_accuracy : float, default=0.95
        Which share of the answers is to be right, of notes like those of `fit` in groups that it
        did not see. An answer is right if it is the label, or a node above it. All answers count
        together: those at a higher level are more often right than labels.
    novelty : bool or float, default=True
        Whether notes that are too far from those of `fit` get no answer: noise, clicks, speech. A
        number is the share of true notes that may be refused by this; True is 0.03.
    cv : int, splitter, iterable or None, default=None
        The folds. None is five, or fewer where no label is in so many groups: stratified, of whole
        groups if there are some.
    n_jobs : int or None, default=None
        Folds that are fitted at a time.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Sorted labels.
    estimator_ : estimator
        The classifier, fitted to all notes.
    temperature_ : float
        What logarithms of its probabilities are divided by.
    threshold_ : float
        How probable an answer has to be; infinity, with a warning, where nothing can be promised,
        and all is unknown.
    levels_ : DataFrame
        What to expect, measured out of fold: for each ``level`` its ``share`` of the notes, and the
        ``accuracy`` of the answers; ``"label"`` is the finest, and ``"unknown"`` comes last.
    limits_ : dict of str to float
        What refuses a note if it is exceeded, by the reason that is given: infinity where notes are
        too few to tell. Several notes at once have one from 250 notes of `fit` on. Empty without
        `novelty`, and of a classifier that takes no numbers.
    n_features_in_, feature_names_in_
        As in scikit-learn, if the classifier has them.

    Notes
    -----
    The rule is that of [1]_ with one difference: at each level the most probable node is asked,
    also where the most probable label lies elsewhere. The threshold is the lowest at which the
    out-of-fold accuracy of all answers is at least `min_accuracy` after two deductions: half a
    standard error, with groups as units, and one wrong note more. The classifiers of the folds are
    trained on fewer notes than `estimator_`, and are wrong more often: that is the rest of the
    margin. Half an error was chosen out of fold, on notes of the Philharmonia.

    Novelty is the distance to the nearest label's mean, in a covariance within labels that is
    shrunk after Ledoit and Wolf. For a :class:`~sknote.NoteClassifier` it is a distance of the
    functionals of :func:`~sknote.nn.describe_notes` of the note without its level; for others of X,
    or what the last step of a pipeline takes, if that is numbers. On spectrograms in dB with a
    logarithmic axis, a discriminant tells single notes from two at once, of which pairs of notes of
    `fit`, added in power, are the examples. Both limits are set on notes out of fold. A recording
    without sound is "unknown" in any case.

    `score` counts a right answer by how much it says, with the hierarchical coverage of [1]_:
    1 - log(number of labels in the node) / log(number of labels). A label counts 1, a node above
    half of 8 labels 1/3; what is wrong, and "unknown", count 0. So it is at most the share of right
    answers at any level, which `is_right` tells, and can be compared with the accuracy of a
    classifier that answers each note with a label, whose score it would be.

    In `cross_validate`, pass groups a second time, for the `fit` inside: ``params={"groups":
    groups}``. In a pipeline whose first steps take long, put it around the last step:
    ``make_note_pipeline(classify=SelectiveClassifier(NoteClassifier()))`` decodes each recording
    once. Of a :class:`~sklearn.pipeline.Pipeline` of scikit-learn, the last step is to be asked:
    ``model[-1].predict_with_confidence(model[:-1].transform(X))``.

    References
    ----------
    .. [1] S. Goren, I. Galil and R. El-Yaniv, "Hierarchical selective classification",
       NeurIPS 2024.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sknote.confidence import SelectiveClassifier
    >>> X = [[i % 4, i % 7 / 99] for i in range(80)]
    >>> y = [["bad-air", "bad-pitch", "bad-pitch", "good"][i % 4] for i in range(80)]
    >>> model = SelectiveClassifier(LogisticRegression(C=9.0)).fit(X, y)
    >>> model.predict([[3, 0], [0.5, 0], [50, 0]]).tolist()
    ['good', 'bad', 'unknown']
    """

    # in `fit` among others for the classifier, and asked for where there are any: 0 is left out
    __metadata_request__fit = {"sample_weight": True}

    _parameter_constraints = {
        "estimator": [HasMethods(["fit", "predict_proba"])],
        "hierarchy": [LabelHierarchy, None],
        "min_accuracy": [Interval(Real, 0, 1, closed="neither")],
        "novelty": ["boolean", Interval(Real, 0, 1, closed="neither")],
        "cv": ["cv_object"],
        "n_jobs": N_JOBS,
    }

    def __init__(
        self,
        estimator,
        hierarchy=None,
        *,
        min_accuracy=0.95,
        novelty=True,
        cv=None,
        n_jobs=None,
    ):
        self.estimator = estimator
        self.hierarchy = hierarchy
        self.min_accuracy = min_accuracy
        self.novelty = novelty
        self.cv = cv
        self.n_jobs = n_jobs

    def fit(self, X, y, groups=None, **fit_params):
        """Fit the classifier, and find out of fold how sure it may be.

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
            For the `fit` of the classifier, such as ``sample_weight``. Temperature and threshold
            count each note once.

        Returns
        -------
        SelectiveClassifier
            The classifier itself.
        """
        self._validate_params()
        with unchanged_on_error(self):
            return self._fit(X, y, groups, fit_params)

    def _fit(self, X, y, groups, fit_params):
        X, y, groups, fit_params = check_notes(self, X, y, groups, fit_params)
        name = type(self).__name__
        hierarchy = check_hierarchy(self.hierarchy, self.classes_, name)
        levels = levels_of(self.classes_, hierarchy, name)
        target = np.searchsorted(self.classes_, y)
        known = fit_around(self, X, y, groups, fit_params)
        seen, scores, limits = self._fit_novelty(X, target, groups, known.folds)
        self.rule_ = AnswerRule(self.classes_, tuple(levels), limits=limits)
        refused = self.rule_.refusals(len(y), scores, seen.is_silent)[known.rows]
        target = target[known.rows]
        counts = known.is_heard & (refused != SILENT)
        self.beta_ = fit_temperature(known.proba[counts], target[counts])
        proba = tempered(known.proba, self.beta_)
        some = refused == ""
        units = None if groups is None else groups[known.rows][some]
        how = (levels, proba[some], target[some], units, self.min_accuracy)
        self.rule_ = dataclasses.replace(self.rule_, threshold=choose_threshold(*how))
        self._measure(self.rule_.answer(proba, refused), self.classes_[target])
        return self

    def _fit_novelty(self, X, target, groups, folds):
        """Learn what refuses notes; return what is seen of them, scores out of fold, and limits."""
        wanted = self.novelty is not False
        _, _, seen = see(self.estimator_, X, groups, features=wanted, pairs=wanted)
        self.novelty_ = None
        if seen.features is None:
            return seen, None, ()
        sounds = np.ones(len(target), dtype=bool)
        if seen.is_silent is not None:
            sounds = ~seen.is_silent
        folds = [tuple(part[sounds[part]] for part in fold) for fold in folds]
        known = seen.features, target, seen.n_own, seen.both, seen.pairs
        scores = out_of_fold_scores(*known, folds, seen.least)
        own = seen.features[sounds], target[sounds]
        self.novelty_ = fit_novelty(*own, seen.n_own, seen.both, seen.least)
        share = _REFUSED if self.novelty is True else float(self.novelty)
        limits, usual = self.novelty_.limits(scores, share), self.novelty_(own[0])
        # what would refuse many notes of `fit` itself has been learned from too few
        limits = tuple(
            (why, limit if np.mean(one > limit) <= _MOST_OWN * share else np.inf)
            for (why, limit), one in zip(limits, usual.T)
        )
        return seen, scores, limits

    def predict_proba(self, X):
        """Estimate the calibrated probability of each class.

        Parameters
        ----------
        X : as the classifier takes it
            Notes, of which novel ones have probabilities, too.

        Returns
        -------
        ndarray of shape (n_notes, n_classes), float64
            Rows sum to 1; columns in the order of `classes_`.
        """
        check_is_fitted(self)
        check_any(X, type(self).__name__)
        return self._calibrated(self.estimator_.predict_proba(X))

    def predict_with_confidence(self, X):
        """Answer each note, and say how sure that is and why.

        Parameters
        ----------
        X : as the classifier takes it
            Notes.

        Returns
        -------
        DataFrame
            One row a note, with the index of X if it has one:

            - ``answer``: a label, a node above labels (``bad-attack``), or ``"unknown"``.
            - ``level``: ``"label"``, the level of the node, or ``"unknown"``.
            - ``confidence``: the calibrated probability of the answer; of ``"unknown"``, that of
              the most probable label.
            - ``runner_up``: what is second at that level; of ``"unknown"`` the most probable label.
            - ``runner_up_probability``: its calibrated probability.
            - ``reason``: ``"sure"``, ``"sure of no more than the aspect"``, ``"not sure at any
              level"``, ``"unlike the notes of fit"``, ``"more than one note at once"`` or ``"no
              sound"``.
        """
        import pandas as pd

        index = X.index if hasattr(X, "iloc") else None
        return pd.DataFrame(self._answer(X), index=index, columns=COLUMNS)

    def predict(self, X):
        """Answer each note.

        Parameters
        ----------
        X : as the classifier takes it
            Notes.

        Returns
        -------
        ndarray of shape (n_notes,)
            Labels, nodes above them, or ``"unknown"``. Labels that are no strings have no word for
            that: then it is the most probable label, and what is unknown is in the table of
            `predict_with_confidence` alone.
        """
        check_is_fitted(self)
        if self.classes_.dtype.kind in "UO":
            return self._answer(X)["answer"].astype(str)
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def is_right(self, answers, y):
        """Tell which answers are right: the label itself, or a node above it.

        Parameters
        ----------
        answers : DataFrame or dict of columns
            Of `predict_with_confidence`.
        y : array-like of shape (n_notes,)
            True labels.

        Returns
        -------
        ndarray of bool of shape (n_notes,)
            False for what is unknown.
        """
        check_is_fitted(self)
        check_answers(answers, f"{type(self).__name__}.is_right")
        y = check_labels(y, len(answers["level"]), type(self).__name__)
        return self.rule_.is_right(answers["answer"], answers["level"], y)

    def score(self, X, y, sample_weight=None):
        """Return the share of right answers, each of which counts by how much it says.

        Parameters
        ----------
        X, y, sample_weight : array-like
            Notes, their labels, and their weights, None for equal ones.

        Returns
        -------
        float
            From 0 to 1. A right label counts 1, a node above labels less the more of them it
            holds, and ``"unknown"`` 0: see the notes of the class.
        """
        answers = self._answer(X)
        told = self.is_right(answers, y) * self.rule_.says(answers["answer"], answers["level"])
        return float(np.average(told, weights=sample_weight))

    def _answer(self, X):
        """Return the columns of an answer to each note, a dict."""
        check_is_fitted(self)
        check_any(X, type(self).__name__)
        last, X, seen = see(self.estimator_, X, features=self.novelty_ is not None)
        proba = self._calibrated(last.predict_proba(X))
        if hasattr(last, "instruments_"):
            warn_of_unheard(X, last.instruments_, type(self).__name__)
        scores = None if self.novelty_ is None else self.novelty_(seen.features)
        return self.rule_.answer(proba, self.rule_.refusals(len(proba), scores, seen.is_silent))

    def _calibrated(self, proba):
        name, n_classes = type(self).__name__, len(self.classes_)
        return tempered(check_probabilities(proba, len(proba), n_classes, name), self.beta_)

    def _measure(self, answers, y):
        """Keep what came out of fold, by level; warn if nothing can be promised."""
        import pandas as pd

        right = self.rule_.is_right(answers["answer"], answers["level"], y)
        names = [*(level.name for level in self.rule_.levels), UNKNOWN]
        rows = [answers["level"] == name for name in names]
        self.levels_ = pd.DataFrame(
            {
                "level": names,
                "share": [own.mean() for own in rows],
                "accuracy": [right[own].mean() if own.any() else np.nan for own in rows],
            }
        )
        self.levels_.loc[len(names) - 1, "accuracy"] = np.nan
        if np.isinf(self.rule_.threshold):
            found = f"all will be {UNKNOWN!r}"
            if self.classes_.dtype.kind not in "UO":
                found += " in predict_with_confidence (predict gives numbers: the likeliest label)"
            warn_caller(
                f"{type(self).__name__}: of {len(y)} notes, no threshold gives answers of which "
                f"{self.min_accuracy:g} are surely right, so that {found}. Give "
                "more notes or groups, or a lower min_accuracy."
            )

    @property
    def temperature_(self):
        """What logarithms of probabilities are divided by."""
        return 1.0 / self.beta_

    @property
    def limits_(self):
        """What refuses a note if it is exceeded, by reason."""
        return dict(self.rule_.limits)

    @property
    def threshold_(self):
        """How probable an answer has to be."""
        return self.rule_.threshold

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
