"""``sknote evaluate --report``: a page of what was answered while a note's group was left out."""

import csv
import re

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.pipeline import Pipeline

from sknote import LabelHierarchy
from sknote.confidence._answers import AnswerRule
from sknote.confidence._thresholds import levels_of

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


class Careful(DummyClassifier):
    """Answers by a rule, of probabilities that are drawn for the number of each note."""

    def fit(self, X, y):
        super().fit(X, y)
        levels = tuple(levels_of(self.classes_, LabelHierarchy(), "Careful"))
        self.rule_ = AnswerRule(self.classes_, levels, 0.7)
        return self

    def predict_proba(self, X):
        n = len(self.classes_)
        return np.array([np.random.default_rng(row).dirichlet([0.6] * n) for row in X.index])

    def predict_with_confidence(self, X):
        return pd.DataFrame(self.rule_.answer(self.predict_proba(X)))

    def is_right(self, answers, y):
        return self.rule_.is_right(answers["answer"], answers["level"], y)


class CarefulPipeline(Pipeline):
    def predict_with_confidence(self, X):
        return self[-1].predict_with_confidence(X)


@pytest.fixture
def careful(table, monkeypatch):
    """Have answers with nodes and unknown; gives the table of notes with levels."""
    names = {"good": "good-sound", "bad": "bad-air", "soft": "bad-pitch"}
    notes = pd.read_csv(table)
    notes.assign(label=notes.label.map(names)).to_csv(table, index=False)
    model = CarefulPipeline([("classify", Careful())])
    monkeypatch.setattr("sknote.cli._evaluate.make_model", lambda options: model)
    monkeypatch.setattr("sknote.cli._evaluate.add_confidence", lambda *_: {})
    return table


def test_of_models_that_say_how_sure_they_are_the_page_has_the_answers_of_the_folds(
    call, careful, tmp_path
):
    words = ["evaluate", careful, "--folds", 3, "--min-accuracy", 0.7]
    code, out, _ = call(*words, "--report", tmp_path / "out.html")
    names, *folds, last = (line.split("\t") for line in out)
    assert code == 0 and [row[0] for row in folds] == ["1", "2", "3"]
    page = (tmp_path / "out.html").read_text(encoding="utf-8")
    answers = page[page.index("<h2>Answers</h2>") : page.index("<h2>Without an answer</h2>")]
    told = {}
    for row in re.findall(r"<tr>(<td.*?)</tr>", answers):
        level, _, share, accuracy = re.findall(r"<td.*?>(.*?)</td>", row)
        told |= {f"{level}_share": share, f"{level}_accuracy": accuracy}
    pooled = dict(zip(names, last))
    assert pooled["fold"] == "all" and pooled["notes"] == "18"
    assert float(pooled["quality_share"]) > 0 and float(pooled["unknown_share"]) > 0
    del told["unknown_accuracy"]
    assert {name: pooled[name] for name in told} == told
    right = f"<dt>of it right, at any level</dt><dd>{pooled['accuracy']}</dd>"
    assert right in page and "not sure at any level" in page
    assert set(re.findall(r"; the answer is (\w+)", page)) > {"unknown"}
    assert call(*words)[1] == out


def test_a_level_counts_by_its_notes_not_by_its_folds(call, careful):
    words = ["evaluate", careful, "--folds", 3, "--min-accuracy", 0.7]
    folds = list(csv.DictReader(call(*words, "--csv")[1]))
    names, *_, last = (line.split("\t") for line in call(*words)[1])
    pooled = dict(zip(names, last))
    for level in ("label", "quality"):
        n = [int(fold["notes"]) * float(fold[f"{level}_share"]) for fold in folds]
        right = [float(fold[f"{level}_accuracy"] or 0) * own for fold, own in zip(folds, n)]
        assert pooled[f"{level}_share"] == f"{sum(n) / 18:.3f}"
        assert pooled[f"{level}_accuracy"] == f"{sum(right) / sum(n):.3f}"


def test_a_page_that_cannot_be_written_is_told_before_folds_are_run(
    call, table, guessing, tmp_path
):
    for place, what in ((tmp_path, "is a folder"), (tmp_path / "no" / "out.html", "no folder")):
        code, out, err = call("evaluate", table, "--report", place)
        assert (code, out) == (2, []) and what in err[-1]


def test_a_folder_that_takes_no_page_is_told_before_folds_are_run(
    call, table, guessing, tmp_path, monkeypatch
):
    monkeypatch.setattr("sknote._files.os.access", lambda path, mode: False)
    code, out, err = call("evaluate", table, "--report", tmp_path / "out.html")
    assert (code, out) == (1, [])
    assert "evaluate --report: nothing can be written in" in err[-1]


def test_the_page_says_what_is_missing_without_matplotlib(call, table, guessing, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    code, out, err = call("evaluate", table, "--report", "out.html")
    assert code != 0 and out == []
    assert "sknote[report]" in err[-1]
