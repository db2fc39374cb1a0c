"""PretrainedWeights: a callback that lets a training begin with weights that there are."""

from collections.abc import Mapping

import torch
from skorch.callbacks import Callback
from torch import nn

from sknote.nn.networks import TABLE, own_names

__all__ = ["PretrainedWeights"]


class PretrainedWeights(Callback):
    """Begin the training of a NoteClassifier with the weights of a network that was trained before.

    One of :class:`~sknote.nn.NoteAnalyzer`, of :class:`~sknote.nn.SimpleStarterModel`, or of a
    network of the same layers whose last one is linear; and of the reference recipe, whose names of
    the layers are known. Rows of instruments and labels are matched by name, as the classifier has
    an order of its own. `fit` begins with them anew; what trains further goes on from its own.

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
        network, state = net.module_, self.weights
        if not isinstance(state, Mapping):
            state = torch.load(state, map_location="cpu", weights_only=True)
        state, own = own_names(state), network.state_dict()
        if TABLE in state and TABLE in own:
            state[TABLE] = self._instruments(state[TABLE], net.instruments_)
        head = [name for name, part in network.named_modules() if isinstance(part, nn.Linear)][-1:]
        for name in [f"{one}.{kind}" for one in head for kind in ("weight", "bias")]:
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
            raise ValueError(
                f"PretrainedWeights: expected some of the training's labels {wanted[:5]}, got "
                f"{list(self.labels)[:5]}. Pass labels=None to begin with a new last layer."
            )
        for i in found:
            out[i] = known[wanted[i]]
        return out

    def _check(self, rows, name, *allowed):
        given = list(getattr(self, name))
        if len(given) not in allowed or len(set(given)) < len(given):
            raise ValueError(
                f"PretrainedWeights: expected {name} to be {' or '.join(map(str, allowed))} "
                f"different names, one for each row of the weights, got {len(set(given))} "
                f"different of {len(given)}."
            )
