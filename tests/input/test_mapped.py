"""Mapped arrays that are read once take no memory afterwards."""

import mmap
from pathlib import Path

import numpy as np
import pytest

from sknote import NoteClassifier
from sknote._input.mapped import read_once
from sknote.confidence import SelectiveClassifier

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


def resident_mib_of(path):
    """Tell how much of one mapped file is held."""
    maps = Path("/proc/self/smaps")
    if not hasattr(mmap, "MADV_DONTNEED") or not maps.exists():
        pytest.skip("the system does not tell")
    parts = [part.split("\nRss:")[1] for part in maps.read_text().split(str(path))[1:]]
    return sum(int(part.split()[0]) for part in parts) / 1024


@pytest.fixture
def notes(tmp_path):
    """Map 96 spectrograms, of 320 kB each, of one file."""
    rng = np.random.default_rng(0)
    values = rng.normal(-60, 12, (96, 400, 200)).astype(np.float32)
    target = np.arange(96) % 2
    values[:, :, 40:60] += 30 * target[:, None, None]
    np.save(tmp_path / "notes.npy", values)
    mapped = np.load(tmp_path / "notes.npy", mmap_mode="r").view(np.ndarray)
    y = np.array(["good-sound", "bad-attack"])[target]
    return list(mapped), y, tmp_path / "notes.npy"


@pytest.mark.filterwarnings("ignore:SelectiveClassifier. of 96 notes")  # which tell nothing
@pytest.mark.parametrize("module", ["compact", "starter"])
def test_a_classifier_gives_back_what_it_read(notes, module):
    X, y, path = notes
    assert sum(float(values.max()) for values in X) and resident_mib_of(path) > 24
    for _ in read_once(X):
        pass
    small = {"n_profiles": 1, "n_cepstra": 0, "channels": 4, "width": 8}
    params = {"module_params": small if module == "compact" else None, "random_state": 0}
    classifier = NoteClassifier(module, max_epochs=1, **params)
    careful = SelectiveClassifier(classifier, cv=2)
    for work in (
        lambda: classifier.fit(X, y),
        lambda: classifier.predict(X),
        lambda: careful.fit(X, y),
        lambda: careful.predict_with_confidence(X),
    ):
        work()
        assert resident_mib_of(path) < 6
