"""How torch is run: its threads, its global generator, and numbers too small to matter."""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor

import torch

__all__ = ["flushed_denormals", "in_threads", "own_generator", "torch_threads"]


@contextlib.contextmanager
def torch_threads(n_threads):
    """Let torch use a number of threads inside a ``with`` block; None changes nothing."""
    before = torch.get_num_threads()
    if n_threads in (None, before):
        yield
        return
    torch.set_num_threads(n_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def in_threads(function, items, n_threads):
    """Map a function over items, as many at a time as there are threads (None: torch's).

    What is small gains little from threads within each operation. Here every call has one thread
    for itself, so that results are the same for any number of them, and come in the order of the
    items. Modes of torch, such as that of inference, the function has to set itself, and it must
    not draw from torch's global generator.
    """
    n_threads = min(n_threads or torch.get_num_threads(), len(items))
    with torch_threads(1):  # threads of torch's own would wait busily beside ours
        if n_threads < 2:
            return [function(item) for item in items]
        with ThreadPoolExecutor(n_threads, initializer=_one_thread) as pool:
            return list(pool.map(function, items))


def _one_thread():
    torch.get_num_threads()  # else torch would set the number again when it first asks for it
    torch.set_num_threads(1)


_GLOBAL_GENERATOR = threading.RLock()


@contextlib.contextmanager
def own_generator(seed):
    """Seed torch's global generator, for one thread at a time, and give it back as it was."""
    with _GLOBAL_GENERATOR, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


@contextlib.contextmanager
def flushed_denormals():
    """Let the processor take denormal numbers, which are slow, for 0."""
    before = float(torch.tensor(1e-40) * 1) == 0.0  # torch has no getter for it
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)
