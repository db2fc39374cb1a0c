"""Reading with PyAV what libsndfile does not know: what phones and browsers record.

A container is known by its first bytes, and FFmpeg is told which it is: it shall guess nothing, and
open no decoder of pictures.
"""

import functools
import itertools
from typing import NamedTuple

import numpy as np

from sknote._optional import import_optional
from sknote.audio._bounds import MOST_CHANNELS
from sknote.audio._containers import asf_seconds
from sknote.audio._reading import UNKNOWN, Sound, frames_in
from sknote.audio._samples import check_rate, to_float
from sknote.audio._source import View, check_reading, size_of
from sknote.audio._streams import after_id3
from sknote.exceptions import AudioDecodeError


class Kind(NamedTuple):
    """A container: what it is called, FFmpeg's name for it, and how well it knows its length.

    `slack` is by how many seconds the length in its header may be wrong: 0 where padding at the end
    is to be cut off by it, None where there is none in the header, and FFmpeg guesses.
    """

    name: str
    format: str
    slack: float | None = None


_MP4 = Kind("an MP4 or QuickTime file (.m4a, .mp4, .mov, .3gp)", "mov", 0.0)
_ASF = Kind("a Windows Media file (.wma)", "asf", 0.2)  # its decoder makes less of a few frames
# encodings in a CAF file, of which libsndfile reads some of "alac"
_IN_CAF = (b"aac ", b"aach", b"aacp", b"alac", b"opus", b"ima4", b"flac", b".mp1", b".mp2", b".mp3")
_KINDS = (  # where bytes stand, which, and what has them
    (4, (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"), _MP4),
    # in milliseconds, and with what its decoder skips
    (0, (b"\x1aE\xdf\xa3",), Kind("a WebM or Matroska file (.webm, .mka)", "matroska", 0.1)),
    (0, (b"#!AMR\n", b"#!AMR-WB\n"), Kind("an AMR file (.amr)", "amr")),
    (0, (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",), _ASF),
    (0, (b"wvpk",), Kind("a WavPack file (.wv)", "wv", 0.0)),
    (0, (b"TTA1",), Kind("a True Audio file (.tta)", "tta", 0.0)),
    (8, (b"AVI ",), Kind("an AVI file (.avi)", "avi")),
    (0, (b"FLV\1",), Kind("a Flash video (.flv)", "flv", 0.1)),
    (28, _IN_CAF, Kind("a CAF file (.caf)", "caf")),
    # of which libsndfile refuses some
    (28, (b"OpusHead", b"\x7fFLAC", b"Speex   "), Kind("an Ogg file (.opus, .oga, .spx)", "ogg")),
)
_BEGIN = {"caf": b"caff", "ogg": b"OggS"}  # of those whose mark says too little
_ADTS = Kind("an AAC stream (.aac)", "aac")

# Whose length is that of the file, and of no track; by how many seconds it may be wrong if there
# are several.
_OF_FILE = ("asf", "flv", "matroska")
_OTHER_TRACK = 1.0

# Channels up to which PyAV counts the planes of a frame rightly: with more it reads on in memory.
_MOST_PLANES = 7

# Whose packets have checksums, by which damage is known that can be decoded.
_HASHED = ("flac", "tta", "wavpack")

# Seconds by which a length that is known may be too long, because it is rounded.
_ROUNDING = 0.025


def kind_of(file):
    """Return what a file is that libsndfile does not read and PyAV may; None if it is neither."""
    file.seek(after_id3(file))
    head = bytes(file.read(36))
    for at, marks, kind in _KINDS:
        begins = head.startswith(_BEGIN.get(kind.format, b""))
        if begins and any(head[at : at + len(mark)] == mark for mark in marks):
            return kind
    is_adts = len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0
    return _ADTS if is_adts else None


def reading_with_av(file, kind, offset, max_duration, *, output_rate):
    """Read `max_duration` seconds (None: all) from `offset` seconds on of the first audio track.

    This is a generator, as :func:`~sknote.audio._reading.reading` is. What is before the sound
    because of the encoder, and behind it, is cut off where the file says how much that is. As after
    a seek a decoder may differ, all that is before is decoded as well.
    """
    try:
        av = import_optional("av", extra="av", purpose=f"it is {kind.name}, and reading it")
    except ImportError as error:
        raise AudioDecodeError(str(error)) from error
    view = file if isinstance(file, View) else View(file)
    stated = asf_seconds(view, size_of(view)) if kind is _ASF else None
    view.seek(0)
    options = {"codec_whitelist": _audio_decoders()}
    try:
        with av.open(
            view, "r", format=kind.format, options=options, metadata_errors="replace"
        ) as container:
            track = _first_track(container, kind)
            length = _promised(container, track, kind, stated)
            part = (offset, max_duration)
            return (yield from _reading(container, track, kind, part, length, output_rate))
    except av.FFmpegError as error:
        raise _unreadable(kind, error.strerror) from error
    finally:
        check_reading(view)


@functools.cache
def _audio_decoders():
    from av.codec import Codec, codecs_available
    from av.codec.codec import UnknownCodecError

    names = []
    for name in sorted(codecs_available):
        try:
            if Codec(name).type == "audio":
                names.append(name)
        except UnknownCodecError:  # it only encodes
            continue
    return ",".join(names)


def _first_track(container, kind):
    """Return the audio track that is marked as default, else the first; no other is read."""
    from av.stream import Discard, Disposition

    tracks = container.streams.audio
    if not tracks:
        raise AudioDecodeError(f"it is {kind.name} without an audio track")
    track = next((one for one in tracks if one.disposition & Disposition.default), tracks[0])
    if track.codec_context is None:
        raise AudioDecodeError(f"it is {kind.name} with sound of a codec that FFmpeg does not know")
    for other in container.streams:
        if other is not track:
            other.discard = Discard.all
    if track.codec_context.name in _HASHED:
        track.codec_context.options = {"err_detect": "crccheck+explode"}
    return track


def _unreadable(kind, reason):
    return AudioDecodeError(f"it is {kind.name}, but damaged or truncated: {reason}")


def _reading(container, track, kind, part, length, output_rate):
    errors = []
    frames = _frames(container, track, errors)
    first = next(frames, None)
    if first is None:
        if errors:
            raise _unreadable(kind, errors[0])
        raise AudioDecodeError("it holds no sound (0 samples)")
    rate = first.sample_rate  # a header may say half of it
    check_rate(rate, output_rate)
    (offset, max_duration), (promised, slack) = part, length
    wanted = UNKNOWN if max_duration is None else max(1, frames_in(max_duration, rate))
    sound = Sound(
        rate=rate,
        channels=first.layout.nb_channels,
        format=kind.format,
        subtype=track.codec_context.name,
        claimed=frames_in(promised, rate),
        start=frames_in(offset, rate),
        wanted=wanted,
    )
    if slack == 0 and sound.claimed:
        sound.sure = sound.claimed
    yield from _filling(sound, itertools.chain([first], frames), slack, errors)
    sound.error = errors[0] if errors else ""
    return sound


def _promised(container, track, kind, stated):
    """Return how many seconds the header says there are, without padding, and by how many it errs.

    The former are 0 if it does not say. `stated` is what it says if FFmpeg does not tell.
    """
    seconds, slack = stated, kind.slack
    if kind.format in _OF_FILE:
        # if FFmpeg has a length of the track, it is a guess by the bit rate, as is that of the file
        if kind is not _ASF and container.duration is not None and track.duration is None:
            seconds = container.duration / 1e6
        if len(container.streams) > 1:
            slack = max(slack, _OTHER_TRACK)
    elif kind.slack is not None and track.duration is not None:
        seconds = float(track.duration * track.time_base)
    return max(0.0, seconds or 0.0), slack


def _frames(container, track, errors):
    """Yield what is decoded of a track until it ends; or is damaged, which is added to `errors`."""
    from av import FFmpegError

    rate = None
    try:
        for packet in container.demux(track):
            if packet.is_corrupt:
                errors.append("the file ends within a packet")
                return
            for frame in packet.decode():
                if frame.layout.nb_channels > MOST_CHANNELS:
                    raise AudioDecodeError(
                        f"expected at most {MOST_CHANNELS} channels, it has "
                        f"{frame.layout.nb_channels}"
                    )
                if (rate := rate or frame.sample_rate) != frame.sample_rate:
                    errors.append(f"its sample rate changes to {frame.sample_rate} Hz")
                    return
                yield frame
    except FFmpegError as error:
        errors.append(error.strerror)


def _filling(sound, frames, slack, errors):
    """Keep what was asked for of all frames, without padding at the end; yield it on the way."""
    stop, at, longest = sound.start + sound.wanted, 0, 0
    for frame in frames:
        if at + frame.samples > sound.start and at < stop:
            samples, is_bounded = _samples(frame)
            kept = samples[max(0, sound.start - at) : stop - at]
            sound.blocks.append(sound.mixer.mix(kept, is_bounded=is_bounded))
            yield sound
        at += frame.samples
        longest = max(longest, frame.samples)
        # beyond what is promised, a little more is decoded to see whether it is padding
        is_near_end = 0 < sound.claimed < stop and at <= sound.claimed + 2 * longest
        if at >= stop and not is_near_end:
            break
    else:
        if not errors and sound.claimed:
            surplus = at - sound.claimed
            if slack == 0 and 0 < surplus <= 2 * longest:
                sound.cut(sound.start + sound.length - sound.claimed)
                at = sound.claimed
            elif 0 < -surplus <= max(slack, _ROUNDING) * sound.rate:
                sound.claimed = at
    sound.skipped = min(at, sound.start)


def _samples(frame):
    """Return float32 samples of shape (n_frames, n_channels), and whether they were integers."""
    if frame.format.is_planar and frame.layout.nb_channels > _MOST_PLANES:
        frame = _packed(frame)
    array = frame.to_ndarray()
    array = array.T if frame.format.is_planar else array.reshape(-1, frame.layout.nb_channels)
    with np.errstate(over="ignore"):
        return to_float(array), array.dtype.kind != "f"


def _packed(frame):
    """Return a frame with the same samples, those of all channels in a single plane."""
    from av import AudioResampler

    (packed,) = AudioResampler(format=frame.format.packed).resample(frame)
    return packed
