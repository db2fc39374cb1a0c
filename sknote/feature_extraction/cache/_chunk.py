"""Compute a chunk of features, and say of which recording a warning or an error is."""

import os
import re
import threading
import warnings
from contextlib import contextmanager

import numpy as np

from sknote.exceptions import AudioDecodeWarning
from sknote.feature_extraction.cache._store import peek

# Warnings can be caught by one thread at a time; joblib takes threads inside of its processes.
_CATCHING = threading.RLock()
_THREAD = threading.local()


def portable(recording):
    """Return what can be sent to another process, if the recording can be read at all."""
    data = peek(recording) if hasattr(recording, "read") else None
    return recording if data is None else data


def make_chunk(transformer, items, rows, keys, store, folder):
    """Compute and store the features of recordings, which have `rows` in X and `keys` in `store`.

    Relative paths are meant from `folder`; a process may have been started in another one. What
    comes back is a dict of the features that are not kept: of recordings that have no key (by row),
    or of which a warning says that they could not be decoded (by key); and a list of warnings as
    (row, category, text).
    """
    if None not in keys and store.has_file(keys):  # by another process, in the meantime
        return {}, []
    found = [_located(item, folder) for item in items]
    try:
        features, caught = _apply(transformer, found)
        is_clean = not _not_decoded(caught)
    except Exception:
        is_clean = False
    remarks = []
    if is_clean:
        remarks = [(rows[0], one.category, str(one.message)) for one in caught]
        doubtful = {i for i, key in enumerate(keys) if key is None}
    else:
        # one by one, which tells whom an error or a warning is about
        features, doubtful = [], set()
        for i, row in enumerate(rows):
            paths = (found[i], items[i])
            with errors_of_row(row, paths):
                (values,), caught = _apply(transformer, found[i : i + 1])
            features.append(values)
            texts = [_at_row(str(one.message), row, paths) for one in caught]
            remarks += [(row, one.category, text) for one, text in zip(caught, texts)]
            if keys[i] is None or _not_decoded(caught):
                doubtful.add(i)
    kept = [i for i in range(len(items)) if i not in doubtful]
    if kept:
        store.write([keys[i] for i in kept], [features[i] for i in kept])
    unkept = {rows[i] if keys[i] is None else keys[i]: features[i] for i in doubtful}
    return unkept, remarks


def _apply(transformer, items):
    """Return features as a list of arrays, and the warnings."""
    with catching(record=True) as caught:
        warnings.simplefilter("always")
        out = transformer.transform(items)
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
        error.args = tuple(_at_row(arg, row, paths) for arg in error.args)
        raise


def _at_row(text, row, paths=()):
    """Put the row in X for the one that a transformer saw, which was given a single recording."""
    if not isinstance(text, str):
        return text
    if paths and isinstance(paths[0], str):
        text = text.replace(paths[0], os.fspath(paths[1]))
    return re.sub(r"\brow 0\b", f"row {row}", text)


def _located(item, folder):
    """Return a relative path from where the caller is, if this process is in another folder."""
    is_path = isinstance(item, (str, os.PathLike)) and folder != os.getcwd()
    return os.path.join(folder, item) if is_path else item


def _not_decoded(caught):
    return any(issubclass(one.category, AudioDecodeWarning) for one in caught)
