"""The study of a search: begun, or resumed if it was made for the same search."""

import numbers
import time
import warnings
from contextlib import suppress

import optuna
from optuna.exceptions import DuplicatedStudyError
from optuna.pruners import NopPruner
from optuna.samplers import TPESampler
from sklearn.utils import check_random_state

from sknote.model_selection.search._fingerprint import describe_estimator, digest_data, digest_folds
from sknote.model_selection.search._recovery import place_of, queue_again
from sknote.model_selection.search._sampler import SeededSampler
from sknote.model_selection.search._space import describe_space
from sknote.model_selection.search._storage import open_storage
from sknote.model_selection.search._text import shortened, text_of

_INFO = "sknote:search"


def open_study(search, space, metrics, folds, X, y, params):
    """Begin the study of a search, or resume it if it was made with what makes trials comparable.

    `space` is what `check_space` returned; `metrics` are names of the scores that are maximized,
    and `params` what is passed on to `fit` and to the scorer, by name.
    """
    seed = int(check_random_state(search.random_state).randint(2**31 - 1))
    info = {
        "space": describe_space(space),
        "metrics": metrics,
        "scoring": shortened(text_of(search.scoring)),
        "params": {name: shortened(text_of(value)) for name, value in params.items()},
        "folds": digest_folds(folds, y),
        "estimator": describe_estimator(search.estimator, space),
        "data": None if search.storage is None else digest_data(X),
        "seed": seed,
    }
    study, info = _open_study(search, info)
    if search.random_state is not None and info["seed"] != seed:
        warnings.warn(
            f"The study {study.study_name!r} was begun with another random_state, and goes on "
            "with that one.",
            UserWarning,
            stacklevel=4,
        )
    sampler = TPESampler() if search.sampler is None else search.sampler
    study.sampler = SeededSampler(sampler, info["seed"], place_of)
    return study


def _open_study(search, info):
    """Return the study, and what is known of it: `info`, with the seed that it was begun with."""
    place = {
        "storage": open_storage(search.storage, on_stale_trial=queue_again),
        "study_name": search.study_name,
        "pruner": NopPruner() if search.pruner is None else search.pruner,
    }
    # Where the seed is drawn, only the process that made the study knows it.
    patience = 0 if isinstance(search.random_state, numbers.Integral) else 5
    if search.resume:
        with suppress(KeyError):  # it is not there yet
            return _resume_study(place, info, patience)
    try:
        study = optuna.create_study(directions=["maximize"] * len(info["metrics"]), **place)
    except DuplicatedStudyError:
        if search.resume:  # another process made it this very moment
            return _resume_study(place, info, patience)
        raise ValueError(
            f"OptunaSearch: the storage already holds a study {search.study_name!r}. Pass "
            "resume=True to go on with it, or choose another study_name."
        ) from None
    study.set_user_attr(_INFO, info)
    return study, info


def _resume_study(place, info, patience):
    study = optuna.load_study(**place)
    deadline = time.monotonic() + patience
    while (known := study.user_attrs.get(_INFO)) is None:
        if study.get_trials(deepcopy=False):
            raise ValueError(
                f"OptunaSearch: the study {study.study_name!r} was not made by OptunaSearch, or "
                "the record which says so is missing from a damaged storage, so that its trials "
                "cannot be compared. Choose another study_name, or pass a whole copy."
            )
        _check_directions(study, info["metrics"])
        # Another process begins the study this very moment, or died between making and describing.
        if time.monotonic() >= deadline:
            study.set_user_attr(_INFO, info)
            return study, info
        time.sleep(0.1)
    for key, what, hint in (
        ("space", "another search space", ""),
        ("metrics", "other metrics", ""),
        ("scoring", "another scoring", ""),
        ("folds", "other folds or other targets y", "shuffling needs a fixed random_state"),
        ("estimator", "another estimator or other parameters of it", ""),
        ("params", "other parameters of fit or of the scorer", ""),
        ("data", "another X", "paths must be the same, and arrays to the last bit"),
    ):
        # An older study may not say, and neither may an X that cannot be told by its values.
        if None not in (known.get(key), info[key]) and known[key] != info[key]:
            raise ValueError(
                f"OptunaSearch: the study {study.study_name!r} was made with {what}, so that its "
                f"trials cannot be compared with new ones: {_difference(known[key], info[key])} "
                f"Choose another study_name, or search as before{hint and f' ({hint})'}."
            )
    _check_directions(study, info["metrics"])
    return study, known


def _check_directions(study, metrics):
    """Refuse a study, made by someone else, in which the best trials are others."""
    found = [direction.name.lower() for direction in study.directions]
    if found != (wanted := ["maximize"] * len(metrics)):
        raise ValueError(
            f"OptunaSearch: expected a study that maximizes {metrics}, with directions={wanted}, "
            f"but {study.study_name!r} was made with directions={found}. Choose another "
            "study_name, and let OptunaSearch make the study."
        )


def _difference(old, new):
    if isinstance(old, dict) and isinstance(new, dict):
        names = sorted(n for n in {*old, *new} if old.get(n) != new.get(n))
        # Of another class, the other parameters go without saying.
        under = tuple(f"{name}__" for name in names)
        names = ["class"] if "class" in names else [n for n in names if not n.startswith(under)]
        old, new = ({n: d[n] for n in names if n in d} for d in (old, new))
    return f"then {old}, now {new}."
