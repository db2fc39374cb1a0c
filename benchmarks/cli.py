"""The command line: its commands, the options that they share, and errors without a traceback."""

import argparse
import difflib
import importlib
import os
import sys
from pathlib import Path

import joblib

from sknote.exceptions import DataNotFoundError

# Each is a module with OPTIONS (see `add_options`) and main(args) -> exit status.
COMMANDS = {
    "run": "cross-validate models on a data set, by group",
    "conditions": "ask models about notes as users record them, trained on clean ones",
    "several_notes": "ask models about passages of several notes, at gains that nobody knows",
    "sizes": "cross-validate models that learn from few notes, and from more",
    "passages": "cut passages into notes, and compare with the true ones",
    "trust": "ask models how sure they are: refusals, sets of labels, sounds that are no note",
    "tune": "tune a model by nested, grouped cross-validation",
    "overhead": "time what a search takes beside fitting and scoring",
    "speed": "time sknote's default pipeline and the reference recipe side by side",
    "live": "play passages to a model in pieces of 10 ms, and time what it says",
    "files": "time exported files beside the pipeline, by the length of notes",
    "scale": "time features, fit and predictions on 1,000 to 80,000 notes",
    "segmenter": "train what cuts passages into notes, on synthetic and real notes",
    "web": "measure the page for players in Chromium: size, times, and what it hears",
    "repeats": "time notes that come again: copies in one call, answers that are kept",
    "report": "put the numbers of benchmarks/results into README.md and docs/",
}
RESULTS = Path(__file__).parent / "results"


class BenchmarkError(Exception):
    """Something that the user can put right; shown without a traceback."""


def available_threads():
    """Return how many threads a run may use: ``OMP_NUM_THREADS``, else the number of cores."""
    return int(os.environ.get("OMP_NUM_THREADS") or joblib.cpu_count())


def meant(name, known):
    """List known names, and guess which one was meant."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"{', '.join(known)}." + (f" Did you mean {near[0]!r}?" if near else "")


def at_least(least):
    """Return a reader of whole numbers from a smallest one on."""

    def number(text):
        if (value := int(text)) < least:
            raise argparse.ArgumentTypeError(f"expected a number from {least}, got {text}")
        return value

    return number


positive, two_or_more = at_least(1), at_least(2)


def seed(text):
    """Read a number that generators of random numbers can begin with."""
    if not 0 <= (value := int(text)) < 2**32:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 4294967295, got {text}")
    return value


def names(text):
    """Read names that are separated by commas."""
    return text.split(",")


def file_name(text):
    """Read the name of a file, without a folder."""
    if Path(text).name != text:
        raise argparse.ArgumentTypeError(f"expected a name without a folder, got {text!r}")
    return text


def add_options(parser, options):
    """Add options: name → type (a tuple: choices, a list: of several values), default, help."""
    for name, (kind, default, text) in options.items():
        if kind is bool:
            parser.add_argument(name, action="store_true", help=text)
            continue
        how = {"choices": kind} if isinstance(kind, tuple) else {"type": kind}
        if isinstance(kind, list):
            how = {"type": kind[0], "nargs": len(kind)}
        text += "" if default is None else " (default: %(default)s)"
        parser.add_argument(name, **how, default=default, help=text)


# outside the project; results are part of it
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "sknote-benchmarks"
SHARED = {
    "--seed": (seed, 0, "of notes, folds, models and searches"),
    "--cache-dir": (Path, _CACHE, "of synthetic notes, features and whatever is finished"),
    "--out": (Path, RESULTS, "folder of the results"),
}
DATA = {
    "--dataset": (
        ("synthetic", "synthetic-100", "philharmonia", "good_sounds"),
        "synthetic",
        "what is heard; synthetic-100 is of 100 labels",
    ),
    "--data-home": (str, None, "folder of recordings (default: $SKNOTE_DATA, else ~/sknote_data)"),
}
FITS = {
    "--max-notes": (
        positive,
        None,
        "a draw of so many notes (synthetic: default 900 or 8,000)",
    ),
    "--min-class-count": (positive, 10, "leave out classes with fewer notes"),
    "--max-epochs": (positive, None, "of the networks, for a trial; `tune` does not tune it then"),
    "--device": (str, "cpu", "cpu, cuda or auto, for the networks"),
}


def make_folder(path):
    """Make the folder of the results, if it is not there."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BenchmarkError(f"--out {str(path)!r} is no folder to write to: {error}") from error


def main(argv=None):
    """Parse the command line and run a command; returns its exit status."""
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, summary in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=summary, description=summary)
        if argv[:1] == [name]:  # a module is slow to import
            module = importlib.import_module(f"benchmarks.{name}")
            add_options(subparser, module.OPTIONS)
    args = parser.parse_args(argv)
    try:
        if hasattr(args, "out"):  # now, not when all is computed
            make_folder(args.out)
        return module.main(args)
    except (BenchmarkError, DataNotFoundError) as error:
        print(f"benchmarks {args.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped. The same command goes on from here.", file=sys.stderr)
        return 130
