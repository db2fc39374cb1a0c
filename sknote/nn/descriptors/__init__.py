"""What is computed of a note once, in place of its frames: descriptors of fixed size."""

from sknote.nn.descriptors._description import PROFILES, describe_notes, level_slopes
from sknote.nn.descriptors._functionals import TIMES, cosines, count_functionals
from sknote.nn.descriptors._partials import count_partials, describe_partials, has_partials

__all__ = [
    "PROFILES",
    "TIMES",
    "cosines",
    "count_functionals",
    "count_partials",
    "describe_notes",
    "describe_partials",
    "has_partials",
    "level_slopes",
]
