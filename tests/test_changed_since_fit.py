"""What was fitted never answers about spectrograms that are made in another way than in fit."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from sknote import (
    AudioLoader,
    MFCCSummary,
    NoteClassifier,
    Spectrogram,
    make_baseline_pipeline,
    make_note_pipeline,
)
from sknote.deploy import NoteStream, load, save
from sknote.feature_extraction import FeatureCache
from sknote.pipelines import note_model

RATE = 8000
NETWORK = {"n_profiles": 2, "n_cepstra": 1, "channels": 8, "n_members": 2, "width": 16}
PARAMS = {"module_params": NETWORK, "max_epochs": 1, "augment": None, "random_state": 0}
Y = np.array(["high", "low"] * 4)


def waveforms():
    time = np.arange(2048) / RATE
    return [np.sin(2 * np.pi * (300 + 400 * (i % 2)) * time).astype(np.float32) for i in range(8)]


FORMS = {
    "list": waveforms,
    "table": lambda: pd.DataFrame({"audio": pd.Series(waveforms(), dtype=object)}),
    "array": lambda: np.stack(waveforms()),
}


@pytest.fixture(scope="module", params=FORMS)
def form(request):
    return FORMS[request.param]()


@pytest.fixture(scope="module")
def fitted(form):
    steps = AudioLoader(RATE), Spectrogram(RATE, n_fft=512), NoteClassifier(**PARAMS)
    steps[2].set_params(axes=steps[1].axes)
    return make_pipeline(*steps).fit(form, Y)


@pytest.mark.parametrize(
    "changed",
    [
        {"n_fft": 1024},
        {"top_db": 30.0},
        {"normalize": "note"},
        {"hop_length": 256},
    ],
)
def test_another_spectrogram_is_refused_until_it_is_fitted(fitted, form, changed):
    model = copy.deepcopy(fitted)
    expected = model.predict_proba(form)
    model[1].set_params(**changed)
    with pytest.raises(ValueError, match=rf"since fit was changed .*{next(iter(changed))} from"):
        model.predict_proba(form)
    with pytest.raises(ValueError, match="Fit the pipeline again"):
        note_model(model)
    with pytest.raises(ValueError, match="Fit the pipeline again"):
        NoteStream(model, sample_rate=RATE)
    model[1].set_params(**fitted[1].get_params())
    np.testing.assert_array_equal(model.predict_proba(form), expected)


@pytest.mark.parametrize("changed", [{"n_fft": 1024}, {"top_db": 30.0}, {"normalize": "note"}])
@pytest.mark.parametrize("name", ["list", "table"])
def test_spectrograms_say_how_they_were_made(changed, name, tmp_path):
    X = FORMS[name]()
    same, other = Spectrogram(RATE, n_fft=512), Spectrogram(RATE, n_fft=512).set_params(**changed)
    model = NoteClassifier(axes=same.axes, **PARAMS).fit(same.fit_transform(X), Y)
    message = (
        rf"NoteClassifier: expected spectrograms like those of fit.* {next(iter(changed))} from"
    )
    for made in (other, FeatureCache(other, tmp_path)):
        with pytest.raises(ValueError, match=message):
            model.predict(made.fit_transform(X))
    with pytest.raises(ValueError, match=message):
        model.partial_fit(other.transform(X), Y)
    whole = make_pipeline(AudioLoader(RATE), other, pickle.loads(pickle.dumps(model)))
    with pytest.raises(ValueError, match=message):
        whole.predict(X)
    assert model.fit(other.fit_transform(X), Y).predict(other.transform(X)).shape == (8,)


def test_features_of_a_cache_that_was_changed_are_refused(form, tmp_path):
    cache = FeatureCache(make_pipeline(AudioLoader(RATE), Spectrogram(RATE)), tmp_path).fit(form)
    cache.set_params(transformer__spectrogram__n_bins=20)
    with pytest.raises(ValueError, match="n_bins of Spectrogram from 167 to 20"):
        cache.transform(form)
    assert cache.fit_transform(form)[0].shape[-1] == 20 if isinstance(form, list) else True


@pytest.mark.parametrize("changed", [{"n_fft": 1024}, {"hop_length": 256}, {"n_mels": 48}])
def test_another_table_of_numbers_is_refused(form, changed, tmp_path):
    settings = {"load__sample_rate": RATE, "classify__max_iter": 2, "classify__min_samples_leaf": 1}
    model = make_baseline_pipeline(mfcc__n_mfcc=4, **settings).fit(form, Y)
    path = save(model, tmp_path / "a.sknote")
    for one in (model, load(path)):
        one.set_params(**{f"mfcc__{name}": value for name, value in changed.items()})
        for answer in (one.predict, lambda X, one=one: save(one, path)):
            with pytest.raises(
                ValueError, match=f"MFCCSummary: since fit was changed .*{next(iter(changed))}"
            ):
                answer(form)


def test_what_was_loaded_knows_what_it_was_fitted_on(tmp_path):
    X = waveforms()
    settings = {f"classify__{name}": value for name, value in PARAMS.items()}
    model = make_note_pipeline(load__sample_rate=RATE, **settings).fit(X, Y)
    found = load(save(model, tmp_path / "a.sknote"))
    np.testing.assert_array_equal(found.predict_proba(X), model.predict_proba(X))
    found.set_params(spectrogram__n_fft=1024)
    with pytest.raises(ValueError, match="n_fft from 4096 to 1024"):
        found.predict(X)
    with pytest.raises(ValueError, match="save: since the classifier was fitted was changed n_fft"):
        save(found, tmp_path / "b.sknote")
    found.steps[1] = ("spectrogram", Spectrogram(RATE, n_fft=1024))
    with pytest.raises(ValueError, match=r"NoteClassifier: .* n_fft from 4096 to 1024"):
        found.predict(X)


def test_how_recordings_are_read_may_change(fitted, form):
    model = copy.deepcopy(fitted)
    model[0].set_params(max_duration=0.2, on_error="warn", n_jobs=2)
    model[1].set_params(n_threads=1, n_fft=512)
    model[2].set_params(n_threads=1, lr=1.0, level="relative")
    if not isinstance(form, np.ndarray):
        model.predict(form)
    model[0].set_params(sample_rate=2 * RATE)
    with pytest.raises(ValueError, match=r"AudioLoader: .* sample_rate from 8000 to 16000"):
        model.predict(form)


@pytest.mark.parametrize("one", [AudioLoader(), Spectrogram(), MFCCSummary()])
def test_a_transformer_that_was_never_fitted_follows_its_parameters(one):
    made = clone(one).set_params(sample_rate=RATE)
    if one.__class__ is MFCCSummary:
        made.fit(waveforms())
    assert len(made.transform(waveforms())) == 8
