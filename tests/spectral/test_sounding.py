"""Where a note sounds: silence and noise around it change neither the place nor the note."""

import functools

import numpy as np
import pandas as pd
import pytest
import torch

from sknote import MFCCSummary, NoteClassifier, Spectrogram, make_note_pipeline
from sknote.datasets import make_notes
from sknote.nn.networks import inputs_of
from sknote.spectral import SpectralAxes
from sknote.spectral._sounding import crop_to_sound, frame_levels, sounding_frames, without_level

RATE, HOP = 22050, 512
AXES = SpectralAxes()
SMALL = {"n_profiles": 1, "n_cepstra": 1, "channels": 8, "n_members": 4, "width": 32}


def tone(seconds=1.0, level=0.3):
    time = np.arange(int(seconds * RATE)) / RATE
    fade = np.minimum(1.0, np.minimum(time, seconds - time) / 0.03)
    partials = sum(np.sin(2 * np.pi * 440 * k * time) / k for k in range(1, 8))
    return (level * fade * partials).astype(np.float32)


def around(waveform, before, after, noise=0.0, seed=0):
    padded = np.concatenate([np.zeros(before), waveform, np.zeros(after)])
    rng = np.random.default_rng(seed)
    return (padded + noise * rng.standard_normal(len(padded))).astype(np.float32)


def frames(*waveforms):
    spectrograms = Spectrogram().transform(list(waveforms))
    lengths = torch.tensor([len(one) for one in spectrograms])
    batch = torch.full((len(spectrograms), int(lengths.max()), 200), torch.nan)
    for row, one in enumerate(spectrograms):
        batch[row, : len(one)] = torch.from_numpy(one)
    return batch.nan_to_num(500.0), lengths  # what lies beyond means nothing, however loud


@pytest.mark.parametrize("before", [0, 1, 13, 40, 400])
@pytest.mark.parametrize("after", [0, 21, 300])
def test_digital_silence_of_any_length_changes_nothing(before, after):
    own, n_own = crop_to_sound(*frames(around(tone(), 8 * HOP, 8 * HOP)))
    padded, n_padded = crop_to_sound(*frames(around(tone(), (8 + before) * HOP, (8 + after) * HOP)))
    assert n_own.tolist() == n_padded.tolist()
    n = int(n_own)
    torch.testing.assert_close(own[:, :n], padded[:, :n], rtol=0, atol=1e-3)


@pytest.mark.parametrize("below_db", [20, 30, 40, 60, 80])
def test_the_place_of_a_note_in_noise_is_right_to_three_frames(below_db):
    rms = float(np.sqrt(np.mean(tone() ** 2)))
    batch, lengths = frames(around(tone(), RATE, 2 * RATE, rms * 10 ** (-below_db / 20)))
    first, stop = sounding_frames(frame_levels(batch)[2], lengths)
    assert abs(int(first) - RATE / HOP) <= 3
    assert abs(int(stop) - 2 * RATE / HOP) <= 4


def test_a_rest_within_a_phrase_stays():
    phrase = np.concatenate([tone(0.4), np.zeros(RATE, np.float32), tone(0.4)])
    _, lengths = crop_to_sound(*frames(around(phrase, RATE, RATE)))
    assert abs(int(lengths) - 1.8 * RATE / HOP) <= 4


def test_what_sounds_to_the_edges_stays_whole():
    steady = np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE).astype(np.float32)
    for waveform in (steady, 1e-4 * steady, np.zeros(RATE, np.float32), np.zeros(0, np.float32)):
        batch, lengths = frames(waveform)
        assert crop_to_sound(batch, lengths)[1].tolist() == lengths.tolist()


def test_a_note_alone_and_in_a_batch_is_cropped_alike():
    waveforms = [around(tone(s), int(b * RATE), 9000) for s, b in ((0.2, 1), (2, 0), (0.5, 0.3))]
    batch, n_batch = crop_to_sound(*frames(*waveforms))
    for row, waveform in enumerate(waveforms):
        alone, n_alone = crop_to_sound(*frames(waveform))
        n = int(n_alone)
        assert n == int(n_batch[row])
        torch.testing.assert_close(batch[row, :n], alone[0, :n])


@pytest.mark.parametrize("gain_db", [-24.0, -12.0, 6.0])
def test_without_level_a_gain_changes_nothing(gain_db):
    waveform = tone(level=0.1)
    louder = waveform * np.float32(10 ** (gain_db / 20))
    one, other = (without_level(crop_to_sound(*frames(each))[0]) for each in (waveform, louder))
    torch.testing.assert_close(one, other, rtol=0, atol=2e-3)
    assert float(frame_levels(one)[2].max()) == pytest.approx(0.0, abs=0.1)


@pytest.mark.parametrize("module", ["compact", "analyzer", "starter"])
def test_every_network_looks_at_what_sounds(module):
    network = {"compact": "CompactNet", "analyzer": "NoteAnalyzer", "starter": "SimpleStarterModel"}
    import sknote.nn

    kind = getattr(sknote.nn, network[module])
    tight = inputs_of(kind, *frames(around(tone(), 8 * HOP, 8 * HOP)), AXES)
    padded = inputs_of(kind, *frames(around(tone(), 50 * HOP, 90 * HOP)), AXES)
    for name, values in tight.items():
        same = padded[name]
        if name == "spectrogram":
            n = int(tight["lengths"])
            values, same = values[:, :n], same[:, :n]
        torch.testing.assert_close(values, same, rtol=1e-4, atol=2e-3)


@pytest.fixture(scope="module")
def notes():
    labels = ["good-sound", "bad-richness", "bad-attack"]
    return make_notes(60, labels=labels, duration_range=(0.4, 0.8), random_state=0)


@pytest.fixture(scope="module")
def pipeline(notes):
    params = {"classify__module_params": SMALL, "classify__max_epochs": 4}
    return make_note_pipeline(**params, classify__random_state=0).fit(notes.data, notes.target)


def changed(notes, change):
    audio = pd.Series([change(one) for one in notes.data["audio"]], dtype=object)
    return notes.data.assign(audio=audio.to_numpy(dtype=object))


def test_silence_around_notes_changes_next_to_nothing(notes, pipeline):
    expected = pipeline.predict_proba(notes.data)
    for before, after in ((HOP * 10, HOP * 33), (RATE // 3, RATE // 2), (3 * RATE, 0)):
        found = pipeline.predict_proba(
            changed(notes, functools.partial(around, before=before, after=after))
        )
        assert np.abs(found - expected).mean() < 0.01
        assert (found.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.95


def test_relative_level_answers_alike_at_any_gain(notes, tmp_path):
    X = Spectrogram().fit_transform(notes.data)
    params = {"module_params": SMALL, "max_epochs": 2, "random_state": 0}
    model = NoteClassifier(level="relative", **params).fit(X, notes.target)
    softer = Spectrogram().transform(changed(notes, lambda one: 0.5 * one))
    np.testing.assert_allclose(model.predict_proba(softer), model.predict_proba(X), atol=4e-3)
    other = NoteClassifier(**params).fit(X, notes.target)
    assert np.abs(other.predict_proba(softer) - other.predict_proba(X)).max() > 0.01
    before = model.predict_proba(X)
    model.set_params(level="absolute")  # of the next fit
    np.testing.assert_array_equal(model.predict_proba(X), before)


def test_statistics_of_mfcc_are_those_of_what_sounds():
    tight, padded = around(tone(), 8 * HOP, 8 * HOP), around(tone(), 31 * HOP, 77 * HOP)
    rows = MFCCSummary().fit_transform([tight, padded])
    np.testing.assert_allclose(rows[0], rows[1], rtol=1e-4, atol=1e-2)
