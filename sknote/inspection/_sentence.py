"""Where something is heard, in a musician's words."""

import math
from typing import NamedTuple

import numpy as np
from scipy.ndimage import label as connected

__all__ = ["describe_place", "say"]

_ATTACK = 0.35  # seconds from where a note sounds that are its attack
_LOW, _HIGH = 1.5, 4.5  # times the pitch: up to where there is the fundamental, and few partials


class Place(NamedTuple):
    """A rectangle of cells: from the first up to the last, not included."""

    start: int
    stop: int
    low: int
    high: int


def describe_place(importance, top):
    """Find the rectangle about the cells that mattered most, None where none did.

    Of the cells in `top` it takes those that hang together and carry most, also by their corners.
    """
    if not top.any():
        return None
    patches, n_patches = connected(top, np.ones((3, 3)))
    carried = [importance[patches == i].sum() for i in range(1, n_patches + 1)]
    rows, columns = np.nonzero(patches == 1 + int(np.argmax(carried)))
    return Place(int(rows.min()), int(rows.max()) + 1, int(columns.min()), int(columns.max()) + 1)


def say(place, times, bands, pitch):
    """Say where a place is, and what is heard there, of a note of a pitch (MIDI) or NaN."""
    when, part = _when(place, times)
    where = _where(place, bands)
    return f"heard mainly {when}{where}: {part}{_sound(place, bands, pitch)}"


def _when(place, times):
    start, stop = times[place.start] - times[0], times[place.stop] - times[0]
    whole = times[-1] - times[0]
    if place.start == 0 and place.stop == len(times) - 1:
        return "from beginning to end", "the whole note"
    if place.start == 0:
        is_attack = stop <= _ATTACK
        return f"in the first {_time(stop)}", "the attack" if is_attack else "the beginning"
    if place.stop == len(times) - 1:
        return f"in the last {_time(whole - start)}", "the end of the note"
    part = "just after the attack" if start < min(_ATTACK, whole / 3) else "the middle of the note"
    return f"from {_time(start)} to {_time(stop)} after it begins", part


def _where(place, bands):
    is_low, is_high = place.low == 0, place.high == len(bands) - 1
    low, high = bands[place.low], bands[place.high]
    if is_low and is_high:
        return ", at all frequencies"
    if is_high:
        return f", above {_frequency(low)}"
    if is_low:
        return f", below {_frequency(high)}"
    return f", between {_frequency(low)} and {_frequency(high)}"


def _sound(place, bands, pitch):
    """Name what of a tone lies there, if the pitch is known."""
    if not math.isfinite(pitch):
        return ""
    fundamental = 440.0 * 2.0 ** ((pitch - 69.0) / 12.0)
    low, high = bands[place.low] / fundamental, bands[place.high] / fundamental
    if low > _HIGH:
        return ", in its upper partials and its noise"
    if high < 1.0 / _LOW:
        return ", in what sounds below the tone"
    if high < _LOW:
        return ", in its fundamental"
    return ", in its lower partials" if high < 2 * _HIGH else ""


def _time(seconds):
    return f"{10 * round(100 * seconds)} ms" if seconds < 0.995 else f"{seconds:.1f} s"


def _frequency(hertz):
    return f"{hertz / 1000:.1f} kHz" if hertz >= 995 else f"{10 * round(hertz / 10)} Hz"
