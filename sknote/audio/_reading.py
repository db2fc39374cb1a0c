"""Reading with libsndfile: block by block, until the decoder ends.

Its mpg123 writes notes on damaged MP3 to the standard error of the process. libsndfile has no
switch for that, and exports none of mpg123's; to redirect the descriptor would catch what other
threads write.
"""

import io
import os
from dataclasses import dataclass, field

import numpy as np

from sknote._compat import read_frames
from sknote.audio._bounds import BLOCK, MOST_CHANNELS
from sknote.audio._samples import Mixer, check_rate
from sknote.audio._source import View
from sknote.exceptions import AudioDecodeError

# After a seek an MP3 decoder misses what it needs from the frames before, and that of Ogg follows
# damaged tables out of its memory, where it would only refuse to decode by them.
_READ_THROUGH = ("MPEG_LAYER", "VORBIS", "OPUS")

# What libsndfile says of a file that it does not know, or only by a last resort, as MP3 without a
# tag, if it finds a resource fork: of what has no name it takes ``._`` or ``.AppleDouble`` in the
# working directory for one.
_FORK = ("data offset", "map offset", "data length", "map length", "resource fork", "sample size")
_OF_FORK = tuple(f"Error : bad {what}" for what in _FORK)

# An ID3 tag that says nothing, behind which it knows MPEG audio; one of no length misleads it.
_TAG = b"ID3\x03\0\0\0\0\0\x0a" + bytes(10)

_UNKNOWN_FORMAT = 1  # its number of an error

# Frames of a block that stays in the processor's memory.
_SMALL = 4096

# Frames that no file has.
UNKNOWN = 1 << 62


@dataclass
class Sound:
    """What was read of a file, as the mean of its channels; counted in frames at its own rate."""

    rate: int
    channels: int
    format: str
    subtype: str
    claimed: int  # from a header or by an estimate: no more than this is read
    start: int  # where reading was to begin
    wanted: int  # what was asked for from there on
    counted: int | None = None  # what the header says, where libsndfile pays no heed to it
    behind: int = 0  # what libsndfile would read beyond that
    skipped: int = 0
    blocks: list = field(default_factory=list)
    taken: int = 0  # of what was read, before the blocks
    zeros: int = 0  # among what was taken
    sure: int = UNKNOWN  # up to here nothing is cut, whatever comes
    mixer: Mixer = field(default_factory=Mixer)
    error: str = ""  # what ended it, if not the end of the file

    @property
    def length(self):
        return self.taken + sum(map(len, self.blocks))

    @property
    def end(self):
        """Where reading ended."""
        return self.skipped + self.length

    def cut(self, surplus):
        """Take frames away at the end of what was kept."""
        while surplus > 0 and self.blocks:
            last = self.blocks.pop()
            if len(last) > surplus:
                self.blocks.append(last[:-surplus])
            surplus -= len(last)

    def take(self):
        """Take the first block away, to hear it before all is read."""
        block = self.blocks.pop(0)
        self.taken += len(block)
        self.zeros += block.size - np.count_nonzero(block)
        return block

    def take_waveform(self):
        """Join the blocks; each is let go as soon as it is copied, or there would be two of all."""
        if len(self.blocks) == 1:
            return self.blocks.pop()
        waveform = np.empty(self.length, np.float32)
        stop = len(waveform)
        while self.blocks:
            block = self.blocks.pop()
            stop -= len(block)
            waveform[stop : stop + len(block)] = block
        return waveform


def finish(reading):
    """Go on with a generator to its end; return what it returns."""
    while True:
        try:
            next(reading)
        except StopIteration as end:
            return end.value


def reading(file, offset, max_duration, *, output_rate, hint=None, count_of=None, may_seek=True):
    """Read `max_duration` seconds (None: all) from `offset` seconds on.

    This is a generator: it yields the sound after each block, and returns it. `hint` is about how
    many frames there are, if that is known better than by libsndfile. ``count_of(format)`` is how
    many the header says there are, or None.
    """
    import soundfile

    with _open(file) as decoder:
        check_rate(decoder.samplerate, output_rate)
        if decoder.channels > MOST_CHANNELS:
            raise AudioDecodeError(
                f"expected at most {MOST_CHANNELS} channels, its header says {decoder.channels}"
            )
        sound = Sound(
            rate=decoder.samplerate,
            channels=decoder.channels,
            format=decoder.format,
            subtype=decoder.subtype,
            claimed=decoder.frames,
            start=frames_in(offset, decoder.samplerate),
            wanted=UNKNOWN,
            counted=count_of and count_of(decoder.format),
            sure=hint or UNKNOWN,
        )
        if sound.counted and sound.counted < sound.claimed:
            sound.behind = sound.claimed - sound.counted
            sound.claimed = sound.counted
        if max_duration is not None:
            sound.wanted = max(1, frames_in(max_duration, sound.rate))
        if sound.start >= sound.claimed:
            sound.skipped = sound.claimed
            return sound
        if sound.start and may_seek and not sound.subtype.startswith(_READ_THROUGH):
            try:
                sound.skipped = decoder.seek(sound.start)
            except soundfile.LibsndfileError:
                options = {"output_rate": output_rate, "hint": hint, "count_of": count_of}
                options["may_seek"] = False
                return (yield from reading(file, offset, max_duration, **options))
        elif sound.start:
            sound.skipped = sum(map(len, _blocks(decoder, sound, sound.start, np.float32)))
        if sound.skipped == sound.start:
            yield from _read(decoder, sound, hint)
    return sound


def whole_blocks(file, dtype):
    """Yield all of a file in blocks of int16 or int32, of which lesser samples take upper bits."""
    with _open(file) as decoder:
        block = np.empty((_SMALL, decoder.channels), dtype)
        while (n_read := read_frames(decoder, block)[0]) > 0:
            yield block[:n_read]


def frames_in(seconds, rate):
    """Return the number of frames, rounded, of any number of seconds."""
    return round(min(seconds * rate, UNKNOWN))


def _explain(error):
    """Return libsndfile's words for the number of an error."""
    import soundfile

    return soundfile.LibsndfileError(error).error_string.rstrip(".")


def _open(file):
    """Open a binary file, whatever lies in the working directory."""
    import soundfile

    try:
        decoder = _open_as_it_is(file)
        if decoder.format != "SD2":  # which is read by its resource fork, and has a name
            return decoder
        decoder.close()
    except soundfile.LibsndfileError as error:
        if not error.error_string.startswith(_OF_FORK):
            raise
    file.seek(0)
    first, second = bytes(file.read(2)).ljust(2, b"\0")
    if first == 0xFF and second >= 0xE0 and second & 6:  # a frame of MPEG audio, of some layer
        return soundfile.SoundFile(View(file, -len(_TAG), patches={0: _TAG}))
    raise soundfile.LibsndfileError(_UNKNOWN_FORMAT)


def _open_as_it_is(file):
    """Open a file of the system by its descriptor, where that is libsndfile's as well.

    That spares a call of Python for every few bytes, which an MP3 decoder asks for one by one.
    """
    import soundfile

    file.seek(0)
    if os.name == "posix" and type(file) is io.FileIO:
        return soundfile.SoundFile(file.fileno(), closefd=False)
    return soundfile.SoundFile(file)


def _read(decoder, sound, hint):
    left = min(sound.wanted, sound.claimed - sound.start)
    first = None if hint is None else hint - sound.start + 1  # one more, to see that it ends
    if sound.subtype == "PCM_16":
        # libsndfile would make the same floats, one by one and several times as slowly
        for block in _blocks(decoder, sound, left, np.int16, first):
            floats = block * np.float32(2.0**-15)
            sound.blocks.append(sound.mixer.mix(floats, is_bounded=True))
            yield sound
    else:
        is_bounded = sound.subtype.startswith("PCM")
        for block in _blocks(decoder, sound, left, np.float32, first):
            sound.blocks.append(sound.mixer.mix(block, is_bounded=is_bounded))
            yield sound


def _blocks(decoder, sound, left, dtype, first=None):
    """Yield blocks of shape (n_frames, n_channels) until `left` frames were read, or all."""
    most = max(1, BLOCK // decoder.channels)
    size = most if first is None else max(1, min(most, first))
    while left > 0:
        size = min(size, left)
        block = np.empty((size, decoder.channels), dtype)
        n_read, error = read_frames(decoder, block)
        if error and not sound.error:
            sound.error = _explain(error)
        if n_read <= 0:
            return
        left -= n_read
        # what is kept shall not hold far more memory than it shows
        yield block[:n_read] if 2 * n_read > size else block[:n_read].copy()
        # a short one is most likely the last: libsndfile fills the whole of the next with zeros
        size = most if n_read == size else min(most, 4096)
