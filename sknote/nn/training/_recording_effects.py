"""What rooms, microphones and codecs do to notes, on batches of spectra in power: pure functions.

Power has shape (batch, n_frames, n_bins), as the spectrograms that it is made of.
"""

import functools
import math

import numpy as np
import torch
from torch.nn import functional

from sknote.spectral import SpectrogramFrontend

__all__ = [
    "add_noise",
    "add_reverberation",
    "calibrate",
    "clip",
    "code",
    "equalize",
    "shaped_noise",
    "surround",
    "truncate",
]

# What a window still sees of a sound 1, 2 and 3 hops beyond its edge, of an eighth of a window each
_LEAKED = (12.0, 24.0, 36.0)  # dB below the outermost frame
_NOTHING = 200.0  # dB below it
_LEAST = 1e-12
_STILL_HEARD = 0.03  # of the power of the louder one, where two cancel each other
_LATER = 211  # frames, after which noise has nothing to do with what it was
_TONES = 256  # that are looked at together
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


def truncate(power, last, axes):
    """Let sounds stop at once, as windows see it: they fade, and spread over all bins.

    Takes the frame of each that is the last one before it stops, (batch,).
    """
    kept, spread = _stopping_tones(axes)
    reach = len(kept) // 2
    out, rows = power.clone(), torch.arange(len(power))
    for i in range(len(kept)):
        frame = last - reach + i
        own = ((frame >= 0) & (frame < power.shape[1])).nonzero()[:, 0]
        frame = frame[own]
        sounding = power[rows[own], torch.minimum(frame, last[own])]
        out[rows[own], frame] = sounding * kept[i] + sounding @ spread[i]
    return out


@functools.lru_cache(maxsize=4)
def _stopping_tones(axes):
    """Measure what is seen of tones that stop in the middle between two frames.

    Returns the share of its power that a bin keeps, (n_offsets, n_bins), and that which goes from
    each bin to each other one, (n_offsets, n_bins, n_bins); offsets are those of frames from the
    last one before the stop, which has the middle place.
    """
    frontend, hop = SpectrogramFrontend(axes), axes.hop_length
    reach = math.ceil(axes.n_fft / 2 / hop)
    last = 3 * reach
    n_samples = last * hop + hop // 2
    time = torch.arange(n_samples + (reach + 2) * hop) / axes.sample_rate
    frequencies = torch.from_numpy(np.maximum(axes.frequencies, 1.0))
    powers = []
    with torch.no_grad():
        for some in frequencies.split(_TONES):
            power = 0.0
            for phase in range(4):  # on which it depends what windows see of the edge
                tones = torch.sin(2 * np.pi * some[:, None] * time + phase * np.pi / 4).float()
                tones[:, n_samples:] = 0.0
                decibels, _ = frontend(tones, torch.full((len(tones),), len(time)))
                power = power + 10.0 ** (decibels[:, last - 2 * reach :] / 10.0)
            powers.append(power)
    power = torch.cat(powers)
    steady, around = power[:, 0], power[:, reach : 3 * reach + 1]
    own = steady.diagonal().clamp_min(_LEAST)
    kept = around.diagonal(dim1=0, dim2=2) / own
    spread = around.transpose(0, 1) - steady * kept[:, :, None]
    # a tone is in several bins, each of which spreads
    return kept, spread.clamp_min(0.0) / steady.sum(dim=1).clamp_min(_LEAST)[:, None]


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
    octaves = torch.from_numpy(np.log2(np.maximum(axes.frequencies, 1.0) / 1000.0)).float()
    tilted = 10.0 ** (tilt[:, None] * octaves / 10.0)
    noise = _stretch(calibrate(axes)[0], first, n_frames) * tilted[:, None]
    return noise / noise.mean(dim=1).sum(dim=1)[:, None, None]


def add_noise(power, noise, first, axes):
    """Add noise to sound; in bins in which there are both they interfere, now so and now so.

    Takes the first frame of each noise within its long recording, (batch,).
    """
    # the square of a sum of amplitudes, of which one is normally distributed
    crossed = _stretch(_crossed_terms(axes), first + _LATER, power.shape[1])
    crossed = crossed * (power * noise).sqrt()
    return torch.maximum(power + noise + crossed, _STILL_HEARD * torch.maximum(power, noise))


@functools.lru_cache(maxsize=4)
def _crossed_terms(axes):
    """Make of the ranks of white noise in each bin what is normally distributed, as long in time.

    In wide bins of several independent parts, sound and noise meet in some of these alone.
    """
    noise, _ = calibrate(axes)
    ranks = noise.argsort(dim=0).argsort(dim=0)
    n_parts = noise.mean(dim=0).square() / noise.var(dim=0).clamp_min(_LEAST)
    return torch.special.ndtri((ranks + 0.5) / len(noise)) * (2.0 / n_parts.clamp_min(1.0)).sqrt()


def _stretch(recording, first, n_frames):
    return recording[(first[:, None] + torch.arange(n_frames)) % len(recording)]


def clip(power, limit, axes):
    """Take away what is above a limit of all bins together; odd partials appear in its place."""
    excess = (power.sum(dim=2, keepdim=True) / limit).clamp_min(1.0)
    if not bool((excess > 1.0).any()):
        return power
    clipped = power / excess.sqrt()
    share = 0.1 * (1.0 - 1.0 / excess).square()
    out = clipped
    for number, part in ((3, 1.0), (5, 0.3)):
        source = torch.from_numpy(axes.positions(axes.frequencies / number)).round().long()
        partial = clipped.index_select(2, source.clamp(0, power.shape[2] - 1))
        out = out + share * part * partial * (source >= 0)
    return out


def code(power, depth, left, rounding, first, highest, axes):
    """Do what a codec of a low rate does: lose what is masked, and high frequencies, and round.

    What is further than a factor `depth` below the strongest bin near it (half an octave, on the
    default axes) loses all but a factor `left`; noise of a factor `rounding` of that bin is added,
    from the frame `first` of a long recording on; each (batch,), as the highest frequency in Hz.
    """
    reach = max(1, axes.n_bins // 16)  # 12 bins of the default axes
    masker = functional.max_pool1d(power, 2 * reach + 1, 1, reach)
    power = torch.where(power < masker * depth[:, None, None], power * left[:, None, None], power)
    noise = calibrate(axes)[0]
    noise = _stretch(noise / noise.mean(dim=0).clamp_min(_LEAST), first, power.shape[1])
    power = add_noise(power, noise * masker * rounding[:, None, None], first, axes)
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
