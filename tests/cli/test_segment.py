"""sknote segment: the notes of every recording, and with a model what it says of them."""

import io
import json

import numpy as np
import pytest

import sknote.audio

SPANS = np.array([[0.1, 0.3], [0.35, 0.5]])


@pytest.fixture
def cut(monkeypatch):
    """Put a segmenter that finds SPANS, or nothing in what is short, in the place of sknote's."""

    def find(waveform, rate):
        if np.abs(waveform).max() > 2:
            raise ValueError("too loud for me")
        return SPANS if len(waveform) > rate // 2 else np.zeros((0, 2))

    monkeypatch.setattr(sknote.audio, "segment_notes", find)


@pytest.fixture
def long(put, tone, encode):
    """Write a recording of a second of A3 with a given peak."""

    def make(name, peak=0.75):
        return put(name, contents=encode(tone(1.0, 220.0, peak), subtype="FLOAT"))

    return make


def test_text_is_file_onset_and_offset(call, cut, long):
    files = [long("a.wav"), long("b.wav")]
    code, out, err = call("segment", *files)
    assert (code, err) == (0, [])
    assert out == [f"{file}\t{a:.3f}\t{b:.3f}" for file in files for a, b in SPANS]


def test_tables_and_objects(call, cut, long):
    file = long("a.wav")
    code, out, _ = call("segment", file, "--csv")
    assert (code, out) == (
        0,
        ["file,onset,offset,error", f"{file},0.1,0.3,", f"{file},0.35,0.5,"],
    )
    code, out, _ = call("segment", file, "--json-lines")
    objects = [json.loads(line) for line in out]
    assert objects == [{"file": file, "onset": a, "offset": b} for a, b in SPANS]


@pytest.fixture(params=["pipeline", "onnx"])
def any_model(request, tmp_path):
    if request.param == "onnx":
        return request.getfixturevalue("onnx_model")
    request.getfixturevalue("model")
    return tmp_path / "model.sknote"


def test_a_model_judges_each_note(call, cut, long, any_model):
    files = [long("a.wav", 0.75), long("b.wav", 0.125)]
    words = ["segment", *files, "--model", any_model, "--instrument", "flute"]
    code, out, err = call(*words, "--json-lines")
    assert (code, err) == (0, [])
    first, _, third, _ = (json.loads(line) for line in out)
    assert first.pop("pitch") == pytest.approx(57, abs=0.05)
    assert first.pop("confidence") == pytest.approx(0.75, abs=0.01)
    assert first == {
        "file": files[0],
        "onset": 0.1,
        "offset": 0.3,
        "instrument": "flute",
        "label": "loud",
        "runner_up": "soft",
    }
    assert (third["file"], third["label"]) == (files[1], "soft")
    code, out, _ = call(*words)
    assert out[0] == f"{files[0]}\t0.100\t0.300\t57.00\tloud\t0.750"
    code, out, _ = call(*words, "--csv")
    assert out[0] == "file,onset,offset,instrument,pitch,label,confidence,runner_up,error"
    assert len(out) == 5


def test_each_bad_recording_is_named_and_the_rest_done(call, cut, long, put, encode, tmp_path):
    nothing = put("zeros.wav", contents=encode(np.zeros(999, "f4")))
    bad = [put("empty.wav", contents=b""), str(tmp_path / "gone.wav"), nothing, long("loud.wav", 3)]
    good = long("a.wav")
    code, out, err = call("segment", *bad, good)
    assert code == 3
    assert [line.split("\t")[0] for line in out] == [good, good]
    for name, words, line in zip(
        bad, ("it is empty", "no such file", "no sound in it", "too loud for me"), err
    ):
        assert line.startswith(f"sknote: {name}: ") and words in line
    assert err[-1] == "sknote: 4 of 5 recordings failed"
    code, out, _ = call("segment", bad[0], "--csv")
    assert code == 1 and out[1].startswith(f"{bad[0]},,,it is empty")


def test_an_unknown_instrument_is_said_once(call, cut, long, flute_model):
    words = ["segment", long("a.wav"), "--model", flute_model, "--instrument"]
    assert "for which none is named" in call(*words[:-1])[2][0]
    said = call(*words, "tuba")[2]
    assert len(said) == 1 and "'tuba' is unknown to the model" in said[0]
    assert call(*words, "flute")[2] == []
    assert call("segment", long("a.wav"), "--instrument", "tuba")[2] == []


def test_a_recording_without_notes_is_said_and_no_failure(call, cut, put):
    file = put("short.wav")
    code, out, err = call("segment", file)
    assert (code, out) == (0, [])
    assert err == [f"sknote: {file}: no notes were found in it"]


def test_folders_and_standard_input_stand_for_recordings(call, cut, long, tmp_path, monkeypatch):
    inside = [long("new/a.wav"), long("new/b.wav")]
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{inside[1]}\n"))
    code, out, err = call("segment", tmp_path / "new", "-")
    assert (code, err) == (0, [])
    assert [line.split("\t")[0] for line in out[::2]] == [*inside, inside[1]]


def test_a_model_that_is_not_there_is_a_usage_error(call, cut, long, model, tmp_path):
    for name in ("absent.sknote", tmp_path / "absent.onnx"):
        code, out, err = call("segment", long("a.wav"), "--model", name)
        assert (code, out) == (2, []) and "there is no file" in err[0]


def test_the_segmenter_of_sknote_finds_two_tones(call, put, encode, tone):
    gap = np.zeros(11025, np.float32)
    fade = np.clip(np.linspace(0, 25, 11025)[::-1], 0, 1).astype(np.float32)
    sound = np.concatenate([gap, fade * tone(0.5, 440), gap, fade * tone(0.5, 660), gap])
    code, out, _ = call("segment", put("two.wav", contents=encode(sound)))
    assert code == 0
    onsets = [float(line.split("\t")[1]) for line in out]
    np.testing.assert_allclose(onsets, [0.5, 1.5], atol=0.05)
