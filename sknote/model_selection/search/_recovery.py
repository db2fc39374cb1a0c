"""Trials that were left unfinished: found, queued again, and counted once.

A trial is *accounted for* if it is finished, running or waiting. A trial whose process died, or was
interrupted, is marked as failed, and a copy of it with its parameters and the folds that it had
finished is queued: that one takes its place, with a new number. Two processes may queue the same
trial; the copy with the lowest number is run, and the others are dropped, so that no step of this
needs a lock.
"""

import uuid
from contextlib import contextmanager, suppress
from datetime import datetime

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState

from sknote._compat import all_trials, forget_trials, id_of, id_of_study, storage_of
from sknote.model_selection.search._process import is_dead, this_process
from sknote.model_selection.search._storage import GRACE_PERIOD

MAX_RETRIES = 3  # a fold that kills its process (out of memory, say) is given up after so many

_RETRY_OF = "sknote:retry_of"  # numbers under which a trial was run before
_NO_SCORE = "no_score"
_SURPLUS = "surplus"
_WORKER = "worker"
_AT_WORK = set()  # names of the workers of this process that are at work


class SurplusTrial(Exception):
    """Ends a trial that is not needed."""


def fold_key(k):
    """Name of the attribute of a trial that holds the result of fold `k`."""
    return f"fold{k}"


def accounted_for(study):
    """Return the trials that count: all but those that failed before they had a result."""
    return [trial for trial in study.get_trials(deepcopy=False) if not _is_lost(trial)]


def say_no_score(trial):
    """Note that a trial will be told to have failed since its score is NaN: that is its result."""
    trial.set_user_attr(_NO_SCORE, True)


def _is_lost(trial):
    return trial.state == TrialState.FAIL and _NO_SCORE not in trial.user_attrs


def place_of(study, trial):
    """Return the number that a trial would have had if no process had died."""
    first = _earlier_numbers(trial, [trial.number])[0]
    before = all_trials(study)[:first]
    return first - sum(bool(_earlier_numbers(t)) or _SURPLUS in t.user_attrs for t in before)


def _earlier_numbers(trial, default=()):
    return list(trial.system_attrs.get(_RETRY_OF, default))


def queue_again(study, trial):
    """Queue a trial that was left unfinished, with all that is known of it: nobody's as yet."""
    history = [*_earlier_numbers(trial), trial.number]
    trials = all_trials(study)
    if sum(_progress(trials[n]) == _progress(trial) for n in history) > MAX_RETRIES:
        return
    study.add_trial(
        optuna.create_trial(
            state=TrialState.WAITING,
            params=trial.params,
            distributions=trial.distributions,
            user_attrs={k: v for k, v in trial.user_attrs.items() if k != _WORKER},
            system_attrs={**trial.system_attrs, _RETRY_OF: history},
            intermediate_values=trial.intermediate_values,
        )
    )


def _progress(trial):
    return sum(name.startswith("fold") for name in trial.user_attrs)


def drop_if_surplus(trial, n_trials):
    """Raise SurplusTrial if a trial that has just begun is one too many.

    That is so if another process took the last place, or queued the same lost trial, at the same
    moment. Numbers are given one by one, so all processes agree on which trial is surplus.
    """
    study = trial.study
    mine = _earlier_numbers(trial.storage.get_trial(id_of(trial)))
    before = [t for t in accounted_for(study) if t.number < trial.number]
    is_copy = mine and any(_earlier_numbers(t) == mine for t in before)
    if is_copy or (n_trials is not None and len(before) >= n_trials):
        trial.set_user_attr(_SURPLUS, True)
        raise SurplusTrial


def hand_back(study, trial_id):
    """Give up the trial of this process after an error, so that it is run again on resuming.

    True says that another process had already taken this one for dead and queued the trial again.
    """
    if trial_id is None:  # the error came before the first trial
        return False
    trial = storage_of(study).get_trial(trial_id)
    if trial.state == TrialState.FAIL and trial.number in _retried(study):
        return True
    if trial.state == TrialState.RUNNING:
        _fail(study, trial)
    recover(study)
    return False


def recover(study):
    """Fail what dead processes on this machine left running, and queue all lost trials again.

    Processes on other machines are taken for dead only when their heartbeat stops; here it can be
    seen at once, so that a search that is started again goes on with the trial it was killed in.
    """
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if _is_abandoned(trial):
            _fail(study, trial)
    _queue_lost_trials(study)


def _fail(study, trial):
    with suppress(UpdateFinishedTrialError):  # another process may be quicker
        storage_of(study).set_trial_state_values(id_of(trial), state=TrialState.FAIL)


def _queue_lost_trials(study):
    retried = _retried(study)
    for trial in study.get_trials(deepcopy=False, states=(TrialState.FAIL,)):
        if _is_lost(trial) and trial.number not in retried and _SURPLUS not in trial.user_attrs:
            queue_again(study, trial)


def _retried(study):
    """Numbers of the trials of which there is a copy."""
    return {n for trial in study.get_trials(deepcopy=False) for n in _earlier_numbers(trial)}


@contextmanager
def worker(study):
    """Make a name for one that runs trials of a study, and sign with it whatever it begins."""
    name = uuid.uuid4().hex
    _AT_WORK.add(name)
    study.ask = lambda: _ask(study, name)
    try:
        yield name
    finally:
        del study.ask
        _AT_WORK.discard(name)


def _ask(study, worker):
    """Begin a trial as ``study.ask`` does, but never one that is unsigned.

    A queued trial is signed before it is begun, and a new one is made together with its signature:
    at no moment could the process die and leave a running trial of which nobody knows whose it is.
    """
    forget_trials(study)
    storage, signature = storage_of(study), {_WORKER: _signature(worker)}
    for trial in study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        with suppress(UpdateFinishedTrialError):  # another process may be quicker
            storage.set_trial_user_attr(id_of(trial), _WORKER, signature[_WORKER])
            if storage.set_trial_state_values(id_of(trial), state=TrialState.RUNNING):
                return optuna.Trial(study, id_of(trial))
    template = optuna.create_trial(state=TrialState.RUNNING, user_attrs=signature)
    return optuna.Trial(study, storage.create_new_trial(id_of_study(study), template))


def sign(trial, worker):
    """Make sure of the signature of a running trial.

    Of two processes that wanted to begin a queued trial, the one that came too late may have signed
    last.
    """
    if trial.user_attrs.get(_WORKER) != _signature(worker):
        trial.set_user_attr(_WORKER, _signature(worker))


def _signature(worker):
    return [this_process(), worker]


def _is_abandoned(trial):
    process, name = trial.user_attrs.get(_WORKER, (None, None))[-2:]
    if not isinstance(process, list):  # signed by nobody, or in a way that is out of use
        return (datetime.now() - trial.datetime_start).total_seconds() > GRACE_PERIOD
    if process == this_process():
        return name not in _AT_WORK
    return is_dead(process)
