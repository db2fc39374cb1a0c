"""The file itself: a zip of a JSON document and of arrays, in one layout and no other."""

import contextlib
import json
import math
import re
import struct
import zipfile

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from sknote._files import Kind, open_plain
from sknote.deploy._checks import WrongError, check_record, is_count, parse_object, short

DOCUMENT, ARRAYS = "model.json", "arrays.safetensors"
MODEL = Kind("a model", re.compile(rb"PK\x03\x04.{26}%s" % re.escape(DOCUMENT.encode()), re.DOTALL))

_MOST_TEXT = 1 << 20  # bytes of the document, and of what safetensors says of its arrays
_MOST = 1 << 30  # of the file
_DATE = (1980, 1, 1, 0, 0, 0)  # so that equal models are equal files
_REGULAR = 0o100644 << 16
_END = struct.Struct("<4s4H2LH")  # the last record of a zip
_LOCAL = 30  # bytes before the name of a member
_DTYPES = {"F32": "<f4", "F64": "<f8", "I64": "<i8", "U32": "<u4", "U8": "|u1"}
# what zipfile says of a damaged member, of whose name it reads a second copy
_ZIP_ERRORS = (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, OSError)
_ZIP_ERRORS += (UnicodeDecodeError,)
_NAMES = {np.dtype(kind): name for name, kind in _DTYPES.items()}


def write(path, document, arrays):
    """Write a document and named arrays into a file; equal ones give equal bytes."""
    text = json.dumps(document, allow_nan=False).encode()
    if len(text) > _MOST_TEXT:
        raise WrongError(f"labels, instruments, history and the like take {len(text)} bytes")
    if sum(array.nbytes for array in arrays.values()) > _MOST - 3 * _MOST_TEXT:
        raise WrongError("the weights take more than 1 GB")
    if odd := [name for name, array in arrays.items() if array.dtype not in _NAMES]:
        raise WrongError(f"the array {odd[0]!r} is of the type {arrays[odd[0]].dtype}")
    members = {DOCUMENT: text, ARRAYS: save_arrays(arrays)}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, _DATE)
            info.create_system, info.external_attr = 3, _REGULAR
            file.writestr(info, data)


class Archive:
    """What is in a file that is open: its `document`, and of each array its type and shape.

    `specs` has these by name; :meth:`arrays` reads the arrays themselves, once all is known to be
    right that can be known before.
    """

    def __init__(self, file):
        self._zip = _open_zip(file)
        self.document = parse_object(self._read(DOCUMENT), "its document")
        self.specs = self._read_specs()

    def arrays(self):
        """Read the arrays, a dict of str to ndarray."""
        try:
            return load_arrays(self._read(ARRAYS))
        except SafetensorError as error:
            raise WrongError(f"its arrays cannot be read ({error})") from error

    def _read(self, name):
        with self._member(name) as member:
            return member.read()

    @contextlib.contextmanager
    def _member(self, name):
        try:
            with self._zip.open(name) as member:
                yield member
        except _ZIP_ERRORS as error:
            raise WrongError(f"{name!r} in it is damaged ({short(str(error))})") from error

    def _read_specs(self):
        size = self._zip.getinfo(ARRAYS).file_size
        with self._member(ARRAYS) as member:
            length = int.from_bytes(member.read(8), "little")
            if size < 8 or length > min(size - 8, _MOST_TEXT):
                raise WrongError(f"what describes its arrays would take {length} bytes")
            header = parse_object(member.read(length), "what describes its arrays")
        specs, spans = {}, []
        for name, entry in header.items():
            what = f"the array {short(name)}"
            check_record(entry, what, dtype=_is_dtype, shape=_is_shape, data_offsets=_is_span)
            dtype = np.dtype(_DTYPES[entry["dtype"]])
            specs[name] = dtype, tuple(entry["shape"])
            spans.append((*entry["data_offsets"], math.prod(entry["shape"]) * dtype.itemsize))
        at = 0
        for start, stop, n_bytes in sorted(spans):  # one behind another, without a gap
            if start != at or stop - start != n_bytes:
                raise WrongError(
                    f"an array of {n_bytes} bytes lies from {start} to {stop}, where {at} is next"
                )
            at = stop
        if at != size - 8 - length:
            raise WrongError(f"its arrays end at {at}, and what is there at {size - 8 - length}")
        return specs


def _is_dtype(value):
    """one of the types F32, F64, I64, U32 and U8."""
    return isinstance(value, str) and value in _DTYPES


def _is_shape(value):
    """a list of at most 8 sizes."""
    return isinstance(value, list) and len(value) <= 8 and all(map(is_count, value))


def _is_span(value):
    """where an array begins and ends."""
    return isinstance(value, list) and len(value) == 2 and all(map(is_count, value))


def _open_zip(file):
    """Open a zip of the two members, of which nothing is between, before or after them."""
    size = file.seek(0, 2)
    if size > _MOST:
        raise WrongError(f"it has {size} bytes, and the largest model less than {_MOST}")
    if size < _END.size:
        raise WrongError(f"it has {size} bytes, and is no zip")
    file.seek(size - _END.size)
    mark, *counts, length, start, comment = _END.unpack(file.read(_END.size))
    if mark != b"PK\5\6":
        raise WrongError("it is no zip, or cut off")
    whole = start + length + _END.size == size
    if counts != [0, 0, 2, 2] or comment or length > 1024 or not whole:
        raise WrongError("it is no zip of two members and nothing else")
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError) as error:
        raise WrongError(f"it is a damaged zip ({short(str(error))})") from error
    names = [info.orig_filename for info in archive.infolist()]
    if names != [DOCUMENT, ARRAYS]:
        raise WrongError(f"it holds {short(names)}, and should hold {DOCUMENT!r} and {ARRAYS!r}")
    at = 0
    for info, name in zip(archive.infolist(), names):
        plain = info.compress_type == zipfile.ZIP_STORED and not info.flag_bits
        plain = plain and info.file_size == info.compress_size and not (info.extra or info.comment)
        if not plain or info.external_attr != _REGULAR or info.date_time != _DATE:
            raise WrongError(f"{name!r} in it is packed otherwise than by sknote")
        if info.header_offset != at:
            raise WrongError(f"{name!r} in it lies elsewhere than it should")
        at += _LOCAL + len(name) + info.file_size
    if at != start:
        raise WrongError("there is something between its members")
    if archive.getinfo(DOCUMENT).file_size > _MOST_TEXT:
        raise WrongError(f"its document has more than {_MOST_TEXT} bytes")
    return archive


@contextlib.contextmanager
def opened(path):
    """Open a file as an :class:`Archive`."""
    with open_plain(path, follow=True) as file:
        yield Archive(file)
