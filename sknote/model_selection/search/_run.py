"""Run trials until the study has enough of them, together with other processes if there are any."""

import time
import warnings
from contextlib import contextmanager, suppress

import optuna
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import fail_stale_trials
from optuna.trial import TrialState

from sknote._compat import is_heartbeat_enabled, storage_of
from sknote.model_selection.search._journal import DamagedJournalError
from sknote.model_selection.search._recovery import (
    SurplusTrial,
    accounted_for,
    hand_back,
    recover,
    worker,
)
from sknote.model_selection.search._storage import first_line

POLL = 0.5  # seconds between two looks at the trials of other processes


def run_study(study, evaluate, *, n_trials, timeout, callbacks):
    """Run trials until `n_trials` are finished, by this process and any others on the study.

    After `timeout` seconds no trial is begun, but the first one always is, if one is wanting.
    `callbacks` are as ``Study.optimize`` takes them.
    """
    deadline = time.monotonic() + (float("inf") if timeout is None else timeout)

    def is_late():
        return time.monotonic() >= deadline

    def wants_trials():
        trials = accounted_for(study)
        waiting = any(trial.state == TrialState.WAITING for trial in trials)
        return n_trials is None or waiting or len(trials) < n_trials

    def stop_if_done(study, trial):
        if is_late() or not wants_trials():
            study.stop()

    recover(study)
    while True:
        while wants_trials():
            try:
                with worker(study) as evaluate.worker:
                    study.optimize(
                        evaluate, callbacks=[*callbacks, stop_if_done], catch=(SurplusTrial,)
                    )
            except BaseException as error:
                error = _unmasked(error)
                if isinstance(error, StorageInternalError):
                    with suppress(StorageInternalError):
                        hand_back(study, evaluate.trial_id)
                    raise error
                taken_over = hand_back(study, evaluate.trial_id)
                if not (taken_over and isinstance(error, Exception)):
                    raise error
                continue
            if is_late() or wants_trials():  # out of time, or stopped by a callback or the sampler
                return
        # The others' trials belong to the result, and are run here if their processes die.
        running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        if not running or is_late() or not is_heartbeat_enabled(storage_of(study)):
            return
        time.sleep(POLL)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            fail_stale_trials(study)
        recover(study)


def _unmasked(error):
    """Return what really happened if Optuna, telling the end of a trial, stumbled over it."""
    innermost = error.__traceback__
    while innermost.tb_next is not None:
        innermost = innermost.tb_next
    is_optunas = innermost.tb_frame.f_globals.get("__name__") == "optuna.study._optimize"
    if is_optunas and isinstance(error, (AssertionError, UnboundLocalError)):
        return error.__context__ or error
    return error


@contextmanager
def optuna_verbosity(verbose):
    """Let Optuna print its line for each trial only if it is asked for."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.INFO if verbose else optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


@contextmanager
def storage_errors():
    """Say what a storage that fails during a search means for the trials."""
    try:
        yield
    except DamagedJournalError as error:
        raise OSError(
            f"OptunaSearch: something else wrote into the journal: {error}. The same call would "
            "fail again: to go on with what comes before, pass a copy of the lines before that one."
        ) from error
    except StorageInternalError as error:
        raise OSError(
            f"OptunaSearch: the storage failed: {first_line(error)} Trials that "
            "were finished are in it; when it works again, the same call with resume=True goes on."
        ) from error
