"""Sources: whatever a recording comes in, it is read, or an AudioDecodeError says why not."""

import io
import os
import re
import socket
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sknote.audio import decode
from sknote.exceptions import AudioDecodeError

RATE = 22050


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(0).uniform(-0.9, 0.9, 5000)


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


@pytest.mark.parametrize(
    "format", ["WAV", "RF64", "AIFF", "FLAC", "OGG", "MP3", "AU", "CAF", "W64"]
)
@pytest.mark.parametrize("size", [8, 20, 40])
def test_files_that_end_within_their_header(encode, format, size):
    """It is said in one way, whatever libsndfile says of which."""
    contents = encode(np.full(3000, 0.1), 22050, format)[:size]
    kind = {"OGG": "an Ogg"}.get(format, f"an? {format}")
    try:
        remarks = []
        decode(contents, sample_rate=22050, remarks=remarks)
    except AudioDecodeError as error:
        said = rf"no readable sound file: its {size} bytes begin like {kind} file, but are damaged"
        assert re.search(said, str(error))
        assert str(error).endswith(" again")
        assert not re.search("pipe|exist|internal", str(error))
    else:
        assert format == "AU"  # its header is short
        assert "truncated" in remarks[0]


@pytest.mark.parametrize(
    ("contents", "what"),
    [
        (b"<!DOCTYPE html>\n<html><title>404</title>", "a web page or XML"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1", "'git lfs pull' fetches"),
        (bytes(5000), "nothing but zeros"),
        (b"PK\3\4" + bytes(100), "an archive; unpack it first"),
        (b"\x1f\x8b\x08" + bytes(100), "an archive"),
        (b"\x89PNG\r\n" + bytes(100), "a picture or PDF"),
        (b"\x93NUMPY\1\0" + bytes(100), "np.load"),
        (b'{"error": "quota exceeded"}', "text"),
        (b"\x80\4\x95" + bytes(100), "a pickle"),
        (b"\1\2\3" * 30, r"90 bytes that begin with b'\\x01\\x02"),
    ],
)
def test_what_is_in_the_place_of_a_sound_file_is_said(contents, what):
    with pytest.raises(AudioDecodeError, match=f"expected WAV, FLAC, MP3 or another.*got.*{what}"):
        decode(contents, sample_rate=22050)


WORDS = {
    "ascii": "long tone, c4, good-sound\r\n",
    "umlauts": "Größe; Töne; überblasen\n",
    "kana": "ロングトーン 音\n",
    "cyrillic": "чистый звук\n",
    "symbols": "\U0001f3b5 \U0001d160 \u266f",
    "numbers": "0.25\t-1.5e3\n",
    "one": "a",
}


@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32", "utf-32-be", "utf-8-sig"])
def test_text_is_no_mpeg_audio_though_its_mark_begins_a_frame(words, encoding, capfd):
    """FF FE is both, and the marks of parts of a text may stand where frames would begin."""
    mark = "\ufeff" if encoding.endswith("-be") else ""
    for length in (1, 2, 26, 52, 78, 104, 156, 208, 209, 417, 500):
        text = mark + (WORDS[words] * length)[:length]
        for contents in ((text * 40).encode(encoding), text.encode(encoding) * 40):
            with pytest.raises(
                AudioDecodeError, match=r"expected WAV, .*, got (text|a web|\d+ byt)"
            ):
                decode(contents, sample_rate=RATE)
    assert capfd.readouterr().err == ""


def test_mpeg_audio_with_a_checksum_is_no_text():
    """Layer I: each frame begins like the mark of a text. In these there is silence."""
    frame = b"\xff\xfe\xc0\x00" + bytes(4 * (12 * 384_000 // 44_100) - 4)
    remarks = []
    waveform = decode(frame * 50, sample_rate=44_100, remarks=remarks)
    assert len(waveform) == 50 * 384
    assert not waveform.any()


@pytest.mark.parametrize("failing", ["open", "stat"])
def test_a_file_that_may_not_be_read(tmp_path, monkeypatch, noise, encode, failing):
    path = tmp_path / "note.wav"
    path.write_bytes(encode(noise))

    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, failing, refuse)
    with pytest.raises(AudioDecodeError, match="cannot be opened: Permission denied"):
        decode(path, sample_rate=RATE)


@pytest.mark.parametrize("name", ["a" * 300 + ".wav", "a\0b.wav", "\ud800.wav", "a/" * 3000])
def test_names_that_no_file_can_have(name):
    for source in (name, Path(name)):
        with pytest.raises(AudioDecodeError, match=r"no such file|cannot be"):
            decode(source, sample_rate=RATE)


def test_names_that_lead_nowhere(tmp_path, noise, encode):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "gone").symlink_to(tmp_path / "missing")
    (tmp_path / "note.wav").write_bytes(encode(noise))
    for name in ("loop", "gone", "note.wav/inside.wav"):
        with pytest.raises(AudioDecodeError, match=r"no such file|cannot be opened"):
            decode(tmp_path / name, sample_rate=RATE)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "link.wav").symlink_to(tmp_path / "pipe.wav")
    for name in ("pipe.wav", "link.wav"):
        with pytest.raises(AudioDecodeError, match="it is a named pipe, not a file"):
            decode(tmp_path / name, sample_rate=RATE)
    here = os.getcwd()
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(tmp_path)  # the name of a socket is short
        try:
            server.bind("socket.wav")
        finally:
            os.chdir(here)
        with pytest.raises(AudioDecodeError, match="it is a socket, not a file"):
            decode(tmp_path / "socket.wav", sample_rate=RATE)
    with pytest.raises(AudioDecodeError, match="it is a device, not a file"):
        decode(os.devnull, sample_rate=RATE)
    with (
        open("/dev/zero", "rb") as zeros,
        pytest.raises(AudioDecodeError, match="that of a device"),
    ):
        decode(zeros, sample_rate=RATE)


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


def test_file_objects_that_cannot_be_read(tmp_path, noise, encode):
    path = tmp_path / "note.wav"
    path.write_bytes(encode(noise))
    with path.open("rb") as closed:
        pass
    with pytest.raises(AudioDecodeError, match="the file object is closed"):
        decode(closed, sample_rate=RATE)
    with path.open("ab") as written, pytest.raises(AudioDecodeError, match="not open for reading"):
        decode(written, sample_rate=RATE)


class _Stream(io.BytesIO):
    """A file object with a flaw: a method that does what it should not."""

    def __init__(self, contents, method, flaw):
        super().__init__(contents)
        self._flaw = flaw
        setattr(self, method, self._fail)

    def _fail(self, *args):
        if isinstance(self._flaw, type):
            raise self._flaw("it broke")
        return self._flaw


@pytest.mark.parametrize("format", ["WAV", "FLAC", "OGG", "MP3"])
@pytest.mark.parametrize("error", [OSError, ValueError, RuntimeError, KeyError, MemoryError])
def test_a_stream_that_cannot_be_read_says_why(noise, encode, format, error, capfd):
    stream = _Stream(encode(noise, format=format), "read", error)
    with pytest.raises(AudioDecodeError, match=r"it broke|memory"):
        decode(stream, sample_rate=RATE)
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("method", "flaw"),
    [
        ("seek", OSError),
        ("seek", None),
        ("tell", OSError),
        ("tell", None),
        ("tell", "here"),
        ("tell", -1),
        ("seekable", False),
        ("seekable", RuntimeError),
        ("fileno", OSError),
        ("fileno", -1),
        ("fileno", "three"),
    ],
)
def test_a_stream_that_lies_of_its_position_is_read_all_the_same(noise, encode, method, flaw):
    contents = encode(noise)
    waveform = decode(_Stream(contents, method, flaw), sample_rate=RATE)
    np.testing.assert_array_equal(waveform, decode(contents, sample_rate=RATE))


class _Breaking(io.BytesIO):
    """A file on a disk that is taken away while it is read."""

    def __init__(self, contents, last=20_000):
        super().__init__(contents)
        self.last = last

    def read(self, size=-1):
        if self.tell() + size > self.last:
            raise OSError("the disk is gone")
        return super().read(size)


@pytest.mark.parametrize("format", ["WAV", "FLAC", "OGG", "MP3", "AIFF"])
def test_a_stream_that_breaks_while_it_is_read(format, encode, capfd):
    contents = encode(np.random.default_rng(0).uniform(-0.9, 0.9, 4 * RATE), format=format)
    stream = _Breaking(contents)
    with pytest.raises(AudioDecodeError, match="reading it failed: OSError: the disk is gone"):
        decode(stream, sample_rate=RATE)
    assert stream.tell() == 0
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("format", sorted({*soundfile.available_formats()} - {"RAW", "SD2"}))
def test_a_stream_that_breaks_within_its_header_ends_all_the_same(format, encode, capfd):
    subtype = soundfile.default_subtype(format)
    rate = 8000 if format in ("WVE", "SDS") else RATE
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 3000)
    contents = encode(samples, format=format, subtype=subtype, rate=rate)
    for last in (0, 4, 12, 30, 60, 100):
        with pytest.raises(AudioDecodeError, match="reading it failed"):
            decode(_Breaking(contents, last), sample_rate=RATE)
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("flaw", ["text", None, 7, [1, 2]])
def test_a_stream_that_gives_no_bytes(noise, encode, flaw):
    for method in ("seekable", "closed"):
        stream = _Stream(encode(noise), "read", flaw)
        if method == "seekable":
            stream.seekable = lambda: False
        with pytest.raises(AudioDecodeError, match="whose read\\(\\) returns bytes"):
            decode(stream, sample_rate=RATE)


def test_a_stream_without_end_is_given_up(monkeypatch, encode):
    monkeypatch.setattr("sknote.audio._source.LARGEST_STREAM", 1 << 20)

    class Endless(io.RawIOBase):
        parts = [encode(np.zeros(100))]

        def readable(self):
            return True

        def read(self, size=-1):
            return self.parts.pop() if self.parts else bytes(size)

    with pytest.raises(AudioDecodeError, match=r"the stream goes on after .* pass max_duration"):
        decode(Endless(), sample_rate=RATE)


@pytest.fixture(params=["folder", "file", "sd2"])
def fork(request, tmp_path, monkeypatch):
    """Put what libsndfile takes for a resource fork of anything into the working directory."""

    def put():
        monkeypatch.chdir(tmp_path)
        if request.param == "folder":
            Path(".AppleDouble").mkdir()
        elif request.param == "file":
            Path("._").write_bytes(b"what a Mac leaves behind")
        else:
            soundfile.write("note.sd2", np.zeros(100), RATE, subtype="PCM_16")
            Path("._note.sd2").rename("._")

    return put


@pytest.mark.parametrize("rate", [RATE, 44100])
@pytest.mark.parametrize("n_channels", [1, 2])
def test_mp3_is_read_whatever_lies_in_the_working_directory(
    rate, n_channels, fork, noise, encode, tmp_path
):
    contents = encode(np.stack([np.tile(noise, 9)] * n_channels, axis=1), rate, "MP3")
    assert contents[0] == 0xFF  # no tag before it
    path = tmp_path / "note.mp3"
    path.write_bytes(contents)
    frame = contents.index(contents[:2], 2)  # without the one that tells the length
    sources = [path, contents, contents[frame:], contents[: len(contents) // 2]]
    parts = [{}, {"offset": 0.2, "max_duration": 0.1}]
    expected = [_told(source, **part) for source in sources for part in parts]
    fork()
    found = [_told(source, **part) for source in sources for part in parts]
    for (waveform, remarks), (expected_waveform, expected_remarks) in zip(found, expected):
        np.testing.assert_array_equal(waveform, expected_waveform)
        assert remarks == expected_remarks
    streams = [io.BytesIO(contents), _Unseekable(contents)]
    for stream in streams:
        np.testing.assert_array_equal(decode(stream, sample_rate=RATE), expected[0][0])


def _told(source, **part):
    remarks = []
    return decode(source, sample_rate=RATE, remarks=remarks, **part), remarks


def test_no_other_file_is_read_by_what_lies_in_the_working_directory(fork, tmp_path):
    (tmp_path / "note.txt").write_bytes(b"nothing but words " * 100)
    sources = [b"\1\2\3" * 30, tmp_path / "note.txt"]
    fork()
    for source in sources:
        with pytest.raises(AudioDecodeError, match="no readable") as caught:
            decode(source, sample_rate=RATE)
        assert "bad" not in str(caught.value)


def test_bytes_in_any_view(noise, encode):
    contents = encode(noise)
    expected = decode(contents, sample_rate=RATE)
    spread = np.repeat(np.frombuffer(contents, np.uint8), 2)
    for source in (memoryview(spread)[::2], memoryview(contents), bytearray(contents)):
        np.testing.assert_array_equal(decode(source, sample_rate=RATE), expected)
    with pytest.raises(AudioDecodeError, match="it is empty"):
        decode(memoryview(b""), sample_rate=RATE)
    with pytest.raises(AudioDecodeError, match="no readable sound file"):
        decode(memoryview(noise), sample_rate=RATE)
