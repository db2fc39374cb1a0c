"""The one way to write a file: under another name, then renamed, so that it is whole or not there.

A process that is killed while it writes leaves a file ``.<random>.tmp`` and nothing else.
"""

import os
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path

TEMPORARY = ".*.tmp"  # pattern of the names of unfinished files


@contextmanager
def replacing(path, *, sync=False):
    """Give the path of an empty file beside another one, whose place it takes in the end.

    It is in the same folder, since no file can be renamed to another disk. If nothing can be
    written there, that is an OSError at once; if the block raises, the file that was there stays as
    it was. With `sync` the new one outlives a power failure too, and not only its process: slower,
    and for what has no checksum of its own.
    """
    beside = Path(path).with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        beside.touch(exist_ok=False)
        yield beside
        if sync:
            with open(beside, "rb+") as file:
                os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
