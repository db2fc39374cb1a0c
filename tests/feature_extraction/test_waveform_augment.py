"""WaveformAugment against tones of known pitch and length."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sknote import NoteClassifier, Spectrogram
from sknote.feature_extraction import WaveformAugment

RATE = 22050


def tone(frequency=440.0, seconds=0.5):
    return np.sin(2 * np.pi * frequency * np.arange(int(seconds * RATE)) / RATE).astype(np.float32)


def pitch_of(waveform):
    middle = waveform[len(waveform) // 4 : -len(waveform) // 4]
    padded = np.abs(np.fft.rfft(middle * np.hanning(len(middle)), 1 << 18))
    return padded.argmax() * RATE / (1 << 18)


def test_pitches_are_whole_semitones_away():
    augment = WaveformAugment(stretch=0, noise=0, probability=1, random_state=0)
    shifts = [12 * np.log2(pitch_of(x) / 440.0) for x in augment.fit_transform([tone()] * 12)]
    assert np.abs(shifts - np.round(shifts)).max() < 0.1
    assert {-2, -1, 1, 2} & set(np.round(shifts).astype(int).tolist())
    assert np.abs(shifts).max() < 2.1


def test_fractions_of_a_semitone_on_request():
    augment = WaveformAugment(
        stretch=0, noise=0, probability=1, whole_semitones=False, random_state=0
    )
    shifts = np.array(
        [12 * np.log2(pitch_of(x) / 440.0) for x in augment.fit_transform([tone()] * 6)]
    )
    assert np.abs(shifts - np.round(shifts)).max() > 0.15


def test_lengths_follow_the_rate_and_the_pitch_stays():
    augment = WaveformAugment(semitones=0, noise=0, probability=1, random_state=0)
    out = augment.fit_transform([tone()] * 8)
    ratios = np.array([len(x) / len(tone()) for x in out])
    assert ratios.std() > 0.01
    assert ratios.min() > 1 / 1.11
    assert ratios.max() < 1 / 0.89
    assert max(abs(pitch_of(x) - 440.0) for x in out) < 2.0


def test_noise_has_the_given_deviation():
    augment = WaveformAugment(semitones=0, stretch=0, noise=0.01, probability=1, random_state=0)
    difference = augment.fit_transform([tone()])[0] - tone()
    assert np.std(difference) == pytest.approx(0.01, rel=0.05)


def test_probability_is_that_of_each_effect():
    augment = WaveformAugment(semitones=0, stretch=0, probability=0.5, random_state=0)
    short = tone(seconds=0.1)
    changed = [not np.array_equal(x, short) for x in augment.fit_transform([short] * 400)]
    assert np.mean(changed) == pytest.approx(0.5, abs=0.08)


def test_it_varies_in_fit_and_never_in_predict():
    seen = []
    spy = FunctionTransformer(lambda X: seen.append(X) or X)
    pipeline = make_pipeline(WaveformAugment(probability=1, random_state=0), spy)
    X = pd.DataFrame({"audio": [tone(), tone(330.0)], "instrument": ["flute", "oboe"]})
    pipeline.fit_transform(X)
    pipeline.transform(X)
    fitted, predicted = seen
    assert not np.array_equal(fitted["audio"][0], X["audio"][0])
    assert np.array_equal(predicted["audio"][0], X["audio"][0])
    assert fitted["instrument"].tolist() == ["flute", "oboe"]


def test_an_array_that_was_fitted_is_predicted():
    """Waveforms of one length have many after they were stretched."""
    X = np.stack([tone(hz) for hz in (262, 294, 330, 349)])
    augment = WaveformAugment(probability=1, random_state=0)
    steps = make_pipeline(augment, Spectrogram(n_bins=8), NoteClassifier(max_epochs=1))
    proba = steps.fit(X, ["a", "b"] * 2).predict_proba(X)
    np.testing.assert_allclose(steps.predict_proba(list(X)), proba, atol=1e-5)


def test_the_seed_decides_alone():
    X = [tone(), tone(330.0), tone(550.0)]
    augment = WaveformAugment(random_state=3)
    first = augment.fit_transform(X)
    again = clone(augment).set_params(n_jobs=2).fit_transform(X)
    other = clone(augment).set_params(random_state=4).fit_transform(X)
    assert all(np.array_equal(a, b) for a, b in zip(first, again))
    assert any(len(a) != len(b) or not np.array_equal(a, b) for a, b in zip(first, other))


def test_short_and_empty_waveforms_are_left_alone():
    X = [np.zeros(0, np.float32), np.ones(10, np.float32)]
    out = WaveformAugment(probability=1, random_state=0).fit_transform(X)
    assert [x.tolist() for x in out] == [[], [1.0] * 10]
