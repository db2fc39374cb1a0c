"""What trains the segmenter: the same numbers as in the package, and wanted where they belong."""

from types import SimpleNamespace

import numpy as np
import pytest
import scipy.signal
import torch
from safetensors.numpy import load_file

from benchmarks import onset_passages, onset_players
from benchmarks.onset_network import OnsetNet, as_arrays
from benchmarks.onset_passages import held_passages, spliced_passages, synthetic_passages
from benchmarks.onset_players import (
    RATE,
    Manner,
    bend,
    draw_fast_manner,
    level_of,
    play,
    tongue,
)
from benchmarks.segmenter import DELAY, WEIGHTS, batch_of, describe, main, train, wanted
from benchmarks.splices import Single
from sknote.audio.segmentation import HOP, N_HIGH, N_LOW, _network, band_levels, relative_levels
from sknote.audio.segmentation._frames import FrameStream


def test_the_network_says_in_numpy_what_it_says_in_torch(monkeypatch):
    torch.manual_seed(0)
    net = OnsetNet(low=(3, 4, 5), high=(2, 3), n_joined=6, n_units=7)
    weights = as_arrays(net, DELAY)
    monkeypatch.setattr(_network, "_load_weights", lambda: (weights, int(weights["delay"])))
    frames = np.random.default_rng(0).random((40, N_LOW + N_HIGH), np.float32)
    with torch.no_grad():
        expected = net(torch.from_numpy(frames[None]))[0][0].sigmoid().numpy()
    network = _network.OnsetNetwork()
    np.testing.assert_allclose([network.push(frame) for frame in frames], expected, atol=1e-6)


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_frames_of_a_stream_are_those_of_the_whole(rate):
    rng = np.random.default_rng(rate)
    waveform = (0.1 * rng.standard_normal(rate)).astype(np.float32)
    waveform[: rate // 4] *= 1e-4
    stream = FrameStream(rate)
    frames = []
    for part in np.array_split(waveform, 37):
        frames += list(stream.push(part))
    whole = relative_levels(band_levels(waveform, rate))
    np.testing.assert_allclose(np.array(frames), whole, atol=1e-5)
    assert len(frames) == int(1 / HOP)


@pytest.mark.parametrize("rate", [22050, 48000])
@pytest.mark.parametrize("frequency", [110.0, 440.0, 1760.0])
def test_a_sine_is_loudest_in_its_band_with_its_level(rate, frequency):
    waveform = 0.5 * np.sin(2 * np.pi * frequency * np.arange(rate) / rate)
    levels = band_levels(waveform.astype(np.float32), rate)[-1, :N_LOW]
    assert levels.argmax() == pytest.approx(24 * np.log2(frequency / 65.4), abs=1.5)
    assert levels.max() == pytest.approx(20 * np.log10(0.5), abs=2)


def test_what_is_wanted_comes_after_the_delay():
    onsets, sounds, pitches = wanted(np.array([[0.5, 0.8, 60.0]]), 100)
    at = round(0.5 / HOP) - 1 + DELAY
    assert onsets.argmax() == at
    assert onsets[at] == 1
    assert onsets[at - 1] == onsets[at + 1] == pytest.approx(0.75)
    assert onsets[: at - 2].max() == onsets[at + 3 :].max() == 0
    np.testing.assert_array_equal(np.flatnonzero(sounds), np.arange(at, at + 30))
    np.testing.assert_array_equal(np.flatnonzero(pitches == 60 - 36), np.arange(at, at + 30))


def test_training_is_reproducible():
    passages = list(describe(synthetic_passages(6, [0, 0])))
    nets = [train(passages, 1, 0) for _ in range(2)]
    first, second = (as_arrays(net, DELAY) for net in nets)
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])


def test_what_began_before_a_piece_is_not_asked_for():
    passages = list(describe(synthetic_passages(1, [0, 1])))
    *_, weights = batch_of(passages, [(0, 0), (0, 300)], np.random.default_rng(0))
    assert weights[1, :10].sum() == 0
    assert weights[1, 10:].min() == 1


def test_notes_that_are_slid_into_begin_where_they_are_said_to():
    onsets = np.array([0.5, 1.25, 2.0, 3.5])
    notes = np.column_stack([onsets, onsets + 0.3, np.full(4, 60.0)])
    sound = np.zeros(5 * RATE, np.float32)
    sound[np.rint(onsets * RATE).astype(int)] = 1.0
    moved = 0.0
    for seed in range(20):
        bent, told = bend(sound, notes, np.random.default_rng(seed))
        loud = np.flatnonzero(bent > 0.1) / RATE
        assert np.abs(loud[:, None] - told[:, 0]).min(axis=1).max() < 1e-4
        np.testing.assert_array_equal(told[:, 2], notes[:, 2])
        assert (told[:, 1] > told[:, 0]).all()
        moved = max(moved, np.abs(told - notes).max())
    assert 0.001 < moved < 0.1


def tone(midi, seconds=1.6):
    time = np.arange(round(seconds * RATE)) / RATE
    waveform = sum(np.sin(2 * np.pi * 440 * k * time) / k for k in range(1, 12))
    return Single(waveform.astype(np.float32), 0, seconds, 0.001, "clarinet", midi, False, "a.wav")


def a_manner(**changed):
    usual = {"slot": 0.3, "multiples": (1,), "articulation": "legato", "repeats": 1.0, "step": 1.0}
    usual |= {"dynamic": 0.5, "is_plucked": False, "swells": False, "is_damped": False}
    return Manner(**usual | {"touches": 0.0} | changed)


def test_a_tone_that_is_tongued_is_darker_for_a_moment_and_else_the_same():
    before = tone(69).waveform
    high = scipy.signal.butter(4, 3000, "high", fs=RATE, output="sos")
    usual = level_of(scipy.signal.sosfiltfilt(high, before))
    depths = []
    for seed in range(20):
        sound = before.copy()
        tongue(sound, 0.8, np.random.default_rng(seed))
        times = np.flatnonzero(sound != before) / RATE
        assert 0.8 - 0.109 < times[0] < 0.8 < times[-1] < 0.8 + 0.049
        above = scipy.signal.sosfiltfilt(high, sound)
        at = round(0.8 * RATE)
        depths.append(min(level_of(above[i : i + 200]) for i in range(at - 4700, at, 50)) / usual)
    assert max(depths) < 0.95
    assert min(depths) < 0.4


def test_a_pitch_that_comes_again_within_a_slur_is_tongued(monkeypatch):
    tongued = []
    monkeypatch.setattr(onset_players, "tongue", lambda sound, time, rng: tongued.append(time))
    by_pitch = {midi: [tone(midi)] for midi in (69, 71, 74)}
    manner = a_manner(articulation="slurred", repeats=0.5)
    _, notes = play(by_pitch, manner, np.random.default_rng(0))
    is_again = notes[1:, 2] == notes[:-1, 2]
    is_joined = np.abs(notes[1:, 0] - notes[:-1, 1]) < 1e-9
    assert is_again.any() and not is_again.all()
    assert set(tongued) >= set(notes[1:, 0][is_again & is_joined])
    changes = notes[1:, 0][~is_again]
    assert len(set(tongued) & set(changes)) < 0.5 * len(changes)


def test_a_finger_on_the_string_ends_the_note_before_it():
    by_pitch = {69: [tone(69)]}
    held = a_manner(is_plucked=True, articulation="legato", touches=1.0)
    sound, notes = play(by_pitch, held, np.random.default_rng(0))
    gaps = notes[1:, 0] - notes[:-1, 1]
    assert len(gaps) > 6
    assert (gaps > 0.01).all()
    assert np.median(gaps) == pytest.approx(0.055, abs=0.03)
    for at in np.rint(notes[1:, 0] * RATE).astype(int):
        assert level_of(sound[at - 90 : at - 2]) < 0.5 * level_of(sound[at : at + 900])
    _, notes = play(by_pitch, held._replace(touches=0.0), np.random.default_rng(0))
    assert np.median(notes[1:, 0] - notes[:-1, 1]) < 0.02


@pytest.fixture
def a_library(monkeypatch):
    """Single notes of one instrument, one of them with a trill."""
    singles = [tone(midi, seconds) for midi in (69, 71, 74) for seconds in (0.5, 1.6)]
    trill = tone(72, 1.0)._replace(ornamented=True)
    monkeypatch.setattr(onset_passages, "load_singles", lambda part, **how: [trill, *singles])


def test_held_notes_are_whole_with_silence_between_them_and_none_is_a_trill(a_library, monkeypatch):
    monkeypatch.setattr(onset_passages, "place", lambda sound, notes, rng: (sound, notes))
    monkeypatch.setattr(onset_passages, "bend", lambda sound, notes, rng: (sound, notes))
    pitches = set()
    for sound, notes in held_passages(10, 0):
        assert len(sound) == round(onset_passages.SECONDS * RATE)
        assert (notes[1:, 0] - notes[:-1, 1] >= 0.05 - 1e-9).all()
        lengths = np.diff(notes[:-1, :2])
        assert np.minimum(np.abs(lengths - 0.5), np.abs(lengths - 1.6)).max(initial=0) < 1e-9
        pitches |= set(notes[:, 2])
        is_sounding = np.zeros(len(sound), bool)
        for onset, offset, _ in notes:
            first, last = round(onset * RATE), round(offset * RATE)
            is_sounding[first : last + 2] = True
            assert level_of(sound[first + 90 : first + 900]) > 0.1
        assert not sound[~is_sounding].any()
    assert pitches == {69, 71, 74}


def test_fast_runs_are_fast_and_mostly_slurred(a_library):
    manners = [draw_fast_manner(np.random.default_rng(seed)) for seed in range(200)]
    assert all(0.07 <= one.slot <= 0.15 and not one.is_plucked for one in manners)
    assert np.mean([one.articulation == "slurred" for one in manners]) > 0.4
    usual = [len(one.notes) for one in spliced_passages(5, 0)]
    fast = [len(one.notes) for one in spliced_passages(5, 0, draw=draw_fast_manner)]
    assert np.median(fast) > 35
    assert np.mean(fast) > np.mean(usual)


def test_the_command_writes_weights_that_the_segmenter_takes(a_library, tmp_path):
    path = tmp_path / "weights.safetensors"
    how = {"data_home": None, "passages": 8, "epochs": 1, "seed": 0}
    assert main(SimpleNamespace(weights=path, **how)) == 0
    weights = load_file(path)
    shipped = load_file(WEIGHTS)
    assert {name: one.shape for name, one in weights.items()} == {
        name: one.shape for name, one in shipped.items()
    }
    assert all(np.isfinite(one).all() for one in weights.values())
