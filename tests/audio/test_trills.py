"""Trills are one note; repeated notes, runs, wide leaps and what lies beside a trill are not."""

import copy

import numpy as np
import pytest

from sknote.audio import NoteSegmenter, segment_notes
from sknote.audio.segmentation._trills import TrillFinder

RATE = 22050
START = 0.3  # seconds of silence before the first note


def line(notes, rate=RATE, level=0.2, harmonics=8, slope=1.0):
    """Play (midi, seconds) as a tone with some harmonics, whose pitch and level change in 9 ms.

    A pitch of None is silence. The harmonics are softer by a power of their number, the `slope`.
    """
    sizes = [round(seconds * rate) for _, seconds in notes]
    pitches = np.repeat([np.nan if midi is None else float(midi) for midi, _ in notes], sizes)
    loud = np.isfinite(pitches).astype(float)
    known = np.interp(np.arange(len(pitches)), np.flatnonzero(loud), pitches[loud > 0])
    soft = np.hanning(round(0.009 * rate))
    soft /= soft.sum()
    frequency = np.convolve(440 * 2 ** ((known - 69) / 12), soft, "same")
    frequency[: len(soft)], frequency[-len(soft) :] = frequency[len(soft)], frequency[-len(soft)]
    phase = 2 * np.pi * np.cumsum(frequency) / rate
    numbers = range(1, harmonics + 1)
    tone = sum(np.sin(k * phase) / k**slope * (k * frequency < 0.45 * rate) for k in numbers)
    silence = np.zeros(round(START * rate))
    tone = np.concatenate([silence, level * np.convolve(loud, soft, "same") * tone, silence])
    return (tone + 1e-4 * np.random.default_rng(0).standard_normal(len(tone))).astype(np.float32)


def trill(midi, step, turns_per_second, seconds):
    n_turns = round(seconds * turns_per_second)
    return [(midi + step * (i % 2), 1 / turns_per_second) for i in range(n_turns)]


@pytest.mark.parametrize("midi", [48, 57, 69])
@pytest.mark.parametrize("step", [1, 2, -1, -2])
@pytest.mark.parametrize("turns_per_second", [10, 12, 14])
def test_a_trill_is_one_note(midi, step, turns_per_second):
    played = [(midi, 0.25), *trill(midi + step, -step, turns_per_second, 1.9)]
    notes = segment_notes(line(played), RATE)
    assert notes.shape == (1, 2)
    np.testing.assert_allclose(notes[0], [START, START + sum(s for _, s in played)], atol=0.06)


@pytest.mark.parametrize("turns_per_second", [9, 10, 12])
def test_turns_of_a_low_trill_are_joined_whose_harmonics_are_close_together(turns_per_second):
    played = [(29, 0.25), *trill(31, -2, turns_per_second, 1.9)]
    notes = segment_notes(line(played, level=0.05, harmonics=30, slope=0.5), RATE)
    assert len(notes) <= 2  # a last turn may be left


@pytest.mark.parametrize("rate", [11025, 44100, 48000])
def test_a_trill_is_one_note_at_any_rate(rate):
    played = [(62, 0.25), *trill(64, -2, 12, 1.5)]
    assert len(segment_notes(line(played, rate), rate)) == 1


@pytest.mark.parametrize("midi", [45, 57, 69])
@pytest.mark.parametrize("step", [3, 4, 5, 7, 12])
def test_a_leap_to_and_fro_is_no_trill(midi, step):
    notes = segment_notes(line(trill(midi, step, 10, 2.0)), RATE)
    assert len(notes) == 20


@pytest.mark.parametrize("midi", [36, 43])
@pytest.mark.parametrize("step", [5, 7, 12])
def test_nor_is_a_low_one_whose_harmonics_are_close_together(midi, step):
    notes = segment_notes(
        line(trill(midi, step, 8, 2.0), level=0.05, harmonics=30, slope=0.5), RATE
    )
    assert len(notes) == 16


@pytest.mark.parametrize("turns_per_second", [4, 6])
def test_slow_turns_are_notes(turns_per_second):
    notes = segment_notes(line(trill(60, 2, turns_per_second, 2.0)), RATE)
    assert len(notes) == 2 * turns_per_second


def sounds(waveform):
    """Segment a waveform without a thought of trills."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrillFinder, "returns", lambda self, place: False)
        return segment_notes(waveform, RATE)


@pytest.mark.parametrize("midi", [40, 45, 57, 69, 76])
@pytest.mark.parametrize("per_second", [6, 8, 10])
def test_repeated_notes_stay_apart(midi, per_second):
    waveform = line([(midi, 0.7 / per_second), (None, 0.3 / per_second)] * (2 * per_second))
    notes = segment_notes(waveform, RATE)
    np.testing.assert_array_equal(notes, sounds(waveform))
    assert len(notes) == pytest.approx(2 * per_second, abs=2)  # some low, soft edges are not heard


@pytest.mark.parametrize("seconds", [0.1, 0.15])
def test_a_run_stays_apart(seconds):
    scale = [0, 2, 4, 5, 7, 9, 11, 12, 11, 9, 7, 5, 4, 2, 0]
    waveform = line([(60 + step, seconds) for step in scale])
    notes = segment_notes(waveform, RATE)
    np.testing.assert_array_equal(notes, sounds(waveform))
    assert len(notes) > 6


def test_what_lies_beside_a_trill_is_not_of_it():
    turns = trill(67, -2, 12, 1.5)
    played = [(60, 0.4), (65, 0.25), *turns, (72, 0.4), (None, 0.3), (60, 0.4)]
    notes = segment_notes(line(played), RATE)
    starts = START + np.cumsum([0, 0.4, 0.25 + sum(s for _, s in turns), 0.4 + 0.3])
    np.testing.assert_allclose(notes[:, 0], starts, atol=0.03)


@pytest.mark.parametrize("midi, step", [(50, -1), (50, -2), (62, -2), (74, -2), (62, 7), (74, -5)])
def test_nor_is_what_is_as_short_as_a_turn_if_it_is_at_another_pitch(midi, step):
    played = [(midi + step, 0.2), *trill(midi, 2, 12, 1.5), (midi + step, 0.2)]
    assert len(segment_notes(line(played), RATE)) == 3


@pytest.mark.parametrize("seconds", [0.15, 0.25, 0.35])
def test_the_first_turn_and_the_last_may_be_longer(seconds):
    played = [(65, seconds), *trill(67, -2, 12, 1.5), (67, seconds)]
    assert len(segment_notes(line(played), RATE)) == 1


def test_a_trill_at_the_end_of_a_stream_is_one_note():
    waveform = line([(65, 0.25), *trill(67, -2, 12, 1.5)])
    for seconds in (1.3, 1.45, 1.6):  # within it
        assert len(segment_notes(waveform[: round(seconds * RATE)], RATE)) == 1


@pytest.fixture(scope="module")
def waveform():
    """A run, a trill, repeated notes and a trill, on another pitch, that the stream cuts."""
    run = [(60 + step, 0.2) for step in (0, 2, 4, 5)]
    again = [(62, 0.15), (None, 0.08)] * 5
    played = [*run, (67, 0.2), *trill(69, -2, 12, 1.2), *again, (72, 0.2), *trill(73, -1, 12, 1.2)]
    return line(played)[: -round(0.4 * RATE)]


@pytest.mark.parametrize("sizes", [[1, 0, 7], [220], [441, 1000, 3]])
def test_any_chunks_give_the_same_notes(waveform, sizes):
    whole = segment_notes(waveform, RATE)
    assert len(whole) == 4 + 1 + 5 + 1
    segmenter = NoteSegmenter(RATE)
    notes, start, i = [], 0, 0
    while start < len(waveform):
        notes.append(segmenter.push(waveform[start : start + sizes[i % len(sizes)]]))
        start, i = start + sizes[i % len(sizes)], i + 1
    np.testing.assert_array_equal(np.concatenate([*notes, segmenter.flush()]), whole)


def test_notes_were_open_before_they_came_and_come_within_the_look_ahead(waveform):
    segmenter, was_open = NoteSegmenter(RATE), []
    for start in range(0, len(waveform), 220):
        notes = segmenter.push(waveform[start : start + 220])
        assert set(notes[:1, 0]) <= set(was_open)  # behind a trill, more may come along
        for _, offset in notes:
            assert segmenter.time - offset <= segmenter.look_ahead + 220 / RATE + 0.011
        was_open = segmenter.open_onsets
        assert was_open == sorted(was_open)
        assert segmenter.sounding_since in [None, *was_open[-1:]]
    assert len(segmenter.flush()) == 1
    assert segmenter.open_onsets == [] and segmenter.sounding_since is None


def test_a_copy_within_a_trill_goes_on_by_itself(waveform):
    first = NoteSegmenter(RATE)
    half = round(1.3 * RATE)
    before = first.push(waveform[:half])
    second = copy.deepcopy(first)
    rest = [np.concatenate([one.push(waveform[half:]), one.flush()]) for one in (first, second)]
    np.testing.assert_array_equal(*rest)
    np.testing.assert_array_equal(np.concatenate([before, rest[0]]), segment_notes(waveform, RATE))
