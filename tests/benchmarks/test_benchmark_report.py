import json
from pathlib import Path

import pytest

import benchmarks
from benchmarks.cli import main

ROOT = Path(benchmarks.__file__).parents[1]
MARKDOWN = "# Notes\n\n<!-- results:tiny -->\nstale\n<!-- /results -->\n\nThe end.\n"
RST = "Notes\n=====\n\n.. results:tiny/instruments\n\nstale\n\n.. /results\n\nThe end.\n"


@pytest.fixture
def project(tmp_path):
    entry = {
        "mean": {"accuracy": 0.75, "fit_seconds": 12.34, "log_loss": None},
        "std": {"accuracy": 0.0125, "fit_seconds": 1.0, "log_loss": None},
        "instruments": {"flute": {"n": 40, "mean_accuracy": 0.5, "std_accuracy": None}},
        "features": {"notes_per_s": 99.6},
        "environment": {"machine": {"processor": "A processor"}, "commit": "abc123"},
    }
    data = {"n_notes": 1234, "n_classes": 5, "n_groups": 20, "n_instruments": 1}
    task = {"dataset": "tiny", "data": data, "settings": {"folds": 5, "seed": 0}}
    (tmp_path / "results").mkdir()
    result = {"task": task, "models": {"compact": entry}}
    (tmp_path / "results" / "tiny.json").write_text(json.dumps(result))
    (tmp_path / "docs" / "deep").mkdir(parents=True)
    return tmp_path


def report(project, *arguments):
    results = str(project / "results")
    return main(["report", "--root", str(project), "--results", results, *arguments])


def test_documents_get_the_numbers_and_keep_all_else(project):
    (project / "README.md").write_text(MARKDOWN)
    (project / "docs" / "deep" / "notes.rst").write_text(RST)
    assert report(project) == 0
    text = (project / "README.md").read_text()
    assert text.startswith("# Notes\n\n<!-- results:tiny -->\n")
    assert text.endswith("<!-- /results -->\n\nThe end.\n")
    assert "| compact | 0.750 ± 0.013 |" in text
    assert "1,234 notes, 5 classes, 20 groups" in text
    assert "stale" not in text
    text = (project / "docs" / "deep" / "notes.rst").read_text()
    assert "   * - flute\n     - 40\n     - 0.500\n" in text
    assert "stale" not in text


def test_a_second_report_changes_nothing(project):
    (project / "README.md").write_text(MARKDOWN)
    report(project)
    text = (project / "README.md").read_text()
    assert report(project) == 0
    assert (project / "README.md").read_text() == text
    assert report(project, "--check") == 0


def test_check_tells_what_is_out_of_date_and_changes_nothing(project, capsys):
    (project / "README.md").write_text(MARKDOWN)
    assert report(project, "--check") == 1
    assert (project / "README.md").read_text() == MARKDOWN
    printed = capsys.readouterr().out
    assert "-stale" in printed
    assert "+| compact | 0.750 ± 0.013 |" in printed


@pytest.mark.parametrize("place", ["tiny", "tiny/levels", "tiny/costs", "tiny/instruments"])
def test_two_tables_in_one_document_are_kept_apart(project, place):
    (project / "README.md").write_text(MARKDOWN + MARKDOWN.replace("tiny", place))
    assert report(project) == 0
    text = (project / "README.md").read_text()
    assert text.count("The end.") == 2
    assert text.count("| --- |") == 2


@pytest.mark.parametrize(
    "place, whose", [("large", "a comparison"), ("tiny/classes", "tiny")], ids=["result", "table"]
)
def test_an_unknown_table_is_answered_with_the_known_ones(project, place, whose, capsys):
    (project / "README.md").write_text(MARKDOWN.replace("results:tiny", f"results:{place}"))
    assert report(project) == 2
    message = capsys.readouterr().err
    assert f"asks for results:{place}" in message
    assert f"Results: tiny. Tables of {whose}: scores, levels, instruments, costs." in message


def test_the_projects_own_documents_are_up_to_date():
    assert main(["report", "--check"]) == 0
