"""HistoryDisplay: how the training went, epoch by epoch."""

import numpy as np

from sknote.inspection._drawing import BLUE, ORANGE, check_fitted, clear, place
from sknote.inspection._models import history_of

__all__ = ["HistoryDisplay"]


class HistoryDisplay:
    """Losses, and the accuracy of the validation part, over the epochs of a training.

    Parameters
    ----------
    epochs : ndarray of shape (n_epochs,)
        Numbers of the epochs, from 1.
    curves : dict of str to ndarray of shape (n_epochs,)
        What to draw, by name: ``train_loss``, and with a validation part ``valid_loss`` and
        ``valid_accuracy``.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where losses were drawn.
    figure_ : matplotlib Figure
        Around them.

    See Also
    --------
    sklearn.model_selection.LearningCurveDisplay : Scores over the number of notes.
    """

    def __init__(self, epochs, curves):
        self.epochs = epochs
        self.curves = curves

    @classmethod
    def from_estimator(cls, estimator, *, ax=None):
        """Draw the training of a fitted :class:`~sknote.NoteClassifier`.

        Parameters
        ----------
        estimator : NoteClassifier, or a Pipeline, search or SelectiveClassifier around one
            Fitted; of a pipeline the last step counts.
        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        HistoryDisplay
        """
        check_fitted(estimator, "predict", cls.__name__)
        history = history_of(estimator)
        if history is None:
            raise TypeError(
                f"{cls.__name__}: expected a NoteClassifier, which keeps a history_, or something "
                f"around one, got {type(estimator).__name__}."
            )
        return cls.from_history(history, ax=ax)

    @classmethod
    def from_history(cls, history, *, ax=None):
        """Draw a history.

        Parameters
        ----------
        history : list of dict
            A row an epoch, as `NoteClassifier.history_` is.
        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        HistoryDisplay
        """
        rows = [dict(row) for row in history]
        names = [name for name in _NAMES if rows and all(name in row for row in rows)]
        if not names:
            raise ValueError(
                f"{cls.__name__}: expected a history with at least one epoch and one of "
                f"{list(_NAMES)}, got {len(rows)} epochs."
            )
        curves = {name: np.array([float(row[name]) for row in rows]) for name in names}
        return cls(np.arange(1, len(rows) + 1), curves).plot(ax=ax)

    def plot(self, ax=None):
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        HistoryDisplay
        """
        self.figure_, self.ax_ = _, ax = place(self, ax, (6, 3.8))
        marker = "o" if len(self.epochs) == 1 else None
        for name, values in self.curves.items():
            where, colour, style = ax, BLUE, "-" if name == "train_loss" else "--"
            if name == "valid_accuracy":
                where, colour, style = ax.twinx(), ORANGE, "-"
                where.set_ylabel("accuracy", color=ORANGE)
                where.set_ylim(0, 1)
            where.plot(self.epochs, values, style, color=colour, marker=marker, label=_NAMES[name])
        clear(ax)
        ax.set(xlabel="epoch", ylabel="loss")
        ax.xaxis.get_major_locator().set_params(integer=True)
        lines = [line for axes in self.figure_.axes for line in axes.get_lines()]
        own = [line for line in lines if line.get_label() in _NAMES.values()]
        ax.legend(own, [line.get_label() for line in own], frameon=False)
        return self


_NAMES = {
    "train_loss": "loss, training notes",
    "valid_loss": "loss, validation notes",
    "valid_accuracy": "accuracy, validation notes",
}
