"""Answers with confidence are the same before and after saving, in exported files, and live."""

import copy
import dataclasses
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from model_files import KEPT, LABELS, Mean, baseline, members, notes, pack, sounds
from sklearn.base import clone

from sknote import LabelHierarchy, NoteClassifier, make_note_pipeline, predict_passage
from sknote.confidence import SelectiveClassifier
from sknote.confidence._answers import COLUMNS, LEAF, AnswerRule, Level
from sknote.deploy import (
    CachedClassifier,
    NoteStream,
    OnnxNoteClassifier,
    export_onnx,
    load,
    model_card,
    save,
)

SELECTIVE = KEPT / "selective-2.sknote"


def slowly(test):
    return pytest.mark.slow(pytest.mark.timeout(900)(test))


def selective(module="starter", **params):
    inner = NoteClassifier(module, max_epochs=2, lr=0.02, augment=None, random_state=0)
    return SelectiveClassifier(inner, min_accuracy=0.2, cv=2, novelty=0.1, **params)


@pytest.fixture(scope="module")
def data():
    return notes(60)


@pytest.fixture(scope="module")
def strange():
    """Notes, and what is none."""
    rng = np.random.default_rng(0)
    hiss = [rng.normal(0, 0.1, n).astype(np.float32) for n in (3000, 7000)]
    sound = [*sounds(), *hiss, np.zeros(4000, np.float32)]
    return pd.DataFrame({"audio": pd.Series(sound, dtype=object), "instrument": "flute"})


@pytest.fixture(scope="module")
def fitted(data):
    model = make_note_pipeline(classify=selective(Mean))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sknote.confidence._features._FEWEST", 20)  # as if these were enough
        model.fit(data.data, data.target, classify__groups=data.groups)
    limits = dict(zip(model[-1].limits_, (3.7, -29.5)))  # with notes on both sides of each
    model[-1].rule_ = dataclasses.replace(model[-1].rule_, limits=tuple(limits.items()))
    return model


@pytest.fixture(scope="module")
def answers(fitted, data, strange):
    X = pd.concat([data.data[:12], strange], ignore_index=True)
    return X, fitted.predict_with_confidence(X)


@pytest.fixture(scope="module")
def exported(fitted, tmp_path_factory):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    return export_onnx(fitted, tmp_path_factory.mktemp("onnx") / "a.onnx")


def check_same(found, expected):
    found = pd.DataFrame(found)
    for name in ("answer", "level", "runner_up", "reason"):
        assert found[name].tolist() == expected[name].tolist()
    for name in ("confidence", "runner_up_probability"):
        np.testing.assert_allclose(found[name], expected[name], atol=1e-4)


# Saved


@pytest.mark.filterwarnings("ignore:.*no sound:UserWarning")
@pytest.mark.parametrize("where", ["inside", "around"])
def test_what_is_saved_answers_as_before(data, strange, tmp_path, where):
    hierarchy = LabelHierarchy(level_names=("quality", "aspect"))
    model = make_note_pipeline(classify=selective(hierarchy=hierarchy))
    how = {"classify__groups": data.groups}
    if where == "around":
        inner = make_note_pipeline(classify=selective().estimator)
        model, how = selective().set_params(estimator=inner), {"groups": data.groups}
    model.fit(data.data, data.target, **how)
    found = load(save(model, tmp_path / "a.sknote", data={"name": "x"}))
    assert type(found) is type(model) and found.about_["data"] == {"name": "x"}
    expected = model.predict_with_confidence(strange)
    pd.testing.assert_frame_equal(found.predict_with_confidence(strange), expected)
    np.testing.assert_array_equal(found.predict_proba(strange), model.predict_proba(strange))
    one, other = (m if where == "around" else m[-1] for m in (found, model))
    pd.testing.assert_frame_equal(one.levels_, other.levels_)
    assert one.limits_ == other.limits_ and one.temperature_ == other.temperature_
    assert one.get_params()["min_accuracy"] == 0.2 and one.novelty == 0.1
    assert str(clone(found)) == str(clone(model))
    assert (
        save(found, tmp_path / "b.sknote").read_bytes()
        == save(model, tmp_path / "c.sknote", data={"name": "x"}).read_bytes()
    )


def test_the_baseline_is_saved_with_its_confidence(data, tmp_path):
    model = baseline()
    model.set_params(classify=SelectiveClassifier(model[-1], min_accuracy=0.2, cv=2))
    model.fit(data.data, data.target, classify__groups=data.groups)
    assert set(model[-1].limits_) == {"unlike the notes of fit"}
    found = load(save(model, tmp_path / "a.sknote"))
    pd.testing.assert_frame_equal(
        found.predict_with_confidence(data.data[:9]), model.predict_with_confidence(data.data[:9])
    )


def test_files_of_this_format_are_read_by_later_versions():
    expected = json.loads((KEPT / "selective-2.json").read_text())
    found = load(SELECTIVE)
    table = found.predict_with_confidence(sounds())
    for name in ("answer", "level", "reason"):
        assert table[name].tolist() == expected[name]
    # after two epochs the temperature is low, and makes much of what processors round otherwise
    np.testing.assert_allclose(table.confidence, expected["confidence"], atol=1e-2)


def test_what_names_no_code_cannot_hold_a_splitter(fitted, tmp_path):
    model = copy.copy(fitted)
    model.steps = [*fitted.steps[:-1], ("classify", copy.copy(fitted[-1]))]
    model[-1].cv = [(range(3), range(3, 6))]
    with pytest.raises(ValueError, match=r"Mean is a class of your own|parameter cv"):
        save(model, tmp_path / "a.sknote")


WRONG = {
    "format without it": lambda d: d.update(format=1),
    "none": lambda d: d.pop("confidence"),
    "place": lambda d: d["confidence"].update(where="above"),
    "beta": lambda d: d["confidence"].update(beta=0),
    "beta, none": lambda d: d["confidence"].update(beta=None),
    "more": lambda d: d["confidence"].update(code="import os"),
    "accuracy": lambda d: d["confidence"]["params"].update(min_accuracy=1),
    "cv": lambda d: d["confidence"]["params"].update(cv=[1]),
    "novelty": lambda d: d["confidence"]["params"].update(novelty="yes"),
    "hierarchy": lambda d: d["confidence"]["params"].update(hierarchy={"eval": 1}),
    "threshold": lambda d: d["confidence"]["rule"].update(threshold=1.5),
    "limits": lambda d: d["confidence"]["rule"].update(limits=[["odd", 1.0]]),
    "limit": lambda d: d["confidence"]["rule"]["limits"][0].pop(),
    "no limits": lambda d: d["confidence"]["rule"].update(limits=[]),
    "node": lambda d: d["confidence"]["rule"]["levels"][0]["node_of"].__setitem__(0, 99),
    "nodes": lambda d: d["confidence"]["rule"]["levels"][0]["node_of"].pop(),
    "twice": lambda d: d["confidence"]["rule"]["levels"].append(
        copy.deepcopy(d["confidence"]["rule"]["levels"][0])
    ),
    "level": lambda d: d["confidence"]["rule"]["levels"][0].update(name="unknown"),
    "measured": lambda d: d["confidence"]["measured"]["share"].append(0.5),
    "measured, large": lambda d: d["confidence"]["measured"].update(share=[2, 0, 0]),
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG.keys())
def test_what_save_would_not_write_is_refused(change, tmp_path):
    document, arrays = members(SELECTIVE)
    change(document)
    path = pack(tmp_path / "a.sknote", document, arrays)
    with pytest.raises(ValueError, match=r"^load: .* is not as sknote.deploy.save writes it"):
        load(path)


def test_arrays_that_save_would_not_write_are_refused(tmp_path):
    from safetensors.numpy import load as read
    from safetensors.numpy import save as written

    document, data = members(SELECTIVE)
    arrays = read(data)
    mean, scale = "confidence.distance.mean", "confidence.distance.scale"
    assert {mean, scale} <= set(arrays)
    changes = [
        {mean: arrays[mean][:-1]},
        {mean: arrays[mean].astype(np.float32)},
        {mean: arrays[mean] * np.nan},
        {scale: arrays[scale] * 0},
        {"confidence.code": arrays[mean]},
    ]
    for change in changes:
        path = pack(tmp_path / "a.sknote", document, written(arrays | change))
        with pytest.raises(ValueError, match=r"^load: .* is not as sknote.deploy.save writes it"):
            load(path)
    del arrays[mean]
    with pytest.raises(ValueError, match=r"^load: .* is not as sknote.deploy.save writes it"):
        load(pack(tmp_path / "a.sknote", document, written(arrays)))


# Exported; what describes notes is a large graph


@slowly
@pytest.mark.filterwarnings("ignore:.*no sound:UserWarning")
def test_an_exported_file_answers_as_its_pipeline(exported, fitted, answers):
    X, expected = answers
    model = OnnxNoteClassifier(exported, n_threads=1)
    check_same(model.predict_with_confidence(X), expected)
    assert model.predict(X).tolist() == expected.answer.tolist()
    alone = [model.predict_with_confidence(X[i : i + 1]) for i in range(len(X))]
    check_same(pd.concat(map(pd.DataFrame, alone), ignore_index=True), expected)
    assert {*fitted[-1].limits_, "no sound"} <= set(expected.reason)


@slowly
def test_it_says_what_a_runtime_of_another_language_needs(exported, fitted):
    beside = json.loads(exported.with_suffix(".json").read_text())
    told = beside["confidence"]
    assert told["threshold"] == pytest.approx(fitted[-1].threshold_)
    assert [reason for reason, _ in told["limits"]] == list(fitted[-1].limits_)
    assert [one["name"] for one in beside["outputs"]] == ["probabilities", "novelty"]


@slowly
def test_it_needs_neither_torch_nor_pandas(exported, answers):
    words = (
        "import sys, numpy as np; sys.modules['pandas'] = None;"
        "from sknote.deploy import OnnxNoteClassifier as O;"
        "m = O(sys.argv[1]); f = m.predict_with_confidence([np.ones(3000, np.float32)]);"
        "there = [n for n in ('torch', 'sklearn') if n in sys.modules];"
        "print(type(f).__name__, f['answer'][0], there)"
    )
    command = [sys.executable, "-W", "ignore", "-c", words, str(exported)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.split(" ")[0] == "dict" and said.strip().endswith("[]")


def test_an_exported_model_gives_a_table_as_the_pipeline_does(monkeypatch):
    classes = np.array(["bad", "good"])
    model = object.__new__(OnnxNoteClassifier)
    level = Level(LEAF, ("bad", "good"), np.arange(2))
    model._rule = AnswerRule(classes, (level,), threshold=0.6)
    found = np.array([[0.9, 0.1], [0.5, 0.5]]), None, None
    monkeypatch.setattr(model, "_judge", lambda X, instrument: found)
    table = model.predict_with_confidence(pd.DataFrame({"audio": ["a", "b"]}, index=[3, 5]))
    assert table.index.tolist() == [3, 5]
    assert table.columns.tolist() == list(COLUMNS)
    assert table.answer.tolist() == ["bad", "unknown"]
    assert model.predict_with_confidence(["a", "b"]).index.tolist() == [0, 1]
    assert "DataFrame" in OnnxNoteClassifier.predict_with_confidence.__doc__
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert isinstance(model.predict_with_confidence(["a", "b"]), dict)


def test_a_file_without_it_does_not_pretend():
    plain = object.__new__(OnnxNoteClassifier)
    plain._rule, plain.path = None, "a.onnx"
    assert not hasattr(plain, "predict_with_confidence")


# In passages, and live


@pytest.fixture(scope="module")
def etude():
    parts, silence = sounds(), np.zeros(6000, np.float32)
    return np.concatenate([silence, *(part for one in parts for part in (one, silence))])


def test_notes_of_a_passage_are_answered(fitted, etude):
    table = predict_passage(fitted, etude, instrument="flute")
    assert table.columns.tolist()[3:] == ["label", "confidence", "runner_up", "level", "reason"]
    assert len(table) >= 2
    known = {*LABELS, "bad", "unknown"}
    assert set(table.label) <= known
    with pytest.warns(UserWarning, match="found no notes"):
        none = predict_passage(fitted, np.zeros(9000, np.float32), instrument="flute")
    assert none.columns.tolist() == table.columns.tolist() and len(none) == 0


def test_a_stream_says_the_same(fitted, etude):
    table = predict_passage(fitted, etude, instrument="flute")
    stream = NoteStream(fitted, "flute", hop=None)
    events = [*stream.push(etude), *stream.close()]
    judged = [event for event in events if event.kind == "judged"]
    for name in ("label", "level", "reason"):
        assert [getattr(event, name) for event in judged] == table[name].tolist()
    found = [event.probability for event in judged]
    np.testing.assert_allclose(found, table.confidence, atol=1e-3)


def test_the_card_tells_what_was_asked_and_what_was_measured():
    card = model_card(SELECTIVE)
    assert card == model_card(load(SELECTIVE))
    assert "or unknown; asked to be right in 0.2 of the answers |" in card
    rows = ["| label | 1.000 | 0.467 |", "| quality | 0.000 |  |", "| unknown | 0.000 |  |"]
    assert "\n".join(rows) in card


def test_a_cache_of_probabilities_says_what_it_does_not_keep():
    model = load(SELECTIVE)
    with pytest.warns(UserWarning, match="CachedClassifier: probabilities are all that is kept"):
        CachedClassifier(model)
    CachedClassifier(load(KEPT / "note-1.sknote"))  # says nothing
