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
from benchmarks.processes import Job, JobFailed, is_kept, run_kept

ROOT = Path(benchmarks.__file__).parents[1]


def answer(x):
    import torch
    from threadpoolctl import threadpool_info

    if x == 2:
        raise ValueError("two is not wanted")
    if x == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    if x == 4:
        raise BenchmarkError("four is not wanted")
    threads = {torch.get_num_threads(), *(pool["num_threads"] for pool in threadpool_info())}
    return x * x, os.getpid(), threads


def run(folder, numbers, **how):
    jobs = [Job(x, {"x": x}, {"x": x}) for x in numbers]
    how = {"cache_dir": folder, "n_jobs": 2, "n_threads": 1} | how
    return {job.name: result for job, result in run_kept(answer, jobs, **how)}


def test_each_job_has_a_process_and_its_threads_and_is_run_once(tmp_path):
    first = run(tmp_path, [0, 1])
    assert [result[0] for _, result in sorted(first.items())] == [0, 1]
    assert len({pid for _, pid, _ in first.values()} | {os.getpid()}) == 3
    assert [threads for _, _, threads in first.values()] == [{1}, {1}]
    again = run(tmp_path, [5, 1, 0])
    assert list(again)[:2] == [1, 0]  # those that are finished come first
    assert again == first | {5: again[5]}
    assert run(tmp_path, [1], fresh=True)[1][1] != first[1][1]
    assert run(tmp_path, []) == {}


def test_a_failure_and_a_kill_are_told_and_the_others_go_on(tmp_path):
    results = run(tmp_path, [1, 2, 3, 4, 5])
    assert (results[1][0], results[5][0]) == (1, 25)
    assert all(isinstance(results[x], JobFailed) for x in (2, 3, 4))
    assert "ValueError: two is not wanted" in str(results[2])
    assert "killed" in str(results[3])
    # what the user can put right is told without a traceback
    assert str(results[4]) == "four is not wanted"
    assert not is_kept(answer, Job(2, {"x": 2}, {"x": 2}), tmp_path)


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
                list(run_kept(wait, [job], **how))
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
