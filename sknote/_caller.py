"""Warnings that name the line of a user, however many layers of packages are in between."""

import sys
import warnings

__all__ = ["warn_caller"]

_INSIDE = {"sknote", "sklearn", "joblib", "contextlib"}


def warn_caller(message, category=UserWarning):
    """Warn with the line outside of sknote and scikit-learn from which all this was called."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and _package(frame) in _INSIDE:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def _package(frame):
    return frame.f_globals.get("__name__", "").partition(".")[0]
