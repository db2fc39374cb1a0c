"""Tests of storage that is not there, full, read-only, damaged, or something else."""

import errno
import json
import os
import resource
import sqlite3
import threading
import time
import uuid
from contextlib import suppress

import optuna
import pytest
import sqlalchemy
from sklearn.linear_model import RidgeClassifier
from toy_searches import NAMES, X, Y, as_toy, fits, outcome, search, storage_in

from sknote.model_selection import OptunaSearch
from sknote.model_selection.search import _journal


@pytest.mark.parametrize(
    ("storage", "error", "message"),
    [
        ("sqlite:////nowhere/at/all.db", OSError, "could not be opened: OperationalError"),
        ("/nowhere/at/all.journal", OSError, "could not be opened: FileNotFoundError"),
        ("/", OSError, "could not be opened: IsADirectoryError"),
        ("madeup://user:secret@host/db", OSError, r"madeup://user:\*\*\*@host/db"),
        ("a\0.journal", ValueError, "expected storage to be a file or a server"),
        ("sqlite://", ValueError, "or None, to keep the trials in memory"),
        ("sqlite:///:memory:", ValueError, "or None, to keep the trials in memory"),
        ("sqlite:///file:x?mode=memory&uri=true", ValueError, "or None, to keep the trials"),
        ("nonsense://", OSError, "could not be opened"),
        (optuna.storages.InMemoryStorage(), TypeError, "pass a function that opens it"),
    ],
)
def test_storage_that_cannot_be_opened(storage, error, message):
    made = OptunaSearch(RidgeClassifier(), {"alpha": [1, 2]}, storage=storage)
    with pytest.raises(error, match=message) as caught:
        made.fit(X, Y)
    assert "secret" not in str(caught.value)


def test_links_in_a_circle_are_no_storage(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "a")
    made = OptunaSearch(RidgeClassifier(), {"alpha": [1, 2]}, storage=tmp_path / "a")
    with pytest.raises(OSError, match=r"could not be opened: OSError: .*Too many levels"):
        made.fit(X, Y)


@pytest.mark.parametrize("junk", [b"junk\n", b"[1]\n", b"\n", b"\xff\xfe\n"])
def test_junk_at_the_end_of_a_journal_is_said_and_nothing_is_written_behind_it(junk, tmp_path):
    path = tmp_path / "a.journal"
    how = {"study_name": "a", "resume": True, "n_trials": 1}
    made = OptunaSearch(RidgeClassifier(), {"alpha": [1, 2]}, storage=path, **how).fit(X, Y)
    content = path.read_bytes()
    path.write_bytes(content + junk)
    n_lines = content.count(b"\n")
    message = f"line {n_lines + 1} of the journal .* pass a copy of the first {n_lines} lines"
    with pytest.raises(ValueError, match=message):
        made.set_params(n_trials=2).fit(X, Y)
    assert path.read_bytes() == content + junk
    path.write_bytes(content)
    assert len(made.fit(X, Y).study_.trials) == 2


def test_junk_that_comes_while_a_search_runs_does_not_promise_that_it_goes_on(tmp_path):
    path = tmp_path / "a.journal"

    def spoil(study, trial):
        with open(path, "ab") as file:
            file.write(b"junk\n")

    made = OptunaSearch(RidgeClassifier(), {"alpha": [1, 2]}, storage=path, callbacks=[spoil])
    with pytest.raises(OSError, match=r"line \d+ is damaged: .* The same call would fail again"):
        made.set_params(n_trials=3).fit(X, Y)


@pytest.mark.parametrize("kind", ["link", "file", "our own"])
def test_a_lock_of_someone_else_is_spoken_of(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(_journal, "PATIENCE", 0.05)
    journal, lock = tmp_path / "a.journal", tmp_path / "a.journal.lock"
    if kind == "file":  # as of Optuna's JournalFileOpenLock
        lock.write_bytes(b"")
    else:  # as of JournalFileSymlinkLock, or of a search on another machine
        lock.symlink_to(journal if kind == "link" else '["elsewhere", "boot", 1, 2, "name"]')
    timer = threading.Timer(0.5, lock.unlink)
    timer.start()
    made = OptunaSearch(RidgeClassifier(), {"alpha": [1, 2]}, n_trials=1, storage=journal)
    with pytest.warns(UserWarning, match=r"waiting for .*a\.journal\.lock'.* Delete it") as record:
        made.fit(X, Y)
    timer.join()
    assert len(record) == 1
    assert len(made.study_.trials) == 1


def leave_lock(lock, kind):
    if kind in ("folder", "full folder"):
        lock.mkdir()
        if kind == "full folder":
            (lock / "contents").write_bytes(b"")
    elif kind == "link":
        lock.symlink_to("nobody")
    elif kind == "our own":
        lock.symlink_to('["elsewhere", "boot", 1, 2, "name"]')
    else:
        lock.write_bytes(b"")


SHORT = pytest.mark.filterwarnings("ignore:The value of .grace_period. might be too small")


@SHORT
@pytest.mark.parametrize("kind", ["file", "link", "our own", "folder"])
@pytest.mark.parametrize("begun", [False, True])
def test_a_lock_that_stays_is_lifted_after_as_long_as_is_said(tmp_path, monkeypatch, kind, begun):
    monkeypatch.setattr(_journal, "PATIENCE", 0.05)
    monkeypatch.setattr(_journal, "LOCK_GRACE_PERIOD", 0.4)
    storage, waited = tmp_path / "a.journal", []
    made = {"n_trials": 2, "storage": storage, "study_name": "a", "resume": True, "random_state": 0}
    if begun:
        OptunaSearch(RidgeClassifier(), {"alpha": [1, 2]}, **made | {"n_trials": 1}).fit(X, Y)
    leave_lock(tmp_path / "a.journal.lock", kind)
    _waiting(monkeypatch, waited)
    with pytest.warns(UserWarning, match=r"waiting for .*what stays so for 0\.4 s is taken"):
        search = OptunaSearch(RidgeClassifier(), {"alpha": [1, 2]}, **made).fit(X, Y)
    assert len(search.study_.trials) == 2
    assert sum(waited) < 0.4 + 0.2  # of pauses alone, however busy the machine is
    assert not os.path.lexists(tmp_path / "a.journal.lock")


@SHORT
def test_a_lock_that_cannot_be_lifted_is_waited_for_once(tmp_path, monkeypatch):
    monkeypatch.setattr(_journal, "PATIENCE", 0.05)
    monkeypatch.setattr(_journal, "LOCK_GRACE_PERIOD", 0.4)
    waited = []
    leave_lock(tmp_path / "a.journal.lock", "full folder")
    _waiting(monkeypatch, waited)
    made = OptunaSearch(RidgeClassifier(), {"alpha": [1, 2]}, storage=tmp_path / "a.journal")
    match = r"a\.journal\.lock' cannot be lifted: Directory not empty\. Delete it if nobody"
    with (
        pytest.warns(UserWarning, match="waiting for"),
        pytest.raises(OSError, match=match) as caught,
    ):
        made.fit(X, Y)
    assert str(caught.value).startswith("OptunaSearch: ")
    assert sum(waited) < 0.4 + 0.2


def _waiting(monkeypatch, waited):
    """Let a list hold how long the lock was paused for."""
    sleep = time.sleep

    def pause(seconds):
        waited.append(seconds)
        sleep(seconds)

    monkeypatch.setattr(_journal.time, "sleep", pause)


def test_server_that_does_not_answer():
    pytest.importorskip("psycopg", reason="the extra 'cluster' is not installed")
    url = "postgresql+psycopg://user:secret@127.0.0.1:1/trials"
    made = OptunaSearch(RidgeClassifier(), {"alpha": [1, 2]}, storage=url)
    with pytest.raises(
        OSError, match=r"user:\*\*\*@127.*could not be opened: .*Connection refused"
    ):
        made.fit(X, Y)


def test_server_that_goes_away_loses_no_finished_fold(tmp_path, postgresql, undisturbed):
    import psycopg

    name, log = f"db{uuid.uuid4().hex}", str(tmp_path / "log")
    storage = postgresql(name)
    elsewhere = postgresql("elsewhere").replace("+psycopg", "")

    def reachable(yes):
        with psycopg.connect(elsewhere, autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {yes}")
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
            )

    @as_toy
    class Cutting(NAMES["Toy"]):
        def fit(self, X, y):
            if len(fits(log)) == 16:
                reachable(False)
            return super().fit(X, y)

    search(storage, log, n_trials=2).fit(X, Y)
    made = search(storage, log)
    made.estimator = Cutting(log=log)
    with pytest.raises(OSError, match=r"the storage failed.*resume=True goes on"):
        made.fit(X, Y)
    assert len(fits(log)) == 17
    reachable(True)
    assert outcome(search(storage, log).fit(X, Y)) == undisturbed
    assert len(fits(log)) == 14 * 3 + 1  # only the fold of which nobody heard was run again


def test_read_only_database(tmp_path):
    made = OptunaSearch(
        RidgeClassifier(), {"alpha": [1, 2]}, n_trials=1, storage=f"sqlite:///{tmp_path}/x.db",
        study_name="one", resume=True,
    ).fit(X, Y)  # fmt: skip
    made.set_params(storage=f"sqlite:///file:{tmp_path}/x.db?mode=ro&uri=true")
    assert made.fit(X, Y).best_score_ > 0.5  # nothing is left to be written
    with pytest.raises(OSError, match=r"the storage failed.*resume=True goes on"):
        made.set_params(n_trials=2).fit(X, Y)


@pytest.mark.parametrize(
    ("kind", "more", "message"),
    [("journal", 3000, os.strerror(errno.EFBIG)), ("sqlite", 0, "disk")],
)
def test_full_disk_loses_no_finished_trial(tmp_path, undisturbed, kind, more, message):
    storage, log = storage_in(kind, tmp_path), str(tmp_path / "log")
    search(storage, log, n_trials=5).fit(X, Y)
    limit = os.path.getsize(storage.removeprefix("sqlite:///")) + more
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        with pytest.raises(OSError, match="the storage failed") as caught:
            search(storage, log).fit(X, Y)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert message in str(caught.value)
    n_before = len(fits(log))
    assert 15 < n_before < 42
    assert outcome(search(storage, log).fit(X, Y)) == undisturbed
    assert len(fits(log)) <= 42 + 1


def test_torn_line_of_a_journal_is_cut_off(tmp_path, undisturbed):
    storage, log = storage_in("journal", tmp_path), str(tmp_path / "log")
    search(storage, log, n_trials=5).fit(X, Y)
    with open(storage, "a") as file:
        file.write('{"op_code": 8, "trial')
    assert outcome(search(storage, log).fit(X, Y)) == undisturbed
    with open(storage) as file:
        assert all(json.loads(line) for line in file)


@pytest.mark.parametrize("size", [3, 30])
def test_torn_first_line_of_a_journal_is_cut_off(tmp_path, undisturbed, size):
    """As if the disk had been full when the very first line was written."""
    storage, log = storage_in("journal", tmp_path), str(tmp_path / "log")
    search(storage, log, n_trials=1).fit(X, Y)
    with open(storage, "r+b") as file:
        file.truncate(size)
    assert outcome(search(storage, log).fit(X, Y)) == undisturbed


@pytest.mark.parametrize(
    "content",
    [
        b"notes on the next search",
        b"notes on the next search\nand on the last",
        b'{"lr": 0.1}',
        b'{"lr": 0.1}\n',
        b'{"lr": 0.1, "op_code": 0}',
        b"\x89PNG\r\n\x1a\n\xff",
        b"\n",
        b"{\n",
    ],
)
def test_file_that_is_not_a_journal_is_left_as_it_is(tmp_path, content):
    path = tmp_path / "study.db"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"the path of a journal .*study.db"):
        search(str(path), str(tmp_path / "log")).fit(X, Y)
    assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["study.db"]


def test_database_given_by_its_path_is_left_as_it_is(tmp_path):
    storage, log, path = storage_in("sqlite", tmp_path), str(tmp_path / "log"), tmp_path / "toy.db"
    search(storage, log, n_trials=1).fit(X, Y)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"database of SQLite: pass storage='sqlite:///") as caught:
        search(path, log).fit(X, Y)
    assert storage in str(caught.value)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "damage",
    [
        b'{"op_code": 8, "tr\xff\nnot a record',
        b"\0\0\0\0\n",
        b"[8]\n",
        b"8\n",
        b'{"op_code": 99, "worker_id": "x"}\n',
        b'{"op_code": 4, "worker_id": "x"}\n',
    ],
)
def test_damaged_journal_is_left_as_it_is(tmp_path, undisturbed, damage):
    storage, log = tmp_path / "toy.journal", str(tmp_path / "log")
    search(storage, log, n_trials=1).fit(X, Y)
    whole = storage.read_bytes()
    n_lines = whole.count(b"\n")
    storage.write_bytes(whole + damage)
    message = rf"line {n_lines + 1} of the journal '.*toy.journal' .*of the first {n_lines} lines"
    with pytest.raises(ValueError, match=message):
        search(storage, log).fit(X, Y)
    assert storage.read_bytes() == whole + damage
    copy = tmp_path / "copy"
    copy.write_bytes(b"".join(storage.read_bytes().splitlines(keepends=True)[:n_lines]))
    assert outcome(search(copy, log).fit(X, Y)) == undisturbed


def test_a_line_that_is_missing_from_a_journal_is_said(tmp_path):
    """None blames the search for it, and none makes other trials out of those that were there."""
    storage, log = tmp_path / "toy.journal", str(tmp_path / "log")
    search(storage, log, n_trials=2).fit(X, Y)
    lines = storage.read_bytes().splitlines(keepends=True)
    kinds = [json.loads(line)["op_code"] for line in lines]
    begun, description = kinds.index(4), kinds.index(2)
    parameter = kinds.index(5)
    fold = next(i for i, line in enumerate(lines) if kinds[i] == 8 and b"fold" in line)
    for missing, message in (
        ([begun], rf"line {begun + 1}.*of a trial whose beginning is missing.*first {begun} lines"),
        ([begun, begun + 1], "of a trial whose beginning is missing"),
        ([len(kinds) - kinds[::-1].index(4) - 1], "of a trial whose beginning is missing"),
        ([description], "or the record which says so is missing from a damaged storage"),
        ([parameter], "trial 0 lacks a parameter, of which the record is missing.* damaged"),
        ([fold], r"trial 0 is complete, and the records of its folds \[.\] are missing.* damaged"),
        ([parameter, fold], "trial 0 lacks a parameter, of which the record is missing"),
    ):
        left = b"".join(line for i, line in enumerate(lines) if i not in missing)
        storage.write_bytes(left)
        with pytest.raises(ValueError, match=message):
            search(storage, log, n_trials=3).fit(X, Y)
        assert storage.read_bytes() == left


def test_journal_without_its_beginning_is_left_as_it_is(tmp_path):
    storage, log = tmp_path / "toy.journal", str(tmp_path / "log")
    search(storage, log, n_trials=1).fit(X, Y)
    rest = storage.read_bytes().partition(b"\n")[2]
    storage.write_bytes(rest)
    with pytest.raises(ValueError, match="It is one without its beginning"):
        search(storage, log).fit(X, Y)
    assert storage.read_bytes() == rest


@pytest.mark.parametrize(
    "content", [b"notes\n" * 99, b'{"op_code": 0}\n', b"SQLite format 3\0" + bytes(5000)]
)
def test_file_that_is_not_a_database_is_left_as_it_is(tmp_path, content):
    path = tmp_path / "toy.db"
    path.write_bytes(content)
    with pytest.raises(OSError, match=r"toy.db' could not be opened: .*or pass another"):
        search(f"sqlite:///{path}", str(tmp_path / "log")).fit(X, Y)
    assert path.read_bytes() == content


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no FIFOs")
def test_fifo_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OSError, match="a folder, or a device, and not a file"):
        search(tmp_path / "fifo", str(tmp_path / "log")).fit(X, Y)


@pytest.mark.parametrize("kind", ["journal", "sqlite"])
@pytest.mark.parametrize("lasting", [True, False])
def test_disk_that_is_full_at_any_write_loses_nothing(tmp_path, monkeypatch, kind, lasting):
    """Also at the one with which a trial ends, where Optuna stumbles."""
    made = OptunaSearch(
        RidgeClassifier(), {"alpha": [1, 2, 3]}, n_trials=2, cv=2, refit=False, random_state=0,
        study_name="one", resume=True,
    )  # fmt: skip
    n_writes, full = 0, range(0)

    def write(*args):
        nonlocal n_writes
        if threading.current_thread() is threading.main_thread():  # hearts beat when they like
            n_writes += 1
        if n_writes in full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def statement(connection, cursor, statement, parameters, *args):
        try:
            if not statement.startswith(("SELECT", "PRAGMA")):
                write()
        except OSError:
            error = sqlite3.OperationalError("database or disk is full")
            raise sqlalchemy.exc.OperationalError(statement, parameters, error) from None

    monkeypatch.setattr(os, "fsync", write)
    sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", statement)
    try:
        storage = storage_in(kind, tmp_path)
        made.set_params(storage=storage).fit(X, Y)
        undisturbed, n_in_all, n_raised = outcome(made), n_writes, 0
        for n in range(4 if kind == "journal" else 30, n_in_all, 3):
            (tmp_path / str(n)).mkdir()
            made.set_params(storage=storage_in(kind, tmp_path / str(n)))
            n_writes, full = 0, range(n, 10**6 if lasting else n + 1)
            with suppress(OSError):
                made.fit(X, Y)
                n_raised -= 1
            n_raised += 1
            full = range(0)
            assert outcome(made.fit(X, Y)) == undisturbed
        assert n_raised
    finally:
        sqlalchemy.event.remove(sqlalchemy.Engine, "before_cursor_execute", statement)
