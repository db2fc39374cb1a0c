import json

import pytest

from benchmarks import repeats
from benchmarks.cli import RESULTS, main

PASSES = [repeats.DECODING, "the pipeline", "CachedClassifier, first", "CachedClassifier, again"]
PASSES += [f"sknote predict{more}" for more in ("", " --cache, first", " --cache, again")]


def test_the_command_writes_two_tables(cache_dir, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(repeats, "FIT_NOTES", 20)
    monkeypatch.setattr(repeats, "COPIES", 3)
    command = ["repeats", "--notes", "6", "--repeats", "1"]
    assert main([*command, "--cache-dir", str(cache_dir), "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "3 copies of it in one call" in printed and "sknote predict --cache, again" in printed
    result = json.loads((tmp_path / "repeats.json").read_text())
    assert list(result["passes"]) == PASSES and len(result["few"]) == 5
    times = [*result["few"].values(), *list(result["passes"].values())[:6]]
    assert all(value > 0 for row in times for value in row.values())

    (tmp_path / "README.md").write_text("<!-- results:repeats/passes -->\n<!-- /results -->\n")
    assert main(["report", "--root", str(tmp_path), "--results", str(tmp_path)]) == 0
    assert "| CachedClassifier, again |" in (tmp_path / "README.md").read_text()


def test_a_table_of_passes_compares_with_the_pipeline():
    passes = {name: {"seconds": 2.0, "cpu_seconds": 4.0} for name in PASSES}
    passes["sknote predict"] = {"seconds": 1.0, "cpu_seconds": 2.0}
    rows = repeats.pass_table({"settings": {"notes": 100}, "passes": passes})
    assert rows[2] == ["the pipeline", "50", "25", "1", "1"]
    assert rows[5] == ["sknote predict", "100", "50", "2", "2"]


def test_the_committed_answers_come_soon():
    path = RESULTS / "repeats.json"
    if not path.exists():
        pytest.skip("it was not run")
    result = json.loads(path.read_text())
    few, passes = result["few"], result["passes"]
    copies, one = few["50 copies of it in one call"], few["one note of 1 s"]
    for place in ("memory", "a file"):  # a ratio, as machines differ
        assert few[f"one note again, its answer in {place}"]["ms"] < one["ms"] / 10
    assert copies["cpu_ms"] < 2 * one["cpu_ms"]
    first, again = (passes[f"CachedClassifier, {name}"] for name in ("first", "again"))
    assert again["cpu_seconds"] < first["cpu_seconds"] / 20
