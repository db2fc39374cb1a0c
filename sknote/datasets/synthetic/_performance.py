"""A score as it is played: each note planned, and joined to its neighbours; a room around them."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import fft

from sknote.datasets.synthetic._score import SLURRED
from sknote.datasets.synthetic._synthesis import bump, from_db, ramp, render, to_db

# Seconds before a note's start that belong to its recording, for noises that come early.
_LEAD, _TAIL = 0.04, 0.02
# Where a smooth rise passes a tenth of the amplitude, as a share of its length.
_TENTH = 0.1958
# A note is over where it has fallen so far (dB).
_GONE = -30.0
_DRY = np.ones(1, np.float32)


@dataclass
class Style:
    """How one passage is played, drawn once."""

    manner: str  # "sustained", "plucked" or "struck"
    dynamic: str
    attack: float  # factor of the instrument's rise time
    slur: float  # seconds that a slur takes, around
    glides: float  # share of the slurs with an audible glide
    clicks: float  # share of the notes with a click of keys or fingers
    click_level: float  # dB relative to the tone
    decay: float  # dB per second, of plucked and struck notes
    stretch: float  # inharmonicity of plucked and struck notes
    place: float  # where a string is plucked, or a bar is struck
    swell: float  # dB, how much the level moves within notes

    @classmethod
    def draw(cls, rng, manner, family):
        """Draw a style for an instrument's family."""
        plucked = manner != "sustained"
        return cls(
            manner=manner,
            dynamic=str(rng.choice(["p", "mf", "f"])),
            attack=float(np.exp(rng.uniform(np.log(0.2), np.log(1.6)))),
            slur=rng.uniform(0.008, 0.035),
            glides=rng.uniform(0, 0.7 if family == "bow" else 0.35),
            clicks=rng.uniform(0, 0.6),
            click_level=rng.uniform(-40, -16),
            decay=float(np.exp(rng.uniform(np.log(8), np.log(70)))) if plucked else 0.0,
            stretch=float(np.exp(rng.uniform(np.log(2e-5), np.log(6e-4)))) if plucked else 0.0,
            place=rng.uniform(0.08, 0.42),
            swell=rng.uniform(0, 5),
        )


def play(score, source, player, spec, style, labels, duration, rng):
    """Play a score; returns the dry sound (float32) and what is known of each note (dicts).

    `labels` has the name, the recipe and the severity of each note's label.
    """
    rate = source.sample_rate
    sound = np.zeros(round(duration * rate) + rate, np.float32)
    rows, joint = [], None
    for number, note in enumerate(score):
        following = score[number + 1] if number + 1 < len(score) else None
        before = joint
        plan, joint = _plan(note, following, before, source, player, spec, style, rng)
        name, recipe, severity = labels[number]
        recipe.change(plan, rng, severity)
        first = round((note.start - _LEAD) * rate)
        audio = render(plan, _DRY, -200.0, rng)
        cut = max(0, -first)
        sound[first + cut : first + len(audio)] += audio[cut:]
        onset, offset = _bounds(plan, before)
        rows.append(
            {
                "onset": first / rate + onset,
                "offset": first / rate + offset,
                "midi": note.midi,
                "label": name,
                "severity": severity,
                "articulation": note.articulation,
                "ornament": note.ornament,
            }
        )
        if rng.random() < style.clicks:
            _add_click(sound, note.start + rng.normal(0, 0.004), rate, plan.volume, style, rng)
    for row, following in pairwise(rows):
        slurred = following["articulation"] == SLURRED
        row["offset"] = following["onset"] if slurred else min(row["offset"], following["onset"])
    return sound[: round(duration * rate)], rows


def _plan(note, following, joint, source, player, spec, style, rng):
    """Plan one note. `joint` and the second thing returned are slurs (`_Joint`) or None."""
    next_joint = None
    if following is not None and following.articulation == SLURRED:
        next_joint = _Joint.draw(rng, style, note, following)
        end = note.length + next_joint.length
        release = next_joint.length
    elif style.manner == "sustained" and note.gate == 1:
        # The tongue or the bow stops the old note just when it starts the new one.
        end = note.length + rng.uniform(-0.02, 0.012)
        release = rng.uniform(0.008, 0.03)
    else:
        end = note.length * note.gate
        release = rng.uniform(0.012, 0.09)
    span = max(end, 0.02)
    plan = source.good_note(spec, player, note.midi, _LEAD + span + _TAIL, style.dynamic, rng)
    time = plan.time
    plan.onset, plan.end = _LEAD, _LEAD + span
    plan.release = min(release, 0.4 * span)
    attack = spec.attack * player.attack * style.attack * np.exp(rng.normal(0, 0.25))
    if style.manner != "sustained":
        attack = rng.uniform(0.002, 0.008)
    plan.attack = float(np.clip(attack, 0.002, min(0.12, 0.4 * span)))
    plan.level = plan.level + note.accent
    if joint is not None:
        plan.attack = min(joint.length, 0.45 * span)
        behind = 1 - ramp(time, plan.onset, joint.glide) if joint.glide else 0.0
        plan.cents = plan.cents - 100 * joint.interval * behind
        plan.level = plan.level - joint.dip * (1 - ramp(time, plan.onset, 1.5 * joint.length))
    if next_joint is not None:
        start = plan.end - 2 * next_joint.length
        plan.level = plan.level - next_joint.dip * ramp(time, start, 1.5 * next_joint.length)
    _shape(plan, style, rng)
    _ornament(plan, note.ornament, rng)
    breath = spec.noise + player.noise + rng.normal(0, 1.5)
    plan.noises = [(breath + to_db(plan.envelope()), 400, 5000)]
    if joint is None and rng.random() < 0.5:  # the burst of a tongue, a bow or a finger
        burst = rng.uniform(-34, -14) + to_db(
            bump(time, plan.onset, rng.uniform(0.01, 0.04), 0.008)
        )
        plan.noises.append((burst, rng.uniform(300, 1500), rng.uniform(3000, 8000)))
    return plan, next_joint


@dataclass
class _Joint:
    """A slur between two notes."""

    length: float  # seconds in which the old note gives way to the new one
    glide: float  # seconds that the pitch takes to arrive, 0 for a step
    interval: int  # semitones from the old note to the new one
    dip: float  # dB by which both are weaker meanwhile

    @classmethod
    def draw(cls, rng, style, note, following):
        shorter = min(note.length, following.length)
        length = min(style.slur * np.exp(rng.normal(0, 0.3)), 0.3 * shorter)
        glide = 0.0
        if rng.random() < style.glides:
            glide = min(rng.uniform(0.015, 0.1), 0.4 * shorter)
        return cls(
            length, glide, following.midi - note.midi, rng.choice([0, 1]) * rng.uniform(0, 9)
        )


def _shape(plan, style, rng):
    """Let the level of a note rise, fall, start with force, or die away."""
    gone = np.maximum(plan.time - plan.onset, 0)
    if style.manner == "sustained":
        way = gone / plan.span - 0.5
        plan.level = plan.level + rng.normal(0, style.swell) * way
        if rng.random() < 0.2:
            plan.level = plan.level + rng.uniform(2, 8) * np.exp(-gone / rng.uniform(0.03, 0.12))
        return
    plan.stretch = style.stretch
    # Loud at once, then fast, then slowly.
    plan.level = plan.level - style.decay * gone - 4 * ramp(plan.time, plan.onset, 0.08)
    plan.tilt = plan.tilt - rng.uniform(1, 6) * np.minimum(gone, 1)
    numbers = np.arange(1, len(plan.partials) + 1)[:, None]
    if style.manner == "plucked":  # what has a node where the finger was does not sound
        plan.partials = plan.partials + to_db(np.abs(np.sin(np.pi * numbers * style.place)) + 0.05)
    else:  # a bar or a bell: few partials, and one out of tune that is gone at once
        plan.partials = plan.partials - 5 * (numbers - 1) * style.place
        plan.tones.append((2.756 if style.place > 0.25 else 3.93, -8 - 150 * gone))


def _ornament(plan, ornament, rng):
    since = plan.time - plan.onset
    if ornament == "vibrato":
        cycle = 2 * np.pi * (rng.uniform(4.5, 7.5) * since + rng.random())
        grown = ramp(plan.time, plan.onset, rng.uniform(0.05, 0.4))
        plan.cents = plan.cents + rng.uniform(20, 70) * grown * np.sin(cycle)
        plan.level = plan.level + rng.uniform(0, 3) * grown * np.sin(
            cycle + 2 * np.pi * rng.random()
        )
    elif ornament == "trill":
        swing = np.sin(2 * np.pi * rng.uniform(5.5, 9) * since - 0.5)
        above = 0.5 + 0.5 * np.tanh(rng.uniform(3, 8) * swing)
        plan.cents = plan.cents + 100 * rng.integers(1, 3) * above * (since > 0)
        plan.level = plan.level - rng.uniform(0, 4) * (1 - swing**2) ** 4


def _bounds(plan, joint):
    """Onset and offset of a note's tone, in seconds of its recording."""
    onset = plan.onset + _TENTH * plan.attack
    if joint is not None:
        onset = plan.onset + max(joint.length, joint.glide) / 2
    offset = plan.end - _TENTH * plan.release
    loud = plan.level + to_db(plan.envelope())
    heard = plan.time[loud > loud.max() + _GONE]
    return onset, max(min(offset, heard[-1]), onset + 0.01)


def _noise(rng, n_samples, rate, low, high):
    """White noise between two frequencies, with soft edges and unit power."""
    length = fft.next_fast_len(max(n_samples, 64), real=True)
    hertz = fft.rfftfreq(length, 1 / rate)
    spectrum = fft.rfft(rng.standard_normal(length))
    spectrum /= 1 + (low / np.maximum(hertz, 1)) ** 4 + (hertz / high) ** 4
    noise = fft.irfft(spectrum, length)[:n_samples]
    return (noise / max(np.sqrt(np.mean(noise**2)), 1e-9)).astype(np.float32)


def _add(sound, burst, time, rate):
    first = max(0, round(time * rate))
    room = len(sound) - first
    if room > 0:
        sound[first : first + len(burst)] += burst[:room]


def _add_click(sound, time, rate, volume, style, rng):
    n_samples = round(rng.uniform(0.004, 0.012) * rate)
    burst = _noise(rng, n_samples, rate, rng.uniform(200, 1500), rng.uniform(3000, 9000))
    burst *= np.exp(-5 * np.arange(n_samples) / n_samples) * from_db(volume + style.click_level)
    _add(sound, burst.astype(np.float32), time, rate)


def add_breaths(sound, score, rate, volume, family, duration, rng):
    """Add what is heard between notes: breaths, keys that are let go, a chair."""
    ends = [0.0] + [note.start + note.length * note.gate for note in score]
    starts = [note.start for note in score] + [duration]
    for end, start in zip(ends, starts):
        if start - end < 0.15 or rng.random() > (0.6 if family == "wind" else 0.3):
            continue
        length = rng.uniform(0.08, min(0.45, 0.8 * (start - end)))
        time = rng.uniform(end, start - length)
        n_samples = round(length * rate)
        burst = _noise(rng, n_samples, rate, rng.uniform(200, 1200), rng.uniform(2500, 8000))
        shape = np.sin(np.pi * np.arange(n_samples) / n_samples) ** rng.uniform(0.5, 2)
        burst *= shape * from_db(volume + rng.uniform(-42, -18))
        _add(sound, burst.astype(np.float32), time, rate)


def record(sound, rate, *, reverberation, noise, level, rng):
    """Put a dry sound into a room, before a microphone; peak level in dB relative to full scale."""
    n_samples = len(sound)
    time = np.arange(max(1, round(min(max(reverberation, 0.02), 1.5) * rate))) / rate
    tail = rng.standard_normal(len(time)) * 10 ** (-3 * time / max(reverberation, 0.02))
    tail[time < rng.uniform(0.002, 0.012)] = 0
    energy = np.sqrt(np.sum(tail**2))
    tail *= from_db(rng.uniform(-22, -7) if reverberation else -120) / max(energy, 1e-9)
    tail[0] = 1
    length = fft.next_fast_len(n_samples + len(tail), real=True)
    hertz = fft.rfftfreq(length, 1 / rate)
    octaves = np.log2(np.maximum(hertz, 30))
    colour = sum(
        rng.normal(0, 1.5) * np.cos(2 * np.pi * (cycles * octaves + rng.random()))
        for cycles in (0.2, 0.5, 1.0)
    )
    dry = sound.astype(np.float64)
    wet = fft.irfft(fft.rfft(dry, length) * fft.rfft(tail, length) * from_db(colour), length)
    wet = wet[:n_samples]
    active = wet[np.abs(wet) > 1e-3 * max(np.abs(wet).max(), 1e-12)]
    reference = np.sqrt(np.mean(active**2)) if len(active) else from_db(-26.0)
    # The noise of rooms falls with frequency, more or less steeply; some mains hum.
    white = rng.standard_normal((length // 2 + 1, 2)).view(np.complex128)[:, 0]
    hiss = fft.irfft(white / (1 + hertz / 200) ** rng.uniform(0.3, 1.2), length)[:n_samples]
    hiss /= np.sqrt(np.mean(hiss**2))
    if rng.random() < 0.3:
        cycle = 2 * np.pi * rng.choice([50, 60]) * np.arange(n_samples) / rate
        hiss += sum(rng.uniform(0, 0.6) * np.sin(k * cycle + k) for k in (1, 2, 3))
    wet += hiss * reference * from_db(noise)
    peak = max(np.abs(wet).max(), 1e-12)
    return (wet * (from_db(level) / peak)).astype(np.float32)
