"""What novelty is told by: descriptions of notes, or the numbers that a classifier looks at."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from sknote._input.batches import length_batches
from sknote._input.checks import unpack
from sknote._torch import torch_threads
from sknote.classifier import NoteClassifier
from sknote.confidence._mixtures import draw_pairs, mixed
from sknote.nn.descriptors import (
    count_functionals,
    count_partials,
    describe_notes,
    describe_partials,
    has_partials,
)
from sknote.spectral._lengths import pad
from sknote.spectral._silence import is_silent, silent_summaries
from sknote.spectral._sounding import crop_to_sound, without_level

__all__ = ["Seen", "count_features", "look", "note_features", "see", "split_last"]

_BATCH, _OVERHEAD = 32, 400  # notes that are described at a time, and frames that a batch costs
_LEAST = 0.03  # of features, which are in dB, in shares, or logarithms
_FEWEST = 250  # pairs of notes, that fewer would tell nothing of
_WIDEST = 1024  # features of others, of which a covariance can still be told


def split_last(fitted):
    """Return what comes before the last step of a fitted estimator, or None, and that step."""
    while hasattr(fitted, "best_estimator_") or isinstance(fitted, FrozenEstimator):
        fitted = getattr(fitted, "best_estimator_", None) or fitted.estimator
    if not isinstance(fitted, Pipeline):
        return None, fitted
    before, last = split_last(fitted[-1])
    steps = [fitted[:-1]] if len(fitted) > 1 else []
    steps += [] if before is None else [before]
    return (Pipeline([(str(i), one) for i, one in enumerate(steps)]) if steps else None), last


@dataclass(frozen=True, eq=False)
class Seen:
    """What is seen of notes besides probabilities; None for what is not known.

    Of the features, the first `n_own` count for a distance. `is_silent` tells which notes hold no
    sound. `both` has the features of `pairs` of notes at once, by their rows. What varies by less
    than `least` is rounding.
    """

    features: np.ndarray | None = None
    n_own: int = 0
    is_silent: np.ndarray | None = None
    both: np.ndarray | None = None
    pairs: np.ndarray | None = None
    least: float = 0.0


def see(fitted, X, groups=None, **how):
    """Return the last step of a fitted estimator, what it takes of X, and what is seen of that.

    Of tables silence is known if they are those of :class:`~sknote.MFCCSummary`, as it made them.
    """
    before, last = split_last(fitted)
    taken = X if before is None else before.transform(X)
    seen = look(last, taken, groups, **how)
    if seen.is_silent is None:
        known = [silent_summaries(table) for table in (X, taken)]
        seen = replace(seen, is_silent=next((one for one in known if one is not None), None))
    return last, taken, seen


def look(last, X, groups=None, *, features=True, pairs=False):
    """See what there is to see of notes, with `pairs` of some of them, of different groups.

    `last` is a fitted classifier, and X what it takes. Of a :class:`~sknote.NoteClassifier`
    features are those of :func:`note_features`; of others X, if it is a table of numbers.
    """
    if isinstance(last, NoteClassifier):
        with torch_threads(last.n_threads):
            return _look_at_notes(last, X, groups, features, pairs)
    if not features:
        return Seen()
    if hasattr(X, "select_dtypes"):
        X = X.select_dtypes("number")
    if hasattr(X, "toarray"):
        return Seen()
    try:
        table = np.asarray(X, dtype=np.float64)
    except (TypeError, ValueError):  # lists of recordings, for example
        return Seen()
    is_table = table.ndim == 2 and 1 <= table.shape[1] <= _WIDEST
    return Seen(table, table.shape[1]) if is_table else Seen()


def _look_at_notes(last, X, groups, with_features, with_pairs):
    items, instrument = unpack(last, X, ndim=2, reset=False)
    axes, silent = last.axes_, np.array([is_silent(one) for one in items], dtype=bool)
    if not with_features:
        return Seen(is_silent=silent)
    features = _describe(items, axes)
    n_own, _ = count_features(axes)
    if not with_pairs or not has_partials(axes):
        return Seen(features, n_own, silent, least=_LEAST)
    pairs = draw_pairs(instrument, np.arange(len(items)) if groups is None else groups, ~silent)
    if len(pairs) < _FEWEST:
        return Seen(features, n_own, silent, least=_LEAST)
    both = [mixed(items[i], items[j], whole=k % 2) for k, (i, j) in enumerate(pairs)]
    return Seen(features, n_own, silent, _describe(both, axes), pairs, _LEAST)


def count_features(axes):
    """Count those of a note's features that count for a distance, and all of them."""
    n_own = count_functionals(axes.n_bins)
    return n_own, n_own + (count_partials(axes.n_bins) if has_partials(axes) else 0)


def note_features(spectrogram, lengths, axes):
    """Compute features of a batch of spectrograms in dB: (batch, n_features).

    Of what sounds, without its level: the functionals of :func:`~sknote.nn.describe_notes`; and,
    on a logarithmic axis, how its partials belong together (:func:`describe_partials`).
    """
    spectrogram, lengths = crop_to_sound(spectrogram, lengths)
    description = describe_notes(without_level(spectrogram), lengths, axes)
    if not has_partials(axes):
        return description["functionals"]
    partials = describe_partials(description["profiles"])
    return torch.cat([description["functionals"], partials], dim=1)


def _describe(items, axes):
    lengths = np.array([len(one) for one in items], dtype=np.int64)
    found = {}
    for rows in length_batches(lengths, _BATCH, overhead=_OVERHEAD):
        batch = pad([items[row] for row in rows], lengths[rows], np.float32)
        with torch.inference_mode():
            features = note_features(batch, torch.from_numpy(lengths[rows]), axes)
        found.update(zip(rows.tolist(), features.double().numpy()))
    return np.stack([found[row] for row in range(len(items))])
