"""Bounds of what is taken for a recording. A file that goes beyond one is damaged, or hostile.

This file imports nothing, so that whoever checks samples elsewhere can use the same numbers.
"""

# Sample rates that a file may have, in Hz: from the slowest of toys to the fastest of converters.
LOWEST_RATE = 1_000
HIGHEST_RATE = 768_000

# Channels that a file may have.
MOST_CHANNELS = 64

# Samples that resampling may make of one.
LARGEST_EXPANSION = 200

# Samples up to here are kept, where full scale is 1: it is the full scale of 17-bit integers, so
# that whoever forgot to divide those of 16 bits is told, and a flipped bit of a float is refused.
LARGEST_SAMPLE = 65536.0
LOUD_SAMPLE = 16.0

# Of the power that channels would have if they were added without regard to their phase, the part
# that their mean must keep: else they cancel each other.
LEAST_KEPT = 0.05

# The part of the power that channels must hold besides the loudest: else they are silent.
LEAST_HEARD = 1e-5

# Bytes of a stream that cannot be sought in, and is therefore held in memory.
LARGEST_STREAM = 1 << 30

# Samples (of all channels) that are decoded at once.
BLOCK = 1 << 20
