"""What rooms, microphones and codecs do to notes, on batches of spectra in power: pure functions.

Power has shape (batch, n_frames, n_bins), as the spectrograms that it is made of.
"""

import functools

import numpy as np
import torch
from torch.nn import functional

from sknote.spectral import SpectrogramFrontend

__all__ = [
    "add_reverberation",
    "calibrate",
    "clip",
    "code",
    "equalize",
    "shaped_noise",
    "surround",
]

# What a window still sees of a sound 1, 2 and 3 hops beyond its edge, of an eighth of a window each
_LEAKED = (12.0, 24.0, 36.0)  # dB below the outermost frame
_NOTHING = 200.0  # dB below it
_DECAY = 13.8  # nepers of power in the reverberation time: 60 dB


def surround(spectrogram, lengths, before, after):
    """Put silent frames around notes in dB, with what windows see across the edges.

    Takes numbers of frames, each (batch,); returns new spectrograms and their lengths.
    """
    lengths_after = lengths + before + after
    frames = torch.arange(int(lengths_after.max())) - before[:, None]
    last = (lengths - 1)[:, None]
    beyond = torch.maximum(-frames, frames - last).clamp(0, len(_LEAKED) + 1)
    source = torch.minimum(frames.clamp_min(0), last)[:, :, None]
    values = spectrogram.gather(1, source.expand(-1, -1, spectrogram.shape[2]))
    fall = torch.tensor([0.0, *_LEAKED, _NOTHING])[beyond]
    return values - fall[:, :, None], lengths_after


def add_reverberation(power, seconds, gain, color, axes):
    """Let power linger in a room, the less the higher the frequency (Polack's model).

    Takes the reverberation time (RT60) and the energy of the tail relative to the direct sound,
    each (batch,), and what each bin has of it, (batch, n_bins).

    J.-D. Polack, "La transmission de l'énergie sonore dans les salles", thesis, Le Mans, 1988.
    """
    octaves = torch.from_numpy(np.log2(np.maximum(axes.frequencies, 1.0) / 1000.0)).float()
    damped = 2.0 ** (-0.15 * octaves.clamp_min(0.0))
    kept = torch.exp(-_DECAY / (seconds[:, None] * damped * axes.frame_rate))
    share = gain[:, None] * (1.0 - kept) * color
    out, lingering = torch.empty_like(power), torch.zeros_like(power[:, 0])
    for frame in range(power.shape[1]):
        lingering = lingering * kept + power[:, frame]
        out[:, frame] = power[:, frame] + share * lingering
    return out


def equalize(ripples, low, low_order, high, high_order, axes):
    """Return the response of microphones and loudspeakers, a factor of power (batch, n_bins).

    It has ripples, cosines of 1, 2, ... half periods along the axis, (batch, n_cosines), in dB, and
    the band limits of Butterworth filters: corner frequencies in Hz and orders, each (batch,).
    """
    place = np.linspace(0.0, np.pi, axes.n_bins)
    basis = np.cos(np.outer(np.arange(1, ripples.shape[1] + 1), place))
    response = 10.0 ** (ripples @ torch.from_numpy(basis).float() / 10.0)
    frequencies = torch.from_numpy(np.maximum(axes.frequencies, 1.0)).float()
    for corner, order, sign in ((low, low_order, -1.0), (high, high_order, 1.0)):
        ratio = (frequencies / corner[:, None]).log2() * (2.0 * sign * order[:, None])
        response = response / (1.0 + 2.0 ** ratio.clamp_max(60.0))
    return response


def shaped_noise(first, n_frames, tilt, axes):
    """Return stretches of noise, of mean power 1 in all bins together.

    Takes the first frame of each within a long recording of white noise, (batch,), and by how much
    it is tilted, in dB an octave, (batch,): -3 is pink.
    """
    noise, _ = calibrate(axes)
    octaves = torch.from_numpy(np.log2(np.maximum(axes.frequencies, 1.0) / 1000.0)).float()
    frames = (first[:, None] + torch.arange(n_frames)) % len(noise)
    noise = noise[frames] * (10.0 ** (tilt[:, None] * octaves / 10.0))[:, None]
    return noise / noise.mean(dim=1).sum(dim=1)[:, None, None]


def clip(power, limit, axes):
    """Take away what is above a limit of all bins together; odd partials appear in its place."""
    excess = (power.sum(dim=2, keepdim=True) / limit).clamp_min(1.0)
    clipped = power / excess.sqrt()
    share = 0.1 * (1.0 - 1.0 / excess).square()
    out = clipped
    for number, part in ((3, 1.0), (5, 0.3)):
        source = torch.from_numpy(axes.positions(axes.frequencies / number)).round().long()
        partial = clipped.index_select(2, source.clamp(0, power.shape[2] - 1))
        out = out + share * part * partial * (source >= 0)
    return out


def code(power, depth, left, highest, axes):
    """Take away what a codec of a low rate does: what is masked, and high frequencies.

    What is further than a factor `depth` below the strongest bin near it (half an octave, on the
    default axes) loses all but a factor `left`; each (batch,), as the highest frequency in Hz.
    """
    reach = max(1, axes.n_bins // 16)  # 12 bins of the default axes
    masker = functional.max_pool1d(power, 2 * reach + 1, 1, reach)
    power = torch.where(power < masker * depth[:, None, None], power * left[:, None, None], power)
    frequencies = torch.from_numpy(axes.frequencies.astype(np.float32))
    return torch.where((frequencies > highest[:, None])[:, None], power * 1e-6, power)


@functools.lru_cache(maxsize=4)
def calibrate(axes):
    """Return spectra of white noise in power, (n_frames, n_bins), and the power of a full tone."""
    frontend, rate = SpectrogramFrontend(axes), axes.sample_rate
    noise = torch.randn(1, 10 * rate, generator=torch.Generator().manual_seed(0))
    middle = float(axes.frequencies[axes.n_bins // 2])
    tone = torch.sin(2 * np.pi * middle * torch.arange(rate) / rate)[None]
    with torch.no_grad():
        spectra = [
            10.0 ** (frontend(x, torch.tensor([x.shape[1]]))[0][0] / 10) for x in (noise, tone)
        ]
    edge = -(-axes.n_fft // axes.hop_length)
    inner = [values[edge:-edge] if len(values) > 3 * edge else values for values in spectra]
    return inner[0], float(inner[1].sum(dim=1).mean())
