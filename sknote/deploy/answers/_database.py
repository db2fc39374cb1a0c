"""Rows in a database of SQLite, which several processes may use at the same time.

Nothing in it is trusted: it is used only if it has the table that is made here and nothing else,
and each row has a digest. What cannot be read or written is a warning, and then there is none.
"""

import contextlib
import errno
import hashlib
import os
import sqlite3
import threading
import warnings
import weakref

from sknote._files import open_plain

LEAST = 1 << 16  # bytes, below which there is no room for rows

_MAGIC = b"SQLite format 3\0"
_APPLICATION, _VERSION = 0x534B4E41, 1  # in the header of the file
_TABLE = "CREATE TABLE answers (use INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, row BLOB)"
_DIGEST = 8  # bytes before each row
_SHARE = 8  # one part of so many goes at once
_PATIENCE = 5.0  # seconds that another process may take to write
_AT_ONCE = 500  # rows that are asked for
_MOST_TOUCHED = 1000  # rows whose use is not written yet
_ERRORS = (sqlite3.Error, OSError, ValueError, OverflowError, MemoryError)
_ONLY_WRITING = (
    *(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED),
    *(sqlite3.SQLITE_READONLY, sqlite3.SQLITE_FULL),
)


class WrongDatabaseError(Exception):
    """A file is none of these databases; the message says what it is."""


class Database:
    """Rows of bytes by key, in the order of their use.

    Parameters
    ----------
    path : str or path
        The file, made when it is needed. Beside it SQLite has two more, of the same name and
        ``-wal`` and ``-shm``.
    max_bytes : int
        How large it may become.
    """

    def __init__(self, path, max_bytes):
        self.path = os.path.abspath(path)
        self.max_bytes = max_bytes
        self._begin()

    def _begin(self):
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._connection, self._touched = None, {}
        self._may_read = self._may_write = True

    def get(self, keys, size):
        """Return those rows of `size` bytes that are there and whole, a dict."""
        found = self._try(self._read, keys, size) or {}
        self.touch(found)
        return found

    def touch(self, keys):
        """Note that rows were used, if they are there."""
        for key in keys:
            self._touched.pop(key, None)
            self._touched[key] = None
        if len(self._touched) >= _MOST_TOUCHED:
            self._try(self._write, {}, writes=True)
            self._touched = {}

    def put(self, rows):
        """Write rows, if they can be written."""
        self._try(self._write, rows, writes=True)

    def close(self):
        """Write which rows were used, and close the file."""
        if self._connection is None or self._process != os.getpid():
            return  # that of a forked process is its parent's
        if self._touched:
            self._try(self._write, {}, writes=True)
        with self._lock:
            connection, self._connection = self._connection, None
            _close(connection, self._process)

    def _try(self, function, *args, writes=False):
        """Call a function of the database, in one thread at a time; None if that cannot be done."""
        if self._process != os.getpid():
            _OF_PARENTS.append(self._connection)
            self._begin()
        with self._lock:
            if not self._may_read or (writes and not self._may_write):
                return None
            try:
                if self._connection is None:
                    self._connection = _open(self.path)
                    weakref.finalize(self, _close, self._connection, self._process)
                return function(*args)
            except WrongDatabaseError as error:
                self._may_read = False
                self._warn(f"is no cache of answers of sknote: {error}. Name another file")
            except _ERRORS as error:
                self._give_up(error)

    def _give_up(self, error):
        """Say what is wrong, once, and go on without what cannot be done."""
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        reason = getattr(error, "strerror", None) or error
        if code in _ONLY_WRITING and self._connection is not None:
            self._may_write = False
            remedy = ", make room" if code == sqlite3.SQLITE_FULL else ""
            self._warn(f"cannot be written ({reason}), what it has is read{remedy}")
        elif code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            self._may_read = False
            self._warn(f"is damaged ({reason}) and not used any more. Delete it")
        else:
            self._may_read = False
            self._warn(f"cannot be used: {reason}")

    def _warn(self, text):
        warnings.warn(
            f"CachedClassifier: {self.path!r} {text}. New answers are kept in memory alone.",
            stacklevel=6,
        )

    def _read(self, keys, size):
        found = {}
        for start in range(0, len(keys), _AT_ONCE):
            some = keys[start : start + _AT_ONCE]
            marks = ",".join("?" * len(some))
            query = f"SELECT key, row FROM answers WHERE key IN ({marks})"
            for key, row in self._connection.execute(query, some):
                if type(row) is bytes and len(row) == _DIGEST + size:
                    row, digest = row[_DIGEST:], row[:_DIGEST]
                    if digest == _digest(key, row):
                        found[key] = row
        return found

    def _write(self, rows):
        """Write rows and uses in one go."""
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            touched, self._touched = list(self._touched), {}  # others go on noting
            (latest,) = connection.execute("SELECT coalesce(max(use), 0) FROM answers").fetchone()
            uses = enumerate((key for key in touched if key not in rows), start=latest + 1)
            connection.executemany("UPDATE answers SET use = ? WHERE key = ?", uses)
            latest += len(touched)
            made = [
                (latest + i, key, _digest(key, row) + row)
                for i, (key, row) in enumerate(rows.items(), start=1)
            ]
            connection.executemany("INSERT OR REPLACE INTO answers VALUES (?, ?, ?)", made)
            is_too_large = self._make_room()
            connection.execute("COMMIT")
            if is_too_large:  # a script: `execute` would take a single page out
                connection.executescript("PRAGMA incremental_vacuum")
        finally:
            if connection.in_transaction:  # after an error, or an interrupt
                connection.execute("ROLLBACK")

    def _make_room(self):
        """Delete what was not used for the longest time, until the rest is small enough.

        Tells whether the file has more pages than it may have, of which some are free then.
        """
        connection = self._connection

        def number(query):
            return connection.execute(query).fetchone()[0]

        most = self.max_bytes // number("PRAGMA page_size")
        n_pages = number("PRAGMA page_count")
        while n_pages - number("PRAGMA freelist_count") > most:
            n_rows = number("SELECT count(*) FROM answers")
            if not n_rows:
                break
            connection.execute(
                "DELETE FROM answers WHERE use <= "
                "(SELECT use FROM answers ORDER BY use LIMIT 1 OFFSET ?)",
                (n_rows // _SHARE,),
            )
        return n_pages > most

    def __reduce__(self):
        return Database, (self.path, self.max_bytes)


_OF_PARENTS = []  # connections that a forked process must not close: it would disturb its parent


def _open(path):
    """Open a database, and make it if there is none; refuse another one before it is touched."""
    if not os.path.isdir(os.path.dirname(path)):
        raise OSError(errno.ENOENT, "there is no such folder")
    with contextlib.suppress(FileNotFoundError), open_plain(path, follow=True) as file:
        head = file.read(100)
        is_ours = head.startswith(_MAGIC) and head[68:72] == _APPLICATION.to_bytes(4, "big")
        if head and not is_ours:
            raise WrongDatabaseError("it holds something else")
    how = {"timeout": _PATIENCE, "isolation_level": None, "check_same_thread": False}
    connection = sqlite3.connect(path, **how)
    try:
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        if not connection.execute(_SCHEMA).fetchall():
            _make(connection)
        with contextlib.suppress(sqlite3.OperationalError):  # which another process does as well
            connection.execute("PRAGMA journal_mode=WAL")
        (number,) = connection.execute("PRAGMA user_version").fetchone()
        if number != _VERSION:
            raise WrongDatabaseError(f"it has version {number}, and {_VERSION} is read")
        if connection.execute(_SCHEMA).fetchall() != _EXPECTED:
            raise WrongDatabaseError("it has other tables")
    except BaseException:
        connection.close()
        raise
    return connection


_PRAGMAS = (
    *("trusted_schema=OFF", "cell_size_check=ON"),  # for files of unknown origin
    *("synchronous=NORMAL", "journal_size_limit=1000000", "cache_size=-4096"),
)
_SCHEMA = "SELECT type, name, sql FROM sqlite_master ORDER BY type"
_EXPECTED = [("index", "sqlite_autoindex_answers_1", None), ("table", "answers", _TABLE)]


def _make(connection):
    connection.execute("BEGIN")
    try:  # in one transaction, or others see a file that is nobody's yet
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")  # which has to come first, and locks
        if not connection.execute(_SCHEMA).fetchall():  # else another process was faster
            connection.execute(f"PRAGMA application_id={_APPLICATION}")
            connection.execute(f"PRAGMA user_version={_VERSION}")
            connection.execute(_TABLE)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _close(connection, process):
    if process == os.getpid():
        with contextlib.suppress(*_ERRORS):
            connection.close()


def _digest(key, row):
    return hashlib.blake2b(row, digest_size=_DIGEST, key=key).digest()
