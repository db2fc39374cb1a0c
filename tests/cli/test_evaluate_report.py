"""``sknote evaluate --report``: a page of what was answered while a note's group was left out."""

import csv
import re

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier

pytest.importorskip("matplotlib")


@pytest.fixture
def table(tmp_path, tone):
    """Write recordings and their table: three players, one of whom alone plays `soft`."""
    import soundfile

    rows = []
    for n, label in enumerate(["good", "bad"] * 8 + ["soft"] * 2):
        path = tmp_path / f"{n}.wav"
        soundfile.write(path, tone(0.1 + 0.05 * n), 22050)
        group = "soft's" if label == "soft" else f"player {n % 8}"
        rows.append([path, "flute" if n % 3 else "tuba", label, group])
    with open(tmp_path / "notes.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["audio", "instrument", "label", "group"], *rows])
    return tmp_path / "notes.csv"


@pytest.fixture
def guessing(monkeypatch):
    """Guess by label frequencies of the training part, always the same way."""
    model = DummyClassifier(strategy="stratified", random_state=0)
    monkeypatch.setattr("sknote.cli._evaluate.make_model", lambda options: model)


def test_the_page_is_about_the_answers_of_the_folds(call, table, guessing, tmp_path):
    page = tmp_path / "out.html"
    code, out, err = call("evaluate", table, "--folds", 3, "--csv", "--report", page)
    assert code == 0 and any(str(page) in line for line in err)
    folds = list(csv.DictReader(out))
    sizes = [int(fold["notes"]) for fold in folds]
    accuracy = np.average([float(fold["accuracy"]) for fold in folds], weights=sizes)
    text = page.read_text(encoding="utf-8")
    assert f"<dt>accuracy</dt><dd>{accuracy:.3f}</dd>" in text
    assert "<dt>notes</dt><dd>18</dd>" in text and "<dt>groups</dt><dd>9</dd>" in text
    (soft,) = re.findall(r"<tr><td>soft</td>.*?</tr>", text)
    assert ">0.000</td>" in soft  # no model that was asked had heard it
    assert str(tmp_path) not in text  # where recordings lie is nobody's business
    assert call("evaluate", table, "--folds", 3, "--csv")[1] == out  # a page changes no number
    assert "By duration" in text and "<td>brass</td>" in text


def test_a_page_that_cannot_be_written_is_told_before_folds_are_run(
    call, table, guessing, tmp_path
):
    for place, what in ((tmp_path, "is a folder"), (tmp_path / "no" / "out.html", "no folder")):
        code, out, err = call("evaluate", table, "--report", place)
        assert (code, out) == (2, []) and what in err[-1]


def test_the_page_says_what_is_missing_without_matplotlib(call, table, guessing, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    code, out, err = call("evaluate", table, "--report", "out.html")
    assert code != 0 and out == []
    assert "sknote[report]" in err[-1]
