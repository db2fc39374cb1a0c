"""Who called: warnings that name the line of a user, however many packages are in between."""

import inspect
import warnings

__all__ = ["callers", "warn_caller"]

_INSIDE = {"sknote", "sklearn", "joblib", "contextlib"}


def warn_caller(message, category=UserWarning):
    """Warn with the line outside of sknote and scikit-learn from which all this was called."""
    frame, level = inspect.currentframe().f_back, 2
    while frame.f_back is not None and _module(frame).partition(".")[0] in _INSIDE:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def callers(package):
    """Yield the frames of a package's modules from which all this was called, the nearest first."""
    frame = inspect.currentframe().f_back
    while frame is not None:
        if _module(frame).startswith(f"{package}."):
            yield frame
        frame = frame.f_back


def _module(frame):
    return frame.f_globals.get("__name__", "")
