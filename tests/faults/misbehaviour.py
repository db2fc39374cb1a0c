"""Cases that are faults, by which the fuzz shows that it would see one."""

import os
import signal
import time

import numpy as np
from faults.worker import Case


def prepare(folder):
    pass


def make_case(seed, folder):
    name, run = CASES[seed]
    return Case(name, run)


def _hold(megabytes):
    return str(len(np.ones(megabytes << 20, np.int8)))


def _work():
    while True:
        pass


def _raise():
    raise MemoryError("too much")


CASES = [
    ("well", lambda: "well"),
    ("crash", lambda: os.kill(os.getpid(), signal.SIGSEGV)),
    ("exit", lambda: os._exit(77)),
    ("sleep", lambda: time.sleep(1000)),
    ("work", _work),
    ("memory", lambda: _hold(600)),
    ("far too much memory", lambda: _hold(1 << 16)),
    ("error", _raise),
]
