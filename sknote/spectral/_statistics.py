"""Mean and deviation of each bin over the frames of many spectrograms."""

import numpy as np

__all__ = ["frame_statistics"]


def frame_statistics(spectrograms, weight=None, *, smallest=1e-6):
    """Mean and standard deviation of the frames of weighted notes, each float64, shape (n_bins,).

    Notes have shape (n_frames, n_bins), and weight 1 if none is given. A bin that deviates by less
    than `smallest` counts as constant, and has the scale 1.
    """
    count, total, squares, centre = 0.0, 0.0, 0.0, None
    for i, spectrogram in enumerate(spectrograms):
        frames = spectrogram.astype(np.float64)
        centre = frames[0] if centre is None else centre  # against cancellation in the squares
        frames = frames - centre
        share = 1.0 if weight is None else weight[i]
        count += share * len(frames)
        total = total + share * frames.sum(axis=0)
        squares = squares + share * np.square(frames).sum(axis=0)
    mean = total / count
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 0.0))
    return mean + centre, np.where(deviation > smallest, deviation, 1.0)
