"""Trials that were left unfinished: found, queued again, and counted once.

A trial is *accounted for* if it is finished, running or waiting. A trial whose process died, or was
interrupted, is marked as failed, and a copy of it with its parameters and the folds that it had
finished is queued: that one takes its place, with a new number. Two processes may queue the same
trial; the copy with the lowest number is run, and the others are dropped, so that no step of this
needs a lock.
"""

import os
import platform
import uuid
from contextlib import contextmanager, suppress
from datetime import datetime

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState

from sknote._compat import all_trials, id_of, storage_of
from sknote.model_selection.search._storage import GRACE_PERIOD

MAX_RETRIES = 3  # a trial that kills its process (out of memory, say) is given up after so many

_RETRY_OF = "sknote:retry_of"  # numbers under which a trial was run before
_SURPLUS = "surplus"
_WORKER = "worker"
_AT_WORK = set()  # names of the workers of this process that are at work


class SurplusTrial(Exception):
    """Ends a trial that is not needed."""


def fold_key(k):
    """Name of the attribute of a trial that holds the result of fold `k`."""
    return f"fold{k}"


def accounted_for(study, n_splits):
    """Return the trials that count: all but those that failed before they were evaluated."""
    return [trial for trial in study.get_trials(deepcopy=False) if not _is_lost(trial, n_splits)]


def _is_lost(trial, n_splits):
    # A trial that failed after every fold was run has a score of NaN: that is a result.
    return trial.state == TrialState.FAIL and fold_key(n_splits - 1) not in trial.user_attrs


def place_of(study, trial):
    """Return the number that a trial would have had if no process had died."""
    first = _earlier_numbers(trial, [trial.number])[0]
    before = all_trials(study)[:first]
    return first - sum(bool(_earlier_numbers(t)) or _SURPLUS in t.user_attrs for t in before)


def _earlier_numbers(trial, default=()):
    return list(trial.system_attrs.get(_RETRY_OF, default))


def queue_again(study, trial):
    """Queue a trial that was left unfinished, with its parameters and its finished folds."""
    history = [*_earlier_numbers(trial), trial.number]
    if len(history) > MAX_RETRIES:
        return
    study.add_trial(
        optuna.create_trial(
            state=TrialState.WAITING,
            params=trial.params,
            distributions=trial.distributions,
            user_attrs=trial.user_attrs,
            system_attrs={**trial.system_attrs, _RETRY_OF: history},
        )
    )


def drop_if_surplus(trial, n_splits, n_trials):
    """Raise SurplusTrial if a trial that has just begun is one too many.

    That is so if another process took the last place, or queued the same lost trial, at the same
    moment. Numbers are given one by one, so all processes agree on which trial is surplus.
    """
    study = trial.study
    mine = _earlier_numbers(trial.storage.get_trial(id_of(trial)))
    before = [t for t in accounted_for(study, n_splits) if t.number < trial.number]
    is_copy = mine and any(_earlier_numbers(t) == mine for t in before)
    if is_copy or (n_trials is not None and len(before) >= n_trials):
        trial.set_user_attr(_SURPLUS, True)
        raise SurplusTrial


def hand_back(study, trial_id, n_splits):
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
    _queue_lost_trials(study, n_splits)
    return False


def recover(study, n_splits):
    """Fail what dead processes on this machine left running, and queue all lost trials again.

    Processes on other machines are taken for dead only when their heartbeat stops; here it can be
    seen at once, so that a search that is started again goes on with the trial it was killed in.
    """
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if _is_abandoned(trial):
            _fail(study, trial)
    _queue_lost_trials(study, n_splits)


def _fail(study, trial):
    with suppress(UpdateFinishedTrialError):  # another process may be quicker
        storage_of(study).set_trial_state_values(id_of(trial), state=TrialState.FAIL)


def _queue_lost_trials(study, n_splits):
    retried = _retried(study)
    for trial in study.get_trials(deepcopy=False, states=(TrialState.FAIL,)):
        if (
            _is_lost(trial, n_splits)
            and trial.number not in retried
            and _SURPLUS not in trial.user_attrs
        ):
            queue_again(study, trial)


def _retried(study):
    """Numbers of the trials of which there is a copy."""
    return {n for trial in study.get_trials(deepcopy=False) for n in _earlier_numbers(trial)}


@contextmanager
def worker():
    """Make a name for one that runs trials, valid until it leaves off."""
    name = uuid.uuid4().hex
    _AT_WORK.add(name)
    try:
        yield name
    finally:
        _AT_WORK.discard(name)


def sign(trial, worker):
    """Write into a running trial who runs it, and where."""
    trial.set_user_attr(_WORKER, [trial.number, *_machine(), os.getpid(), worker])


def _is_abandoned(trial):
    number, *machine, pid, name = trial.user_attrs.get(_WORKER, (None, None, None))
    if number != trial.number:
        # Trials are signed at once, so the process died before it could (the signature of the
        # trial that this one takes the place of is copied with it).
        return (datetime.now() - trial.datetime_start).total_seconds() > GRACE_PERIOD
    if machine != _machine() or os.name != "posix":
        return False
    if pid == os.getpid():  # maybe of an earlier process that had the same number
        return name not in _AT_WORK
    return not _is_alive(pid)


def _is_alive(pid):
    try:
        os.kill(pid, 0)  # sends nothing; asks whether the process is there
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        with open(f"/proc/{pid}/stat") as stat:  # of a dead one whose parent did not look yet, too
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return True


def _machine():
    """Name of the machine, and of its space of process numbers (a container has its own)."""
    try:
        space = os.readlink("/proc/self/ns/pid")
    except OSError:
        space = ""
    return [platform.node(), space]
