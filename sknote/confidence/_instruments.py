"""The instrument of each note: of the column of that name, or of what MFCCSummary makes of it."""

import re

import numpy as np

from sknote._compat import num_samples
from sknote._input.forms import check_instrument

__all__ = ["instruments_of"]

_PREFIX = "instrument_"  # of the columns of MFCCSummary(instrument="onehot")


def instruments_of(X, name):
    """Return the instrument of each note, an array of str; ``""`` where there is none."""
    columns = [one for one in getattr(X, "columns", ()) if isinstance(one, str)]
    if "instrument" in columns:
        found = check_instrument(X["instrument"], name)
        return np.array([one or "" for one in found], dtype=object)
    named = [one for one in columns if one.startswith(_PREFIX)]
    if named and any(re.fullmatch(r"mfcc\d+_min", one) for one in columns):
        return _of_onehot(X, named)
    return np.full(num_samples(X), "", dtype=object)


def _of_onehot(table, columns):
    """Return the instruments of rows with a single 1 among 0, and ``""`` for all others."""
    values = np.column_stack([np.asarray(table[one], dtype=float) for one in columns])
    is_one = ((values == 0) | (values == 1)).all(axis=1) & (values.sum(axis=1) == 1)
    names = np.array([one.removeprefix(_PREFIX) for one in columns], dtype=object)
    return np.where(is_one, names[values.argmax(axis=1)], "")
