"""export_onnx: a fitted pipeline as one file that needs no Python to run."""

import contextlib
import copy
import io
import json
import logging
import os
import tempfile
import threading
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted
from torch import nn

from sknote._optional import import_optional
from sknote.classifier import NoteClassifier
from sknote.deploy._onnx_classifier import FORMAT, OnnxNoteClassifier
from sknote.feature_extraction import AudioLoader, FeatureCache, Spectrogram
from sknote.nn import SpectrogramFrontend

__all__ = ["export_onnx"]

_CHECKED = (0.02, 0.3, 1.0, 2.7)  # seconds of what a file is compared with its pipeline on
_CLOSE = 0.01  # how far probabilities may be apart


def export_onnx(pipeline, path):
    """Write a fitted pipeline to an ONNX file: from the waveform to probabilities.

    The file has the inputs ``waveform``, float32 of shape (n_samples,) at the loader's sample rate,
    and ``instrument``, an int64 scalar: 0 is unknown, the others as in `instruments`. Its output
    ``probabilities`` has shape (n_classes,). Classes, instruments and the sample rate are in its
    metadata, as JSON under the key ``sknote``. Any ONNX runtime can run it;
    :class:`~sknote.deploy.OnnxNoteClassifier` does so from recordings.

    Before it is put in its place, the file's answers are compared with the pipeline's.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted, with the steps :class:`~sknote.AudioLoader`, :class:`~sknote.Spectrogram` and
        :class:`~sknote.NoteClassifier`, as :func:`~sknote.make_note_pipeline` makes it. The first
        two may be in a :class:`~sknote.feature_extraction.FeatureCache`.
    path : str or path
        The file, by custom named ``.onnx``. One that is there is replaced.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    RuntimeError
        If the network has an operation that ONNX lacks, or answers differ by more than 0.01.

    Examples
    --------
    >>> from sknote.deploy import export_onnx
    >>> export_onnx(pipeline, "notes.onnx")  # doctest: +SKIP
    PosixPath('notes.onnx')
    """
    for package in ("onnxscript", "onnxruntime"):
        import_optional(package, extra="onnx", purpose="export_onnx")
    load, spectrogram, classify = steps = _steps(pipeline)
    check_is_fitted(classify)
    check_is_fitted(spectrogram)
    n_bins = spectrogram._settings()["n_bins"]
    if n_bins != classify.n_bins_:
        raise ValueError(
            f"export_onnx: the classifier was fitted on spectrograms of {classify.n_bins_} bins, "
            f"and now they have {n_bins}. Fit the pipeline again."
        )
    with _beside(path) as beside:
        with _ONE_AT_A_TIME:
            program = _translate(_Whole(spectrogram, classify).eval(), load.sample_rate)
        program.model.metadata_props["sknote"] = json.dumps(
            _about(load, classify),
            default=lambda value: value.item() if hasattr(value, "item") else str(value),
        )
        program.save(beside)
        _compare(beside, *steps)
        os.replace(beside, path)
    return Path(path)


@contextlib.contextmanager
def _beside(path):
    """Give a name in a folder of its own beside a file, which is known to be writable then."""
    if not isinstance(path, (str, os.PathLike)) or not os.fspath(path):
        raise TypeError(f"export_onnx: expected the path of a file to write, got {path!r}.")
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"export_onnx: {str(path)!r} is a folder. Name a file in it.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"export_onnx: there is no folder {str(path.parent)!r}.")
    try:
        folder = tempfile.TemporaryDirectory(dir=path.parent, prefix=".export-")
    except OSError as error:
        raise OSError(
            f"export_onnx: nothing can be written in {str(path.parent)!r}: {error.strerror}."
        ) from error
    with folder:
        yield Path(folder.name) / path.name


# torch's exporter keeps its state for the whole process
_ONE_AT_A_TIME = threading.Lock()


class _Whole(nn.Module):
    """All steps after the loader as one module, for one note."""

    def __init__(self, spectrogram, classify):
        super().__init__()
        self.frontend = SpectrogramFrontend(**spectrogram._settings(), portable=True)
        self.normalize = spectrogram.normalize
        self.half = spectrogram.dtype == "float16"
        if self.normalize == "band":
            self._keep("band_mean", spectrogram.mean_)
            self._keep("band_scale", spectrogram.scale_)
        self.frame_rate = classify.frame_rate_
        self.summarize = getattr(classify.module_class_, "summarize", None)
        self._keep("mean", classify.mean_)
        self._keep("scale", classify.scale_)
        self.network = copy.deepcopy(classify.net_.module_).cpu()
        self.float()

    def _keep(self, name, values):
        self.register_buffer(name, torch.as_tensor(np.asarray(values), dtype=torch.float32))

    def forward(self, waveform, instrument):
        n_samples = torch.full((1,), waveform.shape[0], dtype=torch.int64)
        values, lengths = self.frontend(waveform[None], n_samples)
        if self.normalize == "note":
            deviation = values.std(correction=0)
            values = (values - values.mean()) / torch.where(deviation > 1e-3, deviation, 1.0)
        elif self.normalize == "band":
            values = (values - self.band_mean) / self.band_scale
        if self.half:
            values = values.half().float()
        x = {"spectrogram": values}
        if self.summarize is not None:
            x = dict(self.summarize(values, lengths, self.frame_rate))
        x["spectrogram"] = (x["spectrogram"] - self.mean) / self.scale
        logits = self.network(**x, lengths=lengths, instrument=instrument[None])
        return logits.softmax(dim=1)[0]


def _steps(pipeline):
    """Take the three steps out of a pipeline, also where a cache or a pipeline holds some."""
    steps = _flat(pipeline)
    wanted = (AudioLoader, Spectrogram, NoteClassifier)
    if len(steps) != len(wanted) or not all(map(isinstance, steps, wanted)):
        names = [type(step).__name__ for step in steps]
        raise TypeError(
            "export_onnx: expected a pipeline with the steps AudioLoader, Spectrogram and "
            f"NoteClassifier, got {names}. Make it with make_note_pipeline."
        )
    return steps


def _flat(step):
    if isinstance(step, Pipeline):
        parts = [part for _, part in step.steps if part is not None and part != "passthrough"]
        return [inner for part in parts for inner in _flat(part)]
    return _flat(step.transformer) if isinstance(step, FeatureCache) else [step]


def _about(load, classify):
    return {
        "format": FORMAT,
        "classes": classify.classes_.tolist(),
        "dtype": classify.classes_.dtype.str,
        "instruments": list(classify.instruments_),
        "read": load._options(),
        "on_error": load.on_error,
    }


def _translate(model, sample_rate):
    example = (torch.zeros(sample_rate), torch.tensor(0))
    shapes = {"waveform": {0: torch.export.Dim.DYNAMIC}, "instrument": {}}
    try:
        with torch.no_grad(), _silence():
            program = torch.export.export(
                model,
                example,
                dynamic_shapes=shapes,
                # lengths below the example's are compared with the pipeline, not reasoned about
                prefer_deferred_runtime_asserts_over_guards=True,
            )
            return torch.onnx.export(
                program,
                input_names=["waveform", "instrument"],
                output_names=["probabilities"],
                verbose=False,
            )
    except Exception as error:  # torch has no class for what it cannot export
        name = type(model.network).__name__
        raise RuntimeError(
            f"export_onnx: {name} could not be exported: {error}\nA network of your own must "
            "consist of operations that torch.onnx.export knows, and not branch on values."
        ) from error


@contextlib.contextmanager
def _silence():
    """Keep torch's exporter from talking of packages that it looks for and does not need."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _compare(path, load, spectrogram, classify):
    """Refuse a file that answers otherwise than its pipeline, on noise and on tones."""
    exported = OnnxNoteClassifier(path)
    pipeline = Pipeline([("load", load), ("spectrogram", spectrogram), ("classify", classify)])
    rate = load.input_sample_rate or load.sample_rate
    rng = np.random.default_rng(0)
    waveforms = []
    for seconds in _CHECKED:
        time = np.arange(max(2, round((load.offset + seconds) * rate))) / rate
        tone = sum(np.sin(2.0 * np.pi * 440.0 * k * time) / k for k in range(1, 6))
        fading = np.where(time < load.offset + seconds / 2, tone * np.exp(-2.0 * time), 0.0)
        waveforms += [rng.normal(0.0, 0.1, len(time)), 0.2 * fading]
    X = [waveform.astype(np.float32) for waveform in waveforms]
    columns = [name for name in getattr(classify, "feature_names_in_", ()) if name in _COLUMNS]
    if "audio" in columns:
        instruments = [None, *classify.instruments_[-1:]]
        given = [instruments[i // 2 % len(instruments)] for i in range(len(X))]
        frame = {"audio": pd.Series(X, dtype=object), "instrument": pd.Series(given, dtype=object)}
        X = pd.DataFrame({name: frame[name] for name in columns})
    difference = np.abs(exported.predict_proba(X) - pipeline.predict_proba(X)).max()
    if not difference <= _CLOSE:
        raise RuntimeError(
            "export_onnx: on noise and tones the file's probabilities differ from the pipeline's "
            f"by up to {difference:.2g}. Nothing was written. Use a Spectrogram with another n_fft."
        )


_COLUMNS = ("audio", "instrument")
