"""Exported pipelines: the same answers as the pipeline's, for any note, without torch."""

import io
import json
import pickle
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import soundfile
from exporting import LENGTHS, OnlyLevel, fit_and_export, noise

from sknote.exceptions import AudioDecodeError, AudioDecodeWarning

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

from sknote.deploy import OnnxNoteClassifier  # noqa: E402


def frame(audio, instrument):
    column = pd.Series(list(audio), dtype=object)
    return pd.DataFrame({"audio": column, "instrument": instrument})


def test_it_answers_as_the_pipeline(pipeline, exported, notes):
    difference = exported.predict_proba(notes.data) - pipeline.predict_proba(notes.data)
    difference = np.abs(difference).max(axis=1)
    assert np.mean(difference < 1e-5) >= 0.95
    assert difference.max() < 2e-3  # where two bins are equally strong, rounding says which is it
    np.testing.assert_array_equal(exported.predict(notes.data), pipeline.predict(notes.data))
    np.testing.assert_array_equal(exported.classes_, pipeline.classes_)
    assert exported.classes_.dtype == pipeline.classes_.dtype
    assert exported.sample_rate == 22050


@pytest.mark.filterwarnings("ignore:.*(there is no sound in|it is empty)")
@pytest.mark.parametrize("n_samples", LENGTHS)
def test_notes_of_any_length(pipeline, exported, n_samples):
    waveform = noise(n_samples)
    expected = pipeline.predict_proba([waveform])
    np.testing.assert_allclose(exported.predict_proba([waveform]), expected, atol=1e-5)


@pytest.mark.filterwarnings("ignore:.*there is no sound in")
@pytest.mark.parametrize("level", [0.0, 1e-4, 30.0])
def test_levels(pipeline, exported, level):
    waveform = level * noise(22050)
    expected = pipeline.predict_proba([waveform])
    np.testing.assert_allclose(exported.predict_proba([waveform]), expected, atol=1e-5)


def test_a_note_alone_and_among_others(exported, notes):
    together = exported.predict_proba(notes.data)
    alone = [exported.predict_proba(notes.data[i : i + 1])[0] for i in range(len(notes.data))]
    np.testing.assert_allclose(together, alone, atol=1e-5)


@pytest.mark.filterwarnings("ignore:.*(there is no sound in|it is empty)")
def test_notes_of_all_lengths_in_one_batch(exported, monkeypatch):
    waveforms = [noise(n, seed=n) for n in LENGTHS[::-1]]
    expected = np.concatenate([exported.predict_proba([one]) for one in waveforms])
    padded = np.zeros((len(waveforms), max(LENGTHS)), np.float32)
    for row, waveform in zip(padded, waveforms):
        if len(waveform) > 1:  # a single sample is no sound
            row[: len(waveform)] = waveform
    feed = {"waveform": padded, "length": np.array(LENGTHS[::-1])}
    feed["instrument"] = np.zeros(len(waveforms), np.int64)
    found = exported._session.run(None, feed)[0]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    # however many are held, or computed, at a time
    for held, samples in ((1, 1), (10_000, 40_000), (1 << 20, 1 << 20)):
        monkeypatch.setattr("sknote.deploy._onnx_classifier._HELD", held)
        monkeypatch.setattr("sknote.deploy._onnx_classifier._SAMPLES", samples)
        np.testing.assert_allclose(exported.predict_proba(waveforms), expected, atol=1e-5)


def test_answers_do_not_depend_on_threads(path, exported, monkeypatch):
    monkeypatch.setattr("sknote.deploy._onnx_classifier._SAMPLES", 20_000)
    waveforms = [noise(n) for n in LENGTHS[3:] * 2]
    expected = exported.predict_proba(waveforms)
    for n_threads in (1, 3):
        found = OnnxNoteClassifier(path, n_threads=n_threads).predict_proba(waveforms)
        np.testing.assert_array_equal(found, expected)


def test_instruments(pipeline, exported, notes):
    waveform = notes.data["audio"].iloc[0]
    names = [exported.instruments_[0], exported.instruments_[-1], "kazoo", None, np.nan]
    X = frame([waveform] * len(names), pd.Series(names, dtype=object))
    found = exported.predict_proba(X)
    np.testing.assert_allclose(found, pipeline.predict_proba(X), atol=1e-5)
    assert not np.allclose(found[0], found[1])
    for row in (3, 4):  # all of them unknown
        np.testing.assert_allclose(found[row], found[2], atol=1e-6)
    np.testing.assert_array_equal(exported.predict_proba([waveform] * 5, names), found)
    alone = exported.predict_proba([waveform], names[1])[0]
    np.testing.assert_allclose(alone, found[1], atol=1e-5)
    missing = frame([waveform], pd.array([pd.NA], dtype="string"))
    np.testing.assert_allclose(exported.predict_proba(missing)[0], found[2], atol=1e-5)


def test_forms_of_X(exported):
    waveforms = np.stack([noise(3000, seed) for seed in range(3)])
    expected = exported.predict_proba(list(waveforms))
    np.testing.assert_array_equal(exported.predict_proba(waveforms), expected)
    np.testing.assert_array_equal(exported.predict_proba(pd.Series(list(waveforms))), expected)
    np.testing.assert_allclose(expected.sum(axis=1), 1.0, rtol=1e-12)


def test_a_misspelt_column_of_instruments_is_refused(exported):
    X = pd.DataFrame({"audio": [noise(3000)], "instrumnt": ["flute"]})
    with pytest.raises(ValueError, match="expected the column 'instrument', got 'instrumnt'"):
        exported.predict_proba(X)
    other = X.rename(columns={"instrumnt": "teacher"})
    assert exported.predict_proba(other).shape == (1, len(exported.classes_))
    assert exported.predict_proba(X, instrument="flute").shape == (1, len(exported.classes_))


def test_answers_that_are_not_finite_are_those_of_a_damaged_file(exported, monkeypatch):
    answer = np.full((1, len(exported.classes_)), np.nan)
    monkeypatch.setattr(exported, "_session", SimpleNamespace(run=lambda *args: [answer]))
    with pytest.raises(ValueError, match=r"the note in row 0 is not finite; .* probably damaged"):
        exported.predict([noise(3000)])
    with pytest.raises(ValueError, match=r"the note in row 0 \(index 'x'\) is not finite"):
        exported.predict(pd.DataFrame({"audio": [noise(3000)]}, index=["x"]))


@pytest.mark.parametrize("shape", [(1, 4), (3, 4), (2, 1), (2, 4, 1), (4,), ()])
def test_answers_of_another_shape_are_those_of_a_damaged_file(exported, monkeypatch, shape):
    answer = np.full(shape, 0.25)
    monkeypatch.setattr(exported, "_session", SimpleNamespace(run=lambda *args: [answer]))
    with pytest.raises(ValueError, match=r"probably damaged: expected .* \(2, 4\), got"):
        exported.predict_proba([noise(3000), noise(3001)])


@pytest.mark.filterwarnings("ignore:.*(there is no sound in|it is empty)")
def test_recordings_that_cannot_be_decoded(notes, tmp_path):
    params = {"classify__module": OnlyLevel, "load__on_error": "warn"}
    path = tmp_path / "notes.onnx"
    pipeline, exported = fit_and_export(path, notes.data, notes.target, **params)
    expected = exported.predict_proba([noise(3000), noise(0)])
    for model in (pipeline, exported):
        with pytest.warns(AudioDecodeWarning, match=r"missing.wav' \(row 1\) .* An empty waveform"):
            proba = model.predict_proba([noise(3000), tmp_path / "missing.wav"])
        np.testing.assert_allclose(proba, expected, atol=1e-5)
    with pytest.raises(AudioDecodeError, match=r"missing.wav' .* Pass on_error='warn'"):
        OnnxNoteClassifier(path, on_error="raise").predict([tmp_path / "missing.wav"])


def test_files_are_decoded_and_resampled(pipeline, exported, tmp_path):
    paths = [tmp_path / "a.wav", str(tmp_path / "b.flac")]
    soundfile.write(paths[0], np.stack([noise(44100, seed) for seed in (1, 2)], axis=1), 44100)
    soundfile.write(paths[1], noise(20000, 3), 48000)
    sources = [*paths, paths[0].read_bytes()]
    expected = pipeline.predict_proba(sources)
    np.testing.assert_allclose(exported.predict_proba(sources), expected, atol=1e-5)


def test_a_pickle_opens_the_file_again(exported, monkeypatch, tmp_path):
    waveform = noise(8000)
    monkeypatch.chdir(tmp_path)
    again = pickle.loads(pickle.dumps(exported))
    np.testing.assert_array_equal(
        again.predict_proba([waveform]), exported.predict_proba([waveform])
    )


def test_neither_torch_nor_scikit_learn_is_imported(path, tmp_path):
    code = (
        "import sys, numpy as np\n"
        "from sknote.deploy import OnnxNoteClassifier\n"
        f"classifier = OnnxNoteClassifier({str(path)!r})\n"
        "print(classifier.predict([np.zeros(9000, np.float32)])[0])\n"
        "heavy = {'torch', 'sklearn', 'pandas', 'librosa', 'scipy', 'onnx'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert run.returncode == 0, run.stderr


def test_what_cannot_be_read(path, tmp_path):
    for wrong in (None, 3, b"notes.onnx"):
        with pytest.raises(TypeError, match="expected the path of a file, got"):
            OnnxNoteClassifier(wrong)
    for n_threads in (0, 2.5, "2", 1025):
        with pytest.raises(ValueError, match="expected n_threads from 1 to 1024"):
            OnnxNoteClassifier(path, n_threads=n_threads)
    with pytest.raises(ValueError, match="expected on_error 'raise', 'warn' or None, got 'skip'"):
        OnnxNoteClassifier(path, on_error="skip")
    with pytest.raises(FileNotFoundError, match=r"there is no file .*missing.onnx"):
        OnnxNoteClassifier(tmp_path / "missing.onnx")
    text = tmp_path / "text.onnx"
    text.write_text("no graph")
    with pytest.raises(ValueError, match="could not be read as an ONNX file"):
        OnnxNoteClassifier(text)
    text.write_bytes(b"\x80\x04\x95pickle")
    with pytest.raises(ValueError, match=r"expected an ONNX file, got a pickle .*joblib.load"):
        OnnxNoteClassifier(text)
    text.write_bytes(b"PK" + bytes(30))
    with pytest.raises(ValueError, match=r"expected an ONNX file, got a zip .*sknote.deploy.load"):
        OnnxNoteClassifier(text)
    model = onnx.load(path)
    about = json.loads(model.metadata_props[0].value)
    model.metadata_props[0].value = json.dumps(about | {"format": 99})
    onnx.save(model, tmp_path / "newer.onnx")
    with pytest.raises(ValueError, match=r"has format 99, .* reads formats 1 to 3"):
        OnnxNoteClassifier(tmp_path / "newer.onnx")
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(ValueError, match="not written by sknote"):
        OnnxNoteClassifier(tmp_path / "other.onnx")


def test_bad_input(exported, tmp_path):
    waveform = noise(1000)
    for single in ("a4.wav", io.BytesIO(), bytearray(3)):
        kind = type(single).__name__
        with pytest.raises(ValueError, match=rf"a single one of type {kind}. Pass \[X\] instead"):
            exported.predict(single)
    for single in (waveform, pd.Series(waveform), list(waveform)):
        with pytest.raises(ValueError, match=r"of 1000 numbers. Pass \[X\] instead of X"):
            exported.predict(single)
    empty = np.zeros((3, 0))
    for X in (None, {"audio": [waveform]}, np.zeros((1, 2, 300)), iter([waveform]), empty):
        with pytest.raises(ValueError, match="expected a DataFrame with a column 'audio', a seq"):
            exported.predict(X)
    with pytest.raises(ValueError, match=r"a column 'audio', got the columns \['sound'\]. Rename"):
        exported.predict(pd.DataFrame({"sound": [waveform]}))
    with pytest.raises(ValueError, match=r"a string\) for each note, got 3 in row 1"):
        exported.predict([waveform, waveform], ["flute", 3])
    with pytest.raises(ValueError, match="each of 1 notes, got 2"):
        exported.predict([waveform], ["flute", "oboe"])
    for instrument in (3, {"flute": 1}, b"flute", np.array("flute"), pd.DataFrame({"a": ["b"]})):
        with pytest.raises(ValueError, match="name of an instrument, or one for each note, got"):
            exported.predict([waveform], instrument)
    with pytest.raises(AudioDecodeError, match=r"missing.wav' \(row 1\) .* there is no such file"):
        exported.predict([waveform, tmp_path / "missing.wav"])
    with pytest.raises(AudioDecodeError, match=r"\(row 0\) .* NaN"):
        exported.predict([np.full(100, np.nan)])
    with pytest.raises(ValueError, match=r"\(row 1\) .* go up to .*e\+3\d, .* Divide them"):
        exported.predict([waveform, 1e37 * waveform])
    with pytest.raises(ValueError, match="at least 1 note"):
        exported.predict([])


def test_foreign_metadata_in_a_file(path, tmp_path):
    model = onnx.load(path)
    about = json.loads(model.metadata_props[0].value)
    rate = about["read"] | {"sample_rate": -1}
    for change in ({"classes": about["classes"][:-1]}, {"read": rate}, {"instruments": None}):
        model.metadata_props[0].value = json.dumps(about | change)
        onnx.save(model, tmp_path / "odd.onnx")
        with pytest.raises(ValueError, match=r"odd.onnx' is not as .* Export the pipeline again"):
            OnnxNoteClassifier(tmp_path / "odd.onnx")


def test_a_graph_that_fails(exported, monkeypatch):
    session = exported._session

    def run(names, feed):
        if (feed["length"] == 1000).any():
            raise RuntimeError("[ONNXRuntimeError] : 2")
        return session.run(names, feed)

    monkeypatch.setattr(exported, "_session", SimpleNamespace(run=run))
    for held in (1, 2500, 1 << 20):
        monkeypatch.setattr("sknote.deploy._onnx_classifier._HELD", held)
        for row in (0, 2):
            waveforms = [noise(2000), noise(990), noise(3000)]
            waveforms[row] = noise(1000)
            message = rf"notes.onnx' cannot compute the note in row {row}: \[ONNX"
            with pytest.raises(ValueError, match=message):
                exported.predict(waveforms)


def test_files_of_older_versions_take_one_note_at_a_time(tmp_path):
    """Their graphs have no batch; this one adds the waveform to what each instrument has."""
    helper, types = onnx.helper, onnx.TensorProto
    table = np.array([[0, 1], [2, 0]], np.float32)
    nodes = [
        helper.make_node("Abs", ["waveform"], ["size"]),
        helper.make_node("ReduceSum", ["size"], ["sum"], keepdims=0),
        helper.make_node("Gather", ["table", "instrument"], ["row"]),
        helper.make_node("Mul", ["row", "sum"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"]),
    ]
    graph = helper.make_graph(
        nodes, "g",
        [
            helper.make_tensor_value_info("waveform", types.FLOAT, ["n"]),
            helper.make_tensor_value_info("instrument", types.INT64, []),
        ],
        [helper.make_tensor_value_info("probabilities", types.FLOAT, [2])],
        [onnx.numpy_helper.from_array(table, "table")],
    )  # fmt: skip
    model = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18)])
    read = {"sample_rate": 100, "input_rate": None, "offset": 0.0, "max_duration": None}
    about = {"format": 1, "classes": ["a", "b"], "dtype": "<U1", "instruments": ["flute"]}
    helper.set_model_props(
        model, {"sknote": json.dumps(about | {"read": read, "on_error": "raise"})}
    )
    onnx.save(model, tmp_path / "old.onnx")
    exported = OnnxNoteClassifier(tmp_path / "old.onnx")
    proba = exported.predict_proba([[0.5, -0.5], [0.125, -0.125]] * 3, ["flute", None] * 3)
    expected = [[np.e**2 / (1 + np.e**2)], [1 / (1 + np.e**0.25)]] * 3
    np.testing.assert_allclose(proba[:, :1], expected, rtol=1e-6)


def test_it_shows_what_it_holds(exported, path):
    shown = repr(exported)
    for part in (str(path), "22050 Hz", "4 classes (bad-attack, bad-attack-air, bad-richness, ..."):
        assert part in shown
    assert f"{len(exported.instruments_)} instruments" in shown


def test_an_instrument_in_another_spelling(exported):
    waveform, name = noise(3000), exported.instruments_[0]
    with pytest.warns(UserWarning, match=rf"unknown instrument .*Did you mean '{name}'") as record:
        found = exported.predict_proba([waveform] * 3, f"{name.title()} ")
    assert len(record) == 1
    np.testing.assert_array_equal(found, exported.predict_proba([waveform] * 3))


def test_frames_of_polars(exported, notes):
    polars = pytest.importorskip("polars")
    X = notes.data[:3]
    audio = [polars.Series(waveform) for waveform in X["audio"]]
    given = polars.DataFrame({"audio": audio, "instrument": X["instrument"].to_list()})
    np.testing.assert_array_equal(exported.predict_proba(given), exported.predict_proba(X))
