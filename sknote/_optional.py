"""Optional packages, imported where they are used."""

import importlib


def import_optional(module, *, extra, purpose):
    """Import and return a module of a package that is not among sknote's core dependencies.

    If it is not installed, that is an ImportError, which begins with its `purpose` and says which
    `extra` of sknote installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise ImportError(
            f"{purpose} needs the package {package!r}, which is not installed. "
            f"Install it with: pip install 'sknote[{extra}]'"
        ) from error
