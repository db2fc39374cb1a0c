"""CachedClassifier: a classifier that remembers its answers."""

import os
import threading
import warnings
from numbers import Integral

import numpy as np

from sknote._input.content import is_same, mark
from sknote._input.forms import at_rows, carried_by, form_of, sequence_items
from sknote._input.frames import column_items, is_polars
from sknote.deploy.answers._database import LEAST
from sknote.deploy.answers._digest import ModelDigest
from sknote.deploy.answers._store import AnswerStore, answer_key, as_probabilities
from sknote.exceptions import AudioDecodeWarning

# Warnings can be caught by one thread at a time.
_CATCHING = threading.RLock()


class CachedClassifier:
    """A classifier around another one, whose answers it keeps: in memory, and in a file if named.

    It is asked as the other one is. What was asked before is found, and not even decoded again, by
    what the recording contains (of a file: its bytes, not its name), by the instrument and whatever
    else is known of it, and by a digest of the model.

    Parameters
    ----------
    model : OnnxNoteClassifier, Pipeline or another fitted classifier
        It has `predict_proba` and `classes_`, and treats each recording by itself. It is asked as
        it is at the moment: one that is fitted anew answers anew. Of what is neither an
        :class:`~sknote.deploy.OnnxNoteClassifier` nor a pipeline of sknote's own steps, a digest
        is made in each call, by pickling it, which takes time.
    path : str, path or None, default=None
        A file of SQLite for the answers, which is made when it is needed and may be used by several
        processes and for several models at the same time; on a disk of this machine, not of a
        network. None keeps answers in memory alone.
    max_memory : int, default=2**24
        Bytes that answers may take in memory.
    max_disk : int, default=2**28
        Bytes that the file may take. In both, what was not used for the longest time goes first.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels, in the order of the columns of `predict_proba`.
    n_hits, n_misses : int
        Recordings that were answered so far without and by the model.

    Notes
    -----
    Answers are rounded to float32, those that are new as well, so that a second answer is the first
    one to the bit; rows sum to 1. What a warning is about (a file that is cut off, a recording
    without sound) is not kept, so that it is said each time; nor is what changes while it is read,
    and what can be read only once.

    Nothing in the file is trusted. A row with a wrong digest counts as missing. A file that is
    damaged, full, read-only or something else is a warning, and then memory alone is used. There is
    no code in it, and no recording and no name: keys are digests.

    What is noticed of a pipeline: fitting, setting parameters, and writing to its weights, unless
    it is to single ones through ``.data``. Before such, make a new CachedClassifier.

    Examples
    --------
    >>> from sknote.deploy import CachedClassifier, OnnxNoteClassifier
    >>> model = OnnxNoteClassifier("notes.onnx")  # doctest: +SKIP
    >>> model = CachedClassifier(model, "answers.db")  # doctest: +SKIP
    >>> model.predict(["a4.wav"], instrument="violin")  # doctest: +SKIP
    array(['good-sound'], dtype='<U10')
    """

    def __init__(self, model, path=None, *, max_memory=1 << 24, max_disk=1 << 28):
        name = type(self).__name__
        if not hasattr(model, "predict_proba") or not hasattr(model, "classes_"):
            raise TypeError(
                f"{name}: expected a fitted classifier with predict_proba and classes_, got "
                f"{type(model).__name__}."
            )
        if path is not None and (not isinstance(path, (str, os.PathLike)) or not os.fspath(path)):
            raise TypeError(f"{name}: expected the path of a file, or None, got {path!r}.")
        for what, value, least in (("max_memory", max_memory, 0), ("max_disk", max_disk, LEAST)):
            if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
                raise ValueError(f"{name}: expected {what} of at least {least}, got {value!r}.")
        if hasattr(model, "predict_with_confidence"):
            warnings.warn(
                f"{name}: probabilities are all that is kept, and {type(model).__name__} answers "
                'by more: its levels, reasons and "unknown" do not come out of here. Ask it '
                "itself for those.",
                UserWarning,
                stacklevel=2,
            )
        self.model = model
        self.path = path
        self.max_memory = max_memory
        self.max_disk = max_disk
        self.n_hits = self.n_misses = 0
        self._store = AnswerStore(path, max_memory, max_disk)
        self._digest = ModelDigest(model)

    @property
    def feature_names_in_(self):
        """Columns of the DataFrame that the model was fitted on; there are none otherwise."""
        return self.model.feature_names_in_

    @property
    def classes_(self):
        """Labels, in the order of the columns of `predict_proba`."""
        return self.model.classes_

    def predict_proba(self, X, instrument=None):
        """Estimate the probability of each class.

        Parameters
        ----------
        X : DataFrame with a column ``audio``, sequence, or array of shape (n_notes, n_samples)
            What the model takes.
        instrument : str, sequence of str or None, default=None
            Of all notes, or of each; only for a model whose `predict_proba` has this parameter.

        Returns
        -------
        ndarray of shape (n_notes, n_classes), float64
            Rows sum to 1.
        """
        items, known = _taken_apart(X, instrument, type(self).__name__)
        n_classes = len(self.classes_)
        digest = self._digest()
        marks = [_marked(item) for item in items]
        keys = [
            None if marked[0] is None else answer_key(digest, marked[0], more)
            for marked, more in zip(marks, known)
        ]
        found = self._store.get([key for key in keys if key is not None], n_classes)
        rows = [row for row, key in enumerate(keys) if key not in found]
        self.n_hits += len(items) - len(rows)
        self.n_misses += len(rows)
        made = {}
        if rows:

            def keep(answers):
                same = [row for row in answers if keys[row] and is_same(items[row], marks[row])]
                self._store.put({keys[row]: answers[row] for row in same})

            made = self._compute(X, instrument, rows, n_classes, keep)
        proba = np.empty((len(items), n_classes))
        for row, key in enumerate(keys):
            proba[row] = made[row] if row in made else found[key]
        return as_probabilities(proba)

    def predict(self, X, instrument=None):
        """Predict labels: for each recording that of the highest probability.

        Also of a model with a threshold, or that would answer ``"unknown"``: probabilities are all
        that is kept.

        Parameters
        ----------
        X : DataFrame with a column ``audio``, sequence, or array of shape (n_notes, n_samples)
            As in :meth:`predict_proba`.
        instrument : str, sequence of str or None, default=None
            As in :meth:`predict_proba`.

        Returns
        -------
        ndarray of shape (n_notes,)
            Members of `classes_`.
        """
        return self.classes_[self.predict_proba(X, instrument).argmax(axis=1)]

    def close(self):
        """Write to the file what is not written yet, and let it go; not needed for answers."""
        self._store.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _compute(self, X, instrument, rows, n_classes, keep):
        """Ask the model about some rows, and keep what it says without a warning.

        Where something is odd, halves are asked about, until it is known which row it is.
        """
        part = X if len(rows) == _length(X) else _take(X, rows)
        how = {}
        if instrument is not None:
            one = isinstance(instrument, str)
            how["instrument"] = instrument if one else _take(instrument, rows)
        try:
            with _CATCHING, warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                proba = self.model.predict_proba(part, **how)
            is_odd = any(issubclass(one.category, AudioDecodeWarning) for one in caught)
        except Exception as error:
            if len(rows) == 1:
                error.args = tuple(at_rows(arg, rows) for arg in error.args)
                raise
            is_odd = True
        if is_odd and len(rows) > 1:
            asked = (self._compute(X, instrument, some, n_classes, keep) for some in _halves(rows))
            return {row: answer for answers in asked for row, answer in answers.items()}
        proba = np.asarray(proba, dtype=np.float32)
        if proba.shape != (len(rows), n_classes):
            raise ValueError(
                f"{type(self).__name__}: expected {type(self.model).__name__} to give "
                f"probabilities of shape {(len(rows), n_classes)}, got {proba.shape}."
            )
        answers = dict(zip(rows, proba))
        if not is_odd and np.isfinite(proba).all():
            keep(answers)
        for one in caught:
            warnings.warn(at_rows(str(one.message), rows), one.category, stacklevel=3)
        return answers

    def __repr__(self):
        where = "" if self.path is None else f", {os.fspath(self.path)!r}"
        return f"CachedClassifier({self.model!r}{where})"

    def __reduce__(self):
        return _remake, (self.model, self.path, self.max_memory, self.max_disk)


def _remake(model, path, max_memory, max_disk):
    return CachedClassifier(model, path, max_memory=max_memory, max_disk=max_disk)


def _halves(rows):
    return rows[: len(rows) // 2], rows[len(rows) // 2 :]


def _taken_apart(X, instrument, name):
    """Return the recordings in X, and a dict of what else is known of each."""
    form = form_of(X, name)
    if form == "frame":
        items = column_items(X["audio"])
        columns = {one: list(X[one]) for one in X.columns if one != "audio"}
    else:
        items = sequence_items(X) if form == "sequence" else list(np.asarray(X))
        columns = {}
    if instrument is not None:
        one = isinstance(instrument, str)
        columns["instrument"] = [instrument] * len(items) if one else list(instrument)
        if len(columns["instrument"]) != len(items):
            raise ValueError(
                f"{name}: expected an instrument for each of {len(items)} notes, got "
                f"{len(columns['instrument'])}."
            )
    names = ("sample_rate", "spectral_axes", "spectrogram")
    carried = {f"carried {one}": carried_by(X, one) for one in names}
    carried = {one: None if value is None else repr(value) for one, value in carried.items()}
    known = [{key: values[row] for key, values in columns.items()} for row in range(len(items))]
    return items, [carried | one for one in known]


def _marked(item):
    """Mark a recording, but for what can be read only once."""
    seekable = getattr(item, "seekable", None)
    if hasattr(item, "read") and not (seekable is not None and seekable()):
        return None, None, 0.0
    return mark(item)


def _length(X):
    return X.shape[0] if hasattr(X, "shape") else len(X)


def _take(X, rows):
    """Take rows of X, which keeps its form."""
    if hasattr(X, "iloc"):
        return X.iloc[rows]
    if is_polars(X) or isinstance(X, np.ndarray):
        return X[rows]
    return [X[row] for row in rows]
