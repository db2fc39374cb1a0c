"""Plain arrays and values of what users have in their place: lists, tensors, numbers of NumPy.

This file imports no scikit-learn, and never torch.
"""

import numpy as np

__all__ = ["NoArray", "plain_array", "plain_value"]


class NoArray(ValueError):
    """Something cannot become an array: `what` it is, and a `remedy`, in words."""

    def __init__(self, what, remedy):
        super().__init__(f"{what}. {remedy}")
        self.what, self.remedy = what, remedy


def plain_array(value):
    """Make an array; what NumPy cannot hold, or would change without a word, is a NoArray."""
    if np.ma.is_masked(value):
        raise NoArray("an array of which values are masked", "Fill them, as with x.filled(0)")
    if hasattr(value, "detach") and hasattr(value, "cpu"):
        return _of_tensor(value)
    try:
        return np.asarray(value)
    except ValueError as error:
        if not isinstance(value, (list, tuple)):
            raise
        remedy = "Give them one length, or pass each as a note of its own"
        raise NoArray(f"a {type(value).__name__} whose parts differ in length", remedy) from error


def plain_value(value):
    """Make a number or text of NumPy one of Python, also in lists, tuples and dicts."""
    if isinstance(value, np.generic):
        return value.item()
    if type(value) in (list, tuple):
        return type(value)(map(plain_value, value))
    if type(value) is dict:
        return {plain_value(key): plain_value(one) for key, one in value.items()}
    return value


def _of_tensor(tensor):
    """Take a tensor off its graph and its device."""
    try:
        return np.asarray(tensor.detach().cpu())
    except (TypeError, RuntimeError) as error:
        kind = str(getattr(tensor, "dtype", "")).removeprefix("torch.")
        remedy = "Pass a dense one of type float32, on the CPU"
        if kind == "bfloat16":
            remedy = "Pass its .float()"
        elif "resolve_" in str(error):  # a view, whose numbers are the negative or the conjugate
            remedy = "Pass its .resolve_conj().resolve_neg()"
        raise NoArray(f"a tensor of type {kind}, which NumPy cannot hold", remedy) from error
