"""Novelty: what is far from all notes, two notes at once, silence; and true notes that are not."""

import numpy as np
import pytest

from sknote import NoteClassifier, Spectrogram
from sknote.confidence._features import look, split_last
from sknote.confidence._mixtures import draw_pairs, mixed
from sknote.confidence._novelty import (
    fit_discriminant,
    fit_distance,
    fit_novelty,
    limit_of,
    out_of_fold_scores,
)
from sknote.nn.descriptors import describe_partials, has_partials
from sknote.spectral import SpectralAxes


def cloud(n=400, d=6, seed=0):
    rng = np.random.default_rng(seed)
    target = np.arange(n) % 3
    mixing = np.random.default_rng(9).normal(size=(d, d))
    return rng.normal(size=(n, d)) @ mixing + 5 * target[:, None], target


def test_the_distance_is_one_among_notes_and_large_elsewhere():
    X, target = cloud()
    distance = fit_distance(X, target)
    inside, outside = distance(cloud(seed=1)[0]), distance(X + 30 * np.eye(6)[0])
    assert 0.8 < np.sqrt(np.mean(inside**2)) < 1.2
    assert np.quantile(inside, 0.99) < outside.min()
    # between two labels is far from both
    assert distance(X[target == 0] + 2.5).mean() > inside.mean()


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_units_of_features_do_not_matter(scale):
    X, target = cloud()
    np.testing.assert_allclose(
        fit_distance(X * scale, target)(X * scale), fit_distance(X, target)(X), rtol=1e-6
    )


def test_odd_features():
    X, target = cloud(60)
    X[:, 0], X[::7, 1], X[:, 2] = 3.0, np.nan, X[:, 3]  # constant, missing, twice the same
    X[0, 4] = np.inf
    distance = fit_distance(X, target)
    assert np.isfinite(distance(X)).all()
    assert np.isfinite(distance(np.full((2, 6), np.nan))).all()
    few = fit_distance(X[:3], target[:3])
    assert np.isfinite(few(X)).all()


def test_the_limit_refuses_no_more_than_its_share_of_others():
    X, target = cloud(3000)
    folds = [(np.flatnonzero(np.arange(3000) % 5 != k), np.arange(k, 3000, 5)) for k in range(5)]
    scores = out_of_fold_scores(X, target, 6, None, None, folds)
    novelty = fit_novelty(X, target, 6)
    ((why, limit),) = novelty.limits(scores, 0.02)
    assert why == "unlike the notes of fit"
    refused = novelty(cloud(20_000, seed=3)[0])[:, 0] > limit
    assert 0.01 < refused.mean() < 0.03


@pytest.mark.parametrize(
    ("n", "share", "finite"), [(49, 0.02, True), (48, 0.02, False), (9, 0.1, True)]
)
def test_of_few_notes_nothing_is_refused(n, share, finite):
    assert np.isfinite(limit_of(np.arange(float(n)), share)) == finite
    assert np.isinf(limit_of(np.full(5, np.nan), share))


def test_the_discriminant_tells_two_kinds():
    X, _ = cloud()
    other = X + np.array([4, 0, 0, 0, 0, 0])
    score = fit_discriminant(X, other)
    assert (score(X) < 0).mean() > 0.85 and (score(other) > 0).mean() > 0.85


def test_pairs_are_of_different_groups_and_of_what_sounds():
    groups = np.arange(60) // 5
    allowed = np.arange(60) % 7 != 0
    instrument = np.array(["flute", None, "oboe"], dtype=object)[np.arange(60) % 3]
    pairs = draw_pairs(instrument, groups, allowed)
    assert (groups[pairs[:, 0]] != groups[pairs[:, 1]]).all()
    assert allowed[pairs].all()
    assert len(np.unique(pairs[:, 0])) == len(pairs) > 30
    np.testing.assert_array_equal(pairs, draw_pairs(instrument, groups, allowed))
    same = instrument[pairs[:, 0]].astype(str) == instrument[pairs[:, 1]].astype(str)
    assert same.mean() > 0.5
    assert len(draw_pairs(None, np.zeros(60), allowed)) == 0


@pytest.mark.parametrize("whole", [True, False])
def test_mixing_adds_power(whole):
    rng = np.random.default_rng(0)
    one, other = rng.uniform(-90, 0, (7, 5)), rng.uniform(-90, 0, (4, 5))
    both = mixed(one, other, whole)
    assert both.shape == (7 if whole else 4, 5)
    np.testing.assert_allclose(10 ** (both[:4] / 10), 10 ** (one[:4] / 10) + 10 ** (other / 10))
    if whole:
        np.testing.assert_allclose(both[4:], one[4:], atol=3.1)


def harmonic(hz, n_partials=12, rate=22050, seconds=0.5):
    time = np.arange(round(rate * seconds)) / rate
    return sum(np.sin(2 * np.pi * hz * k * time) / k for k in range(1, n_partials + 1))


def test_one_series_of_partials_explains_one_note_at_any_pitch_and_not_two():
    import torch

    from sknote.nn.descriptors import describe_notes

    axes = SpectralAxes()
    assert has_partials(axes) and not has_partials(SpectralAxes(scale="mel"))
    assert not has_partials(SpectralAxes(n_bins=60))

    def features(waveforms):
        S = torch.from_numpy(
            np.stack(Spectrogram().transform([w.astype(np.float32) for w in waveforms]))
        )
        lengths = torch.full((len(S),), S.shape[1])
        return describe_partials(describe_notes(S, lengths, axes)["profiles"]).numpy()

    pitches = [220.0, 261.6, 349.2, 440.0, 523.3]
    one = features([0.1 * harmonic(hz) for hz in pitches])
    two = features([0.05 * (harmonic(hz) + harmonic(hz * 1.26)) for hz in pitches])
    left = 6  # what is left of the peaks without the best series
    assert one[:, left].max() < two[:, left].min()
    assert one.shape[1] == 5 * 2 * 9 + 2 * 73 + 23 * 16


def test_what_is_seen_of_other_classifiers():
    import pandas as pd
    from scipy.sparse import csr_matrix
    from sklearn.linear_model import LogisticRegression

    last = LogisticRegression()
    table = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"], "c": [1, 2]})
    assert look(last, table).features.tolist() == [[1, 1], [2, 2]]
    for nothing in (
        csr_matrix(np.eye(3)),
        ["a.wav", "b.wav"],
        np.zeros((4, 5, 6)),
        np.zeros((3, 2000)),
    ):
        assert look(last, nothing).features is None


def test_the_last_step_is_found_wherever_it_is():
    from sklearn.frozen import FrozenEstimator
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    X, y = cloud(60)
    inner = make_pipeline(StandardScaler(), LogisticRegression())
    for model in (
        inner,
        make_pipeline(StandardScaler(), inner),
        FrozenEstimator(inner.fit(X, y)),
        GridSearchCV(inner, {"logisticregression__C": [1.0]}),
    ):
        model.fit(X, y)
        before, last = split_last(model)
        assert isinstance(last, LogisticRegression)
        np.testing.assert_allclose(last.predict_proba(before.transform(X)), model.predict_proba(X))
    before, last = split_last(NoteClassifier())
    assert before is None and isinstance(last, NoteClassifier)
