"""Chunks of all kinds for a NoteStream, and what `sknote listen` finds on its standard input."""

import io
import struct
import warnings

import numpy as np
import soundfile
from faults.worker import Case
from streams import RATE, LoudParts, stream_of

from sknote.audio import NoteSegmenter
from sknote.cli._listen_sources import standard_input

TYPES = ("f2", "f4", "f8", "g", ">f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8")
NO_SOUND = ("O", "?", "c8", "U", "M8[s]")
NUMBERS = (0, 1, 2, 3, 7, 8, 16, 255, 0x7FFF, 0xFFFE, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)


def prepare(folder):
    stream_of(segmenter=NoteSegmenter).push(np.ones(RATE, np.float32))


def make_case(seed, folder):
    rng = np.random.default_rng(seed)
    if rng.random() < 0.7:
        return _chunks(rng)
    return _input(rng)


def _chunks(rng):
    options = {
        "hop": rng.choice([None, 0.05, 0.5]),
        "window": rng.choice([None, 0.02, 1.0]),
        "longest": float(rng.choice([0.1, 1.0, 60.0])),
        "segmenter": LoudParts if rng.random() < 0.7 else NoteSegmenter,
    }
    chunks = [_chunk(rng) for _ in range(25)]

    def run():
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return _hear(chunks, options)

    return Case(f"25 chunks, {options}", run)


def _chunk(rng):
    """Make a chunk, a number of lost samples, or what is neither."""
    if rng.random() < 0.05:
        return int(rng.choice([0, 5, 9000, 10**6, 10**12, -1]))
    n = int(rng.choice([0, 1, 3, 80, 1000, 5000], p=[0.1, 0.1, 0.1, 0.2, 0.3, 0.2]))
    shapes = [(n,), (n, 1), (n, 2), (1, n), (min(n, 80),) * 2, (), (2, n, 2)]
    shape = shapes[rng.choice(7, p=[0.7, 0.1, 0.04, 0.04, 0.04, 0.04, 0.04])]
    kind = rng.choice(TYPES) if rng.random() < 0.9 else rng.choice(NO_SOUND)
    if rng.random() < 0.5:
        scale = rng.choice([1e-3, 0.1, 0.9])
    else:
        scale = 10.0 ** rng.integers(-45, 300)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        chunk = rng.normal(0, scale, shape)
        if np.dtype(kind).kind in "iu":
            largest = np.iinfo(kind).max
            chunk = np.clip(chunk, 0, 1) * largest
        elif rng.random() < 0.3:
            odd = rng.choice([np.nan, np.inf, -np.inf, 1e38])
            chunk = np.where(rng.random(shape) < 0.05, odd, chunk)
        chunk = np.nan_to_num(chunk).astype(kind) if kind[0] == "M" else chunk.astype(kind)
    if rng.random() < 0.1 and chunk.ndim:
        chunk = chunk[::-1][::2]
    if rng.random() < 0.05:
        return chunk.tolist()
    return chunk


def _hear(chunks, options):
    """Compare chunk by chunk, where what is refused leaves no trace, with all at once."""
    stream, taken, events = stream_of(**options), [], []
    for chunk in chunks:
        try:
            is_gap = type(chunk) is int
            events += stream.skip(chunk) if is_gap else stream.push(chunk)
        except (ValueError, TypeError) as error:
            if not str(error).startswith("NoteStream: expected"):
                raise
        else:
            taken.append(chunk)
    events += stream.close()
    if list(stream_of(**options).listen(taken)) != events:
        raise AssertionError("what was refused has left a trace")
    for number in range(1, 1 + max((event.number for event in events), default=0)):
        kinds = [event.kind for event in events if event.number == number]
        middle = set(kinds[1:-1])
        whole = kinds[0] == "began" and kinds[-1] in ("judged", "withdrawn")
        if not whole or middle - {"revised"}:
            raise AssertionError(f"note {number} had {kinds}")
    for event in events:
        if not 0 <= event.onset <= event.at or (event.offset or event.at) > event.at:
            raise AssertionError(f"times: {event}")
        if event.kind in ("revised", "judged") and not np.isfinite(event.probabilities).all():
            raise AssertionError(f"probabilities: {event}")
    return "notes" if events else "no notes"


def _input(rng):
    """Damage a WAV file."""
    buffer = io.BytesIO()
    subtype = rng.choice(["PCM_16", "PCM_24", "PCM_U8", "FLOAT", "DOUBLE", "ALAW", "MS_ADPCM"])
    sound = rng.normal(0, 0.1, (2000, int(rng.choice([1, 2]))))
    soundfile.write(buffer, sound, RATE, subtype=subtype, format="WAV")
    data = bytearray(buffer.getvalue())
    for _ in range(rng.integers(4)):
        place = int(rng.integers(min(len(data) - 4, 80)))
        width, code = [(1, "<B"), (2, "<H"), (4, "<I")][rng.integers(3)]
        value = int(rng.choice(NUMBERS)) % 256**width
        data[place : place + width] = struct.pack(code, value)
    if rng.random() < 0.3:
        del data[int(rng.integers(len(data))) :]

    def run():
        try:
            with standard_input(io.BytesIO(bytes(data)), None, None, 1) as (_, chunks):
                n_samples = sum(np.asarray(chunk).size for chunk in chunks)
        except ValueError as error:
            if not str(error).startswith("listen:"):
                raise
            return "refused"
        return "heard" if n_samples else "nothing"

    return Case(f"{subtype} on standard input", run)
