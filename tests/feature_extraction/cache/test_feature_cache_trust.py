"""FeatureCache trusts nothing that it finds: types, shapes, names and clocks."""

import errno
import os
import socket
import time
import warnings
import zlib

import numpy as np
import pandas as pd
import pytest
from caches import CALLS, Square, assert_alike, files, waveforms
from sklearn.base import BaseEstimator, TransformerMixin

from sknote import AudioLoader, Spectrogram
from sknote._files import replacing
from sknote.exceptions import AudioDecodeError, AudioDecodeWarning
from sknote.feature_extraction import FeatureCache
from sknote.feature_extraction.cache import _store

ITEMS = waveforms(2)


@pytest.fixture(autouse=True)
def calls():
    CALLS.clear()


def squares(items=ITEMS):
    return [item[:, None] ** 2 for item in items]


class Gives(TransformerMixin, BaseEstimator):
    """Turns recordings into what a function says, and writes into CALLS how many it is given."""

    def __init__(self, make):
        self.make = make

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        CALLS.append(len(X))
        out = np.empty(len(X), dtype=object)
        for row, item in enumerate(X):
            out[row] = self.make(item)
        return out

    def __sklearn_is_fitted__(self):
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.string = True
        return tags


def table(item):
    return np.outer(item, [1, 2, 3]).astype(np.float32)


def by_length(short, long):
    return lambda item: short(item) if len(item) < 430 else long(item)


def named(function, name):
    function.__module__, function.__qualname__, function.__name__ = __name__, name, name
    globals()[name] = function  # which a name for the cache is made of
    return function


KEPT = {
    "fortran": lambda item: np.asfortranarray(table(item)),
    "reversed": lambda item: table(item)[::-1, ::2],
    "repeated": lambda item: np.broadcast_to(item[:1], (5, 2)),
    "big_endian": lambda item: table(item).astype(">f8"),
    "big_endian_integers": lambda item: (1000 * table(item)).astype(">i2"),
    "complex": lambda item: table(item) * np.complex64(1j),
    "bytes": lambda item: (100 * table(item) + 128).astype(np.uint8),
    "halves": lambda item: table(item).astype(np.float16),
    "no_frames": lambda item: np.zeros((0, 3), ">i4"),
    "no_columns": lambda item: np.zeros((3, 0), np.float32),
    "vector": lambda item: item[:7],
    "four_axes": lambda item: np.asfortranarray(np.ones((2, 3, 1, 4)) * item[0]),
    "types": by_length(table, lambda item: table(item).astype(np.int64)),
    "orders": by_length(lambda item: table(item).astype(">f4"), table),
    "widths": by_length(table, lambda item: table(item)[:, :2]),
    "axes": by_length(table, lambda item: item),
}
NOT_KEPT = {
    "texts": lambda item: np.array(["a", "b"]),
    "octets": lambda item: np.array([b"a", b"b"]),
    "objects": lambda item: np.array([None, 1], dtype=object),
    "truths": lambda item: item > 0,
    "dates": lambda item: np.array(["2000-01-01"], dtype="M8[D]"),
    "records": lambda item: np.zeros(2, dtype=[("a", "<f4"), ("b", "O")]),
    "no_dimension": lambda item: np.array(3.0),
    "a_number": lambda item: np.float32(3),
    "wide": lambda item: np.ones((2, 2), np.longdouble),
    "masked": lambda item: np.ma.masked_less(item[:5], 0),
    "nan": lambda item: np.array([[1, np.nan]], np.float32),
    "infinite": lambda item: np.array([[1, -np.inf]], ">f2"),
    "complex_nan": lambda item: np.array([complex(0, np.nan)]),
}


@pytest.mark.parametrize("name", KEPT)
def test_what_is_kept_comes_back_as_it_was(name, tmp_path):
    make = named(KEPT[name], f"kept_{name}")
    cache = FeatureCache(Gives(make), tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            out = cache.fit_transform(ITEMS)
            for found, item in zip(out, ITEMS):
                assert type(found) is np.ndarray and found.shape == make(item).shape
                assert found.dtype.str == make(item).dtype.str
                np.testing.assert_array_equal(found, make(item))
    assert CALLS == [2]


@pytest.mark.parametrize("name", NOT_KEPT)
def test_what_cannot_be_kept_is_computed_each_time(name, tmp_path):
    make = named(NOT_KEPT[name], f"not_kept_{name}")
    cache = FeatureCache(Gives(make), tmp_path)
    for _ in range(2):
        with pytest.warns(UserWarning, match=r"of 2 of 2 .*first is row 0.* are not kept") as said:
            out = cache.fit_transform(ITEMS)
        assert len(said) == 1
        for found, item in zip(out, ITEMS):
            assert type(found) is type(make(item)) and found.dtype == make(item).dtype
            np.testing.assert_array_equal(found, make(item))
    assert CALLS == [2, 2]
    assert files(tmp_path) == []


def test_only_what_cannot_be_kept_is_left_out(tmp_path):
    loud = np.full(500, 1e30, np.float32)
    cache = FeatureCache(Square(), tmp_path)
    for calls in ([3], [3, 1]):
        with np.errstate(over="ignore"), pytest.warns(UserWarning, match=r"1 of 3 .* row 1.* NaN"):
            out = cache.fit_transform([ITEMS[0], loud, ITEMS[1]])
        assert np.isinf(out[1]).all()
        assert_alike(out[[0, 2]], squares())
        assert calls == CALLS


def header(descr, shape, fortran=False, version=1):
    text = f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n"
    size = len(text).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + size + text.encode("latin-1")


def forged(key_file, start, raw, descr="<f4", stop=4, first=0):
    """Write a file whose name, size and checksum are in order."""
    with open(key_file, "rb") as file:
        old = np.lib.format.read_array(file)
    index = np.zeros(len(old), _store._INDEX)
    index["key"], index["start"], index["stop"] = old["key"], first, stop
    index["crc32"] = zlib.crc32(raw, zlib.crc32(repr((descr, (4,))).encode()))
    key_file.unlink()
    with open(key_file, "wb") as file:
        np.save(file, index)
        file.write(start + raw)


RAW = b"\x41" * 32


@pytest.mark.parametrize(
    "start",
    [
        header("'|O'", "(4,)"),
        header("'|V8'", "(4,)"),
        header("[('a', '|O')]", "(4,)"),
        header("[('a', '<f4'), ('b', '<f4')]", "(4,)"),
        header("('<f4', (2,))", "(4,)"),
        header("'<M8[ns]'", "(4,)"),
        header("'<U2'", "(4,)"),
        header("'|b1'", "(32,)"),
        header("'<f16'", "(2,)"),
        header("'<f4'", "(4, 2)", fortran=True),
        header("'<f4'", "(-4, -2)"),
        header("'<f4'", "(4611686018427387904, 8)"),
        header("'<f4'", f"({2**64 + 8},)"),
        header("'<f4'", f"({10**400}, 0)"),
        header("'<f4'", "(0, 99999999999999999999)"),
        header("'<f4'", "(" + "1, " * 70 + "8)"),
        header("'<f4'", "(8.0,)"),
        header("'<f4'", "(True, 8)"),
        header("'<f4'", "8"),
        header("'<f4'", "(8,)", version=2),
        header("'<f4'", "(" * 3000 + "8,)"),
        header("'<f4'", "(8, " + "-" * 9000 + "1)"),
        header("__import__('os').abort()", "(8,)"),
        b"\x80\x05cposix\nabort\n)R.",
        b"",
    ],
    ids=lambda start: start[10:70].decode("latin-1"),
)
def test_a_file_of_anything_but_numbers_is_not_interpreted(start, tmp_path):
    cache = FeatureCache(Square(), tmp_path)
    cache.fit_transform(ITEMS[:1])
    (path,) = files(tmp_path)
    good = path.read_bytes()
    forged(path, start, RAW, descr="|O")
    with pytest.warns(UserWarning, match=rf"{path.name} is damaged .* made anew"):
        assert_alike(cache.transform(ITEMS[:1]), squares(ITEMS[:1]))
    assert path.read_bytes() == good


@pytest.mark.parametrize(
    "first, stop", [(0, 9), (-4, 8), (4, 8), (8, 0), (0, 2**62), (-(2**63), 8), (0, 4)]
)
def test_an_index_of_other_places_is_not_followed(first, stop, tmp_path):
    cache = FeatureCache(Square(), tmp_path)
    cache.fit_transform(ITEMS[:1])
    (path,) = files(tmp_path)
    forged(path, header("'<f4'", "(8,)"), RAW, first=first, stop=stop)
    with pytest.warns(UserWarning, match=r"is damaged \(its index is not that"):
        assert_alike(cache.transform(ITEMS[:1]), squares(ITEMS[:1]))


@pytest.mark.parametrize("what", ["files", "folders", "names"])
def test_what_was_swapped_by_hand_is_made_anew(what, tmp_path):
    """Between settings the notes are the same, and within one folder their number may be."""
    caches = [FeatureCache(Square(gain), tmp_path, chunk_size=1) for gain in (1.0, 2.0)]
    expected = [cache.fit_transform(ITEMS) for cache in caches]
    one, other = sorted({path.parent for path in files(tmp_path)})
    if what == "folders":
        pairs = [(one, other)]
    elif what == "files":
        pairs = list(zip(files(one), files(other)))
    else:
        pairs = [files(one)[:2]]
    for left, right in pairs:
        left.rename(tmp_path / "held")
        right.rename(left)
        (tmp_path / "held").rename(right)
    with pytest.warns(UserWarning, match=r"is damaged \(its name stands for other notes, or for"):
        for cache, features in zip(caches, expected):
            assert_alike(cache.transform(ITEMS), features)
    for cache, features in zip(caches, expected):
        assert_alike(cache.transform(ITEMS), features)


def test_an_index_that_says_it_is_huge_takes_no_memory(tmp_path):
    cache = FeatureCache(Square(), tmp_path)
    cache.fit_transform(ITEMS[:1])
    (path,) = files(tmp_path)
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content.replace(b"(1,), }            ", b"(9999999999999,), }", 1))
    assert len(path.read_bytes()) == len(content) and path.read_bytes() != content
    with pytest.warns(UserWarning, match="is damaged"):
        assert_alike(cache.transform(ITEMS[:1]), squares(ITEMS[:1]))


def occupy(path, kind, elsewhere):
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "socket":
        folder = os.open(path.parent, os.O_RDONLY)  # the name of a socket has to be short
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(f"/proc/self/fd/{folder}/{path.name}")
        os.close(folder)
    else:
        path.symlink_to(elsewhere)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("kind", ["pipe", "folder", "socket", "link", "link to nothing"])
def test_names_of_the_cache_that_are_no_files(kind, tmp_path):
    cache = FeatureCache(Square(), tmp_path / "cache")
    cache.fit_transform(ITEMS)
    (path,) = files(tmp_path)
    good = path.read_bytes()
    path.unlink()
    elsewhere = tmp_path / "elsewhere"
    if kind == "link":
        elsewhere.write_bytes(good)
    for name in (path, path.with_name("about.txt.features"), path.with_name(".old.tmp")):
        occupy(name, kind, elsewhere)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert_alike(cache.transform(ITEMS), squares())
    assert f"could not read {path}" in str(caught[0].message)
    assert elsewhere.exists() == (kind == "link")
    if kind == "link":
        assert elsewhere.read_bytes() == good
    if kind == "folder":
        assert "are not kept, only given: could not write" in str(caught[-1].message)
    else:
        assert path.read_bytes() == good and not path.is_symlink()


@pytest.mark.parametrize(
    "url",
    ["s3://bucket/features", "https://host/a", "gs://b", "file:///tmp/features", "hdfs:/a"]
    + ["memory://x", "S3://b/c"],
)
def test_a_url_is_no_folder(url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for method in ("fit", "transform"):
        with pytest.raises(ValueError, match=r"cache_dir to be the path of a folder, got .*mount"):
            getattr(FeatureCache(Square(), url), method)(ITEMS)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["x" * 300, "a/" * 3000, "nul\0", "circle/inside"])
def test_a_name_that_cannot_be_that_of_a_folder(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "circle").symlink_to("circle")
    for method in ("fit", "transform"):
        with pytest.raises(ValueError, match=r"FeatureCache: cache_dir cannot be that of a folder"):
            getattr(FeatureCache(Square(), name), method)(ITEMS)


@pytest.mark.parametrize("bad", [3.0, np.float32(1), np.nan, True, (ITEMS[0], 22050), [[1], 2]])
@pytest.mark.parametrize("chunk_size", [1, 16])
def test_what_is_no_recording_is_the_matter_of_the_loader(bad, chunk_size, tmp_path):
    """Alone in a list, a number would be taken for a sample, and a list for a row of an array."""
    items = [ITEMS[0], bad, ITEMS[1].tolist()]
    X = pd.DataFrame({"audio": pd.Series(items, dtype=object)}).set_axis(list("abc"))
    expected = [ITEMS[0], [], ITEMS[1]]
    with pytest.warns(
        AudioDecodeWarning, match=r"\(row 1, index 'b'\) could not be decoded"
    ) as one:
        loader = AudioLoader(on_error="warn")
        found = FeatureCache(loader, tmp_path, chunk_size=chunk_size).fit_transform(X)
    assert len(one) == 1
    for left, right in zip(found["audio"], expected):
        np.testing.assert_allclose(left, right, atol=1e-7)
    with pytest.raises(AudioDecodeError, match=r"\(row 1, index 'b'\) could not be decoded"):
        FeatureCache(AudioLoader(), tmp_path, chunk_size=chunk_size).transform(X)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT])
@pytest.mark.parametrize("where", ["the file", "its folder"])
def test_where_nothing_can_be_written_features_are_given(code, where, tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError(code, os.strerror(code))

    if where == "the file":
        monkeypatch.setattr(_store, "replacing", refuse)
    else:
        monkeypatch.setattr(_store.Path, "mkdir", refuse)
    cache = FeatureCache(Square(), tmp_path, chunk_size=1)
    for _ in range(2):
        with pytest.warns(UserWarning, match=rf"2 of 2 .*{os.strerror(code)}.*Make room") as caught:
            assert_alike(cache.fit_transform(ITEMS), squares())
        assert len(caught) == 1
    assert files(tmp_path) == []


def test_a_file_that_may_not_be_read_is_made_anew(tmp_path, monkeypatch):
    cache = FeatureCache(Square(), tmp_path)
    cache.fit_transform(ITEMS)
    really = _store.open_plain

    def refuse(path, *args, **kwargs):
        if CALLS == [2]:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return really(path, *args, **kwargs)

    monkeypatch.setattr(_store, "open_plain", refuse)
    with pytest.warns(UserWarning, match="could not read .*Permission denied. Its features are"):
        assert_alike(cache.transform(ITEMS), squares())
    assert CALLS == [2, 2]


def test_files_that_vanish_at_once_are_said_and_features_given(tmp_path, monkeypatch):
    really = _store.FeatureStore.write

    def vanishing(self, keys, features):
        really(self, keys, features)
        for path in files(tmp_path):
            path.unlink()

    monkeypatch.setattr(_store.FeatureStore, "write", vanishing)
    with pytest.warns(UserWarning, match=r"2 of 2 .* written to .* not there any more"):
        assert_alike(FeatureCache(Square(), tmp_path).fit_transform(ITEMS), squares())


def test_another_ones_unfinished_file_outlives_our_clock(tmp_path, monkeypatch):
    cache = FeatureCache(Square(), tmp_path)
    cache.fit_transform(ITEMS[:1])
    folder = files(tmp_path)[0].parent
    fresh, old = folder / ".fresh.tmp", folder / ".old.tmp"
    week = 7 * 24 * 3600
    for path in (fresh, old):
        path.write_bytes(b"half")
    os.utime(old, (0, time.time() - week))
    with replacing(folder / "slow") as held:  # somebody has been writing it for a week
        os.utime(held, (0, time.time() - week))
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now + 10 * week)
        cache.transform(ITEMS)
        assert fresh.exists() and held.exists() and not old.exists()
        held.write_bytes(b"done")
    assert (folder / "slow").read_bytes() == b"done"


def test_rows_are_those_of_X_in_a_cache_of_a_cache(tmp_path):
    inner = FeatureCache(Square(), tmp_path / "inner", chunk_size=1)
    items = [*waveforms(3), np.full(500, 1e30, np.float32)]
    cache = FeatureCache(inner, tmp_path / "outer", chunk_size=2)
    with np.errstate(over="ignore"), pytest.warns(UserWarning, match="is row 3.* NaN") as caught:
        cache.fit_transform(items)
    assert len(caught) == 2
    assert all("is row 3)" in str(one.message) for one in caught)


def test_absurd_samples_leave_no_spectrogram_behind(tmp_path):
    cache = FeatureCache(Spectrogram(n_bins=16), tmp_path)
    absurd = np.full(2000, 1e25, np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            out = cache.fit_transform([absurd])
        except ValueError:
            return  # refused: nothing to keep
    assert np.isfinite(out[0]).all() or files(tmp_path) == []
