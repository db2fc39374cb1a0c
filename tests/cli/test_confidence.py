"""Models that say how sure they are: what the commands write of their answers, and train them."""

import csv
import dataclasses
import io
import json

import numpy as np
import pandas as pd
import pytest
import soundfile
from model_files import KEPT, sounds
from sklearn.model_selection import StratifiedGroupKFold

import sknote.deploy
from sknote import LabelHierarchy, make_baseline_pipeline
from sknote.confidence import SelectiveClassifier
from sknote.datasets import load_notes, make_notes
from sknote.deploy import load

SELECTIVE = KEPT / "selective-2.sknote"


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / f"{row}.wav" for row in range(3)]
    for path, sound in zip(paths, sounds()):
        soundfile.write(path, sound, 22050, subtype="FLOAT")
    return [str(path) for path in paths]


@pytest.fixture(params=[True, False])
def refuses(request, monkeypatch):
    """Whether the model takes all notes for novel ones, or none."""
    if not request.param:
        model = load(SELECTIVE)
        limits = tuple((reason, np.inf) for reason in model[-1].limits_)
        model[-1].rule_ = dataclasses.replace(model[-1].rule_, limits=limits)
        monkeypatch.setattr(sknote.deploy, "load", lambda path: model)
    return request.param


def test_predict_writes_level_and_reason(call, files, tmp_path, refuses):
    X = pd.DataFrame({"audio": files, "instrument": "flute"})
    expected = sknote.deploy.load(SELECTIVE).predict_with_confidence(X)
    assert (expected.answer == "unknown").all() == refuses
    words = [SELECTIVE, "--instrument", "flute"]
    code, out, err = call("predict", *words, *files, "--csv")
    assert (code, err) == (0, [])
    rows = list(csv.DictReader(io.StringIO("\n".join(out))))
    assert [row["label"] for row in rows] == expected.answer.tolist()
    for name in ("level", "reason", "runner_up"):
        assert [row[name] for row in rows] == expected[name].tolist()
    found = [float(row["runner_up_probability"]) for row in rows]
    np.testing.assert_allclose(found, expected.runner_up_probability, atol=1e-4)
    for row, answer in zip(rows, expected.itertuples()):
        if answer.level == "unknown":  # the probability would be that of the runner-up
            assert row["probability"] == ""
        else:
            assert float(row["probability"]) == pytest.approx(answer.confidence, abs=1e-4)
    code, out, _ = call("predict", *words, files[0])
    _, label, probability, reason = out[0].split("\t")
    assert (label, reason) == (expected.answer[0], expected.reason[0])
    assert (probability == "-") == refuses
    code, out, _ = call("predict", *words, files[0], tmp_path / "gone.wav", "--json-lines")
    good, bad = map(json.loads, out)
    assert code == 3 and good["reason"] == expected.reason[0] and "no such file" in bad["error"]
    assert ("probability" in good) != refuses
    code, _, err = call("predict", SELECTIVE, files[0], "--cache", tmp_path / "answers.db")
    assert code == 1 and "--cache keeps probabilities" in err[0]


def test_segment_and_listen_write_them_too(call, tmp_path, refuses):
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
    assert all((row["confidence"] == "") == (row["level"] == "unknown") for row in rows)
    assert all(("probability" in one) == (one["level"] != "unknown") for one in judged)
    words = ["--model", SELECTIVE, "--instrument", "flute"]
    assert ("\t-\t" in call("segment", tmp_path / "a.wav", *words)[1][0]) == refuses
    code, out, err = call("listen", SELECTIVE, tmp_path / "a.wav", "--instrument", "flute")
    assert code == 0 and err == [] and ("\t-\t" in out[-1]) == refuses


LABELS = ["bad-richness", "good-sound"]


@pytest.fixture
def table(tmp_path):
    """Write recordings, and a table of them with groups."""
    how = {
        "labels": LABELS,
        "instruments": "flute",
        "duration_range": (0.1, 0.2),
        "class_imbalance": 1,
    }
    notes = make_notes(40, **how, out_dir=tmp_path / "s")
    table = pd.DataFrame({"audio": [str(one) for one in notes.data.audio]})
    table = table.assign(instrument="flute", label=notes.target, group=notes.groups)
    table.to_csv(tmp_path / "notes.csv", index=False)
    return tmp_path / "notes.csv"


def test_train_makes_one(call, table, tmp_path):
    words = ["train", table, "-o", tmp_path / "m.sknote", "--model", "baseline"]
    code, _, err = call(*words, "--min-accuracy", "0.5", "--inner-folds", "2")
    assert code == 0 and any("of the notes are answered with label" in line for line in err)
    assert not any("a group of its own" in line for line in err)
    model = load(tmp_path / "m.sknote")
    assert (model[-1].min_accuracy, model[-1].cv) == (0.5, 2)
    assert set(model.predict(pd.read_csv(table)[["audio", "instrument"]])) <= {
        *LABELS,
        "bad",
        "unknown",
    }
    code, _, err = call(*words, "--min-accuracy", "95")
    assert code == 2 and "expected a number between 0 and 1" in "\n".join(err)
    for command in ("train", "evaluate"):
        more = ["-o", tmp_path / "m.sknote"] if command == "train" else []
        code, _, err = call(command, table, *more, "--inner-folds", "2")
        assert code == 2 and "--inner-folds is of --min-accuracy" in err[-1]


@pytest.mark.parametrize("share", [[], ["--min-accuracy", "0.5"]])
def test_train_without_groups_says_that_its_promise_flatters(call, table, tmp_path, share):
    alone = tmp_path / "alone.csv"
    pd.read_csv(table).drop(columns="group").to_csv(alone, index=False)
    words = ["train", alone, "-o", tmp_path / "m.sknote", "--model", "baseline"]
    err = "\n".join(call(*words, *share)[2])
    assert ("a group of its own" in err and "less often right than it promises" in err) == (
        share != []
    )


@pytest.mark.filterwarnings("ignore:SelectiveClassifier")  # of so few notes
def test_evaluate_says_what_train_s_model_would_answer(call, table):
    words = ["evaluate", table, "--model", "baseline", "--folds", 2, "--min-accuracy", "0.4"]
    words += ["--inner-folds", 2]
    code, out, _ = call(*words, "--json-lines", "--seed", 1)
    assert code == 0
    rows = [json.loads(line) for line in out]
    notes = load_notes(table)
    model = make_baseline_pipeline(classify__random_state=1)
    how = {"min_accuracy": 0.4, "cv": 2}
    model.set_params(classify=SelectiveClassifier(model[-1], LabelHierarchy(), **how))
    folds = StratifiedGroupKFold(2, shuffle=True, random_state=1)
    for row, (train, test) in zip(rows, folds.split(notes.data, notes.target, notes.groups)):
        groups = notes.groups[train]
        model.fit(notes.data.iloc[train], notes.target[train], classify__groups=groups)
        answers = model.predict_with_confidence(notes.data.iloc[test])
        right = model[-1].is_right(answers, notes.target[test])
        for level in ("label", "unknown"):
            assert row[f"{level}_share"] == (answers.level == level).mean()
        some = answers.level != "unknown"
        assert row.get("accuracy") == (right[some].mean() if some.any() else None)
    code, out, _ = call(*words)
    assert out[0].split("\t") == [
        *("fold", "notes", "label_share", "label_accuracy", "unknown_share", "accuracy")
    ]
    assert [line.split("\t")[0] for line in out[1:]] == ["1", "2", "all"]


def test_levels_of_the_labels_may_be_told(call, table, tmp_path):
    rows = pd.read_csv(table)
    other = tmp_path / "other.csv"
    last = (rows.index % 2).astype(str)
    rows.assign(label=rows.label.str.replace("-", "/") + "/" + last).to_csv(other, index=False)
    file = tmp_path / "m.sknote"
    words = ["train", other, "-o", file, "--model", "baseline"]
    code, _, err = call(*words, "--levels", "tone/fault/kind", "--min-accuracy", 0.5)
    hierarchy = load(file).about_["hierarchy"]
    assert code == 0 and hierarchy.level_names == ("tone", "fault", "kind")
    assert hierarchy.separator == "/" and load(file)[-1].hierarchy.separator == "/"
    assert [level.name for level in load(file)[-1].rule_.levels] == ["label", "fault", "tone"]
    assert call(*words, "--hierarchy", "philharmonia")[0] == 0
    assert load(file).about_["hierarchy"].level_names == LabelHierarchy.philharmonia().level_names
    code, _, err = call(*words, "--levels", "tone+fault")
    assert code == 1 and "labels with '+' between tone and fault (--levels), got" in err[-1]
    for wrong in ("tone", "tone/fault-kind", "tone/tone", "/tone/fault", ""):
        code, _, err = call(*words, "--levels", wrong)
        assert code == 2 and "expected different names with the same sign between" in err[-1]
    assert call(*words, "--levels", "a/b", "--hierarchy", "philharmonia")[0] == 2
