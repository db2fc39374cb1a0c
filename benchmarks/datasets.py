"""Data sets as tasks: recordings, labels, groups, and what was left out and why."""

import os
import time
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.utils import Bunch

import sknote.datasets
from benchmarks.cli import BenchmarkError
from benchmarks.environment import code_digest, digest
from benchmarks.processes import find_or_make
from sknote.datasets import load_good_sounds, load_philharmonia, make_notes
from sknote.model_selection import check_folds

# Notes that are made: how many, where the command line says nothing, and how
SYNTHETIC = {"synthetic": (900, {}), "synthetic-100": (8000, {"labels": "all"})}


@dataclass
class Task:
    """A data set and the question that is asked of it; arrays have an entry for each recording."""

    dataset: str
    data: object  # DataFrame: audio (paths), instrument
    names: list  # paths relative to the data set's folder, which can be published
    sizes: list  # in bytes
    target: np.ndarray
    groups: np.ndarray
    hierarchy: object
    rows: np.ndarray  # recordings that folds are made of: those of classes that are frequent enough
    description: dict  # what was found and what was left out, for the report
    warnings: list  # what the loader had to say

    def __post_init__(self):
        self.classes, counts = np.unique(self.target[self.rows], return_counts=True)
        self.description |= {
            "n_notes": len(self.rows),
            "n_classes": len(self.classes),
            "n_groups": len(np.unique(self.groups[self.rows])),
            "n_instruments": int(self.data.instrument.iloc[self.rows].nunique()),
            "largest_class": int(counts.max()),
            "smallest_class": int(counts.min()),
        }

    def key(self):
        """Return what tells this task from any other, on every machine."""
        columns = [self.names, self.sizes, self.target.tolist(), self.groups.tolist()]
        return digest(self.dataset, columns, self.rows.tolist())

    def notes(self, rows):
        """Return ``audio`` and ``instrument`` of some recordings, as a pipeline takes them."""
        return self.data[["audio", "instrument"]].iloc[rows].reset_index(drop=True)

    def within(self, rows):
        """Return the task of some of the rows, where choices may be made, for others to report."""
        return replace(self, rows=np.sort(rows), description=dict(self.description))


def load_task(args):
    """Load the data set that the command line asks for, and print what is used of it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if args.dataset in SYNTHETIC:
            n_notes, how = SYNTHETIC[args.dataset]
            bunch = synthesize(args.max_notes or n_notes, args.seed, args.cache_dir, **how)
        elif args.dataset == "philharmonia":
            bunch = load_philharmonia(data_home=args.data_home)
        else:
            bunch = load_good_sounds(data_home=args.data_home, on_missing="warn")
    n_notes = len(bunch.target)
    n_drawn = min(args.max_notes or n_notes, n_notes)
    rng = np.random.default_rng(args.seed)
    drawn = np.sort(rng.choice(n_notes, n_drawn, replace=False))
    target, data = bunch.target[drawn], bunch.data.iloc[drawn].reset_index(drop=True)
    labels, counts = np.unique(target, return_counts=True)
    classes = labels[counts >= args.min_class_count]
    if len(classes) < 2:
        raise BenchmarkError(
            f"{args.dataset} has {len(classes)} classes with {args.min_class_count} notes or more; "
            "a classifier needs at least 2. Use more data, or lower --min-class-count."
        )
    rows = np.flatnonzero(np.isin(target, classes))
    common = os.path.commonpath(list(data.audio))
    task = Task(
        dataset=args.dataset,
        data=data,
        names=[Path(path).relative_to(common).as_posix() for path in data.audio],
        sizes=[Path(path).stat().st_size for path in data.audio],
        target=target,
        groups=bunch.groups[drawn],
        hierarchy=bunch.hierarchy,
        rows=rows,
        description={
            "n_files": n_notes + sum(bunch.dropped.values()),
            "not_used_by_loader": {reason: int(n) for reason, n in bunch.dropped.items()},
            "n_not_drawn": n_notes - len(drawn),
            "n_in_rare_classes": len(target) - len(rows),
            "n_rare_classes": len(labels) - len(classes),
        },
        warnings=sorted({str(warning.message) for warning in caught}),
    )
    print(f"{task.dataset}: {task.description}")
    return task


def make_folds(task, n_folds, seed):
    """Make stratified, grouped folds, and check that no group is on both sides of one.

    Returns (train, test), positions among all recordings, and warnings of classes in few groups.
    """
    y, groups = task.target[task.rows], task.groups[task.rows]
    splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        folds = check_folds(splitter.split(y, y, groups), y, groups)
    messages = list(dict.fromkeys(str(warning.message) for warning in caught))
    return [(task.rows[train], task.rows[test]) for train, test in folds], messages


def fold_key(task, train, test):
    """Return what tells a fold from any other, on every machine."""
    return digest(task.key(), train.tolist(), test.tolist())


def synthesize(n_notes, seed, cache_dir, **options):
    """Synthesize notes into FLAC files in ``folder``, in CPU time ``seconds``, or find them."""
    folder = cache_dir / "synthetic" / digest(n_notes, seed, options, code_digest(sknote.datasets))
    kept = find_or_make(folder / "notes.npz", lambda: _synthesize(n_notes, seed, folder, options))
    frame = pd.DataFrame(kept["frame"])
    target, groups = frame.label.to_numpy(dtype=str), frame.group.to_numpy(dtype=str)
    hierarchy = clone(make_notes(1, random_state=0).hierarchy).fit(target)
    same = {"seconds": kept["seconds"], "folder": folder, "frame": frame, "dropped": {}}
    data = frame[["audio", "instrument"]]
    return Bunch(data=data, target=target, groups=groups, hierarchy=hierarchy, **same)


def _synthesize(n_notes, seed, folder, options):
    print(f"Synthesizing {n_notes:,} notes ...", flush=True)
    start = time.process_time()
    notes = make_notes(n_notes, out_dir=folder, random_state=seed, **options)
    frame = notes.frame.assign(audio=list(notes.data.audio)).to_dict("list")
    return {"frame": frame, "seconds": time.process_time() - start}
