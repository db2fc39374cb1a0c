"""A digest of an exported file, in its own metadata: that the file is as it was written."""

import hashlib

KEY = "sknote_sha256"  # of the metadata

BLANK = "0" * 64  # what stands there while the digest is made

# as protobuf writes an entry of the metadata: the lengths of a key and of its value before them
_MARK = b"\n%c%s\x12%c" % (len(KEY), KEY.encode(), len(BLANK))


def sign(path):
    """Put the digest of a file, of which BLANK is there, into it."""
    with open(path, "rb+") as file:
        contents = file.read()
        found, at = _digest(contents)
        if found is None:
            raise RuntimeError("export_onnx: the file has no place for a digest.")
        file.seek(at)
        file.write(found)


def is_intact(contents):
    """Tell whether the bytes of a file are those that were signed; None if they were not."""
    found, at = _digest(contents)
    if found is None:  # there may be half a digest, or one of another length
        return False if KEY.encode() in contents else None
    return contents[at : at + len(BLANK)] == found


def _digest(contents):
    """Return the digest that contents should have, and where it is; None if there is no place."""
    at = contents.rfind(_MARK) + len(_MARK)
    stop = at + len(BLANK)
    if at < len(_MARK) or stop > len(contents):
        return None, at
    digest = hashlib.sha256(memoryview(contents)[:at])
    digest.update(BLANK.encode())
    digest.update(memoryview(contents)[stop:])
    return digest.hexdigest().encode(), at
