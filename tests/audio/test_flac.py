"""FLAC of which blocks were lost: the decoder fills their place with zeros, and says nothing."""

import io
import struct

import numpy as np
import pytest
import soundfile

from sknote.audio._decode import decode
from sknote.exceptions import AudioDecodeError

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


SIZES = [(16, 16), (4095, 4095), (4097, 4097), (4608, 4608), (65535, 65535), (0, 0), (1, 1)]
SIZES += [(16, 4096), (4096, 65535), (65535, 16)]
TOO_LONG = [LOST[0] + "; what goes beyond the length that its header promises is left out"]


def with_block_sizes(contents, sizes):
    return contents[:8] + struct.pack(">HH", *sizes) + contents[12:]


@pytest.mark.parametrize(("subtype", "n_channels"), [*KINDS, ("PCM_S8", 2), ("PCM_24", 2)])
@pytest.mark.parametrize("sizes", SIZES)
def test_a_wrong_size_of_blocks_in_the_header_changes_nothing(subtype, n_channels, sizes):
    whole = encoded(subtype, n_channels)
    wrong = with_block_sizes(whole, sizes)
    tag = b"ID3\x04\0\0\0\0\0\x14" + bytes(20)
    padding = struct.pack(">BBH", 1, 0, 4) + bytes(4)
    for contents in (wrong, tag + wrong, wrong[:42] + padding + wrong[42:]):
        for options in ({}, {"max_duration": 0.3}, {"offset": 0.5, "max_duration": 0.1}):
            waveform, remarks = read(contents, **options)
            np.testing.assert_array_equal(waveform, read(whole, **options)[0])
            assert remarks == []


@pytest.mark.parametrize("sizes", [(4608, 4608), (65535, 65535)])
def test_a_wrong_size_of_blocks_and_lost_blocks(sizes):
    whole = encoded()
    expected, _ = read(whole)
    lost, _ = read(without_frames(whole, 3, 4))
    waveform, remarks = read(with_block_sizes(without_frames(whole, 3, 4), sizes))
    np.testing.assert_array_equal(waveform, lost)
    assert remarks == LOST
    # without the first block nothing tells how large they are
    without_first = with_block_sizes(without_frames(whole, 0, 1), sizes)
    for options in ({}, {"max_duration": 60.0}):
        waveform, remarks = read(without_first, **options)
        assert (len(waveform), remarks) == (RATE, TOO_LONG)
        assert np.isin(waveform, [0, *expected]).all()
    without_md5 = without_first[:26] + bytes(16) + without_first[42:]
    assert len(read(without_md5)[0]) == RATE
    assert read(without_md5)[1] == TOO_LONG


def test_a_frame_that_says_a_size_which_no_block_has_is_damaged():
    whole = encoded()
    start = beginnings(whole)[0]
    head = bytearray(whole[start : start + 5]) + b"\xff\xff"
    head[2] = 0x70 | head[2] & 15  # that two bytes say the size
    contents = whole[:start] + head + bytes([checksum(head)]) + whole[start + 6 :]
    with pytest.raises(AudioDecodeError, match="It is damaged: copy or export it again"):
        read(contents)


def test_lost_blocks_are_told_where_the_header_has_no_length():
    contents = bytearray(without_frames(encoded(), 2, 3))
    contents[21:26] = [contents[21] & 0xF0, 0, 0, 0, 0]
    assert read(contents)[1] == LOST


@pytest.mark.parametrize(
    ("total", "words"),
    [(0, ""), (RATE, "1.000 s"), (1 << 35, "216 hours"), ((1 << 36) - 1, "433 hours")],
)
def test_what_a_header_promises_is_said_sensibly(total, words):
    whole = encoded()
    word = int.from_bytes(whole[18:26], "big") >> 36 << 36 | total
    contents = whole[:18] + word.to_bytes(8, "big") + whole[26:]
    start = beginnings(contents)[0]
    damaged = contents[:start] + bytes(len(contents) - start)
    though = f", though its header promises {words}" if words else ""
    with pytest.raises(AudioDecodeError, match=rf"lost sync\){though}\. It is damaged: copy"):
        read(damaged)
    if total > RATE:
        assert read(contents)[1][0].startswith(f"the header promises {words} of sound, there are")
