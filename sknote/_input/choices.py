"""One of several names: checked, and the nearest proposed for a misspelt one."""

import difflib
import re
import unicodedata
import warnings

from sknote._caller import callers, warn_caller


def nearest(value, choices, n=1):
    """Return up to `n` of the choices that look like a value, the likeliest first."""
    by_lower = {str(choice).lower(): choice for choice in choices}
    return [by_lower[m] for m in difflib.get_close_matches(str(value).lower(), by_lower, n=n)]


def nearest_parameter(name, names):
    """Return the one that looks like the name of a parameter, in a list; it is empty if none does.

    Of nested ones, ``step__parameter``, each part must look like its counterpart: a long step that
    is the same makes no two parameters alike.
    """
    alike = []
    for one in names:
        pairs = [(name.lower(), one.lower())]
        if name.count("__") == one.count("__"):
            pairs = list(zip(*(text.split("__") for text in pairs[0])))
        ratios = [difflib.SequenceMatcher(None, *pair).ratio() for pair in pairs]
        if min(ratios) >= _ALIKE:
            alike.append((sum(ratios) / len(ratios), one))
    return [max(alike)[1]] if alike else []


_ALIKE = 0.6  # as in difflib.get_close_matches


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
    is_one = isinstance(values, str) or not hasattr(values, "__iter__")
    values = [values] if is_one else [str(value) for value in values]
    if not values:
        raise ValueError(f"{caller}: {name} is empty; pass None for all of them.")
    for value in values:
        if value not in available:
            raise ValueError(
                f"{caller}: {name} must be among {sorted(available)}. Got {value!r} instead."
                + did_you_mean(value, available, n=3)
            )
    return list(dict.fromkeys(values))


def warn_of_misspelt(names, known, caller, *, stacklevel=4):
    """Warn once of instruments that are not known, and look like one that is.

    They differ in case, in what stands between words, or by a letter or two. What looks like no
    known one is taken for another instrument, of which nothing is said.
    """
    unknown = sorted({name for name in names if name is not None}.difference(known))
    pairs = [(name, _same_but_for_spelling(name, known)) for name in unknown]
    pairs = [(name, near) for name, near in pairs if near is not None]
    if not pairs:
        return
    names, meant = zip(*pairs[:_SHOWN])
    more = f" and {len(pairs) - _SHOWN} more" if len(pairs) > _SHOWN else ""
    what, count = ("instruments", "count") if pairs[1:] else ("instrument", "counts")
    warnings.warn(
        f"{caller}: got the unknown {what} {', '.join(map(repr, names))}{more}, which {count} as "
        f"such. Did you mean {', '.join(map(repr, meant))}?",
        stacklevel=stacklevel,
    )


def warn_of_unknown(instrument, known, caller, *, stacklevel=3):
    """Warn of the one instrument that someone names if it is not known, and name what may be meant.

    One that only looks misspelt is left to :func:`warn_of_misspelt`, which models call themselves.
    """
    is_told = instrument is None or instrument in known or not known
    if is_told or _same_but_for_spelling(instrument, known) is not None:
        return
    _TOLD.add((tuple(known), instrument))
    near = did_you_mean(instrument, known) or f" {what_is_known(known)}"
    what = f"the instrument {instrument!r} is unknown to the model, and counts as such"
    warnings.warn(f"{caller}: {what}.{near}", stacklevel=stacklevel)


def warn_of_unheard(X, known, caller):
    """Warn of the instruments of notes X that a model does not know, once of each.

    Nothing is said of those that look misspelt (:func:`warn_of_misspelt`), of those that
    :func:`warn_of_unknown` told, and in a cross-validation, which may leave instruments out.
    """
    names = X["instrument"] if "instrument" in getattr(X, "columns", ()) else ()
    new = sorted({name for name in names if isinstance(name, str)}.difference(known))
    new = [name for name in new if (tuple(known), name) not in _TOLD]
    new = [name for name in new if _same_but_for_spelling(name, known) is None]
    if not new or not known or next(callers("sklearn.model_selection"), None) is not None:
        return
    _TOLD.update((tuple(known), name) for name in new)
    more = f" and {len(new) - _SHOWN} more" if len(new) > _SHOWN else ""
    what, count = ("instruments", "count") if new[1:] else ("instrument", "counts")
    warn_caller(
        f"{caller}: fit never heard the {what} {', '.join(map(repr, new[:_SHOWN]))}{more}, which "
        f"{count} as unknown. {what_is_known(known)}"
    )


def what_is_known(instruments):
    """Return a sentence about the instruments that a model knows."""
    more = f" and {len(instruments) - _LISTED} more" if len(instruments) > _LISTED else ""
    return f"It knows {', '.join(map(repr, list(instruments)[:_LISTED]))}{more}."


_LISTED = 8
_TOLD = set()  # unknown instruments that someone was warned of, with what the model knows


def warn_of_twins(names, caller, *, stacklevel=4):
    """Warn once of instruments that differ in case, or in what stands between words, alone."""
    spellings = {}
    for name in sorted({str(name) for name in names}):
        spellings.setdefault(_plain(name), []).append(name)
    twins = [_listed(alike) for alike in spellings.values() if alike[1:]]
    if twins:
        warnings.warn(
            f"{caller}: got {'; '.join(twins[:_SHOWN])}, which count as different instruments. "
            "Give the same instrument one name.",
            stacklevel=stacklevel,
        )


def warn_of_blanks(labels, caller, *, stacklevel=4):
    """Warn of labels that look the same, and count as different ones.

    They differ in blanks around them, or in how an accent is written: with its letter, or as a
    character of its own, as macOS does.
    """
    spellings = {}
    for label in labels:
        if isinstance(label, str):
            plain = unicodedata.normalize("NFC", label).strip()
            spellings.setdefault(plain, []).append(str(label))
    twins = [_listed(alike) for alike in spellings.values() if alike[1:]]
    if twins:
        warnings.warn(
            f"{caller}: got the labels {'; '.join(twins[:_SHOWN])}, which count as different ones. "
            "Write them alike, as by y.str.normalize('NFC').str.strip().",
            stacklevel=stacklevel,
        )


_SHOWN = 3


def _listed(names):
    """Return names for a message; as ASCII if some look the same."""
    looks = {unicodedata.normalize("NFC", name) for name in names}
    return " and ".join(map(ascii if len(looks) < len(names) else repr, names))


def _same_but_for_spelling(name, known):
    """Return the known name that a name was meant to be, or None."""
    plain = {_plain(one): one for one in known}
    name = _plain(name)
    near = difflib.get_close_matches(name, plain, n=1, cutoff=0.75)
    if not near or abs(len(near[0]) - len(name)) > 1 or _digits(near[0]) != _digits(name):
        return None
    return plain[near[0]]


def _plain(name):
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFC", str(name)).casefold())


def _digits(name):
    return re.findall(r"\d+", name)
