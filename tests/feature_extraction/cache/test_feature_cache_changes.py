"""FeatureCache and recordings that change: nothing is kept under a key that is not its own."""

import os
import time

import numpy as np
import pytest
from caches import assert_alike, waveforms

from sknote import AudioLoader
from sknote._input.content import content_key
from sknote.feature_extraction import FeatureCache

ITEMS = waveforms(2)


def write(path, waveform, encode):
    path.write_bytes(encode(waveform, 22050, "WAV", subtype="FLOAT"))
    long_ago = time.time() - 1000
    os.utime(path, (long_ago, long_ago))


MEDDLE = []


class Meddled(AudioLoader):
    """A loader before which, and behind which, another program does something."""

    def transform(self, X):
        before, after = MEDDLE.pop() if MEDDLE else (None, None)
        if before:
            before()
        out = super().transform(X)
        if after:
            after()
        return out


@pytest.mark.parametrize("how", ["replaced", "rewritten", "and back", "longer", "by its times"])
@pytest.mark.parametrize("age", ["young", "old"])
def test_a_recording_that_changes_while_it_is_read(how, age, tmp_path, encode, monkeypatch):
    old, new = waveforms(1)[0], waveforms(1, seed=1)[0]
    path, twin, other = tmp_path / "a.wav", tmp_path / "b.wav", tmp_path / "c.wav"
    for name, waveform in ((path, old), (twin, old), (other, new)):
        write(name, waveform, encode)
    content, changed = path.read_bytes(), other.read_bytes()
    if age == "old":  # as seen from a later time, when files need not be read again to be sure
        later = time.time() + 1000
        monkeypatch.setattr(time, "time", lambda: later)

    def change():
        before = path.stat()
        if how == "replaced":
            os.replace(other, path)
        elif how == "longer":
            path.write_bytes(encode(np.tile(new, 3), 22050, "WAV", subtype="FLOAT"))
        else:
            path.write_bytes(changed)
        if how == "by its times":
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    def restore():
        if how == "and back":
            path.write_bytes(content)

    MEDDLE[:] = [(change, restore)]
    cache = FeatureCache(Meddled(), tmp_path / "cache")
    with pytest.warns(UserWarning, match=r"1 of 2 .*\(the first is row 0\).* changed while they"):
        out = cache.fit_transform([str(path), twin])
    assert_alike(out[1:], [old])  # and not what stands in the place of the first one now
    assert_alike(cache.transform([content, twin]), [old, old])
    assert_alike(cache.transform([changed]), [new])


def test_a_recording_that_vanishes_or_is_mapped(tmp_path, encode):
    path = tmp_path / "a.wav"
    write(path, ITEMS[0], encode)
    MEDDLE[:] = [(None, path.unlink)]
    cache = FeatureCache(Meddled(), tmp_path / "cache")
    with pytest.warns(UserWarning, match="changed while"):
        cache.fit_transform([path])
    np.save(tmp_path / "a.npy", ITEMS[0])
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r+")

    def change():
        mapped[:] = ITEMS[1][:400]
        mapped.flush()

    MEDDLE[:] = [(change, None)]
    with pytest.warns(UserWarning, match="changed while"):
        cache.fit_transform([mapped])
    assert_alike(cache.transform([ITEMS[0]]), [ITEMS[0]])


def test_a_file_object_that_changes(tmp_path, encode):
    path = tmp_path / "a.wav"
    write(path, ITEMS[0], encode)
    content = path.read_bytes()

    class Changing:
        """Gives something else when it is read for the second time."""

        def __init__(self):
            self.contents = [encode(ITEMS[1], 22050, "WAV", subtype="FLOAT")] * 3 + [content]

        def read(self):
            return self.contents.pop()

        def seekable(self):
            return True

        def tell(self):
            return 1

        def seek(self, position):
            pass

    cache = FeatureCache(AudioLoader(), tmp_path / "cache")
    assert_alike(cache.fit_transform([Changing()]), ITEMS[1:2])
    assert_alike(cache.transform([content]), ITEMS[:1])


@pytest.mark.timeout(30)
def test_a_pipe_is_not_waited_for_to_find_out_what_it_contains(tmp_path):
    os.mkfifo(tmp_path / "a.wav")
    assert content_key(tmp_path / "a.wav") is None
    assert content_key(str(tmp_path)) is None
    assert content_key("/dev/zero") is None
