"""Decoding, against the samples that were encoded and against closed forms."""

import io
import warnings

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


def test_samples_beyond_full_scale_are_kept(encode):
    loud = sine(440, 0.1, RATE, amplitude=3.0)
    np.testing.assert_allclose(
        decode(encode(loud, RATE, "WAV", "FLOAT"), sample_rate=RATE), loud, atol=1e-6
    )


@pytest.mark.parametrize("n_samples", [1, 2, 10])
@pytest.mark.parametrize("rate", [4000, 192000])
def test_very_short_recordings_are_finite(encode, n_samples, rate):
    source = encode(np.full(n_samples, 0.25), rate)
    remarks = []
    waveform = decode(source, sample_rate=RATE, remarks=remarks)
    assert np.isfinite(waveform).all()
    assert abs(len(waveform) - n_samples * RATE / rate) <= 1
    assert len(remarks) == (len(waveform) == 0)  # "it is shorter than a sample"


def test_ten_minutes(encode):
    source = encode(np.zeros(600 * 8000, dtype=np.int16), 8000)
    assert len(decode(source, sample_rate=8000)) == 600 * 8000


def test_to_mono_leaves_a_single_channel_alone(noise):
    np.testing.assert_array_equal(to_mono(noise), noise)
    np.testing.assert_array_equal(to_mono(noise[:, None]), noise)


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


@pytest.mark.parametrize("format", ["WAV", "FLAC", "AIFF"])
def test_16_bit_samples_are_those_that_libsndfile_would_give(format, noise, encode):
    encoded = encode(noise, format=format, subtype="PCM_16")
    expected, _ = soundfile.read(io.BytesIO(encoded), dtype="float32")
    np.testing.assert_array_equal(decode(encoded, sample_rate=RATE), expected)
