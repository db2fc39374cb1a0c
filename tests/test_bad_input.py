"""Bad input to the whole pipelines: one clear error, or a stated and finite result."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from sknote import (
    AudioLoader,
    MFCCSummary,
    Spectrogram,
    make_baseline_pipeline,
    make_note_pipeline,
)
from sknote.datasets import make_notes
from sknote.exceptions import AudioDecodeError, AudioDecodeWarning
from sknote.feature_extraction import FeatureCache, WaveformAugment

RATE = 22050
PIPELINES = {
    "network": make_note_pipeline(
        classify__max_epochs=2,
        classify__module_params={
            "n_profiles": 2,
            "n_cepstra": 1,
            "channels": 8,
            "n_members": 4,
            "width": 32,
        },
        classify__random_state=0,
    ),
    "baseline": make_baseline_pipeline(classify__max_iter=2, classify__random_state=0),
}
LABELS = np.array(["good sound", "bad>x"] * 4)


@pytest.fixture(params=PIPELINES)
def pipeline(request):
    return clone(PIPELINES[request.param])


@pytest.fixture(scope="module", params=PIPELINES)
def fitted(request):
    return clone(PIPELINES[request.param]).fit(frame(), LABELS)


def note(i=0, seconds=0.3):
    time = np.arange(round(seconds * RATE) + i) / RATE
    return (0.3 * np.sin(2 * np.pi * 440 * (1 + i % 2) * time)).astype(np.float32)


def frame():
    instrument = ["oboe", "bass", "oboe", "bass"] * 2
    return pd.DataFrame({"audio": [note(i) for i in range(8)], "instrument": instrument})


def with_first(audio):
    X = frame()
    X["audio"] = [audio, *X["audio"][1:]]
    return X


def check_finite(pipeline, X):
    proba = pipeline.predict_proba(X)
    assert proba.shape == (len(X), 2)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, rtol=1e-6)
    assert set(pipeline.predict(X)) <= set(LABELS)


@pytest.fixture
def bad_paths(tmp_path, encode):
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "text.mp3").write_text("I am a text file.")
    (tmp_path / "noise.flac").write_bytes(np.random.default_rng(0).bytes(1000))
    (tmp_path / "silent.wav").write_bytes(encode(np.zeros(0)))
    return {
        "missing.wav": "there is no such file",
        "empty.wav": r"it is empty \(0 bytes\)",
        "text.mp3": "it is no readable sound file",
        "noise.flac": "it is no readable sound file",
        "silent.wav": r"it holds no sound \(0 samples\)",
        ".": "it is a directory",
    }


def test_paths_that_are_no_recordings(pipeline, tmp_path, bad_paths):
    for name, reason in bad_paths.items():
        match = rf"AudioLoader: '.*' \(row 0\) could not be decoded: {reason}.*on_error='warn'"
        with pytest.raises(AudioDecodeError, match=match):
            pipeline.fit(with_first(tmp_path / name), LABELS)


def test_with_warn_they_are_named_and_silent(pipeline, tmp_path, bad_paths):
    pipeline.set_params(load__on_error="warn")
    X = frame()
    X["audio"] = [tmp_path / name for name in bad_paths] + list(X["audio"][6:])
    with pytest.warns(AudioDecodeWarning) as record:
        pipeline.fit(X, LABELS)
    of_loader = [str(one.message).startswith("AudioLoader: ") for one in record]
    assert sum(of_loader) == len(bad_paths)
    named = "no sound in rows 0, 1, 2, 3, 4 and 1 more"  # by who leaves them out
    assert all(named in str(one.message) for one, is_its in zip(record, of_loader) if not is_its)
    with pytest.warns(AudioDecodeWarning):
        proba = pipeline.predict_proba(X)
        silence = pipeline.predict_proba(with_first(np.zeros(0, np.float32)))
    assert np.isfinite(proba).all()
    np.testing.assert_allclose(proba[0], silence[0], atol=1e-6)


def test_a_truncated_file(fitted, tmp_path, encode):
    path = tmp_path / "cut.wav"
    path.write_bytes(encode(note(seconds=1.0))[:20_000])
    match = r"cut\.wav' \(row 0\): the header promises 1\.000 s of sound, there are only 0\.45"
    with pytest.warns(AudioDecodeWarning, match=match):
        proba = fitted.predict_proba(with_first(path))
    assert np.isfinite(proba).all()


SOUNDS = {
    "zero-length": np.zeros(0, np.float32),
    "one sample": np.array([0.5], np.float32),
    "two samples": np.array([0.5, -0.5]),
    "shorter than a hop": note(seconds=0.01),
    "silent": np.zeros(5000),
    "constant": np.full(5000, 0.7),
    "at full scale": np.ones(5000),
    "clipped": np.clip(5 * note(), -1, 1),
    "beyond full scale": 1e4 * note(),
    "very soft": 1e-12 * note(),
    "denormal": np.full(5000, 1e-40, np.float32),
    "2 channels": np.stack([note(), 0.5 * note()], axis=1),
    "2 channels first": np.stack([note(), 0.5 * note()]),
    "8 bit": (note() * 127 + 128).astype(np.uint8),
    "16 bit": (note() * 32767).astype(np.int16),
    "half precision": note().astype(np.float16),
    "double precision": note().astype(np.float64),
    "one click": np.eye(1, 5000, 2500)[0],
}


@pytest.mark.filterwarnings("ignore::sknote.exceptions.AudioDecodeWarning")
@pytest.mark.parametrize("name", SOUNDS)
def test_odd_sounds_are_predicted(fitted, name):
    check_finite(fitted, with_first(SOUNDS[name]))


@pytest.mark.filterwarnings("ignore::sknote.exceptions.AudioDecodeWarning")
def test_odd_sounds_are_learned_from(pipeline):
    X = list(SOUNDS.values())
    y = LABELS[np.arange(len(X)) % 2]
    check_finite(pipeline.fit(X, y), X)


def test_ten_minutes(fitted):
    long = np.tile(note(seconds=1.0), 600)
    proba = fitted.predict_proba(with_first(long))
    assert np.isfinite(proba).all()
    alone = fitted.predict_proba(with_first(long)[:1])
    np.testing.assert_allclose(proba[:1], alone, atol=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_refused_with_their_row(fitted, bad):
    spoilt = note()
    spoilt[100] = bad
    match = r"AudioLoader: .* \(row 0\) could not be decoded: it contains NaN or infinity"
    with pytest.raises(AudioDecodeError, match=match):
        fitted.predict(with_first(spoilt))


@pytest.mark.parametrize("n_labels", [0, 7, 9])
def test_x_and_y_of_different_length(pipeline, n_labels):
    y = np.array(["good sound", "bad>x"] * 5)[:n_labels]
    with pytest.raises(ValueError, match=r"inconsistent numbers of samples|0 sample"):
        pipeline.fit(frame(), y)


def test_one_class_only():
    with pytest.raises(ValueError, match="at least 2 classes, got 1 class: 'good'"):
        clone(PIPELINES["network"]).fit(frame(), ["good"] * 8)
    # scikit-learn's boosting takes it, and knows nothing else
    assert set(clone(PIPELINES["baseline"]).fit(frame(), ["good"] * 8).predict(frame())) == {"good"}


def test_a_class_with_one_member(pipeline):
    y = np.array(["common"] * 7 + ["rare"])
    for weight in (None, "balanced"):
        pipeline.set_params(classify__class_weight=weight).fit(frame(), y)
        assert pipeline.predict_proba(frame()).shape == (8, 2)
        assert pipeline.classes_.tolist() == ["common", "rare"]


def test_every_class_with_one_member(pipeline):
    y = np.array([f"class {i}" for i in range(8)])
    proba = pipeline.fit(frame(), y).predict_proba(frame())
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, rtol=1e-6)


def test_a_validation_part_that_cannot_be_made_says_why():
    pipeline = clone(PIPELINES["network"]).set_params(classify__validation_fraction=0.2)
    with pytest.raises(ValueError, match=r"no group can be set aside.*without a validation"):
        pipeline.fit(frame(), [f"class {i}" for i in range(8)])
    with pytest.raises(ValueError, match="at least 2 groups are needed"):
        pipeline.fit(frame(), LABELS, classify__groups=["all"] * 8)


@pytest.mark.parametrize("missing", [None, np.nan])
def test_a_missing_group_is_named(missing):
    pipeline = clone(PIPELINES["network"]).set_params(classify__validation_fraction=0.2)
    with pytest.raises(ValueError, match=r"NoteClassifier: .* group of row 3 is missing"):
        pipeline.fit(frame(), LABELS, classify__groups=["a", "b", "c", missing] * 2)


@pytest.mark.parametrize(
    "names",
    [
        ["good-attack-accent>", "good-attack-accent^"],
        ["a b", "a  b"],
        ["ä/ö", "日本"],
        ["x" * 300, "x" * 299],
        ["1", "2"],
    ],
)
def test_labels_are_kept_as_they_are(pipeline, names):
    y = np.array(names * 4)
    pipeline.fit(frame(), y)
    assert pipeline.classes_.tolist() == sorted(names)
    assert set(pipeline.predict(frame())) <= set(names)


@pytest.mark.parametrize("blank", ["", " ", "\t\n", "\u3000"])
@pytest.mark.parametrize("kind", [np.array, list, pd.Series, lambda y: np.array(y, dtype=object)])
def test_empty_labels_are_refused(blank, kind):
    y = kind(["good", "bad", blank, "good"] * 2)
    match = r"NoteClassifier: expected labels in y, the label of row 2 is empty: .* \(2 in all\)"
    with pytest.raises(ValueError, match=match):
        clone(PIPELINES["network"]).fit(frame(), y)


@pytest.mark.parametrize("missing", [None, np.nan])
def test_missing_labels_are_refused(missing):
    y = np.array(["good", missing] * 4, dtype=object)
    with pytest.raises(ValueError, match="label of row 1 is missing"):
        clone(PIPELINES["network"]).fit(frame(), y)


@pytest.mark.filterwarnings("ignore:NoteClassifier. fit never heard the instrument")
@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, "never heard of"])
def test_missing_and_new_instruments(fitted, missing):
    X = frame()
    X.loc[::2, "instrument"] = missing
    check_finite(fitted, X)
    X = frame().assign(instrument=missing)
    check_finite(fitted, X)


def test_an_instrument_that_is_no_string(pipeline):
    with pytest.raises(ValueError, match=r"name of an instrument .* got 7 in row 0"):
        pipeline.fit(frame().assign(instrument=7), LABELS)


def test_without_instruments(pipeline):
    check_finite(pipeline.fit(frame()[["audio"]], LABELS), frame()[["audio"]])
    check_finite(pipeline.fit(list(frame()["audio"]), LABELS), list(frame()["audio"]))


def test_a_frame_without_audio(pipeline, fitted):
    X = frame().rename(columns={"audio": "recording"})
    match = r"column 'audio', got the columns \['recording', 'instrument'\].*'recording': 'audio'"
    with pytest.raises(ValueError, match=match):
        pipeline.fit(X, LABELS)
    with pytest.raises(ValueError, match=match):
        fitted.predict(X)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: X.rename(columns={"instrument": "Oboe"}), "unseen at fit time:\n- Oboe"),
        (lambda X: X.assign(player="pablo"), "unseen at fit time:\n- player"),
    ],
)
def test_other_columns_at_predict(fitted, change, message):
    with pytest.raises(ValueError, match=message):
        fitted.predict(change(frame()))


def test_without_instruments_after_instruments(fitted):
    unknown = fitted.predict_proba(frame().assign(instrument=None))
    audio = list(frame()["audio"])
    for X in (frame()[["audio"]], audio, pd.Series(audio)):
        np.testing.assert_allclose(fitted.predict_proba(X), unknown, atol=1e-6)
    for waveform in audio:  # of another length each
        proba = fitted.predict_proba(waveform[None])
        np.testing.assert_allclose(proba, fitted.predict_proba([waveform]), atol=1e-6)


def test_every_form_after_every_form(pipeline):
    """What `fit` saw decides only whether rows of an array have one length."""
    audio = np.stack([note(seconds=0.2)] * 8) * np.linspace(0.1, 1, 8, dtype=np.float32)[:, None]
    forms = {
        "list": list(audio),
        "DataFrame": pd.DataFrame({"audio": list(audio), "instrument": "oboe"}),
        "array": audio,
    }
    for fit_on, X in forms.items():
        pipeline.fit(X, LABELS)
        audios = [forms["list"], forms["DataFrame"][["audio"]], audio]
        expected = pipeline.predict_proba(audios[0])
        for other in audios if fit_on == "DataFrame" else forms.values():
            np.testing.assert_allclose(pipeline.predict_proba(other), expected, atol=1e-5)
    with pytest.raises(ValueError, match="X has 4411 features, but AudioLoader is expecting 4410"):
        pipeline.predict(np.pad(audio, ((0, 0), (0, 1))))


@pytest.mark.parametrize("empty", [[], frame().iloc[:0], np.empty(0, dtype=object)])
def test_no_notes_at_all(pipeline, fitted, empty):
    with pytest.raises(ValueError, match="AudioLoader: expected at least 1 note"):
        pipeline.fit(empty, [])
    with pytest.raises(ValueError, match="AudioLoader: expected at least 1 note"):
        fitted.predict(empty)


def test_a_single_path_is_no_sequence(fitted):
    with pytest.raises(ValueError, match=r"AudioLoader: .* of type str\. Pass \[X\]"):
        fitted.predict("note.wav")


def test_unfitted(pipeline):
    for method in ("predict", "predict_proba"):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            getattr(pipeline, method)(frame())
        with pytest.raises(NotFittedError, match=r"This .* instance is not fitted yet"):
            getattr(pipeline[-1], method)(frame())


def test_an_instrument_in_another_spelling_is_said_once(fitted):
    X = frame().assign(instrument=["Oboe", "bass", None, None] * 2)
    unknown = fitted.predict_proba(X.assign(instrument=[None, "bass", None, None] * 2))
    match = r"the unknown instrument 'Oboe', which counts as such\. Did you mean 'oboe'\?"
    for predict in (fitted.predict, fitted.predict_proba):
        with pytest.warns(UserWarning, match=match) as record:
            found = predict(X)
        assert len(record) == 1
    np.testing.assert_array_equal(found, unknown)


def test_two_spellings_of_an_instrument_in_fit_are_said(pipeline):
    X = frame()
    X["instrument"] = ["oboe", "Oboe", "bass", "bass"] * 2
    with pytest.warns(UserWarning, match="got 'Oboe' and 'oboe', which count as different"):
        pipeline.fit(X, LABELS)


@pytest.mark.parametrize("make", [AudioLoader, WaveformAugment])
def test_no_jobs_at_all_are_refused(make):
    with pytest.raises(ValueError, match="'n_jobs' parameter"):
        make(n_jobs=0).fit([note()])


@pytest.mark.parametrize("make", [Spectrogram, MFCCSummary])
def test_windows_without_bound_are_refused(make):
    with pytest.raises(ValueError, match="expected n_fft of at most 1048576, got 1000000000"):
        make(n_fft=10**9).fit([note()]).transform([note()])


def test_a_cache_without_a_name_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("", " "):
        with pytest.raises(ValueError, match="expected cache_dir to be the path of a folder"):
            FeatureCache(Spectrogram(), name).fit([note()])
    assert not list(tmp_path.iterdir())


def test_a_file_is_no_folder_for_notes(tmp_path):
    (tmp_path / "notes").write_text("mine")
    with pytest.raises(ValueError, match="expected out_dir to be a folder, got the file"):
        make_notes(3, out_dir=tmp_path / "notes")
    assert (tmp_path / "notes").read_text() == "mine"
