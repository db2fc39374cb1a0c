"""Waveforms in which nothing sounds, as the default pipeline hears them.

This file imports torch for the softest waveforms alone.
"""

import functools

import numpy as np

from sknote._input.equal import is_constant

__all__ = ["is_soundless"]

_HEARD = 0.02  # from peak to peak; whatever goes as far is in some band of a spectrogram


def is_soundless(waveform, sample_rate):
    """Tell whether nothing in a waveform sounds: its default spectrogram holds no sound."""
    if is_constant(waveform) or np.ptp(waveform) > _HEARD:
        return is_constant(waveform)
    from sknote.spectral import compute_spectrograms
    from sknote.spectral._silence import is_silent

    return is_silent(compute_spectrograms(_frontend(sample_rate), [waveform], 1)[0])


@functools.lru_cache(maxsize=2)
def _frontend(sample_rate):
    from sknote.spectral import SpectralAxes, SpectrogramFrontend

    return SpectrogramFrontend(SpectralAxes(sample_rate=sample_rate))
