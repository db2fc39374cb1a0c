"""ScoreBarsDisplay: a bar for each class, instrument or whatever notes are sorted by."""

import numpy as np

from sknote._input.choices import did_you_mean
from sknote.inspection._answered import check_known
from sknote.inspection._drawing import (
    BLUE,
    check_fitted,
    hierarchy_for,
    hierarchy_of,
    place,
    set_names,
)
from sknote.inspection._models import best_labels
from sknote.labels._checks import as_label_array
from sknote.metrics import class_report, instrument_report

__all__ = ["ScoreBarsDisplay"]


class ScoreBarsDisplay:
    """A score of each class or each instrument as a bar, with the number of its notes.

    Parameters
    ----------
    scores : Series
        A score from 0 to 1 for each row of a table; its name says which.
    counts : array-like of int of shape (n_rows,) or None, default=None
        Notes in each row.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        Around them.
    bars_ : matplotlib BarContainer
        The bars.

    See Also
    --------
    sknote.metrics.class_report : The table of classes.
    sknote.metrics.instrument_report : The table of instruments.

    Examples
    --------
    >>> from sknote.inspection import ScoreBarsDisplay
    >>> display = ScoreBarsDisplay.from_predictions(["air", "good"], ["good", "good"])
    >>> display.scores.to_dict()
    {'air': 0.0, 'good': 0.666...}
    """

    def __init__(self, scores, counts=None):
        self.scores = scores
        self.counts = counts

    @classmethod
    def from_estimator(cls, estimator, X, y, *, by="class", hierarchy=None, ax=None):
        """Draw scores of a fitted classifier.

        Parameters
        ----------
        estimator : fitted classifier
            Asked by `predict`. Of one that also answers with nodes or ``"unknown"``, such as a
            :class:`~sknote.confidence.SelectiveClassifier`, the most probable label counts.
        X : as the classifier takes it
            Notes.
        y : array-like of shape (n_notes,)
            True labels.
        by : {"class", "instrument"} or array-like of shape (n_notes,), default="class"
            What makes a bar: a class that has notes (its F1), an instrument of X (its accuracy), or
            the value of each note (the accuracy of those that share it).
        hierarchy : LabelHierarchy or None, default=None
            Gives classes their natural order; None is the estimator's, if it has one, else
            ``LabelHierarchy()`` for labels such as ``good`` or ``bad-air``.
        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        ScoreBarsDisplay
        """
        check_fitted(estimator, "predict", cls.__name__)
        if hasattr(estimator, "classes_") and np.size(y):
            check_known(as_label_array(y, f"{cls.__name__}: y"), estimator.classes_, cls.__name__)
        if isinstance(by, str) and by not in ("class", "instrument"):
            raise ValueError(
                f"{cls.__name__}: expected by='class', by='instrument' or a value for each note, "
                f"got {by!r}.{did_you_mean(by, ('class', 'instrument'))}"
            )
        if isinstance(by, str) and by == "instrument":
            if "instrument" not in getattr(X, "columns", ()):
                raise ValueError(
                    f"{cls.__name__}: expected X with a column 'instrument' for by='instrument', "
                    f"got {type(X).__name__}. Pass the instruments themselves as `by`."
                )
            by = np.asarray(X["instrument"], dtype=object)
        classes = getattr(estimator, "classes_", y)
        hierarchy = hierarchy_of(estimator, classes, hierarchy, cls.__name__)
        y_pred = best_labels(estimator, X)
        return cls.from_predictions(y, y_pred, by=by, hierarchy=hierarchy, ax=ax)

    @classmethod
    def from_predictions(cls, y_true, y_pred, *, by="class", hierarchy=None, ax=None):
        """Draw scores of answers.

        Parameters
        ----------
        y_true, y_pred : array-like of shape (n_notes,)
            True labels, and answers.
        by : "class" or array-like of shape (n_notes,), default="class"
            A class that has notes (its F1), or the value of each note (the accuracy of those that
            share it).
        hierarchy, ax : LabelHierarchy, matplotlib Axes
            As in :meth:`from_estimator`.

        Returns
        -------
        ScoreBarsDisplay
        """
        if isinstance(by, str):
            if by != "class":
                raise ValueError(
                    f"{cls.__name__}: expected by='class' or a value for each note, got {by!r}. "
                    "Pass the instruments themselves, or use from_estimator."
                )
            y_true = as_label_array(y_true, f"{cls.__name__}: y")
            hierarchy = hierarchy_for(y_true, hierarchy, cls.__name__)
            table = class_report(y_true, y_pred, hierarchy=hierarchy).query("support > 0")
            return cls(table["f1"].rename("F1"), table["support"].to_numpy()).plot(ax=ax)
        table = instrument_report(y_true, y_pred, by)
        return cls(table["accuracy"], table["n"].to_numpy()).plot(ax=ax)

    def plot(self, ax=None):
        """Draw the bars.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        ScoreBarsDisplay
        """
        n_rows = len(self.scores)
        height = float(np.clip(0.24 * n_rows + 1.1, 2, 16))
        self.figure_, self.ax_ = _, ax = place(self, ax, (6.5, height))
        places = np.arange(n_rows)
        self.bars_ = ax.barh(places, self.scores.to_numpy(float), color=BLUE, height=0.75)
        names = [str(name) for name in self.scores.index]
        if self.counts is not None:
            names = [f"{name} ({n})" for name, n in zip(names, self.counts)]
        set_names(ax.yaxis, places, names, fontsize=float(np.clip(400 / max(n_rows, 1), 5, 9)))
        ax.set(xlim=(0, 1), ylim=(n_rows - 0.5, -0.5), xlabel=str(self.scores.name or "score"))
        ax.grid(axis="x", alpha=0.25)
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)
        return self
