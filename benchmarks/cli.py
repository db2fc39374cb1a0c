"""The command line: one module of this package is one command."""

import argparse
import importlib
import sys

from benchmarks.options import BenchmarkError, add_options

# Each is a module with OPTIONS (see `add_options`) and main(args) -> exit status.
COMMANDS = {
    "run": "cross-validate models on a data set, by group",
    "tune": "tune a model by nested, grouped cross-validation",
    "overhead": "time what a search takes beside fitting and scoring",
    "speed": "time sknote's default pipeline and the reference recipe side by side",
    "scale": "time features, fit and predictions on 1,000 to 80,000 notes",
    "report": "put the numbers of benchmarks/results into README.md and docs/",
}


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
        return module.main(args)
    except BenchmarkError as error:
        print(f"benchmarks {args.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped. The same command goes on from here.", file=sys.stderr)
        return 130
