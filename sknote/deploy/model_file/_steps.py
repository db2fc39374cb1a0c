"""The steps of a pipeline before its classifier: what they were told, and what they learned."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sknote._compat import output_container
from sknote.deploy._checks import (
    WrongError,
    are_names,
    are_names_or_none,
    check_record,
    is_count,
    is_flag,
    is_object,
    is_text,
)
from sknote.deploy.model_file._values import encode_params, make
from sknote.feature_extraction import AudioLoader, MFCCSummary, Spectrogram

TRANSFORMERS = {one.__name__: one for one in (AudioLoader, Spectrogram, MFCCSummary)}


def describe_step(step, name):
    """Return what every step has as an object of JSON: class, parameters and columns."""
    features = getattr(step, "feature_names_in_", None)
    return {
        "class": type(step).__name__,
        "params": encode_params(step, name),
        "n_features": _whole(getattr(step, "n_features_in_", None)),
        "features": None if features is None else [str(one) for one in features],
        "output": output_container(step),
    }


def _whole(value):
    return None if value is None else int(value)


def restore_step(entry, classes, /, **checks):
    """Make a step of what stands in a file; `checks` are of what only some steps have."""
    check_record(entry, "a step", **{"class": is_text}, **COMMON, **checks)
    if entry["class"] not in classes:
        raise WrongError(
            f"a step is {entry['class'][:50]!r}, where {' or '.join(classes)} should be"
        )
    step = make(classes[entry["class"]], entry["params"])
    if entry["n_features"] is not None:
        step.n_features_in_ = entry["n_features"]
    if entry["features"] is not None:
        if len(entry["features"]) != entry["n_features"]:
            raise WrongError("a step has another number of columns than of their names")
        step.feature_names_in_ = np.array(entry["features"], dtype=object)
    if entry["output"] is not None:
        step.set_output(transform=entry["output"])
    return step


def _is_count_or_none(value):
    """a whole number of at least 0, or null."""
    return value is None or is_count(value)


def _is_container(value):
    """null or the name of a container."""
    return value in (None, "default", "pandas", "polars")


COMMON = {"params": is_object, "n_features": _is_count_or_none, "features": are_names_or_none}
COMMON["output"] = _is_container


def describe_spectrogram(step, name, arrays):
    """Describe a Spectrogram; its moments of bands, if it has any, are put into `arrays`."""
    check_is_fitted(step)
    entry = describe_step(step, name) | {"fitted": hasattr(step, "n_bins_")}
    if hasattr(step, "mean_"):
        arrays |= {f"band.{kind}": getattr(step, f"{kind}_") for kind in ("mean", "scale")}
    return entry


def restore_spectrogram(entry, specs):
    """Make a Spectrogram; its moments are still to be put in by :func:`restore_bands`."""
    step = restore_step(entry, {"Spectrogram": Spectrogram}, fitted=is_flag)
    axes = step_axes(step)
    if entry["fitted"]:
        step.n_bins_, step.frequencies_ = axes.n_bins, axes.frequencies
    found = {name: spec for name, spec in specs.items() if name.startswith("band.")}
    if step.normalize == "band" and not found:
        raise WrongError("the moments of the bands are missing")
    for name, (dtype, shape) in found.items():
        if name not in ("band.mean", "band.scale") or shape != (axes.n_bins,) or dtype.kind != "f":
            raise WrongError(f"the array {name!r} has the shape {shape}")
    if len(found) not in (0, 2):
        raise WrongError("one of the moments of the bands is missing")
    return step


def step_axes(step):
    """Return the axes of a Spectrogram of a file, or say what is wrong with them."""
    try:
        axes = step.axes
    except (TypeError, ValueError, OverflowError, ZeroDivisionError) as error:
        raise WrongError(f"its spectrogram is wrong ({str(error)[:100]})") from error
    if axes.n_bins > 1 << 17:
        raise WrongError(f"its spectrogram has {axes.n_bins} bins")
    return axes


def restore_bands(step, arrays):
    """Put the moments of the bands into a Spectrogram."""
    for kind in ("mean", "scale"):
        if f"band.{kind}" in arrays:
            setattr(step, f"{kind}_", arrays[f"band.{kind}"])


def describe_summary(step, name):
    """Describe an MFCCSummary."""
    check_is_fitted(step)
    return describe_step(step, name) | {"instruments": [str(one) for one in step.instruments_]}


def restore_summary(entry):
    """Make an MFCCSummary."""
    step = restore_step(entry, {"MFCCSummary": MFCCSummary}, instruments=are_names)
    if step.n_mfcc > step.n_mels or not hasattr(step, "n_features_in_"):
        raise WrongError("its MFCCSummary was not fitted, or could not have been")
    step.instruments_ = entry["instruments"]
    return step
