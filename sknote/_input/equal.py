"""Which of several items are equal, so that what is asked for twice is computed once."""

import hashlib
import os

import numpy as np

from sknote._input.mapped import read_once

_LOOKED_AT = 16  # numbers of an array that tell it from most others


def first_equal(items, *others):
    """Return for each item the row of the first one that equals it, an ndarray of int64.

    Arrays are equal if their types, shapes and bytes are, and names of files and bytes if they are
    the same; another object equals itself alone. `others` are sequences of what must be equal, too,
    such as the instrument.
    """
    firsts, seen = np.arange(len(items)), {}
    for row, item in enumerate(read_once(items)):
        look = (_look(item), *(other[row] for other in others))
        first, unlike = seen.setdefault(look, (row, {}))
        if first == row:
            continue
        if not isinstance(item, np.ndarray) or _same_bytes(item, items[first]):
            firsts[row] = first
        else:  # of those that only look like the first, none is compared with all of the others
            digest = hashlib.blake2b(np.ascontiguousarray(item), digest_size=16).digest()
            firsts[row] = unlike.setdefault(digest, row)
    return firsts


def _look(item):
    """Return what equal items have in common, in a moment; for all but arrays, what is equal."""
    if isinstance(item, np.ndarray) and item.dtype.kind in "fiu":
        flat = item.reshape(-1) if item.flags.c_contiguous else item.flat
        some = flat[:: max(1, item.size // _LOOKED_AT)]
        return item.dtype.str, item.shape, some.tobytes()
    try:
        if isinstance(item, (str, os.PathLike)):
            return "name", os.fspath(item)
        if isinstance(item, (bytes, bytearray, memoryview)):
            return "bytes", bytes(item)
    except Exception:  # of what says that it is a path, and is none
        pass
    return "object", id(item)


def _same_bytes(one, other):
    one, other = (np.ascontiguousarray(array).reshape(-1).view(np.uint8) for array in (one, other))
    return one is other or np.array_equal(one, other)


def is_constant(waveform):
    """Tell whether all samples of a waveform are the same, so that nothing sounds."""
    if len(waveform) == 0:
        return True
    return bool(waveform[0] == waveform[-1] and (waveform == waveform[0]).all())
