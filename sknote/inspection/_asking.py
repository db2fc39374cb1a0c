"""Listen to a note through a model: the one place that tells kinds of models apart."""

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted

from sknote._torch import torch_threads
from sknote.confidence._within import without_confidence, without_temperature
from sknote.inspection._models import confident
from sknote.inspection._occlusion import Hidden, cells_of, measure, with_gains
from sknote.passages import array_rate, ask_model
from sknote.pipelines import note_model, note_steps
from sknote.spectral import SpectralAxes, SpectrogramFrontend
from sknote.spectral._silence import is_silent

__all__ = ["answer_of", "hear", "listen"]

_SHORTEST = 0.05  # seconds, of which less is no note


def listen(model, read, instrument, columns):
    """Find how much each part of a note matters to a model.

    Parameters
    ----------
    model : estimator
        Fitted.
    read : callable
        Takes the arguments of ``read_audio``; returns the waveform.
    instrument : str or None
        Who plays.
    columns : ndarray of int or None
        Columns of the labels to explain together; None is the most probable one's.

    Returns
    -------
    dict
        Fields of a ``NoteExplanation``, and the column of the most probable label.
    """
    hidden, axes, waveform = hear(model, read, instrument)
    decibels = hidden.decibels
    whole = hidden.log_proba(np.zeros((1, *decibels.shape), np.float32), hidden.to_noise)
    best = int(whole[0].argmax())
    columns = np.array([best]) if columns is None else columns
    cells, silent = cells_of(decibels, axes), is_silent(decibels)
    too_short = 0 < len(waveform) < _SHORTEST * axes.sample_rate
    shape = len(cells.in_time), len(cells.in_frequency)
    says_nothing = silent or too_short
    return {
        "importance": np.zeros(shape) if says_nothing else measure(hidden, cells, columns, whole),
        "times": cells.seconds(axes),
        "bands": cells.hertz(axes),
        "waveform": waveform,
        "sample_rate": int(axes.sample_rate),
        "decibels": decibels,
        "axes": axes,
        "silent": bool(silent),
        "too_short": bool(too_short),
        "probability": min(1.0, float(np.exp(whole[0, columns]).sum())),
        "best": best,
    }


def answer_of(model, read, instrument):
    """Return answer, level and reason of a model that may answer no label; None of any other."""
    asked = confident(model)
    if asked is None:
        return None
    waveform = read({"sample_rate": array_rate(model)})
    table = ask_model(asked, [waveform], instrument, "predict_with_confidence")
    return tuple(np.asarray(table[name], dtype=object)[0] for name in ("answer", "level", "reason"))


def hear(model, read, instrument):
    """Return a note that can be hidden from a model in parts, its axes and its waveform.

    Takes what :func:`listen` takes.
    """
    network = _network_of(model)
    if network is None:
        rate = array_rate(model)
        waveform = read({"sample_rate": rate})  # the model itself cuts and resamples it
        axes = SpectralAxes(sample_rate=rate)
        decibels = _decibels(SpectrogramFrontend(axes), waveform)
        ask = _of_waveforms(model, waveform, axes, instrument)
        return Hidden(decibels, ask, of_sound=True), axes, waveform
    network, options, codes, betas = network
    waveform = read(options)
    decibels = _decibels(network.frontend, waveform)
    ask = _of_spectrograms(network, codes.get(instrument, 0), betas)
    return Hidden(decibels, ask, of_sound=False), network.axes, waveform


def _network_of(model):
    """Return the module of a note pipeline, how it reads, and its codes; None of other models.

    Last come the inverse temperatures that its probabilities are brought to, one after another.
    """
    model, selective, _ = without_confidence(model)
    try:
        model, calibrator = without_temperature(model, "explain_note")
        load, _, classify = note_steps(model, "explain_note")
    except TypeError:
        return None
    check_is_fitted(classify)
    codes = {name: code for code, name in enumerate(classify.instruments_, start=1)}
    betas = [one.beta_ for one in (calibrator, selective) if one is not None]
    return note_model(model), load.read_options(), codes, betas


def _decibels(frontend, waveform):
    samples = torch.from_numpy(np.ascontiguousarray(waveform, dtype=np.float32))[None]
    with torch_threads(), torch.inference_mode():
        values, n_frames = frontend(samples, torch.tensor([samples.shape[1]]))
    return values[0, : int(n_frames)].numpy()


def _of_spectrograms(model, code, betas):
    """Return what asks a NoteModel for log-probabilities of decibels, (batch, frames, bins)."""

    def ask(decibels):
        with torch_threads(), torch.inference_mode():
            device = next(model.parameters()).device
            x = torch.from_numpy(np.ascontiguousarray(decibels, dtype=np.float32)).to(device)
            lengths = torch.full((len(x),), x.shape[1], device=device)
            if model.normalization is not None:
                x = model.normalization(x, lengths)
            logits = model.logits(x, lengths, torch.full_like(lengths, code))
            log_proba = logits.double().log_softmax(dim=1)
            for beta in betas:
                log_proba = (beta * log_proba).log_softmax(dim=1)
            return log_proba.cpu().numpy()

    return ask


def _of_waveforms(model, waveform, axes, instrument):
    """Return what asks any model for log-probabilities of a waveform, changed by so many dB."""

    def ask(changes):
        waveforms = [with_gains(waveform, axes, change) for change in changes]
        proba = ask_model(model, waveforms, instrument, "predict_proba")
        proba = np.asarray(proba, dtype=float)
        return np.log(np.maximum(proba, 1e-12))

    return ask
