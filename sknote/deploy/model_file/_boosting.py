"""HistGradientBoostingClassifier in a file: its trees as plain arrays, each index of them checked.

scikit-learn follows the indices of a tree without looking where they lead.
"""

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.utils.validation import check_is_fitted

from sknote._compat import boosting_parts, restore_boosting
from sknote.deploy._checks import WrongError, are_numbers, is_count, is_flag, is_object, short
from sknote.deploy.model_file._network import describe_labels, restore_labels
from sknote.deploy.model_file._steps import describe_step, restore_step

# of a node, in the order in which they are written
FIELDS = {
    "value": "<f8",
    "count": "<u4",
    "feature_idx": "<i8",
    "num_threshold": "<f8",
    "missing_go_to_left": "|u1",
    "left": "<u4",
    "right": "<u4",
    "gain": "<f8",
    "depth": "<u4",
    "is_leaf": "|u1",
    "bin_threshold": "|u1",
    "is_categorical": "|u1",
    "bitset_idx": "<u4",
}
_HIGHEST = 1e100  # of what is summed up
_BITSETS = ("raw", "binned")  # 256 bits each: which categories go to the left


def describe_boosting(step, name, summary, arrays):
    """Describe a fitted boosting behind an MFCCSummary; its trees are put into `arrays`."""
    check_is_fitted(step)
    parts = boosting_parts(step)
    trees = [tree for trees in parts["trees"] for tree in trees]
    categories = parts["categories"]
    if not _are_those_of(summary, step, categories):
        raise WrongError(
            f"{name} was fitted on other columns than its MFCCSummary makes. Fit the pipeline as a "
            "whole"
        )
    nodes = np.concatenate([nodes for nodes, _, _ in trees])
    arrays |= {f"node.{field}": nodes[field].astype(kind) for field, kind in FIELDS.items()}
    for i, kind in enumerate(_BITSETS, start=1):
        arrays[f"bitset.{kind}"] = np.concatenate([tree[i] for tree in trees]).astype("<u4")
    arrays["tree.n_nodes"] = np.array([len(tree[0]) for tree in trees], dtype="<i8")
    arrays["tree.n_bitsets"] = np.array([len(tree[1]) for tree in trees], dtype="<i8")
    return describe_step(step, name) | {
        "classes": describe_labels(step.classes_),
        "baseline": [float(one) for one in parts["baseline"].ravel()],
        "missing": bool(categories) and len(categories) > len(summary.instruments_),
        "seed": int(parts["seed"]),
        "train_score": [float(one) for one in step.train_score_],
        "validation_score": [float(one) for one in step.validation_score_],
        "stops_early": bool(step.do_early_stopping_),
        "weighted": parts["weighted"],
    }


def _are_those_of(summary, step, categories):
    """Tell whether a boosting was fitted on what the summary makes now."""
    names = summary.get_feature_names_out()
    if step.n_features_in_ != len(names):
        return False
    if list(getattr(step, "feature_names_in_", names)) != list(names):
        return False
    if categories is None:
        return not _has_category(summary)
    known = [one for one in categories if isinstance(one, str)]
    return (
        _has_category(summary)
        and known == summary.instruments_
        and len(categories) - len(known) < 2
    )


def _has_category(summary):
    names = getattr(summary, "feature_names_in_", ())
    return summary.instrument == "category" and {"audio", "instrument"} <= set(names)


def restore_boosting_step(entry, summary, specs):
    """Make a boosting of which all is known to be right but the numbers in its arrays.

    Returns it with a table of its columns, in which each category comes once.
    """
    checks = {"classes": is_object, "baseline": are_numbers, "missing": is_flag, "seed": is_count}
    checks |= {"train_score": are_numbers, "validation_score": are_numbers}
    checks |= {"stops_early": is_flag, "weighted": is_flag}
    known = {"HistGradientBoostingClassifier": HistGradientBoostingClassifier}
    step = restore_step(entry, known, **checks)
    classes = restore_labels(entry["classes"])
    n_outputs = 1 if len(classes) == 2 else len(classes)
    if len(entry["baseline"]) != n_outputs or max(map(abs, entry["baseline"])) > _HIGHEST:
        raise WrongError(f"'baseline' is {short(entry['baseline'])}")
    names = summary.get_feature_names_out()
    given = entry["features"] or list(names)
    if entry["n_features"] != len(names) or given != list(names):
        raise WrongError("its boosting has other columns than its MFCCSummary makes")
    sizes = {name: spec[1][0] if spec[1] else -1 for name, spec in specs.items()}
    n_nodes, n_bitsets = sizes.get("node.value", 0), sizes.get("bitset.raw", 0)
    n_trees = sizes.get("tree.n_nodes", 0)
    if n_trees < 1 or n_trees % n_outputs:
        raise WrongError(f"it has {n_trees} trees for {n_outputs} outputs")
    expected = {f"node.{name}": (np.dtype(kind), (n_nodes,)) for name, kind in FIELDS.items()}
    expected |= {f"bitset.{kind}": (np.dtype("<u4"), (n_bitsets, 8)) for kind in _BITSETS}
    expected |= {f"tree.{name}": (np.dtype("<i8"), (n_trees,)) for name in ("n_nodes", "n_bitsets")}
    for name in sorted({*expected, *specs}):
        if specs.get(name) != expected.get(name):
            raise WrongError(
                f"the array {short(name)} is {specs.get(name)}, not {expected.get(name)}"
            )
    return step, classes, _columns(summary, names, entry["missing"])


def _columns(summary, names, missing):
    """Make a table with the columns of the summary, in which each category comes once."""
    if "audio" not in getattr(summary, "feature_names_in_", ()):
        return np.zeros((1, len(names)))
    if not _has_category(summary):
        return pd.DataFrame(np.zeros((1, len(names))), columns=names)
    known = [*summary.instruments_, *([None] * missing)] or [None]
    table = pd.DataFrame(np.zeros((len(known), len(names) - 1)), columns=names[:-1])
    table[names[-1]] = pd.Categorical(known, categories=summary.instruments_)
    return table


def restore_trees(step, entry, classes, columns, arrays):
    """Check every number in the arrays of a file, and make them the trees of a boosting."""
    n_features = columns.shape[1]
    has_category = isinstance(columns, pd.DataFrame) and (columns.dtypes == "category").any()
    sizes = {name: arrays[f"tree.{name}"] for name in ("n_nodes", "n_bitsets")}
    for name, total in (("n_nodes", "node.value"), ("n_bitsets", "bitset.raw")):
        least = 1 if name == "n_nodes" else 0
        if (sizes[name] < least).any() or (sizes[name] > len(arrays[total])).any():
            raise WrongError(f"the trees have wrong numbers of {name.removeprefix('n_')}")
        if sizes[name].sum() != len(arrays[total]):
            raise WrongError(f"the trees have {sizes[name].sum()} {name.removeprefix('n_')}")
    nodes = {name: arrays[f"node.{name}"] for name in FIELDS}
    _check_nodes(nodes, sizes, n_features, n_categories=int(has_category))
    n_outputs = 1 if len(classes) == 2 else len(classes)
    stops = {name: size.cumsum() for name, size in sizes.items()}
    trees = []
    for i in range(len(sizes["n_nodes"])):
        n, b = (slice(stops[name][i] - sizes[name][i], stops[name][i]) for name in sizes)
        tree = {name: values[n] for name, values in nodes.items()}
        trees.append((tree, *(arrays[f"bitset.{kind}"][b] for kind in _BITSETS)))
    learned = {
        "trees": [trees[i : i + n_outputs] for i in range(0, len(trees), n_outputs)],
        "baseline": np.array([entry["baseline"]], dtype=float),
        "seed": entry["seed"],
        "weighted": entry["weighted"],
    }
    given = step.categorical_features
    step.categorical_features = "from_dtype"  # which comes to the same, in whatever way it was said
    try:
        restore_boosting(step, columns, classes, **learned)
    except (TypeError, ValueError) as error:
        raise WrongError(f"its boosting cannot be made ({short(str(error))})") from error
    step.categorical_features = given
    step.train_score_ = np.array(entry["train_score"], dtype=float)
    step.validation_score_ = np.array(entry["validation_score"], dtype=float)
    step.do_early_stopping_ = entry["stops_early"]


def _check_nodes(nodes, sizes, n_features, n_categories):
    """Check that nodes are trees: every index leads on, in its own tree, and each place once."""
    n_nodes = np.repeat(sizes["n_nodes"], sizes["n_nodes"])
    first = np.repeat(sizes["n_nodes"].cumsum() - sizes["n_nodes"], sizes["n_nodes"])
    own = np.arange(len(n_nodes)) - first
    for name in ("is_leaf", "missing_go_to_left", "is_categorical"):
        _demand((nodes[name] <= 1).all(), name)
    inner = nodes["is_leaf"] == 0
    children = [nodes[side][inner].astype(np.int64) for side in ("left", "right")]
    for child in children:
        _demand((child > own[inner]).all() and (child < n_nodes[inner]).all(), "children")
    here = np.concatenate(children) + np.tile(first[inner], 2)
    _demand((np.bincount(here, minlength=len(own)) == (own > 0)).all(), "parents")
    deeper = np.tile(nodes["depth"][inner].astype(np.int64) + 1, 2)
    _demand(
        (nodes["depth"][here] == deeper).all() and (nodes["depth"][own == 0] == 0).all(), "depth"
    )
    feature = nodes["feature_idx"]
    _demand(((feature >= 0) & (feature < n_features)).all(), "feature_idx")
    category = inner & (nodes["is_categorical"] == 1)
    # the encoder puts the column of categories first
    _demand((feature[category] < n_categories).all(), "is_categorical")
    _demand(((feature >= n_categories) | ~inner)[~category].all(), "is_categorical")
    n_bitsets = np.repeat(sizes["n_bitsets"], sizes["n_nodes"])
    _demand((nodes["bitset_idx"][category] < n_bitsets[category]).all(), "bitset_idx")
    _demand((np.abs(nodes["value"]) <= _HIGHEST).all(), "value")  # which NaN is not
    _demand(not np.isnan(nodes["num_threshold"]).any(), "num_threshold")
    _demand((nodes["count"] > 0).all(), "count")


def _demand(is_right, name):
    if not is_right:
        raise WrongError(f"the trees of its boosting have wrong {name}")
