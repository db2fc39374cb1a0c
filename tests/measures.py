"""What one measures in the sound of a synthetic note, and what a label changes in it.

With one label and one instrument, row i of two labels is the same note by the same player in
the same room, so that whatever differs is the recipe.
"""

import functools
import itertools

import numpy as np
from scipy import signal

from sknote.datasets import iter_notes

RATE = 22050


@functools.cache
def notes(label, instrument, n, seconds):
    """The first notes of one label by one instrument, as (waveform, record)."""
    made = iter_notes(
        labels=label, instruments=instrument, duration_range=(seconds, seconds), random_state=0
    )
    return list(itertools.islice(made, n))


def pairs(label, instrument="clarinet", n=6, seconds=2.0):
    """Yield each good note, the same with a label, and its fundamental in Hz."""
    of_both = (notes(one, instrument, n, seconds) for one in ("good-sound", label))
    for (a, record), (b, same) in zip(*of_both):
        assert record["group"] == same["group"]
        yield a, b, 440 * 2 ** ((record["midi"] - 69) / 12)


def change(label, measure, **options):
    """Median difference that a label makes to a measure (label minus good sound)."""
    return np.median([measure(b, f0) - measure(a, f0) for a, b, f0 in pairs(label, **options)])


def level(sound, start, stop):
    """Level in dB between two times, in seconds."""
    return 10 * np.log10(np.mean(sound[int(start * RATE) : int(stop * RATE)] ** 2) + 1e-12)


def frames(sound, start=0.3, stop=1.8, length=0.02):
    """Levels of short frames in dB."""
    size = int(length * RATE)
    part = sound[int(start * RATE) : int(stop * RATE)]
    part = part[: len(part) // size * size].reshape(-1, size)
    return 10 * np.log10(np.mean(part**2, axis=1) + 1e-12)


def band(sound, low, high, start=0.0, stop=2.0):
    """Level in dB between two frequencies."""
    part = sound[int(start * RATE) : int(stop * RATE)]
    power = np.abs(np.fft.rfft(part * np.hanning(len(part)))) ** 2
    hertz = np.fft.rfftfreq(len(part), 1 / RATE)
    return 10 * np.log10(power[(hertz >= low) & (hertz < high)].sum() + 1e-12)


def pitch_course(sound, f0, start, stop):
    """Deviation of the fundamental's frequency from a pitch, in cents, smoothed over 20 ms."""
    sos = signal.butter(2, [f0 * 0.75, f0 * 1.4], "bandpass", fs=RATE, output="sos")
    phase = np.unwrap(np.angle(signal.hilbert(signal.sosfiltfilt(sos, sound.astype(float)))))
    hertz = np.diff(phase[int(start * RATE) : int(stop * RATE)]) * RATE / (2 * np.pi)
    hertz = np.convolve(hertz, np.full(441, 1 / 441), "valid")
    return 1200 * np.log2(np.maximum(hertz, 1) / f0)


def pitch_spread(sound, f0):
    """Standard deviation of the fundamental's frequency, in cents."""
    return np.std(pitch_course(sound, f0, 0.4, 1.7))


def rise(sound, f0):
    """Seconds until the fundamental comes within 6 dB of its sustained level."""
    sos = signal.butter(2, [f0 * 0.75, f0 * 1.4], "bandpass", fs=RATE, output="sos")
    envelope = np.abs(signal.hilbert(signal.sosfiltfilt(sos, sound.astype(float))))
    return np.argmax(envelope > 0.5 * np.median(envelope[RATE // 2 : RATE])) / RATE


def spectral_change(sound, f0):
    """Standard deviation over time of the balance above and below the second partial, in dB."""
    _, _, parts = signal.stft(sound, RATE, nperseg=2048)
    power = np.abs(parts[:, 10:-10]) ** 2
    split = int(2.5 * f0 / RATE * 2048)
    return np.std(10 * np.log10(power[split:].sum(axis=0) / power[:split].sum(axis=0)))


def brightness(sound, f0):
    return band(sound, 2.5 * f0, 11000) - band(sound, 0.5 * f0, 2.5 * f0)
