"""Groups that a function of scikit-learn was given, and does not hand down."""

import weakref

from sklearn import get_config

from sknote._caller import callers, warn_caller

_WARNED = weakref.WeakSet()  # what is searched or cross-validated: of its many fits one warns


def warn_of_lost_groups(who):
    """Warn that `who` makes a split without groups, if whoever called it has some.

    Without metadata routing, ``cross_validate(..., groups=...)`` and the searches of scikit-learn
    keep groups to themselves; that there are any shows only in what is being called at present, and
    not at all in other processes and threads (`n_jobs`).
    """
    if get_config()["enable_metadata_routing"]:
        return  # there the caller was asked
    for frame in callers("sklearn.model_selection"):
        given = frame.f_locals
        params = given.get("params")
        held = params.get("groups") if isinstance(params, dict) else None
        if given.get("groups") is not None or held is not None:
            _warn_once(who, given.get("self", given.get("estimator")), frame.f_code.co_name)
            return


def _warn_once(who, asked, function):
    if asked in _WARNED:
        return
    _WARNED.add(asked)
    way = "params={'groups': groups}, or {'classify__groups': groups} for that step of a pipeline"
    if function == "fit":
        way = "fit(X, y, groups=groups, classify__groups=groups) of a search over a pipeline"
        function = f"{type(asked).__name__}.fit"
    warn_caller(
        f"{who}: the groups that {function} has do not reach its fit, which makes a split of its "
        f"own: in it a group may be on both sides. Pass them a second time, by {way}."
    )
