"""Notes of one's own: a folder of recordings, or a table of them."""

import functools
import os
import re
import warnings
from collections import Counter
from pathlib import Path

from sknote._input.choices import did_you_mean
from sknote.audio import read_audio
from sknote.datasets._base import (
    as_bunch,
    check_count,
    keep_chosen,
    keep_frequent,
    plain_name,
    warn_of_cases,
)
from sknote.datasets._copies import warn_of_copies
from sknote.datasets._table import read_table, whole_number
from sknote.datasets._walk import SOUND, find_files
from sknote.exceptions import DataNotFoundError
from sknote.spectral._soundless import is_soundless

_CALLER = "load_notes"
_LAYOUT = (
    "Put recordings into folders instrument/label, or write a table (CSV) with the columns audio, "
    "instrument, label and group."
)
_FITS_NONE = "Pass a group_pattern that finds something in the names, or none."
_EXAMPLE = "^(?P<player>[^-]+)-"
_NEEDED = ("audio", "instrument", "label")
_TAKEN = (
    "audio",
    "path",
    "place",
    "instrument",
    "label",
)  # columns that are made of something else
_SAMPLE_RATE = 22050  # at which it is heard whether there is sound

_SUMMARY = """
Recordings read from {path}.

A label is {label}. {group}
"""
_ALONE = (
    "Each note is a group of its own, as nothing says which belong together: if there are several "
    "of one player or one performance, scores will flatter. See group_pattern."
)
_TAKES = (
    "A group is the folder between the label's and the file, where there is one, else the file."
)
_COLUMN = "A group is what the column {!r} says."
_LIKE_GROUP = ("group", "groups", "player", "players", "performer", "musician", "session")


def load_notes(
    path,
    *,
    group_pattern=None,
    group_column="group",
    instruments=None,
    min_class_count=1,
    check_sound=True,
    n_jobs=None,
    verbose=0,
):
    """Load recordings of one's own, from a folder or by a table.

    In a folder, recordings lie in ``instrument/label/``, also in folders below that. They may have
    any format that `sknote.AudioLoader` reads, and end in ``.wav``, ``.WAV``, ``.flac``, ``.mp3``,
    ``.m4a``, ... A table is a CSV file (UTF-8; commas, semicolons or tabs) with the columns
    ``audio`` (paths, relative to the table), ``instrument``, ``label`` and, if it is known,
    ``group``. In these three a whole number is the same with and without a fraction: programs write
    ``1`` as ``1.0`` where another cell of the column is empty.

    Parameters
    ----------
    path : path-like
        The folder, or the table.
    group_pattern : str or None, default=None
        Regular expression that finds the group in the name of a file without its ending, by
        :func:`re.search`; or, if it contains a ``/``, in the path below the folder (in a table: in
        the path that it states). It has named parts, which become columns of `frame`; the one
        named ``group``, or else all of them, joined by ``/``, are the group:
        ``"^(?P<player>[^-]+)-(?P<pitch>[^-]+)"``.
    group_column : str, default="group"
        Column of a table that says the group, where there is no `group_pattern`. A folder has none.
    instruments : str, sequence of str or None, default=None
        Instruments to keep; None keeps all.
    min_class_count : int, default=1
        Leave out labels with fewer notes than this, counted after everything else.
    check_sound : bool, default=True
        Read each file once, and leave out what cannot be read or holds no sound that the default
        pipeline would hear. Nothing is kept in memory. Files of one size and different labels are
        compared.
    n_jobs : int or None, default=None
        Number of threads that read.
    verbose : int, default=0
        1 shows a progress bar while files are read.

    Returns
    -------
    Bunch
        data : DataFrame of shape (n_notes, 2)
            ``audio`` (path, str) and ``instrument``, sorted by path, or in the order of the table.
        target : ndarray of shape (n_notes,), str
            Labels.
        groups : ndarray of shape (n_notes,), str
            What a split must keep together. Without a pattern or a column it is the name of the
            folder between the label's and the file, if there is one (``flute/good/take-7/a.wav``);
            else each note is a group of its own, which `DESCR` says.
        frame : DataFrame
            ``path``, ``instrument``, ``label``, ``group``, the parts of the pattern, and the other
            columns of the table.
        hierarchy : LabelHierarchy
            ``LabelHierarchy()``, fitted on the labels.
        dropped : dict
            Reason → number of files, or rows, left out.
        left_out : DataFrame
            ``path`` and ``reason`` of each of them, and ``detail`` where there is more to say.
        DESCR : str
            All this in words.

    Raises
    ------
    DataNotFoundError
        If there is no such folder or table, or nothing in it that can be used; the message says
        what was left out.
    ValueError
        If a table lacks a column, or is none; if the pattern has no named part; if a column is
        named for a folder; if a filter names an unknown instrument, or leaves nothing; if `path` is
        empty.

    Warns
    -----
    UserWarning
        If a table has no column ``group``, and one that looks as if it said it, such as ``player``;
        if names of instruments or labels differ only in large and small letters; or, with
        `check_sound`, if copies of one file have different labels.

    Notes
    -----
    What is left out, each counted in `dropped` and named in `left_out`: hidden files and folders of
    the system (``.DS_Store``, ``._a.wav``, ``$RECYCLE.BIN``), files that are no sound by their
    names, links that lead nowhere, files elsewhere than in ``instrument/label``, rows without a
    recording or a label, files that an earlier row has, files that cannot be read or hold no sound,
    and notes in which no group is found. An empty instrument is an unknown one.

    Examples
    --------
    >>> from sknote.datasets import load_notes
    >>> notes = load_notes("lessons", group_pattern="^(?P<player>[^-]+)-")  # doctest: +SKIP
    >>> print(notes.DESCR)  # doctest: +SKIP
    """
    import pandas as pd

    from sknote._input.checks import check_jobs
    from sknote.labels import LabelHierarchy

    check_jobs(n_jobs, _CALLER)
    pattern, path = _compiled(group_pattern), _existing(path)
    check_count(min_class_count, caller=_CALLER)
    left_out = []
    if path.is_dir():
        if group_column != "group":
            raise ValueError(
                f"{_CALLER}: group_column={group_column!r} is of a table, and {str(path)!r} is a "
                "folder. Pass a group_pattern, or the table."
            )
        label, no_label = "the name of the second folder", "not in a folder instrument/label"
        rows, said = _of_folder(path, left_out)
    else:
        if path.suffix.lower() in SOUND:
            raise ValueError(
                f"{_CALLER}: expected a folder or a table, got the recording {str(path)!r}. "
                f"{_LAYOUT}"
            )
        label, no_label = "what the table says", "no label"
        rows, said = _of_table(path, group_column, has_pattern=pattern is not None)
    if pattern is not None:
        said = f"A group is what {group_pattern!r} finds in the name of a file."
        for row in rows:
            row.update(_match(pattern, row["place"]))
    flaw_of = functools.partial(_flaw, seen=set(), no_label=no_label)
    rows = _without(rows, map(flaw_of, rows), left_out)
    if check_sound:
        rows = _without(rows, _read_all([row["path"] for row in rows], n_jobs, verbose), left_out)
    if not rows:
        counted = Counter(reason for _, reason, _ in left_out).items()
        counted = "; ".join(f"{count} x {reason}" for reason, count in counted)
        raise DataNotFoundError(
            f"{_CALLER}: found no note in {str(path)!r}; left out: {counted or 'nothing'}. "
            f"{_advice(path, left_out, has_pattern=pattern is not None)}"
        )
    frame = pd.DataFrame(rows).drop(columns="place")
    for column in ("instrument", "label"):
        warn_of_cases(frame[column], f"{column}s", caller=_CALLER)
    if check_sound:
        warn_of_copies(frame.path, frame.label, caller=_CALLER)
    chosen = keep_chosen(frame, "instrument", instruments, counted := {}, caller=_CALLER)
    _name_lost(frame, chosen, counted, left_out)
    frame = keep_frequent(chosen, min_class_count, counted := {})
    _name_lost(chosen, frame, counted, left_out)
    instrument = frame.instrument.astype(object)
    frame = frame.assign(instrument=instrument.where(instrument != "", None))
    dropped = Counter(reason for _, reason, _ in left_out)
    if frame.empty:
        raise ValueError(f"{_CALLER}: the filters left no recording. Left out: {dict(dropped)}")
    bunch = as_bunch(
        frame,
        audio=frame.path.to_numpy(dtype=object),
        hierarchy=LabelHierarchy().fit(frame.label),
        summary=_SUMMARY.format(path=path, label=label, group=said),
        dropped=dropped,
    )
    bunch.left_out = pd.DataFrame(left_out, columns=["path", "reason", "detail"])
    return bunch


def _advice(path, left_out, *, has_pattern):
    """Say what to do where nothing is left: about the first file that is not as it should be."""
    reasons = {reason for _, reason, _ in left_out}
    if has_pattern and "no group" in reasons:
        return _FITS_NONE
    if reasons == {"cannot be read"}:
        name, _, detail = left_out[0]
        where = "" if path.is_dir() else " Paths in a table count from its folder."
        return f"Of the first, {name!r}: {detail}.{where}"
    return _LAYOUT


def _name_lost(before, after, counted, left_out):
    """Name what a filter has left out, for the one reason that it has counted."""
    lost = before.path[~before.index.isin(after.index)]
    left_out += [(name, reason, "") for reason in counted for name in lost]


def _compiled(pattern):
    if pattern is None:
        return None
    try:
        compiled = re.compile(pattern)
        compiled.search("")  # a TypeError of one for bytes
    except (re.error, TypeError) as error:
        raise ValueError(
            f"{_CALLER}: expected group_pattern to be a regular expression, got {pattern!r} "
            f"({error})."
        ) from error
    taken = [name for name in compiled.groupindex if name in _TAKEN]
    if not compiled.groupindex or taken:
        raise ValueError(
            f"{_CALLER}: expected group_pattern to have named parts, other than "
            f"{', '.join(_TAKEN)}; got {pattern!r}. Pass, for example, {_EXAMPLE!r}."
        )
    return compiled


def _existing(path):
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(
            f"{_CALLER}: expected the path of a folder or of a table (CSV), got "
            f"{type(path).__name__}."
        )
    if not os.fspath(path):
        raise ValueError(
            f"{_CALLER}: expected the path of a folder or of a table, got an empty one. Pass '.' "
            "for the folder that you are in."
        )
    path = Path(path).expanduser()
    if not path.exists():
        raise DataNotFoundError(f"{_CALLER}: there is no folder or table {str(path)!r}. {_LAYOUT}")
    return path


def _of_folder(folder, left_out):
    """List what is known of each recording below a folder, and say what its group is."""
    named = []
    paths = find_files(folder, SOUND, Counter(), named)
    left_out += [(name, reason, "") for name, reason in named]
    rows, n_alone = [], 0
    for path in paths:
        place = path.relative_to(folder).as_posix()
        instrument, label, *takes = [plain_name(name) for name in place.split("/")[:-1]] + [""] * 2
        takes = "/".join(takes[:-2])
        n_alone += not takes
        rows.append(_row(path, place, instrument, label, takes or place))
    said = _ALONE if n_alone == len(rows) else _TAKES
    return rows, said


def _of_table(path, group_column, *, has_pattern):
    """List what is known of each row of a table, and say what its group is."""
    columns = read_table(path, _NEEDED, caller=_CALLER)
    is_grouped = not has_pattern and group_column in columns
    if not is_grouped and not has_pattern and group_column != "group":
        raise ValueError(
            f"{_CALLER}: expected the column {group_column!r} (group_column) in {str(path)!r}, got "
            f"{', '.join(columns)}.{did_you_mean(group_column, columns)}"
        )
    if not is_grouped and not has_pattern:
        _warn_of_groups(path, columns)
    rows = []
    for number, audio in enumerate(columns["audio"]):
        cell = {name: values[number] for name, values in columns.items()}
        for name in (group_column if is_grouped else "label", "label", "instrument"):
            cell[name] = whole_number(cell[name])
        group = cell[group_column] if is_grouped else audio
        place = audio.replace("\\", "/")
        where = path.parent / audio if audio else path
        row = _row(where, place, cell["instrument"], cell["label"], group)
        rows.append(row | {name: cell[name] for name in columns if name not in (*_TAKEN, "group")})
    return rows, _COLUMN.format(group_column) if is_grouped else _ALONE


def _warn_of_groups(path, columns):
    """Warn of a column that most likely says the group, and is not asked."""
    likely = [name for name in columns if name.strip().lower() in _LIKE_GROUP]
    if likely:
        warnings.warn(
            f"{_CALLER}: each note of {str(path)!r} is a group of its own, as there is no column "
            f"'group'. If {likely[0]!r} says which notes belong together, pass group_column="
            f"{likely[0]!r}: else scores will flatter.",
            stacklevel=4,
        )


def _row(path, place, instrument, label, group):
    return {
        "path": str(path),
        "place": place,
        "instrument": plain_name(instrument),
        "label": plain_name(label),
        "group": plain_name(group),
    }


def _match(pattern, place):
    """Return the named parts of a pattern in a path, and the group that they make."""
    stem = os.path.splitext(place)[0]
    text = stem if "/" in pattern.pattern else stem.rpartition("/")[2]
    match = pattern.search(plain_name(text))
    parts = match.groupdict() if match else dict.fromkeys(pattern.groupindex)
    joined = "/".join(parts.values()) if all(parts.values()) else ""
    return parts | {"group": parts["group"] or "" if "group" in parts else joined}


def _flaw(row, *, seen, no_label):
    """Return why a row is of no use, by what is known of it; None if it is."""
    if not row["place"]:
        return "row without a recording", ""
    if row["path"] in seen:
        return "file of an earlier row", ""
    seen.add(row["path"])
    if not os.path.isfile(row["path"]):
        return "cannot be read", "there is no such file"
    if not row["label"]:
        return no_label, ""
    return None if row["group"] else ("no group", "")


def _read_all(paths, n_jobs, verbose):
    """Read files, and yield for each why it is of no use, or None."""
    from joblib import Parallel, delayed
    from tqdm.auto import tqdm

    parallel = Parallel(n_jobs=n_jobs, require="sharedmem", return_as="generator")
    flaws = parallel(delayed(_listen)(path) for path in paths)
    return tqdm(flaws, total=len(paths), unit="file", disable=not verbose)


def _listen(path):
    waveform, error, _ = read_audio(path, sample_rate=_SAMPLE_RATE)
    if error is not None:
        return "cannot be read", str(error)
    return ("silent", "") if is_soundless(waveform, _SAMPLE_RATE) else None


def _without(rows, flaws, left_out):
    """Keep the rows without a flaw, and name the others."""
    kept = []
    for row, flaw in zip(rows, flaws, strict=True):  # which reads `flaws` to its end
        if flaw is None:
            kept.append(row)
        else:
            left_out.append((row["path"], *flaw))
    return kept
