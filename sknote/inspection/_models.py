"""What a model says of itself: whether it may answer no label, its levels, what is within it."""

import numpy as np

from sknote.labels import LabelHierarchy

__all__ = [
    "answers_of",
    "best_labels",
    "confident",
    "history_of",
    "levels_within",
    "node_columns",
    "rule_of",
]

_INNER = ("best_estimator_", "estimator_", "estimator", "model")
_DEEPEST = 9


def _inside(model):
    """Yield a model and what is within it, the outermost first; of a pipeline the last step."""
    for _ in range(_DEEPEST):
        if model is None:
            return
        yield model
        if hasattr(model, "steps"):
            model = model.steps[-1][1]
        else:
            found = (getattr(model, name, None) for name in _INNER)
            model = next((one for one in found if one is not None), None)


def confident(model):
    """Return what has `predict_with_confidence` of a model that may answer no label, else None."""
    if hasattr(model, "predict_with_confidence"):
        return model
    if hasattr(model, "best_estimator_"):
        return confident(model.best_estimator_)
    if hasattr(model, "steps") and hasattr(model.steps[-1][1], "predict_with_confidence"):
        from sknote.pipelines import NotePipeline

        return NotePipeline(model.steps)
    return None


def rule_of(model):
    """Return the AnswerRule of a model that may answer no label, else None."""
    for one in _inside(confident(model)):
        rule = getattr(one, "rule_", None) or getattr(one, "_rule", None)
        if rule is not None:
            return rule
    return None


def levels_within(model):
    """Return the LabelHierarchy that a model was given, or None."""
    found = (getattr(one, "hierarchy", None) for one in _inside(model))
    return next((one for one in found if isinstance(one, LabelHierarchy)), None)


def node_columns(model, node, level=None):
    """Return the columns of the classes below a node, at a level or any; none if there is none."""
    classes = np.asarray(model.classes_)
    rule = rule_of(model)
    for one in () if rule is None else rule.levels:
        if node in one.nodes and level in (one.name, None):
            return np.flatnonzero(one.node_of == one.nodes.index(node))
    if not isinstance(node, str) or classes.dtype.kind not in "UO":
        return np.zeros(0, int)
    hierarchy = levels_within(model) or LabelHierarchy()
    return np.flatnonzero([node in hierarchy.ancestors(label) for label in classes.tolist()])


def best_labels(model, X):
    """Return the most probable label of each note, which `predict` need not answer."""
    if confident(model) is None:
        return model.predict(X)
    return np.asarray(model.classes_)[np.argmax(model.predict_proba(X), axis=1)]


def answers_of(model, X):
    """Return answer, level and reason of each note, by these; None of a model without a rule."""
    asked = confident(model)
    if asked is None:
        return None
    table = asked.predict_with_confidence(X)
    return {name: np.asarray(table[name], object) for name in ("answer", "level", "reason")}


def history_of(model):
    """Return how the training of a model went, or of what is within it; None if nothing says so."""
    found = (getattr(one, "history_", None) for one in _inside(model))
    return next((one for one in found if one is not None), None)
