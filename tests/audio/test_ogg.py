"""Ogg files: those that PyAV reads where libsndfile does not, and pages that are lost."""

import io
from fractions import Fraction

import numpy as np
import pytest
import soundfile

from sknote.audio import decode
from sknote.exceptions import AudioDecodeError

RATE = 48000


def record(seconds, codec="libopus", n_channels=1, stamped=False):
    """Encode a tone; only if it is `stamped`, the encoder knows when it began."""
    import av

    layout = {1: "mono", 2: "stereo"}[n_channels]
    samples = tone(seconds, n_channels).reshape(1, -1).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(samples, format="flt", layout=layout)
    frame.sample_rate = RATE
    if stamped:
        frame.pts, frame.time_base = 0, Fraction(1, RATE)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="ogg") as file:
        stream = file.add_stream(codec, rate=RATE, layout=layout)
        for part in (frame, None):
            for packet in stream.encode(part):
                file.mux(packet)
    return buffer.getvalue()


def tone(seconds, n_channels):
    time = np.arange(round(seconds * RATE)) / RATE
    return np.tile(0.5 * np.sin(2 * np.pi * 440 * time)[:, None], n_channels)


def read(contents, **options):
    remarks = []
    return decode(contents, sample_rate=RATE, remarks=remarks, **options), remarks


@pytest.mark.parametrize("seconds", [0.03, 0.05, 0.08, 0.5])
@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize("stamped", [False, True])
def test_a_short_opus_file(seconds, n_channels, stamped):
    waveform, remarks = read(record(seconds, n_channels=n_channels, stamped=stamped))
    assert remarks == []
    assert abs(len(waveform) / RATE - seconds) < 0.02  # a packet
    expected = tone(seconds, 1)[:, 0]
    np.testing.assert_allclose(waveform[480:1200], expected[480:1200], atol=0.05)


@pytest.mark.parametrize("n_channels", [1, 2])
def test_flac_in_ogg(n_channels):
    contents = record(3.0, "flac", n_channels, stamped=True)
    expected = tone(3.0, 1)[:, 0]
    waveform, remarks = read(contents)
    np.testing.assert_allclose(waveform, expected, atol=2**-14)
    assert remarks == []
    part, _ = read(contents, offset=0.1, max_duration=0.2)
    np.testing.assert_array_equal(part, waveform[4800:14400])
    cut, remarks = read(contents[: len(contents) * 2 // 3])
    np.testing.assert_array_equal(cut, waveform[: len(cut)])
    assert remarks == ["its last page is missing; the file is probably truncated"]


@pytest.mark.parametrize("codec", ["libopus", "flac"])
def test_damaged_ones_are_read_in_part_or_refused(codec, capfd):
    whole = record(0.3, codec, stamped=True)
    rng = np.random.default_rng(0)
    for _ in range(30):
        contents = bytearray(whole)
        for at in rng.integers(28, len(whole), 5):
            contents[at] = rng.integers(256)
        try:
            waveform, _ = read(bytes(contents))
        except AudioDecodeError:
            continue
        assert np.isfinite(waveform).all()
    assert "Traceback" not in capfd.readouterr().err


def _pages(contents):
    """Cut an Ogg file into its pages."""
    starts = [i for i in range(len(contents)) if contents[i : i + 4] == b"OggS"]
    return [contents[a:b] for a, b in zip(starts, [*starts[1:], len(contents)])]


def _flip(contents, share):
    at = int(share * len(contents))
    return contents[:at] + bytes([contents[at] ^ 1]) + contents[at + 1 :]


DAMAGES = {
    "a bit at a fifth": lambda contents: _flip(contents, 0.2),
    "a bit in the middle": lambda contents: _flip(contents, 0.5),
    "a hole": lambda contents: contents[:9000] + bytes(2000) + contents[11000:],
    "bytes that are gone": lambda contents: contents[:9000] + contents[9500:],
    "a page that is gone": lambda contents: b"".join(
        page for i, page in enumerate(_pages(contents)) if i != 3
    ),
}


@pytest.fixture(scope="module", params=["OPUS", "VORBIS"])
def two_seconds(request):
    time = np.arange(2 * 48000) / 48000
    sound = 0.3 * np.sin(2 * np.pi * (300 + 200 * time) * time)
    sound += 0.01 * np.random.default_rng(0).standard_normal(len(time))
    file = io.BytesIO()
    soundfile.write(file, sound, 48000, format="OGG", subtype=request.param)
    return file.getvalue()


@pytest.mark.parametrize("damage", DAMAGES)
def test_pages_that_are_left_out_are_said(two_seconds, damage):
    remarks = []
    waveform = decode(DAMAGES[damage](two_seconds), sample_rate=48000, remarks=remarks)
    assert len(waveform) < 2 * 48000
    assert any("damaged or missing" in remark for remark in remarks)


def test_of_whole_pages_nothing_is_said(two_seconds):
    for contents in (two_seconds, two_seconds + b"junk" * 1000):
        remarks = []
        assert len(decode(contents, sample_rate=48000, remarks=remarks)) == 2 * 48000
        assert remarks == []


def test_a_file_behind_itself_is_said(two_seconds):
    remarks = []
    decode(two_seconds + two_seconds, sample_rate=48000, remarks=remarks)
    assert remarks == ["it holds several streams, of which only the first is read"]
