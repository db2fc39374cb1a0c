import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import benchmarks
from benchmarks import models
from benchmarks.cli import main

ROOT = Path(benchmarks.__file__).parents[1]
SCORES = {"accuracy", "balanced_accuracy", "macro_f1", "hierarchical_f1", "log_loss"}
COSTS = {"fit_seconds", "predict_notes_per_s", "peak_memory_mib"}


def test_the_whole_way_from_notes_to_a_table_a_result_and_a_picture(run, tmp_path):
    status, result, printed = run("--models", "compact,baseline,dummy", "--n-jobs", "2")
    assert status == 0
    assert result["kind"] == "comparison"
    assert list(result["models"]) == ["compact", "baseline", "dummy"]
    for entry in result["models"].values():
        assert SCORES | COSTS | {"calibration_error", "quality_accuracy"} <= set(entry["mean"])
        assert set(entry["std"]) == set(entry["mean"])
        assert len(entry["folds"]) == 2
        for name in SCORES:
            values = [fold[name] for fold in entry["folds"]]
            assert entry["mean"][name] == pytest.approx(np.mean(values), rel=1e-4)
            assert entry["std"][name] == pytest.approx(np.std(values, ddof=1), abs=1e-4)
        assert sum(row["support"] for row in entry["classes"].values()) == sum(
            row["n"] for row in entry["instruments"].values()
        )
        assert {"python", "sknote", "torch", "scikit-learn"} <= set(
            entry["environment"]["versions"]
        )
        assert entry["environment"]["machine"]["cores"] >= 1
    assert result["task"]["data"]["n_files"] == 60
    assert result["models"]["compact"]["features"]["notes_per_s"] > 0
    assert result["models"]["dummy"]["features"] is None
    assert result["models"]["compact"]["settings"]["classify__max_epochs"] == "1"
    accuracy = f"{result['models']['compact']['mean']['accuracy']:.3f} ± "
    assert accuracy in printed.out
    assert (tmp_path / "tiny.png").read_bytes().startswith(b"\x89PNG")
    assert str(tmp_path) not in (tmp_path / "tiny.json").read_text()


def test_labels_and_all_of_their_levels_are_reported(run):
    few = ("--max-notes", "100", "--min-class-count", "2")
    _, result, printed = run("--models", "dummy", *few, dataset="synthetic-100")
    entry = result["models"]["dummy"]
    assert list(entry["levels"]) == ["quality", "aspect", "specific"]
    for level, row in entry["levels"].items():
        assert {"n_values", "accuracy", "macro_f1", "path_accuracy"} <= set(row)
        assert f"{level}_accuracy" in entry["mean"]
        assert f"dummy: {level} " in printed.out
    assert entry["levels"]["specific"]["path_accuracy"] == entry["pooled"]["accuracy"]


def test_inner_folds_are_a_result_of_their_own(run):
    _, whole, _ = run("--models", "dummy")
    _, inner, printed = run("--models", "dummy", "--inner", "2")
    assert inner["task"]["settings"] == whole["task"]["settings"] | {"inner": 2}
    first = whole["models"]["dummy"]["folds"][0]
    assert inner["task"]["data"]["n_notes"] == first["n_train"]
    assert sum(fold["n_test"] for fold in inner["models"]["dummy"]["folds"]) == first["n_train"]
    assert "2 such folds of the training part of the first of 2 stratified" in printed.out


def test_more_models_than_colours_have_a_picture_of_another_form(run, tmp_path):
    from matplotlib.image import imread

    from benchmarks.run import draw

    _, result, _ = run("--models", "dummy")
    few, many = ({f"model {i}": result["models"]["dummy"] for i in range(n)} for n in (2, 11))
    shapes = []
    for entries in (few, many):
        draw(result | {"models": entries}, tmp_path / "picture.png")
        picture = imread(tmp_path / "picture.png")
        assert picture.std() > 0.05
        shapes.append(picture.shape)
    assert shapes[1][0] == pytest.approx(150 * (1.4 + 0.3 * 11), abs=1)
    assert shapes[1][0] != shapes[0][0]


def test_a_second_run_repeats_nothing_and_fresh_repeats_all(run):
    _, first, _ = run("--models", "extra_trees")
    _, second, _ = run("--models", "extra_trees")
    assert second == first
    _, third, _ = run("--models", "extra_trees", "--fresh")
    assert third["models"]["extra_trees"]["mean"] != first["models"]["extra_trees"]["mean"]
    accuracy = [r["models"]["extra_trees"]["mean"]["accuracy"] for r in (first, third)]
    assert accuracy[0] == accuracy[1]


def test_models_of_the_same_task_come_together_in_one_result(run):
    run("--models", "dummy", name="joint")
    _, result, _ = run("--models", "extra_trees", name="joint")
    assert list(result["models"]) == ["extra_trees", "dummy"]
    _, result, _ = run("--models", "dummy", "--seed", "1", name="joint")
    assert list(result["models"]) == ["dummy"]


def test_a_trial_does_not_take_the_place_of_the_real_result(run, tmp_path):
    run("--models", "dummy", name="")
    run("--models", "dummy", "--seed", "3", name="")
    run("--models", "dummy", "--inner", "2", name="mine")
    names = {path.name for path in tmp_path.glob("*.json")}
    trial = "synthetic-60-notes-1-epochs-2-folds"
    assert names == {f"{trial}-3-a-class.json", f"{trial}-seed-3-3-a-class.json", "mine-inner.json"}


def test_models_of_other_notes_do_not_leave_a_result_silently(run):
    run("--models", "extra_trees")
    _, result, printed = run("--models", "dummy", "--seed", "3")
    assert list(result["models"]) == ["dummy"]
    assert "tiny.json was about other notes; extra_trees leave it" in printed.out


def test_a_model_that_fails_is_told_when_the_others_are_finished(run, monkeypatch, capsys):
    monkeypatch.setitem(models.MODELS, "broken", ("fails", broken))
    with pytest.raises(ValueError, match="strategy"):
        run("--models", "broken,dummy", name="broken")
    printed = capsys.readouterr().out
    for fold in ("broken, fold 0 failed", "dummy, fold 0 finished", "dummy, fold 1 finished"):
        assert fold in printed


def broken(options):
    return models.build("dummy", options).set_params(classify__strategy="no such strategy")


def test_errors_of_the_user_come_without_a_traceback(run, capsys):
    assert main(["run", "--models", "compcat"]) == 2
    assert "Did you mean 'compact'?" in capsys.readouterr().err
    wrong = {"--folds": "1", "--inner": "1", "--name": "../other"}
    for option, value in [*wrong.items(), ("--seed", "-1"), ("--seed", "4294967296")]:
        with pytest.raises(SystemExit, match="2"):
            main(["run", option, value])
        assert option in capsys.readouterr().err
    assert run("--device", "abacus")[0] == 2


def test_a_place_that_cannot_be_written_to_is_told_before_the_work(tmp_path, capsys):
    (file := tmp_path / "file").touch()
    for place in (file, file / "inside"):
        assert main(["run", "--models", "dummy", "--out", str(place)]) == 2
        assert "is no folder to write to" in capsys.readouterr().err


def test_a_run_that_was_killed_goes_on_where_it_was(tmp_path, cache_dir):
    arguments = ["run", "--models", "extra_trees,dummy", "--max-notes", "60", "--folds", "4"]
    arguments += ["--min-class-count", "3", "--out", str(tmp_path), "--name", "killed"]
    arguments += ["--cache-dir", str(tmp_path / "cache")]
    # the features need not be made again
    (tmp_path / "cache").mkdir()
    for part in ("features", "synthetic"):
        if (cache_dir / part).exists():
            (tmp_path / "cache" / part).symlink_to(cache_dir / part)
    command = [sys.executable, "-m", "benchmarks", *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    finished = finished_folds(tmp_path)
    end = time.monotonic() + 60
    while len(finished) < 2 and process.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
        finished = finished_folds(tmp_path)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert 2 <= len(finished) < 8
    assert not (tmp_path / "killed.json").exists()

    assert main(arguments) == 0
    after = finished_folds(tmp_path)
    assert len(after) == 8 + 1  # and the speed of features
    assert {path: after[path] for path in finished} == finished
    result = json.loads((tmp_path / "killed.json").read_text())
    assert {name: len(entry["folds"]) for name, entry in result["models"].items()} == {
        "dummy": 4,
        "extra_trees": 4,
    }


def finished_folds(folder):
    return {path: path.stat().st_mtime_ns for path in folder.glob("cache/kept/*.npz")}


@pytest.mark.data
def test_real_recordings_with_a_corrupt_one_among_them(run, real_data, tmp_path):
    corrupt = "saxophone/saxophone_Fs3_15_fortissimo_normal.mp3"
    source = real_data("philharmonia")
    names = [corrupt]
    for instrument in ("saxophone", "oboe"):
        paths = sorted((source / instrument).glob("*_025_*_normal.mp3"))
        names += [f"{instrument}/{path.name}" for path in paths[:20]]
    for name in names:
        link = tmp_path / "philharmonia" / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(source / name)
    status, result, printed = run(
        "--data-home", str(tmp_path), "--models", "compact,baseline", dataset="philharmonia"
    )
    assert status == 0
    assert result["task"]["data"]["n_files"] == 41
    assert result["task"]["data"]["unreadable"] == [corrupt]
    assert f"{corrupt}' could not be decoded" in printed.out
    assert printed.err.count("Warning") == 0
    assert set(result["models"]["compact"]["levels"]) == {"articulation", "dynamic"}
    assert "dynamic_one_step" in result["models"]["compact"]["mean"]
