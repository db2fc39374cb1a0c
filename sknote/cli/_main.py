"""From the words of a command line to an exit code."""

import contextlib
import importlib
import os
import sys
import warnings

from sknote._optional import missing
from sknote.cli._output import printable
from sknote.cli._parser import make_parser

# What the whole of a command tells whoever called it; some and all are of recordings.
DONE, ALL_FAILED, USAGE, SOME_FAILED, INTERRUPTED, NO_READER = 0, 1, 2, 3, 130, 141

_KEPT = "\n\t"  # of control characters in what is said


class WrongCommandError(ValueError):
    """The words of a command do not fit together."""


def main(argv=None):
    """Carry out a command of ``sknote`` and return its exit code.

    Parameters
    ----------
    argv : list of str or None, default=None
        The words after ``sknote``; None takes those of the process.

    Returns
    -------
    int
        0: done. 1: nothing was done. 2: the command is wrong, or names what is not there, or must
        not be written. 3: some recordings failed, and the others are done. 130: interrupted
        (Ctrl-C).
    """
    _open_what_is_closed()
    try:
        options = make_parser().parse_args(argv)
    except SystemExit as stop:  # after --help, or a usage error that argparse has printed
        return stop.code
    for stream, errors in ((sys.stdout, "surrogateescape"), (sys.stderr, "backslashreplace")):
        if hasattr(stream, "reconfigure"):  # names of files may be no UTF-8
            stream.reconfigure(errors=errors)
    command = importlib.import_module(f"sknote.cli.{options.module}").run
    try:
        with _warnings_told():
            code = command(options)
            sys.stdout.flush()
            return code
    except KeyboardInterrupt:
        say("interrupted")
        return INTERRUPTED
    except BrokenPipeError:  # whoever read the results has seen enough
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NO_READER
    except _WRONG as error:
        say(error)
        return USAGE
    except ModuleNotFoundError as error:  # where the runtime alone is installed
        say(missing(error.name or str(error), purpose=options.command))
        return ALL_FAILED
    except (ValueError, TypeError, OSError, RuntimeError, ImportError, MemoryError) as error:
        say(str(error) or type(error).__name__)
        return ALL_FAILED


_WRONG = (WrongCommandError, FileNotFoundError, FileExistsError)
_WRONG += (IsADirectoryError, NotADirectoryError)


def _open_what_is_closed():
    """Give the process the standard streams that whoever started it has closed: they lead nowhere.

    Else the next file that is opened would be in their place, and get what is written to them.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115


def say(text):
    """Tell the user something that is no result."""
    print(f"sknote: {printable(str(text), keep=_KEPT)}", file=sys.stderr, flush=True)


def code_of(n_done, n_failed):
    """Say how many recordings failed, if any; return the exit code that tells it."""
    if n_failed:
        say(f"{n_failed} of {n_done} recordings failed")
    return DONE if not n_failed else ALL_FAILED if n_failed == n_done else SOME_FAILED


@contextlib.contextmanager
def _warnings_told():
    """Say each warning of sknote and scikit-learn once, without a place in the code."""
    told = set()

    def show(message, category, *_, **__):
        text = str(message)
        if text not in told:
            told.add(text)
            say(text)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show
        yield
