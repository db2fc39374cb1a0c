"""Jobs in fresh processes, and results that are kept: what is finished is never run again."""

import contextlib
import json
import multiprocessing
import os
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from typing import NamedTuple

import numpy as np
import torch
from threadpoolctl import threadpool_limits

import sknote
from benchmarks.environment import code_digest, digest, versions

# Imported once, by the server that the processes are forked from: a file that is edited during a
# run changes nothing. The server never computes anything: no thread pool exists at the fork.
_PRELOAD = ["torch", "sklearn.ensemble", "pandas", "benchmarks.models", "benchmarks.search"]
_PRELOAD += ["benchmarks.conditions"]


class Job(NamedTuple):
    """A call ``function(**arguments)`` whose result is kept."""

    name: str  # for messages
    key: dict  # plain data: all that the result depends on, besides code and versions
    arguments: dict


def run_kept(function, jobs, *, cache_dir, n_jobs, n_threads, fresh=False):
    """Run the jobs whose results are not kept in `cache_dir` yet, or all of them if `fresh`.

    Each has a process of its own, of `n_threads`, with a peak memory of its own. Returns the list
    of results, as `find_or_make` does; what a job raised is raised when all others are finished.
    """
    # what is forked has one thread in sknote, and cannot use CUDA where the server, by an import,
    # has called its driver
    is_forked = n_threads == 1 and not torch.cuda.is_available()
    context = multiprocessing.get_context("forkserver" if is_forked else "spawn")
    if is_forked:
        context.set_forkserver_preload(_PRELOAD)

    def run(job):
        # a pool for one job: a process that is killed takes no other job with it
        with ProcessPoolExecutor(1, context) as alone:
            return alone.submit(_run_or_find, function, job, cache_dir, fresh, n_threads).result()

    pool = ThreadPoolExecutor(n_jobs)
    futures = {pool.submit(run, job): job.name for job in jobs}
    try:
        for n, future in enumerate(as_completed(futures), start=1):
            outcome = "failed" if future.exception() else "finished"
            print(f"{n} of {len(jobs)}: {futures[future]} {outcome}", flush=True)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        while not all(future.done() for future in futures):  # stopped by Ctrl-C
            for process in multiprocessing.active_children():
                if isinstance(process, context.Process):  # and not one of joblib's
                    process.kill()
            time.sleep(0.05)
    for future, name in futures.items():
        if error := future.exception():
            error.add_note(f"This was {name}; what finished is kept.")
            raise error
    return [future.result() for future in futures]


def is_kept(function, job, cache_dir):
    """Tell whether the result of a job is kept."""
    return _find(_place(function, job, cache_dir)) is not None


def find_or_make(path, make, fresh=False):
    """Return the dict or list that a file keeps, or what is made, which it keeps; no pickle."""
    if (found := None if fresh else _find(path)) is not None:
        return found
    arrays = {}

    def plain(value):
        if not isinstance(value, np.ndarray):
            return value.item()  # NumPy's numbers
        arrays[name := f"array{len(arrays)}"] = value
        return {"array": name}

    text = json.dumps(make(), default=plain)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(beside := path.with_suffix(f".{os.getpid()}"), "wb") as file:
        np.savez(file, allow_pickle=False, text=text, **arrays)
    os.replace(beside, path)
    return _find(path)


def _find(path):
    with contextlib.suppress(Exception), open(path, "rb") as file:  # else there is none
        kept = np.load(file, allow_pickle=False)
        unpack = lambda one: kept[one["array"]] if one.keys() == {"array"} else one  # noqa: E731
        return json.loads(str(kept["text"]), object_hook=unpack)


@contextlib.contextmanager
def threads_of(n_threads):
    """Let torch, and the libraries below NumPy, use a number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        with threadpool_limits(n_threads):
            yield
    finally:
        torch.set_num_threads(before)


def _run_or_find(function, job, cache_dir, fresh, n_threads):
    threading.Thread(target=_die_with_parent, daemon=True).start()
    path = _place(function, job, cache_dir)
    with threads_of(n_threads):
        return find_or_make(path, lambda: function(**job.arguments), fresh)


def _place(function, job, cache_dir):
    code = [code_digest(sknote), code_digest(sys.modules[function.__module__])]
    key = {"of": function.__qualname__, "code": code, "versions": versions(), **job.key}
    return cache_dir / "kept" / f"{digest(key)}.npz"


def _die_with_parent():
    """End this process when the one that asked for it is gone, even by SIGKILL."""
    multiprocessing.parent_process().join()
    os._exit(1)
