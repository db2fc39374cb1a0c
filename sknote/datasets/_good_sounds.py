"""The good-sounds data set of the Music Technology Group, Barcelona (Romani Picas et al. 2015)."""

import functools
import json
import os
import warnings
from pathlib import Path

from sknote._files import locked
from sknote.datasets._base import (
    as_bunch,
    check_count,
    find_folder,
    get_data_home,
    keep_chosen,
    keep_frequent,
    keep_rows,
    pitch_to_midi,
)
from sknote.datasets._download import download as download_file
from sknote.datasets._good_sounds_labels import HIERARCHY
from sknote.datasets._unpack import clean, is_inside, unpack
from sknote.datasets.synthetic._instruments import INSTRUMENTS
from sknote.exceptions import DataNotFoundError

_ARCHIVE, _SOUND_FILES = "good-sounds.zip", "sound_files"
# File → (Zenodo record, MD5), as the two records list them.
_RECORDS = {
    "packs.json": (4588740, "3b512c280f8be64ccb59b0b294e84610"),
    "ratings.json": (4588740, "b50b95fc7eb996b31a7cd290070f8059"),
    "sounds.json": (4588740, "a60d90a964fd567ebc2e4b4e3f2990f2"),
    "takes.json": (4588740, "318e840031397314907e7f9420f2abeb"),
    _ARCHIVE: (820937, "2137bbb2d32c1d60aa51e1301225f541"),
}
FILES = {
    name: (f"https://zenodo.org/records/{record}/files/{name}?download=1", md5)
    for name, (record, md5) in _RECORDS.items()
}
_COLUMNS = {
    "takes": {"id", "sound_id", "microphone", "filename"},
    "sounds": {"id", "pack_id", "instrument", "klass", "note", "octave"},
    "packs": {"id", "name"},
}
_REMEDY = (
    "Pass data_home, set SKNOTE_DATA, or fetch the data (2 GB) with "
    "sknote.datasets.fetch_good_sounds(data_home)."
)
_UNKNOWN = "unknown"
_SAXES = {"alto": "sax_alto", "tenor": "sax_tenor", "barit": "sax_baritone", "sopra": "sax_soprano"}
# Words of pack names that stand before the player's name, beside the instruments'.
_NO_PLAYER = {"sax", "saxo", "alto", "tenor", "bariton", "soprane", "scale", "scales", "iphone"}
_SUMMARY = """
good-sounds (Romani Picas et al., 138th AES Convention, 2015; CC BY-SA 4.0), read from
{folder}.

A row is a take: one microphone's file of one performance (sound). Labels are the data set's
"klass", respelled as hierarchy.table_ says; frame keeps the original in klass. Groups are by
{group_by}. {n_filled} takes had no instrument; theirs is the one that their pack's name states.
"""


def fetch_good_sounds(data_home=None, *, progressbar=True):
    """Download good-sounds (2 GB) from Zenodo, or what is still missing of it.

    Every file is checked by its MD5. A download that was cut off is continued by the next call, and
    a second process that asks for the same waits. The recordings appear when all are unpacked.

    Parameters
    ----------
    data_home : path-like or None, default=None
        The data set is stored in ``<data_home>/good_sounds``. None stands for ``$SKNOTE_DATA``,
        else ``~/sknote_data``.
    progressbar : bool, default=True
        Show a progress bar for each file.

    Returns
    -------
    pathlib.Path
        The data set's folder.

    Raises
    ------
    ConnectionError
        If a download was cut off; what came is kept.
    ValueError
        If a file's checksum is wrong, when the file is deleted; or if there is anything but the
        data set's files in the archive.

    Examples
    --------
    >>> from sknote.datasets import fetch_good_sounds
    >>> folder = fetch_good_sounds("~/sknote_data")  # doctest: +SKIP
    """
    root = get_data_home(data_home) / "good_sounds"
    root.mkdir(parents=True, exist_ok=True)
    audio = root / "good-sounds"
    with locked(root.with_name(".good_sounds.lock")):
        clean(root)
        for name, (url, md5) in FILES.items():
            if name == _ARCHIVE and (audio / _SOUND_FILES).is_dir():
                (root / name).unlink(missing_ok=True)
                continue
            path = download_file(url, root / name, md5=md5, progressbar=progressbar)
            if name == _ARCHIVE:
                unpack(path, _SOUND_FILES, audio)
                path.unlink()
    return root


def load_good_sounds(
    *,
    data_home=None,
    instruments=None,
    microphones=None,
    single_notes_only=True,
    min_class_count=1,
    group_by="pitch",
    on_missing="raise",
    download=False,
):
    """Load the names and labels of good-sounds: notes played well, and badly on purpose.

    Nothing is decoded: ``data.audio`` holds paths, for `sknote.AudioLoader`. Many of the files
    named ``.wav`` are FLAC; the contents decide.

    Parameters
    ----------
    data_home : path-like or None, default=None
        The folder that holds ``good_sounds`` or ``good_sounds_sample``, or is such a folder, with
        ``sounds.json``, ``takes.json``, ``packs.json`` and ``good-sounds/sound_files``. None
        stands for ``$SKNOTE_DATA``, else ``~/sknote_data``.
    instruments : str, sequence of str or None, default=None
        Instruments to keep, e.g. ``["flute", "sax_alto"]``; None keeps all.
    microphones : str, sequence of str or None, default=None
        Microphones to keep, e.g. ``"neumann"``; None keeps all.
    single_notes_only : bool, default=True
        Leave out scales (15 notes each).
    min_class_count : int, default=1
        Leave out labels with fewer takes than this, counted after the other filters.
    group_by : {"sound", "pitch", "player"}, default="pitch"
        What ``groups`` keeps together: all takes of a performance; all recordings of one pitch of
        an instrument by one player, hence also all takes of a performance; or all recordings by
        one player.
    on_missing : {"raise", "warn"}, default="raise"
        What to do about takes whose file is missing: an error, or a warning, and they are left
        out.
    download : bool, default=False
        Fetch what is missing first, see `fetch_good_sounds`.

    Returns
    -------
    Bunch
        data : DataFrame of shape (n_takes, 2)
            ``audio`` (path, str) and ``instrument``, in the order of the takes' numbers.
        target : ndarray of shape (n_takes,), str
            The ``klass``, respelled by ``hierarchy``.
        groups : ndarray of shape (n_takes,), str
            See ``group_by``.
        frame : DataFrame
            The columns of takes, sounds and packs, among them ``microphone``, ``pack``,
            ``klass``, ``dynamics`` and the annotated ``attack``, ``decay``, ``sustain``,
            ``release`` and ``offset`` (samples), and besides ``path``, ``label``, ``player``,
            ``pitch``, ``midi``, ``is_scale`` and ``group``.
        hierarchy : LabelHierarchy
            Levels ``quality``, ``aspect`` and ``specific``, fitted on ``klass``: its ``table_``
            says what became what.
        dropped : dict
            Reason → number of takes left out.
        DESCR : str
            All this in words.

    Raises
    ------
    DataNotFoundError
        If the folder, a sound, a pack or a file is missing.
    ValueError
        If a filter names something unknown, or leaves nothing.

    Notes
    -----
    An empty instrument is filled in from the pack's name (``"unknown"`` if that is silent). Takes
    with an empty ``klass`` are left out, counted in ``dropped``. The player comes from the pack's
    name, as in ``clarinet_pablo_attack``, which must not become a feature: it gives the label
    away.

    References
    ----------
    O. Romani Picas, H. Parra Rodriguez, D. Dabiri, H. Tokuda, W. Hariya, K. Oishi and X. Serra,
    "A real-time system for measuring sound goodness in instrumental sounds", 138th Convention of
    the Audio Engineering Society, 2015.

    Examples
    --------
    >>> from sknote.datasets import load_good_sounds
    >>> notes = load_good_sounds(instruments="flute", microphones="akg")  # doctest: +SKIP
    >>> notes.target[0]  # doctest: +SKIP
    'good-sound'
    """
    from sknote.labels import LabelHierarchy

    caller = "load_good_sounds"
    check_count(min_class_count, caller=caller)
    for name, value, allowed in (
        ("group_by", group_by, ("sound", "pitch", "player")),
        ("on_missing", on_missing, ("raise", "warn")),
    ):
        if value not in allowed:
            raise ValueError(f"{caller}: {name} must be one of {allowed}. Got {value!r} instead.")
    if download:
        fetch_good_sounds(data_home)
    root = find_folder(
        data_home,
        (".", "good_sounds", "good_sounds_sample"),
        "sounds.json",
        caller=caller,
        remedy=_REMEDY,
    )
    frame, n_filled = _join(root)
    hierarchy = LabelHierarchy(**HIERARCHY)
    frame["label"] = hierarchy.transform(frame.klass)
    frame["group"] = _group(frame, group_by)

    dropped = {}
    frame = keep_chosen(frame, "instrument", instruments, dropped, caller=caller)
    frame = keep_chosen(frame, "microphone", microphones, dropped, caller=caller)
    if single_notes_only:
        frame = keep_rows(frame, ~frame.is_scale, "scale, not a single note", dropped)
    frame = keep_rows(frame, frame.klass != "", "empty klass", dropped)
    frame = keep_rows(
        frame, _inside(frame, root, caller), "file name that leads elsewhere", dropped
    )
    frame = keep_rows(frame, ~frame.path.duplicated(), "file of another take", dropped)
    frame = keep_rows(frame, _existing(frame, on_missing, caller), "file missing", dropped)
    frame = keep_frequent(frame, min_class_count, dropped)
    if frame.empty:
        raise ValueError(f"{caller}: the filters left no recording. Left out: {dropped}")
    return as_bunch(
        frame,
        audio=frame.path.to_numpy(dtype=object),
        hierarchy=hierarchy.fit(frame.klass),
        summary=_SUMMARY.format(folder=root, group_by=group_by, n_filled=n_filled),
        dropped=dropped,
    )


def _read_table(root, name):
    """Read one of the json files, a dict keyed by a string id, into a frame."""
    import pandas as pd

    path = root / f"{name}.json"
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        rows = list(entries.values()) if isinstance(entries, dict) else [None]
        is_table = all(isinstance(row, dict) for row in rows)
        frame = pd.DataFrame(rows if is_table else [])
    except FileNotFoundError:
        raise DataNotFoundError(f"load_good_sounds: {path} is missing. {_REMEDY}") from None
    except (ValueError, RecursionError) as error:
        raise DataNotFoundError(
            f"load_good_sounds: {path} is not valid JSON ({error}). Delete it and fetch it again."
        ) from error
    if not _COLUMNS[name] <= set(frame.columns):
        raise DataNotFoundError(
            f"load_good_sounds: expected a table with {sorted(_COLUMNS[name])} in {path}, got "
            f"{sorted(map(str, frame.columns))}. Delete it and fetch it again."
        )
    return frame


def _join(root):
    """Join takes, sounds and packs; also count the instruments that the pack's name supplied."""
    takes = _read_table(root, "takes").rename(columns={"id": "take_id"})
    sounds = _read_table(root, "sounds").rename(columns={"id": "sound_id"})
    packs = _read_table(root, "packs").rename(columns={"id": "pack_id", "name": "pack"})
    for left, column, right, entry in (
        (takes, "sound_id", sounds, "take"),
        (sounds, "pack_id", packs, "sound"),
    ):
        lost = left.loc[~left[column].isin(right[column]), f"{entry}_id"].tolist()
        if lost:
            raise DataNotFoundError(
                f"load_good_sounds: {len(lost)} {entry}s have a {column} that is in no table, "
                f"among them {entry} {', '.join(map(str, lost[:5]))}. The json files in {root} do "
                "not belong together: delete them and fetch them again."
            )
    frame = takes.merge(sounds, on="sound_id").merge(packs[["pack_id", "pack"]], on="pack_id")
    frame = frame.sort_values("take_id", kind="stable", ignore_index=True)
    for column in ("microphone", "instrument", "klass", "note", "pack", "filename"):
        frame[column] = frame[column].fillna("").astype(str).str.strip()

    empty = frame.instrument == ""
    frame.loc[empty, "instrument"] = frame.loc[empty, "pack"].map(instrument_of_pack)
    frame["player"] = frame.pack.map(player_of_pack)
    octave = frame.octave.map(_octave)
    frame["pitch"] = (frame.note + octave).where((frame.note != "") & (octave != "nan"), "")
    frame["midi"] = frame.pitch.map(pitch_to_midi).astype("Int64")
    frame["is_scale"] = frame.klass.str.startswith("scale") | frame.pack.str.contains("scale")
    frame["path"] = [str(root / "good-sounds" / Path(name)) for name in frame.filename]
    return frame, int(empty.sum())


def _octave(value):
    try:
        return f"{float(value):g}"
    except (TypeError, ValueError):  # missing, or no number
        return ""


def instrument_of_pack(pack):
    """Instrument that a pack's name states, or ``"unknown"``."""
    words = pack.lower().split("_")
    if words[0] in ("sax", "saxo"):
        return next((_SAXES[w[:5]] for w in words if w[:5] in _SAXES), _UNKNOWN)
    return words[0] if words[0] in INSTRUMENTS else _UNKNOWN


def player_of_pack(pack):
    """Player that a pack's name states: the first word that is no instrument and no exercise.

    For example, it is ``gener`` in ``clarinet_scale_gener_recordings``.
    """
    words = pack.lower().split("_")
    return next((w for w in words if w not in _NO_PLAYER and w not in INSTRUMENTS), _UNKNOWN)


def _group(frame, group_by):
    if group_by == "sound":
        return "sound-" + frame.sound_id.astype(str)
    if group_by == "player":
        return frame.player
    exercise = frame.pitch.where(~frame.is_scale, "scale").replace("", "unpitched")
    return frame.instrument + "/" + frame.player + "/" + exercise


def _inside(frame, root, caller):
    """Tell which files are the data set's own, and warn about names that lead out of it."""
    folder = root / "good-sounds"
    # the user may have put a part of it on another disk, behind a link
    homes = [os.path.realpath(home) for home in (root, folder, folder / _SOUND_FILES)]
    real_folder = functools.cache(os.path.realpath)

    def is_inside_really(name):
        if not is_inside(name):
            return False
        path = os.path.join(real_folder(os.path.dirname(folder / name)), os.path.basename(name))
        path = os.path.realpath(path) if os.path.islink(path) else path
        return any(os.path.commonpath([home, path]) == home for home in homes)

    inside = frame.filename.map(is_inside_really).astype(bool)
    if not inside.all():
        warnings.warn(
            f"{caller}: {(~inside).sum()} of {len(frame)} takes are left out, whose file name "
            f"leads out of {folder}; the first is {frame.filename[~inside].iloc[0]!r}.",
            stacklevel=3,
        )
    return inside


def _existing(frame, on_missing, caller):
    """Tell which files exist; raise or warn about the others."""
    exists = frame.path.map(lambda path: Path(path).is_file())
    missing = frame.path[~exists]
    if len(missing):
        message = (
            f"{caller}: {len(missing)} of {len(frame)} files are missing, the first is "
            f"{missing.iloc[0]}."
        )
        if on_missing == "raise":
            raise DataNotFoundError(f'{message} {_REMEDY} Or pass on_missing="warn".')
        warnings.warn(f"{message} They are left out.", UserWarning, stacklevel=3)
    return exists
