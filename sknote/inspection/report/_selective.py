"""What a model answers that need not give a label: at which level, how often right, why not."""

import warnings
from dataclasses import dataclass

import numpy as np

from sknote.confidence._answers import UNKNOWN
from sknote.inspection._models import answers_of, rule_of
from sknote.inspection.report._tables import Table

__all__ = ["Selective"]


@dataclass(frozen=True)
class Selective:
    """Answers to some notes, by the names of their columns, and which of them are right."""

    told: dict
    right: np.ndarray
    names: list

    @classmethod
    def of(cls, model, X, y):
        """Ask a model that was asked for probabilities; None if it always gives a label."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the model has said it
            told = answers_of(model, X)
        if told is None:
            return None
        rule = rule_of(model)
        right = rule.is_right(told["answer"], told["level"], y)
        return cls(told, right, [*(level.name for level in rule.levels), UNKNOWN])

    @property
    def answered(self):
        """Which notes have an answer."""
        return self.told["level"] != UNKNOWN

    def headline(self):
        """Return the numbers that stand first: name → text."""
        some = self.answered
        accuracy = f"{self.right[some].mean():.3f}" if some.any() else "–"
        return {"share answered": f"{some.mean():.3f}", "of it right, at any level": accuracy}

    def tables(self):
        """Return how answers are shared out among levels, and why notes have none."""
        import pandas as pd

        rows = [self.told["level"] == name for name in self.names]
        frame = pd.DataFrame({"level": self.names, "n": [int(own.sum()) for own in rows]})
        frame["share"] = [own.mean() for own in rows]
        known = [own.any() and name != UNKNOWN for own, name in zip(rows, self.names)]
        frame["accuracy"] = [self.right[own].mean() if k else np.nan for own, k in zip(rows, known)]
        text = "A node above the true label is right, and easier to be right about than a label."
        shares = ("share", "accuracy")
        tables = [Table("Answers", text, frame.set_index("level"), shares)]
        if not self.answered.all():
            counts = pd.Series(self.told["reason"][~self.answered]).value_counts()
            frame = pd.DataFrame({"n": counts, "share": counts / len(self.right)})
            text = "Of all notes, those that are answered by “unknown”, and the model's reasons."
            tables.append(Table("Without an answer", text, frame.rename_axis("reason"), shares))
        return tables
