"""Jobs in fresh processes, and results that are kept: what is finished is never run again."""

import contextlib
import multiprocessing
import os
import sys
import threading
import time
import traceback
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import NamedTuple

import joblib
from threadpoolctl import threadpool_limits

import sknote
from benchmarks.cli import BenchmarkError
from benchmarks.environment import code_digest, versions

# Imported once, by the server that the processes are forked from: a process starts at once, and a
# file that is edited during a run changes nothing. The server never computes anything, so that no
# thread pool exists at the fork.
_PRELOAD = ["torch", "sklearn.ensemble", "pandas", "benchmarks.models", "benchmarks.search"]


class JobFailed(Exception):
    """A job raised, or its process was killed; the message says how."""


class Job(NamedTuple):
    """A call ``function(**arguments)`` whose result is kept."""

    name: object  # for the caller
    key: dict  # plain data: all that the result depends on, besides code and versions
    arguments: dict


def run_kept(function, jobs, *, cache_dir, n_jobs, n_threads, fresh=False, what=None):
    """Run the jobs whose results are not kept in `cache_dir` yet, or all of them if `fresh`.

    Each has a process of its own, of `n_threads`, with a peak memory of its own. Yields (job,
    result), finished ones first; a `JobFailed` for a job that raised, or was killed.
    """
    method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(method)
    context.set_forkserver_preload(_PRELOAD)

    def run(job):
        # a pool for one job: a process that is killed takes no other job with it
        with ProcessPoolExecutor(1, context) as pool:
            how = (cache_dir, fresh, n_threads)
            return pool.submit(_run_and_keep, function, job, *how).result()

    is_finished = [not fresh and is_kept(function, job, cache_dir) for job in jobs]
    if what and any(is_finished):
        print(f"{sum(is_finished)} of {len(jobs)} {what} are finished already.")
    for job in [job for job, done in zip(jobs, is_finished) if done]:
        yield job, _kept(cache_dir)(_key(function, job), None, None)
    pool = ThreadPoolExecutor(n_jobs)
    futures = {pool.submit(run, job): job for job, done in zip(jobs, is_finished) if not done}
    try:
        for future in as_completed(futures):
            try:
                result = future.result()
            except BenchmarkError as error:
                result = JobFailed(str(error))
            except BrokenProcessPool:
                result = JobFailed("its process was killed (out of memory?)")
            except Exception as error:
                result = JobFailed("".join(traceback.format_exception(error)))
            yield futures[future], result
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        while not all(future.done() for future in futures):  # stopped by Ctrl-C
            for process in multiprocessing.active_children():
                if isinstance(process, context.Process):  # and none of joblib's
                    process.kill()
            time.sleep(0.05)
        pool.shutdown()


def is_kept(function, job, cache_dir):
    """Tell whether the result of a job is kept."""
    return _kept(cache_dir).check_call_in_cache(_key(function, job), None, None)


@contextlib.contextmanager
def threads_of(n_threads):
    """Let torch, and the libraries below NumPy, use a number of threads."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        with threadpool_limits(n_threads):
            yield
    finally:
        torch.set_num_threads(before)


def _kept(cache_dir, **options):
    memory = joblib.Memory(cache_dir / "kept", verbose=0)
    return memory.cache(_call, ignore=["function", "arguments"], **options)


def _call(key, function, arguments):
    return function(**arguments)


def _run_and_keep(function, job, cache_dir, fresh, n_threads):
    threading.Thread(target=_die_with_parent, daemon=True).start()
    options = {"cache_validation_callback": lambda _: False} if fresh else {}
    with threads_of(n_threads):
        return _kept(cache_dir, **options)(_key(function, job), function, job.arguments)


def _key(function, job):
    code = [code_digest(sknote), code_digest(sys.modules[function.__module__])]
    return {"of": function.__qualname__, "code": code, "versions": versions(), **job.key}


def _die_with_parent():
    """End this process when the one that asked for it is gone, even by SIGKILL."""
    multiprocessing.parent_process().join()
    os._exit(1)
