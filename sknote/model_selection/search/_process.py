"""Processes on this machine: a name for each, by which another one can tell that it is dead."""

import os
import platform


def this_process():
    """Name this process, as a list that JSON keeps: machine, process space, number, start."""
    pid = os.getpid()
    return [platform.node(), _process_space(), pid, _started(pid)]


def is_dead(process):
    """Tell whether a process is dead for certain; of one on another machine nothing is known."""
    *machine, pid, started = process
    if os.name != "posix" or machine != [platform.node(), _process_space()]:
        return False
    try:
        os.kill(pid, 0)  # sends nothing; asks whether the process is there
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    now = _started(pid)
    return now is not None and now != started  # its number is another process's by now


def _process_space():
    """Name of the space of process numbers (a container has its own)."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _started(pid):
    """When a process began; None where the system does not say, "ended" if it only waits to go."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
    except OSError:
        return None
    return "ended" if fields[0] == "Z" else int(fields[19])
