"""Reports of odd names, of odd notes, and of what cannot be written."""

import html
import re

import numpy as np
import pandas as pd
import pytest

from sknote import AudioLoader, LabelHierarchy
from sknote.exceptions import LabelParseWarning
from sknote.inspection import HierarchicalConfusionDisplay, ScoreBarsDisplay, write_report
from sknote.inspection.report._page import image
from sknote.inspection.report._tables import Table

plt = pytest.importorskip("matplotlib.pyplot")
RATE = 22050


@pytest.fixture(autouse=True)
def no_window():
    plt.switch_backend("agg")
    yield
    plt.close("all")


@pytest.fixture
def quick(monkeypatch):
    """Leave pictures out of the page, which take most of the time."""
    for place in ("_page", "_notes"):
        monkeypatch.setattr(f"sknote.inspection.report.{place}.image", lambda *_: "<img>")


def tone(seconds, hertz=440.0):
    return np.sin(2 * np.pi * hertz / RATE * np.arange(int(seconds * RATE))).astype(np.float32)


def report(path, X, y, proba, classes, **more):
    """Write a report of known probabilities; returns the page."""
    file = write_report(path, None, X, y, y_proba=proba, classes=classes, **more)
    return file.read_text(encoding="utf-8")


ODD_NAMES = {
    "markup": ["</script><script>alert(1)</script>", "<!--", "a' onclick='b"],
    "formulas": ["$\\frac{1}$", "cost: 5$ or $x_", "{braces} %s %(name)s $name"],
    "scripts": ["良い音", "плохая атака", "🎻"],
    "no letters": ["bad\x00", "\x1b[31m", "\ufffe"],
    "long": ["bad-" + "x" * 400, "bad-" + "y" * 400, "good"],
    "lines": ["bad\nattack", "bad\tattack", "good sound"],
}


@pytest.mark.parametrize("names", ODD_NAMES.values(), ids=ODD_NAMES)
@pytest.mark.filterwarnings("ignore::sknote.exceptions.LabelParseWarning")
def test_whatever_things_are_called_the_page_shows_it_as_text(names, tmp_path, quick):
    X = pd.DataFrame({"audio": [tone(0.2)] * 3, "instrument": names})
    X.index = names
    proba = np.full((3, 3), 0.1) + 0.7 * np.eye(3)[[1, 2, 0]]
    page = report(tmp_path / "a.html", X, names, proba, names, title=names[0], n_notes=1)
    shown = re.findall(r"<td>(.*?)</td>", page, re.DOTALL)
    assert {html.escape(name) for name in names} <= set(shown)
    assert page.count("<script>") == page.count("</script>") == 1
    assert "<!--" not in page and "onclick='" not in page
    assert page.count("<article>") == 1


@pytest.mark.parametrize("names", ODD_NAMES.values(), ids=ODD_NAMES)
def test_displays_can_be_drawn_whatever_labels_are_called(names):
    for display in (
        HierarchicalConfusionDisplay.from_predictions(names, names[::-1]),
        ScoreBarsDisplay.from_predictions(names, names[::-1]),
    ):
        assert image(display.figure_, "picture").startswith("<img")
        width = display.ax_.get_window_extent().width / display.figure_.bbox.width
        assert width > 0.1  # long names leave room for what they name


@pytest.mark.parametrize(
    "X, duration",
    [
        ([tone(0.5)], "0.5 to 1 s"),
        ([np.zeros(RATE, np.float32)], "1 to 2 s"),
        ([np.zeros(0, np.float32)], "under 0.25 s"),
        ([np.ones(1, np.float32)], "under 0.25 s"),
        (["no such file.wav"], "under 0.25 s"),
        ([b"no recording"], "under 0.25 s"),
        (np.array([[1.0, 2.0]]), None),
    ],
    ids=["tone", "silence", "empty", "one sample", "missing", "damaged", "features"],
)
def test_one_note_has_a_report(X, duration, tmp_path):
    is_right = duration == "1 to 2 s"
    proba = [[0.9, 0.1]] if is_right else [[0.0, 1.0]]
    page = report(tmp_path / "a.html", X, ["bad"], proba, ["bad", "good"], sounds=True)
    assert "<dt>notes</dt><dd>1</dd>" in page and "nan" not in page.split("<main>")[0]
    assert (f"<td>{duration}</td>" in page) == (duration is not None)
    assert page.count("<article>") == (not is_right)
    if duration == "0.5 to 1 s":
        assert page.count("<audio") == (not is_right)


def test_names_of_files_need_be_no_text(tmp_path, quick):
    page = report(tmp_path / "a.html", ["<i>\udcff.wav"], ["bad"], [[0, 1]], ["bad", "good"])
    assert "<h3>&lt;i&gt;?.wav</h3>" in page


def test_labels_that_the_hierarchy_does_not_know_are_values_of_its_first_level(tmp_path, quick):
    y = ["unheard of", "good-sound"]
    hierarchy = LabelHierarchy.good_sounds()
    with pytest.warns(LabelParseWarning, match="unheard of"):
        page = report(tmp_path / "a.html", [[1.0], [2.0]], y, np.eye(2), y, hierarchy=hierarchy)
    assert "unheard of" in page and "<td>quality</td>" in page


def test_a_true_label_that_the_model_does_not_know_is_a_mistake(tmp_path, quick):
    y = ["bad", "new"]
    page = report(tmp_path / "a.html", [[1.0], [2.0]], y, np.eye(2), ["bad", "good"])
    assert "<dt>accuracy</dt><dd>0.500</dd>" in page and "its label, new, has 0.00" in page


@pytest.mark.parametrize("numbers", [[3, 10], [True, False], [0.5, 2.0]])
def test_labels_may_be_numbers(numbers, tmp_path, quick):
    page = report(tmp_path / "a.html", [[1.0], [2.0]], numbers, np.eye(2), numbers)
    assert "<dt>accuracy</dt><dd>1.000</dd>" in page


@pytest.mark.parametrize(
    "proba, message",
    [
        ([[1.5, -0.5], [0, 1]], "at least 0"),
        ([[np.inf, 0], [0, 1]], "finite"),
        ([[1, 0], [0, 0]], "row 1"),
        ([[1, 0]], "2 labels and 1"),
        ([[1], [1]], r"shape \(n_samples, 2\)"),
        ([0.5, 0.5], "shape"),
    ],
)
def test_probabilities_that_are_none_are_refused(proba, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        report(tmp_path / "a.html", [[1.0], [2.0]], ["a", "b"], proba, ["a", "b"])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("y", [["a"], ["a"] * 3, [], ["a", None], ["a", np.nan], "ab"])
def test_labels_that_are_none_or_not_as_many_are_refused(y, tmp_path):
    with pytest.raises(ValueError, match="write_report"):
        report(tmp_path / "a.html", [[1.0], [2.0]], y, np.eye(2), ["a", "b"])


def test_what_is_no_path_and_what_are_no_notes_is_said(tmp_path):
    with pytest.raises(
        TypeError, match="write_report: expected the path of a file to write, got 3"
    ):
        report(3, [[1.0]], ["a"], [[1, 0]], ["a", "b"])
    with pytest.raises(TypeError, match=r"write_report: expected X to be a DataFrame or .* got 3"):
        report(tmp_path / "a.html", 3, ["a"], [[1, 0]], ["a", "b"])


def test_a_report_that_fails_leaves_the_one_before(tmp_path, quick, monkeypatch):
    path = tmp_path / "a.html"
    page = report(path, [[1.0], [2.0]], ["a", "b"], np.eye(2), ["a", "b"])

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", full)
    with pytest.raises(OSError, match="No space"):
        report(path, [[1.0], [2.0]], ["a", "b"], np.eye(2), ["a", "b"])
    assert path.read_text(encoding="utf-8") == page
    assert list(tmp_path.iterdir()) == [path]


def test_a_report_takes_the_place_of_a_report_and_of_nothing_else(tmp_path, quick):
    path = tmp_path / "a.html"
    page = report(path, [[1.0], [2.0]], ["a", "b"], np.eye(2), ["a", "b"])
    assert report(path, [[1.0], [2.0]], ["a", "a"], np.eye(2), ["a", "b"]) != page
    path.write_text("<!doctype html>\n<html><p>A page of one's own</p></html>")
    with pytest.raises(FileExistsError, match=r"write_report: expected a report in .*a\.html"):
        report(path, [[1.0], [2.0]], ["a", "b"], np.eye(2), ["a", "b"])
    assert "one's own" in path.read_text()


def test_recordings_are_read_one_at_a_time(tmp_path, quick, monkeypatch):
    most, transform = [0], AudioLoader.transform

    def counted(self, X):
        most[0] = max(most[0], len(X))
        return transform(self, X)

    monkeypatch.setattr(AudioLoader, "transform", counted)
    X = [tone(0.1 * n) for n in range(1, 9)]
    report(tmp_path / "a.html", X, ["a", "b"] * 4, np.eye(2)[[0, 1] * 4], ["a", "b"])
    assert most[0] == 1


def test_many_notes_are_counted_to_the_last():
    from sknote.inspection.report._page import _table

    frame = pd.DataFrame({"n": [1_234_567, 3], "share": [0.5, np.nan]}, index=["a", "b"])
    cells = re.findall(r"<td[^>]*>[^<]*</td>", _table(Table("T", "", frame, ("share",))))
    assert '<td class="number" data-value="1234567">1,234,567</td>' in cells
    assert '<td class="number" data-value=""></td>' in cells


def test_what_is_missing_is_told_before_the_model_is_asked(tmp_path, monkeypatch):
    class Model:
        classes_ = np.array(["bad", "good"])

        def predict_proba(self, X):
            pytest.fail("it was asked")

    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"^write_report needs .*'sknote\[report\]'"):
        write_report(tmp_path / "report.html", Model(), [tone(0.1)] * 2, ["good", "bad"])
    assert list(tmp_path.iterdir()) == []
