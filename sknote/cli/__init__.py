"""The command ``sknote``; what a command needs is imported when it is called."""

from sknote.cli._main import main

__all__ = ["main"]
