"""One of several names: checked, and the nearest proposed for a misspelt one."""

import difflib


def nearest(value, choices, n=1):
    """Return up to `n` of the choices that look like a value, the likeliest first."""
    by_lower = {str(choice).lower(): choice for choice in choices}
    return [by_lower[m] for m in difflib.get_close_matches(str(value).lower(), by_lower, n=n)]


def did_you_mean(value, choices, n=1):
    """Return the last sentence of an error, with a space before it; nothing if none is near."""
    near = " or ".join(map(repr, nearest(value, choices, n)))
    return near and f" Did you mean {near}?"


def check_choices(values, available, *, name, caller):
    """Turn None (for all), one string or several into a list of members of `available`.

    None at all, or one that is not available, is a ValueError that names the parameter and its
    caller, and proposes the nearest.
    """
    available = list(available)
    if values is None:
        return available
    values = [values] if isinstance(values, str) else [str(value) for value in values]
    if not values:
        raise ValueError(f"{caller}: {name} is empty; pass None for all of them.")
    for value in values:
        if value not in available:
            raise ValueError(
                f"{caller}: {name} must be among {sorted(available)}. Got {value!r} instead."
                + did_you_mean(value, available, n=3)
            )
    return list(dict.fromkeys(values))
