"""Compute a chunk of features, and say of which recording a warning or an error is."""

import os
import re
import threading
import warnings
from contextlib import contextmanager
from numbers import Number

import numpy as np
import pandas as pd

from sknote._input.content import is_same, peek
from sknote._input.forms import at_rows
from sknote._input.frames import as_object_array
from sknote.exceptions import AudioDecodeWarning
from sknote.feature_extraction.cache._store import why_not_kept

# Warnings can be caught by one thread at a time; joblib takes threads inside of its processes.
_CATCHING = threading.RLock()
_THREAD = threading.local()


def portable(recording):
    """Return what can be sent to another process, if the recording can be read at all."""
    data = peek(recording) if hasattr(recording, "read") else None
    return recording if data is None else data


def make_chunk(transformer, items, marks, rows, store, folder):
    """Compute the features of recordings, which have `rows` in X, and keep them in `store`.

    `marks` are those of the recordings. Relative paths are meant from `folder`; a process may have
    been started in another one. What comes back is

    - a dict of the features that are not kept: those of a recording that has no key, or changed in
      the meantime, by row, and others by key;
    - a list of (row, reason) of those that are not kept, but for recordings that have no key or
      could not be decoded;
    - a list of warnings as (row, category, text).
    """
    keys = [marked[0] for marked in marks]
    if store is not None and None not in keys and store.has_file(keys):  # by another process
        return {}, [], []
    found = [_located(item, folder) for item in items]
    undecoded = set()
    try:
        features, caught = _apply(transformer, found)
        is_clean = not _not_decoded(caught)
    except Exception:
        is_clean = False
    remarks = []
    if is_clean:
        remarks = [(rows[0], one.category, at_rows(str(one.message), rows)) for one in caught]
    else:
        # one by one, which tells whom an error or a warning is about
        features = []
        for i, row in enumerate(rows):
            paths = (found[i], items[i])
            with errors_of_row(row, paths):
                (values,), caught = _apply(transformer, found[i : i + 1])
            features.append(values)
            texts = [at_rows(str(one.message), [row], paths) for one in caught]
            remarks += [(row, one.category, text) for one, text in zip(caught, texts)]
            if _not_decoded(caught):
                undecoded.add(i)
    kept, unkept, reasons = [], {}, []
    for i, key in enumerate(keys):
        if key is not None and not is_same(found[i], marks[i]):
            key, reason = None, "they changed while they were read"
        elif key is None or i in undecoded or store is None:
            reason = None
        elif (reason := why_not_kept(features[i])) is None:
            kept.append(i)
            continue
        unkept[rows[i] if key is None else key] = features[i]
        reasons += [(rows[i], reason)] if reason else []
    if kept:
        try:
            store.write([keys[i] for i in kept], [features[i] for i in kept])
        except OSError as error:
            what = f"could not write to {store.folder}: {error.strerror or error}"
            reason = f"{what}. Make room, or pass another cache_dir"
            unkept |= {keys[i]: features[i] for i in kept}
            reasons += [(rows[i], reason) for i in kept]
    return unkept, reasons, remarks


def _apply(transformer, items):
    """Return features as a list of arrays, and the warnings."""
    with catching(record=True) as caught:
        warnings.simplefilter("always")
        out = transformer.transform(as_recordings(items))
    if hasattr(out, "columns"):  # by set_output
        out = out["audio"].to_numpy() if "audio" in out else out.to_numpy()
    if not (isinstance(out, np.ndarray) and out.dtype == object and out.shape == (len(items),)):
        got = f"an array of shape {out.shape}" if hasattr(out, "shape") else type(out).__name__
        raise TypeError(
            f"FeatureCache: expected {type(transformer).__name__} to turn a list of recordings "
            f"into an object array of as many feature arrays, got {got} for {len(items)}. Put what "
            f"makes a table behind the FeatureCache."
        )
    return list(out), caught


def as_recordings(items):
    """Return a list of recordings, or a column of them if such a list means something else.

    A list of numbers is a waveform, and one of lists an array; here each is a recording, if a bad
    one.
    """
    if all(isinstance(item, (Number, list, tuple)) for item in items):
        return pd.Series(as_object_array(items))
    return items


@contextmanager
def catching(record):
    """Catch warnings, while no other thread does; as often as one likes in this thread."""
    with _CATCHING, warnings.catch_warnings(record=record) as caught:
        before, _THREAD.is_catching = is_catching(), True
        try:
            yield caught
        finally:
            _THREAD.is_catching = before


def is_catching():
    """Tell whether this thread is inside of `catching`."""
    return getattr(_THREAD, "is_catching", False)


@contextmanager
def errors_of_row(row, paths=()):
    """Say of which row in X, and of which path, an error is that a single recording has raised."""
    try:
        yield
    except Exception as error:
        error.args = tuple(at_rows(arg, [row], paths) for arg in error.args)
        raise


@contextmanager
def labelled_errors(labels):
    """Let an error that names a row in X say what the caller calls it, too."""
    try:
        yield
    except Exception as error:
        error.args = tuple(with_labels(arg, labels) for arg in error.args)
        raise


def with_labels(text, labels):
    """Add to the rows that a text names what the caller calls them, if that is something else."""
    if labels is None or not isinstance(text, str):
        return text
    return re.sub(
        r"\(row (\d+)\)", lambda row: f"(row {row[1]}, index {labels[int(row[1])]!r})", text
    )


def _located(item, folder):
    """Return a relative path from where the caller is, if this process is in another folder."""
    is_path = isinstance(item, (str, os.PathLike)) and folder != os.getcwd()
    return os.path.join(folder, item) if is_path else item


def _not_decoded(caught):
    return any(issubclass(one.category, AudioDecodeWarning) for one in caught)
