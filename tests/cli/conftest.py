"""What tests of the command line share: recordings, a quick model, and one in ONNX."""

import json
import warnings

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.pipeline import Pipeline

import sknote.deploy
from sknote import AudioLoader
from sknote.cli import main
from sknote.exceptions import NoSoundWarning


class ByLevel(ClassifierMixin, BaseEstimator):
    """Tells loud notes from soft ones; what a note is judged with does not matter."""

    seen = ()

    def fit(self, X=None, y=None):
        self.classes_ = np.array(["loud", "soft"])
        return self

    def __getstate__(self):  # what it was asked is no part of what it is
        return {name: one for name, one in super().__getstate__().items() if name != "seen"}

    def predict_proba(self, X):
        peaks = np.array([np.abs(waveform).max() for waveform in X.audio])
        self.seen = [*self.seen, (len(X), X.instrument.tolist())]
        if (rows := np.flatnonzero(peaks < 1e-9)).size:
            text = f"NoteClassifier: there is no sound in rows {rows}"
            warnings.warn(NoSoundWarning(text, rows), stacklevel=2)
        if (peaks > 2).any():
            raise ValueError("too loud for me")
        return np.stack([peaks, 1 - peaks], axis=1)


@pytest.fixture
def model(monkeypatch, tmp_path, tone):
    """Put a model of a moment into the place of the file ``model.sknote``; gives its classifier."""
    loader, classifier = AudioLoader(), ByLevel().fit()
    X = sknote._input.frames.make_frame([0], [tone(0.1)], ["audio", "instrument"], "pandas")
    pipeline = Pipeline([("load", loader.fit(X)), ("classify", classifier)])

    def load(path):
        if "absent" in str(path):
            raise FileNotFoundError(f"load: there is no file {path!r}.")
        return pipeline

    monkeypatch.setattr(sknote.deploy, "load", load, raising=False)
    return classifier


@pytest.fixture
def onnx_model(tmp_path):
    """Write a file as `export_onnx` does, whose graph tells loud notes from soft ones."""
    return _write_onnx(tmp_path / "level.onnx", [])


@pytest.fixture
def flute_model(tmp_path):
    """The same, of a model that knows an instrument."""
    return _write_onnx(tmp_path / "flute.onnx", ["flute"])


def _write_onnx(path, instruments):
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper

    inputs = [
        helper.make_tensor_value_info("waveform", TensorProto.FLOAT, ["n_samples"]),
        helper.make_tensor_value_info("instrument", TensorProto.INT64, []),
    ]
    output = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [2])
    nodes = [
        helper.make_node("Constant", [], ["nothing"], value_floats=[0.0]),
        helper.make_node("Abs", ["waveform"], ["size"]),
        helper.make_node("Concat", ["nothing", "size"], ["sizes"], axis=0),
        helper.make_node("ReduceMax", ["sizes"], ["peak"], keepdims=1),
        helper.make_node("Constant", [], ["one"], value_floats=[1.0]),
        helper.make_node("Sub", ["one", "peak"], ["rest"]),
        helper.make_node("Concat", ["peak", "rest"], ["probabilities"], axis=0),
    ]
    graph = helper.make_graph(nodes, "level", inputs, [output])
    file = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    about = {
        "format": 1,
        "classes": ["loud", "soft"],
        "dtype": "<U4",
        "instruments": instruments,
        "read": {"sample_rate": 22050, "input_rate": None, "offset": 0.0, "max_duration": None},
        "on_error": "raise",
    }
    helper.set_model_props(file, {"sknote": json.dumps(about)})
    onnx.save(file, path)
    return path


@pytest.fixture
def put(tmp_path, tone, encode):
    """Write a recording of a tone with a given peak, or bytes, below the folder of the test."""

    def make(name, peak=0.75, contents=None):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if contents is None:
            contents = encode(tone(0.05, 551.25, peak), subtype="FLOAT")
        path.write_bytes(contents)
        return str(path)

    return make


@pytest.fixture
def call(capsys):
    """Call the command line; gives the exit code, and what was printed and said, as lines."""

    def run(*words):
        code = main([str(word) for word in words])
        out, err = capsys.readouterr()
        return code, out.splitlines(), err.splitlines()

    return run
