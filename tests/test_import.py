"""What an import costs and brings along, measured in processes of their own."""

import subprocess
import sys

import pytest

import sknote

HEAVY = {"torch", "librosa", "numba", "pandas", "matplotlib", "sklearn", "scipy"}


def modules_after(code):
    """Names of the packages that are loaded after `code` has run in a new process."""
    script = code + "\nimport sys; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    return set(run(script).split())


def run(script):
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_is_instant():
    script = "from time import perf_counter as t; s = t(); import sknote; print(t() - s)"
    assert min(float(run(script)) for _ in range(5)) < 0.1


def test_import_brings_nothing_heavy():
    assert modules_after("import sknote") & HEAVY == set()


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import sknote.audio", {"torch", "librosa", "numba", "pandas", "sklearn"}),
        ("from sknote import AudioLoader", {"torch", "librosa", "numba", "matplotlib"}),
        ("from sknote import LabelHierarchy", {"torch", "librosa", "numba", "matplotlib"}),
        ("import sknote.datasets, sknote.model_selection, sknote.deploy", {"sklearn", "pandas"}),
        ("from sknote.spectral import SpectralAxes", {"torch", "sklearn", "scipy"}),
        (
            "from sknote import Spectrogram; Spectrogram().fit_transform([[0.0] * 9])",
            {"skorch", "optuna", "librosa"},
        ),
        ("from sknote.nn import CompactNet", {"optuna", "librosa"}),
        ("from sknote.datasets import load_good_sounds", {"torch", "optuna", "librosa"}),
        ("from sknote.model_selection import check_folds, report_epoch", {"torch", "optuna"}),
    ],
)
def test_a_room_brings_only_what_it_needs(code, absent):
    assert modules_after(code) & absent == set()


def test_neither_librosa_nor_numba_is_on_the_way_to_a_prediction():
    code = """
import numpy as np
from sklearn.pipeline import make_pipeline
from sknote import AudioLoader, NoteClassifier, Spectrogram
notes = [np.sin(np.arange(3000) * (0.1 + 0.1 * (i % 2))).astype("float32") for i in range(8)]
small = {"n_profiles": 2, "n_cepstra": 1, "channels": 8, "n_members": 4, "width": 32}
classifier = NoteClassifier(max_epochs=1, module_params=small)
pipeline = make_pipeline(AudioLoader(), Spectrogram(), classifier)
pipeline.fit(notes, ["good", "bad"] * 4).predict(notes)
"""
    assert modules_after(code) & {"librosa", "numba", "matplotlib"} == set()


@pytest.mark.parametrize("package", ["datasets", "deploy", "model_selection"])
def test_lazy_names_are_listed_and_there(package):
    module = getattr(sknote, package)
    assert module.__all__ == sorted(module.__all__)
    assert set(module.__all__) <= set(dir(module))
    for name in module.__all__:
        assert getattr(module, name).__name__ == name
    with pytest.raises(AttributeError, match=f"module 'sknote.{package}' has no attribute 'x'"):
        module.x  # noqa: B018


@pytest.mark.parametrize("name", sknote.__all__)
def test_every_public_name_is_there(name):
    assert name in dir(sknote)
    assert getattr(sknote, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'sknote' has no attribute 'NoteClasifier'"):
        sknote.NoteClasifier  # noqa: B018


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("sknote.datasets", ["make_notes", "load_philharmonia", "load_good_sounds"]),
        ("sknote.nn", ["NoteAnalyzer", "SimpleStarterModel", "SpectrogramAugment"]),
        ("sknote.metrics", ["hierarchical_precision_recall_fscore", "instrument_report"]),
        ("sknote.model_selection", ["OptunaSearch"]),
    ],
)
def test_the_fixed_names_are_where_they_are_promised(module, names):
    found = __import__(module, fromlist=names)
    assert set(names) <= set(found.__all__)
    for name in names:
        assert hasattr(found, name)
