"""One hears what the labels of the large set say, and the regular ones lie between good and bad."""

import warnings

import numpy as np
import pytest
from measures import (
    RATE,
    band,
    brightness,
    change,
    frames,
    level,
    pitch_course,
    pitch_spread,
    rise,
    spectral_change,
)
from scipy import signal

from sknote import LabelHierarchy
from sknote.datasets import make_notes
from sknote.datasets.synthetic._instruments import INSTRUMENTS
from sknote.datasets.synthetic._more_recipes import ALL, KNOWN
from sknote.datasets.synthetic._recipes import RECIPES


def unsteady(sound, f0):
    return np.std(frames(sound))


def rough(sound, f0):
    return np.std(frames(sound, length=0.006))


def growth(sound, f0):
    return level(sound, 1.4, 1.9) - level(sound, 0.1, 0.6)


def hump(sound, f0):
    return level(sound, 0.9, 1.1) - (level(sound, 0.2, 0.4) + level(sound, 1.6, 1.8)) / 2


def gap(sound, f0):
    levels = frames(sound, 0, 0.25, 0.01)
    first = np.argmax(levels > np.median(levels) - 25)
    return levels[first:].min() - level(sound, 0.5, 1.5)


def break_off(sound, f0):
    return frames(sound, 0.6, 1.4, 0.03).min() - np.median(frames(sound, 0.6, 1.4, 0.03))


def start(sound, f0):
    return level(sound, 0.03, 0.13) - level(sound, 0.6, 1.1)


def start_hiss(sound, f0):
    return band(sound, 4000, 9000, 0.0, 0.15) - band(sound, 4000, 9000, 0.8, 0.95)


def between(sound, f0):
    inharmonic = band(sound, 1.25 * f0, 1.75 * f0, 0.02, 0.15)
    return inharmonic - band(sound, 0.75 * f0, 1.25 * f0, 0.02, 0.15)


def start_fundamental(sound, f0):
    return band(sound, 0.8 * f0, 1.25 * f0, 0.02, 0.06) - level(sound, 0.02, 0.06)


def cents(sound, f0):
    return np.median(pitch_course(sound, f0, 0.4, 1.6))


def first_cents(sound, f0):
    return np.mean(pitch_course(sound, f0, 0.06, 0.14)) - cents(sound, f0)


def last_cents(sound, f0):
    return np.mean(pitch_course(sound, f0, 1.75, 1.85)) - cents(sound, f0)


def hiss(low, high, start=0.3, stop=1.7):
    def measure(sound, f0):
        return band(sound, low, high, start, stop) - level(sound, 0.3, 1.2)

    return measure


def below(sound, f0):
    return band(sound, 0.4 * f0, 0.6 * f0, 0.1, 0.6) - level(sound, 0.1, 0.6)


def nasal(sound, f0):
    return band(sound, 800, 1500) - band(sound, 50, 600)


def squeal(sound, f0):
    return band(sound, 5.15 * f0, 5.85 * f0, 0.4, 1.7) - level(sound, 0.4, 1.7)


def presence(sound, f0):
    return band(sound, 2000, 4500) - band(sound, 0.5 * f0, 2000)


def bounce(sound, f0):
    return np.std(frames(sound, 0.05, 0.3))


# Fault → what tells it from a good note, on which instrument, and by how much at least.
MEASURES = {
    "bad-attack": (rise, "flute", 0.06),
    "bad-attack-air": (rise, "flute", 0.03),
    "bad-attack-tongue-block": (rise, "flute", 0.03),
    "bad-attack-too-strong": (start, "clarinet", 2),
    "bad-attack-multiphonic": (between, "flute", 10),
    "bad-attack-gallo": (start_fundamental, "trumpet", -10),
    "bad-attack-scoop": (first_cents, "clarinet", -40),
    "bad-attack-slow": (rise, "oboe", 0.15),
    "bad-attack-double": (gap, "trumpet", -8),
    "bad-attack-scratch": (start_hiss, "cello", 10),
    "bad-richness": (brightness, "oboe", -15),
    "bad-richness-pato": (nasal, "sax_baritone", 8),
    "bad-richness-gaita": (brightness, "clarinet", 3),
    "bad-richness-muffled": (brightness, "trumpet", -8),
    "bad-richness-thin": (brightness, "violin", 8),
    "bad-timbre-stability": (spectral_change, "clarinet", 3),
    "bad-timbre-stability-errors": (spectral_change, "clarinet", 2),
    "bad-timbre-harsh": (presence, "sax_tenor", 8),
    "bad-timbre-growl": (rough, "sax_alto", 2),
    "bad-timbre-whistle": (squeal, "cello", 10),
    "bad-timbre-wolf": (spectral_change, "violin", 3),
    "bad-pitch-flat": (cents, "clarinet", -25),
    "bad-pitch-sharp": (cents, "flute", 25),
    "bad-pitch-stability": (pitch_spread, "clarinet", 20),
    "bad-pitch-stability-vibrato": (pitch_spread, "clarinet", 25),
    "bad-pitch-stability-errors": (pitch_spread, "clarinet", 20),
    "bad-pitch-stability-fall": (last_cents, "oboe", -40),
    "bad-pitch-stability-flutter": (pitch_spread, "clarinet", 12),
    "bad-stability": (unsteady, "clarinet", 1.5),
    "bad-dynamics-stability": (unsteady, "clarinet", 3),
    "bad-dynamics-stability-tremolo": (unsteady, "clarinet", 4),
    "bad-dynamics-stability-errors": (unsteady, "clarinet", 4),
    "bad-dynamics-stability-crescendo": (growth, "clarinet", 10),
    "bad-dynamics-stability-decrescendo": (growth, "clarinet", -10),
    "bad-dynamics-stability-sag": (hump, "clarinet", -6),
    "bad-dynamics-stability-bulge": (hump, "cello", 6),
    "air-outside": (hiss(5000, 9000), "flute", 8),
    "air-inside": (hiss(250, 450), "piccolo", 8),
    "bad-air-end": (hiss(5000, 9000, 1.5, 1.9), "flute", 8),
    "bad-air-gurgle": (hiss(250, 450), "piccolo", 8),
    "pressure": (below, "cello", 15),
    "rebound": (bounce, "cello", 4),
    "dirt": (rough, "violin", 0.7),
    "bad-bow-change": (break_off, "cello", -8),
}


def test_every_fault_is_measured_and_has_a_regular_form():
    says_nothing = {"air-outside", "air-inside", "pressure", "rebound", "dirt"}
    faults = says_nothing | {label for label in ALL if label.startswith("bad-")}
    assert set(MEASURES) == faults
    regular = {label for label in ALL if label.startswith("regular-")}
    assert regular == {f"regular-{label.removeprefix('bad-')}" for label in faults}
    for label in faults:
        assert ALL[label].families == ALL[f"regular-{label.removeprefix('bad-')}"].families


@pytest.mark.parametrize("label", MEASURES)
def test_regular_lies_between_good_and_bad(label):
    measure, instrument, least = MEASURES[label]
    regular, bad = (
        change(one, measure, instrument=instrument, n=3)
        for one in (f"regular-{label.removeprefix('bad-')}", label)
    )
    assert bad / least > 1
    assert 0.1 < regular / bad < 0.9


def centroid(sound, f0):
    """Centre of the spectrum, in octaves above the fundamental."""
    power = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) ** 2
    hertz = np.fft.rfftfreq(len(sound), 1 / RATE)
    return np.log2((power * hertz).sum() / power.sum() / f0)


def fundamental(sound, f0):
    return band(sound, 0.8 * f0, 1.25 * f0) - level(sound, 0.2, 1.8)


def uppermost(sound, f0):
    return band(sound, 6 * f0, 11000) - band(sound, 0.8 * f0, 6 * f0)


def noise(sound, f0):
    """Level between the partials."""
    return band(sound, 8.35 * f0, 8.65 * f0, 0.4, 1.7) - level(sound, 0.4, 1.7)


@pytest.mark.parametrize("instrument", ["violin", "cello", "bass"])
def test_colours_of_the_bow(instrument):
    for label, sign in (("ponticello", 1), ("sul-tasto", -1)):
        by = {"instrument": instrument, "n": 3}
        assert sign * change(label, centroid, **by) > 0.25
        assert sign * change(label, fundamental, **by) < -0.2
        assert sign * change(label, uppermost, **by) > 4
    assert change("ponticello", noise, instrument="cello", n=3) > 6


def test_good_colours():
    assert change("good-timbre-bright", centroid, n=3) > 0.3
    assert change("good-attack-pizzicato", growth, instrument="bass", n=3) < -20

    def odd(sound, f0):
        return band(sound, 0.9 * f0, 1.1 * f0) - band(sound, 1.9 * f0, 2.1 * f0)

    assert change("good-timbre-flageolet", odd, instrument="violin", n=3) < -20


def test_vibrato_swings_and_is_the_stronger_the_worse():
    def swing(sound, f0):
        """Share of the pitch's movement that is as fast as a vibrato, in cents."""
        course = pitch_course(sound, f0, 0.4, 1.7)
        slow = signal.sosfiltfilt(
            signal.butter(2, [4, 10], "bandpass", fs=RATE, output="sos"), course
        )
        return np.std(slow)

    names = ("regular-pitch-stability-vibrato", "bad-pitch-stability-vibrato")
    regular, bad = (change(name, swing, n=3) for name in names)
    assert 8 < regular < 0.6 * bad


# ------------------------------------------------------------------ the set


def test_the_set_has_100_labels_that_the_hierarchy_can_place():
    assert len(ALL) == 100
    assert set(KNOWN) - set(ALL) == {"bridge", "sultasto"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hierarchy = LabelHierarchy.good_sounds().fit(list(ALL))
    assert len(hierarchy.classes_) == 100
    assert hierarchy.levels_["quality"].tolist() == ["bad", "regular", "good", "unspecified"]
    aspects = {"attack", "pitch", "timbre", "stability", "richness", "air", "bow", "sound"}
    aspects |= {f"{one}-stability" for one in ("pitch", "timbre", "dynamics")}
    assert set(hierarchy.levels_["aspect"]) == aspects
    specific = {"vibrato", "tongue-block", "pressure", "ponticello", "sultasto"}
    assert specific <= set(hierarchy.levels_["specific"])
    for label in ALL:
        stated = label.split("-")[0]
        stated = stated if stated in ("good", "regular", "bad") else "unspecified"
        assert hierarchy.parse(label)["quality"] == stated


def test_the_docstring_has_every_label():
    for label in set(KNOWN) - set(RECIPES):
        if not label.startswith("regular-"):
            assert f"\n    {label} " in make_notes.__doc__ or f"``{label}``" in make_notes.__doc__


def test_class_sizes_are_those_of_the_customers_kind(no_sound):
    brief = {"labels": "all", "duration_range": (0.05, 0.05), "random_state": 0}
    notes = make_notes(8000, **brief)
    counts = notes.frame.label.value_counts()
    assert counts.size == 100 and counts.index[0] == "good-sound"
    assert 10 <= counts.min() < 20 < (counts < 20).sum() * 2 < 60
    assert counts.max() / counts.min() == pytest.approx(20, rel=0.1)
    sizes = notes.frame.instrument.value_counts()
    assert sizes.size == 12 and sizes.between(550, 800).all()
    for label, rows in notes.frame.groupby("label"):
        assert {INSTRUMENTS[name].family for name in rows.instrument} == set(ALL[label].families)
    severity = notes.frame.severity.groupby(notes.frame.label.str.startswith("regular-")).median()
    assert severity.tolist() == pytest.approx([1, 0.45], rel=0.05)
    even = make_notes(1000, class_imbalance=1, **brief).frame.label
    assert set(even.value_counts()) <= {9, 10, 11}


def test_only_what_the_instruments_can_have(no_sound):
    brief = {"duration_range": (0.05, 0.05), "random_state": 0}
    labels = set(make_notes(1500, instruments="oboe", labels="all", **brief).target)
    assert labels == {label for label, recipe in ALL.items() if "wind" in recipe.families}
    with pytest.raises(ValueError, match=r"'ponticello' belongs to bow .* \['oboe'\]"):
        make_notes(1, instruments="oboe", labels="ponticello")
    with pytest.raises(ValueError, match="Did you mean 'regular-attack'"):
        make_notes(1, labels=["good-sound", "regular-atack"])


def test_labels_of_the_set_can_be_named(no_sound):
    labels = ["regular-attack", "bad-attack", "sul-tasto"]
    notes = make_notes(200, labels=labels, random_state=0)
    assert set(notes.target) == set(labels)
    assert (notes.target == "regular-attack").sum() > (notes.target == "bad-attack").sum()


@pytest.mark.parametrize("seconds, rate", [(0.05, 22050), (0.3, 8000)])
def test_extremes_of_every_label_are_finite(seconds, rate):
    options = {"duration_range": (seconds, seconds), "sample_rate": rate, "difficulty": 0.0}
    options |= {"labels": "all", "class_imbalance": 1, "random_state": 0}
    made = make_notes(150, **options)
    assert set(made.target) == set(ALL)
    for waveform in made.data.audio:
        assert np.isfinite(waveform).all() and np.abs(waveform).max() > 1e-3
