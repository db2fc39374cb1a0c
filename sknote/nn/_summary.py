"""The summary of a note: statistics over time of each bin of its spectrogram."""

import math

import torch

__all__ = ["LEVEL_ROWS", "SUMMARY_ROWS", "summarize_note"]

_POWER = 10.0 / math.log(10.0)
_QUANTILES = (0.1, 0.5, 0.9)
_EDGE = 0.1  # seconds that count as the beginning, and as the end, of a recording
_LOUD = 12.0  # a note sounds from the first to the last frame that is this close to its peak, in dB
# Stretches of time in seconds: around where a note begins to sound, and around where it ceases to.
_ATTACK = ((-0.05, 0), (0, 0.025), (0.025, 0.05), (0.05, 0.1), (0.1, 0.19), (0.19, 0.37))
_RELEASE = ((-0.21, -0.095), (-0.095, -0.025), (0, 0.07), (0.07, 0.21))
_SHORTEST = 0.03  # seconds; added before a logarithm
_MODULATION = (0.05, 0.1, 0.19, 0.37, 0.75)  # each stretch of time is twice the one before

SUMMARY_ROWS = (
    "energy",
    *(f"quantile {share}" for share in _QUANTILES),
    "maximum",
    "beginning",
    "end",
    *(f"attack {start} to {stop} s" for start, stop in _ATTACK),
    *(f"release {start} to {stop} s" for start, stop in _RELEASE),
    "deviation",
    *(f"modulation within {width} s" for width in _MODULATION),
    "silence before",
    "sound",
)
# Rows that move with the level of a recording; of the others most are differences of levels,
_N_LEVELS = SUMMARY_ROWS.index("deviation")
LEVEL_ROWS = torch.arange(len(SUMMARY_ROWS)) < _N_LEVELS
# and the last two are times, the same in each bin.
N_SPECTRA = len(SUMMARY_ROWS) - 2


def summarize_note(spectrogram, frame_rate):
    """Describe how the spectrum of a note is spread over time, in an array of fixed shape.

    Parameters
    ----------
    spectrogram : Tensor of shape (n_frames, n_bins)
        In dB; at least one frame.
    frame_rate : float
        Frames per second.

    Returns
    -------
    Tensor of shape (25, n_bins)
        Of each bin, in dB: level of the mean power; 10th, 50th and 90th percentile; maximum; means
        of the first and the last 0.1 s; means over six stretches of time about the attack and four
        about the release; standard deviation over time; and modulation at five rates, about an
        octave apart, from 16 Hz down to 1 Hz. Where a note is too short for a stretch of time, its
        nearest frame stands for it. The last two rows are constant: the logarithms of how many
        seconds pass before the note sounds, and of how many it sounds.

    Notes
    -----
    Modulation is the deviation of moving averages from moving averages that are twice as long: the
    undecimated Haar wavelet transform [1]_ of a bin's level.

    References
    ----------
    .. [1] S. Mallat, "A Wavelet Tour of Signal Processing", 3rd ed., Academic Press, 2009.

    Examples
    --------
    >>> import torch
    >>> from sknote.nn import summarize_note
    >>> summarize_note(torch.zeros(50, 200), 43.07).shape
    torch.Size([25, 200])
    """
    x = spectrogram
    n_frames = len(x)
    frames = torch.arange(n_frames, device=x.device)
    before = torch.cat([x.new_zeros(1, x.shape[1]).double(), x.cumsum(0, dtype=torch.float64)])

    def mean(start, stop):
        return ((before[stop] - before[start]) / (stop - start)[..., None]).to(x.dtype)

    def frame(seconds):
        return round(seconds * frame_rate)

    level = (x / _POWER).logsumexp(1) * _POWER
    sounding = (level > level.amax() - _LOUD).long()
    onset = sounding.argmax()
    offset = n_frames - sounding.flip(0).argmax()  # the first frame after it

    edge = max(1, frame(_EDGE))
    pieces = [(frames[0], edge), (n_frames - edge + frames[0], n_frames)]
    pieces += [(onset + frame(start), onset + frame(stop)) for start, stop in _ATTACK]
    pieces += [(offset + frame(start), offset + frame(stop)) for start, stop in _RELEASE]
    start = torch.stack([start for start, _ in pieces]).clamp(0, n_frames - 1)
    stop = torch.stack([torch.as_tensor(stop, device=x.device) for _, stop in pieces])
    stop = torch.maximum(stop.clamp(max=n_frames), start + 1)

    ordered = x.T.contiguous().sort(1).values
    quantiles = []
    for share in _QUANTILES:
        position = (n_frames - 1) * share
        below = int(position)
        above = min(below + 1, n_frames - 1)
        quantiles.append(torch.lerp(ordered[:, below], ordered[:, above], position - below))
    energy = ((x / _POWER).logsumexp(0) - math.log(n_frames)) * _POWER
    deviation = x.std(0, correction=0)

    width = torch.tensor([[max(1, frame(seconds))] for seconds in _MODULATION], device=x.device)
    first = torch.minimum(torch.maximum(frames - width // 2, onset), offset - 1)
    last = torch.maximum(torch.minimum(frames - width // 2 + width, offset), first + 1)
    averages = mean(first, last)
    finer = torch.cat([x[None], averages[:-1]])
    inside = ((frames >= onset) & (frames < offset)).to(x.dtype)[:, None]
    power = ((finer - averages).square() * inside).sum(1) / (offset - onset)
    modulation = (power + 1e-3).sqrt()
    seconds = torch.stack([onset, offset - onset]).to(x.dtype) / frame_rate
    times = torch.log(seconds + _SHORTEST)[:, None].expand(2, x.shape[1])
    levels = [energy, *quantiles, ordered[:, -1], *mean(start, stop)]
    return torch.stack([*levels, deviation, *modulation, *times])
