"""The short-time Fourier transform, of fewer samples where that is enough, and banks of filters."""

import numpy as np
import torch
from torch import nn

from sknote._portable import (
    cast_buffer,
    fold,
    frame_cutter,
    is_by_product,
    is_folded,
    product_bases,
)
from sknote.spectral._axes import BINS_PER_OCTAVE, mel_edges

__all__ = [
    "FourierTransform",
    "decimation",
    "log_filterbanks",
    "lowpass",
    "mel_filterbank",
]

_BLOCK = 32  # samples that are decimated at a time


class FourierTransform(nn.Module):
    """Short-time Fourier transform with a periodic Hann window, at some of its frequencies.

    Frames are centred on multiples of the hop, and the signal is padded with zeros.

    Parameters
    ----------
    n_fft : int
        Length of the window and of the transform, in samples.
    hop_length : int
        Distance of two frames, in samples.
    bins : slice
        Bins of the transform to return.
    factor : int, default=1
        Take every factor-th sample only; it divides `n_fft` and `hop_length`.
    taps : ndarray of odd length or None, default=None
        The low-pass filter before that, for a `factor` above 1.
    portable : bool, default=False
        Keep to what runtimes of exported models are good at: matrix products in place of Fourier
        transforms, but for those of more than 1,024 samples that are a power of two (ONNX Runtime's
        others are inexact), and whole hops in place of overlapping views.

    Attributes
    ----------
    bins : list of ndarray
        Of each Tensor that comes out, the bins that its columns belong to.
    """

    def __init__(self, n_fft, hop_length, bins, *, factor=1, taps=None, portable=False):
        super().__init__()
        self.n_fft = n_fft // factor
        self.hop_length = hop_length // factor
        self.factor = factor
        self.values = slice(2 * bins.start, 2 * bins.stop)
        self.by_product = is_by_product(self.n_fft, portable)
        self.cut = frame_cutter(self.n_fft, self.hop_length, portable)
        window = torch.hann_window(self.n_fft, dtype=torch.float64)
        self.is_folded = self.by_product and is_folded(self.n_fft, portable)
        self.bins = [np.arange(bins.start, bins.stop).repeat(2)]
        if self.by_product:
            bases, self.bins = product_bases(window, bins, self.is_folded)
            for i, basis in enumerate(bases):
                self.register_buffer(f"fourier{i}", basis)
        if self.is_folded or not self.by_product:
            self.register_buffer("window", window)
        if factor > 1:
            self.register_buffer("decimator", torch.from_numpy(_decimator(taps, factor)))

    def forward(self, waveforms):
        """Transform waveforms of shape (batch, n_samples).

        Returns
        -------
        list of Tensor of shape (batch, n_frames, n_columns)
            The columns of a bin, as `bins` tells them, have its power as their sum. There are
            ``1 + n_samples // hop_length`` frames.
        """
        n_frames = 1 + waveforms.shape[1] // (self.hop_length * self.factor)
        before = self.n_fft // 2
        if self.factor > 1:
            step = _BLOCK * self.factor
            decimator = cast_buffer(self, "decimator", waveforms)
            length = decimator.shape[0]
            n_blocks = -(-_reach(n_frames, self.n_fft, self.hop_length) // _BLOCK)
            before = before * self.factor + (length - step) // 2
            waveforms = _padded(waveforms, before, n_blocks, length, step)
            waveforms = (self.cut(waveforms, n_blocks, length, step) @ decimator).flatten(1)
            before = 0
        waveforms = _padded(waveforms, before, n_frames, self.n_fft, self.hop_length)
        frames = self.cut(waveforms, n_frames, self.n_fft, self.hop_length)
        if self.by_product and not self.is_folded:
            return [(frames @ cast_buffer(self, "fourier0", frames)).square_()]
        frames = frames * cast_buffer(self, "window", frames)
        if not self.is_folded:
            return [_values(torch.fft.rfft(frames), self.values).square_()]
        squares = [
            (values @ cast_buffer(self, f"fourier{i}", values)).square_()
            for i, values in enumerate(fold(frames))
        ]
        return [cosines + sines for cosines, sines in zip(squares[::2], squares[1::2])]


def decimation(sample_rate, n_window, hop_length, highest):
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


def lowpass(sample_rate, factor, highest):
    """Kaiser's low-pass filter, 100 dB down at what decimation would fold below `highest` Hz."""
    from scipy.signal import firwin, kaiserord

    stop = sample_rate / factor - highest
    n_taps, beta = kaiserord(100.0, (stop - highest) / (sample_rate / 2))
    cutoff = (stop + highest) / 2
    return firwin(n_taps | 1, cutoff, window=("kaiser", beta), fs=sample_rate)


def _values(spectra, wanted):
    """Real and imaginary parts of spectra, in turn, those that are wanted."""
    return torch.view_as_real(spectra).flatten(-2)[..., wanted]


def _reach(n_frames, n_fft, hop_length):
    """Samples from the first frame's first to the last frame's last, in whole hops."""
    return (n_frames - 1 - (-n_fft // hop_length)) * hop_length


def _padded(waveforms, before, n_frames, n_fft, hop_length):
    """Put zeros before, and zeros after or a cut, so that all frames find their samples."""
    n_samples = _reach(n_frames, n_fft, hop_length)
    return nn.functional.pad(waveforms, (before, n_samples - before - waveforms.shape[1]))


def _decimator(taps, factor):
    """A matrix that filters and decimates: from samples to `_BLOCK` of every factor-th one.

    Of shape (`_BLOCK` * factor + 2 * reach, `_BLOCK`), where `reach` is half the filter's length.
    """
    matrix = np.zeros((_BLOCK * factor + len(taps) - 1, _BLOCK))
    for column in range(_BLOCK):
        matrix[column * factor : column * factor + len(taps), column] = taps
    return matrix


def log_filterbanks(sample_rate, n_fft, n_bins, f_min, n_windows):
    """Triangular filters at `n_bins` quarter tones from `f_min` Hz up, for several windows.

    Windows have ``n_fft``, ``n_fft / 2``, ... samples; a band takes the shortest one whose
    resolution suffices for quarter tones (Brown 1991). A sine of amplitude 1 has a power of about 1
    in its band. Returns filters of shape (n_window // 2 + 1, n_bands), and the highest frequency
    that they let through in Hz, of each window; the bands of all of them, in turn, go from low to
    high.
    """
    centres = f_min * 2.0 ** (np.arange(n_bins) / BINS_PER_OCTAVE)
    ratio = 2.0 ** (1.0 / BINS_PER_OCTAVE) - 1.0
    wanted = sample_rate / (ratio * centres)  # samples
    which = np.clip(np.floor(np.log2(n_fft / wanted)), 0, n_windows - 1)
    banks = []
    for i in range(n_windows):
        n = n_fft >> i
        frequencies = np.arange(n // 2 + 1)[:, None] * (sample_rate / n)
        own = centres[which == i]
        width = np.maximum(own * ratio, sample_rate / n)
        bank = np.maximum(0.0, 1.0 - np.abs(frequencies - own) / width)
        gain = (n / 4.0) ** 2  # of a sine of amplitude 1 through a Hann window
        highest = np.max(own + width, initial=0.0)
        banks.append((bank / np.maximum(bank.sum(axis=0), 1e-12) / gain, highest))
    return banks


def mel_filterbank(sample_rate, n_fft, n_bins, f_min=0.0, f_max=None):
    """Triangular mel filters with equal area (Slaney 1998), of shape (n_fft // 2 + 1, n_bins).

    They lie from `f_min` to `f_max`, in Hz, where None is half the sample rate.
    """
    edges = mel_edges(sample_rate, n_bins, f_min, f_max)
    frequencies = np.arange(n_fft // 2 + 1) * (sample_rate / n_fft)
    rising = (frequencies[:, None] - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - frequencies[:, None]) / np.diff(edges)[1:]
    return np.maximum(0.0, np.minimum(rising, falling)) * (2.0 / (edges[2:] - edges[:-2]))
