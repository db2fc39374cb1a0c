"""export_onnx: a fitted pipeline as one file that needs no Python to run."""

import contextlib
import copy
import importlib
import io
import json
import logging
import threading
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.pipeline import Pipeline

from sknote._files import file_beside
from sknote._optional import import_optional
from sknote._torch import torch_threads
from sknote.confidence._answers import tempered
from sknote.confidence._features import look
from sknote.confidence._within import without_confidence, without_temperature
from sknote.deploy import _digest
from sknote.deploy._about import CONFIDENT, FORMAT, INPUTS, KEY, outputs_of
from sknote.deploy._calibrated import Tempered
from sknote.deploy._confident import describe_rule
from sknote.deploy._confident_model import ConfidentModel
from sknote.deploy._described import describe, described_beside
from sknote.deploy._kinds import ONNX
from sknote.deploy._onnx_classifier import OnnxNoteClassifier
from sknote.pipelines import note_model, note_steps

_CHECKED = (0.02, 0.3, 1.0, 2.7)  # seconds of what a file is compared with its pipeline on
_CLOSE = 0.01  # how far probabilities may be apart


@torch_threads()
def export_onnx(pipeline, path):
    """Write a fitted pipeline to an ONNX file: from the waveform to probabilities.

    The file takes notes in batches, of any number and length. Its inputs are ``waveform``, float32
    of shape (n_notes, n_samples), at the loader's sample rate and padded with zeros at the end;
    ``length``, int64 of shape (n_notes,), samples before padding; and ``instrument``, int64 of
    shape (n_notes,): 0 is unknown, the others as in `instruments`. Its output ``probabilities`` has
    shape (n_notes, n_classes). Classes, instruments and the sample rate are in its metadata, as
    JSON under the key ``sknote``, and a digest of all the file, by which damage is noticed, under
    ``sknote_sha256``. Any ONNX runtime can run it; :class:`~sknote.deploy.OnnxNoteClassifier` does
    so from recordings.

    A :class:`~sknote.confidence.SelectiveClassifier` goes into the file, too: its temperature is in
    the probabilities; its threshold, nodes and limits are in the metadata, under ``confidence``;
    and what limits are about is a second output, ``novelty``, of shape (n_notes, n_limits).

    For runtimes that cannot read metadata, such as those of browsers, the same stands in a file
    beside it, ``notes.json`` for ``notes.onnx``, with names and shapes of inputs and outputs, and
    the SHA-256 of the ONNX file.

    Before it is put in its place, the file's answers are compared with the pipeline's.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted, with the steps :class:`~sknote.AudioLoader`, :class:`~sknote.Spectrogram` and
        :class:`~sknote.NoteClassifier`, as :func:`~sknote.make_note_pipeline` makes it, or a
        search that found one. The first two may be in a
        :class:`~sknote.feature_extraction.FeatureCache`. Around it may be one temperature: a
        :class:`~sklearn.calibration.CalibratedClassifierCV` with ``method="temperature"`` that did
        not fit several pipelines. Or a SelectiveClassifier, or one around its last step.
    path : str or path
        The file, by custom named ``.onnx``. An ONNX file that is there is replaced, and so is the
        JSON file beside it if `export_onnx` wrote it.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    TypeError
        If it is no such pipeline. The message says what to take out of it.
    FileExistsError
        If another file is where the ONNX file, or the JSON file, should be.
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
    fitted = pipeline
    pipeline, selective, _ = without_confidence(fitted)
    pipeline, calibrator = without_temperature(pipeline, "export_onnx")
    load, _, classify = steps = note_steps(pipeline, "export_onnx", fitted)
    model = copy.deepcopy(note_model(pipeline, portable=True, caller="export_onnx")).cpu().float()
    if selective is not None:
        betas = [] if calibrator is None else [calibrator.beta_]
        novelty = selective.novelty_ if selective.rule_.limits else None
        model = ConfidentModel(model, [*betas, selective.beta_], novelty)
    elif calibrator is not None:
        model = Tempered(model, calibrator)
    is_wrapped = calibrator is not None or selective is not None
    about = json.dumps(
        _about(load, classify, fitted if is_wrapped else classify, selective),
        default=lambda value: value.item() if hasattr(value, "item") else str(value),
    )
    with (
        file_beside(path, "export_onnx", ONNX) as beside,
        described_beside(path) as described,
    ):
        with _ONE_AT_A_TIME:
            program = _translate(model, load.sample_rate, outputs_of(json.loads(about)))
        program.model.metadata_props[KEY] = about
        program.model.metadata_props[_digest.KEY] = _digest.BLANK
        program.save(beside)
        _digest.sign(beside)
        _compare(beside, *steps, calibrator, selective)
        describe(described, beside, json.loads(about))
    return Path(path)


# What is computed of constants alone, of up to so many values, stands in the file: a runtime need
# not find it out, which takes a browser longer than all the rest of loading.
_FOLDED = {"input_size_limit": 2**20, "output_size_limit": 2**22}
# torch's exporter keeps its state for the whole process
_ONE_AT_A_TIME = threading.Lock()


def _about(load, classify, labelled, selective):
    classes = labelled.classes_  # what calibrates a network may have numbered the labels for it
    told = {} if selective is None else {"confidence": describe_rule(selective.rule_)}
    return told | {
        "format": FORMAT if selective is None else CONFIDENT,
        "classes": classes.tolist(),
        "dtype": classes.dtype.str,
        "instruments": list(classify.instruments_),
        "read": load.read_options(),
        "on_error": load.on_error,
    }


def _translate(model, sample_rate, outputs):
    # sizes of 0 and 1 would be taken for the only ones
    n_samples = torch.full((2,), sample_rate)
    example = (torch.zeros(2, sample_rate), n_samples, torch.zeros(2, dtype=torch.int64))
    n_notes, any_length = {0: torch.export.Dim.DYNAMIC}, {1: torch.export.Dim.DYNAMIC}
    shapes = {"waveforms": n_notes | any_length, "n_samples": n_notes, "instrument": n_notes}
    optimizer = importlib.import_module("onnxscript.optimizer")
    try:
        with torch.no_grad(), _silence():
            program = torch.export.export(
                model,
                example,
                dynamic_shapes=shapes,
                # lengths below the example's are compared with the pipeline, not reasoned about
                prefer_deferred_runtime_asserts_over_guards=True,
            )
            exported = torch.onnx.export(
                program,
                input_names=INPUTS,
                output_names=outputs,
                verbose=False,
            )
            exported.model = optimizer.optimize(exported.model, **_FOLDED)
            return exported
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


def _compare(path, load, spectrogram, classify, calibrator, selective):
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
    known = getattr(classify, "feature_names_in_", ())
    columns = [name for name in known if name in ("audio", "instrument")]
    if "audio" in columns:
        instruments = [None, *classify.instruments_[-1:]]
        given = [instruments[i // 2 % len(instruments)] for i in range(len(X))]
        frame = {"audio": pd.Series(X, dtype=object), "instrument": pd.Series(given, dtype=object)}
        X = pd.DataFrame({name: frame[name] for name in columns})
    expected = pipeline.predict_proba(X)
    if calibrator is not None:
        expected = calibrator.predict(expected)
    found, more = exported.predict_proba(X), ""
    if selective is not None:
        expected = tempered(expected, selective.beta_)
    difference = np.abs(found - expected).max()
    if selective is not None and selective.rule_.limits:
        scores = selective.novelty_(look(classify, pipeline[:-1].transform(X)).features)
        apart = np.abs(exported._judge(X, None)[1] - scores) / (1.0 + np.abs(scores))
        difference, more = max(difference, apart.max()), ", or its scores,"
    if not difference <= _CLOSE:
        raise RuntimeError(
            f"export_onnx: on noise and tones the file's probabilities{more} differ from the "
            f"pipeline's by up to {difference:.2g}. Nothing was written. Use a Spectrogram with "
            "another n_fft."
        )
