"""The command line: one module of this package is one command."""

import argparse
import importlib
import sys

# Each module has a docstring (its help), add_arguments(parser) and main(args) -> exit status.
COMMANDS = ("run", "tune", "overhead", "speed", "scale", "report")


class BenchmarkError(Exception):
    """Something that the user can put right; shown without a traceback."""


def main(argv=None):
    """Parse the command line and run a command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name in COMMANDS:
        module = importlib.import_module(f"benchmarks.{name}")
        summary = module.__doc__.partition("\n")[0]
        subparser = subparsers.add_parser(name, help=summary, description=summary)
        module.add_arguments(subparser)
        subparser.set_defaults(main=module.main)
    args = parser.parse_args(argv)
    try:
        return args.main(args)
    except BenchmarkError as error:
        print(f"benchmarks {args.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped. The same command goes on from here.", file=sys.stderr)
        return 130
