"""Samples: their mean, their level, their rate."""

import numpy as np

from sknote._input.equal import is_constant
from sknote.audio._bounds import (
    HIGHEST_RATE,
    LARGEST_EXPANSION,
    LARGEST_SAMPLE,
    LEAST_HEARD,
    LEAST_KEPT,
    LOUD_SAMPLE,
    LOWEST_RATE,
)
from sknote.exceptions import AudioDecodeError

# Power of a sample of what rounding to 16 bits leaves of silence; there, channels may cancel.
_SILENCE = 2.0**-28


def to_mono(samples):
    """Average the channels of `samples`, shape (n_samples,) or (n_samples, n_channels)."""
    if samples.ndim == 1:
        return samples
    if samples.shape[1] == 1:
        return samples[:, 0]
    if samples.shape[1] == 2 and samples.dtype == np.float32:  # the same, and six times as fast
        mono = samples[:, 0] + samples[:, 1]
        mono += np.float32(0)  # of which -0 is made, as there
        mono /= np.float32(2)
        return mono
    return samples.mean(axis=1, dtype=np.float32)


def to_float(samples):
    """Turn samples into float32: integers are divided by their type's full scale, floats kept."""
    if samples.dtype.kind == "f":
        return samples.astype(np.float32, copy=False)
    half = 2.0 ** (8 * samples.dtype.itemsize - 1)
    centre = half if samples.dtype.kind == "u" else 0.0
    return ((samples - centre) / half).astype(np.float32)


def resample(waveform, input_rate, output_rate):
    """Change the sample rate of a waveform with soxr's "HQ" quality (rates in Hz).

    What is constant stays so: its edges would ring.
    """
    if input_rate == output_rate or len(waveform) == 0:
        return np.ascontiguousarray(waveform, dtype=np.float32)
    import soxr

    samples = np.ascontiguousarray(waveform, dtype=np.float32)
    resampled = soxr.resample(samples, input_rate, output_rate, quality="HQ")
    if is_constant(samples):
        resampled[:] = samples[0]
    return resampled


def check_rate(rate, output_rate):
    """Refuse a sample rate of a file that is none, or that makes too much of too little."""
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise AudioDecodeError(
            f"expected a sample rate from {LOWEST_RATE} to {HIGHEST_RATE} Hz, its header says "
            f"{rate} Hz"
        )
    check_expansion(rate, output_rate)


def check_expansion(rate, output_rate):
    """Refuse to make very many samples of each one."""
    if output_rate > LARGEST_EXPANSION * rate:
        raise AudioDecodeError(
            f"resampling from {rate} Hz to {output_rate} Hz makes more than {LARGEST_EXPANSION} "
            "samples of each one. Check its rate"
        )


class Mixer:
    """Averages channels block by block, and knows afterwards what is odd about the whole."""

    def __init__(self):
        self.peak = 0.0
        self._power = self._kept = 0.0
        self._count = 0
        self._powers = 0.0  # of each channel, as long as all of the sound may be in a single one

    def mix(self, samples, *, is_bounded=False):
        """Return the mean of the channels of float32 samples.

        NaN, infinity and what is far above full scale are an AudioDecodeError, unless the samples
        `is_bounded`, as those of integers are.
        """
        if not is_bounded and samples.size:
            self.peak = max(self.peak, check_peak(samples))
        mono = to_mono(samples)
        if mono is not samples and samples.shape[1] > 1:
            flat = samples.ravel(order="K")
            self._count += flat.size
            self._power += float(np.vdot(flat, flat))
            self._kept += samples.shape[1] ** 2 * float(np.vdot(mono, mono))
            if self._powers is not None:
                # the power of each takes longer than that of all, which is kept if one has it
                may_be = abs(self._kept - self._power) <= 0.01 * self._power
                powers = [float(np.dot(one, one)) for one in samples.T] if may_be else 0.0
                self._powers = self._powers + np.asarray(powers) if may_be else None
        return mono

    def remarks(self):
        """Say what is odd about all samples so far."""
        if self.peak > LOUD_SAMPLE:
            yield (
                f"its samples go up to {self.peak:.6g}, where full scale is 1; divide them by "
                "their own full scale"
            )
        if self._kept < LEAST_KEPT * self._power and self._power > _SILENCE * self._count:
            lost = 10 * np.log10(self._power / max(self._kept, 1e-9 * self._power))
            yield (
                f"its channels cancel each other, {lost:.0f} dB of their power are lost in their "
                "mean; one is probably inverted. Pass the samples of one channel instead"
            )
        if self._is_one_sided():
            n_channels = len(self._powers)
            yield (
                f"all of its sound is in one of its {n_channels} channels, and becomes "
                f"{20 * np.log10(n_channels):.0f} dB softer in their mean. Pass the samples of "
                "that channel instead"
            )

    def _is_one_sided(self):
        if not self._power > _SILENCE * self._count or self._powers is None:
            return False
        return self._power - np.max(self._powers) <= LEAST_HEARD * self._power


def check_peak(samples):
    """Return the largest absolute sample; refuse NaN, infinity and what is no sound."""
    low, high = samples.min(), samples.max()
    peak = max(-float(low), float(high))
    if not np.isfinite(low) or not np.isfinite(high):  # both are NaN if any sample is
        raise AudioDecodeError("it contains NaN or infinity")
    if peak > LARGEST_SAMPLE:
        raise AudioDecodeError(
            f"its samples go up to {peak:.3g}, where full scale is 1. Divide them by their own "
            "full scale, if they are not damaged"
        )
    return peak
