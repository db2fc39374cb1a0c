"""The frames of an MPEG audio file (MP3), counted without decoding them.

The length of a file without a tag is estimated, by mpg123 in libsndfile, from its size and its
first frames, and that of a file with one is what the tag says; neither reads on after it.
"""

import functools
import struct

from sknote.audio._streams import after_id3

_KBITS = {  # by version 1 or not, and layer
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_BLOCK = 1 << 13
_MOST_JUNK = 1 << 10  # after which mpg123 gives up as well


class MpegFrames:
    """The frames of a file: their number, and what the tag in the first one says of it."""

    def __init__(self, file):
        self._file = file
        self._block, self._block_at = b"", 0
        self._kind = None  # version, layer and rate, which are the same in all frames
        at = self._next(after_id3(file))
        self.tagged = None  # the frames that a tag promises, and where it does
        self.samples_per_frame = 0
        if at is not None:
            header = self._bytes(at, 4)
            self._kind = _kind(header)
            self.samples_per_frame = _samples_per_frame(header)
            self.tagged = self._tag(at, header)
            if self.tagged:
                at += _frame_size(header[1:3])
        self._first = at

    @property
    def is_promise(self):
        """Tell whether a tag says how many frames there are, and knew it."""
        return self.tagged is not None and self.tagged[0] < 1 << 30

    def count(self):
        """Count the frames that hold sound."""
        return sum(1 for _ in self._ends())

    def end(self):
        """Return where the last frame ends behind which there is another one, or nothing."""
        return max(self._ends(), default=self._first or 0)

    def _ends(self):
        at = self._first
        while at is not None and (at := self._next(at)) is not None:
            at += _frame_size(self._bytes(at, 4)[1:3])
            yield at

    def patches(self):
        """Return the bytes that make a tag say the number that there is, by their position."""
        return {self.tagged[1]: struct.pack(">I", self.count())}

    def _next(self, at):
        """Return where the next frame from `at` on begins, or None."""
        for skipped in range(_MOST_JUNK):
            header = self._bytes(at + skipped, 4)
            if len(header) < 4:
                return None
            is_like_first = self._kind in (None, _kind(header))
            if header[0] == 0xFF and is_like_first and _frame_size(header[1:3]):
                return at + skipped
        return None

    def _tag(self, at, header):
        is_first_version, is_mono = header[1] & 8, header[3] >> 6 == 3
        side = (17 if is_mono else 32) if is_first_version else (9 if is_mono else 17)
        kind, flags, count = struct.unpack(">4sII", self._bytes(at + 4 + side, 12).ljust(12, b"\0"))
        if kind in (b"Xing", b"Info") and flags & 1:
            return count, at + 4 + side + 8
        vbri = self._bytes(at + 36, 18)
        if vbri[:4] == b"VBRI" and len(vbri) == 18:
            return struct.unpack(">I", vbri[14:])[0], at + 50
        return None

    def _bytes(self, at, size):
        start = at - self._block_at
        if not 0 <= start <= len(self._block) - size:
            self._file.seek(at)
            self._block, self._block_at, start = bytes(self._file.read(_BLOCK)), at, 0
        return self._block[start : start + size]


@functools.cache
def _frame_size(header):
    """Return the bytes of a frame from the second and third of its header; 0 if it is none."""
    version, layer = header[0] >> 3 & 3, 4 - (header[0] >> 1 & 3)
    kbits, rate = header[1] >> 4, header[1] >> 2 & 3
    if header[0] < 0xE0 or version == 1 or layer == 4 or kbits in (0, 15) or rate == 3:
        return 0
    bits = 1000 * _KBITS[version == 3, layer][kbits - 1]
    padding = header[1] >> 1 & 1
    if layer == 1:
        return 4 * (12 * bits // _RATES[version][rate] + padding)
    per_byte = 72 if layer == 3 and version != 3 else 144
    return per_byte * bits // _RATES[version][rate] + padding


def _kind(header):
    return header[1] & 0x1E, header[2] & 0x0C


def _samples_per_frame(header):
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    return 384 if layer == 1 else 576 if layer == 3 and version != 3 else 1152
