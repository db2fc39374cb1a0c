"""RiskCoverageDisplay: how many answers are wrong, if only the surest are given."""

import numpy as np

from sknote.inspection._answered import Answered
from sknote.inspection._drawing import BLUE, GREY, check_fitted, clear, place

__all__ = ["RiskCoverageDisplay"]


class RiskCoverageDisplay:
    """Share of wrong answers over the share of notes that are answered, the surest first.

    Parameters
    ----------
    coverage : ndarray of shape (n_steps,)
        Share of the notes that are answered; notes that are equally sure come together.
    risk : ndarray of shape (n_steps,)
        Share of these answers that is wrong.

    Attributes
    ----------
    area : float
        Mean risk over all coverages, the area under the curve: 0 is best.
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        Around them.

    References
    ----------
    Y. Geifman and R. El-Yaniv, "Selective classification for deep neural networks", NIPS 2017.

    Examples
    --------
    >>> from sknote.inspection import RiskCoverageDisplay
    >>> proba = [[0.9, 0.1], [0.6, 0.4]]
    >>> display = RiskCoverageDisplay.from_predictions(["a", "b"], proba, ["a", "b"])
    >>> display.coverage.tolist(), display.risk.tolist()
    ([0.5, 1.0], [0.0, 0.5])
    """

    def __init__(self, coverage, risk):
        self.coverage = coverage
        self.risk = risk

    @property
    def area(self):
        """Mean risk over all coverages."""
        return float(np.average(self.risk, weights=np.diff(self.coverage, prepend=0.0)))

    @classmethod
    def from_estimator(cls, estimator, X, y, *, ax=None):
        """Draw what a fitted classifier risks.

        Parameters
        ----------
        estimator : fitted classifier
            Asked by `predict_proba`.
        X : as the classifier takes it
            Notes.
        y : array-like of shape (n_notes,)
            True labels.
        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        RiskCoverageDisplay
        """
        check_fitted(estimator, "predict_proba", cls.__name__)
        return cls.from_predictions(y, estimator.predict_proba(X), estimator.classes_, ax=ax)

    @classmethod
    def from_predictions(cls, y_true, y_proba, classes, *, ax=None):
        """Draw what probabilities risk.

        Parameters
        ----------
        y_true : array-like of shape (n_notes,)
            True labels.
        y_proba : array-like of shape (n_notes, n_classes)
            Probabilities.
        classes : array-like of shape (n_classes,)
            Labels of the columns.
        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        RiskCoverageDisplay
        """
        answered = Answered.of(y_true, y_proba, classes, cls.__name__)
        order = np.argsort(-answered.confidence, kind="stable")
        sure = answered.confidence[order]
        last = np.append(sure[1:] != sure[:-1], True)  # of those that are equally sure
        number = np.arange(1, len(sure) + 1)
        risk = np.cumsum(~answered.right[order]) / number
        return cls(number[last] / len(sure), risk[last]).plot(ax=ax)

    def plot(self, ax=None, *, name=None):
        """Draw the curve.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a figure.
        name : str or None, default=None
            Of the classifier, for the legend.

        Returns
        -------
        RiskCoverageDisplay
        """
        self.figure_, self.ax_ = _, ax = place(self, ax, (5, 4))
        label = f"{name or 'answers'} (mean risk {self.area:.3f})"
        style = {"marker": "o"} if len(self.coverage) == 1 else {}
        ax.plot(self.coverage, self.risk, color=BLUE, label=label, drawstyle="steps-pre", **style)
        ax.axhline(self.risk[-1], linestyle=":", color=GREY, label="all notes answered")
        clear(ax)
        ax.set(xlabel="share of notes answered, the surest first", ylabel="share that is wrong")
        ax.set(xlim=(0, 1), ylim=(0, max(0.05, 1.35 * float(self.risk.max()))))
        ax.legend(frameon=False, loc="upper left")
        return self
