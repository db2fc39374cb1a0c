"""Every note of a passage, judged by a model of single notes.

This file imports neither torch nor scikit-learn, and pandas for a DataFrame alone.
"""

import inspect
import os
import warnings
from numbers import Real

import numpy as np

from sknote._input.choices import warn_of_unknown
from sknote._input.frames import as_object_array
from sknote._optional import import_optional
from sknote.audio import read_audio
from sknote.audio._bounds import HIGHEST_RATE, LOWEST_RATE
from sknote.audio._pitch import note_pitch
from sknote.exceptions import AudioDecodeError, AudioDecodeWarning

__all__ = ["array_rate", "judge_notes", "predict_passage"]

COLUMNS = ("start", "end", "pitch", "label", "confidence", "runner_up")
CONFIDENT = ("level", "reason")  # of models that say how sure they are
_ANSWER = ("answer", "confidence", "runner_up", *CONFIDENT)
# Seconds before a note that come along, as far as no other note sounds there. What is after it does
# not, so that a stream, which cannot wait for it, says the same.
BEFORE = 0.05
_USUAL_RATE = 22050


def predict_passage(model, recording, instrument=None):
    """Cut a recording of one instrument into notes, and predict the label of each.

    Parameters
    ----------
    model : estimator or OnnxNoteClassifier
        Fitted on single notes: a pipeline such as :func:`~sknote.make_note_pipeline`, what
        :func:`sknote.deploy.load` returns, an :class:`~sknote.deploy.OnnxNoteClassifier`, a search
        or a calibrated classifier around a pipeline; or anything with ``classes_`` and
        ``predict_proba`` that takes a list of waveforms.
    recording : path, bytes, binary file, ndarray, or (samples, sample_rate)
        The passage. Samples without a rate have the one that the model expects of arrays
        (for most, 22050 Hz).
    instrument : str or None, default=None
        Who plays. A model that was fitted without instruments does not look at it.

    Returns
    -------
    DataFrame
        One row a note, in order; none, with a warning, if no note was found:

        - ``start``, ``end``: onset and offset in seconds.
        - ``pitch``: MIDI number with fractions (69.2 is an A4, 20 cents sharp); NaN if unknown.
        - ``label``: the most probable of ``model.classes_``.
        - ``confidence``: its probability, as the model says it.
        - ``runner_up``: the second most probable label; missing if there is one class.

        Of a model with a :class:`~sknote.confidence.SelectiveClassifier`, ``label`` is its answer,
        which may be a node above labels, or ``"unknown"``, and there are two more columns,
        ``level`` and ``reason``.

    Raises
    ------
    AudioDecodeError
        If the recording cannot be decoded, or holds what is no number.
    TypeError
        If the model has no ``predict_proba``, or the instrument is no name.
    ValueError
        If the model is not fitted, or the sample rate is none.

    See Also
    --------
    sknote.audio.segment_notes : The notes alone.

    Notes
    -----
    All notes are predicted in one call. Each comes with up to 50 ms before it, as far as no other
    note sounds there: the model crops what does not sound by itself. A note that is slurred to its
    neighbours has no attack and no release of its own; a model of single notes never heard such, so
    trust what it says of attacks less there. :class:`~sknote.deploy.NoteStream` says the same while
    it is played.

    Examples
    --------
    >>> from sknote import predict_passage
    >>> from sknote.deploy import load
    >>> model = load("notes.sknote")  # doctest: +SKIP
    >>> predict_passage(model, "scale.wav", instrument="flute")  # doctest: +SKIP
    """
    pd = import_optional("pandas", purpose="predict_passage")
    if not (instrument is None or isinstance(instrument, str)):
        raise TypeError(
            "predict_passage: expected the name of one instrument, or None, got "
            f"{type(instrument).__name__}. Cut the recording where the instrument changes."
        )
    rate = array_rate(model)
    waveform = _read(recording, rate)
    classes = np.asarray(model.classes_)
    warn_of_unknown(instrument, instruments_of(model), "predict_passage")
    notes, pitches, found = judge_notes(model, waveform, rate, instrument)
    if not len(notes):
        warnings.warn(
            f"predict_passage: found no notes in {len(waveform) / rate:.2f} s of sound, so the "
            "table is empty.",
            stacklevel=2,
        )
    places = (notes[:, 0], notes[:, 1], pitches)
    if isinstance(found, dict):
        names = (*COLUMNS, *CONFIDENT)
        return pd.DataFrame(dict(zip(names, (*places, *(found[name] for name in _ANSWER)))))
    proba = found
    order = np.argsort(-proba, axis=1, kind="stable")
    rows = np.arange(len(notes))
    best = order[:, 0] if len(notes) else np.zeros(0, int)
    if len(classes) > 1:
        runner_up = classes[order[:, 1]] if len(notes) else classes[:0]
    else:
        runner_up = np.full(len(notes), None, dtype=object)
    values = (*places, classes[best], proba[rows, best], runner_up)
    return pd.DataFrame(dict(zip(COLUMNS, values)))


def judge_notes(model, waveform, sample_rate, instrument=None):
    """Find the notes of a waveform and judge them, in one call of the model.

    Parameters
    ----------
    model : estimator or OnnxNoteClassifier
        As in :func:`predict_passage`.
    waveform : ndarray of shape (n_samples,)
        The passage, at the model's rate (`array_rate`).
    sample_rate : int
        Samples per second.
    instrument : str or None, default=None
        Who plays.

    Returns
    -------
    notes : ndarray of shape (n_notes, 2)
        Onset and offset in seconds.
    pitches : ndarray of shape (n_notes,)
        MIDI numbers with fractions, NaN if unknown.
    found : ndarray of shape (n_notes, n_classes), or dict of str to ndarray
        Probabilities; or, of a model that has `predict_with_confidence`, the columns of that.
    """
    from sknote.audio import segment_notes

    notes = np.asarray(segment_notes(waveform, sample_rate), dtype=float).reshape(-1, 2)
    alone = [_samples(waveform, sample_rate, start, end) for start, end in notes]
    pitches = np.array([note_pitch(note, sample_rate) for note in alone], dtype=float)
    is_confident = hasattr(model, "predict_with_confidence")
    if not len(notes):
        none = dict.fromkeys(_ANSWER, np.zeros(0, dtype=object))
        return notes, pitches, none if is_confident else np.zeros((0, len(model.classes_)))
    with warnings.catch_warnings():
        # which is said of the whole recording
        warnings.filterwarnings("ignore", ".* full scale", AudioDecodeWarning)
        found = ask_model(model, _with_lead(waveform, sample_rate, notes), instrument)
    if is_confident:
        return notes, pitches, {name: np.asarray(found[name]) for name in _ANSWER}
    return notes, pitches, _check_answers(found, len(notes), model)


def _check_answers(proba, n_notes, model):
    """Return a model's answers as an array; refuse what are no probabilities."""
    shape = n_notes, len(model.classes_)
    try:
        values = np.asarray(proba, dtype=float)
    except (TypeError, ValueError):
        values = np.asarray(proba, dtype=object)
    if values.shape == shape and values.dtype == float and (np.abs(values - 0.5) < 0.501).all():
        return values  # NaN is not less than anything
    raise ValueError(
        f"predict_passage: expected of {type(model).__name__} probabilities of shape {shape}, one "
        f"row a note, got {type(proba).__name__} of shape {values.shape}: "
        f"{', '.join(map(repr, values.ravel()[:3].tolist()))}."
    )


def array_rate(model):
    """Sample rate in Hz that a model expects of waveforms; what is no model is an error.

    Parameters
    ----------
    model : estimator or OnnxNoteClassifier
        As in :func:`predict_passage`.

    Returns
    -------
    int
        That of its loader's arrays, 22050 if it has none.
    """
    if not callable(getattr(model, "predict_proba", None)):
        remedy = "Pass a fitted pipeline, or an OnnxNoteClassifier"
        if isinstance(model, (str, os.PathLike)):
            remedy = "Load the model with sknote.deploy.load, and pass it before the recording"
        raise TypeError(
            "predict_passage: expected a model with predict_proba, got "
            f"{type(model).__name__}. {remedy}."
        )
    if getattr(model, "classes_", None) is None:
        raise ValueError(
            f"predict_passage: expected a fitted model, got {type(model).__name__} without "
            "classes_. Call fit first."
        )
    asked = reading_of(model)
    return int(asked.get("input_rate") or asked.get("sample_rate") or _USUAL_RATE)


def reading_of(model):
    """Say how a model reads recordings.

    Parameters
    ----------
    model : object
        As in :func:`predict_passage`.

    Returns
    -------
    dict
        Arguments of :func:`~sknote.audio.read_audio`; empty if it does not say.
    """
    asked = getattr(model, "_read", None)  # of an OnnxNoteClassifier
    if asked is None and (loader := _loader_of(model)) is not None:
        asked = loader.read_options()
    return asked or {}


def _loader_of(model):
    """Find the AudioLoader that a model begins with, inside of searches and other wrappers."""
    for _ in range(9):
        if hasattr(model, "read_options"):
            return model
        if hasattr(model, "steps"):
            model = model.steps[0][1]
            continue
        inner = ("best_estimator_", "estimator_", "estimator", "transformer")
        found = [getattr(model, name) for name in inner if hasattr(model, name)]
        if not found:
            return None
        model = found[0]
    return None


def with_own_rate(recording, caller):
    """Take a pair of samples and their rate apart; of any other recording the rate is None."""
    if not isinstance(recording, tuple) or len(recording) != 2:
        return recording, None
    recording, rate = recording
    is_number = isinstance(rate, Real) and not isinstance(rate, bool)
    is_within = is_number and LOWEST_RATE <= rate <= HIGHEST_RATE
    if not is_within or rate != int(rate):
        raise ValueError(
            f"{caller}: expected (samples, sample_rate), with a whole number of {LOWEST_RATE} to "
            f"{HIGHEST_RATE} Hz, got a rate of {rate if is_number else type(rate).__name__}. Pass "
            "the samples first, and the rate that they were recorded at."
        )
    return recording, int(rate)


def _read(recording, rate):
    """Decode a recording of any kind."""
    several = recording if isinstance(recording, list) else ()
    if any(isinstance(one, (str, os.PathLike)) for one in several):
        raise TypeError(
            f"predict_passage: expected one recording, got a list of {len(several)}. Call it for "
            "each of them."
        )
    name = _name_of(recording)
    recording, own_rate = with_own_rate(recording, "predict_passage")
    waveform, error, remarks = read_audio(recording, sample_rate=rate, input_rate=own_rate or rate)
    if error is not None:
        raise AudioDecodeError(f"predict_passage: {name} could not be decoded: {error}.") from error
    for remark in remarks:
        warnings.warn(f"predict_passage: {name}: {remark}.", AudioDecodeWarning, stacklevel=3)
    return waveform


def _name_of(recording):
    if isinstance(recording, (str, os.PathLike)):
        return repr(os.fspath(recording))
    return f"the recording of type {type(recording).__name__}"


def _samples(waveform, sample_rate, start, end):
    return waveform[max(0, round(start * sample_rate)) : max(0, round(end * sample_rate))]


def _with_lead(waveform, sample_rate, notes):
    """Cut out each note, with a little of what is before it."""
    places = np.maximum(0, np.round(notes * sample_rate)).astype(int)
    before = np.concatenate([[0], places[:-1, 1]])
    starts = np.maximum(places[:, 0] - round(BEFORE * sample_rate), before)
    starts = np.minimum(places[:, 0], starts)
    return [waveform[start:stop] for start, stop in zip(starts, places[:, 1])]


def instruments_of(model):
    """List the instruments that a fitted model has seen.

    Parameters
    ----------
    model : object
        A pipeline, a search, a classifier, or something around one.

    Returns
    -------
    list of str
        Empty where it has seen none, or does not say.
    """
    model = getattr(model, "best_estimator_", model)
    steps = [step for _, step in getattr(model, "steps", ())]
    for part in (model, *reversed(steps)):
        if known := getattr(part, "instruments_", None):
            return list(known)
    # of a CachedClassifier, and of what is around a pipeline or its last step
    inner = getattr(model, "model", None) or getattr((steps or [model])[-1], "estimator_", None)
    return [] if inner is None else instruments_of(inner)


def ask_model(model, waveforms, instrument, method=None):
    """Ask a model about notes, in the form of X that it was fitted on.

    By a `method`; None is `predict_with_confidence`, or if it has none, `predict_proba`.
    """
    if method is None:
        method = "predict_with_confidence"
        method = method if hasattr(model, method) else "predict_proba"
    ask = getattr(model, method)
    columns = getattr(model, "feature_names_in_", None)
    if columns is None and "instrument" in inspect.signature(ask).parameters:
        return ask(waveforms, instrument=instrument)
    items = as_object_array(waveforms)
    # a PassageClassifier is told that all of them are of one
    last = model.steps[-1][1] if hasattr(model, "steps") else model
    takes = inspect.signature(last.predict_proba).parameters
    how = {"passages": np.zeros(len(items), int)} if "passages" in takes else {}
    if columns is None:
        return ask(items, **how)
    import pandas as pd

    known = {"audio": items, "instrument": np.full(len(items), instrument, dtype=object)}
    missing = np.full(len(items), None, dtype=object)
    X = {name: pd.Series(known.get(name, missing), dtype=object) for name in columns}
    return ask(pd.DataFrame(X), **how)
