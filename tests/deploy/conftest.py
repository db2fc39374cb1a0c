"""A pipeline with the default network, exported once, which takes long."""

import pickle
import subprocess
import sys

import pytest

from sknote import make_note_pipeline
from sknote.datasets import make_notes


@pytest.fixture(scope="session")
def notes():
    labels = ["good-sound", "bad-richness", "bad-attack-air", "bad-attack"]
    return make_notes(40, labels=labels, random_state=0)


@pytest.fixture(scope="session")
def pipeline(notes):
    pipeline = make_note_pipeline(classify__max_epochs=2, classify__random_state=0)
    return pipeline.fit(notes.data, notes.target)


@pytest.fixture(scope="session")
def path(pipeline, tmp_path_factory):
    """A file as an app's build makes it: in a new process, from a pickle, without a prediction."""
    for package in ("onnx", "onnxruntime", "onnxscript"):
        pytest.importorskip(package)
    folder = tmp_path_factory.mktemp("onnx")
    (folder / "model.pickle").write_bytes(pickle.dumps(pipeline))
    code = (
        "import pickle, sys; from sknote.deploy import export_onnx\n"
        "export_onnx(pickle.load(open('model.pickle', 'rb')), 'notes.onnx')\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder)
    assert run.returncode == 0, run.stderr
    return folder / "notes.onnx"


@pytest.fixture(scope="session")
def exported(path):
    from sknote.deploy import OnnxNoteClassifier

    return OnnxNoteClassifier(path)
