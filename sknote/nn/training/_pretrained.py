"""PretrainedWeights: a callback that lets a training begin with weights that there are."""

import os
import warnings
from collections.abc import Mapping

import numpy as np
import torch
from skorch.callbacks import Callback
from torch import nn
from torch.nn.modules.utils import consume_prefix_in_state_dict_if_present

from sknote.nn.networks import TABLE, own_names

__all__ = ["PretrainedWeights"]


class PretrainedWeights(Callback):
    """Begin the training of a NoteClassifier with the weights of a network that was trained before.

    One of :class:`~sknote.nn.NoteAnalyzer`, of :class:`~sknote.nn.SimpleStarterModel`, or of a
    network of the same layers whose last one is linear, with one output for each label; and of the
    reference recipe, whose names of the layers are known. Rows of instruments and labels are
    matched by name, as the classifier has an order of its own. Rows of instruments are those of the
    ``instrument_embedding``, or of the only ``nn.Embedding`` of ``num_instruments`` rows. `fit`
    begins with them anew; what trains further goes on from its own.

    Parameters
    ----------
    weights : dict of str to Tensor, or path
        A ``state_dict``, or a file that `torch.save` wrote one into; it is read without executing
        anything in it.
    instruments : sequence of str or None, default=None
        Instruments in the order of the rows of the embedding. If there is one row more, the first
        is for unknown instruments; else these get the mean of all rows, as do instruments that are
        new in the training. None knows no instrument by name.
    labels : sequence of str or None, default=None
        Labels in the order of the network's logits. Labels that are new in the training begin as in
        a new network. None begins with a new last layer.

    Examples
    --------
    >>> from sknote import NoteClassifier
    >>> from sknote.nn import NoteAnalyzer, PretrainedWeights
    >>> trained = NoteAnalyzer(num_instruments=2, num_classes=2).state_dict()
    >>> names = {"instruments": ["trumpet", "flute"], "labels": ["good-sound", "bad-attack"]}
    >>> classifier = NoteClassifier("analyzer", callbacks=[PretrainedWeights(trained, **names)])
    """

    def __init__(self, weights, *, instruments=None, labels=None):
        self.weights = weights
        self.instruments = instruments
        self.labels = labels

    def on_train_begin(self, net, **kwargs):
        if len(net.history):
            return
        network = net.module_
        state, own = own_names(_read(self.weights)), network.state_dict()
        head = _last_layer(network, len(net.classes_))
        table = _table(network, len(net.instruments_) + 1)
        if table in state:
            state[table] = self._instruments(state[table], net.instruments_)
        elif self.instruments is not None:
            raise ValueError(
                f"PretrainedWeights: instruments are named, and {type(network).__name__} or its "
                "weights have no rows of them, an nn.Embedding of num_instruments rows, best as "
                "instrument_embedding. Leave instruments out."
            )
        for name in (f"{head}.weight", f"{head}.bias"):
            if name in state and name in own:
                state[name] = self._labels(state[name], own[name], list(net.classes_))
        try:
            network.load_state_dict(state)
        except RuntimeError as error:
            raise ValueError(
                f"PretrainedWeights: the weights do not fit {type(network).__name__}. Choose the "
                f"module and module_params that they were trained with. {error}"
            ) from error

    def _instruments(self, table, wanted):
        """Return a row for unknown instruments, and one for each that is wanted."""
        known = [] if self.instruments is None else list(self.instruments)
        unknown = table.mean(dim=0)
        if self.instruments is not None:
            self._check(table, "instruments", len(table) - 1, len(table))
            if not set(known) & set(wanted):
                warnings.warn(
                    f"PretrainedWeights: none of the training's instruments {wanted[:5]} is among "
                    f"those of the weights, {known[:5]}. All begin as unknown ones.",
                    UserWarning,
                    stacklevel=2,
                )
            if len(table) > len(known):
                unknown, table = table[0], table[1:]
        rows = dict(zip(known, table))
        return torch.stack([unknown, *(rows.get(name, unknown) for name in wanted)])

    def _labels(self, rows, new, wanted):
        """Return the rows of a last layer: those that are known by name, others as they are."""
        out = new.clone()
        if self.labels is None:
            return out
        self._check(rows, "labels", len(rows))
        known = dict(zip(self.labels, rows))
        found = [i for i, label in enumerate(wanted) if label in known]
        if not found:
            labels = np.asarray(wanted[:5]).tolist()
            raise ValueError(
                f"PretrainedWeights: expected some of the training's labels {labels}, got "
                f"{list(self.labels)[:5]}. Pass labels=None to begin with a new last layer."
            )
        for i in found:
            out[i] = known[wanted[i]]
        return out

    def _check(self, rows, name, *allowed):
        given = getattr(self, name)
        if isinstance(given, str):
            raise ValueError(f"PretrainedWeights: expected {name} to be a list, got {given!r}.")
        given = list(given)
        if len(given) not in allowed or len(set(given)) < len(given):
            raise ValueError(
                f"PretrainedWeights: expected {name} to be {' or '.join(map(str, allowed))} "
                f"different names, one for each row of the weights, got {len(set(given))} "
                f"different of {len(given)}."
            )


def _read(weights):
    """Return a ``state_dict``, from a file if it is one."""
    expected = (
        "PretrainedWeights: expected a state_dict, or a file that torch.save(network.state_dict(), "
        "path) wrote, got "
    )
    if isinstance(weights, nn.Module):
        raise TypeError(f"{expected}a {type(weights).__name__}. Pass its state_dict().")
    state, where = weights, "a dict"
    if isinstance(weights, (str, os.PathLike)):
        where = f"{os.fspath(weights)!r}"
        try:
            state = torch.load(weights, map_location="cpu", weights_only=True)
        except OSError as error:
            raise type(error)(
                f"PretrainedWeights: {where} cannot be read ({error.strerror or error}). Pass the "
                "path of a file that torch.save wrote a state_dict into."
            ) from error
        except Exception as error:  # which depends on what the file is
            raise ValueError(
                f"{expected}{where}, which holds something else. A whole network in a file is code "
                "that would be run: load it yourself, and pass its state_dict()."
            ) from error
    if not isinstance(state, Mapping):
        raise TypeError(f"{expected}{where if state is not weights else type(state).__name__}.")
    if strange := [key for key, value in state.items() if not isinstance(value, torch.Tensor)]:
        inside = [key for key in strange if isinstance(state[key], Mapping)]
        remedy = f" Pass what is under {inside[0]!r}." if inside else ""
        raise ValueError(f"{expected}{where} with entries that are no Tensor: {strange}.{remedy}")
    state = dict(state)
    consume_prefix_in_state_dict_if_present(state, "module.")  # of torch's parallel networks
    return state


def _last_layer(network, n_classes):
    """Name of the last layer, which gives the logits."""
    linear = [(name, part) for name, part in network.named_modules() if isinstance(part, nn.Linear)]
    if not linear or linear[-1][1].out_features != n_classes:
        raise ValueError(
            "PretrainedWeights: expected a network whose last layer is linear, with one output for "
            f"each label; {type(network).__name__} has none. To train such a classifier further, "
            "use warm_start or partial_fit."
        )
    return linear[-1][0]


def _table(network, n_rows):
    """Name of the embedding of instruments; None if there is none, or it could be any of some."""
    tables = [
        f"{name}.weight"
        for name, part in network.named_modules()
        if isinstance(part, nn.Embedding) and part.num_embeddings == n_rows
    ]
    own = [name for name in tables if name == TABLE]
    return (own or tables)[0] if len(own or tables) == 1 else None
