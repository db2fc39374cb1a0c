"""Integers that are probably samples of fewer bits than their type has."""

import math

import numpy as np

_FULL_24 = 1 << 23


def odd_width(array):
    """Say that integer samples are probably those of a narrower type, which is no error; or None.

    So are all of 64 bits, which no recording has; signed ones of 32 bits that fit into 24, so that
    they are softer than -48 dB, and have bits that soft sound of 24 bits or less leaves at 0; and
    unsigned ones that stay below a quarter of their range, in whose middle silence is.
    """
    bits = 8 * array.dtype.itemsize
    if array.size == 0 or bits == 8:
        return None
    what = f"a waveform of type {array.dtype.name} is divided by 2**{bits - 1}"
    if bits == 64:
        return (
            f"{what}; if its samples are those of a 16- or 32-bit recording, cast it to int16 or "
            "int32 first"
        )
    low, high = int(array.min()), int(array.max())
    if array.dtype.kind == "u":
        used = max(1, high.bit_length())
        if used > bits - 2:
            return None
        return (
            f"{what}, and its samples fit into {used} bits, far below its middle; if those are all "
            f"they have, multiply it by {1 << bits - used} first"
        )
    if bits == 16 or not -_FULL_24 <= low <= high < _FULL_24:
        return None
    if not np.bitwise_or.reduce(array, axis=None) & 0xFF:
        return None
    peak = max(high, -low - 1)
    used = 1 + peak.bit_length()
    kind, remedy = "24-bit", "multiply it by 256"
    if used <= 16:
        kind, remedy = "16- or 24-bit", f"cast it to int16 or {remedy}"
    level = round(20 * math.log10((peak + 1) / (1 << 31)))
    return (
        f"{what}, and its samples fit into {used} bits, with their peak at {level} dB; if they are "
        f"those of a {kind} recording, and not of one that is so soft, {remedy} first"
    )
