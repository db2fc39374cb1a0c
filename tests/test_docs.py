"""The documentation is true: its code runs, its pages build, its docstrings are complete."""

import doctest
import inspect
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from numpydoc.validate import validate

import sknote
from benchmarks.cli import main as benchmark

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.rst")) + sorted((DOCS / "user_guide").glob("*.rst"))

# numpydoc's checks: line breaks, order and spelling of sections (GL), a summary in one sentence
# (SS), parameters that are the real ones and described (PR), and what comes back (RT, YD).
CHECKS = {
    *("GL02", "GL03", "GL05", "GL06", "GL07", "GL08", "GL09", "GL10"),
    *("SS01", "SS02", "SS03", "SS04", "SS06"),
    *("PR01", "PR02", "PR03", "PR04", "PR05", "PR06", "PR07", "PR10"),
    *("RT01", "YD01"),
}


def public():
    """Give each public thing by its dotted name; what has two names, by the first."""
    found = {}
    for module in [sknote, *(getattr(sknote, name) for name in sorted(sknote._MODULES))]:
        for name in module.__all__:
            thing = getattr(module, name)
            if not inspect.ismodule(thing) and not any(thing is known for known in found.values()):
                found[f"{module.__name__}.{name}"] = thing
    return found


PUBLIC = public()


def methods(cls):
    """Give the names of a class's own public methods and properties."""
    for name, value in vars(cls).items():
        is_own = inspect.isfunction(value) or isinstance(value, (property, classmethod))
        # One without a docstring is described in the base class that demands it.
        inherits = any(hasattr(base, name) for base in cls.__mro__[1:]) and value.__doc__ is None
        if is_own and not inherits and not name.startswith("_"):
            yield name


METHODS = [
    f"{name}.{method}"
    for name, thing in sorted(PUBLIC.items())
    if inspect.isclass(thing)
    for method in methods(thing)
]


@pytest.mark.parametrize("name", [*sorted(PUBLIC), *METHODS])
def test_a_public_docstring_is_complete(name):
    errors = validate(name)["errors"]
    assert [f"{code}: {message}" for code, message in errors if code in CHECKS] == []


def test_the_reference_lists_every_public_name():
    listed, module = [], None
    for line in (DOCS / "api" / "index.rst").read_text().splitlines():
        if match := re.match(r"\.\. currentmodule:: (\S+)", line):
            module = match[1]
        elif match := re.fullmatch(r"   (\w+)", line):
            listed.append(f"{module}.{match[1]}")
    assert sorted(set(PUBLIC) ^ set(listed)) == []
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize(
    "page", [page for page in PAGES if ">>>" in page.read_text()], ids=lambda page: page.stem
)
def test_the_code_of_a_page_gives_what_the_page_says(page, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    # files that a page shows, and whose code it imports
    monkeypatch.syspath_prepend(page.with_suffix(""))
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    result = doctest.testfile(str(page), module_relative=False, optionflags=flags)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_shows_no_code_that_is_not_run(page):
    assert "code-block:: py" not in page.read_text()


@pytest.mark.slow
def test_the_code_of_the_readme_runs_as_printed(capsys, monkeypatch, tmp_path):
    first, *more = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert sum(bool(line.strip()) for line in first.splitlines()) == 10
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    namespace = {}
    for code in (first, *more):
        exec(compile(code, "README.md", "exec"), namespace)
    scores, labels, *confident, sentence, exported = capsys.readouterr().out.splitlines()
    assert exported == labels
    assert confident[0].split() == ["answer", "level", "confidence", "reason"]
    assert len(confident) == 4 and "heard mainly" in sentence
    assert (tmp_path / "report.html").stat().st_size > 10_000
    assert all(float(score) > 0.6 for score in scores.strip("[]").split())
    assert set(labels.strip("[]").replace("'", "").split()) <= {
        "good-sound",
        "bad-attack-air",
        "bad-richness",
    }


def test_the_documents_link_to_what_is_there():
    text = (ROOT / "README.md").read_text()
    links = [link for link in re.findall(r"\]\((\S+?)\)", text) if "://" not in link]
    assert len(links) >= 4
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_commands_of_the_documents_exist():
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    texts = [(ROOT / "README.md").read_text(), *(page.read_text() for page in PAGES)]
    named = {
        name for text in texts for name in re.findall(r"(?:^   \$ |^|`)make (\w+)", text, re.M)
    }
    assert {"benchmark", "test", "docs", "lint"} <= named <= targets


def test_the_numbers_are_those_of_the_results():
    assert benchmark(["report", "--check"]) == 0


BLOCK_TORCH = """
import sys

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")

sys.meta_path.insert(0, NoTorch())
"""
WITHOUT_TORCH = """
import numpy as np
from sknote import AudioLoader, LabelHierarchy, MFCCSummary, Spectrogram, metrics
from sknote.datasets import make_notes
from sknote.deploy import OnnxNoteClassifier
from sknote.feature_extraction import FeatureCache, WaveformAugment
from sknote.model_selection import OptunaSearch, check_folds

notes = make_notes(4, duration_range=(0.3, 0.4), random_state=0)
for transformer in (AudioLoader(), WaveformAugment(), FeatureCache(AudioLoader(), "kept")):
    assert len(transformer.fit_transform(notes.data)) == 4
Spectrogram(), MFCCSummary()
"""


@pytest.mark.slow
def test_what_works_without_torch_is_what_the_page_says(tmp_path):
    page = (DOCS / "user_guide" / "sklearn_tools.rst").read_text()
    works, fails = page.partition(".. _without-torch:")[2].split("needs torch", 1)
    assert works and fails
    done = subprocess.run(
        [sys.executable, "-c", BLOCK_TORCH + WITHOUT_TORCH],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


NEEDS_TORCH = [
    "from sknote import Spectrogram; Spectrogram().fit_transform([[0.0] * 9])",
    "from sknote import MFCCSummary; MFCCSummary().fit_transform([[0.0] * 9])",
    "from sknote.deploy import export_onnx",
    "from sknote import NoteClassifier",
    "import sknote.nn",
    "from sknote import make_note_pipeline",
    "from sknote import make_baseline_pipeline",
]
ERRORS = """
for code in sys.argv[1:]:
    try:
        exec(code)
        print("works")
    except Exception as error:
        print(type(error).__name__, error)
"""


def test_what_needs_torch_is_what_the_page_says(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", BLOCK_TORCH + ERRORS, *NEEDS_TORCH],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    errors = dict(zip(NEEDS_TORCH, done.stdout.splitlines(), strict=True))
    expected = "ModuleNotFoundError (No module named|.* needs the package) 'torch'"
    assert {code: error for code, error in errors.items() if not re.match(expected, error)} == {}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Build the pages without running the examples, which have tests of their own."""
    folder = tmp_path_factory.mktemp("project")
    # in a copy: the gallery's pages, and those of the reference, are written beside the sources
    built = shutil.ignore_patterns("_build", "auto_examples", "generated", "__pycache__")
    for name in ("docs", "examples", "benchmarks/results"):
        shutil.copytree(ROOT / name, folder / name, ignore=built)
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    done = subprocess.run(
        [*command, "-D", "plot_gallery=0", "-d", "doctrees", "docs", "html"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return folder / "html"


@pytest.mark.slow
def test_the_pages_build_without_a_warning(site):
    page = (site / "api" / "generated" / "sknote.NoteClassifier.html").read_text()
    assert "instrument_dropout" in page
    assert "set_fit_request" not in page


@pytest.mark.slow
def test_the_gallery_shows_every_example(site):
    for example in (ROOT / "examples").glob("*.py"):
        assert (site / "auto_examples" / f"{example.stem}.html").exists()
        assert f"{example.stem}.html" in (site / "auto_examples" / "index.html").read_text()


@pytest.mark.slow
def test_the_drawings_take_their_colours_from_the_page(site):
    page = (site / "user_guide" / "how_it_works.html").read_text()
    drawings = re.findall(r"<svg .*?</svg>", page, re.DOTALL)
    assert sum("aria-label" in drawing for drawing in drawings) == 2
    assert not any("#" in drawing for drawing in drawings if "aria-label" in drawing)


@pytest.mark.slow
def test_the_pages_are_built_from_what_is_installed_alone(site):
    for page in site.rglob("*.html"):
        loaded = re.findall(
            r"<(?:script|link|img)[^>]*(?:src|href)=\"(https?:[^\"]+)", page.read_text()
        )
        assert [url for url in loaded if "mathjax" not in url] == []
