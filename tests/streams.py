"""What tests of streams share: a quick model, and a segmenter that needs none."""

import numpy as np

from sknote.deploy import NoteStream

RATE = 8000


class LoudParts:
    """Has the interface of `sknote.audio.NoteSegmenter`."""

    look_ahead = 0.05
    threshold = 0.01

    def __init__(self, sample_rate):
        self.sample_rate = sample_rate
        self.patience = round(self.look_ahead * sample_rate)
        self.n_seen = 0
        self.start = self.last = None  # of the note that sounds, in samples

    @property
    def sounding_since(self):
        return None if self.start is None else self.start / self.sample_rate

    def push(self, samples):
        notes = []
        loud = self.n_seen + np.flatnonzero(np.abs(samples) > self.threshold)
        for run in np.split(loud, np.flatnonzero(np.diff(loud) > self.patience) + 1):
            if not len(run):
                continue
            if self.start is not None and run[0] - self.last > self.patience:
                notes.append(self._end())
            if self.start is None:
                self.start = int(run[0])
            self.last = int(run[-1])
        self.n_seen += len(samples)
        if self.start is not None and self.n_seen - self.last > self.patience:
            notes.append(self._end())
        return np.array(notes, dtype=float).reshape(-1, 2)

    def flush(self):
        return np.array([] if self.start is None else [self._end()], dtype=float).reshape(-1, 2)

    def _end(self):
        note = self.start / self.sample_rate, (self.last + 1) / self.sample_rate
        self.start = None
        return note


class ByLevel:
    """Tells loud notes from soft ones and long ones, and remembers what it heard."""

    classes_ = np.array(["loud", "soft", "long"])

    def __init__(self, rate=RATE):
        self.rate = rate
        self.heard = []

    def read_options(self):
        """Tell the rate at which arrays are taken, as a loader does."""
        return {"input_rate": None, "sample_rate": self.rate}

    def predict_proba(self, X):
        self.heard += list(X)
        peak = np.array([np.abs(waveform).max(initial=0) for waveform in X])
        length = np.array([len(waveform) / RATE for waveform in X])
        softness = 0.5 - np.minimum(peak, 1.0) / 2  # a stream may be above full scale
        scores = np.stack([peak, softness, length / 10], axis=1) + 0.01
        return scores / scores.sum(axis=1, keepdims=True)


def stream_of(model=None, **options):
    options = {"sample_rate": RATE, "segmenter": LoudParts} | options
    return NoteStream(ByLevel() if model is None else model, **options)


def pieces(samples, rng, lengths=(0, 1, 2, 79, 80, 81, 441, 4000)):
    start = 0
    while start < len(samples):
        stop = start + int(rng.choice(lengths))
        yield samples[start:stop]
        start = stop


def cut(waveform, notes, rate=RATE):
    """Cut out notes, each with up to 50 ms before it, as far as no other note sounds there."""
    pieces, before, lead = [], 0, round(0.05 * rate)
    for onset, offset in notes:
        start, stop = round(onset * rate), round(offset * rate)
        pieces.append(waveform[min(start, max(start - lead, before)) : stop])
        before = stop
    return pieces


def final(events):
    return [event for event in events if event.kind == "judged"]
