"""How torch is run: its threads, types and generator, whatever the caller has made of them."""

import contextlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import torch
from threadpoolctl import threadpool_limits

__all__ = ["flushed_denormals", "in_threads", "own_generator", "torch_threads"]


@contextlib.contextmanager
def torch_threads(n_threads=None):
    """Let torch use a number of threads inside a ``with`` block; None leaves it as it is.

    Inside, new tensors are float32 and on the CPU, there are gradients and there is no autocast,
    whatever the caller has set. Threads and types are state of the whole process: they are as
    before once no thread is inside, and what None means does not depend on blocks of other threads.
    A process that was forked has one thread, from the first block on and in other libraries too:
    they would wait for those of its parent.
    """
    with _STATE.block() as before, _usual_modes():
        number = 1 if _STATE.is_forked else int(n_threads or before)
        if number != torch.get_num_threads():
            torch.set_num_threads(number)
        try:
            yield
        finally:
            if before != torch.get_num_threads():
                torch.set_num_threads(before)


def in_threads(function, items, n_threads):
    """Map a function over items, as many at a time as there are threads (None: torch's).

    What is small gains little from threads within each operation. Here every call has one thread
    for itself, so that results are the same for any number of them, and come in the order of the
    items. Modes of torch, such as that of inference, the function has to set itself, and it must
    not draw from torch's global generator.
    """
    with torch_threads():
        n_threads = min(n_threads or torch.get_num_threads(), len(items))
    with torch_threads(1):  # threads of torch's own would wait busily beside ours
        if n_threads < 2:
            return [function(item) for item in items]
        with ThreadPoolExecutor(n_threads, initializer=_STATE.begin_worker) as pool:
            return list(pool.map(function, items))


class _State:
    """What torch was set to before the first of the blocks that are open now."""

    def __init__(self, is_forked=False):
        self.is_forked = is_forked
        self.lock = threading.Lock()
        self.here = threading.local()
        self.n_open = 0
        self.n_threads = self.dtype = None
        self.is_limited = False

    @contextlib.contextmanager
    def block(self):
        """Be inside of a block; gives the number of threads of whoever calls it."""
        with self.lock:
            if self.is_forked and not self.is_limited:
                threadpool_limits(1, user_api="openmp")
                torch.set_num_threads(1)  # which reaches MKL's as well
                self.is_limited = True
            before = torch.get_num_threads()
            if self.n_open == 0:
                self.n_threads, self.dtype = before, torch.get_default_dtype()
                if self.dtype != torch.float32:
                    torch.set_default_dtype(torch.float32)
            elif not self._depth:  # a new thread finds what another's block has set
                before = self.n_threads
            self.n_open += 1
        self.here.depth = self._depth + 1
        try:
            yield before
        finally:
            self.here.depth -= 1
            with self.lock:
                self.n_open -= 1
                if self.n_open == 0:
                    if torch.get_default_dtype() != self.dtype:
                        torch.set_default_dtype(self.dtype)
                    if torch.get_num_threads() != self.n_threads:
                        torch.set_num_threads(self.n_threads)

    def begin_worker(self):
        """Be inside of the block that a thread was started in, with one thread of torch."""
        torch.get_num_threads()  # else torch would set the number again when it first asks for it
        torch.set_num_threads(1)
        self.here.depth = 1

    @property
    def _depth(self):
        return getattr(self.here, "depth", 0)


def _usual_modes():
    """Compute on the CPU, in full precision and with gradients, where the caller does otherwise."""
    stack = contextlib.ExitStack()
    if torch.get_default_device().type != "cpu":
        stack.enter_context(torch.device("cpu"))
    if torch.is_inference_mode_enabled():
        stack.enter_context(torch.inference_mode(False))
    if not torch.is_grad_enabled():
        stack.enter_context(torch.enable_grad())
    if torch.is_autocast_enabled("cpu"):
        stack.enter_context(torch.autocast("cpu", enabled=False))
    return stack


_STATE = _State()
_GLOBAL_GENERATOR = threading.RLock()


def _begin_child():
    """Forget locks, and blocks, of threads that a forked process does not have."""
    global _STATE, _GLOBAL_GENERATOR
    _STATE, _GLOBAL_GENERATOR = _State(is_forked=True), threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_child)


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
