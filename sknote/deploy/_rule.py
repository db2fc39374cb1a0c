"""An AnswerRule of what a file says of it; imports neither torch nor scikit-learn nor pandas."""

import numpy as np

from sknote.confidence._answers import LEAF, NOVEL, SEVERAL, UNKNOWN, AnswerRule, Level
from sknote.deploy._checks import (
    WrongError,
    are_names,
    check_record,
    is_list,
    is_number,
    is_text,
    is_whole,
    short,
)

_REASONS = ([], [NOVEL], [NOVEL, SEVERAL])


def restore_rule(told, classes):
    """Make the rule of an object that :func:`~sknote.deploy._confident.describe_rule` made."""
    check_record(told, "'confidence'", threshold=_is_share, levels=is_list, limits=_are_limits)
    levels = [Level(LEAF, tuple(classes.tolist()), np.arange(len(classes)))]
    for entry in told["levels"]:
        check_record(entry, "a level", name=is_text, nodes=_are_nodes, node_of=is_list)
        numbers, n_nodes = entry["node_of"], len(entry["nodes"])
        right = len(numbers) == len(classes) and all(
            is_whole(one, 0) and one < n_nodes for one in numbers
        )
        if not right:
            raise WrongError(f"'node_of' of a level is {short(numbers)}")
        levels.append(Level(entry["name"], tuple(entry["nodes"]), np.array(numbers, dtype=int)))
    names = [level.name for level in levels]
    if len({*names, UNKNOWN}) != len(names) + 1:
        raise WrongError(f"the levels of its answers are {short(names)}")
    limits = tuple((reason, _number(limit)) for reason, limit in told["limits"])
    return AnswerRule(classes, tuple(levels), _number(told["threshold"]), limits)


def _number(value):
    return np.inf if value is None else float(value)


def _is_share(value):
    """a number from 0 to 1, or null."""
    return value is None or (is_number(value) and 0 <= value <= 1)


def _are_nodes(value):
    """a list of different names of nodes."""
    return are_names(value) and len(value) > 0


def _are_limits(value):
    """a list of reasons, each with a number or null."""
    if not is_list(value) or not all(is_list(one) and len(one) == 2 for one in value):
        return False
    is_known = [reason for reason, _ in value] in _REASONS
    return is_known and all(limit is None or is_number(limit) for _, limit in value)
