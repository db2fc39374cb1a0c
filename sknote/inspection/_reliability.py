"""ReliabilityDisplay: whether answers are right as often as they are sure."""

from numbers import Integral

from sklearn.calibration import calibration_curve

from sknote._interval import Interval, check_number
from sknote.inspection._answered import Answered
from sknote.inspection._drawing import BLUE, GREY, check_fitted, clear, place
from sknote.metrics import expected_calibration_error

__all__ = ["ReliabilityDisplay"]

_BINS = Interval(Integral, 1, None, closed="left")


class ReliabilityDisplay:
    """How often answers are right, over how sure the classifier is of them.

    All classes count together: of each note, the probability of the answer. On the diagonal
    a classifier is calibrated; below it, it is too sure of itself.

    Parameters
    ----------
    confidence : ndarray of shape (n_bins,)
        Mean probability of the answers in each bin.
    accuracy : ndarray of shape (n_bins,)
        Share of them that is right.
    calibration_error : float
        Expected calibration error.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        Around them.

    See Also
    --------
    sknote.metrics.expected_calibration_error : The number.
    sklearn.calibration.CalibrationDisplay : The same for two classes.

    Examples
    --------
    >>> from sknote.inspection import ReliabilityDisplay
    >>> proba = [[0.8, 0.2], [0.8, 0.2]]
    >>> display = ReliabilityDisplay.from_predictions(["a", "b"], proba, ["a", "b"])
    >>> display.confidence.round(2).tolist(), display.accuracy.tolist()
    ([0.8], [0.5])
    """

    def __init__(self, confidence, accuracy, calibration_error):
        self.confidence = confidence
        self.accuracy = accuracy
        self.calibration_error = calibration_error

    @classmethod
    def from_estimator(cls, estimator, X, y, *, n_bins=10, ax=None):
        """Draw how reliable a fitted classifier is.

        Parameters
        ----------
        estimator : fitted classifier
            Asked by `predict_proba`.
        X : as the classifier takes it
            Notes.
        y : array-like of shape (n_notes,)
            True labels.
        n_bins : int, default=10
            Number of bins, of as many notes each.
        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        ReliabilityDisplay
        """
        check_fitted(estimator, "predict_proba", cls.__name__)
        proba = estimator.predict_proba(X)
        return cls.from_predictions(y, proba, estimator.classes_, n_bins=n_bins, ax=ax)

    @classmethod
    def from_predictions(cls, y_true, y_proba, classes, *, n_bins=10, ax=None):
        """Draw how reliable probabilities are.

        Parameters
        ----------
        y_true : array-like of shape (n_notes,)
            True labels.
        y_proba : array-like of shape (n_notes, n_classes)
            Probabilities.
        classes : array-like of shape (n_classes,)
            Labels of the columns.
        n_bins, ax : int, matplotlib Axes
            As in :meth:`from_estimator`.

        Returns
        -------
        ReliabilityDisplay
        """
        answered = Answered.of(y_true, y_proba, classes, cls.__name__)
        n_bins = min(check_number(n_bins, _BINS, "n_bins", cls.__name__), len(answered.right))
        how = {"pos_label": True, "n_bins": n_bins, "strategy": "quantile"}
        accuracy, confidence = calibration_curve(answered.right, answered.confidence, **how)
        error = expected_calibration_error(answered.y_true, answered.proba, answered.classes)
        return cls(confidence, accuracy, error).plot(ax=ax)

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
        ReliabilityDisplay
        """
        self.figure_, self.ax_ = _, ax = place(self, ax, (4.6, 4.4))
        ax.plot([0, 1], [0, 1], ":", color=GREY, label="calibrated")
        label = f"{name or 'answers'} (calibration error {self.calibration_error:.3f})"
        ax.plot(self.confidence, self.accuracy, "o-", color=BLUE, label=label)
        clear(ax)
        ax.set(xlabel="probability of the answer", ylabel="share that is right")
        ax.set(xlim=(0, 1), ylim=(0, 1.02), aspect="equal")
        ax.legend(frameon=False)
        return self
