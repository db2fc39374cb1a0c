"""sknote predict: every recording gets its answer, whatever the others are like."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from model_files import KEPT

from sknote.cli import _answers, _reading

BAD = {
    "gone.wav": (None, "there is no such file"),
    "empty.wav": (b"", "it is empty"),
    "text.mp3": (b"no sound at all" * 99, "no readable sound file"),
}


def rows_of(lines):
    return list(csv.DictReader(io.StringIO("\n".join(lines))))


@pytest.fixture(params=["pipeline", "onnx"])
def any_model(request, tmp_path):
    """Name the file of a model of either kind."""
    if request.param == "onnx":
        return request.getfixturevalue("onnx_model")
    request.getfixturevalue("model")
    return tmp_path / "model.sknote"


def test_text_is_file_label_and_probability(call, put, any_model):
    files = [put("a.wav", 0.75), put("b.wav", 0.125)]
    code, out, err = call("predict", any_model, *files)
    assert (code, err) == (0, [])
    assert out == [f"{files[0]}\tloud\t0.750", f"{files[1]}\tsoft\t0.875"]


def test_tables_and_objects_have_a_row_for_each_file_in_its_order(call, put, any_model):
    files = [put("a.wav", 0.75), put("bad.wav", contents=b""), put("b.wav", 0.125)]
    code, out, err = call("predict", any_model, *files, "--csv", "--instrument", "flute")
    assert code == 3
    rows = rows_of(out)
    assert [row["file"] for row in rows] == files
    assert [row["label"] for row in rows] == ["loud", "", "soft"]
    assert [row["instrument"] for row in rows] == ["flute"] * 3
    assert rows[0]["runner_up"] == "soft" and float(rows[0]["runner_up_probability"]) == 0.25
    assert "it is empty" in rows[1]["error"]
    assert err == [f"sknote: {files[1]}: it is empty (0 bytes)", "sknote: 1 of 3 recordings failed"]
    code, out, _ = call("predict", any_model, *files, "--json-lines", "--instrument", "flute")
    objects = [json.loads(line) for line in out]
    assert code == 3
    for row, found in zip(rows, objects):
        assert {name: str(value) for name, value in found.items()} == {
            name: value for name, value in row.items() if value
        }


def test_each_bad_recording_is_named_and_the_rest_done(call, put, encode, any_model, tmp_path):
    bad = {name: words for name, (contents, words) in BAD.items() if contents is None}
    for name, (contents, words) in BAD.items():
        if contents is not None:
            bad[put(name, contents=contents)] = words
    bad[put("zeros.wav", contents=encode(np.zeros(999, "f4")))] = "there is no sound in it"
    tiny = encode(np.array([1e-40, -1e-40] * 99), subtype="FLOAT")
    bad[put("tiny.wav", contents=tiny)] = "there is no sound in it"  # says the model
    offset = encode(np.full(9000, 0.5), 48000)
    bad[put("offset.wav", contents=offset)] = "there is no sound in it"
    bad[str(tmp_path)[:-1] + "\0"] = "cannot be that of a file"
    good = [put(f"{i}.wav") for i in range(3)]
    files = [good[0], *bad, *good[1:]]
    code, out, err = call("predict", any_model, *files)
    assert code == 3
    assert [line.split("\t")[0] for line in out] == good
    for (name, words), line in zip(bad.items(), err):
        name = name.replace("\0", r"\x00")
        assert line.startswith(f"sknote: {name}: ") and words in line
    assert err[-1] == f"sknote: {len(bad)} of {len(files)} recordings failed"
    code, out, err = call("predict", any_model, *bad)
    assert (code, out) == (1, [])


@pytest.mark.parametrize("command", ["predict", "segment"])
def test_why_nothing_is_heard_of_channels_that_cancel_is_said(call, put, encode, model, command):
    wave = 0.5 * np.sin(np.arange(9000) / 9).astype(np.float32)
    both = encode(np.stack([wave, -wave], axis=1), subtype="FLOAT")
    name = put("inverted.wav", contents=both)
    words = ["model.sknote"] if command == "predict" else []
    code, out, err = call(command, *words, name)
    assert (code, out) == (1, [])
    assert "its channels cancel each other" in err[0] and "there is no sound in it" in err[1]


def test_control_characters_of_a_name_are_escaped_in_text_alone(call, put, model):
    name = put("a\n\t\x1b[2J é.wav")
    code, (line,), err = call("predict", "model.sknote", name)
    assert (code, err) == (0, [])
    assert line.split("\t") == [name.replace("\n\t\x1b", r"\n\t\x1b"), "loud", "0.750"]
    (found,) = call("predict", "model.sknote", name, "--json-lines")[1]
    assert json.loads(found)["file"] == name
    code, _, err = call("predict", "model.sknote", put("b\x1b[2J.wav", contents=b""))
    assert code == 1 and r"b\x1b[2J.wav: it is empty" in err[0]


def test_what_cannot_be_judged_is_named_and_the_rest_done(call, put, model):
    files = [put("a.wav"), put("loud.wav", 3.0), put("b.wav")]
    code, out, err = call("predict", "model.sknote", *files)
    assert code == 3
    assert [line.split("\t")[0] for line in out] == [files[0], files[2]]
    assert err[0] == f"sknote: {files[1]}: too loud for me"


def test_a_kind_of_file_whose_package_is_missing_spoils_no_other(call, put, model, monkeypatch):
    read = _reading.read_audio

    def without(name, **options):
        if name.endswith(".m4a"):
            raise ImportError("it is an MP4 file, and reading it needs the package 'av'")
        return read(name, **options)

    monkeypatch.setattr(_reading, "read_audio", without)
    code, out, err = call("predict", "model.sknote", put("a.wav"), put("b.m4a"))
    assert (code, len(out)) == (3, 1)
    assert "b.m4a: it is an MP4 file" in err[0]


def test_what_is_odd_about_a_recording_is_said_with_its_name(call, put, encode, tone, any_model):
    cut = put("cut.wav", contents=encode(tone(1.0))[:-9000])
    code, out, err = call("predict", any_model, cut)
    assert (code, len(out)) == (0, 1)
    assert err[0].startswith(f"sknote: {cut}: the header promises")


def test_folders_tables_and_standard_input_stand_for_recordings(
    call, put, model, tmp_path, monkeypatch
):
    inside = [put("new/a.WAV"), put("new/sub/b.wav")]
    put("new/._a.wav", contents=b"x")
    put("new/remarks.txt", contents=b"x")
    listed = put("list.csv", contents=b"audio;instrument\nnew/a.WAV;oboe\nnew/sub/b.wav;\n")
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{inside[1]}\n\n{inside[0]}\n"))
    words = [tmp_path / "new", listed, "-", "--csv", "--instrument", "flute"]
    code, out, err = call("predict", "model.sknote", *words)
    assert (code, err) == (0, [])
    rows = rows_of(out)
    assert [row["file"] for row in rows] == [*inside, *inside, *inside[::-1]]
    assert [row["instrument"] for row in rows] == ["flute"] * 2 + ["oboe"] + ["flute"] * 3
    assert model.seen[0][1] == [row["instrument"] for row in rows]


def test_an_unknown_instrument_is_said_once(call, put, flute_model):
    files = [put("a.wav"), put("b.wav", 0.25)]
    for name, words in (("tuba", "It knows 'flute'."), ("flutes", "'flute'"), ("FLUTE", "'flute'")):
        code, out, err = call("predict", flute_model, *files, "--instrument", name)
        assert (code, len(out), len(err)) == (0, 2, 1)
        assert repr(name) in err[0] and "unknown" in err[0] and words in err[0]
    assert call("predict", flute_model, *files, "--instrument", "flute")[2] == []


def test_that_no_instrument_is_named_is_said_once(call, put, flute_model, onnx_model):
    files = [put("a.wav"), put("b.wav", 0.25)]
    code, out, (said,) = call("predict", flute_model, *files)
    assert (code, len(out)) == (0, 2)
    assert f"the instrument of {files[0]!r}, and of each other recording for which none" in said
    assert "It knows 'flute'. Pass --instrument, or a table with a column 'instrument'." in said
    assert call("predict", onnx_model, *files)[2] == []  # which knows none
    assert len(call("predict", flute_model, "absent.wav", "none.wav")[2]) == 3  # and nothing of it
    table = put("some.csv", contents=b"instrument,audio\nflute,a.wav\nkazoo,b.wav\nkazoo,a.wav\n")
    (said,) = call("predict", flute_model, table)[2]
    assert "'kazoo' is unknown to the model, and counts as such. It knows 'flute'." in said


@pytest.mark.parametrize("command", ["predict", "segment"])
def test_rows_without_a_recording_and_nothing_at_all_are_said(command, call, put, model):
    put("a.wav")
    table = put("some.csv", contents=b"instrument,audio\nflute,a.wav\n,\noboe,\n")
    nothing = put("none.csv", contents=b"audio\n")
    words = ["m.sknote"] if command == "predict" else []
    code, out, err = call(command, *words, table, nothing, "--json-lines")
    assert code == 3 and "2 of 3 recordings failed" in err[-1]
    failed = [row for row in map(json.loads, out) if "error" in row]
    assert [row["file"] for row in failed] == [table, nothing]
    assert "row 2, not counting empty ones, has nothing in the column" in failed[0]["error"]
    assert "no recording in this table" in failed[1]["error"]


@pytest.mark.parametrize("command", ["predict", "segment"])
def test_an_empty_standard_input_is_said(command, call, model, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    words = ["m.sknote"] if command == "predict" else []
    code, out, err = call(command, *words, "-")
    assert (code, out) == (1, []) and "no name of a recording on standard input" in err[0]


@pytest.mark.parametrize("command", ["predict", "segment"])
def test_names_with_zeros_between_them_are_said(command, call, put, model, monkeypatch):
    names = "\0".join([put("a.wav"), put("b.wav")])
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{names}\0"))
    words = ["m.sknote"] if command == "predict" else []
    code, out, err = call(command, *words, "-")
    assert (code, out) == (1, []) and "expected one name a line, got names with zero" in err[0]


@pytest.mark.parametrize("command", ["predict", "segment"])
def test_a_recording_is_no_list_of_names(command, call, put, model, monkeypatch):
    with open(put("a.wav"), encoding="utf-8", errors="surrogateescape") as recording:
        monkeypatch.setattr("sys.stdin", recording)
        words = ["m.sknote"] if command == "predict" else []
        code, out, err = call(command, *words, "-")
    assert (code, out) == (1, [])
    assert err[0] == (
        "sknote: -: expected one name a line, got a recording on standard input. Name its file"
    )


@pytest.mark.skipif(os.name != "posix", reason="links as on POSIX")
def test_what_cannot_be_read_in_a_folder_is_named(call, put, model, tmp_path):
    inside = put("new/a.wav")
    for name in ("b.wav", "remarks.txt"):
        (tmp_path / "new" / name).symlink_to(tmp_path / "absent")
    code, out, err = call("predict", "model.sknote", tmp_path / "new")
    assert (code, len(out)) == (3, 1) and out[0].startswith(inside)
    assert "b.wav: no file: a broken link" in err[0] and "1 of 2 recordings failed" in err[1]


@pytest.mark.skipif(os.name != "posix", reason="names are bytes as on POSIX")
def test_names_that_are_not_utf_8_are_read_like_others(put, onnx_model, tmp_path):
    name = os.fsencode(put("new/a.wav")).replace(b"a.wav", b"\xe9.wav")
    try:
        os.rename(tmp_path / "new/a.wav", name)
    except OSError:
        pytest.skip("the disk has names in UTF-8 alone")
    for words in ([name], [tmp_path / "new"]):
        done = subprocess.run(
            [sys.executable, "-m", "sknote", "predict", onnx_model, *words], capture_output=True
        )
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout.split(b"\t")[:2] == [name, b"loud"]


def test_folders_and_tables_of_no_use_are_named(call, put, model, tmp_path):
    (tmp_path / "nothing").mkdir()
    wrong = put("wrong.csv", contents=b"path,instrument\na.wav,flute\n")
    words = [tmp_path / "nothing", wrong, tmp_path / "absent.csv", put("a.wav")]
    code, out, err = call("predict", "model.sknote", *words)
    assert (code, len(out)) == (3, 1)
    assert "no recording in this folder" in err[0]
    assert "expected the column audio in" in err[1] and "Name the column 'audio'" in err[1]
    assert "absent.csv: No such file" in err[2]


def test_a_model_that_is_not_there_is_a_usage_error(call, put, model, tmp_path):
    for name in ("absent.sknote", tmp_path / "absent.onnx"):
        code, out, err = call("predict", name, put("a.wav"))
        assert (code, out) == (2, [])
        assert "there is no file" in err[0]


def test_a_file_that_is_no_model_is_an_error_without_results(call, put, tmp_path):
    code, out, err = call("predict", put("a.onnx", contents=b"x" * 99), put("a.wav"))
    assert (code, out, len(err)) == (1, [], 1)


@pytest.fixture
def small_bounds(monkeypatch):
    monkeypatch.setattr(_reading, "_MOST_FILES", 6)
    monkeypatch.setattr(_reading, "_FIRST_BATCH", 2)
    monkeypatch.setattr(_reading, "_BATCH", 8)


def test_batches_and_what_is_read_ahead_are_bounded(call, put, model, small_bounds, monkeypatch):
    ahead, most = set(), 0
    read = _reading.read_audio

    def watched(name, **options):
        ahead.add(name)
        nonlocal most
        most = max(most, len(ahead))
        return read(name, **options)

    judge = type(model).predict_proba

    def answered(self, X):
        proba = judge(self, X)
        for name in list(ahead)[: len(X)]:
            ahead.discard(name)
        return proba

    monkeypatch.setattr(_reading, "read_audio", watched)
    monkeypatch.setattr(type(model), "predict_proba", answered)
    files = [put(f"{i}.wav", 0.25 + 0.5 * (i % 2)) for i in range(30)]
    code, out, _ = call("predict", "model.sknote", *files, "--jobs", 2)
    assert code == 0
    assert [line.split("\t")[0] for line in out] == files
    assert [line.split("\t")[1] for line in out] == ["soft", "loud"] * 15
    assert [n for n, _ in model.seen] == [2, 8, 8, 8, 4]
    assert most <= 6 + 8


def test_long_recordings_are_read_and_judged_few_at_once(call, put, model, monkeypatch):
    monkeypatch.setattr(_reading, "_MOST_BYTES", 1)
    monkeypatch.setattr(_reading, "_BATCH_SAMPLES", 1)
    files = [put(f"{i}.wav") for i in range(5)]
    code, out, _ = call("predict", "model.sknote", *files)
    assert (code, len(out)) == (0, 5)
    assert [n for n, _ in model.seen] == [1] * 5


def test_ctrl_c_ends_with_what_is_done_written(call, put, model, small_bounds, monkeypatch):
    judge = type(model).predict_proba

    def interrupted(self, X):
        if len(self.seen) == 2:
            raise KeyboardInterrupt
        return judge(self, X)

    monkeypatch.setattr(type(model), "predict_proba", interrupted)
    files = [put(f"{i}.wav") for i in range(30)]
    code, out, err = call("predict", "model.sknote", *files)
    assert code == 130
    assert [line.split("\t")[0] for line in out] == files[:10]
    assert err == ["sknote: interrupted after 10 recordings"]


def test_a_reader_that_has_seen_enough_ends_it_quietly(call, put, model, monkeypatch):
    class Closed(io.StringIO):
        def flush(self):
            raise BrokenPipeError

    monkeypatch.setattr("sys.stdout", Closed())
    assert call("predict", "model.sknote", put("a.wav"))[0] == 141


WITHOUT = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "sklearn", "pandas", "scipy", "tqdm"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
from sknote.cli import main
sys.exit(main())
"""


def test_an_exported_model_needs_neither_torch_nor_scikit_learn(put, onnx_model, tmp_path):
    listed = put("list.csv", contents=b"audio\na.wav\n")
    put("new/b.wav", 0.125)
    words = ["predict", str(onnx_model), put("a.wav"), str(tmp_path / "new"), listed]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, *words], capture_output=True, text=True, env=os.environ
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split("\t")[1] for line in done.stdout.splitlines()] == ["loud", "soft", "loud"]


def test_another_model_needs_them_and_that_is_said(put):
    words = ["predict", str(KEPT / "baseline-1.sknote"), put("a.wav")]
    done = subprocess.run([sys.executable, "-c", WITHOUT, *words], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    said = (
        r"sknote: predict needs the package '(sklearn|pandas)', which is not installed\. .*sknote, "
        r"or take an ONNX file, .*\n"
    )
    assert re.fullmatch(said, done.stderr)


def test_with_a_cache_nothing_is_decoded_or_judged_twice(
    call, put, any_model, monkeypatch, tmp_path
):
    files = [put(f"{i}.wav", 0.1 + 0.1 * (i % 8)) for i in range(9)]
    words = [any_model, *files, "--csv", "--cache", tmp_path / "answers.db"]
    first = call("predict", *words)
    decoded = []
    read = _reading.read_audio
    monkeypatch.setattr(
        _reading, "read_audio", lambda name, **how: decoded.append(name) or read(name, **how)
    )
    monkeypatch.setattr(_answers, "_AT_ONCE", 4)
    assert call("predict", *words) == first
    assert first[0] == 0 and decoded == []
    copy = put("copy.wav", contents=Path(files[0]).read_bytes())
    put("1.wav", 0.9)
    code, out, err = call("predict", *words[:1], copy, *words[1:])
    assert (code, err, decoded) == (0, [], [files[1]])
    rows = rows_of(out)
    assert rows[0]["probability"] == rows[1]["probability"]
    assert rows[2]["label"] == "loud" and float(rows[2]["probability"]) == pytest.approx(0.9)


def test_with_a_cache_what_is_odd_is_said_each_time(call, put, encode, tone, any_model, tmp_path):
    cut = put("cut.wav", contents=encode(tone(1.0))[:-9000])
    words = [any_model, put("a.wav"), cut, put("bad.wav", contents=b""), "absent.wav"]
    words += ["--cache", tmp_path / "answers.db"]
    first = call("predict", *words)
    assert first[0] == 3 and len(first[2]) == 4
    assert call("predict", *words) == first


def test_with_a_cache_the_instrument_and_the_model_count(call, put, model, tmp_path):
    file, cache = put("a.wav"), tmp_path / "answers.db"
    for instrument, n_judged in (("flute", 1), ("oboe", 2), ("flute", 2)):
        call("predict", "model.sknote", file, "--instrument", instrument, "--cache", cache)
        assert len(model.seen) == n_judged
    model.other = "weights"
    call("predict", "model.sknote", file, "--instrument", "flute", "--cache", cache)
    assert len(model.seen) == 3


def test_a_cache_of_no_use_is_said_and_the_rest_done(call, put, model, tmp_path):
    wrong = put("text.db", contents=b"x" * 999)
    code, out, err = call("predict", "model.sknote", put("a.wav"), "--cache", wrong)
    assert (code, len(out), len(err)) == (0, 1, 1)
    assert "text.db" in err[0] and "it holds something else" in err[0]
