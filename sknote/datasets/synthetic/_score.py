"""What is to be played in a passage: pitches, rhythm, slurs, rests, ornaments.

A score is a list of `ScoreNote`, in order; nothing sounds yet.
"""

from dataclasses import dataclass

import numpy as np

ARTICULATED, SLURRED = "articulated", "slurred"
# Shortest ornamented notes, in seconds: less is no trill, and no vibrato.
_VIBRATO, _TRILL = 0.3, 0.5
_STEPS, _ARPEGGIO, _LEAPS = (1, 2, 2), (3, 4, 5), (5, 7, 8, 12)
# Lengths in a rhythm, in units of its shortest note.
_RHYTHM = (1, 1, 1, 1, 1, 1.5, 2, 3)


@dataclass
class ScoreNote:
    """One note of a score."""

    start: float  # seconds
    length: float  # seconds until the next note or rest may start
    midi: int
    articulation: str  # ARTICULATED, or SLURRED: no new start of the breath or the bow
    gate: float  # share of the length that sounds, 1 for legato
    ornament: str = "none"  # "vibrato" or "trill"
    accent: float = 0.0  # dB


def draw_score(rng, *, duration, rates, lowest, highest, slurs, repeats, rests, ornaments):
    """Draw the score of a passage that ends before `duration` seconds.

    `rates` are the fewest and the most notes a second; the other numbers are shares of the notes
    (`rests`: of places between two notes).
    """
    score = []
    time = rng.uniform(0.05, min(0.4, 0.1 * duration))
    midi = round(lowest + (highest - lowest) * rng.beta(2, 2))
    while rates[1] > 0:
        phrase, time = _phrase(rng, time, midi, duration, rates, (lowest, highest), slurs, repeats)
        score += phrase
        if not phrase or time > duration:
            break
        midi = phrase[-1].midi
        if rng.random() < rests * len(phrase):
            time += rng.uniform(0.1, 0.9)
    _ornament(rng, score, ornaments)
    return score


def _phrase(rng, time, midi, duration, rates, bounds, slurs, repeats):
    """Draw some notes of one tempo and one manner; returns them and the time after the last."""
    shortest = 1 / np.exp(rng.uniform(*np.log(rates)))
    even = rng.random() < 0.5
    # Slurred by pairs and threes, or as a whole.
    share = slurs if rng.random() < 0.5 else float(rng.random() < slurs)
    gate = float(rng.choice([1, 1, rng.uniform(0.75, 1), rng.uniform(0.35, 0.75)]))
    steps = (_STEPS, _STEPS, _ARPEGGIO, _LEAPS)[rng.integers(4)]
    way = rng.choice([-1, 1])
    phrase = []
    for left in range(int(rng.integers(2, 17)), 0, -1):
        length = shortest if even else shortest * float(rng.choice(_RHYTHM))
        length *= np.exp(rng.normal(0, 0.03))
        if left == 1:
            length *= rng.uniform(1, 3)
        if time + length > duration - 0.1:
            return phrase, np.inf
        is_repeat = bool(phrase) and rng.random() < repeats
        if not is_repeat:
            way = -way if rng.random() < 0.25 else way
            midi, way = _within(midi, int(way * rng.choice(steps)), way, bounds)
        slurred = bool(phrase) and not is_repeat and rng.random() < share
        articulation = SLURRED if slurred else ARTICULATED
        accent = rng.normal(0, 1) + (rng.random() < 0.1) * rng.uniform(2, 6)
        phrase.append(ScoreNote(time, length, midi, articulation, gate, accent=accent))
        time += length
    return phrase, time


def _within(midi, step, way, bounds):
    """Go a step, and turn round at the ends of the range."""
    lowest, highest = bounds
    if not lowest <= midi + step <= highest:
        step, way = -step, -way
    return int(np.clip(midi + step, lowest, highest)), way


def _ornament(rng, score, share):
    """Give vibrato or a trill to long notes, as many as a share of all notes where there are."""
    able = [note for note in score if note.length * note.gate >= _VIBRATO]
    wanted = min(len(able), rng.binomial(len(score), share))
    for place in rng.permutation(len(able))[:wanted]:
        note = able[place]
        can_trill = note.length * note.gate >= _TRILL
        note.ornament = "trill" if can_trill and rng.random() < 0.4 else "vibrato"
