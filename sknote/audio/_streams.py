"""Tags before a stream, and Ogg: whether all of its pages are there."""

import io
import zlib


def after_id3(file):
    """Return where a file goes on after the ID3 tags at its beginning, which many programs put."""
    at = 0
    while True:
        file.seek(at)
        head = bytes(file.read(10))
        if head[:3] != b"ID3" or len(head) < 10:
            return at
        a, b, c, d = head[6:]
        at += 10 + (a << 21 | b << 14 | c << 7 | d)


def ogg_flaw(file):
    """Say what an Ogg file lacks, or holds too much of; None if it is whole.

    Its last page says that it is the last, and has the number of the one stream that is decoded.
    """
    file.seek(0)
    head = bytes(file.read(18))
    size = file.seek(0, io.SEEK_END)
    if head[:4] != b"OggS":
        return None
    file.seek(max(0, size - (1 << 17)))  # a page has less than 64 KiB
    tail = bytes(file.read(1 << 17))
    page = tail[tail.rfind(b"OggS") :]
    n_segments = page[26] if len(page) > 26 else 0
    is_whole = len(page) >= 27 + n_segments + sum(page[27 : 27 + n_segments])
    if not is_whole or not n_segments or not page[5] & 4:
        return "its last page is missing; the file is probably truncated"
    if page[14:18] != head[14:18]:
        return "it holds several streams, of which only the first is read"
    return _flaw_of_pages(file, size)


def _flaw_of_pages(file, size):
    """Say if pages are damaged, which the decoder leaves out, or missing; None if all are there."""
    at, wanted, is_damaged, beginnings = 0, None, False, 0
    while at < size:
        file.seek(at)
        page = bytes(file.read(_LONGEST_PAGE))
        if not page.startswith(b"OggS") or len(page) < 27 or not _is_intact(page):
            found = page.find(b"OggS", 1)
            is_damaged = is_damaged or found > 0 or at == 0
            at += found if found > 0 else max(1, len(page) - 3)
            continue
        number = int.from_bytes(page[18:22], "little")
        is_damaged = is_damaged or wanted not in (None, number)
        beginnings += bool(page[5] & 2)
        wanted = number + 1
        at += _length(page)
    if beginnings > 1:
        return "it holds several streams, of which only the first is read"
    if is_damaged:
        return "some of its pages are damaged or missing, and their sound is left out"
    return None


_LONGEST_PAGE = 27 + 255 + 255 * 255
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def _length(page):
    return 27 + page[26] + sum(page[27 : 27 + page[26]])


def _is_intact(page):
    """Compare the checksum of a page; it is that of zlib, with the bits in the other order."""
    page = page[: _length(page)]
    bare = page[:22] + bytes(4) + page[26:]
    found = zlib.crc32(bare.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{found:032b}"[::-1], 2) == int.from_bytes(page[22:26], "little")
