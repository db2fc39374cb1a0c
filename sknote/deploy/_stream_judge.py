"""The model of a stream: one waveform in, the probabilities of its classes out."""

import inspect

import numpy as np

from sknote.audio import read_audio, resample

_INNER = ("best_estimator_", "estimator_", "estimator", "transformer")
_INNER_LISTS = ("calibrated_classifiers_", "estimators_")


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
        if not hasattr(model, "predict_proba") or not hasattr(model, "classes_"):
            raise TypeError(
                f"NoteStream: expected a fitted model with predict_proba and classes_, got {kind}. "
                "Fit it, or load one with sknote.deploy.load."
            )
        if instrument is not None and not isinstance(instrument, str):
            raise TypeError(
                "NoteStream: expected the name of an instrument or None, got "
                f"{type(instrument).__name__}."
            )
        self._kind = kind
        self.classes = np.asarray(model.classes_).tolist()
        self._model_rate = _rate_of(model) or sample_rate
        self.sample_rate = sample_rate or self._model_rate
        if self.sample_rate is None:
            raise ValueError(
                f"NoteStream: {kind} does not tell at which rate it takes samples. Pass "
                "sample_rate."
            )
        self._ask = _note_model(model, instrument) or _any_model(model, instrument)
        # the first answer takes long, and a model that gives none is told now
        noise = np.random.default_rng(0).normal(0.0, 0.01, self.sample_rate // 2)
        self(noise.astype(np.float32))

    def __call__(self, waveform):
        """Return the probabilities of the classes, a list of float."""
        proba = self._ask(resample(waveform, self.sample_rate, self._model_rate))
        proba = np.asarray(proba, dtype=float)
        if proba.shape != (1, len(self.classes)) or not np.isfinite(proba).all():
            raise ValueError(
                f"NoteStream: expected of {self._kind} a finite probability for each of its "
                f"{len(self.classes)} classes, got shape {proba.shape}: {proba.ravel()[:3]}."
            )
        return proba[0].tolist()


def _rate_of(model):
    """Find out at which rate a model, or what is inside of it, takes arrays of samples."""
    for _ in range(9):
        if hasattr(model, "read_options"):  # an AudioLoader
            read = model.read_options()
        else:
            read = getattr(model, "_read", None)  # of an exported pipeline
        if read:
            return read["input_rate"] or read["sample_rate"]
        if rate := getattr(model, "sample_rate", None):
            return rate
        model = _inside(model)
    return None


def _inside(model):
    if steps := getattr(model, "steps", None):
        return steps[0][1]
    for name in _INNER:
        if hasattr(model, name):
            return getattr(model, name)
    for name in _INNER_LISTS:
        if len(parts := getattr(model, name, ())):
            return parts[0]
    return None


def _note_model(model, instrument):
    """Ask the network of a note pipeline itself, which spares half of the time; None for others."""
    if not hasattr(model, "steps") and not hasattr(model, "best_estimator_"):
        return None
    from sknote._input.choices import warn_of_misspelt
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


def _any_model(model, instrument):
    """Ask a model as its users do."""
    if "instrument" in inspect.signature(model.predict_proba).parameters:
        return lambda waveform: model.predict_proba([waveform], instrument=instrument)
    columns = getattr(model, "feature_names_in_", ())
    if "audio" not in columns:
        return lambda waveform: model.predict_proba([waveform])
    import pandas as pd

    def ask(waveform):
        row = dict.fromkeys(columns) | {"audio": waveform}
        if "instrument" in row:
            row["instrument"] = instrument
        return model.predict_proba(
            pd.DataFrame({name: pd.Series([value], dtype=object) for name, value in row.items()})
        )

    return ask
