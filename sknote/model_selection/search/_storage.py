"""Where the trials of a search are kept: in memory, in a database, or in a journal file."""

import os
import time
import warnings
import weakref
from contextlib import suppress
from datetime import datetime

import sqlalchemy
from optuna.exceptions import ExperimentalWarning, StorageInternalError, UpdateFinishedTrialError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.trial import TrialState

from sknote._compat import BaseHeartbeat, id_of
from sknote.model_selection.search._journal import JournalFile

HEARTBEAT_INTERVAL = 30  # seconds between two signs of life of a running trial
GRACE_PERIOD = 120  # seconds of silence after which its process is taken for dead

_HEARTBEAT = "sknote:heartbeat"


def open_storage(storage, *, on_stale_trial):
    """Open what the user gave as `storage`.

    None keeps the trials in memory. A str with ``://`` is the URL of a database; any other str or
    path is a journal file, made if it is not there. A callable returns an Optuna storage. None of
    these is a TypeError, a file that is not a journal a ValueError (nothing is written to it), and
    what cannot be reached, read or written an OSError. ``on_stale_trial(study, trial)`` is called
    once for each trial whose process died.
    """
    if storage is None:
        return None
    is_url = isinstance(storage, str) and "://" in storage
    if not is_url and callable(storage):
        opened = storage()
        if not isinstance(opened, BaseStorage):
            raise TypeError(
                "OptunaSearch: the storage factory must return a storage of Optuna, got "
                f"{type(opened).__name__} instead."
            )
        return opened
    if not isinstance(storage, (str, os.PathLike)):
        raise TypeError(
            "OptunaSearch: storage must be None, a URL, the path of a journal file, or a callable "
            f"that returns an Optuna storage; got {type(storage).__name__} instead. An opened "
            "storage cannot be cloned; pass a function that opens it."
        )
    if "\0" in os.fspath(storage) or (is_url and _is_in_memory(storage)):
        raise ValueError(
            f"OptunaSearch: expected storage to be a file or a server, got {storage!r}. Pass "
            "'sqlite:///trials.db', say; or None, to keep the trials in memory."
        )
    try:
        if is_url:
            return _open_database(storage, on_stale_trial)
        return _open_journal(storage, on_stale_trial)
    except (OSError, ImportError, StorageInternalError, sqlalchemy.exc.SQLAlchemyError) as error:
        raise OSError(
            f"OptunaSearch: the storage {_without_password(storage)!r} could not be opened: "
            f"{first_line(error)} Check that it is there, reachable, writable and whole; or pass "
            "another."
        ) from error


def _is_in_memory(url):
    """Tell whether a URL is that of SQLite without a file, which each thread has for itself."""
    with suppress(sqlalchemy.exc.ArgumentError):  # who opens it says what is wrong
        url = sqlalchemy.make_url(url)
        name = url.database or ""
        is_sqlite = url.get_backend_name() == "sqlite"
        return is_sqlite and (not name or ":memory:" in name or url.query.get("mode") == "memory")
    return False


def _open_journal(path, on_stale_trial):
    journal = JournalFile(path)
    try:
        journal.check_last_line()
        return HeartbeatJournalStorage(journal, on_stale_trial)
    except (
        *(AssertionError, AttributeError, KeyError, TypeError, ValueError),
        StorageInternalError,
    ) as error:
        raise ValueError(
            f"OptunaSearch: line {journal.line} of the journal {os.fspath(path)!r} cannot be read: "
            f"{first_line(error)} The file is damaged, or of another version of Optuna, and was "
            f"left as it is. To go on with what comes before, pass a copy of the first "
            f"{journal.line - 1} lines."
        ) from error


def _open_database(url, on_stale_trial, n_attempts=3):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)  # heartbeats are, since 2021
            storage = _Database(
                url,
                engine_kwargs={"pool_pre_ping": True},  # a trial may outlive the connection
                heartbeat_interval=HEARTBEAT_INTERVAL,
                grace_period=GRACE_PERIOD,
                heartbeat_stale_trial_callback=on_stale_trial,
            )
    except sqlalchemy.exc.DBAPIError:
        # Of processes that start together on an empty database, one makes the tables.
        if n_attempts == 1:
            raise
        time.sleep(0.5)
        return _open_database(url, on_stale_trial, n_attempts - 1)
    weakref.finalize(storage, storage.engine.dispose)  # closes the connections that it keeps open
    return storage


class _Database(RDBStorage):
    """Optuna's storage, of which a heart that cannot be heard does not end its thread loudly."""

    def record_heartbeat(self, trial_id):
        with suppress(StorageInternalError):  # the trial itself will meet that
            super().record_heartbeat(trial_id)


def _without_password(storage):
    text = os.fspath(storage)
    return sqlalchemy.make_url(text).render_as_string() if "://" in text else text


def first_line(error):
    """Name of an error, or of what led to it, and its first line; databases write many."""
    error = error.__cause__ or error
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0].rstrip('. ')}."


class HeartbeatJournalStorage(JournalStorage, BaseHeartbeat):
    """Optuna's journal storage, with the heartbeat that Optuna has for databases only.

    The sign of life is an attribute of the trial: its id, since the attribute is copied when a
    trial is queued again, and the time.
    """

    def __init__(self, backend, on_stale_trial):
        super().__init__(backend)
        self._on_stale_trial = on_stale_trial

    def record_heartbeat(self, trial_id):
        # It was taken for dead, or the disk is full: the trial itself will meet that.
        with suppress(UpdateFinishedTrialError, StorageInternalError):
            self.set_trial_system_attr(trial_id, _HEARTBEAT, [trial_id, time.time()])

    def _get_stale_trial_ids(self, study_id):
        running = self.get_all_trials(study_id, deepcopy=False, states=(TrialState.RUNNING,))
        return [id_of(trial) for trial in running if _silence(trial) > GRACE_PERIOD]

    def get_heartbeat_interval(self):
        return HEARTBEAT_INTERVAL

    def get_heartbeat_stale_trial_callback(self):
        return self._on_stale_trial


def _silence(trial):
    """Seconds since a running trial last gave a sign of life."""
    trial_id, beat = trial.system_attrs.get(_HEARTBEAT, (None, None))
    if trial_id == id_of(trial):
        return time.time() - beat
    return (datetime.now() - trial.datetime_start).total_seconds()
