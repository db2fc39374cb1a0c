"""Searches that are killed, at an instruction or at a moment, and then go on to their end."""

import json
import os
import random
import shutil
import signal
import sys
import time
import warnings
from pathlib import Path

import optuna
from faults.worker import SECONDS, Case, watch
from optuna.distributions import FloatDistribution, IntDistribution
from sklearn.datasets import make_classification
from sklearn.tree import DecisionTreeClassifier

from sknote.model_selection import OptunaSearch

X, Y = make_classification(60, 5, flip_y=0.2, random_state=0)
SPACE = {"ccp_alpha": FloatDistribution(0, 0.1), "max_depth": IntDistribution(1, 9)}
N_TRIALS, N_FOLDS = 6, 2
KINDS = ["journal", "journal", "sqlite"]
_OURS = f"{os.sep}sknote{os.sep}model_selection{os.sep}search{os.sep}"
_THEIRS = tuple(str(Path(optuna.__file__).parent / name) for name in ("storages", "study", "trial"))
_UNDISTURBED = {}  # by kind of storage: results, lines of ours and of Optuna's, seconds


def prepare(folder):
    for kind in set(KINDS):
        place = folder / f"undisturbed-{kind}"
        _renew(place)
        begin = time.monotonic()
        assert _wait(_begin(kind, place, "ours", None), 4 * SECONDS) == 0
        seconds = (time.monotonic() - begin) / 2  # without counting
        results = json.loads((place / "results").read_text())
        _UNDISTURBED[kind] = results, json.loads((place / "lines").read_text()), seconds


def _renew(place):
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()


def make_case(seed, folder):
    rng = random.Random(seed)
    kind = rng.choice(KINDS)
    results, lines, seconds = _UNDISTURBED[kind]
    kills = []
    for _ in range(rng.randint(1, 3)):  # a trial that kills its process is given up in the end
        part = rng.choice(["ours", "theirs", "clock"])
        kills.append(
            (part, seconds * rng.random() if part == "clock" else rng.randint(1, lines[part]))
        )
    place = folder / f"search-{seed}"

    def run():
        _renew(place)
        n_killed = sum(_wait(_begin(kind, place, *kill), 4 * SECONDS) != 0 for kill in kills)
        status = _wait(_begin(kind, place))
        assert status == 0, (place / "error").read_text()
        found = json.loads((place / "results").read_text())
        lost = [trial for trial in results if trial not in found]
        more = list(found)
        for trial in results:
            if trial in more:
                more.remove(trial)
        assert not lost and not more, f"{len(lost)} trials lost, {len(more)} others: {lost} {more}"
        return f"the same after {n_killed} kills"

    return Case(f"{kind}, killed at {kills}", run, may_wait=True)


def _begin(kind, place, part=None, when=None):
    """Start a search in a process that is killed `when` the clock or the lines of a part say."""
    pid = os.fork()
    if pid:
        if part == "clock":
            _wait_until(pid, when)
        return pid
    status = 1
    try:
        lines = {"ours": 0, "theirs": 0}
        if part in lines:
            sys.settrace(_tracer(lines, part, when))
        _search(kind, place)
        sys.settrace(None)
        (place / "lines").write_text(json.dumps(lines))
        status = 0
    except BaseException as error:
        sys.settrace(None)
        (place / "error").write_text(f"{type(error).__name__}: {error}")
    os._exit(status)


def _search(kind, place):
    storage = {"journal": f"{place}/journal", "sqlite": f"sqlite:///{place}/study.db"}[kind]
    search = OptunaSearch(
        DecisionTreeClassifier(random_state=0), SPACE, n_trials=N_TRIALS, cv=N_FOLDS,
        sampler=optuna.samplers.TPESampler(n_startup_trials=2), storage=storage, study_name="one",
        resume=True, random_state=0, refit=False,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = search.fit(X, Y).cv_results_
    scores = zip(*(table[f"split{fold}_test_score"] for fold in range(N_FOLDS)))
    results = [[repr(params), *score] for params, score in zip(table["params"], scores)]
    (place / "results").write_text(json.dumps(sorted(results)))


def _tracer(lines, part, when):
    """Count the lines that each part of the code runs, and kill the process at one of them."""

    def make(part_of_line):
        def line(frame, event, _):
            lines[part_of_line] += event == "line"
            if lines[part] == when:
                os.kill(os.getpid(), signal.SIGKILL)
            return line

        return line

    ours, theirs = make("ours"), make("theirs")

    def call(frame, event, _):
        name = frame.f_code.co_filename
        return ours if _OURS in name else theirs if name.startswith(_THEIRS) else None

    return call


def _wait_until(pid, seconds):
    time.sleep(seconds)
    os.kill(pid, signal.SIGKILL)  # of one that has ended, which was not waited for, it says nothing


def _wait(pid, seconds=SECONDS):
    """Return how a process ended; one that hangs is an error."""
    ended = []

    def is_done(timeout):
        end = time.monotonic() + timeout
        while not ended and time.monotonic() < end:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                ended.append(os.waitstatus_to_exitcode(status))
            else:
                time.sleep(0.005)
        return bool(ended)

    problem = watch(pid, is_done, seconds=seconds)
    if problem:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    assert problem is None, f"the search {problem}"
    return ended[0]
