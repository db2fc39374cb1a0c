"""Synthetic notes of twelve instruments, played well and badly."""

import itertools
import os
from numbers import Integral
from pathlib import Path

import numpy as np
from sklearn.utils import check_random_state

from sknote._files import replacing
from sknote._interval import Interval, check_number, check_seed
from sknote.datasets._base import as_bunch
from sknote.datasets._good_sounds_labels import HIERARCHY
from sknote.datasets.synthetic._draws import NoteSource

_SAMPLES = Interval(Integral, 1, 10_000_000, closed="both")
_START = _SEED = Interval(Integral, 0, None, closed="left")

_SUMMARY = """
Synthetic notes by sknote.datasets.make_notes: {n_instruments} instruments with {n_players} players
each, {n_labels} labels, {duration_range[0]} to {duration_range[1]} s, {sample_rate} Hz,
class_imbalance={class_imbalance}, difficulty={difficulty}, seed {seed}. A group is one player's
pitch.
"""


def make_notes(
    n_samples=1000,
    *,
    instruments=None,
    labels=None,
    duration_range=(0.25, 5.0),
    sample_rate=22050,
    n_players=3,
    class_imbalance=None,
    difficulty=0.5,
    out_dir=None,
    random_state=None,
):
    """Synthesize notes, played well or with a known fault.

    For tests, examples and benchmarks that need labelled notes without a download. A note is a
    sum of harmonics, shaped by its instrument, its player and the dynamic, with breath or bow
    noise, in a room with noise; its label is an acoustic recipe that changes this (see Notes).

    Parameters
    ----------
    n_samples : int, default=1000
        Number of notes, up to 10,000,000.
    instruments : str, sequence of str or None, default=None
        Instruments to draw from, of ``flute``, ``cello``, ``clarinet``, ``trumpet``, ``violin``,
        ``sax_alto``, ``sax_tenor``, ``sax_baritone``, ``sax_soprano``, ``oboe``, ``piccolo`` and
        ``bass``; None stands for all.
    labels : str, sequence of str or None, default=None
        Labels to draw from, the most frequent first. None stands for those of good-sounds, and
        ``"all"`` for the large set of 100, as far as the instruments can have them and in the order
        that the Notes give.
    duration_range : (float, float), default=(0.25, 5.0)
        Shortest and longest note, from 0.05 to 600 seconds; the logarithm of the duration is spread
        evenly.
    sample_rate : int, default=22050
        Samples per second, from 8,000 to 768,000. Partials stop below half of it.
    n_players : int, default=3
        Players per instrument, up to 1,000,000. Each has a room, a microphone, an instrument's
        spectrum, a level, a tuning and habits of their own.
    class_imbalance : float or None, default=None
        How many times more frequent the first label is than the last; the others lie between, in
        equal ratios. 1 makes all equally frequent, 1,000,000 is the most. None stands for 8, and
        for 20 with ``labels="all"``: of 8,000 notes, the rarest of 100 labels then has a dozen.
    difficulty : float, default=0.5
        From 0 (strong faults, steady playing, quiet rooms) to 1 (slight faults, lively playing,
        noisy rooms). Faults are ``4 ** (0.5 - difficulty)`` times their usual strength, and the
        natural variation of good playing is divided by the same factor.
    out_dir : path-like or None, default=None
        A folder, made if there is none. Each note is then written to ``<out_dir>/<row>.flac``
        (16 bit) as soon as it is made, and ``data.audio`` holds the paths: any number of notes
        needs little memory.
    random_state : int, RandomState instance or None, default=None
        Seed. The same int gives the same bytes (on the same machine with the same NumPy). A row
        depends on the seed, its number and the other parameters, not on ``n_samples``:
        ``make_notes(100, random_state=0)`` is the beginning of
        ``make_notes(1000, random_state=0)``.

    Returns
    -------
    Bunch
        data : DataFrame of shape (n_samples, 2)
            ``audio`` (1-D float32 waveform, or path) and ``instrument``.
        target : ndarray of shape (n_samples,), str
            Labels, spelled as in good-sounds.
        groups : ndarray of shape (n_samples,), str
            ``player/pitch``: what a split must keep together. For unknown players split by
            ``frame.player``.
        frame : DataFrame
            ``label``, ``instrument``, ``player``, ``pitch``, ``midi``, ``duration`` (s),
            ``dynamic``, ``severity`` (of ``regular-...`` around 0.45) and ``group``.
        hierarchy : LabelHierarchy
            The one of good-sounds: levels ``quality``, ``aspect`` and ``specific``.
        dropped : dict
            Empty.
        DESCR : str
            All this in words.

    Raises
    ------
    ValueError
        If a parameter is out of its range, or an instrument or a label is unknown, or a label
        belongs to none of the instruments (a cellist has no tongue to block).
    TypeError
        If `out_dir` is no path.

    See Also
    --------
    iter_notes : The same notes one by one.

    Notes
    -----
    The recipes, at severity 1; severity is spread around this (by a factor of 1.2 either way) and
    scaled by ``difficulty``. "Wind" and "bow" restrict a label to these instruments. Times within
    the attack shrink in notes under 0.5 s. The labels of good-sounds, the most frequent first:

    ==================================  ==========================================================
    Label                               Recipe
    ==================================  ==========================================================
    good-sound                          Clean onset, steady; small natural drift and vibrato
    bad-attack                          Tone 50-100 ms late, rising slowly out of breath noise,
                                        flat by 45 cents at first
    air-outside (wind)                  Hiss at 2.5-9 kHz during the note: air beside the tube
    bad-richness                        Few partials: those above the second 24 dB weaker
    bad-attack-air (wind)               Breath at 1.2-7 kHz for 150-300 ms, the tone rises in it
    bad-timbre-stability                Spectral slope wanders by 4 dB/octave (RMS)
    bad-pitch-stability                 Drift of 50-100 cents and a slow wander of 45 cents (RMS)
    bad-pitch-stability-vibrato         Vibrato of 50-90 cents at an uneven 5.5-8 Hz
    bad-attack-tongue-block (wind)      A click, 60-110 ms of silence, then an abrupt tone
    bridge (bow)                        Weak fundamental, strong upper partials, glassy noise
    bad-dynamics-stability-tremolo      Level swings by 8-12 dB either way at 5-9 Hz
    bad-attack-too-strong               Start 8 dB too loud and 35 cents sharp, a burst of noise
    sultasto (bow)                      Upper partials 2.5 dB/octave weaker, soft bow noise
    air-inside (wind)                   Breath at 250-1400 Hz during the note, darker tone
    bad-dynamics-stability              Level wanders by 6.5 dB (RMS) at 1.2-5 Hz
    good-attack-accent^                 Firm start; the last third of the note is left silent
    bad-richness-pato (wind)            The duck: nasal formant at 1.1 kHz, weak fundamental
    pressure (bow)                      Subharmonic and scratch in the first 40% of the note
    bad-dynamics-stability-crescendo    Level rises by 20-30 dB, and brightens
    bad-dynamics-stability-decrescendo  Level falls by 20-30 dB, and darkens
    bad-pitch-stability-errors          One to four slips of 100-250 cents, 60-200 ms long
    dirt (bow)                          Rough: level jitters at 25-70 Hz, noise with the tone
    bad-attack-multiphonic (wind)       A second, inharmonic tone and beats for 150-300 ms
    bad-dynamics-stability-errors       One to four gaps of 25-40 dB, 80-200 ms long
    bad-attack-gallo (wind)             The cock: cracks to the octave or twelfth for 70-160 ms
    good-attack-accent>                 Start 14 dB louder and brighter, decaying in 150-250 ms
    good-attack-apoyo (wind)            Breath-supported start: clean, 180-280 ms long
    rebound (bow)                       The bow bounces at 11-17 Hz for 250-400 ms
    good-timbre-wood                    Even partials 24 dB weaker, darker by 1 dB/octave
    good-timbre-classic                 Second and third partial strong, darker by 3 dB/octave
    bad-richness-gaita (wind)           The bagpipe: buzzing, with a drone 7-14 cents off
    bad-timbre-stability-errors         One to four jumps of the slope by 7-12 dB/octave
    good-timbre-vague                   Darker by 2 dB/octave, soft onset, breath at 0.3-2.5 kHz
    ==================================  ==========================================================

    The large set (``labels="all"``) has 100 labels: the 33 above, with ``bridge`` and ``sultasto``
    by their customary names ``ponticello`` and ``sul-tasto``; these 23:

    ==================================  ==========================================================
    Label                               Recipe
    ==================================  ==========================================================
    bad-pitch-flat                      30-40 cents too low, at most 48
    bad-attack-scoop                    Slides up into the pitch from 150-250 cents below
    bad-stability                       Pitch (25 cents), level (3.5 dB) and slope sway together
    bad-richness-muffled                Partials above 900 Hz weaker by 14 dB/octave
    bad-attack-slow                     Rises within 0.5-0.8 s, dull at first
    bad-air-end (wind)                  The tone dies into breath in the last 35% of the note
    bad-timbre-harsh                    Partials around 3 kHz 16 dB stronger
    bad-attack-scratch (bow)            Noise at 1.5-8 kHz for 80-150 ms, the tone 8 dB weaker
    bad-pitch-sharp                     30-40 cents too high, at most 48
    bad-dynamics-stability-sag          Level sinks by 14-20 dB towards the middle
    good-timbre-bright                  Brighter by 2.5 dB/octave
    bad-bow-change (bow)                A gap of 50-90 ms near the middle, and a scratch after it
    bad-pitch-stability-fall            Pitch sags by 90-150 cents in the last 35% of the note
    bad-attack-double                   A false start of 50-80 ms, a gap, and the note
    bad-timbre-growl (wind)             Level swings by 7 dB either way at 22-32 Hz, with noise
    bad-dynamics-stability-bulge        Level swells by 14-20 dB towards the middle
    bad-timbre-whistle (bow)            A high, inharmonic tone that comes and goes
    bad-richness-thin                   First and second partial 24 dB weaker
    good-attack-pizzicato (bow)         Plucked: dies away by 30-50 dB/s
    bad-pitch-stability-flutter         Pitch shakes by 30-45 cents at 12-17 Hz
    bad-air-gurgle (wind)               Water in the tube: noise at 150-900 Hz beats at 11-17 Hz
    bad-timbre-wolf (bow)               First two partials beat with the others at 4-8 Hz
    good-timbre-flageolet (bow)         Odd partials 30 dB weaker
    ==================================  ==========================================================

    And a regular form of each of the 44 faults, between a good note and a bad one:
    ``regular-attack-air`` is ``bad-attack-air`` at a severity of 0.45, with its noises and second
    tones weaker by another 6 dB. ``air-outside``, ``air-inside``, ``pressure``, ``dirt`` and
    ``rebound`` are faults, too: ``regular-dirt``. As to frequency, the two tables are mixed
    evenly, and each fault is followed by its regular form.

    Labels come in nearly exact proportion in every stretch of rows (multiples of the golden ratio
    instead of independent draws), so that small samples hold the rare ones too.

    Examples
    --------
    >>> from sknote.datasets import make_notes
    >>> notes = make_notes(100, labels=["good-sound", "air-outside"], random_state=0)
    >>> [int((notes.target == label).sum()) for label in ("good-sound", "air-outside")]
    [89, 11]
    >>> notes.data.audio[0].dtype
    dtype('float32')

    Twelve instruments, good, regular and bad in each aspect:

    >>> notes = make_notes(200, labels="all", duration_range=(0.1, 0.2), random_state=0)
    >>> notes.hierarchy.levels_["quality"].tolist()
    ['bad', 'regular', 'good', 'unspecified']
    """
    import pandas as pd

    from sknote.labels import LabelHierarchy

    n_samples = check_number(n_samples, _SAMPLES, "n_samples", "make_notes")
    if not isinstance(out_dir, (str, os.PathLike, type(None))):
        raise TypeError(f"make_notes: expected out_dir to be a folder or None, got {out_dir!r}.")
    if out_dir is not None and os.path.exists(out_dir) and not os.path.isdir(out_dir):
        raise ValueError(f"make_notes: expected out_dir to be a folder, got the file {out_dir!r}.")
    source = NoteSource(
        "make_notes",
        instruments=instruments,
        labels=labels,
        duration_range=duration_range,
        sample_rate=sample_rate,
        n_players=n_players,
        class_imbalance=class_imbalance,
        difficulty=difficulty,
        seed=as_seed(random_state, "make_notes"),
    )
    audio = np.empty(n_samples, dtype=object)
    records = []
    for i in range(n_samples):
        waveform, record = source.row(i)
        audio[i] = waveform if out_dir is None else _write(waveform, out_dir, i, source.sample_rate)
        records.append(record)
    frame = pd.DataFrame(records)
    return as_bunch(
        frame,
        audio=audio,
        hierarchy=LabelHierarchy(**HIERARCHY).fit(frame.label),
        summary=_SUMMARY.format(
            n_instruments=frame.instrument.nunique(),
            n_labels=frame.label.nunique(),
            **vars(source),
        ),
        dropped={},
    )


def iter_notes(
    start=0,
    *,
    instruments=None,
    labels=None,
    duration_range=(0.25, 5.0),
    sample_rate=22050,
    n_players=3,
    class_imbalance=None,
    difficulty=0.5,
    random_state=None,
):
    """Synthesize the rows of `make_notes` one by one, without end.

    Parameters
    ----------
    start : int, default=0
        Number of the first row.
    instruments, labels, duration_range, sample_rate, n_players, class_imbalance, difficulty : \
            optional
        As in `make_notes`.
    random_state : int, RandomState instance or None, default=None
        Seed; the same int gives the rows of ``make_notes(..., random_state=int)``.

    Returns
    -------
    iterator of (ndarray of shape (n_samples,), dict)
        Without end: a note, float32, and its row of ``frame``.

    Raises
    ------
    ValueError
        As in `make_notes`; or if `start` is no number of a row.

    Examples
    --------
    >>> from itertools import islice
    >>> from sknote.datasets import iter_notes
    >>> [record["dynamic"] for _, record in islice(iter_notes(random_state=0), 3)]
    ['p', 'p', 'f']
    """
    start = check_number(start, _START, "start", "iter_notes")
    source = NoteSource(
        "iter_notes",
        instruments=instruments,
        labels=labels,
        duration_range=duration_range,
        sample_rate=sample_rate,
        n_players=n_players,
        class_imbalance=class_imbalance,
        difficulty=difficulty,
        seed=as_seed(random_state, "iter_notes"),
    )
    return map(source.row, itertools.count(start))


def as_seed(random_state, caller):
    """Seed of a generator, for None one that nobody chose."""
    if _SEED.is_satisfied_by(random_state):
        return int(random_state)
    check_seed(random_state, caller)
    if random_state is None:
        # Not check_random_state, which would draw from NumPy's global generator.
        return int(np.random.SeedSequence().generate_state(1)[0])
    return int(check_random_state(random_state).randint(2**31 - 1))


def _write(waveform, folder, number, sample_rate):
    """Write one note; returns its path."""
    import soundfile

    folder = Path(folder).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{number:06d}.flac"
    with replacing(path) as beside:
        soundfile.write(beside, waveform, sample_rate, format="FLAC", subtype="PCM_16")
    return str(path)
