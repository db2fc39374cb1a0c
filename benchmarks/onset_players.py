"""Players of single notes, for the passages that the network of `NoteSegmenter` learns from.

Tempo and manner change within a passage, tones are held, plucked or swell, are slurred, tongued
again or slid into, and strings are damped.
"""

from typing import NamedTuple

import numpy as np
import scipy.signal

from benchmarks.splices import Single

__all__ = [
    "RATE",
    "SECONDS",
    "bend",
    "draw_fast_manner",
    "draw_manner",
    "level_of",
    "lowpass",
    "noise_about",
    "play",
    "tongue",
]

RATE = 44100  # Hz
SECONDS = 6.0
SHORTEST = 0.045  # seconds that a note sounds


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
    touches: float  # share of the notes before which a finger takes hold of the string


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
        touches=rng.choice([0, 0.4, 1]),
    )


def draw_fast_manner(rng):
    """Draw a run of a wind or a bowed instrument, mostly slurred: 7 to 14 notes a second."""
    return draw_manner(rng)._replace(
        slot=rng.uniform(0.07, 0.15),
        multiples=(1, 1, 1, 1, 1, 1, 2),
        articulation=str(rng.choice(["slurred", "legato", "mixed"], p=[0.55, 0.2, 0.25])),
        is_plucked=False,
        is_damped=False,
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
        is_again = bool(notes) and notes[-1][2] == one.midi
        if kind == "legato" and is_again and not manner.is_plucked and rng.random() < 0.5:
            kind = "slurred"  # one breath, or one bow
        shares = {"legato": (0.95, 1.03), "detached": (0.6, 0.95), "staccato": (0.3, 0.6)}
        length = max(SHORTEST, slot * rng.uniform(*shares.get(kind, (1, 1))))
        is_joined = (
            kind == "slurred"
            and bool(notes)
            and abs(time - notes[-1][1]) < 0.02
            and one.over > 0.35
        )
        if is_joined:
            skipped = rng.uniform(0.06, min(0.35, one.over - 0.25))
            slot = length = min(length, one.over - skipped - 0.02)
            loudness = _slur(sound, one, time, skipped, length, loudness, rng)
            if is_again or rng.random() < 0.25:
                tongue(sound, time, rng)
        else:
            length = min(length, one.over)
            if notes and manner.is_plucked and rng.random() < manner.touches:
                gap = min(rng.uniform(0.02, 0.09), 0.5 * (time - notes[-1][0]))
                notes[-1][1] = min(notes[-1][1], time - gap)
                _touch(sound, time - gap, rng)
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


def bend(sound, notes, rng):
    """Slide into notes, and let a pitch tremble: play at a speed that changes."""
    time = np.arange(0, len(sound) / RATE, 0.001)
    semitones = np.zeros(len(time))
    if rng.random() < 0.3:
        depth, turn = rng.uniform(0.05, 0.5), 2 * np.pi * rng.uniform(4, 7)
        semitones += depth * np.sin(turn * time + rng.uniform(0, 6))
    share = rng.choice([0, 0.15, 0.6])
    ends = [*notes[1:, 0], time[-1] + 1]
    for (onset, *_), end in zip(notes, ends, strict=True):
        if rng.random() < share:
            depth, seconds = rng.normal(-0.4, 0.5), rng.uniform(0.01, 0.08)
            is_here = (time >= onset) & (time < end)
            semitones[is_here] += depth * np.exp(-(time[is_here] - onset) / seconds)
    if not semitones.any():
        return sound, notes
    played = np.concatenate([[0], np.cumsum(2 ** (semitones / 12))[:-1] * 0.001])
    at = np.interp(np.arange(len(sound)) / RATE, time, played)
    sound = np.interp(at * RATE, np.arange(len(sound)), sound)
    notes = notes.copy()
    notes[:, :2] = np.interp(notes[:, :2], played, time)
    return sound.astype(np.float32), notes


def _articulate(sound, one, time, length, manner, has_before, rng):
    """Play a note from its attack; returns how loud it is."""
    release = rng.uniform(0.004, 0.06) if rng.random() < 0.9 else 0.001
    start = round(time * RATE)
    end = one.lead + round((length + 3 * release) * RATE)
    level = np.float32(10 ** (rng.normal(-3, 1.5) / 20) / max(_peak(one), 1e-4))
    note = one.waveform[:end] * level
    if has_before and rng.random() < 0.5:  # the one before stops within a little
        _stop(sound, start, round(rng.uniform(0.005, 0.04) * RATE))
    seconds = np.maximum(np.arange(len(note)) - one.lead, 0) / RATE
    shape = np.ones(len(note))
    if manner.is_plucked:
        shape *= 10 ** (-3 * seconds / rng.uniform(0.25, 3.0))
    elif manner.swells and rng.random() < 0.5:
        shape *= 10 ** (rng.uniform(-14, 10) * np.minimum(seconds / max(length, 0.1), 1) / 20)
    at = one.lead + round(length * RATE)
    if rng.random() < 0.3:  # what is low rings on for a little
        low = _lower(note, rng)
        high = note - low
        note = low * _release(shape.copy(), at, release * rng.uniform(1, 3))
        note += high * _release(shape, at, release)
    else:
        note = note * _release(shape, at, release)
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
    note *= loudness / max(level_of(note[:4000]), 1e-6) * 10 ** (rng.normal(0, 1.5) / 20)
    shape = np.ones(len(note))
    n_in = min(n_over, len(note))
    shape[:n_in] = 0.5 - 0.5 * np.cos(np.pi * np.arange(n_in) / n_over)
    _release(shape, n_over // 2 + round(length * RATE), release)
    first = round(time * RATE) - n_over // 2
    _stop(sound, first, n_over)
    return _add(sound, note * shape, first)


def tongue(sound, time, rng):
    """Let a tongue touch the reed, or a bow turn: until the onset the tone is softer and darker."""
    n = round(0.012 * 10 ** rng.uniform(0, 1) * RATE)
    first = max(0, round(time * RATE) - round(rng.uniform(0.6, 0.9) * n))
    part = sound[first : first + n]
    touch = np.hanning(n)[: len(part)]
    loss = rng.uniform(2, 26)  # dB, of high frequencies
    low = _lower(part, rng)
    dark = low * 10 ** (-rng.uniform(0, loss) / 20) + (part - low) * 10 ** (-loss / 20)
    noise = noise_about(n, rng, rng.uniform(800, 5000))[: len(part)] * max(level_of(part), 1e-6)
    noise *= 10 ** (rng.uniform(-50, -18) / 20)
    part += (touch * (dark - part + noise)).astype(part.dtype)


def _lower(sound, rng):
    """Return what is low in a sound, at the times at which it is."""
    filter_ = scipy.signal.butter(1, rng.uniform(300, 2000), fs=RATE, output="sos")
    return scipy.signal.sosfiltfilt(filter_, sound) if len(sound) > 20 else sound


def _touch(sound, time, rng):
    """Let a finger take hold of a string: what sounds stops, with some noise."""
    first = max(0, round(time * RATE))
    _stop(sound, first, round(rng.uniform(0.003, 0.03) * RATE))
    n = round(rng.uniform(0.01, 0.06) * RATE)
    part = sound[first : first + n]
    noise = noise_about(n, rng, rng.uniform(100, 2500)) * np.exp(-4 * np.arange(n) / n)
    part += (noise[: len(part)] * 10 ** (rng.uniform(-46, -14) / 20)).astype(part.dtype)


def _add(sound, note, first):
    """Mix a note in; returns the level of its middle."""
    note = note[max(-first, 0) :]
    first = max(first, 0)
    note = note[: len(sound) - first]
    sound[first : first + len(note)] += note.astype(np.float32)
    middle = len(note) // 2
    return max(level_of(note[max(0, middle - 2000) : middle + 2000]), 1e-6)


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
    return shape


def _damp(note, at, rng):
    """Add the noise of a finger or a pad that ends a note."""
    n = min(len(note) - at, round(rng.uniform(0.005, 0.03) * RATE))
    if n < 10:
        return
    noise = rng.standard_normal(n) * np.hanning(n)
    noise = np.convolve(noise, np.ones(int(rng.integers(1, 40))), "same")
    note[at : at + n] += noise / np.abs(noise).max() * 10 ** (rng.uniform(-34, -12) / 20)


def noise_about(n, rng, centre):
    """Noise about a frequency, with a level of 1."""
    band = [centre / 2, min(2 * centre, 20000)]
    filter_ = scipy.signal.butter(1, band, "band", fs=RATE, output="sos")
    noise = scipy.signal.sosfilt(filter_, rng.standard_normal(n))
    return noise / level_of(noise)


def lowpass(noise, high):
    if high is not None:
        filter_ = scipy.signal.butter(1, high, fs=RATE, output="sos")
        noise = scipy.signal.sosfilt(filter_, noise)
    return noise / level_of(noise)


def level_of(samples):
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0
