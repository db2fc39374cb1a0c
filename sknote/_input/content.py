"""What a recording contains, as a key, and whether that is still the same; imports NumPy alone."""

import hashlib
import os
import time

import numpy as np

from sknote._files import open_plain

_TICK = 2.0  # seconds that the times of files may be wrong by (FAT; most are far better)


def content_key(recording):
    """Return 16 bytes that stand for the content of a recording, or None if it has none.

    They are the same for a file and for its bytes, whatever its name is. A file object is read from
    its present position, which is restored. A file that cannot be read, what is no plain file, and
    an object that is no recording have no content.
    """
    if isinstance(recording, (str, os.PathLike)):
        try:
            with open_plain(recording, follow=True) as file:
                return hashlib.file_digest(file, _encoded).digest()
        except (OSError, ValueError):  # ValueError: a path with a null character
            return None
    if hasattr(recording, "read"):
        data = peek(recording)
        return None if data is None else _encoded(data).digest()
    if isinstance(recording, (bytes, bytearray, memoryview)):
        return _encoded(recording).digest()
    try:
        array = np.asarray(recording)
    except Exception:  # such as rows of several lengths: whoever reads it says what it is
        return None
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


def mark(recording):
    """Return the key of a recording's content, and what tells whether that changes; see `is_same`.

    The latter is for files, which others may write; arrays and bytes are the caller's own.
    """
    before = _stamp(recording)
    return content_key(recording), before, time.time()


def is_same(recording, marked):
    """Tell whether a recording still is what it was when it was marked, and was so all the time.

    Its file is read again only where its times could be the same for two contents, since they are
    no finer than `_TICK`.
    """
    key, before, when = marked
    if before is None:
        return True
    is_young = when - _TICK < before[-1] / 1e9
    return _stamp(recording) == before and (not is_young or content_key(recording) == key)


def _stamp(recording):
    path = recording.filename if isinstance(recording, np.memmap) else recording
    if not isinstance(path, (str, os.PathLike)):
        return None
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns
