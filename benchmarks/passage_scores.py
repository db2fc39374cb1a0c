"""Scores of notes that were found in passages: mir_eval's, at its usual settings; and delays."""

import time
import warnings
from typing import NamedTuple

import numpy as np

from benchmarks.cli import BenchmarkError

WINDOWS = {"f_50": 0.05, "f_25": 0.025}  # seconds either side of an onset
_CHUNK = 0.01  # seconds that come from a microphone at once
# Between passages that are scored together, in seconds.
_APART = 5.0


class Passage(NamedTuple):
    """A recording, and its notes."""

    name: str
    waveform: np.ndarray
    sample_rate: int
    notes: np.ndarray  # (n_notes, 2): onset and offset in seconds

    @property
    def seconds(self):
        """Duration of the recording."""
        return len(self.waveform) / self.sample_rate


def scores(truth, found):
    """Compare the notes of a passage with those that were found; both of shape (n_notes, 2).

    Returns F-measure, precision and recall of onsets at 50 ms, the F-measure at 25 ms, and that of
    mir_eval's notes: onset within 50 ms, and offset within 50 ms or a fifth of the duration. The
    last is None for who finds no offsets; where there are no notes, all are.
    """
    onset, transcription = _mir_eval()
    truth, found = (np.asarray(one, dtype=float).reshape(-1, 2) for one in (truth, found))
    counts = {"n_notes": len(truth), "n_found": len(found)}
    names = [*WINDOWS, "precision_50", "recall_50", "f_notes"]
    if not len(truth):
        return counts | dict.fromkeys(names)
    row = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where nothing was found
        starts = np.sort(found[:, 0])
        for name, window in WINDOWS.items():
            row[name], *both = onset.f_measure(np.sort(truth[:, 0]), starts, window=window)
            if name == "f_50":
                row["precision_50"], row["recall_50"] = both
        row["f_notes"] = None
        if not np.isnan(found).any():
            whole = found[found[:, 1] > found[:, 0]]
            if len(whole) < len(found):
                raise BenchmarkError("a note was found that ends before it begins.")
            pitch = [np.full(len(one), 440.0) for one in (truth, whole)]
            _, _, row["f_notes"], _ = transcription.precision_recall_f1_overlap(
                truth, pitch[0], whole, pitch[1], onset_tolerance=0.05
            )
    return counts | {name: None if row[name] is None else float(row[name]) for name in names}


def _mir_eval():
    try:
        from mir_eval import onset, transcription
    except ImportError as error:
        raise BenchmarkError(
            "the scores of passages need mir_eval (pip install 'sknote[benchmarks]')."
        ) from error
    return onset, transcription


def score_all(passages, found):
    """Score each of some passages, and all of them as one long one; returns name → scores."""
    rows = {}
    shifted = [[], []]
    begin = 0.0
    for passage, notes in zip(passages, found):
        notes = np.asarray(notes, dtype=float).reshape(-1, 2)
        rows[passage.name] = scores(passage.notes, notes)
        for kept, own in zip(shifted, (passage.notes, notes)):
            kept.append(np.asarray(own, dtype=float) + begin)
        begin += passage.seconds + _APART
    rows["all"] = scores(*(np.concatenate(kept) for kept in shifted))
    return rows


def timed(segment, passages):
    """Segment passages; returns the notes of each, and the CPU seconds a second of sound."""
    start = time.process_time()
    found = [segment(passage.waveform, passage.sample_rate) for passage in passages]
    seconds = time.process_time() - start
    return found, seconds / sum(passage.seconds for passage in passages)


def delays(make_segmenter, passages):
    """Feed passages chunk by chunk; returns how many seconds after it each onset was known.

    And how many seconds after its end, as it tells it, each note was returned. An onset is known
    when `sounding_since`, or a note that is returned, is within 50 ms of it; NaN if that never
    happens.
    """
    late, waits = [], []
    for passage in passages:
        segmenter = make_segmenter(passage.sample_rate)
        chunk = round(_CHUNK * passage.sample_rate)
        claims = []
        for start in range(0, len(passage.waveform), chunk):
            part = passage.waveform[start : start + chunk]
            now = (start + len(part)) / passage.sample_rate
            notes = np.asarray(segmenter.push(part), dtype=float).reshape(-1, 2)
            claims += [(now, onset) for onset in notes[:, 0]]
            waits += [now - offset for offset in notes[:, 1]]
            if segmenter.sounding_since is not None:
                claims.append((now, segmenter.sounding_since))
        claims += [
            (passage.seconds, onset)
            for onset in np.asarray(segmenter.flush(), dtype=float).reshape(-1, 2)[:, 0]
        ]
        when, onsets = np.array(claims, dtype=float).reshape(-1, 2).T
        for onset in passage.notes[:, 0]:
            near = when[np.abs(onsets - onset) <= WINDOWS["f_50"]]
            late.append(near.min() - onset if len(near) else np.nan)
    return np.array(late), np.array(waits)
