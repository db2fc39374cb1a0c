"""Where a file is written: beside its place, after what stands in its way is said."""

import contextlib
import os
from pathlib import Path

from sknote._files import replacing


@contextlib.contextmanager
def file_beside(path, name):
    """Give the path of a file that takes the place of another, and can be written.

    `name` is who wants it, for messages.
    """
    if not isinstance(path, (str, os.PathLike)) or not os.fspath(path):
        raise TypeError(f"{name}: expected the path of a file to write, got {path!r}.")
    if "\0" in os.fspath(path):
        raise ValueError(f"{name}: {os.fspath(path)!r} cannot be the name of a file.")
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{name}: {str(path)!r} is a folder. Name a file in it.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{name}: there is no folder {str(path.parent)!r}.")
    with contextlib.ExitStack() as stack:
        try:
            beside = stack.enter_context(replacing(path, sync=True))
        except OSError as error:
            raise OSError(
                f"{name}: nothing can be written in {str(path.parent)!r}: {error.strerror}."
            ) from error
        yield beside
