"""sknote listen: every event is written, wherever the sound comes from and however it ends."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import types

import numpy as np
import pytest
from encoders import record
from streams import LoudParts, final

import sknote.audio
from sknote.cli import _listen_sources
from sknote.deploy import NoteStream, OnnxNoteClassifier

RATE = 22050


@pytest.fixture(autouse=True)
def segmenter(monkeypatch):
    monkeypatch.setattr(sknote.audio, "NoteSegmenter", LoudParts, raising=False)


@pytest.fixture
def music(tone):
    """Two notes, the second one longer and softer."""
    notes = [tone(0.3, 500.5, 0.75, RATE), tone(1.2, 400.5, 0.25, RATE)]
    rest = np.zeros(RATE // 4, np.float32)
    sound = np.concatenate([rest, notes[0], rest, notes[1], rest])
    return sound[: len(sound) // 2 * 2]  # of an odd number of bytes WAV files have one more


@pytest.fixture
def file(music, encode, tmp_path):
    path = tmp_path / "music.wav"
    path.write_bytes(encode(music, RATE, subtype="FLOAT"))
    return path


def rows_of(lines):
    return list(csv.DictReader(io.StringIO("\n".join(lines))))


def test_events_of_a_file_are_those_of_the_stream(call, onnx_model, music, file):
    code, out, err = call("listen", onnx_model, file, "--instrument", "flute", "--json-lines")
    assert (code, err) == (0, [])
    stream = NoteStream(OnnxNoteClassifier(onnx_model), "flute", segmenter=LoudParts)
    expected = stream.push(music) + stream.close()
    rows = [json.loads(line) for line in out]
    assert [row["event"] for row in rows] == [event.kind for event in expected]
    for row, event in zip(rows, expected):
        assert row["note"] == event.number and row.get("label") == event.label
        for name in ("at", "onset", "offset", "probability", "runner_up_probability"):
            assert row.get(name) == pytest.approx(getattr(event, name), abs=1e-6)
    code, out, _ = call("listen", onnx_model, file, "--csv", "--instrument", "flute")
    for row, found in zip(rows, rows_of(out), strict=True):
        assert {name: value for name, value in found.items() if value} == {
            name: str(value) for name, value in row.items()
        }


def test_text_is_a_line_for_each_event(call, onnx_model, file):
    code, out, err = call("listen", onnx_model, file, "--hop", 0)
    assert (code, err) == (0, [])
    kinds = [line.split("\t")[1:3] for line in out]
    assert kinds == [["began", "1"], ["judged", "1"], ["began", "2"], ["judged", "2"]]
    assert [len(line.split("\t")) for line in out] == [4, 7, 4, 7]
    assert [line.split("\t")[5] for line in out if "judged" in line] == ["loud", "soft"]
    code, out, _ = call("listen", onnx_model, file, "--hop", 0.4, "--window", 0)
    looks = [line.split("\t") for line in out if "revised" in line]
    assert [row[4] for row in looks] == ["-", "-", "-"]


def test_a_pipeline_listens_as_well(call, model, file):
    code, out, _ = call("listen", "model.sknote", file, "--instrument", "flute", "--hop", 0)
    assert code == 0
    assert [line.split("\t")[5] for line in out if "judged" in line] == ["loud", "soft"]
    assert model.seen[-1][1] == ["flute"]


ENCODED = {
    "wav16": {"subtype": "PCM_16"},
    "wav24": {"subtype": "PCM_24"},
    "wav32": {"subtype": "PCM_32"},
    "wav8": {"subtype": "PCM_U8"},
    "float": {"subtype": "FLOAT"},
    "double": {"subtype": "DOUBLE"},
    "extensible": {"subtype": "PCM_16", "format": "WAVEX"},
}


class Trickle(io.BytesIO):
    """Standard input that gives what there is, in pieces of any length."""

    lengths = (1, 2, 3, 5, 999, 4096)

    def read1(self, n=-1):
        self.turn = getattr(self, "turn", -1) + 1
        return super().read(min(n, self.lengths[self.turn % len(self.lengths)]))


@pytest.fixture
def stdin(monkeypatch):
    def put(contents):
        monkeypatch.setattr("sys.stdin", types.SimpleNamespace(buffer=Trickle(contents)))

    return put


@pytest.mark.parametrize("kind", ENCODED)
@pytest.mark.parametrize("n_channels", [1, 2])
def test_wav_on_standard_input_is_heard(
    kind, n_channels, call, onnx_model, music, encode, file, stdin
):
    expected = call("listen", onnx_model, file)[1]
    sound = np.stack([music] * n_channels, axis=1)
    contents = encode(sound, RATE, **({"format": "WAV"} | ENCODED[kind]))
    for length in (None, 0, 0xFFFFFFFF):  # as programs write that do not know it
        if length is not None:
            place = contents.index(b"data") + 4
            contents = contents[:place] + length.to_bytes(4, "little") + contents[place + 4 :]
        stdin(contents)
        code, out, err = call("listen", onnx_model, "-")
        assert (code, err) == (0, [])
        found, wanted = ([line.split("\t") for line in lines] for lines in (out, expected))
        assert [row[1:3] for row in found] == [row[1:3] for row in wanted]
        if kind != "wav8":  # whose silence is not quite silent
            assert [row[5:6] for row in found] == [row[5:6] for row in wanted]


def test_samples_alone_are_heard(call, onnx_model, music, file, stdin, tmp_path):
    expected = call("listen", onnx_model, file)[1]
    whole = np.round(music * 32767).astype("<i2")
    for samples, options in (
        (music.astype("<f4"), ["--raw", "float32"]),
        (whole, ["--raw", "int16"]),
        (np.repeat(whole, 2), ["--raw", "int16", "--channels", 2]),
    ):
        stdin(samples.tobytes())
        words = [*options, "--rate", RATE]
        code, out, err = call("listen", onnx_model, "-", *words)
        assert (code, err) == (0, [])
        assert [line.split("\t")[1:4] for line in out] == [
            line.split("\t")[1:4] for line in expected
        ]
        path = tmp_path / "samples"
        path.write_bytes(samples.tobytes())
        assert call("listen", onnx_model, path, *words) == (code, out, err)


@pytest.mark.parametrize(
    "contents, words",
    [
        (b"", "expected WAV on standard input, or in a pipe, got nothing."),
        (b"ID3" * 20, "got another format. Name the file, or decode it first."),
        (b"text" * 20, "Pass --raw int16 or --raw float32, and --rate, if it is samples alone."),
        (b"RIFF\0\0\0\0WAVE", "ends before its samples"),
        (
            b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\0\0\0\0\0\0\0\0\2\0\x10\0data\x10\0\0\0",
            "expected 1000 to 768000 Hz, got 0 Hz by its header.",
        ),
        (b"RIFF\0\0\0\0WAVEdata\4\0\0\0\0\0\0\0", "does not say how"),
        (
            b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x11\0\1\0\x22\x56\0\0\0\0\0\0\0\1\4\0data",
            "got kind 17 of 4 bits",
        ),
    ],
)
def test_what_is_no_wav_is_one_error(contents, words, call, onnx_model, stdin):
    stdin(contents)
    code, out, err = call("listen", onnx_model, "-")
    assert (code, out) == (1, [])
    assert words in err[-1]


def test_what_is_not_there_or_does_not_fit_is_said(call, onnx_model, file, put, tmp_path):
    for words, code, said in (
        ([tmp_path / "absent.wav"], 2, "there is no file"),
        ([put("text.wav", contents=b"text" * 99)], 1, "got text. If it holds samples alone, pass"),
        ([put("random.mp3", contents=bytes(range(1, 255)))], 1, "got 254 bytes that begin with"),
        ([tmp_path], 2, "is a folder. Name one recording."),
        ([file, "--rate", 44100], 1, "expected 44100 Hz, got 22050 Hz"),
        ([file, "--raw", "int16"], 2, "Pass --rate with --raw int16"),
        ([file, "--raw", "int16", "--rate", 8000, "--channels", 10**8], 2, "1 to 64 channels, got"),
        ([file, "--channels", 2], 2, "--channels is of --raw; a sound file says itself"),
        ([file, "--device", "mic"], 2, "--device is of a microphone, got the source"),
        (["--raw", "int16", "--rate", 8000], 2, "--raw is of a source, got none"),
        ([file, "--hop", "1e300"], 2, "expected seconds from 0 to 3600"),
        ([file, "--hop", "-1"], 2, "expected seconds"),
        ([file, "--window", "some"], 2, "expected seconds"),
        ([file, "--csv", "--json-lines"], 2, "not allowed"),
    ):
        found = call("listen", onnx_model, *words)
        assert (found[0], found[1]) == (code, [])
        assert said in found[2][-1]
    assert call("listen", tmp_path / "absent.onnx", file)[0] == 2


@pytest.mark.parametrize("raw", [True, False])
def test_a_named_pipe_is_heard_once_a_program_writes_to_it(raw, call, onnx_model, music, tmp_path):
    import soundfile

    expected = NoteStream(OnnxNoteClassifier(onnx_model), hop=None, segmenter=LoudParts)
    expected = expected.push(music) + expected.close()
    pipe, content = tmp_path / "pipe", io.BytesIO(music.astype("<f4").tobytes())
    if not raw:
        content = io.BytesIO()
        soundfile.write(content, music, RATE, subtype="FLOAT", format="WAV")
    os.mkfifo(pipe)
    words = ["--raw", "float32", "--rate", RATE] if raw else []
    writer = threading.Thread(target=lambda: pipe.write_bytes(content.getvalue()), daemon=True)
    writer.start()
    code, out, err = call("listen", onnx_model, pipe, "--hop", 0, *words)
    assert (code, len(err)) == (0, 1) and "listening to the pipe" in err[0]
    assert [line.split("\t")[1] for line in out] == [event.kind for event in expected]


def test_a_file_that_ends_in_its_middle_keeps_what_was_heard(call, onnx_model, file):
    file.write_bytes(file.read_bytes()[: -RATE * 4])
    code, out, err = call("listen", onnx_model, file, "--hop", 0)
    assert code == 0
    assert [line.split("\t")[1] for line in out] == ["began", "judged"] * 2
    (said,) = err
    assert said.startswith(
        f"sknote: {file}: the header promises 2.250 s of sound, there are only 1.25"
    )


@pytest.mark.parametrize("format", ["FLAC", "MP3", "OGG", "m4a"])
def test_a_file_of_any_format_is_heard(format, call, onnx_model, music, encode, file):
    expected = call("listen", onnx_model, file, "--hop", 0)[1]
    if format == "m4a":
        pytest.importorskip("av")
        file.write_bytes(record(music, RATE, "ipod", "alac"))
    else:
        file.write_bytes(encode(music, RATE, format))
    code, out, err = call("listen", onnx_model, file, "--hop", 0)
    assert (code, err) == (0, [])
    found, wanted = ([line.split("\t") for line in lines] for lines in (out, expected))
    assert [row[1:3] + row[5:6] for row in found] == [row[1:3] + row[5:6] for row in wanted]


def test_channels_that_cancel_each_other_are_said(call, onnx_model, music, encode, file):
    file.write_bytes(encode(np.stack([music, -music], axis=1), RATE, subtype="FLOAT"))
    code, out, err = call("listen", onnx_model, file)
    assert (code, out) == (0, [])
    assert err[0].startswith(f"sknote: {file}: its channels cancel each other")
    assert len(err) == 2 and err[1].startswith("sknote: no notes were found in ")


def test_silence_is_said(call, onnx_model, encode, file):
    file.write_bytes(encode(np.zeros(RATE)))
    said = ["sknote: no notes were found in 1.0 s of sound"]
    assert call("listen", onnx_model, file) == (0, [], said)


def test_a_sound_file_that_is_taken_for_samples_is_said(call, onnx_model, music, encode, file):
    for kind in ("WAV", "FLAC"):
        file.write_bytes(encode(music, RATE, kind))
        code, _, err = call("listen", onnx_model, file, "--raw", "int16", "--rate", RATE)
        assert code == 0 and "begins as a recording does, and --raw takes all of it" in err[0]


def test_samples_that_are_no_numbers_end_what_was_heard(call, onnx_model, music, encode, file):
    file.write_bytes(encode(np.append(np.tile(music, 30), np.nan), RATE, subtype="FLOAT"))
    code, out, err = call("listen", onnx_model, file, "--hop", 0)
    assert code == 1 and [line.split("\t")[1] for line in out[:4]] == ["began", "judged"] * 2
    assert err == [f"sknote: listen: '{file}' cannot be read: it contains NaN or infinity."]


@pytest.mark.parametrize("kind", ["wav16", "wav24", "double"])
@pytest.mark.parametrize("n_frames", [1, RATE // 4])
def test_wav_that_is_cut_off_on_standard_input_is_said(
    kind, n_frames, call, onnx_model, music, encode, stdin
):
    contents = encode(np.stack([music] * 2, axis=1), RATE, **({"format": "WAV"} | ENCODED[kind]))
    frame = 2 * {"wav16": 2, "wav24": 3, "double": 8}[kind]
    stdin(contents[: -n_frames * frame])
    code, out, err = call("listen", onnx_model, "-", "--hop", 0)
    assert code == 0
    assert [line.split("\t")[1] for line in out] == ["began", "judged"] * 2
    seconds = f"{n_frames / RATE:.3f}"
    assert err == [
        f"sknote: the sound ends {seconds} s before its header says; it is probably cut off"
    ]
    if n_frames == 1:
        stdin(contents[:-1][: -n_frames * frame])
        assert "before its header says" in call("listen", onnx_model, "-")[2][0]


def test_samples_alone_that_end_within_one_are_said(call, onnx_model, music, stdin):
    stdin(music.tobytes() + b"\1\2\3")
    code, _, err = call("listen", onnx_model, "-", "--raw", "float32", "--rate", RATE)
    assert (code, err) == (0, ["sknote: the sound ends within a frame: 3 of 4 bytes are left out"])


def test_an_unknown_instrument_is_said_once(call, flute_model, file):
    for name, words in (
        ("tuba", "It knows 'flute'"),
        ("floete", "Did you mean 'flute'"),
        ("Flute", ""),
    ):
        err = call("listen", flute_model, file, "--instrument", name)[2]
        assert len(err) == 1
        assert "unknown" in err[0] and words in err[0] and repr(name) in err[0]
    assert call("listen", flute_model, file, "--instrument", "flute")[2] == []
    (said,) = call("listen", flute_model, file)[2]
    assert "no instrument is named" in said and "knows 'flute'. Pass --instrument." in said


def test_what_a_model_fails_on_is_said_and_the_rest_is_heard(call, model, music, encode, put):
    sound = np.concatenate([music, music * 4, music])  # the fake refuses what is above 2
    path = put("loud.wav", contents=encode(sound, RATE, subtype="FLOAT"))
    code, out, err = call("listen", "model.sknote", path, "--hop", 0)
    assert code == 3
    assert err == ["sknote: too loud for me"]
    assert [line.split("\t")[2] for line in out if "judged" in line] == ["1", "2", "4", "5", "6"]
    path = put("louder.wav", contents=encode(music * 20, RATE, subtype="FLOAT"))
    assert call("listen", "model.sknote", path, "--hop", 0)[0] == 1


# A sound card that is not there


class Microphone(types.ModuleType):
    """Stands for the package sounddevice: calls back from a thread of its own, with what it has."""

    class PortAudioError(Exception):
        pass

    def __init__(self, sound, at_end="vanish", overflows=0):
        super().__init__("sounddevice")
        self.sound, self.at_end, self.overflows = sound, at_end, overflows
        self.opened, self.was_closed = None, False

    def query_devices(self, device, kind):
        if device == "absent":
            raise ValueError("No input device matching 'absent'")
        return {"name": "Fake", "default_samplerate": float(RATE)}

    def InputStream(self, **options):
        if options["samplerate"] != RATE:
            raise self.PortAudioError("Invalid sample rate")
        self.opened = options
        return types.SimpleNamespace(start=self._start, close=self._close)

    def _start(self):
        self._thread = threading.Thread(target=self._play)
        self._thread.start()

    def _close(self):
        self.was_closed = True
        self._thread.join()

    def _play(self):
        size = self.opened["blocksize"]
        buffer = np.zeros((size, 1), np.float32)
        for start in range(0, len(self.sound) - size, size):
            buffer[:, 0] = self.sound[start : start + size]
            status = types.SimpleNamespace(input_overflow=self.overflows > 0)
            self.overflows -= 1
            self.opened["callback"](buffer, size, None, status)
        if self.at_end == "vanish":
            self.opened["finished_callback"]()
        elif self.at_end == "interrupt":
            waiting = self.opened["finished_callback"].__self__
            while waiting.n_waiting:
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture
def microphone(monkeypatch, music):
    def put(**options):
        made = Microphone(music, **options)
        monkeypatch.setitem(sys.modules, "sounddevice", made)
        return made

    return put


def test_a_device_that_vanishes_is_an_error_after_what_was_heard(
    call, onnx_model, file, microphone
):
    expected = call("listen", onnx_model, file, "--hop", 0)[1]
    fake = microphone()
    code, out, err = call("listen", onnx_model, "--hop", 0)
    assert (code, out) == (1, expected)
    assert "listening to Fake at 22050 Hz" in err[0]
    assert "Fake gives no more sound. Is it still plugged in?" in err[-1]
    assert fake.was_closed
    assert fake.opened["blocksize"] == 220 and fake.opened["channels"] == 1


def test_a_device_that_falls_silent_has_vanished(call, onnx_model, microphone, monkeypatch):
    monkeypatch.setattr(_listen_sources, "_GONE", 2.0)
    fake = microphone(at_end="silence")
    code, out, err = call("listen", onnx_model, "--hop", 0)
    assert code == 1
    assert [line.split("\t")[1] for line in out] == ["began", "judged"] * 2
    assert "gives no more sound" in err[-1] and fake.was_closed


@pytest.mark.skipif(os.name != "posix", reason="signals are sent as on POSIX")
def test_ctrl_c_ends_the_listening_with_all_that_was_heard(call, onnx_model, file, microphone):
    expected = call("listen", onnx_model, file, "--hop", 0)[1]
    fake = microphone(at_end="interrupt")
    before = signal.getsignal(signal.SIGINT)
    code, out, err = call("listen", onnx_model, "--hop", 0)
    assert (code, out) == (130, expected)
    assert "and 2 notes" in err[-1]
    assert fake.was_closed and signal.getsignal(signal.SIGINT) is before


def test_what_is_dropped_and_what_the_card_loses_is_said(call, onnx_model, microphone, monkeypatch):
    monkeypatch.setattr(_listen_sources, "_WAITING", 0.02)
    microphone(overflows=2)
    code, _, err = call("listen", onnx_model)
    assert code == 1
    assert any("s of sound were dropped" in line for line in err)
    assert any("the sound card lost sound 2 times" in line for line in err)


def test_a_device_or_a_rate_that_is_not_there_is_said(call, onnx_model, microphone):
    for words in (["--device", "absent"], ["--rate", 1234], ["--device", 3, "--rate", 1]):
        microphone()
        code, out, err = call("listen", onnx_model, *words)
        assert (code, out) == (1, [])
        assert "the microphone cannot be opened" in err[-1]


def test_a_missing_package_or_library_is_said(call, onnx_model, monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    code, out, err = call("listen", onnx_model)
    assert (code, out) == (1, [])
    assert "pip install 'sknote[live]'" in err[-1]

    class NoLibrary:
        def find_spec(self, name, path=None, target=None):
            if name == "sounddevice":
                raise OSError("PortAudio library not found")

    monkeypatch.delitem(sys.modules, "sounddevice")
    monkeypatch.setattr(sys, "meta_path", [NoLibrary(), *sys.meta_path])
    code, out, err = call("listen", onnx_model)
    assert (code, out) == (1, [])
    assert "libportaudio2" in err[-1]


WITHOUT = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "sklearn", "pandas", "scipy", "tqdm", "sounddevice"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
import sknote.audio
if not hasattr(sknote.audio, "NoteSegmenter"):
    from streams import LoudParts
    sknote.audio.NoteSegmenter = LoudParts
from sknote.cli import main
sys.exit(main())
"""


def start(*words, **options):
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    path = os.pathsep.join([here, os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-c", WITHOUT, "listen", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": path},
        **options,
    )


def test_an_exported_model_listens_without_torch_pandas_or_scikit_learn(onnx_model, file):
    out, err = start(onnx_model, file, "--hop", 0).communicate(timeout=60)
    assert err == b""
    assert len(out.splitlines()) >= 4


@pytest.mark.skipif(os.name != "posix", reason="signals are sent as on POSIX")
def test_ctrl_c_while_standard_input_is_silent(onnx_model, music):
    process = start(
        onnx_model, "-", "--raw", "float32", "--rate", RATE, "--hop", 0, stdin=subprocess.PIPE
    )
    process.stdin.write(music.astype("<f4").tobytes())
    process.stdin.flush()
    first = process.stdout.readline()
    assert b"began" in first
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"judged" in out and b"interrupted after" in err


def test_a_segmenter_and_a_model_get_what_they_need(onnx_model):
    stream = NoteStream(OnnxNoteClassifier(onnx_model))
    assert stream.sample_rate == RATE
    assert final(stream.close()) == []
