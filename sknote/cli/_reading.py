"""Recordings that are named on the command line, read ahead in threads, in bounded memory."""

import os
import sys
import warnings
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from sknote._input.choices import warn_of_unknown, what_is_known
from sknote._input.equal import is_constant
from sknote.audio import read_audio
from sknote.datasets._table import read_table
from sknote.datasets._walk import NO_FILE, SOUND, UNREADABLE, find_files

SILENT = "there is no sound in it"
_NO_NAMES = "expected one name a line, got a recording on standard input. Name its file"
_RECORDING = ("RIFF", "fLaC", "OggS", "ID3")  # how it begins
_BY_ZEROS = "expected one name a line, got names with zero bytes between them, as of find -print0"
# Files that are read ahead, and their bytes: an MP3 file becomes about six times as large.
_MOST_FILES = 512
_MOST_BYTES = 1 << 24
# Notes that are judged at once, at first and at most, and their samples: the first answers come
# soon, and many at once take less time each.
_FIRST_BATCH = 32
_BATCH = 512
_BATCH_SAMPLES = 1 << 24


class Recording(NamedTuple):
    """One that is named, or what was named instead of one, with what is wrong with it."""

    name: str
    instrument: str | None = None
    error: str | None = None
    waveform: object = None
    remarks: tuple = ()
    answer: object = None  # if it is known
    key: object = None  # by which it will be


def count_of(files):
    """Tell how many recordings are meant; None where a folder, a table or - stands for others."""
    for word in files:
        if word == "-" or word.lower().endswith(".csv") or os.path.isdir(word):
            return None
    return len(files)


def recordings(files, instrument):
    """Yield a Recording, not yet read, for each that is meant by the words of a command line."""
    for word in files:
        if word == "-":
            yield from _of_lines(sys.stdin, instrument)
        elif word.lower().endswith(".csv"):
            yield from _of_table(word, instrument)
        elif os.path.isdir(word):
            found, failed = _of_folder(word)
            yield from (Recording(str(path), instrument) for path in found)
            yield from failed
            if not found and not failed:
                yield Recording(word, error="there is no recording in this folder")
        else:
            yield Recording(word, instrument)


def named_instruments(jobs, model, caller):
    """Yield recordings as they come; say once of each instrument that the model does not know it.

    And once that none is named, where the model knows some.
    """
    from sknote.passages import instruments_of

    known, told = instruments_of(model), set()
    for job in jobs:
        plays = job.instrument or None
        is_new = job.error is None and known and plays not in told
        if is_new and os.path.exists(job.name):
            told.add(plays)
            if plays is None:
                warnings.warn(
                    f"{caller}: the instrument of {job.name!r}, and of each other recording for "
                    "which none is named, counts as unknown to the model. "
                    f"{what_is_known(known)} Pass --instrument, or a table with a column "
                    "'instrument'.",
                    stacklevel=2,
                )
            else:
                warn_of_unknown(plays, known, caller)
        yield job


def _of_folder(folder):
    """Find the recordings below a folder, and what may be one, or hide some, and cannot be read."""
    left_out = []
    found = find_files(folder, SOUND, {}, left_out, any_name=True)
    failed = [
        Recording(path, error=reason)
        for path, reason in left_out
        if reason == UNREADABLE or (reason == NO_FILE and path.lower().endswith(SOUND))
    ]
    return found, failed


def _of_lines(lines, instrument):
    found = False
    for line in lines:
        if name := line.rstrip("\r\n"):
            if not found and name.startswith(_RECORDING) and not name.isprintable():
                yield Recording("-", error=_NO_NAMES)
                return
            found = True
            error = _BY_ZEROS if "\0" in name else None
            yield Recording(name.partition("\0")[0], instrument, error)
    if not found:
        yield Recording("-", error="there is no name of a recording on standard input")


def _of_table(path, instrument):
    try:
        columns = read_table(path, ("audio",), caller="predict")
    except (OSError, ValueError) as error:
        yield Recording(path, error=str(getattr(error, "strerror", None) or error))
        return
    folder = os.path.dirname(path)
    stated = columns.get("instrument") or [None] * len(columns["audio"])
    for row, (name, plays) in enumerate(zip(columns["audio"], stated), start=1):
        if name:
            yield Recording(os.path.join(folder, name), plays or instrument)
        else:
            error = f"row {row}, not counting empty ones, has nothing in the column 'audio'"
            yield Recording(path, plays or instrument, error)
    if not stated:
        yield Recording(path, error="there is no recording in this table")


def read_ahead(jobs, read_options, n_threads):
    """Read recordings in threads, and yield them in their order.

    What is read ahead is bounded, whatever the number of recordings; of long ones no more than one
    a thread. Those whose answer is known are not decoded.
    """

    def read(job):
        try:
            waveform, error, remarks = read_audio(job.name, **read_options)
        except ImportError as missing:  # of a package for this kind of file
            return job._replace(error=str(missing))
        if error is None and is_constant(waveform):
            error = SILENT
        job = job._replace(remarks=tuple(remarks))
        if error is not None:
            return job._replace(error=str(error))
        return job._replace(waveform=waveform)

    jobs, pending, n_bytes = iter(jobs), deque(), 0
    pool = ThreadPoolExecutor(n_threads)
    try:
        while True:
            while len(pending) < n_threads or (
                len(pending) < _MOST_FILES and n_bytes < _MOST_BYTES
            ):
                if (job := next(jobs, None)) is None:
                    break
                is_done = job.error is not None or job.answer is not None
                size = 0 if is_done else _size_of(job.name)
                future = None if is_done else pool.submit(read, job)
                pending.append((job, size, future))
                n_bytes += size
            if not pending:
                return
            job, size, future = pending.popleft()
            n_bytes -= size
            yield job if future is None else future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _size_of(name):
    try:
        return os.stat(name).st_size
    except (OSError, ValueError):
        return 0


def in_batches(read):
    """Put recordings that were read together, as many as are judged at once."""
    batch, n_samples, most = [], 0, min(_FIRST_BATCH, _BATCH)
    for recording in read:
        batch.append(recording)
        n_samples += 0 if recording.waveform is None else len(recording.waveform)
        if len(batch) >= most or n_samples >= _BATCH_SAMPLES:
            yield batch
            batch, n_samples, most = [], 0, min(4 * most, _BATCH)
    if batch:
        yield batch
