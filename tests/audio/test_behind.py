"""What lies behind the sound of a file is none, where the header says how much of it is."""

import io
import struct

import numpy as np
import pytest
import soundfile

from sknote.audio import decode

RATE = 22050
RATES = {"WVE": 8000, "SDS": 8000, "XI": 44100}

# of which nobody can say where they end
ENDLESS = ("PAF", "PVF", "IRCAM")
# whose beginning says nothing if its length does not fit, and what libsndfile needs more for
OTHER = ("RAW", "SD2", "HTK")

CHUNK = struct.pack("<4sI", b"LIST", 40) + b"INFOIART" + bytes(32)
TAILS = {
    "a tag": b"TAG" + b"A name".ljust(125, b"\0"),
    "zeros": bytes(1000),
    "a chunk": CHUNK,
    "a chunk of the other order": struct.pack(">4sI", b"ANNO", 40) + b"words" * 8,
    "words": b"APETAGEX" + bytes(range(256)),
    "anything": np.random.default_rng(1).bytes(501),
}

FORMATS = sorted({*soundfile.available_formats()} - {*OTHER, *ENDLESS})


def encoded(format, subtype, n_channels=1):
    """Return a file of hiss, that fills the last block of any codec; its rate; and what is read."""
    rate, buffer = RATES.get(format, RATE), io.BytesIO()
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (24 * 320, n_channels))
    soundfile.write(buffer, samples, rate, format=format, subtype=subtype)
    contents = bytearray(buffer.getvalue())
    if format == "XI":  # whose length libsndfile does not write
        struct.pack_into("<I", contents, 298, len(samples) * (2 if subtype == "DPCM_16" else 1))
    return bytes(contents), rate, *read(contents, rate)


def read(contents, rate, **options):
    remarks = []
    return decode(bytes(contents), sample_rate=rate, remarks=remarks, **options), remarks


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("n_channels", [1, 2])
def test_it_is_not_taken_for_sound(format, n_channels):
    n_tried = 0
    for subtype in soundfile.available_subtypes(format):
        try:
            whole, rate, expected, said = encoded(format, subtype, n_channels)
        except soundfile.LibsndfileError:  # it does not write this one
            continue
        for name, tail in TAILS.items():
            waveform, remarks = read(whole + tail, rate)
            np.testing.assert_array_equal(waveform, expected, f"{subtype} and {name}")
            assert remarks == said or format in ("FLAC", "OGG")
        at = 0.1
        part, _ = read(whole + TAILS["zeros"], rate, offset=at)
        assert abs(len(part) - len(expected) + round(at * rate)) <= 1  # rates of VOC are rounded
        n_tried += 1
    assert n_tried or (format in ("SDS", "SVX", "WVE", "XI") and n_channels == 2)


@pytest.mark.parametrize(
    "format", ["AVR", "MPC2K", "NIST", "W64", "SVX", "AU", "MAT5", "CAF", "WAV"]
)
def test_if_it_is_more_than_the_sound_it_is_said(format):
    whole, rate, expected, _ = encoded(format, "ULAW" if format == "AU" else "PCM_16")
    waveform, remarks = read(whole + np.random.default_rng(0).bytes(len(whole)), rate)
    np.testing.assert_array_equal(waveform, expected)
    assert len(remarks) == 1
    assert "header promises 0." in remarks[0]
    assert "lies behind it, which is left out; if that is sound as well" in remarks[0]


def test_chunks_behind_it_may_be_as_long_as_they_like():
    whole, rate, expected, _ = encoded("W64", "PCM_16")
    whole += bytes(-len(whole) % 8)
    chunk = b"levl" + bytes(12) + struct.pack("<Q", 24 + 80_000) + bytes(80_000)
    waveform, remarks = read(whole + chunk, rate)
    np.testing.assert_array_equal(waveform, expected)
    assert remarks == []


@pytest.mark.parametrize(
    ("format", "at", "layout", "extra"),
    [("W64", 16, "<Q", 0), ("SVX", 4, ">I", 8), ("RF64", 20, "<Q", 8)],
)
def test_a_size_is_doubted_if_that_of_the_file_says_otherwise(format, at, layout, extra):
    """A writer that did not end well may have brought the one up to date, and not the other."""
    whole, rate, expected, _ = encoded(format, "PCM_16")
    contents = bytearray(whole)
    struct.pack_into(layout, contents, at, len(contents) - extra)
    mark, after = {"W64": (b"data", 16), "SVX": (b"BODY", 4), "RF64": (b"ds64", 16)}[format]
    size_at = whole.index(mark) + after
    struct.pack_into(layout, contents, size_at, 2000)
    waveform, remarks = read(contents, rate)
    np.testing.assert_array_equal(waveform, expected)
    assert remarks == []


@pytest.mark.parametrize("format", ["AU", "CAF"])
def test_half_of_the_sound_that_lies_behind_is_said(format):
    whole, rate, expected, _ = encoded(format, "PCM_16")
    contents, n_half = bytearray(whole), len(expected) // 2
    at, layout, extra = (8, ">I", 0) if format == "AU" else (whole.index(b"data") + 4, ">Q", 4)
    struct.pack_into(layout, contents, at, 2 * n_half + extra)
    waveform, remarks = read(contents, rate)
    np.testing.assert_array_equal(waveform, expected[:n_half])
    assert len(remarks) == 1 and "as much again lies behind it" in remarks[0]


def block(kind, contents):
    return bytes([kind]) + len(contents).to_bytes(3, "little") + contents


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16"])
@pytest.mark.parametrize("end", [b"", b"\0"])
def test_blocks_of_a_voc_file(subtype, end):
    whole, rate, expected, _ = encoded("VOC", subtype)
    assert whole[-1] == 0
    text = block(5, b"words\0")
    waveform, remarks = read(whole[:-1] + text + text + end, rate)
    np.testing.assert_array_equal(waveform, expected)
    assert remarks == []
    for kind in (1, 2, 9):
        more = text + block(kind, bytes(14))
        waveform, remarks = read(whole[:-1] + more + end, rate)
        np.testing.assert_array_equal(waveform, expected)
        assert remarks == ["it holds several blocks of sound, of which only the first is read"]


def test_where_a_voc_file_says_that_its_sound_begins_may_be_nowhere():
    whole, rate, expected, _ = encoded("VOC", "PCM_16")
    contents = bytearray(whole)
    contents[21] = 255  # libsndfile pays no heed to it
    waveform, remarks = read(contents, rate)
    np.testing.assert_array_equal(waveform, expected)
    assert remarks == []
