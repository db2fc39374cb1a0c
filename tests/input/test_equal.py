"""Equal items are found, whatever they are, and in a time that grows with their number alone."""

import io
from pathlib import Path

import numpy as np
import pytest

from sknote._input import equal
from sknote._input.equal import first_equal

ONES = np.ones(99, np.float32)


def test_each_item_knows_the_first_that_equals_it():
    other = ONES.copy()
    other[50] = 2
    items = [ONES, other, ONES.copy(), other.copy(), ONES]
    assert first_equal(items).tolist() == [0, 1, 0, 1, 0]
    assert first_equal(items, "ababb").tolist() == [0, 1, 0, 1, 4]


@pytest.mark.parametrize(
    "other",
    [
        ONES[:-1],
        ONES.astype(np.float64),
        ONES.astype(np.int32),
        ONES.astype(">f4"),
        ONES.reshape(33, 3),
        -ONES,
        np.where(np.arange(99) == 17, np.nan, ONES).astype(np.float32),
    ],
)
def test_arrays_that_are_not_quite_equal_are_two(other):
    assert first_equal([ONES, other, other.copy()]).tolist() == [0, 1, 1]


def test_what_is_equal_to_numpy_and_other_bytes_are_two():
    zeros = np.zeros(9, np.float32)
    assert first_equal([zeros, -zeros]).tolist() == [0, 1]
    nan = np.full(9, np.nan, np.float32)
    assert first_equal([nan, nan.copy()]).tolist() == [0, 0]


def test_arrays_need_not_lie_in_one_piece():
    wide = np.arange(12.0).reshape(3, 4)
    items = [wide.T, wide.T.copy(), wide[::2], wide[::2].copy()]
    assert first_equal(items).tolist() == [0, 0, 2, 2]


def test_names_bytes_and_other_objects():
    stream = io.BytesIO(b"a")
    items = ["a.wav", Path("a.wav"), b"a.wav", bytearray(b"a.wav"), stream, io.BytesIO(b"a")]
    items += [stream, None, None, ["a.wav"], ["a.wav"], np.array(["a.wav"], dtype=object)]
    assert first_equal(items).tolist() == [0, 0, 2, 2, 4, 5, 4, 7, 7, 9, 10, 11]


def test_a_path_that_is_none_equals_itself_alone():
    class Broken(type(Path())):
        def __fspath__(self):
            raise RuntimeError

    broken = Broken("a.wav")
    assert first_equal([broken, "a.wav", broken]).tolist() == [0, 1, 0]


def test_many_that_only_look_alike_are_not_compared_with_each_other(monkeypatch):
    compared = []
    same = equal._same_bytes
    monkeypatch.setattr(equal, "_same_bytes", lambda *two: compared.append(0) or same(*two))
    items = []
    for i in range(200):
        item = np.zeros(1600, np.float32)
        item[1 + i // 2] = 1  # not among those that are looked at
        items.append(item)
    assert first_equal(items).tolist() == [i - i % 2 for i in range(200)]
    assert len(compared) < 200
