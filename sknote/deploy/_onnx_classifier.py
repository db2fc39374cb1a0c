"""OnnxNoteClassifier: an exported pipeline, run by ONNX Runtime."""

import hashlib
import os
import warnings
from numbers import Integral

import numpy as np

from sknote._input.choices import nearest, warn_of_misspelt
from sknote._input.content import content_key
from sknote._input.forms import (
    caller_rows,
    check_instrument,
    is_missing,
    name_rows,
    unpack_recordings,
)
from sknote._optional import import_optional
from sknote.audio import read_audio, waveforms_or_error
from sknote.deploy import _digest
from sknote.deploy._about import read_about
from sknote.exceptions import AudioDecodeWarning


class OnnxNoteClassifier:
    """Predict labels with a pipeline that :func:`~sknote.deploy.export_onnx` wrote.

    It takes recordings, as the pipeline did, and answers as the pipeline would. It needs NumPy,
    soundfile, soxr and ONNX Runtime (the extra ``onnx``), and imports neither torch nor
    scikit-learn nor pandas.

    Parameters
    ----------
    path : str or path
        The file.
    n_threads : int, default=1
        Threads within a note; more than one seldom pay.
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
    Notes are computed one by one, so that an answer never depends on what else was asked. An
    object may be pickled as long as its file is there. The file is checked when it is opened: what
    `export_onnx` would not have written, or not like this (a digest tells), is a ValueError. Files
    without a digest, of an older version, are read.

    Examples
    --------
    >>> classifier = OnnxNoteClassifier("notes.onnx")  # doctest: +SKIP
    >>> classifier.predict(["a4.wav"], instrument="violin")  # doctest: +SKIP
    array(['good-sound'], dtype='<U10')
    """

    def __init__(self, path, *, n_threads=1, on_error=None):
        runtime = import_optional("onnxruntime", extra="onnx", purpose="OnnxNoteClassifier")
        if not isinstance(path, (str, os.PathLike)):
            raise TypeError(
                f"OnnxNoteClassifier: expected the path of a file, got {type(path).__name__}."
            )
        if not isinstance(n_threads, Integral) or not 1 <= n_threads <= 1024:
            raise ValueError(
                f"OnnxNoteClassifier: expected n_threads from 1 to 1024, got {n_threads!r}."
            )
        if on_error not in ("raise", "warn", None):
            raise ValueError(
                f"OnnxNoteClassifier: expected on_error 'raise', 'warn' or None, got {on_error!r}."
            )
        self.path = os.path.abspath(path)
        self.n_threads = n_threads
        if not os.path.isfile(self.path):
            raise FileNotFoundError(f"OnnxNoteClassifier: there is no file {self.path!r}.")
        _check_whole(self.path)
        options = runtime.SessionOptions()
        options.intra_op_num_threads = n_threads
        options.log_severity_level = 3  # errors
        try:
            self._session = runtime.InferenceSession(
                self.path, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime has a class for each of its error codes
            raise ValueError(
                f"OnnxNoteClassifier: {self.path!r} could not be read as an ONNX file: {error}"
            ) from error
        about = read_about(self._session, self.path)
        self._check_digest()
        self.classes_ = about["classes"]
        self.instruments_ = about["instruments"]
        self.sample_rate = about["read"]["sample_rate"]
        self._read = about["read"]
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
        warn_of_misspelt(instruments, self._index, name, stacklevel=3)
        codes = [self._index.get(one, 0) for one in instruments]
        results = (read_audio(recording, **self._read) for recording in recordings)
        say = {"name": name, "on_error": self.on_error, "rows": caller_rows(X)}
        waveforms = waveforms_or_error(results, recordings, **say)
        proba, silent = np.empty((len(recordings), len(self.classes_))), []
        known = {}  # equal notes are computed once
        for row, (waveform, code) in enumerate(zip(waveforms, codes)):
            first = known.setdefault((content_key(waveform), code), row)
            proba[row] = self._run(waveform, code, row, X) if first == row else proba[first]
            if (proba[row] == self._of_silence()).all():
                silent.append(row)
        if silent:
            message = (
                f"{name}: there is no sound in {name_rows(silent, X)}. The answer is how frequent "
                "each class was in fit."
            )
            warnings.warn(message, AudioDecodeWarning, stacklevel=2)
        return proba / proba.sum(axis=1, keepdims=True)

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
            Members of `classes_`.
        """
        return self.classes_[self.predict_proba(X, instrument).argmax(axis=1)]

    def _of_silence(self):
        """The answer for what holds no sound, which no sound gets."""
        if self._silence is None:
            self._silence = self._run(np.zeros(0, np.float32), 0)
        return self._silence

    def _check_digest(self):
        with open(self.path, "rb") as file:
            contents = file.read()
        self._sha256 = hashlib.sha256(contents).hexdigest()  # for a cache of answers
        if _digest.is_intact(contents) is False:
            raise ValueError(
                f"OnnxNoteClassifier: {self.path!r} is not as export_onnx wrote it: its digest "
                "is another. Copy it again, or export the pipeline again. If it was changed on "
                f"purpose, take the key {_digest.KEY!r} out of its metadata."
            )

    def _run(self, waveform, code, row=None, X=None):
        """Answer for a waveform, in a row of X if it is of it."""
        feed = {"waveform": waveform, "instrument": np.array(code, dtype=np.int64)}
        try:
            proba = self._session.run(None, feed)[0]
        except Exception as error:  # ONNX Runtime has a class for each of its error codes
            raise ValueError(
                f"OnnxNoteClassifier: {self.path!r} cannot compute the note {_in_row(row, X)}: "
                f"{error}"
            ) from error
        if not np.isfinite(proba).all():
            raise ValueError(
                f"OnnxNoteClassifier: the answer for the note {_in_row(row, X)} is not finite; "
                f"{self.path!r} is probably damaged. Export the pipeline again."
            )
        return proba

    def __repr__(self):
        classes, instruments = (_some(names) for names in (self.classes_, self.instruments_))
        return (
            f"OnnxNoteClassifier({self.path!r}): {self.sample_rate} Hz, {len(self.classes_)} "
            f"classes ({classes}), {len(self.instruments_)} instruments ({instruments})"
        )

    def __reduce__(self):
        return _open, (self.path, self.n_threads, self.on_error)


def _check_whole(path):
    """Refuse a graph whose weights are in other files, which the runtime would open."""
    with open(path, "rb") as file:
        if _ELSEWHERE in file.read():
            raise ValueError(
                f"OnnxNoteClassifier: {path!r} keeps weights in another file, which export_onnx "
                "never does. Export the pipeline again."
            )


_ELSEWHERE = b"\n\x08location\x12"  # the key of a file's name, as protobuf writes it


def _open(path, n_threads, on_error):
    return OnnxNoteClassifier(path, n_threads=n_threads, on_error=on_error)


def _in_row(row, X):
    return "without sound" if row is None else f"in {name_rows([row], X)}"


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
