"""Features made once for all folds and models, and kept in files from run to run."""

import json
import re
import time
import warnings
from collections import Counter
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.base import clone
from tqdm.auto import tqdm

from benchmarks.cache import FEATURE_SOURCES, digest, source_digest, write_atomic, write_json
from benchmarks.cli import BenchmarkError
from benchmarks.environment import versions
from benchmarks.models import settings
from benchmarks.processes import JobFailed, run_jobs

CHUNK = 128  # recordings in a file of features


def make_features(task, pipelines, *, cache_dir, n_jobs):
    """Compute the features of every recording, as far as they are not there yet.

    Recordings are decoded once for all pipelines that decode them alike. Nothing is fitted on the
    data: each step before a pipeline's last one must treat a note by itself.

    Parameters
    ----------
    task : Task
    pipelines : dict of str to Pipeline
        Model → its pipeline.
    cache_dir : Path
    n_jobs : int
        Processes, of one thread each.

    Returns
    -------
    dict of str to list of Path
        Model → its files, one for each chunk of recordings; empty if it has no features.
    """
    files, jobs = find_features(task, pipelines, cache_dir=cache_dir)
    results = run_jobs(compute_chunk, jobs, n_jobs=n_jobs, n_threads=1)
    # disable=None: no bar where nobody watches
    for _, result in tqdm(results, "features", total=len(jobs), unit="chunk", disable=None):
        if isinstance(result, JobFailed):
            raise BenchmarkError(f"features could not be computed: {result}")
    return files


def find_features(task, pipelines, *, cache_dir):
    """Tell where the features of every recording are, and what is left to be computed.

    Parameters
    ----------
    task, pipelines, cache_dir
        As in `make_features`.

    Returns
    -------
    files : dict of str to list of Path
        As in `make_features`.
    jobs : list
        What `compute_chunk` is to be called with, for the files that are not there yet.
    """
    sources = source_digest(FEATURE_SOURCES)
    chunks = [range(i, min(i + CHUNK, len(task.names))) for i in range(0, len(task.names), CHUNK)]
    contents = [[_fingerprint(task.data.audio[row]) for row in chunk] for chunk in chunks]
    files, missing = {}, {}
    for model, pipeline in pipelines.items():
        steps = pipeline[:-1].steps
        folder = "-".join([task.dataset, *(name for name, _ in steps[1:])])
        key = [settings(pipeline[:-1]), sources, versions()] if steps else None
        load = repr(settings(pipeline[:1]))
        files[model] = []
        for i, content in enumerate(contents if steps else []):
            path = cache_dir / "features" / folder / f"{digest(key, content)}.joblib"
            files[model].append(path)
            if not path.with_suffix(".json").exists():
                missing.setdefault((i, load), {})[path] = pipeline[:-1]
    jobs = [([task.data.audio[row] for row in chunks[i]], todo) for (i, _), todo in missing.items()]
    return files, jobs


def compute_chunk(job):
    """Decode recordings and write the features that several pipelines make of them.

    Parameters
    ----------
    job : tuple of (list of path, dict of Path to Pipeline)
        Recordings, and for each file to write the steps that lead to it; all pipelines begin with
        the same step.
    """
    sources, todo = job
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        loader = clone(next(iter(todo.values()))[0])
        start = time.perf_counter()
        waveforms = loader.fit_transform(sources)
        load_seconds = time.perf_counter() - start
    remarks = [re.sub(r" \(row \d+\)", "", str(warning.message)) for warning in caught]
    unreadable = [i for i, waveform in enumerate(waveforms) if len(waveform) == 0]
    for path, steps in todo.items():
        start = time.perf_counter()
        items = clone(steps[1:]).fit_transform(waveforms)
        chunk = {
            "seconds": load_seconds + time.perf_counter() - start,
            "audio_seconds": sum(map(len, waveforms)) / loader.sample_rate,
            "unreadable": unreadable,
            "remarks": remarks,
        }
        write_atomic(path, lambda temporary, items=items: joblib.dump(items, temporary))
        write_json(path.with_suffix(".json"), chunk)  # last: it says that the chunk is there


def load_features(files):
    """Read the features of all recordings.

    Parameters
    ----------
    files : list of Path
        As `make_features` returns them.

    Returns
    -------
    ndarray of shape (n_found, n_features), or object ndarray of shape (n_found,) of spectrograms
    """
    return np.concatenate([joblib.load(path) for path in files])


def describe_features(task, files):
    """Summarise how the features of a task came about.

    Parameters
    ----------
    task : Task
    files : list of Path

    Returns
    -------
    speed : dict
        ``seconds`` (on one core, with decoding), ``notes_per_s`` and ``x_real_time``.
    unreadable : list of str
        Recordings that could not be decoded.
    remarks : dict of str to int
        What else the decoder had to say → how often.
    """
    chunks = [json.loads(path.with_suffix(".json").read_text()) for path in files]
    seconds = sum(chunk["seconds"] for chunk in chunks)
    audio = sum(chunk["audio_seconds"] for chunk in chunks)
    speed = {
        "seconds": seconds,
        "notes_per_s": len(task.names) / seconds,
        "audio_seconds": audio,
        "x_real_time": audio / seconds,
    }
    unreadable = [
        task.names[CHUNK * i + row] for i, chunk in enumerate(chunks) for row in chunk["unreadable"]
    ]
    folder = str(Path(task.data.audio[0]).parents[len(Path(task.names[0]).parts) - 1])
    remarks = Counter(
        remark.replace(folder + "/", "") for chunk in chunks for remark in chunk["remarks"]
    )
    return speed, unreadable, dict(remarks)


def as_input(features, instrument, categories):
    """Put features and instruments together as the last step of a pipeline takes them.

    Parameters
    ----------
    features : ndarray or None
        As `load_features` returns them, of some notes.
    instrument : ndarray of shape (n_notes,)
    categories : list of str
        Instruments of the training notes; any other one counts as missing in a table of numbers.

    Returns
    -------
    DataFrame
        With ``audio`` and ``instrument`` for spectrograms; else one column a number, and
        ``instrument`` as a category.
    """
    if features is not None and features.dtype == object:
        return pd.DataFrame({"audio": features, "instrument": instrument})
    table = pd.DataFrame(features if features is not None else np.zeros((len(instrument), 0)))
    table.columns = [f"feature{i}" for i in table.columns]
    known = [name if name in categories else None for name in instrument]
    table["instrument"] = pd.Categorical(known, categories=categories)
    return table


def _fingerprint(path):
    status = Path(path).stat()
    return [str(path), status.st_size, status.st_mtime_ns]
