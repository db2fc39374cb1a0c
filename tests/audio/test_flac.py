"""FLAC of which blocks were lost: the decoder fills their place with zeros, and says nothing."""

import io

import numpy as np
import pytest
import soundfile

from sknote.audio._decode import decode

RATE = 44100
LOST = ["some of its blocks are damaged or missing, and their place is silent"]


def encoded(subtype="PCM_16", n_channels=1, silent=slice(0)):
    waveform = np.random.default_rng(0).normal(0, 0.1, (RATE, n_channels))
    waveform[silent] = 0
    file = io.BytesIO()
    soundfile.write(file, waveform, RATE, format="FLAC", subtype=subtype)
    return file.getvalue()


def checksum(data):
    """Return the CRC-8 of FLAC's frame headers."""
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value << 1 ^ 7) & 255 if value & 128 else value << 1
    return value


def beginnings(contents):
    """Find the frames: a sync code, and after 5 to 8 bytes the checksum of them."""
    found, at = [], contents.find(b"\xff\xf8")
    while at >= 0:
        head = contents[at : at + 9]
        if any(checksum(head[:size]) == head[size] for size in range(5, len(head))):
            found.append(at)
        at = contents.find(b"\xff\xf8", at + 1)
    return found


def without_frames(contents, first, last):
    starts = beginnings(contents)
    return contents[: starts[first]] + contents[starts[last] :]


def read(contents, **options):
    remarks = []
    waveform = decode(contents, sample_rate=RATE, remarks=remarks, **options)
    return waveform, remarks


KINDS = [("PCM_S8", 1), ("PCM_16", 1), ("PCM_16", 2), ("PCM_24", 1), ("PCM_24", 3)]


@pytest.mark.parametrize(("subtype", "n_channels"), KINDS)
@pytest.mark.parametrize("silent", [slice(0), slice(5000, 20000), slice(None, None, 3)])
def test_silence_in_a_whole_file_is_no_flaw(subtype, n_channels, silent):
    waveform, remarks = read(encoded(subtype, n_channels, silent))
    assert (len(waveform), remarks) == (RATE, [])


@pytest.mark.parametrize(("subtype", "n_channels"), KINDS)
@pytest.mark.parametrize(("first", "last"), [(1, 2), (3, 6)])
def test_lost_blocks_are_told(subtype, n_channels, first, last):
    contents = encoded(subtype, n_channels)
    waveform, remarks = read(without_frames(contents, first, last))
    assert (len(waveform), remarks) == (RATE, LOST)
    whole, _ = read(contents)
    assert (waveform != whole).any() and np.isin(waveform, [0, *whole]).all()


def test_lost_blocks_are_told_behind_a_tag_and_in_a_stream(tmp_path):
    contents = without_frames(encoded(), 2, 3)
    tag = b"ID3\x04\0\0\0\0\0\x14" + bytes(20)
    assert read(tag + contents)[1] == LOST
    assert read(io.BytesIO(contents))[1] == LOST
    (tmp_path / "note.flac").write_bytes(contents)
    assert read(tmp_path / "note.flac")[1] == LOST


def test_what_cannot_be_told_is_not_said():
    contents = without_frames(encoded(), 2, 3)
    assert read(contents, max_duration=0.5)[1] == []
    without_md5 = contents[:26] + bytes(16) + contents[42:]
    assert read(without_md5)[1] == []
