"""Jobs in fresh processes: peak memory of each by itself, no threads in common, no leftovers."""

import multiprocessing
import os
import signal
import threading
import traceback
from multiprocessing.connection import wait

from threadpoolctl import threadpool_limits

from benchmarks.cli import BenchmarkError

# Imported once, by the server that the processes are forked from: a process starts at once, and a
# file that is edited during a run changes nothing. The server never computes anything, so that no
# thread pool exists at the fork.
_PRELOAD = ["torch", "sklearn.ensemble", "pandas", "sknote.pipelines", "benchmarks.folds"]


class JobFailed(Exception):
    """A job raised, or its process was killed; the message says how."""


def run_jobs(function, jobs, *, n_jobs, n_threads, on_report=None):
    """Call ``function(job)`` for each job, each in a process of its own.

    Parameters
    ----------
    function : callable
        A function of a module.
    jobs : list
        Its arguments.
    n_jobs : int
        How many processes at a time.
    n_threads : int
        How many threads each of them may use.
    on_report : callable or None
        If it is given, `function` is called as ``function(job, report)``, and what it passes to
        ``report(message)`` arrives here at once, as ``on_report(index, message)``.

    Yields
    ------
    index : int
        Position of a job, in the order in which they end.
    result : object or JobFailed
        What `function` returned, or why it did not.
    """
    method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(method)
    context.set_forkserver_preload(_PRELOAD)
    waiting = list(enumerate(jobs))[::-1]
    running = {}
    try:
        while waiting or running:
            while waiting and len(running) < n_jobs:
                index, job = waiting.pop()
                receiver, sender = context.Pipe(duplex=False)
                process = context.Process(
                    target=_work, args=(sender, function, job, n_threads, on_report is not None)
                )
                process.start()
                sender.close()
                running[receiver] = (index, process)
            for receiver in wait(list(running)):
                index, process = running[receiver]
                try:
                    is_last, result = receiver.recv()
                except EOFError:
                    process.join()
                    is_last = True
                    result = JobFailed(
                        f"its process ended with exit code {process.exitcode} and no word"
                        + (" (out of memory?)" if process.exitcode == -9 else "")
                    )
                if not is_last:
                    on_report(index, result)
                    continue
                del running[receiver]
                receiver.close()
                process.join()
                yield index, result
    finally:
        for _, process in running.values():
            process.kill()
            process.join()


def _work(sender, function, job, n_threads, reports):
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which kills this one
    threading.Thread(target=_die_with_parent, daemon=True).start()
    import torch

    torch.set_num_threads(n_threads)
    with threadpool_limits(n_threads):
        try:
            if reports:
                result = function(job, lambda message: sender.send((False, message)))
            else:
                result = function(job)
        except BenchmarkError as error:
            result = JobFailed(str(error))
        except Exception:
            result = JobFailed(traceback.format_exc())
    sender.send((True, result))
    sender.close()


def _die_with_parent():
    """End this process when the one that asked for it is gone, even by SIGKILL."""
    multiprocessing.parent_process().join()
    os._exit(1)
