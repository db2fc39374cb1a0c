"""Two notes at once, put together of single ones: what a chord looks like in a spectrogram."""

import numpy as np

__all__ = ["draw_pairs", "mixed"]

_MOST = 3000  # pairs


def draw_pairs(instrument, groups, allowed):
    """Draw pairs of different notes that sound together, half of them of one instrument.

    `instrument` has the name of each note's, or is None, and `groups` tell which notes may be at
    the same pitch: those of one are not put together. Returns an array of shape (n_pairs, 2), of
    rows among the `allowed`; there are as many as these, and at most 3,000.
    """
    rng = np.random.default_rng(0)
    rows = np.flatnonzero(allowed)
    n_pairs = min(len(rows), _MOST)
    first = rng.permutation(rows)[:n_pairs]
    second = rng.choice(rows, n_pairs)
    if instrument is not None:
        instrument = np.array([str(name) for name in instrument])
        for name in np.unique(instrument[first]):
            places = np.flatnonzero(instrument[first] == name)[::2]
            second[places] = rng.choice(rows[instrument[rows] == name], len(places))
    different = groups[first] != groups[second]
    return np.stack([first, second], axis=1)[different]


def mixed(one, other, whole):
    """Add two spectrograms in dB by their power, up to the end of the shorter one or `whole`."""
    longest = max(len(one), len(other))
    floor = min(one.min(), other.min())
    padded = [
        np.pad(part, ((0, longest - len(part)), (0, 0)), constant_values=floor)
        for part in (one, other)
    ]
    loudest = np.maximum(*padded)
    both = loudest + 10.0 * np.log10(1.0 + 10.0 ** ((np.minimum(*padded) - loudest) / 10.0))
    return both if whole else both[: min(len(one), len(other))]
