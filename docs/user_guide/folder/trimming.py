"""Cut away the silence before and behind notes."""

import numpy as np
import pandas as pd


def trim_one(waveform, below_peak_db=50.0, window=256):
    """Cut off what is far below the loudest moment, in windows of 12 ms."""
    n_windows = len(waveform) // window
    if n_windows == 0:
        return waveform
    level = np.abs(waveform[: n_windows * window]).reshape(n_windows, window).max(axis=1)
    loud = np.flatnonzero(level > level.max() * 10 ** (-below_peak_db / 20))
    return waveform[loud[0] * window : (loud[-1] + 1) * window] if len(loud) else waveform


def trim(X):
    """Trim every waveform of a table or of a list."""
    if isinstance(X, pd.DataFrame):
        return X.assign(audio=[trim_one(waveform) for waveform in X.audio])
    return [trim_one(waveform) for waveform in X]
