"""What a number was measured on: code, versions, commit and machine."""

import functools
import hashlib
import json
import os
import platform
import resource
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import joblib

import sknote

_PACKAGES = ("numpy", "scipy", "scikit-learn", "pandas", "torch", "skorch", "soundfile", "soxr")


def environment(n_threads, packages=(), **more):
    """Describe what a number is measured on, for a result's file; nothing names the machine."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    machine = {
        "processor": _processor(),
        "cores": joblib.cpu_count(),
        "memory_gib": round(pages / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
    }
    about = {"versions": versions(packages), "commit": git_commit(), "machine": machine}
    return about | {"n_threads": n_threads} | more


def versions(packages=()):
    """Return versions of Python, of sknote and of what the numbers depend on."""
    found = {"python": platform.python_version(), "sknote": sknote.__version__}
    return found | {name: version(name) for name in (*_PACKAGES, *packages)}


def digest(*parts):
    """Return 16 hexadecimal digits that stand for plain data (dicts, lists, strings, numbers)."""
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@functools.cache
def code_digest(module, but=()):
    """Return what stands for the code of a package or a module: versions change less often.

    Of a package, `but` names folders in it that do not count.
    """
    path = Path(module.__file__)
    paths = sorted(path.parent.rglob("*.py")) if path.name == "__init__.py" else [path]
    paths = [one for one in paths if one.relative_to(path.parent).parts[0] not in but]
    return digest([path.read_text(encoding="utf-8") for path in paths])


@functools.cache
def git_commit():
    """Return the project's commit, with "+" if a file was changed since; None without one."""
    command = ["git", "describe", "--always", "--exclude=*", "--abbrev=12", "--dirty=+"]
    how = {"cwd": Path(__file__).parent, "capture_output": True, "text": True}
    return subprocess.run(command, **how).stdout.strip() or None


def peak_memory_mib(who=resource.RUSAGE_SELF):
    """Return the most memory (resident, MiB) that this process, or one it started, ever held."""
    return resource.getrusage(who).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def _processor():
    try:
        return Path("/proc/cpuinfo").read_text().split("model name\t: ")[1].split("\n")[0]
    except (OSError, IndexError):
        return platform.processor() or platform.machine()
