"""The report: right numbers, whatever labels are called, on one page that needs no other."""

import html
import json
import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
from selective import Exported, selective
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from sknote import LabelHierarchy, make_note_pipeline
from sknote.datasets import make_notes
from sknote.inspection import write_report
from sknote.inspection.report._families import family_of

plt = pytest.importorskip("matplotlib.pyplot")
CLASSES = np.array(["bad-attack-air", "bad-pitch", "good-sound"])


@pytest.fixture(autouse=True)
def no_window():
    plt.switch_backend("agg")
    yield
    assert not plt.get_fignums(), "a figure was left open"


@pytest.fixture(scope="module")
def heard():
    """A small fitted pipeline, notes, and labels."""
    notes = make_notes(36, labels=["good-sound", "bad-attack-air"], random_state=0)
    params = {"classify__max_epochs": 1, "classify__random_state": 0}
    return make_note_pipeline(**params).fit(notes.data, notes.target), notes


def random_answers(n_notes=200, seed=0):
    rng = np.random.default_rng(seed)
    proba = rng.dirichlet(np.full(3, 0.5), n_notes)
    y = np.array([rng.choice(CLASSES, p=row) for row in proba])
    X = pd.DataFrame({"instrument": rng.choice(["flute", "tuba"], n_notes)})
    X["audio"] = [np.zeros(int(rate), np.float32) for rate in rng.integers(2000, 90000, n_notes)]
    return X, y, proba


def table_of(page, title):
    """Return the rows of a table of the page, as lists of text."""
    part = page.split(f"<h2>{title}</h2>")[1].split("</table>")[0]
    rows = re.findall(r"<tr>(.*?)</tr>", part.split("<tbody>")[1])
    return [[html.unescape(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", r)] for r in rows]


def test_numbers_are_those_of_the_answers(tmp_path):
    X, y, proba = random_answers()
    groups = np.arange(200) // 10
    path = write_report(
        tmp_path / "a.html", None, X, y, groups, y_proba=proba, classes=CLASSES, n_notes=0
    )
    page = path.read_text(encoding="utf-8")
    pred = CLASSES[proba.argmax(axis=1)]
    assert f"<dt>accuracy</dt><dd>{np.mean(pred == y):.3f}</dd>" in page
    assert f"<dt>macro-F1</dt><dd>{f1_score(y, pred, average='macro'):.3f}</dd>" in page
    assert "<dt>groups</dt><dd>20</dd>" in page
    low, high = map(float, re.search(r"<dd>([\d.]+) to ([\d.]+)</dd>", page).groups())
    assert low < np.mean(pred == y) < high and high - low < 0.3
    by_instrument = {row[0]: row for row in table_of(page, "By instrument")}
    is_flute = (X.instrument == "flute").to_numpy()
    assert by_instrument["flute"][1] == str(is_flute.sum())
    assert by_instrument["flute"][3] == f"{np.mean(pred[is_flute] == y[is_flute]):.3f}"
    families = {row[0]: row[1] for row in table_of(page, "By family of instruments")}
    assert families == {"brass": str((~is_flute).sum()), "woodwind": str(is_flute.sum())}
    labels = {row[0]: row for row in table_of(page, "By label")}
    assert labels["bad-pitch"][4] == str((y == "bad-pitch").sum())
    both = {tuple(row[:2]): row for row in table_of(page, "By instrument and label")}
    chosen = is_flute & (y == "good-sound")
    assert both["flute", "good-sound"][2] == str(chosen.sum())
    assert both["flute", "good-sound"][3] == f"{np.mean(pred[chosen] == 'good-sound'):.3f}"
    seconds = np.array([len(one) / 22050 for one in X.audio])
    durations = {row[0]: int(row[1]) for row in table_of(page, "By duration")}
    assert durations["under 0.25 s"] == np.sum(seconds < 0.25)
    assert durations["2 to 4 s"] == np.sum((seconds >= 2) & (seconds < 4))
    assert sum(durations.values()) == 200
    assert [row[0] for row in table_of(page, "By level")] == list(LabelHierarchy().level_names)


def test_the_page_needs_nothing_else(heard, tmp_path):
    model, notes = heard
    path = write_report(
        tmp_path / "a.html", model, notes.data, notes.target, sounds=True, n_notes=2
    )
    page = path.read_text(encoding="utf-8")
    for address in re.findall(r'(?:src|href)="([^"]*)"', page) + re.findall(
        r"url\(([^)]*)\)", page
    ):
        assert address.startswith(("data:", "#")), address
    assert page.count("<article>") == page.count("<audio controls") == 2
    assert "heard mainly" in page or "nothing" in page  # an explanation of each
    assert re.search(r"<h3>row \d+</h3>", page)


def test_a_note_of_one_label_is_a_report_too(heard, tmp_path):
    model, notes = heard
    path = write_report(tmp_path / "a.html", model, notes.data[:1], notes.target[:1])
    assert "<dt>notes</dt><dd>1</dd>" in path.read_text(encoding="utf-8")


def test_a_selective_model_is_told_by_its_answers_first(tmp_path):
    model, X, y = selective()
    page = write_report(tmp_path / "a.html", model, X, y, n_notes=1).read_text(encoding="utf-8")
    table = model.predict_with_confidence(X)
    right, answered = model.is_right(table, y), (table.level != "unknown").to_numpy()
    assert f"<dt>share answered</dt><dd>{answered.mean():.3f}</dd>" in page
    assert f"<dt>of it right, at any level</dt><dd>{right[answered].mean():.3f}</dd>" in page
    best = model.classes_[model.predict_proba(X).argmax(axis=1)]
    accuracy = f"{np.mean(best == y):.3f}"
    assert f"<dt>accuracy of the most probable label</dt><dd>{accuracy}</dd>" in page
    assert "all else is about the most probable label" in page
    rows = table_of(page, "Answers")
    assert [row[0] for row in rows] == ["label", "aspect", "quality", "unknown"]
    for level, n, share, accuracy in rows:
        own = (table.level == level).to_numpy()
        assert n == str(own.sum()) and share == f"{own.mean():.3f}"
        assert accuracy == ("" if level == "unknown" else f"{right[own].mean():.3f}")
    n_unknown = str((~answered).sum())
    assert table_of(page, "Without an answer")[0][:2] == ["not sure at any level", n_unknown]
    assert {row[0] for row in table_of(page, "By label")} == set(model.classes_)


def test_the_levels_are_those_of_the_model(tmp_path):
    labels = ["arco/forte", "arco/piano", "pizzicato/piano", "pizzicato/forte"]
    model, X, y = selective(labels, LabelHierarchy.philharmonia())
    page = write_report(tmp_path / "a.html", model, X, y, n_notes=0).read_text(encoding="utf-8")
    assert [row[0] for row in table_of(page, "By level")] == ["articulation", "dynamic"]
    hierarchy = LabelHierarchy.philharmonia().fit(labels[:2])
    with pytest.raises(ValueError, match="write_report: the hierarchy does not know 2 of the"):
        write_report(tmp_path / "b.html", model, X, y, hierarchy=hierarchy)


@pytest.mark.parametrize(
    "labels, levels", [(["bad", "good"], ["quality"]), (["arco", "forte", "mezzo-forte"], None)]
)
def test_levels_that_no_label_states_are_left_out(labels, levels, tmp_path):
    known = {"y_proba": np.eye(len(labels)), "classes": labels}
    path = write_report(tmp_path / "a.html", None, np.zeros((len(labels), 1)), labels, **known)
    page = path.read_text(encoding="utf-8")
    assert ("<h2>By level</h2>" in page) == ("hierarchical F1" in page) == (levels is not None)
    if levels is not None:
        assert [row[0] for row in table_of(page, "By level")] == levels


def test_a_model_that_was_exported_has_a_report(heard, tmp_path):
    X, y = heard[1].data, heard[1].target
    exported = Exported(heard[0])
    page = write_report(tmp_path / "a.html", exported, X[:4], y[:4]).read_text(encoding="utf-8")
    assert "By duration" in page


def test_recordings_last_as_long_as_the_model_hears_them(tmp_path):
    model = selective()[0]
    exported = Exported(model)
    exported._read = {"sample_rate": 8000, "input_rate": 11025}
    known = {"y_proba": np.eye(4), "classes": model.classes_, "n_notes": 0}
    X = [np.ones(30000, np.float32)] * 4  # 2.7 s, and 1.4 at the usual rate
    page = write_report(tmp_path / "a.html", exported, X, model.classes_, **known).read_text()
    assert table_of(page, "By duration")[0][:2] == ["2 to 4 s", "4"]


@pytest.mark.parametrize("groups", [None, ["a", "a", "a"], ["a", "b", "c"]])
def test_no_interval_pretends_to_know(groups, tmp_path):
    y = ["bad", "bad", "good"]
    known = {"y_proba": np.eye(2)[[0, 0, 1]], "classes": ["bad", "good"]}
    page = write_report(tmp_path / "a.html", None, np.zeros((3, 1)), y, groups, **known)
    shown = re.findall(r"<dd>([\d.]+) to ([\d.]+)</dd>", page.read_text(encoding="utf-8"))
    assert shown == ([("0.292", "1.000")] if groups is None else [])  # Clopper and Pearson


def test_other_features_and_classifiers_have_a_report_without_sound(tmp_path):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)), rng.choice(CLASSES, 60)
    page = write_report(tmp_path / "a.html", LogisticRegression().fit(X, y), X, y).read_text()
    assert "By duration" not in page and "By instrument" not in page and "By label" in page


def test_whatever_labels_are_called_is_shown_as_it_is(tmp_path):
    names = np.array(["<script>alert(1)</script>", "\"&'", "good</td>"])
    proba = np.eye(3)[[0, 1, 2, 0]]
    X = pd.DataFrame({"audio": ["<b>.wav"] * 4, "instrument": ["<i>"] * 4})
    how = {"y_proba": proba, "classes": names, "title": "<img src=x>"}
    path = write_report(tmp_path / "a.html", None, X, names[[0, 1, 2, 1]], **how)
    page = path.read_text(encoding="utf-8")
    for text in ("<script>alert", "<img src=x>", "<b>.wav", "<i>", "good</td>"):
        assert text not in page
    assert "&lt;script&gt;alert(1)" in page and "&lt;b&gt;.wav" in page


@pytest.mark.parametrize(
    "changed, message",
    [
        ({"y": ["a"] * 3}, "write_report.*200 notes in X, 3 values in y"),
        ({"y_proba": np.ones((200, 3))}, "sum to 1"),
        ({"y_proba": np.full((200, 3), np.nan)}, "write_report: proba: expected finite"),
        ({"classes": None}, "Pass classes="),
        ({"y_proba": None}, "expected a model or y_proba"),
        ({"groups": ["a"]}, "write_report.*groups"),
        ({"n_notes": -1}, "n_notes"),
        ({"hierarchy": "levels"}, "LabelHierarchy"),
    ],
)
def test_bad_input_is_said_and_nothing_is_written(changed, message, tmp_path):
    X, y, proba = random_answers()
    given = {"X": X, "y": y, "groups": None, "y_proba": proba, "classes": CLASSES} | changed
    with pytest.raises((TypeError, ValueError), match=message):
        write_report(tmp_path / "a.html", None, **given)
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_written_is_said_before_anything_is_computed(tmp_path):
    X, y, _ = random_answers()
    with pytest.raises(IsADirectoryError, match=r"write_report: .* is a folder. Name a file"):
        write_report(tmp_path, None, X, y)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        write_report(tmp_path / "none" / "a.html", None, X, y)


@pytest.mark.parametrize(
    "name, family",
    [
        ("violin", "strings"),
        ("double-bass", "strings"),
        ("bass", "strings"),
        ("bass-clarinet", "woodwind"),
        ("sax_alto", "woodwind"),
        ("cor-anglais", "woodwind"),
        ("English horn", "woodwind"),
        ("French horn", "brass"),
        ("bass-trombone", "brass"),
        ("bell-tree", "percussion"),
        ("theremin", "other"),
        ("", "other"),
    ],
)
def test_families(name, family):
    assert family_of(name) == family


CHECK = """
<script>
window.addEventListener("load", () => {
  const tables = [...document.querySelectorAll("table")];
  const heads = tables.find((t) => t.textContent.includes("precision")).querySelectorAll("th");
  const table = heads[0].closest("table");
  const column = (i) => [...table.tBodies[0].rows].map((row) => row.cells[i].textContent);
  const found = [];
  for (const i of [0, 1]) for (const _ of [0, 1]) {
    const button = heads[i].querySelector("button");
    button.focus();
    document.activeElement.click(); // as Enter does
    found.push([i, heads[i].getAttribute("aria-sort"), column(i)]);
  }
  const wide = document.documentElement.scrollWidth > window.innerWidth;
  const resources = performance.getEntriesByType("resource");
  const loaded = resources.filter((one) => !one.name.startsWith("data:"));
  document.title = "RESULT" + JSON.stringify([found, wide, loaded.length]) + "END";
});
</script>
"""


@pytest.mark.parametrize("width", [1280, 500])
def test_tables_can_be_sorted_in_a_browser(width, tmp_path):
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("chromium is not installed")
    X, y, proba = random_answers()
    path = write_report(tmp_path / "a.html", None, X, y, y_proba=proba, classes=CLASSES, n_notes=1)
    page = path.read_text(encoding="utf-8").replace("</body>", CHECK + "</body>")
    path.write_text(page, encoding="utf-8")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--window-size={width},800"]
    command += ["--enable-logging=stderr", f"--user-data-dir={tmp_path / 'profile'}"]
    command += ["--dump-dom", path.as_uri()]
    out = subprocess.run(command, capture_output=True, text=True, timeout=120)
    result = re.search(r"RESULT(.*?)END", out.stdout)
    assert result, out.stderr[-2000:]
    assert "CONSOLE" not in out.stderr  # neither an error nor a warning
    found, is_wide, n_loaded = json.loads(html.unescape(result[1]))
    assert not is_wide and n_loaded == 0
    names, numbers = [one[2] for one in found[:2]], [one[2] for one in found[2:]]
    assert [one[1] for one in found] == ["ascending", "descending", "descending", "ascending"]
    assert names[0] == sorted(names[0]) and names[1] == names[0][::-1]
    assert list(map(float, numbers[1])) == sorted(map(float, numbers[0]))
