"""The twelve instruments of good-sounds, as a synthesizer needs to know them.

Ranges are the written ranges at concert pitch that players are taught first; spectra follow the
textbook pictures (N. Fletcher and T. Rossing, *The Physics of Musical Instruments*, 2nd ed., 1998):
a closed cylinder lacks even partials in its low register, double reeds and bowed bodies have
formants at fixed frequencies, flutes have few partials and much breath.
"""

from typing import NamedTuple


class Instrument(NamedTuple):
    """How an instrument sounds when it is played well."""

    family: str  # "bow" or "wind", which decides on the labels it can have
    lowest: int  # end of its range, as a MIDI number
    highest: int
    slope: float  # fall of the partials at mezzo-forte, dB per octave
    even: float  # level of the even partials, dB relative to the odd ones
    formants: tuple  # resonances: (centre in Hz, gain in dB, width in octaves)
    attack: float  # rise time, seconds
    noise: float  # level of breath or bow noise, dB relative to the tone
    vibrato: float  # customary vibrato, cents


INSTRUMENTS = {
    "flute": Instrument("wind", 60, 93, -11, 0, ((800, 4, 1.5),), 0.05, -36, 8),
    "cello": Instrument("bow", 36, 76, -7, 0, ((250, 5, 0.8), (1500, 5, 1.0)), 0.07, -44, 10),
    "clarinet": Instrument("wind", 50, 89, -6, -16, ((1600, 5, 0.9),), 0.04, -46, 0),
    "trumpet": Instrument("wind", 54, 84, -6, 0, ((1200, 8, 1.1),), 0.03, -48, 2),
    "violin": Instrument("bow", 55, 96, -6, 0, ((500, 4, 0.7), (2800, 7, 0.9)), 0.05, -43, 12),
    "sax_alto": Instrument("wind", 49, 81, -7, -2, ((900, 5, 0.9),), 0.04, -42, 5),
    "sax_tenor": Instrument("wind", 44, 76, -7, -2, ((700, 5, 0.9),), 0.05, -41, 5),
    "sax_baritone": Instrument("wind", 36, 69, -7, -2, ((500, 5, 0.9),), 0.06, -40, 4),
    "sax_soprano": Instrument("wind", 56, 88, -7, -3, ((1200, 5, 0.9),), 0.04, -43, 5),
    "oboe": Instrument("wind", 58, 89, -5, 0, ((1100, 9, 0.7), (2700, 6, 0.6)), 0.03, -47, 5),
    "piccolo": Instrument("wind", 74, 105, -12, 0, ((1800, 3, 1.5),), 0.04, -34, 5),
    "bass": Instrument("bow", 28, 67, -7, 0, ((120, 4, 0.8), (700, 5, 1.2)), 0.09, -42, 6),
}
