"""NoteClassifier in a file: its network is made anew by name, and its weights put into it."""

import dataclasses
import inspect
import math

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted

from sknote._torch import own_generator, torch_threads
from sknote.classifier import _NETWORKS, NoteClassifier
from sknote.deploy._checks import (
    WrongError,
    are_names,
    are_numbers,
    check_record,
    is_count,
    is_list,
    is_number,
    is_object,
    is_text,
    labels_of,
    short,
)
from sknote.deploy.model_file._steps import describe_step, restore_step
from sknote.deploy.model_file._values import NETWORKS, decode_axes, encode_axes
from sknote.model_selection import report_epoch
from sknote.nn import CompactNet
from sknote.nn.networks import network_params, traits_of
from sknote.nn.training import TrainingOptions
from sknote.nn.training._net import make_net

_LARGEST = 1 << 16  # number of members, channels and the like


def describe_classifier(step, name, arrays):
    """Describe a fitted NoteClassifier; its weights and moments are put into `arrays`."""
    check_is_fitted(step)
    _refuse_own(step, name)
    net = step.net_
    for kind in ("mean", "scale"):
        arrays |= {f"{kind}.{key}": value for key, value in getattr(step, f"{kind}_").items()}
    state = net.module_.state_dict()
    arrays |= {f"network.{key}": value.cpu().contiguous().numpy() for key, value in state.items()}
    if net.criterion_.class_weight is not None:
        arrays["class_weight"] = net.criterion_.class_weight.cpu().numpy()
    return describe_step(step, name) | {
        "classes": describe_labels(step.classes_),
        "instruments": [str(one) for one in step.instruments_],
        "class_count": [float(one) for one in step.class_count_],
        "axes": encode_axes(step.axes_),
        "level": step.level_,
        "betas": [float(one) for one in net.optimizer_.param_groups[0]["betas"]],
        "history": [_plain(epoch) for epoch in step.history_],
    }


def _refuse_own(step, name):
    network = type(step.net_.module_)
    if network not in NETWORKS.values():
        raise WrongError(
            f"the network {network.__name__} is a class of your own, and a file that names no code "
            "cannot bring it back. Write it with sknote.deploy.export_onnx, or pickle the pipeline "
            "for where the class can be imported"
        )
    named = _NETWORKS.get(step.module, step.module) if isinstance(step.module, str) else step.module
    if named is not network:
        raise WrongError(
            f"{name} was fitted with the network {network.__name__}, and its module is now "
            f"{step.module!r}. Set it back, or fit again"
        )
    if _device(step.device) != step.device:
        raise WrongError(
            f"the device of {name} is {step.device!r}, which torch does not have here, so that it "
            "would not be loaded. Set it to 'cpu', and name another one to sknote.deploy.load"
        )


def describe_labels(classes):
    """Describe the labels of a classifier, whatever their type."""
    if classes.dtype.kind not in "UbiufO" or not all(map(_is_plain, classes.tolist())):
        raise WrongError(
            f"labels of the type {classes.dtype} cannot be written; make texts of them"
        )
    labels = classes.tolist()
    kept = np.array(labels) if classes.dtype.kind == "U" else classes  # of the longest's length
    return {"labels": labels, "dtype": kept.dtype.str}


def restore_labels(entry):
    """Return the sorted labels that were described."""
    check_record(entry, "'classes'", labels=is_list, dtype=is_text)
    classes = labels_of(entry["labels"], entry["dtype"], objects=True)
    if len(classes) < 2 or not (classes[:-1] < classes[1:]).all():
        raise WrongError(f"'classes' is {short(entry['labels'])}, and should be sorted labels")
    return classes


def _is_plain(value):
    return isinstance(value, (str, bool, int)) or (
        isinstance(value, float) and math.isfinite(value)
    )


def _plain(epoch):
    """Return of an epoch of the history what is a number."""
    values = {key: getattr(value, "item", lambda v=value: v)() for key, value in epoch.items()}
    return {
        str(key): value for key, value in values.items() if type(value) is bool or is_number(value)
    }


def _is_level(value):
    """'absolute' or 'relative'."""
    return value in ("absolute", "relative")


def _are_betas(value):
    """two numbers from 0 to 1."""
    return are_numbers(value) and len(value) == 2 and all(0 <= one < 1 for one in value)


def _is_history(value):
    """a list of epochs."""
    if not isinstance(value, list) or not all(map(is_object, value)):
        return False
    return all(isinstance(one, bool) or is_number(one) for row in value for one in row.values())


def restore_classifier(entry, specs):
    """Make a NoteClassifier of which all is known to be right but the numbers in its arrays."""
    checks = {"classes": is_object, "instruments": are_names, "class_count": are_numbers}
    checks |= {"axes": is_object, "level": _is_level, "betas": _are_betas, "history": _is_history}
    step = restore_step(entry, {"NoteClassifier": NoteClassifier}, **checks)
    step.classes_ = restore_labels(entry["classes"])
    step.instruments_ = entry["instruments"]
    count = step.class_count_ = np.array(entry["class_count"], dtype=np.float64)
    if len(count) != len(step.classes_) or not (count >= 0).all() or not count.sum() > 0:
        raise WrongError(f"'class_count' is {short(entry['class_count'])}")
    step.axes_, step.level_ = decode_axes(entry["axes"]), entry["level"]
    if not hasattr(step, "n_features_in_"):
        raise WrongError("its NoteClassifier was not fitted")
    if step.callbacks:
        raise WrongError("it has callbacks")
    _check_arrays(step, specs)
    return step


def _check_arrays(step, specs):
    """Check that arrays are those of the network, before anything of its size is made."""
    network, params = _network_of(step, specs)
    try:
        with torch_threads(), torch.device("meta"):
            expected = network(**params).state_dict()
    except (TypeError, ValueError, RuntimeError, OverflowError, MemoryError) as error:
        raise WrongError(f"its network cannot be made ({short(str(error))})") from error
    expected = {
        f"network.{name}": (np.dtype(str(value.dtype).removeprefix("torch.")), tuple(value.shape))
        for name, value in expected.items()
    }
    rows = {"profiles": (23, 1)} if traits_of(network).looks_at == "description" else {}
    rows = rows or {"spectrogram": (step.axes_.n_bins,)}
    expected |= {
        f"{kind}.{name}": (np.dtype(float), shape)
        for kind in ("mean", "scale")
        for name, shape in rows.items()
    }
    if "class_weight" in specs:
        expected["class_weight"] = np.dtype(np.float32), (len(step.classes_),)
    for name in sorted({*expected, *specs} - {"band.mean", "band.scale"}):
        if specs.get(name) != expected.get(name):
            have, wanted = (_words(one.get(name)) for one in (specs, expected))
            raise WrongError(f"{short(name)} is {have}, and should be {wanted}")


def _words(spec):
    return "missing" if spec is None else f"{spec[0]} of shape {spec[1]}"


def _network_of(step, specs):
    """Return the class of the network and its arguments, none larger than the file can hold."""
    network = _NETWORKS[step.module] if isinstance(step.module, str) else step.module
    if network not in NETWORKS.values():
        raise WrongError(f"its network is {short(step.module)}, which is none of sknote's")
    given = step.module_params or {}
    usual = inspect.signature(network).parameters
    for name, value in given.items():
        default = usual[name].default if name in usual else inspect.Parameter.empty
        least = 0 if name in _NUMBERS_OF_NETWORKS else 1
        whole = isinstance(default, int) and is_count(value) and least <= value <= _LARGEST
        real = value is None or (is_number(value) and abs(value) <= _LARGEST)
        real = real and not isinstance(default, int)
        if default is inspect.Parameter.empty or not (whole or real):
            raise WrongError(f"the argument {short(name)} of its network is {short(value)}")
    n_networks = sum(
        given.get(name, one.default) for name, one in usual.items() if name in _NUMBERS_OF_NETWORKS
    )
    n_there = len({name.split(".")[2] for name in specs if name.startswith("network.networks.")})
    if n_networks != n_there:
        raise WrongError(f"its network has {n_networks} parts, and there are {n_there}")
    n_classes, n_bins = len(step.classes_), step.axes_.n_bins
    if network is CompactNet and (given.get("n_cepstra", usual["n_cepstra"].default)):
        n_coefficients = given.get("n_coefficients", usual["n_coefficients"].default)
        basis = n_bins, min(n_coefficients, n_bins)  # which is computed, whatever its size
        if all(spec[1] != basis for name, spec in specs.items() if name.endswith(".cosines")):
            raise WrongError(f"its network has cosines of another shape than {basis}")
    params = network_params(network, given, step.axes_, len(step.instruments_), n_classes)
    sizes = {"num_classes": n_classes, "n_bins": n_bins}
    if any(params.get(name, size) != size for name, size in sizes.items()):
        raise WrongError("its network has other classes or bins than its classifier")
    if params["num_instruments"] <= len(step.instruments_):
        raise WrongError("its network knows fewer instruments than its classifier")
    return network, params


_NUMBERS_OF_NETWORKS = ("n_profiles", "n_cepstra", "n_functionals")


def restore_network(step, entry, specs, arrays, device):
    """Put weights and moments of a file into a NoteClassifier, so that it is as it was fitted."""
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise WrongError(f"there is no finite number in {short(name)}")
    for kind in ("mean", "scale"):
        found = {name: value for name, value in arrays.items() if name.startswith(f"{kind}.")}
        setattr(
            step, f"{kind}_", {name.removeprefix(f"{kind}."): one for name, one in found.items()}
        )
    if not all((scale > 0).all() for scale in step.scale_.values()):
        raise WrongError("there is a scale that is not above 0")
    network, params = _network_of(step, specs)
    step.device = _device(step.device) if device is None else device
    net = _make_net(step, network, params, arrays.get("class_weight"))
    state = {
        name.removeprefix("network."): torch.from_numpy(array)
        for name, array in arrays.items()
        if name.startswith("network.")
    }
    net.module_.load_state_dict(state)
    net.module_.eval()
    for group in net.optimizer_.param_groups:
        group["betas"] = tuple(entry["betas"])
    for epoch in entry["history"]:
        net.history.new_epoch()
        for name, value in epoch.items():
            net.history.record(name, value)
    net.n_threads, net.classes_, net.instruments_ = step.n_threads, step.classes_, step.instruments_
    net.train_split = None
    step.net_, step.history_ = net, net.history


def _device(wanted):
    """Return a device that a file names, or the CPU where there is none of that name."""
    try:
        torch.empty(0, device="cpu" if wanted == "auto" else wanted)
    except (RuntimeError, AssertionError, NotImplementedError):
        return "cpu"
    return "cpu" if wanted == "meta" else wanted


def _make_net(step, network, params, class_weight):
    names = [field.name for field in dataclasses.fields(TrainingOptions)]
    known = {name: getattr(step, name, None) for name in names}
    known |= {"classes": step.classes_, "instruments": step.instruments_, "callbacks": []}
    known |= {"class_weight": class_weight, "report": report_epoch, "progress": bool(step.verbose)}
    with torch_threads(), own_generator(0):  # which makes weights that are written over
        return make_net(network, params, TrainingOptions(**known)).initialize()
