"""Passages that the network of `sknote.audio.NoteSegmenter` learns from.

Half are synthetic, half are spliced of real single notes, in more ways than those of the tests:
tempo and manner change within a passage, tones are held, plucked or swell, strings are damped,
there are breaths, clicks, rooms, noise, hum and narrow bands, and tapes at another speed.
"""

from collections import defaultdict
from typing import NamedTuple

import numpy as np
import scipy.signal

from benchmarks.splices import Single, load_singles
from sknote.datasets import make_passage

__all__ = ["TrainingPassage", "spliced_passages", "synthetic_passages"]

RATE = 44100  # Hz, of spliced passages
SECONDS = 6.0
SHORTEST = 0.045  # seconds that a note sounds
RATES = (22050, 22050, 32000, 44100)  # Hz, of synthetic passages


class TrainingPassage(NamedTuple):
    """A waveform, and of each note its onset and offset in seconds, and its pitch (MIDI)."""

    waveform: np.ndarray
    sample_rate: int
    notes: np.ndarray  # (n_notes, 3)


class Manner(NamedTuple):
    """How the notes of a passage are played."""

    slot: float  # seconds from onset to onset, mostly
    multiples: tuple  # of the slot
    articulation: str  # or "mixed"
    repeats: float  # share of notes at the pitch before
    step: float  # semitones, standard deviation
    dynamic: float  # peak level that is sought among the notes of a pitch, as a rank from 0 to 1
    is_plucked: bool
    swells: bool
    is_damped: bool


def synthetic_passages(n, seed):
    """Yield passages by `make_passage`."""
    for number in range(n):
        rng = np.random.default_rng([seed, number])
        passage = make_passage(
            SECONDS,
            slurs=float(rng.choice([0.1, 0.4, 0.8])),
            repeats=float(rng.choice([0.05, 0.15, 0.5])),
            rests=float(rng.choice([0.02, 0.08, 0.3])),
            sample_rate=int(rng.choice(RATES)),
            random_state=int(rng.integers(2**31)),
        )
        notes = passage.notes[["onset", "offset", "midi"]].to_numpy(float)
        yield TrainingPassage(passage.waveform, passage.sample_rate, notes)


def spliced_passages(n, seed, data_home=None):
    """Yield passages of real notes, of files that no test uses."""
    by_instrument = defaultdict(lambda: defaultdict(list))
    for one in load_singles("train", data_home=data_home, sample_rate=RATE):
        by_instrument[one.instrument][one.midi].append(one)
    instruments = sorted(by_instrument)
    for number in range(n):
        rng = np.random.default_rng([seed, number])
        by_pitch = by_instrument[instruments[rng.integers(len(instruments))]]
        yield place(*play(by_pitch, draw_manner(rng), rng), rng)


def draw_manner(rng):
    tempo = rng.choice(["fast", "medium", "slow", "free"], p=[0.38, 0.3, 0.12, 0.2])
    low, high = {"fast": (0.075, 0.2), "medium": (0.18, 0.5), "slow": (0.5, 1.8)}.get(
        tempo, (0.1, 0.6)
    )
    kinds = ["slurred", "legato", "detached", "staccato", "mixed"]
    is_plucked = rng.random() < 0.18
    articulation = rng.choice(kinds, p=[0.3, 0.2, 0.15, 0.1, 0.25])
    if is_plucked and articulation in ("slurred", "mixed"):
        articulation = rng.choice(["legato", "detached"])
    return Manner(
        slot=rng.uniform(low, high),
        multiples=(0.5, 1, 2, 3) if tempo == "free" else (0.5, 1, 1, 1, 1, 2, 3),
        articulation=articulation,
        repeats=rng.choice([0, 0.1, 0.5]),
        step=rng.choice([1.2, 2.5, 5.0]),
        dynamic=rng.random(),
        is_plucked=is_plucked,
        swells=rng.random() < 0.25,
        is_damped=rng.random() < 0.3,
    )


def play(by_pitch, manner, rng):
    """Play notes of one instrument one after the other; a waveform, and rows of its notes."""
    n_samples = round(SECONDS * RATE)
    sound = np.zeros(n_samples + RATE, np.float32)
    pitches = sorted(by_pitch)
    at = int(rng.integers(len(pitches)))
    time = 0.0 if rng.random() < 0.15 else rng.uniform(0, 0.6)
    notes, loudness = [], 0.0
    while time < SECONDS - 0.1:
        if not (notes and rng.random() < manner.repeats):
            at = int(np.clip(at + np.rint(rng.normal(0, manner.step)), 0, len(pitches) - 1))
        one = _choose(by_pitch[pitches[at]], manner.dynamic, rng)
        slot = manner.slot * rng.choice(manner.multiples) * rng.uniform(0.93, 1.07)
        slot = max(0.07, slot)
        kind = manner.articulation
        if kind == "mixed":
            kind = str(rng.choice(["slurred", "legato", "detached", "staccato"]))
        shares = {"legato": (0.95, 1.03), "detached": (0.6, 0.95), "staccato": (0.3, 0.6)}
        length = max(SHORTEST, slot * rng.uniform(*shares.get(kind, (1, 1))))
        is_slurred = (
            kind == "slurred"
            and bool(notes)
            and notes[-1][2] != one.midi
            and abs(time - notes[-1][1]) < 0.02
            and one.over > 0.35
        )
        if is_slurred:
            skipped = rng.uniform(0.06, min(0.35, one.over - 0.25))
            slot = length = min(length, one.over - skipped - 0.02)
            loudness = _slur(sound, one, time, skipped, length, loudness, rng)
        else:
            length = min(length, one.over)
            loudness = _articulate(sound, one, time, length, manner, bool(notes), rng)
        if notes:
            notes[-1][1] = min(notes[-1][1], time)
        notes.append([time, time + length, float(one.midi)])
        time += slot
        if rng.random() < 0.04:
            time += rng.uniform(0.1, 1.2)
    notes = np.array([note for note in notes if note[0] < SECONDS - 0.02])
    notes[:, 1] = np.minimum(notes[:, 1], SECONDS)
    return sound[:n_samples], notes


def _choose(singles, dynamic, rng):
    """Mostly a note of the dynamic that is played."""
    if rng.random() < 0.25:
        return singles[rng.integers(len(singles))]
    ranked = sorted(singles, key=_peak)
    return ranked[int(np.clip(rng.normal(dynamic, 0.1) * len(ranked), 0, len(ranked) - 1))]


def _peak(single: Single):
    return float(np.abs(single.waveform[:RATE]).max())


def _articulate(sound, one, time, length, manner, has_before, rng):
    """Play a note from its attack; returns how loud it is."""
    release = rng.uniform(0.004, 0.06) if rng.random() < 0.9 else 0.001
    start = round(time * RATE)
    end = one.lead + round((length + 3 * release) * RATE)
    note = one.waveform[:end] * np.float32(10 ** (rng.normal(-3, 1.5) / 20) / max(_peak(one), 1e-4))
    if has_before and rng.random() < 0.5:  # the one before stops within a little
        _stop(sound, start, round(rng.uniform(0.005, 0.04) * RATE))
    seconds = np.maximum(np.arange(len(note)) - one.lead, 0) / RATE
    shape = np.ones(len(note))
    if manner.is_plucked:
        shape *= 10 ** (-3 * seconds / rng.uniform(0.25, 3.0))
    elif manner.swells and rng.random() < 0.5:
        shape *= 10 ** (rng.uniform(-14, 10) * np.minimum(seconds / max(length, 0.1), 1) / 20)
    _release(shape, one.lead + round(length * RATE), release)
    note = note * shape
    if manner.is_damped and rng.random() < 0.7:
        _damp(note, one.lead + round(length * RATE), rng)
    return _add(sound, note, start - one.lead)


def _slur(sound, one, time, skipped, length, loudness, rng):
    """Let the sound before go over into a held note, half way at `time`; returns how loud it is."""
    n_over = round(rng.uniform(0.006, 0.045) * RATE)
    release = rng.uniform(0.006, 0.03)
    start = max(0, one.lead + round(skipped * RATE) - n_over // 2)
    end = start + n_over // 2 + round((length + 3 * release) * RATE)
    note = one.waveform[start:end].astype(np.float64)
    note *= loudness / max(_level(note[:4000]), 1e-6) * 10 ** (rng.normal(0, 1.5) / 20)
    shape = np.ones(len(note))
    n_in = min(n_over, len(note))
    shape[:n_in] = 0.5 - 0.5 * np.cos(np.pi * np.arange(n_in) / n_over)
    _release(shape, n_over // 2 + round(length * RATE), release)
    first = round(time * RATE) - n_over // 2
    _stop(sound, first, n_over)
    return _add(sound, note * shape, first)


def _add(sound, note, first):
    """Mix a note in; returns the level of its middle."""
    note = note[max(-first, 0) :]
    first = max(first, 0)
    note = note[: len(sound) - first]
    sound[first : first + len(note)] += note.astype(np.float32)
    middle = len(note) // 2
    return max(_level(note[max(0, middle - 2000) : middle + 2000]), 1e-6)


def _stop(sound, first, n_samples):
    """Fade out what sounds, from a sample on."""
    first = max(first, 0)
    part = sound[first : first + n_samples]
    part *= (0.5 + 0.5 * np.cos(np.pi * np.arange(len(part)) / max(n_samples, 1))).astype(
        part.dtype
    )
    sound[first + n_samples :] = 0


def _release(shape, at, seconds):
    if at < len(shape):
        shape[at:] *= np.exp(-np.arange(len(shape) - at) / (seconds * RATE))
    if len(shape) - at < 10:  # the recording is over before
        n = min(len(shape), round(0.02 * RATE))
        shape[-n:] *= np.linspace(1, 0, n)


def _damp(note, at, rng):
    """Add the noise of a finger or a pad that ends a note."""
    n = min(len(note) - at, round(rng.uniform(0.005, 0.03) * RATE))
    if n < 10:
        return
    noise = rng.standard_normal(n) * np.hanning(n)
    noise = np.convolve(noise, np.ones(int(rng.integers(1, 40))), "same")
    note[at : at + n] += noise / np.abs(noise).max() * 10 ** (rng.uniform(-34, -12) / 20)


def _level(samples):
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0


def place(sound, notes, rng):
    """Put a player into a room, before a microphone."""
    n = len(sound)
    sound = sound.astype(np.float64)
    if rng.random() < 0.5:
        for _ in range(rng.integers(1, 4)):
            breath = _noise(round(rng.uniform(0.08, 0.4) * RATE), rng, rng.uniform(600, 5000))
            breath *= np.hanning(len(breath)) * 10 ** (rng.uniform(-50, -28) / 20)
            first = rng.integers(0, n - len(breath))
            sound[first : first + len(breath)] += breath
    if rng.random() < 0.35:
        for _ in range(rng.integers(1, 12)):
            length = round(rng.uniform(0.003, 0.02) * RATE)
            click = rng.standard_normal(length) * np.exp(-4 * np.arange(length) / length)
            first = rng.integers(0, n - length)
            sound[first : first + length] += click * 10 ** (rng.uniform(-50, -24) / 20)
    if rng.random() < 0.55:
        sound = _reverberate(sound, rng)
    high = rng.uniform(100, 4000) if rng.random() < 0.6 else None
    sound = sound + _lowpass(rng.standard_normal(n), high) * 10 ** (rng.uniform(-85, -32) / 20)
    if rng.random() < 0.2:
        time = np.arange(n) / RATE
        mains = rng.choice([50, 60])
        hum = sum(
            np.sin(2 * np.pi * mains * k * time + rng.uniform(0, 6)) / k for k in (1, 2, 3, 5)
        )
        sound = sound + hum * 10 ** (rng.uniform(-60, -38) / 20)
    if rng.random() < 0.3:
        band = [rng.uniform(60, 250), rng.uniform(4000, 9000)]
        sound = scipy.signal.sosfilt(
            scipy.signal.butter(2, band, "band", fs=RATE, output="sos"), sound
        )
    sound = sound * 10 ** (rng.uniform(-24, 3) / 20)
    if rng.random() < 0.6:  # a tape at another speed
        speed = 2 ** (rng.uniform(-5, 5) / 12)
        sound = np.interp(np.arange(int(n / speed)) * speed, np.arange(n), sound)
        notes = notes * [1 / speed, 1 / speed, 1] + [0, 0, 12 * np.log2(speed)]
    return TrainingPassage(np.clip(sound, -1, 1).astype(np.float32), RATE, notes)


def _noise(n, rng, centre):
    """Noise about a frequency, with a level of 1."""
    band = [centre / 2, min(2 * centre, 20000)]
    filter_ = scipy.signal.butter(1, band, "band", fs=RATE, output="sos")
    noise = scipy.signal.sosfilt(filter_, rng.standard_normal(n))
    return noise / _level(noise)


def _lowpass(noise, high):
    if high is not None:
        filter_ = scipy.signal.butter(1, high, fs=RATE, output="sos")
        noise = scipy.signal.sosfilt(filter_, noise)
    return noise / _level(noise)


def _reverberate(sound, rng):
    n = round(rng.uniform(0.15, 1.6) * RATE)
    answer = _lowpass(
        rng.standard_normal(n) * 10 ** (-3 * np.arange(n) / n), rng.uniform(1500, 8000)
    )
    answer /= np.sqrt(np.sum(answer**2))
    wet = scipy.signal.fftconvolve(sound, answer)[: len(sound)] * 10 ** (rng.uniform(-26, -5) / 20)
    delay = round(rng.uniform(0, 0.015) * RATE)
    return sound + np.concatenate([np.zeros(delay), wet])[: len(sound)]
