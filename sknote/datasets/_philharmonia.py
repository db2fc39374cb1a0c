"""The Philharmonia Orchestra's sample library: one folder of mp3 files per instrument."""

import functools
import re
from collections import defaultdict

from sknote.datasets._base import (
    as_bunch,
    check_count,
    find_folder,
    keep_chosen,
    keep_frequent,
    keep_rows,
    pitch_to_midi,
    plain_name,
)
from sknote.datasets._walk import find_files
from sknote.exceptions import DataNotFoundError

_REMEDY = (
    "Download the samples from https://philharmonia.co.uk/resources/sound-samples/, unpack one "
    "folder per instrument into <data_home>/philharmonia, and pass data_home or set SKNOTE_DATA."
)
# Parameters of the LabelHierarchy of labels such as ``arco-normal/forte``.
HIERARCHY = {
    "separator": "/",
    "level_names": ("articulation", "dynamic"),
    "orders": {
        "dynamic": (
            *("molto-pianissimo", "pianissimo", "piano", "mezzo-piano"),
            *("mezzo-forte", "forte", "fortissimo"),
        )
    },
    "parallel": True,
}
_FIELDS = ("pitch", "length", "dynamic", "articulation")
_ODD_NAME = "file name without the five fields"
# Where the folders of the instruments may lie, below the one that is named.
_MARKERS = ["*/*_*_*_*_*.mp3"]
_MARKERS += [f"{folders}*_*_*_*_*.[mM][pP]3" for folders in ("*/", "", "*/*/")]
_SUMMARY = """
Samples of the Philharmonia Orchestra (CC BY-SA 3.0, not to be redistributed as samples), read from
{folder}.

A label is articulation/dynamic; an empty field of a file's name is read as "unspecified". A group
is one instrument's pitch ("unpitched" for percussion), so that a grouped split judges a model on
pitches that it never heard. A file that cannot be decoded is listed like any other: the loader
reads names, not sound; see on_error of AudioLoader.
"""


def parse_philharmonia_name(name):
    """Read the fields behind the instrument in a file name; None if there are fewer than four.

    A name is ``<instrument>_<pitch>_<length>_<dynamic>_<articulation>.mp3``, of which pitch,
    dynamic and articulation may be empty.

    >>> parse_philharmonia_name("flute_As4_025_forte_normal.mp3")
    {'pitch': 'As4', 'length': '025', 'dynamic': 'forte', 'articulation': 'normal'}
    """
    fields = plain_name(name).rpartition(".")[0].split("_", 4)
    # "normal (1)" and "normal copy" are no articulations
    if len(fields) < 5 or not all(re.fullmatch(r"[\w#-]*", field) for field in fields[1:]):
        return None
    if not fields[0] or not fields[2]:
        return None
    return dict(zip(_FIELDS, [fields[1], *map(str.lower, fields[2:])]))


def _instruments(paths, folder):
    """Name the instruments of recordings: by the folder that is named for one, else by the file.

    A folder has an instrument's name if its files have; or if they all state one instrument by
    another name, which no folder has: cor-anglais/english-horn_As4_025_piano_normal.mp3.
    """
    stated, inside = [], defaultdict(set)
    for path in paths:
        stated.append(plain_name(path.name.partition("_")[0]))
        inside[path.parent].add(stated[-1].casefold())
    above = {
        parent: [plain_name(name) for name in parent.relative_to(folder).parts] for parent in inside
    }
    folders = {name.casefold() for names in above.values() for name in names}

    def chosen(parent, name):
        names, folded = above[parent], name.casefold()
        same = [one for one in names if one.casefold() == folded]
        is_other_word = names and len(inside[parent]) == 1 and folded not in folders
        return same[-1] if same else names[-1] if is_other_word else name

    chosen, spelling = functools.cache(chosen), {}
    instruments = [chosen(path.parent, name) for path, name in zip(paths, stated)]
    return [spelling.setdefault(name.casefold(), name) for name in instruments]


def _is_copy(paths, instruments):
    """Tell which recordings have the name, the instrument and the size of one before."""
    import pandas as pd

    same = pd.DataFrame({"instrument": instruments, "name": [path.name.lower() for path in paths]})
    again = same.duplicated(keep=False)
    size = [path.stat().st_size if twice else 0 for path, twice in zip(paths, again)]
    return same.assign(size=size).duplicated()


def load_philharmonia(
    *,
    data_home=None,
    instruments=None,
    lengths=None,
    single_notes_only=False,
    min_class_count=1,
):
    """Load the names and labels of the Philharmonia Orchestra's samples.

    Nothing is decoded: ``data.audio`` holds paths, for `sknote.AudioLoader`.

    Parameters
    ----------
    data_home : path-like or None, default=None
        The folder that holds ``philharmonia/<instrument>/*.mp3`` (or holds the instruments'
        folders itself). None stands for ``$SKNOTE_DATA``, else ``~/sknote_data``. Links are
        followed; what is hidden, or a folder of the system (``__MACOSX``), is left out.
    instruments : str, sequence of str or None, default=None
        Instruments to keep; None keeps all.
    lengths : str, sequence of str or None, default=None
        Lengths to keep, of ``"025"``, ``"05"``, ``"1"``, ``"15"`` (seconds), ``"long"``,
        ``"very-long"`` and ``"phrase"``; None keeps all.
    single_notes_only : bool, default=False
        Leave out what is more than one note: the length ``phrase`` and the articulation
        ``rhythm``.
    min_class_count : int, default=1
        Leave out labels with fewer notes than this, counted after the other filters.

    Returns
    -------
    Bunch
        data : DataFrame of shape (n_notes, 2)
            ``audio`` (path, str) and ``instrument``, sorted by path. That is the folder's name, or
            if the folder is no instrument's, the first word of the file's name.
        target : ndarray of shape (n_notes,), str
            ``articulation/dynamic``, e.g. ``"arco-normal/forte"``.
        groups : ndarray of shape (n_notes,), str
            ``instrument/pitch``.
        frame : DataFrame
            ``path``, ``instrument``, ``pitch``, ``midi``, ``length``, ``dynamic``,
            ``articulation``, ``label`` and ``group``.
        hierarchy : LabelHierarchy
            Levels ``articulation`` and ``dynamic``.
        dropped : dict
            Reason → number of files left out.
        DESCR : str
            All this in words.

    Raises
    ------
    DataNotFoundError
        If there is no such folder, or no such file in it; the message says where it was looked
        for.
    ValueError
        If a filter names an unknown instrument or length, or leaves nothing.

    Examples
    --------
    >>> from sknote.datasets import load_philharmonia
    >>> notes = load_philharmonia(min_class_count=5)  # doctest: +SKIP
    >>> notes.target[0]  # doctest: +SKIP
    'struck-singly/mezzo-forte'
    """
    import pandas as pd

    from sknote.labels import LabelHierarchy
    from sknote.labels._levels import UNSPECIFIED

    caller = "load_philharmonia"
    check_count(min_class_count, caller=caller)
    folder = find_folder(data_home, ("philharmonia", "."), *_MARKERS, caller=caller, remedy=_REMEDY)
    dropped = {}
    paths = find_files(folder, ".mp3", dropped)
    fields = [parse_philharmonia_name(path.name) for path in paths]
    named = [path for path, stated in zip(paths, fields) if stated is not None]
    if len(named) < len(paths):
        dropped[_ODD_NAME] = len(paths) - len(named)
    if not named:
        raise DataNotFoundError(
            f"{caller}: found no <instrument>_<pitch>_<length>_<dynamic>_<articulation>.mp3 in "
            f"{folder}; left out: {dropped}. {_REMEDY}"
        )
    frame = pd.DataFrame([stated for stated in fields if stated is not None])
    frame.insert(0, "path", [str(path) for path in named])
    frame.insert(1, "instrument", _instruments(named, folder))
    copies = _is_copy(named, frame.instrument)
    frame = keep_rows(frame, ~copies, "copy: the same name, instrument and size", dropped)
    frame["midi"] = pd.array([pitch_to_midi(pitch) for pitch in frame.pitch], dtype="Int64")
    stated = frame[["articulation", "dynamic"]].replace("", UNSPECIFIED)
    frame["label"] = stated.articulation + "/" + stated.dynamic
    frame["group"] = frame.instrument + "/" + frame.pitch.replace("", "unpitched")

    frame = keep_chosen(frame, "instrument", instruments, dropped, caller=caller)
    frame = keep_chosen(frame, "length", lengths, dropped, caller=caller)
    if single_notes_only:
        several = (frame.length == "phrase") | (frame.articulation == "rhythm")
        frame = keep_rows(frame, ~several, "phrase or rhythm, not a single note", dropped)
    frame = keep_frequent(frame, min_class_count, dropped)
    if frame.empty:
        raise ValueError(f"{caller}: the filters left no recording. Left out: {dropped}")
    return as_bunch(
        frame,
        audio=frame.path.to_numpy(dtype=object),
        hierarchy=LabelHierarchy(**HIERARCHY).fit(frame.label),
        summary=_SUMMARY.format(folder=folder),
        dropped=dropped,
    )
