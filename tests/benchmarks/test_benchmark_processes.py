import os
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

import benchmarks
from benchmarks.processes import Job, is_kept, run_kept

ROOT = Path(benchmarks.__file__).parents[1]


def answer(x):
    import torch
    from threadpoolctl import threadpool_info

    if x == 2:
        raise ValueError("two is not wanted")
    if x == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    threads = {torch.get_num_threads(), *(pool["num_threads"] for pool in threadpool_info())}
    return x * x, os.getpid(), threads


def run(folder, numbers, **how):
    how = {"cache_dir": folder, "n_jobs": 2, "n_threads": 1} | how
    return run_kept(answer, [job_of(x) for x in numbers], **how)


def job_of(x):
    return Job(f"number {x}", {"x": x}, {"x": x})


def test_each_job_has_a_process_and_its_threads_and_is_run_once(tmp_path):
    first = run(tmp_path, [0, 1])
    assert [result for result, _, _ in first] == [0, 1]
    assert len({pid for _, pid, _ in first} | {os.getpid()}) == 3
    assert [threads for _, _, threads in first] == [{1}, {1}]
    again = run(tmp_path, [5, 1, 0])
    assert again[1:] == first[::-1]
    assert again[0][0] == 25
    assert run(tmp_path, [1], fresh=True)[0][1] != first[1][1]
    assert run(tmp_path, []) == []


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
