"""Models that say how sure they are: what the commands write of their answers, and train them."""

import csv
import io
import json

import numpy as np
import pandas as pd
import pytest
import soundfile
from model_files import KEPT, sounds

from sknote.datasets import make_notes
from sknote.deploy import load

SELECTIVE = KEPT / "selective-2.sknote"


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / f"{row}.wav" for row in range(3)]
    for path, sound in zip(paths, sounds()):
        soundfile.write(path, sound, 22050, subtype="FLOAT")
    return [str(path) for path in paths]


def test_predict_writes_level_and_reason(call, files, tmp_path):
    expected = load(SELECTIVE).predict_with_confidence(files)
    code, out, err = call("predict", SELECTIVE, *files, "--csv")
    assert (code, err) == (0, [])
    rows = list(csv.DictReader(io.StringIO("\n".join(out))))
    assert [row["label"] for row in rows] == expected.answer.tolist()
    for name in ("level", "reason", "runner_up"):
        assert [row[name] for row in rows] == expected[name].tolist()
    for name, column in (("probability", "confidence"), ("runner_up_probability",) * 2):
        found = [float(row[name]) for row in rows]
        np.testing.assert_allclose(found, expected[column], atol=1e-4)
    code, out, _ = call("predict", SELECTIVE, files[0])
    assert out[0].split("\t")[1::2] == [expected.answer[0], expected.reason[0]]
    code, out, _ = call("predict", SELECTIVE, files[0], tmp_path / "gone.wav", "--json-lines")
    good, bad = map(json.loads, out)
    assert code == 3 and good["reason"] == expected.reason[0] and "no such file" in bad["error"]
    code, _, err = call("predict", SELECTIVE, files[0], "--cache", tmp_path / "answers.db")
    assert code == 1 and "--cache keeps probabilities" in err[0]


def test_segment_and_listen_write_them_too(call, tmp_path):
    silence = np.zeros(8000, np.float32)
    parts = [part for one in sounds() for part in (silence, one)]
    soundfile.write(tmp_path / "a.wav", np.concatenate([*parts, silence]), 22050)
    code, out, _ = call("segment", tmp_path / "a.wav", "--model", SELECTIVE, "--csv")
    rows = list(csv.DictReader(io.StringIO("\n".join(out))))
    assert code == 0 and rows and all(row["reason"] and row["level"] for row in rows)
    code, out, _ = call("listen", SELECTIVE, tmp_path / "a.wav", "--hop", "0", "--json-lines")
    judged = [one for one in map(json.loads, out) if one["event"] == "judged"]
    assert code == 0
    assert [one["reason"] for one in judged] == [row["reason"] for row in rows]
    assert [one["label"] for one in judged] == [row["label"] for row in rows]
    assert all(0 < one["runner_up_probability"] < 1 for one in judged)


def test_train_makes_one(call, tmp_path):
    labels, range_ = ["bad-richness", "good-sound"], (0.1, 0.2)
    notes = make_notes(
        40, labels=labels, instruments="flute", duration_range=range_, out_dir=tmp_path / "s"
    )
    table = pd.DataFrame({"audio": [str(one) for one in notes.data.audio]})
    table = table.assign(instrument="flute", label=notes.target, group=notes.groups)
    table.to_csv(tmp_path / "notes.csv", index=False)
    words = ["train", tmp_path / "notes.csv", "-o", tmp_path / "m.sknote", "--model", "baseline"]
    code, _, err = call(*words, "--min-accuracy", "0.5")
    assert code == 0 and any("of the notes are answered with label" in line for line in err)
    model = load(tmp_path / "m.sknote")
    assert model[-1].min_accuracy == 0.5
    assert set(model.predict(notes.data)) <= {*labels, "bad", "unknown"}
    code, _, err = call(*words, "--min-accuracy", "95")
    assert code == 2 and "expected a number between 0 and 1" in "\n".join(err)
