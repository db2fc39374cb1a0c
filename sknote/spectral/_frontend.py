"""From waveforms to normalized spectrograms: one way, for the transformer and for models."""

import functools

import numpy as np
import torch
from torch import nn

from sknote._input.equal import first_equal, is_constant
from sknote._portable import cast_buffer
from sknote._torch import in_threads, torch_threads
from sknote.spectral._axes import SpectralAxes
from sknote.spectral._fourier import (
    FourierTransform,
    decimation,
    log_filterbanks,
    lowpass,
    mel_filterbank,
)
from sknote.spectral._lengths import frame_mask, length_batches

__all__ = ["Normalization", "SpectrogramFrontend", "compute_spectrograms"]

_CONSTANT = 1e-3  # dB; what deviates by less is left as it is
_OVERHEAD = 1 << 13  # samples that take as long as a batch does besides


class SpectrogramFrontend(nn.Module):
    """Short-time Fourier transform, mel bands and decibels.

    The conventions are librosa's: frames are centred on multiples of the hop, the signal is padded
    with zeros, the window is a periodic Hann window, decibels are relative to 1.

    Parameters
    ----------
    axes : SpectralAxes or None, default=None
        What to compute: "mel" is power in mel bands (Slaney's scale and area normalization);
        "linear" the magnitude of the Fourier bins; "log" power at quarter tones, in windows of
        `n_fft` for low frequencies and of a half and a quarter of it for higher ones (a variable-Q
        transform), so that another pitch is the same pattern elsewhere. None is
        ``SpectralAxes()``.
    top_db : float or None, default=None
        Values further than this below a note's maximum are raised to it, in dB. None keeps all.
    portable : bool, default=False
        Keep to operations that the runtimes of exported models are fast at.

    Attributes
    ----------
    n_empty : int
        Number of bands that hold no Fourier bin, and are silent whatever the sound is.

    References
    ----------
    M. Slaney, "Auditory Toolbox, version 2", Interval Research Technical Report 1998-010, 1998.

    J. C. Brown, "Calculation of a constant Q spectral transform", J. Acoust. Soc. Am. 89, 1991.
    """

    @torch_threads()
    def __init__(self, axes=None, *, top_db=None, portable=False):
        super().__init__()
        self.axes = axes = SpectralAxes() if axes is None else axes
        self.hop_length = axes.hop_length
        self.top_db = top_db
        rate, n_fft, n_bins = axes.sample_rate, axes.n_fft, axes.n_bins
        # filters of each window, and the highest frequency that they let through
        if axes.scale == "log":
            banks = log_filterbanks(rate, n_fft, n_bins, axes.f_min, n_windows=3)
        elif axes.scale == "mel":
            banks = [(mel_filterbank(rate, n_fft, n_bins, axes.f_min, axes.f_max), rate / 2)]
        else:
            banks = [(np.eye(n_fft // 2 + 1), rate / 2)]
        self.n_empty = sum(int((~bank.any(axis=0)).sum()) for bank, _ in banks)
        self.parts = nn.ModuleList(
            _Bands(bank, rate, n_fft >> i, axes.hop_length, highest, portable)
            for i, (bank, highest) in enumerate(banks)
            if bank.shape[1]
        )

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
        power = torch.cat([part(waveforms) for part in self.parts], dim=2)
        decibels = 10.0 * torch.log10(power.clamp_min(1e-10))
        if self.top_db is not None:
            inside = frame_mask(n_frames, decibels.shape[1])
            peak = decibels.amax(dim=2).masked_fill(~inside, -torch.inf).amax(dim=1)
            decibels = torch.maximum(decibels, peak[:, None, None] - self.top_db)
        return decibels, n_frames


class _Bands(nn.Module):
    """Power in bands: a filter bank over the bins of one transform."""

    def __init__(self, bank, sample_rate, n_window, hop_length, highest, portable):
        super().__init__()
        factor = decimation(sample_rate, n_window, hop_length, highest)
        taps = lowpass(sample_rate, factor, highest) if factor > 1 else None
        bank = bank[: n_window // factor // 2 + 1] * factor**2
        bins = _used(bank)
        self.transform = FourierTransform(
            n_window, hop_length, bins, factor=factor, taps=taps, portable=portable
        )
        # neighbouring bands need few of the bins; elsewhere, to cut these out takes longer
        size = bank.shape[1] if portable else _BANDS
        self.blocks = []
        for i, start in enumerate(range(0, bank.shape[1], size)):
            block = bank[:, start : start + size]
            used = _used(block)
            self.blocks.append([])
            for j, own in enumerate(self.transform.bins):
                columns = slice(*np.searchsorted(own, (used.start, used.stop)).tolist())
                self.blocks[i].append(columns)
                self.register_buffer(f"filters{i}_{j}", torch.from_numpy(block[own[columns]]))

    def forward(self, waveforms):
        powers = self.transform(waveforms)
        bands = []
        for i, block in enumerate(self.blocks):
            parts = [
                power[:, :, columns] @ cast_buffer(self, f"filters{i}_{j}", power)
                for j, (power, columns) in enumerate(zip(powers, block))
            ]
            bands.append(functools.reduce(torch.add, parts))
        return torch.cat(bands, dim=2)


_BANDS = 48  # that are computed at a time


def _used(bank):
    """Slice from the first bin that a band needs to the last."""
    used = np.flatnonzero(bank.any(axis=1))
    return slice(used[0], used[-1] + 1) if len(used) else slice(0, 0)


class Normalization(nn.Module):
    """Bring notes, or bands, to mean 0 and deviation 1; or leave decibels as they are.

    `kind` is "note": each note by itself; "band": each band by `mean` and `scale`, of shape
    (n_bins,); or None. `half` rounds to half precision.
    """

    @torch_threads()
    def __init__(self, kind=None, *, mean=None, scale=None, half=False):
        super().__init__()
        self.kind = kind
        self.half_precision = half
        if kind == "band":
            self.register_buffer("mean", torch.as_tensor(mean, dtype=torch.float64))
            self.register_buffer("scale", torch.as_tensor(scale, dtype=torch.float64))

    def forward(self, values, lengths):
        """Normalize spectrograms (batch, n_frames, n_bins), of which `lengths` are real."""
        if self.kind == "note":
            inside = frame_mask(lengths, values.shape[1])[:, :, None].to(values.dtype)
            count = (lengths * values.shape[2])[:, None, None]
            mean = (values * inside).sum(dim=(1, 2), keepdim=True) / count
            centred = values - mean
            squares = (centred.square() * inside).sum(dim=(1, 2), keepdim=True)
            deviation = (squares / count).sqrt()
            values = centred / torch.where(deviation > _CONSTANT, deviation, 1.0)
        elif self.kind == "band":
            values = ((values - self.mean) / self.scale).to(values.dtype)
        return values.half().to(values.dtype) if self.half_precision else values


def compute_spectrograms(
    frontend, waveforms, n_threads=None, *, normalization=None, max_samples=1 << 18
):
    """Apply a front end to waveforms of any lengths, in batches of like length; once to equal ones.

    Parameters
    ----------
    frontend : SpectrogramFrontend
        What to apply.
    waveforms : list of ndarray of shape (n_samples,)
        float64 waveforms are computed in float64, all others in float32. Those of which all samples
        are the same are silent: else their edges would sound.
    n_threads : int or None, default=None
        Number of threads; None is torch's own choice.
    normalization : Normalization or None, default=None
        Applied behind it.
    max_samples : int, default=2**18
        Samples in a batch, padding included; more would leave the processor's cache.

    Returns
    -------
    list of ndarray of shape (n_frames, n_bins), float32
    """
    firsts = first_equal(waveforms)
    different = np.flatnonzero(firsts == np.arange(len(firsts)))
    lengths = np.array([len(waveform) for waveform in waveforms], dtype=np.int64)
    out = [None] * len(waveforms)

    def compute(rows):
        exact = any(waveforms[row].dtype == np.float64 for row in rows)
        batch = np.zeros((len(rows), lengths[rows[-1]]), np.float64 if exact else np.float32)
        for i, row in enumerate(rows):
            if not is_constant(waveforms[row]):
                batch[i, : lengths[row]] = waveforms[row]
        with torch.inference_mode():
            values, n_frames = frontend(torch.from_numpy(batch), torch.from_numpy(lengths[rows]))
            if normalization is not None:
                values = normalization(values, n_frames)
        values = values.float().numpy()
        for i, (row, n) in enumerate(zip(rows, n_frames.tolist())):
            out[row] = values[i, :n].copy()

    how = {"max_frames": max_samples, "overhead": _OVERHEAD}
    batches = length_batches(lengths[different], len(different), **how)
    in_threads(compute, [different[places] for places in batches], n_threads)
    return [out[row] if row == first else out[first].copy() for row, first in enumerate(firsts)]
