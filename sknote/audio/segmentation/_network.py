"""The network that hears onsets, in NumPy: a frame in, two probabilities out."""

from functools import lru_cache
from importlib.resources import files

import numpy as np

from sknote.audio.segmentation._frames import N_HIGH, N_LOW

__all__ = ["OnsetNetwork"]


class OnsetNetwork:
    """Probabilities that a note begins, and that one sounds, some frames ago.

    Convolutions over frequency and the last frames, of both views, a layer that joins them, and a
    gated recurrent unit. A frame is always computed alone, so that the same numbers come whatever
    the chunks of the stream are.

    Attributes
    ----------
    delay : int
        By how many frames the probabilities lag behind the frame that was given.
    """

    def __init__(self):
        weights, self.delay = _load_weights()
        self._low = _convolutions(weights, "low", N_LOW)
        self._high = _convolutions(weights, "high", N_HIGH)
        self._joined = weights["joined.weight"], weights["joined.bias"]
        self._output = weights["output.weight"], weights["output.bias"]
        self._recurrent = _GatedUnit(weights)

    def push(self, frame):
        """Take a frame, shape (n_bands,); return the probabilities of an onset and of sound."""
        low, high = frame[:N_LOW, None], frame[N_LOW:, None]
        for layer in self._low:
            low = layer.push(low)
        for layer in self._high:
            high = layer.push(high)
        weight, bias = self._joined
        joined = np.maximum(np.concatenate([low.ravel(), high.ravel()]) @ weight + bias, 0)
        weight, bias = self._output
        onset, sound = _sigmoid(self._recurrent.push(joined) @ weight + bias)
        return float(onset), float(sound)


class _Convolution:
    """A convolution over frequency (stride 2) and over this frame and the last ones."""

    def __init__(self, weight, bias, n_bands):
        n_outputs, n_inputs, n_frames, width = weight.shape
        self._pad = width // 2
        self._n_bands = n_bands
        self._kept = np.zeros((n_frames, n_bands + 2 * self._pad, n_inputs), np.float32)
        self.n_bands = (n_bands + 2 * self._pad - width) // 2 + 1
        self._weight = np.ascontiguousarray(weight.transpose(2, 3, 1, 0).reshape(-1, n_outputs))
        self._bias = bias
        flat = np.arange(self._kept.size).reshape(self._kept.shape)
        patches = [flat[:, 2 * i : 2 * i + width].ravel() for i in range(self.n_bands)]
        self._patches = np.array(patches)  # where, in what is kept, each output looks

    def push(self, frame):
        self._kept[:-1] = self._kept[1:].copy()
        self._kept[-1, self._pad : self._pad + self._n_bands] = frame
        result = self._kept.take(self._patches) @ self._weight
        result += self._bias
        return np.maximum(result, 0, out=result)


class _GatedUnit:
    """A gated recurrent unit (GRU)."""

    def __init__(self, weights):
        self._input = weights["recurrent.input"], weights["recurrent.input_bias"]
        self._own = weights["recurrent.own"], weights["recurrent.own_bias"]
        self._state = np.zeros(len(self._own[0]), np.float32)

    def push(self, values):
        n = len(self._state)
        new = values @ self._input[0] + self._input[1]
        old = self._state @ self._own[0] + self._own[1]
        gates = _sigmoid(new[: 2 * n] + old[: 2 * n])
        candidate = np.tanh(new[2 * n :] + gates[:n] * old[2 * n :])
        self._state = candidate + gates[n:] * (self._state - candidate)
        return self._state


def _sigmoid(values):
    return 0.5 * np.tanh(0.5 * values) + 0.5


def _convolutions(weights, name, n_bands):
    layers = []
    while f"{name}.{len(layers)}.weight" in weights:
        key = f"{name}.{len(layers)}"
        layers.append(_Convolution(weights[f"{key}.weight"], weights[f"{key}.bias"], n_bands))
        n_bands = layers[-1].n_bands
    return layers


@lru_cache(maxsize=1)
def _load_weights():
    try:
        from safetensors.numpy import load
    except ImportError as error:
        raise ImportError(
            "NoteSegmenter needs the package 'safetensors' to read its weights, which is not "
            "installed. Install it with: pip install safetensors"
        ) from error
    weights = load(files("sknote.audio.segmentation").joinpath("weights.safetensors").read_bytes())
    return weights, int(weights.pop("delay"))
