"""FeatureCache: damaged files, full disks, several processes, and one that is killed."""

import io
import os
import resource
import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import pandas as pd
import pytest
from caches import CALLS, STEPS, Square, assert_alike, files, steps_with, waveforms
from joblib import parallel_config

from sknote import AudioLoader
from sknote.exceptions import AudioDecodeError, AudioDecodeWarning
from sknote.feature_extraction import FeatureCache
from sknote.feature_extraction.cache._store import FeatureStore


@pytest.fixture(autouse=True)
def calls():
    CALLS.clear()


@pytest.mark.filterwarnings("ignore:.*it is empty")
def test_empty_recordings(tmp_path):
    items = [np.zeros(0, np.float32), *waveforms(2), np.zeros(0, np.float32)]
    for steps in (STEPS, AudioLoader()):
        cache = FeatureCache(steps, tmp_path)
        for _ in range(2):
            assert_alike(cache.fit_transform(items), steps.fit_transform(items))
    silent = FeatureCache(AudioLoader(), tmp_path / "silent")
    for _ in range(2):
        assert [len(values) for values in silent.fit_transform(items[:1])] == [0]


def test_recordings_that_cannot_be_decoded_are_named_in_each_run(tmp_path):
    items = waveforms(5)
    items[3] = b"no sound"
    items[4] = "missing.wav"
    cache = FeatureCache(steps_with(), tmp_path, chunk_size=2)
    with pytest.raises(AudioDecodeError, match=r"type bytes \(row 3\) could not be decoded"):
        cache.fit_transform(items)
    cache.set_params(transformer__audioloader__on_error="warn")
    steps = steps_with(audioloader__on_error="warn")
    with warnings.catch_warnings(record=True) as expected:
        warnings.simplefilter("always")
        features = steps.fit_transform(items)
    for _ in range(2):
        with pytest.warns(AudioDecodeWarning) as caught:
            assert_alike(cache.fit_transform(items), features)
        assert [str(one.message) for one in caught] == [str(one.message) for one in expected]
    assert "'missing.wav' (row 4)" in str(caught[1].message)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data[: len(data) // 2],
        lambda data: data[:100],
        lambda data: b"",
        lambda data: b"something else",
        lambda data: data[:-9] + bytes([data[-9] ^ 1]) + data[-8:],
        lambda data: data.replace(b"<f4", b"<f8", 1),
        lambda data: data.replace(b"<f4", b"<i4", 1),
        lambda data: data.replace(b"}", b" ", 1),
        lambda data: data + b"0",
    ],
)
def test_a_damaged_file_is_made_anew(damage, tmp_path):
    items = waveforms()
    cache = FeatureCache(Square(), tmp_path, chunk_size=5)
    expected = cache.fit_transform(items)
    broken, whole = files(tmp_path)
    good = broken.read_bytes()
    broken.unlink()  # what is mapped stays as it was
    broken.write_bytes(damage(good))
    with pytest.warns(UserWarning, match=rf"{broken.name} is damaged .* made anew"):
        assert_alike(cache.transform(items), [item[:, None] ** 2 for item in items])
    assert CALLS == [5, 5, 5]
    assert files(tmp_path) == [broken, whole]
    assert broken.read_bytes() == good
    assert_alike(cache.transform(items), expected)


class Pipe(io.RawIOBase):
    """What can be read once, and not at any position."""

    def __init__(self, data):
        self.data = io.BytesIO(data)

    def readable(self):
        return True

    def readinto(self, buffer):
        return self.data.readinto(buffer)


def test_a_stream_is_read_once(tmp_path, encode):
    (waveform,) = waveforms(1)
    encoded = encode(waveform)
    out = FeatureCache(AudioLoader(), tmp_path).fit_transform([Pipe(encoded)])
    assert_alike(out, AudioLoader().fit_transform([encoded]))


def test_a_stream_of_text_is_no_path(tmp_path):
    stream = io.TextIOWrapper(io.BufferedReader(Pipe(b"a.wav")))
    with pytest.raises(AudioDecodeError, match=r"TextIOWrapper \(row 0\) .* binary mode"):
        FeatureCache(AudioLoader(), tmp_path).fit_transform([stream])


@pytest.mark.parametrize("kind", ["closed", "text", "for writing"])
def test_a_file_object_that_cannot_be_read_is_the_loaders_matter(kind, tmp_path):
    mode = {"text": "w+", "for writing": "wb", "closed": "wb"}[kind]
    with open(tmp_path / "file", mode) as file:
        if kind == "closed":
            file.close()
        with pytest.raises(AudioDecodeError, match=r"\(row 1\) could not be decoded"):
            FeatureCache(AudioLoader(), tmp_path / "a").fit_transform([*waveforms(1), file])
        cache = FeatureCache(AudioLoader(on_error="warn"), tmp_path / "b")
        with pytest.warns(AudioDecodeWarning, match=r"\(row 1\) could not be decoded"):
            out = cache.fit_transform([*waveforms(1), file])
        assert [len(waveform) for waveform in out] == [400, 0]


@pytest.mark.parametrize("n_notes", [1, 3])
def test_a_damaged_byte_of_a_header_is_found(n_notes, tmp_path):
    """Wherever it is and whatever it becomes, unless it changes nothing."""
    keys = [bytes([i]) * 16 for i in range(n_notes)]
    features = [np.full((i + 1, 2), i, np.float32) for i in range(n_notes)]
    store = FeatureStore(tmp_path)
    store.write(keys, features)
    (path,) = files(tmp_path)
    good = path.read_bytes()
    n_damaged = 0
    for place in range(len(good) - 4 * sum(values.size for values in features)):
        old = good[place]
        for new in {ord(" "), ord("9"), ord("'"), ord(">"), ord("i"), 0, old ^ 1, old ^ 128}:
            path.write_bytes(good[:place] + bytes([new]) + good[place + 1 :])
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                found = store.read(keys)
            if any("is damaged" in str(one.message) for one in caught):
                assert not path.exists()
                n_damaged += 1
            else:
                assert_alike([found[key] for key in keys], features)
    assert n_damaged > 1000


def test_unfinished_files_are_not_read_and_old_ones_are_deleted(tmp_path):
    cache = FeatureCache(Square(), tmp_path)
    cache.fit_transform(waveforms(2))
    folder = files(tmp_path)[0].parent
    fresh, old = folder / ".fresh.tmp", folder / ".old.tmp"
    for path in (fresh, old):
        path.write_bytes(files(tmp_path)[0].read_bytes()[:200])
    os.utime(old, (0, time.time() - 2 * 24 * 3600))
    cache.transform(waveforms(3))
    assert fresh.exists()
    assert not old.exists()


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    cache = FeatureCache(Square(), tmp_path / "file" / "cache")
    message = r"of 2 of 2 .* could not write to .*cache.*: Not a directory. .*another cache_dir"
    with pytest.warns(UserWarning, match=message):
        out = cache.fit_transform(waveforms(2))
    assert_alike(out, Square().transform(waveforms(2)))


def test_a_full_disk_loses_nothing(tmp_path):
    items = waveforms(4)
    items.append(np.zeros(60_000, np.float32))
    cache = FeatureCache(Square(), tmp_path, chunk_size=2)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.warns(UserWarning, match=r"1 of 5 .* row 4.* could not write to .* Make room"):
            out = cache.fit_transform(items)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert_alike(out, [item[:, None] ** 2 for item in items])
    assert len(files(tmp_path)) == 2
    assert list(tmp_path.rglob(".*.tmp")) == []
    CALLS.clear()
    assert_alike(cache.transform(items), [item[:, None] ** 2 for item in items])
    assert CALLS == [1]


def test_too_many_open_files(tmp_path):
    items = waveforms(40)
    FeatureCache(Square(), tmp_path, chunk_size=100).fit_transform(items[:1])
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    opened = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 64
    resource.setrlimit(resource.RLIMIT_NOFILE, (opened + 20, hard))
    try:
        with pytest.raises(OSError, match=r"could not read .* a larger chunk_size makes fewer"):
            FeatureCache(Square(), tmp_path, chunk_size=1).fit_transform(items)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_processes_compute_the_same(tmp_path):
    items = waveforms(12)
    expected = FeatureCache(STEPS, tmp_path / "one", chunk_size=3).fit_transform(items)
    out = FeatureCache(STEPS, tmp_path / "two", chunk_size=3, n_jobs=2).fit_transform(items)
    assert_alike(out, expected)
    one, two = ([file.read_bytes() for file in files(tmp_path / name)] for name in ("one", "two"))
    assert one == two
    with pytest.raises(AudioDecodeError, match=r"'missing.wav' \(row 1\)"):
        FeatureCache(STEPS, tmp_path, n_jobs=2).transform([items[0], "missing.wav"])


SCRIPT = """
import sys
import numpy as np
from sklearn.pipeline import make_pipeline
from sknote import AudioLoader, Spectrogram
from sknote.feature_extraction import FeatureCache

rng = np.random.default_rng(0)
items = [rng.uniform(-0.5, 0.5, 8000 + i).astype(np.float32) for i in range(60)]
steps = make_pipeline(AudioLoader(), Spectrogram(n_bins=16, n_threads=1))
if __name__ == "__main__":
    print("ready", flush=True)
    sys.stdin.readline()
    FeatureCache(steps, sys.argv[1], chunk_size=2).fit_transform(items)
    print("done", flush=True)
"""


@pytest.fixture
def script(tmp_path):
    """Start the script; returns the processes as soon as all of them are about to begin."""
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    running = []

    def start(folder, n=1):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        for _ in range(n):
            running.append(subprocess.Popen([sys.executable, path, folder], **pipes))
        for process in running:
            assert process.stdout.readline() == "ready\n"
        for process in running:
            process.stdin.write("\n")
            process.stdin.flush()
        return running

    yield start
    for process in running:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def results_of_script():
    names = {"__name__": "script"}
    exec(SCRIPT, names)
    return names["items"], names["steps"]


def test_two_processes_at_once(script, tmp_path):
    folder = tmp_path / "cache"
    for process in script(folder, n=2):
        assert process.stdout.readline() == "done\n"
    items, steps = results_of_script()
    assert len(files(folder)) == 30
    assert list(folder.rglob(".*.tmp")) == []
    assert_alike(FeatureCache(steps, folder).transform(items), steps.transform(items))
    assert len(files(folder)) == 30


def test_killed_half_way(script, tmp_path):
    folder = tmp_path / "cache"
    (process,) = script(folder)
    while len(files(folder)) < 4:
        assert process.poll() is None
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    finished = {path: path.stat().st_mtime_ns for path in files(folder)}
    assert 4 <= len(finished) < 30
    items, steps = results_of_script()
    out = FeatureCache(steps, folder, chunk_size=2).transform(items)
    assert_alike(out, steps.transform(items))
    assert len(files(folder)) == 30
    assert {path: path.stat().st_mtime_ns for path in finished} == finished


def test_what_another_process_makes_in_the_meantime_is_not_made_again(tmp_path):
    """The other one has finished the second half when this one begins."""
    items = waveforms(4)

    class Overtaken(FeatureCache):
        def _compute(self, *args):
            FeatureCache(Square(), tmp_path, chunk_size=2).fit_transform(items[2:])
            return super()._compute(*args)

    out = Overtaken(Square(), tmp_path, chunk_size=2).fit_transform(items)
    assert CALLS == [2, 2]
    assert_alike(out, [item[:, None] ** 2 for item in items])
    assert len(files(tmp_path)) == 2


def test_threads_catch_their_own_warnings(tmp_path):
    items = [*waveforms(6), b"no sound"]
    steps = steps_with(audioloader__on_error="warn")
    before = list(warnings.filters)
    with (
        parallel_config("threading"),
        pytest.warns(AudioDecodeWarning, match=r"type bytes \(row 6\)") as caught,
    ):
        out = FeatureCache(steps, tmp_path, chunk_size=1, n_jobs=4).fit_transform(items)
    assert warnings.filters == before
    assert len(caught) == 1
    assert_alike(out[:6], steps.transform(items[:6]))


@pytest.mark.parametrize("chunk_size", [1, 512])
def test_a_single_recording_is_named_by_its_row(chunk_size, tmp_path):
    """The first two are there already, and the third is alone in its chunk."""
    items = waveforms(2)
    cache = FeatureCache(AudioLoader(), tmp_path, chunk_size=chunk_size)
    cache.fit_transform(items)
    with pytest.raises(AudioDecodeError, match=r"'missing.wav' \(row 2\)"):
        cache.transform([*items, "missing.wav"])


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_rows_are_named_as_the_caller_does(tmp_path, n_jobs):
    audio = [np.ones(500, np.float32), "no/such.wav", np.ones(300, np.float32), b"no sound"]
    X = pd.DataFrame({"audio": pd.Series(audio, index=list("abcd"), dtype=object)})
    options = {"chunk_size": 1, "n_jobs": n_jobs}
    cache = FeatureCache(AudioLoader(on_error="warn"), tmp_path / "cache", **options)
    with pytest.warns(AudioDecodeWarning) as record:
        cache.fit_transform(X)
    texts = [str(one.message) for one in record]
    assert ["(row 1, index 'b')" in texts[0], "(row 3, index 'd')" in texts[1]] == [True, True]
    strict = FeatureCache(AudioLoader(), tmp_path / "cache", **options)
    with pytest.raises(AudioDecodeError, match=r"\(row [13], index '[bd]'\)"):
        strict.fit_transform(X)
