"""PassageClassifier: the notes of a passage, recorded at one gain that nobody knows."""

import warnings
from numbers import Real

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.metrics import accuracy_score
from sklearn.utils.validation import check_is_fitted

from sknote._input.checks import check_groups, unpack
from sknote._input.forms import carried_by, form_of
from sknote._input.frames import as_object_array
from sknote._input.mapped import read_once
from sknote._interval import Interval
from sknote._params import unchanged_on_error
from sknote.classifier import NoteClassifier
from sknote.spectral._silence import is_silent
from sknote.spectral._sounding import frame_levels, sounding_frames

__all__ = ["PassageClassifier"]

_RANGE = 60.0  # dB below the loudest frame; what is softer, some gain loses in the floor
_FINEST_STEP = 0.1  # dB; a step is a class to train, and no recording has hundreds of levels
_NODES = (0.1, 0.3, 0.5, 0.7, 0.9)  # quantiles of the gain, at which notes are heard
_ODD = 0.05  # share of notes whose level nothing tells
_FINE = 8  # steps in a bin, in which a gain is looked for
_TAIL = 0.01  # share of the softest, and of the loudest notes, that go to the outermost bins
# A level is told more easily than a label: half of the training is enough for it.
_FOR_LEVELS = {"level": "relative", "max_epochs": 20}


class PassageClassifier(ClassifierMixin, BaseEstimator):
    """Classify the notes of passages, each recorded at a gain of its own that nobody knows.

    A single note cannot tell a soft sound from a soft recording. Several notes of one recording
    can: their timbres say how loud each was likely played, and all share one gain. Two classifiers
    are fitted: one of labels, which hears the level; and one that does not, which says by timbre
    and instrument alone how loud a note was in the recordings of `fit`. From the answers of the
    latter to all notes of a passage follows how likely each gain is, and the former is asked
    about the notes as they would be without it.

    Parameters
    ----------
    estimator : NoteClassifier or None, default=None
        What tells labels, with ``level="absolute"``; None is ``NoteClassifier()``.
    level_estimator : NoteClassifier or None, default=None
        What tells levels, with ``level="relative"``; None is `estimator` with that and
        ``max_epochs=20``.
    level_step : float, default=2.5
        Width in dB of the bins in which levels are told, from 0.1 to 60.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Sorted labels.
    estimator_ : NoteClassifier
        What tells labels: the single-note model.
    level_estimator_ : NoteClassifier or None
        What tells levels; None if all notes of `fit` had the same.
    levels_ : ndarray of shape (n_levels,)
        Middles of the bins of levels, in dB; of a note it is that of the loudest frame.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Notes
    -----
    The notes of `fit` must have been recorded at one gain, as those of a sample library are; the
    gains of the passages that are predicted can be any, but none of them must clip, nor lose notes
    in the floor of spectrograms (-100 dB): any gain for all notes of a passage gives the same
    answers. A note by itself is answered by its timbre: all levels that this makes likely count.

    With g the gain, s the timbre of each note and l its level, the posterior of the gain under a
    flat prior is p(g | notes) ~ prod p(l - g | s), and p(label | notes) is the mean of
    p(label | s, l - g) over it, taken at five of its quantiles: six predictions a note.

    Examples
    --------
    >>> from sknote import NoteClassifier, PassageClassifier, Spectrogram
    >>> from sknote.datasets import make_notes
    >>> notes = make_notes(40, labels=["good-sound", "bad-richness"], random_state=0)
    >>> X = Spectrogram().fit_transform(notes.data)
    >>> model = PassageClassifier(NoteClassifier(max_epochs=3, random_state=0))
    >>> model = model.fit(X, notes.target)
    >>> model.predict_proba(X[:8], passages=["first"] * 5 + ["second"] * 3).shape
    (8, 2)
    """

    _parameter_constraints = {
        "estimator": [NoteClassifier, None],
        "level_estimator": [NoteClassifier, None],
        "level_step": [Interval(Real, _FINEST_STEP, _RANGE, closed="both")],
    }

    def __init__(self, estimator=None, level_estimator=None, *, level_step=2.5):
        self.estimator = estimator
        self.level_estimator = level_estimator
        self.level_step = level_step

    def fit(self, X, y, sample_weight=None, groups=None):
        """Train both classifiers.

        Parameters
        ----------
        X : DataFrame with a column ``audio``, sequence, or array
            Spectrograms in dB, as :class:`~sknote.NoteClassifier` takes them.
        y : array-like of shape (n_notes,)
            Labels, at least two different ones.
        sample_weight, groups : array-like of shape (n_notes,) or None, default=None
            As there.

        Returns
        -------
        PassageClassifier
            The classifier itself.
        """
        self._validate_params()
        for_labels, for_levels = self._estimators()
        with unchanged_on_error(self):
            X = _without_passages(X)
            items, instrument = unpack(self, X, ndim=2, reset=True)
            items, levels, sounds = _heard(items)
            notes = _notes(X, items, instrument)
            self.estimator_ = for_labels.fit(notes, y, sample_weight, groups)
            self.classes_ = self.estimator_.classes_
            bins = np.round(levels / self.level_step).astype(int)
            weight = np.asarray(sounds if sample_weight is None else sounds * sample_weight, float)
            how = {"weights": weight, "method": "inverted_cdf"}
            bins = np.clip(bins, *np.quantile(bins, [_TAIL, 1 - _TAIL], **how))
            known = np.unique(bins[weight > 0])
            bins = np.where(weight > 0, bins, known[0])  # of notes that are left out
            self.levels_ = known * self.level_step
            self.level_estimator_ = None
            if len(self.levels_) > 1:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # the other classifier gave them
                    for_levels.fit(notes, bins, sample_weight, groups)
                self.level_estimator_ = for_levels
        return self

    def _estimators(self):
        """Return the two classifiers, unfitted; one that hears what it must not is an error."""
        for_labels = NoteClassifier() if self.estimator is None else clone(self.estimator)
        if self.level_estimator is None:
            for_levels = clone(for_labels).set_params(**_FOR_LEVELS)
        else:
            for_levels = clone(self.level_estimator)
        for name, one, level in (
            ("estimator", for_labels, "absolute"),
            ("level_estimator", for_levels, "relative"),
        ):
            if one.level != level:
                raise ValueError(
                    f"PassageClassifier: expected {name} with level={level!r}, got level="
                    f"{one.level!r}. Pass NoteClassifier(level={level!r}, ...) as {name}."
                )
        return for_labels, for_levels

    def predict_proba(self, X, passages=None):
        """Estimate the probability of each class.

        Parameters
        ----------
        X : DataFrame with a column ``audio``, sequence, or array
            Spectrograms in dB, as in :meth:`fit`.
        passages : array-like of shape (n_notes,) or None, default=None
            Which passage, and so which gain, each note belongs to: strings or numbers. None is the
            column ``passage`` of X; if there is none, each note is a passage of its own.

        Returns
        -------
        ndarray of shape (n_notes, n_classes), float64
            Rows sum to 1; columns in the order of `classes_`.
        """
        check_is_fitted(self)
        if passages is None and "passage" in getattr(X, "columns", ()):
            passages = X["passage"]
        X = _without_passages(X)
        items, instrument = unpack(self, X, ndim=2, reset=False)
        passages = check_groups(passages, len(items), "PassageClassifier", "passages")
        of_note = np.arange(len(items))
        if passages is not None:
            _, of_note = np.unique(passages, return_inverse=True)
        items, levels, sounds = _heard(items)
        told = self._tell_levels(_notes(X, items, instrument))
        shifts = np.zeros((len(items), len(_NODES)))
        order = np.argsort(of_note[sounds], kind="stable")
        rows = np.flatnonzero(sounds)[order]
        for own in np.split(rows, np.flatnonzero(np.diff(of_note[rows])) + 1):
            if len(own):
                shifts[own] = self._likely_shifts(levels[own], told[own])
        proba = 0.0
        for number, shift in enumerate(shifts.T):
            moved = [item + item.dtype.type(by) for item, by in zip(items, shift)]
            with warnings.catch_warnings():
                if number > 0:
                    warnings.simplefilter("ignore")  # the same as before
                proba = proba + self.estimator_.predict_proba(_notes(X, moved, instrument))
        return proba / len(_NODES)

    def predict(self, X, passages=None):
        """Predict labels.

        Parameters
        ----------
        X : DataFrame with a column ``audio``, sequence, or array
            Spectrograms in dB, as in :meth:`fit`.
        passages : array-like of shape (n_notes,) or None, default=None
            As in :meth:`predict_proba`.

        Returns
        -------
        ndarray of shape (n_notes,)
            Members of `classes_`.
        """
        proba = self.predict_proba(X, passages)
        return self.classes_[proba.argmax(axis=1)]

    def score(self, X, y, sample_weight=None, passages=None):
        """Return the accuracy of what :meth:`predict` answers.

        Parameters
        ----------
        X : DataFrame with a column ``audio``, sequence, or array
            Spectrograms in dB, as in :meth:`fit`.
        y : array-like of shape (n_notes,)
            Labels.
        sample_weight : array-like of shape (n_notes,) or None, default=None
            How much each note counts.
        passages : array-like of shape (n_notes,) or None, default=None
            As in :meth:`predict_proba`.

        Returns
        -------
        float
            From 0 to 1.
        """
        return accuracy_score(y, self.predict(X, passages), sample_weight=sample_weight)

    def _tell_levels(self, notes):
        """Return the probability of each of `levels_`, by timbre: (n_notes, n_levels)."""
        if self.level_estimator_ is None:
            return np.ones((len(notes), 1))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the other classifier gives them
            return self.level_estimator_.predict_proba(notes)

    def _likely_shifts(self, levels, told):
        """Return what to add to the notes of a passage, in dB, to undo its gain: quantiles of it.

        All is relative to the mean level, so that a gain for all notes changes nothing.
        """
        mean, step = levels.mean(), self.level_step
        middles = np.r_[self.levels_[0] - step, self.levels_, self.levels_[-1] + step]
        density = np.pad(told, ((0, 0), (1, 1))) / step
        relative, span = levels - mean, np.ptp(middles)
        first, last = middles[0] - relative.max(), middles[-1] - relative.min()
        candidates = np.linspace(first, last, 1 + int(_FINE * (last - first) / step))
        likelihood = np.zeros(len(candidates))
        for own, level in zip(density, relative):
            known = np.interp(candidates + level, middles, own)
            likelihood += np.log((1 - _ODD) * known + _ODD / span)
        posterior = np.exp(likelihood - likelihood.max())
        share = (posterior.cumsum() - posterior / 2) / posterior.sum()
        return np.interp(_NODES, share, candidates) - mean

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


def _without_passages(X):
    """Leave out the column that says which passage a note is of, which a fit may have or not."""
    if "passage" not in getattr(X, "columns", ()):
        return X
    return X[[name for name in X.columns if name != "passage"]]


def _notes(X, items, instrument):
    """Put spectrograms, and instruments if there are, into a form that `NoteClassifier` takes."""
    carried = {name: carried_by(X, name) for name in ("spectral_axes", "spectrogram")}
    carried = {name: value for name, value in carried.items() if value is not None}
    audio = as_object_array(items, carried)
    if form_of(X, "PassageClassifier") != "frame":
        return audio
    import pandas

    index = X.index if hasattr(X, "iloc") else None
    columns = {"audio": audio} if instrument is None else {"audio": audio, "instrument": instrument}
    notes = pandas.DataFrame(columns, index=index)
    notes.attrs.update(carried)
    return notes


def _heard(spectrograms):
    """Return of spectrograms what any gain leaves of them, their levels in dB, and which sound.

    That is what sounds, down to 60 dB below the level of the loudest frame.
    """
    heard, levels, sounds = [], np.zeros(len(spectrograms)), np.zeros(len(spectrograms), dtype=bool)
    for row, values in enumerate(read_once(spectrograms)):
        sounds[row] = not is_silent(values)
        if sounds[row]:
            values = np.asarray(values, np.result_type(values, np.float32))
            level = frame_levels(torch.tensor(values)[None])[2]  # a copy: they may be read-only
            (first,), (stop,) = sounding_frames(level, torch.tensor([len(values)]))
            levels[row] = level.amax().item()
            values = np.maximum(
                values[int(first) : int(stop)], values.dtype.type(levels[row] - _RANGE)
            )
        heard.append(values)
    return heard, levels, sounds
