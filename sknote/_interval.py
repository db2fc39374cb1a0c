"""Numbers that parameters may be."""

from sknote._compat import Interval as AnyInterval


class Interval(AnyInterval):
    """An interval of scikit-learn that holds neither True nor False, which it takes for 1 and 0."""

    def is_satisfied_by(self, val):
        """Tell whether a value lies in the interval."""
        return not isinstance(val, bool) and super().is_satisfied_by(val)
