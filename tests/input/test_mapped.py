"""Mapped arrays that are read once take no memory afterwards."""

import mmap
from pathlib import Path

import numpy as np
import pytest

from sknote._input.mapped import read_once

MIB = 2**20


@pytest.fixture
def mapped(tmp_path):
    """Map 32 arrays of 1 MiB and a bit, of one file, that begin anywhere in a page."""

    def make(mode):
        path = tmp_path / "values.npy"
        if not path.exists():
            np.save(path, np.arange(32 * (MIB // 4 + 33), dtype=np.float32))
        values = np.load(path, mmap_mode=mode)
        return np.split(values.view(np.ndarray), 32)

    return make


def resident_mib():
    status = Path("/proc/self/status")
    if not hasattr(mmap, "MADV_DONTNEED") or not status.exists():
        pytest.skip("the system does not tell")
    return int(status.read_text().split("RssFile:")[1].split()[0]) / 1024


def test_what_was_read_is_given_back(mapped):
    arrays = mapped("r")
    before = resident_mib()
    sums = [float(array.sum(dtype=np.float64)) for array in arrays]
    assert resident_mib() - before > 24  # else the test proves nothing
    again = [float(array.sum(dtype=np.float64)) for array in read_once(arrays)]
    assert resident_mib() - before < 4
    assert again == sums


def test_other_arrays_are_left_alone(mapped):
    arrays = mapped("c")
    arrays[3][:] = 7
    arrays += [np.arange(3), np.empty((0, 2)), *mapped("r")[:1]]
    expected = [array.copy() for array in arrays]
    for got, want in zip(read_once(arrays), expected):
        np.testing.assert_array_equal(got, want)
    for got, want in zip(arrays, expected):
        np.testing.assert_array_equal(got, want)
