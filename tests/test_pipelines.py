"""The two pipelines, from recordings to labels."""

import pickle
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknote import (
    AudioLoader,
    MFCCSummary,
    NoteClassifier,
    Spectrogram,
    make_baseline_pipeline,
    make_note_pipeline,
)
from sknote.audio import read_audio
from sknote.confidence import SelectiveClassifier
from sknote.feature_extraction import WaveformAugment
from sknote.nn import NoteModel
from sknote.nn.training._effects import shift_pitch
from sknote.pipelines import NotePipeline, note_model
from sknote.spectral import SpectralAxes, SpectrogramFrontend

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


def test_equal_notes_are_computed_once(recordings, monkeypatch):
    """Files of one name, files of one content, and what is not quite equal."""
    X = recordings[["audio", "instrument"]]
    model = network(classify__max_epochs=1).fit(X, recordings["label"])
    alone = model.predict_proba(X)
    copy = Path(X.audio[0]).with_name("copy.wav")
    copy.write_bytes(Path(X.audio[0]).read_bytes())
    other = X[:1].assign(instrument="bass")
    many = pd.concat([X[:2], *[X[:2]] * 20, X[:1].assign(audio=str(copy)), other])
    counts = {"read": 0, "frontend": 0, "classify": 0}

    def counted(name, function, number):
        def call(*args, **kwargs):
            counts[name] += number(args)
            return function(*args, **kwargs)

        return call

    loading = "sknote.feature_extraction._audio_loader.read_audio"
    monkeypatch.setattr(loading, counted("read", read_audio, lambda args: 1))
    for cls, method, name, at in (
        (SpectrogramFrontend, "forward", "frontend", 1),
        (NoteModel, "logits", "classify", 1),
    ):
        function = counted(name, getattr(cls, method), lambda args, at=at: len(args[at]))
        monkeypatch.setattr(cls, method, function)
    found = model.predict_proba(many)
    assert counts == {"read": 3, "frontend": 2, "classify": 3}
    for row in range(0, 42, 2):
        assert (found[row : row + 2] == found[:2]).all()
    assert (found[42] == found[0]).all()
    np.testing.assert_allclose(found[:2], alone[:2], atol=1e-5)
    np.testing.assert_allclose(found[43], model.predict_proba(other)[0], atol=1e-6)
    assert np.abs(found[43] - found[0]).max() > 1e-5  # after one epoch


@pytest.mark.parametrize("transformer", [AudioLoader(), Spectrogram()])
def test_equal_notes_have_arrays_of_their_own(transformer, tone, recordings):
    X = recordings.audio[[0, 0]] if isinstance(transformer, AudioLoader) else [tone(0.1)] * 2
    first, second = transformer.fit_transform(X)
    kept = second.copy()
    first[:] = 0
    assert (second == kept).all()


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
    ("wrong", "meant"),
    [
        ("max_epochs", "pass classify__max_epochs"),
        ("random_state", "pass classify__random_state"),
        ("sample_rate", "pass load__sample_rate or spectrogram__sample_rate"),
        ("semitones", "pass classify__augment__semitones"),
        ("clasify__lr", "pass classify__lr"),
        ("spectrogram__max_duration", "pass load__max_duration"),
        ("classify__max_epoch", "Did you mean 'classify__max_epochs'"),
        ("Load__sample_rates", "Did you mean '.*sample_rate'"),
        ("clasify", "Did you mean 'classify'"),
        ("max_epoch", "Did you mean 'classify__max_epochs'"),
        ("load__epochs", r"The step has the parameters \['input_sample_rate', 'max_duration'"),
        ("classify__q", r"\['augment', 'axes', 'batch_size', .* 'warm_start', 'weight_decay'\]"),
        ("qqq", "Parameters of a step have its name in front, as in"),
    ],
)
def test_a_parameter_that_there_is_not(wrong, meant):
    with pytest.raises(ValueError, match=rf"^NotePipeline: Invalid .*'{wrong}'\. .*{meant}"):
        make_note_pipeline(**{wrong: 3})
    with pytest.raises(ValueError, match=meant):
        make_note_pipeline().set_params(**{wrong: 3})


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("n_mfcc", "pass mfcc__n_mfcc"),
        ("max_iter", "pass classify__max_iter"),
        ("sample_rate", "pass load__sample_rate or mfcc__sample_rate"),
        ("mfcc__n_mffc", "Did you mean 'mfcc__n_mfcc'"),
    ],
)
def test_a_parameter_that_the_baseline_has_not(wrong, meant):
    with pytest.raises(ValueError, match=rf"^NotePipeline: Invalid .*'{wrong}'\. .*{meant}"):
        make_baseline_pipeline(**{wrong: 3})


def test_steps_and_their_parameters_at_once():
    pipeline = make_note_pipeline(
        classify=HistGradientBoostingClassifier(), classify__max_iter=3, spectrogram="passthrough"
    )
    assert pipeline["classify"].max_iter == 3
    assert make_note_pipeline(classify__augment__semitones=1)["classify"].augment.semitones == 1


@pytest.mark.parametrize(
    ("params", "frame_rate"),
    [
        ({}, 22050 / 512),
        ({"spectrogram__hop_length": 100}, 220.5),
        ({"spectrogram__scale": "linear"}, 22050 / 128),
        ({"load__sample_rate": 8000, "spectrogram__sample_rate": 8000}, 8000 / 512),
        ({"load__sample_rate": 44100}, 44100 / 512),
    ],
)
def test_the_classifier_has_the_axes_of_the_spectrogram(params, frame_rate):
    """One second of sound has as many frames as the classifier believes."""
    pipeline = make_note_pipeline(**params)
    spectrogram = pipeline["spectrogram"]
    believed = pipeline["classify"].axes or SpectralAxes()
    assert believed == spectrogram.axes
    assert believed.frame_rate == pytest.approx(frame_rate)
    second = np.zeros(spectrogram.sample_rate)
    n_frames, n_bins = spectrogram.transform([second])[0].shape
    assert n_frames == pytest.approx(frame_rate, abs=1)
    assert n_bins == believed.n_bins


def test_steps_follow_what_is_set_later(recordings):
    pipeline = clone(make_note_pipeline()).set_params(spectrogram__hop_length=128)
    assert pipeline["classify"].axes.frame_rate == 22050 / 128
    own = SpectralAxes("mel")
    pipeline.set_params(classify__axes=own).set_params(classify__max_epochs=3)
    assert pipeline["classify"].axes is own
    pipeline.set_params(load__sample_rate=44100)
    assert pipeline["spectrogram"].sample_rate == 44100
    assert pipeline["classify"].axes.frame_rate == 44100 / 128
    pipeline.set_params(classify=NoteClassifier())
    assert pipeline["classify"].axes.frame_rate == 44100 / 128
    pipeline.set_params(spectrogram=Spectrogram(44100))
    assert pipeline["classify"].axes.frame_rate == 44100 / 512
    search = GridSearchCV(
        network(classify__max_epochs=1), {"spectrogram__hop_length": [256]}, cv=2, refit=True
    )
    X, y = recordings[["audio", "instrument"]][:12], recordings["label"][:12]
    assert search.fit(X, y).best_estimator_["classify"].axes_.frame_rate == 22050 / 256
    assert baseline(load__sample_rate=16000)["mfcc"].sample_rate == 16000


def test_the_three_classes_by_hand_are_the_pipeline(recordings):
    """Also in a list, where nothing but the defaults can agree."""
    X, y = recordings[["audio", "instrument"]][:20], recordings["label"][:20]
    params = {"max_epochs": 2, "random_state": 0}
    steps = {f"classify__{name}": value for name, value in params.items()}
    for notes in (X, list(X["audio"])):
        by_hand = make_pipeline(AudioLoader(), Spectrogram(), NoteClassifier(**params))
        expected = make_note_pipeline(**steps).fit(notes, y).predict_proba(notes)
        np.testing.assert_array_equal(by_hand.fit(notes, y).predict_proba(notes), expected)


@pytest.mark.parametrize("form", ["frame", "list", "column"])
@pytest.mark.parametrize("params", [{"hop_length": 256}, {"scale": "mel"}, {"f_min": 55.0}])
def test_spectrograms_on_other_axes_are_refused(recordings, form, params):
    """What carries its axes is refused where the shape alone would not tell."""
    frame, y = recordings[["audio"]][:8], recordings["label"][:8]
    X = {"frame": frame, "list": list(frame["audio"]), "column": frame["audio"]}[form]
    other = Spectrogram(**params)
    steps = AudioLoader(), other, NoteClassifier(max_epochs=1)
    match = r"expected spectrograms of 200 bins on a log .*, got some of .* Pass axes="
    with pytest.raises(ValueError, match=match):
        make_pipeline(*steps).fit(X, y)
    steps[-1].set_params(axes=other.axes)
    fitted = make_pipeline(*steps).fit(X, y)
    assert fitted[-1].axes_ == other.axes
    with pytest.raises(ValueError, match="It was fitted on the former"):
        fitted[-1].predict(make_pipeline(*steps[:1], Spectrogram()).fit_transform(X))


@pytest.mark.parametrize("form", ["frame", "list"])
@pytest.mark.parametrize("step", [Spectrogram, MFCCSummary, WaveformAugment])
def test_waveforms_at_another_rate_are_refused(recordings, form, step):
    """They would sound an octave lower, and the shape would not tell."""
    X = recordings[["audio"]][:2] if form == "frame" else list(recordings["audio"][:2])
    waveforms = AudioLoader(44100).fit_transform(X)
    match = r"expected waveforms at 22050 Hz, got some at 44100 Hz. Set sample_rate=44100"
    with pytest.raises(ValueError, match=match):
        step().fit_transform(waveforms)
    step(44100).fit_transform(waveforms)


def test_a_loader_is_no_place_for_spectrograms(recordings):
    X = recordings[["audio"]][:4]
    spectrograms = make_note_pipeline()[:-1].fit_transform(X)
    with pytest.raises(ValueError, match="AudioLoader: expected recordings, got spectrograms"):
        AudioLoader().fit(spectrograms)
    again = AudioLoader().fit_transform(spectrograms.assign(audio=X["audio"]))
    assert again.attrs["spectral_axes"] is None


def test_a_window_of_another_length_is_on_the_same_axes(recordings):
    X, y = list(recordings["audio"])[:8], recordings["label"][:8]
    steps = AudioLoader(), Spectrogram(n_fft=2048, n_bins=120), NoteClassifier(max_epochs=1)
    assert make_pipeline(*steps).fit(X, y)[-1].axes_.n_fft == 2048


@pytest.mark.parametrize(("sample_rate", "n_bins"), [(8000, 167), (16000, 191), (44100, 200)])
def test_other_sample_rates_make_no_band_silent(recordings, sample_rate, n_bins):
    X, y = recordings[["audio", "instrument"]][:8], recordings["label"][:8]
    pipeline = network(load__sample_rate=sample_rate, classify__max_epochs=1).fit(X, y)
    assert pipeline["classify"].axes_.n_bins == n_bins
    assert np.isfinite(pipeline.predict_proba(X)).all()


def test_augmentation_shifts_on_the_axis_of_the_spectrogram(recordings, monkeypatch):
    """Six semitones of 440 Hz are 622 Hz, on any axis."""
    seen = set()

    def spy(values, semitones, axes):
        start = axes.positions(np.array([440.0]))
        seen.add(axes)
        spectrum = torch.eye(axes.n_bins)[round(start[0])][None, None]
        up = shift_pitch(spectrum, torch.tensor([6.0]), axes)
        assert abs(up[0, 0].argmax() - axes.positions(440.0 * 2**0.5)) < 1
        return values

    monkeypatch.setattr("sknote.nn.training._augment.shift_pitch", spy)
    X, y = list(recordings["audio"])[:8], recordings["label"][:8]
    for scale in ("log", "mel", "linear"):
        pipeline = network(spectrogram__scale=scale, classify__augment__semitones=6)
        pipeline.set_params(classify__max_epochs=1, load__sample_rate=16000).fit(X, y)
        assert seen == {pipeline["spectrogram"].axes}
        seen.clear()


def test_one_module_answers_as_the_pipeline(recordings):
    """Note by note, from waveforms, for each way to normalize."""
    X, y = recordings[["audio", "instrument"]][:12], recordings["label"][:12]
    starter = {"classify__module": "starter", "classify__module_params": None}
    for params in ({}, {"spectrogram__normalize": "note"}, starter):
        pipeline = network(**params, classify__max_epochs=1).fit(X, y)
        model = note_model(pipeline)
        waveforms = pipeline["load"].transform(X)["audio"]
        known = pipeline["classify"].instruments_
        for waveform, instrument, expected in zip(
            waveforms, X["instrument"], pipeline.predict_proba(X)
        ):
            code = torch.tensor([known.index(instrument) + 1])
            batch = torch.from_numpy(waveform)[None], torch.tensor([len(waveform)]), code
            with torch.inference_mode():
                proba = model(*batch)[0]
            np.testing.assert_allclose(proba, expected, atol=1e-5)


def test_a_module_of_a_changed_pipeline_is_refused(recordings):
    X, y = recordings[["audio", "instrument"]][:12], recordings["label"][:12]
    pipeline = network(classify__max_epochs=1).fit(X, y)
    with pytest.raises(ValueError, match=r"fitted on spectrograms of .* and now they have"):
        note_model(pipeline.set_params(spectrogram__hop_length=256))


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


@pytest.mark.parametrize("as_path", [str, Path])
def test_a_memory_that_goes_by_paths_is_warned_of(as_path, tmp_path, tone, encode):
    paths = [tmp_path / f"{i}.wav" for i in range(4)]
    for i, path in enumerate(paths):
        path.write_bytes(encode(tone(0.2, 200.0 + 100 * i)))
    X, y = [as_path(path) for path in paths], ["a", "b"] * 2
    pipeline = make_baseline_pipeline(memory=str(tmp_path / "memory"), classify__max_iter=2)
    for data in (X, pd.DataFrame({"audio": X, "instrument": "flute"})):
        with pytest.warns(UserWarning, match="memory goes by the paths .* FeatureCache"):
            pipeline.fit(data, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pipeline.fit([path.read_bytes() for path in paths], y)
        pipeline.set_params(memory=None).fit(X, y)


def test_what_is_for_a_step_has_its_name_in_front():
    with pytest.raises(ValueError, match=r"NotePipeline: fit got 'groups'.* classify__groups="):
        make_note_pipeline().fit([np.zeros(99)] * 4, list("abab"), groups=[1, 2, 3, 4])


FOREST = RandomForestClassifier(n_estimators=5, random_state=0)


@pytest.mark.parametrize(
    "step",
    [
        FOREST,
        SelectiveClassifier(FOREST),
        FrozenEstimator(FOREST),
        GridSearchCV(FOREST, {"max_depth": [3]}),
        make_pipeline(StandardScaler(), FOREST),
    ],
)
def test_a_step_that_takes_tables_is_refused_behind_spectrograms(step):
    sounds = [np.zeros(4000, np.float32)] * 4
    words = r"NotePipeline: (RandomForest|StandardS)\w+ takes a table of numbers, .*MFCC"
    for X in (sounds, pd.DataFrame({"audio": pd.Series(sounds, dtype=object)})):
        with pytest.raises(ValueError, match=words):
            make_note_pipeline(classify=step).fit(X, list("abab"))
    loaded = NotePipeline([("load", AudioLoader()), ("classify", step)])
    with pytest.raises(ValueError, match=words):
        loaded.fit(X, list("abab"))


def test_a_step_that_may_take_spectrograms_is_not_refused():
    sounds = [np.random.default_rng(i).normal(0, 0.1, 4000).astype(np.float32) for i in range(8)]
    y = list("abababab")
    make_note_pipeline(classify=DummyClassifier()).fit(sounds, y)
    waveforms = NotePipeline([("load", AudioLoader()), ("classify", FOREST)])
    assert waveforms.fit(np.stack(sounds), y).predict(np.stack(sounds)).shape == (8,)
    summary = NotePipeline([("load", AudioLoader()), ("mfcc", MFCCSummary()), ("classify", FOREST)])
    assert summary.fit(sounds, y).predict(sounds).shape == (8,)
