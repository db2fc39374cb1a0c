"""From a file, or bytes, to a mono float32 waveform."""

import contextlib
import functools

from sknote.audio._av import kind_of, reading_with_av
from sknote.audio._containers import avi_flaw, extent_of
from sknote.audio._counts import count_in, head_of, htk_comes, htk_flaw, patches_of, voc_end
from sknote.audio._errors import TOO_SHORT, as_decode_error, remark
from sknote.audio._flac import flac_flaw, flac_total
from sknote.audio._likeness import EXPECTED, in_brackets, likeness_of, may_begin_later, text_in
from sknote.audio._mpeg import MpegFrames
from sknote.audio._reading import UNKNOWN, finish, reading
from sknote.audio._samples import resample
from sknote.audio._source import Incoming, View, check_reading, opened, size_of
from sknote.audio._streams import ogg_flaw
from sknote.exceptions import AudioDecodeError

# Bytes of a sample, where they tell the size of a frame.
_BYTES = {"PCM_S8": 1, "PCM_U8": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4}
_BYTES |= {"FLOAT": 4, "DOUBLE": 8, "ULAW": 1, "ALAW": 1}

# How much larger a file is said to be than it is, so that the estimate of its length is too long:
# more than the largest bit rate of MPEG audio over the smallest.
_LARGER = 64

# Seconds that must have come of a stream beyond what is asked for: what comes last of a file that
# breaks off may be damaged.
_SPARE = 1.0

# Bytes behind the last frame of MP3 that tell that it is the last; and more than headers have.
_BEHIND = 1 << 14

# Seconds from which on a length is said in hours.
_LONG = 100_000

# Bytes of a frame of FLAC: of the longest, with the most channels and bits.
_LARGEST_FRAME = 1 << 21


def decode(source, *, sample_rate, offset=0.0, max_duration=None, remarks=None):
    """Read a recording as a mono float32 waveform, the mean of its channels, at `sample_rate` Hz.

    `source` is a path, bytes or a binary file object of any format that libsndfile reads, or else
    PyAV; the contents decide what it is, not the name. A file object is read from its present
    position, which is restored. At most `max_duration` seconds are read, from `offset` seconds on,
    in blocks: the memory is in proportion to what is asked for, whatever a header says. A stream
    that cannot be sought in is kept in memory: as much of it as `max_duration` takes, where its
    format allows that, else all of it; it is waited for if its other end stays open.

    Whatever is wrong is an AudioDecodeError: the recording is missing, is no sound, holds none,
    ends before `offset`, or goes beyond the bounds of what sound can be (NaN, samples of 1e30, a
    rate of 1 Hz). What is odd is an AudioDecodeWarning, or an entry of the list `remarks` if there
    is one (warnings are not thread-safe): less sound than the header promises, samples far above
    full scale, channels that cancel each other, or of which only one sounds.
    """
    said = []
    with opened_to_decode(source) as file:
        part = (offset, max_duration)
        if type(file) is Incoming:
            _take_in(file, part, sample_rate)
        waveform = _decode(file, part, sample_rate, said)
    for text in said:
        remark(remarks, text)
    return waveform


@contextlib.contextmanager
def opened_to_decode(source):
    """Open a recording, and say of what goes wrong with it what it is."""
    import soundfile

    with as_decode_error(), opened(source) as file:
        try:
            yield file
        except (soundfile.LibsndfileError, AudioDecodeError) as error:
            check_reading(file)
            if isinstance(error, AudioDecodeError):
                raise
            looks = likeness_of(file, size_of(file), error.error_string.rstrip("."))
            raise AudioDecodeError(f"it is no readable sound file: {looks}") from error
        check_reading(file)


def _take_in(stream, part, sample_rate):
    """Read a stream as far as a part of it takes, or to its end, or until it proves no sound."""
    import soundfile

    offset, max_duration = part
    before = None
    while stream.grow():
        try:
            sound = _come(stream, offset + (max_duration or 0.0), sample_rate)
        except (soundfile.LibsndfileError, AudioDecodeError):
            return  # it is met again, unless it lies behind what is asked for
        if sound is None or max_duration is None:
            continue
        if sound.length >= sound.wanted or _is_all(stream, sound, before):
            return
        before = sound.end


def _come(stream, seconds, sample_rate):
    """Read what has come of a stream from `seconds` on; None if it is no sound yet, but may be."""
    import soundfile

    try:
        return finish(reading_all(stream, (seconds, _SPARE), sample_rate))[0]
    except (soundfile.LibsndfileError, AudioDecodeError) as error:
        may_begin = isinstance(error, soundfile.LibsndfileError) and may_begin_later(stream)
        if may_begin or kind_of(stream):  # whose index may come last
            return None
        if htk_comes(head_of(stream), size_of(stream)):
            return None
        raise


def _is_all(stream, sound, before):
    """Tell whether all that is sound has come of a stream, whatever follows.

    `before` is where it ended when half as much had come. `sound` was read beyond what is asked
    for, so that it may have skipped all there is.
    """
    size = size_of(stream)
    if extent := extent_of(stream, size):
        return extent.is_promise and extent.size <= extent.there
    if sound.format == "MP3":
        return size - MpegFrames(stream).end() > _BEHIND
    if sound.format in ("FLAC", "OGG"):
        return size >= 2 * _LARGEST_FRAME and 0 < sound.end == before
    counted = sound.counted or UNKNOWN
    return size > _BEHIND + 8 * sound.channels * counted  # in no encoding are they larger


def _decode(file, part, sample_rate, said):
    """Decode a part of a file, and say in a list what is odd about it."""
    is_whole = type(file) is not Incoming or file.is_whole
    sound, missing, flaw = finish(reading_all(file, part, sample_rate))
    said += what_is_odd(sound, part[0], missing, flaw, is_whole=is_whole)
    waveform = resample(sound.take_waveform(), sound.rate, sample_rate)
    if len(waveform) == 0:
        said.append(TOO_SHORT.format(sample_rate))
    return waveform


def what_is_odd(sound, offset, missing, flaw, *, is_whole=True):
    """Return what is to be said of sound that was read from `offset` seconds on; refuse none."""
    if sound.length == 0:
        raise AudioDecodeError(_why_nothing(sound, offset, flaw))
    said = [missing, flaw] if is_whole else []
    return [*filter(None, said), *sound.mixer.remarks()]


def reading_all(file, part, sample_rate):
    """Read a part of a file; return what was read, how much is missing, and a flaw of the file.

    This is a generator, as :func:`~sknote.audio._reading.reading` is. It may begin anew, with
    another sound, if it finds more than at first.
    """
    import soundfile

    size = size_of(file)
    extent = extent_of(file, size)
    promised = count_of = end = flaw = None
    if extent:
        patches, end = extent.patches(), extent.end
    else:
        promised, patches = flac_total(file)
        if patches is None:
            head = head_of(file)
            if text := text_in(head):  # whose mark is the beginning of a frame of MPEG audio, too
                raise AudioDecodeError(f"it is no readable sound file: {EXPECTED}, got {text}")
            patches, count_of = patches_of(head, size), functools.partial(count_in, head)
            end, flaw = voc_end(file, head, size)
            if text := htk_flaw(head, size):
                raise AudioDecodeError(f"it is no readable sound file: {text}")
    view = View(file, size=end, patches=patches) if patches or end else file
    options = {"output_rate": sample_rate, "hint": promised, "count_of": count_of}
    try:
        sound = yield from reading(view, *part, **options)
    except soundfile.LibsndfileError:
        if kind := kind_of(file):
            sound = yield from reading_with_av(file, kind, *part, output_rate=sample_rate)
        elif (frames := MpegFrames(file)).tagged:
            # it may promise less than the encoder's delay, of which no file can be made
            view = View(file, patches=frames.patches())
            sound = yield from reading(view, *part, output_rate=sample_rate)
        else:
            raise
    if sound.format == "MP3":
        sound, promised = yield from _all_of_mpeg(file, size, sound, part, sample_rate)
    elif promised is None:
        promised = sound.counted or sound.claimed
    else:  # of FLAC, which was made to promise none
        sound.claimed = promised
    if sound.format in ("OGG", "ogg"):
        flaw = ogg_flaw(file)
    odd = avi_flaw(file, size) if sound.format == "avi" else None
    odd = odd or _what_is_missing(extent, promised, sound) or _what_lies_behind(extent, sound)
    if sound.format == "FLAC" and promised is not None and not odd:
        flaw = flac_flaw(file, view, sound, promised)
    return sound, odd, flaw


def _all_of_mpeg(file, size, sound, part, sample_rate):
    """Return all that was asked for of an MP3 file, and the frames that its tag promises, if any.

    Where reading ended because of an estimate, or of what the tag says, and there are more frames,
    it is done again; that is seldom, since tags tell the truth and estimates are too long.
    """
    frames = MpegFrames(file)
    promised = sound.claimed if frames.is_promise else None
    if sound.error and sound.length < min(sound.wanted, sound.claimed - sound.start):
        # a block of which a part is damaged is lost as a whole, unless the file ends there
        view = View(file, size=frames.end())
        intact = yield from reading(view, *part, output_rate=sample_rate)
        if intact.length > sound.length:
            intact.error = sound.error
            return intact, promised
    if sound.start + sound.wanted <= sound.claimed or sound.end < sound.claimed:
        return sound, promised
    if frames.tagged and frames.count() > frames.tagged[0]:
        view = View(file, patches=frames.patches())
    elif not frames.tagged and frames.count() * frames.samples_per_frame > sound.claimed:
        view = View(file, size=_LARGER * size)
    else:
        return sound, promised
    return (yield from reading(view, *part, output_rate=sample_rate)), None


def _why_nothing(sound, offset, flaw):
    if sound.start and sound.end:
        return f"offset={offset} s lies beyond its end ({sound.end / sound.rate:.3f} s)"
    if sound.error:
        though = f", though its header promises {_time(sound.claimed, sound)}"
        return (
            f"none of its sound can be decoded{in_brackets(sound.error)}"
            f"{though if sound.claimed else ''}. It is damaged: copy or export it again"
        )
    return "it holds no sound (0 samples)" + (f": {flaw}" if flaw else "")


def _what_is_missing(extent, promised, sound):
    """Say how much less there is than the header promises; None if nothing is missing."""
    held = sound.end
    if extent is not None and extent.is_promise and extent.size > extent.there:
        if sound.length == min(sound.wanted, sound.claimed - sound.start):
            held = sound.claimed
        frame = _BYTES.get(sound.subtype, 0) * sound.channels
        promised = extent.size // frame if frame else held * extent.size // extent.there
    elif not promised:
        if not sound.error or sound.length >= sound.wanted:
            return _what_is_cut(extent, sound)
        return f"it cannot be decoded after {held / sound.rate:.3f} s; it is probably damaged"
    elif sound.length >= min(sound.wanted, promised - sound.start):
        return _what_is_cut(extent, sound)
    return (
        f"the header promises {_time(promised, sound)} of sound, there are only "
        f"{held / sound.rate:.3f} s; the file is probably "
        + ("truncated, or damaged there" if sound.error else "truncated")
    )


def _what_is_cut(extent, sound):
    """Say that the last block of bytes is not whole, which is made up or left out; or None."""
    rest = extent.cut_block(sound.end) if extent is not None and sound.end >= sound.claimed else 0
    if not rest:
        return None
    return (
        f"the last block of {extent.block} bytes is cut off after {rest}, at about "
        f"{sound.end / sound.rate:.3f} s; the file is probably truncated"
    )


def _what_lies_behind(extent, sound):
    """Say that so much lies behind the sound that its length may be wrong; None if it is less."""
    behind, claimed = sound.behind, sound.claimed
    if extent is not None and extent.is_promise:
        behind, claimed = extent.behind, extent.size
    if behind < max(1, claimed):
        return None
    return (
        f"the header promises {_time(sound.claimed, sound)} of sound, and more than as much "
        "again lies behind it, which is left out; if that is sound as well, the header is wrong"
    )


def _time(n_frames, sound):
    """Return how long so many frames last, in words: a header may say anything."""
    seconds = n_frames / sound.rate
    return f"{seconds:.3f} s" if seconds < _LONG else f"{seconds / 3600:,.0f} hours"
