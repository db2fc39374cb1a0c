"""A folder of features: many notes to a file, found by content, checked, memory-mapped."""

import errno
import hashlib
import math
import mmap
import os
import re
import warnings
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np

from sknote._files import is_plain, open_plain, replacing, sweep

# Where a note's features lie among those of its file. The size is a multiple of 8 bytes, so that
# the features, which follow a table of these, are aligned.
_INDEX = np.dtype([("key", "u1", (16,)), ("start", "<i8"), ("stop", "<i8"), ("crc32", "<i8")])
_SUFFIX = ".features"
_NAME = re.compile(rf"[0-9a-f]{{24}}\{_SUFFIX}")
_STALE = 24 * 3600.0  # seconds after which an unfinished file is nobody's

# What a file may hold. Other types are pointers, or are not the same everywhere; a truth value of
# neither 0 nor 1, which a file can hold as well, makes NumPy count wrongly.
_CODES = ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16")
_NUMBERS = {np.dtype(order + code).str for order in "<>" for code in _CODES}
_TYPES = {repr(np.lib.format.dtype_to_descr(np.dtype(one))): one for one in (_INDEX, *_NUMBERS)}
_MAGIC = b"\x93NUMPY\x01\x00"
_HEADER = re.compile(
    r"\{'descr': (.+), 'fortran_order': False, 'shape': (\(\d+,(?: \d+,)*(?: \d+)?\)), \} *\n"
)
# Errors after which no further file could be opened either.
_TOO_MANY = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}


def why_not_kept(values):
    """Say why features could not be read again as they are; None if they can."""
    if type(values) not in (np.ndarray, np.memmap):
        return f"they are of type {type(values).__name__}, not a plain array"
    if values.dtype.str not in _NUMBERS:
        return f"they are of type {values.dtype}, not plain numbers"
    if values.ndim == 0:
        return "they are a single number"
    if values.dtype.kind in "fc" and not np.isfinite(values).all():
        return "they hold NaN or infinity"
    return None


class FeatureStore:
    """Features of notes, by the keys of their recordings, in a folder that is made when needed.

    Each file is an array of `_INDEX`, one row a note, and behind it the features of these notes one
    after the other, both in NumPy's NPY format. Its name stands for these notes and for the name of
    the folder, which stands for how they were made: it is read nowhere else. It is written under
    another name and renamed, so that a file is whole or not there. No file is ever changed, none
    knows of another, and there is no index of all, so that any number of processes can write
    without a lock. What is no plain file, or has a header that `write` would not have written, is
    never interpreted.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self._unreadable = set()  # names of files

    def read(self, keys):
        """Map the features of those notes that are there: a dict of keys to read-only arrays.

        A file that does not hold what was written to it is deleted, with a warning.
        """
        wanted, found = set(keys), {}
        for path in sorted(self.folder.glob(f"*{_SUFFIX}")):
            if len(found) == len(wanted):
                break
            if not _NAME.fullmatch(path.name):
                continue
            try:
                found |= _read(path, wanted.difference(found))
            except FileNotFoundError:  # another process found that it is damaged
                continue
            except OSError as error:
                what = f"FeatureCache: could not read {path}: {error.strerror or error}."
                if error.errno in _TOO_MANY:
                    remedy = "Every file in use is an open one; a larger chunk_size makes fewer."
                    raise OSError(error.errno, f"{what} {remedy}") from error
                warnings.warn(f"{what} Its features are made anew.", stacklevel=2)
                self._unreadable.add(path.name)
            except MemoryError:
                raise
            except Exception as error:  # there are many ways to be no array
                warnings.warn(
                    f"FeatureCache: {path} is damaged ({error}); its features are made anew.",
                    stacklevel=2,
                )
                with suppress(OSError):
                    path.unlink(missing_ok=True)
        return found

    def write(self, keys, features):
        """Store the features of notes, arrays of numbers that `why_not_kept` has nothing against.

        Those of one type, and of one shape but for the first dimension, the frames, are in one
        file. Of a file that raises an OSError nothing is left.
        """
        alike = {}
        for key, values in zip(keys, features):
            alike.setdefault((values.dtype.str, values.shape[1:]), {})[key] = values
        for (descr, shape), chosen in alike.items():
            arrays = [np.ascontiguousarray(values) for values in chosen.values()]
            stops = np.cumsum([len(values) for values in arrays])
            index = np.zeros(len(arrays), dtype=_INDEX)
            index["key"] = [np.frombuffer(key, np.uint8) for key in chosen]
            index["stop"] = stops
            index["start"][1:] = stops[:-1]
            index["crc32"] = [_checksum(values) for values in arrays]
            header = {"descr": descr, "fortran_order": False, "shape": (int(stops[-1]), *shape)}
            self._write(_name(self.folder, chosen), index, header, arrays)

    def has_file(self, keys):
        """Tell whether there is a file of these notes, in this order."""
        name = _name(self.folder, keys)
        with suppress(PermissionError):  # which `write` says
            return name not in self._unreadable and is_plain(self.folder / name)
        return False

    def describe(self, text):
        """Write what the features were made by into the folder, for people, if that can be done."""
        path = self.folder / "about.txt"
        with suppress(OSError):  # which `write` says
            if not is_plain(path):
                self.folder.mkdir(parents=True, exist_ok=True)
                with replacing(path) as beside:
                    beside.write_text(f"{text}\n", encoding="utf-8")

    def _write(self, name, index, header, arrays):
        self.folder.mkdir(parents=True, exist_ok=True)
        with replacing(self.folder / name) as beside, open(beside, "wb") as file:
            np.save(file, index)
            np.lib.format.write_array_header_1_0(file, header)
            for values in arrays:
                file.write(values.data)
        sweep(self.folder, age=_STALE, like=self.folder / name)


def _name(folder, keys):
    text = b"/".join([os.fsencode(folder.name), b"".join(keys)])
    return hashlib.blake2b(text, digest_size=12).hexdigest() + _SUFFIX


def _checksum(values):
    """Of the values, their type and their shape."""
    form = repr((values.dtype.str, values.shape)).encode()
    return zlib.crc32(values.data, zlib.crc32(form))


def _read(path, wanted):
    """Return those of the wanted notes that a file has."""
    with open_plain(path) as file:
        size = os.fstat(file.fileno()).st_size
        shape, dtype, start = _header(file, size)
        if dtype is not _INDEX or len(shape) > 1:
            raise ValueError("it has no index")
        index = np.frombuffer(file.read(shape[0] * _INDEX.itemsize), _INDEX)
        keys = [key.tobytes() for key in index["key"]]
        if _name(path.parent, keys) != path.name:
            raise ValueError("its name stands for other notes, or for another folder")
        if wanted.isdisjoint(keys):
            return {}
        shape, dtype, start = _header(file, size)
        if dtype is _INDEX or start + math.prod(shape) * np.dtype(dtype).itemsize != size:
            raise ValueError("it has not the size that it should have")
        mapped = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
    values = np.ndarray(shape, dtype, buffer=mapped, offset=start)
    starts, stops = index["start"], index["stop"]
    if starts[0] != 0 or (starts[1:] != stops[:-1]).any() or stops[-1] != len(values):
        raise ValueError("its index is not that of its features")
    found = {}
    for key, row in zip(keys, index):
        if key in wanted:
            found[key] = values[row["start"] : row["stop"]]
            if _checksum(found[key]) != row["crc32"]:
                raise ValueError("its checksum is wrong")
    if hasattr(mmap, "MADV_DONTNEED"):
        # Checking has read it all. Whoever uses a note reads it again, from the system's cache.
        mapped.madvise(mmap.MADV_DONTNEED)
    return found


def _header(file, size):
    """Return the shape and type that an NPY header states, and the place of what follows it.

    It is taken as text, not as Python, and only if it is one of those that are written here.
    """
    start = file.read(len(_MAGIC) + 2)
    text = file.read(int.from_bytes(start[-2:], "little")).decode("latin-1")
    match = _HEADER.fullmatch(text) if start.startswith(_MAGIC) else None
    if match is None or match[1] not in _TYPES:
        raise ValueError("it has a header that is not its own")
    shape, dtype = tuple(map(int, re.findall(r"\d+", match[2]))), _TYPES[match[1]]
    if file.tell() + math.prod(shape) * np.dtype(dtype).itemsize > size:
        raise ValueError("it is shorter than it should be")
    return shape, dtype, file.tell()
