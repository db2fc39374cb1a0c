"""The synthetic data set: its form, its statistics, its errors."""

import itertools
import warnings

import numpy as np
import pytest
import soundfile
from scipy import stats
from sklearn.model_selection import StratifiedGroupKFold

from sknote.datasets import iter_notes, make_notes
from sknote.datasets.synthetic import _draws
from sknote.datasets.synthetic._instruments import INSTRUMENTS
from sknote.datasets.synthetic._recipes import RECIPES

RATE = 22050


# ---------------------------------------------------------------------- form


def test_bunch():
    notes = make_notes(12, duration_range=(0.1, 0.3), random_state=0)
    assert notes.data.columns.tolist() == ["audio", "instrument"]
    for audio, duration in zip(notes.data.audio, notes.frame.duration):
        assert audio.dtype == np.float32 and audio.ndim == 1
        assert np.isfinite(audio).all() and 0 < np.abs(audio).max() <= 0.99
        assert len(audio) == round(duration * RATE)
    for array, column in ((notes.target, "label"), (notes.groups, "group")):
        assert type(array) is np.ndarray and array.dtype.kind == "U"
        assert array.tolist() == notes.frame[column].tolist()
    columns = {"player", "pitch", "midi", "dynamic", "severity", "instrument"}
    assert columns <= set(notes.frame.columns)
    assert set(notes.hierarchy.table_.original) == set(notes.target)
    assert "seed 0" in notes.DESCR and "Notes: 12" in notes.DESCR


def test_equal_durations_keep_one_waveform_per_cell():
    notes = make_notes(3, duration_range=(0.1, 0.1), random_state=0)
    assert [audio.shape for audio in notes.data.audio] == [(2205,)] * 3


def test_labels_are_those_of_the_docstring_and_of_good_sounds():
    assert len(RECIPES) >= 30
    for label in RECIPES:
        assert f"\n    {label} " in make_notes.__doc__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hierarchy = make_notes(1, duration_range=(0.1, 0.1), random_state=0).hierarchy
        hierarchy.fit(list(RECIPES))
    aspects = set(hierarchy.levels_["aspect"])
    assert {"attack", "pitch-stability", "dynamics-stability", "timbre-stability"} <= aspects
    assert {"richness", "air", "sound", "bow"} <= aspects


def test_written_to_a_folder(tmp_path):
    folder = tmp_path / "notes"
    kept = make_notes(3, duration_range=(0.1, 0.4), random_state=1)
    notes = make_notes(3, duration_range=(0.1, 0.4), random_state=1, out_dir=folder)
    assert sorted(folder.iterdir()) == [folder / f"00000{i}.flac" for i in range(3)]
    assert notes.frame.equals(kept.frame)
    for path, waveform in zip(notes.data.audio, kept.data.audio):
        assert type(path) is str
        written, rate = soundfile.read(path, dtype="float32")
        assert rate == RATE
        np.testing.assert_allclose(written, waveform, atol=1 / 32768)


# ------------------------------------------------------------- reproducibility


def as_bytes(notes):
    return [audio.tobytes() for audio in notes.data.audio]


def test_same_seed_same_bytes_other_seed_other_bytes():
    options = {"duration_range": (0.1, 0.4)}
    first = make_notes(5, random_state=3, **options)
    assert as_bytes(first) == as_bytes(make_notes(5, random_state=3, **options))
    other = make_notes(5, random_state=4, **options)
    assert not set(as_bytes(first)) & set(as_bytes(other))
    drawn = [make_notes(2, random_state=np.random.RandomState(7), **options) for _ in range(2)]
    assert as_bytes(drawn[0]) == as_bytes(drawn[1])


def test_a_row_does_not_depend_on_the_number_of_rows():
    options = {"duration_range": (0.1, 0.4), "random_state": 0}
    notes = make_notes(6, **options)
    assert as_bytes(make_notes(2, **options)) == as_bytes(notes)[:2]
    later = list(itertools.islice(iter_notes(4, **options), 2))
    assert [waveform.tobytes() for waveform, _ in later] == as_bytes(notes)[4:]
    assert [record for _, record in later] == notes.frame.iloc[4:].to_dict("records")


def test_global_generator_is_left_alone():
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    make_notes(1, duration_range=(0.1, 0.1))
    assert (np.random.get_state()[1] == before).all()


# ---------------------------------------------------------------- statistics


def test_durations_are_log_uniform(no_sound):
    durations = make_notes(2000, duration_range=(0.25, 5), random_state=0).frame.duration
    assert durations.min() >= 0.249 and durations.max() <= 5.001
    assert stats.kstest(durations, stats.loguniform(0.25, 5).cdf).pvalue > 0.01


@pytest.mark.parametrize("imbalance", [1, 5, 30])
def test_class_imbalance_is_the_ratio_of_first_to_last(no_sound, imbalance):
    labels = ["bad-richness", "good-sound", "bad-attack"]
    notes = make_notes(1000, labels=labels, class_imbalance=imbalance, random_state=0)
    counts = [np.sum(notes.target == label) for label in labels]
    shares = np.array([imbalance, imbalance**0.5, 1])
    np.testing.assert_allclose(counts, 1000 * shares / shares.sum(), atol=3)


def test_grouped_folds_hold_every_label(no_sound):
    notes = make_notes(1500, random_state=0)
    assert set(notes.target) == set(RECIPES)
    assert set(notes.data.instrument) == set(INSTRUMENTS)
    assert notes.frame.groupby("instrument").player.nunique().tolist() == [3] * 12
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    for train, test in folds.split(notes.data, notes.target, notes.groups):
        assert set(notes.target[train]) == set(RECIPES)
        key = notes.frame.player + notes.frame.pitch
        assert set(key[train]).isdisjoint(key[test])


def test_pitches_lie_in_the_range_and_labels_in_the_family(no_sound):
    frame = make_notes(1000, random_state=1).frame
    for instrument, rows in frame.groupby("instrument"):
        spec = INSTRUMENTS[instrument]
        assert rows.midi.between(spec.lowest, spec.highest).all()
        assert all(spec.family in RECIPES[label][0] for label in rows.label)


@pytest.mark.parametrize("difficulty, factor", [(0, 2), (0.5, 1), (1, 0.5)])
def test_difficulty_scales_severity(no_sound, difficulty, factor):
    severity = make_notes(400, difficulty=difficulty, random_state=0).frame.severity
    assert np.median(severity) == pytest.approx(factor, rel=0.05)


def test_players_have_their_own_sound_in_any_selection_of_instruments():
    options = {"labels": None, "duration_range": (1, 1), "sample_rate": RATE, "n_players": 2}
    options |= {"class_imbalance": 1, "difficulty": 0.5, "seed": 0}
    some = _draws.NoteSource("test", instruments=["oboe"], **options)
    every = _draws.NoteSource("test", instruments=None, **options)
    first, second = (some.player("oboe", number) for number in (0, 1))
    same, other = every.player("oboe", 0), every.player("flute", 0)
    np.testing.assert_array_equal(first.room, same.room)
    assert (first.name, first.slope, first.gain) == (same.name, same.slope, same.gain)
    for player in (second, other):
        assert first.name != player.name
        assert first.slope != player.slope and first.gain != player.gain
        assert not np.array_equal(first.room, player.room)


# ------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    "options, message",
    [
        ({"n_samples": 0}, r"`n_samples` must be an int in the range \[1, 10000000\]. Got 0"),
        ({"duration_range": (2, 1)}, r"`duration_range` must be \(low, high\), 0.05 <= low <= h"),
        ({"duration_range": 1}, r"`duration_range` must be \(low, high\).* Got 1 instead"),
        ({"duration_range": (0, 1)}, "`duration_range` must be"),
        ({"sample_rate": 4000}, r"`sample_rate` must be an int in the range \[8000, 768000\]"),
        ({"n_players": 0}, "`n_players` must be an int"),
        ({"class_imbalance": 0.5}, "`class_imbalance` must be a float"),
        ({"difficulty": 1.5}, r"`difficulty` must be a float in the range \[0.0, 1.0\]. Got 1.5"),
        ({"random_state": -1}, "`random_state` must be None, a RandomState or an int"),
        ({"instruments": ["flute", "obo"]}, "instruments must .* Did you mean 'oboe'"),
        ({"labels": "bad-atack"}, "labels must .* Did you mean 'bad-attack'"),
        (
            {"instruments": "cello", "labels": "bad-attack-tongue-block"},
            "'bad-attack-tongue-block' belongs to wind instruments, .* among \\['cello'\\]",
        ),
    ],
)
def test_errors(options, message):
    with pytest.raises(ValueError, match=f"make_notes: .*{message}"):
        make_notes(**{"n_samples": 1, **options})


NUMBERS = ["n_samples", "sample_rate", "n_players", "difficulty", "class_imbalance"]
WRONG = [
    *(
        (name, value)
        for name in NUMBERS
        for value in (None, "a", [], np.inf, np.nan, True, 10**400)
    ),
    *(("random_state", value) for value in ("a", 0.5, True, np.random.default_rng(0))),
    *(("duration_range", value) for value in (None, "ab", [], (0.1, np.inf), ("a", "b"), {})),
    *((name, value) for name in ("instruments", "labels") for value in (5, True, 0.5)),
]


@pytest.mark.parametrize(
    ("name", "value"), [pair for pair in WRONG if pair != ("class_imbalance", None)]
)
def test_values_that_are_none_of_a_parameter_are_said(name, value):
    with pytest.raises(ValueError, match=f"make_notes: `?{name}`? must be"):
        make_notes(**{"n_samples": 1, name: value})
    if name != "n_samples":
        with pytest.raises(ValueError, match=f"iter_notes: `?{name}`? must be"):
            iter_notes(**{name: value})


@pytest.mark.parametrize("start", [None, "a", -1, 0.5])
def test_what_is_no_number_of_a_row_is_said(start):
    with pytest.raises(ValueError, match="iter_notes: `start` must be an int"):
        iter_notes(start)


@pytest.mark.parametrize("folder", [1.5, 1, ["a"], b"a"])
def test_what_is_no_folder_is_said(folder):
    with pytest.raises(TypeError, match="make_notes: expected out_dir to be a folder or None, got"):
        make_notes(1, out_dir=folder)


@pytest.mark.parametrize("options", [{"duration_range": (0.05, 0.06)}, {"sample_rate": 8000}])
def test_extremes_are_finite(options):
    options = {"duration_range": (0.05, 0.2), "difficulty": 0.0} | options
    for waveform, _ in itertools.islice(iter_notes(random_state=0, **options), 80):
        assert np.isfinite(waveform).all() and np.abs(waveform).max() > 1e-3


# ------------------------------------------------------------------ difficulty


@pytest.mark.slow
def test_the_usual_features_are_neither_at_chance_nor_perfect():
    import pandas as pd
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.model_selection import cross_val_score

    from sknote import MFCCSummary

    notes = make_notes(1200, random_state=0)
    X = pd.get_dummies(MFCCSummary().fit_transform(notes.data)).to_numpy(float)
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    model = ExtraTreesClassifier(200, random_state=0)
    scores = cross_val_score(model, X, notes.target, groups=notes.groups, cv=folds)
    assert 0.5 < scores.mean() < 0.8
