"""The study of a search: begun, or resumed if it was made for the same search."""

import time

import optuna
from optuna.exceptions import DuplicatedStudyError

__all__ = ["open_study"]

_INFO = "sknote:search"


def open_study(storage, name, *, resume, pruner, info):
    """Begin a study, or resume it.

    Parameters
    ----------
    storage : optuna.storages.BaseStorage or None
    name : str or None
    resume : bool
    pruner : optuna.pruners.BasePruner
    info : dict
        What makes the trials comparable: ``space``, ``metrics``, ``folds``, ``estimator`` and
        ``data``; and the ``seed``.

    Returns
    -------
    study : optuna.study.Study
    info : dict
        As given, with the seed that the study was begun with.

    Raises
    ------
    ValueError
        If the study is there and `resume` is False, or it was made with something else of what
        makes trials comparable.
    """
    if resume:
        try:
            return _resume_study(storage, name, pruner, info)
        except KeyError:  # it is not there yet
            pass
    try:
        study = optuna.create_study(
            storage=storage,
            study_name=name,
            pruner=pruner,
            directions=["maximize"] * len(info["metrics"]),
        )
    except DuplicatedStudyError:
        if resume:  # another process made it this very moment
            return _resume_study(storage, name, pruner, info)
        raise ValueError(
            f"OptunaSearch: the storage already holds a study {name!r}. Pass resume=True to "
            "go on with it, or choose another study_name."
        ) from None
    study.set_user_attr(_INFO, info)
    return study, info


def _resume_study(storage, name, pruner, info):
    study = optuna.load_study(study_name=name, storage=storage, pruner=pruner)
    return study, _known_info(study, info)


def _known_info(study, info):
    for _ in range(50):  # another process may have begun the study this very moment
        known = study.user_attrs.get(_INFO)
        if known is not None:
            break
        if study.get_trials(deepcopy=False):
            raise ValueError(
                f"OptunaSearch: the study {study.study_name!r} was not made by OptunaSearch, so "
                "that its trials cannot be compared. Choose another study_name."
            )
        time.sleep(0.1)
    else:  # it died between making the study and describing it
        study.set_user_attr(_INFO, info)
        return info
    for key, what, hint in (
        ("space", "another search space", ""),
        ("metrics", "other metrics", ""),
        ("folds", "other folds or other targets y", "shuffling needs a fixed random_state"),
        ("estimator", "another estimator or other parameters of it", ""),
        ("data", "another X", "paths must be the same, and arrays to the last bit"),
    ):
        # An older study may not say, and neither may an X that cannot be told by its values.
        if None not in (known.get(key), info[key]) and known[key] != info[key]:
            raise ValueError(
                f"OptunaSearch: the study {study.study_name!r} was made with {what}, so that its "
                f"trials cannot be compared with new ones: {_difference(known[key], info[key])} "
                f"Choose another study_name, or search as before{hint and f' ({hint})'}."
            )
    return known


def _difference(old, new):
    if isinstance(old, dict) and isinstance(new, dict):
        names = sorted(n for n in {*old, *new} if old.get(n) != new.get(n))
        # Of another class, the other parameters go without saying.
        under = tuple(f"{name}__" for name in names)
        names = ["class"] if "class" in names else [n for n in names if not n.startswith(under)]
        old, new = ({n: d[n] for n in names if n in d} for d in (old, new))
    return f"then {old}, now {new}."
