"""What probabilities answer: the label of each note, how sure that is, and whether it is right."""

from dataclasses import dataclass

import numpy as np

from sknote.labels._checks import as_label_array, check_proba


def check_known(y_true, classes, name):
    """Refuse true labels, an array, if a model knows none of them: they are not of its data."""
    known = as_label_array(classes)
    if not np.isin(y_true, known).any():
        raise ValueError(
            f"{name}: expected true labels that the model knows, such as {str(known[0])!r}, got "
            f"none, but such as {str(y_true[0])!r}. Pass labels of the same names as in fit."
        )


@dataclass(frozen=True)
class Answered:
    """Checked answers to some notes, whose labels are known."""

    y_true: np.ndarray
    proba: np.ndarray
    classes: np.ndarray

    @classmethod
    def of(cls, y_true, proba, classes, name):
        """Check true labels and probabilities; `name` is whose they are, for messages."""
        y_true = as_label_array(y_true, f"{name}: y")
        proba, classes = check_proba(proba, classes, name)
        if len(y_true) != len(proba) or len(y_true) == 0:
            raise ValueError(
                f"{name}: expected probabilities for each of at least 1 note, got {len(y_true)} "
                f"labels and {len(proba)} rows of probabilities."
            )
        check_known(y_true, classes, name)
        total = proba.sum(axis=1, dtype=float)
        if not np.allclose(total, 1, atol=1e-3):
            row = int(np.abs(total - 1).argmax())
            raise ValueError(
                f"{name}: expected rows of probabilities that sum to 1, that of row {row} sums to "
                f"{total[row]:g}. Pass what predict_proba returns."
            )
        return cls(y_true, proba.astype(float), classes)

    @property
    def y_pred(self):
        """The most probable label of each note."""
        return self.classes[self.proba.argmax(axis=1)]

    @property
    def confidence(self):
        """Its probability."""
        return self.proba.max(axis=1)

    @property
    def right(self):
        """Whether it is the true one."""
        return self.y_pred == self.y_true
