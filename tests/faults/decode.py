"""Recordings in every format of libsndfile, and of phones, damaged, and what AudioLoader makes."""

import contextlib
import importlib.util
import io
import os
import struct
import threading
import warnings

import numpy as np
import soundfile
from encoders import record
from faults.worker import Case

from sknote import AudioLoader
from sknote.exceptions import AudioDecodeError, AudioDecodeWarning

EXTREMES = [0, 1, 2, 0xFFFF, 0x7FFF_F000, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFE, 0xFFFF_FFFF]
TAGS = b"data|fmt |fact|COMM|SSND|desc|Xing|Info|vorbis|OpusHead|fLaC|BODY|VHDR|ds64".split(b"|")
TAGS += b"moov|mvhd|mdhd|elst|stsd|mp4a|esds|stts|stsc|stsz|stco|moof|tfhd|trun|A_OPUS".split(b"|")
RATES = [8000, 8000, 22050, 44100, 44100, 48000, 96000]
ODD_RATES = [1, 2, 7, 1000, 1_000_000, 2**31 - 1]
PHONES = 3 * [("mp4", "aac", {})] + 3 * [("webm", "libopus", {})]
PHONES += [("mp4", "aac", {"movflags": "faststart"}), ("webm", "libopus", {"live": "1"})]
PHONES += [("mp4", "aac", {"movflags": "empty_moov+default_base_moof", "frag_duration": "100000"})]
PHONES += [("matroska", "aac", {}), ("adts", "aac", {}), ("3gp", "libopencore_amrnb", {})]
PHONES += [("ipod", "alac", {}), ("mov", "pcm_s24be", {}), ("matroska", "flac", {})]
PHONES += [("asf", "wmav2", {}), ("wv", "wavpack", {}), ("tta", "tta", {}), ("flv", "aac", {})]
PHONES += [("avi", "libmp3lame", {}), ("amr", "libopencore_amrnb", {})]
_MADE = {}  # by prepare: the names of what can be written, and a recording that is whole


def prepare(folder):
    rng = np.random.default_rng(0)
    names = {}
    # written from memory, SD2 leaves a file "._" in the working folder, by which others are misread
    for form in sorted({*soundfile.available_formats()} - {"SD2"}):
        for subtype in sorted(soundfile.available_subtypes(form)):
            with contextlib.suppress(soundfile.LibsndfileError, ValueError):
                if _reads(_encode(rng.normal(0, 0.1, (1600, 1)), 8000, form, subtype)):
                    names.setdefault(form, []).append(subtype)
    assert len(names) >= 22, f"libsndfile writes and reads no more formats than {list(names)}"
    noise = rng.normal(0, 0.1, (22050, 1))
    _MADE.update(names=names, good=_encode(noise, 22050, "WAV", "PCM_16"))
    _MADE["long"] = _encode(np.zeros((30_000_000, 1), np.int16), 44100, "FLAC", "PCM_16")
    (_MADE["expected"],) = AudioLoader().transform([_MADE["good"]])
    _MADE["by phones"] = importlib.util.find_spec("av") is not None
    if _MADE["by phones"]:
        AudioLoader().transform([record(noise, 22050)])


def make_case(seed, folder):
    rng = np.random.default_rng(seed)
    is_by_phone = _MADE["by phones"] and seed % 5 == 4
    name, data = _phones_recording(rng) if is_by_phone else _recording(rng)
    steps = [name]
    for _ in range(rng.choice([0, 1, 2, 3], p=[0.05, 0.55, 0.25, 0.15])):
        how = MUTATIONS[rng.integers(len(MUTATIONS))]
        data, what = how(rng, data)
        steps.append(what)
    if b"OggS" in data[:4] and rng.random() < 0.7:
        data = _repair_pages(data)
        steps.append("checksums repaired")
    form = FORMS[rng.integers(len(FORMS))]
    options = {"max_duration": [None, 0.01, 0.5, 2.0][rng.integers(4)]}
    options["offset"] = [0.0, 0.0, 0.3][rng.integers(3)]
    steps.append(f"as {form}, {len(data)} bytes, {options}")
    path = folder / f"decode-{seed}"
    path.write_bytes(data)
    where = int(rng.integers(len(data) + 1))
    is_whole = len(steps) == 2 and form != "failing stream" and "odd" not in name
    is_whole = is_whole and (is_by_phone or _reads(data))

    def run():
        with contextlib.ExitStack() as opened:
            outcome = _check(lambda: _source(form, path, data, where, opened), options)
        assert not is_whole or outcome != "refused" or options["offset"], "a whole file is refused"
        path.unlink()  # what offends stays
        return outcome

    return Case(", ".join(steps), run, megabytes=500 if options["max_duration"] is None else 150)


FORMS = 6 * ["path"] + 6 * ["bytes"] + 3 * ["BytesIO"] + 3 * ["file"] + ["pipe", "failing stream"]


def _check(source, options):
    """Hold what AudioLoader promises: a finite waveform or its own error, and others unharmed."""
    refusal, waveform = None, np.zeros(0, np.float32)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            (waveform,) = AudioLoader(**options).transform([source()])
        except AudioDecodeError as error:
            refusal = str(error)
            assert "(row 0)" in refusal, f"names no row: {refusal}"
    texts = _texts(caught)
    assert refusal or texts or len(waveform), "empty without a word"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        good = _MADE["good"]
        batch = AudioLoader(on_error="warn", **options).transform([good, source(), good])
    in_batch = _texts(caught)
    assert len(in_batch) == len(texts) + bool(refusal), f"other warnings in a batch: {in_batch}"
    assert all("(row 1)" in text for text in in_batch), f"names another row: {in_batch}"
    np.testing.assert_array_equal(batch[1], waveform)
    start, stop = options["offset"], options["max_duration"]
    start = round(start * 22050)
    stop = None if stop is None else start + round(stop * 22050)
    for one in (batch[0], batch[2]):
        np.testing.assert_array_equal(one, _MADE["expected"][start:stop])
    assert waveform.dtype == np.float32 and waveform.ndim == 1, "another type or shape"
    assert np.isfinite(waveform).all(), "not finite"
    with np.errstate(over="ignore"):
        assert np.isfinite(np.square(waveform).sum()), "a power that is not finite"
    if stop is not None:  # rounded to frames of the file, of which there are 1,000 a second or more
        assert len(waveform) <= stop - start + 12, f"{len(waveform)} samples in {options}"
    return "refused" if refusal else "read with a remark" if texts else "read"


def _texts(caught):
    for one in caught:
        assert one.category is AudioDecodeWarning, f"warns by {one.message!r}"
    return [str(one.message) for one in caught]


def _recording(rng):
    """Return a name and the bytes of a recording, which is whole."""
    if rng.random() < 0.01:
        return "FLAC PCM_16, 11 min of silence", _MADE["long"]
    form = str(rng.choice(list(_MADE["names"])))
    subtype = str(rng.choice(_MADE["names"][form]))
    channels, rate = int(rng.choice([1, 1, 1, 2, 2, 3, 6, 8])), int(rng.choice(RATES))
    is_odd = form != "OGG" and rng.random() < 0.1  # libsndfile's encoder crashes of it
    samples = rng.normal(0, 0.1, (int(rng.integers(1, rate)), channels)).clip(-1, 1)
    if rng.random() < 0.03 and subtype in ("FLOAT", "DOUBLE"):
        samples[rng.integers(len(samples))] = rng.choice([np.nan, np.inf, 1e36, 1e6])
        is_odd = True
    endian = str(rng.choice(["FILE", "FILE", "BIG", "LITTLE"]))
    odd_rate = int(rng.choice(ODD_RATES)) if is_odd else rate
    for options in (
        (samples, odd_rate, form, subtype, endian),
        (samples, rate, form, subtype),
        (samples[:, :1], rate, form, subtype),
    ):
        try:
            data = _encode(*options)
            break
        except (soundfile.LibsndfileError, ValueError, AssertionError):  # it is not for so many
            continue
    else:
        options = (np.resize(samples, (1600, 1)), 8000, form, subtype)
        data = _encode(*options)
    if form == "OGG":
        data = _repair_pages(data)  # it draws its serial number by the clock
    shape, rate, *rest = options
    odd = ", odd" if is_odd else ""
    return f"{' '.join(rest)} {len(shape)} x {shape.shape[1]} at {rate} Hz{odd}", data


def _phones_recording(rng):
    """Return a name and the bytes of a recording that PyAV encodes, which is whole."""
    container, codec, options = PHONES[rng.integers(len(PHONES))]
    rate = {"libopencore_amrnb": 8000, "libopus": 48000}.get(codec) or int(rng.choice(RATES[2:6]))
    channels = 1 if "amr" in codec else int(rng.choice([1, 1, 2]))
    samples = rng.normal(0, 0.1, (int(rng.integers(1, rate)), channels)).clip(-1, 1)
    bit_rate = 64000 if container == "asf" else None
    data = record(samples, rate, container, codec, bit_rate=bit_rate, fflags="bitexact", **options)
    words = f"{container} {codec} {' '.join(options)}".strip()
    return f"{words} {len(samples)} x {channels} at {rate} Hz", data


def _encode(samples, rate, form, subtype, endian=None):
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=form, subtype=subtype, endian=endian)
    return buffer.getvalue()


def _reads(data):
    try:
        return len(soundfile.read(io.BytesIO(data))[0]) > 0
    except soundfile.LibsndfileError:  # it does not read some of the MP3 files that it writes
        return False


def _flip(rng, data):
    data = bytearray(data)
    end = min(len(data), 200) if rng.random() < 0.5 else len(data)
    places = rng.integers(end, size=rng.integers(1, 9)) if end else []
    for place in places:
        data[place] ^= 1 << rng.integers(8)
    return bytes(data), f"bits flipped in {sorted(map(int, places))}"


def _cut(rng, data):
    end = int(rng.integers(len(data) + 1))
    return data[:end], f"cut to {end}"


def _only_header(rng, data):
    end = int(rng.integers(min(len(data), 120) + 1))
    return data[:end], f"cut to {end}"


def _insert(rng, data):
    place, size = int(rng.integers(len(data) + 1)), int(rng.integers(1, 5000))
    more = bytes(size) if rng.random() < 0.5 else rng.bytes(size)
    return data[:place] + more + data[place:], f"{size} bytes put in at {place}"


def _slice(rng, data):
    start, stop = sorted(map(int, rng.integers(len(data) + 1, size=2)))
    return start, stop


def _delete(rng, data):
    start, stop = _slice(rng, data)
    return data[:start] + data[stop:], f"{start}:{stop} deleted"


def _duplicate(rng, data):
    start, stop = _slice(rng, data)
    return data[:stop] + data[start:], f"{start}:{stop} doubled"


def _splice(rng, data):
    name, other = _recording(rng)
    start, stop = int(rng.integers(len(data) + 1)), int(rng.integers(len(other) + 1))
    return data[:start] + other[stop:], f"from {start} on {name} from {stop} on"


def _field(rng, data):
    """Put an extreme number where a header is likely to have one."""
    places = list(range(0, min(len(data), 100), 2))
    for tag in TAGS:
        if (found := data.find(tag)) >= 0:
            places += range(found + len(tag), found + len(tag) + 24, 2)
    place, value = int(rng.choice(places or [0])), int(rng.choice([*EXTREMES, rng.integers(2**32)]))
    layout = str(rng.choice(["<I", ">I", "<H", ">H"]))
    field = struct.pack(layout, value & (0xFFFF if layout[1] == "H" else 0xFFFF_FFFF))
    return data[:place] + field + data[place + len(field) :], f"{value:#x} as {layout} at {place}"


MUTATIONS = [_flip, _cut, _only_header, _insert, _delete, _duplicate, _splice] + 4 * [_field]


def _repair_pages(data):
    """Give the pages of an Ogg file one serial number and checksums that fit."""
    data, place = bytearray(data), 0
    while data[place : place + 4] == b"OggS" and len(data) >= place + 27:
        n_segments = data[place + 26]
        sizes = data[place + 27 : place + 27 + n_segments]
        end = place + 27 + n_segments + sum(sizes)
        data[place + 14 : place + 18] = b"note"
        data[place + 22 : place + 26] = bytes(4)
        data[place + 22 : place + 26] = struct.pack("<I", _crc(data[place:end]))
        place = end
    return bytes(data)


def _crc(data):
    value = 0
    for byte in data:
        value = ((value << 8) & 0xFFFF_FFFF) ^ _CRC[(value >> 24) ^ byte]
    return value


def _crc_of_byte(value):
    value <<= 24
    for _ in range(8):
        value = (value << 1) ^ (0x1_04C1_1DB7 if value & 0x8000_0000 else 0)
    return value


_CRC = [_crc_of_byte(byte) for byte in range(256)]


class FailingStream(io.BytesIO):
    """A stream that breaks down."""

    def __init__(self, data, where):
        super().__init__(data)
        self.where = where

    def _check(self):
        if self.tell() >= self.where:
            raise OSError(5, "Input/output error")

    def read(self, size=-1):
        self._check()
        data = super().read(size)
        self._check()
        return data

    def readinto(self, buffer):
        self._check()
        return super().readinto(buffer)


def _source(form, path, data, where, opened):
    if form == "path":
        return str(path)
    if form == "bytes":
        return data
    if form == "file":
        return opened.enter_context(open(path, "rb"))
    if form == "failing stream":
        return FailingStream(data, where)
    if form == "pipe":
        reading, writing = os.pipe()
        threading.Thread(target=_pour, args=(writing, data), daemon=True).start()
        return opened.enter_context(open(reading, "rb"))
    return io.BytesIO(data)


def _pour(writing, data):
    with contextlib.suppress(BrokenPipeError), open(writing, "wb") as file:
        file.write(data)
