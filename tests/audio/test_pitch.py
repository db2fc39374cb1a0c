"""The pitch of one note: within half a semitone, or said to be unknown."""

import numpy as np
import pytest

from sknote.audio._pitch import note_pitch
from sknote.datasets import make_notes, make_passage

RATE = 22050


def midi_of(hertz):
    return 69 + 12 * np.log2(hertz / 440)


def harmonics(hertz, seconds, rate=RATE, missing=(), vibrato=0.0):
    time = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * hertz * time + vibrato * np.sin(2 * np.pi * 6 * time)
    numbers = [k for k in range(1, 25) if k * hertz < 0.45 * rate and k not in missing]
    return sum(np.sin(k * phase + k) / k for k in numbers)


@pytest.mark.parametrize("hertz", [41.2, 65.4, 110, 233.1, 440, 987.8, 2093, 3520, 4186])
@pytest.mark.parametrize("seconds", [0.08, 0.15, 1.0])
def test_tones(hertz, seconds):
    assert note_pitch(harmonics(hertz, seconds), RATE) == pytest.approx(midi_of(hertz), abs=0.3)
    pure = harmonics(hertz, seconds, missing=range(2, 25))
    assert note_pitch(pure, RATE) == pytest.approx(midi_of(hertz), abs=0.3)


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
def test_any_rate(rate):
    assert note_pitch(harmonics(196, 0.3, rate), rate) == pytest.approx(midi_of(196), abs=0.05)


@pytest.mark.parametrize(
    "change",
    [
        lambda x, rng: 1e-4 * x,
        lambda x, rng: x.astype(np.float32) + 3,
        lambda x, rng: x + 0.03 * rng.standard_normal(len(x)),
        lambda x, rng: x * np.exp(-6 * np.arange(len(x)) / len(x)),
        lambda x, rng: np.clip(3 * x, -1, 1),
    ],
    ids=["soft", "offset", "noise", "decay", "clipped"],
)
def test_neither_level_nor_a_little_noise_matters(change):
    for hertz in (98, 440, 1568):
        for missing in ((), (1,), range(2, 25, 2)):
            note = change(harmonics(hertz, 0.25, missing=missing), np.random.default_rng(0))
            assert note_pitch(note, RATE) == pytest.approx(midi_of(hertz), abs=0.3)


def test_vibrato_and_a_false_start_do_not_matter():
    note = harmonics(440, 0.8, vibrato=1.0)
    assert note_pitch(note, RATE) == pytest.approx(69, abs=0.4)
    note = np.concatenate([harmonics(660, 0.1), harmonics(440, 0.4)])
    assert note_pitch(note, RATE) == pytest.approx(69, abs=0.1)


def test_what_has_no_pitch_has_none():
    rng = np.random.default_rng(0)
    for note in (
        rng.standard_normal(9999),
        np.zeros(9999),
        np.ones(9999),
        np.full(9999, np.nan),
        np.zeros(0),
        np.ones(3),
    ):
        assert np.isnan(note_pitch(note, RATE))


def test_synthetic_notes_of_all_instruments():
    notes = make_notes(
        60, labels="good-sound", duration_range=(0.1, 0.5), random_state=0, difficulty=0.2
    )
    errors = [note_pitch(x, RATE) - midi for x, midi in zip(notes.data.audio, notes.frame.midi)]
    assert np.mean(np.abs(errors) < 0.5) > 0.97


def test_notes_of_a_passage():
    right = []
    for seed in range(2):
        passage = make_passage(6, random_state=seed, ornaments=0, faults=0)
        for note in passage.notes.itertuples():
            part = passage.waveform[round(note.onset * RATE) : round(note.offset * RATE)]
            right.append(abs(note_pitch(part, RATE) - note.midi) < 0.5)
    assert len(right) > 20 and np.mean(right) > 0.93
