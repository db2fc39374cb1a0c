"""Synthetic passages: what the table says of each note is what sounds."""

import numpy as np
import pytest

from sknote.datasets import make_passage
from sknote.datasets.synthetic._instruments import INSTRUMENTS
from sknote.datasets.synthetic._make_passage import MANNERS
from sknote.datasets.synthetic._more_recipes import ALL
from sknote.datasets.synthetic._recipes import RECIPES

DRY = {"reverberation": 0, "noise": -70, "faults": 0, "level": -3}


def level(passage, start, end):
    """RMS between two times, in dB."""
    rate = passage.sample_rate
    part = passage.waveform[max(0, round(start * rate)) : round(end * rate)]
    return 10 * np.log10(np.mean(np.square(part, dtype=float)) + 1e-12)


def strength(passage, start, end, midi):
    """Share of the power between two times that lies near the first partials of a pitch."""
    rate = passage.sample_rate
    part = passage.waveform[round(start * rate) : round(end * rate)].astype(float)
    power = np.abs(np.fft.rfft(part * np.hanning(len(part)), 1 << 15)) ** 2
    hertz = np.fft.rfftfreq(1 << 15, 1 / rate)
    pitch = 440 * 2 ** ((midi - 69) / 12)
    near = np.zeros(len(hertz), bool)
    for number in range(1, 9):
        near |= np.abs(hertz - number * pitch) < 1.5 / (end - start)
    return power[near].sum() / power.sum()


def test_bunch():
    passage = make_passage(2, random_state=0)
    assert passage.waveform.dtype == np.float32 and passage.waveform.shape == (2 * 22050,)
    assert passage.sample_rate == 22050
    assert np.isfinite(passage.waveform).all() and np.abs(passage.waveform).max() < 1
    notes = passage.notes
    columns = ["onset", "offset", "midi", "pitch", "label", "severity", "articulation", "ornament"]
    assert notes.columns.tolist() == columns
    assert notes.onset.dtype == float and notes.midi.dtype == int
    assert passage.instrument in INSTRUMENTS and passage.manner in MANNERS
    assert f"{len(notes)} notes in 2 s" in passage.DESCR and passage.player in passage.DESCR


def test_same_seed_same_bytes_other_seed_other_bytes():
    first, same, other = (make_passage(2, random_state=seed) for seed in (3, 3, 4))
    assert first.waveform.tobytes() == same.waveform.tobytes()
    assert first.notes.equals(same.notes)
    assert first.waveform.tobytes() != other.waveform.tobytes()
    drawn = [make_passage(1, random_state=np.random.RandomState(7)) for _ in range(2)]
    assert drawn[0].waveform.tobytes() == drawn[1].waveform.tobytes()


def test_global_generator_is_left_alone():
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    make_passage(1)
    assert (np.random.get_state()[1] == before).all()


@pytest.mark.parametrize("seed", range(4))
def test_notes_are_in_order_and_within_the_passage(seed):
    passage = make_passage(5, notes_per_second=(3, 14), random_state=seed)
    notes, spec = passage.notes, INSTRUMENTS[passage.instrument]
    assert len(notes) > 3
    assert (notes.offset - notes.onset).min() >= 0.009
    assert (notes.onset.to_numpy()[1:] >= notes.offset.to_numpy()[:-1]).all()
    assert notes.onset.iloc[0] > 0 and notes.offset.iloc[-1] < 5
    assert notes.midi.between(spec.lowest, spec.highest).all()


@pytest.mark.parametrize("manner", MANNERS)
def test_the_level_rises_at_onsets_after_a_gap(manner):
    options = {"manner": manner, "slurs": 0, "ornaments": 0, "instrument": "trumpet", **DRY}
    rises = []
    for seed in range(6):
        passage = make_passage(4, notes_per_second=5, rests=0.6, random_state=seed, **options)
        ends = passage.notes.offset.shift(fill_value=-1)
        for onset, end in zip(passage.notes.onset, ends):
            if onset - end > 0.12:
                after = level(passage, onset + 0.01, onset + 0.05)
                rises.append(after - level(passage, onset - 0.035, onset - 0.025))
    assert len(rises) > 8
    assert np.quantile(rises, 0.15) > 10


@pytest.mark.parametrize("manner", MANNERS)
def test_each_note_has_the_pitch_of_the_table(manner):
    options = {"manner": manner, "instrument": "oboe", "ornaments": 0, "slurs": 0.5, **DRY}
    passage = make_passage(6, notes_per_second=4, random_state=1, **options)
    assert len(passage.notes) > 10
    for note in passage.notes.itertuples():
        third = (note.offset - note.onset) / 3
        during = note.onset + third, note.offset - 0.3 * third
        own = strength(passage, *during, note.midi)
        assert own > 0.5
        assert own > 3 * strength(passage, *during, note.midi + 1)


def test_the_pitch_changes_at_the_onset_of_a_slur_without_a_gap():
    options = {"manner": "sustained", "instrument": "clarinet", "ornaments": 0, "rests": 0, **DRY}
    n_slurs = 0
    for seed in range(3):
        passage = make_passage(5, notes_per_second=3, slurs=1, random_state=seed, **options)
        notes = passage.notes
        for before, note in zip(notes.iloc[:-1].itertuples(), notes.iloc[1:].itertuples()):
            if note.articulation == "articulated":
                continue
            n_slurs += 1
            assert note.midi != before.midi and note.onset == before.offset
            old, new = (note.onset - 0.1, note.onset - 0.03), (note.onset + 0.06, note.onset + 0.13)
            assert strength(passage, *old, before.midi) > strength(passage, *old, note.midi)
            assert strength(passage, *new, note.midi) > strength(passage, *new, before.midi)
            around = level(passage, note.onset - 0.02, note.onset + 0.02)
            assert around > min(level(passage, *old), level(passage, *new)) - 15
    assert n_slurs > 10


def test_rests_are_wider_than_the_gaps_between_notes():
    options = {"notes_per_second": 5, "manner": "sustained", "random_state": 0}
    gaps = []
    for rests in (0, 0.6):
        notes = make_passage(8, rests=rests, **options).notes
        gaps.append((notes.onset.shift(-1) - notes.offset).dropna().sum())
    assert gaps[1] > 2 * gaps[0]


def test_shares():
    def of(**options):
        return make_passage(8, manner="sustained", random_state=0, noise=-60, **options).notes

    assert set(of(slurs=0).articulation) == {"articulated"}
    slurred = of(slurs=1, repeats=0, rests=0)
    assert (slurred.articulation == "slurred").mean() > 0.7
    assert set(of(slurs=1, repeats=1, rests=0).articulation) == {"articulated"}
    assert (of(repeats=1).midi.diff() == 0).mean() > 0.6
    assert (of(repeats=0).midi.diff() == 0).mean() < 0.1
    assert set(of(ornaments=0).ornament) == {"none"}
    ornaments = of(ornaments=1, notes_per_second=(1, 2)).ornament
    assert {"vibrato", "trill"} <= set(ornaments) and (ornaments == "none").mean() < 0.3
    assert set(of(faults=0).label) == {"good-sound"}
    faulty = of(faults=1, notes_per_second=(1, 3))
    assert (faulty.label != "good-sound").mean() > 0.6
    assert set(faulty.label) <= set(RECIPES)
    assert set(of(faults=0.8, labels="all").label) <= set(ALL)
    assert set(of(faults=0.8, labels="bad-richness").label) == {"good-sound", "bad-richness"}


@pytest.mark.parametrize("rate", [2, 6, 12])
def test_notes_per_second(rate):
    gaps = []
    for seed in range(5):
        notes = make_passage(5, notes_per_second=rate, rests=0, random_state=seed).notes
        gaps += notes.onset.diff().dropna().tolist()
    # many notes are of the shortest length, and none is much shorter
    assert np.min(gaps) > 0.75 / rate
    assert np.quantile(gaps, 0.2) == pytest.approx(1 / rate, rel=0.12)


def test_no_notes_is_noise_alone():
    passage = make_passage(2, notes_per_second=0, random_state=0)
    assert len(passage.notes) == 0 and passage.notes.onset.dtype == float
    assert np.abs(passage.waveform).max() > 0
    # spread over all frequencies
    power = np.abs(np.fft.rfft(passage.waveform.astype(float))) ** 2
    assert power.max() < 0.2 * power.sum()


def test_the_place_is_as_it_is_told():
    quiet = {"instrument": "oboe", "notes_per_second": 3, "rests": 1, "random_state": 5}
    for peak in (-20, -6, 0):
        passage = make_passage(3, level=peak, **quiet)
        assert 20 * np.log10(np.abs(passage.waveform).max()) == pytest.approx(peak, abs=0.01)
    floors = []
    for noise in (-70, -30):
        passage = make_passage(3, noise=noise, level=-3, reverberation=0, **quiet)
        floors.append(level(passage, 0, passage.notes.onset[0] - 0.05))
    assert floors[1] - floors[0] > 20
    last = {"noise": -75, "manner": "sustained", **quiet}
    tails = []
    for seconds in (0, 1.5):
        passage = make_passage(3, reverberation=seconds, **last)
        end = passage.notes.offset.iloc[-1]
        tails.append(level(passage, end + 0.1, end + 0.2) - level(passage, end - 0.15, end - 0.05))
    assert tails[1] - tails[0] > 6


def test_sample_rate():
    passage = make_passage(1.5, sample_rate=44100, random_state=0)
    assert len(passage.waveform) == 66150 and passage.sample_rate == 44100


@pytest.mark.parametrize(
    "options, words",
    [
        ({"duration": 0.5}, r"`duration` must be a float in the range \[1.0, 3600.0\]"),
        ({"instrument": "flut"}, "Did you mean 'flute'"),
        ({"manner": "blown"}, "manner must be among"),
        ({"notes_per_second": (5, 2)}, "notes_per_second must be"),
        ({"notes_per_second": 25}, "notes_per_second must be"),
        ({"notes_per_second": "fast"}, "notes_per_second must be"),
        ({"slurs": 1.1}, r"`slurs` must be a float in the range \[0.0, 1.0\]"),
        ({"faults": -0.1}, r"`faults` must be a float in the range \[0.0, 1.0\]"),
        ({"labels": "bad-atack"}, "labels must be among"),
        ({"reverberation": -1}, "`reverberation` must be"),
        ({"noise": float("nan")}, "`noise` must be"),
        ({"level": 3}, "`level` must be"),
        ({"difficulty": 2}, "`difficulty` must be"),
        ({"sample_rate": 4000}, "`sample_rate` must be"),
        ({"random_state": -1}, "`random_state` must be"),
        ({"duration": "3"}, "`duration` must be a float"),
        ({"duration": None}, "`duration` must be a float"),
        ({"slurs": "some"}, "`slurs` must be a float"),
        ({"noise": "pink"}, "`noise` must be a float"),
        ({"faults": [0.1]}, "`faults` must be a float"),
        ({"duration": float("inf")}, "`duration` must be a float"),
        ({"duration": 10**400}, "`duration` must be a float"),
        ({"duration": True}, "`duration` must be a float"),
        ({"level": -float("inf")}, "`level` must be a float"),
        ({"noise": 10**400}, "`noise` must be a float"),
        ({"manner": 0}, "manner must be among .* Got 0 instead"),
        ({"instrument": 5}, "instrument must be among .* Got 5 instead"),
        ({"labels": True}, "labels must be among .* Got True instead"),
        ({"sample_rate": 22050.5}, "`sample_rate` must be an int"),
        ({"sample_rate": float("inf")}, "`sample_rate` must be an int"),
        ({"difficulty": None}, "`difficulty` must be a float"),
        ({"random_state": "a"}, "`random_state` must be None"),
    ],
)
def test_errors(options, words):
    with pytest.raises(ValueError, match=f"make_passage: .*{words}"):
        make_passage(**({"duration": 1} | options))
