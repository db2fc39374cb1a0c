"""Unpack an archive that came from elsewhere: all of it or nothing, and nowhere else."""

import shutil
import stat
import tempfile
import zipfile
from pathlib import Path, PurePosixPath, PureWindowsPath

_PREFIX = ".unpacking-"


def unpack(archive, wanted, target):
    """Unpack a zip file, and move the folder in it that holds a folder `wanted` to `target`.

    `target` appears when it is complete: the checksum and size of each file are checked. What Macs
    add is left out. An archive that is damaged, has a name that leads elsewhere, links, two files
    of one name, or no folder `wanted` is a ValueError, and nothing of it is left.
    """
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=target.parent))
    try:
        with zipfile.ZipFile(archive) as file:
            places = {}
            for member in file.infolist():
                place = _place_of(member, archive)
                if place in places:
                    raise ValueError(f"{archive}: got two files of the name {member.filename!r}.")
                if not member.is_dir() and not _is_of_mac(place):
                    places[place] = member
            tops = {place[: place.index(wanted)] for place in places if wanted in place[:-1]}
            if len(tops) != 1:
                raise ValueError(f"{archive}: expected one folder {wanted!r}, got {len(tops)}.")
            for place, member in places.items():
                path = Path(file.extract(member, folder / "files"))
                if path != (folder / "files").joinpath(*place) or not path.is_file():
                    raise ValueError(f"{archive}: {member.filename!r} was unpacked to {path}.")
        # only now: who has no locks to rely on may have deleted some of them
        for place, member in places.items():
            if (folder / "files").joinpath(*place).stat().st_size != member.file_size:
                raise ValueError(f"{archive}: {member.filename!r} was not unpacked as a whole.")
        _move((folder / "files").joinpath(*tops.pop()), target, wanted)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"{archive}: it cannot be unpacked ({error}).") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def clean(folder):
    """Delete what a process that was killed has left in a folder; call it under a lock."""
    for path in folder.glob(f"{_PREFIX}*"):
        shutil.rmtree(path, ignore_errors=True)


def is_inside(name):
    """Tell whether a relative path, as a file states it, stays below what it is relative to."""
    path = PureWindowsPath(name)  # which knows both kinds of slashes, and drives
    is_plain = path.parts and "\0" not in name
    return bool(is_plain and ".." not in path.parts and not path.drive and not path.root)


def _move(top, target, wanted):
    try:
        top.rename(target)
    except OSError:
        if not (target / wanted).is_dir():  # another process has been quicker
            raise


def _place_of(member, archive):
    """Return the parts of a member's path; a ValueError if it leads elsewhere or is no file."""
    kind = stat.S_IFMT(member.external_attr >> 16)
    if not is_inside(member.filename) or kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise ValueError(f"{archive}: expected files and folders, got {member.filename!r}.")
    return PurePosixPath(member.filename).parts


def _is_of_mac(place):
    return "__MACOSX" in place or place[-1].startswith("._") or place[-1] == ".DS_Store"
