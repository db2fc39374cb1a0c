import json
import time

import numpy as np
import pandas as pd
import pytest

from benchmarks import overhead
from benchmarks.cli import RESULTS, main
from sknote import make_baseline_pipeline

BASELINE = type(make_baseline_pipeline()[-1])
NAMES = ["in memory", "journal file", "SQLite"]


class Sleeper(BASELINE):
    """A classifier of the baseline's parameters whose fit takes a known time."""

    def fit(self, X, y):
        time.sleep(0.05)
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


def measured():
    X = pd.DataFrame({"feature0": np.arange(12.0)})
    y = np.array(["a", "b"] * 6)
    folds = [(np.arange(6), np.arange(6, 12)), (np.arange(6, 12), np.arange(6))]
    return overhead.measure(Sleeper(), X, y, folds, n_trials=3, seed=0)


def test_what_is_outside_of_fits_and_scores_is_measured():
    searches = measured()
    assert [name.removeprefix("OptunaSearch, ") for name in searches] == [
        *NAMES,
        "RandomizedSearchCV",
    ]
    for row in searches.values():
        assert row["fit_and_score_seconds"] >= 3 * 2 * 0.05
        assert row["overhead_seconds"] > 0
        total = row["fit_and_score_seconds"] + row["overhead_seconds"]
        assert row["seconds"] == pytest.approx(total)
        assert row["share"] == pytest.approx(row["overhead_seconds"] / total)


@pytest.mark.parametrize("limit, status", [(1.0, 0), (0.0, 2)])
def test_the_command_writes_a_table_and_holds_the_limit(
    limit, status, cache_dir, tmp_path, monkeypatch, capsys
):
    row = {"seconds": 10.0, "fit_and_score_seconds": 9.9, "overhead_seconds": 0.1, "share": 0.01}
    monkeypatch.setattr(overhead, "measure", lambda *_, **__: {"OptunaSearch, in memory": row})
    monkeypatch.setattr(overhead, "LIMIT", limit)
    command = ["overhead", "--max-notes", "60", "--min-class-count", "3"]
    assert main([*command, "--cache-dir", str(cache_dir), "--out", str(tmp_path)]) == status
    printed = capsys.readouterr()
    assert "overhead (%)" in printed.out
    assert ("over 0% of the search: OptunaSearch, in memory" in printed.err) == (status == 2)
    result = json.loads((tmp_path / "overhead.json").read_text())
    assert result["searches"]["OptunaSearch, in memory"] == row
    assert result["data"]["n_notes"] == 34

    (tmp_path / "README.md").write_text("<!-- results:overhead -->\n<!-- /results -->\n")
    assert main(["report", "--root", str(tmp_path), "--results", str(tmp_path)]) == 0
    text = (tmp_path / "README.md").read_text()
    assert "| OptunaSearch, in memory | 10.0 | 9.9 | 0.10 | 1.00 |" in text


def test_the_committed_search_is_under_the_limit():
    path = RESULTS / "overhead.json"
    result = json.loads(path.read_text())
    assert result["settings"]["trials"] == 20
    assert len(result["searches"]) == 4
    assert all(row["share"] < result["limit"] == 0.05 for row in result["searches"].values())
