"""LabelHierarchy in a file: by the name of its data set, or by its parameters."""

from sknote.deploy._checks import WrongError, is_object, is_text, short
from sknote.deploy.model_file._values import decode, encode
from sknote.labels import LabelHierarchy

_KNOWN = {
    "good_sounds": LabelHierarchy.good_sounds,
    "philharmonia": LabelHierarchy.philharmonia,
}


def encode_hierarchy(hierarchy):
    """Return a LabelHierarchy, or None, as a value of JSON."""
    if hierarchy is None:
        return None
    if type(hierarchy) is not LabelHierarchy:
        raise WrongError(f"hierarchy is {short(hierarchy)}, and should be a LabelHierarchy")
    params = hierarchy.get_params()
    own = [name for name, made in _KNOWN.items() if made().get_params() == params]
    return own[0] if own else {key: _encode(key, value) for key, value in params.items()}


def _encode(name, value):
    try:
        return encode(value, name)
    except (WrongError, RecursionError) as error:  # of what contains itself
        raise WrongError(
            f"{name} of hierarchy is {short(value)}, and a file that names no code cannot hold "
            "that. Pass a LabelHierarchy of plain values, or none"
        ) from error


def decode_hierarchy(told):
    """Return the LabelHierarchy, or None, that a value of JSON stands for."""
    if told is None:
        return None
    if isinstance(told, str):
        return _KNOWN[told]()
    if unknown := set(told) - set(LabelHierarchy().get_params()):
        raise WrongError(f"its hierarchy has no parameter {short(min(unknown))}")
    return LabelHierarchy(**{key: decode(value) for key, value in told.items()})


def is_hierarchy(value):
    """null, the name of a hierarchy, or its parameters."""
    return value is None or is_object(value) or (is_text(value) and value in _KNOWN)
