"""What cuts a passage into notes: sknote, and others where they are installed.

Each is a function of a waveform and its rate that returns onsets and offsets in seconds, of shape
(n_notes, 2); whoever finds onsets alone gives NaN for offsets.
"""

import importlib.util

import numpy as np

__all__ = ["SEGMENTERS", "available"]

_AUBIO = ("default", "hfc", "complex", "specflux")


def by_sknote(waveform, rate):
    """Segment with sknote, as any user does."""
    from sknote.audio import segment_notes

    return segment_notes(waveform, rate)


def by_librosa(waveform, rate, backtrack=False):
    """Detect onsets with librosa's default, or go back from its peaks to the minima before them."""
    import librosa

    waveform = np.ascontiguousarray(waveform, dtype=np.float32)
    found = librosa.onset.onset_detect(y=waveform, sr=rate, units="time", backtrack=backtrack)
    return _onsets_alone(found)


def by_librosa_backtracked(waveform, rate):
    """Detect onsets with librosa, from where the energy begins to rise."""
    return by_librosa(waveform, rate, backtrack=True)


def by_aubio(waveform, rate, method="default"):
    """Detect onsets with aubio, in the frames of its command."""
    import aubio

    detect, hop, found = aubio.onset(method, 1024, 512, rate), 512, []
    padded = np.pad(waveform.astype(np.float32), (0, -len(waveform) % hop))
    for block in padded.reshape(-1, hop):
        if detect(block):
            found.append(detect.get_last_s())
    return _onsets_alone(found)


def _onsets_alone(onsets):
    onsets = np.unique(np.asarray(onsets, dtype=float))
    return np.stack([onsets, np.full(len(onsets), np.nan)], axis=1)


def _aubio_by(method):
    return lambda waveform, rate: by_aubio(waveform, rate, method)


# Name → what segments, and the package that it needs
SEGMENTERS = {
    "sknote": (by_sknote, "sknote"),
    "librosa": (by_librosa, "librosa"),
    "librosa backtracked": (by_librosa_backtracked, "librosa"),
    **{f"aubio {method}": (_aubio_by(method), "aubio") for method in _AUBIO},
}


def available():
    """Return name → what segments, of those that are installed."""
    return {
        name: segment
        for name, (segment, package) in SEGMENTERS.items()
        if importlib.util.find_spec(package)
    }
