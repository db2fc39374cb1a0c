"""Effects on waveforms: pure functions on float32 ndarrays of shape (n_samples,)."""

import numpy as np


def pitch_shift(waveform, semitones, *, sample_rate):
    """Shift the pitch up and keep the duration, by librosa's phase vocoder."""
    import librosa

    return librosa.effects.pitch_shift(waveform, sr=sample_rate, n_steps=semitones)


def time_stretch(waveform, rate):
    """Play faster (above 1) or slower and keep the pitch, by librosa's phase vocoder."""
    import librosa

    return librosa.effects.time_stretch(waveform, rate=rate)


def add_noise(waveform, deviation, rng):
    """Add white Gaussian noise of a standard deviation, where full scale is 1."""
    noise = rng.standard_normal(len(waveform), dtype=np.float32)
    return waveform + np.float32(deviation) * noise
