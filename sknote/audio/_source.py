"""What a recording comes in, as a binary file that can be sought in."""

import contextlib
import io
import os
import stat

from sknote.audio._bounds import LARGEST_STREAM
from sknote.exceptions import AudioDecodeError

# What a recording may be, in words.
SOURCES = "a path, bytes, a binary file object or an array"

# Bytes that are read of a stream before it is first looked whether they are enough.
_FIRST_PART = 1 << 16


@contextlib.contextmanager
def opened(source):
    """Open a path, bytes or a binary file object; nothing that is there blocks.

    What is given is a :class:`View`, an ``io.BytesIO`` or, of a path, an ``io.FileIO``, at whose
    beginning the recording begins. A file object is read from its present position, which is
    restored. One that cannot be sought in is :class:`Incoming`, and has yet to be read.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        yield _in_memory(source.tobytes() if isinstance(source, memoryview) else source)
    elif hasattr(source, "read"):
        with _opened_stream(source) as file:
            yield file
    elif isinstance(source, (str, os.PathLike)):
        with _open_path(source) as file:
            yield file
    else:
        raise AudioDecodeError(f"expected {SOURCES}, got {type(source).__name__}")


def size_of(file):
    """Return the size of a file in bytes."""
    return file.seek(0, io.SEEK_END)


def check_reading(file):
    """Raise what a file object raised while a decoder read it."""
    if (error := getattr(file, "error", None)) is not None:
        raise AudioDecodeError(f"reading it failed: {type(error).__name__}: {error}") from error


class View:
    """A file from `start` on, as decoders may see it: never raising, and with changed bytes.

    An exception would be printed by the C code that asks, and lost: the first is kept as `error`,
    and the file ends there. `patches` is a dict of bytes by their position; with a `start` below 0,
    they hold what is before the file. `size` may be less than there is, or more: the file ends
    early then, but for its last 128 bytes, which are zeros.
    """

    def __init__(self, file, start=0, size=None, patches=None):
        self.error = None
        self._file, self._start = file, start
        self._patches = patches or {}
        held = max(0, _seek(file, 0, io.SEEK_END) - start)
        self._size = held if size is None else size
        self._held = min(held, self._size)
        self._at = 0

    def seek(self, offset, whence=io.SEEK_SET):
        at = offset + (0, self._at, self._size)[whence]
        if at < 0:
            return -1
        self._at = at
        return at

    def tell(self):
        return self._at

    def readinto(self, buffer):
        size = min(len(buffer), self._held - self._at)
        if size <= 0:
            # zeros at the very end: where mpg123 looks for a tag
            size = max(0, min(len(buffer), self._size - self._at))
            if not size or self._at < self._size - 128:
                return 0
            buffer[:size] = bytes(size)
            return size
        try:
            size = self._fill(memoryview(buffer)[:size])
        except Exception as error:
            self.error = self.error or error
            self._at = self._size  # where a parser ends that would try again for ever elsewhere
            return 0
        for at, patch in self._patches.items():
            first, last = max(at, self._at), min(at + len(patch), self._at + size)
            if first < last:
                buffer[first - self._at : last - self._at] = patch[first - at : last - at]
        self._at += size
        return size

    def read(self, size):
        data = bytearray(size)
        return bytes(data[: self.readinto(data)])

    def _fill(self, buffer):
        """Read until a buffer is full or the file ends; return how much there was."""
        at = self._start + self._at
        size = min(len(buffer), max(0, -at))
        self._file.seek(max(0, at))
        if type(self._file) is io.FileIO:
            return size + self._file.readinto(buffer[size:])
        while size < len(buffer) and (more := _bytes(self._file.read(len(buffer) - size))):
            more = more[: len(buffer) - size]
            buffer[size : size + len(more)] = more
            size += len(more)
        return size


class _Contents(io.BytesIO):
    """Bytes in memory; a position that cannot be is -1, as libsndfile expects, and no exception."""

    def seek(self, offset, whence=io.SEEK_SET):
        try:
            return super().seek(offset, whence)
        except (ValueError, OverflowError):
            return -1


class Incoming(_Contents):
    """What has come so far of a stream that cannot be sought in."""

    def __init__(self, stream):
        super().__init__()
        self.is_whole = False
        self._stream = stream

    def grow(self):
        """Read as much again as there is, and wait for it; tell whether that much came."""
        size = self.seek(0, io.SEEK_END)
        wanted = max(size, _FIRST_PART)
        while wanted and (more := _bytes(self._stream.read(min(wanted, 1 << 20)))):
            wanted = max(0, wanted - self.write(more))
            size += len(more)
            if size > LARGEST_STREAM:
                raise AudioDecodeError(
                    f"the stream goes on after {LARGEST_STREAM} bytes; pass max_duration, or write "
                    "it to a file first"
                )
        if size == 0:
            raise AudioDecodeError("it is empty (0 bytes)")
        self.is_whole = wanted > 0
        return not self.is_whole


def _in_memory(contents):
    if len(contents) == 0:
        raise AudioDecodeError("it is empty (0 bytes)")
    return _Contents(contents)


def _open_path(path):
    with _naming_what_failed(path):
        mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode):
        raise AudioDecodeError(f"it is {_kind(mode)}, not a file")
    with _naming_what_failed(path):
        file = io.FileIO(path, opener=_open_without_waiting)
    held = os.fstat(file.fileno())
    if stat.S_ISREG(held.st_mode) and held.st_size:
        return file
    file.close()
    raise AudioDecodeError("it is empty (0 bytes)" if held.st_size == 0 else "it is no file")


@contextlib.contextmanager
def _naming_what_failed(path):
    try:
        yield
    except FileNotFoundError as error:
        raise AudioDecodeError("there is no such file" + _why_not(os.fspath(path))) from error
    except OSError as error:
        raise AudioDecodeError(f"it cannot be opened: {error.strerror}") from error
    except ValueError as error:  # NUL, or what the file system cannot encode
        raise AudioDecodeError(f"its name cannot be that of a file: {error}") from error


def _why_not(name):
    """Say what a name that is none was probably meant to be; nothing if that is not clear."""
    name = os.fsdecode(name)
    if "://" in name:
        return "; it is a URL: fetch the file first, and pass its path"
    if name.startswith("~"):
        return "; '~' stands for itself in it: pass os.path.expanduser(name)"
    if name != name.strip() and os.path.exists(name.strip()):
        return f", but there is {name.strip()!r}, without the blanks"
    return ""


def _open_without_waiting(path, flags):
    # a name may have become that of a pipe since it was looked at
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _kind(mode):
    if stat.S_ISDIR(mode):
        return "a directory"
    if stat.S_ISFIFO(mode):
        return "a named pipe"
    return "a socket" if stat.S_ISSOCK(mode) else "a device"


@contextlib.contextmanager
def _opened_stream(stream):
    if isinstance(stream, io.TextIOBase):
        raise AudioDecodeError("expected a file object in binary mode, got one in text mode")
    if getattr(stream, "closed", False):
        raise AudioDecodeError("the file object is closed")
    if hasattr(stream, "readable") and not stream.readable():
        raise AudioDecodeError("the file object is not open for reading")
    if _is_device(stream):
        raise AudioDecodeError("the file object is that of a device, not of a file")
    position = _position(stream)
    if position is None:
        yield Incoming(stream)
        return
    try:
        yield View(stream, position)
    finally:
        with contextlib.suppress(Exception):
            stream.seek(position)


def _is_device(stream):
    try:
        mode = os.fstat(stream.fileno()).st_mode
    except Exception:  # most streams are no files of the system
        return False
    return stat.S_ISCHR(mode) or stat.S_ISBLK(mode)


def _position(stream):
    """Return where a stream stands; None if it cannot be sought in, whatever it says, or ended."""
    try:
        position = stream.tell() if stream.seekable() else None
        if not isinstance(position, int) or position < 0:
            return None
        end = _seek(stream, 0, io.SEEK_END)
        return position if _seek(stream, position) == position < end else None
    except Exception:
        return None


def _seek(file, offset, whence=io.SEEK_SET):
    file.seek(offset, whence)  # not every class returns the position
    return file.tell()


def _bytes(data):
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise AudioDecodeError(
            f"expected a file object in binary mode, whose read() returns bytes; got "
            f"{type(data).__name__}"
        )
    return data
