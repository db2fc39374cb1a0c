"""The one way to write a file: under another name, then renamed, so that it is whole or not there.

A process that is killed while it writes leaves a file ``.<random>.tmp`` and nothing else. Locks are
the system's: they end with the process that holds them, whatever ends it. Where there are none
(Windows, some network disks), `locked` protects nobody, and `sweep` deletes less.
"""

import errno
import os
import re
import stat
import time
import uuid
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

try:
    import fcntl
except ImportError:
    fcntl = None

TEMPORARY = ".*.tmp"  # pattern of the names of unfinished files
_AT_ONCE = getattr(os, "O_NONBLOCK", 0)  # a pipe waits for its other end
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_HEAD = 1024  # bytes by which it is known what a file is


class Kind(NamedTuple):
    """Files that may be replaced by new ones: what they are, and a pattern of how they begin."""

    name: str
    beginning: re.Pattern


@contextmanager
def replacing(path, *, sync=False):
    """Give the path of an empty file beside another one, whose place it takes in the end.

    It is in the same folder, since no file can be renamed to another disk. If nothing can be
    written there, that is an OSError at once; if the block raises, the file that was there stays as
    it was. With `sync` the new one outlives a power failure too, and not only its process: slower,
    and for what has no checksum of its own.
    """
    beside = Path(path).with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        with open(beside, "xb") as held:
            with suppress(OSError):
                _lock(held, wait=False)  # while it is written, nobody takes it for a leftover
            yield beside
        if sync:
            with open(beside, "rb+") as file:
                os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def check_target(path, name, kind):
    """Return where a file that a caller names is to be written: a link leads to its end.

    `name` is who wants it, for the messages of errors: what is there already has to be a file, and
    no folder, device or pipe, whose place a file would take for good. It is empty or of the same
    :class:`Kind`, as no recording is whose name was given by mistake.
    """
    if not isinstance(path, (str, os.PathLike)) or not os.fspath(path):
        raise TypeError(f"{name}: expected the path of a file to write, got {path!r}.")
    shown = os.fspath(path)
    if "\0" in shown:
        raise ValueError(f"{name}: {shown!r} cannot be the name of a file.")
    target = Path(os.path.realpath(path))
    try:
        mode = os.stat(target).st_mode
    except FileNotFoundError:
        mode = None
    except OSError as error:
        raise OSError(f"{name}: {shown!r} cannot be written: {error.strerror}.") from error
    if mode is not None and stat.S_ISDIR(mode):
        raise IsADirectoryError(f"{name}: {shown!r} is a folder. Name a file in it.")
    if mode is not None and not stat.S_ISREG(mode):
        raise OSError(f"{name}: {shown!r} is a device, a pipe or the like. Name a file.")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{name}: there is no folder {str(Path(shown).parent)!r}.")
    if mode is not None and not _may_be_replaced(target, name, kind):
        raise FileExistsError(
            f"{name}: expected {kind.name} in {shown!r}, which a new one may replace, got another "
            "file, which would be lost. Choose another name, or delete it first."
        )
    return target


def check_room(path, name, kind):
    """Check as :func:`check_target` does, and the folder: before what takes long, not after it."""
    folder = check_target(path, name, kind).parent
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"{name}: nothing can be written in {str(folder)!r}.")


def _may_be_replaced(path, name, kind):
    try:
        with open_plain(path) as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise OSError(
            f"{name}: {str(path)!r} cannot be read, to see what a new file would replace: "
            f"{error.strerror}. Choose another name."
        ) from error
    return not head or kind.beginning.match(head) is not None


@contextmanager
def file_beside(path, name, kind):
    """Give the path of a file that takes the place of another, which :func:`check_target` lets."""
    target = check_target(path, name, kind)
    with ExitStack() as stack:
        try:
            beside = stack.enter_context(replacing(target, sync=True))
        except OSError as error:
            raise OSError(
                f"{name}: nothing can be written in {str(Path(path).parent)!r}: {error.strerror}."
            ) from error
        try:
            yield beside
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            raise OSError(
                f"{name}: {os.fspath(path)!r} cannot be written: {error.strerror}."
            ) from error


def sweep(folder, *, age, like):
    """Delete unfinished files that are older than `age` (s), and that no process is writing.

    The file `like` was written just now: its time is that of the folder's own clock, from which
    this machine's may differ.
    """
    with suppress(OSError):
        oldest = min(time.time(), os.stat(like).st_mtime) - age
        for path in Path(folder).glob(TEMPORARY):
            with suppress(OSError), open_plain(path, "rb+") as file:
                if os.fstat(file.fileno()).st_mtime < oldest:
                    _lock(file, wait=False)
                    path.unlink()


def is_plain(path):
    """Tell whether there is a file of this name: no link, pipe, socket, device or folder."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False


def open_plain(path, mode="rb", *, follow=False):
    """Open a file that is there; an OSError at once for what is none, as :func:`is_plain` says.

    With `follow`, a link to a file is one.
    """
    if not stat.S_ISREG(os.stat(path, follow_symlinks=follow).st_mode):
        raise OSError(errno.EINVAL, "it is no plain file", os.fspath(path))
    more = _AT_ONCE | (0 if follow else getattr(os, "O_NOFOLLOW", 0))
    return open(path, mode, opener=lambda name, flags: os.open(name, flags | more))


@contextmanager
def locked(path):
    """Hold a lock on a file, which is made and stays; wait for whoever else holds it.

    Where nothing can be written, or a disk knows no locks, it goes on without.
    """
    with ExitStack() as stack:
        with suppress(OSError):
            _lock(stack.enter_context(open(path, "ab")), wait=True)
        yield


def _lock(file, *, wait):
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
