"""explain_note: which stretches of time and which bands of a note carried the answer."""

import dataclasses

import numpy as np
from sklearn.exceptions import NotFittedError

from sknote.audio._pitch import note_pitch
from sknote.confidence._answers import UNKNOWN
from sknote.inspection._models import node_columns
from sknote.inspection._recording import reader
from sknote.inspection._sentence import describe_place, say

_TOP = 0.1  # share of the cells that count as the part that mattered


def explain_note(model, recording, instrument=None, *, label=None):
    """Find which stretches of time and which bands of a note carried a model's answer.

    Parts of the note are hidden behind the note's own noise, and the model is asked again: what it
    misses most is what it heard. The note is covered by a grid of time and frequency that begins
    where it sounds.

    Parameters
    ----------
    model : estimator or OnnxNoteClassifier
        Fitted on notes: a pipeline such as :func:`~sknote.make_note_pipeline`, what
        :func:`sknote.deploy.load` returns, a search or a calibrated classifier around a pipeline,
        an :class:`~sknote.deploy.OnnxNoteClassifier`; or anything with ``classes_`` and
        ``predict_proba`` that takes a list of waveforms.
    recording : path, bytes, binary file, ndarray of shape (n_samples,), or tuple
        One note. An array has the sample rate that the model expects of arrays, or comes in a pair
        with its own; of stereo, with the shape (n_samples, n_channels), the mean is heard.
    instrument : str or None, default=None
        Who plays. A model that was fitted without instruments does not look at it.
    label : str or None, default=None
        What to explain: one of ``model.classes_``, or a node above some of them, such as ``"bad"``,
        of the model's hierarchy (``LabelHierarchy()`` if it has none). None is the answer; where
        that is ``"unknown"``, the most probable label.

    Returns
    -------
    NoteExplanation
        The grid, a sentence, a picture and a sound.

    Raises
    ------
    AudioDecodeError
        If the recording cannot be decoded, or holds what is no number.
    TypeError
        If the model has no ``predict_proba``, or several recordings come at once.
    NotFittedError
        If the model is not fitted.
    ValueError
        If it knows neither a label nor a node of this name.

    See Also
    --------
    sknote.predict_passage : What a model says of every note of a passage.

    Notes
    -----
    A cell is hidden in two ways, of which the mean counts: what it holds above the note's own noise
    floor is taken away, and what it holds is brought to what the note has there for most of the
    time, which also fills a gap. Neither changes it by more than 30 dB, and edges are soft: zeros
    would be loud in dB, and a deep hole is a fault of its own. Patches of cells are hidden
    together, and what that costs is shared out among them by ridge regression, as in RISE [1]_.
    A pipeline of :func:`~sknote.make_note_pipeline` is asked for changed spectrograms, any other
    model for changed waveforms, which takes longer. The same note is always explained the same.

    References
    ----------
    .. [1] V. Petsiuk, A. Das and K. Saenko, "RISE: Randomized input sampling for explanation of
       black-box models", BMVC 2018.

    Examples
    --------
    >>> from sknote import make_note_pipeline
    >>> from sknote.datasets import make_notes
    >>> from sknote.inspection import explain_note
    >>> notes = make_notes(40, labels=["good-sound", "air-outside"], random_state=0)
    >>> model = make_note_pipeline(classify__max_epochs=2, classify__random_state=0)
    >>> explanation = explain_note(model.fit(notes.data, notes.target), notes.data.audio[0])
    >>> explanation.importance.shape == (len(explanation.times) - 1, len(explanation.bands) - 1)
    True
    """
    from sknote.inspection._asking import answer_of, listen

    classes = _check_model(model)
    if not (instrument is None or isinstance(instrument, str)):
        raise TypeError(
            f"explain_note: expected the name of one instrument, or None, got "
            f"{type(instrument).__name__}."
        )
    columns = None if label is None else _columns_of(label, model, classes)
    read = reader(recording)
    answer, level, reason = answer_of(model, read, instrument) or (None, None, "")
    if columns is None and level not in (None, UNKNOWN):
        label, columns = answer, node_columns(model, answer, level)
    heard = listen(model, read, instrument, columns)
    number = heard.pop("best")
    best = classes[number]
    is_other = columns is not None and number not in columns
    return NoteExplanation(
        label=best if label is None else label,
        answer=best if answer is None else answer,
        most_probable=best,
        reason=reason if level == UNKNOWN else "",
        pitch=float(note_pitch(heard["waveform"], heard["sample_rate"])),
        against=bool(is_other and heard["importance"].sum() < 0),
        **heard,
    )


@dataclasses.dataclass(frozen=True, eq=False)
class NoteExplanation:
    """What :func:`explain_note` found of one note.

    Parameters
    ----------
    label : str
        What is explained: a label, or a node above labels.
    probability : float
        Of it, as the model says it; of a node, that of its labels together.
    answer : str
        What the model answers: the most probable label, or of a
        :class:`~sknote.confidence.SelectiveClassifier`, what that says, which may be a node or
        ``"unknown"``.
    most_probable : str
        The most probable label.
    reason : str
        Why the answer is ``"unknown"``, in the model's words; ``""`` if it is not.
    importance : ndarray of shape (n_times, n_bands)
        How much of the label's log-odds each cell carries; below 0 it speaks against the label.
    times : ndarray of shape (n_times + 1,)
        Edges of the cells in seconds from the beginning of the recording.
    bands : ndarray of shape (n_bands + 1,)
        Edges of the cells in Hz.
    waveform : ndarray of shape (n_samples,)
        The note.
    sample_rate : int
        Of the waveform, in Hz.
    decibels : ndarray of shape (n_frames, n_bins)
        The spectrogram that the picture shows.
    axes : SpectralAxes
        What its frames and bins mean.
    pitch : float
        MIDI number with fractions, NaN if unknown.
    silent : bool
        Whether there is no sound at all; nothing was important then.
    too_short : bool
        Whether there are less than 50 ms, of which no part can be told from others; nothing was
        important then.
    against : bool
        Whether the most probable label is another one, and the note as a whole speaks against
        `label`: the sentence and the sound are about what does, then.
    """

    label: object
    probability: float
    answer: object
    most_probable: object
    reason: str
    importance: np.ndarray = dataclasses.field(repr=False)
    times: np.ndarray = dataclasses.field(repr=False)
    bands: np.ndarray = dataclasses.field(repr=False)
    waveform: np.ndarray = dataclasses.field(repr=False)
    sample_rate: int = dataclasses.field(repr=False)
    decibels: np.ndarray = dataclasses.field(repr=False)
    axes: object = dataclasses.field(repr=False)
    pitch: float = dataclasses.field(repr=False)
    silent: bool = False
    too_short: bool = False
    against: bool = False

    @property
    def top(self):
        """Which cells mattered most, a tenth of all, (n_times, n_bands), bool."""
        importance = self._told
        n_top = max(1, round(_TOP * importance.size))
        order = np.argsort(-importance, axis=None, kind="stable")[:n_top]
        chosen = np.zeros(importance.size, bool)
        chosen[order] = importance.flat[order] > 0
        return chosen.reshape(importance.shape)

    @property
    def _told(self):
        """How much each cell says of what is told: for the label, or against it."""
        return -self.importance if self.against else self.importance

    @property
    def _title(self):
        """Lines: the answer where there is none, and what is explained."""
        what = f"{self.label} ({self.probability:.0%})"
        if not self.reason:
            return [what]
        if self.label == self.most_probable:
            what = f"most probable label {what}"
        return [f"{self.answer} ({self.reason})", what]

    @property
    def sentence(self):
        """The explanation in a musician's words."""
        what = "; ".join(self._title)
        if self.too_short:
            seconds = len(self.waveform) / self.sample_rate
            return f"{what}: too short to say by what it was heard ({1000 * seconds:.2g} ms)."
        if self.silent:
            return f"{what}: there is no sound in the recording."
        place = describe_place(self._told, self.top)
        if place is None:
            return f"{what}: heard in no part of the note more than in others."
        speaks = "what speaks against it is " if self.against else ""
        return f"{what}: {speaks}{say(place, self.times, self.bands, self.pitch)}."

    def to_audio(self):
        """Leave of the note what mattered, as loud at its loudest as the note was.

        Returns
        -------
        waveform : ndarray of shape (n_samples,), float32
            Silent where no part mattered.
        sample_rate : int
            In Hz.
        """
        from sknote.inspection._occlusion import cells_of, with_gains

        top = self.top
        if self.silent or not top.any():
            return np.zeros(len(self.waveform), np.float32), self.sample_rate
        shown = cells_of(self.decibels, self.axes).masks(top[None])[0]
        change = np.where(shown > 1e-5, 20 * np.log10(np.maximum(shown, 1e-5)), -100.0)
        part = with_gains(self.waveform, self.axes, change.astype(np.float32))
        loudest = max(float(np.abs(part).max()), 1e-12)
        return (part * (float(np.abs(self.waveform).max()) / loudest)).astype(
            np.float32
        ), self.sample_rate

    def plot(self, ax=None):
        """Draw the note, and over it what mattered.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        matplotlib Axes
        """
        from sknote.inspection._drawing import place
        from sknote.inspection._explanation_plot import draw

        return draw(self, place(self, ax, None)[1])


def _check_model(model):
    """Return the classes of a fitted model; refuse what is none."""
    kind = type(model).__name__
    if isinstance(model, type) or not callable(getattr(model, "predict_proba", None)):
        raise TypeError(
            f"explain_note: expected a model with predict_proba, got {kind}. Pass a fitted "
            "pipeline, or an OnnxNoteClassifier."
        )
    if getattr(model, "classes_", None) is None:
        raise NotFittedError(
            f"explain_note: expected a fitted model, got {kind} without classes_. Call fit first."
        )
    inner = model
    while hasattr(inner, "estimator_"):  # of a SelectiveClassifier, for example
        inner = inner.estimator_
    if hasattr(inner, "net_"):
        raise TypeError(
            f"explain_note: expected a pipeline that takes recordings, got {kind}, which takes "
            "spectrograms. Pass the pipeline around it, such as make_note_pipeline makes."
        )
    return np.asarray(model.classes_)


def _columns_of(label, model, classes):
    """Return the columns of a label, or of those below a node."""
    columns = np.flatnonzero(classes == label) if np.isscalar(label) else ()
    if not len(columns) and np.isscalar(label):
        columns = node_columns(model, label)
    if len(columns):
        return columns
    known = f"{classes.tolist()[:8]}{' and others' if len(classes) > 8 else ''}"
    if isinstance(label, str) and label == UNKNOWN:
        raise ValueError(
            f"explain_note: expected a label or a node above some, got {UNKNOWN!r}, which is the "
            "answer where neither is sure. Pass label=None to explain what is most probable then, "
            f"or one of {known}."
        )
    raise ValueError(
        f"explain_note: the model does not know the label {label!r}. It knows {known}, and the "
        "nodes above them, if it has a hierarchy."
    )
