"""What the commands have in common: options, and the error that is shown without a traceback."""

import argparse
import os
from pathlib import Path

import joblib

RESULTS = Path(__file__).parent / "results"


class BenchmarkError(Exception):
    """Something that the user can put right; shown without a traceback."""


def available_threads():
    """Return how many threads a run may use: ``OMP_NUM_THREADS``, else the number of cores."""
    return int(os.environ.get("OMP_NUM_THREADS") or joblib.cpu_count())


def positive(text):
    """Read a whole number above 0."""
    return _at_least(1, text)


def two_or_more(text):
    """Read a whole number above 1."""
    return _at_least(2, text)


def seconds(text):
    """Read a time above 0."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected seconds above 0, got {text}")
    return value


def names(text):
    """Read names that are separated by commas."""
    return list(dict.fromkeys(text.split(",")))


def sizes(text):
    """Read whole numbers that are separated by commas."""
    return sorted({positive(size) for size in text.split(",")})


def add_options(parser, options):
    """Add options (name → type, default, help) to a parser.

    In place of a type, a tuple has the choices, and a list the types of several values.
    """
    for name, (kind, default, text) in options.items():
        text += "" if default is None or kind is bool else " (default: %(default)s)"
        if kind is bool:
            parser.add_argument(name, action="store_true", help=text)
            continue
        how = {"choices": kind} if isinstance(kind, tuple) else {"type": kind}
        if isinstance(kind, list):
            how = {"type": kind[0], "nargs": len(kind)}
        parser.add_argument(name, **how, default=default, help=text)


def _at_least(least, text):
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"expected a whole number from {least}, got {text}")
    return int(text)


# outside the project; results are part of it
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "sknote-benchmarks"
FOLDERS = {
    "--cache-dir": (Path, _CACHE, "of synthetic notes, features and whatever is finished"),
    "--out": (Path, RESULTS, "folder of the results"),
}
SEED = {"--seed": (int, 0, "of notes, folds, models and searches")}
DATA = {
    "--dataset": (("synthetic", "philharmonia", "good_sounds"), "synthetic", "what is heard"),
    "--data-home": (str, None, "folder of recordings (default: $SKNOTE_DATA, else ~/sknote_data)"),
}
# of what is fitted
FITS = {
    "--max-notes": (positive, None, "a draw of so many notes (synthetic: default 900)"),
    "--min-class-count": (positive, 10, "leave out classes with fewer notes"),
    "--max-epochs": (
        positive,
        None,
        "of the networks, for a trial; `tune` does not tune them then",
    ),
    "--device": (str, "cpu", "cpu, cuda or auto, for the networks"),
}
