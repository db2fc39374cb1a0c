"""What phones and browsers record, decoded by PyAV, against what was encoded."""

import importlib.util
import io
import subprocess
import sys

import numpy as np
import pytest
from encoders import record, record_tracks

from sknote import AudioLoader
from sknote.audio import decode, read_audio, resample
from sknote.audio._bounds import MOST_CHANNELS
from sknote.exceptions import AudioDecodeError, AudioDecodeWarning

needs_av = pytest.mark.skipif(
    importlib.util.find_spec("av") is None, reason="PyAV (the extra av) is not installed"
)
RATE = 48000


def burst(rate=RATE, seconds=1.0, at=0.4):
    """Silence but for 50 ms of noise, by which it is seen what an encoder delays."""
    samples = np.zeros(round(seconds * rate), np.float32)
    noise = np.random.default_rng(0).normal(0, 0.2, round(0.05 * rate))
    samples[round(at * rate) :][: len(noise)] = noise
    return samples


def delay(waveform, expected):
    """Return by how many samples what was encoded comes late."""
    size = 2 * max(len(waveform), len(expected))
    product = np.fft.rfft(waveform, size) * np.conj(np.fft.rfft(expected, size))
    late = int(np.argmax(np.fft.irfft(product, size)))
    return late if late < size // 2 else late - size


def sine(rate=RATE, seconds=1.0, hz=440):
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype("f4")


def read(contents, rate=RATE, **options):
    remarks = []
    return decode(contents, sample_rate=rate, remarks=remarks, **options), remarks


# of each container: a codec, its options, and by how many seconds the length may differ
CONTAINERS = {
    "m4a": ("ipod", "aac", {}, 1e-3),  # the edit list counts milliseconds
    "mp4": ("mp4", "aac", {"movflags": "faststart"}, 1e-3),
    "mov": ("mov", "aac", {}, 1e-3),
    "mka": ("matroska", "aac", {}, 2048 / 8000),  # it does not say where padding begins
    "flac in mp4": ("mp4", "flac", {}, 0),
    "flac in mka": ("matroska", "flac", {}, 0),
    "alac": ("ipod", "alac", {}, 0),
    "pcm in mov": ("mov", "pcm_s24be", {}, 0),
}


@needs_av
@pytest.mark.parametrize("name", CONTAINERS)
@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
@pytest.mark.parametrize("n_channels", [1, 2])
def test_sound_stays_where_it_is(name, rate, n_channels):
    container, codec, options, slack = CONTAINERS[name]
    expected = burst(rate, seconds=0.987)
    samples = np.tile(expected[:, None], n_channels)
    waveform, remarks = read(record(samples, rate, container, codec, **options), rate)
    assert waveform.dtype == np.float32
    assert remarks == []
    assert delay(waveform, expected) == 0
    assert abs(len(waveform) - len(expected)) <= slack * rate
    if slack == 0:
        np.testing.assert_allclose(waveform, expected, atol=2.0**-15)


@needs_av
@pytest.mark.parametrize(
    ("container", "options"), [("webm", {}), ("webm", {"live": "1"}), ("matroska", {}), ("ogg", {})]
)
@pytest.mark.parametrize("rate", [8000, 24000, 48000])
@pytest.mark.parametrize("n_channels", [1, 2])
def test_opus_keeps_place_and_length(container, options, rate, n_channels):
    expected = burst(rate, seconds=0.9876)
    samples = np.tile(expected[:, None], n_channels)
    waveform, remarks = read(record(samples, rate, container, "libopus", **options))
    factor = RATE // rate  # Opus has always 48 kHz
    assert remarks == []
    assert abs(delay(waveform, resample(expected, rate, RATE))) <= 1
    assert abs(len(waveform) - factor * len(expected)) <= factor


@needs_av
@pytest.mark.parametrize("n_samples", [700, 1023, 1024, 1025, 5000])
@pytest.mark.parametrize("name", [*CONTAINERS, "webm"])
def test_short_recordings_have_their_length(name, n_samples):
    container, codec, options, slack = CONTAINERS.get(name, ("webm", "libopus", {}, 0))
    waveform, remarks = read(record(sine()[:n_samples], RATE, container, codec, **options))
    assert abs(len(waveform) - n_samples) <= slack * RATE
    assert remarks == []


@needs_av
@pytest.mark.parametrize(("container", "codec"), [("mp4", "aac"), ("webm", "libopus")])
@pytest.mark.parametrize("target", [8000, 22050, 48000])
def test_a_tone_stays_a_tone(container, codec, target):
    expected = sine(target)
    waveform, _ = read(record(sine(), RATE, container, codec, bit_rate=128_000), target)
    assert abs(len(waveform) - target) <= target // 1000
    middle = slice(target // 10, -target // 10)
    error = waveform[: len(expected)][middle] - expected[: len(waveform)][middle]
    assert np.sqrt(np.mean(error**2)) < 0.01


@needs_av
@pytest.mark.parametrize(
    ("container", "codec"),
    [
        ("3gp", "libopencore_amrnb"),
        ("amr", "libopencore_amrnb"),
        ("adts", "aac"),
        ("asf", "wmav2"),
        ("caf", "adpcm_ima_qt"),
        ("caf", "alac"),
        ("caf", "flac"),
        ("caf", "libmp3lame"),
        ("wv", "wavpack"),
        ("tta", "tta"),
        ("avi", "libmp3lame"),
        ("flv", "aac"),
    ],
)
def test_other_containers(container, codec):
    rate = 8000 if "amr" in codec else 44100
    expected = sine(rate, seconds=2.0)
    bit_rate = None if container == "amr" else 64_000
    waveform, remarks = read(record(expected, rate, container, codec, bit_rate=bit_rate), rate)
    assert remarks == []
    assert abs(len(waveform) - len(expected)) < 0.06 * rate
    spectrum = np.abs(np.fft.rfft(waveform))
    assert np.argmax(spectrum) / len(waveform) * rate == pytest.approx(440, abs=1)
    assert np.abs(waveform[rate // 2 : rate]).max() == pytest.approx(0.5, rel=0.2)


@needs_av
@pytest.mark.parametrize(
    ("container", "codec", "n_channels"),
    [(*kind, n) for kind in [("mp4", "aac"), ("webm", "libopus")] for n in (1, 2, 4, 5, 6, 8)]
    + [("mp4", "aac", 16), ("mov", "pcm_f32le", 16), ("matroska", "pcm_s16le", 24)],
)
def test_channels_are_averaged(container, codec, n_channels):
    samples = np.tile(sine()[:, None], n_channels)
    waveform, remarks = read(record(samples, RATE, container, codec))
    assert remarks == []
    edge = slice(4800, 40000)
    # the channel of low tones keeps these alone
    assert np.corrcoef(waveform[edge], sine()[edge])[0, 1] > 0.99


@needs_av
@pytest.mark.parametrize("codec", ["pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32be", "pcm_f64le"])
def test_samples_of_any_type_have_the_same_scale(codec):
    expected = burst()
    waveform, _ = read(record(expected, RATE, "mov" if codec != "pcm_u8" else "matroska", codec))
    np.testing.assert_allclose(waveform, expected, atol=2.0**-7 if codec == "pcm_u8" else 2.0**-15)


@needs_av
@pytest.mark.parametrize("name", [*CONTAINERS, "webm", "aac"])
@pytest.mark.parametrize(
    ("offset", "max_duration"),
    [(0.0, 0.1), (0.25, 0.3), (0.9, 10.0), (0.5, None), (0.0, 1e-9), (0.98, 0.01), (0.0, 0.98)],
)
def test_offset_and_duration_are_a_slice(name, offset, max_duration):
    streams = {"webm": ("webm", "libopus", {}, 0), "aac": ("adts", "aac", {}, 0)}
    container, codec, options, _ = (CONTAINERS | streams)[name]
    contents = record(sine(seconds=0.987), RATE, container, codec, **options)
    whole, _ = read(contents)
    part, remarks = read(contents, offset=offset, max_duration=max_duration)
    start = round(offset * RATE)
    stop = None if max_duration is None else start + max(1, round(max_duration * RATE))
    np.testing.assert_array_equal(part, whole[start:stop])
    assert remarks == []
    with pytest.raises(AudioDecodeError, match=r"offset=2\.0 s lies beyond its end \((0\.9|1\.0)"):
        read(contents, offset=2.0)


class _Pipe(io.RawIOBase):
    def __init__(self, contents):
        self._contents = io.BytesIO(contents)

    def readable(self):
        return True

    def read(self, size=-1):
        return self._contents.read(size)


@needs_av
@pytest.mark.parametrize(("container", "codec"), [("mp4", "aac"), ("webm", "libopus")])
def test_paths_bytes_and_file_objects(tmp_path, container, codec):
    contents = record(sine(), RATE, container, codec)
    expected, _ = read(contents)
    path = tmp_path / "note.wav"  # the contents decide, not the name
    path.write_bytes(contents)
    file = io.BytesIO(b"before" + contents)
    file.seek(6)
    with path.open("rb") as opened:
        for source in (path, str(path), bytearray(contents), file, opened, _Pipe(contents)):
            np.testing.assert_array_equal(read(source)[0], expected)
    assert file.tell() == 6


@needs_av
def test_a_stream_that_breaks_while_it_is_read(capfd):
    class Breaking(io.BytesIO):
        def read(self, size=-1):
            if self.tell() + size > 9000:
                raise OSError("the disk is gone")
            return super().read(size)

    noise = np.random.default_rng(0).normal(0, 0.2, 4 * RATE)
    for container, codec in [("mp4", "aac"), ("webm", "libopus"), ("adts", "aac")]:
        contents = record(noise, RATE, container, codec)
        with pytest.raises(AudioDecodeError, match="reading it failed: OSError: the disk is gone"):
            read(Breaking(contents))
    assert capfd.readouterr().err == ""


@needs_av
@pytest.mark.parametrize("container", ["mp4", "webm", "matroska"])
@pytest.mark.parametrize("what", ["tags", "no text", "picture", "video", "tracks", "second"])
def test_what_is_no_sound_is_ignored(container, what):
    codec = "libopus" if container == "webm" else "aac"
    one, other = burst(), burst(at=0.7)
    tracks, options = [one], {}
    if what in ("tags", "no text"):
        options["tags"] = {"title": "A note", "comment": "c" * 100_000}
    elif what == "picture":
        options["picture"] = "png" if container == "mp4" else None
    elif what == "video":
        options["video"] = "libvpx" if container == "webm" else "mpeg4"
    elif what == "tracks":
        tracks = [one, other]
    elif what == "second":
        tracks, options = [other, one], {"default": 1}
    contents = record_tracks(tracks, RATE, container, codec, **options)
    if what == "no text":
        contents = contents.replace(b"A note", b"\xff\xfe\xfd\xff\xff\xff")
    waveform, remarks = read(contents)
    assert delay(waveform, one) == 0
    assert remarks == []


@needs_av
@pytest.mark.parametrize(
    ("container", "video", "name"), [("mp4", "mpeg4", "MP4"), ("webm", "libvpx", "WebM")]
)
def test_a_film_without_sound(container, video, name):
    with pytest.raises(AudioDecodeError, match=f"it is an? {name} .* without an audio track"):
        read(record_tracks([], RATE, container, video=video))


@needs_av
@pytest.mark.parametrize(
    ("container", "codec", "options"),
    [
        ("webm", "libopus", {"live": "1"}),
        ("webm", "libopus", {"live": "1", "cluster_time_limit": "100"}),
        ("matroska", "libmp3lame", {"live": "1"}),
        ("mp4", "aac", {"movflags": "delay_moov+default_base_moof"}),
        ("mp4", "aac", {"movflags": "empty_moov+default_base_moof"}),
        ("mp4", "aac", {"movflags": "empty_moov+default_base_moof+global_sidx"}),
    ],
)
def test_streams_are_read_to_their_end(container, codec, options):
    if container == "mp4":
        options = options | {"frag_duration": "100000"}
    expected = burst(seconds=3.0, at=2.5)
    waveform, remarks = read(record(expected, RATE, container, codec, **options))
    assert remarks == []
    is_told = "empty_moov" not in options.get("movflags", "")  # written before it is known
    assert delay(waveform, expected) == (0 if is_told else 1024)
    assert 0 <= len(waveform) - len(expected) <= 1024 + 1024


@needs_av
@pytest.mark.parametrize(
    ("container", "codec", "options", "match"),
    [
        ("webm", "libopus", {}, r"promises 2\.\d+ s of sound, there are only 0\.9.* truncated"),
        ("matroska", "aac", {}, r"promises 2\.\d+ s of sound, there are only 0\.9.* truncated"),
        ("mp4", "aac", {"movflags": "faststart"}, r"promises 2\.\d+ s of sound, there are only 0"),
        ("mp4", "libopus", {"movflags": "faststart"}, r"promises 2\.\d+ s of sound, there are o"),
        ("wv", "wavpack", {}, r"promises 2\.\d+ s of sound, there are only 1\.000"),
        ("asf", "pcm_s16le", {}, r"promises 2\.000 s of sound, there are only 1\.0\d+ s"),
        ("flv", "aac", {}, r"promises 2\.\d+ s of sound, there are only 0\.9"),
        ("flv", "libmp3lame", {}, r"promises 2\.\d+ s of sound, there are only 1\.0\d+ s"),
        ("adts", "aac", {}, r"cannot be decoded after 1\.0\d\d s; it is probably damaged"),
    ],
)
def test_half_of_a_file_is_said(container, codec, options, match):
    rate = 44100 if container == "flv" else RATE
    noise = np.random.default_rng(0).normal(0, 0.1, 2 * rate)
    contents = record(noise, rate, container, codec, bit_rate=64_000, **options)
    whole, remarks = read(contents, rate)
    assert remarks == []
    with pytest.warns(AudioDecodeWarning, match=match):
        half = decode(contents[: len(contents) // 2], sample_rate=rate)
    np.testing.assert_array_equal(half, whole[: len(half)])
    assert read(contents[: len(contents) // 2], rate, max_duration=0.1)[1] == []


@needs_av
def test_a_broadcast_of_windows_media_promises_nothing():
    contents = record(sine(44100), 44100, "asf", "pcm_s16le", bit_rate=64_000)
    at = contents.index(bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")) + 88  # its flags
    stream = contents[:at] + bytes([contents[at] | 1]) + contents[at + 1 :]
    assert "truncated" in read(contents[: len(contents) // 2], 44100)[1][0]
    assert read(contents, 44100)[1] == read(stream[: len(stream) // 2], 44100)[1] == []


@needs_av
@pytest.mark.parametrize(
    ("container", "codec", "video"),
    [("asf", "wmav2", "msmpeg4v3"), ("flv", "aac", "flv1"), ("matroska", "aac", "mpeg4")],
)
def test_pictures_may_go_on_after_the_sound(container, codec, video):
    sound = sine(44100, seconds=0.5)
    contents = record_tracks([sound], 44100, container, codec, video=video, bit_rate=64_000)
    waveform, remarks = read(contents, 44100)
    assert len(waveform) == pytest.approx(len(sound), abs=4096)
    assert remarks == []


@needs_av
@pytest.mark.parametrize("codec", ["libmp3lame", "pcm_s16le", "aac"])
def test_half_of_an_avi_file_is_said_wherever_it_ends(codec):
    noise = np.random.default_rng(0).normal(0, 0.1, 2 * RATE)
    contents = record(noise, RATE, "avi", codec)
    assert read(contents)[1] == []
    assert read(contents + bytes(100))[1] == []
    for end in range(len(contents) // 2, len(contents) // 2 + 900, 97):
        waveform, remarks = read(contents[:end])
        assert 0.3 * len(noise) < len(waveform) < 0.7 * len(noise)
        assert remarks == [
            f"its header promises {len(contents)} bytes, there are only {end}; the file is "
            "probably truncated"
        ]
    stream = contents[:4] + b"\xff" * 4 + contents[8:]  # whose length was not known
    assert read(stream)[1] == []


@needs_av
@pytest.mark.parametrize(
    ("container", "codec"), [("wv", "wavpack"), ("tta", "tta"), ("matroska", "flac")]
)
def test_packets_whose_checksum_is_wrong_are_no_sound(container, codec):
    noise = np.random.default_rng(0).normal(0, 0.1, 4 * RATE)
    contents = record(noise, RATE, container, codec)
    whole, remarks = read(contents)
    assert remarks == []
    damaged = bytearray(contents)
    damaged[len(contents) * 3 // 4] ^= 4
    waveform, remarks = read(bytes(damaged))
    np.testing.assert_array_equal(waveform, whole[: len(waveform)])
    assert 0.2 * len(whole) < len(waveform) < 0.8 * len(whole)
    assert len(remarks) == 1
    assert "truncated, or damaged there" in remarks[0]


@needs_av
@pytest.mark.parametrize(
    ("contents", "match"),
    [
        (b"\0\0\0\x18ftypM4A " + bytes(1000), r"it is an MP4 or QuickTime file .*damaged or trunc"),
        (b"\x1aE\xdf\xa3" + bytes(1000), "it is a WebM or Matroska file .*damaged or truncated"),
        (b"\xff\xf1" + bytes(1000), "it is an AAC stream .*truncated|it holds no sound"),
        (b"#!AMR\n", "it holds no sound|it is an AMR file"),
    ],
)
def test_what_only_begins_like_a_recording(contents, match, capfd):
    with pytest.raises(AudioDecodeError, match=match):
        read(contents)
    assert capfd.readouterr().err == ""


@needs_av
@pytest.mark.parametrize(("container", "codec"), [("mp4", "aac"), ("webm", "libopus")])
def test_a_damaged_recording_is_read_in_part_or_refused_without_chatter(container, codec, capfd):
    rng = np.random.default_rng(0)
    contents = record(rng.normal(0, 0.1, RATE // 2), RATE, container, codec)
    outcomes = set()
    for _ in range(60):
        damaged = bytearray(contents)
        for place in rng.integers(len(contents), size=8):
            damaged[place] = rng.integers(256)
        waveform, error, remarks = read_audio(bytes(damaged), sample_rate=RATE)
        assert np.isfinite(waveform).all()
        assert error or remarks or len(waveform)
        outcomes.add("refused" if error else "said" if remarks else "read")
    assert len(outcomes) > 1
    assert capfd.readouterr().err == ""


@needs_av
def test_bounds_hold_as_in_other_files():
    with pytest.raises(AudioDecodeError, match="from 1000 to 768000 Hz, its header says 500"):
        read(record(sine(), 500, "mov", "pcm_s16le"))
    with pytest.raises(AudioDecodeError, match="makes more than 200 samples"):
        read(record(sine(), 1000, "mov", "pcm_s16le"), rate=200_001)
    assert len(read(record(np.zeros((100, MOST_CHANNELS)), RATE, "mov", "pcm_f32le"))[0]) == 100
    with pytest.raises(AudioDecodeError, match=r"at most 64 channels, it has 65"):
        read(record(np.zeros((100, MOST_CHANNELS + 1)), RATE, "mov", "pcm_f32le"))
    loud = sine()
    loud[1000] = 1e9
    with pytest.raises(AudioDecodeError, match=r"go up to 1e\+09, where full scale is 1"):
        read(record(loud, RATE, "mov", "pcm_f32le"))
    loud[1000] = np.nan
    with pytest.raises(AudioDecodeError, match="NaN or infinity"):
        read(record(loud, RATE, "matroska", "pcm_f32le"))
    inverted = np.stack([sine(), -sine()], axis=1)
    for container, codec in [("mp4", "aac"), ("webm", "libopus")]:
        _, remarks = read(record(inverted, RATE, container, codec))
        assert "channels cancel each other" in remarks[0]


_MEASURE = """
import sys
from sknote.audio import decode

def peak():
    with open("/proc/self/status") as file:
        return int(next(line for line in file if line.startswith("VmHWM")).split()[1]) / 1024

small, *large = sys.argv[1:]
decode(small, sample_rate=8000)
for path in large:
    for offset in (0.0, 98.0):
        before = peak()
        length = len(decode(path, sample_rate=8000, offset=offset, max_duration=1.0))
        print(length, peak() - before)
"""


@needs_av
@pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
def test_memory_is_in_proportion_to_what_is_asked_for(tmp_path):
    (tmp_path / "small").write_bytes(record(sine(8000), 8000))
    minutes = np.zeros(100 * RATE, np.float32)  # 19 MB
    for container, codec in [("mp4", "aac"), ("webm", "libopus")]:
        (tmp_path / container).write_bytes(record(minutes, RATE, container, codec))
    paths = [str(tmp_path / name) for name in ("small", "mp4", "webm")]
    command = [sys.executable, "-c", _MEASURE, *paths]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = [line.split() for line in result.stdout.splitlines()]
    assert [int(length) for length, _ in rows] == 4 * [8000]
    assert all(float(mb) < 10 for _, mb in rows)


@needs_av
def test_the_loader_names_the_row(tmp_path):
    paths = [tmp_path / "note.m4a", tmp_path / "cut.m4a", tmp_path / "note.webm"]
    paths[0].write_bytes(record(sine(), RATE))
    paths[1].write_bytes(record(sine(), RATE)[:2000])
    paths[2].write_bytes(record(sine(), RATE, "webm", "libopus"))
    with pytest.raises(AudioDecodeError, match=r"cut\.m4a' \(row 1\) could not be decoded: it is"):
        AudioLoader().fit_transform(paths)
    with pytest.warns(AudioDecodeWarning, match=r"cut\.m4a' \(row 1\)"):
        waveforms = AudioLoader(on_error="warn", n_jobs=2).fit_transform(paths)
    assert [len(waveform) for waveform in waveforms] == [22050, 0, 22050]


@pytest.mark.parametrize(
    ("contents", "name"),
    [
        (b"\0\0\0\x1cftypM4A \0\0\2\0", "an MP4 or QuickTime file (.m4a, .mp4, .mov, .3gp)"),
        (b"\0\0\0\x1cftyp3gp4\0\0\2\0", "an MP4 or QuickTime file (.m4a, .mp4, .mov, .3gp)"),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\x01", "a WebM or Matroska file (.webm, .mka)"),
        (b"\xff\xf1L@\x02", "an AAC stream (.aac)"),
        (b"ID3\4\0\0\0\0\0\1\0\xff\xf9L@\x02", "an AAC stream (.aac)"),
        (b"#!AMR\n\x04", "an AMR file (.amr)"),
        (b"0&\xb2u\x8ef\xcf\x11\xa6\xd9\0\xaa\0b\xcel", "a Windows Media file (.wma)"),
        (b"caff\0\1\0\0desc\0\0\0\0\0\0\0 @\xe5\x88\x80\0\0\0\0aac ", "a CAF file (.caf)"),
    ],
)
def test_without_pyav_the_error_says_what_it_is_and_what_installs_it(monkeypatch, contents, name):
    monkeypatch.setitem(sys.modules, "av", None)  # which makes its import fail
    with pytest.raises(AudioDecodeError) as error:
        AudioLoader().transform([contents + bytes(100)])
    assert f"(row 0) could not be decoded: it is {name}, and reading it needs" in str(error.value)
    assert "Install it with: pip install 'sknote[av]'." in str(error.value)


def test_without_pyav_other_files_are_read_and_refused_as_ever(monkeypatch, encode, tone):
    monkeypatch.setitem(sys.modules, "av", None)
    assert len(decode(encode(tone(0.1)), sample_rate=22050)) == 2205
    with pytest.raises(AudioDecodeError, match=r"^it is no readable sound file"):
        decode(b"words, and no sound", sample_rate=22050)


def test_pyav_is_imported_only_for_what_needs_it(tmp_path, encode, tone):
    (tmp_path / "note.wav").write_bytes(encode(tone(0.1)))
    (tmp_path / "note.txt").write_text("words, and no sound")
    program = (
        "import sys\nfrom sknote.audio import read_audio\n"
        "for path in sys.argv[1:]:\n    read_audio(path, sample_rate=22050)\n"
        "assert 'av' not in sys.modules"
    )
    paths = [str(tmp_path / "note.wav"), str(tmp_path / "note.txt")]
    subprocess.run([sys.executable, "-c", program, *paths], check=True)
