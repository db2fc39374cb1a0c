"""Packages that may be missing, imported where they are used."""

import importlib


def import_optional(module, *, extra=None, purpose):
    """Import and return a module of a package that may not be installed.

    Then that is an ImportError, which begins with its `purpose` and says which `extra` of sknote
    installs it; None is no extra, for what the runtime alone does without.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(missing(module, extra=extra, purpose=purpose)) from error


def missing(module, *, extra=None, purpose):
    """Say that the package of a module is not installed, and how to install it."""
    what = "sknote" if extra is None else f"'sknote[{extra}]'"
    return (
        f"{purpose} needs the package {module.partition('.')[0]!r}, which is not installed. "
        f"Install it with: pip install {what}"
    )
