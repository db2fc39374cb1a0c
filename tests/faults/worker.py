"""A process that runs cases one by one, and one that watches it: crashes, hangs, memory, errors.

A module of cases has ``prepare(folder)``, called once in the process, and ``make_case(seed,
folder)``, which returns a :class:`Case`. The same seed makes the same case.
"""

import ctypes
import faulthandler
import importlib
import multiprocessing
import os
import re
import resource
import signal
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

SECONDS = 5.0  # of work, or of standing still
SLOWEST = 120.0  # seconds of waiting for a machine that has other work
MEGABYTES = 500
ADDRESS_SPACE = 4 << 30  # bytes beyond what the process has at the beginning

_M_MMAP_THRESHOLD = -3  # in malloc.h


@dataclass
class Case:
    """What is tried, in words; a function that returns how it ended, or raises; and its limits."""

    about: str
    run: Callable[[], str]
    megabytes: float = MEGABYTES
    may_wait: bool = False  # for processes of its own, which it watches itself


def serve(kind, folder, pipe):
    """Run the cases whose seeds come through a pipe; say what each is before it is run."""
    said = os.open(Path(folder) / "said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(said, 1)  # C libraries talk of damaged files
    os.dup2(said, 2)
    faulthandler.enable()
    ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, 1 << 17)  # what is freed is no longer counted
    cases = importlib.import_module(f"faults.{kind}")
    cases.prepare(Path(folder))
    limit = int(_status("VmSize") * 2**20) + ADDRESS_SPACE
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    pipe.send("ready")
    while (seed := pipe.recv()) is not None:
        case = cases.make_case(seed, Path(folder))
        pipe.send((case.about, case.may_wait))
        pipe.send(_measured(case))


def _measured(case):
    Path("/proc/self/clear_refs").write_text("5")  # the peak is now what is used
    before, start, trouble = _status("VmHWM"), time.process_time(), None
    try:
        outcome = case.run()
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(where.filename).name}, {where.name}"
        trouble = f"{type(error).__name__}: {str(error)[:300]} ({place})"
        outcome = "offence"
    peak, seconds = _status("VmHWM") - before, time.process_time() - start
    if trouble is None and peak > case.megabytes:
        trouble, outcome = f"took {peak:.0f} MB, more than {case.megabytes:.0f}", "offence"
    return outcome, trouble, seconds, peak


def _status(name):
    """Megabytes that the system says of this process."""
    text = Path("/proc/self/status").read_text()
    return int(re.search(rf"{name}:\s+(\d+) kB", text)[1]) / 1024


def watch(pid, is_done, may_wait=False, seconds=SECONDS):
    """Wait until ``is_done(timeout)`` is true; or return why the process is taken to hang.

    It hangs if it works for longer than `seconds`, or sleeps for as long. What is slow because the
    machine has other work, or a slow disk, does not.
    """
    begin, first, asleep = time.monotonic(), _work_of(pid)[0], 0.0
    while not is_done(0.1):
        work, state = _work_of(pid)
        asleep += 0.1 * (state == "S" and not may_wait)
        if work - first > seconds:
            return f"works for more than {seconds:g} s"
        if asleep > seconds:
            return f"sleeps for more than {seconds:g} s"
        if time.monotonic() - begin > SLOWEST:
            return f"has no end after {SLOWEST:g} s"
    return None


def _work_of(pid):
    """Seconds that a process has worked, and its state."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # it has ended
        return 0.0, "X"
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), fields[0]


@dataclass
class Report:
    """How the cases of a kind ended."""

    kind: str
    outcomes: Counter = field(default_factory=Counter)
    seconds: float = 0.0
    megabytes: float = 0.0
    offences: defaultdict = field(default_factory=lambda: defaultdict(list))

    def add(self, seed, about, outcome, trouble, seconds, megabytes):
        self.outcomes[outcome] += 1
        self.seconds, self.megabytes = max(self.seconds, seconds), max(self.megabytes, megabytes)
        if trouble:
            alike = re.sub(r"0x[0-9a-f]+|\d+|b?'[^']*'|\"[^\"]*\"|/\S+", "_", trouble)
            self.offences[alike[:90]].append((seed, about, trouble))

    def __str__(self):
        ends = ", ".join(f"{n} {outcome}" for outcome, n in self.outcomes.most_common())
        lines = [
            f"{self.kind}: {self.outcomes.total()} cases: {ends}; at worst {self.seconds:.1f} s "
            f"and {self.megabytes:.0f} MB"
        ]
        for found in sorted(self.offences.values(), key=len, reverse=True):
            seed, about, trouble = found[0]
            more = " ".join(str(seed) for seed, *_ in found[1:9])
            lines.append(
                f"  {len(found)} x {trouble}\n    --fault-case {self.kind}:{seed}  {about}"
                + (f"\n    also {more}" if more else "")
            )
        return "\n".join(lines)


def run_cases(kind, folder, seeds, seconds=SECONDS):
    """Run the cases of a kind in processes that may die, and report how they ended."""
    report, process = Report(kind), None
    try:
        for seed in seeds:
            if process is None:
                process, pipe = _start(kind, folder)
            about, ended = "could not be made", ("offence", None, 0.0, 0.0)
            try:
                pipe.send(seed)
                problem = watch(process.pid, pipe.poll, seconds=seconds)
                if not problem:
                    about, may_wait = pipe.recv()
                    problem = watch(process.pid, pipe.poll, may_wait, seconds)
                if problem:
                    ended, process = ("offence", problem, seconds, 0.0), _stop(process, pipe)
                else:
                    ended = pipe.recv()
            except (EOFError, ConnectionError):
                process.join()
                ended = ("offence", _death(process.exitcode, folder), 0.0, 0.0)
                process = _stop(process, pipe)
            report.add(seed, about, *ended)
    finally:
        if process is not None:
            _stop(process, pipe)
    return report


def _start(kind, folder):
    context = multiprocessing.get_context("spawn")
    pipe, other = context.Pipe()
    process = context.Process(target=serve, args=(kind, str(folder), other))
    process.start()
    other.close()
    try:
        assert pipe.recv() == "ready"
    except EOFError:
        raise RuntimeError(Path(folder, "said").read_text(errors="replace")) from None
    return process, pipe


def _stop(process, pipe):
    process.kill()
    process.join()
    pipe.close()


def _death(code, folder):
    how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
    said = Path(folder, "said").read_text(errors="replace").split("\n\n")[0]
    return f"died of {how}: {said[-300:]}"
