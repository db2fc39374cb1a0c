"""What a file that cannot be read looks like, in words: a sound file, or something else."""

import codecs
import re

# What the first bytes of sound files are, and of what else is often found in their place.
_SOUND = (
    (rb"RIFF|RIFX", "a WAV file"),
    (rb"RF64", "an RF64 file"),
    (rb"riff\x2e\x91", "a W64 file"),
    (rb"FORM", "an AIFF file"),
    (rb"fLaC", "a FLAC file"),
    (rb"OggS", "an Ogg file"),
    (rb"ID3|\xff[\xe2-\xff]", "an MP3 file"),
    (rb"\.snd|dns\.", "an AU file"),
    (rb"caff", "a CAF file"),
    (rb"NIST_1A", "a NIST SPHERE file"),
    (rb"Creative Voice", "a VOC file"),
)
_OTHER = (
    (rb"version https://git-lfs", "a pointer of Git LFS; 'git lfs pull' fetches the file"),
    (rb"\s*<(!doctype|html|\?xml)", "a web page or XML, such as the error page of a download"),
    (rb"\0+\Z", "nothing but zeros at its beginning, as of a download or copy that broke off"),
    (rb"PK\x03\x04|\x1f\x8b|7z\xbc|Rar!|BZh|\xfd7zXZ", "an archive; unpack it first"),
    (rb"%PDF|\x89PNG|\xff\xd8\xff|GIF8|BM.{4}\0\0\0\0", "a picture or PDF"),
    (rb"\x93NUMPY", "an array of NumPy; pass np.load(...) with its input_sample_rate"),
    (rb"\x80[\x02-\x05]", "a pickle"),
    (rb"[\t\r\n -~]+\Z", "text"),
)

EXPECTED = "expected WAV, FLAC, MP3 or another format of sound"

# How text begins that says in which encoding it is. The first two are frames of MPEG audio as well.
_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
    (codecs.BOM_UTF8, "UTF-8"),
)
_HEAD = 1 << 10

# Beginnings of files before whose sound may stand any amount of something else, such as a picture.
_LATE = rb"RIFF|RIFX|RF64|riff|FORM|caff|fLaC|OggS|ID3|\.snd|dns\."

# What libsndfile says that helps nobody, or misleads.
_ODD = ("Format not recognised", "Unspecified", "Internal", "File does not exist", "System error")
_ODD += ("No Error", "Unknown", "Error : bad error number", "Error : bad resource fork")

# How files begin, and no samples by chance.
_FILE = rb"RIFF|RIFX|RF64|FORM....AIF|fLaC|OggS|ID3[\2-\4]\0|caff|....ftyp|\x1aE\xdf\xa3"


def likeness_of(file, size, reason):
    """Say what a file of `size` bytes looks like, which a decoder refused for a reason of its own.

    `file` is a binary file object. What is said continues "it is no readable sound file: ".
    """
    file.seek(0)
    head = bytes(file.read(_HEAD))
    text, head = text_in(head), head[:64]
    reason = in_brackets(reason)
    for pattern, kind in () if text else _SOUND:
        if re.match(pattern, head):
            return (
                f"its {size} bytes begin like {kind}, but are damaged, cut off, or in an encoding "
                f"that is not read{reason}. Copy or export it again"
            )
    expected = EXPECTED
    for pattern, kind in _OTHER:
        if re.match(pattern, head, re.IGNORECASE | re.DOTALL):
            return f"{expected}, got {kind}"
    if text:
        return f"{expected}, got {text}"
    return f"{expected}, got {size} bytes that begin with {head[:8]!r}{reason}"


def in_brackets(reason):
    """Put a decoder's words into brackets; leave out those that say nothing."""
    return "" if reason.startswith(_ODD) else f" ({reason})"


def text_in(head):
    """Say in which encoding text is that begins with its mark; None if the bytes are none.

    Nothing else has so many characters that can be printed, and no zero.
    """
    for mark, encoding in _MARKS:
        if not head.startswith(mark):
            continue
        try:
            text = codecs.getincrementaldecoder(encoding)().decode(head[:_HEAD])
        except UnicodeDecodeError:
            continue
        text = text.replace("\ufeff", "")  # the mark again, where texts were put together
        n_printed = sum(one.isprintable() or one.isspace() for one in text)
        if "\0" not in text and n_printed >= 0.9 * len(text):
            return f"text ({encoding})"
    return None


def is_file(head):
    """Tell whether the bytes of some samples are those of the beginning of a sound file."""
    return re.match(_FILE, head, re.DOTALL) is not None


def may_begin_later(file):
    """Tell whether a file that is no sound as yet may become one by what follows."""
    file.seek(0)
    return re.match(_LATE, bytes(file.read(8))) is not None
