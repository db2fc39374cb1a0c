"""Recipes beyond those of good-sounds, and the large set of labels that they make possible.

``regular-...`` is a fault at under half its strength: it lies between a good note and a bad one.
The docstring of `make_notes` tells all this in words; keep the two together.
"""

import numpy as np

from sknote.datasets.synthetic._recipes import (
    ANY,
    BOW,
    RECIPES,
    WIND,
    Recipe,
    early,
    hold,
    near,
)
from sknote.datasets.synthetic._synthesis import bump, ramp, to_db, wander

# Strength of a regular note's fault, and how much weaker (dB) its noises and second tones are,
# which would hardly differ else.
_REGULAR, _QUIETER = 0.45, 6.0


def _scoop(note, rng, severity):
    way = 1 - ramp(note.time, note.onset, early(note, 0.15, 0.25, rng))
    note.cents -= rng.uniform(150, 250) * severity * way


def _slow(note, rng, severity):
    note.attack = min(rng.uniform(0.5, 0.8) * severity, 0.6 * note.span)
    note.tilt -= 3 * severity * (1 - ramp(note.time, note.onset, note.attack))


def _double(note, rng, severity):
    first, gap = early(note, 0.05, 0.08, rng), early(note, 0.05, 0.09, rng)
    note.attack *= 0.5
    note.level -= 35 * severity * bump(note.time, note.onset + first, gap, edge=0.01)


def _scratch(note, rng, severity):
    length = early(note, 0.08, 0.15, rng)
    note.level -= 8 * severity * bump(note.time, note.onset, length)
    note.noises.append((hold(note, note.onset, length, -12 + 5 * severity), 1500, 8000))


def _sharp(note, rng, severity, sign=1):
    # Further off than a quarter tone it would be the next pitch, out of tune the other way.
    note.cents += sign * min(rng.uniform(30, 40) * severity, 48)


def _flat(note, rng, severity):
    _sharp(note, rng, severity, -1)


def _fall(note, rng, severity):
    length = 0.35 * note.span
    note.cents -= rng.uniform(90, 150) * severity * ramp(note.time, note.end - length, length)


def _flutter(note, rng, severity):
    cycle = rng.uniform(12, 17) * note.time + rng.random()
    note.cents += rng.uniform(30, 45) * severity * np.sin(2 * np.pi * cycle)


def _unsteady(note, rng, severity):
    sway = severity * wander(rng, note.time, 0.8, 4)
    note.cents += 25 * sway
    note.level += 3.5 * sway
    note.tilt += 2 * sway


def _hump(note):
    """Rise from 0 to 1 in the middle of the note, and fall back."""
    return np.sin(np.pi * np.clip((note.time - note.onset) / note.span, 0, 1)) ** 2


def _sag(note, rng, severity):
    note.level -= rng.uniform(14, 20) * severity * _hump(note)


def _bulge(note, rng, severity):
    way = _hump(note) - 0.4
    note.level += rng.uniform(14, 20) * severity * way
    note.tilt += 1.5 * severity * way


def _harsh(note, rng, severity):
    note.partials = note.partials + 16 * severity * near(note, 3000 / note.frequency, 0.45)
    note.tilt += 1.0 * severity


def _growl(note, rng, severity):
    cycle = rng.uniform(22, 32) * note.time + rng.random()
    note.level += 7 * severity * np.sin(2 * np.pi * cycle)
    note.noises.append((-26 + 4 * severity + to_db(note.envelope()), 300, 3000))


def _wolf(note, rng, severity):
    beat = np.sin(2 * np.pi * (rng.uniform(4, 8) * note.time + rng.random()))
    numbers = np.arange(1, len(note.partials) + 1)[:, None]
    note.partials = note.partials + 13 * severity * beat * (numbers <= 2)
    note.level += 2 * severity * beat


def _whistle(note, rng, severity):
    # Not above half the sampling rate.
    ratio = min(rng.uniform(5.2, 5.8), 0.4 * note.sample_rate / note.frequency)
    note.tones.append((ratio, -14 + 6 * severity + 3 * wander(rng, note.time, 1, 4)))


def _thin(note, rng, severity):
    numbers = np.arange(1, len(note.partials) + 1)[:, None]
    note.partials = note.partials - 24 * severity * (numbers <= 2)


def _muffled(note, rng, severity):
    numbers = np.arange(1, len(note.partials) + 1)[:, None]
    above = np.log2(np.maximum(numbers * note.frequency / 900, 1))
    note.partials = note.partials - 14 * severity * above


def _air_end(note, rng, severity):
    length = 0.35 * note.span
    start = note.end - length
    note.level -= 14 * severity * ramp(note.time, start, 0.6 * length)
    note.noises.append((hold(note, start, length, -20 + 6 * severity), 1200, 8000))


def _gurgle(note, rng, severity):
    beat = np.sin(2 * np.pi * (rng.uniform(11, 17) * note.time + rng.random()))
    note.level += 1.5 * severity * beat
    bubbles = -20 + 6 * severity + 9 * beat + to_db(note.envelope())
    note.noises.append((bubbles, 150, 900))


def _bow_change(note, rng, severity):
    time = note.onset + rng.uniform(0.4, 0.6) * note.span
    length = early(note, 0.05, 0.09, rng)
    note.level -= 28 * severity * bump(note.time, time, length)
    note.noises.append((hold(note, time + length, 0.06, -18 + 6 * severity), 800, 6000))


def _bright(note, rng, severity):
    note.tilt += 2.5 * severity


def _pizzicato(note, rng, severity):
    gone = np.maximum(note.time - note.onset, 0)
    note.noises.append((hold(note, note.onset, 0.012, -8), 300, 5000))
    note.attack = 0.004
    note.level -= rng.uniform(30, 50) * severity * gone
    note.tilt -= 4 * severity * np.minimum(gone, 1)


def _flageolet(note, rng, severity):
    numbers = np.arange(1, len(note.partials) + 1)[:, None]
    note.partials = note.partials - 30 * severity * (numbers % 2 == 1)


# The most frequent first.
_MORE = {
    "bad-pitch-flat": Recipe(ANY, _flat),
    "bad-attack-scoop": Recipe(ANY, _scoop),
    "bad-stability": Recipe(ANY, _unsteady),
    "bad-richness-muffled": Recipe(ANY, _muffled),
    "bad-attack-slow": Recipe(ANY, _slow),
    "bad-air-end": Recipe(WIND, _air_end),
    "bad-timbre-harsh": Recipe(ANY, _harsh),
    "bad-attack-scratch": Recipe(BOW, _scratch),
    "bad-pitch-sharp": Recipe(ANY, _sharp),
    "bad-dynamics-stability-sag": Recipe(ANY, _sag),
    "good-timbre-bright": Recipe(ANY, _bright),
    "bad-bow-change": Recipe(BOW, _bow_change),
    "bad-pitch-stability-fall": Recipe(ANY, _fall),
    "bad-attack-double": Recipe(ANY, _double),
    "bad-timbre-growl": Recipe(WIND, _growl),
    "bad-dynamics-stability-bulge": Recipe(ANY, _bulge),
    "bad-timbre-whistle": Recipe(BOW, _whistle),
    "bad-richness-thin": Recipe(ANY, _thin),
    "good-attack-pizzicato": Recipe(BOW, _pizzicato),
    "bad-pitch-stability-flutter": Recipe(ANY, _flutter),
    "bad-air-gurgle": Recipe(WIND, _gurgle),
    "bad-timbre-wolf": Recipe(BOW, _wolf),
    "good-timbre-flageolet": Recipe(BOW, _flageolet),
}
# good-sounds' words for two colours of a bow, and the customary ones.
_CUSTOMARY = {"bridge": "ponticello", "sultasto": "sul-tasto"}
# Faults that do not say so.
_FAULTS = {"air-outside", "air-inside", "pressure", "dirt", "rebound"}


def _regular(recipe):
    """Make a milder form of the recipe of a fault."""

    def change(note, rng, severity):
        natural, note.noises = note.noises, []
        recipe.change(note, rng, severity)
        quieter = [(level - _QUIETER, *band) for level, *band in note.noises]
        note.noises = natural + quieter
        note.tones = [(ratio, level - _QUIETER) for ratio, level in note.tones]

    return Recipe(recipe.families, change, _REGULAR)


def _large_set():
    """Both tables evenly mixed, and each fault followed by its regular form."""
    usual = {_CUSTOMARY.get(label, label): recipe for label, recipe in RECIPES.items()}
    ranked = [
        ((i + 0.5) / len(table), label, recipe)
        for table in (usual, _MORE)
        for i, (label, recipe) in enumerate(table.items())
    ]
    large = {}
    for _, label, recipe in sorted(ranked, key=lambda entry: entry[0]):
        large[label] = recipe
        if label.startswith("bad-") or label in _FAULTS:
            large[f"regular-{label.removeprefix('bad-')}"] = _regular(recipe)
    return large


# The labels of ``labels="all"``, the most frequent first; and every label that there is.
ALL = _large_set()
KNOWN = RECIPES | ALL
