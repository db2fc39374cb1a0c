"""An environment with the runtime alone: what a file needs to be asked there, and nothing else."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from torch import nn

import sknote
from sknote import make_note_pipeline
from sknote.datasets import make_notes

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

PROJECT = Path(sknote.__file__).parents[1]
PACKAGES = ["numpy", "soundfile", "soxr", "onnxruntime"]  # as the documentation names them
OTHERS = ["torch", "sklearn", "pandas", "skorch", "librosa", "joblib", "tqdm", "scipy", "onnx"]

ASK = """
import importlib.util, json, sys
from sknote.audio import read_audio
from sknote.deploy import OnnxNoteClassifier
path, *files = sys.argv[1:]
classifier = OnnxNoteClassifier(path)
waveform, error, _ = read_audio(files[0], sample_rate=classifier.sample_rate)
said = {
    "proba": classifier.predict_proba(files, instrument="flute").tolist(),
    "labels": classifier.predict(files, instrument="flute").tolist(),
    "n_samples": len(waveform),
    "there": [name for name in OTHERS if importlib.util.find_spec(name)],
}
print(json.dumps(said))
"""


class Mean(nn.Module):
    def __init__(self, num_instruments, num_classes, n_bins):
        super().__init__()
        self.instruments = nn.Embedding(num_instruments, num_classes)
        self.layer = nn.Linear(n_bins, num_classes)

    def forward(self, spectrogram, lengths, instrument):
        mean = spectrogram.sum(dim=1) / lengths[:, None]
        return self.layer(mean) + self.instruments(instrument)


def run(*words, **options):
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, **options)
    if done.returncode and "No matching distribution found" in done.stderr:
        pytest.skip("no index of packages can be reached")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """The interpreter of an environment that was made by the two documented lines."""
    folder = tmp_path_factory.mktemp("runtime")
    source = folder / "source"  # a build leaves files behind
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(PROJECT / name, source)
    shutil.copytree(PROJECT / "sknote", source / "sknote")
    run(sys.executable, "-m", "venv", "--without-pip", folder / "venv")
    python = folder / "venv" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
    run(*pip, "--no-deps", source)
    run(*pip, "-c", PROJECT / "constraints.txt", *PACKAGES)
    return python


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_file_is_asked_with_four_packages_alone(python, tmp_path):
    labels = ["good-sound", "bad-richness", "bad-attack"]
    notes = make_notes(9, labels=labels, duration_range=(0.1, 0.4), random_state=0)
    pipeline = make_note_pipeline(
        spectrogram__n_fft=512, spectrogram__scale="mel", spectrogram__n_bins=16,
        classify__module=Mean, classify__max_epochs=1, classify__random_state=0,
    )  # fmt: skip
    pipeline.fit(notes.data, notes.target)
    from sknote.deploy import OnnxNoteClassifier, export_onnx

    path = export_onnx(pipeline, tmp_path / "notes.onnx")
    files = []
    for i, waveform in enumerate(notes.data["audio"]):
        kind, rate = [("wav", 22050), ("flac", 44100), ("ogg", 48000)][i % 3]
        files.append(tmp_path / f"{i}.{kind}")
        soundfile.write(files[-1], waveform, rate)
    expected = OnnxNoteClassifier(path).predict_proba(files, instrument="flute")
    labels = pipeline.classes_[expected.argmax(axis=1)].tolist()

    said = json.loads(run(python, "-c", f"OTHERS = {OTHERS}{ASK}", path, *files, cwd=tmp_path))
    assert said["there"] == []
    assert said["labels"] == labels
    assert said["n_samples"] == len(notes.data["audio"].iloc[0])
    np.testing.assert_allclose(said["proba"], expected, atol=1e-6)

    command = [python.with_name("sknote"), "predict", path, *files, "--instrument", "flute"]
    rows = [json.loads(line) for line in run(*command, "--json-lines").splitlines()]
    assert [row["label"] for row in rows] == labels
    probabilities = [row["probability"] for row in rows]
    np.testing.assert_allclose(probabilities, expected.max(axis=1), atol=2e-6)
