"""The two pipelines, from recordings to labels."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict

from sknote import (
    AudioLoader,
    MFCCSummary,
    NoteClassifier,
    Spectrogram,
    make_baseline_pipeline,
    make_note_pipeline,
)
from sknote.nn import SpectrogramAugment

SMALL = {
    "classify__module_params": {
        "n_profiles": 2,
        "n_cepstra": 1,
        "channels": 8,
        "n_members": 4,
        "width": 32,
    }
}


def network(**params):
    settings = {"classify__max_epochs": 30, "classify__lr": 0.01, "classify__random_state": 0}
    return make_note_pipeline(**SMALL | settings | params)


def baseline(**params):
    return make_baseline_pipeline(
        **{"classify__max_iter": 10, "classify__random_state": 0} | params
    )


@pytest.fixture(scope="module")
def recordings(tmp_path_factory, tone, encode):
    """48 files: a steady tone, or one that swells; groups are pitches."""
    folder = tmp_path_factory.mktemp("recordings")
    rows = []
    for i in range(48):
        hz = 220 * 2 ** ((i // 4) / 12)
        samples = tone(0.25 + 0.01 * i, hz, 0.3, 22050)
        if i % 2:
            samples *= np.linspace(0.01, 1, len(samples), dtype=np.float32)
        format = ("WAV", "FLAC", "OGG")[i % 3]
        path = folder / f"{i}.{format.lower()}"
        path.write_bytes(encode(samples, 22050, format))
        rows.append(
            (str(path), ("oboe", "bass")[i // 2 % 2], ("steady", "swelling")[i % 2], i // 4)
        )
    return pd.DataFrame(rows, columns=["audio", "instrument", "label", "group"])


@pytest.mark.parametrize("make", [network, baseline])
def test_learns_from_files_by_group(recordings, make):
    X, y, groups = recordings[["audio", "instrument"]], recordings["label"], recordings["group"]
    predicted = cross_val_predict(make(), X, y, groups=groups, cv=GroupKFold(2))
    assert (predicted == y).mean() > 0.85


@pytest.mark.parametrize("make", [network, baseline])
def test_other_columns_are_not_learned_from(recordings, make):
    X, y = recordings[["audio", "instrument"]][:12], recordings["label"][:12]
    more = X.assign(cheat=(y == "steady").astype(float), path=X["audio"], take=range(12))
    expected = make().fit(X, y).predict_proba(X)
    np.testing.assert_allclose(make().fit(more, y).predict_proba(more), expected, atol=1e-6)


def test_steps():
    pipeline = make_note_pipeline()
    assert list(pipeline.named_steps) == ["load", "spectrogram", "classify"]
    assert [type(step) for step in pipeline.named_steps.values()] == [
        AudioLoader,
        Spectrogram,
        NoteClassifier,
    ]
    pipeline = make_baseline_pipeline()
    assert list(pipeline.named_steps) == ["load", "mfcc", "classify"]
    assert [type(step) for step in pipeline.named_steps.values()] == [
        AudioLoader,
        MFCCSummary,
        HistGradientBoostingClassifier,
    ]


def test_parameters_go_to_their_steps():
    pipeline = make_note_pipeline(load__max_duration=3.0, classify__max_epochs=7)
    assert pipeline.named_steps["load"].max_duration == 3.0
    assert pipeline.named_steps["classify"].max_epochs == 7
    assert make_baseline_pipeline(mfcc__n_mfcc=13).named_steps["mfcc"].n_mfcc == 13
    for make in (make_note_pipeline, make_baseline_pipeline):
        with pytest.raises(ValueError, match="Invalid parameter 'epochs'"):
            make(classify__epochs=7)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, None),
        ({"spectrogram__hop_length": 100}, 220.5),
        ({"spectrogram__scale": "linear", "spectrogram__hop_length": None}, 22050 / 128),
        ({"load__sample_rate": 8000, "spectrogram__sample_rate": 8000}, None),
        ({"load__sample_rate": 44100}, 44100 / 512),
        ({"classify__frame_rate": 50.0}, 50.0),
    ],
)
def test_the_classifier_knows_the_frame_rate(params, expected):
    """One second of sound has as many frames as the classifier believes."""
    pipeline = make_note_pipeline(**params)
    spectrogram = pipeline.named_steps["spectrogram"]
    believed = pipeline.named_steps["classify"].frame_rate
    if expected is not None:
        assert believed == pytest.approx(expected)
    if "classify__frame_rate" not in params:
        second = np.zeros(spectrogram.sample_rate)
        assert len(spectrogram.transform([second])[0]) == pytest.approx(believed, abs=1)


def test_steps_follow_what_is_set_later(recordings):
    pipeline = clone(make_note_pipeline()).set_params(spectrogram__hop_length=128)
    assert pipeline["classify"].frame_rate == 22050 / 128
    pipeline.set_params(classify__frame_rate=50.0).set_params(classify__max_epochs=3)
    assert pipeline["classify"].frame_rate == 50.0
    pipeline.set_params(load__sample_rate=44100)
    assert pipeline["spectrogram"].sample_rate == 44100
    assert pipeline["classify"].frame_rate == 44100 / 128
    pipeline.set_params(spectrogram=Spectrogram(44100, scale="log"))
    assert pipeline["classify"].frame_rate == 44100 / 512
    search = GridSearchCV(
        network(classify__max_epochs=1), {"spectrogram__hop_length": [256]}, cv=2, refit=True
    )
    X, y = recordings[["audio", "instrument"]][:12], recordings["label"][:12]
    assert search.fit(X, y).best_estimator_["classify"].frame_rate_ == 22050 / 256
    assert baseline(load__sample_rate=16000)["mfcc"].sample_rate == 16000


@pytest.mark.parametrize(("sample_rate", "n_bins"), [(8000, 167), (16000, 191), (44100, 200)])
def test_other_sample_rates_make_no_band_silent(recordings, sample_rate, n_bins):
    X, y = recordings[["audio", "instrument"]][:8], recordings["label"][:8]
    pipeline = network(load__sample_rate=sample_rate, classify__max_epochs=1).fit(X, y)
    assert pipeline["classify"].n_bins_ == n_bins
    assert np.isfinite(pipeline.predict_proba(X)).all()


def test_augmentation_has_the_axis_of_the_spectrogram():
    assert make_note_pipeline()["classify"].augment == "auto"
    assert make_note_pipeline(classify__augment=None)["classify"].augment is None
    for scale in ("mel", "linear"):
        pipeline = make_note_pipeline(spectrogram__scale=scale, load__sample_rate=16000)
        augment = pipeline["classify"].augment
        assert (augment.scale, augment.sample_rate) == (scale, 16000)
        pipeline.set_params(spectrogram__scale="log")
        assert pipeline["classify"].augment.scale == "log"
    own = SpectrogramAugment(semitones=2)
    given = {"spectrogram__scale": "mel", "classify__augment": own}
    assert make_note_pipeline(**given)["classify"].augment is own
    pipeline = make_note_pipeline(classify__augment=own).set_params(spectrogram__scale="mel")
    assert pipeline["classify"].augment.get_params() == own.get_params() | {"scale": "mel"}
    assert own.scale == "log"
    pipeline = make_note_pipeline(spectrogram__scale="mel", classify__augment__semitones=2)
    augment = pipeline["classify"].augment
    assert (augment.scale, augment.semitones) == ("mel", 2)


def test_steps_that_are_not_the_usual_ones_are_left_alone():
    pipeline = make_note_pipeline(spectrogram="passthrough", classify=DummyClassifier())
    pipeline.set_params(load__sample_rate=8000)
    with pytest.raises(ValueError, match="'n_fft' parameter of Spectrogram"):
        make_note_pipeline(spectrogram__n_fft="long").fit([np.zeros(100)] * 2, [0, 1])
    with pytest.raises(ValueError, match="'hop_length' parameter of Spectrogram"):
        make_note_pipeline(spectrogram__hop_length="long").fit([np.zeros(100)] * 2, [0, 1])
    assert make_note_pipeline()[:-1].set_params(load__sample_rate=8000)[1].sample_rate == 8000


@pytest.mark.parametrize("make", [network, baseline])
def test_clone_and_pickle(recordings, make):
    X, y = recordings[["audio", "instrument"]][:12], recordings["label"][:12]
    pipeline = make(load__n_jobs=2).fit(X, y)
    expected = pipeline.predict_proba(X)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(pipeline)).predict_proba(X), expected)
    np.testing.assert_allclose(clone(pipeline).fit(X, y).predict_proba(X), expected, atol=1e-6)


@pytest.mark.parametrize("make", [network, baseline])
def test_paths_bytes_and_waveforms_give_the_same(recordings, make):
    X, y = list(recordings["audio"])[:12], recordings["label"][:12]
    contents = []
    for path in X:
        with open(path, "rb") as file:
            contents.append(file.read())
    waveforms = AudioLoader().transform(X)
    pipeline = make().fit(X, y)
    expected = pipeline.predict_proba(X)
    np.testing.assert_array_equal(pipeline.predict_proba(contents), expected)
    np.testing.assert_array_equal(pipeline.predict_proba(list(waveforms)), expected)


@pytest.mark.parametrize("module", ["starter", "analyzer"])
def test_the_networks_of_the_literature_on_their_spectrogram(recordings, module):
    X, y = recordings[["audio", "instrument"]][:8], recordings["label"][:8]
    pipeline = make_note_pipeline(
        spectrogram__scale="linear",
        spectrogram__n_fft=512,
        spectrogram__hop_length=128,
        spectrogram__normalize="note",
        classify__module=module,
        classify__max_epochs=1,
        classify__augment=None,
    )
    proba = pipeline.fit(X, y).predict_proba(X)
    assert np.isfinite(proba).all()
    assert pipeline[-1].net_.module_.focus[0] == pytest.approx(22050 / 128)


@pytest.mark.data
@pytest.mark.parametrize("make", [network, baseline])
def test_real_recordings(real_data, make):
    paths = sorted(real_data("philharmonia").glob("oboe/*.mp3"))[::8]
    X = pd.DataFrame({"audio": paths, "instrument": "oboe"})
    y = [path.stem.split("_")[3] for path in paths]
    pipeline = make().fit(X, y)
    assert np.isfinite(pipeline.predict_proba(X)).all()
    assert pipeline.score(X, y) > 1 / len(set(y))
