"""The notes that a model was surest and wrong about: what they look and sound like."""

import os
import warnings

import numpy as np

from sknote._input.forms import caller_rows
from sknote.exceptions import AudioDecodeWarning
from sknote.inspection._spectrogram_display import SpectrogramDisplay
from sknote.inspection.report._page import escape, image, sound
from sknote.passages import reading_of
from sknote.spectral import SpectralAxes, SpectrogramFrontend, compute_spectrograms

_LONGEST = 12.0  # seconds of a note that are shown and can be heard


class Recordings:
    """Recordings as a model reads them: one at a time, so that any number of them has room."""

    def __init__(self, items, loader):
        self.items = items
        self.loader = loader
        self.sample_rate = loader.sample_rate

    def seconds(self):
        """Return how long each is; 0 where one cannot be decoded."""
        return np.array([len(self.waveform(row)) for row in range(len(self.items))], float) / (
            self.sample_rate
        )

    def waveform(self, row):
        """Return one, empty if it cannot be decoded."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AudioDecodeWarning)  # the model has said it
            return self.loader.transform([self.items[row]])[0]


def recordings_of(model, X):
    """Return the recordings of X, or None if it holds other features."""
    from sknote.feature_extraction import AudioLoader

    items = X["audio"] if "audio" in getattr(X, "columns", ()) else X
    if not _are_recordings(items):
        return None
    how = reading_of(model)
    loader = AudioLoader(
        how.get("sample_rate", AudioLoader().sample_rate),
        input_sample_rate=how.get("input_rate"),
        offset=how.get("offset", 0.0),
        max_duration=how.get("max_duration"),
        on_error="warn",
    )
    return Recordings(_as_list(items), loader)


def worst_notes(model, X, answers, instrument, recordings, *, n_notes, sounds, told=None):
    """Return HTML of the notes whose wrong labels were the surest, the surest first.

    `told` is what a model answered that need not give a label, by the names of its columns.
    """
    wrong = np.flatnonzero(~answers.right)
    order = wrong[np.argsort(-answers.confidence[wrong], kind="stable")][:n_notes]
    items = None if recordings is None else recordings.items
    rows, found = caller_rows(X), []
    for row in order.tolist():
        true = answers.classes == answers.y_true[row]
        chance = float(answers.proba[row, true].sum())
        text = (
            f"heard as {answers.y_pred[row]} with a probability of {answers.confidence[row]:.2f}; "
            f"its label, {answers.y_true[row]}, has {chance:.2f}"
        )
        if told is not None:
            text += f"; the answer is {told['answer'][row]}"
        who = None if instrument is None else str(instrument[row])
        parts = [f"<h3>{escape(_name(items, rows, row))}</h3>"]
        parts.append(f"<p>{escape(f'{who}, ' if who else '')}{escape(text)}.</p>")
        waveform = () if recordings is None else recordings.waveform(row)
        if len(waveform):
            waveform = waveform[: int(_LONGEST * recordings.sample_rate)]
            parts += _look(model, items[row], who, waveform, recordings.sample_rate)
            if sounds:
                parts.append(sound(waveform, recordings.sample_rate))
        found.append(f"<article>{''.join(parts)}</article>")
    return found


def _look(model, item, instrument, waveform, sample_rate):
    """Return HTML of a note's explanation, or of its spectrogram where there can be none."""
    from matplotlib.figure import Figure

    from sknote.inspection import explain_note

    if model is not None:
        try:
            who = None if instrument == "unknown" else instrument
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", AudioDecodeWarning)  # the model has said it
                explanation = explain_note(model, item, who)
            figure = Figure((6.5, 3.6), layout="constrained")
            explanation.plot(figure.subplots())
            picture = image(figure, "The note, and what of it the answer rests on")
            return [picture, f"<p>{escape(explanation.sentence)}</p>"]
        except (TypeError, ValueError):
            pass  # it cannot ask this model; the note itself can be shown
    axes = SpectralAxes(sample_rate=sample_rate)
    values = compute_spectrograms(SpectrogramFrontend(axes), [waveform])[0]
    return [
        image(SpectrogramDisplay(values, axes).plot().figure_, "Spectrogram of the note", "dark")
    ]


def _are_recordings(items):
    """Tell whether items are paths, bytes or waveforms of their own, and no rows of features."""
    if isinstance(items, np.ndarray) and items.dtype.kind in "fiu":
        return False
    if hasattr(items, "columns") or not len(items):
        return False
    first = _as_list(items)[0]
    if isinstance(first, (str, bytes, os.PathLike)):
        return True
    return isinstance(first, np.ndarray) and first.ndim == 1


def _as_list(items):
    return items.to_list() if hasattr(items, "to_list") else list(items)


def _name(items, rows, row):
    """Name a note: by its file, else by what the caller calls its row."""
    item = None if items is None else items[row]
    if isinstance(item, (str, os.PathLike)):
        return os.path.basename(os.fspath(item))
    return f"row {row}" if rows is None else f"row {row} (index {rows[row]!r})"
