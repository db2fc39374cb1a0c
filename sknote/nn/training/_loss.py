"""The loss: cross-entropy, weighted by note and by class."""

import reprlib
from numbers import Real

import numpy as np
from torch import nn
from torch.nn import functional

from sknote._input.choices import did_you_mean
from sknote._interval import Interval

__all__ = ["WeightedCrossEntropy", "class_weights"]

_WEIGHTS = Interval(Real, 0, float(np.finfo(np.float32).max), closed="both")


class WeightedCrossEntropy(nn.Module):
    """Cross-entropy of logits, weighted by note and by class, shape (n_classes,) or None.

    The target's share `label_smoothing` is spread over all classes.
    """

    def __init__(self, class_weight=None, label_smoothing=0.0):
        super().__init__()
        self.register_buffer("class_weight", class_weight)
        self.label_smoothing = label_smoothing

    def forward(self, logits, target_and_weight):
        target, weight = target_and_weight
        if self.class_weight is not None:
            weight = weight * self.class_weight[target]
        if logits.ndim == 3:  # the members of an ensemble, each trained on its own
            n_members = logits.shape[1]
            logits = logits.flatten(0, 1)
            target, weight = (x.repeat_interleave(n_members) for x in (target, weight))
        loss = functional.cross_entropy(
            logits, target, reduction="none", label_smoothing=self.label_smoothing
        )
        return (loss * weight).mean()


def class_weights(class_weight, classes, notes):
    """Work out the weight of each class in the loss, shape (n_classes,), or None.

    `class_weight` is that of :class:`~sknote.NoteClassifier`; a dict that names labels that there
    are not, and leaves out some that there are, is a ValueError, and so is a weight that is no
    finite number of at least 0, or nothing but 0.
    """
    if class_weight is None:
        return None
    if class_weight == "balanced":
        count = np.bincount(notes.target, notes.weight, minlength=len(classes))
        return count.sum() / (np.count_nonzero(count) * np.where(count > 0, count, np.inf))
    known = classes.tolist()
    unknown = [label for label in class_weight if label not in known]
    missing = [label for label in known if label not in class_weight]
    if unknown and missing:  # either alone is no mistake: in a fold a class may be absent
        raise ValueError(
            f"NoteClassifier: class_weight names the labels {unknown}, which are not in y, "
            f"and does not name {missing}, which are.{did_you_mean(unknown[0], missing)}"
        )
    for label, weight in class_weight.items():
        if not _WEIGHTS.is_satisfied_by(weight):
            raise ValueError(
                "NoteClassifier: expected class weights that are finite numbers of at least 0, in "
                f"float32, got {reprlib.repr(weight)} for the label {label!r}. Pass 'balanced', or "
                "a dict of such numbers."
            )
    weights = np.array([float(class_weight.get(label, 1.0)) for label in known])
    if not weights.any():
        raise ValueError(
            "NoteClassifier: class_weight is 0 for all labels in y; nothing is left to fit."
        )
    return weights
