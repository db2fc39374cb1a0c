"""One hears in a synthetic note what its label says."""

import numpy as np
import pytest
from measures import (
    band,
    brightness,
    change,
    frames,
    level,
    pitch_spread,
    rise,
    spectral_change,
)


@pytest.mark.parametrize(
    "label, cents",
    [
        ("bad-pitch-stability", 20),
        ("bad-pitch-stability-vibrato", 25),
        ("bad-pitch-stability-errors", 20),
    ],
)
def test_pitch_labels(label, cents):
    assert change(label, pitch_spread) > cents


@pytest.mark.parametrize(
    "label, decibels",
    [
        ("bad-dynamics-stability", 3),
        ("bad-dynamics-stability-tremolo", 4),
        ("bad-dynamics-stability-errors", 4),
        ("bad-dynamics-stability-crescendo", 3),
        ("bad-dynamics-stability-decrescendo", 3),
    ],
)
def test_dynamics_labels(label, decibels):
    assert change(label, lambda sound, f0: np.std(frames(sound))) > decibels


def test_swells_go_their_way():
    def growth(sound, f0):
        return level(sound, 1.4, 1.9) - level(sound, 0.1, 0.6)

    assert change("bad-dynamics-stability-crescendo", growth) > 10
    assert change("bad-dynamics-stability-decrescendo", growth) < -10


def test_tremolo_is_periodic():
    def strongest(sound, f0):
        levels = frames(sound, length=0.01)
        power = np.abs(np.fft.rfft((levels - levels.mean()) * np.hanning(len(levels)))) ** 2
        hertz = np.fft.rfftfreq(len(levels), 0.01)
        return power[(hertz > 4.5) & (hertz < 9.5)].sum() / power.sum()

    assert change("bad-dynamics-stability-tremolo", strongest) > 0.3


@pytest.mark.parametrize("label", ["bad-timbre-stability", "bad-timbre-stability-errors"])
def test_timbre_stability_labels_move_the_spectrum_and_not_the_level(label):
    assert change(label, spectral_change) > 3
    assert change(label, lambda sound, f0: np.std(frames(sound))) < 0.5


@pytest.mark.parametrize(
    "label, instrument, decibels",
    [
        ("bad-richness", "oboe", -15),
        ("good-timbre-vague", "oboe", -1.5),
        ("sultasto", "violin", -2),
        ("bridge", "violin", 6),
        ("bad-richness-gaita", "clarinet", 3),
    ],
)
def test_spectrum_labels(label, instrument, decibels):
    difference = change(label, brightness, instrument=instrument)
    assert np.sign(difference) == np.sign(decibels) and abs(difference) > abs(decibels)


def test_classic_favours_the_second_and_third_partial():
    def balance(sound, f0):
        return band(sound, 1.5 * f0, 3.5 * f0) - band(sound, 4.5 * f0, 11000)

    assert change("good-timbre-classic", balance, instrument="oboe") > 8


def test_wood_lacks_even_partials():
    def even(sound, f0):
        return band(sound, 1.9 * f0, 2.1 * f0) - band(sound, 0.9 * f0, 1.1 * f0)

    assert change("good-timbre-wood", even, instrument="flute") < -12


def test_the_duck_is_nasal():
    def nasal(sound, f0):
        return band(sound, 800, 1500) - band(sound, 50, 600)

    assert change("bad-richness-pato", nasal, instrument="sax_baritone") > 8


@pytest.mark.parametrize(
    "label, instrument, low, high",
    [("air-outside", "flute", 5000, 9000), ("air-inside", "piccolo", 250, 450)],
)
def test_air_labels(label, instrument, low, high):
    # Far above a flute's strong partials and below a piccolo's pitch there is nothing but air.
    def hiss(sound, f0):
        return band(sound, low, high) - level(sound, 0.3, 1.7)

    assert change(label, hiss, instrument=instrument) > 8


@pytest.mark.parametrize(
    "label, seconds",
    [("bad-attack", 0.06), ("bad-attack-tongue-block", 0.04), ("bad-attack-air", 0.03)]
    + [("good-attack-apoyo", 0.03)],
)
def test_late_attacks(label, seconds):
    assert change(label, rise, instrument="flute") > seconds


@pytest.mark.parametrize("label", ["bad-attack", "bad-attack-air", "bad-attack-too-strong"])
def test_noisy_attacks(label):
    # Between the partials of a high note.
    def noise(sound, f0):
        return band(sound, 1.3 * f0, 1.7 * f0, 0.0, 0.1) - level(sound, 0.5, 1.5)

    assert change(label, noise, instrument="piccolo") > 6


def test_tongue_block_has_a_gap():
    def gap(sound, f0):
        levels = frames(sound, 0, 0.25, 0.01)
        first = np.argmax(levels > np.median(levels) - 25)
        return levels[first:].min() - level(sound, 0.5, 1.5)

    assert change("bad-attack-tongue-block", gap) < -8


def test_accents():
    def start(sound, f0):
        return level(sound, 0.03, 0.13) - level(sound, 0.6, 1.1)

    assert change("good-attack-accent>", start) > 5
    assert change("bad-attack-too-strong", start) > 2

    def ending(sound, f0):
        return level(sound, 1.7, 1.9) - level(sound, 0.2, 0.8)

    assert change("good-attack-accent^", ending) < -20


def test_multiphonic_is_inharmonic_and_gallo_is_not():
    def between(sound, f0):
        inharmonic = band(sound, 1.25 * f0, 1.75 * f0, 0.02, 0.15)
        return inharmonic - band(sound, 0.75 * f0, 1.25 * f0, 0.02, 0.15)

    assert change("bad-attack-multiphonic", between, instrument="flute") > 10

    def fundamental(sound, f0):
        return band(sound, 0.8 * f0, 1.25 * f0, 0.03, 0.09) - level(sound, 0.03, 0.09)

    assert change("bad-attack-gallo", fundamental, instrument="flute") < -6


def test_bow_labels():
    def below(sound, f0):
        return band(sound, 0.4 * f0, 0.6 * f0, 0.1, 0.6) - level(sound, 0.1, 0.6)

    assert change("pressure", below, instrument="cello") > 15
    assert change("rebound", lambda s, f0: np.std(frames(s, 0.05, 0.3)), instrument="cello") > 4
    assert change("dirt", lambda s, f0: np.std(frames(s, length=0.006)), instrument="violin") > 0.7
