"""Public names that are imported when they are first used."""

import importlib
import sys

from sknote._optional import missing


def lazy_names(package, homes, modules=()):
    """Make the ``__getattr__``, ``__dir__`` and ``__all__`` of a package.

    `homes` has its public names, and the module that each is in, relative to the package or
    absolute. `modules` are modules of the package that are public names themselves.
    """
    public = [*sorted(homes), *sorted(modules)]

    def __getattr__(name):
        if name in homes:
            try:
                return getattr(importlib.import_module(homes[name], package), name)
            except ModuleNotFoundError as error:  # where the runtime alone is installed
                module = error.name or ""
                if module.partition(".")[0] in ("", "sknote"):
                    raise
                text = missing(module, purpose=f"{package}.{name}")
                raise ModuleNotFoundError(text, name=module) from error
        if name in modules:
            return importlib.import_module(f"{package}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def __dir__():
        return sorted({*vars(sys.modules[package]), *public})

    return __getattr__, __dir__, public


def find(path):
    """Import the thing that a dotted path names, which ends with its name in its module."""
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)
