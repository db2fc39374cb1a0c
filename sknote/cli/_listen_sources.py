"""Where sound that is listened to comes from: a microphone, a file, standard input."""

import contextlib
import os
import stat
import struct
import sys

import numpy as np

from sknote.audio import heard
from sknote.audio._bounds import HIGHEST_RATE, LOWEST_RATE, MOST_CHANNELS
from sknote.cli._main import WrongCommandError, say
from sknote.exceptions import AudioDecodeError

_CHUNK = 0.01  # seconds
_WAITING = 5.0  # seconds of sound that may wait to be heard
_GONE = 2.0  # seconds without a chunk, after which a device has vanished
_RAW = {"int16": "<i2", "float32": "<f4"}
_UNKNOWN = "no readable sound file"
# WAV's numbers for how samples are written, and their type by bytes
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_TYPES = {(_PCM, 1): "u1", (_PCM, 2): "<i2", (_PCM, 3): "u1", (_PCM, 4): "<i4"}
_TYPES |= {(_FLOAT, 4): "<f4", (_FLOAT, 8): "<f8"}


def source_of(options):
    """Return a context that gives a sample rate and an iterable of chunks."""
    if wrong := _wrong(options):
        raise WrongCommandError(f"listen: {wrong}.")
    if options.source is None:
        return microphone(options.device, options.rate)
    if options.source == "-":
        return standard_input(sys.stdin.buffer, options.raw, options.rate, options.channels or 1)
    if not os.path.exists(options.source):
        raise FileNotFoundError(f"listen: there is no file {options.source!r}.")
    if os.path.isdir(options.source):
        raise IsADirectoryError(f"listen: {options.source!r} is a folder. Name one recording.")
    return file(options.source, options.raw, options.rate, options.channels or 1)


def _wrong(options):
    """Say which options are of another source; None if they fit."""
    if options.device is not None and options.source is not None:
        return f"--device is of a microphone, got the source {options.source!r}. Leave one out"
    if options.raw and options.source is None:
        return "--raw is of a source, got none. Pass a file, or - for standard input"
    if options.raw and options.rate is None:
        return f"samples alone have no rate. Pass --rate with --raw {options.raw}"
    if options.channels is not None and not options.raw:
        return "--channels is of --raw; a sound file says itself how many it has. Leave it out"
    return None


@contextlib.contextmanager
def microphone(device, rate):
    """Listen to a device of the system; what it gives waits in a queue, which is bounded."""
    from sknote._optional import import_optional
    from sknote.deploy import SampleQueue

    purpose = "listen: a microphone"
    try:
        sounddevice = import_optional("sounddevice", extra="live", purpose=purpose)
    except OSError as error:  # the package is there, and what it calls is not
        raise RuntimeError(
            f"{purpose} needs the system's library PortAudio ({error}). On Debian: "
            "apt install libportaudio2"
        ) from error
    n_overflows, stream = 0, None
    try:
        about = sounddevice.query_devices(device, "input")
        rate = int(rate or about["default_samplerate"])
        waiting = SampleQueue(round(_WAITING * rate), timeout=_GONE)

        def take(samples, n_frames, time, status):
            nonlocal n_overflows
            n_overflows += bool(status.input_overflow)
            waiting.put(samples[:, 0])

        stream = sounddevice.InputStream(
            samplerate=rate,
            blocksize=round(_CHUNK * rate),
            device=device,
            channels=1,
            dtype="float32",
            latency="low",
            callback=take,
            finished_callback=waiting.close,
        )
        stream.start()
    except (sounddevice.PortAudioError, ValueError) as error:
        if stream is not None:
            stream.close()
        raise RuntimeError(
            f"listen: the microphone cannot be opened: {error}. `python -m sounddevice` lists the "
            "devices; pass one of them as --device, and a rate that it has as --rate."
        ) from error
    say(f"listening to {about['name']} at {rate} Hz; Ctrl-C ends it")
    try:
        yield rate, _Gone(waiting, about["name"])
    finally:
        with contextlib.suppress(sounddevice.PortAudioError):
            stream.close()
        if waiting.n_dropped:
            say(f"{waiting.n_dropped / rate:.2f} s of sound were dropped: this machine is too slow")
        if n_overflows:
            say(f"the sound card lost sound {n_overflows} times; times after that are too early")


class _Gone:
    """Chunks of a device, whose end is an error: it ends by Ctrl-C, and not by itself."""

    def __init__(self, waiting, name):
        self._waiting, self._name = waiting, name

    @property
    def n_waiting(self):
        return self._waiting.n_waiting

    def __iter__(self):
        with contextlib.suppress(TimeoutError):
            yield from self._waiting
        raise OSError(f"listen: {self._name} gives no more sound. Is it still plugged in?")


@contextlib.contextmanager
def file(path, raw, rate, n_channels):
    """Read a file from its beginning to its end, as if it were heard."""
    if stat.S_ISFIFO(os.stat(path).st_mode):
        say(f"listening to the pipe {path}, once a program writes to it; Ctrl-C ends it")
        with (
            open(path, "rb") as stream,
            standard_input(stream, raw, rate, n_channels) as found,
        ):
            yield found
        return
    if raw:
        from sknote.deploy._kinds import other_kind

        if (kind := other_kind(path)) is not None:
            say(f"listen: {path} begins as {kind[0]} does, and --raw takes all of it for samples")
        with open(path, "rb") as stream:
            yield rate, _samples(stream, _RAW[raw], n_channels, rate)
        return
    remarks = []
    with _told_of(path):
        found, blocks = heard(path, remarks)
    with contextlib.closing(blocks):
        _refuse_rate(rate, found)
        yield found, _heard_chunks(path, blocks, round(10 * _CHUNK * found), remarks)


@contextlib.contextmanager
def _told_of(path):
    try:
        yield
    except AudioDecodeError as error:
        remedy = " If it holds samples alone, pass --raw." if _UNKNOWN in str(error) else ""
        raise ValueError(f"listen: {path!r} cannot be read: {error}.{remedy}") from error


def _heard_chunks(path, blocks, size, remarks):
    """Yield chunks of a file, and say at its end what is odd about it."""
    with _told_of(path):
        for block in blocks:
            yield from (block[start : start + size] for start in range(0, len(block), size))
    for remark in remarks:
        say(f"{path}: {remark}")


@contextlib.contextmanager
def standard_input(stream, raw, rate, n_channels):
    """Hear what another program writes into a pipe: WAV, or samples alone."""
    if raw:
        yield rate, _samples(stream, _RAW[raw], n_channels, rate)
        return
    kind, n_channels, found, n_bytes = _read_header(stream)
    _refuse_rate(rate, found)
    chunks = _samples(stream, _TYPES[kind], n_channels, found, n_bytes, is_24_bit=kind[1] == 3)
    yield found, chunks


def _refuse_rate(stated, found):
    if stated not in (None, found):
        raise ValueError(
            f"listen: expected {stated} Hz, got {found} Hz by its header. Leave out --rate."
        )


def _samples(stream, dtype, n_channels, rate, n_bytes=None, is_24_bit=False):
    """Return chunks as they come, each of whole frames, until the stream or its data ends."""
    if not 1 <= n_channels <= MOST_CHANNELS:
        raise ValueError(f"listen: expected 1 to {MOST_CHANNELS} channels, got {n_channels}.")
    return _chunks(stream, dtype, n_channels, rate, n_bytes, is_24_bit)


def _chunks(stream, dtype, n_channels, rate, n_bytes, is_24_bit):
    width = 3 if is_24_bit else np.dtype(dtype).itemsize
    size, left = width * n_channels, b""
    while n_bytes is None or n_bytes > 0:
        wanted = size * round(_CHUNK * rate) - len(left)
        read = stream.read1(wanted if n_bytes is None else min(wanted, n_bytes))
        if not read:
            break
        if n_bytes is not None:
            n_bytes -= len(read)
        left += read
        whole, left = left[: len(left) // size * size], left[len(left) // size * size :]
        if is_24_bit:  # as the upper bytes of 32
            bytes_of = np.frombuffer(whole, np.uint8).reshape(-1, 3)
            wide = np.zeros((len(bytes_of), 4), np.uint8)
            wide[:, 1:] = bytes_of
            samples = wide.view("<i4").ravel()
        else:
            samples = np.frombuffer(whole, dtype)
        yield samples.reshape(-1, n_channels)
    if n_bytes:
        _say_missing(n_bytes / (size * rate))
    elif left:
        say(f"the sound ends within a frame: {len(left)} of {size} bytes are left out")


def _say_missing(seconds):
    say(f"the sound ends {seconds:.3f} s before its header says; it is probably cut off")


def _read_header(stream):
    """Read a WAV file up to its samples; returns kind and bytes of one, channels, rate, bytes."""
    if (found := stream.read(12))[:4] != b"RIFF" or found[8:] != b"WAVE":
        from sknote.deploy._kinds import SOUND

        expected = "listen: expected WAV on standard input, or in a pipe"
        if not found:
            raise ValueError(f"{expected}, got nothing.")
        if SOUND.beginning.match(found):
            raise ValueError(f"{expected}, got another format. Name the file, or decode it first.")
        raise ValueError(
            f"{expected}. Pass --raw int16 or --raw float32, and --rate, if it is samples alone."
        )
    about = None
    while len(head := stream.read(8)) == 8:
        name, size = head[:4], struct.unpack("<I", head[4:])[0]
        if name == b"data":
            break
        body = stream.read(min(size + size % 2, 1 << 16))
        if name == b"fmt " and len(body) >= 16:
            kind, n_channels, rate, _, frame, bits = struct.unpack("<HHIIHH", body[:16])
            if kind == _EXTENSIBLE and len(body) >= 26:
                kind = struct.unpack("<H", body[24:26])[0]
            about = (kind, bits // 8), n_channels, rate
            if (kind, bits // 8) not in _TYPES or frame != n_channels * bits // 8:
                raise ValueError(
                    f"listen: expected WAV of plain samples, got kind {kind} of {bits} bits in "
                    f"{n_channels} channels."
                )
    else:
        raise ValueError("listen: the WAV file ends before its samples.")
    if about is None:
        raise ValueError("listen: the WAV file does not say how its samples are written.")
    if not LOWEST_RATE <= about[2] <= HIGHEST_RATE:
        raise ValueError(
            f"listen: expected {LOWEST_RATE} to {HIGHEST_RATE} Hz, got {about[2]} Hz by its header."
        )
    # programs that do not know how long it will be write 0 or about the largest number
    return *about, None if size == 0 or size >= 0x7FFFFF00 else size
