"""Find the files below a folder; needs neither pandas nor scikit-learn."""

import os
from collections import Counter
from pathlib import Path

# How the names of files end that libsndfile or PyAV reads; what they are, their contents decide.
SOUND = (
    *(".wav", ".wave", ".bwf", ".rf64", ".w64", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf"),
    *(".flac", ".mp3", ".mp2", ".ogg", ".oga", ".opus", ".m4a", ".mp4", ".mov", ".3gp", ".aac"),
    *(".webm", ".mka", ".mkv", ".amr", ".wma", ".wv", ".tta"),
)

UNREADABLE = "folder that cannot be read"
NO_FILE = "no file: a broken link, a pipe or the like"

# What systems keep on a disk beside what is put there: deleted files, previews, the halves of a
# Mac's files in an archive.
_OF_SYSTEMS = ("__macosx", "$recycle.bin", "recycler", "system volume information", "lost+found")
_OF_SYSTEMS += ("@eadir", "#recycle")  # of disks in a network


def find_files(folder, suffix, dropped, left_out=None, *, any_name=False):
    """List the files below a folder that have a suffix, also behind links, sorted by path.

    `suffix` is one, in lower case, or a tuple of them. What is there and not listed is counted in
    ``dropped`` by its reason, and named in the list ``left_out``, if there is one, as pairs of path
    and reason; a name that is not UTF-8, unless `any_name` will do, can stand in no table. Each
    folder is read once, under its own name if it has one below ``folder``; so links may go in a
    circle.
    """
    found, folders, links, seen = [], [folder], [], set()
    named = []
    other = f"other than {suffix}" if isinstance(suffix, str) else "no sound file by its name"
    while folders or links:
        here = folders.pop() if folders else links.pop(0)
        try:
            status = os.stat(here)
            if (status.st_dev, status.st_ino) in seen:
                named.append((here, "link to a folder that is read already"))
                continue
            seen.add((status.st_dev, status.st_ino))
            entries = sorted(os.scandir(here), key=lambda entry: entry.name)
        except OSError:
            named.append((here, UNREADABLE))
            continue
        for entry in entries:
            if entry.name.startswith(".") or entry.name.casefold() in _OF_SYSTEMS:
                named.append((entry.path, "hidden, or of the system"))
            elif _is(entry.is_dir):
                (links if entry.is_symlink() else folders).append(entry.path)
            elif not _is(entry.is_file):
                named.append((entry.path, NO_FILE))
            elif not entry.name.lower().endswith(suffix):
                named.append((entry.path, other))
            elif not any_name and not _is_utf8(entry.path):
                named.append((entry.path, "name that is not UTF-8"))
            else:
                found.append(Path(entry.path))
    dropped.update(Counter(reason for _, reason in named))
    if left_out is not None:
        left_out += [(_printable(path), reason) for path, reason in named]
    return sorted(found, key=str)


def _is(kind):
    try:
        return kind()
    except OSError:  # a link to itself
        return False


def _printable(path):
    return os.fspath(path).encode("utf-8", "backslashreplace").decode("utf-8")


def _is_utf8(name):
    try:
        return bool(os.fsencode(name).decode("utf-8"))
    except UnicodeError:
        return False
