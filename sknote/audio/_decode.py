"""From a file, bytes or an array to a mono float32 waveform."""

import contextlib
import io
import os
import struct
import warnings
from pathlib import Path

import numpy as np

from sknote.exceptions import AudioDecodeError, AudioDecodeWarning


def decode(source, *, sample_rate, offset=0.0, max_duration=None, remarks=None):
    """Read a recording as a mono float32 waveform, the mean of its channels, at `sample_rate` Hz.

    `source` is a path, bytes or a binary file object of any format that libsndfile reads; the
    contents decide what it is, not the name. A file object is read from its present position, which
    is restored. At most `max_duration` seconds are read, from `offset` seconds on.

    What is missing, is no sound, holds no sound, or ends before `offset` is an AudioDecodeError. If
    the header promises more sound than the file holds, that is an AudioDecodeWarning, or an entry
    of the list `remarks` if there is one (warnings are not thread-safe).
    """
    import soundfile

    handle, position = _open(source)
    try:
        promised = _promised_frames(handle)
        with _sound_file(handle) as file:
            rate, held = file.samplerate, file.frames
            start = round(offset * rate)
            if held == 0:
                raise AudioDecodeError("it holds no sound (0 samples)")
            if start and start >= held:
                raise AudioDecodeError(
                    f"offset={offset} s lies beyond its end ({held / rate:.3f} s)"
                )
            expected = held - start
            if max_duration is not None:
                expected = min(max(1, round(max_duration * rate)), expected)
            samples = _read(file, start, expected)
            if file.format == "MP3":
                expected = 0  # the length of an MP3 is an estimate from its bit rate
    except soundfile.LibsndfileError as error:
        raise AudioDecodeError(f"it is no readable sound file: {error.error_string}") from error
    finally:
        if position is None:
            handle.close()
        else:
            handle.seek(position)
    if len(samples) == 0:
        raise AudioDecodeError("it holds no sound (0 samples)")
    if len(samples) < expected:
        promised = max(promised or 0, held)
        held = start + len(samples)
    if promised is not None and promised > held:
        _remark(
            remarks,
            f"the header promises {promised / rate:.3f} s of sound, there are only "
            f"{held / rate:.3f} s; the file is probably truncated",
        )
    if not np.isfinite(samples).all():
        raise AudioDecodeError("it contains NaN or infinity")
    return resample(to_mono(samples), rate, sample_rate)


def from_array(array, *, input_rate, sample_rate, offset=0.0, max_duration=None, remarks=None):
    """Turn an array of samples into a waveform, as :func:`decode` does for a file.

    Its shape is (n_samples,), (n_samples, n_channels) or (n_channels, n_samples), and its rate
    `input_rate` Hz. Floats are kept as they are; integers are divided by their type's full scale
    (8-bit unsigned ones are centred first).
    """
    array = np.asarray(array)
    if array.dtype.kind not in "fiu" or array.ndim not in (1, 2):
        raise AudioDecodeError(
            f"expected a numeric array of 1 or 2 dimensions, got shape {array.shape} "
            f"and type {array.dtype}"
        )
    if array.dtype.kind == "f" and not (np.abs(array) <= _LARGEST).all():
        raise AudioDecodeError("it contains NaN or infinity")
    if array.size == 0:
        array = array.reshape(0)
    elif array.ndim == 2 and array.shape[0] < array.shape[1]:
        array = array.T
    start = round(offset * input_rate)
    if start and start >= len(array):
        raise AudioDecodeError(
            f"offset={offset} s lies beyond its end ({len(array) / input_rate:.3f} s)"
        )
    stop = None if max_duration is None else start + max(1, round(max_duration * input_rate))
    return resample(to_mono(_scale(array[start:stop], remarks)), input_rate, sample_rate)


def to_mono(samples):
    """Average the channels of `samples`, shape (n_samples,) or (n_samples, n_channels)."""
    if samples.ndim == 1:
        return samples
    return samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1, dtype=np.float32)


def resample(waveform, input_rate, output_rate):
    """Change the sample rate of a waveform with soxr's "HQ" quality (rates in Hz)."""
    if input_rate == output_rate or len(waveform) == 0:
        return np.ascontiguousarray(waveform, dtype=np.float32)
    import soxr

    return soxr.resample(
        np.ascontiguousarray(waveform, dtype=np.float32), input_rate, output_rate, quality="HQ"
    )


def _remark(remarks, text):
    if remarks is None:
        warnings.warn(text, AudioDecodeWarning, stacklevel=3)
    else:
        remarks.append(text)


def _scale(array, remarks):
    if array.dtype.kind == "f":
        return array.astype(np.float32, copy=False)
    if array.dtype == np.int64:
        _remark(
            remarks,
            "a waveform of type int64 is divided by 2**63; if its samples are those of a 16- or "
            "32-bit recording, cast it to int16 or int32 first",
        )
    half = 2.0 ** (8 * array.dtype.itemsize - 1)
    centre = half if array.dtype.kind == "u" else 0.0
    return ((array - centre) / half).astype(np.float32)


def _sound_file(handle):
    """Open a binary file; one of the system by its descriptor, where it is libsndfile's as well.

    That spares a call of Python for every few bytes, which an MP3 decoder asks for one by one.
    """
    import soundfile

    if os.name == "posix" and type(handle) is io.FileIO:
        return soundfile.SoundFile(handle.fileno(), closefd=False)
    return soundfile.SoundFile(handle)


def _read(file, start, n_frames):
    """Read `n_frames` frames from `start` on, as floats."""
    if file.subtype != "PCM_16":
        return _read_as(file, start, n_frames, "float32")
    # libsndfile would make the same floats, one by one and several times as slowly
    return _read_as(file, start, n_frames, "int16") * np.float32(2.0**-15)


def _read_as(file, start, n_frames, dtype):
    """Read in one type; of a FLAC file that breaks off, what there is."""
    import soundfile

    options = {"dtype": dtype, "always_2d": True}
    if file.format == "MP3":  # after a seek its decoder misses what it needs from the frames before
        return file.read(start + n_frames, **options)[start:]
    if start:
        file.seek(start)
    try:
        return file.read(n_frames, **options)
    except soundfile.LibsndfileError:
        if file.format != "FLAC":
            raise
        blocks = []
        with contextlib.suppress(soundfile.LibsndfileError):
            file.seek(start)
            while n_frames > 0 and len(block := file.read(min(n_frames, 4096), **options)):
                blocks.append(block)
                n_frames -= len(block)
        if not blocks:
            raise
        return np.concatenate(blocks)


def _open(source):
    """Return a seekable binary file and the position to restore (None: close it afterwards)."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        if len(source) == 0:
            raise AudioDecodeError("it is empty (0 bytes)")
        return io.BytesIO(source), None
    if isinstance(source, io.TextIOBase):
        raise AudioDecodeError("expected a file object in binary mode, got one in text mode")
    if hasattr(source, "read"):
        if getattr(source, "closed", False):
            raise AudioDecodeError("the file object is closed")
        if hasattr(source, "readable") and not source.readable():
            raise AudioDecodeError("the file object is not open for reading")
        position = source.tell() if getattr(source, "seekable", lambda: False)() else None
        if position == 0:
            return source, 0
        contents = source.read()  # libsndfile counts from the beginning of the file
        if position is not None:
            source.seek(position)
        return _open(contents)
    if not isinstance(source, (str, os.PathLike)):
        raise AudioDecodeError(f"expected {_SOURCES}, got {type(source).__name__}")
    path = Path(source)
    if not path.exists():
        raise AudioDecodeError("there is no such file")
    if path.is_dir():
        raise AudioDecodeError("it is a directory, not a file")
    if path.stat().st_size == 0:
        raise AudioDecodeError("it is empty (0 bytes)")
    try:
        return path.open("rb", buffering=0), None
    except OSError as error:
        raise AudioDecodeError(f"it cannot be opened: {error.strerror}") from error


_LARGEST = np.finfo(np.float32).max
_SOURCES = "a path, bytes, a binary file object or an array"


def _promised_frames(file):
    """Frames that the header of a WAV or AIFF file promises, or None.

    libsndfile cuts the number down to what is there without a word, so the header is read here.
    """
    start = file.tell()
    try:
        head = file.read(12)
        if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
            return _promised_by_wav(file)
        if head[:4] == b"FORM" and head[8:11] == b"AIF":
            return _promised_by_aiff(file)
        return None
    finally:
        file.seek(start)


def _promised_by_wav(file):
    """The size of the chunk ``data`` over the bytes of a frame, which the chunk ``fmt`` tells."""
    frame = 0
    for kind, size in _chunks(file, "<4sI"):
        if kind == b"data":
            # streams that were never finished carry a size of 0 or of all ones
            known = frame and 0 < size < 0x7FFFFF00
            return size // frame if known else None
        if kind == b"fmt " and len(fmt := file.read(16)) == 16:
            _, channels, _, _, block, bits = struct.unpack("<HHIIHH", fmt)
            frame = block if 8 * block == channels * bits else 0  # else blocks are compressed
    return None


def _promised_by_aiff(file):
    for kind, _ in _chunks(file, ">4sI"):
        if kind == b"COMM" and len(common := file.read(6)) == 6:
            return struct.unpack(">HI", common)[1] or None
    return None


def _chunks(file, layout):
    """Walk over the chunks of a file; yield (kind, size) with the file at each one's contents."""
    while len(header := file.read(8)) == 8:
        kind, size = struct.unpack(layout, header)
        here = file.tell()
        yield kind, size
        file.seek(here + size + size % 2)
