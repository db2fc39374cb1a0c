"""Notes without any sound: no part of the training, and answered by the frequencies of classes."""

import io
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknote import NoteClassifier, Spectrogram, make_baseline_pipeline, make_note_pipeline
from sknote.confidence import SelectiveClassifier
from sknote.datasets import make_notes
from sknote.exceptions import AudioDecodeWarning, NoSoundWarning
from sknote.spectral._silence import is_silent, silent_notes

SMALL = {"n_profiles": 1, "n_cepstra": 1, "channels": 8, "n_members": 4, "width": 32}
SILENT = {
    "no sample": np.zeros(0, np.float32),
    "one sample": np.zeros(1, np.float32),
    "one frame": np.zeros(300, np.float32),
    "digital silence": np.zeros(9000, np.float32),
    "a single sample that is not 0": np.full(1, 0.5),
    "an offset alone": np.ones(5000),
    "silence in 16 bit": np.zeros(9000, np.int16),
    "an inverted channel": np.outer(np.sin(np.arange(9000.0)), [0.5, -0.5]),
    "no recording": b"this is no recording",
    "no file": "no/such/file.wav",
    "an empty file": io.BytesIO(),
}


def pipeline(**params):
    defaults = {"load__on_error": "warn", "classify__module_params": SMALL}
    defaults |= {"classify__max_epochs": 2, "classify__random_state": 0}
    return make_note_pipeline(**defaults | params)


@pytest.fixture(scope="module")
def notes():
    labels = ["good-sound", "bad-richness", "bad-attack"]
    return make_notes(24, labels=labels, duration_range=(0.2, 0.4), random_state=0)


def silence(notes):
    """A table of silent notes, whose index is not 0 and up."""
    audio = pd.Series(list(SILENT.values()), index=list(SILENT), dtype=object)
    return pd.DataFrame({"audio": audio, "instrument": notes.data["instrument"].iloc[0]})


@pytest.fixture(scope="module")
def fitted(notes):
    return pipeline().fit(notes.data, notes.target)


@pytest.mark.filterwarnings("ignore::sknote.exceptions.AudioDecodeWarning")
@pytest.mark.parametrize("module", ["compact", "starter"])
def test_silent_notes_have_no_part_in_the_training(notes, module):
    params = {"classify__module": module}
    if module == "starter":
        params["classify__module_params"] = None
    expected = pipeline(**params).fit(notes.data, notes.target)
    X = pd.concat([silence(notes), notes.data])
    y = np.concatenate([np.repeat("bad-attack", len(SILENT)), notes.target])
    found = pipeline(**params).fit(X, y)
    np.testing.assert_array_equal(
        found.predict_proba(notes.data), expected.predict_proba(notes.data)
    )
    np.testing.assert_array_equal(found[-1].class_count_, expected[-1].class_count_)


@pytest.mark.filterwarnings("ignore:AudioLoader")
def test_silent_notes_are_named_by_the_index_of_the_caller(notes, fitted):
    X = pd.concat([notes.data.iloc[:2], silence(notes).iloc[:3]])
    named = r"rows 2, 3, 4 \(index 'no sample', 'one sample', 'one frame'\)"
    with pytest.warns(AudioDecodeWarning, match=f"NoteClassifier: .* {named}. The answer is how"):
        fitted.predict(X)
    with pytest.warns(AudioDecodeWarning, match=f"{named}. Notes without sound are left out"):
        pipeline().fit(X, ["good-sound", "bad-attack", "a", "a", "a"])
    with pytest.warns(AudioDecodeWarning, match=r"in rows 0, 1, 2, 3, 4 and 4 more\. "):
        fitted.predict([SILENT["one frame"]] * 9)


@pytest.mark.filterwarnings("ignore:AudioLoader")
def test_a_label_of_which_nothing_is_left_is_named(notes):
    X = notes.data.copy()
    X.loc[notes.target == "bad-attack", "audio"] = "no/such/file.wav"
    with pytest.warns(AudioDecodeWarning, match=r"Of the labels \['bad-attack'\] no other note is"):
        pipeline().fit(X, notes.target)


@pytest.mark.filterwarnings("ignore::sknote.exceptions.AudioDecodeWarning")
@pytest.mark.parametrize("name", SILENT)
def test_silent_notes_get_the_frequencies_of_the_classes(notes, fitted, name):
    _, count = np.unique(notes.target, return_counts=True)
    mixed = pd.concat([silence(notes).loc[[name]], notes.data])
    proba = fitted.predict_proba(mixed)
    np.testing.assert_allclose(proba[0], count / count.sum(), rtol=1e-6)
    np.testing.assert_allclose(proba[1:], fitted.predict_proba(notes.data), atol=1e-6)


@pytest.mark.filterwarnings("ignore::sknote.exceptions.AudioDecodeWarning")
def test_frequencies_are_of_weights_and_of_all_that_was_ever_learned(notes):
    X = Spectrogram().fit_transform(notes.data)
    silent = Spectrogram().fit_transform([SILENT["digital silence"]])
    weight = np.where(notes.target == "good-sound", 3.0, 1.0)
    _, index = np.unique(notes.target, return_inverse=True)
    expected = np.bincount(index, weight)
    model = NoteClassifier(module_params=SMALL, max_epochs=1, random_state=0)
    model.fit(X, notes.target, sample_weight=weight)
    np.testing.assert_allclose(model.predict_proba(silent)[0], expected / expected.sum(), 1e-6)
    model.partial_fit(X[:5], notes.target[:5])
    expected += np.bincount(index[:5], minlength=3)
    np.testing.assert_allclose(model.predict_proba(silent)[0], expected / expected.sum(), 1e-6)


@pytest.mark.filterwarnings("ignore::sknote.exceptions.AudioDecodeWarning")
def test_silence_alone_is_nothing_to_learn_from(notes):
    X = [np.zeros(n, np.float32) for n in (0, 1, 100, 5000)]
    with pytest.raises(ValueError, match=r"nothing is left to fit: .* hold no sound"):
        pipeline().fit(X, ["a", "b", "a", "b"])
    with pytest.raises(ValueError, match=r"at least 2 classes with .* sound, got 1 class"):
        pipeline().fit([*X, *notes.data["audio"][:3]], ["a", "b", "a", "b", "a", "a", "a"])


def spectrograms():
    rng = np.random.default_rng(0)
    quiet = np.full((6, 20), -100.0, np.float32)
    quiet[3, 7] = -99.9
    yield from ((rng.normal(size=(n, 20)), False) for n in (1, 2, 9))
    yield from ((np.full((n, 20), -100.0, np.float32), True) for n in (1, 2, 9))
    yield np.tile(rng.normal(size=20), (4, 1)), True  # bands brought to mean 0
    yield quiet, False


def test_a_batch_is_judged_as_each_of_its_notes():
    values, expected = zip(*spectrograms())
    assert tuple(is_silent(one) for one in values) == expected
    padded = np.zeros((len(values), 12, 20))
    padded[:, :] = np.random.default_rng(1).normal(size=(12, 20))  # means nothing
    for row, one in enumerate(values):
        padded[row, : len(one)] = one
    lengths = torch.tensor([len(one) for one in values])
    assert silent_notes(torch.from_numpy(padded), lengths).tolist() == list(expected)


def test_few_numbers_of_one_value_are_no_silence():
    for n_bins in (1, 3):
        assert not is_silent(np.ones((1, n_bins)))
        assert not silent_notes(torch.ones(2, 1, n_bins), torch.tensor([1, 1])).any()


def test_other_notes_are_classified_without_a_word(notes, fitted):
    again = pickle.loads(pickle.dumps(fitted))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(
            again.predict_proba(notes.data), fitted.predict_proba(notes.data)
        )


def test_what_the_network_hears_nothing_in_is_no_sound_to_the_baseline_either(notes):
    noise = np.random.default_rng(0).uniform(-1, 1, 9000).astype(np.float32)
    X = [*(level * noise for level in (1e-40, 1.5e-5, 1e-3, 0.1)), *notes.data["audio"][:2]]
    for make in (make_note_pipeline, make_baseline_pipeline):
        steps = make()[:-1]
        with pytest.warns(NoSoundWarning, match=r"no sound in rows 0, 1\.") as said:
            table = steps.fit_transform(X)
            if make is make_note_pipeline:
                NoteClassifier("starter", max_epochs=1).fit(table, ["a", "b", "a", "a", "b", "b"])
        assert [one.message.rows for one in said] == [(0, 1)]


@pytest.mark.filterwarnings("ignore::sknote.exceptions.AudioDecodeWarning")
@pytest.mark.parametrize("where", ["inside", "around", "scaled", "no novelty"])
def test_confidence_knows_silence_behind_a_summary(notes, where):
    how = {"min_accuracy": 0.2, "cv": 2, "novelty": where != "no novelty"}
    model = make_baseline_pipeline(load__on_error="warn", classify__max_iter=5)
    how_to_fit = {"classify__groups": notes.groups}
    if where == "around":
        model, how_to_fit = SelectiveClassifier(model, **how), {"groups": notes.groups}
    elif where == "scaled":
        linear = make_pipeline(StandardScaler(), LogisticRegression())
        model.set_params(mfcc__instrument="onehot", classify=SelectiveClassifier(linear, **how))
    else:
        model.set_params(classify=SelectiveClassifier(model[-1], **how))
    model.fit(notes.data, notes.target, **how_to_fit)
    table = model.predict_with_confidence(silence(notes))
    assert table.reason.tolist() == ["no sound"] * len(SILENT)
    assert (table.answer == "unknown").all()
    assert "no sound" not in set(model.predict_with_confidence(notes.data).reason)
    click, short = np.zeros(9000, np.float32), np.ones(60, np.float32) / np.arange(1, 61)
    click[4000] = 0.5
    audio = pd.Series([click, short.astype(np.float32)], dtype=object)
    sounds = pd.DataFrame({"audio": audio, "instrument": notes.data["instrument"].iloc[0]})
    assert "no sound" not in set(model.predict_with_confidence(sounds).reason)
