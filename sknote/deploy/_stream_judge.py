"""The model of a stream: one waveform in, the probabilities of its classes out."""

import contextlib
import functools

import numpy as np

from sknote._input.choices import warn_of_misspelt, warn_of_unknown
from sknote.audio import read_audio, resample
from sknote.passages import array_rate, ask_model, instruments_of


class Judge:
    """Asks a model about notes of one instrument, one by one.

    Parameters
    ----------
    model : object
        Fitted, with `predict_proba` and `classes_`.
    instrument : str or None
        That plays.
    sample_rate : int or None
        Of the waveforms, in Hz; None is what the model takes.
    """

    def __init__(self, model, instrument, sample_rate):
        kind = type(model).__name__
        is_class = isinstance(model, type)
        kind = f"the class {model.__name__} itself" if is_class else kind
        if is_class or not hasattr(model, "predict_proba") or not hasattr(model, "classes_"):
            raise TypeError(
                f"NoteStream: expected a fitted model with predict_proba and classes_, got {kind}. "
                "Fit it, or load one with sknote.deploy.load."
            )
        if instrument is not None and not isinstance(instrument, str):
            raise TypeError(
                "NoteStream: expected the name of an instrument or None, got "
                f"{type(instrument).__name__}."
            )
        warn_of_unknown(instrument, instruments_of(model), "NoteStream", stacklevel=4)
        self._kind = kind
        self._is_confident = hasattr(model, "predict_with_confidence")
        self.classes = np.asarray(model.classes_).tolist()
        self._model_rate = array_rate(model)
        self.sample_rate = sample_rate or self._model_rate
        self._ask = None if self._is_confident else _note_model(model, instrument)
        self._ask = self._ask or functools.partial(_any, model, instrument)
        # the first answer takes long, and a model that gives none is told now
        noise = np.random.default_rng(0).normal(0.0, 0.01, self.sample_rate // 2)
        self(noise.astype(np.float32))

    def __call__(self, waveform):
        """Return the probabilities of the classes, a list of float.

        Of a model that has `predict_with_confidence`, what that says of the note, a dict.
        """
        proba = self._ask(resample(waveform, self.sample_rate, self._model_rate))
        if self._is_confident:
            return {name: next(iter(values)) for name, values in proba.items()}
        with contextlib.suppress(TypeError, ValueError):
            proba = np.asarray(proba, dtype=float)
        proba = np.asarray(proba)
        is_proba = proba.shape == (1, len(self.classes)) and proba.dtype == float
        if not is_proba or not (np.abs(proba - 0.5) < 0.501).all():  # which NaN is not
            raise ValueError(
                f"NoteStream: expected of {self._kind} a finite probability for each of its "
                f"{len(self.classes)} classes, got shape {proba.shape}: {proba.ravel()[:3]}."
            )
        return proba[0].tolist()


def _note_model(model, instrument):
    """Ask the network of a note pipeline itself, which spares half of the time; None for others."""
    if not hasattr(model, "steps") and not hasattr(model, "best_estimator_"):
        return None
    from sknote.pipelines import note_model, note_steps

    try:
        loader, _, classifier = note_steps(model, "NoteStream")
    except TypeError:
        return None
    import torch

    from sknote._torch import torch_threads

    known = classifier.instruments_
    warn_of_misspelt([instrument], known, "NoteStream", stacklevel=4)
    module, read_options = note_model(model), loader.read_options()
    device = next(module.parameters()).device
    code = known.index(instrument) + 1 if instrument in known else 0
    code = torch.tensor([code], device=device)

    def ask(waveform):
        waveform, error, _ = read_audio(waveform, **read_options)
        if error is not None:
            raise error
        with torch_threads(classifier.n_threads or 1), torch.inference_mode():
            batch = torch.from_numpy(waveform)[None].to(device)
            length = torch.tensor([len(waveform)], device=device)
            return module(batch, length, code).double().cpu().numpy()

    return ask


def _any(model, instrument, waveform):
    return ask_model(model, [waveform], instrument)
