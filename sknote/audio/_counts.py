"""Rarer files that libsndfile reads: how many frames their headers promise.

Most of them it reads to their end, whatever they say. Of VOC it refuses what is cut off, and of SDS
it makes up the rest: there the header is made to say what is there. PAF, PVF and IRCAM do not say
how much they hold, so that all that lies behind their headers is sound.
"""

import re
import struct

# Counts from here on are what writers put that do not know how much will come.
_UNKNOWN = (1 << 31) - (1 << 16)

_HEAD = 1 << 10  # bytes in which all of these headers end


def head_of(file):
    """Return the bytes that the other functions here look at."""
    file.seek(0)
    return bytes(file.read(_HEAD))


def count_in(head, format):
    """Return the frames that the header of a file of a format promises; None if it does not."""
    if format not in _COUNTS:
        return None
    try:
        count = _COUNTS[format](head)
    except (struct.error, IndexError, ZeroDivisionError):  # it is not as others write it
        return None
    return count if 0 < count < _UNKNOWN else None


def patches_of(head, size):
    """Return bytes by their position that make a header say how much is there, where it is less."""
    try:
        if head.startswith(_VOC):
            at = _voc_sound(head)
            there = size - at - 5  # the last byte is taken for the end mark
            is_cut = head[at] == 1 and there < _int(head[at + 1 : at + 4])
            return {at + 1: there.to_bytes(3, "little")} if is_cut else {}
        if head.startswith(b"\xf0\x7e") and head[3] == 1:
            there = (size - _SDS_HEADER) // _SDS_BLOCK * (120 // _sds_bytes(head))
            is_wrong = not 0 < _sds(head) <= there
            return {10: bytes(there >> 7 * k & 127 for k in range(3))} if is_wrong else {}
    except (IndexError, OverflowError):
        pass
    return {}


def htk_flaw(head, size):
    """Say what cannot be in the header of an HTK file, and libsndfile lets pass; or None."""
    period = int.from_bytes(head[4:8], "big")
    if _htk_size(head) != size or 0 < period < 1 << 31:
        return None
    return (
        "its header is that of an HTK file, whose samples are said to last "
        f"{struct.unpack('>i', head[4:8])[0]} times 100 ns"
    )


def htk_comes(head, size):
    """Tell whether more is to come of an HTK file, which is one by its size alone."""
    return (_htk_size(head) or 0) > size


def _htk_size(head):
    if len(head) < 12 or head[8:12] != b"\x00\x02\x00\x00":
        return None
    return 2 * int.from_bytes(head[:4], "big") + 12


def voc_end(file, head, size):
    """Return where the first block of sound of a VOC file ends, and what is odd about the rest.

    The former is None where that is the end of the file, or if it is none of VOC: libsndfile
    refuses what lies behind, or takes it for sound. The latter is None if there is no more sound.
    """
    if not head.startswith(_VOC) or len(head) < _HEAD:
        return None, None
    at = _voc_sound(head)
    at += 4 + _int(head[at + 1 : at + 4])
    end, flaw = at + 1, None  # behind the end mark
    while at < size and flaw is None:
        file.seek(at)
        block = bytes(file.read(4)).ljust(4, b"\0")
        length = _int(block[1:])
        if not 0 < block[0] < 10 or at + 4 + length > size:
            break
        if block[0] in _VOC_SOUNDS:
            flaw = "it holds several blocks of sound, of which only the first is read"
        at += 4 + length
    return (end if end < size else None), flaw


def _int(part):
    return int.from_bytes(part, "little")


def _field(layout, at):
    return lambda head: struct.unpack_from(layout, head, at)[0]


def _nist(head):
    match = re.search(rb"\nsample_count -i (\d{1,10})\s", head)
    return int(match[1]) if match else 0


def _matlab(head):
    """Rows are channels and columns are frames; the number of these stands before the name."""
    is_big = head.startswith(b"\0\0\3\xe8") or head[126:128] == b"MI"
    at = head.find(b"wavedata") - 12
    return struct.unpack_from(">I" if is_big else "<I", head, at)[0] if at >= 0 else 0


def _xi(head):
    return _int(head[298:302]) // (2 if head[312] & 16 else 1)


_VOC = b"Creative Voice File\x1a"
_VOC_SOUNDS = (1, 2, 3, 6, 9)  # sound, more of it, silence, and what is to be repeated


def _voc_sound(head):
    """Return where the block with the sound begins; one of two channels may be before it."""
    at = _int(head[20:22])
    return at + 8 if head[at : at + 1] == b"\x08" else at


def _voc(head):
    first, at = _int(head[20:22]), _voc_sound(head)
    length = _int(head[at + 1 : at + 4])
    if head[at] == 9:
        return (length - 12) // (head[at + 8] // 8 * head[at + 9])
    return (length - 2) // (head[first + 7] + 1 if at > first else 1) if head[at] == 1 else 0


_SDS_HEADER, _SDS_BLOCK = 21, 127  # bytes; 120 of a block are sound, with 7 bits in each


def _sds_bytes(head):
    return max(2, -(-head[6] // 7))


def _sds(head):
    return sum(part << 7 * k for k, part in enumerate(head[10:13]))


_COUNTS = {
    "AVR": _field(">I", 26),
    "MAT4": _matlab,
    "MAT5": _matlab,
    "MPC2K": _field("<I", 26),
    "NIST": _nist,
    "SDS": _sds,
    "VOC": _voc,
    "WVE": _field(">I", 18),
    "XI": _xi,
}
