"""Bounds: what a header or a sample may say, how much memory that takes, and what is odd."""

import os
import struct
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from sknote.audio import decode, from_array
from sknote.audio._bounds import (
    HIGHEST_RATE,
    LARGEST_EXPANSION,
    LARGEST_SAMPLE,
    LOWEST_RATE,
    MOST_CHANNELS,
)
from sknote.exceptions import AudioDecodeError, AudioDecodeWarning

RATE = 22050


def wav(samples, rate, n_channels=1):
    """A WAV file of 16 bits, whatever its header says."""
    data = np.asarray(samples, "<i2").tobytes()
    bytes_per_frame = 2 * n_channels
    fmt = (16, 1, n_channels, rate, bytes_per_frame * rate % 2**32, bytes_per_frame, 16)
    head = struct.pack("<4sI8sIHHIIHH", b"RIFF", 36 + len(data), b"WAVEfmt ", *fmt)
    return head + struct.pack("<4sI", b"data", len(data)) + data


def read(source, sample_rate=RATE, **options):
    remarks = []
    if isinstance(source, bytes):
        return decode(source, sample_rate=sample_rate, remarks=remarks, **options), remarks
    options["input_rate"] = RATE
    return from_array(source, sample_rate=sample_rate, remarks=remarks, **options), remarks


@pytest.mark.parametrize("rate", [1, 2, 100, LOWEST_RATE - 1, HIGHEST_RATE + 1, 2**31 - 1])
@pytest.mark.parametrize("options", [{}, {"max_duration": 0.5}, {"offset": 1.0}])
def test_rates_that_no_recording_has(rate, options):
    with pytest.raises(AudioDecodeError, match=rf"from 1000 to 768000 Hz, its header says {rate}"):
        read(wav(np.zeros(1000), rate), **options)


@pytest.mark.parametrize("rate", [LOWEST_RATE, 4000, 44100, 192_000, HIGHEST_RATE])
def test_rates_that_recordings_have(rate):
    waveform, remarks = read(wav(np.zeros(rate), rate))
    assert abs(len(waveform) - RATE) <= 1
    assert remarks == []


def test_expansion_is_bounded():
    high = LOWEST_RATE * LARGEST_EXPANSION
    assert len(read(wav(np.zeros(100), LOWEST_RATE), high)[0]) == 100 * LARGEST_EXPANSION
    with pytest.raises(AudioDecodeError, match=f"makes more than {LARGEST_EXPANSION} samples"):
        read(wav(np.zeros(100), LOWEST_RATE), high + 1)
    with pytest.raises(AudioDecodeError, match="from 1 Hz to 22050 Hz makes more than"):
        from_array(np.zeros(1000), input_rate=1, sample_rate=RATE)


@pytest.mark.parametrize("n_channels", [MOST_CHANNELS, MOST_CHANNELS + 1, 1024])
def test_channels_are_bounded(n_channels):
    contents = wav(np.zeros((100, n_channels)), RATE, n_channels)
    if n_channels == MOST_CHANNELS:
        assert len(read(contents)[0]) == 100
    else:
        with pytest.raises(AudioDecodeError, match=f"at most 64 channels.* {n_channels}"):
            read(contents)


@pytest.mark.parametrize("seconds", [1e9, 1e300, 1.7e308])
def test_durations_of_any_size(encode, seconds):
    assert len(read(encode(np.zeros(100)), max_duration=seconds)[0]) == 100
    assert len(read(np.zeros(100), max_duration=seconds)[0]) == 100
    for source in (encode(np.zeros(100)), np.zeros(100)):
        with pytest.raises(AudioDecodeError, match="beyond its end"):
            read(source, offset=seconds)


@pytest.mark.parametrize("make", ["WAV", "AIFF", "W64", None])
@pytest.mark.parametrize("size", [1e36, 1e10, 65537.0, -7e4])
def test_samples_that_are_none(encode, make, size):
    samples = np.zeros(1000)
    samples[500] = size
    source = samples if make is None else encode(samples, RATE, make, "FLOAT")
    with pytest.raises(AudioDecodeError, match=r"go up to .*, where full scale is 1\. Divide them"):
        read(source)


@pytest.mark.parametrize("make", ["FLOAT", "DOUBLE", None])
@pytest.mark.parametrize("size", [1.0, 16.0, 17.0, 32767.0, LARGEST_SAMPLE, -LARGEST_SAMPLE])
def test_loud_samples_are_kept_and_said(encode, make, size):
    samples = np.zeros(1000)
    samples[500] = size
    waveform, remarks = read(samples if make is None else encode(samples, RATE, "WAV", make))
    np.testing.assert_array_equal(waveform, samples.astype(np.float32))
    assert len(remarks) == (abs(size) > 16)
    for remark in remarks:
        assert f"go up to {abs(size):.6g}, where full scale is 1" in remark


def test_a_flipped_bit_of_an_exponent(encode):
    contents = encode(np.full(1000, 0.3), RATE, "WAV", "FLOAT")
    at = contents.index(b"data") + 8 + 4 * 500 + 3
    damaged = contents[:at] + bytes([contents[at] ^ 0x40]) + contents[at + 1 :]
    with pytest.raises(AudioDecodeError, match=r"e\+3\d, where full scale is 1"):
        read(damaged)


def tones(n_samples=RATE):
    t = np.arange(n_samples) / RATE
    return 0.3 * np.sin(2 * np.pi * 440 * t), 0.3 * np.sin(2 * np.pi * 550 * t)


@pytest.mark.parametrize("make", ["WAV", "FLAC", "OGG", "MP3", "transposed", None])
@pytest.mark.parametrize("gain", [1.0, 0.9, 1.1])
def test_an_inverted_channel_is_said(encode, make, gain):
    one, _ = tones()
    stereo = np.stack([one, -gain * one], axis=1)
    if make == "transposed":
        source = stereo.T
    else:
        source = stereo if make is None else encode(stereo, RATE, make)
    waveform, remarks = read(source)
    assert np.abs(waveform[2000:-2000]).max() < 0.03
    assert len(remarks) == 1
    assert "channels cancel each other" in remarks[0]
    assert "Pass the samples of one channel" in remarks[0]


@pytest.mark.parametrize("case", ["one", "same", "other", "delay", "quiet", "softer", "in turn"])
def test_channels_that_do_not_cancel_are_not_said(encode, case):
    one, other = tones()
    zero = np.zeros_like(one)
    noise = np.random.default_rng(0).normal(0, 0.1, (len(one), 8))
    channels = {
        "one": one[:, None],
        "softer": np.stack([one, other / 100], axis=1),
        "in turn": np.stack([np.append(one, zero), np.append(zero, one)], axis=1),
        "same": np.stack([one, one], axis=1),
        "other": np.stack([one, -other], axis=1),
        "delay": np.stack([noise[:, 0], np.roll(noise[:, 0], 20)], axis=1),
        "quiet": np.resize([2**-15, -(2**-15)], (len(one), 2)),
    }[case]
    for source in (channels, encode(channels), encode(channels, RATE, "FLAC")):
        assert read(source)[1] == []


def test_an_inverted_channel_of_silence_or_of_many(encode):
    one, other = tones()
    for channels in ([one, other, -one, -other], [one, one, -one, -one]):
        assert "cancel" in read(encode(np.stack(channels, axis=1)))[1][0]
    assert read(np.zeros((100, 2)))[1] == []


@pytest.mark.parametrize("make", ["WAV", "FLAC", "MP3", "transposed", None])
@pytest.mark.parametrize("rest", [0.0, 2**-15])
@pytest.mark.parametrize(("n_channels", "softer"), [(2, 6), (4, 12)])
def test_sound_in_one_channel_alone_is_said(encode, make, rest, n_channels, softer):
    channels = np.random.default_rng(0).uniform(-rest, rest, (RATE, n_channels))
    channels[:, -1] = np.append(np.zeros(RATE // 2), tones(RATE - RATE // 2)[0])
    if make == "MP3":
        channels = channels[:, -2:]
        softer = 6
    if make in (None, "transposed"):
        source = channels.T if make else channels
    else:
        source = encode(channels, RATE, make)
    waveform, remarks = read(source)
    assert len(remarks) == 1
    assert f"in one of its {channels.shape[1]} channels" in remarks[0]
    assert f"{softer} dB softer in their mean. Pass the samples of that channel" in remarks[0]
    level = np.abs(waveform[-5000:-500]).max()  # the mean is what it was
    assert abs(level - 0.3 / channels.shape[1]) < 0.01


def test_less_than_a_sample_is_said(encode):
    with pytest.warns(AudioDecodeWarning, match="shorter than a sample at 8000 Hz"):
        waveform = decode(encode(np.zeros(1), 192_000), sample_rate=8000)
    assert len(waveform) == 0


_MEASURE = """
import sys, warnings
from sknote.audio import read_audio
import numpy, soundfile, soxr

def peak():
    with open("/proc/self/status") as file:
        return int(next(line for line in file if line.startswith("VmHWM")).split()[1]) / 1024

rate, offset, seconds, *paths = sys.argv[1:]
options = {"sample_rate": int(rate), "offset": float(offset)}
options["max_duration"] = float(seconds) or None
read_audio(numpy.zeros(44100, "f4"), input_rate=44100, sample_rate=22050)
for path in paths:
    before = peak()
    waveform, error, _ = read_audio(path, **options)
    print(len(waveform), round(peak() - before, 1), error)
"""


def measure(*paths, rate=RATE, offset=0.0, seconds=0.0):
    """Return of each file the length of its waveform, and the MB that decoding took at its peak."""
    command = [sys.executable, "-c", _MEASURE, str(rate), str(offset), str(seconds)]
    result = subprocess.run(
        [*command, *map(str, paths)], capture_output=True, text=True, check=True, env=os.environ
    )
    rows = [line.split(" ", 2) for line in result.stdout.splitlines()]
    return [(int(length), float(mb), error) for length, mb, error in rows]


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="reads /proc")
def test_memory_is_in_proportion_to_what_is_asked_for(tmp_path, encode):
    minute = np.zeros(60 * 8000, dtype=np.int16)
    paths = [tmp_path / f"silence.{format}" for format in ("FLAC", "MP3", "WAV")]
    for path in (paths[0], paths[2]):
        with soundfile.SoundFile(path, "w", 8000, 1) as file:
            for _ in range(20):  # 38 MB as floats
                file.write(minute)
    mp3 = encode(minute, 8000, "MP3")
    paths[1].write_bytes(mp3 * 20)
    for offset in (0.0, 19 * 60.0):
        for length, mb, _ in measure(*paths, rate=8000, offset=offset, seconds=1.0):
            assert length == 8000
            assert mb < 15
    lies = {
        "rate": wav(np.zeros(500_000), 1),
        "fast": wav(np.zeros(500_000), 2**31 - 1),
        "channels": wav(np.zeros(500_000), RATE, 1000),
    }
    flac = bytearray(paths[0].read_bytes()[:1000])
    flac[21:26] = b"\xff" * 5  # 68 billion samples
    lies["flac"] = flac
    mp3 = bytearray(mp3[:5000])
    at = max(mp3.find(b"Xing"), mp3.find(b"Info"))
    mp3[at + 8 : at + 12] = b"\x3f\xff\xff\xff"
    lies["mp3"] = mp3
    paths = [tmp_path / name for name in lies]
    for path, contents in zip(paths, lies.values()):
        path.write_bytes(contents)
    for _, mb, _ in measure(*paths):
        assert mb < 25
