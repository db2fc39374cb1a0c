"""Models that say how sure they are (--min-accuracy): for training and evaluation alike."""

import numpy as np

from sknote.cli._main import WrongCommandError


def check_confidence(options):
    """Refuse what is of no use without --min-accuracy."""
    if options.min_accuracy is None and options.inner_folds is not None:
        raise WrongCommandError(
            f"{options.command}: --inner-folds is of --min-accuracy. Pass both, or leave it out."
        )


def add_confidence(model, notes, options):
    """Put a SelectiveClassifier around the last step of a pipeline, if the options ask for one.

    Returns what the `fit` of the pipeline is given for it.
    """
    if options.min_accuracy is None:
        return {}
    from sklearn.base import clone

    from sknote.confidence import SelectiveClassifier

    # what fitted the hierarchy knows the labels; a file keeps what it was told
    how = {"min_accuracy": options.min_accuracy, "cv": options.inner_folds}
    model.set_params(classify=SelectiveClassifier(model[-1], clone(notes.hierarchy), **how))
    return {"classify__groups": notes.groups}


class ConfidentScores:
    """How many notes are answered at each level, and how many of the answers are right.

    `names` are those of the scores of a call: for each level its share of the notes and the
    accuracy of these answers; the share that is unknown; and the accuracy of all answers together.
    """

    def __init__(self, notes):
        from sknote.confidence._thresholds import levels_of

        levels = levels_of(np.unique(notes.target), notes.hierarchy, "evaluate")
        self._levels = [level.name for level in levels]
        shares = (name for one in self._levels for name in (f"{one}_share", f"{one}_accuracy"))
        self.names = (*shares, "unknown_share", "accuracy")
        self._tables = []

    def __call__(self, model, X, y):
        """Score a fitted pipeline, whose last step is a SelectiveClassifier; keep its answers."""
        table = model.predict_with_confidence(X)
        table = table.assign(right=model[-1].is_right(table, y)).set_axis(X.index)
        self._tables.append(table)
        return self._scores(table)

    def summaries(self, rows):
        """Yield the scores of the notes of all folds: at a level, folds may answer few, or none."""
        yield "all", self._scores(self._table())

    def selective(self):
        """Return the answers of all folds, in the order of the notes, for a report."""
        from sknote.inspection.report._selective import Selective

        table = self._table()
        told = {name: table[name].to_numpy(object) for name in ("answer", "level", "reason")}
        return Selective(told, table["right"].to_numpy(), [*self._levels, "unknown"])

    def _table(self):
        import pandas as pd

        return pd.concat(self._tables).sort_index()

    def _scores(self, table):
        right, level = table["right"].to_numpy(), table["level"].to_numpy()
        found = {}
        for name in self._levels:
            rows = level == name
            found |= {f"{name}_share": rows.mean(), f"{name}_accuracy": _mean(right[rows])}
        answered = level != "unknown"
        found |= {"unknown_share": (~answered).mean(), "accuracy": _mean(right[answered])}
        return {name: float(value) for name, value in found.items()}


def _mean(values):
    return values.mean() if len(values) else np.nan
