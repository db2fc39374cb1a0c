import csv
import json
import subprocess
from pathlib import Path

import pytest

import benchmarks
from benchmarks import run as comparison
from benchmarks.cli import main
from benchmarks.layout import as_rst

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
    assert '   "flute", "40", "0.500"\n' in text
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
    assert "Out of date: " in capsys.readouterr().out


@pytest.mark.parametrize("place", ["tiny", "tiny/levels", "tiny/costs", "tiny/instruments"])
def test_two_tables_in_one_document_are_kept_apart(project, place):
    (project / "README.md").write_text(MARKDOWN + MARKDOWN.replace("tiny", place))
    assert report(project) == 0
    text = (project / "README.md").read_text()
    assert text.count("The end.") == 2
    assert text.count("| --- |") == 2


@pytest.mark.parametrize("place", ["large", "tiny/colours"])
def test_an_unknown_table_is_an_error_that_names_its_place(project, place, capsys):
    (project / "README.md").write_text(MARKDOWN.replace("results:tiny", f"results:{place}"))
    assert report(project) == 2
    assert f"asks for results:{place}" in capsys.readouterr().err


def test_changes_are_taken_fold_by_fold():
    def entry(accuracy, seconds):
        same = {"macro_f1": 0.5, "log_loss": 1.0, "n_train": 30, "n_test": 10}
        folds = [{"accuracy": one, **same} for one in accuracy]
        return {"summary": "a model", "folds": folds, "mean": {"fit_cpu_seconds": seconds}}

    models = {"compact": entry([0.5, 0.9], 10.0), "other": entry([0.48, 0.84], 5.0)}
    head, row = comparison.change_table({"models": models})
    assert head[2:5] == [f"{score} (95 %)" for score in ("accuracy", "macro-F1", "log loss")]
    assert head[5:] == ["fit (CPU), times"]
    half = 12.7062 * 0.02 * 2**0.5 * (1 / 2 + 1 / 3) ** 0.5  # Student's t of one degree of freedom
    assert row[:2] == ["other", "a model"]
    assert row[2] == f"-0.040 ({-0.04 - half:+.3f} to {-0.04 + half:+.3f})"
    assert row[3:] == ["+0.000 (+0.000 to +0.000)"] * 2 + ["0.50"]
    one = {name: entry([folds], 1.0) for name, folds in {"compact": 0.5, "other": 0.4}.items()}
    assert comparison.change_table({"models": one})[1][2] == "-0.100"


def test_a_model_of_an_earlier_run_has_a_place_in_every_table():
    new = {
        "mean": {"accuracy": 0.8, "top_2_accuracy": 0.9, "repeated_errors": None},
        "std": {"accuracy": 0.1, "top_2_accuracy": 0.1, "repeated_errors": None},
        "pooled": {"repeated_errors": 0.4},
        "classes": {"good": {"support": 7, "f1": 0.75}, "bad": {"support": 3, "f1": 0.5}},
    }
    old = {
        "mean": {"accuracy": 0.7},
        "std": {"accuracy": 0.1},
        "pooled": {},
        "classes": {"good": {"f1": 0.5}},
    }
    result = {"models": {"new": new, "old": old}}
    assert [row[0] for row in comparison.error_table(result)] == ["model", "new"]
    assert comparison.error_table(result)[1][1:] == ["0.800 ± 0.100", "0.900 ± 0.100", "0.400"]
    assert comparison.class_table(result)[1:] == [
        ["good", "7", "0.75", "0.50"],
        ["bad", "3", "0.50", "-"],
    ]


def test_every_level_of_the_labels_has_a_row():
    levels = {
        "quality": {"n_values": 2, "accuracy": 0.9, "macro_f1": 0.8, "path_accuracy": 0.9},
        "aspect": {"n_values": 3, "accuracy": 0.7, "macro_f1": 0.6, "path_accuracy": 0.65},
    }
    new = {
        "pooled": {"accuracy": 0.5, "macro_f1": 0.4},
        "classes": {"a": {"support": 7}, "b": {"support": 0}, "c": {"support": 1}},
        "levels": levels,
    }
    table = comparison.hierarchy_table({"models": {"new": new, "old": {"pooled": {}}}})
    assert table[1:] == [
        ["new: label", "2", "0.500", "0.400", "-"],
        ["new: quality", "2", "0.900", "0.800", "0.900"],
        ["new: aspect", "3", "0.700", "0.600", "0.650"],
    ]


def test_make_benchmark_leaves_documents_that_agree_with_its_results():
    done = subprocess.run(
        ["make", "--dry-run", "benchmark"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    commands = [line for line in done.stdout.splitlines() if "-m benchmarks" in line]
    assert [line.split()[-1] for line in commands] == ["run", "report"]


def test_the_projects_own_documents_are_up_to_date():
    assert main(["report", "--check"]) == 0


def test_a_run_keeps_its_answers_and_has_a_page_of_each_model(run, cache_dir, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    _, result, _ = run("--models", "dummy", name="paged")
    where = ["report", "--root", str(tmp_path), "--results", str(tmp_path)]
    where += ["--cache-dir", str(cache_dir), "--pages", str(tmp_path / "pages")]
    assert main(where) == 0
    assert "paged-dummy.html" in capsys.readouterr().out
    page = (tmp_path / "pages" / "paged-dummy.html").read_text(encoding="utf-8")
    pooled = result["models"]["dummy"]["pooled"]
    assert f"<dt>accuracy</dt><dd>{pooled['accuracy']:.3f}</dd>" in page
    assert f"<dt>hierarchical F1</dt><dd>{pooled['hierarchical_f1']:.3f}</dd>" in page
    assert f"<dt>notes</dt><dd>{result['task']['data']['n_notes']}</dd>" in page
    assert "<audio" not in page and str(cache_dir) not in page
    # answers of the same name, but of other notes
    (tmp_path / "pages" / "paged-dummy.html").unlink()
    result["task"]["key"] = "another"
    (tmp_path / "paged.json").write_text(json.dumps(result))
    assert main(where) == 0
    assert not list((tmp_path / "pages").iterdir())


def test_quotes_in_a_cell_are_no_end_of_it():
    rows = [["aim", "bound"], ['with augment="practice", times', "-"]]
    *_, head, line = [line.strip() for line in as_rst(rows).splitlines()]
    assert next(csv.reader([head], skipinitialspace=True)) == rows[0]
    assert next(csv.reader([line], skipinitialspace=True)) == [rows[1][0], r"\-"]
