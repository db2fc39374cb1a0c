"""Lengths: what is decoded counts, and what a header promises beyond it is said."""

import io
import struct

import numpy as np
import pytest
import soundfile

from sknote.audio import decode
from sknote.exceptions import AudioDecodeError, AudioDecodeWarning

RATE = 22050


def sine(hz, seconds, rate, amplitude=0.5):
    return amplitude * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(0).uniform(-0.9, 0.9, 5000)


def read(contents, **options):
    """Decode at the rate of the file; return the waveform and the remarks."""
    remarks = []
    return decode(bytes(contents), sample_rate=RATE, remarks=remarks, **options), remarks


def put(contents, at, layout, value):
    contents = bytearray(contents)
    struct.pack_into(layout, contents, at, value)
    return contents


def size_field(contents):
    """Return where the size of the sound stands, its layout, and what it counts of no sound."""
    kind = bytes(contents[:4])
    if kind == b"FORM":
        chunk = b"BODY" if contents[8:12] in (b"8SVX", b"16SV") else b"SSND"
        return contents.index(chunk) + 4, ">I", 8 if chunk == b"SSND" else 0
    if kind == b"caff":
        return contents.index(b"data") + 4, ">Q", 4
    if kind == b"riff":
        return contents.index(b"data") + 16, "<Q", 24
    if kind == b"RF64":
        return contents.index(b"ds64") + 16, "<Q", 0
    if kind == b".snd":
        return 8, ">I", 0
    return contents.index(b"data") + 4, ">I" if kind == b"RIFX" else "<I", 0


CONTAINERS = [
    ("WAV", "PCM_16", "FILE"),
    ("WAV", "PCM_24", "BIG"),
    ("WAVEX", "FLOAT", "FILE"),
    ("RF64", "PCM_16", "FILE"),
    ("W64", "PCM_24", "FILE"),
    ("AIFF", "PCM_16", "FILE"),
    ("AIFF", "FLOAT", "FILE"),
    ("AU", "PCM_16", "FILE"),
    ("AU", "ULAW", "FILE"),
    ("CAF", "PCM_16", "FILE"),
    ("SVX", "PCM_16", "FILE"),
]


def encoded(samples, format, subtype=None, endian="FILE", **options):
    buffer = io.BytesIO()
    options |= {"format": format, "subtype": subtype, "endian": endian}
    soundfile.write(buffer, samples, RATE, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("format", "subtype"),
    [("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "PCM_U8"), ("WAV", "FLOAT"), ("AIFF", "PCM_16")],
)
@pytest.mark.parametrize("n_channels", [1, 2])
def test_a_truncated_file_warns_of_both_lengths(encode, format, subtype, n_channels):
    samples = np.tile(sine(440, 2.0, RATE)[:, None], n_channels)
    whole = encode(samples, RATE, format, subtype)
    with pytest.warns(AudioDecodeWarning, match=r"promises 2\.000 s .* only 1\.0\d\d s") as record:
        waveform = decode(whole[: round(len(whole) * 0.505)], sample_rate=RATE)
    assert len(record) == 1
    assert abs(len(waveform) - 1.01 * RATE) < 0.02 * RATE
    np.testing.assert_array_equal(waveform, decode(whole, sample_rate=RATE)[: len(waveform)])


def test_a_truncated_flac_gives_what_there_is_and_warns(noise, encode):
    samples = np.tile(noise, 10)
    whole = encode(samples, RATE, "FLAC")
    with pytest.warns(AudioDecodeWarning, match=r"promises 2\.268 s of sound, there are only 1\."):
        waveform = decode(whole[: round(len(whole) * 0.7)], sample_rate=RATE)
    np.testing.assert_allclose(waveform, samples[: len(waveform)], atol=2**-15)
    assert len(waveform) > 0.5 * len(samples)


@pytest.mark.parametrize("format", ["WAV", "WAVEX", "AIFF", "FLAC", "OGG", "MP3"])
@pytest.mark.parametrize("n_samples", [1, 2, 999, 1000, 5000])
@pytest.mark.parametrize("n_channels", [1, 2])
def test_whole_files_do_not_warn(noise, encode, format, n_samples, n_channels):
    samples = np.tile(noise[:n_samples, None], n_channels)
    remarks = []
    waveform = decode(encode(samples, RATE, format), sample_rate=RATE, remarks=remarks)
    assert remarks == []
    if format not in ("OGG", "MP3"):
        assert len(waveform) == n_samples


def test_a_slice_of_a_truncated_file_also_warns(encode):
    whole = encode(sine(440, 2.0, RATE))
    with pytest.warns(AudioDecodeWarning, match=r"promises 2\.000 s"):
        waveform = decode(whole[: len(whole) // 2], sample_rate=RATE, max_duration=0.25)
    assert len(waveform) == round(0.25 * RATE)


@pytest.mark.parametrize("extra", [b"", b"abc", b"abcd"])
def test_other_chunks_before_the_sound_are_stepped_over(noise, encode, extra):
    contents = encode(noise)
    at = contents.index(b"data")
    chunk = struct.pack("<4sI", b"junk", len(extra)) + extra + b"\0" * (len(extra) % 2)
    padded = contents[:at] + chunk + contents[at:]
    waveform = decode(padded, sample_rate=RATE)
    np.testing.assert_allclose(waveform, noise, atol=2**-15)
    with pytest.warns(AudioDecodeWarning, match="truncated"):
        decode(padded[:-4000], sample_rate=RATE)


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("n_channels", [1, 2])
def test_half_of_a_container_is_noticed(container, n_channels):
    samples = np.tile(sine(440, 1.0, RATE)[:, None], 1 if container[0] == "SVX" else n_channels)
    whole = encoded(samples, *container)
    expected, remarks = read(whole)
    assert remarks == []
    half, remarks = read(whole[: len(whole) // 2])
    assert len(remarks) == 1
    assert remarks[0].startswith("the header promises 1.000 s of sound, there are only 0.")
    assert 0.4 * RATE < len(half) < 0.6 * RATE
    np.testing.assert_array_equal(half, expected[: len(half)])


@pytest.mark.parametrize(
    ("format", "subtype"),
    [
        ("WAV", "IMA_ADPCM"),
        ("WAV", "MS_ADPCM"),
        ("WAV", "GSM610"),
        ("W64", "MS_ADPCM"),
        ("AIFF", "IMA_ADPCM"),
        ("AU", "G721_32"),
        ("CAF", "ALAC_16"),
        ("FLAC", "PCM_S8"),
        ("OGG", "VORBIS"),
        ("MP3", None),
    ],
)
def test_half_of_a_compressed_file_is_noticed(format, subtype):
    noisy = np.random.default_rng(0).uniform(-0.5, 0.5, 4 * RATE)
    whole = encoded(noisy, format, subtype)
    expected, remarks = read(whole)
    assert remarks == []
    half, remarks = read(whole[: len(whole) // 2])
    assert len(remarks) == 1
    assert "truncated" in remarks[0]
    assert 0.3 * len(expected) < len(half) < 0.7 * len(expected)
    edge = min(len(half), 1000)
    np.testing.assert_allclose(half[:-edge], expected[: len(half) - edge], atol=1e-6)


COUNTED = [  # formats that count frames in a way of their own: where and how they do
    ("AVR", "PCM_S8", 26, ">I"),
    ("AVR", "PCM_16", 26, ">I"),
    ("MAT4", "PCM_16", 47, "<I"),
    ("MAT4", "DOUBLE", 47, "<I"),
    ("MAT5", "PCM_U8", 236, "<I"),
    ("MAT5", "FLOAT", 236, "<I"),
    ("MPC2K", "PCM_16", 26, "<I"),
    ("NIST", "PCM_24", None, None),
    ("NIST", "ULAW", None, None),
    ("SDS", "PCM_S8", None, None),
    ("SDS", "PCM_16", None, None),
    ("SDS", "PCM_24", None, None),
    ("VOC", "PCM_U8", None, None),
    ("VOC", "PCM_16", None, None),
    ("VOC", "ALAW", None, None),
    ("WVE", "ALAW", 18, ">I"),
]


@pytest.mark.parametrize(("format", "subtype", "at", "layout"), COUNTED)
@pytest.mark.parametrize("n_channels", [1, 2])
def test_half_of_a_file_that_counts_frames_is_noticed(format, subtype, at, layout, n_channels):
    n_channels = 1 if format in ("SDS", "WVE") else n_channels
    rate = 8000 if format == "WVE" else RATE
    buffer = io.BytesIO()
    samples = np.tile(sine(440, 1.0, rate)[:, None], n_channels)
    soundfile.write(buffer, samples, rate, format=format, subtype=subtype)
    whole, remarks = buffer.getvalue(), []
    expected = decode(whole, sample_rate=rate, remarks=remarks)
    assert remarks == []
    half = decode(whole[: len(whole) // 2], sample_rate=rate, remarks=remarks)
    assert len(remarks) == 1
    assert "truncated" in remarks[0]
    assert "promises 1.0" in remarks[0] or format == "VOC"  # whose rates are rounded
    assert 0.45 * len(expected) < len(half) < 0.5 * len(expected) + 1
    np.testing.assert_allclose(half[:-400], expected[: len(half) - 400], atol=1e-4)  # resampling
    for unknown in () if at is None else (0, 0x7FFFFFFF, 0xFFFFF000):
        remarks = []
        if (format, unknown) not in (("MAT4", 0), ("MAT4", 0xFFFFF000)):  # which are none there
            contents = bytes(put(whole, at, layout, unknown))
            waveform = decode(contents, sample_rate=rate, remarks=remarks)
            np.testing.assert_array_equal(waveform, expected)
            assert remarks == []


@pytest.mark.parametrize(("subtype", "width"), [("DPCM_8", 1), ("DPCM_16", 2)])
def test_half_of_an_instrument_of_a_tracker_is_noticed(subtype, width):
    buffer = io.BytesIO()
    soundfile.write(buffer, sine(440, 1.0, 44100), 44100, format="XI", subtype=subtype)
    whole = put(buffer.getvalue(), 298, "<I", 44100 * width)
    expected, remarks = read(whole)
    assert remarks == []
    half, remarks = read(whole[: len(whole) // 2])
    assert "promises 1.000 s of sound, there are only 0.49" in remarks[0]
    np.testing.assert_allclose(half[:-400], expected[: len(half) - 400], atol=1e-4)


def test_sds_that_does_not_count_is_read_to_its_end():
    whole = encoded(sine(440, 1.0, RATE), "SDS", "PCM_16")
    waveform, _ = read(whole[:10] + bytes(3) + whole[13:])
    np.testing.assert_array_equal(waveform[: RATE - 40], read(whole)[0][:-40])
    assert 0 <= len(waveform) - RATE < 40  # the last block is filled up


@pytest.mark.parametrize("format", ["NIST", "AVR", "VOC", "MAT4", "MAT5", "MPC2K", "SDS"])
def test_headers_that_end_within_themselves(format):
    whole = encoded(sine(440, 0.1, RATE), format, "PCM_16")
    for end in [*range(1, 300, 7), 1020]:
        try:
            read(whole[:end])
        except AudioDecodeError:
            continue


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize(
    "size", [0, -1, 0x7FFFFFFF, 0x80000000, 0x7FFFF000, 0x7FFFEFFC, 0xFFFFFFDB, 0xFFFFF000]
)
def test_a_size_that_a_writer_did_not_know_promises_nothing(noise, container, size):
    whole = encoded(noise, *container)
    expected, _ = read(whole)
    at, layout, extra = size_field(whole)
    large = struct.calcsize(layout) == 8
    if large and size > 0:
        size = size << 32 | 0xFFFFFFFF
    size = size % (1 << (64 if large else 32))
    for value in {size, extra if size == 0 else size}:
        waveform, remarks = read(put(whole, at, layout, value))
        assert remarks == []
        np.testing.assert_array_equal(waveform, expected)
        part, remarks = read(put(whole, at, layout, value), offset=0.1, max_duration=0.05)
        assert remarks == []
        np.testing.assert_array_equal(part, expected[2205:3307])


def test_a_size_of_0_is_right_where_other_chunks_follow():
    empty = encoded(np.zeros(0), "WAV")
    chunk = struct.pack("<4sI", b"LIST", 40) + b"INFOIART" + bytes(32)
    for tail in (b"", chunk, chunk + chunk):
        with pytest.raises(AudioDecodeError, match="no sound"):
            read(empty + tail)


def test_a_size_that_is_too_small_where_the_rest_is_sound(noise):
    whole = encoded(noise, "WAV")
    expected, _ = read(whole)
    at, layout, _ = size_field(whole)
    waveform, _ = read(put(whole, at, layout, 2000))
    np.testing.assert_array_equal(waveform, expected)
    chunk = struct.pack("<4sI", b"LIST", 40) + b"INFOIART" + bytes(32)
    longer = put(whole + chunk, 4, "<I", len(whole) + len(chunk) - 8)
    np.testing.assert_array_equal(read(longer)[0], expected)  # but what follows is none
    np.testing.assert_array_equal(read(whole + bytes(1000))[0], expected)


def test_zeros_without_end_are_no_chunks():
    contents = encoded(np.zeros(10), "WAV")[:36] + bytes(1 << 20)
    with pytest.raises(AudioDecodeError):
        read(contents)


def total_of_flac(contents, total):
    contents = bytearray(contents)
    word = int.from_bytes(contents[18:26], "big") >> 36 << 36 | total
    contents[18:26] = word.to_bytes(8, "big")
    return contents


@pytest.mark.parametrize("subtype", ["PCM_S8", "PCM_16", "PCM_24"])
@pytest.mark.parametrize("n_channels", [1, 2, 8])
@pytest.mark.parametrize("total", [0, 1, 4096, 19_999, 20_001, 1 << 35, (1 << 36) - 1])
def test_flac_is_read_to_its_end_whatever_it_promises(subtype, n_channels, total):
    whole = encoded(np.tile(sine(440, 1.0, 20_000)[:, None], n_channels), "FLAC", subtype)
    expected, _ = read(whole)
    lie = total_of_flac(whole, total)
    waveform, remarks = read(lie)
    np.testing.assert_array_equal(waveform, expected)
    assert len(remarks) == (total > 20_000)
    part, remarks = read(lie, offset=0.5, max_duration=0.1)
    np.testing.assert_array_equal(part, expected[11025:13230])
    assert remarks == []
    with pytest.raises(AudioDecodeError, match=r"beyond its end \(0\.907 s\)"):
        read(lie, offset=1.0)


def test_flac_that_is_cut_between_two_frames():
    whole = encoded(sine(440, 1.0, RATE), "FLAC")
    expected, _ = read(whole)
    lengths = set()
    for end in range(len(whole) // 3, len(whole) - 20, 97):
        waveform, remarks = read(whole[:end])
        np.testing.assert_array_equal(waveform, expected[: len(waveform)])
        assert "promises 1.000 s" in remarks[0]
        lengths.add(len(waveform))
    assert len(lengths) > 2
    starts = [at for at in range(len(whole)) if whole[at : at + 2] == b"\xff\xf8"]
    waveform, remarks = read(whole[: starts[2]])  # to the byte
    assert len(waveform) == 2 * 4096
    assert "promises 1.000 s" in remarks[0]


@pytest.mark.parametrize("format", ["FLAC", "MP3"])
def test_a_tag_at_the_beginning_changes_nothing(noise, format):
    whole = encoded(np.tile(noise, 4), format)
    tag = b"ID3\x04\0\0\0\0\x01\x00" + bytes(128)
    if format == "FLAC":
        whole = bytes(total_of_flac(whole, 0))
    waveform, remarks = read(tag + whole)
    assert remarks == []
    np.testing.assert_array_equal(waveform, read(whole)[0])


def mp3(samples, mode="VARIABLE"):
    """Return an MP3 file, and where the tag in its first frame stands."""
    whole = encoded(samples, "MP3", bitrate_mode=mode, compression_level=0.5)
    return whole, max(whole.find(b"Xing"), whole.find(b"Info"))


def without_tag(samples, mode="VARIABLE"):
    """Return an MP3 file as it comes out of a pipe: its first frame, with the tag, is cut off."""
    whole, at = mp3(samples, mode)
    return whole[whole.index(whole[:2], at) :]


@pytest.fixture(scope="module")
def crescendo():
    """Three seconds that begin with near silence, of which an encoder makes small frames."""
    noisy = np.random.default_rng(0).normal(0, 0.2, 3 * RATE)
    return np.where(np.arange(3 * RATE) < RATE, 1e-3, 1) * noisy


@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize("mode", ["VARIABLE", "AVERAGE", "CONSTANT"])
@pytest.mark.parametrize("end", [b"", b"TAG" + bytes(125)])
def test_mp3_without_a_tag_is_read_to_its_end(crescendo, n_channels, mode, end):
    samples = np.tile(crescendo[:, None], n_channels)
    tagged, _ = read(mp3(samples, mode)[0])
    contents = without_tag(samples, mode) + end
    waveform, remarks = read(contents)
    assert remarks == []
    assert 0 <= len(waveform) - len(samples) < 3 * 1152  # the encoder's delay is not cut off
    delay = 1105  # of LAME and mpg123
    np.testing.assert_allclose(waveform[delay : delay + len(tagged)], tagged, atol=1e-5)
    part, _ = read(contents, offset=2.0, max_duration=0.5)
    np.testing.assert_array_equal(part, waveform[2 * RATE :][: RATE // 2])


def test_mp3_that_begins_loud_and_goes_on_softly(crescendo):
    waveform, remarks = read(without_tag(crescendo[::-1]))
    assert 0 <= len(waveform) - len(crescendo) < 3 * 1152
    assert remarks == []


@pytest.mark.parametrize("count", [0, 1, 5, 50, 10_000, 0x7FFFFFFF, 0xFFFFFFFF])
def test_mp3_is_read_to_its_end_whatever_its_tag_promises(crescendo, count):
    whole, tag = mp3(crescendo)
    expected, remarks = read(whole)
    assert len(expected) == len(crescendo)
    assert remarks == []
    waveform, remarks = read(put(whole, tag + 8, ">I", count))
    assert len(waveform) >= len(expected)
    np.testing.assert_array_equal(waveform[: len(expected)], expected)
    assert len(remarks) == (count == 10_000)


def test_mp3_of_two_files_one_after_the_other(crescendo):
    whole, _ = mp3(crescendo)
    waveform, remarks = read(whole + whole)
    assert len(waveform) > 2 * len(crescendo)
    assert remarks == []


def test_ogg_without_its_last_page_and_with_a_second_stream(noise):
    whole = encoded(np.tile(noise, 20), "OGG")
    assert read(whole)[1] == []
    _, remarks = read(whole[:-10])
    assert "last page is missing" in remarks[0]
    other = bytearray(whole + whole)
    other[len(whole) :] = bytes(other[len(whole) :]).replace(whole[14:18], b"\1\2\3\4")
    _, remarks = read(other)
    assert "several streams" in remarks[0]


def test_damage_in_the_middle_is_said():
    whole = bytearray(total_of_flac(encoded(sine(440, 2.0, RATE), "FLAC"), 0))
    middle = len(whole) // 2
    whole[middle : middle + 400] = bytes(400)
    waveform, remarks = read(whole)
    assert 0 < len(waveform) < 1.5 * RATE
    assert "damaged" in remarks[0]
