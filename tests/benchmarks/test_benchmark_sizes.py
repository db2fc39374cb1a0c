import argparse
import json
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import sizes
from benchmarks.cli import BenchmarkError, main
from benchmarks.datasets import make_folds
from benchmarks.sizes import best_other, change_table, draw_parts, training_sizes


def test_the_whole_way_from_notes_to_tables_a_result_and_a_picture(run, tmp_path):
    _, whole, _ = run("--models", "dummy")
    status, _, printed = run(
        *("--sizes", "10,500,all", "--models", "dummy"), name="", command="sizes"
    )
    name = "sizes-synthetic-60-notes-1-epochs-2-folds-3-a-class-of-10-500-all"
    assert status == 0
    assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    result = json.loads((tmp_path / f"{name}.json").read_text())
    assert result["kind"] == "sizes"
    entry = result["models"]["dummy"]["sizes"]
    assert list(entry) == ["10", "all"]
    assert "500 notes to learn from are left out" in printed.out
    # what learns from all notes is what `run` has
    for fold, expected in zip(entry["all"]["folds"], whole["models"]["dummy"]["folds"]):
        assert {name: expected[name] for name in fold if name in expected} == {
            name: value for name, value in fold.items() if name in expected
        }
    assert entry["10"]["mean"]["n_train"] < entry["all"]["mean"]["n_train"]
    assert "dummy, all notes, fold 1 finished" in printed.out
    (tmp_path / "README.md").write_text(f"<!-- results:{name} -->\n<!-- /results -->\n")
    assert main(["report", "--root", str(tmp_path), "--results", str(tmp_path)]) == 0
    text = (tmp_path / "README.md").read_text()
    assert f"{entry['10']['mean']['accuracy']:.3f} ± " in text


def test_whole_groups_are_drawn_of_the_training_part():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(80), 4)
    target = rng.choice(["good", "bad-attack", "bad-pitch"], 320, p=[0.6, 0.3, 0.1])
    task = SimpleNamespace(target=target, groups=groups, rows=np.arange(320))
    folds, _ = make_folds(task, 2, 0)
    parts, remarks = draw_parts(task, folds, [40, 80, 1000, "all"], 0)
    assert list(parts) == ["40", "80", "all"]
    assert len(remarks) == 1
    for size, own in parts.items():
        for (drawn, test), (train, same_test) in zip(own, folds):
            assert test is same_test
            assert set(drawn) <= set(train)
            left = np.setdiff1d(train, drawn)
            assert not set(task.groups[drawn]) & set(task.groups[left])
            if size == "all":
                assert len(left) == 0
            else:
                assert len(drawn) == pytest.approx(int(size), abs=6)
                share = np.mean(task.target[drawn] == "good")
                assert share == pytest.approx(np.mean(task.target[train] == "good"), abs=0.1)
    again, _ = draw_parts(task, folds, [40], 0)
    other, _ = draw_parts(task, folds, [40], 1)
    np.testing.assert_array_equal(again["40"][0][0], parts["40"][0][0])
    assert set(other["40"][0][0]) != set(parts["40"][0][0])
    with pytest.raises(BenchmarkError, match="--sizes below"):
        draw_parts(task, folds, [1000], 0)


def test_the_lead_is_taken_fold_by_fold_from_the_best_other_model():
    def entry(*accuracy):
        folds = [{"accuracy": one, "macro_f1": 0.5} for one in accuracy]
        mean = {"accuracy": np.mean(accuracy), "macro_f1": 0.5}
        return {"sizes": {"150": {"mean": mean, "folds": folds}}}

    models = {
        "compact": entry(0.5, 0.9),
        "practice": entry(0.9, 0.95),  # the default's own
        "baseline": entry(0.1, 0.2),
        "extra_trees": entry(0.48, 0.84),
    }
    rows = change_table({"models": models})
    assert rows[1][:3] == ["150", "extra_trees", "+0.040 ± 0.028"]
    for name in ("compact", "practice", "baseline", "extra_trees"):
        assert best_other({"models": {name: models[name]}}, "150", "accuracy") is None
    one_fold = {name: entry(0.75 if name == "compact" else 0.5) for name in models}
    assert best_other({"models": one_fold}, "150", "accuracy") == ("baseline", 0.25, None)
    assert len(change_table({"models": {"baseline": models["baseline"]}})) == 1


def test_sizes_are_read():
    assert training_sizes("20,all") == [20, "all"]
    for wrong in ("1", "0,all", "many", "2.5"):
        with pytest.raises(argparse.ArgumentTypeError):
            training_sizes(wrong)
    with pytest.raises(SystemExit, match="2"):
        main(["sizes", "--sizes", "many"])
    assert sizes.OPTIONS["--sizes"][1].endswith("all")
