"""Passages that the network of `sknote.audio.NoteSegmenter` learns from.

Some are synthetic, some are spliced of real single notes, in more ways than those of the tests:
players have many manners, there are breaths, clicks, rooms, noise, hum and narrow bands, and tapes
at another speed. In others single notes are held, each from its attack to its end.
"""

from collections import defaultdict
from typing import NamedTuple

import numpy as np
import scipy.signal

from benchmarks.onset_players import RATE, SECONDS, bend, draw_manner, lowpass, noise_about, play
from benchmarks.splices import load_singles
from sknote.datasets import make_passage

__all__ = ["TrainingPassage", "held_passages", "spliced_passages", "synthetic_passages"]

RATES = (22050, 22050, 32000, 44100)  # Hz, of synthetic passages


class TrainingPassage(NamedTuple):
    """A waveform, and of each note its onset and offset in seconds, and its pitch (MIDI)."""

    waveform: np.ndarray
    sample_rate: int
    notes: np.ndarray  # (n_notes, 3)


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


def spliced_passages(n, seed, data_home=None, draw=draw_manner):
    """Yield passages of real notes, of files that no test uses, in the manner that `draw` draws."""
    by_instrument = defaultdict(lambda: defaultdict(list))
    for one in load_singles("train", data_home=data_home, sample_rate=RATE):
        by_instrument[one.instrument][one.midi].append(one)
    instruments = sorted(by_instrument)
    for number in range(n):
        rng = np.random.default_rng([seed, number])
        by_pitch = by_instrument[instruments[rng.integers(len(instruments))]]
        yield place(*bend(*play(by_pitch, draw(rng), rng), rng), rng)


def held_passages(n, seed, data_home=None):
    """Yield passages of whole real notes with silence between them, of files that no test uses.

    Notes with trills and tremolos are left out: that nothing begins in them is not learned without
    missing fast slurs and repeated notes, which sound like them.
    """
    how = {"kept": SECONDS, "tail": 0.3, "swells": True}
    by_instrument = defaultdict(list)
    for one in load_singles("train", data_home=data_home, sample_rate=RATE, **how):
        if not one.ornamented:
            by_instrument[one.instrument].append(one)
    instruments = sorted(by_instrument)
    for number in range(n):
        rng = np.random.default_rng([seed, number])
        singles = by_instrument[instruments[rng.integers(len(instruments))]]
        yield place(*bend(*_hold(singles, rng), rng), rng)


def _hold(singles, rng):
    """Play whole notes with silence between them; a waveform, and rows of its notes."""
    n_samples = round(SECONDS * RATE)
    sound = np.zeros(n_samples, np.float32)
    time, notes = rng.uniform(0.02, 0.8), []
    while time < SECONDS - 0.3:
        one = singles[rng.integers(len(singles))]
        peak = max(float(np.abs(one.waveform).max()), 1e-4)
        note = one.waveform * np.float32(10 ** (rng.normal(-3, 2) / 20) / peak)
        n_out = min(len(note), round(0.05 * RATE))
        note[-n_out:] *= np.linspace(1, 0, n_out, dtype=np.float32)
        first = round(time * RATE) - one.lead
        note = note[max(-first, 0) : n_samples - first]
        sound[max(first, 0) :][: len(note)] += note
        notes.append([time, min(time + one.over, SECONDS), float(one.midi)])
        time += one.over + rng.uniform(0.05, 1.0)
    return sound, np.array(notes)


def place(sound, notes, rng):
    """Put a player into a room, before a microphone."""
    n = len(sound)
    sound = sound.astype(np.float64)
    if rng.random() < 0.5:
        for _ in range(rng.integers(1, 4)):
            breath = noise_about(round(rng.uniform(0.08, 0.4) * RATE), rng, rng.uniform(600, 5000))
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
    sound = sound + lowpass(rng.standard_normal(n), high) * 10 ** (rng.uniform(-85, -32) / 20)
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


def _reverberate(sound, rng):
    n = round(rng.uniform(0.15, 1.6) * RATE)
    answer = lowpass(
        rng.standard_normal(n) * 10 ** (-3 * np.arange(n) / n), rng.uniform(1500, 8000)
    )
    answer /= np.sqrt(np.sum(answer**2))
    wet = scipy.signal.fftconvolve(sound, answer)[: len(sound)] * 10 ** (rng.uniform(-26, -5) / 20)
    delay = round(rng.uniform(0, 0.015) * RATE)
    return sound + np.concatenate([np.zeros(delay), wet])[: len(sound)]
