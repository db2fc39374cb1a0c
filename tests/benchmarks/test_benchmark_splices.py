"""Passages spliced of single notes: their table is what sounds, and no test file is trained on."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.splices import (
    LONG_SLOT,
    envelope,
    is_test,
    load_singles,
    splice,
    splice_many,
    trim,
)

RATE = 22050


def recording(midi, *, before=0.2, seconds=0.6, attack=0.01, gain=0.5, after=0.3):
    """A tone of a given pitch in silence; returns samples."""
    time = np.arange(round(seconds * RATE)) / RATE
    shape = np.minimum(time / attack, 1) * np.minimum((seconds - time) / 0.01, 1)
    tone = gain * shape * np.sin(2 * np.pi * 440 * 2 ** ((midi - 69) / 12) * time)
    parts = np.zeros(round(before * RATE)), tone, np.zeros(round(after * RATE))
    return np.concatenate(parts).astype(np.float32)


def single(midi=69, instrument="oboe", ornamented=False, name="", **how):
    about = SimpleNamespace(instrument=instrument, midi=midi, ornamented=ornamented, name=name)
    return trim(recording(midi, **how), RATE, about)


@pytest.fixture(scope="module")
def singles():
    return [single(midi, name=f"{midi}-{i}") for midi in range(60, 72) for i in range(2)]


@pytest.mark.parametrize("before, attack", [(0.0, 0.002), (0.2, 0.01), (0.05, 0.1)])
def test_a_single_note_begins_where_it_sounds(before, attack):
    one = single(before=before, attack=attack)
    onset = 0.1 * attack  # a tenth of the amplitude
    assert len(one.waveform) - one.lead == pytest.approx((0.6 - onset) * RATE + 1000, abs=400)
    start = round((before + onset) * RATE)
    assert one.lead == pytest.approx(min(0.004 * RATE, start), abs=90)
    assert one.over == pytest.approx(0.6 - onset, abs=0.015)
    assert one.rise == pytest.approx(0.4 * attack, abs=0.01)


def test_more_of_a_note_is_kept_where_it_is_asked_for():
    about = SimpleNamespace(instrument="oboe", midi=69, ornamented=False, name="")
    long = recording(69, seconds=3.0)
    for kept, tail in ((1.6, 0.05), (2.5, 0.3), (6.0, 0.3)):
        one = trim(long, RATE, about, kept, tail)
        over = min(kept, 3.0)
        assert one.over == pytest.approx(over, abs=0.02)
        expected = min(over + tail, 3.0 + 0.2)
        assert (len(one.waveform) - one.lead) / RATE == pytest.approx(expected, abs=0.15)


def test_what_has_no_sound_or_hardly_any_is_no_single_note():
    about = SimpleNamespace(instrument="oboe", midi=69, ornamented=False, name="")
    for waveform in (np.zeros(0), np.zeros(999), np.full(999, np.nan)):
        assert trim(waveform.astype(np.float32), RATE, about) is None
    assert single(seconds=0.03) is None


@pytest.mark.parametrize("rate", [4, 8, 12])
def test_onsets_are_where_the_pitch_changes(singles, rate):
    passage = splice(singles, rate, np.random.default_rng(rate), n_notes=20)
    notes = passage.notes
    assert len(notes) == 20 and (notes.onset.diff().dropna() > 0.7 / rate).all()
    assert np.median(notes.onset.diff().dropna()) == pytest.approx(1 / rate, rel=0.1)
    assert (notes.offset > notes.onset).all()
    assert (notes.offset.to_numpy()[:-1] <= notes.onset.to_numpy()[1:]).all()
    assert np.abs(passage.waveform).max() < 1 and passage.waveform.dtype == np.float32
    for note in notes.itertuples():
        middle = slice(round((note.onset + 0.02) * RATE), round((note.onset + 0.055) * RATE))
        part = passage.waveform[middle].astype(float)
        crossings = np.flatnonzero((part[:-1] < 0) & (part[1:] >= 0))
        periods = np.diff(crossings - part[crossings] / (part[crossings + 1] - part[crossings]))
        pitch = 69 + 12 * np.log2(RATE / np.median(periods) / 440)
        assert pitch == pytest.approx(note.midi, abs=0.4)


def test_it_is_silent_between_notes_that_are_cut_before_the_next():
    loud = [single(69, name=str(i)) for i in range(4)]
    for seed in itertools.count():  # a passage that is not legato
        passage = splice(loud, 4, np.random.default_rng(seed), n_notes=8, rests=0)
        gaps = passage.notes.onset.to_numpy()[1:] - passage.notes.offset.to_numpy()[:-1]
        if gaps.min() > 0.02:
            break
    level = envelope(passage.waveform, RATE)
    for start, end in zip(passage.notes.offset[:-1], passage.notes.onset[1:]):
        during = level[round((start + 0.008) / 0.002) : round((end - 0.008) / 0.002)]
        assert during.max() < 0.05 * level.max()


def test_a_slur_has_no_gap(singles):
    passage = splice(singles, 4, np.random.default_rng(0), n_notes=30, slurs=1.0, rests=0)
    level = envelope(passage.waveform, RATE)
    slurred = passage.notes[passage.notes.slurred]
    assert len(slurred) > 15
    # never at one pitch
    assert (passage.notes.midi.diff()[slurred.index] != 0).all()
    for onset in slurred.onset:
        around = level[round((onset - 0.03) / 0.002) : round((onset + 0.03) / 0.002)]
        assert np.median(around) > 0.4 * np.quantile(level, 0.9)


def test_the_walk_is_by_small_intervals_and_repeats_some_pitches(singles):
    steps = []
    for seed in range(12):
        notes = splice(singles, 8, np.random.default_rng(seed), n_notes=30).notes
        steps += notes.midi.diff().dropna().abs().tolist()
    assert 0.05 < np.mean(np.array(steps) == 0) < 0.3
    assert np.median(steps) <= 3


def test_only_notes_that_speak_fast_enough_are_played(singles):
    slow = [single(midi, attack=0.3, name="slow") for midi in range(60, 72)]
    short = [single(midi, seconds=0.08, name="short") for midi in range(60, 72)]
    trill = [single(midi, ornamented=True, name="trill") for midi in range(60, 72)]
    every = [*singles, *slow, *short, *trill]
    names = set(splice(every, 8, np.random.default_rng(0), n_notes=60).notes.name)
    assert not names & {"slow", "trill"}
    names = set(splice(every, 1 / LONG_SLOT, np.random.default_rng(0), n_notes=60).notes.name)
    assert "trill" in names and "short" not in names
    with pytest.raises(ValueError, match="none of 12 notes can be played 8 a second"):
        splice(slow, 8, np.random.default_rng(0))


def test_many_are_the_same_whatever_else_is_spliced(singles):
    flute = [one._replace(instrument="flute") for one in singles]
    some = splice_many(singles, (4, 8), n_notes=6)
    all_of_them = splice_many([*flute, *singles], (8, 4), 2, n_notes=6)
    assert [(one.instrument, one.rate) for one in some] == [("oboe", 4), ("oboe", 8)]
    assert len(all_of_them) == 8
    same = [one for one in all_of_them if (one.instrument, one.rate) == ("oboe", 8)]
    np.testing.assert_array_equal(same[0].waveform, some[1].waveform)
    assert not np.array_equal(same[1].waveform[:999], some[1].waveform[:999])


def test_files_are_dealt_by_their_names_alone():
    names = [f"oboe_A4_1_forte_{i}.mp3" for i in range(1000)]
    parts = [is_test(name) for name in names]
    assert np.mean(parts) == pytest.approx(0.25, abs=0.05)
    # what was learned from must never become a test
    assert [i for i, kept in enumerate(parts[:20]) if kept] == [0, 2, 15]


@pytest.mark.data
def test_singles_of_real_notes():
    parts = {
        part: load_singles(part, instruments=["oboe", "cello"], max_per_instrument=6)
        for part in ("train", "test")
    }
    names = {part: {one.name for one in some} for part, some in parts.items()}
    assert not names["train"] & names["test"]
    for some in parts.values():
        assert 10 <= len(some) <= 12
        assert {one.instrument for one in some} == {"oboe", "cello"}
