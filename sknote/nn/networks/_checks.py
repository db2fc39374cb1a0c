"""Checks of what a network is made of: its class, or a function, and the numbers it is given."""

import functools
import inspect
import numbers

from torch import nn

__all__ = ["accepted_by", "check_dropout", "check_focus", "check_sizes", "name_of"]


def accepted_by(network):
    """Return the names of what a class or function takes, and whether it takes any other."""
    made = network
    while isinstance(made, functools.partial):
        made = made.func
    try:
        if isinstance(made, type) and not issubclass(made, nn.Module):
            raise ValueError("it is no network")
        parameters = inspect.signature(network).parameters
    except (TypeError, ValueError) as error:
        raise ValueError(
            "NoteClassifier: expected module to be 'compact', 'analyzer', 'starter' or a class of "
            f"torch.nn.Module, got {made!r}."
        ) from error
    any_name, any_number = inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL
    kinds = {name: parameter.kind for name, parameter in parameters.items()}
    accepted = {name for name, kind in kinds.items() if kind not in (any_name, any_number)}
    return accepted, any_name in kinds.values()


def name_of(network):
    """Return the name of a class of networks, or of a function that makes one."""
    while isinstance(network, functools.partial):
        network = network.func
    return getattr(network, "__name__", repr(network))


def check_sizes(owner, least, **sizes):
    """Refuse what is no whole number, or less than is possible."""
    for name, size in sizes.items():
        if not isinstance(size, numbers.Integral) or isinstance(size, bool) or size < least:
            raise ValueError(
                f"{owner}: expected {name} to be a whole number of at least {least}, got {size!r}."
            )


def check_dropout(owner, dropout):
    """Refuse what is no share of values that leaves some."""
    if not _is_number(dropout) or not 0 <= dropout < 1:
        raise ValueError(f"{owner}: expected dropout from 0 to below 1, got {dropout!r}.")


def check_focus(owner, frame_rate, attack_seconds, short_seconds):
    """Refuse an attack focus that is none, as :func:`attack_frames` takes it."""
    for name, value in (("frame_rate", frame_rate), ("attack_seconds", attack_seconds)):
        is_off = name == "attack_seconds" and value is None
        if not is_off and not (_is_number(value) and 0 < value < float("inf")):
            raise ValueError(f"{owner}: expected {name} above 0, got {value!r}.")
    if not (_is_number(short_seconds) and short_seconds >= 0):
        raise ValueError(f"{owner}: expected short_seconds of at least 0, got {short_seconds!r}.")


def _is_number(value):
    return isinstance(value, numbers.Real) and not isinstance(value, bool)
