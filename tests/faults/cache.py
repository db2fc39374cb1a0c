"""Folders of a FeatureCache with damaged files, and what it answers then."""

import io
import os
import pickle
import shutil
import socket
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from faults.worker import Case
from sklearn.preprocessing import FunctionTransformer

from sknote.feature_extraction import FeatureCache
from sknote.feature_extraction.cache._store import _checksum

TYPES = ["|O", "<f8", ">f4", "<i4", "<f2", "<c8", "|b1", "|V4", "|S4", "<U1", "<M8[ns]", "|u1"]
TYPES += [[("a", "<f4")], [("a", "|O")], "float32, object", "|S0", "<f4" * 9000, "__import__"]
NUMBERS = [-(2**63), -(2**31), -1, 0, 1, 2, 3, 50, 2**31, 2**40, 2**62, 2**63 - 1]
RNG = np.random.default_rng(0)
ITEMS = [RNG.normal(0, 0.1, 40 + 9 * i).astype(np.float32) for i in range(7)]


def frames(X):
    """Return a feature array of shape (n_samples, 3) for each waveform."""
    out = np.empty(len(X), dtype=object)
    out[:] = [np.outer(x, [1, 2, 3]).astype(np.float32) for x in X]
    return out


EXPECTED = frames(ITEMS)


def _cache(folder):
    return FeatureCache(FunctionTransformer(frames), folder, chunk_size=3)


def prepare(folder):
    """Make a folder that is copied for each case, and see that files are what is thought here."""
    whole = folder / "whole"
    _cache(whole).fit_transform(ITEMS)
    for path in whole.rglob("*.features"):
        parts = _Parts(path)
        parts.repair()
        parts.write(path)
    assert _check(whole, is_a_lie=False) == "answered", "files are no longer what is written here"


def make_case(seed, folder):
    rng = np.random.default_rng(seed)
    here = folder / f"cache-{seed}"
    shutil.rmtree(here, ignore_errors=True)
    shutil.copytree(folder / "whole", here)
    paths = sorted(here.rglob("*.features"))
    is_a_lie, steps = False, []
    for _ in range(rng.integers(1, 3)):
        whole = [path for path in paths if path.is_file() and not path.is_symlink()]
        path, how = whole[rng.integers(len(whole))], DAMAGE[rng.integers(len(DAMAGE))]
        number = paths.index(path)
        try:
            what = how(rng, path, whole)
        except Exception:  # a file that is damaged already, for which NumPy has many errors
            continue
        steps.append(f"file {number}: {what}")
        is_a_lie |= "checksums repaired" in what

    def run():
        outcomes = [_check(here, is_a_lie), _check(here, is_a_lie)]
        shutil.rmtree(here)  # what offends stays
        return outcomes[0]

    return Case("; ".join(steps), run)


def _check(folder, is_a_lie):
    """Hold what FeatureCache promises: the right features, maybe with its warning, or its error.

    What lies and has checksums that fit is not found out; it must be plain numbers all the same.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = _cache(folder).transform(ITEMS)
        except (OSError, ValueError) as error:
            assert str(error.args[-1]).startswith("FeatureCache: "), f"not its own: {error!r}"
            return "refused"
    for one in caught:
        assert one.category is UserWarning, f"warns by {one.message!r}"
        assert str(one.message).startswith("FeatureCache: "), f"warns by {one.message!r}"
    for row, (one, right) in enumerate(zip(found, EXPECTED, strict=True)):
        assert type(one) is np.ndarray and one.dtype.kind in "biufc", f"row {row}: {type(one)}"
        one.sum()
        if not is_a_lie:
            assert one.dtype == right.dtype and one.shape == right.shape, f"row {row}: {one.dtype}"
            np.testing.assert_array_equal(one, right)
    return "made anew" if caught else "answered"


class _Parts:
    """A file of features in its parts, which need not agree."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.index = np.lib.format.read_array(file).copy()
            np.lib.format.read_magic(file)
            self.shape, self.fortran, dtype = np.lib.format.read_array_header_1_0(file)
            self.descr, self.data = dtype.str, file.read()

    def repair(self):
        """Give each note the checksum that its bytes would have in the stated type and shape."""
        try:
            dtype = np.dtype(self.descr)
            size = int(np.prod(self.shape[1:])) * dtype.itemsize
        except (TypeError, SyntaxError, ValueError, OverflowError):
            return
        for row in self.index:
            start, stop = int(row["start"]), int(row["stop"])
            shape, data = (stop - start, *self.shape[1:]), self.data[start * size : stop * size]
            row["crc32"] = _checksum(SimpleNamespace(dtype=dtype, shape=shape, data=data))

    def write(self, path):
        """Write it as NumPy does, which would refuse some of it."""
        header = {"descr": self.descr, "fortran_order": self.fortran, "shape": self.shape}
        text = "".join(f"{name!r}: {value!r}, " for name, value in header.items())
        text = f"{{{text}}}".encode()
        text += b" " * (-(len(text) + 11) % 64) + b"\n"
        text = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text
        buffer = io.BytesIO()
        np.save(buffer, self.index)
        path.write_bytes(buffer.getvalue() + text + self.data)


def _flip(rng, path, paths):
    data = bytearray(path.read_bytes())
    end = 500 if rng.random() < 0.7 else len(data)
    places = sorted(map(int, rng.integers(min(end, len(data)), size=rng.integers(1, 6))))
    for place in places:
        data[place] ^= 1 << rng.integers(8)
    path.write_bytes(data)
    return f"bits flipped in {places}"


def _overwrite(rng, path, paths):
    """Change characters of the headers to others that they may have."""
    data = bytearray(path.read_bytes())
    place = int(rng.integers(min(500, len(data))))
    more = bytes(rng.choice(list(b" 0123456789,(){}':<>|OfiFTralsue-LVSUMm"), size=3).tolist())
    data[place : place + 3] = more
    path.write_bytes(data)
    return f"{more!r} at {place}"


def _cut(rng, path, paths):
    data = path.read_bytes()
    end = int(rng.integers(len(data) + 1))
    more = rng.bytes(int(rng.integers(200))) if rng.random() < 0.3 else b""
    path.write_bytes(data[:end] + more)
    return f"cut to {end}, with {len(more)} bytes more"


def _lie(rng, path, paths):
    """Change what the headers or the index say, in half of the cases with checksums that fit."""
    parts, said = _Parts(path), []
    for _ in range(rng.integers(1, 3)):
        name = str(rng.choice(["type", "shape", "order", "index", "index", "keys", "pickle"]))
        value = NUMBERS[rng.integers(len(NUMBERS))]
        if name == "type":
            parts.descr = value = TYPES[rng.integers(len(TYPES))]
            value = str(value)[:20]
        elif name == "shape":
            rows = len(parts.data) // 12
            shapes = [(value, 3), (rows, value), (rows * 3,), (rows, 3, 1), (), (3, rows), (0, 3)]
            parts.shape = value = shapes[rng.integers(len(shapes))]
        elif name == "order":
            parts.fortran = value = [True, 1, None, "no"][rng.integers(4)]
        elif name == "index":
            column = str(rng.choice(["start", "stop", "crc32"]))
            parts.index[column][rng.integers(len(parts.index))] = value
            value = f"{column} {value}"
        elif name == "keys":
            parts.index["key"][rng.integers(len(parts.index))] = value = 7
        else:
            parts.descr, parts.data = value, _ = "|O", pickle.dumps(_Unpickled()) * 50
        said.append(f"{name} {value}")
    if rng.random() < 0.5:
        parts.repair()
        said.append("checksums repaired")
    parts.write(path)
    return ", ".join(said)


class _Unpickled:
    """What ends the process when it is unpickled."""

    def __reduce__(self):
        return os._exit, (77,)


def _swap(rng, path, paths):
    other = paths[rng.integers(len(paths))]
    one, two = path.read_bytes(), other.read_bytes()
    path.write_bytes(two)
    other.write_bytes(one)
    return f"changed for {other.name}"


def _pickle(rng, path, paths):
    data = pickle.dumps(_Unpickled())
    if rng.random() < 0.5:
        buffer = io.BytesIO()
        np.save(buffer, np.array([_Unpickled()], dtype=object), allow_pickle=True)
        data = buffer.getvalue() * 2
    path.write_bytes(data)
    return "a pickle"


def _replace(rng, path, paths):
    """Put something in the place of a file that is no file."""
    path.unlink()
    kind = str(rng.choice(["FIFO", "folder", "socket", "loop", "nowhere", "zero", "link", "proc"]))
    if kind == "FIFO":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as one:
            here = os.open(path.parent, os.O_RDONLY)
            one.bind(f"/proc/self/fd/{here}/{path.name}")  # a socket's path must be short
            os.close(here)
    else:
        targets = {"loop": path, "nowhere": "/nowhere/at/all", "zero": "/dev/zero"}
        targets |= {"link": paths[0], "proc": "/proc/self/mem"}
        path.symlink_to(Path(targets[kind]))
    return kind


DAMAGE = [_flip, _overwrite, _cut, _swap, _pickle, _replace] + 5 * [_lie]
