"""Streams that cannot be sought in are read as far as what is asked for takes, and no further."""

import io
import itertools
import os
import threading

import numpy as np
import pytest
from encoders import record

from sknote.audio import _source, decode
from sknote.exceptions import AudioDecodeError

RATE = 22050


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    """So that seconds of sound are as long as minutes are."""
    monkeypatch.setattr(_source, "_FIRST_PART", 1 << 14)


class Counted(io.RawIOBase):
    """What a socket or a pipe looks like; it counts the bytes that were taken."""

    def __init__(self, *parts, most=None):
        self._parts = map(bytes, itertools.chain(*parts))
        self._left, self._most, self.taken = b"", most, 0

    def readable(self):
        return True

    def read(self, size=-1):
        if not self._left:
            self._left = next(self._parts, b"")
        size = min(size, self._most or size)
        part, self._left = self._left[:size], self._left[size:]
        self.taken += len(part)
        return part


def hiss(seconds, n_channels=1):
    return np.random.default_rng(0).uniform(-0.5, 0.5, (round(seconds * RATE), n_channels))


def read(source, **options):
    remarks = []
    return decode(source, sample_rate=RATE, remarks=remarks, **options), remarks


ENDLESS = [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("WAVEX", "PCM_24"), ("RF64", "PCM_16")]
ENDLESS += [("W64", "PCM_16"), ("AIFF", "PCM_16"), ("AU", "ULAW"), ("CAF", "PCM_16")]
ENDLESS += [("SVX", "PCM_16"), ("AVR", "PCM_16"), ("PAF", "PCM_16"), ("IRCAM", "FLOAT")]


@pytest.mark.parametrize(("format", "subtype"), ENDLESS)
def test_a_recording_without_end_is_read_no_further_than_is_asked_for(encode, format, subtype):
    """Whether its header promises more than has come, or does not know how much will come."""
    whole = encode(np.tile(hiss(1), (20, 1)), RATE, format, subtype)
    second = (len(whole) - len(encode(np.zeros(0), RATE, format, subtype))) // 20
    header, more = whole[: -20 * second], whole[-second:]
    for offset, seconds in ((0.0, 0.5), (1.25, 0.5), (4.0, 2.0)):
        stream = Counted([header], itertools.repeat(more))
        waveform, remarks = read(stream, offset=offset, max_duration=seconds)
        assert len(waveform) == round(seconds * RATE)
        assert np.abs(waveform).max() > 0.4
        assert remarks == []
        assert stream.taken < 2.1 * (offset + seconds + 2) * second + (1 << 17)


LONG = ["WAV", "FLAC", "OGG", "MP3", "AIFF", "W64", "VOC", "NIST", "webm", "adts"]


@pytest.fixture(scope="module")
def long(encode):
    """More sound than the first part of a stream holds, in several formats."""
    samples = hiss(4, 2)
    files = {format: encode(samples, RATE, format) for format in LONG[:8]}
    files["webm"] = record(hiss(12), 48000, "webm", "libopus", bit_rate=128000)
    files["adts"] = record(hiss(4), RATE, "adts", "aac", bit_rate=128000)
    return files


@pytest.mark.parametrize("format", LONG)
@pytest.mark.parametrize(("offset", "seconds"), [(0.0, 0.7), (0.3, 1.0)])
def test_the_beginning_of_a_long_stream_is_that_of_the_file(long, format, offset, seconds):
    contents, most = long[format], 10_007
    expected, _ = read(contents, offset=offset, max_duration=seconds)
    for stream in (Counted([contents]), Counted([contents], most=most)):
        waveform, remarks = read(stream, offset=offset, max_duration=seconds)
        np.testing.assert_array_equal(waveform, expected)
        assert remarks == []  # that there would be more is no flaw
        assert stream.taken < len(contents)


@pytest.mark.parametrize("format", LONG)
def test_without_a_bound_all_of_it_is_read(long, format):
    stream = Counted([long[format]], most=100_003)
    np.testing.assert_array_equal(read(stream)[0], read(long[format])[0])
    assert stream.taken == len(long[format])


@pytest.mark.parametrize("format", ["WAV", "FLAC", "OGG", "MP3"])
def test_a_stream_that_ends_too_soon_is_truncated_as_a_file_is(long, format):
    half = long[format][: len(long[format]) // 2]
    for options in ({}, {"max_duration": 60.0}, {"offset": 1.0, "max_duration": 60.0}):
        waveform, remarks = read(Counted([half]), **options)
        expected, said = read(half, **options)
        np.testing.assert_array_equal(waveform, expected)
        assert remarks == said
        assert len(said) == 1
    with pytest.raises(AudioDecodeError, match="beyond its end"):
        read(Counted([half]), offset=100.0, max_duration=1.0)


@pytest.mark.parametrize("options", [{}, {"movflags": "faststart"}])
def test_where_the_index_comes_last_all_is_read(options):
    contents = record(hiss(4), RATE, bit_rate=128000, **options)
    stream = Counted([contents])
    expected, _ = read(contents, max_duration=1.0)
    np.testing.assert_array_equal(read(stream, max_duration=1.0)[0], expected)
    assert (stream.taken == len(contents)) == (not options)


def test_a_file_that_is_known_by_its_size_alone_is_read_to_its_end(encode):
    contents = encode(hiss(2), RATE, "HTK", "PCM_16")
    stream = Counted([contents])
    expected, _ = read(contents, max_duration=0.1)
    np.testing.assert_array_equal(read(stream, max_duration=0.1)[0], expected)
    assert stream.taken == len(contents)
    with pytest.raises(AudioDecodeError, match=r"no readable sound file"):
        read(Counted([contents[:-2]]))


@pytest.mark.parametrize(
    "part",
    [bytes(10_000), b"no sound\n" * 999, b"\xff" * 10_000, "ton\n".encode("utf-16") * 999],
    ids=["zeros", "text", "ones", "wide text"],
)
@pytest.mark.parametrize("max_duration", [None, 1.0])
def test_what_is_no_sound_is_not_read_for_long(part, max_duration):
    stream = Counted(itertools.repeat(part))
    with pytest.raises(AudioDecodeError, match=r"no readable sound file"):
        read(stream, max_duration=max_duration)
    assert stream.taken < 1 << 18


@pytest.mark.parametrize("rate", [1, 2**31 - 1])
def test_a_header_that_lies_is_not_read_for_long(encode, rate):
    header = bytearray(encode(hiss(0), RATE))
    header[24:28] = rate.to_bytes(4, "little")
    stream = Counted([header], itertools.repeat(bytes(10_000)))
    with pytest.raises(AudioDecodeError, match=f"sample rate .* {rate} Hz"):
        read(stream, max_duration=1.0)
    assert stream.taken < 1 << 18


def test_tags_before_the_sound_may_be_large(encode):
    for format in ("MP3", "FLAC"):
        tag = b"ID3\4\0\0\0\x20\0\0" + bytes(1 << 19)
        contents = tag + encode(hiss(5), RATE, format)
        stream = Counted([contents], itertools.repeat(bytes(10_000)))
        expected, _ = read(contents, max_duration=1.0)
        np.testing.assert_array_equal(read(stream, max_duration=1.0)[0], expected)
        assert stream.taken < 2 << 20


def test_a_pipe_whose_other_end_stays_open_is_enough_if_it_holds_what_is_asked_for(encode):
    whole = encode(hiss(10), RATE)
    reader, writer = os.pipe()
    thread = threading.Thread(target=os.write, args=(writer, whole))
    thread.start()
    with open(reader, "rb", buffering=0) as pipe:
        waveform, remarks = read(pipe, max_duration=1.0)
        np.testing.assert_array_equal(waveform, read(whole, max_duration=1.0)[0])
        assert remarks == []
        os.set_blocking(reader, False)  # it may write its last while this looks whether it does
        while thread.is_alive():
            pipe.read(1 << 16)
    thread.join()
    os.close(writer)


SHORT = [("WAV", "PCM_16"), ("WAV", "IMA_ADPCM"), ("WAVEX", "FLOAT"), ("RF64", "PCM_16")]
SHORT += [("AIFF", "PCM_24"), ("W64", "PCM_16"), ("AU", "PCM_16"), ("CAF", "ALAC_16")]
SHORT += [("SVX", "PCM_16"), ("VOC", "PCM_16"), ("NIST", "PCM_16"), ("AVR", "PCM_16")]
SHORT += [("MAT4", "PCM_16"), ("MAT5", "DOUBLE"), ("MPC2K", "PCM_16"), ("SDS", "PCM_24")]
SHORT += [("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("MP3", None)]


@pytest.mark.parametrize(("format", "subtype"), SHORT)
@pytest.mark.parametrize("more", [bytes(4096), np.random.default_rng(1).bytes(1 << 16)])
def test_what_follows_a_short_recording_is_not_read(encode, format, subtype, more):
    """Though `max_duration` would take more: its header, or its own end, says that this is all."""
    whole = encode(hiss(1), RATE, format, subtype)
    most = 1 << 23 if format in ("FLAC", "OGG") else 4 * len(whole) + (1 << 17)
    for options in ({"max_duration": 0.5}, {"max_duration": 5.0}, {"offset": 0.7}):
        options = {"max_duration": 5.0} | options
        stream = Counted([whole], itertools.repeat(more, (1 << 26) // len(more)))
        waveform = read(stream, **options)[0]
        expected = read(whole, **options)[0]
        assert abs(len(waveform) - len(expected)) < (100 if format == "SDS" else 1)
        if format != "MP3":  # whose decoder knows the end of the last frame by that of the file
            np.testing.assert_array_equal(waveform[:20_000], expected[:20_000])
        assert stream.taken <= most
    with pytest.raises(AudioDecodeError, match="beyond its end"):
        stream = Counted([whole], itertools.repeat(more, (1 << 26) // len(more)))
        read(stream, offset=3.0, max_duration=1.0)
    assert stream.taken <= most
