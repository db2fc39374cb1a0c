"""SelectiveClassifier in a file: what it was told, its rule, and what refuses notes."""

import numpy as np
import pandas as pd
from sklearn.base import clone

from sknote.classifier import NoteClassifier
from sknote.confidence import SelectiveClassifier
from sknote.confidence._answers import UNKNOWN
from sknote.confidence._features import count_features
from sknote.confidence._novelty import Discriminant, NoteDistance, Novelty
from sknote.confidence._within import AROUND, INSIDE
from sknote.deploy._checks import (
    WrongError,
    check_record,
    is_list,
    is_number,
    is_object,
    is_whole,
    short,
)
from sknote.deploy._confident import describe_rule
from sknote.deploy._rule import restore_rule
from sknote.deploy.model_file._hierarchy import decode_hierarchy, encode_hierarchy, is_hierarchy

PREFIX = "confidence."  # of the names of its arrays
_DISTANCE = ("mean", "scale", "whitening", "centers")
_SEVERAL = ("mean", "scale", "weights")
_SHARES = ("share", "accuracy")


def describe_confidence(selective, where, classes, arrays):
    """Describe a fitted SelectiveClassifier; its arrays are put into `arrays`."""
    if not np.array_equal(selective.classes_, classes):
        raise WrongError(
            f"SelectiveClassifier has the labels {short(selective.classes_.tolist())}, and the "
            "classifier within others. Fit it again"
        )
    cv = selective.cv
    if cv is not None and not is_whole(cv, 2):
        raise WrongError(
            f"the parameter cv of SelectiveClassifier is {short(cv)}, and a file that names no "
            "code cannot hold that. It is needed to train, not to predict: call set_params(cv=5) "
            "before"
        )
    novelty, parts = selective.novelty_, {}
    if novelty is not None:
        parts |= {f"distance.{name}": getattr(novelty.distance, name) for name in _DISTANCE}
    if novelty is not None and novelty.several is not None:
        parts |= {f"several.{name}": getattr(novelty.several, name) for name in _SEVERAL}
        parts["several.offset"] = np.array([novelty.several.offset])
    arrays |= {f"{PREFIX}{name}": np.asarray(one, np.float64) for name, one in parts.items()}
    levels = selective.levels_
    return {
        "where": where,
        "params": {
            "hierarchy": encode_hierarchy(selective.hierarchy),
            "min_accuracy": float(selective.min_accuracy),
            "novelty": _plain(selective.novelty),
            "cv": None if cv is None else int(cv),
            "n_jobs": None if selective.n_jobs is None else int(selective.n_jobs),
        },
        "beta": float(selective.beta_),
        "rule": describe_rule(selective.rule_),
        "measured": {
            name: [None if np.isnan(one) else float(one) for one in levels[name]]
            for name in _SHARES
        },
    }


def _plain(value):
    return bool(value) if isinstance(value, (bool, np.bool_)) else float(value)


def restore_confidence(entry, pipeline, classify, classes, specs):
    """Make a SelectiveClassifier of which all is known to be right but the numbers in its arrays.

    It is around `pipeline`, or around its last step `classify`, as the file says; `classes` are the
    labels of either.
    """
    checks = {"where": _is_place, "params": is_object, "beta": _is_beta, "rule": is_object}
    check_record(entry, "'confidence'", **checks, measured=is_object)
    params = entry["params"]
    check_record(
        params,
        "'params' of 'confidence'",
        hierarchy=is_hierarchy,
        min_accuracy=_is_inside,
        novelty=_is_novelty,
        cv=_is_cv,
        n_jobs=_is_whole_or_none,
    )
    inner = pipeline if entry["where"] == AROUND else classify
    hierarchy = decode_hierarchy(params["hierarchy"])
    made = SelectiveClassifier(inner, **params | {"hierarchy": hierarchy})
    made.estimator_, made.classes_ = inner, classes
    made.beta_ = float(entry["beta"])
    made.rule_ = restore_rule(entry["rule"], classes)
    names = [*(level.name for level in made.rule_.levels), UNKNOWN]
    measured = check_record(
        entry["measured"], "'measured'", share=_are_shares, accuracy=_are_shares
    )
    if any(len(measured[name]) != len(names) for name in _SHARES):
        raise WrongError(f"'measured' is {short(measured)}, and there are {len(names)} levels")
    values = {name: np.array(measured[name], dtype=float) for name in _SHARES}
    made.levels_ = pd.DataFrame({"level": names} | values)
    _check_arrays(made.rule_, classify, specs)
    return made


def _check_arrays(rule, classify, specs):
    """Check that arrays have the shapes of what refuses notes."""
    found = {name: shape for name, (_, shape) in specs.items()}
    odd = [name for name, (dtype, _) in specs.items() if dtype != np.float64]
    expected, n_limits = {}, len(rule.limits)
    if n_limits:
        n_own = found.get("distance.mean", (0,))[0]
        n_labels = found.get("distance.centers", (0,))[0]
        expected = {"distance.mean": (n_own,), "distance.scale": (n_own,)}
        expected |= {"distance.whitening": (n_own, n_own), "distance.centers": (n_labels, n_own)}
        is_right = 1 <= n_labels <= len(rule.classes) and n_own >= 1
        if isinstance(classify, NoteClassifier):
            n_wanted, n_all = count_features(classify.axes_)
            is_right &= n_own == n_wanted
        else:
            is_right &= 0 <= classify.n_features_in_ - n_own <= 1 and n_limits == 1
        if not is_right:
            raise WrongError(f"its distance is of {n_own} features and {n_labels} labels")
    if n_limits == 2:
        expected |= {f"several.{name}": (n_all,) for name in _SEVERAL} | {"several.offset": (1,)}
    if odd or found != expected:
        name = min(
            [*odd, *(one for one in {*found, *expected} if found.get(one) != expected.get(one))]
        )
        raise WrongError(
            f"{short(PREFIX + name)} has the shape {found.get(name)}, and should be float64 of "
            f"shape {expected.get(name)}"
        )


def restore_novelty(made, arrays):
    """Put the arrays of a file into a SelectiveClassifier."""
    for name, array in arrays.items():
        if not np.isfinite(array).all() or (name.endswith(".scale") and not (array > 0).all()):
            raise WrongError(f"there is a number in {short(PREFIX + name)} that cannot be")
    made.estimator = clone(made.estimator_)  # as it was set for this machine
    for name in ("n_features_in_", "feature_names_in_"):
        if hasattr(made.estimator_, name):
            setattr(made, name, getattr(made.estimator_, name))
    made.novelty_ = None
    if made.rule_.limits:
        distance = NoteDistance(**{name: arrays[f"distance.{name}"] for name in _DISTANCE})
        several = None
        if len(made.rule_.limits) == 2:
            parts = {name: arrays[f"several.{name}"] for name in _SEVERAL}
            several = Discriminant(**parts, offset=float(arrays["several.offset"][0]))
        made.novelty_ = Novelty(distance, several)


def _is_place(value):
    """'pipeline' or 'step'."""
    return value in (AROUND, INSIDE)


def _is_beta(value):
    """a number above 0."""
    return is_number(value) and 0 < value < 1e9


def _is_inside(value):
    """a number between 0 and 1."""
    return is_number(value) and 0 < value < 1


def _is_novelty(value):
    """true, false, or a number between 0 and 1."""
    return isinstance(value, bool) or _is_inside(value)


def _is_cv(value):
    """null or a whole number of at least 2."""
    return value is None or (is_whole(value, 2) and value < 2**31)


def _is_whole_or_none(value):
    """null or a whole number."""
    return value is None or (is_whole(value, -(2**31)) and value < 2**31)


def _are_shares(value):
    """a list of numbers from 0 to 1 and nulls."""
    return is_list(value) and all(
        one is None or (is_number(one) and 0 <= one <= 1) for one in value
    )
