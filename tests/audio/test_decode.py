"""Decoding, against the samples that were encoded and against closed forms."""

import io
import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sknote.audio import decode, from_array, resample, to_mono
from sknote.exceptions import AudioDecodeError, AudioDecodeWarning

RATE = 22050


def sine(hz, seconds, rate, amplitude=0.5):
    return amplitude * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(0).uniform(-0.9, 0.9, 5000)


@pytest.mark.parametrize(
    ("format", "subtype", "step"),
    [
        ("WAV", "PCM_U8", 2**-7),
        ("WAV", "PCM_16", 2**-15),
        ("WAV", "PCM_24", 2**-23),
        ("WAV", "PCM_32", 2**-24),
        ("WAV", "FLOAT", 2**-24),
        ("WAV", "DOUBLE", 2**-24),
        ("WAVEX", "PCM_24", 2**-23),
        ("FLAC", "PCM_16", 2**-15),
        ("FLAC", "PCM_24", 2**-23),
        ("AIFF", "PCM_S8", 2**-7),
        ("AIFF", "PCM_16", 2**-15),
        ("AIFF", "PCM_24", 2**-23),
    ],
)
def test_lossless_formats_give_the_samples(noise, encode, format, subtype, step):
    waveform = decode(encode(noise, RATE, format, subtype), sample_rate=RATE)
    assert waveform.dtype == np.float32
    assert waveform.shape == noise.shape
    np.testing.assert_allclose(waveform, noise, rtol=0, atol=1.01 * step)


@pytest.mark.parametrize("format", ["OGG", "MP3"])
def test_lossy_formats_give_nearly_the_samples(encode, format):
    expected = sine(440, 1.0, 44100)
    waveform = decode(encode(expected, 44100, format), sample_rate=44100)
    assert waveform.dtype == np.float32
    assert len(waveform) == len(expected)
    middle = slice(4410, -4410)
    error = waveform[middle] - expected[middle]
    assert np.sqrt(np.mean(error**2)) < 0.01


@pytest.mark.parametrize("subtype", ["GSM610", "IMA_ADPCM", "ULAW"])
def test_compressed_wav_is_read_to_its_end_and_promises_nothing(encode, subtype):
    expected = sine(440, 1.0, 8000)
    waveform = decode(encode(expected, 8000, "WAV", subtype), sample_rate=8000)
    assert len(waveform) >= len(expected)  # whole blocks
    assert np.corrcoef(waveform[: len(expected)], expected)[0, 1] > 0.98


@pytest.mark.parametrize("name", ["note.wav", "note.mp3", "note.txt", "note", "nöte ♯.wav"])
def test_contents_decide_not_the_name(tmp_path, noise, encode, name):
    path = tmp_path / name
    path.write_bytes(encode(noise, 48000, "FLAC", "PCM_24"))
    np.testing.assert_allclose(decode(path, sample_rate=48000), noise, atol=2**-22)


@pytest.mark.parametrize("n_channels", [1, 2, 3, 6, 8])
def test_channels_are_averaged(noise, encode, n_channels):
    channels = noise[:, None] * np.linspace(1.0, 0.1, n_channels)
    waveform = decode(encode(channels, RATE, "WAV", "FLOAT"), sample_rate=RATE)
    mean = noise * np.mean(np.linspace(1.0, 0.1, n_channels))
    np.testing.assert_allclose(waveform, mean, atol=1e-6)


def test_opposite_channels_cancel(noise, encode):
    waveform = decode(encode(np.stack([noise, -noise], axis=1)), sample_rate=RATE)
    assert np.abs(waveform).max() <= 2**-15


@pytest.mark.parametrize("target", [8000, 22050])
@pytest.mark.parametrize("rate", [4000, 8000, 11025, 16000, 22050, 44100, 48000, 96000, 192000])
def test_resampling_keeps_a_tone(encode, rate, target):
    source = sine(440, 1.0, rate)
    waveform = decode(encode(source, rate, "WAV", "FLOAT"), sample_rate=target)
    assert waveform.dtype == np.float32
    assert abs(len(waveform) - target) <= 1
    expected = sine(440, len(waveform) / target, target)
    edge = target // 20  # where the filter looks over the ends
    np.testing.assert_allclose(waveform[edge:-edge], expected[edge:-edge], atol=1e-4)


@pytest.mark.parametrize("hz", [12000, 15000, 20000])
def test_resampling_does_not_alias(hz):
    waveform = resample(sine(hz, 1.0, 48000), 48000, RATE)
    assert np.abs(waveform[1000:-1000]).max() < 1e-3


def test_resampling_to_the_same_rate_changes_nothing(noise):
    waveform = noise.astype(np.float32)
    np.testing.assert_array_equal(resample(waveform, RATE, RATE), waveform)


@pytest.mark.parametrize("format", ["WAV", "FLAC", "AIFF"])
@pytest.mark.parametrize(
    ("offset", "max_duration", "expected"),
    [
        (0.0, None, slice(None)),
        (0.1, None, slice(2205, None)),
        (0.0, 0.1, slice(0, 2205)),
        (0.05, 0.1, slice(1102, 1102 + 2205)),  # 1102.5 samples, rounded to even
        (0.2, 10.0, slice(4410, None)),
        (0.0, 1e-9, slice(0, 1)),  # never less than a sample
    ],
)
def test_offset_and_duration_are_a_slice(noise, encode, format, offset, max_duration, expected):
    source = encode(noise, RATE, format)
    options = {"offset": offset, "max_duration": max_duration}
    whole = decode(source, sample_rate=RATE)
    np.testing.assert_array_equal(decode(source, sample_rate=RATE, **options), whole[expected])
    array = from_array(whole, input_rate=RATE, sample_rate=RATE, **options)
    np.testing.assert_array_equal(array, whole[expected])


@pytest.mark.parametrize("format", ["MP3", "OGG"])
def test_offset_of_a_lossy_file_is_a_slice(encode, format):
    source = encode(sine(440, 2.0, RATE), RATE, format)
    whole = decode(source, sample_rate=RATE)
    part = decode(source, sample_rate=RATE, offset=0.5, max_duration=0.5)
    np.testing.assert_allclose(part, whole[RATE // 2 : RATE], atol=1e-4)


def test_slices_of_a_resampled_file_agree_away_from_the_cut(encode):
    source = encode(sine(440, 2.0, 44100), 44100, "WAV", "FLOAT")
    whole = decode(source, sample_rate=RATE)
    part = decode(source, sample_rate=RATE, offset=0.5, max_duration=1.0)
    assert len(part) == RATE
    expected = whole[RATE // 2 : RATE // 2 + RATE]
    np.testing.assert_allclose(part[1000:-1000], expected[1000:-1000], atol=1e-4)


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


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF])
def test_a_stream_that_was_never_finished_promises_nothing(noise, encode, size):
    contents = bytearray(encode(noise))
    at = contents.index(b"data") + 4
    contents[at : at + 4] = struct.pack("<I", size)
    remarks = []
    try:
        waveform = decode(bytes(contents), sample_rate=RATE, remarks=remarks)
    except AudioDecodeError:
        assert size == 0  # libsndfile takes the size at its word
    else:
        assert len(waveform) in (len(noise), 0)
    assert remarks == []


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


def test_every_kind_of_source_gives_the_same(tmp_path, noise, encode):
    contents = encode(noise, RATE, "WAV", "PCM_24")
    path = tmp_path / "note.wav"
    path.write_bytes(contents)
    expected = decode(contents, sample_rate=RATE)
    with path.open("rb") as file:
        sources = [
            path,
            str(path),
            bytearray(contents),
            memoryview(contents),
            io.BytesIO(contents),
            file,
            _Unseekable(contents),
        ]
        for source in sources:
            np.testing.assert_array_equal(decode(source, sample_rate=RATE), expected)
        assert not file.closed


class _Unseekable(io.RawIOBase):
    """What a socket or a pipe looks like."""

    def __init__(self, contents):
        self._contents = io.BytesIO(contents)

    def readable(self):
        return True

    def read(self, size=-1):
        return self._contents.read(size)


@pytest.mark.parametrize("format", ["WAV", "FLAC", "AIFF", "OGG", "MP3"])
@pytest.mark.parametrize("prefix", [b"", b"x" * 100])
def test_a_file_object_is_read_from_its_position_which_is_restored(noise, encode, format, prefix):
    contents = encode(noise, RATE, format)
    file = io.BytesIO(prefix + contents)
    for _ in range(2):
        file.seek(len(prefix))
        waveform = decode(file, sample_rate=RATE)
        assert file.tell() == len(prefix)
        np.testing.assert_array_equal(waveform, decode(contents, sample_rate=RATE))
    assert not file.closed


def test_the_position_is_restored_after_an_error():
    file = io.BytesIO(b"this is no sound at all, only words" * 10)
    file.seek(5)
    with pytest.raises(AudioDecodeError):
        decode(file, sample_rate=RATE)
    assert file.tell() == 5


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (None, "there is no such file"),
        (b"", r"it is empty \(0 bytes\)"),
        (b"I am a text file.", "no readable sound file"),
        (b"RIFF\x00\x00\x00\x00WAVE", "no readable sound file"),
        (b"\xff\xfb\x90\x00" * 3, "no readable sound file|no sound"),
    ],
)
def test_files_that_are_no_sound(tmp_path, write, message):
    path = tmp_path / "note.mp3"
    if write is not None:
        path.write_bytes(write)
    with pytest.raises(AudioDecodeError, match=message):
        decode(path, sample_rate=RATE)


def test_a_directory_is_no_file(tmp_path):
    with pytest.raises(AudioDecodeError, match="it is a directory"):
        decode(tmp_path, sample_rate=RATE)


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch, noise, encode):
    path = tmp_path / "note.wav"
    path.write_bytes(encode(noise))

    def refuse(self, *args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(AudioDecodeError, match="cannot be opened: Permission denied"):
        decode(path, sample_rate=RATE)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b"", r"it is empty \(0 bytes\)"),
        (io.StringIO("text"), "binary mode, got one in text mode"),
        (3.5, "expected a path, bytes, .* got float"),
        (None, "got NoneType"),
    ],
)
def test_sources_of_the_wrong_kind(source, message):
    with pytest.raises(AudioDecodeError, match=message):
        decode(source, sample_rate=RATE)


def test_a_file_object_at_its_end_is_empty(noise, encode):
    file = io.BytesIO(encode(noise))
    file.seek(0, io.SEEK_END)
    with pytest.raises(AudioDecodeError, match="empty"):
        decode(file, sample_rate=RATE)


@pytest.mark.parametrize("format", ["WAV", "FLAC", "AIFF"])
def test_a_sound_file_without_samples(encode, format):
    with pytest.raises(AudioDecodeError, match=r"no sound \(0 samples\)|it is empty"):
        decode(encode(np.zeros(0), RATE, format), sample_rate=RATE)


@pytest.mark.parametrize("offset", [5000 / RATE, 10.0])
def test_an_offset_beyond_the_end(noise, encode, offset):
    match = rf"offset={offset} s lies beyond its end \(0\.227 s\)"
    with pytest.raises(AudioDecodeError, match=match):
        decode(encode(noise), sample_rate=RATE, offset=offset)
    with pytest.raises(AudioDecodeError, match=match):
        from_array(noise, input_rate=RATE, sample_rate=RATE, offset=offset)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_refused(noise, encode, bad):
    spoilt = noise.copy()
    spoilt[777] = bad
    with pytest.raises(AudioDecodeError, match="NaN or infinity"):
        decode(encode(spoilt, RATE, "WAV", "DOUBLE"), sample_rate=RATE)
    with pytest.raises(AudioDecodeError, match="NaN or infinity"):
        from_array(spoilt, input_rate=RATE, sample_rate=RATE)


def test_a_number_too_large_for_float32_is_infinity():
    with pytest.raises(AudioDecodeError, match="infinity"):
        from_array(np.full(5, 1e300), input_rate=RATE, sample_rate=RATE)


def test_samples_beyond_full_scale_are_kept(encode):
    loud = sine(440, 0.1, RATE, amplitude=3.0)
    np.testing.assert_allclose(
        decode(encode(loud, RATE, "WAV", "FLOAT"), sample_rate=RATE), loud, atol=1e-6
    )


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32])
def test_signed_integers_are_divided_by_full_scale(dtype):
    limits = np.iinfo(dtype)
    array = np.array([limits.min, limits.min // 2, 0, limits.max // 2 + 1], dtype=dtype)
    waveform = from_array(array, input_rate=RATE, sample_rate=RATE)
    assert waveform.dtype == np.float32
    np.testing.assert_array_equal(waveform, [-1.0, -0.5, 0.0, 0.5])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
def test_unsigned_integers_are_centred(dtype):
    half = np.iinfo(dtype).max // 2 + 1
    array = np.array([0, half // 2, half, half + half // 2], dtype=dtype)
    waveform = from_array(array, input_rate=RATE, sample_rate=RATE)
    np.testing.assert_array_equal(waveform, [-1.0, -0.5, 0.0, 0.5])


def test_int64_warns_of_its_scale():
    with pytest.warns(AudioDecodeWarning, match=r"divided by 2\*\*63.*cast it to int16"):
        waveform = from_array(np.array([2**62]), input_rate=RATE, sample_rate=RATE)
    np.testing.assert_array_equal(waveform, [0.5])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_are_kept(noise, dtype):
    waveform = from_array(noise.astype(dtype), input_rate=RATE, sample_rate=RATE)
    assert waveform.dtype == np.float32
    np.testing.assert_array_equal(waveform, noise.astype(dtype).astype(np.float32))


def test_channels_of_an_array_lie_in_its_shorter_axis(noise):
    stereo = np.stack([noise, 0.5 * noise])
    expected = 0.75 * noise
    for array in (stereo, stereo.T):
        waveform = from_array(array, input_rate=RATE, sample_rate=RATE)
        np.testing.assert_allclose(waveform, expected, atol=1e-6)


@pytest.mark.parametrize("shape", [(0,), (0, 2), (2, 0)])
def test_an_empty_array_is_an_empty_waveform(shape):
    waveform = from_array(np.zeros(shape), input_rate=44100, sample_rate=RATE)
    assert waveform.shape == (0,)
    assert waveform.dtype == np.float32


@pytest.mark.parametrize(
    "array",
    [np.zeros((2, 2, 2)), np.array(3.0), np.array(["a"]), np.zeros(3, bool), np.zeros(3, complex)],
)
def test_arrays_that_are_no_sound(array):
    with pytest.raises(AudioDecodeError, match="numeric array of 1 or 2 dimensions"):
        from_array(array, input_rate=RATE, sample_rate=RATE)


@pytest.mark.parametrize("n_samples", [1, 2, 10])
@pytest.mark.parametrize("rate", [4000, 192000])
def test_very_short_recordings_are_finite(encode, n_samples, rate):
    source = encode(np.full(n_samples, 0.25), rate)
    waveform = decode(source, sample_rate=RATE)
    assert np.isfinite(waveform).all()
    assert abs(len(waveform) - n_samples * RATE / rate) <= 1


def test_ten_minutes(encode):
    source = encode(np.zeros(600 * 8000, dtype=np.int16), 8000)
    assert len(decode(source, sample_rate=8000)) == 600 * 8000


def test_to_mono_leaves_a_single_channel_alone(noise):
    np.testing.assert_array_equal(to_mono(noise), noise)
    np.testing.assert_array_equal(to_mono(noise[:, None]), noise)


def test_an_array_is_not_changed(noise):
    array = noise.astype(np.float32)
    before = array.copy()
    from_array(array, input_rate=44100, sample_rate=RATE)
    np.testing.assert_array_equal(array, before)


@pytest.mark.data
def test_files_as_they_come_in_real_life(real_data):

    folder = real_data("odd_audio")
    flac = decode(folder / "flac_inside.wav", sample_rate=48000)
    assert len(flac) == soundfile.info(folder / "flac_inside.wav").frames
    assert decode(folder / "trumpet_16bit_48k.wav", sample_rate=RATE).dtype == np.float32
    with pytest.warns(AudioDecodeWarning, match="truncated") as record:
        short = decode(folder / "truncated.wav", sample_rate=RATE)
    promised, held = (float(s) for s in _seconds(str(record[0].message)))
    assert held == pytest.approx(len(short) / RATE, abs=1e-3)
    assert 0.4 < held / promised < 0.6
    for name, message in [("empty.wav", "it is empty"), ("text.mp3", "no readable sound file")]:
        with pytest.raises(AudioDecodeError, match=message):
            decode(folder / name, sample_rate=RATE)


def _seconds(message):
    words = message.split()
    return [words[i - 1] for i, word in enumerate(words) if word.startswith("s") and len(word) <= 2]


@pytest.mark.data
def test_real_recordings_are_finite_and_do_not_warn(real_data):
    paths = sorted(real_data("philharmonia").glob("*/*.mp3"))[::250]
    for path in paths:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            waveform = decode(path, sample_rate=RATE)
        assert np.isfinite(waveform).all()
        assert len(waveform) > 0.05 * RATE


def test_file_objects_that_cannot_be_read(tmp_path, noise, encode):
    path = tmp_path / "note.wav"
    path.write_bytes(encode(noise))
    with path.open("rb") as closed:
        pass
    with pytest.raises(AudioDecodeError, match="the file object is closed"):
        decode(closed, sample_rate=RATE)
    with path.open("ab") as written, pytest.raises(AudioDecodeError, match="not open for reading"):
        decode(written, sample_rate=RATE)


@pytest.mark.parametrize("format", ["WAV", "FLAC", "AIFF"])
def test_16_bit_samples_are_those_that_libsndfile_would_give(format, noise, encode):
    encoded = encode(noise, format=format, subtype="PCM_16")
    expected, _ = soundfile.read(io.BytesIO(encoded), dtype="float32")
    np.testing.assert_array_equal(decode(encoded, sample_rate=RATE), expected)
