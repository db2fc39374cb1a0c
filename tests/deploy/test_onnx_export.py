"""Pipelines that are exported: what can be, what cannot, and what is said of it."""

import sys
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy

import joblib
import numpy as np
import pytest
import torch
from exporting import LENGTHS, OnlyLevel, fit_and_export, noise
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier, StackingClassifier, VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline

from sknote import (
    AudioLoader,
    MFCCSummary,
    NoteClassifier,
    make_baseline_pipeline,
    make_note_pipeline,
)
from sknote.confidence import ConformalClassifier, SelectiveClassifier
from sknote.feature_extraction import FeatureCache
from sknote.model_selection import OptunaSearch

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

from sknote.deploy import OnnxNoteClassifier, export_onnx, save  # noqa: E402

SETTINGS = {
    "long transform": {  # whose length is no power of two
        "spectrogram__scale": "mel",
        "spectrogram__n_fft": 3000,
        "classify__module": OnlyLevel,
    },
    "small hop": {
        "spectrogram__scale": "linear",
        "spectrogram__n_fft": 512,
        "spectrogram__hop_length": 5,
        "classify__module": OnlyLevel,
    },
    "starter": {
        "spectrogram__scale": "linear",
        "spectrogram__normalize": "note",
        "spectrogram__n_fft": 512,
        "classify__module": "starter",
    },
    "analyzer": {
        "spectrogram__scale": "mel",
        "spectrogram__normalize": "band",
        "spectrogram__dtype": "float16",
        "spectrogram__n_fft": None,
        "spectrogram__top_db": 60.0,
        "classify__module": "analyzer",
    },
    "own": {"spectrogram__hop_length": 300, "classify__module": OnlyLevel},
}


@pytest.mark.parametrize("columns", [["audio"], ["instrument", "audio"], None])
def test_however_it_was_fitted(columns, notes, tmp_path):
    X = list(notes.data["audio"]) if columns is None else notes.data[columns]
    params = {"classify__module": OnlyLevel}
    pipeline, exported = fit_and_export(tmp_path / "notes.onnx", X, notes.target, **params)
    np.testing.assert_allclose(exported.predict_proba(X), pipeline.predict_proba(X), atol=1e-5)


@pytest.mark.parametrize("state", ["type", "device"])
def test_whatever_torch_is_set_to(state, notes, tmp_path):
    params = {"classify__module": OnlyLevel, "classify__max_epochs": 1}
    pipeline = make_note_pipeline(**params).fit(notes.data, notes.target)
    try:
        if state == "type":
            torch.set_default_dtype(torch.float64)
        else:
            torch.set_default_device("meta")
        exported = OnnxNoteClassifier(export_onnx(pipeline, tmp_path / "notes.onnx"))
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device("cpu")
    expected = pipeline.predict_proba(notes.data)
    np.testing.assert_allclose(exported.predict_proba(notes.data), expected, atol=1e-5)


def test_several_threads_may_export(notes, tmp_path):
    params = {"classify__module": OnlyLevel}
    pipeline, one = fit_and_export(tmp_path / "0.onnx", notes.data, notes.target, **params)
    paths = [tmp_path / "1.onnx", tmp_path / "2.onnx"]
    with ThreadPoolExecutor(2) as pool:
        for path in pool.map(export_onnx, [pipeline] * 2, paths):
            proba = OnnxNoteClassifier(path).predict_proba(notes.data)
            np.testing.assert_array_equal(proba, one.predict_proba(notes.data))


def test_what_constants_alone_decide_stands_in_the_file(path):
    """Runtimes in browsers need long to find it out."""
    graph = onnx.load(path).graph
    known = {"", *(constant.name for constant in graph.initializer)}
    left = [node.name for node in graph.node if node.input and known.issuperset(node.input)]
    assert not left


@pytest.mark.parametrize("name", SETTINGS)
def test_other_spectrograms_and_networks(name, notes, tmp_path):
    pipeline = make_note_pipeline(
        **SETTINGS[name],
        load__sample_rate=16000,
        load__input_sample_rate=22050,
        load__offset=0.01,
        load__max_duration=1.0,
        classify__max_epochs=1,
        classify__random_state=0,
    )
    _, y = np.unique(notes.target, return_inverse=True)
    pipeline.fit(notes.data, y)
    exported = OnnxNoteClassifier(export_onnx(pipeline, tmp_path / "notes.onnx"))
    assert exported.predict(notes.data).dtype == y.dtype
    for X in (notes.data, [noise(n) for n in LENGTHS if n > 300]):
        expected = pipeline.predict_proba(X)
        np.testing.assert_allclose(exported.predict_proba(X), expected, atol=1e-4)


def test_spectrograms_from_a_cache(notes, tmp_path):
    steps = make_note_pipeline(
        classify__module=OnlyLevel, classify__max_epochs=1, classify__random_state=0
    )
    cached = make_pipeline(FeatureCache(steps[:-1], tmp_path / "features"), steps[-1])
    cached.fit(notes.data, notes.target)
    exported = OnnxNoteClassifier(export_onnx(cached, str(tmp_path / "notes.onnx")))
    expected = cached.predict_proba(notes.data)
    np.testing.assert_allclose(exported.predict_proba(notes.data), expected, atol=1e-5)


def test_a_file_that_fails_its_check_is_not_written(pipeline, path, tmp_path, monkeypatch):
    target = tmp_path / "notes.onnx"
    before = path.read_bytes()
    target.write_bytes(before)
    # what takes long has been done for the fixture
    program = onnx.load(path)
    kept = type("Program", (), {"save": lambda _, to: onnx.save(program, to)})()
    kept.model = type("Model", (), {"metadata_props": {}})()
    monkeypatch.setattr("sknote.deploy._onnx_export._translate", lambda *args: kept)
    with monkeypatch.context() as patched:
        patched.setattr("sknote.deploy._onnx_export._CLOSE", -1.0)
        with pytest.raises(RuntimeError, match=r"on noise and tones .* Nothing was written"):
            export_onnx(pipeline, target)
    assert target.read_bytes() == before
    assert list(tmp_path.iterdir()) == [target]
    export_onnx(pipeline, target)
    assert [one.name for one in sorted(tmp_path.iterdir())] == ["notes.json", "notes.onnx"]


class Branches(OnlyLevel):
    """What it does depends on values, which no graph can say."""

    def forward(self, spectrogram, lengths, instrument):
        if spectrogram.max() > 0:
            return super().forward(spectrogram, lengths, instrument)
        return self.instrument(instrument)


def test_what_cannot_be_exported(notes, tmp_path):
    target = tmp_path / "notes.onnx"
    with pytest.raises(TypeError, match=r"expected a pipeline with the steps .* 'MFCCSummary'"):
        export_onnx(make_baseline_pipeline(), target)
    with pytest.raises(TypeError, match=r"got \['NoteClassifier'\]"):
        export_onnx(NoteClassifier(), target)
    with pytest.raises(NotFittedError, match="export_onnx: expected a fitted pipeline"):
        export_onnx(make_note_pipeline(), target)
    branches = make_note_pipeline(classify__module=Branches, classify__max_epochs=1)
    branches.fit(notes.data, notes.target)
    with pytest.raises(RuntimeError, match=r"Branches could not be exported"):
        export_onnx(branches, target)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        export_onnx(branches, tmp_path / "missing" / "notes.onnx")
    with pytest.raises(ValueError, match=r"export_onnx: .* cannot be the name of a file"):
        export_onnx(branches, "notes\0.onnx")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written(pipeline, tmp_path, monkeypatch):
    with pytest.raises(IsADirectoryError, match="is a folder"):
        export_onnx(pipeline, tmp_path)
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    with pytest.raises(FileExistsError, match=r"export_onnx: expected an ONNX file in .*a\.wav"):
        export_onnx(pipeline, tmp_path / "a.wav")
    for wrong in (None, 3, ""):
        with pytest.raises(TypeError, match="expected the path of a file to write, got"):
            export_onnx(pipeline, wrong)
    fewer = deepcopy(pipeline).set_params(spectrogram__n_bins=50)
    with pytest.raises(ValueError, match=r"fitted on spectrograms of 200 bins .* have 50 bins"):
        export_onnx(fewer, tmp_path / "notes.onnx")

    def refuse(path, *args, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("sknote._files.open", refuse, raising=False)
    with pytest.raises(OSError, match=r"nothing can be written in .*: Permission denied"):
        export_onnx(pipeline, tmp_path / "notes.onnx")


def test_a_missing_package_is_named(pipeline, path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ImportError, match=r"pip install 'sknote\[onnx\]'"):
        OnnxNoteClassifier(path)
    with pytest.raises(ImportError, match=r"export_onnx needs .* 'sknote\[onnx\]'"):
        export_onnx(pipeline, path)


@pytest.fixture(scope="module")
def quick(notes):
    """A pipeline that is exported in little time."""
    pipeline = make_note_pipeline(
        classify__module=OnlyLevel, classify__max_epochs=1, classify__random_state=0
    )
    return pipeline.fit(notes.data, notes.target)


def test_what_was_found_by_a_search(quick, notes, tmp_path):
    X, y = notes.data, notes.target
    whole = GridSearchCV(quick, {"classify__lr": [1e-3]}, cv=2).fit(X, y)
    inner = make_pipeline(*quick[:-1], GridSearchCV(quick[-1], {"lr": [1e-3]}, cv=2)).fit(X, y)
    optuna = OptunaSearch(quick, {"classify__lr": [1e-3]}, n_trials=1, cv=2, random_state=0)
    for i, fitted in enumerate((whole, inner, optuna.fit(X, y), FrozenEstimator(quick))):
        exported = OnnxNoteClassifier(export_onnx(fitted, tmp_path / f"{i}.onnx"))
        np.testing.assert_allclose(exported.predict_proba(X), fitted.predict_proba(X), atol=1e-5)


def test_what_is_around_a_pipeline_is_told_what_to_export(quick, notes, tmp_path):
    X, y = notes.data, notes.target
    good = y == "good-sound"
    members = [("a", quick), ("b", quick)]
    around = {
        "each of the estimators_ of VotingClassifier": VotingClassifier(members, voting="soft"),
        "each of the estimators_ of StackingClassifier": StackingClassifier(members, cv=2),
        "each of the estimators_ of OneVsRest": OneVsRestClassifier(quick),
    }
    for way, model in around.items():
        with pytest.raises(TypeError, match=rf"export_onnx: expected a pipeline .* Take .*{way}"):
            export_onnx(model.fit(X, y), tmp_path / "notes.onnx")
    threshold = FixedThresholdClassifier(quick, threshold=0.6, pos_label=True).fit(X, good)
    with pytest.raises(TypeError, match="Take the estimator_ of FixedThresholdClassifier"):
        export_onnx(threshold, tmp_path / "notes.onnx")
    stack = make_pipeline(quick[0], VotingClassifier([("a", quick[1:])], voting="soft")).fit(X, y)
    with pytest.raises(TypeError, match=r"\['AudioLoader', 'VotingClassifier'\].* in front of it"):
        export_onnx(stack, tmp_path / "notes.onnx")
    for unfitted in (GridSearchCV(quick, {}), CalibratedClassifierCV(quick)):
        with pytest.raises(TypeError, match=r"Fit .* first; a search must have a best_estimator_"):
            export_onnx(unfitted, tmp_path / "notes.onnx")


@pytest.mark.parametrize("write", [export_onnx, save])
def test_what_no_fit_would_help_is_told_before_it(write, tmp_path):
    sets, each = ConformalClassifier(NoteClassifier()), OneVsRestClassifier(NoteClassifier())
    voting = VotingClassifier([("a", NoteClassifier())], voting="soft")
    for inner in (sets, GridSearchCV(sets, {}), each, voting):
        kind = "Voting" if inner is voting else "OneVsRest" if inner is each else "Conformal"
        way = f"Take what is inside of {kind}Classifier after its fit.* by joblib.dump"
        with pytest.raises(TypeError, match=way):
            write(make_note_pipeline(classify=inner), tmp_path / "a")
    for inner in (SelectiveClassifier(NoteClassifier()), NoteClassifier()):
        with pytest.raises(TypeError, match=r"Fit GridSearchCV first"):
            write(make_note_pipeline(classify=GridSearchCV(inner, {})), tmp_path / "a")
    assert not list(tmp_path.iterdir())


def test_a_classifier_without_a_network_is_not_taken_apart(notes, tmp_path):
    forest = make_pipeline(AudioLoader(), MFCCSummary(), RandomForestClassifier(2, random_state=0))
    numbers = notes.data.drop(columns="instrument")
    forest.fit(numbers, notes.target)
    with pytest.raises(TypeError, match=r"make_note_pipeline, or keep the whole by joblib.dump\.$"):
        export_onnx(forest, tmp_path / "notes.onnx")
    joblib.dump(forest, tmp_path / "forest.joblib")
    again = joblib.load(tmp_path / "forest.joblib")
    assert (again.predict(numbers) == forest.predict(numbers)).all()


def test_a_temperature_goes_into_the_file(quick, notes, tmp_path):
    X, y = notes.data, notes.target
    options = {"method": "temperature", "cv": 2, "ensemble": False}
    frozen = CalibratedClassifierCV(FrozenEstimator(quick), method="temperature", cv=2)
    last = CalibratedClassifierCV(FrozenEstimator(quick[-1]), **options)
    last = make_pipeline(*quick[:-1], last)
    refitted = CalibratedClassifierCV(quick, **options)
    searched = GridSearchCV(refitted, {"estimator__classify__lr": [1e-3]}, cv=2)
    two = np.where(y == "good-sound", "good", "bad")
    for i, (model, target) in enumerate([(frozen, y), (last, y), (searched, two)]):
        model.fit(X, target)
        exported = OnnxNoteClassifier(export_onnx(model, tmp_path / f"{i}.onnx"))
        expected = model.predict_proba(X)
        np.testing.assert_allclose(exported.predict_proba(X), expected, atol=1e-5)
        assert model is searched or np.abs(expected - quick.predict_proba(X)).max() > 1e-3
        np.testing.assert_array_equal(exported.predict(X), model.predict(X))


def test_other_calibrations_are_refused(quick, notes, tmp_path):
    X, y = notes.data, notes.target
    frozen = FrozenEstimator(quick)
    for options, estimator in (
        ({"method": "sigmoid", "cv": 2}, frozen),
        ({"method": "isotonic", "cv": 2}, frozen),
        ({"method": "temperature", "cv": 2, "ensemble": True}, quick),
    ):
        model = CalibratedClassifierCV(estimator, **options).fit(X, y)
        n = len(model.calibrated_classifiers_)
        message = rf"one temperature, got .*method='{options['method']}' and {n} .*Calibrate it by "
        with pytest.raises(TypeError, match=message + r".*calibrated_classifiers_\[0\].estimator"):
            export_onnx(model, tmp_path / "notes.onnx")
        with pytest.raises(TypeError, match="one temperature"):
            export_onnx(FrozenEstimator(model), tmp_path / "notes.onnx")
    assert not list(tmp_path.iterdir())
