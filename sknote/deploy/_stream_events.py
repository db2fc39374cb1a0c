"""What a NoteStream tells: events."""

from dataclasses import dataclass

__all__ = ["NoteEvent"]


@dataclass(frozen=True, slots=True)
class NoteEvent:
    """Something that a :class:`~sknote.deploy.NoteStream` tells of a note.

    All times are in seconds since the first sample of the stream.

    Parameters
    ----------
    kind : {"began", "revised", "judged", "withdrawn"}
        "began": there is a note. "revised": what it sounds like so far, as it still sounds; the
        next such event revises it. "judged": the final verdict, the last event of a note.
        "withdrawn": in place of a verdict, it was no note, but a noise, or the turn of a trill.
    number : int
        Number of the note, from 1 on, in the order in which notes began.
    at : float
        Where the stream was when this was decided. It depends on the sound alone, not on when the
        samples came.
    onset : float
        Where the note begins. The one of the verdict is final; it may differ a little from those
        before.
    offset : float or None, default=None
        Where it ends; None as long as that is not known, and of a note that was judged because it
        is the longest that there may be.
    label : object, default=None
        The most probable class; None where the note only began. Of a model with a
        :class:`~sknote.confidence.SelectiveClassifier` its answer: also a node above classes, or
        ``"unknown"``.
    probability : float or None, default=None
        Of the label; of ``"unknown"``, of the most probable class.
    runner_up : object, default=None
        The second most probable class; None if there is no other.
    runner_up_probability : float or None, default=None
        Of the second.
    probabilities : tuple of float or None, default=None
        Of all classes, in the order of the model's `classes_`; None of a SelectiveClassifier.
    level : str or None, default=None
        Of a SelectiveClassifier, at which level it is sure.
    reason : str or None, default=None
        Of a SelectiveClassifier, why it answers so.
    """

    kind: str
    number: int
    at: float
    onset: float
    offset: float | None = None
    label: object = None
    probability: float | None = None
    runner_up: object = None
    runner_up_probability: float | None = None
    probabilities: tuple | None = None
    level: str | None = None
    reason: str | None = None


def verdict(proba, classes):
    """Return what an event says of an answer of a model, a dict.

    Of probabilities, or of a dict of what `predict_with_confidence` says of a note.
    """
    if isinstance(proba, dict):
        said = {"label": proba["answer"], "probability": float(proba["confidence"])}
        said |= {name: proba[name] for name in ("runner_up", "level", "reason")}
        other = proba.get("runner_up_probability")
        known = other is not None and proba["runner_up"] is not None
        return said | {"runner_up_probability": float(other) if known else None}
    best, *others = sorted(range(len(proba)), key=lambda i: -proba[i])[:2]
    said = {"label": classes[best], "probability": proba[best], "probabilities": tuple(proba)}
    for other in others:
        said |= {"runner_up": classes[other], "runner_up_probability": proba[other]}
    return said
