"""FLAC: what its header promises, and whether what was read is what was encoded."""

import hashlib
import struct

import numpy as np

from sknote.audio._reading import whole_blocks
from sknote.audio._streams import after_id3

_LEAST_LOST = 16  # samples of the shortest block
_NOT_HASHED = bytes(16)

# Metadata blocks that no file has before its sound, and bytes in which a frame's header ends.
_MOST_BLOCKS = 4096
_FRAME_HEADER = 10


def flac_total(file):
    """Return the samples that a FLAC file promises, and the bytes that make it promise none.

    The number is 0 where a stream was written whose length was not known. The bytes are a dict, by
    their position; both are None if it is no FLAC file. They also correct the size of its blocks,
    by which libFLAC places them: it would fill what a wrong one leaves between them with zeros.
    """
    at, info = _stream_info(file)
    if info is None:
        return None, None
    (word,) = struct.unpack(">Q", info[10:18])
    total = word & (1 << 36) - 1  # the rest is its rate, channels and bits
    patches = {at + 10: struct.pack(">Q", word - total)}
    least, most = struct.unpack(">HH", info[:4])
    if least == most and (found := _block_size(file, at - 4, most)):  # else it places none
        patches[at] = struct.pack(">HH", found, found)
    return total, patches


def flac_flaw(file, view, sound, promised):
    """Say if blocks of a FLAC file were lost, whose place libFLAC fills with zeros; else None.

    The MD5 of its samples, which most encoders write, tells. It takes another reading, so that it
    is asked only where there are zeros. What is more than the header promises is left out unless it
    is right. `view` is the file as `sound` was read of it.
    """
    is_longer = 0 < promised < sound.end
    is_whole = sound.start == 0 and sound.length < sound.wanted
    if not is_longer and not is_whole and sound.length != promised:
        return None
    zeros = sound.zeros + sum(block.size - np.count_nonzero(block) for block in sound.blocks)
    if zeros < _LEAST_LOST:
        return None
    _, info = _stream_info(file)
    if info is None:
        return None
    is_hashed = info[18:34] != _NOT_HASHED
    if _is_as_hashed(view, info) if is_hashed else not is_longer:
        return None
    if is_longer:
        sound.cut(sound.end - promised)
        sound.skipped = min(sound.skipped, promised)
    return "some of its blocks are damaged or missing, and their place is silent" + (
        "; what goes beyond the length that its header promises is left out" if is_longer else ""
    )


def _is_as_hashed(view, info):
    """Tell whether the samples of a file have the MD5 that its header says."""
    (word,) = struct.unpack(">Q", info[10:18])
    n_bytes = ((word >> 36 & 31) + 8) // 8  # of a sample
    found = hashlib.md5(usedforsecurity=False)
    held = 2 if n_bytes <= 2 else 4
    for block in whole_blocks(view, f"i{held}"):  # samples take the upper bits
        octets = block.astype(f"<i{held}", copy=False).view(np.uint8).reshape(-1, held)
        found.update(np.ascontiguousarray(octets[:, held - n_bytes :]))
    return found.digest() == info[18:34]


def _stream_info(file):
    """Return where the description of a FLAC stream begins, and its bytes; None if it has none."""
    at = after_id3(file)
    file.seek(at)
    head = bytes(file.read(42))
    if head[:4] != b"fLaC" or len(head) < 26:
        return at, None
    return at + 8, head[8:].ljust(34, b"\0")


def _block_size(file, at, stated):
    """Return the samples of the first frame behind the metadata blocks from `at` on.

    None if they are as `stated`, if it is not the first of a stream of blocks of one size, or if it
    is damaged.
    """
    for _ in range(_MOST_BLOCKS):
        file.seek(at)
        header = bytes(file.read(4))
        at += 4 + int.from_bytes(header[1:], "big")
        if not header or header[0] & 128:  # the last
            break
    file.seek(at)
    head = bytes(file.read(_FRAME_HEADER)).ljust(_FRAME_HEADER, b"\0")
    size, rate = head[2] >> 4, head[2] & 15
    if head[:2] != _SYNC or head[4] != 0 or size == 0:  # the second is its number
        return None
    n_bytes = {6: 1, 7: 2}.get(size, 0)
    if n_bytes:
        found = int.from_bytes(head[5 : 5 + n_bytes], "big") + 1
    else:
        found = 192 if size == 1 else 576 << size - 2 if size < 6 else 256 << size - 8
    end = 5 + n_bytes + {12: 1, 13: 2, 14: 2}.get(rate, 0)
    is_other = found != stated and found < 1 << 16  # which no block has
    return found if is_other and _checksum(head[:end]) == head[end] else None


_SYNC = b"\xff\xf8"  # of blocks of one size


def _checksum(data):
    """Return the CRC-8 of a frame's header."""
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value << 1 ^ 7) & 255 if value & 128 else value << 1
    return value
