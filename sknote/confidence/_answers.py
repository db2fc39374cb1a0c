"""The rule by which probabilities become an answer: a label, a node above some labels, or none.

This file imports neither torch nor scikit-learn nor pandas: it also decides for exported models.
"""

from dataclasses import dataclass

import numpy as np

__all__ = ["COLUMNS", "LEAF", "UNKNOWN", "AnswerRule", "Level", "check_answers", "tempered"]

UNKNOWN = "unknown"  # the answer where there is none, and its level
LEAF = "label"  # the level of an answer that is one of the labels
COLUMNS = ("answer", "level", "confidence", "runner_up", "runner_up_probability", "reason")
NOT_SURE, SILENT = "not sure at any level", "no sound"
NOVEL, SEVERAL = "unlike the notes of fit", "more than one note at once"
_EPS = float(np.finfo(np.float64).eps)  # what scikit-learn adds before it takes logarithms


def check_answers(answers, name):
    """Refuse, as `name`, what is not a table of answers: a DataFrame, or a dict of columns."""
    columns = answers if isinstance(answers, dict) else getattr(answers, "columns", None)
    if columns is None:
        got = type(answers).__name__
    elif {"answer", "level"} <= set(columns):
        return
    else:
        got = f"a {type(answers).__name__} with the columns {list(columns)}"
    raise TypeError(
        f"{name}: expected the table of predict_with_confidence, with the columns 'answer' and "
        f"'level', got {got}. Pass model.predict_with_confidence(X)."
    )


def tempered(proba, beta):
    """Bring probabilities to another temperature, 1 / `beta`, as scikit-learn does it."""
    logits = beta * np.log(proba + _EPS)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@dataclass(frozen=True, eq=False)
class Level:
    """The nodes that an answer may name at one level.

    `node_of` has the number of the node that each class lies in. Of levels above the labels, a node
    that holds a single class is none: its label says more. One that holds all classes says nothing,
    and there is no level of it.
    """

    name: str
    nodes: tuple
    node_of: np.ndarray

    def masses(self, proba):
        """Add up the probabilities of the classes in each node: (n_notes, n_nodes)."""
        return proba @ np.eye(len(self.nodes))[self.node_of]

    def candidates(self, proba):
        """Return the most probable node of each note, its probability, and whether it is one."""
        masses = self.masses(proba)
        best = masses.argmax(axis=1)
        is_node = (self.name == LEAF) | (np.bincount(self.node_of) > 1)
        is_node = np.broadcast_to(is_node, len(self.nodes))
        return best, masses[np.arange(len(best)), best], is_node[best]


@dataclass(frozen=True, eq=False)
class AnswerRule:
    """From calibrated probabilities to answers.

    The first of the `levels`, the finest, whose most probable node reaches the threshold is
    answered; a note for which none does is unknown, and so is one that a score refuses. `limits`
    has, for each score, what it says of a note that exceeds it: pairs of a reason and a number.
    """

    classes: np.ndarray
    levels: tuple
    threshold: float = np.inf
    limits: tuple = ()

    def refusals(self, n_notes, scores=None, silent=None):
        """Return why notes get no answer, ``""`` where nothing is against one.

        `scores` have the shape (n_notes, n_scores), and `silent` tells which notes hold no sound;
        None is not known. Of several reasons the first counts.
        """
        found = np.full(n_notes, "", dtype=object)
        if scores is not None:
            for (reason, limit), own in reversed(list(zip(self.limits, scores.T))):
                found[np.nan_to_num(own, nan=-np.inf) > limit] = reason
        if silent is not None:
            found[silent] = SILENT
        return found

    def answer(self, proba, refused=None):
        """Answer each note.

        Parameters
        ----------
        proba : ndarray of shape (n_notes, n_classes)
            Calibrated.
        refused : ndarray of str of shape (n_notes,) or None, default=None
            Why a note gets no answer, ``""`` if nothing is against it.

        Returns
        -------
        dict of str to ndarray
            By `COLUMNS`. Of an unknown note, ``runner_up`` is the most probable label, and both
            ``confidence`` and ``runner_up_probability`` are its probability.
        """
        n_notes, rows = len(proba), np.arange(len(proba))
        named = np.array(self.classes, dtype=object)
        best = proba.argmax(axis=1) if n_notes else np.zeros(0, dtype=int)
        found = {
            "answer": np.full(n_notes, UNKNOWN, dtype=object),
            "level": np.full(n_notes, UNKNOWN, dtype=object),
            "confidence": proba[rows, best],
            "runner_up": named[best],
            "runner_up_probability": proba[rows, best],
            "reason": np.full(n_notes, NOT_SURE, dtype=object),
        }
        is_open = np.ones(n_notes, dtype=bool)
        if refused is not None:
            is_open = refused == ""
            found["reason"][~is_open] = refused[~is_open]
        for level in self.levels:
            node, mass, may = level.candidates(proba)
            new = np.flatnonzero(is_open & may & (mass >= self.threshold))
            is_open[new] = False
            nodes = np.array([*level.nodes, None], dtype=object)
            others = level.masses(proba[new])
            others[np.arange(len(new)), node[new]] = -1.0
            second = others.argmax(axis=1) if len(level.nodes) > 1 else np.full(len(new), -1)
            of_second = others.max(axis=1, initial=-1.0)
            found["runner_up_probability"][new] = np.where(second < 0, np.nan, of_second)
            found["answer"][new], found["runner_up"][new] = nodes[node[new]], nodes[second]
            found["level"][new], found["confidence"][new] = level.name, mass[new]
            whole = "sure" if level.name == LEAF else f"sure of no more than the {level.name}"
            found["reason"][new] = whole
        return found

    def is_right(self, answers, levels, y):
        """Tell which answers are right: the label in y, or a node above it."""
        answers, levels, y = (np.asarray(one, dtype=object) for one in (answers, levels, y))
        number = {label: i for i, label in enumerate(np.asarray(self.classes).tolist())}
        target = np.array([number.get(label, -1) for label in y.tolist()], dtype=int)
        right = np.zeros(len(y), dtype=bool)
        for level in self.levels:
            rows = np.flatnonzero((levels == level.name) & (target >= 0))
            nodes = np.array([*level.nodes, None], dtype=object)[level.node_of[target[rows]]]
            right[rows] = nodes == answers[rows]
        return right

    def says(self, answers, levels):
        """Tell how much each answer says, from 0 (unknown, or above all labels) to 1 (a label).

        That is 1 - log(labels in its node) / log(labels): the hierarchical coverage of a note.
        """
        answers, levels = (np.asarray(one, dtype=object) for one in (answers, levels))
        told = np.zeros(len(answers))
        for level in self.levels:
            share = 1.0 - np.log(np.bincount(level.node_of)) / np.log(len(self.classes))
            of_node = dict(zip(level.nodes, share.tolist()))
            rows = np.flatnonzero(levels == level.name)
            told[rows] = [of_node[answer] for answer in answers[rows]]
        return told
