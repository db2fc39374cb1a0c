"""Arrays in mapped files, read once: their pages are given back to the system."""

import mmap

import numpy as np


def read_once(items):
    """Yield arrays one by one; the memory of mapped ones is given back when the next is taken.

    What was read of a mapped file counts as memory of the process until then, up to the whole file.
    An array may be read again: its pages are still in the system's cache.
    """
    for item in items:
        yield item
        _give_back(item)


# A fault maps what lies around it as well: 64 KiB on Linux, by default.
_AROUND = 1 << 16


def _give_back(array):
    base = array
    while isinstance(base, np.ndarray):
        base = base.base
    if not isinstance(base, mmap.mmap) or array.flags.writeable or not array.size:
        return  # what was written to private pages would be lost
    if hasattr(mmap, "MADV_DONTNEED"):
        first = array.ctypes.data - np.frombuffer(base, np.uint8).ctypes.data
        start = max(0, first - _AROUND) // mmap.PAGESIZE * mmap.PAGESIZE
        stop = min(len(base), first + array.nbytes + _AROUND)
        base.madvise(mmap.MADV_DONTNEED, start, stop - start)
