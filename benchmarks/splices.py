"""Passages put together of real single notes, so that the onset and offset of each are known.

`load_singles` reads the Philharmonia Orchestra's single notes of sustained, pitched instruments and
deals the files into two parts, for training and for tests; `splice` joins some of one instrument.
"""

import hashlib
import warnings
from collections import defaultdict
from typing import NamedTuple

import numpy as np
import pandas as pd

from sknote import AudioLoader
from sknote.datasets import load_philharmonia
from sknote.exceptions import AudioDecodeWarning

__all__ = ["Single", "Splice", "load_singles", "splice", "splice_many"]

# Articulations that are one note, held by breath or bow; the second ones need time.
STEADY = (
    *("normal", "staccato", "staccatissimo", "tenuto", "legato", "nonlegato", "non-vibrato"),
    *("subtone", "mute", "con-sord", "harmonic", "natural-harmonic", "slap-tongue"),
    *("arco-normal", "arco-staccato", "arco-tenuto", "arco-legato", "arco-detache"),
    *("arco-martele", "arco-spiccato", "arco-au-talon", "arco-harmonic"),
    *("arco-sul-tasto", "arco-sul-ponticello"),
)
ORNAMENTED = (
    *("vibrato", "molto-vibrato", "major-trill", "minor-trill", "tremolo", "fluttertonguing"),
    *("arco-major-trill", "arco-minor-trill", "arco-tremolo"),
)
LONG_SLOT = 0.4  # seconds from which an ornament is one
TEST_SHARE = 0.25  # of the files
KEPT = 1.6  # seconds of a note that are kept
TAIL = 0.05  # seconds behind them
_HOP = 0.002  # seconds between two points of an envelope
_LEAD = 0.004  # seconds before the onset that come along, and fade in
_ONSET, _OVER = -20.0, -30.0  # dB below the loudest, where a note begins and is over
_STEPS, _LEAPS = (1, 1, 2, 2, 2, 3), (3, 4, 5, 7, 8, 12)


class Single(NamedTuple):
    """A recording of one note, cut to where it sounds."""

    waveform: np.ndarray  # float32, from `lead` samples before the onset
    lead: int
    over: float  # seconds from the onset until it no longer sounds, or is cut
    rise: float  # seconds from the onset to 6 dB below its first peak
    instrument: str
    midi: int
    ornamented: bool
    name: str


class Splice(NamedTuple):
    """A passage of real notes."""

    waveform: np.ndarray
    sample_rate: int
    notes: pd.DataFrame  # onset, offset, midi, slurred, name
    instrument: str
    rate: float  # notes a second


def is_test(name):
    """Tell whether a file, by its name, belongs to the part that is kept for tests, for ever."""
    digest = hashlib.sha256(f"0/{name}".encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32 < TEST_SHARE


def load_singles(
    part,
    *,
    data_home=None,
    instruments=None,
    sample_rate=22050,
    max_per_instrument=None,
    seed=0,
    kept=KEPT,
    tail=TAIL,
    swells=False,
):
    """Read the single notes of one part, "train" or "test"; no file is in both.

    Returns a list of `Single`, of which so many seconds are `kept`, and the `tail` behind them. At
    most `max_per_instrument` are read of each, drawn by the seed. Those that swell are among them
    only if it is said.
    """
    frame = load_philharmonia(
        data_home=data_home, instruments=instruments, single_notes_only=True
    ).frame
    names = frame.path.str.rpartition("/")[2]
    steady = frame.articulation.isin(STEADY)
    fits = steady | frame.articulation.isin(ORNAMENTED)
    frame = frame.assign(name=names, ornamented=~steady)
    if not swells:
        fits &= ~frame.dynamic.str.contains("cresc")
    frame = frame[fits & frame.midi.notna()]
    frame = frame[[is_test(name) == (part == "test") for name in frame.name]]
    if max_per_instrument is not None:
        frame = frame.sample(frac=1, random_state=seed).groupby("instrument")
        frame = frame.head(max_per_instrument).sort_values("path")
    loader = AudioLoader(sample_rate=sample_rate, max_duration=kept + 1.0, on_error="warn")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AudioDecodeWarning)  # one file is broken; it is left out
        waveforms = loader.fit_transform(list(frame.path))
    singles = []
    for row, waveform in zip(frame.itertuples(), waveforms):
        single = trim(waveform, sample_rate, row, kept, tail)
        if single is not None:
            singles.append(single)
    return singles


def trim(waveform, sample_rate, about, kept=KEPT, tail=TAIL):
    """Cut a note to where it sounds; None if it does not, or not for 50 ms.

    `about` has ``instrument``, ``midi``, ``ornamented`` and ``name``.
    """
    if len(waveform) == 0 or not np.isfinite(waveform).all():
        return None
    level = envelope(waveform, sample_rate)
    # The loudest of the beginning: a crescendo must not move the onset.
    first = int(np.argmax(level > level.max() * 10 ** (_OVER / 20)))
    peak = level[first : first + round(0.4 / _HOP)].max()
    if peak <= 0:
        return None
    onset = first + int(np.argmax(level[first:] > peak * 10 ** (_ONSET / 20)))
    rise = int(np.argmax(level[onset:] > peak / 2))
    sounding = np.flatnonzero(level[onset:] > level[onset:].max() * 10 ** (_OVER / 20))
    over = min((sounding[-1] + 1) * _HOP, kept) if len(sounding) else 0.0
    start = max(0, round((onset * _HOP - _LEAD) * sample_rate))
    lead = round(onset * _HOP * sample_rate) - start
    if over < 0.05:
        return None
    end = start + lead + round((over + tail) * sample_rate)
    note = np.ascontiguousarray(waveform[start:end], dtype=np.float32)
    midi = int(about.midi)
    return Single(
        note, lead, over, rise * _HOP, about.instrument, midi, about.ornamented, about.name
    )


def envelope(waveform, sample_rate):
    """Level of a waveform (root mean square over 6 ms), every 2 ms from its start."""
    hop = round(_HOP * sample_rate)
    n_points = len(waveform) // hop + 1
    power = np.zeros((n_points + 2) * hop)
    power[hop : hop + len(waveform)] = np.square(waveform, dtype=np.float64)
    blocks = power.reshape(-1, hop).mean(axis=1)
    return np.sqrt((blocks[:-2] + blocks[1:-1] + blocks[2:]) / 3)


def splice(singles, rate, rng, *, n_notes=24, sample_rate=22050, slurs=0.0, rests=0.06):
    """Join notes of one instrument, `rate` of them a second, into a passage.

    A note begins at its sounding onset. It gives way to the next within 5 to 40 ms, in some
    passages some time before it. `slurs` is the share that begins without its attack, out of the
    one before.
    """
    slot = 1 / rate
    able = [one for one in singles if one.rise < 0.5 * slot and one.over > 0.6 * slot]
    able = [one for one in able if slot >= LONG_SLOT or not one.ornamented]
    by_pitch = defaultdict(list)
    for one in able:
        by_pitch[one.midi].append(one)
    if not by_pitch:
        raise ValueError(f"splice: none of {len(singles)} notes can be played {rate:g} a second.")
    gate = 1.0 if rng.random() < 0.7 else rng.uniform(0.55, 0.95)
    pitches = np.array(sorted(by_pitch))
    midi, steps = int(rng.choice(pitches)), (_STEPS, _STEPS, _LEAPS)[rng.integers(3)]
    plans, time, is_slurred = [], rng.uniform(0.05, 0.4), False
    for _ in range(n_notes):
        one = by_pitch[midi][rng.integers(len(by_pitch[midi]))]
        length = slot * np.exp(rng.normal(0, 0.04)) * (2 if rng.random() < 0.06 else 1)
        is_rest = rng.random() < rests
        plans.append((time, length, one, is_slurred))
        time += length + (rng.uniform(0.1, 0.6) if is_rest else 0.0)
        before, midi = midi, _next_pitch(midi, pitches, steps, rng)
        is_slurred = not is_rest and midi != before and rng.random() < slurs
    sound = np.zeros(round((time + 0.5) * sample_rate))
    rows = []
    for number, (time, length, one, is_slurred) in enumerate(plans):
        last = number + 1 == len(plans)
        following = None if last else plans[number + 1]
        legato = gate == 1 or (following is not None and following[3])
        release = rng.uniform(0.005, 0.04)
        until = length if legato else length * gate
        skipped = min(one.rise + 0.03, 0.3 * one.over) if is_slurred else 0.0
        sounding = min(until, one.over - skipped)
        note = _shape(one, skipped, sounding, release, sample_rate)
        note *= 10 ** (rng.normal(0, 1.5) / 20) / max(_loudness(note), 1e-6)
        lead = round(_fade_in(one, is_slurred, sample_rate))
        first = round(time * sample_rate) - lead
        sound[max(first, 0) : first + len(note)] += note[max(-first, 0) :][: len(sound) - first]
        offset = time + sounding + 0.9 * release
        if following is not None:
            offset = min(offset, following[0])
        rows.append((time, offset, one.midi, is_slurred, one.name))
    return _record(sound, rows, sample_rate, able[0].instrument, rate, rng)


def _fade_in(one, is_slurred, sample_rate):
    """Samples before the onset that a note takes with it."""
    return 0.012 * sample_rate if is_slurred else one.lead


def _shape(one, skipped, sounding, release, sample_rate):
    """Cut a note, with a soft start and a release."""
    start = one.lead + round(skipped * sample_rate)
    lead = round(_fade_in(one, skipped > 0, sample_rate))
    start = max(start - lead, 0)
    end = start + lead + round((sounding + release) * sample_rate)
    note = one.waveform[start:end].astype(np.float64)
    # a slur is half done at its onset
    rise = np.minimum(np.arange(len(note)) / max(2 * lead if skipped else lead, 1), 1)
    fall = np.minimum(np.arange(len(note), 0, -1) / max(release * sample_rate, 1), 1)
    return note * rise * fall


def _loudness(note):
    power = np.sort(np.square(note))[len(note) // 3 :]
    return float(np.sqrt(power.mean())) if len(power) else 0.0


def _next_pitch(midi, pitches, steps, rng):
    """Walk by small intervals, along the pitches that there are."""
    if rng.random() < 0.15:
        return midi
    wanted = midi + rng.choice(steps) * rng.choice([-1, 1])
    distance = np.abs(pitches - wanted) + 100.0 * (pitches == midi) * (len(pitches) > 1)
    return int(pitches[np.argmin(distance)])


def _record(sound, rows, sample_rate, instrument, rate, rng):
    noise = rng.standard_normal(len(sound))
    level = np.sqrt(np.mean(sound**2))
    sound = sound + noise * level * 10 ** (rng.uniform(-75, -50) / 20)
    sound *= 10 ** (rng.uniform(-20, -3) / 20) / np.abs(sound).max()
    notes = pd.DataFrame(rows, columns=["onset", "offset", "midi", "slurred", "name"])
    return Splice(sound.astype(np.float32), sample_rate, notes, instrument, rate)


def splice_many(singles, rates, per_instrument=1, *, seed=0, **how):
    """Splice passages of each instrument at each rate; a list of `Splice`."""
    by_instrument = defaultdict(list)
    for one in singles:
        by_instrument[one.instrument].append(one)
    made = []
    for instrument, some in sorted(by_instrument.items()):
        for rate in rates:
            for number in range(per_instrument):
                key = f"{seed}/{instrument}/{rate:g}/{number}".encode()
                rng = np.random.default_rng(int.from_bytes(hashlib.sha256(key).digest()[:8], "big"))
                try:
                    made.append(splice(some, rate, rng, **how))
                except ValueError:
                    continue  # none that speaks fast enough
    return made
