"""The pitch of one note, by YIN (de Cheveigné and Kawahara, 2002)."""

import numpy as np

# Hz: the lowest string of a double bass with an extension, and the end of a piano.
LOWEST, HIGHEST = 30.0, 4400.0
# A dip of the normalised difference that is a period at once, and one that is none at all.
_SURE, _UNSURE = 0.15, 0.4
# Seconds that one estimate looks at, and how many estimates a note gets.
_WINDOW, _MOST = 0.1, 5
# Share of a note at its start and at its end that is left out, of short ones less.
_EDGES = 0.25


def note_pitch(waveform, sample_rate):
    """Estimate the pitch of a note, a MIDI number with fractions; NaN if it has none.

    The middle of the note is judged in up to five windows, of which the median counts: an attack,
    a release and a slip matter little.
    """
    waveform = np.asarray(waveform, dtype=np.float64)
    spare = (len(waveform) - round(_WINDOW * sample_rate)) // 2
    edge = max(0, min(int(_EDGES * len(waveform)), spare))
    middle = waveform[edge : len(waveform) - edge]
    size = min(round(_WINDOW * sample_rate), len(middle))
    if size < 4 * sample_rate / HIGHEST or not np.isfinite(middle).all():
        return np.nan
    count = min(_MOST, 1 + 2 * (len(middle) - size) // size)
    starts = np.linspace(0, len(middle) - size, count).astype(int)
    frames = middle[starts[:, None] + np.arange(size)]
    periods = np.array([_period(frame, sample_rate) for frame in frames])
    periods = periods[~np.isnan(periods)]
    if 2 * len(periods) < count:
        return np.nan
    return float(69 + 12 * np.log2(sample_rate / np.median(periods) / 440.0))


def _period(frame, sample_rate):
    """Period of a frame in samples, NaN if it has none."""
    frame = frame - frame.mean()
    longest = min(int(sample_rate / LOWEST), len(frame) // 2)
    shortest = max(2, int(sample_rate / HIGHEST))
    size = len(frame) - longest  # that is compared with itself, later by up to the longest period
    power = np.concatenate([[0.0], np.cumsum(frame**2)])
    if size < 8 or longest <= shortest + 2 or power[-1] <= 1e-12 * len(frame):
        return np.nan
    n_fft = 1 << (len(frame) + size - 1).bit_length()
    spectrum = np.fft.rfft(frame, n_fft) * np.conj(np.fft.rfft(frame[:size], n_fft))
    lags = np.arange(longest + 1)
    shared = np.fft.irfft(spectrum, n_fft)[: longest + 1]
    difference = np.maximum(power[size] + power[size + lags] - power[lags] - 2 * shared, 0.0)
    mean = np.cumsum(difference[1:]) / lags[1:]
    normal = np.concatenate([[1.0], difference[1:] / np.maximum(mean, 1e-30)])
    inner = normal[1:-1]
    dips = 1 + np.flatnonzero((inner <= normal[:-2]) & (inner < normal[2:]))
    dips = dips[dips >= shortest]
    if not len(dips) or normal[dips].min() > _UNSURE:
        return np.nan
    # The first good one: multiples of the period are as good.
    sure = dips[normal[dips] <= max(_SURE, 1.2 * normal[dips].min())]
    return _between(difference, sure[0])


def _between(curve, place):
    """Minimum of the parabola through a point and its neighbours."""
    before, here, after = curve[place - 1 : place + 2]
    bend = before - 2 * here + after
    return place + (0.5 * (before - after) / bend if bend > 0 else 0.0)
