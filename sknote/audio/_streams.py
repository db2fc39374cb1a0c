"""FLAC and Ogg: what their headers promise, and whether their end is there."""

import io
import struct


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


def flac_total(file):
    """Return the samples that a FLAC file promises, and the bytes that make it promise none.

    The number is 0 where a stream was written whose length was not known. The bytes are a dict, by
    their position; both are None if it is no FLAC file.
    """
    at = after_id3(file)
    file.seek(at)
    head = bytes(file.read(26))
    if head[:4] != b"fLaC" or len(head) < 26:
        return None, None
    (word,) = struct.unpack(">Q", head[18:])
    total = word & (1 << 36) - 1  # the rest is its rate, channels and bits
    return total, {at + 18: struct.pack(">Q", word - total)}


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
    return None
