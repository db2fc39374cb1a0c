"""Checkpoints of the reference recipe's networks, in the names and rows of sknote's."""

import re

import torch

__all__ = ["TABLE", "adopt_reference", "own_names", "with_unknown"]

TABLE = "instrument_embedding.weight"


def own_names(state, prefix=""):
    """Give the entries of a ``state_dict`` of the reference recipe the names of sknote's networks.

    The recipe counts a ReLU behind each pair of a convolution and a batch normalization. Other
    entries, and other states, come back as they are.
    """
    third = state.get(f"{prefix}cnn.3.weight")  # sknote's is a batch normalization
    if third is None or third.ndim != 4:
        return dict(state)
    pattern = re.compile(rf"({re.escape(prefix)}cnn\.)(\d+)(\..+)")

    def renamed(key):
        if (found := pattern.fullmatch(key)) is None:
            return key
        pair, place = divmod(int(found[2]), 3)
        return f"{found[1]}{2 * pair + place}{found[3]}"

    return {renamed(key): value for key, value in state.items()}


def with_unknown(table):
    """Put a row for unknown instruments before a table of known ones: the mean of these."""
    return torch.cat([table.mean(dim=0, keepdim=True), table])


def adopt_reference(network, state, prefix, *args):
    """Make a state of the reference recipe one of sknote's network, in place.

    A pre-hook of ``load_state_dict``. Where the network has one instrument more than the recipe,
    its first row, for unknown instruments, is the mean of the others.
    """
    renamed = own_names(state, prefix)
    if renamed.keys() == state.keys():
        return
    table = renamed.get(prefix + TABLE)
    if table is not None and len(table) + 1 == network.instrument_embedding.num_embeddings:
        renamed[prefix + TABLE] = with_unknown(table)
    state.clear()
    state.update(renamed)
