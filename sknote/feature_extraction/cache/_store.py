"""A folder of features: many notes to a file, found by content, checked, memory-mapped."""

import errno
import hashlib
import mmap
import os
import time
import warnings
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np

from sknote._files import TEMPORARY, replacing

# Where a note's features lie among those of its file. The size is a multiple of 8 bytes, so that
# the features, which follow a table of these, are aligned.
_INDEX = np.dtype([("key", "u1", (16,)), ("start", "<i8"), ("stop", "<i8"), ("crc32", "<i8")])
_SUFFIX = ".features"
_STALE = 24 * 3600.0  # seconds after which an unfinished file is nobody's


def content_key(recording):
    """Return 16 bytes that stand for the content of a recording, or None if it has none.

    They are the same for a file and for its bytes, whatever its name is. A file object is read from
    its present position, which is restored. A file that cannot be read, and an object that is no
    recording, have no content.
    """
    if isinstance(recording, (str, os.PathLike)):
        try:
            with open(recording, "rb") as file:
                return hashlib.file_digest(file, _encoded).digest()
        except (OSError, ValueError):  # ValueError: a path with a null character
            return None
    if hasattr(recording, "read"):
        data = peek(recording)
        return None if data is None else _encoded(data).digest()
    if isinstance(recording, (bytes, bytearray, memoryview)):
        return _encoded(recording).digest()
    array = np.asarray(recording)
    if array.dtype.kind not in "fiu":
        return None
    form = repr((array.dtype.str, array.shape)).encode()
    digest = hashlib.blake2b(form, digest_size=16, person=b"array")
    digest.update(np.ascontiguousarray(array).data)
    return digest.digest()


def peek(file):
    """Read a binary file object to its end, and put it back; None if that cannot be done."""
    try:
        position = file.tell()
        data = file.read()
        file.seek(position)
    except (OSError, ValueError, AttributeError):  # closed, for writing only, a stream
        return None
    return data if isinstance(data, (bytes, bytearray, memoryview)) else None


def _encoded(data=b""):
    return hashlib.blake2b(data, digest_size=16, person=b"encoded")


class FeatureStore:
    """Features of notes, by the keys of their recordings, in a folder that is made when needed.

    Each file is an array of `_INDEX`, one row a note, and behind it the features of these notes one
    after the other, both in NumPy's NPY format. It is written under another name and renamed, so
    that a file is whole or not there. No file is ever changed, none knows of another, and there is
    no index of all, so that any number of processes can write without a lock.
    """

    def __init__(self, folder):
        self.folder = Path(folder)

    def read(self, keys):
        """Map the features of those notes that are there: a dict of keys to read-only arrays.

        A file that does not hold what was written to it is deleted, with a warning.
        """
        wanted, found = set(keys), {}
        for path in sorted(self.folder.glob(f"*{_SUFFIX}")):
            if len(found) == len(wanted):
                break
            try:
                found |= _read(path, wanted.difference(found))
            except FileNotFoundError:  # another process found that it is damaged
                continue
            except MemoryError:
                raise
            except OSError as error:
                if error.errno == errno.EMFILE:
                    remedy = "Every file in use is an open one; a larger chunk_size makes fewer."
                else:
                    remedy = "Make it readable, or pass another cache_dir."
                raise _explained("read", path, error, remedy) from error
            except Exception as error:  # NumPy raises many kinds for headers that are not its own
                warnings.warn(
                    f"FeatureCache: {path} is damaged ({error}); its features are made anew.",
                    stacklevel=2,
                )
                path.unlink(missing_ok=True)
        return found

    def write(self, keys, features):
        """Store the features of notes in one file, of which nothing is left after an OSError.

        They are arrays of one type, and of one shape but for the first dimension, the frames.
        """
        stops = np.cumsum([len(values) for values in features])
        index = np.zeros(len(keys), dtype=_INDEX)
        index["key"] = [np.frombuffer(key, np.uint8) for key in keys]
        index["stop"] = stops
        index["start"][1:] = stops[:-1]
        index["crc32"] = [_checksum(values) for values in features]
        self._clean()
        frames = np.concatenate(features)
        self._write(_name(keys), lambda file: [np.save(file, index), np.save(file, frames)])

    def has_file(self, keys):
        """Tell whether there is a file of these notes, in this order."""
        return (self.folder / _name(keys)).exists()

    def describe(self, text):
        """Write what the features were made by into the folder, for people."""
        if not (self.folder / "about.txt").exists():
            self._write("about.txt", lambda file: file.write(f"{text}\n".encode()))

    def _write(self, name, write):
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with replacing(self.folder / name) as beside, open(beside, "wb") as file:
                write(file)
        except OSError as error:
            remedy = "Make room, or pass another cache_dir; what is finished there stays."
            raise _explained("write to", self.folder, error, remedy) from error

    def _clean(self):
        """Delete what processes that were killed a day ago and more have left."""
        oldest = time.time() - _STALE
        for path in self.folder.glob(TEMPORARY):
            with suppress(OSError):  # another process may be quicker
                if path.stat().st_mtime < oldest:
                    path.unlink()


def _name(keys):
    return hashlib.blake2b(b"".join(keys), digest_size=12).hexdigest() + _SUFFIX


def _checksum(values):
    """Of the values, their type, and their shape but for the number of frames."""
    form = repr((values.dtype.str, values.shape[1:])).encode()
    return zlib.crc32(np.ascontiguousarray(values).data, zlib.crc32(form))


def _read(path, wanted):
    """Return those of the wanted notes that a file has."""
    with open(path, "rb") as file:
        index = np.lib.format.read_array(file)
        if index.dtype != _INDEX:
            raise ValueError("it has no index")
        keys = [key.tobytes() for key in index["key"]]
        if _name(keys) != path.name:
            raise ValueError("its index is not of the notes that its name stands for")
        if wanted.isdisjoint(keys):
            return {}
        version = np.lib.format.read_magic(file)
        if version != (1, 0):
            raise ValueError(f"version {version} of NPY")
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        start = file.tell()
        size = int(np.prod(shape)) * dtype.itemsize
        if os.fstat(file.fileno()).st_size != start + size or index["stop"].max() > shape[0]:
            raise ValueError("it has not the size that it should have")
        if size == 0:
            values = np.empty(shape, dtype)
        else:
            values = np.memmap(file, dtype, mode="r", offset=start, shape=shape)
    # plain arrays: a slice of np.memmap costs ten times as much
    values, mapped = values.view(np.ndarray), values
    found = {}
    for key, row in zip(keys, index):
        if key in wanted:
            found[key] = values[row["start"] : row["stop"]]
            if _checksum(found[key]) != row["crc32"]:
                raise ValueError("its checksum is wrong")
    if size and hasattr(mmap, "MADV_DONTNEED"):
        # Checking has read it all. Whoever uses a note reads it again, from the system's cache.
        mapped.base.madvise(mmap.MADV_DONTNEED)
    return found


def _explained(action, path, error, remedy):
    what = error.strerror or str(error)
    message = f"FeatureCache: could not {action} {path}: {what}. {remedy}"
    return OSError(error.errno, message) if error.errno else OSError(message)
