"""The benchmark of exported files, with models whose times and answers are known."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import files
from benchmarks.cli import main


class Slow:
    """Takes so many seconds a note; of its answers every other one is `off` by so much."""

    classes_ = np.array(["a", "b"])
    clock = 0.0

    def __init__(self, seconds, off=0.0):
        self.seconds, self.off = seconds, off

    def fit(self, X, y):
        return self

    def predict_proba(self, X):
        Slow.clock += self.seconds * len(X)
        first = 0.9 - self.off * (np.arange(len(X)) % 2)
        return np.stack([first, 1 - first], axis=1)


@pytest.fixture
def result(monkeypatch, tmp_path):
    def export(pipeline, path):
        with open(path, "wb") as file:
            file.write(bytes(3_000_000))
        return path

    def quantize(path, target):
        target.write_bytes(bytes(1_000_000))
        return target

    monkeypatch.setattr(files, "time", SimpleNamespace(perf_counter=lambda: Slow.clock))
    monkeypatch.setattr(files, "LENGTHS", (0.05, 0.1))
    monkeypatch.setattr(files, "BATCH", 3)
    monkeypatch.setattr(files, "make_note_pipeline", lambda **params: Slow(0.02))
    monkeypatch.setattr(files, "export_onnx", export)
    monkeypatch.setattr(files, "quantize", quantize)
    kinds = {"int8.onnx": Slow(0.01, 0.5), "notes.onnx": Slow(0.005)}
    monkeypatch.setattr(
        files, "OnnxNoteClassifier", lambda path, n_threads: kinds[str(path).rpartition("/")[2]]
    )
    assert main(["files", "--notes", "4", "--repeats", "3", "--out", str(tmp_path)]) == 0
    return json.loads((tmp_path / "files.json").read_text())


def test_files_are_timed_beside_the_pipeline(result):
    assert result["kind"] == "files"
    times = [(row["seconds"], row["n_notes"]) for row in result["times"]]
    assert times == [(0.05, 1), (0.05, 3), (0.1, 1), (0.1, 3)]
    for row in result["times"]:
        ratios = [row[side]["ratio"] for side in ("pipeline", "file", "int8")]
        assert ratios == pytest.approx([1, 4, 2])
        assert [row["file"][name] for name in ("low", "median", "high")] == pytest.approx([5] * 3)
    assert result["megabytes"] == {"file": 3.0, "int8": 1.0}
    assert result["answers"]["file"]["largest_difference"] == 0
    found = result["answers"]["int8"]
    assert found["same_label"] == 0.5
    assert found["largest_difference"] == pytest.approx(0.5)


def test_files_in_tables(result, capsys):
    head, *rows = files.times_table(result)
    assert all(len(row) == len(head) for row in rows)
    assert [row[:2] for row in rows][1] == ["0.05 s", "3"]
    answers = files.answers_table(result)
    assert answers[-1][1:] == ["-", "3", "1"]
    assert all(len(row) == len(answers[0]) for row in answers)
    assert "3 repetitions" in files.caption(result)
