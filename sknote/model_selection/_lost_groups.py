"""Groups that a function of scikit-learn was given, and does not hand down."""

import inspect
import warnings

from sklearn import get_config

REMEDY = (
    "Groups reach the inside by metadata routing only: "
    "sklearn.set_config(enable_metadata_routing=True)"
)


def warn_of_lost_groups(who):
    """Warn that `who` makes a split without groups, if whoever called it has some.

    Without metadata routing, ``cross_validate(..., groups=...)`` and the searches of scikit-learn
    keep groups to themselves; that there are any shows only in what is being called at present, and
    not at all in other processes and threads (`n_jobs`).
    """
    if get_config()["enable_metadata_routing"]:
        return  # there the caller was asked
    frame = inspect.currentframe().f_back
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith("sklearn.model_selection."):
            given = frame.f_locals
            params = given.get("params")
            held = params.get("groups") if isinstance(params, dict) else None
            if given.get("groups") is not None or held is not None:
                warnings.warn(
                    f"{who}: the groups that {frame.f_code.co_name} has do not reach its fit, "
                    "which makes a split of its own: in it a group may be on both sides. "
                    f"{REMEDY}, {who}.set_fit_request(groups=True) and params={{'groups': ...}}.",
                    UserWarning,
                    stacklevel=2,
                )
                return
        frame = frame.f_back
