"""FLAC: what its header promises, and whether what was read is what was encoded."""

import hashlib
import struct

import numpy as np

from sknote.audio._reading import whole_blocks
from sknote.audio._streams import after_id3

_LEAST_LOST = 16  # samples of the shortest block
_NOT_HASHED = bytes(16)


def flac_total(file):
    """Return the samples that a FLAC file promises, and the bytes that make it promise none.

    The number is 0 where a stream was written whose length was not known. The bytes are a dict, by
    their position; both are None if it is no FLAC file.
    """
    at, info = _stream_info(file)
    if info is None:
        return None, None
    (word,) = struct.unpack(">Q", info[10:18])
    total = word & (1 << 36) - 1  # the rest is its rate, channels and bits
    return total, {at + 10: struct.pack(">Q", word - total)}


def flac_flaw(file, view, waveform):
    """Say if blocks of a FLAC file were lost, whose place libFLAC fills with zeros; else None.

    The MD5 of its samples, which most encoders write, tells. It takes another reading, so that it
    is asked only where there are zeros. `view` is the file as it was read, `waveform` a list of the
    blocks that came.
    """
    _, info = _stream_info(file)
    if info is None or info[18:34] == _NOT_HASHED:
        return None
    if sum(block.size - np.count_nonzero(block) for block in waveform) < _LEAST_LOST:
        return None
    (word,) = struct.unpack(">Q", info[10:18])
    n_bytes = ((word >> 36 & 31) + 8) // 8  # of a sample
    found = hashlib.md5(usedforsecurity=False)
    held = 2 if n_bytes <= 2 else 4
    for block in whole_blocks(view, f"i{held}"):  # samples take the upper bits
        octets = block.astype(f"<i{held}", copy=False).view(np.uint8).reshape(-1, held)
        found.update(np.ascontiguousarray(octets[:, held - n_bytes :]))
    if found.digest() == info[18:34]:
        return None
    return "some of its blocks are damaged or missing, and their place is silent"


def _stream_info(file):
    """Return where the description of a FLAC stream begins, and its bytes; None if it has none."""
    at = after_id3(file)
    file.seek(at)
    head = bytes(file.read(42))
    if head[:4] != b"fLaC" or len(head) < 26:
        return at, None
    return at + 8, head[8:].ljust(34, b"\0")
