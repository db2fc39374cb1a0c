"""OptunaSearch: scikit-learn's search estimator, with its trials in an Optuna study."""

import copy
import numbers
import time
import warnings

import numpy as np
import optuna
import pandas as pd
from optuna.trial import TrialState
from sklearn.base import clone, is_classifier
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold, check_cv
from sklearn.utils import indexable
from sklearn.utils.metadata_routing import MethodMapping
from sklearn.utils.multiclass import type_of_target

from sknote._compat import (
    BaseSearchCV,
    check_method_params,
    fit_context,
    insert_error_scores,
    num_samples,
    scorers_by_name,
    warn_or_raise_about_fit_failures,
)
from sknote._input.checks import check_groups, check_jobs, check_labels
from sknote._interval import Interval
from sknote.model_selection._split import check_folds
from sknote.model_selection.search._evaluate import (
    TrialEvaluator,
    check_whole,
    collect,
    in_one_place,
    on_dask,
)
from sknote.model_selection.search._groups import check_groups_arrive
from sknote.model_selection.search._precompute import LeadingSteps
from sknote.model_selection.search._recovery import accounted_for
from sknote.model_selection.search._run import optuna_verbosity, run_study, storage_errors
from sknote.model_selection.search._space import check_space
from sknote.model_selection.search._study import open_study


class OptunaSearch(BaseSearchCV):
    """Tune parameters by cross-validation, with an Optuna study in place of a grid.

    It is used like `sklearn.model_selection.RandomizedSearchCV`, and does what that does. Beyond
    that, no group is ever on both sides of a split, bad trials can be stopped early, and a search
    that was killed goes on where it stopped: with the trials that it would have had without.

    Parameters
    ----------
    estimator : estimator
        What is tuned. It is cloned for each fit.
    param_distributions : dict or callable
        Names of parameters and what they are drawn from: a distribution of Optuna, e.g.
        ``optuna.distributions.FloatDistribution(1e-4, 1e-1, log=True)``, or a sequence of choices,
        e.g. a list, a ``range``, a 1-D array or a column. A choice may be anything, such as a tuple
        or an estimator; in the study it goes by a name (in a grid for ``GridSampler``, too) if it
        is no plain number or text.
        A callable is a define-by-run space: it takes an ``optuna.Trial`` and returns the dict of
        parameters. It must give the same dict for the same trial, for it is called again with
        finished trials.
    n_trials : int or None, default=20
        Number of trials that the study has in the end; those of an earlier run that is resumed, and
        of other processes on the same study, count. None means as many as fit in `timeout`.
    timeout : float or None, default=None
        Seconds after which no new trial is begun. At least one trial is run, however long it takes.
    cv : int, cross-validation generator, iterable or None, default=None
        As in scikit-learn; the folds are made once for a fit, so that all trials are scored on the
        same. With an int or None and with `groups` in ``fit``, the folds keep groups whole.
    scoring : str, callable, list, tuple, dict or None, default=None
        As in scikit-learn. With several metrics the study maximizes all of them, and
        `pareto_front_` holds the trials that no other is better than in all. A callable that
        returns a dict needs `refit` to name the metric that is maximized.
    refit : bool, str or callable, default=True
        As in scikit-learn; with several metrics the name of the one that decides, or a function of
        `cv_results_` that returns the best index, or False.
    sampler : optuna.samplers.BaseSampler or None, default=None
        Proposes parameters; None is ``TPESampler()``. Its own seed is not used: see `random_state`.
    pruner : optuna.pruners.BasePruner or None, default=None
        Stops trials that promise little; None stops none. It is shown the mean score of the folds
        so far after each fold, and is asked from the second fold on. One metric only.
    storage : str, path, callable or None, default=None
        Where trials are kept. None: in memory. A str with ``://``: the URL of a database; SQLite is
        for one process. Any other str or path: a journal file, also for several. A callable: a
        function that returns an Optuna storage.
    study_name : str or None, default=None
        Name of the study in the storage; None makes one up.
    resume : bool, default=False
        Whether to go on with the study `study_name` if it is there. Several processes that call
        ``fit`` with the same arguments and ``resume=True`` share the work. A study of another
        estimator, space, metric, X, y or folds is refused; parameters such as ``n_jobs``,
        ``device`` or ``callbacks`` may differ. False begins a new study, and refuses a name that is
        taken.
    steps_per_fold : int, default=1
        Number of steps that a fold takes in the pruner's count. With 1, fold k is reported as step
        k. A network that calls `report_epoch` needs one more than it has epochs: epoch e of fold k
        is then step ``k * steps_per_fold + e``, and the fold itself comes last. Epochs are reported
        only while folds run one at a time (`n_jobs` of 1 or None) and in this process.
    precompute : bool, default=True
        Whether leading steps of a pipeline that learn nothing and are not tuned, such as loading
        recordings, are computed once for the whole search and kept in memory, instead of in each
        trial and fold. Under joblib's Dask backend each fold computes them, so that paths travel to
        its worker and arrays do not.
    callbacks : list of callable or None, default=None
        Called as ``callback(study, trial)`` after each trial; ``study.stop()`` ends the search.
    random_state : int, RandomState instance or None, default=None
        Seed of the proposals. With an int, the trials are the same in every run on one process, and
        also if the run was killed and resumed. It does not seed `estimator` or `cv`.
    n_jobs : int or None, default=None
        Number of folds of a trial that are run at the same time. It does not change the result. To
        run several trials at a time, start several processes on one `storage`. Under joblib's Dask
        backend the folds run on the workers of the cluster, as many at a time as it has threads.
    verbose : int, default=0
        1 prints a line for each trial, higher numbers also for each fit.
    error_score : 'raise' or numeric, default=np.nan
        Score of a fold whose fit failed. A trial with a NaN score is a failed one.
    return_train_score : bool, default=False
        Whether `cv_results_` has the scores on the training parts.

    Attributes
    ----------
    study_ : optuna.study.Study
        The study, for Optuna's plots and importances. It is there even if `fit` raised an error
        while it ran.
    cv_results_ : dict of ndarrays
        As in scikit-learn, one row a trial, and ``trial_number`` and ``trial_state`` (``COMPLETE``,
        ``PRUNED`` or ``FAIL``). Folds that were not run are NaN.
    best_estimator_ : estimator
        Fitted on all of X with the best parameters; if `refit` is not False.
    best_params_, best_score_, best_index_ : dict, float, int
        As in scikit-learn.
    pareto_front_ : ndarray of int
        Rows of `cv_results_` on the Pareto front; with several metrics only.
    scorer_, multimetric_, n_splits_, refit_time_, classes_, n_features_in_, feature_names_in_
        As in scikit-learn.

    Raises
    ------
    GroupLeakageError
        If `groups` are given to `fit` and `cv` puts one on both sides of a split.
    ValueError
        If a parameter does not exist, a group is missing, `cv` splits by group and none are given,
        no trial finished, `storage` is a file that is no journal or a damaged one, or a study that
        is to be resumed was made with another estimator, space or X, with other metrics or folds.
    OSError
        If the storage cannot be opened, or fails while the search runs; finished trials stay in it.

    Warns
    -----
    UserWarning
        If `groups` are given to `fit`, and a split inside the estimator (a validation part, or
        another search) does not get them.

    See Also
    --------
    sklearn.model_selection.RandomizedSearchCV : draws parameters independently.

    Notes
    -----
    Draws depend on (`random_state`, number of the trial, name of the parameter) and on the trials
    before. A trial whose process died keeps its parameters and finished folds; it is queued again
    under a new number and marked as failed under its old one. On the same machine a dead process is
    noticed at once, on others when it has been silent for two minutes. A trial that dies four times
    in the same fold is given up, and another takes its place. `HyperbandPruner` deals
    trials by their number and the study's name, so its choices differ after such a death.

    References
    ----------
    T. Akiba et al., "Optuna: A Next-generation Hyperparameter Optimization Framework", KDD 2019.

    Examples
    --------
    >>> from optuna.distributions import FloatDistribution
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sknote.model_selection import OptunaSearch
    >>> X, y = load_iris(return_X_y=True)
    >>> space = {"C": FloatDistribution(1e-3, 1e3, log=True)}
    >>> search = OptunaSearch(LogisticRegression(max_iter=1000), space, n_trials=5, random_state=0)
    >>> bool(search.fit(X, y).best_score_ > 0.95)
    True
    >>> OptunaSearch(LogisticRegression(), {"c": [1, 10]}).fit(X, y)
    Traceback (most recent call last):
        ...
    ValueError: OptunaSearch: LogisticRegression has no parameter 'c' (did you mean 'C'?)...
    """

    _parameter_constraints: dict = {
        **BaseSearchCV._parameter_constraints,
        "param_distributions": [dict, callable],
        "n_trials": [Interval(numbers.Integral, 1, None, closed="left"), None],
        "timeout": [Interval(numbers.Real, 0, None, closed="neither"), None],
        "sampler": [optuna.samplers.BaseSampler, None],
        "pruner": [optuna.pruners.BasePruner, None],
        "study_name": [str, None],
        "resume": ["boolean"],
        "steps_per_fold": [Interval(numbers.Integral, 1, None, closed="left")],
        "precompute": ["boolean"],
        "callbacks": [list, None],
        "random_state": ["random_state"],
    }
    _parameter_constraints.pop("pre_dispatch")

    def __init__(
        self,
        estimator,
        param_distributions,
        *,
        n_trials=20,
        timeout=None,
        cv=None,
        scoring=None,
        refit=True,
        sampler=None,
        pruner=None,
        storage=None,
        study_name=None,
        resume=False,
        steps_per_fold=1,
        precompute=True,
        callbacks=None,
        random_state=None,
        n_jobs=None,
        verbose=0,
        error_score=np.nan,
        return_train_score=False,
    ):
        self.estimator = estimator
        self.param_distributions = param_distributions
        self.n_trials = n_trials
        self.timeout = timeout
        self.cv = cv
        self.scoring = scoring
        self.refit = refit
        self.sampler = sampler
        self.pruner = pruner
        self.storage = storage
        self.study_name = study_name
        self.resume = resume
        self.steps_per_fold = steps_per_fold
        self.precompute = precompute
        self.callbacks = callbacks
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.error_score = error_score
        self.return_train_score = return_train_score

    @fit_context(prefer_skip_nested_validation=False)  # the estimator is not validated yet
    def fit(self, X, y=None, **params):
        """Run the search, then fit the best parameters on all of the data.

        Parameters
        ----------
        X : indexable of length n_samples
            Input of the estimator.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Targets.
        **params : dict
            Passed on to the estimator, the scorer and the splitter as scikit-learn's searches do:
            with metadata routing as requested; without it, `groups` go to the splitter, and
            everything else to the estimator's ``fit``. What has one entry a sample is split along.

        Returns
        -------
        self : OptunaSearch
        """
        scorers, refit_metric = self._get_scorers()
        metrics = self._metrics(scorers)
        self._check_parameters(metrics)
        space = check_space(self.param_distributions, self.estimator)
        X, y = indexable(X, _plain(y))
        if is_classifier(self.estimator) and np.ndim(y) == 1:
            check_labels(y, num_samples(X), "OptunaSearch")
        params = {name: _plain(value) for name, value in params.items()}
        if params.get("groups") is not None:
            params["groups"] = check_groups(params["groups"], num_samples(X), "OptunaSearch")
        params = check_method_params(X, params=params)
        routed = self._get_routed_params_for_fit(params)
        check_groups_arrive(
            self.estimator,
            self.cv,
            params.get("groups"),
            routed.splitter.split,
            routed.estimator.fit,
        )
        folds = self._make_folds(X, y, params.get("groups"), routed.splitter.split)
        self.n_splits_ = len(folds)

        metadata = {k: params[k] for k in ("sample_weight",) if params.get(k) is not None} or None
        context = self._init_callback_context(max_subtasks=None)
        context.call_on_fit_task_begin(estimator=self, X=X, y=y, metadata=metadata)
        # To other machines paths travel, and not what is computed from them.
        precompute = self.precompute and not on_dask()
        steps = LeadingSteps(self.estimator, X, routed.estimator.fit, enabled=precompute)
        fit_and_score = {
            "scorer": scorers,
            "fit_params": routed.estimator.fit,
            "score_params": routed.scorer.score,
            "return_train_score": self.return_train_score,
            "return_times": True,
            "error_score": self.error_score,
            "verbose": max(self.verbose - 1, 0),
        }
        # Without what was learned: the search travels to other processes, and a study should not.
        search = copy.copy(self)
        search.__dict__ = self.get_params(deep=False)
        evaluate = TrialEvaluator(search, space, steps, y, folds, metrics, fit_and_score, context)
        with optuna_verbosity(self.verbose), storage_errors():
            passed_on = {
                f"{name} of {to}": value
                for to in ("fit", "score")
                for name, value in fit_and_score[f"{to}_params"].items()
            }
            self.study_ = open_study(self, space, metrics, folds, X, y, passed_on)
            for trial in self.study_.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
                check_whole(
                    trial, space, len(folds)
                )  # a define-by-run space shows only now if it is another
            run_study(
                self.study_,
                evaluate,
                n_trials=self.n_trials,
                timeout=self.timeout,
                callbacks=self.callbacks or [],
            )
            trials = [t for t in accounted_for(self.study_) if t.state.is_finished()]
        self._set_results(trials, space, refit_metric)
        if len(metrics) > 1:
            front = {trial.number for trial in self.study_.best_trials}
            self.pareto_front_ = np.flatnonzero([t.number in front for t in trials])
        self.scorer_ = scorers_by_name(scorers) or scorers
        if self.refit:
            refit_context = context.subcontext(task_name="refit-with-best-params")
            self._refit(steps, y, routed.estimator.fit, refit_context)
        context.call_on_fit_task_end(estimator=self, X=X, y=y, metadata=metadata)
        return self

    def get_metadata_routing(self):
        """Return where metadata goes; with an int or None as `cv`, `groups` make the folds.

        Returns
        -------
        MetadataRouter
            As of any search of scikit-learn.
        """
        router = super().get_metadata_routing()
        if self._makes_own_folds():
            mapping = MethodMapping().add(caller="fit", callee="split")
            router.add(splitter=GroupKFold(), method_mapping=mapping)
        return router

    def _makes_own_folds(self):
        return self.cv is None or isinstance(self.cv, numbers.Integral)

    def _make_folds(self, X, y, groups, split_params):
        classifier = is_classifier(self.estimator)
        if groups is not None and self._makes_own_folds():
            is_classes = classifier and type_of_target(y) in ("binary", "multiclass")
            kind = StratifiedGroupKFold if is_classes else GroupKFold
            folds = kind(5 if self.cv is None else self.cv).split(X, y, groups)
        else:
            folds = check_cv(self.cv, y, classifier=classifier).split(X, y, **split_params)
        return check_folds(folds, y if classifier else None, groups)

    def _metrics(self, scorers):
        """Names of the scores that the study maximizes."""
        if by_name := scorers_by_name(scorers):
            return list(by_name)
        return [self.refit] if isinstance(self.refit, str) else ["score"]

    def _check_parameters(self, metrics):
        if self.n_trials is None and self.timeout is None:
            raise ValueError("OptunaSearch: n_trials and timeout are both None; set one of them.")
        check_jobs(self.n_jobs, "OptunaSearch")
        if any(isinstance(one, type) or not callable(one) for one in self.callbacks or []):
            raise TypeError(
                "OptunaSearch: expected callbacks that can be called as callback(study, trial), "
                f"and no classes of them, got {self.callbacks!r}."
            )
        if self.resume and (self.storage is None or self.study_name is None):
            raise ValueError(
                "OptunaSearch: resume=True needs a storage and a study_name, to find the study by."
            )
        if self.pruner is not None and len(metrics) > 1:
            raise ValueError(
                f"OptunaSearch: a pruner compares trials by one metric, but scoring has {metrics}. "
                "Pass pruner=None, or one metric."
            )

    def _set_results(self, trials, space, refit_metric):
        """Turn the trials into what scikit-learn's searches have after `fit`."""
        params, out, run = collect(trials, space, self.n_splits_, self.return_train_score)
        if run and callable(self.scoring):
            insert_error_scores(out, self.error_score)
        self.multimetric_ = bool(out) and isinstance(out[0]["test_scores"], dict)
        if callable(self.scoring) and self.multimetric_:
            self._check_refit_for_multimetric(out[0]["test_scores"])
            refit_metric = self.refit
        if trials:
            more = {
                "trial_number": [trial.number for trial in trials],
                "trial_state": [trial.state.name for trial in trials],
            }
            # of the NaN of folds that were not run, and of infinity, which is said below
            with warnings.catch_warnings(), np.errstate(invalid="ignore"):
                warnings.filterwarnings("ignore", "One or more of the", UserWarning)
                self.cv_results_ = self._format_results(params, self.n_splits_, out, more)
        warn_or_raise_about_fit_failures(run, self.error_score)
        failed = [trial.number for trial in trials if trial.state == TrialState.FAIL]
        complete = [trial.number for trial in trials if trial.state == TrialState.COMPLETE]
        if not complete:
            raise ValueError(
                f"OptunaSearch: no trial has a score: of {len(trials)}, {len(failed)} scored NaN "
                f"and {len(trials) - len(failed)} were pruned. study_ and cv_results_ hold what "
                "there is; error_score='raise' shows the error behind a NaN."
            )
        if failed:
            warnings.warn(
                f"{len(failed)} of {len(trials)} trials scored NaN and count as failed: numbers "
                f"{failed}.",
                UserWarning,
                stacklevel=3,
            )
        if infinite := [t.number for t in trials if t.values and not np.isfinite(t.values).all()]:
            warnings.warn(
                f"OptunaSearch: {len(infinite)} of {len(trials)} trials scored infinity, by which "
                f"they rank first or last: numbers {infinite}. Let the scorer return finite "
                "numbers, or NaN for a trial that failed.",
                UserWarning,
                stacklevel=3,
            )
        if self.refit or not self.multimetric_:
            results = self.cv_results_
            self.best_index_ = self._select_best_index(self.refit, refit_metric, results)
            if not callable(self.refit):
                self.best_score_ = results[f"mean_test_{refit_metric}"][self.best_index_]
            self.best_params_ = results["params"][self.best_index_]

    def _refit(self, steps, y, fit_params, context):
        estimator, X, computed = steps.split(self.best_params_)
        estimator.set_params(**clone(self.best_params_, safe=False))
        with context.propagate_callback_context(estimator), in_one_place():
            context.call_on_fit_task_begin(estimator=self, X=X, y=y)
            start = time.time()
            if y is None:
                estimator.fit(X, **fit_params)
            else:
                estimator.fit(X, y, **fit_params)
            self.refit_time_ = time.time() - start
        self.best_estimator_ = estimator.set_params(**computed)
        if hasattr(self.best_estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.best_estimator_.feature_names_in_
        context.call_on_fit_task_end(estimator=self, X=X, y=y)


def _plain(column):
    # scikit-learn cannot take rows of a column that Arrow backs.
    return column.to_numpy() if isinstance(column, pd.api.extensions.ExtensionArray) else column
