"""Data sets as tasks: recordings, labels, groups, and what was left out and why."""

import os
import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path

import joblib
import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from benchmarks.cache import digest, source_digest, write_atomic
from benchmarks.cli import BenchmarkError
from sknote.datasets import load_good_sounds, load_philharmonia, make_notes
from sknote.exceptions import DataNotFoundError
from sknote.model_selection import check_folds

SYNTHETIC_NOTES = 900


@dataclass
class Task:
    """A data set and the question that is asked of it.

    Attributes
    ----------
    dataset : str
    data : DataFrame
        ``audio`` (paths) and ``instrument`` of all recordings found.
    names : list of str
        Paths relative to the data set's folder, which can be published.
    sizes : list of int
        In bytes.
    target, groups : ndarray of shape (n_found,)
    hierarchy : LabelHierarchy
    rows : ndarray of int
        Which recordings the folds are made of: those of classes that are frequent enough.
    classes : ndarray of str
        The labels of `rows`, sorted.
    description : dict
        What was found and what was left out, for the report.
    warnings : list of str
        What the loader had to say.
    """

    dataset: str
    data: object
    names: list
    sizes: list
    target: np.ndarray
    groups: np.ndarray
    hierarchy: object
    rows: np.ndarray
    classes: np.ndarray
    description: dict
    warnings: list = field(default_factory=list)

    def key(self):
        """Return what tells this task from any other, on every machine."""
        columns = [self.names, self.sizes, self.target.tolist(), self.groups.tolist()]
        return digest(self.dataset, columns, self.rows.tolist())


def load_task(dataset, *, data_home, max_notes, min_class_count, seed, cache_dir):
    """Load a data set by its name.

    Parameters
    ----------
    dataset : {"synthetic", "philharmonia", "good_sounds"}
    data_home : path-like or None
        As in the loaders.
    max_notes : int or None
        Notes to draw by lot from a real data set, or to synthesise.
    min_class_count : int
        Leave out classes with fewer notes.
    seed : int
        Seed of the lot and of the synthesis.
    cache_dir : Path
        Where synthetic notes are kept.

    Returns
    -------
    Task
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            if dataset == "synthetic":
                bunch = _synthetic(max_notes or SYNTHETIC_NOTES, seed, cache_dir)
            elif dataset == "philharmonia":
                bunch = load_philharmonia(data_home=data_home)
            else:
                bunch = load_good_sounds(data_home=data_home, on_missing="warn")
        except DataNotFoundError as error:
            raise BenchmarkError(str(error)) from error
    n_notes = len(bunch.target)
    drawn = np.arange(n_notes)
    if max_notes is not None and max_notes < n_notes:
        drawn = np.sort(np.random.default_rng(seed).choice(n_notes, max_notes, replace=False))
    target, groups = bunch.target[drawn], bunch.groups[drawn]
    labels, counts = np.unique(target, return_counts=True)
    classes = labels[counts >= min_class_count]
    if len(classes) < 2:
        raise BenchmarkError(
            f"{dataset} has {len(classes)} classes with {min_class_count} notes or more, of "
            f"{len(labels)} labels on {len(target)} notes; a classifier needs at least 2. Use more "
            "data, or lower --min-class-count."
        )
    rows = np.flatnonzero(np.isin(target, classes))
    data = bunch.data.iloc[drawn].reset_index(drop=True)
    description = {
        "n_files": n_notes + sum(bunch.dropped.values()),
        "not_used_by_loader": {reason: int(n) for reason, n in bunch.dropped.items()},
        "n_not_drawn": n_notes - len(drawn),
        "n_in_rare_classes": len(target) - len(rows),
        "n_rare_classes": len(labels) - len(classes),
        "n_notes": len(rows),
        "n_classes": len(classes),
        "n_groups": len(np.unique(groups[rows])),
        "n_instruments": int(data.instrument.iloc[rows].nunique()),
        "largest_class": int(counts.max()),
        "smallest_class": int(counts[counts >= min_class_count].min()),
    }
    return Task(
        dataset=dataset,
        data=data,
        names=_relative_names(data.audio),
        sizes=[Path(path).stat().st_size for path in data.audio],
        target=target,
        groups=groups,
        hierarchy=bunch.hierarchy,
        rows=rows,
        classes=classes,
        description=description,
        warnings=sorted({str(warning.message) for warning in caught}),
    )


def within(task, rows):
    """Return the task of some of the rows, such as the training part of a fold.

    Choices may be made there, for what is reported of the other part has not been seen.

    Parameters
    ----------
    task : Task
    rows : ndarray of int
        Positions among all recordings.

    Returns
    -------
    Task
    """
    rows = np.sort(rows)
    classes, counts = np.unique(task.target[rows], return_counts=True)
    description = task.description | {
        "n_notes": len(rows),
        "n_classes": len(classes),
        "n_groups": len(np.unique(task.groups[rows])),
        "n_instruments": int(task.data.instrument.iloc[rows].nunique()),
        "largest_class": int(counts.max()),
        "smallest_class": int(counts.min()),
    }
    return replace(task, rows=rows, classes=classes, description=description)


def make_folds(task, n_folds, seed):
    """Make stratified, grouped folds; no group is on both sides of one, and that is checked.

    Returns
    -------
    folds : list of (train, test)
        Positions among all recordings of the task.
    warnings : list of str
        Classes that are in too few groups, by name.
    """
    y, groups = task.target[task.rows], task.groups[task.rows]
    splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            folds = check_folds(splitter.split(y, y, groups), y, groups)
        except ValueError as error:
            raise BenchmarkError(str(error)) from error
    messages = list(dict.fromkeys(str(warning.message) for warning in caught))
    return [(task.rows[train], task.rows[test]) for train, test in folds], messages


def _synthetic(n_notes, seed, cache_dir):
    """Synthesise notes into files, or take them from the last time."""
    key = digest(n_notes, seed, source_digest(["datasets/*.py"]))
    folder = cache_dir / "synthetic" / key
    done = folder / "bunch.joblib"
    if not done.exists():
        print(f"Synthesising {n_notes} notes ...", flush=True)
        bunch = make_notes(n_notes, out_dir=folder, random_state=seed)
        write_atomic(done, lambda path: joblib.dump(bunch, path))
    return joblib.load(done)


def _relative_names(paths):
    """Give paths without the folder that all have in common."""
    common = os.path.commonpath(list(paths))
    return [Path(path).relative_to(common).as_posix() for path in paths]
