"""The random draws behind `make_notes`: which note, which player, how it is meant to sound."""

import reprlib
from dataclasses import KW_ONLY, dataclass
from numbers import Integral, Real

import numpy as np

from sknote._input.choices import check_choices
from sknote._interval import Interval, check_number
from sknote.audio._bounds import HIGHEST_RATE
from sknote.datasets._base import midi_to_pitch
from sknote.datasets.synthetic._instruments import INSTRUMENTS
from sknote.datasets.synthetic._more_recipes import ALL, KNOWN
from sknote.datasets.synthetic._recipes import RECIPES
from sknote.datasets.synthetic._synthesis import HOP, Note, n_partials, ramp, render, to_db, wander

# The golden ratio's fractional part: its multiples fill the unit interval evenly at any length.
_GOLDEN = (np.sqrt(5) - 1) / 2
_DYNAMICS = {"p": -5.0, "mf": 0.0, "f": 4.0}
# Level of a mezzo-forte, in dB relative to full scale (RMS).
_VOLUME = -26.0
# How many times more frequent the first label is than the last, of few labels and of the large set.
_IMBALANCE, _IMBALANCE_OF_ALL = 8.0, 20.0
_SHORTEST, _LONGEST = 0.05, 600  # seconds that a note lasts
_ALLOWED = {
    "sample_rate": Interval(Integral, 8000, HIGHEST_RATE, closed="both"),
    "n_players": Interval(Integral, 1, 1_000_000, closed="both"),
    "class_imbalance": Interval(Real, 1, 1_000_000, closed="both"),
    "difficulty": Interval(Real, 0, 1, closed="both"),
}
# Streams of random numbers, so that a row and a player never share one.
_ROW, _PLAYER = 1, 2


def _is_all(labels):
    return isinstance(labels, str) and labels == "all"


@dataclass
class Player:
    """One player: an instrument of their own, habits, a room with a microphone."""

    name: str
    slope: float  # dB per octave, added to the instrument's
    colour: np.ndarray  # (3, 2): depth in dB and phase of ripples over log-frequency
    shift: float  # octaves by which the formants lie elsewhere
    gain: float  # dB
    attack: float  # factor
    noise: float  # dB
    vibrato: float  # factor
    tuning: float  # cents
    floor: float  # dB relative to full scale
    room: np.ndarray  # impulse response


@dataclass
class NoteSource:
    """Draws notes; row ``i`` depends only on the parameters, those of `make_notes`, and ``i``."""

    caller: str  # the first word of errors
    _: KW_ONLY
    instruments: list
    labels: list
    duration_range: tuple
    sample_rate: int
    n_players: int
    class_imbalance: float
    difficulty: float
    seed: int

    def __post_init__(self):
        if self.class_imbalance is None:
            self.class_imbalance = _IMBALANCE_OF_ALL if _is_all(self.labels) else _IMBALANCE
        for name, allowed in _ALLOWED.items():
            setattr(self, name, check_number(getattr(self, name), allowed, name, self.caller))
        self._check_durations()
        self.instruments = check_choices(
            self.instruments, INSTRUMENTS, name="instruments", caller=self.caller
        )
        self.labels = self._check_labels()
        # Geometric: the first is class_imbalance times as frequent as the last.
        weights = np.geomspace(self.class_imbalance, 1, len(self.labels))
        self.shares = np.cumsum(weights / weights.sum())
        self.strength = 4 ** (0.5 - self.difficulty)
        self.first_share = np.random.default_rng([self.seed]).random()
        self._players = {}

    def _check_durations(self):
        try:
            low, high = self.duration_range
            is_right = _SHORTEST <= low <= high <= _LONGEST
        except (TypeError, ValueError):
            is_right = False
        if not is_right:
            raise ValueError(
                f"{self.caller}: `duration_range` must be (low, high), {_SHORTEST} <= low <= high "
                f"<= {_LONGEST}. Got {reprlib.repr(self.duration_range)} instead."
            )

    def _check_labels(self):
        families = {INSTRUMENTS[name].family for name in self.instruments}
        if self.labels is None or _is_all(self.labels):
            known = RECIPES if self.labels is None else ALL
            return [label for label in known if families & set(known[label].families)]
        labels = check_choices(self.labels, KNOWN, name="labels", caller=self.caller)
        for label in labels:
            if not families & set(KNOWN[label].families):
                raise ValueError(
                    f"{self.caller}: label {label!r} belongs to {KNOWN[label].families[0]} "
                    f"instruments, of which there is none among {self.instruments}."
                )
        return labels

    def row(self, i):
        """Make row ``i``: its waveform (1-D float32) and its record (dict)."""
        rng = np.random.default_rng([self.seed, _ROW, i])
        share = (self.first_share + i * _GOLDEN) % 1
        label = self.labels[min(np.searchsorted(self.shares, share), len(self.labels) - 1)]
        recipe = KNOWN[label]
        able = [name for name in self.instruments if INSTRUMENTS[name].family in recipe.families]
        instrument = able[rng.integers(len(able))]
        spec = INSTRUMENTS[instrument]
        player = self.player(instrument, int(rng.integers(self.n_players)))
        # The middle of the range is played more than its ends.
        midi = round(spec.lowest + (spec.highest - spec.lowest) * rng.beta(2, 2))
        duration = float(np.exp(rng.uniform(*np.log(self.duration_range))))
        dynamic = str(rng.choice(list(_DYNAMICS)))
        severity = float(recipe.strength * self.strength * np.exp(rng.normal(0, np.log(1.2))))

        note = self.good_note(spec, player, midi, duration, dynamic, rng)
        recipe.change(note, rng, severity)
        floor = player.floor - to_db(self.strength)
        waveform = render(note, player.room, floor, rng)
        pitch = midi_to_pitch(midi)
        return waveform, {
            "label": label,
            "instrument": instrument,
            "player": player.name,
            "pitch": pitch,
            "midi": midi,
            "duration": len(waveform) / self.sample_rate,
            "dynamic": dynamic,
            "severity": severity,
            "group": f"{player.name}/{pitch}",
        }

    def player(self, instrument, number):
        """One of an instrument's players, the same each time."""
        name = f"{instrument}-{number + 1}"
        if name not in self._players:
            # The place in the whole table, so that a player is the same in any selection.
            place = list(INSTRUMENTS).index(instrument)
            rng = np.random.default_rng([self.seed, _PLAYER, place, number])
            self._players[name] = Player(
                name=name,
                slope=rng.normal(0, 0.7),
                colour=np.column_stack([rng.normal(0, 1.2, 3), 2 * np.pi * rng.random(3)]),
                shift=rng.normal(0, 0.08),
                gain=rng.normal(0, 2),
                attack=np.exp(rng.normal(0, 0.2)),
                noise=rng.normal(0, 2),
                vibrato=rng.uniform(0.3, 1.5),
                tuning=rng.normal(0, 4),
                floor=rng.uniform(-70, -58),
                room=self._room(rng),
            )
        return self._players[name]

    def _room(self, rng):
        """Direct sound, then reverberation that decays by 60 dB in 0.25-0.6 s."""
        decay = rng.uniform(0.25, 0.6)
        time = np.arange(int(0.3 * self.sample_rate)) / self.sample_rate
        tail = rng.standard_normal(len(time)) * 10 ** (-3 * time / decay)
        tail[time < 0.004] = 0
        tail *= 10 ** (rng.uniform(-18, -9) / 20) / np.sqrt(np.sum(tail**2))
        tail[0] = 1
        return tail.astype(np.float32)

    def good_note(self, spec, player, midi, duration, dynamic, rng):
        """Plan of a well played note, with the small unsteadiness that belongs to it."""
        slack = 1 / self.strength
        n_samples = max(1, round(duration * self.sample_rate))
        time = np.arange(-(-n_samples // HOP) + 1) * HOP / self.sample_rate
        frequency = 440 * 2 ** ((midi - 69 + player.tuning / 100) / 12)
        loudness = _DYNAMICS[dynamic]
        onset = rng.uniform(0.01, 0.04) * min(1, duration / 0.5)
        attack = spec.attack * player.attack * np.exp(rng.normal(0, 0.25) * slack)
        end = duration - rng.uniform(0.01, 0.03)
        # Players let long notes die more slowly; neither rise nor fall may fill a short note.
        room_to_move = 0.4 * (end - onset)
        release = min(0.07 * np.sqrt(duration), room_to_move)

        vibrato = 0.7 * spec.vibrato * player.vibrato * slack * ramp(time, 0.3, 0.5)
        cycle = 2 * np.pi * (rng.uniform(4.5, 6) * time + rng.random())
        arch = rng.normal(0, 1.0) * ((time - onset) / (end - onset) - 0.5)
        note = Note(
            time=time,
            n_samples=n_samples,
            sample_rate=self.sample_rate,
            frequency=frequency,
            partials=self._partials(spec, player, midi, frequency, loudness, rng),
            onset=onset,
            end=end,
            attack=min(attack, room_to_move),
            release=release,
            cents=vibrato * np.sin(cycle) + 3 * slack * wander(rng, time, 0.4, 3),
            level=slack * (arch + 0.5 * wander(rng, time, 0.5, 5)),
            tilt=0.3 * slack * wander(rng, time, 0.5, 4),
            volume=_VOLUME + loudness + player.gain + rng.normal(0, 1.5),
        )
        breath = spec.noise + player.noise + rng.normal(0, 1.5)
        note.noises.append((breath + to_db(note.envelope()), 400, 5000))
        return note

    def _partials(self, spec, player, midi, frequency, loudness, rng):
        """Levels of the partials in dB, shape (n_partials, 1)."""
        numbers = np.arange(1, n_partials(frequency, self.sample_rate) + 1)
        octaves = np.log2(numbers)
        # Loud notes are brighter: half a dB per octave for three dB.
        levels = (spec.slope + player.slope + loudness / 6) * octaves
        # What a closed cylinder does to even partials fades upwards in the range.
        height = (midi - spec.lowest) / (spec.highest - spec.lowest)
        levels += spec.even * (1 - 0.6 * height) * (numbers % 2 == 0) * np.exp(-numbers / 12)
        pitch = np.log2(numbers * frequency)
        for centre, gain, width in spec.formants:
            levels += gain * np.exp(-(((pitch - np.log2(centre) - player.shift) / width) ** 2))
        for cycles, (depth, phase) in zip((0.5, 1.0, 2.0), player.colour):
            levels += depth * np.cos(2 * np.pi * cycles * pitch + phase)
        levels += rng.normal(0, 0.6, len(numbers))
        return levels[:, None]
