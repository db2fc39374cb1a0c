"""Containers with a size in the header: where the sound lies, and how much of it is promised.

libsndfile cuts a size down to what is there without a word, takes 0 at its word, and refuses some
sizes that are too large; so the headers are read here, and a size that is no promise, or one that
is not kept, is put right in a :class:`~sknote.audio._source.View`. Of some containers it reads on
to the end of the file, whatever lies behind the sound: they are made to end where it ends.
"""

import struct
from dataclasses import dataclass, replace
from typing import NamedTuple

# Sizes this near to the largest that 32 bits hold, or to half of it, are what writers put that do
# not know the size: 0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 0x7FFFF000, 0x7FFFEFFC, ... So is what is
# larger than any file.
_NEAR = 1 << 16
_LARGEST = 1 << 44

# No file has more chunks before its sound; zeros would be chunks without end.
_MOST_CHUNKS = 4096


@dataclass(frozen=True)
class Extent:
    """Where the sound of a file begins, and what its header says of its size, all in bytes."""

    start: int
    size: int  # that the header says, of sound alone
    there: int  # from `start` to the end of the file
    is_too_small: bool  # and sound goes on after `size`
    field: tuple  # of the size: its position, its layout, and what it counts that is no sound
    is_last: bool = False  # libsndfile needs nothing that may lie behind the sound
    behind: int = 0  # what does lie behind it and is no chunk
    block: int = 0  # that sound comes in, or 0 where that is not known
    n_per_block: int = 0  # frames in one, where the header says so
    n_frames: int = 0  # that the header says there are, or 0

    @property
    def is_promise(self):
        """Tell whether the size is meant, and not what a writer puts that does not know it."""
        half = 1 << 31
        is_known = abs(self.size - half) > _NEAR and abs(self.size - 2 * half) > _NEAR
        return 0 < self.size < _LARGEST and is_known and not self.is_too_small

    @property
    def end(self):
        """Where the file shall end, as libsndfile would read on; None if that is where it does."""
        ends = self.is_last and self.is_promise and self.size < self.there
        return self.start + self.size if ends else None

    def cut_block(self, n_read):
        """Return how many bytes there are of a last block that is not whole; 0 if it is whole.

        Some writers leave out what it holds beyond the last frame, which is among the `n_read`.
        """
        held = min(self.size, self.there) if self.is_promise else self.there
        rest = held % self.block if self.block else 0
        if rest == 1 and not self.is_promise and self.block % 2:
            return 0  # which makes the number of bytes even
        n_there = held * self.n_per_block // self.block if rest else 0
        return 0 if 0 < self.n_frames <= min(n_there, n_read) else rest

    def patches(self):
        """Return bytes by their position that make the size what is there, where it is not."""
        at, layout, extra = self.field
        size = self.there + extra
        is_wrong = self.is_too_small or self.size > self.there > 0
        is_possible = size < (1 << 8 * struct.calcsize(layout)) - _NEAR
        return {at: struct.pack(layout, size)} if is_wrong and is_possible else {}


def extent_of(file, size):
    """Read the header of a file of `size` bytes; None if it is of no container that has a size."""
    file.seek(0)
    head = bytes(file.read(40))
    for matches, read in _READERS:
        if matches(head):
            try:
                return read(file, head, size)
            except struct.error:  # it ends within the header
                return None
    return None


def avi_flaw(file, size):
    """Say that an AVI file of `size` bytes ends within its first list; None if it does not.

    FFmpeg takes what is there for all, and it may end between two packets.
    """
    file.seek(4)
    (length,) = struct.unpack("<I", bytes(file.read(4)))
    is_promise = Extent(8, length, size - 8, False, ()).is_promise
    if not is_promise or length <= size - 8:
        return None
    return (
        f"its header promises {8 + length} bytes, there are only {size}; the file is probably "
        "truncated"
    )


def asf_seconds(file, size):
    """Return how long the header of an ASF file says that it plays; None if it does not know."""
    for kind, _, at in _chunks(file, 30, size, _Layout("<16sQ", counted=24, align=1)):
        if kind == _FILE_PROPERTIES:
            file.seek(at + 40)
            about = bytes(file.read(28)).ljust(28, b"\xff")
            duration, _, preroll, flags = struct.unpack("<QQQI", about)  # in 100 ns, and in ms
            return None if flags & 1 else duration / 1e7 - preroll / 1e3  # of a broadcast, or cut
    return None


_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")


class _Layout(NamedTuple):
    """How the chunks of a container are written."""

    header: str  # the kind and the size of each
    counted: int = 0  # bytes of the header that are part of its size
    align: int = 2


def _riff(file, head, size):
    """WAV, WAVEX, RIFX and RF64, whose size has 64 bits and stands in a chunk of its own."""
    order = ">" if head[:4] == b"RIFX" else "<"
    layout = _Layout(order + "4sI")
    large, blocks = None, {}
    whole = struct.unpack(order + "I", head[4:8])[0]
    for kind, length, at in _chunks(file, 12, size, layout):
        if kind in (b"fmt ", b"fact"):
            file.seek(at)
            blocks |= _blocks_of(kind, bytes(file.read(min(length, 20))), order)
        elif kind == b"ds64":
            file.seek(at)
            whole, found = struct.unpack("<QQ", file.read(16))
            large = found, (at + 8, "<Q", 0)
        elif kind == b"data":
            field = (at - 4, order + "I", 0)
            if large and length == 0xFFFFFFFF:
                length, field = large
            # a size is doubted if that of the whole file is right, and no chunks follow
            is_doubted = whole + 8 == size
            extent = _extent(file, size, layout, at, length, field, is_doubted=is_doubted)
            return replace(extent, **blocks)
    return None


def _blocks_of(kind, chunk, order):
    """Return what a chunk of WAV says of the blocks that sound comes in, and of its length."""
    if kind == b"fact":
        n_frames = struct.unpack_from(order + "I", chunk)[0] if len(chunk) >= 4 else 0
        return {"n_frames": n_frames}
    block = struct.unpack_from(order + "H", chunk, 12)[0]
    is_coded = len(chunk) == 20 and struct.unpack_from(order + "H", chunk)[0] not in _UNCODED
    n_per_block = struct.unpack_from(order + "H", chunk, 18)[0] if is_coded else 0
    return {"block": block, "n_per_block": n_per_block}


_UNCODED = (1, 3, 6, 7, 0xFFFE)  # whose blocks are single frames: numbers, A-law, mu-law


def _iff(file, head, size):
    """AIFF and AIFF-C, 8SVX and 16SV."""
    layout = _Layout(">4sI")
    for kind, length, at in _chunks(file, 12, size, layout):
        if kind == b"SSND":
            file.seek(at)
            extra = 8 + struct.unpack(">I", file.read(4))[0]
            return _extent(file, size, layout, at + extra, length - extra, (at - 4, ">I", extra))
        if kind == b"BODY":
            is_doubted = struct.unpack(">I", head[4:8])[0] + 8 == size
            options = {"is_doubted": is_doubted, "is_last": True}
            return _extent(file, size, layout, at, length, (at - 4, ">I", 0), **options)
    return None


def _w64(file, head, size):
    layout = _Layout("<16sQ", counted=24, align=8)
    blocks = {}
    for kind, length, at in _chunks(file, 40, size, layout):
        if kind[:4] in (b"fmt ", b"fact"):
            file.seek(at)
            blocks |= _blocks_of(kind[:4], bytes(file.read(max(0, min(length, 20)))), "<")
        elif kind[:4] == b"data":
            is_doubted = struct.unpack("<Q", head[16:24])[0] == size
            options = {"is_doubted": is_doubted, "is_last": True}
            extent = _extent(file, size, layout, at, length, (at - 8, "<Q", 24), **options)
            return replace(extent, **blocks)
    return None


def _caf(file, head, size):
    layout = _Layout(">4sQ", align=1)
    for kind, length, at in _chunks(file, 8, size, layout):
        if kind == b"data":  # and four bytes that count edits
            return _extent(file, size, layout, at + 4, length - 4, (at - 8, ">Q", 4))
    return None


def _au(file, head, size):
    order = ">" if head[:4] == b".snd" else "<"
    start, length = struct.unpack(order + "II", head[4:12])
    return _extent(file, size, None, start, length, (8, order + "I", 0), is_last=True)


_FORMS = (b"AIFF", b"AIFC", b"8SVX", b"16SV")
_READERS = (
    (lambda head: head[:4] in (b"RIFF", b"RIFX", b"RF64") and head[8:12] == b"WAVE", _riff),
    (lambda head: head[:4] == b"FORM" and head[8:12] in _FORMS, _iff),
    (lambda head: head[:4] == b"riff" and head[24:28] == b"wave", _w64),
    (lambda head: head[:4] == b"caff", _caf),
    (lambda head: head[:4] in (b".snd", b"dns."), _au),
)


def _extent(file, size, layout, start, length, field, *, is_doubted=False, is_last=False):
    length, there = max(0, length), size - start
    is_doubted = is_doubted or length == 0
    behind = max(0, there - length)
    if behind and layout is not None and _ends_in_chunks(file, start + length, size, layout):
        behind = 0
    is_too_small = is_doubted and behind > 0
    return Extent(start, length, there, is_too_small, field, is_last, behind)


def _ends_in_chunks(file, at, size, layout):
    """Tell whether what lies from `at` to the end of a file are chunks, or nothing to speak of."""
    at += -at % layout.align
    for kind, length, contents in _chunks(file, at, size, layout):
        if not all(32 <= byte < 127 for byte in kind[:4]):
            return False
        at = contents + max(0, length)
    return size - struct.calcsize(layout.header) < at <= size


def _chunks(file, at, size, layout):
    """Walk over chunks from `at` on; yield the kind and the size of each, and where it begins."""
    n_bytes = struct.calcsize(layout.header)
    for _ in range(_MOST_CHUNKS):
        file.seek(at)
        if len(header := bytes(file.read(n_bytes))) < n_bytes:
            return
        kind, length = struct.unpack(layout.header, header)
        length -= layout.counted
        at += n_bytes
        yield kind, length, at
        at += max(0, length)
        at += -at % layout.align
        if at >= size:
            return
