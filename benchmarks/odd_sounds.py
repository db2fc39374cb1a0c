"""Sounds that are no note, or more than one: what a model should not answer.

Each of `KINDS` is a function of two notes (waveforms), their rate in Hz and a generator, and
returns a waveform. What is made has the length of the first note, and 40 to 6 dB less than full
scale.
"""

import io

import numpy as np
import pandas as pd
import soundfile
from scipy.fft import next_fast_len
from scipy.signal import lfilter

from sknote.audio import decode
from sknote.exceptions import AudioDecodeError

__all__ = ["KINDS", "NEVER", "odd_notes"]

NEVER = "instruments that are in no fold"
_RATE = 44_100  # at which notes are read, in Hz


def silence(first, second, rate, rng):
    """Return zeros."""
    return np.zeros(len(first), dtype=np.float32)


def white_noise(first, second, rate, rng):
    """Return noise of equal power at all frequencies."""
    return _at_some_level(rng.standard_normal(len(first)), rng)


def pink_noise(first, second, rate, rng):
    """Return noise of equal power in all octaves."""
    n_fft = next_fast_len(len(first), real=True)
    spectrum = np.fft.rfft(rng.standard_normal(n_fft))
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    spectrum[0] = 0.0
    return _at_some_level(np.fft.irfft(spectrum, n_fft)[: len(first)], rng)


def babble(first, second, rate, rng):
    """Return three voices: gliding pulses through the formants of vowels, in syllables."""
    voices = sum(_voice(len(first), rate, rng) for _ in range(3))
    return _at_some_level(voices, rng)


def two_notes(first, second, rate, rng):
    """Return both notes at once, as loud as each other."""
    n_samples = min(len(first), len(second))
    both = sum(note[:n_samples] / _rms(note[:n_samples]) for note in (first, second))
    return _at_some_level(both, rng)


def clicks(first, second, rate, rng):
    """Return short knocks at irregular times, ten in a second, over a soft noise."""
    n_knocks = max(2, round(10 * len(first) / rate))
    knocks = np.zeros(len(first))
    places = rng.integers(0, len(first), n_knocks)
    knocks[places] = rng.choice([-1.0, 1.0], n_knocks) * rng.uniform(0.3, 1.0, n_knocks)
    decay = np.exp(-np.arange(int(0.004 * rate)) / (0.001 * rate))
    knocks = np.convolve(knocks, decay)[: len(first)]
    return _at_some_level(knocks + 1e-3 * rng.standard_normal(len(first)), rng)


def _voice(n_samples, rate, rng):
    syllables = max(2, round(n_samples / rate * rng.uniform(3, 6)) + 1)
    places = np.linspace(0, n_samples, syllables + 1)
    time = np.arange(n_samples)
    pitch = np.interp(time, places, rng.uniform(0.8, 1.25, syllables + 1) * rng.uniform(90, 240))
    turns = np.cumsum(pitch) / rate
    pulses = np.diff(np.floor(turns), prepend=0.0) + 0.02 * rng.standard_normal(n_samples)
    # each syllable has a vowel of its own
    voice = np.zeros(n_samples)
    for start, stop in zip(places[:-1].astype(int), places[1:].astype(int)):
        part = pulses[start:stop]
        for formant in (rng.uniform(250, 850), rng.uniform(900, 2300), rng.uniform(2300, 3000)):
            radius = np.exp(-np.pi * 90 / rate)
            angle = 2 * np.pi * formant / rate
            part = lfilter([1 - radius], [1, -2 * radius * np.cos(angle), radius**2], part)
        voice[start:stop] = part * np.hanning(stop - start) ** 0.5
    return voice / max(_rms(voice), 1e-12)


def _at_some_level(waveform, rng):
    peak = max(float(np.abs(waveform).max(initial=0.0)), 1e-12)
    return (waveform * 10 ** (rng.uniform(-40, -6) / 20) / peak).astype(np.float32)


def _rms(waveform):
    return max(float(np.sqrt(np.mean(np.square(waveform, dtype=np.float64)))), 1e-12)


KINDS = {
    "silence": silence,
    "white noise": white_noise,
    "pink noise": pink_noise,
    "babble of three voices": babble,
    "two notes at once": two_notes,
    "clicks": clicks,
}


def odd_notes(task, test, n_odd, rng):
    """Make sounds of each kind that are as long as notes of a part of a task; find foreign notes.

    Returns kind → DataFrame of ``audio`` and ``instrument``, as a pipeline takes it. Foreign notes
    are those of instruments that no fold has, as they have no label that is frequent enough.
    """
    notes = task.notes(test)
    pairs = _pairs(notes.instrument.to_numpy(dtype=str), task.groups[test], n_odd, rng)
    found = {}
    for kind, make in KINDS.items():
        sounds = []
        for first, second in pairs:
            heard = [_waveform(notes.audio[row]) for row in (first, second)]
            soundfile.write(
                file := io.BytesIO(), make(*heard, _RATE, rng), _RATE, format="WAV", subtype="FLOAT"
            )
            sounds.append(file.getvalue())
        instrument = notes.instrument.iloc[[first for first, _ in pairs]].to_numpy()
        found[kind] = pd.DataFrame({"audio": sounds, "instrument": instrument})
    heard = set(task.data.instrument.iloc[task.rows])
    others = np.flatnonzero(~task.data.instrument.isin(heard))
    if len(others):
        found[NEVER] = task.notes(others)
    return found


def _pairs(instrument, groups, n_pairs, rng):
    """Draw pairs of notes of an instrument and of two groups; of any two where there are none."""
    pairs = []
    for first in rng.choice(len(groups), n_pairs):
        others = np.flatnonzero((instrument == instrument[first]) & (groups != groups[first]))
        pairs.append((int(first), int(rng.choice(others if len(others) else len(groups)))))
    return pairs


def _waveform(path):
    """Read a note; half a second of nothing stands for what cannot be read."""
    try:
        waveform = decode(path, sample_rate=_RATE, remarks=[])
    except (OSError, AudioDecodeError):
        waveform = np.zeros(0)
    return waveform if len(waveform) else np.zeros(_RATE // 2, dtype=np.float32)
