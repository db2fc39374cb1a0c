"""A pipeline for searches: its features come from files, one set for each setting."""

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from benchmarks.cache import digest
from benchmarks.features import as_input, compute_chunk, find_features, load_features
from benchmarks.models import settings
from sknote import MFCCSummary

N_MFCC = 40  # coefficients in a file of MFCC statistics, from which those of fewer are taken


class CachedPipeline(Pipeline):
    """A pipeline that takes positions of recordings in place of recordings.

    What the steps before the last one make of a note is read from the files of `make_features`,
    or made and written where nobody needed that setting before. All parameters are the pipeline's
    own, and it learns and answers as `run_fold` has it.

    Parameters
    ----------
    steps : list of (str, estimator)
    notes : NoteFeatures
    transform_input, memory, verbose
        As of any pipeline.
    """

    def __init__(self, steps, notes, *, transform_input=None, memory=None, verbose=False):
        super().__init__(steps, transform_input=transform_input, memory=memory, verbose=verbose)
        self.notes = notes

    def fit(self, X, y):
        """Fit the last step.

        Parameters
        ----------
        X : ndarray of int of shape (n_notes,)
            Positions among all recordings of the task.
        y : ndarray of shape (n_notes,)
        """
        task = self.notes.task
        self.categories_ = sorted(set(task.data.instrument.to_numpy(dtype=object)[X]))
        last = self.steps[-1][1]
        groups = {"groups": task.groups[X]} if has_fit_parameter(last, "groups") else {}
        last.fit(self._input(X), y, **groups)
        return self

    def predict(self, X):
        """Return the labels."""
        return self.steps[-1][1].predict(self._input(X))

    def _input(self, X):
        features = self.notes.load(Pipeline(self.steps))
        instrument = self.notes.task.data.instrument.to_numpy(dtype=object)
        return as_input(features[X], instrument[X], self.categories_)


class NoteFeatures:
    """Features of all recordings of a task, for any setting; the last one is kept in memory.

    Parameters
    ----------
    task : Task
    cache_dir : Path
    """

    def __init__(self, task, cache_dir):
        self.task = task
        self.cache_dir = cache_dir
        self._kept = (None, None)

    def __sklearn_clone__(self):
        return self  # a search clones its estimator for each fit; the features are the same

    def load(self, pipeline):
        """Return the features that the steps before a pipeline's last one make.

        Returns
        -------
        ndarray of shape (n_found, n_features), or object ndarray of shape (n_found,)
        """
        whole, columns = with_all_coefficients(pipeline)
        key = digest(settings(whole[:-1]))
        if key != self._kept[0]:
            files, jobs = find_features(self.task, {"": whole}, cache_dir=self.cache_dir)
            for job in jobs:
                compute_chunk(job)
            self._kept = (key, load_features(files[""]))
        features = self._kept[1]
        return features if columns is None else features[:, columns]


def with_all_coefficients(pipeline):
    """Return a pipeline whose features hold those of the given one, and where they are.

    The statistics of an MFCC do not depend on how many others there are, so that one file serves
    all numbers of coefficients.

    Parameters
    ----------
    pipeline : Pipeline

    Returns
    -------
    pipeline : Pipeline
        With at least `N_MFCC` coefficients, if they are what its features are.
    columns : list of int or None
        Positions of the features wanted among those of the pipeline returned; None for all.
    """
    mfcc = pipeline.named_steps.get("mfcc")
    if not isinstance(mfcc, MFCCSummary):
        return pipeline, None
    n_mfcc = max(mfcc.n_mfcc, min(N_MFCC, mfcc.n_mels))
    whole = clone(pipeline).set_params(mfcc__n_mfcc=n_mfcc)
    place = {name: i for i, name in enumerate(_names(whole.named_steps["mfcc"]))}
    return whole, [place[name] for name in _names(mfcc)]


def _names(mfcc):
    return clone(mfcc).fit([np.zeros(mfcc.n_fft)]).get_feature_names_out()
