"""Recordings that are heard block by block: the same as is decoded at once, in bounded memory."""

import importlib.util
import tracemalloc

import numpy as np
import pytest
import soundfile
from encoders import record

from sknote.audio import decode, heard
from sknote.exceptions import AudioDecodeError

needs_av = pytest.mark.skipif(
    importlib.util.find_spec("av") is None, reason="PyAV (the extra av) is not installed"
)
RATE = 44100


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(0).normal(0, 0.1, 3 * RATE).astype(np.float32)


def check(contents, path, monkeypatch):
    """Compare what is heard, in blocks of any length, with what is decoded at once."""
    path.write_bytes(contents)
    expected_remarks = []
    expected = decode(path, sample_rate=RATE, remarks=expected_remarks)
    for size in (1 << 20, 5000):
        monkeypatch.setattr("sknote.audio._reading.BLOCK", size)
        remarks = []
        rate, blocks = heard(path, remarks)
        blocks = list(blocks)
        assert rate == RATE and all(map(len, blocks))
        assert remarks == expected_remarks
        np.testing.assert_array_equal(np.concatenate(blocks), expected)
    return expected_remarks


@pytest.mark.parametrize("format", ["WAV", "AIFF", "FLAC", "OGG", "MP3", "CAF", "W64", "VOC"])
@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize("share", [1.0, 0.5])
def test_what_is_heard_is_what_is_decoded(
    format, n_channels, share, noise, encode, tmp_path, monkeypatch
):
    contents = encode(np.stack([noise] * n_channels, axis=1), RATE, format)
    remarks = check(contents[: round(len(contents) * share)], tmp_path / "note", monkeypatch)
    assert (remarks == []) == (share == 1)


@needs_av
@pytest.mark.parametrize(
    ("container", "codec"),
    [("ipod", "aac"), ("mov", "alac"), ("wv", "wavpack"), ("matroska", "aac"), ("asf", "wmav2")],
)
def test_what_pyav_reads_is_heard_without_its_padding(
    container, codec, noise, tmp_path, monkeypatch
):
    contents = record(noise, RATE, container, codec, bit_rate=64_000)
    assert check(contents, tmp_path / "note", monkeypatch) == []


def test_mp3_with_more_than_its_tag_says_is_heard_to_its_end(noise, encode, tmp_path, monkeypatch):
    contents = encode(noise, RATE, "MP3")
    at = contents.index(b"Xing") + 8
    few = contents[:at] + (30).to_bytes(4, "big") + contents[at + 4 :]
    check(few, tmp_path / "note", monkeypatch)
    middle = len(contents) // 2
    for end in (contents[middle + 2000 :], b""):
        damaged = contents[:middle] + bytes(2000) + end
        assert check(damaged, tmp_path / "note", monkeypatch)


def test_flac_that_is_longer_than_it_says_is_heard_as_it_is_decoded(
    noise, encode, tmp_path, monkeypatch
):
    noise = np.where(np.arange(len(noise)) % 5000 < 100, 0, noise)
    contents = bytearray(encode(noise, RATE, "FLAC"))
    contents[22:26] = (2 * RATE).to_bytes(4, "big")  # the lower bytes of the length
    assert check(bytes(contents), tmp_path / "note", monkeypatch) == []
    contents[30] ^= 1  # of the MD5
    (remark,) = check(bytes(contents), tmp_path / "note", monkeypatch)
    assert "goes beyond the length that its header promises is left out" in remark


def test_memory_is_bounded_whatever_the_length(tmp_path):
    path = tmp_path / "long.flac"
    soundfile.write(path, np.tile(np.arange(100, dtype=np.int16), 100_000), RATE)
    tracemalloc.start()
    try:
        n_samples = sum(map(len, heard(path, [])[1]))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert n_samples == 10_000_000
    assert peak < 20e6  # all of it takes 40 MB


def test_what_is_wrong_is_said_where_it_is_come_upon(noise, encode, tmp_path):
    path = tmp_path / "note.wav"
    with pytest.raises(AudioDecodeError, match="it is a directory"):
        heard(tmp_path, [])
    path.write_bytes(b"nothing but words " * 100)
    with pytest.raises(AudioDecodeError, match="no readable sound file: expected WAV"):
        heard(path, [])
    path.write_bytes(encode(noise[:0], RATE))
    with pytest.raises(AudioDecodeError, match="it holds no sound"):
        heard(path, [])
    long = np.tile(noise, 20)
    long[-1] = np.nan
    path.write_bytes(encode(long, RATE, subtype="FLOAT"))
    _, blocks = heard(path, [])
    assert len(next(blocks)) == 1 << 20
    with pytest.raises(AudioDecodeError, match="NaN"):
        list(blocks)
