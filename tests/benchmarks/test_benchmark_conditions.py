import copy
import io
import json
import shutil

import numpy as np
import pytest
import soundfile

from benchmarks import conditions
from benchmarks.cli import main
from benchmarks.conditions import CHANGED, CLEAN, CONDITIONS, MEAN, Recorded, recorded, score_table
from benchmarks.models import Options, build
from sknote import AudioLoader

ASKED = ("--first-folds", "1", "--models")


def test_the_whole_way_from_notes_to_tables_a_result_and_a_picture(run, tmp_path, cache_dir):
    _, whole, _ = run("--models", "extra_trees,dummy")
    status, result, _ = run(*ASKED, "dummy", command="conditions")
    assert status == 0
    assert list(result["models"]) == ["dummy"]
    status, result, printed = run(*ASKED, "extra_trees", command="conditions")
    assert (tmp_path / "tiny.png").read_bytes().startswith(b"\x89PNG")
    assert result["kind"] == "conditions"
    assert list(result["models"]) == ["extra_trees", "dummy"]  # what was run before is kept
    assert "the first of 2 stratified grouped folds, seed 0; one fold has no spread" in printed.out
    for model, entry in result["models"].items():
        (fold,) = entry["folds"]
        assert list(fold) == [*CONDITIONS, MEAN] == list(entry["conditions"])
        # clean notes are answered as `run` has it
        expected = whole["models"][model]["folds"][0]
        for score, value in fold[CLEAN].items():
            assert value == expected[score]
        assert {"accuracy", "macro_f1", "quality_accuracy", "aspect_accuracy"} <= set(fold[CLEAN])
        changed = [fold[condition]["accuracy"] for condition in CHANGED]
        assert fold[MEAN]["accuracy"] == pytest.approx(np.mean(changed), rel=1e-4)
        assert fold[entry["worst"]["accuracy"]]["accuracy"] == min(changed)
    assert len(set(changed)) == 1  # the last one hears nothing
    heard = result["models"]["extra_trees"]["folds"][0]
    assert len({heard[condition]["quality_accuracy"] for condition in CONDITIONS}) > 1

    kept = {path: path.stat().st_mtime_ns for path in cache_dir.rglob("*.features")}
    run(*ASKED, "extra_trees", "--fresh", name="", command="conditions")
    name = "conditions-synthetic-60-notes-1-epochs-2-folds-3-a-class-first-1-folds"
    again = json.loads((tmp_path / f"{name}.json").read_text())
    assert again["models"]["extra_trees"]["folds"] == result["models"]["extra_trees"]["folds"]
    assert {path: path.stat().st_mtime_ns for path in cache_dir.rglob("*.features")} == kept

    places = ("tiny", "tiny/quality", "tiny/macro_f1", "tiny/changes", "tiny/articulation")
    text = "".join(f"<!-- results:{place} -->\n<!-- /results -->\n" for place in places)
    (tmp_path / "README.md").write_text(text)
    assert main(["report", "--root", str(tmp_path), "--results", str(tmp_path)]) == 0
    text = (tmp_path / "README.md").read_text()
    assert f"| silence | {heard['silence']['accuracy']:.3f} |" in text
    assert text.count("Trained on notes as they are") == len(places)


def test_models_may_learn_from_changed_notes(run, tmp_path):
    learned = "last 40 % cut off"
    asked = (*ASKED, "extra_trees", "--learn-from", learned)
    status, result, printed = run(*asked, name="", command="conditions")
    assert status == 0
    (path,) = tmp_path.glob("*-learned-from-last-40-cut-off.json")
    result = json.loads(path.read_text())
    assert f"Trained on changed notes ({learned}), asked about all conditions." in printed.out
    (fold,) = result["models"]["extra_trees"]["folds"]
    assert list(fold) == [*CONDITIONS, MEAN]

    # who learned from notes as they are hears each of them as before, and answers otherwise
    _, usual, _ = run(*ASKED, "extra_trees", command="conditions")
    assert "learn_from" not in usual["task"]["settings"]
    assert usual["models"]["extra_trees"]["folds"] != result["models"]["extra_trees"]["folds"]


def test_tables_have_each_condition_their_mean_and_the_worst():
    scores = {one: {"accuracy": 0.5 + 0.01 * i} for i, one in enumerate([*CONDITIONS, MEAN])}
    scores[CLEAN] = {"accuracy": 0.9}
    std = {"accuracy": 0.1}
    entry = {
        "conditions": {
            one: {"mean": mean, "std": std, "change": {"mean": {"accuracy": -0.25}, "std": std}}
            for one, mean in scores.items()
        },
        "worst": {"accuracy": "silence"},
    }
    single = copy.deepcopy(entry)  # of one fold
    for one in single["conditions"].values():
        one["std"] = one["change"]["std"] = {"accuracy": None}
    result = {"models": {"compact": entry, "baseline": single}}
    head, *rows = score_table(result, "accuracy")
    assert head == ["condition", "compact", "baseline"]
    assert [row[0] for row in rows] == [*CONDITIONS, "mean of changed", "worst"]
    assert rows[0][1:] == ["0.900 ± 0.100", "0.900"]
    assert rows[-1][1:] == rows[1][1:] == ["0.510 ± 0.100", "0.510"]
    changes = conditions.TABLES["changes"][1](result)
    assert [row[0] for row in changes[1:]] == [*CHANGED, "mean of changed", "worst"]
    assert changes[1][1:] == ["-0.250 ± 0.100", "-0.250"]
    # a level that the labels have not
    assert score_table(result, "articulation_accuracy") == [["condition", "compact", "baseline"]]


@pytest.fixture(params=[("wav", 22050, 1), ("flac", 44100, 2), ("mp3", 48000, 1)], ids=str)
def note(request, tmp_path):
    kind, rate, n_channels = request.param
    time = np.arange(int(0.4 * rate)) / rate
    tones = [0.3 * np.sin(2 * np.pi * f * time) * np.exp(-3 * time) for f in (440, 663)]
    path = tmp_path / f"note.{kind}"
    soundfile.write(path, np.stack(tones[:n_channels], axis=1), rate)
    return path


def test_a_note_under_the_first_condition_is_what_the_loader_hears(note):
    (data,) = Recorded(CLEAN).transform([str(note)])
    assert soundfile.info(io.BytesIO(data)).samplerate == soundfile.info(note).samplerate
    expected, found = AudioLoader().transform([str(note), data])
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("condition", CHANGED)
def test_chance_is_of_the_contents_the_condition_and_the_seed(condition, note, tmp_path):
    copied = shutil.copy(note, tmp_path / "renamed")
    heard = AudioLoader().transform
    clean, first, again, other = heard(
        [
            str(note),
            *Recorded(condition, seed=3).transform([str(note), copied]),
            *Recorded(condition, seed=4).transform([note]),
        ]
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, clean)
    has_chance = "noise" in condition or "room" in condition
    assert np.array_equal(first, other) != has_chance


def test_what_cannot_be_read_stays_what_it_is(tmp_path):
    (tmp_path / "text.mp3").write_text("no sound")
    paths = [str(tmp_path / "text.mp3"), str(tmp_path / "missing.wav"), str(tmp_path)]
    assert Recorded("silence").transform(paths) == paths


def test_the_settings_of_a_changed_pipeline_hold_all_that_it_depends_on(monkeypatch):
    pipeline = build("baseline", Options())

    def key(condition="silence", seed=0):
        return conditions.settings(recorded(pipeline, condition, seed))

    known = [key(), key("small room"), key(seed=1)]
    monkeypatch.setattr(conditions, "code_digest", lambda module: "of another version")
    known.append(key())
    assert all(one not in known[:i] for i, one in enumerate(known))
    assert recorded(build("dummy", Options()), "silence", 0).steps[0][0] == "classify"
