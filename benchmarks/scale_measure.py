"""The work that `scale` times: making notes, features, a fit and predictions of one size."""

import json
import os
import resource
import shutil
import sys
import time
import warnings
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from benchmarks.cache import write_json
from benchmarks.environment import peak_memory_mib
from sknote.datasets import iter_notes
from sknote.feature_extraction import FeatureCache

PART = 1000  # notes in a folder


@dataclass(frozen=True)
class NotesJob:
    """A folder of synthetic notes that is to be there.

    Attributes
    ----------
    folder : Path
    start, stop : int
        The rows, as :func:`~sknote.datasets.iter_notes` counts them.
    duration_range : (float, float)
        In seconds.
    seed : int
    """

    folder: Path
    start: int
    stop: int
    duration_range: tuple
    seed: int


@dataclass(frozen=True)
class SizeJob:
    """One size to be measured.

    Attributes
    ----------
    parts : list of Path
        Folders of notes.
    n_notes : int
        How many of their notes to use, from the first on.
    pipeline : Pipeline
        Steps that make features, and a classifier.
    folder : Path
        Of the features; must not be there yet.
    path : Path
        The JSON file of the result.
    n_threads : int
    keep : bool
        Whether the features stay.
    """

    parts: list
    n_notes: int
    pipeline: Pipeline
    folder: Path
    path: Path
    n_threads: int
    keep: bool


def make_part(job):
    """Synthesise the notes of a folder, one by one; ``notes.json`` says that they are all there."""
    import soundfile

    start = time.process_time()
    job.folder.mkdir(parents=True, exist_ok=True)
    notes = iter_notes(job.start, duration_range=job.duration_range, random_state=job.seed)
    about = {"instrument": [], "label": [], "duration": []}
    for row, (waveform, record) in enumerate(islice(notes, job.stop - job.start), job.start):
        soundfile.write(job.folder / f"{row:06d}.flac", waveform, 22050, subtype="PCM_16")
        for name in about:
            about[name].append(record[name])
    write_json(job.folder / "notes.json", about | {"seconds": time.process_time() - start})


def read_parts(parts, n_notes):
    """Return what is known of the first notes.

    Parameters
    ----------
    parts : list of Path
        Folders of notes.
    n_notes : int

    Returns
    -------
    DataFrame of shape (n_notes, 5)
        ``audio`` (paths), ``instrument``, ``label``, ``duration`` (s) and ``seconds`` (on one core,
        to make it).
    """
    frames = []
    for folder in parts:
        about = json.loads((folder / "notes.json").read_text())
        about["audio"] = sorted(map(str, folder.glob("*.flac")))
        about["seconds"] /= len(about["audio"])
        frames.append(pd.DataFrame(about))
    return pd.concat(frames, ignore_index=True)[:n_notes]


def measure_size(job):
    """Make features, read them again, fit and predict; write times, memory and disk.

    Parameters
    ----------
    job : SizeJob
    """
    notes = read_parts(job.parts, job.n_notes)
    data = notes[["audio", "instrument"]]
    seconds, cpu = {}, {}

    def timed(name, function, *arguments):
        start, start_cpu = time.perf_counter(), _cpu_seconds()
        result = function(*arguments)
        seconds[name] = time.perf_counter() - start
        _end_workers()
        cpu[name] = _cpu_seconds() - start_cpu
        return result

    shutil.rmtree(job.folder, ignore_errors=True)
    cache = FeatureCache(clone(job.pipeline[:-1]), job.folder, n_jobs=job.n_threads)
    timed("features", cache.fit_transform, data)
    worker_mib = _peak_of_children_mib()
    X = timed("cached_features", clone(cache).fit_transform, data)
    classifier = clone(job.pipeline[-1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        timed("fit", classifier.fit, X, notes["label"].to_numpy(dtype=str))
        timed("predict", classifier.predict, X)
    disk = sum(path.stat().st_size for path in job.folder.rglob("*") if path.is_file())
    result = {
        "n_notes": job.n_notes,
        "n_classes": len(classifier.classes_),
        "hours": notes["duration"].sum() / 3600,
        "make_seconds": notes["seconds"].sum(),
        "seconds": seconds,
        "cpu_seconds": cpu,
        "peak_memory_mib": peak_memory_mib(),
        "worker_peak_memory_mib": worker_mib,
        "disk_mib": disk / 2**20,
        "n_files": sum(1 for _ in job.folder.rglob("*.features")),
    }
    write_json(job.path, {key: _plain(value) for key, value in result.items()})
    if not job.keep:
        shutil.rmtree(job.folder)


def _plain(value):
    return float(value) if isinstance(value, np.floating) else value


def _cpu_seconds():
    """CPU time of this process and of all that it started and that have ended."""
    return sum(os.times()[:4])


def _end_workers():
    """End joblib's processes: then their time and memory are known, and none is left to the fit."""
    from joblib.externals.loky import get_reusable_executor

    executor = get_reusable_executor(reuse=True)
    # joblib's own executor has a temporary folder, too, which it would delete at exit; processes of
    # multiprocessing leave without that
    getattr(executor, "terminate", executor.shutdown)()


def _peak_of_children_mib():
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / unit
