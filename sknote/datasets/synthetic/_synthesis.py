"""Additive synthesis of one played note: harmonic partials, bands of noise, a room.

The slow things (pitch, level, spectral tilt) are curves at a control rate, one point every
`HOP` samples, between which the amplitudes run straight. The partials are a matrix product over
such blocks, which is what makes it fast.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy import fft

HOP = 64
# More are inaudible in the mix, and the lowest notes of the bass would have a hundred and more.
MAX_PARTIALS = 48
# Partials stop a little short of half the sampling rate.
TOP = 0.46
_SILENCE = -120.0
# Blocks that are computed at once, so that the sines of all partials stay in the cache.
_CHUNK = 32


@dataclass
class Note:
    """What a player does with one note, as curves of shape (n_points,) over the control points."""

    time: np.ndarray  # seconds from the start of the recording
    n_samples: int
    sample_rate: int
    frequency: float  # fundamental in Hz, where `cents` is 0
    partials: np.ndarray  # (n_partials, 1 or n_points): levels in dB, of which the relation matters
    onset: float  # seconds at which the tone starts
    end: float  # and stops
    attack: float  # seconds that it takes to rise
    release: float  # and to fall
    cents: np.ndarray  # deviation in pitch
    level: np.ndarray  # deviation in loudness, dB
    tilt: np.ndarray  # deviation in spectral slope, dB per octave
    volume: float  # level of the tone in dB relative to full scale (RMS)
    # Bands of noise (level, low, high): dB relative to `volume`, a float or a curve; Hz.
    noises: list = field(default_factory=list)
    # Further harmonic series (ratio to the pitch, level as a curve in dB relative to the tone).
    tones: list = field(default_factory=list)
    # How much too high the partials of a stiff string are: partial k by sqrt(1 + stretch * k**2).
    stretch: float = 0.0

    @property
    def span(self):
        """Seconds from the onset to the end of the tone."""
        return self.end - self.onset

    def envelope(self):
        """Rise and fall of the tone, 0 to 1."""
        rise = ramp(self.time, self.onset, self.attack)
        return rise * (1 - ramp(self.time, self.end - self.release, self.release))


def ramp(time, start, length):
    """Smooth step from 0 to 1 between ``start`` and ``start + length`` seconds."""
    x = np.clip((time - start) / length, 0, 1)
    return x * x * (3 - 2 * x)


def bump(time, start, length, edge=0.015):
    """Plateau of 1 from ``start`` to ``start + length`` seconds, with edges of ``edge`` seconds."""
    return ramp(time, start - edge / 2, edge) - ramp(time, start + length - edge / 2, edge)


def to_db(gain):
    """Decibels of a gain, not below -120 dB."""
    return 20 * np.log10(np.maximum(gain, 10 ** (_SILENCE / 20)))


def from_db(level):
    """Gain of a level in dB."""
    return 10.0 ** (np.asarray(level) / 20)


def wander(rng, time, slowest, fastest):
    """Aimless curve of unit RMS: six sines with random phases, in Hz from slowest to fastest."""
    rates = slowest * (fastest / slowest) ** rng.random(6)
    phases = 2 * np.pi * (rates[:, None] * time + rng.random((6, 1)))
    return np.sin(phases).sum(axis=0) / np.sqrt(3)


def n_partials(frequency, sample_rate):
    """Number of partials below half the sampling rate, at least 1 and at most `MAX_PARTIALS`."""
    return int(np.clip(TOP * sample_rate / frequency, 1, MAX_PARTIALS))


def render(note, room, floor, rng):
    """Turn a note into sound, a float32 array of shape (n_samples,) within -1 and 1.

    ``room`` is the impulse response from the instrument to the microphone, ``floor`` the level of
    the room's noise in dB relative to full scale (RMS).

    Partial ``k`` has ``partials[k] + tilt * log2(k) + (1 + 0.2 * log2(k)) * to_db(envelope)`` dB:
    upper partials come later and go earlier, as they do in wind and bowed instruments. The sum is
    scaled so that the tone's power follows ``level`` alone, whatever the spectrum does.
    """
    length = fft.next_fast_len(note.n_samples + len(room), real=True)
    envelope_db = to_db(note.envelope())
    # No partial may cross half the sampling rate at the highest point of the pitch curve.
    top = note.frequency * 2 ** (note.cents.max() / 1200)
    partials = note.partials[: n_partials(top, note.sample_rate)]
    octaves = np.log2(np.arange(1, len(partials) + 1))[:, None]
    levels = partials + note.tilt * octaves
    levels = levels - 10 * np.log10(np.sum(10.0 ** (levels / 10), axis=0))
    levels = levels + note.level + note.volume + (1 + 0.2 * octaves) * envelope_db
    sound = _harmonics(note, note.frequency, levels, rng)
    for ratio, level in note.tones:
        few = n_partials(top * ratio, note.sample_rate)
        sound += _harmonics(note, note.frequency * ratio, levels[: min(few, 12)] + level, rng)

    # White noise, drawn as a spectrum of unit power.
    white = rng.standard_normal((length // 2 + 1, 2), dtype=np.float32) * np.sqrt(length / 2)
    white = white.astype(np.float32).view(np.complex64)[:, 0]
    frequencies = np.linspace(0, note.sample_rate / 2, len(white), dtype=np.float32)
    for level, low, high in note.noises:
        band = fft.irfft(white * _band(frequencies, low, high), length)[: note.n_samples]
        gain = from_db(note.volume + level + np.zeros_like(note.time))
        sound += band * _upsample(gain, note.n_samples)
    # The noise of a room and its microphone falls with frequency and is always there.
    hiss = np.float32(from_db(floor)) / np.sqrt(1 + (frequencies / 300) ** 2)
    spectrum = fft.rfft(sound, length) * fft.rfft(room, length) + white * hiss
    sound = fft.irfft(spectrum, length)[: note.n_samples]
    peak = np.abs(sound).max()
    return sound / np.float32(peak / 0.99) if peak > 0.99 else sound


def _band(frequencies, low, high):
    """Amplitude response of a band with soft edges, scaled to pass a unit of noise power."""
    shape = 1 / (1 + (low / np.maximum(frequencies, 1)) ** 4 + (frequencies / high) ** 4)
    return shape / np.sqrt(np.mean(shape**2))


def _upsample(curve, n_samples):
    """Straight lines between control points, float32 of shape (n_samples,)."""
    curve = curve.astype(np.float32)
    steps = np.arange(HOP, dtype=np.float32) / HOP
    return (curve[:-1, None] + np.diff(curve)[:, None] * steps).ravel()[:n_samples]


def _harmonics(note, frequency, levels, rng):
    """Sum of harmonics of ``frequency`` that follow ``note.cents``; levels in dB."""
    count, n_points = levels.shape
    n_blocks = n_points - 1
    hertz = frequency * 2 ** (note.cents / 1200)
    steps = np.arange(HOP) / HOP
    # Double precision, and whole cycles taken off: float32 sines then stay exact at any length.
    cycles = np.cumsum(hertz[:-1, None] + np.diff(hertz)[:, None] * steps) / note.sample_rate
    angle = (2 * np.pi * (cycles % 1)).astype(np.float32).reshape(n_blocks, 1, HOP)
    numbers = np.arange(1, count + 1, dtype=np.float32)[:, None]
    if note.stretch:  # no whole numbers: cycles may not be taken off before
        numbers = numbers * np.sqrt(1 + note.stretch * numbers**2)
        angle = cycles.reshape(n_blocks, 1, HOP)
    phases = (2 * np.pi * rng.random((count, 1))).astype(np.float32)
    # A sine of amplitude sqrt(2) has unit RMS.
    gains = (np.sqrt(2) * from_db(levels)).astype(np.float32).T
    weights = np.stack([gains[:-1], np.diff(gains, axis=0)], axis=1)
    fraction = steps.astype(np.float32)
    sound = np.empty((n_blocks, HOP), dtype=np.float32)
    for first in range(0, n_blocks, _CHUNK):
        block = slice(first, first + _CHUNK)
        waves = angle[block] * numbers
        if note.stretch:
            waves -= np.floor(waves)
            waves = waves.astype(np.float32)
            waves *= np.float32(2 * np.pi)
        waves += phases
        np.sin(waves, out=waves)
        parts = weights[block] @ waves
        sound[block] = parts[:, 0] + parts[:, 1] * fraction
    return sound.ravel()[: note.n_samples]
