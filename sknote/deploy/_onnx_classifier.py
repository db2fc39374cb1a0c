"""OnnxNoteClassifier: an exported pipeline, run by ONNX Runtime."""

import hashlib
import os
import re
import warnings
from concurrent.futures import ThreadPoolExecutor
from numbers import Integral

import numpy as np

from sknote._input.batches import length_batches
from sknote._input.choices import nearest, warn_of_misspelt
from sknote._input.equal import first_equal, is_constant
from sknote._input.forms import (
    caller_rows,
    check_instrument,
    is_missing,
    name_rows,
    unpack_recordings,
)
from sknote._optional import import_optional
from sknote._params import n_cores
from sknote.audio import read_audio, waveforms_or_error
from sknote.deploy import _digest
from sknote.deploy._about import OLDER, read_about
from sknote.deploy._kinds import ONNX, other_kind
from sknote.exceptions import NoSoundWarning

_BATCH = 16  # notes that are computed at a time; more take no less time each, and share it worse
_SAMPLES = 1 << 18  # of a batch, padding included; more would leave the processor's cache
_HELD = 1 << 23  # samples that are held at a time, but for a longer recording


class _only_with_rule:
    """A method of files with a SelectiveClassifier, which others do not have."""

    def __init__(self, method):
        self._method = method

    def __get__(self, instance, owner):
        if instance is not None and instance._rule is None:
            raise AttributeError(
                f"OnnxNoteClassifier: {instance.path!r} does not say how sure an answer must be. "
                "Export a pipeline with a SelectiveClassifier."
            )
        return self._method.__get__(instance, owner)


class OnnxNoteClassifier:
    """Predict labels with a pipeline that :func:`~sknote.deploy.export_onnx` wrote.

    It takes recordings, as the pipeline did, and answers as the pipeline would. It needs NumPy,
    soundfile, soxr and ONNX Runtime (the extra ``onnx``), and imports neither torch nor
    scikit-learn nor pandas, but for the table of `predict_with_confidence`, where it is installed.

    Parameters
    ----------
    path : str or path
        The file.
    n_threads : int or None, default=None
        Batches that are computed at a time, each by one thread; None is as many as there are cores.
        Answers do not depend on it.
    on_error : {"raise", "warn"} or None, default=None
        What to do with a recording that cannot be decoded, as in :class:`~sknote.AudioLoader`. None
        is what the pipeline's loader was told.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels, in the order of the columns of `predict_proba`.
    instruments_ : list of str
        Instruments that the pipeline was trained on; any other one counts as unknown.
    sample_rate : int
        Of waveforms, in Hz. Files are resampled; arrays have it already, unless the pipeline's
        loader was told another `input_sample_rate`.

    Notes
    -----
    Notes of like length are computed together, each as if it were alone: to 1e-5, answers do not
    depend on what else was asked. Memory is bounded, however many notes there are. An object may be
    pickled as long as its file is there. The file is checked when it is opened: what `export_onnx`
    would not have written, or not like this (a digest tells), is a ValueError. Files of older
    versions are read, too: those without a digest, and those that take one note at a time.

    It has no `score`, as it is no estimator of scikit-learn: compare what `predict` answers.

    Examples
    --------
    >>> classifier = OnnxNoteClassifier("notes.onnx")  # doctest: +SKIP
    >>> classifier.predict(["a4.wav"], instrument="violin")  # doctest: +SKIP
    array(['good-sound'], dtype='<U10')
    """

    def __init__(self, path, *, n_threads=None, on_error=None):
        runtime = import_optional("onnxruntime", extra="onnx", purpose="OnnxNoteClassifier")
        if not isinstance(path, (str, os.PathLike)):
            raise TypeError(
                f"OnnxNoteClassifier: expected the path of a file, got {type(path).__name__}."
            )
        is_number = isinstance(n_threads, Integral) and not isinstance(n_threads, bool)
        if n_threads is not None and not (is_number and 1 <= n_threads <= 1024):
            raise ValueError(
                f"OnnxNoteClassifier: expected n_threads from 1 to 1024, or None, got "
                f"{n_threads!r}."
            )
        if on_error not in ("raise", "warn", None):
            raise ValueError(
                f"OnnxNoteClassifier: expected on_error 'raise', 'warn' or None, got {on_error!r}."
            )
        self.path = os.path.abspath(path)
        self.n_threads = n_threads
        if not os.path.isfile(self.path):
            raise FileNotFoundError(f"OnnxNoteClassifier: there is no file {self.path!r}.")
        with open(self.path, "rb") as file:
            contents = file.read()
        if contents.startswith(b"PK"):
            raise ValueError(
                f"OnnxNoteClassifier: expected an ONNX file, got a zip file in {self.path!r}. Read "
                "a model that sknote.deploy.save wrote with sknote.deploy.load."
            )
        if (found := other_kind(self.path)) is not None and found[0] != ONNX.name:
            raise ValueError(
                f"OnnxNoteClassifier: expected an ONNX file, got {found[0]} in {self.path!r}. "
                f"{found[1]}"
            )
        _check_whole(contents, self.path)
        self._sha256 = hashlib.sha256(contents).hexdigest()  # by which kept answers know it
        options = runtime.SessionOptions()
        # of one note there is too little to share, and batches are shared among threads
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_mem_pattern = False  # one would be kept for each length that ever came
        options.log_severity_level = 3  # errors
        try:
            self._session = runtime.InferenceSession(
                contents, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime has a class for each of its error codes
            raise ValueError(
                f"OnnxNoteClassifier: {self.path!r} could not be read as an ONNX file: {error}. "
                "If it is cut off, copy it again."
            ) from error
        about = read_about(self._session, self.path)
        _check_digest(contents, self.path)
        self._one_by_one = about["format"] == OLDER
        self.classes_ = about["classes"]
        self.instruments_ = about["instruments"]
        self.sample_rate = about["read"]["sample_rate"]
        self._read = about["read"]
        self._rule = about["rule"]
        n_scores = 0 if self._rule is None else len(self._rule.limits)
        self._width = len(self.classes_) + n_scores
        self._silence = None
        self.on_error = about["on_error"] if on_error is None else on_error
        self._index = {name: i for i, name in enumerate(self.instruments_, start=1)}

    def predict_proba(self, X, instrument=None):
        """Estimate the probability of each class.

        Parameters
        ----------
        X : DataFrame with a column ``audio``, sequence, or array of shape (n_notes, n_samples)
            Paths, bytes, binary file objects or waveforms; a column ``instrument`` if there is one.
        instrument : str, sequence of str or None, default=None
            Of all notes, or of each, where X is no DataFrame. None, and a name that was not seen
            in training, is unknown.

        Returns
        -------
        ndarray of shape (n_notes, n_classes), float64
            Rows sum to 1.

        Raises
        ------
        AudioDecodeError
            If a recording cannot be decoded and `on_error` is "raise".
        """
        return self._judge(X, instrument)[0]

    def predict(self, X, instrument=None):
        """Predict labels.

        Parameters
        ----------
        X : DataFrame with a column ``audio``, sequence, or array of shape (n_notes, n_samples)
            As in :meth:`predict_proba`.
        instrument : str, sequence of str or None, default=None
            As in :meth:`predict_proba`.

        Returns
        -------
        ndarray of shape (n_notes,)
            Members of `classes_`; of a file with a SelectiveClassifier, what that would answer:
            nodes above them and ``"unknown"``, too.
        """
        if self._rule is not None and self.classes_.dtype.kind in "UO":
            return self._table(*self._judge(X, instrument))["answer"].astype(str)
        return self.classes_[self._judge(X, instrument)[0].argmax(axis=1)]

    @_only_with_rule
    def predict_with_confidence(self, X, instrument=None):
        """Answer each note, and say how sure that is and why.

        Only of a file with a :class:`~sknote.confidence.SelectiveClassifier` in it; others do not
        have this method.

        Parameters
        ----------
        X : DataFrame with a column ``audio``, sequence, or array of shape (n_notes, n_samples)
            As in :meth:`predict_proba`.
        instrument : str, sequence of str or None, default=None
            As in :meth:`predict_proba`.

        Returns
        -------
        DataFrame, or dict of str to ndarray where pandas is not installed
            One row a note, with the columns of
            :meth:`SelectiveClassifier.predict_with_confidence
            <sknote.confidence.SelectiveClassifier.predict_with_confidence>`: ``answer``, ``level``,
            ``confidence``, ``runner_up``, ``runner_up_probability`` and ``reason``; with the index
            of X if it has one.
        """
        answers = self._table(*self._judge(X, instrument))
        try:
            import pandas as pd
        except ImportError:
            return answers
        return pd.DataFrame(answers, index=X.index if hasattr(X, "iloc") else None)

    def _table(self, proba, scores, is_silent):
        refused = self._rule.refusals(len(proba), scores, is_silent)
        return self._rule.answer(proba, refused)

    def _judge(self, X, instrument):
        """Return probabilities, scores of novelty, and which notes hold no sound."""
        name = type(self).__name__
        recordings, in_frame = unpack_recordings(X, name)
        if instrument is None:
            instrument = in_frame
            others = [] if in_frame is not None else getattr(X, "columns", [])
            if near := nearest("instrument", others):
                raise ValueError(
                    f"{name}: expected the column 'instrument', got {near[0]!r}. Rename it."
                )
        instruments = _instruments(instrument, len(recordings))
        warn_of_misspelt(instruments, self._index, name, stacklevel=4)
        codes = np.array([self._index.get(one, 0) for one in instruments], dtype=np.int64)
        results = (read_audio(recording, **self._read) for recording in recordings)
        say = {"name": name, "on_error": self.on_error, "rows": caller_rows(X)}
        waveforms = waveforms_or_error(results, recordings, **say)
        found = np.empty((len(recordings), self._width))
        held, n_samples = [], 0
        for stop, waveform in enumerate(waveforms, start=1):
            held.append(np.zeros_like(waveform) if is_constant(waveform) else waveform)
            n_samples += len(waveform)
            if n_samples >= _HELD or stop == len(recordings):
                first = stop - len(held)
                found[first:stop] = self._compute(held, codes[first:stop], X, first)
                held, n_samples = [], 0
        proba, scores = np.split(found, [len(self.classes_)], axis=1)
        # after a temperature, the place in a batch decides how the last digit is rounded
        is_silent = np.isclose(proba, self._of_silence(), rtol=5e-7, atol=1e-12).all(axis=1)
        if len(silent := np.flatnonzero(is_silent)):
            message = (
                f"{name}: there is no sound in {name_rows(silent, X)}. The answer is how frequent "
                "each class was in fit."
            )
            warnings.warn(NoSoundWarning(message, silent), stacklevel=3)
        return proba / proba.sum(axis=1, keepdims=True), scores, is_silent

    def _of_silence(self):
        """The answer for what holds no sound, which no sound gets."""
        if self._silence is None:
            found = self._compute([np.zeros(0, np.float32)], np.zeros(1, np.int64))[0]
            self._silence = found[: len(self.classes_)]
        return self._silence

    def _compute(self, waveforms, codes, X=None, first=0):
        """Answer for waveforms, of which the first is in row `first` of X, in batches."""
        lengths = np.array([len(waveform) for waveform in waveforms], dtype=np.int64)
        proba = np.empty((len(lengths), self._width))

        def compute(rows):
            batch = [waveforms[row] for row in rows]
            proba[rows] = self._answer(batch, codes[rows], rows + first, X)

        firsts = first_equal(waveforms, codes.tolist())  # equal notes are computed once
        different = np.flatnonzero(firsts == np.arange(len(firsts)))
        batch_size = 1 if self._one_by_one else _BATCH
        batches = length_batches(lengths[different], batch_size, _SAMPLES)
        batches = [different[places] for places in batches]
        n_threads = min(self.n_threads or n_cores(), len(batches))
        if n_threads == 1:
            for rows in batches:
                compute(rows)
        else:
            with ThreadPoolExecutor(n_threads) as pool:
                # those that take longest come first
                list(pool.map(compute, reversed(batches)))
        return proba[firsts]

    def _answer(self, waveforms, codes, rows, X):
        """Answer for a batch, whose notes are in these rows of X, if it is of notes."""
        try:
            proba = self._run(waveforms, codes)
        except Exception as error:  # ONNX Runtime has a class for each of its error codes
            if len(waveforms) > 1:  # it is known of one alone which it is
                parts = [slice(i, i + 1) for i in range(len(waveforms))]
                each = [self._answer(waveforms[i], codes[i], rows[i], X) for i in parts]
                return np.concatenate(each)
            raise ValueError(
                f"OnnxNoteClassifier: {self.path!r} cannot compute the note "
                f"{_in_row(int(rows[0]), X)}: {error}"
            ) from error
        if proba.shape != (expected := (len(waveforms), self._width)):
            raise ValueError(
                f"OnnxNoteClassifier: {self.path!r} is probably damaged: expected an answer of "
                f"shape {expected}, got {proba.shape}. Export the pipeline again."
            )
        wrong = np.flatnonzero(~np.isfinite(proba).all(axis=1))
        if len(wrong):
            where = _in_row(int(rows[wrong[0]]), X)
            raise ValueError(
                f"OnnxNoteClassifier: the answer for the note {where} is not finite; {self.path!r} "
                "is probably damaged. Export the pipeline again."
            )
        return proba

    def _run(self, waveforms, codes):
        if self._one_by_one:
            feed = {"waveform": waveforms[0], "instrument": np.asarray(codes[0])}
            return self._session.run(None, feed)[0][None]
        lengths = np.array([len(waveform) for waveform in waveforms], dtype=np.int64)
        padded = np.zeros((len(lengths), max(1, lengths.max())), np.float32)
        for row, waveform in zip(padded, waveforms):
            row[: len(waveform)] = waveform
        feed = {"waveform": padded, "length": lengths, "instrument": codes}
        found = self._session.run(None, feed)
        return found[0] if len(found) == 1 else np.concatenate(found, axis=1)

    def __repr__(self):
        classes, instruments = (_some(names) for names in (self.classes_, self.instruments_))
        return (
            f"OnnxNoteClassifier({self.path!r}): {self.sample_rate} Hz, {len(self.classes_)} "
            f"classes ({classes}), {len(self.instruments_)} instruments ({instruments})"
        )

    def __reduce__(self):
        return _open, (self.path, self.n_threads, self.on_error)


def _check_whole(contents, path):
    """Refuse a graph whose weights are in other files, which the runtime would open."""
    if _ELSEWHERE.search(contents):
        raise ValueError(
            f"OnnxNoteClassifier: {path!r} keeps weights in another file, which export_onnx never "
            "does. Export the pipeline again."
        )


# the key of a file's name, as protobuf writes it: behind its length, 8
_ELSEWHERE = re.compile(rb"(\x08|\x88\x80*\x00)location")


def _check_digest(contents, path):
    if _digest.is_intact(contents) is False:
        raise ValueError(
            f"OnnxNoteClassifier: {path!r} is not as export_onnx wrote it: its digest is another. "
            "Copy it again, or export the pipeline again. If it was changed on purpose, take the "
            f"key {_digest.KEY!r} out of its metadata."
        )


def _open(path, n_threads, on_error):
    return OnnxNoteClassifier(path, n_threads=n_threads, on_error=on_error)


def _in_row(row, X):
    return "without sound" if X is None else f"in {name_rows([row], X)}"


def _some(names, n=3):
    return ", ".join([*map(str, names[:n]), *["..."][: len(names) > n]]) or "none"


def _instruments(instrument, n_notes):
    """One name for each note, None where it is unknown."""
    name = OnnxNoteClassifier.__name__
    if isinstance(instrument, str) or is_missing(instrument):
        instrument = [instrument] * n_notes
    if np.ndim(instrument) != 1:
        raise ValueError(
            f"{name}: expected the name of an instrument, or one for each note, got "
            f"{type(instrument).__name__}."
        )
    if len(instrument) != n_notes:
        raise ValueError(
            f"{name}: expected an instrument for each of {n_notes} notes, got {len(instrument)}."
        )
    return check_instrument(instrument, name)
