"""The spectrogram: one implementation for the transformer and for exported models."""

import numpy as np
import torch
from torch import nn

from sknote.nn._batching import length_batches
from sknote.nn._masking import frame_mask
from sknote.nn._scales import LOG_F_MIN, log_filterbanks, mel_filterbank
from sknote.nn._threads import in_threads

__all__ = ["SpectrogramFrontend", "spectrograms"]


class SpectrogramFrontend(nn.Module):
    """Short-time Fourier transform, mel bands and decibels.

    The conventions are librosa's: frames are centred on multiples of the hop, the signal is padded
    with zeros, the window is a periodic Hann window, decibels are relative to 1.

    Parameters
    ----------
    sample_rate : int, default=22050
        In Hz.
    n_fft : int, default=2048
        Length of the window and of the transform, in samples.
    hop_length : int, default=256
        Distance of two frames, in samples.
    scale : {"mel", "linear", "log"}, default="mel"
        "mel": power in mel bands (Slaney's scale and area normalisation); "linear": the magnitude
        of the ``n_fft // 2 + 1`` Fourier bins; "log": power at quarter tones from `f_min` up, in
        windows of `n_fft` for low frequencies and of a half and a quarter of it for higher ones
        (a variable-Q transform), so that another pitch is the same pattern elsewhere.
    n_bins : int, default=64
        Number of bands; ignored by "linear".
    f_min, f_max : float, default=0.0 and None
        Range of the mel bands, in Hz; None is half the sample rate. For "log" `f_min` is the
        lowest band (0 is C1, 32.7 Hz) and `f_max` is ignored.
    top_db : float or None, default=80.0
        Values further than this below a note's maximum are raised to it, in dB. None keeps all.

    Attributes
    ----------
    n_empty : int
        Number of bands that hold no Fourier bin, and are silent whatever the sound is.

    References
    ----------
    M. Slaney, "Auditory Toolbox, version 2", Interval Research Technical Report 1998-010, 1998.

    J. C. Brown, "Calculation of a constant Q spectral transform", J. Acoust. Soc. Am. 89, 1991.
    """

    def __init__(
        self,
        sample_rate=22050,
        n_fft=2048,
        hop_length=256,
        scale="mel",
        n_bins=64,
        f_min=0.0,
        f_max=None,
        top_db=80.0,
    ):
        super().__init__()
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.scale = scale
        self.top_db = top_db
        self._constants = {}
        self.n_empty = 0
        if scale != "log":
            self.register_buffer("window", torch.hann_window(n_fft, dtype=torch.float64))
        if scale == "mel":
            bank = mel_filterbank(sample_rate, n_fft, n_bins, f_min, f_max)
            self.register_buffer("filterbank", torch.from_numpy(bank))
            self.n_empty = int((~bank.any(axis=0)).sum())
        elif scale == "log":
            banks = log_filterbanks(sample_rate, n_fft, n_bins, f_min or LOG_F_MIN, n_windows=3)
            self.factors, self.blocks = [], []
            for i, (bank, highest) in enumerate(banks):
                self.n_empty += int((~bank.any(axis=0)).sum())
                factor = _decimation(sample_rate, n_fft >> i, hop_length, highest)
                self.factors.append(factor)
                if factor > 1:
                    lowpass = _decimator(_lowpass(sample_rate, factor, highest), factor)
                    self.register_buffer(f"decimator{i}", torch.from_numpy(lowpass))
                n_window = (n_fft >> i) // factor
                window = torch.hann_window(n_window, dtype=torch.float64)
                self.register_buffer(f"window{i}", window)
                blocks = list(_blocks(bank[: n_window // 2 + 1] * factor**2))
                self.blocks.append([values for values, _ in blocks])
                for j, (_, filters) in enumerate(blocks):
                    self.register_buffer(f"filterbank{i}_{j}", torch.from_numpy(filters))

    def n_frames(self, n_samples):
        """Tell how many frames a waveform has.

        Parameters
        ----------
        n_samples : int
            Length of the waveform.

        Returns
        -------
        int
            At least 1, also for an empty waveform.
        """
        return 1 + n_samples // self.hop_length

    def forward(self, waveforms, lengths):
        """Compute the spectrograms of a batch.

        Parameters
        ----------
        waveforms : Tensor of shape (batch, n_samples)
            Padded with zeros at the end.
        lengths : Tensor of shape (batch,), int64
            Lengths before padding, in samples.

        Returns
        -------
        spectrograms : Tensor of shape (batch, n_frames, n_bins)
            In dB; what lies beyond a note's own frames means nothing.
        n_frames : Tensor of shape (batch,), int64
            Frames that belong to each note.
        """
        n_frames = 1 + lengths // self.hop_length
        if self.scale == "mel":
            frames = self._frames(waveforms, self.n_fft)
            spectrum = torch.fft.rfft(frames * self._cast("window", frames))
            power = spectrum.real.square() + spectrum.imag.square()
            bands = power @ self._cast("filterbank", power)
            decibels = _decibels(bands)
        elif self.scale == "log":
            parts = []
            for i, factor in enumerate(self.factors):
                frames = self._frames(waveforms, self.n_fft >> i, factor, f"decimator{i}")
                spectrum = torch.fft.rfft(frames * self._cast(f"window{i}", frames))
                power = torch.view_as_real(spectrum).flatten(2).square_()
                for j, values in enumerate(self.blocks[i]):
                    filters = self._cast(f"filterbank{i}_{j}", power)
                    parts.append(power[:, :, values] @ filters)
            decibels = _decibels(torch.cat(parts, dim=2))
        else:
            frames = self._frames(waveforms, self.n_fft)
            spectrum = torch.fft.rfft(frames * self._cast("window", frames))
            decibels = 20.0 * torch.log10(spectrum.abs().clamp_min(1e-5))
        if self.top_db is not None:
            inside = frame_mask(n_frames, decibels.shape[1])
            peak = decibels.amax(dim=2).masked_fill(~inside, -torch.inf).amax(dim=1)
            decibels = torch.maximum(decibels, peak[:, None, None] - self.top_db)
        return decibels, n_frames

    def _frames(self, waveforms, n_window, factor=1, decimator=None):
        """Cut out frames of shape (batch, n_frames, n_window // factor), of each factor-th sample.

        They are centred on multiples of the hop, and there are as many for every window.
        """
        n_frames = 1 + waveforms.shape[1] // self.hop_length
        # shorter windows lie in the middle of the longest one
        before = self.n_fft // 2 - (self.n_fft - n_window) // 2
        n_samples = (n_frames - 1) * self.hop_length + n_window
        if factor > 1:
            decimator = self._cast(decimator, waveforms)
            reach = (len(decimator) - _BLOCK * factor) // 2
            n_blocks = -(-n_samples // (_BLOCK * factor))
            padded = _padded(waveforms, before + reach, n_blocks * _BLOCK * factor + 2 * reach)
            blocks = padded.unfold(1, len(decimator), _BLOCK * factor)
            padded = (blocks.flatten(0, 1) @ decimator).view(len(waveforms), -1)
        else:
            padded = _padded(waveforms, before, n_samples)
        return padded.unfold(1, n_window // factor, self.hop_length // factor)[:, :n_frames]

    def _cast(self, name, like):
        """A constant in the type of a tensor; the conversion takes longer than some of its uses."""
        key = (name, like.dtype, like.device)
        if torch.compiler.is_compiling():
            return getattr(self, name).to(like)
        if key not in self._constants:
            with torch.inference_mode(False):
                self._constants[key] = getattr(self, name).to(like.device, like.dtype)
        return self._constants[key]


def _padded(waveforms, before, n_samples):
    """Put zeros before, and zeros after or a cut, so that there are `n_samples`."""
    return nn.functional.pad(waveforms, (before, n_samples - before - waveforms.shape[1]))


def _decibels(power):
    return 10.0 * torch.log10(power.clamp_min(1e-10))


def _decimation(sample_rate, n_window, hop_length, highest):
    """By what the sample rate may be divided for bands up to `highest` Hz: 1, 2, 4 or 8.

    The long windows of low bands need few of their samples, and a transform of these is as many
    times faster.
    """
    factor = 1
    while (
        factor < 8
        and hop_length % (2 * factor) == n_window % (4 * factor) == 0
        and 7 * highest * 2 * factor <= sample_rate
    ):
        factor *= 2
    return factor


_BLOCK = 32  # samples that are decimated at a time
_BANDS = 48  # that are computed at a time


def _decimator(lowpass, factor):
    """A matrix that filters and decimates: from samples to `_BLOCK` of every factor-th one.

    Of shape (`_BLOCK` * factor + 2 * reach, `_BLOCK`), where `reach` is half the filter's length.
    """
    matrix = np.zeros((_BLOCK * factor + len(lowpass) - 1, _BLOCK))
    for column in range(_BLOCK):
        matrix[column * factor : column * factor + len(lowpass), column] = lowpass
    return matrix


def _lowpass(sample_rate, factor, highest):
    """Kaiser's low-pass filter, 100 dB down at what decimation would fold below `highest` Hz."""
    from scipy.signal import firwin, kaiserord

    stop = sample_rate / factor - highest
    n_taps, beta = kaiserord(100.0, (stop - highest) / (sample_rate / 2))
    cutoff = (stop + highest) / 2
    return firwin(n_taps | 1, cutoff, window=("kaiser", beta), fs=sample_rate)


def _blocks(bank):
    """Split a filter bank into blocks of neighbouring bands, which need few of the bins.

    Yields a slice of the squares of real and imaginary parts, one after the other, and the filters
    that turn these into the bands.
    """
    for first in range(0, bank.shape[1], _BANDS):
        block = bank[:, first : first + _BANDS]
        used = np.flatnonzero(block.any(axis=1))
        start, stop = (used[0], used[-1] + 1) if len(used) else (0, 0)
        yield slice(2 * start, 2 * stop), block[start:stop].repeat(2, axis=0)


def spectrograms(frontend, waveforms, n_threads=None, *, max_samples=1 << 18):
    """Apply a front end to waveforms of any lengths, in batches of like length.

    Parameters
    ----------
    frontend : SpectrogramFrontend
        What to apply.
    waveforms : list of ndarray of shape (n_samples,)
        float64 waveforms are computed in float64, all others in float32.
    n_threads : int or None, default=None
        Number of threads; None is torch's own choice.
    max_samples : int, default=2**18
        Samples in a batch, padding included; more would leave the processor's cache.

    Returns
    -------
    list of ndarray of shape (n_frames, n_bins), float32
    """
    lengths = np.array([len(waveform) for waveform in waveforms], dtype=np.int64)
    out = [None] * len(waveforms)

    def compute(rows):
        exact = any(waveforms[row].dtype == np.float64 for row in rows)
        batch = np.zeros((len(rows), lengths[rows[-1]]), np.float64 if exact else np.float32)
        for i, row in enumerate(rows):
            batch[i, : lengths[row]] = waveforms[row]
        with torch.inference_mode():
            values, n_frames = frontend(torch.from_numpy(batch), torch.from_numpy(lengths[rows]))
        values = values.float().numpy()
        for i, (row, n) in enumerate(zip(rows, n_frames.tolist())):
            out[row] = values[i, :n].copy()

    in_threads(compute, list(length_batches(lengths, len(lengths), max_samples)), n_threads)
    return out
