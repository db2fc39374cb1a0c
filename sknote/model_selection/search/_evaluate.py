"""One trial of a search: the folds, the reports to the pruner, the score."""

import warnings
from contextlib import closing, nullcontext
from dataclasses import dataclass
from functools import partial

import numpy as np
import optuna
from joblib import effective_n_jobs, parallel_config
from joblib.parallel import get_active_backend
from optuna.pruners import NopPruner, WilcoxonPruner
from optuna.trial import TrialState
from sklearn.base import clone
from sklearn.utils.parallel import Parallel, delayed

from sknote._compat import DaskDistributedBackend, fit_and_score, id_of
from sknote.model_selection.search._recovery import drop_if_surplus, fold_key, say_no_score, sign
from sknote.model_selection.search._report import REPORT
from sknote.model_selection.search._space import check_names, suggest


class _HopelessFit(BaseException):
    """Leaves a fit that the pruner gave up; no ``except Exception`` on the way may catch it."""


@dataclass(eq=False)
class TrialEvaluator:
    """The objective function of a search.

    Each fold's result is kept as an attribute of its trial as soon as it is there, so that a trial
    which is run again, and the results of a resumed search, need not compute it anew.
    """

    search: object  # an OptunaSearch without what it learned
    space: object  # as returned by `check_space`
    steps: object  # LeadingSteps
    y: object
    folds: list  # of (train, test)
    metrics: list  # names of the scores that the study maximizes
    fit_and_score: dict  # further arguments of scikit-learn's ``_fit_and_score``
    context: object  # sklearn.callback.CallbackContext, parent of the contexts of the fits
    trial_id: int | None = None  # of the trial that is being evaluated
    worker: str | None = None  # name under which trials are signed

    def __call__(self, trial):
        self.trial_id = id_of(trial)
        drop_if_surplus(trial, self.search.n_trials)
        sign(trial, self.worker)
        params = suggest(self.space, trial)
        check_names(self.search.estimator, params)
        scores = []
        with closing(self._records(trial, params, scores)) as records:
            for record in records:
                scores.append(self._scores_of(record))
                if self._prunes(trial.study):
                    self._report_fold(trial, [score for (score,) in scores])
        if trial.storage.get_trial(id_of(trial)).state != TrialState.RUNNING:
            raise RuntimeError("This process was taken for dead; another one runs its trial again.")
        means = np.mean(scores, axis=0)
        if np.isnan(means).any():
            say_no_score(trial)
        return means.tolist()

    def _scores_of(self, record):
        scores = record["test_scores"]
        if isinstance(scores, dict):
            if not set(self.metrics) <= set(scores):
                raise ValueError(
                    f"OptunaSearch: scoring returns {sorted(scores)}; refit must name the one of "
                    f"them that is maximized, got refit={self.search.refit!r}."
                )
            return [scores[name] for name in self.metrics]
        return [scores] * len(self.metrics)

    def _records(self, trial, params, scores):
        """Yield the result of each fold: what is stored already, then what is computed."""
        n_splits = len(self.folds)
        k = 0
        while k < n_splits and fold_key(k) in trial.user_attrs:
            yield trial.user_attrs[fold_key(k)]
            k += 1
        if k == n_splits:
            return
        estimator, X, _ = self.steps.split(params)
        n_jobs = effective_n_jobs(self.search.n_jobs)
        prunes = self._prunes(trial.study)
        # With a pruner, no more folds at a time than there are workers: the rest may be spared.
        size = n_jobs if n_jobs == 1 or prunes else n_splits
        # Without one, each is kept as soon as it is there, so that a killed search has lost less.
        keeps_each = not prunes and get_active_backend()[0].supports_return_generator
        parallel = Parallel(
            n_jobs=self.search.n_jobs,
            batch_size=1,
            return_as="generator" if keeps_each else "list",
        )
        for start in range(k, n_splits, size):
            chunk = range(start, min(start + size, n_splits))
            token = REPORT.set(self._epoch_reporter(trial, start, scores))
            try:
                records = parallel(self._job(estimator, X, params, trial.number, i) for i in chunk)
                for i, record in zip(chunk, records, strict=True):
                    record = _plain(record)
                    trial.set_user_attr(fold_key(i), record)
                    yield record
            except _HopelessFit:
                raise optuna.TrialPruned from None
            finally:
                REPORT.reset(token)

    def _job(self, estimator, X, params, number, k):
        train, test = self.folds[k]
        fit_and_score = partial(
            _fit_and_score_here,
            clone(estimator),
            X,
            self.y,
            train=train,
            test=test,
            parameters=params,
            split_progress=(k, len(self.folds)),
            candidate_progress=(number, self.search.n_trials or number + 1),
            caller=self.search,
            callback_ctx=self.context.subcontext(task_name="trial-fold-evaluation"),
            **self.fit_and_score,
        )
        # As one object: joblib sends large arguments to Dask's workers apart from the task, and
        # those are lost with the worker that has them (dask/distributed#3149).
        return delayed(fit_and_score)()

    def _prunes(self, study):
        return len(self.metrics) == 1 and not isinstance(study.pruner, NopPruner)

    def _report_fold(self, trial, scores):
        k = len(scores) - 1
        # The Wilcoxon test pairs the folds of two trials; a running mean would spoil the pairs.
        paired = isinstance(trial.study.pruner, WilcoxonPruner)
        value = scores[k] if paired else np.mean(scores)
        _report(trial, value, step=(k + 1) * self.search.steps_per_fold - 1)
        # One fold says too little, and after the last one nothing is left to be spared. A trial
        # with a failed fold is a failed trial, not a pruned one.
        if 0 < k < len(self.folds) - 1 and np.isfinite(value) and trial.should_prune():
            raise optuna.TrialPruned

    def _epoch_reporter(self, trial, k, scores):
        stride = self.search.steps_per_fold
        if stride == 1 or not self._prunes(trial.study):
            return None

        def report(score, epoch):
            if epoch >= stride - 1:
                return
            so_far = [value for (value,) in scores]
            _report(trial, np.mean([*so_far, score]), step=k * stride + epoch)
            if trial.should_prune():
                raise _HopelessFit

        return report


def _report(trial, value, step):
    # A trial that is run again has reported some already.
    if step not in trial.storage.get_trial(id_of(trial)).intermediate_values:
        trial.report(value, step)


def on_dask():
    """Tell whether joblib runs jobs on the workers of a Dask cluster."""
    return isinstance(get_active_backend()[0], DaskDistributedBackend)


def in_one_place():
    """Context in which a fit does not spread its own parallel parts over a Dask cluster."""
    return parallel_config("threading", n_jobs=1) if on_dask() else nullcontext()


def _fit_and_score_here(*args, **kwargs):
    with in_one_place():
        return fit_and_score(*args, **kwargs)


def _plain(record):
    """Make the result of a fold storable as JSON."""

    def plain(value):
        if isinstance(value, dict):
            return {name: plain(member) for name, member in value.items()}
        return value if value is None or isinstance(value, str) else float(value)

    return plain(record)


_DAMAGED = (
    "Choose another study_name, or pass a whole copy of the storage: this one is probably damaged"
)


def check_whole(trial, space, n_splits):
    """Refuse a complete trial of which the storage has lost a parameter or the result of a fold."""
    params_of(trial, space)
    if lost := [k for k in range(n_splits) if fold_key(k) not in trial.user_attrs]:
        raise ValueError(
            f"OptunaSearch: trial {trial.number} is complete, and the records of its folds {lost} "
            f"are missing. {_DAMAGED}."
        )


def params_of(trial, space):
    """Return the parameters of a finished trial, as its space gives them; another space raises."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", ".*out of the range", UserWarning)
            return suggest(space, trial)
    except optuna.TrialPruned:  # by the space itself
        return trial.params
    except (ValueError, UserWarning) as error:
        if "is not found" in str(error) and not callable(space):
            # a study of another space would have been refused
            raise ValueError(
                f"OptunaSearch: trial {trial.number} lacks a parameter, of which the record is "
                f"missing: {error} {_DAMAGED}."
            ) from error
        raise ValueError(
            f"OptunaSearch: the study has trials of another search space: {error} Choose another "
            "study_name, or search as before."
        ) from error


def collect(trials, space, n_splits, return_train_score):
    """Gather finished trials in the form of scikit-learn's searches.

    These are the parameters of each trial; the result of each fold of each trial, NaN where it was
    not run; and of these the ones that were run.
    """
    params, out, run = [], [], []
    for trial in trials:
        params.append(params_of(trial, space))
        records = [trial.user_attrs.get(fold_key(k)) for k in range(n_splits)]
        out += records
        run += [record for record in records if record is not None]
    names = next((r["test_scores"] for r in run if isinstance(r["test_scores"], dict)), None)
    nothing = float("nan") if names is None else dict.fromkeys(names, float("nan"))
    blank = {"fit_error": None, "test_scores": nothing, "fit_time": np.nan, "score_time": np.nan}
    if return_train_score:
        blank["train_scores"] = nothing
    return params, [dict(blank if record is None else record) for record in out], run
