import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pytest

import benchmarks
from benchmarks.processes import Job, find_or_make, is_kept, run_kept

ROOT = Path(benchmarks.__file__).parents[1]


def answer(x):
    import torch
    from threadpoolctl import threadpool_info

    if x == 2:
        raise ValueError("two is not wanted")
    if x == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    threads = {torch.get_num_threads(), *(pool["num_threads"] for pool in threadpool_info())}
    return [x * x, os.getpid(), sorted(threads)]


def run(folder, numbers, **how):
    how = {"cache_dir": folder, "n_jobs": 2, "n_threads": 1} | how
    return run_kept(answer, [job_of(x) for x in numbers], **how)


def job_of(x):
    return Job(f"number {x}", {"x": x}, {"x": x})


def test_each_job_has_a_process_and_its_threads_and_is_run_once(tmp_path):
    first = run(tmp_path, [0, 1])
    assert [result for result, _, _ in first] == [0, 1]
    assert len({pid for _, pid, _ in first} | {os.getpid()}) == 3
    assert [threads for _, _, threads in first] == [[1], [1]]
    again = run(tmp_path, [5, 1, 0])
    assert again[1:] == first[::-1]
    assert again[0][0] == 25
    assert run(tmp_path, [1], fresh=True)[0][1] != first[1][1]
    assert run(tmp_path, []) == []


def threads_inside():
    from sknote._torch import in_threads, torch_threads

    names = in_threads(lambda _: threading.current_thread().name, range(4), None)
    with torch_threads():
        import torch

        return {"threads": torch.get_num_threads(), "workers": len(set(names))}


@pytest.mark.parametrize("n_threads", [1, 2])
def test_sknote_has_the_threads_of_a_job_too(tmp_path, n_threads):
    how = {"cache_dir": tmp_path, "n_jobs": 1, "n_threads": n_threads}
    (found,) = run_kept(threads_inside, [Job("threads", {}, {})], **how)
    assert found["threads"] == n_threads
    assert found["workers"] <= n_threads


def test_results_are_kept_as_they_are_without_pickle(tmp_path, monkeypatch):
    made = {
        "rows": np.arange(3),
        "proba": np.full((2, 2), 0.1, np.float32, order="F"),
        "empty": np.zeros((0, 3), ">f8"),
        "scores": [0.1, float("nan"), np.float64(2.5), np.int64(3), np.bool_(True), None],
        "nested": {"texts": ["ä", ""], "of": {}},
    }
    monkeypatch.setattr("pickle.dumps", None)
    monkeypatch.setattr("pickle.dump", None)
    path = tmp_path / "deep" / "result.npz"
    first = find_or_make(path, lambda: made)
    again = find_or_make(path, None)
    for found in (first, again):
        for name in ("rows", "proba", "empty"):
            assert found[name].dtype == made[name].dtype
            np.testing.assert_array_equal(found[name], made[name])
        np.testing.assert_equal(found["scores"], [0.1, float("nan"), 2.5, 3, True, None])
        assert found["nested"] == made["nested"]
    assert [file.name for file in path.parent.iterdir()] == ["result.npz"]


class Bomb:
    def __reduce__(self):
        return pytest.fail, ("a kept result is unpickled",)


@pytest.mark.parametrize("kind", ["pickle", "array", "member", "cut", "text", "nothing", "no json"])
def test_what_others_put_in_the_place_of_a_result_is_not_run(kind, tmp_path):
    path = tmp_path / "result.npz"
    find_or_make(path, lambda: {"answer": np.arange(4)})
    bomb = np.array([Bomb()], dtype=object)
    if kind == "pickle":
        path.write_bytes(pickle.dumps(Bomb()))
    elif kind == "array":
        with open(path, "wb") as file:
            np.save(file, bomb)
    elif kind == "member":
        np.savez(path, text='{"answer": {"array": "array0"}}', array0=bomb)
    elif kind == "cut":
        path.write_bytes(path.read_bytes()[:-20])
    elif kind == "no json":
        np.savez(path, text="{answer}")
    else:
        path.write_bytes(b"text" if kind == "text" else b"")
    assert find_or_make(path, lambda: {"answer": 4}) == {"answer": 4}
    assert find_or_make(path, None) == {"answer": 4}
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        find_or_make(path, lambda: {"answer": bomb}, fresh=True)


@pytest.mark.parametrize(
    "x, error, message",
    [(2, ValueError, "two is not wanted"), (3, BrokenProcessPool, "terminated abruptly")],
    ids=["failure", "kill"],
)
def test_a_failure_and_a_kill_are_raised_when_the_others_are_finished(x, error, message, tmp_path):
    with pytest.raises(error, match=message) as raised:
        run(tmp_path, [x, 1, 5], n_jobs=1)
    assert raised.value.__notes__ == [f"This was number {x}; what finished is kept."]
    assert [is_kept(answer, job_of(number), tmp_path) for number in (x, 1, 5)] == [0, 1, 1]


def test_an_interruption_leaves_no_process_behind(tmp_path, monkeypatch):
    def interrupted(futures):
        wait_for(lambda: any(path.read_text() for path in tmp_path.glob("pid*")))
        raise KeyboardInterrupt

    monkeypatch.setattr("benchmarks.processes.as_completed", interrupted)
    jobs = [Job(f"{n}", {"n": n}, {"path": tmp_path / f"pid{n}"}) for n in range(3)]
    with pytest.raises(KeyboardInterrupt):
        run_kept(wait, jobs, cache_dir=tmp_path, n_jobs=2, n_threads=1)
    assert not any(is_running(int(path.read_text())) for path in tmp_path.glob("pid*"))


def wait(path):
    path.write_text(str(os.getpid()))
    time.sleep(60)


def test_processes_end_when_their_parent_is_killed(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(
        textwrap.dedent(
            """
            import os, sys, time
            from pathlib import Path

            from benchmarks.processes import Job, run_kept

            def wait(path):
                Path(path).write_text(str(os.getpid()))
                time.sleep(60)

            if __name__ == "__main__":
                job = Job("wait", {}, {"path": sys.argv[1]})
                how = {"cache_dir": Path(sys.argv[2]), "n_jobs": 1, "n_threads": 1}
                run_kept(wait, [job], **how)
            """
        )
    )
    pid_file = tmp_path / "pid"
    parent = subprocess.Popen(
        [sys.executable, str(script), str(pid_file), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    wait_for(lambda: pid_file.exists() and pid_file.read_text())
    child = int(pid_file.read_text())
    parent.kill()
    parent.wait()
    wait_for(lambda: not is_running(child))


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"not within {seconds} s")
        time.sleep(0.02)


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # a process that ended and that nobody has waited for yet is not running
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0] != "Z"
