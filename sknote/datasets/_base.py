"""What the loaders share: where data lies, filters that keep count, and the Bunch they return."""

import numbers
import os
import unicodedata
import warnings
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from sknote._input.choices import check_choices
from sknote.exceptions import DataNotFoundError

_PITCH_CLASSES = ("C", "Cs", "D", "Ds", "E", "F", "Fs", "G", "Gs", "A", "As", "B")
_FLATS = {"Db": "Cs", "Eb": "Ds", "Gb": "Fs", "Ab": "Gs", "Bb": "As"}


def get_data_home(data_home=None):
    """Give the folder in which data sets are looked for, with ``~`` expanded; it need not exist.

    None stands for the environment variable ``SKNOTE_DATA``, else for ``~/sknote_data``.
    """
    if data_home is None:
        data_home = os.environ.get("SKNOTE_DATA") or "~/sknote_data"
    return Path(data_home).expanduser()


def find_folder(data_home, places, *markers, caller, remedy):
    """Give the first of some places below ``data_home`` that holds a match of one of ``markers``.

    None is a DataNotFoundError, whose first and last words are ``caller`` and ``remedy``.
    """
    home = get_data_home(data_home)
    folders = [home / place for place in places]
    for folder in folders:
        if folder.is_dir() and any(True for marker in markers for _ in folder.glob(marker)):
            return folder
    looked = ", ".join(str(folder) for folder in folders)
    raise DataNotFoundError(f"{caller}: found no {markers[0]!r} in any of: {looked}. {remedy}")


def keep_rows(frame, keep, reason, dropped):
    """Keep the rows where ``keep`` is true, and book the others under ``reason`` in ``dropped``."""
    keep = np.asarray(keep, dtype=bool)
    if not keep.all():
        dropped[reason] = int((~keep).sum())
    return frame[keep]


def keep_chosen(frame, column, chosen, dropped, *, caller):
    """Keep the rows whose value in a column is chosen; None chooses all of them."""
    if chosen is None:
        return frame
    chosen = check_choices(chosen, frame[column].unique(), name=f"{column}s", caller=caller)
    return keep_rows(frame, frame[column].isin(chosen), f"other {column}", dropped)


def check_count(min_class_count, *, caller):
    """Refuse a least number of notes of a label that is none."""
    is_number = isinstance(min_class_count, numbers.Integral)
    if not is_number or isinstance(min_class_count, bool) or min_class_count < 0:
        raise ValueError(
            f"{caller}: expected min_class_count to be a whole number of at least 0, got "
            f"{min_class_count!r}."
        )


def warn_of_cases(names, what, *, caller):
    """Warn of names that differ only in large and small letters, and so are different names."""
    spellings = {}
    for name in dict.fromkeys(names):
        spellings.setdefault(name.casefold(), []).append(name)
    for alike in spellings.values():
        if len(alike) > 1:
            warnings.warn(
                f"{caller}: {' and '.join(map(repr, alike))} are taken for different {what}. "
                "Write them alike if they are one.",
                stacklevel=3,
            )


def keep_frequent(frame, min_class_count, dropped):
    """Drop labels with fewer than ``min_class_count`` rows, counting what they were."""
    counts = frame["label"].map(frame["label"].value_counts())
    reason = f"label with fewer than {min_class_count} notes"
    return keep_rows(frame, counts >= min_class_count, reason, dropped)


def plain_name(name):
    """Return a name without blanks around it, in the one form that all systems write alike.

    macOS writes an accent as a character of its own.
    """
    return unicodedata.normalize("NFC", name).strip()


def pitch_to_midi(pitch):
    """MIDI number of a pitch name: ``"C4"`` → 60, ``"As3"``, ``"A#3"`` or ``"Bb3"`` → 58.

    Returns None for anything that is not a pitch name, such as the empty pitch of a drum, and for
    what is higher than MIDI's 127.
    """
    name = pitch.strip().replace("#", "s")
    letters = name.rstrip("0123456789")
    octave = name[len(letters) :]
    letters = _FLATS.get(letters, letters)
    if letters not in _PITCH_CLASSES or not octave:
        return None
    midi = 12 * (int(octave[:4]) + 1) + _PITCH_CLASSES.index(letters)
    return midi if midi <= 127 else None


def midi_to_pitch(midi):
    """Pitch name of a MIDI number, sharps written ``s``: 60 → ``"C4"``, 58 → ``"As3"``."""
    octave, step = divmod(int(midi), 12)
    return f"{_PITCH_CLASSES[step]}{octave - 1}"


def as_bunch(frame, *, audio, hierarchy, summary, dropped):
    """Build what every loader returns: a Bunch.

    ``frame`` has all the metadata, with columns ``label``, ``instrument`` and ``group``; ``audio``
    is an object array of paths or waveforms; ``summary`` is the first paragraph of ``DESCR``;
    ``dropped`` has the number of recordings left out for each reason.
    """
    import pandas as pd

    frame = frame.reset_index(drop=True)
    data = pd.DataFrame({"audio": pd.Series(audio, dtype=object), "instrument": frame.instrument})
    # Plain NumPy strings: scikit-learn cannot index the Arrow arrays that pandas 3 gives.
    target = frame["label"].to_numpy(dtype=str)
    groups = frame["group"].to_numpy(dtype=str)
    left_out = "\n".join(f"- {count} x {reason}" for reason, count in dropped.items())
    descr = (
        f"{summary.strip()}\n\n"
        f"Notes: {len(frame)}; labels: {len(set(target))}; groups: {len(set(groups))}; "
        f"instruments: {frame['instrument'].nunique()}.\n\n"
        f"Left out:\n{left_out or '- nothing'}\n"
    )
    return Bunch(
        data=data,
        target=target,
        groups=groups,
        frame=frame,
        hierarchy=hierarchy,
        dropped=dict(dropped),
        DESCR=descr,
    )
