"""The network of `sknote.audio.NoteSegmenter` in torch, as it is trained, and its weights."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from sknote.audio.segmentation import N_HIGH, N_LOW

__all__ = ["OnsetNet", "as_arrays"]

LOWEST, N_PITCHES = 36, 61  # MIDI numbers that are told apart while it learns


class OnsetNet(nn.Module):
    """Levels (n_passages, n_frames, n_bands) to logits of onset and sound, and of the pitch.

    The pitch is asked for in training alone: what tells it tells slurs too.
    """

    def __init__(self, low=(8, 16, 24), high=(8, 8), n_joined=64, n_units=128):
        super().__init__()
        self.low, n_low = _convolutions(low, (5, 5, 3), N_LOW)
        self.high, n_high = _convolutions(high, (5, 3), N_HIGH)
        self.joined = nn.Linear(n_low + n_high, n_joined)
        self.recurrent = nn.GRU(n_joined, n_units, batch_first=True)
        self.output = nn.Linear(n_units, 2)
        self.pitch = nn.Linear(n_units, N_PITCHES)

    def forward(self, levels):
        low, high = levels[:, None, :, :N_LOW], levels[:, None, :, N_LOW:]
        for layer in self.low:
            low = _forwards(layer, low)
        for layer in self.high:
            high = _forwards(layer, high)
        # each frame: bands, and of each its channels
        parts = [part.permute(0, 2, 3, 1).flatten(2) for part in (low, high)]
        joined = functional.relu(self.joined(torch.cat(parts, dim=2)))
        states, _ = self.recurrent(joined)
        return self.output(states), self.pitch(states)


def _convolutions(channels, widths, n_bands):
    layers = nn.ModuleList()
    n_before = 1
    for n_channels, width in zip(channels, widths, strict=True):
        layers.append(
            nn.Conv2d(n_before, n_channels, (3, width), stride=(1, 2), padding=(0, width // 2))
        )
        n_bands = (n_bands + 2 * (width // 2) - width) // 2 + 1
        n_before = n_channels
    return layers, n_bands * n_before


def _forwards(layer, values):
    """Convolve, over this frame and the two before it."""
    return functional.relu(layer(functional.pad(values, (0, 0, 2, 0))))


def as_arrays(net, delay):
    """Name the weights as `sknote.audio.segmentation` reads them."""
    arrays = {}
    for name in ("low", "high"):
        for i, layer in enumerate(getattr(net, name)):
            arrays |= {f"{name}.{i}.weight": layer.weight, f"{name}.{i}.bias": layer.bias}
    for name in ("joined", "output"):
        layer = getattr(net, name)
        arrays |= {f"{name}.weight": layer.weight.T, f"{name}.bias": layer.bias}
    recurrent = net.recurrent
    arrays |= {
        "recurrent.input": recurrent.weight_ih_l0.T,
        "recurrent.input_bias": recurrent.bias_ih_l0,
        "recurrent.own": recurrent.weight_hh_l0.T,
        "recurrent.own_bias": recurrent.bias_hh_l0,
    }
    arrays = {name: np.ascontiguousarray(one.detach().numpy()) for name, one in arrays.items()}
    return arrays | {"delay": np.array(delay)}
