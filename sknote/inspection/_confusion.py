"""HierarchicalConfusionDisplay: what is taken for what, with the levels of the labels marked."""

import itertools
import warnings

import numpy as np
from sklearn.metrics import confusion_matrix

from sknote.confidence._answers import UNKNOWN
from sknote.inspection._answered import check_known
from sknote.inspection._drawing import (
    LONGEST_NAME,
    check_fitted,
    hierarchy_for,
    hierarchy_of,
    place,
    set_names,
)
from sknote.labels._checks import as_label_array

__all__ = ["HierarchicalConfusionDisplay"]

_MOST_NUMBERS = 20  # classes, above which cells are too small for numbers
_MOST_NAMES = 60  # above which names of classes would cover each other


class HierarchicalConfusionDisplay:
    """A confusion matrix in the order of the label hierarchy, with its levels marked.

    Lines part the values of the first level, and thinner ones those of the second, so that a
    mistake within `bad-attack` looks other than one between `bad` and `good`.

    Parameters
    ----------
    confusion : ndarray of shape (n_classes, n_answers)
        Rows are true labels, columns answers: the same labels, and after them answers that name no
        label, which have no row: nodes above labels, and ``"unknown"``.
    display_labels : array-like of str of shape (n_answers,)
        Names of the columns, of which the first are those of the rows.
    boundaries : list of (int, int)
        Before which class a line is drawn, and at which level it begins, from 0.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        Around them.
    im_ : matplotlib AxesImage
        The cells.

    See Also
    --------
    sklearn.metrics.ConfusionMatrixDisplay : The same for classes without levels.

    Examples
    --------
    >>> from sknote.inspection import HierarchicalConfusionDisplay
    >>> y_true = ["bad-air", "bad-pitch", "good-sound"]
    >>> y_pred = ["bad-air", "bad-air", "good-sound"]
    >>> display = HierarchicalConfusionDisplay.from_predictions(y_true, y_pred)
    >>> display.confusion.tolist(), display.boundaries
    ([[1, 0, 0], [1, 0, 0], [0, 0, 1]], [(1, 1), (2, 0)])
    """

    def __init__(self, confusion, *, display_labels, boundaries=()):
        self.confusion = confusion
        self.display_labels = display_labels
        self.boundaries = boundaries

    @classmethod
    def from_estimator(
        cls, estimator, X, y, *, hierarchy=None, normalize=None, ax=None, **plot_params
    ):
        """Draw what a fitted classifier takes for what.

        Parameters
        ----------
        estimator : fitted classifier
            Asked by `predict`: of a :class:`~sknote.confidence.SelectiveClassifier`, nodes and
            ``"unknown"`` are answers, too.
        X : as the classifier takes it
            Notes.
        y : array-like of shape (n_notes,)
            True labels.
        hierarchy : LabelHierarchy or None, default=None
            The levels; None is the estimator's, if it has one, else ``LabelHierarchy()`` for labels
            such as ``good`` or ``bad-air``.
        normalize : {"true", "pred", "all", None}, default=None
            What cells are shares of; None shows numbers of notes.
        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a figure.
        **plot_params : dict
            For :meth:`plot`.

        Returns
        -------
        HierarchicalConfusionDisplay
        """
        check_fitted(estimator, "predict", cls.__name__)
        if hasattr(estimator, "classes_") and np.size(y):
            check_known(as_label_array(y, f"{cls.__name__}: y"), estimator.classes_, cls.__name__)
        classes = getattr(estimator, "classes_", y)
        hierarchy = hierarchy_of(estimator, classes, hierarchy, cls.__name__)
        options = {"hierarchy": hierarchy, "normalize": normalize, "ax": ax, **plot_params}
        return cls._of(y, estimator.predict(X), classes, **options)

    @classmethod
    def from_predictions(
        cls, y_true, y_pred, *, hierarchy=None, normalize=None, ax=None, **plot_params
    ):
        """Draw answers against true labels.

        Parameters
        ----------
        y_true, y_pred : array-like of shape (n_notes,)
            True labels, and answers.
        hierarchy, normalize, ax : LabelHierarchy, str, matplotlib Axes
            As in :meth:`from_estimator`.
        **plot_params : dict
            For :meth:`plot`.

        Returns
        -------
        HierarchicalConfusionDisplay
        """
        options = {"hierarchy": hierarchy, "normalize": normalize, "ax": ax, **plot_params}
        return cls._of(y_true, y_pred, None, **options)

    @classmethod
    def _of(cls, y_true, y_pred, classes, *, hierarchy, normalize, ax, **plot_params):
        """Draw answers of a model that has such classes, None where these are not known."""
        y_true, y_pred = (as_label_array(y, f"{cls.__name__}: y") for y in (y_true, y_pred))
        if len(y_true) != len(y_pred) or len(y_true) == 0:
            raise ValueError(
                f"{cls.__name__}: expected an answer for each of at least 1 note, got "
                f"{len(y_true)} labels and {len(y_pred)} answers."
            )
        levels = hierarchy_for(np.unique(y_true), hierarchy, cls.__name__)
        others = _no_labels(y_true, y_pred, classes, levels)
        labels = np.setdiff1d(np.concatenate([y_true, y_pred]), others)
        if levels is not None:
            labels, others = levels.sort(labels), levels.sort(others)
        names = [*labels.tolist(), *others.tolist()]
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="A single label was found")
            matrix = confusion_matrix(y_true, y_pred, labels=names, normalize=normalize)
        marks = [] if levels is None else _boundaries(labels, levels)
        marks += [(len(labels), 0)] if len(others) else []
        display = cls(matrix[: len(labels)], display_labels=names, boundaries=marks)
        return display.plot(ax=ax, **plot_params)

    def plot(self, ax=None, *, cmap="Blues", colorbar=True):
        """Draw the matrix.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a figure.
        cmap : str or Colormap, default="Blues"
            Colours of the cells, which are those of shares of the true label.
        colorbar : bool, default=True
            Whether to say what colours mean.

        Returns
        -------
        HierarchicalConfusionDisplay
        """
        n_classes = len(self.display_labels)
        longest = min(max(map(len, self.display_labels), default=0), LONGEST_NAME)
        side = float(np.clip(0.32 * n_classes + 1 + 0.08 * longest, 4.5, 14))
        matrix = np.asarray(self.confusion, dtype=float)
        less = (side - 1 - 0.08 * longest) * (1 - len(matrix) / n_classes)  # there are fewer rows
        self.figure_, self.ax_ = figure, ax = place(self, ax, (side + 0.8, side - less))
        total = matrix.sum(axis=1, keepdims=True)
        shares = np.divide(matrix, total, out=np.zeros_like(matrix), where=total > 0)
        self.im_ = ax.imshow(shares, cmap=cmap, vmin=0, vmax=1, interpolation="nearest")
        if n_classes <= _MOST_NUMBERS:
            self._write_numbers(shares)
        if colorbar:
            bar = figure.colorbar(self.im_, ax=ax, fraction=0.046, pad=0.03)
            bar.set_label("share of the true label")
        for at, level in self.boundaries:
            style = {"color": "#444444", "linewidth": 1.4 if level == 0 else 0.5}
            if at < len(matrix):
                ax.axhline(at - 0.5, **style)
            ax.axvline(at - 0.5, **style)
        if n_classes <= _MOST_NAMES:
            places, names = range(n_classes), self.display_labels
        else:  # the first class of each value of the first levels
            known = [[0, *(at for at, level in self.boundaries if level <= n)] for n in (1, 0)]
            places = known[0] if len(known[0]) <= _MOST_NAMES else known[1]
            names = [f"{self.display_labels[at]}, ..." for at in places]
        size = float(np.clip(220 / max(len(names), 1), 5, 9))
        set_names(ax.xaxis, places, names, rotation=90, fontsize=size)
        rows = [(at, name) for at, name in zip(places, names) if at < len(matrix)]
        set_names(ax.yaxis, *zip(*rows), fontsize=size)
        ax.set(xlabel="answer", ylabel="true label")
        return self

    def _write_numbers(self, shares):
        for row, column in zip(*np.nonzero(self.confusion)):
            value = self.confusion[row, column]
            text = f"{value:d}" if np.issubdtype(type(value), np.integer) else f"{value:.2f}"
            colour = "white" if shares[row, column] > 0.5 else "black"
            self.ax_.text(column, row, text, ha="center", va="center", color=colour, fontsize=7)


def _no_labels(y_true, y_pred, classes, levels):
    """Return the answers that name no label: by the classes, else nodes above true labels."""
    answers = np.setdiff1d(y_pred, y_true)
    if classes is not None:
        return np.setdiff1d(answers, as_label_array(classes))
    nodes = {UNKNOWN}
    for label in () if levels is None else np.unique(y_true):
        nodes.update(levels.ancestors(label))
    return answers[np.isin(answers, sorted(nodes))]


def _boundaries(labels, hierarchy):
    """Return before which label another value begins, and at which level it differs first."""
    paths = [list(hierarchy.parse(label).values()) for label in labels]
    found = []
    for at, (before, here) in enumerate(itertools.pairwise(paths), start=1):
        level = next((i for i, pair in enumerate(zip(before, here)) if pair[0] != pair[1]), None)
        if level is not None and level < len(here) - (len(here) > 2):
            found.append((at, level))
    return found
