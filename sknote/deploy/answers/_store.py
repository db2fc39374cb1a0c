"""Answers by key: the latest in memory, more of them on disk."""

import hashlib
import os
import threading
import weakref
from collections import OrderedDict

import numpy as np

from sknote._input.forms import is_missing
from sknote.deploy.answers._database import Database

_ENTRY = 200  # bytes that a row in memory takes beside its numbers


def answer_key(model, content, known):
    """Return 16 bytes that stand for what a model is asked.

    `model` is its digest, `content` that of a recording, and `known` a dict of what else is known
    of it, such as the instrument; what is missing does not count. None if something there is no
    plain value.
    """
    plain = {}
    for name, value in known.items():
        if isinstance(value, np.generic):
            value = value.item()
        if is_missing(value):
            continue
        if not isinstance(value, (str, int, float)):
            return None
        plain[str(name)] = repr(value)
    text = repr(sorted(plain.items())).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(model + content + text, digest_size=16).digest()


def as_probabilities(rows):
    """Return probabilities that sum to 1 of rows of float32, shape (n_notes, n_classes)."""
    rows = np.asarray(rows, dtype=np.float64)
    return rows / rows.sum(axis=1, keepdims=True)


class AnswerStore:
    """Rows of float32 by key, of any number of models.

    Parameters
    ----------
    path : str, path or None
        The database; None is none.
    max_memory, max_disk : int
        Bytes that the rows may take in memory, and the database on disk. What was not used for the
        longest time goes first.
    """

    def __init__(self, path, max_memory, max_disk):
        self.path = path
        self.max_memory = max_memory
        self.max_disk = max_disk
        self._rows, self._size = OrderedDict(), 0
        self._database = None if path is None else Database(path, max_disk)
        self._make_lock()

    def get(self, keys, n_classes):
        """Return those rows that are there: a dict of keys to read-only arrays."""
        found = {}
        with self._lock:
            for key in keys:
                row = self._rows.get(key)
                if row is not None and len(row) == n_classes:
                    self._rows.move_to_end(key)
                    found[key] = row
        if self._database is not None:
            self._database.touch(found)
            if missing := [key for key in dict.fromkeys(keys) if key not in found]:
                read = self._database.get(missing, 4 * n_classes)
                more = {key: np.frombuffer(row, "<f4") for key, row in read.items()}
                self._remember(more)
                found |= more
        return found

    def put(self, rows):
        """Keep rows, a dict of keys to arrays of float32."""
        if not rows:
            return
        rows = {key: np.array(row, "<f4") for key, row in rows.items()}
        for row in rows.values():
            row.flags.writeable = False
        self._remember(rows)
        if self._database is not None:
            self._database.put({key: row.tobytes() for key, row in rows.items()})

    def _remember(self, rows):
        with self._lock:
            for key, row in rows.items():
                before = self._rows.pop(key, None)
                self._size += _ENTRY + row.nbytes if before is None else row.nbytes - before.nbytes
                self._rows[key] = row
            while self._size > self.max_memory and self._rows:
                _, row = self._rows.popitem(last=False)
                self._size -= _ENTRY + row.nbytes

    def close(self):
        """Write what is not written yet, and let go of the database."""
        if self._database is not None:
            self._database.close()

    def _make_lock(self):
        self._lock = threading.Lock()
        _STORES.add(self)

    def __reduce__(self):
        return AnswerStore, (self.path, self.max_memory, self.max_disk)


_STORES = weakref.WeakSet()


def _begin_child():
    """Have locks of one's own: another thread may have held them when a process was forked."""
    for store in list(_STORES):
        store._make_lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_child)
