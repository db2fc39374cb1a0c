"""What makes a note good or bad: one function per label, each changing the plan of a good note.

``severity`` is about 1: the strength of the fault (or of the intended accent or colour). The
docstring of `make_notes` tells the same in words; keep the two together.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from sknote.datasets.synthetic._synthesis import bump, ramp, to_db, wander


class Recipe(NamedTuple):
    """How a label sounds, and on which instruments it can be had."""

    families: tuple
    change: Callable  # (note, rng, severity) → None: changes the plan of a good note
    strength: float = 1.0  # a factor of the severity


def early(note, low, high, rng):
    """Draw a time in seconds within the attack, shorter in short notes."""
    return rng.uniform(low, high) * min(1.0, note.span / 0.5)


def _events(note, rng):
    """Draw one to four times within the sustained part, the more the longer."""
    count = 1 + int(rng.binomial(3, min(1.0, note.span / 2)))
    return note.onset + note.span * rng.uniform(0.2, 0.8, size=count)


def hold(note, start, length, level):
    """Level curve in dB that is ``level`` for a while and silence otherwise."""
    return level + to_db(bump(note.time, start, length))


def _good(note, rng, severity):
    pass


def _accent(note, rng, severity):
    decay = early(note, 0.15, 0.25, rng)
    hit = severity * np.exp(-np.maximum(note.time - note.onset, 0) / decay)
    note.level += 14 * hit
    note.tilt += 2 * hit
    note.attack *= 0.7


def _marcato(note, rng, severity):
    stop = 1 - min(0.65, rng.uniform(0.3, 0.4) * severity)
    note.end = note.onset + note.span * stop
    note.attack *= 0.6
    note.level += 2.5 * severity * (1 - ramp(note.time, note.onset, note.span))


def _supported(note, rng, severity):
    note.attack = early(note, 0.18, 0.28, rng) * severity
    note.level += 2 * severity * (ramp(note.time, note.onset, 2.5 * note.attack) - 1)


def _classic(note, rng, severity):
    note.partials = note.partials + 10 * severity * near(note, 2.5, 0.5)
    note.tilt -= 3 * severity


def _wood(note, rng, severity):
    numbers = np.arange(1, len(note.partials) + 1)[:, None]
    note.partials = note.partials - 24 * severity * (numbers % 2 == 0)
    note.tilt -= 1.0 * severity


def _vague(note, rng, severity):
    note.tilt -= 2.0 * severity
    note.attack *= 1 + severity
    note.noises.append((-26 + 4 * severity + to_db(note.envelope()), 300, 2500))


def _attack(note, rng, severity):
    late = early(note, 0.05, 0.10, rng) * severity
    begin = note.onset
    note.onset += late
    note.attack = early(note, 0.10, 0.16, rng) * severity
    note.cents -= 45 * severity * (1 - ramp(note.time, note.onset, 1.5 * note.attack))
    note.noises.append((hold(note, begin, late + note.attack, -16 + 3 * severity), 300, 4000))


def _tongue_block(note, rng, severity):
    gap = early(note, 0.06, 0.11, rng) * severity
    note.noises.append((hold(note, note.onset, 0.012, -12 + 3 * severity), 200, 2500))
    note.onset += gap
    note.attack = 0.008
    burst = np.exp(-np.maximum(note.time - note.onset, 0) / 0.04)
    note.level += 3 * severity * burst


def _too_strong(note, rng, severity):
    hit = severity * np.exp(-np.maximum(note.time - note.onset, 0) / early(note, 0.03, 0.05, rng))
    note.attack *= 0.4
    note.level += 8 * hit
    note.cents += 35 * hit
    note.noises.append((hold(note, note.onset, 0.025, -10 + 4 * severity), 800, 7000))


def _multiphonic(note, rng, severity):
    length = early(note, 0.15, 0.30, rng) * min(severity, 1.5)
    note.tones.append((rng.uniform(1.35, 1.65), hold(note, note.onset, length, -4 + 4 * severity)))
    beat = np.sin(2 * np.pi * rng.uniform(25, 45) * note.time)
    note.level += 2 * severity * beat * bump(note.time, note.onset, length)


def _gallo(note, rng, severity):
    length = early(note, 0.07, 0.16, rng) * min(severity, 1.5)
    register = rng.choice([2, 3])
    crack = bump(note.time, note.onset - 0.02, length + 0.02, edge=0.03)
    numbers = np.arange(1, len(note.partials) + 1)[:, None]
    note.partials = note.partials - 30 * severity * (numbers % register != 0) * crack
    note.cents += rng.uniform(40, 90) * severity * (1 - ramp(note.time, note.onset, 1.3 * length))


def _attack_air(note, rng, severity):
    late = early(note, 0.02, 0.05, rng)
    length = early(note, 0.15, 0.30, rng) * severity
    note.noises.append((hold(note, note.onset, late + length, -18 + 5 * severity), 1200, 7000))
    note.onset += late
    note.attack = max(note.attack, 0.5 * length)


def _rebound(note, rng, severity):
    beat = 0.5 - 0.5 * np.cos(2 * np.pi * rng.uniform(11, 17) * (note.time - note.onset))
    fade = 1 - ramp(note.time, note.onset, early(note, 0.25, 0.4, rng))
    note.level -= 40 * severity * beat * fade


def _pressure(note, rng, severity):
    length = max(0.4 * note.span, 0.1)
    note.tones.append((0.5, hold(note, note.onset, length, -6 + 4 * severity)))
    note.noises.append((hold(note, note.onset, length, -19 + 5 * severity), 500, 5000))
    note.tilt += 1.0 * severity * (1 - ramp(note.time, note.onset, length))


def _pitch_stability(note, rng, severity):
    drift = rng.choice([-1, 1]) * rng.uniform(50, 100) * (note.time - note.onset) / note.span
    note.cents += severity * (drift + 45 * wander(rng, note.time, 0.5, 2.5))


def _vibrato(note, rng, severity):
    depth = rng.uniform(50, 90) * severity * ramp(note.time, note.onset, 0.2 * note.span)
    speed = rng.uniform(5.5, 8) * (1 + 0.08 * wander(rng, note.time, 0.3, 1.5))
    cycle = np.cumsum(speed) * (note.time[1] - note.time[0])
    note.cents += depth * np.sin(2 * np.pi * cycle)
    note.level += 0.8 * severity * np.sin(2 * np.pi * cycle + 1)


def _pitch_errors(note, rng, severity):
    for time in _events(note, rng):
        jump = rng.choice([-1, 1]) * rng.uniform(100, 250) * severity
        note.cents += jump * bump(note.time, time, min(rng.uniform(0.06, 0.2), 0.3 * note.span))


def _dynamics_stability(note, rng, severity):
    note.level += 6.5 * severity * wander(rng, note.time, 1.2, 5)


def _swell(note, rng, severity, sign):
    way = (note.time - note.onset) / note.span - 0.5
    note.level += sign * rng.uniform(20, 30) * severity * way
    note.tilt += sign * 2 * severity * way


def _crescendo(note, rng, severity):
    note.attack *= 1 + severity
    _swell(note, rng, severity, 1)


def _decrescendo(note, rng, severity):
    note.release *= 1 + severity
    _swell(note, rng, severity, -1)


def _tremolo(note, rng, severity):
    cycle = rng.uniform(5, 9) * note.time + rng.random()
    note.level += rng.uniform(8, 12) * severity * np.sin(2 * np.pi * cycle)


def _dynamics_errors(note, rng, severity):
    for time in _events(note, rng):
        drop = rng.uniform(25, 40) * severity
        note.level -= drop * bump(note.time, time, min(rng.uniform(0.08, 0.2), 0.25 * note.span))


def _timbre_stability(note, rng, severity):
    note.tilt += 4 * severity * wander(rng, note.time, 0.6, 3)


def _timbre_errors(note, rng, severity):
    for time in _events(note, rng):
        change = rng.choice([-1, 1]) * rng.uniform(7, 12) * severity
        note.tilt += change * bump(note.time, time, min(rng.uniform(0.1, 0.3), 0.4 * note.span))


def _bridge(note, rng, severity):
    note.partials = note.partials - 9 * severity * near(note, 1, 0.6)
    note.tilt += 2.0 * severity
    note.noises.append((-30 + 4 * severity + to_db(note.envelope()), 2500, 9000))


def _sul_tasto(note, rng, severity):
    note.tilt -= 2.5 * severity
    note.noises.append((-34 + 4 * severity + to_db(note.envelope()), 800, 4000))


def _dirt(note, rng, severity):
    note.level += 2.2 * severity * wander(rng, note.time, 25, 70)
    note.noises.append((-32 + 5 * severity + to_db(note.envelope()), 1000, 6000))


def _richness(note, rng, severity):
    numbers = np.arange(1, len(note.partials) + 1)[:, None]
    note.partials = note.partials - 24 * severity * (numbers > 2)


def _pato(note, rng, severity):
    note.partials = note.partials + 20 * severity * near(note, 1100 / note.frequency, 0.35)
    note.partials = note.partials - 12 * severity * near(note, 1, 0.8)


def _gaita(note, rng, severity):
    note.tilt += 3 * severity
    note.tones.append((1.004 + 0.004 * rng.random(), np.full_like(note.time, -6 + 4 * severity)))


def _air_outside(note, rng, severity):
    breath = -27 + 6 * severity + wander(rng, note.time, 1, 6)
    note.noises.append((breath + to_db(note.envelope()), 2500, 9000))


def _air_inside(note, rng, severity):
    breath = -27 + 6 * severity + 2 * wander(rng, note.time, 2, 10)
    note.noises.append((breath + to_db(note.envelope()), 250, 1400))
    note.tilt -= 0.7 * severity


def near(note, number, width):
    """Bell of height 1 over the partials around partial ``number``, ``width`` octaves wide."""
    numbers = np.arange(1, len(note.partials) + 1)[:, None]
    return np.exp(-((np.log2(numbers / number) / width) ** 2))


ANY, WIND, BOW = ("wind", "bow"), ("wind",), ("bow",)

# The labels of good-sounds, the most frequent first.
RECIPES = {
    "good-sound": Recipe(ANY, _good),
    "bad-attack": Recipe(ANY, _attack),
    "air-outside": Recipe(WIND, _air_outside),
    "bad-richness": Recipe(ANY, _richness),
    "bad-attack-air": Recipe(WIND, _attack_air),
    "bad-timbre-stability": Recipe(ANY, _timbre_stability),
    "bad-pitch-stability": Recipe(ANY, _pitch_stability),
    "bad-pitch-stability-vibrato": Recipe(ANY, _vibrato),
    "bad-attack-tongue-block": Recipe(WIND, _tongue_block),
    "bridge": Recipe(BOW, _bridge),
    "bad-dynamics-stability-tremolo": Recipe(ANY, _tremolo),
    "bad-attack-too-strong": Recipe(ANY, _too_strong),
    "sultasto": Recipe(BOW, _sul_tasto),
    "air-inside": Recipe(WIND, _air_inside),
    "bad-dynamics-stability": Recipe(ANY, _dynamics_stability),
    "good-attack-accent^": Recipe(ANY, _marcato),
    "bad-richness-pato": Recipe(WIND, _pato),
    "pressure": Recipe(BOW, _pressure),
    "bad-dynamics-stability-crescendo": Recipe(ANY, _crescendo),
    "bad-dynamics-stability-decrescendo": Recipe(ANY, _decrescendo),
    "bad-pitch-stability-errors": Recipe(ANY, _pitch_errors),
    "dirt": Recipe(BOW, _dirt),
    "bad-attack-multiphonic": Recipe(WIND, _multiphonic),
    "bad-dynamics-stability-errors": Recipe(ANY, _dynamics_errors),
    "bad-attack-gallo": Recipe(WIND, _gallo),
    "good-attack-accent>": Recipe(ANY, _accent),
    "good-attack-apoyo": Recipe(WIND, _supported),
    "rebound": Recipe(BOW, _rebound),
    "good-timbre-wood": Recipe(ANY, _wood),
    "good-timbre-classic": Recipe(ANY, _classic),
    "bad-richness-gaita": Recipe(WIND, _gaita),
    "bad-timbre-stability-errors": Recipe(ANY, _timbre_errors),
    "good-timbre-vague": Recipe(ANY, _vague),
}
