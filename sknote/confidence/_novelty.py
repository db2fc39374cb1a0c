"""What is no note like those of `fit`: closed forms, so that any runtime can compute them."""

from dataclasses import dataclass

import numpy as np
from sklearn.covariance import ledoit_wolf

from sknote.confidence._answers import NOVEL, SEVERAL

__all__ = ["Discriminant", "NoteDistance", "Novelty", "fit_novelty", "out_of_fold_scores"]

CLIP = 10.0  # standard deviations; what is farther away is no less strange
_RIDGE = 0.02  # added to variances of standardized features: what hardly varies tells little
_OF_DISTANCE = 0.3  # of the notes that may be refused, the share that distance may refuse


@dataclass(frozen=True, eq=False)
class NoteDistance:
    """Distance from the nearest label, in standard deviations of the notes within labels.

    Features are standardized and clipped, then projected so that they vary alike in all directions;
    the distance is the root mean square of what they are apart from the nearest of the centers.
    Where there are more features, the first ones count.
    """

    mean: np.ndarray
    scale: np.ndarray
    whitening: np.ndarray  # (n_features, n_features)
    centers: np.ndarray  # (n_labels, n_features)

    def __call__(self, features):
        """Return the distance of each note, from features of shape (n_notes, n_features)."""
        white = _standard(features[:, : len(self.mean)], self.mean, self.scale) @ self.whitening
        squares = (white**2).sum(axis=1)[:, None] - 2.0 * white @ self.centers.T
        squares = (squares + (self.centers**2).sum(axis=1)).min(axis=1)
        return np.sqrt(np.maximum(squares, 0.0) / white.shape[1])


@dataclass(frozen=True, eq=False)
class Discriminant:
    """Which of two kinds a note is more like: above 0 of the other one, in their logarithmic odds.

    Features are standardized and clipped as for :class:`NoteDistance`.
    """

    mean: np.ndarray
    scale: np.ndarray
    weights: np.ndarray  # (n_features,)
    offset: float

    def __call__(self, features):
        """Return the score of each note, from features of shape (n_notes, n_features)."""
        return _standard(features, self.mean, self.scale) @ self.weights + self.offset


def fit_distance(features, target, least=0.0):
    """Learn the distance from notes: the mean of each label, and one covariance within labels.

    The covariance is shrunk, after Ledoit and Wolf, so that it can be inverted however few notes
    there are. What deviates by less than `least` is taken to deviate by that: it is rounding.
    """
    mean, scale = _moments(features, least)
    standard = _standard(features, mean, scale)
    _, target = np.unique(target, return_inverse=True)
    members = np.eye(target.max() + 1)[target]
    centers = members.T @ standard / members.sum(axis=0)[:, None]
    variances, directions = _covariance(standard - centers[target])
    whitening = directions / np.sqrt(variances)
    return NoteDistance(mean, scale, whitening, centers @ whitening)


def fit_discriminant(notes, others, least=0.0):
    """Learn to tell other sounds from notes: linear, with one covariance, shrunk as above."""
    mean, scale = _moments(notes, least)
    parts = [_standard(part, mean, scale) for part in (notes, others)]
    means = [part.mean(axis=0) for part in parts]
    within = np.concatenate([part - own for part, own in zip(parts, means)])
    variances, directions = _covariance(within)
    weights = directions @ ((directions.T @ (means[1] - means[0])) / variances)
    return Discriminant(mean, scale, weights, float(-weights @ (means[0] + means[1]) / 2.0))


def limit_of(scores, share):
    """Return the score that no more than a share of further notes like these exceeds.

    NaN stands for what is not known. It is infinity where they are too few to tell.
    """
    known = np.sort(scores[~np.isnan(scores)])
    rank = int(np.ceil((len(known) + 1) * (1.0 - share)))
    return float(known[rank - 1]) if rank <= len(known) else np.inf


def _moments(features, least):
    features = np.where(np.isfinite(features), features, np.nan)
    some = ~np.isnan(features).all(axis=0)
    mean, scale = np.zeros(features.shape[1]), np.zeros(features.shape[1])
    mean[some] = np.nanmean(features[:, some], axis=0)
    scale[some] = np.nanstd(features[:, some], axis=0)
    scale[scale < 1e-12 * (1.0 + np.abs(mean))] = 1.0
    return mean, np.maximum(scale, least)


def _standard(features, mean, scale):
    """Standardize and clip; what is not known is taken for the mean."""
    standard = (np.asarray(features, dtype=np.float64) - mean) / scale
    return np.where(np.isnan(standard), 0.0, standard.clip(-CLIP, CLIP))


def _covariance(residuals):
    """Return variances and directions of a covariance, shrunk and with a ridge."""
    covariance, _ = ledoit_wolf(residuals, assume_centered=True)
    variances, directions = np.linalg.eigh(covariance)
    return np.maximum(variances, 0.0) + _RIDGE, directions


@dataclass(frozen=True, eq=False)
class Novelty:
    """What refuses notes: how far one is from all labels, and whether it is more than one at once.

    `several` is None where that cannot be told.
    """

    distance: NoteDistance
    several: Discriminant | None

    def __call__(self, features):
        """Return the scores of each note, from features: (n_notes, n_scores)."""
        scores = [one(features) for one in (self.distance, self.several) if one is not None]
        return np.stack(scores, axis=1)

    def limits(self, scores, share):
        """Return pairs of a reason and a limit, that refuse a share of notes in all.

        `scores` are those of true notes, out of fold.
        """
        if self.several is None:
            return ((NOVEL, limit_of(scores[:, 0], share)),)
        shares = (NOVEL, _OF_DISTANCE * share), (SEVERAL, (1.0 - _OF_DISTANCE) * share)
        return tuple((why, limit_of(own, part)) for (why, part), own in zip(shares, scores.T))


def fit_novelty(features, target, n_own, both=None, least=0.0):
    """Learn from notes, and from pairs of them at once, what is neither.

    Of the distance the first `n_own` features count. `both` has the features of pairs, or is None.
    """
    distance = fit_distance(features[:, :n_own], target, least)
    return Novelty(distance, None if both is None else fit_discriminant(features, both, least))


def out_of_fold_scores(features, target, n_own, both, pairs, folds, least=0.0):
    """Return the scores of each note by what its fold was trained on; NaN where none tests it.

    `pairs` has the rows of the two notes of each of `both`.
    """
    scores = np.full((len(features), 1 if both is None else 2), np.nan)
    for train, test in folds:
        known = None if both is None else both[np.isin(pairs, train).all(axis=1)]
        if len(train) < 2 or (known is not None and len(known) < 2):
            continue
        novelty = fit_novelty(features[train], target[train], n_own, known, least)
        scores[test] = novelty(features[test])
    return scores
