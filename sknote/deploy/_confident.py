"""The rule of a SelectiveClassifier as JSON."""

import numpy as np


def describe_rule(rule):
    """Return an AnswerRule as an object of JSON; null stands for infinity."""
    return {
        "threshold": _finite(rule.threshold),
        "levels": [
            {"name": level.name, "nodes": list(level.nodes), "node_of": level.node_of.tolist()}
            for level in rule.levels[1:]
        ],
        "limits": [[reason, _finite(limit)] for reason, limit in rule.limits],
    }


def _finite(value):
    return float(value) if np.isfinite(value) else None
