"""Files that are damaged or cut inside of what decoders take as one piece."""

import io
import struct

import numpy as np
import pytest
import soundfile as sf

from sknote.audio._decode import decode
from sknote.audio._likeness import in_brackets
from sknote.exceptions import AudioDecodeError

RATE = 16000


def encoded(format, subtype, seconds=1.5):
    time = np.arange(round(seconds * RATE)) / RATE
    file = io.BytesIO()
    sf.write(file, 0.3 * np.sin(2 * np.pi * 440 * time), RATE, format=format, subtype=subtype)
    return file.getvalue()


def read(data, **options):
    remarks = []
    waveform = decode(data, sample_rate=RATE, remarks=remarks, **options)
    return len(waveform) / RATE, remarks


@pytest.mark.parametrize("fill", [b"\0", b"\xff", b"\x55", b"junk"])
@pytest.mark.parametrize("size", [1500, 3000])
def test_a_hole_in_an_mp3_is_told_and_what_comes_before_it_is_kept(fill, size):
    whole = encoded("MP3", "MPEG_LAYER_III", 4.0)
    at = len(whole) // 2
    hole = (fill * size)[:size]
    seconds, remarks = read(whole[:at] + hole + whole[at + size :])
    assert 1.5 < seconds < 2.3
    assert "Unspecified" not in str(remarks)
    (said,) = remarks
    assert said.startswith("the header promises 4.000 s of sound, there are only 1.")
    assert said.endswith(("damaged there", "truncated"))
    seconds, remarks = read(whole[:at] + hole + whole[at + size :], max_duration=1.0)
    assert seconds == 1.0


def test_what_is_damaged_from_its_beginning_on():
    whole = encoded("MP3", "MPEG_LAYER_III")
    for begin in (600, 900):
        damaged = whole[:begin] + bytes(2000) + whole[begin + 2000 :]
        try:
            seconds, remarks = read(damaged)
            assert seconds < 0.3
            assert remarks
        except AudioDecodeError as error:
            assert "Unspecified" not in str(error)
            assert "damaged" in str(error)


@pytest.mark.parametrize(
    "words",
    ["Unspecified internal error", "Internal psf_fseek() failed", "System error", "No Error"],
)
def test_words_that_help_nobody_are_left_out(words):
    assert in_brackets(words) == ""
    assert in_brackets("Error : no 'data' chunk") == " (Error : no 'data' chunk)"


def with_size(data, size=None):
    """Let the header of a WAV file promise as much as there is, or another number of bytes."""
    data = bytearray(data)
    at = data.find(b"data") + 4
    data[at : at + 4] = struct.pack("<I", len(data) - at - 4 if size is None else size)
    data[4:8] = struct.pack("<I", len(data) - 8 if size is None else size)
    return bytes(data)


@pytest.mark.parametrize("subtype", ["IMA_ADPCM", "MS_ADPCM", "GSM610", "PCM_24", "DOUBLE"])
@pytest.mark.parametrize("size", [None, 0, 0xFFFFFFFF])
def test_a_wav_that_ends_within_a_block_is_told(subtype, size):
    whole = encoded("WAV", subtype)
    block = struct.unpack_from("<H", whole, whole.find(b"fmt ") + 20)[0]
    _, remarks = read(with_size(whole, size))
    assert remarks == []
    cut = whole[: len(whole) // 2]
    rest = (len(cut) - cut.find(b"data") - 8) % block
    cut = cut[: len(cut) - rest]
    assert read(with_size(cut, size))[1] == []  # between two blocks there is no telling
    for rest in {block // 2 + 1, block - 1}:
        _, remarks = read(with_size(cut + whole[len(cut) :][:rest], size))
        assert len(remarks) == 1
        assert remarks[0].startswith(f"the last block of {block} bytes is cut off after {rest}, at")
    part = read(with_size(cut + b"\1\1", size), max_duration=0.2)
    assert part == (pytest.approx(0.2), [])


def test_a_last_block_without_what_lies_beyond_the_sound_is_whole():
    whole = encoded("WAV", "IMA_ADPCM")
    block = struct.unpack_from("<H", whole, whole.find(b"fmt ") + 20)[0]
    n_per_block = struct.unpack_from("<H", whole, whole.find(b"fmt ") + 26)[0]
    at = whole.find(b"fact") + 8
    n_frames = 3 * n_per_block + n_per_block // 2
    whole = whole[:at] + struct.pack("<I", n_frames) + whole[at + 4 :]
    sound = whole.find(b"data") + 8
    assert read(with_size(whole[: sound + 3 * block + block // 2 + 8]))[1] == []
    assert "is cut off after" in read(with_size(whole[: sound + 3 * block + block // 4]))[1][0]


@pytest.mark.parametrize("period", [0, -1, -625, -(2**31)])
def test_an_htk_header_that_cannot_be_is_refused(period):
    data = struct.pack(">iihh", 2000, period, 2, 0) + np.random.default_rng(0).bytes(4000)
    with pytest.raises(AudioDecodeError, match=rf"HTK file, whose samples .* {period} times 100"):
        read(data)


def test_htk_files_that_can_be():
    assert read(encoded("HTK", "PCM_16")) == (1.5, [])
    junk = np.random.default_rng(0).bytes(4000)
    for period in (1, 12, 10001, 2**31 - 1):
        with pytest.raises(AudioDecodeError):
            read(struct.pack(">iihh", 2000, period, 2, 0) + junk)
