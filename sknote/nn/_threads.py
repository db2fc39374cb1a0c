"""Threads: how many torch uses, and work that is done in several at a time."""

import contextlib
from concurrent.futures import ThreadPoolExecutor

import torch

__all__ = ["in_threads", "torch_threads"]


@contextlib.contextmanager
def torch_threads(n_threads):
    """Let torch use a number of threads inside a ``with`` block.

    Parameters
    ----------
    n_threads : int or None
        Number of threads; None changes nothing.

    Yields
    ------
    None
    """
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
    """Map a function over items, as many at a time as there are threads.

    What is small gains little from threads within each operation. Here every call has one thread
    for itself, so that results are the same for any number of them.

    Parameters
    ----------
    function : callable
        Called as ``function(item)``. Modes of torch, such as that of inference, it has to set
        itself, and it must not draw from torch's global generator.
    items : sequence
        What to map it over.
    n_threads : int or None
        None is torch's own choice.

    Returns
    -------
    list
        What the calls returned, in the order of the items.
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
