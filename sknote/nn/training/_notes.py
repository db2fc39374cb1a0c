"""Notes as a classifier trains on them: checked, in an order of their own, equal ones merged."""

import dataclasses
import hashlib

import numpy as np

from sknote._compat import check_sample_weight
from sknote._input.checks import check_groups, named
from sknote._input.mapped import read_once

__all__ = ["PreparedNotes", "prepare_notes"]


@dataclasses.dataclass
class PreparedNotes:
    """Notes to train on, in an order of their own; entry i of each field is of note i.

    Parameters
    ----------
    spectrograms : list of ndarray of shape (n_frames, n_bins)
        In dB.
    instrument : object ndarray of shape (n_notes,)
        Names, None for a missing one.
    target : ndarray of shape (n_notes,), int64
        Class indices.
    weight : ndarray of shape (n_notes,)
        Above 0.
    groups : ndarray of shape (n_notes,) or None
        What the validation part must not tear apart.
    """

    spectrograms: list
    instrument: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    groups: np.ndarray | None


def prepare_notes(items, instrument, y, classes, sample_weight, groups, silent):
    """Check notes, and bring them into an order of their own.

    Equal ones become one, with the sum of their weights; those without weight are left out, and
    those that are `silent`. What comes out does not depend on the order that the notes came in.
    Labels are among the sorted classes; weights and groups are as users give them. A ValueError
    says what is not as it should be, or that no note is left.
    """
    weight = _check_weights(sample_weight, items)
    groups = check_groups(groups, len(items), "NoteClassifier")
    target = np.searchsorted(classes, y)
    if instrument is None:
        instrument = np.full(len(items), None, dtype=object)
    merged = {}
    for row, item in enumerate(read_once(items)):
        if weight[row] > 0 and not silent[row]:
            item = np.ascontiguousarray(item)
            digest = hashlib.blake2b(item, digest_size=16).digest()
            group = None if groups is None else str(groups[row])
            key = (target[row], digest, item.shape, str(instrument[row]), str(group))
            if key in merged:
                merged[key][1] += weight[row]
            else:
                merged[key] = [row, weight[row]]
    if not merged:
        raise ValueError(
            "NoteClassifier: nothing is left to fit: sample_weight is 0 for all notes, or those "
            "that are left hold no sound."
        )
    # by content, not by target, so that a batch of a sorted y is as mixed as any other
    ordered = sorted(merged, key=lambda key: key[1:] + key[:1])
    rows = np.array([merged[key][0] for key in ordered])
    return PreparedNotes(
        spectrograms=[items[row] for row in rows],
        instrument=instrument[rows],
        target=target[rows],
        weight=np.array([merged[key][1] for key in ordered]),
        groups=None if groups is None else groups[rows],
    )


def _check_weights(sample_weight, items):
    """Check weights, as scikit-learn does; name the row of one that is none."""
    expected = "expected sample weights that are finite numbers of at least 0, got"
    with named("NoteClassifier"):
        try:
            options = {"dtype": np.float64, "ensure_non_negative": True}
            weight = check_sample_weight(sample_weight, items, **options)
        except OverflowError as error:
            raise ValueError(f"{expected} one that is too large for a float.") from error
        except ValueError as error:
            values = np.asarray(sample_weight)
            if values.shape != (len(items),) or values.dtype.kind not in "bifu":
                raise
            rows = np.flatnonzero(~(np.isfinite(values) & (values >= 0)))
            if not len(rows):
                raise
            raise ValueError(
                f"{expected} {values[rows[0]]} in row {rows[0]} ({len(rows)} such in all)."
            ) from error
        with np.errstate(over="ignore"):
            total = weight.sum(dtype=np.float32)
        if not np.isfinite(total):
            raise ValueError("the sum of sample_weight is too large, or infinite.")
    return weight
