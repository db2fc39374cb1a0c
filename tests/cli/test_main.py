"""The words of the command line, and what each command makes of its data."""

import json
import os
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest
from model_files import KEPT

import sknote
import sknote.deploy
from sknote.cli import _output, main
from sknote.cli._parser import make_parser
from sknote.datasets import make_notes


@pytest.mark.parametrize(
    "command", [[], ["train"], ["evaluate"], ["predict"], ["export"], ["card"]]
)
def test_help_is_on_standard_output(call, command):
    code, out, err = call(*command, "--help")
    assert (code, err) == (0, [])
    assert out[0].startswith("usage: sknote")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_standard_streams_may_be_closed(closed, tmp_path):
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    words = f"{sys.executable} -m sknote segment {tmp_path / 'a.wav'} {closed}"
    done = subprocess.run(["sh", "-c", words], capture_output=True, text=True)
    assert done.returncode == 1
    assert ("no readable sound file" in done.stderr) == (closed != "2>&-")
    assert "Traceback" not in done.stderr


def test_the_version_is_the_package_s(call):
    assert call("--version") == (0, [f"sknote {sknote.__version__}"], [])


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["nothing"],
        ["train", "data"],
        ["predict", "model.onnx"],
        ["predict", "model.onnx", "a.wav", "--csv", "--json-lines"],
        ["predict", "model.onnx", "a.wav", "--jobs", "0"],
        ["evaluate", "data", "--folds", "half"],
        ["evaluate", "data", "--model", "best"],
        ["export", "model.sknote"],
        ["export", "--web", "model.sknote"],
        ["export", "--web", "--onnx", "model.onnx", "model.sknote", "page"],
        ["export", "model.sknote", "page", "--onnx", "model.onnx"],
        ["export", "model.sknote", "--onnx", "model.onnx", "--title", "A model"],
        ["export", "model.sknote", "--onnx", "model.txt"],
        ["train", ".", "-o", "model.onnx"],
        ["evaluate", "absent"],
        ["train", "absent", "-o", "absent/model.sknote"],
        ["train", "absent", "-o", "."],
        ["train", ".", "-o", ""],
        ["train", ".", "-o", "model", "--seed", "-1"],
        ["train", ".", "-o", "model", "--seed", str(2**32)],
        ["train", ".", "-o", "model", "--group-pattern", "("],
        ["train", ".", "-o", "model", "--group-pattern", "^player"],
    ],
)
def test_a_wrong_command_is_a_usage_error(call, words, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    code, out, err = call(*words)
    assert (code, out) == (2, [])
    assert "sknote" in err[-1]


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_what_is_there_and_of_no_use_is_no_usage_error(call, command, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "header.csv").write_text("audio,instrument,label,group\n")
    (tmp_path / "void.csv").write_text("")
    more = ["-o", "m.sknote"] if command == "train" else []
    for data, code in (("folder", 1), ("header.csv", 1), ("void.csv", 1), ("absent", 2)):
        found = call(command, data, *more)
        assert (found[0], found[1]) == (code, [])
        assert "load_notes: " in found[2][-1]
    assert call(command, "folder", *more, "--model", "baseline", "--practice")[0] == 2
    assert call("evaluate", "folder", "--folds", 1)[0] == 2


@pytest.mark.parametrize(
    "words",
    [
        ["--web", "model", "page", "--title", "T"],
        ["model", "page", "--web", "--title", "T"],
        ["model", "--web", "page", "--title", "T"],
        ["model", "--title", "T", "--web", "page"],
        ["model", "--title", "T", "page", "--web"],
    ],
)
def test_words_stand_before_and_behind_options(words):
    options = make_parser().parse_args(["export", *words])
    assert (options.model, options.folder) == ("model", "page")
    assert (options.web, options.title, options.module) == (True, "T", "_export")


def test_a_word_too_many_is_said_with_how_the_command_is_used(call):
    code, _, err = call("export", "model", "--web", "page", "more")
    assert code == 2
    assert err[0].startswith("usage: sknote export")
    assert err[-1] == "sknote export: error: unrecognized arguments: more"


def test_a_recording_is_not_overwritten(call, tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF")
    code, out, err = call("train", "absent", "-o", path)
    assert (code, out, path.read_bytes()) == (2, [], b"RIFF")
    assert "train: expected a model in" in err[-1]
    pytest.importorskip("matplotlib")
    code, out, err = call("evaluate", "absent", "--report", path)
    assert (code, out, path.read_bytes()) == (2, [], b"RIFF")
    assert "evaluate --report: expected a report in" in err[-1]


def test_a_package_that_is_not_there_is_named_with_what_installs_it(call, monkeypatch):
    def run(options):
        raise ModuleNotFoundError("No module named 'pandas.core'", name="pandas.core")

    monkeypatch.setattr("sknote.cli._card.run", run)
    said = "sknote: card needs the package 'pandas', which is not installed. Install it with: "
    assert call("card", "x") == (1, [], [f"{said}pip install sknote"])


def test_an_error_without_words_is_named(call, monkeypatch):
    def run(options):
        raise MemoryError

    monkeypatch.setattr("sknote.cli._card.run", run)
    assert call("card", "x") == (1, [], ["sknote: MemoryError"])


SCRIPT = """
import sys
before = set(sys.modules)
from sknote.cli import main
code = main(["predict", "--help"])
print(sorted({name.split(".")[0] for name in set(sys.modules) - before}), file=sys.stderr)
sys.exit(code)
"""


def test_help_imports_nothing_heavy():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert done.returncode == 0
    brought = eval(done.stderr)
    assert "sknote" in brought
    assert {"numpy", "pandas", "sklearn", "torch", "tqdm", "soundfile"} & set(brought) == set()


def test_python_m_sknote_is_the_command_and_its_help_is_quick():
    def used():
        """Time of the processor, which does not depend on what else the machine does."""
        before = os.times()
        done = subprocess.run(
            [sys.executable, "-m", "sknote", "--help"], capture_output=True, text=True
        )
        assert done.stdout.startswith("usage: sknote")
        after = os.times()
        return sum(after[2:4]) - sum(before[2:4])

    assert min(used() for _ in range(3)) < 0.15


def test_warnings_are_said_once_and_on_standard_error(call, monkeypatch):
    def run(options):
        for _ in range(3):
            warnings.warn("odd", UserWarning, stacklevel=1)
            warnings.warn("of no interest", FutureWarning, stacklevel=1)
        raise ValueError("bad")

    monkeypatch.setattr("sknote.cli._card.run", run)
    assert call("card", "x") == (1, [], ["sknote: odd", "sknote: bad"])


def test_progress_is_shown_on_a_terminal_alone(monkeypatch, capsys):
    def shown(err, out):
        monkeypatch.setattr("sys.stderr.isatty", lambda: err)
        monkeypatch.setattr("sys.stdout.isatty", lambda: out)
        with _output.progress(10, "note") as advance:
            advance(3)
        return "note" in capsys.readouterr().err

    assert shown(err=True, out=False)
    assert not shown(err=False, out=False)
    assert not shown(err=True, out=True)


@pytest.fixture
def lessons(tmp_path):
    """Write recordings as people have them, of two players."""
    import soundfile

    notes = make_notes(
        24,
        instruments="flute",
        labels=["good-sound", "bad-richness"],
        class_imbalance=1,
        duration_range=(0.1, 0.15),
        random_state=0,
    )
    folder = tmp_path / "lessons"
    for take, (waveform, label) in enumerate(zip(notes.data.audio, notes.target)):
        place = folder / "flute" / label
        place.mkdir(parents=True, exist_ok=True)
        soundfile.write(place / f"p{take % 4}-{take}.wav", waveform, 22050)
    (folder / "flute" / ".DS_Store").write_bytes(b"x")
    (folder / "flute" / "good-sound" / "p0-broken.wav").write_bytes(b"RIFF")
    return folder


@pytest.fixture
def stored(monkeypatch):
    """Store models by pickle where the package cannot do it yet."""
    if "save" in sknote.deploy.__all__:
        return

    def save(model, path, **what):
        with open(path, "wb") as file:
            pickle.dump(model, file)
        return path

    def load(path):
        with open(path, "rb") as file:
            return pickle.load(file)

    for function in (save, load):
        monkeypatch.setattr(sknote.deploy, function.__name__, function, raising=False)


PATTERN = "^(?P<player>[^-]+)-"


def test_from_a_folder_to_answers(call, lessons, tmp_path, stored):
    file = tmp_path / "m.sknote"
    options = ["--model", "baseline", "--group-pattern", PATTERN]
    code, out, err = call("train", lessons, "-o", file, *options)
    assert (code, out) == (0, [])
    assert any("p0-broken.wav" in line and "cannot be read" in line for line in err)
    assert any(".DS_Store" in line for line in err)
    assert err[-2:] == ["sknote: 24 notes, 2 labels, 4 groups", f"sknote: wrote {file}"]
    files = sorted(lessons.rglob("p?-[0-9]*.wav"))
    code, out, err = call("predict", file, *files, "--json-lines", "--instrument", "flute")
    assert (code, err) == (0, [])

    notes = sknote.datasets.load_notes(lessons, group_pattern=PATTERN)
    model = sknote.make_baseline_pipeline(classify__random_state=0).fit(notes.data, notes.target)
    expected = model.predict_proba(notes.data).max(axis=1)
    given = {row["file"]: row["probability"] for row in map(json.loads, out)}
    np.testing.assert_allclose([given[path] for path in notes.data.audio], expected, atol=1e-6)


def test_evaluation_gives_the_library_s_numbers(call, lessons):
    from sklearn.model_selection import StratifiedGroupKFold, cross_validate

    options = ["--model", "baseline", "--group-pattern", PATTERN, "--seed", 3, "--folds", 2]
    code, out, _ = call("evaluate", lessons, *options, "--json-lines")
    assert code == 0
    rows = [json.loads(line) for line in out]

    notes = sknote.datasets.load_notes(lessons, group_pattern=PATTERN)
    scores = cross_validate(
        sknote.make_baseline_pipeline(classify__random_state=3),
        notes.data,
        notes.target,
        groups=notes.groups,
        cv=StratifiedGroupKFold(2, shuffle=True, random_state=3),
        scoring=["accuracy", "balanced_accuracy", "f1_macro"],
    )
    assert [row["fold"] for row in rows] == [1, 2]
    assert sum(row["notes"] for row in rows) == 24
    for name in ("accuracy", "balanced_accuracy"):
        assert [row[name] for row in rows] == scores[f"test_{name}"].tolist()
    assert [row["macro_f1"] for row in rows] == scores["test_f1_macro"].tolist()


def test_a_column_of_a_folder_is_refused(lessons, call, tmp_path):
    for words in (("train", lessons, "-o", tmp_path / "a.sknote"), ("evaluate", lessons)):
        code, out, err = call(*words, "--group-column", "player")
        assert (code, out, len(err)) == (2, [], 1)
        assert "--group-column is of a table" in err[0]


def test_evaluation_as_text_has_a_mean_and_warns_of_missing_groups(call, lessons, monkeypatch):
    from sklearn.dummy import DummyClassifier

    monkeypatch.setattr("sknote.cli._evaluate.make_model", lambda options: DummyClassifier())
    code, out, err = call("evaluate", lessons, "--folds", 3)
    assert code == 0
    assert [line.split("\t")[0] for line in out] == ["fold", "1", "2", "3", "mean", "std"]
    assert any("a group of its own" in line for line in err)
    code, out, err = call("evaluate", lessons, "--group-pattern", "(?P<group>p)")
    assert (code, out) == (1, [])
    assert "got 5 folds and 1 groups" in err[-1]


def test_labels_that_are_in_fewer_notes_than_there_are_folds(call, lessons, tmp_path):
    files = sorted(lessons.rglob("*.wav"))
    lines = [f"{file},flute,label-{number}" for number, file in enumerate(files)]
    (tmp_path / "all.csv").write_text("\n".join(["audio,instrument,label", *lines]))
    code, out, err = call("evaluate", tmp_path / "all.csv", "--folds", 2)
    assert (code, out) == (1, [])
    assert "expected a label of 2 notes or more" in err[-1] and "'label-0'" in err[-1]


def test_ctrl_c_keeps_the_folds_that_are_done(call, lessons, monkeypatch):
    from sklearn.dummy import DummyClassifier

    class Slow(DummyClassifier):
        n_fits = []

        def fit(self, X, y):
            self.n_fits.append(1)
            if len(self.n_fits) == 3:
                raise KeyboardInterrupt
            return super().fit(X, y)

    monkeypatch.setattr("sknote.cli._evaluate.make_model", lambda options: Slow())
    code, out, err = call("evaluate", lessons, "--csv")
    assert (code, len(out), err[-1]) == (130, 3, "sknote: interrupted")


def test_what_was_learned_is_kept_where_the_disk_is_full(call, lessons, tmp_path, monkeypatch):
    from sklearn.dummy import DummyClassifier

    saved = []

    def save(model, path, **what):
        if path == tmp_path / "m.sknote":
            raise OSError("save: nothing can be written: No space left on device.")
        saved.append((path, what))

    class Model(DummyClassifier):
        def set_params(self, **params):
            return self

    monkeypatch.setattr(sknote.deploy, "save", save, raising=False)
    monkeypatch.setattr("sknote.cli._train.make_model", lambda options: Model())
    words = ["train", lessons, "-o", tmp_path / "m.sknote", "--licence", "CC0"]
    code, out, err = call(*words, "--model", "baseline")
    ((path, what),) = saved
    assert (code, out) == (1, [])
    assert "No space left" in err[-2]
    assert err[-1] == f"sknote: wrote {path} instead of {tmp_path / 'm.sknote'}"
    data = what["data"]
    assert (data["name"], data["notes"], data["licence"]) == ("lessons", 24, "CC0")
    assert len(data["sha256"]) == 64


def test_one_label_is_too_few_for_any_model(call, put, tmp_path):
    for name in ("lessons/flute/good/a.wav", "lessons/flute/good/b.wav"):
        put(name)
    words = ["train", tmp_path / "lessons", "-o", tmp_path / "m.sknote"]
    for model in ("baseline", "compact"):
        code, out, err = call(*words, "--model", model)
        assert (code, out) == (1, [])
        assert "expected at least two labels, got 'good' alone" in err[-1]


def test_a_pattern_that_fits_no_name_is_said(call, lessons):
    code, out, err = call("evaluate", lessons, "--group-pattern", "^(?P<player>nobody)")
    assert (code, out) == (1, [])
    assert err[-1].endswith("Pass a group_pattern that finds something in the names, or none.")
    assert "25 x no group" in err[-1]


def test_options_become_parameters():
    from sknote.cli._data import make_model
    from sknote.cli._parser import make_parser

    def made(*words):
        return make_model(make_parser().parse_args(["evaluate", "data", *words]))

    params = made("--model", "starter", "--epochs", "7", "--practice", "--seed", "5").get_params()
    assert params["classify__module"] == "starter"
    assert params["classify__max_epochs"] == 7
    assert params["classify__augment"] == "practice"
    assert params["classify__random_state"] == 5
    default, given = sknote.make_note_pipeline().get_params(), made().get_params()
    changed = {name for name in given if "__" in name and given[name] != default[name]}
    assert changed == {"load__n_jobs", "classify__random_state"}
    with pytest.raises(ValueError, match="--epochs and --practice are of networks"):
        made("--model", "baseline", "--practice")


def test_the_help_of_training_says_how_long_it_is(call):
    for command in ("train", "evaluate"):
        assert "(default: 40, and up to 100 where" in " ".join(
            " ".join(call(command, "--help")[1]).split()
        )


TRANSLATING = "translating the model and comparing its answers, which takes about a minute"


def test_an_export_says_that_it_takes_its_time(call, monkeypatch):
    monkeypatch.setattr(sknote.deploy, "load", lambda path: path, raising=False)
    monkeypatch.setattr(sknote.deploy, "export_onnx", lambda model, path: path, raising=False)
    said = [f"sknote: {TRANSLATING}", "sknote: wrote m.onnx"]
    assert call("export", "m.sknote", "--onnx", "m.onnx")[2] == said
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    err = "\n".join(call("export", "m.sknote", "--onnx", "m.onnx")[2])
    assert TRANSLATING in err and "translating: 00:00" in err and "wrote m.onnx" in err


@pytest.mark.parametrize("words", [["--onnx", "b.onnx"], ["page", "--web"]])
def test_a_baseline_is_not_exported_and_that_is_said_at_once(call, words):
    code, out, (said,) = call("export", KEPT / "baseline-1.sknote", *words)
    assert (code, out) == (1, []) and "baseline-1.sknote', got a baseline" in said
    assert said.endswith("Train one without --model baseline.")


@pytest.mark.parametrize("name", ["a.onnx", "new/a.onnx", "."])
def test_what_cannot_be_written_is_said_before_it_is_translated(call, name, monkeypatch, tmp_path):
    monkeypatch.setattr(sknote.deploy, "load", lambda path: path, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.onnx").write_bytes(b"RIFF")
    words = ["--web", name] if name == "." else ["--onnx", name]
    code, out, (said,) = call("export", "m.sknote", *words)
    assert (code, out) == (2, []) and said.startswith("sknote: export: ")


def test_export_and_card_go_by_the_library(call, monkeypatch):
    for name, function in {
        "load": lambda path: ["loaded", path],
        "export_onnx": lambda model, path: f"{path} of {model}",
        "model_card": lambda path: f"# {path}",
    }.items():
        monkeypatch.setattr(sknote.deploy, name, function, raising=False)
    code, out, err = call("export", "m.sknote", "--onnx", "m.onnx")
    assert (code, out, err[-1]) == (0, [], "sknote: wrote m.onnx of ['loaded', 'm.sknote']")
    assert call("card", "m.sknote") == (0, ["# m.sknote"], [])


def test_main_takes_the_words_of_the_process(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["sknote", "--version"])
    assert main() == 0
    assert capsys.readouterr().out.startswith("sknote ")
