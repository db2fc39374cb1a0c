"""The file of answers: damaged, foreign, full, locked, shared, left by a killed process."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest
from answering import ASKED, ByLevel, notes

from sknote.deploy import CachedClassifier
from sknote.deploy.answers import AnswerStore, _database

X = notes(50)
EXPECTED = ByLevel().predict_proba(X)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "answers.db"


def ask(path, **how):
    """Ask a new object about all notes; return it, and what was warned of."""
    model = CachedClassifier(ByLevel(), path, **{"max_memory": 0} | how)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        np.testing.assert_allclose(model.predict_proba(X), EXPECTED, atol=1e-7)
    return model, [str(one.message) for one in caught]


def fill(path):
    model, said = ask(path)
    model.close()
    assert said == []


def test_answers_outlive_the_process_that_made_them(path):
    fill(path)
    model, said = ask(path)
    assert (model.n_hits, said) == (50, [])
    assert sorted(os.listdir(path.parent))[0] == "answers.db"


@pytest.mark.parametrize("column", ["key", "row"])
def test_a_row_with_a_wrong_bit_is_missing_and_made_anew(path, column):
    fill(path)
    connection = sqlite3.connect(path)
    rng = np.random.default_rng(0)
    for use, value in connection.execute(f"SELECT use, {column} FROM answers").fetchall()[:20]:
        value = bytearray(value)
        value[rng.integers(len(value))] ^= 1 << rng.integers(8)
        connection.execute(f"UPDATE answers SET {column} = ? WHERE use = ?", (bytes(value), use))
    connection.commit()
    connection.close()
    model, said = ask(path)
    assert (model.n_hits, said) == (30, [])
    assert ask(path)[0].n_hits == 50


@pytest.mark.parametrize("value", [None, 1, 0.5, "text", b"", b"1234", bytes(10**6)])
def test_rows_of_another_kind_are_missing(path, value):
    fill(path)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE answers SET row = ? WHERE use < 11", (value,))
    connection.commit()
    connection.close()
    model, said = ask(path)
    assert (model.n_hits, said) == (40, [])


def of_another(path):
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE songs (name TEXT)")
    connection.commit()
    connection.close()


def of_later(path):
    fill(path)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version=2")
    connection.close()


def with_a_trigger(path):
    fill(path)
    connection = sqlite3.connect(path)
    connection.execute("CREATE TRIGGER more AFTER INSERT ON answers BEGIN DELETE FROM answers; END")
    connection.commit()
    connection.close()


FOREIGN = {
    "text": (lambda path: path.write_text("a,b\n1,2\n" * 99), "it holds something else"),
    "another database": (of_another, "it holds something else"),
    "a later version": (of_later, "it has version 2, and 1 is read"),
    "a trigger": (with_a_trigger, "it has other tables"),
    "a folder": (lambda path: path.mkdir(), "cannot be used"),
    "a pipe": (lambda path: os.mkfifo(path), "it is no plain file"),
    "half a header": (lambda path: path.write_bytes(b"SQLite format 3\0" * 3), "something else"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_what_is_something_else_is_said_once_and_not_touched(path, kind):
    make, words = FOREIGN[kind]
    make(path)
    before = path.read_bytes() if path.is_file() else None
    model, said = ask(path, max_memory=1 << 20)
    assert len(said) == 1 and words in said[0] and str(path) in said[0]
    assert "New answers are kept in memory alone" in said[0]
    assert before is None or path.read_bytes() == before
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(model.predict_proba(X), EXPECTED, atol=1e-7)
    assert model.n_hits == 50


def test_a_folder_that_is_not_there_is_said(tmp_path):
    assert "there is no such folder" in ask(tmp_path / "no" / "answers.db")[1][0]


@pytest.mark.parametrize("pragma", ["query_only=ON", "max_page_count=6"])
def test_where_nothing_can_be_written_what_is_there_is_read(path, monkeypatch, pragma):
    first = CachedClassifier(ByLevel(), path)
    first.predict_proba(X[:10])
    first.close()
    monkeypatch.setattr(_database, "_PRAGMAS", (*_database._PRAGMAS, pragma))
    more = notes(2000, 1)
    model = CachedClassifier(ByLevel(), path, max_memory=0)
    with pytest.warns(UserWarning, match="cannot be written .*what it has is read") as caught:
        model.predict_proba(more)
        found = model.predict_proba(more)
    assert len(caught) == 1
    np.testing.assert_allclose(found, ByLevel().predict_proba(more), atol=1e-7)
    before = model.n_hits
    model.predict_proba(X[:10])
    assert model.n_hits == before + 10
    model.close()
    assert ask(path)[0].n_hits >= 10 or pragma == "query_only=ON"


def test_a_process_that_holds_it_is_not_waited_for_for_ever(path, monkeypatch):
    fill(path)
    monkeypatch.setattr(_database, "_PATIENCE", 0.05)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    model = CachedClassifier(ByLevel(), path, max_memory=0)
    with pytest.warns(UserWarning, match=r"cannot be written \(database is locked\)"):
        model.predict_proba(notes(3, 1))
    assert model.predict_proba(X).shape == (50, 2) and model.n_hits == 50
    holder.close()


def test_the_file_is_bounded_and_what_was_not_used_for_long_goes_first(path):
    most = 1 << 17
    model = CachedClassifier(ByLevel(), path, max_memory=0, max_disk=most)
    many = notes(4000, 1)
    for start in range(0, 4000, 200):
        model.predict_proba(many[start : start + 200])
        model.predict_proba(X)
    model.close()
    assert os.path.getsize(path) <= most
    ASKED.clear()
    model.predict_proba(X)
    model.predict_proba(many[-200:])
    assert ASKED == []
    model.predict_proba(many[:200])
    assert ASKED == [200]
    model.close()
    smaller = CachedClassifier(ByLevel(), path, max_memory=0, max_disk=most // 2)
    smaller.predict_proba(notes(1, 2))
    smaller.close()
    assert os.path.getsize(path) <= most // 2


WRITE = """
import sys
import numpy as np
from sknote.deploy.answers import AnswerStore
store = AnswerStore(sys.argv[1], 0, 1 << 26)
first, n = int(sys.argv[2]), int(sys.argv[3])
for i in range(first, first + n):
    store.put({i.to_bytes(16, "big"): np.full(3, i, np.float32)})
    found = store.get([i.to_bytes(16, "big")], 3)
    assert (found[i.to_bytes(16, "big")] == i).all()
    if i == first:
        print("began", flush=True)
"""


def writer(path, first, n):
    words = [sys.executable, "-W", "error", "-c", WRITE, str(path), str(first), str(n)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def rows_of(path, numbers):
    keys = [i.to_bytes(16, "big") for i in numbers]
    found = AnswerStore(path, 0, 1 << 26).get(keys, 3)
    for key, row in found.items():
        assert (row == int.from_bytes(key, "big")).all()
    return len(found)


def test_a_file_that_is_being_made_is_never_that_of_another(path, monkeypatch):
    seen = []

    def look(_statement):
        if path.exists():
            with open(path, "rb") as file:
                seen.append(file.read(72)[68:])

    def connect(*args, **kwargs):
        connection = sqlite3_connect(*args, **kwargs)
        connection.set_trace_callback(look)
        return connection

    sqlite3_connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", connect)
    fill(path)
    assert set(seen) == {b"", _database._APPLICATION.to_bytes(4, "big")}


def test_processes_write_at_the_same_time(path):
    processes = [writer(path, 1000 * i, 200) for i in range(3)]
    for process in processes:
        _, said = process.communicate(timeout=120)
        assert (process.returncode, said) == (0, "")
    assert rows_of(path, [1000 * i + k for i in range(3) for k in range(200)]) == 600


def test_a_process_that_is_killed_costs_what_was_under_way(path):
    process = writer(path, 0, 10**6)
    assert process.stdout.readline() == "began\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert rows_of(path, range(20)) >= 1
    fill(path)
    assert ask(path)[0].n_hits == 50


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_process_has_a_connection_of_its_own(path):
    model, _ = ask(path)
    if (child := os.fork()) == 0:
        status = 1
        try:
            found = model.predict_proba(X)
            model.predict_proba(notes(5, 3))
            model.close()
            status = int(not (found.shape == EXPECTED.shape and model.n_hits == 50))
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    more, said = model.predict_proba(notes(5, 3)), model.n_hits
    assert len(more) == 5 and said == 5
