"""What users' recordings are like: the same note with silence, noise, a room, a phone, a gain.

Each condition is a function of a waveform, its rate in Hz and a generator, and returns a waveform.
Levels of noise are relative to the root mean square of the note.
"""

import functools
import io

import numpy as np
import soundfile
from scipy.fft import next_fast_len
from scipy.signal import butter, fftconvolve, sosfilt

__all__ = ["CONDITIONS"]


def add_silence(waveform, rate, rng, *, noise_db=None, before=0.3, after=0.5):
    """Put silence around a note, in seconds, or the noise of a room."""
    parts = np.zeros(int(before * rate)), waveform, np.zeros(int(after * rate))
    padded = np.concatenate(parts).astype(np.float32)
    return padded if noise_db is None else add_noise(padded, rate, rng, noise_db, _rms(waveform))


def cut_tail(waveform, rate, rng, *, share=0.4):
    """Cut off the last part of a note."""
    return waveform[: max(1, round(len(waveform) * (1 - share)))]


def add_noise(waveform, rate, rng, level_db, reference=None, *, slope=1.0):
    """Add noise whose power falls with frequency: pink, or white with a slope of 0."""
    n_fft = next_fast_len(len(waveform), real=True)
    spectrum = np.fft.rfft(rng.standard_normal(n_fft))
    spectrum[1:] /= np.arange(1, len(spectrum)) ** (slope / 2)
    spectrum[0] = 0.0
    noise = np.fft.irfft(spectrum, n_fft)[: len(waveform)]
    reference = _rms(waveform) if reference is None else reference
    gain = reference * 10 ** (level_db / 20) / max(_rms(noise), 1e-12)
    return (waveform + gain * noise).astype(np.float32)


def add_hum(waveform, rate, rng, level_db):
    """Add the hum of the mains, 50 Hz and its multiples."""
    time = np.arange(len(waveform)) / rate
    hum = sum(np.sin(2 * np.pi * (50 * k * time + rng.random())) / k for k in range(1, 9))
    gain = _rms(waveform) * 10 ** (level_db / 20) / max(_rms(hum), 1e-12)
    return (waveform + gain * hum).astype(np.float32)


def limit_band(waveform, rate, rng, *, low=200.0, high=7000.0):
    """Keep the band of a telephone's microphone."""
    edges = butter(4, [low, min(high, 0.49 * rate)], "bandpass", fs=rate, output="sos")
    return sosfilt(edges, waveform).astype(np.float32)


def add_room(waveform, rate, rng, *, seconds=0.4, level_db=-6.0):
    """Add the reverberation of a room: noise that decays by 60 dB in some seconds."""
    time = np.arange(int(seconds * rate)) / rate
    tail = rng.standard_normal(len(time)) * 10 ** (-3 * time / seconds)
    tail *= 10 ** (level_db / 20) / np.sqrt(np.square(tail).sum())
    return (waveform + fftconvolve(waveform, tail)[: len(waveform)]).astype(np.float32)


def encode(waveform, rate, rng):
    """Write an MP3 of the lowest quality and read it again, with the delay of the encoder."""
    file = io.BytesIO()
    how = {"format": "MP3", "bitrate_mode": "CONSTANT", "compression_level": 0.99}
    soundfile.write(file, np.clip(waveform, -1.0, 1.0), rate, **how)
    file.seek(0)
    return soundfile.read(file, dtype="float32")[0]


def change_gain(waveform, rate, rng, *, decibels):
    """Play louder or softer; what is above full scale is clipped."""
    return np.clip(waveform * 10 ** (decibels / 20), -1.0, 1.0).astype(np.float32)


def record_by_phone(waveform, rate, rng, *, noise_db=-35.0):
    """Put a note into a room with noise and silence, heard by a telephone."""
    around = add_silence(waveform, rate, rng)
    noisy = add_noise(add_room(around, rate, rng), rate, rng, noise_db, _rms(waveform))
    return limit_band(noisy, rate, rng)


def keep(waveform, rate, rng):
    """Leave a note as it is."""
    return waveform


def _rms(waveform):
    return float(np.sqrt(np.mean(np.square(waveform, dtype=np.float64)))) if len(waveform) else 0.0


CONDITIONS = {
    "as it is": keep,
    "silence": add_silence,
    "silence, noise 50 dB below": functools.partial(add_silence, noise_db=-50.0),
    "last 40 % cut off": cut_tail,
    "pink noise 40 dB below": functools.partial(add_noise, level_db=-40.0),
    "pink noise 25 dB below": functools.partial(add_noise, level_db=-25.0),
    "band of a phone": limit_band,
    "small room": add_room,
    "MP3, lowest quality": encode,
    "gain -12 dB": functools.partial(change_gain, decibels=-12.0),
    "gain +6 dB, clipped": functools.partial(change_gain, decibels=6.0),
    "phone in a room, noise, silence": record_by_phone,
}
