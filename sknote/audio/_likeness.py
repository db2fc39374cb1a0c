"""What a file that cannot be read looks like, in words: a sound file, or something else."""

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


# What libsndfile says that helps nobody, or misleads.
_ODD = ("Format not recognised", "Unspecified internal error", "File does not exist")


def likeness_of(file, size, reason):
    """Say what a file of `size` bytes looks like, which a decoder refused for a reason of its own.

    `file` is a binary file object. What is said continues "it is no readable sound file: ".
    """
    file.seek(0)
    head = bytes(file.read(64))
    reason = "" if reason.startswith(_ODD) else f" ({reason})"
    for pattern, kind in _SOUND:
        if re.match(pattern, head):
            return (
                f"its {size} bytes begin like {kind}, but are damaged, cut off, or in an encoding "
                f"that is not read{reason}. Copy or export it again"
            )
    expected = "expected WAV, FLAC, MP3 or another format of sound"
    for pattern, kind in _OTHER:
        if re.match(pattern, head, re.IGNORECASE | re.DOTALL):
            return f"{expected}, got {kind}"
    return f"{expected}, got {size} bytes that begin with {head[:8]!r}{reason}"
