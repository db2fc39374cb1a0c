"""Copies of one recording that have different labels, of which at least one is wrong."""

import hashlib
import os
import warnings


def warn_of_copies(paths, labels, *, caller):
    """Warn of files that hold the same, to the byte, and have different labels.

    Only files of one size are read.
    """
    of_size = {}
    for path, label in zip(paths, labels):
        of_size.setdefault(os.path.getsize(path), []).append((path, label))
    pairs = []
    for alike in of_size.values():
        if len({label for _, label in alike}) > 1:
            first = {}
            for path, label in alike:
                before = first.setdefault(_digest(path), (path, label))
                if before[1] != label:
                    pairs.append((before, (path, label)))
    if not pairs:
        return
    (path, label), (copy, other) = pairs[0]
    more = f", as are {len(pairs) - 1} more" if len(pairs) > 1 else ""
    warnings.warn(
        f"{caller}: {copy!r} with the label {other!r} is a copy of {path!r} with the label "
        f"{label!r}{more}. Keep the one whose label is right.",
        stacklevel=3,
    )


def _digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "md5").digest()
