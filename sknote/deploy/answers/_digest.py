"""A digest of a model: what its answers depend on, and whether that has changed since."""

import hashlib
import json
import operator
import sys
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from sknote.deploy._onnx_classifier import OnnxNoteClassifier

_LAYOUT = 1
# What an answer is computed with, from the file on.
_PACKAGES = ("sknote", "numpy", "soundfile", "soxr", "av")
_OF_PIPELINES = (*_PACKAGES, "torch", "scipy", "scikit-learn")
_OF_FILES = (*_PACKAGES, "onnxruntime")
# Parameters that decide how an answer is computed, and not what it is.
_HOW = {"n_jobs", "n_threads", "verbose", "on_error"}
_SAMPLES = 4  # numbers of an array that are looked at to see whether it was written to


class ModelDigest:
    """The digest of a model, made again when the model has changed.

    Parameters
    ----------
    model : OnnxNoteClassifier, Pipeline, or another classifier that can be pickled
        An exported file never changes. Of a pipeline of sknote's own steps it is seen in a moment
        whether it was fitted, set or written to. Of any other model the digest is made anew each
        time.
    """

    def __init__(self, model):
        self.model = model
        self._digest = self._state = None

    def __call__(self):
        """Return the digest, 32 bytes."""
        if isinstance(self.model, OnnxNoteClassifier):
            self._digest = self._digest or digest_of(self.model)
        elif self._state is None or not self._state.is_same():
            # the state first: who changes the model meanwhile is noticed the next time
            self._state = _State.of(self.model)
            self._digest = digest_of(self.model)
        return self._digest


def digest_of(model):
    """Return a digest of all that the answers of a model depend on, 32 bytes."""
    digest = hashlib.blake2b(digest_size=32)
    if isinstance(model, OnnxNoteClassifier):
        _add(digest, "onnx", _versions(_OF_FILES), model._sha256)
        return digest.digest()
    parts = _described(model)
    if parts is None:
        _add(digest, "pickled", _versions(_OF_PIPELINES), _pickled(model))
        return digest.digest()
    document, arrays = parts
    for step in document["steps"]:
        step["params"] = {name: one for name, one in step["params"].items() if name not in _HOW}
    _add(digest, "saved", _versions(_OF_PIPELINES), document)
    for name, array in sorted(arrays.items()):
        _add(digest, name, array.dtype.str, array.shape)
        digest.update(np.ascontiguousarray(array).data)
    return digest.digest()


def _add(digest, *parts):
    text = json.dumps([_LAYOUT, *parts], sort_keys=True).encode()
    digest.update(len(text).to_bytes(8, "little"))
    digest.update(text)


def _versions(packages):
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def _described(model):
    """Return what `save` would write of a model; None if it would refuse."""
    from sknote.deploy._checks import WrongError
    from sknote.deploy.model_file._pipeline import describe

    try:
        return describe(model, {})
    except (WrongError, ValueError, TypeError, AttributeError):
        return None


def _pickled(model):
    """Return a digest of any model."""
    import joblib

    try:
        return joblib.hash(model, "sha1")
    except Exception as error:  # whatever is in it
        raise TypeError(
            f"CachedClassifier: expected a model that can be pickled, of which a digest is made, "
            f"got {type(model).__name__}: {error}"
        ) from error


class _State:
    """What tells, in a moment, whether a pipeline has changed.

    That are its steps, their attributes, the versions of its weights (which torch counts), and some
    numbers of each array.
    """

    def __init__(self, model, steps):
        self.model, self.steps = model, steps
        self.attributes = [[*vars(step).values()] for step in steps]
        self.modules, self.tensors, arrays = self._modules(), [], []
        for step in steps:
            arrays += [one for value in vars(step).values() for one in _arrays_in(value)]
        for module in self.modules:
            tensors = [*module.parameters(), *module.buffers()]
            arrays += [one.detach().numpy() for one in tensors if one.device.type == "cpu"]
            self.tensors += tensors
        self.versions = self._versions()
        self.views = {}
        for array in arrays:
            flat = array.reshape(-1)
            some = flat[:: max(1, len(flat) // _SAMPLES)]
            self.views.setdefault(array.dtype, []).append(some)
        self.samples = self._samples()

    @classmethod
    def of(cls, model):
        """Return the state of a pipeline of known steps, None of another model."""
        if "torch" not in sys.modules:  # nor is there a pipeline, then
            return None
        from sknote.deploy.model_file._pipeline import _KNOWN
        from sknote.pipelines import _flat

        steps = _flat(model)
        known = steps and all(type(step) in _KNOWN for step in steps)
        return cls(model, steps) if known else None

    def is_same(self):
        """Tell whether the model is as it was."""
        from sknote.pipelines import _flat

        return (
            _are_same(_flat(self.model), self.steps)
            and all(map(_are_same, map(_values_of, self.steps), self.attributes))
            and _are_same(self._modules(), self.modules)
            and self._versions() == self.versions
            and self._samples() == self.samples
        )

    def _modules(self):
        nets = [getattr(step, "net_", None) for step in self.steps]
        return [net.module_ for net in nets if net is not None]

    def _versions(self):
        return [tensor._version for tensor in self.tensors]

    def _samples(self):
        return [np.concatenate(views).tobytes() for views in self.views.values()]


def _values_of(step):
    return vars(step).values()


def _arrays_in(value):
    values = value.values() if isinstance(value, dict) else (value,)
    return [one for one in values if isinstance(one, np.ndarray) and one.dtype.kind in "biuf"]


def _are_same(now, before):
    return len(now) == len(before) and all(map(operator.is_, now, before))
