"""Groups that are given to a search, and the splits inside it that do not get them."""

import inspect
import warnings

from sklearn import get_config
from sklearn.utils.metadata_routing import get_routing_for_object

from sknote._compat import BaseSearchCV
from sknote.model_selection._lost_groups import warn_of_lost_groups

_REMEDY = (
    "Groups reach the inside by metadata routing: sklearn.set_config(enable_metadata_routing=True)"
)


def check_groups_arrive(estimator, cv, groups, split_params, fit_params):
    """Raise or warn if a split would be made without the groups that it is meant to keep whole.

    A `cv` that splits by group and gets none is a ValueError; groups that are given, and do not
    reach a validation part or a search inside the estimator, are a UserWarning, and so are those
    that do not reach the search itself.
    """
    if split_params.get("groups") is None and _wants_groups(cv):
        raise ValueError(
            f"OptunaSearch: cv={cv!r} splits by group, but no groups came. Pass fit(X, y, "
            f"groups=...). {_REMEDY}, and then params={{'groups': ...}} of cross_validate."
        )
    if groups is None:
        warn_of_lost_groups("OptunaSearch")
    if groups is None or get_config()["enable_metadata_routing"]:
        return  # with routing, scikit-learn itself asks where they shall go
    for name, part in {"": estimator, **estimator.get_params(deep=True)}.items():
        where = f"{type(part).__name__}{name and f' ({name})'}"
        if any(key.rpartition("__")[2] == "groups" for key in fit_params):
            continue
        if _splits_inside(part):
            warnings.warn(
                f"OptunaSearch: the groups do not reach {where}, which makes a split of its own: "
                f"in it a group may be on both sides. {_REMEDY} and "
                f"{type(part).__name__}.set_fit_request(groups=True), if it has that.",
                UserWarning,
                stacklevel=4,
            )


def _wants_groups(cv):
    if not hasattr(cv, "get_metadata_routing"):
        return False
    return get_routing_for_object(cv).consumes("split", ["groups"]) == {"groups"}


def _splits_inside(part):
    """Tell whether an estimator splits what it is fitted on, and would keep groups whole."""
    if isinstance(part, type) or not hasattr(part, "fit"):
        return False
    if isinstance(part, BaseSearchCV):
        return True
    if getattr(part, "validation_fraction", None) is None:
        return False
    return "groups" in inspect.signature(part.fit).parameters
