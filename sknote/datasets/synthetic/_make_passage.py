"""Synthetic passages: many notes in a row, each with known bounds, pitch and fault."""

from numbers import Real

import numpy as np
from sklearn.utils import Bunch

from sknote._input.choices import check_choices
from sknote._interval import Interval, check_number
from sknote.datasets._base import midi_to_pitch
from sknote.datasets.synthetic._draws import NoteSource
from sknote.datasets.synthetic._instruments import INSTRUMENTS
from sknote.datasets.synthetic._make_notes import as_seed
from sknote.datasets.synthetic._more_recipes import KNOWN
from sknote.datasets.synthetic._performance import Style, add_breaths, play, record
from sknote.datasets.synthetic._score import draw_score

MANNERS = ("sustained", "plucked", "struck")
GOOD = "good-sound"
# A fault needs time to be heard.
_SHORTEST_FAULT = 0.15
_PASSAGE = 3  # the stream of random numbers
_SHARE = Interval(Real, 0, 1, closed="both")
_ALLOWED = {
    "duration": Interval(Real, 1, 3600, closed="both"),
    "reverberation": Interval(Real, 0, 10, closed="both"),
    "noise": Interval(Real, -300, 300, closed="both"),
    "level": Interval(Real, -300, 0, closed="both"),
}
_COLUMNS = {
    "onset": float,
    "offset": float,
    "midi": int,
    "pitch": str,
    "label": str,
    "severity": float,
    "articulation": str,
    "ornament": str,
}
_SUMMARY = """
A synthetic passage by sknote.datasets.make_passage: {n_notes} notes in {duration} s, {manner},
played by {player} at {sample_rate} Hz, {n_slurred} of them slurred, {n_faults} with a fault; seed
{seed}.
"""


def make_passage(
    duration=10.0,
    *,
    instrument=None,
    manner=None,
    notes_per_second=(1.5, 12.0),
    slurs=0.4,
    repeats=0.15,
    rests=0.05,
    ornaments=0.1,
    labels=None,
    faults=0.1,
    difficulty=0.5,
    reverberation=None,
    noise=None,
    level=None,
    sample_rate=22050,
    random_state=None,
):
    """Synthesize a passage of one instrument, of which every note is known.

    For what cuts a recording into notes, or judges notes in their context. One player plays
    phrases of single notes, each phrase in a tempo and a manner of its own: legato to staccato,
    tongued (or with a new bow) or slurred, where the pitch changes without a gap, with or without
    a glide and a dip in level. Some notes have vibrato or are trilled, and stay one note. Between
    the phrases are rests, with breaths; keys click; there is a room, noise, and a microphone.

    Parameters
    ----------
    duration : float, default=10.0
        Seconds, from 1 to 3,600.
    instrument : str or None, default=None
        One of the instruments of `make_notes`; None draws one.
    manner : {"sustained", "plucked", "struck"} or None, default=None
        Whether a tone is held by breath or bow, or dies away from its start, on a plucked string or
        a struck bar, whose partials are too high (of the instrument, no more than its range and its
        resonances are left then). None draws, mostly sustained.
    notes_per_second : float or (float, float), default=(1.5, 12.0)
        Notes a second, in a phrase of equal ones. Each phrase draws a tempo between the two, and
        some lengthen single notes. 0 stands for no notes.
    slurs : float, default=0.4
        About this share of the notes is slurred to the one before. Never at one pitch, nor what is
        plucked or struck.
    repeats : float, default=0.15
        Share of the notes of a phrase that repeat the pitch before.
    rests : float, default=0.05
        Rests per note.
    ornaments : float, default=0.1
        Share of the notes with a marked vibrato or a trill, as far as there are notes of 0.3 s
        (0.5 s for a trill).
    labels : str, sequence of str or None, default=None
        Labels of the faults to draw from, as in `make_notes` (``"all"``: the large set).
    faults : float, default=0.1
        Share of the notes that are played with another label than ``good-sound``. Only notes of
        0.15 s and more can be, and none that are plucked or struck.
    difficulty : float, default=0.5
        As in `make_notes`: from 0 (strong faults, steady playing) to 1.
    reverberation : float or None, default=None
        Seconds in which the room's sound decays by 60 dB, up to 10; 0 is no room. None draws, up to
        1.3.
    noise : float or None, default=None
        Level of the room's noise in dB relative to the tone (RMS), from -300 to 300. None draws,
        -70 to -28.
    level : float or None, default=None
        Level of the peak, in dB relative to full scale, from -300 to 0. None draws, -30 to -0.5.
    sample_rate : int, default=22050
        Samples per second, from 8,000 to 768,000.
    random_state : int, RandomState instance or None, default=None
        Seed. The same int gives the same bytes (on the same machine with the same NumPy).

    Returns
    -------
    Bunch
        waveform : ndarray of shape (n_samples,), float32
            The sound.
        sample_rate : int
            Samples per second.
        notes : DataFrame
            One row a note, in order: ``onset`` and ``offset`` (s), ``midi``, ``pitch``, ``label``,
            ``severity``, ``articulation`` (``"articulated"`` or ``"slurred"``) and ``ornament``
            (``"none"``, ``"vibrato"`` or ``"trill"``, with the lower pitch).
        instrument, manner, player : str
            What plays, how, and who.
        DESCR : str
            All this in words.

    Raises
    ------
    ValueError
        If a parameter is out of its range, or an instrument or a label is unknown.

    See Also
    --------
    make_notes : Single notes, in one recording each.

    Notes
    -----
    The onset is where the tone has risen to a tenth of its amplitude, and of a slur where it is
    half done. The offset is where the tone has fallen to a tenth, or by 30 dB from its loudest, and
    not after the next onset.

    Examples
    --------
    >>> from sknote.datasets import make_passage
    >>> passage = make_passage(3, instrument="oboe", notes_per_second=6, random_state=0)
    >>> passage.waveform.shape
    (66150,)
    >>> passage.notes.columns[:5].tolist()
    ['onset', 'offset', 'midi', 'pitch', 'label']
    """
    import pandas as pd

    seed = as_seed(random_state, "make_passage")
    rates = _check_rates(notes_per_second)
    duration = _check("duration", duration)
    shares = {"slurs": slurs, "repeats": repeats, "rests": rests, "ornaments": ornaments}
    shares = {name: _check(name, share) for name, share in shares.items()}
    faults = _check("faults", faults)
    given = {"reverberation": reverberation, "noise": noise, "level": level}
    given = {name: _check(name, value) for name, value in given.items() if value is not None}
    rng = np.random.default_rng([seed, _PASSAGE])
    names = check_choices(instrument, INSTRUMENTS, name="instrument", caller="make_passage")
    instrument = names[rng.integers(len(names))]
    if manner is None:
        manner = str(rng.choice(MANNERS, p=(0.8, 0.14, 0.06)))
    else:
        (manner,) = check_choices(manner, MANNERS, name="manner", caller="make_passage")[:1]
    source = NoteSource(
        "make_passage",
        instruments=instrument,
        labels=labels,
        duration_range=(0.05, 60.0),
        sample_rate=sample_rate,
        n_players=1000,
        class_imbalance=1.0,
        difficulty=difficulty,
        seed=seed,
    )
    sample_rate, spec = source.sample_rate, INSTRUMENTS[instrument]
    player = source.player(instrument, int(rng.integers(source.n_players)))
    style = Style.draw(rng, manner, spec.family)
    if manner != "sustained":
        shares["slurs"] = 0.0
    score = draw_score(
        rng, duration=duration, rates=rates, lowest=spec.lowest, highest=spec.highest, **shares
    )
    drawn = _draw_labels(score, source, faults if manner == "sustained" else 0.0, rng)
    sound, rows = play(score, source, player, spec, style, drawn, duration, rng)
    add_breaths(sound, score, sample_rate, player.gain - 26, spec.family, duration, rng)
    place = {
        "reverberation": np.exp(rng.uniform(np.log(0.1), np.log(1.3))),
        "noise": rng.uniform(-70, -28),
        "level": rng.uniform(-30, -0.5),
    }
    waveform = record(sound, sample_rate, rng=rng, **(place | given))
    for row in rows:
        row["pitch"] = midi_to_pitch(row["midi"])
    notes = pd.DataFrame(rows, columns=list(_COLUMNS)).astype(_COLUMNS)
    return Bunch(
        waveform=waveform,
        sample_rate=sample_rate,
        notes=notes,
        instrument=instrument,
        manner=manner,
        player=player.name,
        DESCR=_SUMMARY.format(
            n_notes=len(notes),
            duration=duration,
            manner=manner,
            player=player.name,
            sample_rate=sample_rate,
            n_slurred=int((notes.articulation == "slurred").sum()),
            n_faults=int((notes.label != GOOD).sum()),
            seed=seed,
        ).strip(),
    )


def _check(name, value):
    return check_number(value, _ALLOWED.get(name, _SHARE), name, "make_passage")


def _check_rates(value):
    try:
        low, high = (value, value) if np.ndim(value) == 0 else value
        good = 0 < low <= high <= 20 or low == high == 0
    except (TypeError, ValueError):
        good = False
    if not good:
        raise ValueError(
            "make_passage: notes_per_second must be a number up to 20, or (low, high), "
            f"0 < low <= high <= 20. Got {value!r} instead."
        )
    return float(low), float(high)


def _draw_labels(score, source, share, rng):
    """Label, recipe and severity of each note; a share of all notes is faulty, where it can be."""
    bad = [label for label in source.labels if label != GOOD]
    able = [i for i, note in enumerate(score) if note.length * note.gate >= _SHORTEST_FAULT]
    wanted = min(len(able), rng.binomial(len(score), share)) if bad else 0
    faulty = set(rng.permutation(able)[:wanted].tolist())
    drawn = []
    for i in range(len(score)):
        label = bad[rng.integers(len(bad))] if i in faulty else GOOD
        recipe = KNOWN[label]
        severity = recipe.strength * source.strength * np.exp(rng.normal(0, np.log(1.2)))
        drawn.append((label, recipe, float(severity)))
    return drawn
