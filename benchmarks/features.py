"""Features of notes, kept by `sknote.feature_extraction.FeatureCache` from run to run."""

import re
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

import sknote.audio
import sknote.feature_extraction
import sknote.spectral
from benchmarks.environment import code_digest, digest
from benchmarks.models import settings
from benchmarks.processes import Job, run_kept
from sknote.exceptions import AudioDecodeWarning
from sknote.feature_extraction import FeatureCache
from sknote.pipelines import NotePipeline

TIMED_NOTES = 256  # that the speed of features is measured on


class CachedPipeline(NotePipeline):
    """A pipeline that answers as any other, and keeps its features, for each setting, on disk."""

    def __init__(self, steps, cache_dir, *, transform_input=None, memory=None, verbose=False):
        super().__init__(steps, transform_input=transform_input, memory=memory, verbose=verbose)
        self.cache_dir = cache_dir

    def fit(self, X, y, **params):
        """Fit the last step to notes, a DataFrame with ``audio`` and ``instrument``."""
        self.instruments_ = sorted(set(X["instrument"]))
        name, last = self.steps[-1]
        own = {key.removeprefix(f"{name}__"): value for key, value in params.items()}
        last.fit(self._inputs(X), y, **own)
        return self

    def predict(self, X):
        """Return the labels, of shape (n_notes,)."""
        return self.steps[-1][1].predict(self._inputs(X))

    def _inputs(self, X):
        return inputs(Pipeline(self.steps), X, self.instruments_, self.cache_dir)


def inputs(pipeline, notes, instruments, cache_dir):
    """Return what the last step of a pipeline takes: a DataFrame of spectrograms, or of numbers.

    In the latter ``instrument`` is a category, missing if training notes had no such instrument.
    """
    items = []
    if len(pipeline) > 1:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AudioDecodeWarning)  # `make_features` tells of them
            items = read_features(pipeline, notes.audio, cache_dir)
    if len(items) and items[0].ndim == 2:
        return pd.DataFrame({"audio": items, "instrument": notes.instrument.to_numpy(dtype=object)})
    table = pd.DataFrame(np.stack(items) if len(items) else np.zeros((len(notes), 0)))
    known = notes.instrument.where(notes.instrument.isin(instruments)).to_numpy()
    table = table.add_prefix("feature")
    return table.assign(instrument=pd.Categorical(known, categories=instruments))


def read_features(pipeline, paths, cache_dir, **options):
    """Return the features of recordings, an object ndarray of shape (n_notes,)."""
    each_note = FunctionTransformer(_each_note, kw_args={"steps": Pipeline(pipeline.steps[:-1])})
    # a version stays while its code is edited
    code = digest(*map(code_digest, (sknote.audio, sknote.feature_extraction, sknote.spectral)))
    folder = cache_dir / "features" / code
    return FeatureCache(each_note, folder, **options).fit_transform(list(paths))


def _each_note(paths, steps):
    """Return the spectrogram, or the row of a table, of each recording: what a cache takes."""
    rows = clone(steps).fit_transform(list(paths))
    return pd.Series([np.asarray(row) for row in rows], dtype=object).to_numpy()


def make_features(task, pipelines, cache_dir, n_jobs, rows=None):
    """Compute what is not there yet of the features of a task, or of some rows, for some pipelines.

    Returns the names of recordings that could not be decoded, and what the decoder had to say.
    """
    unreadable, remarks = set(), set()
    rows = np.arange(len(task.names)) if rows is None else rows
    folder = str(Path(task.data.audio[0]).parents[len(Path(task.names[0]).parts) - 1])
    options = {"n_jobs": n_jobs, "chunk_size": 128, "verbose": 1}
    different = {str(settings(one[:-1])): one for one in pipelines if len(one) > 1}
    for pipeline in different.values():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            read_features(pipeline, task.data.audio.iloc[rows], cache_dir, **options)
        for text in [str(warning.message) for warning in caught]:
            if (row := re.search(r" \(row (\d+)\) could not be decoded", text)) is not None:
                unreadable.add(int(rows[int(row[1])]))
            remarks.add(re.sub(r" \(row \d+\)", "", text).replace(folder + "/", ""))
    return [task.names[row] for row in sorted(unreadable)], sorted(remarks)


def measure_features(task, pipelines, cache_dir):
    """Time features, of a draw of notes, on one core; None for a model without features."""
    n_notes = min(TIMED_NOTES, len(task.rows))
    drawn = np.sort(np.random.default_rng(0).choice(task.rows, n_notes, replace=False))
    paths = list(task.data.audio.iloc[drawn])
    steps = {name: pipeline[:-1] for name, pipeline in pipelines.items() if len(pipeline) > 1}
    jobs = []
    for name, own in steps.items():
        key = {"settings": settings(own), "paths": paths}
        jobs.append(Job(f"features of {name}", key, {"pipeline": own, "paths": paths}))
    speeds = run_kept(time_features, jobs, cache_dir=cache_dir, n_jobs=1, n_threads=1)
    return dict.fromkeys(pipelines) | dict(zip(steps, speeds))


def time_features(pipeline, paths):
    """Decode recordings and make features of them; returns the time (s) and notes per second."""
    pipeline.fit_transform(paths[:2])  # what is done once
    start = time.perf_counter()
    pipeline.fit_transform(paths)
    seconds = time.perf_counter() - start
    return {"n_notes": len(paths), "seconds": seconds, "notes_per_s": len(paths) / seconds}
