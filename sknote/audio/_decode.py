"""From a file, or bytes, to a mono float32 waveform."""

from sknote.audio._av import kind_of, read_with_av
from sknote.audio._containers import extent_of
from sknote.audio._counts import count_of, patches_of
from sknote.audio._errors import TOO_SHORT, as_decode_error, remark
from sknote.audio._likeness import likeness_of
from sknote.audio._mpeg import MpegFrames
from sknote.audio._reading import read_sound
from sknote.audio._samples import resample
from sknote.audio._source import View, check_reading, opened, size_of
from sknote.audio._streams import flac_total, ogg_flaw
from sknote.exceptions import AudioDecodeError

# Bytes of a sample, where they tell the size of a frame.
_BYTES = {"PCM_S8": 1, "PCM_U8": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4}
_BYTES |= {"FLOAT": 4, "DOUBLE": 8, "ULAW": 1, "ALAW": 1}

# How much larger a file is said to be than it is, so that the estimate of its length is too long:
# more than the largest bit rate of MPEG audio over the smallest.
_LARGER = 64


def decode(source, *, sample_rate, offset=0.0, max_duration=None, remarks=None):
    """Read a recording as a mono float32 waveform, the mean of its channels, at `sample_rate` Hz.

    `source` is a path, bytes or a binary file object of any format that libsndfile reads, or else
    PyAV; the contents decide what it is, not the name. A file object is read from its present
    position, which is restored. At most `max_duration` seconds are read, from `offset` seconds on,
    in blocks: the memory is in proportion to what is asked for, whatever a header says.

    Whatever is wrong is an AudioDecodeError: the recording is missing, is no sound, holds none,
    ends before `offset`, or goes beyond the bounds of what sound can be (NaN, samples of 1e30, a
    rate of 1 Hz). What is odd is an AudioDecodeWarning, or an entry of the list `remarks` if there
    is one (warnings are not thread-safe): less sound than the header promises, samples far above
    full scale, channels that cancel each other, or of which only one sounds.
    """
    import soundfile

    said = []
    with as_decode_error(), opened(source) as file:
        try:
            waveform = _decode(file, (offset, max_duration), sample_rate, said)
        except (soundfile.LibsndfileError, AudioDecodeError) as error:
            check_reading(file)
            if isinstance(error, AudioDecodeError):
                raise
            looks = likeness_of(file, size_of(file), error.error_string.rstrip("."))
            raise AudioDecodeError(f"it is no readable sound file: {looks}") from error
        check_reading(file)
    for text in said:
        remark(remarks, text)
    return waveform


def _decode(file, part, sample_rate, said):
    import soundfile

    size = size_of(file)
    extent = extent_of(file, size)
    promised, patches = (None, extent.patches()) if extent else flac_total(file)
    patches = patches_of(file, size) if patches is None else patches
    view = View(file, patches=patches) if patches else file
    try:
        sound = read_sound(view, *part, output_rate=sample_rate, hint=promised)
    except soundfile.LibsndfileError:
        if kind := kind_of(file):
            sound = read_with_av(file, kind, *part, output_rate=sample_rate)
        elif (frames := MpegFrames(file)).tagged:
            # it may promise less than the encoder's delay, of which no file can be made
            view = View(file, patches=frames.patches())
            sound = read_sound(view, *part, output_rate=sample_rate)
        else:
            raise
    if sound.format == "MP3":
        sound, promised = _all_of_mpeg(file, size, sound, part, sample_rate)
    elif promised is None:
        promised = count_of(file, sound.format) or sound.claimed
    flaw = ogg_flaw(file) if sound.format == "OGG" else None
    if sound.length == 0:
        raise AudioDecodeError(_why_nothing(sound, part[0], flaw))
    said += filter(None, [_what_is_missing(extent, promised, sound), flaw])
    said += sound.mixer.remarks()
    waveform = resample(sound.take_waveform(), sound.rate, sample_rate)
    if len(waveform) == 0:
        said.append(TOO_SHORT.format(sample_rate))
    return waveform


def _all_of_mpeg(file, size, sound, part, sample_rate):
    """Return all that was asked for of an MP3 file, and the frames that its tag promises, if any.

    Where reading ended because of an estimate, or of what the tag says, and there are more frames,
    it is done again; that is seldom, since tags tell the truth and estimates are too long.
    """
    frames = MpegFrames(file)
    promised = sound.claimed if frames.is_promise else None
    if sound.start + sound.wanted <= sound.claimed or sound.end < sound.claimed:
        return sound, promised
    if frames.tagged and frames.count() > frames.tagged[0]:
        view = View(file, patches=frames.patches())
    elif not frames.tagged and frames.count() * frames.samples_per_frame > sound.claimed:
        view = View(file, size=_LARGER * size)
    else:
        return sound, promised
    return read_sound(view, *part, output_rate=sample_rate), None


def _why_nothing(sound, offset, flaw):
    if sound.start and sound.end:
        return f"offset={offset} s lies beyond its end ({sound.end / sound.rate:.3f} s)"
    if sound.error:
        return f"it is no readable sound file: {sound.error}"
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
            return None
        return f"it cannot be decoded after {held / sound.rate:.3f} s; it is probably damaged"
    elif sound.length >= min(sound.wanted, promised - sound.start):
        return None
    return (
        f"the header promises {promised / sound.rate:.3f} s of sound, there are only "
        f"{held / sound.rate:.3f} s; the file is probably truncated"
    )
