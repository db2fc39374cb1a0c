"""A whole pipeline as a document and arrays, and back."""

import platform
from importlib.metadata import version

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from sknote._interval import plain_number
from sknote._lazy import find
from sknote.classifier import NoteClassifier
from sknote.confidence._within import INSIDE, without_confidence
from sknote.deploy._checks import (
    OtherFormatError,
    WrongError,
    are_names,
    are_names_or_none,
    check_record,
    is_flag,
    is_list,
    is_number,
    is_object,
    is_text,
    is_whole,
    short,
)
from sknote.deploy.model_file._boosting import (
    describe_boosting,
    restore_boosting_step,
    restore_trees,
)
from sknote.deploy.model_file._confidence import (
    PREFIX,
    describe_confidence,
    restore_confidence,
    restore_novelty,
)
from sknote.deploy.model_file._hierarchy import decode_hierarchy, encode_hierarchy, is_hierarchy
from sknote.deploy.model_file._network import (
    describe_classifier,
    restore_classifier,
    restore_network,
)
from sknote.deploy.model_file._steps import (
    describe_spectrogram,
    describe_step,
    describe_summary,
    restore_bands,
    restore_spectrogram,
    restore_step,
    restore_summary,
    step_axes,
)
from sknote.feature_extraction import AudioLoader, MFCCSummary, Spectrogram
from sknote.pipelines import NotePipeline, _flat, changed_since_fit, note_steps, step_names

FORMAT = 2  # 1 is without confidence

_PIPELINES = {one.__name__: one for one in (NotePipeline, Pipeline)}
_USUAL = {"note": ("load", "spectrogram", "classify"), "baseline": ("load", "mfcc", "classify")}
_KNOWN = (AudioLoader, Spectrogram, NoteClassifier, MFCCSummary, HistGradientBoostingClassifier)
_PACKAGES = ("numpy", "pandas", "scikit-learn", "torch", "skorch")


def describe(model, about):
    """Return a document and arrays of a fitted pipeline; `about` is what is told of it besides."""
    whole = model
    model, selective, where = without_confidence(whole)
    pipeline, steps, kind = _taken_apart(model, whole)
    names = [name for name, _ in pipeline.steps] if pipeline is not None else _USUAL[kind]
    load, middle, classify = steps
    arrays = {}
    entries = [describe_step(load, names[0])]
    if kind == "note":
        entries.append(describe_spectrogram(middle, names[1], arrays))
        entries.append(describe_classifier(classify, names[2], arrays))
        if changed := changed_since_fit(middle, classify):
            raise WrongError(f"{changed}. Fit the pipeline again")
    else:
        entries.append(describe_summary(middle, names[1]))
        entries.append(describe_boosting(classify, names[2], middle, arrays))
        middle.check_unchanged()
    document = {
        "format": 1 if selective is None else FORMAT,
        "kind": kind,
        "pipeline": {
            "class": "NotePipeline" if pipeline is None else type(pipeline).__name__,
            "names": list(names),
            "transform_input": None if pipeline is None else pipeline.transform_input,
            "verbose": False if pipeline is None else bool(pipeline.verbose),
        },
        "steps": entries,
        "about": encode_about(about),
        "versions": {package: version(package) for package in _PACKAGES}
        | {"sknote": find("sknote.__version__"), "python": platform.python_version()},
    }
    if selective is not None:
        told = describe_confidence(selective, where, classify.classes_, arrays)
        document["confidence"] = told
    return document, {name: _as_written(array) for name, array in arrays.items()}


def _as_written(array):
    """In one piece, and of a byte order and a type that files have."""
    array = np.asarray(array)
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).reshape(array.shape)


def _taken_apart(model, whole):
    """Return a pipeline of three plain steps, or None where they were inside others; and those.

    Messages name the steps of the `whole` that it was taken out of.
    """
    while hasattr(model, "best_estimator_") or isinstance(model, FrozenEstimator):
        model = getattr(model, "best_estimator_", None) or model.estimator
    plain = isinstance(model, Pipeline) and [step for _, step in model.steps]
    steps = _flat(model)
    if any(isinstance(step, MFCCSummary) for step in steps):
        kind, wanted = "baseline", (AudioLoader, MFCCSummary, HistGradientBoostingClassifier)
        if len(steps) != 3 or not all(map(isinstance, steps, wanted)):
            raise WrongError(
                f"expected a pipeline with the steps {', '.join(one.__name__ for one in wanted)}, "
                f"got {step_names(whole)}. Keep one with another classifier than the baseline's by "
                "joblib.dump"
            )
    else:
        kind, steps = "note", note_steps(model, "save", whole)
    for step in steps:
        if type(step) not in _KNOWN:
            raise WrongError(
                f"the step {type(step).__name__} is a class of your own, and a file that names no "
                "code cannot bring it back. Use sknote's own steps, or pickle the pipeline"
            )
    if plain != list(steps) or type(model) not in _PIPELINES.values():
        return None, steps, kind
    if model.memory is not None:
        raise WrongError(
            "the pipeline has a memory, a place on this machine. It is needed to train, not to "
            "predict: call set_params(memory=None) before"
        )
    return model, steps, kind


def restore(archive, device=None):
    """Make the pipeline that was described, and what is told of it besides."""
    document = check_document(archive.document)
    names, entries = document["pipeline"]["names"], document["steps"]
    specs, own_specs = _parted(archive.specs)
    if own_specs and "confidence" not in document:
        raise WrongError(f"{short(PREFIX + min(own_specs))} is of something that is not there")
    load = restore_step(entries[0], {"AudioLoader": AudioLoader})
    if document["kind"] == "note":
        middle = restore_spectrogram(entries[1], specs)
        classify = restore_classifier(entries[2], specs)
        classes = classify.classes_
        if not classify.axes_.agrees_with(step_axes(middle)):
            raise WrongError("its spectrogram and its classifier have different axes")
    else:
        middle = restore_summary(entries[1])
        classify, classes, columns = restore_boosting_step(entries[2], middle, specs)
    told = document["pipeline"]
    pipeline = _PIPELINES[told["class"]](
        list(zip(names, (load, middle, classify))),
        transform_input=told["transform_input"],
        verbose=told["verbose"],
    )
    selective = None
    if "confidence" in document:
        told = document["confidence"]
        selective = restore_confidence(told, pipeline, classify, classes, own_specs)
    arrays, own_arrays = _parted(archive.arrays())
    if document["kind"] == "note":
        restore_network(classify, entries[2], specs, arrays, device)
        restore_bands(middle, arrays)
        classify._as_fitted = middle.meaning()
    else:
        restore_trees(classify, entries[2], classes, columns, arrays)
    for step in (load, middle):
        if hasattr(step, "n_features_in_"):
            step._as_fitted = step.meaning()
    if selective is not None:
        restore_novelty(selective, own_arrays)
        if document["confidence"]["where"] == INSIDE:
            pipeline.steps[-1] = (names[-1], selective)
        else:
            pipeline = selective
    return pipeline, decode_about(document["about"])


def _parted(named):
    """Part what is by name into that of the steps, and that of the confidence in them."""
    own = {name: one for name, one in named.items() if name.startswith(PREFIX)}
    rest = {name: one for name, one in named.items() if name not in own}
    return rest, {name.removeprefix(PREFIX): one for name, one in own.items()}


def check_document(document):
    """Check all of a document but what is in its steps."""
    number = document.get("format")
    if not is_whole(number, 1):
        raise WrongError(f"its format is {short(number)}, and should be a whole number")
    if number > FORMAT:
        raise OtherFormatError(short(number))
    more = {"confidence": is_object} if number == FORMAT else {}
    check_record(
        document,
        "its document",
        **more,
        format=is_number,
        kind=_is_kind,
        pipeline=is_object,
        steps=_are_steps,
        about=is_object,
        versions=_are_texts,
    )
    told = {"class": _is_pipeline, "names": _are_step_names}
    told |= {"transform_input": are_names_or_none, "verbose": is_flag}
    check_record(document["pipeline"], "its pipeline", **told)
    decode_about(document["about"])
    return document


def _is_kind(value):
    """'note' or 'baseline'."""
    return isinstance(value, str) and value in _USUAL


def _are_steps(value):
    """a list of three objects."""
    return is_list(value) and len(value) == 3 and all(map(is_object, value))


def _are_texts(value):
    """an object of texts."""
    return is_object(value) and all(map(is_text, value.values()))


def _is_pipeline(value):
    """NotePipeline or Pipeline."""
    return isinstance(value, str) and value in _PIPELINES


def _are_step_names(value):
    """a list of three names of steps."""
    taken = {"", "steps", "memory", "verbose", "transform_input"}
    return are_names(value) and len(value) == 3 and not any("__" in n or n in taken for n in value)


def encode_about(about):
    """Return what is told of a model as values of JSON."""
    encoded = {}
    for name in ("data", "scores"):
        told = about.get(name) or {}
        if not isinstance(told, dict) or not all(isinstance(key, str) for key in told):
            raise WrongError(f"{name} is {short(told)}, and should be a dict with names as keys")
        values = {key: plain_number(value) for key, value in told.items()}
        right = is_number if name == "scores" else _is_told
        if wrong := [key for key, value in values.items() if not right(value)]:
            what = "a finite number" if name == "scores" else "a text or a finite number"
            raise WrongError(
                f"{wrong[0]!r} of {name} is {short(told[wrong[0]])}, and should be {what}"
            )
        encoded[name] = values
    encoded["hierarchy"] = encode_hierarchy(about.get("hierarchy"))
    return encoded


def decode_about(told):
    """Return what is told of a model: `data`, `scores` and `hierarchy`."""
    check_record(told, "'about'", data=_are_told, scores=_are_scores, hierarchy=is_hierarchy)
    hierarchy = decode_hierarchy(told["hierarchy"])
    return {"data": dict(told["data"]), "scores": dict(told["scores"]), "hierarchy": hierarchy}


def _is_told(value):
    return isinstance(value, str) or is_number(value)


def _are_told(value):
    """an object of texts and numbers."""
    return is_object(value) and all(map(_is_told, value.values()))


def _are_scores(value):
    """an object of numbers."""
    return is_object(value) and all(map(is_number, value.values()))
