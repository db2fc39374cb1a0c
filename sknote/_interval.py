"""Numbers that parameters may be, and what is made of them before anything is computed."""

import reprlib
from numbers import Integral, Real

import numpy as np

from sknote._compat import Interval as AnyInterval


class Interval(AnyInterval):
    """An interval of scikit-learn that holds neither True nor False, which it takes for 1 and 0.

    Nor does it hold what is too large for a float, as which much is computed.
    """

    def is_satisfied_by(self, val):
        """Tell whether a value lies in the interval."""
        if isinstance(val, bool) or not isinstance(val, self.type):
            return False
        try:
            float(val)
        except OverflowError:
            return False
        return super().is_satisfied_by(val)


def plain_number(value):
    """Return a number as one of Python's own; anything else as it is.

    Those of NumPy keep their type in products, which may be too narrow, and torch does not take
    them everywhere.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        return value
    return int(value) if isinstance(value, Integral) else float(value)


def check_number(value, allowed, name, caller):
    """Return a number as one of Python's own; what the interval does not hold is a ValueError."""
    if not allowed.is_satisfied_by(value):
        raise ValueError(
            f"{caller}: `{name}` must be {allowed}. Got {reprlib.repr(value)} instead."
        )
    return plain_number(value)


def check_seed(random_state, caller):
    """Refuse a random_state of which scikit-learn makes no RandomState."""
    if random_state is None or random_state is np.random:
        return
    is_state = isinstance(random_state, np.random.RandomState)
    if not is_state and not _SEEDS.is_satisfied_by(random_state):
        raise ValueError(
            f"{caller}: `random_state` must be None, a RandomState or {_SEEDS}. Got "
            f"{reprlib.repr(random_state)} instead."
        )


_SEEDS = Interval(Integral, 0, 2**32 - 1, closed="both")
