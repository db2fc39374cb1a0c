"""What NoteClassifier makes of notes: weights, statistics, instruments, equal notes."""

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GroupKFold, cross_validate
from toys import FRAMES, LABELS, Held, model, toy


@pytest.fixture(scope="module")
def data():
    return toy()


def test_weights_of_one_are_none(data):
    weighted = model(max_epochs=2).fit(*data, sample_weight=np.ones(60)).predict_proba(data[0])
    np.testing.assert_array_equal(weighted, model(max_epochs=2).fit(*data).predict_proba(data[0]))


def test_a_common_factor_of_all_weights_means_nothing(data):
    first = model(max_epochs=2).fit(*data, sample_weight=np.full(60, 7.0)).predict_proba(data[0])
    np.testing.assert_allclose(
        first, model(max_epochs=2).fit(*data).predict_proba(data[0]), atol=1e-6
    )


def test_whole_weights_are_repetitions(data):
    X, y = data
    weight = np.random.default_rng(0).integers(0, 4, len(X))
    rows = np.repeat(np.arange(len(X)), weight)
    weighted = model().fit(X, y, sample_weight=weight)
    repeated = model().fit([X[i] for i in rows], y[rows])
    np.testing.assert_allclose(weighted.mean_["profiles"], repeated.mean_["profiles"])
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), atol=1e-6)


def test_weights_matter():
    X, _ = toy(40)
    y = np.array(["a", "b"] * 20)  # noise
    lean = model().fit(X, y, sample_weight=np.where(y == "a", 1.0, 0.05))
    assert lean.predict_proba(X)[:, 0].mean() > 0.65


def test_frame_statistics_in_closed_form(data):
    X, y = data
    weight = np.random.default_rng(0).uniform(0.5, 2, len(X))
    classifier = model(**FRAMES, max_epochs=1).fit(X, y, sample_weight=weight)
    frames = np.concatenate(X).astype(np.float64)
    each = np.repeat(weight, [len(x) for x in X])
    mean = np.average(frames, axis=0, weights=each)
    np.testing.assert_allclose(classifier.mean_["spectrogram"], mean, rtol=1e-9)
    deviation = np.sqrt(np.average((frames - mean) ** 2, axis=0, weights=each))
    np.testing.assert_allclose(classifier.scale_["spectrogram"], deviation, rtol=1e-9)


def test_a_constant_band_is_no_division_by_zero(data):
    X = [np.concatenate([x, np.full((len(x), 1), -80, np.float32)], axis=1) for x in data[0]]
    classifier = model(**FRAMES, max_epochs=1).fit(X, data[1])
    assert classifier.scale_["spectrogram"][-1] == 1.0
    assert np.isfinite(classifier.predict_proba(X)).all()


def test_balanced_weights_with_a_class_of_one_member(data):
    X, y = data[0], data[1].astype("U20")
    y[0] = "rare"
    count = {label: (y == label).sum() for label in np.unique(y)}
    closed_form = {label: 60 / (4 * n) for label, n in count.items()}
    balanced = model(class_weight="balanced").fit(X, y).predict_proba(X)
    given = model(class_weight=closed_form).fit(X, y).predict_proba(X)
    np.testing.assert_allclose(balanced, given, atol=1e-6)
    assert np.abs(balanced - model().fit(X, y).predict_proba(X)).max() > 1e-2


def test_class_weight_of_an_unknown_label_is_named(data):
    with pytest.raises(ValueError, match=r"class_weight names the labels \['tuba'\], .* not name"):
        model(class_weight={"tuba": 1.0}).fit(*data)


@pytest.mark.parametrize(
    "weight", [-1.0, -1, np.nan, np.inf, "2", None, [1.0], np.float32(-0.5), 1e300, 10**400]
)
def test_a_class_weight_is_a_number_of_at_least_0(data, weight):
    weights = dict.fromkeys(np.unique(data[1]).tolist(), 1.0)
    for label in weights:
        match = r"NoteClassifier: expected class weights that are finite numbers .* got .* for the"
        with pytest.raises(ValueError, match=match) as caught:
            model(class_weight=weights | {label: weight}).fit(*data)
        assert repr(label) in str(caught.value)
    with pytest.raises(ValueError, match="finite numbers"):
        model(class_weight=weights | {"of another fold": weight}).fit(*data)


def test_class_weights_of_nothing_but_0_are_refused(data):
    weights = dict.fromkeys(np.unique(data[1]).tolist(), 0)
    with pytest.raises(ValueError, match="class_weight is 0 for all labels"):
        model(class_weight=weights).fit(*data)
    some = weights | {next(iter(weights)): np.int64(2)}
    assert model(class_weight=some, max_epochs=1).fit(*data).predict(data[0]).shape


def test_a_misspelt_class_in_class_weight_is_guessed(data):
    first, *others = np.unique(data[1]).tolist()
    weights = dict.fromkeys([first.upper(), *others], 1.0)
    with pytest.raises(
        ValueError, match=r"class_weight names the labels .* Did you mean"
    ) as caught:
        model(class_weight=weights).fit(*data)
    assert repr(first) in str(caught.value)


def test_class_weights_may_know_classes_that_a_fold_has_not(data):
    weights = dict.fromkeys(LABELS, 2.0) | {"tuba": 9.0}
    proba = model(class_weight=weights).fit(*data).predict_proba(data[0])
    del weights["tuba"]
    np.testing.assert_array_equal(
        proba, model(class_weight=weights).fit(*data).predict_proba(data[0])
    )


def test_a_second_fit_is_checked_as_the_first(data):
    classifier, weight = model(), data[1] == LABELS[0]
    for _ in range(2):
        with pytest.raises(ValueError, match="at least 2 classes with a weight above 0"):
            classifier.fit(*data, sample_weight=weight)
        classifier.fit(*data)


def instruments(n_notes=80, seed=0):
    """Sounds that tell nothing: the instrument alone tells the label."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"audio": list(rng.standard_normal((n_notes, 20, 8)).astype(np.float32))})
    X["instrument"] = ["oboe", "bass"] * (n_notes // 2)
    return X, np.array(["good", "bad"] * (n_notes // 2))


@pytest.fixture(scope="module")
def by_instrument():
    classifier = model(max_epochs=15, lr=0.02, batch_size=16, instrument_dropout=0.2)
    return classifier.fit(*instruments())


def test_the_instrument_is_heard(by_instrument):
    assert by_instrument.instruments_ == ["bass", "oboe"]
    assert by_instrument.score(*instruments(seed=1)) > 0.95


@pytest.mark.parametrize("unknown", ["tuba", None, np.nan, pd.NA, "sitar"])
def test_an_unknown_instrument_is_a_learned_one(by_instrument, unknown):
    X, _ = instruments(seed=1)
    proba = by_instrument.predict_proba(X.assign(instrument=unknown))
    np.testing.assert_allclose(proba, by_instrument.predict_proba(list(X["audio"])), atol=1e-6)
    sure = by_instrument.predict_proba(X).max(axis=1).mean()
    assert proba.max(axis=1).mean() < sure - 0.1  # it cannot be as sure as with the instrument


@pytest.mark.parametrize("dtype", ["str", "string", object, "category"])
def test_instruments_in_every_dress(by_instrument, dtype):
    X, _ = instruments(seed=1)
    expected = by_instrument.predict_proba(X)
    dressed = X.assign(instrument=X["instrument"].astype(dtype))
    np.testing.assert_array_equal(by_instrument.predict_proba(dressed), expected)


def test_instruments_missing_in_fit():
    X, y = instruments()
    X.loc[::3, "instrument"] = None
    classifier = model(max_epochs=1).fit(X, y)
    assert classifier.instruments_ == ["bass", "oboe"]
    classifier = model(max_epochs=1).fit(X.assign(instrument=np.nan), y)
    assert classifier.instruments_ == []
    assert np.isfinite(classifier.predict_proba(X)).all()


def test_equal_notes_are_one(data):
    """100 copies cost no more than one, and mean the same."""
    X, y = [data[0][0], data[0][1]] * 100, np.array(["a", "b"] * 100)
    held = Held()
    classifier = model(callbacks=[held], max_epochs=2).fit(X, y)
    assert len(held.train) == 2
    expected = model(max_epochs=2).fit(X[:2], y[:2]).predict_proba(X[:2])
    np.testing.assert_allclose(classifier.predict_proba(X[:2]), expected, atol=1e-6)


def test_equal_notes_with_other_labels_groups_or_instruments_are_not_one(data):
    X = pd.DataFrame({"audio": [data[0][0]] * 6, "instrument": ["a", "b", None] * 2})
    held = Held()
    model(callbacks=[held], max_epochs=1).fit(X, list("xxxyyy"))
    assert len(held.train) == 6
    model(callbacks=[held], max_epochs=1).fit([data[0][0]] * 6, list("xxyyyy"), groups=[1, 2] * 3)
    assert len(held.train) == 4


@pytest.mark.parametrize("bad", [-1.0, float("nan"), float("inf")])
def test_a_weight_that_is_none_is_named(data, bad):
    weight = np.ones(60)
    weight[[3, 7]] = bad
    with pytest.raises(ValueError, match=rf"NoteClassifier: .* got {bad} in row 3 \(2 such"):
        model(max_epochs=1).fit(*data, sample_weight=weight)


def test_an_instrument_that_fit_never_heard_is_told_once(by_instrument):
    X, _ = instruments(seed=1)
    with pytest.warns(UserWarning) as said:
        by_instrument.predict(X.assign(instrument="kazoo"))
    assert [one.filename for one in said] == [__file__]
    assert "NoteClassifier: fit never heard the instrument 'kazoo'" in str(said[0].message)
    assert "It knows 'bass', 'oboe'." in str(said[0].message)
    with pytest.warns(UserWarning, match="the instruments 'gong', 'zither', which count as"):
        by_instrument.predict(X.assign(instrument=["gong", "zither"] * 40))
    by_instrument.predict(X.assign(instrument="kazoo"))  # warnings are errors: told already
    by_instrument.predict(X.assign(instrument=None))
    by_instrument.predict(list(X["audio"]))


def test_instruments_that_folds_leave_out_are_not_told():
    X, y = instruments()
    X["instrument"] = np.repeat(["bassoon", "lute", "sax", "tabla"], 20)
    groups = X["instrument"]
    cross_validate(model(max_epochs=1), X, y, cv=GroupKFold(2), groups=groups, error_score="raise")
