import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

import benchmarks
from benchmarks.cli import BenchmarkError
from benchmarks.processes import JobFailed, run_jobs

ROOT = Path(benchmarks.__file__).parents[1]


def square(x):
    return x * x


def fail_on_two(x):
    if x == 2:
        raise ValueError("two is not wanted")
    if x == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return x


def environment(_):
    import torch
    from threadpoolctl import threadpool_info

    return os.getpid(), torch.get_num_threads(), max(p["num_threads"] for p in threadpool_info())


def test_every_job_has_its_result():
    results = dict(run_jobs(square, [1, 2, 3, 4], n_jobs=2, n_threads=1))
    assert results == {0: 1, 1: 4, 2: 9, 3: 16}


def test_no_job_at_all():
    assert list(run_jobs(square, [], n_jobs=2, n_threads=1)) == []


def test_a_failure_and_a_kill_are_told_and_the_others_go_on():
    results = dict(run_jobs(fail_on_two, [1, 2, 3, 4], n_jobs=1, n_threads=1))
    assert (results[0], results[3]) == (1, 4)
    assert isinstance(results[1], JobFailed)
    assert "ValueError: two is not wanted" in str(results[1])
    assert "exit code -9" in str(results[2])


def test_each_job_has_a_process_and_its_threads():
    results = [result for _, result in run_jobs(environment, [0, 1], n_jobs=1, n_threads=1)]
    assert len({pid for pid, _, _ in results} | {os.getpid()}) == 3
    assert [threads for _, *threads in results] == [[1, 1], [1, 1]]


def test_processes_end_when_their_parent_is_killed(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(
        textwrap.dedent(
            """
            import os, sys, time
            from pathlib import Path

            from benchmarks.processes import run_jobs

            def wait(path):
                Path(path).write_text(str(os.getpid()))
                time.sleep(60)

            if __name__ == "__main__":
                list(run_jobs(wait, [sys.argv[1]], n_jobs=1, n_threads=1))
            """
        )
    )
    pid_file = tmp_path / "pid"
    parent = subprocess.Popen(
        [sys.executable, str(script), str(pid_file)], env={**os.environ, "PYTHONPATH": str(ROOT)}
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


def count(x, report):
    for i in range(x):
        report(i)
    if x == 2:
        raise BenchmarkError("two is not wanted")
    return x


def test_reports_arrive_in_order_and_before_the_result():
    heard = []
    results = dict(
        run_jobs(
            count,
            [3, 2, 0],
            n_jobs=2,
            n_threads=1,
            on_report=lambda index, message: heard.append((index, message)),
        )
    )
    assert [message for index, message in heard if index == 0] == [0, 1, 2]
    assert [message for index, message in heard if index == 1] == [0, 1]
    assert (results[0], results[2]) == (3, 0)
    # what the user can put right is told without a traceback
    assert str(results[1]) == "two is not wanted"
