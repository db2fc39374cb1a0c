"""The notes of a passage have one gain: what that tells of each, and what must not matter."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from toys import model

from sknote import AudioLoader, NoteClassifier, PassageClassifier, Spectrogram
from sknote.exceptions import AudioDecodeWarning

N_BINS = 12
LABELS = np.array(["loud", "middle", "soft"])


def notes(n_notes, seed, spread=0.6):
    """Notes that are brighter the louder they are, more or less; levels lie 8 dB apart."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 3, n_notes)
    tilt = kind + spread * rng.standard_normal(n_notes)
    level = -24 - 8 * kind + rng.standard_normal(n_notes)
    items = []
    for i in range(n_notes):
        values = -2 * (tilt[i] + 1) * np.arange(N_BINS) + rng.standard_normal((6 + i % 5, N_BINS))
        items.append((values - values.max() + level[i]).astype(np.float32))
    return items, LABELS[kind]


def amplify(items, gains):
    return [item + np.float32(gain) for item, gain in zip(items, gains)]


def small(**params):
    params = {"max_epochs": 8} | params
    return PassageClassifier(model(**params), model(**params, level="relative"))


@pytest.fixture(scope="module")
def fitted():
    return small().fit(*notes(240, 0))


@pytest.fixture(scope="module")
def asked():
    """Notes, labels, passages of 8, and a gain of each passage."""
    items, y = notes(96, 1)
    passages = np.arange(96) // 8
    return items, y, passages, np.random.default_rng(2).uniform(-12, 12, 12)[passages]


def test_several_notes_tell_what_a_single_one_cannot(fitted, asked):
    items, y, passages, gains = asked
    heard = amplify(items, gains)
    together = np.mean(fitted.predict(heard, passages) == y)
    alone = np.mean(fitted.predict(heard) == y)
    one_by_one = np.mean(fitted.estimator_.predict(heard) == y)
    known = np.mean(fitted.estimator_.predict(items) == y)
    assert together > alone + 0.05
    assert together > one_by_one + 0.15
    assert together > known - 0.06


@pytest.mark.parametrize("gain", [-30.0, 0.01, 25.0])
def test_a_gain_of_all_notes_of_a_passage_changes_nothing(fitted, asked, gain):
    items, _, passages, gains = asked
    expected = fitted.predict_proba(items, passages)
    for moved in (np.full(len(items), gain), gains + gain):
        found = fitted.predict_proba(amplify(items, moved), passages)
        np.testing.assert_allclose(found, expected, atol=1e-3)
    alone = fitted.predict_proba(amplify(items, gains))
    np.testing.assert_allclose(alone, fitted.predict_proba(items), atol=1e-3)
    # a gain of one note alone is heard
    single = np.where(np.arange(len(items)) == 3, 9.0, 0.0)
    assert np.abs(fitted.predict_proba(amplify(items, single), passages) - expected).max() > 0.05


def test_order_and_names_of_passages_mean_nothing(fitted, asked):
    items, _, passages, _ = asked
    expected = fitted.predict_proba(items, passages)
    order = np.random.default_rng(0).permutation(len(items))
    shuffled = fitted.predict_proba([items[row] for row in order], passages[order])
    np.testing.assert_allclose(shuffled, expected[order], atol=1e-5)
    names = [f"{chr(ord('z') - p)}" for p in passages]
    for other in (names, pd.Series(names, index=order), passages * -2.0):
        np.testing.assert_allclose(fitted.predict_proba(items, other), expected, atol=1e-5)
    own = np.flatnonzero(passages == 4)
    part = fitted.predict_proba([items[row] for row in own], np.zeros(len(own)))
    np.testing.assert_allclose(part, expected[own], atol=1e-5)


def test_without_passages_each_note_is_one_of_its_own(fitted, asked):
    items, _, passages, _ = asked
    expected = fitted.predict_proba(items)
    np.testing.assert_array_equal(fitted.predict_proba(items, np.arange(len(items))), expected)
    single = np.concatenate([fitted.predict_proba([item]) for item in items[:5]])
    np.testing.assert_allclose(single, expected[:5], atol=1e-5)
    assert np.abs(fitted.predict_proba(items, passages) - expected).max() > 0.1


def test_spectrograms_that_cannot_be_written_to_are_heard(fitted, asked):
    items, _, passages, _ = asked
    kept = [item.copy() for item in items]
    for item in kept:
        item.flags.writeable = False
    answers = fitted.predict_proba(kept, passages)  # without a warning, which would be an error
    np.testing.assert_array_equal(answers, fitted.predict_proba(items, passages))


def test_probabilities_and_labels_agree(fitted, asked):
    items, _, passages, _ = asked
    proba = fitted.predict_proba(items, passages)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)
    assert list(fitted.classes_) == list(LABELS)
    np.testing.assert_array_equal(
        fitted.predict(items, passages), fitted.classes_[proba.argmax(axis=1)]
    )


def test_a_score_knows_passages_too(fitted, asked):
    items, y, passages, _ = asked
    for more in ({}, {"passages": passages}):
        right = fitted.predict(items, **more) == y
        assert fitted.score(items, y, **more) == right.mean()
        weight = np.arange(len(items))
        found = fitted.score(items, y, sample_weight=weight, **more)
        assert found == pytest.approx(np.average(right, weights=weight))
    assert fitted.score(items, y, passages=passages) != fitted.score(items, y)


def test_a_column_says_what_belongs_together(fitted, asked):
    items, y, passages, _ = asked
    frame = pd.DataFrame({"audio": pd.Series(items, dtype=object), "passage": passages})
    learned = small().fit(frame, y)
    expected = learned.predict_proba(items, passages)
    np.testing.assert_array_equal(learned.predict_proba(frame), expected)
    without = small().fit(frame[["audio"]], y)
    np.testing.assert_array_equal(without.predict_proba(frame), expected)
    np.testing.assert_array_equal(
        learned.predict_proba(frame, passages=np.arange(len(items))), learned.predict_proba(items)
    )
    found = cross_val_predict(
        small(max_epochs=1), frame, y, groups=passages, cv=GroupKFold(2), method="predict_proba"
    )
    assert found.shape == (96, 3)


def test_it_is_the_last_step_of_a_pipeline_for_recordings():
    rng = np.random.default_rng(0)
    waves = [0.1 * rng.standard_normal(2000 + i).astype(np.float32) for i in range(12)]
    frame = pd.DataFrame({"audio": pd.Series(waves, dtype=object), "instrument": "flute"})
    pipeline = make_pipeline(AudioLoader(), Spectrogram(), small(max_epochs=1))
    pipeline.fit(frame, np.arange(12) % 2)
    passages = np.arange(12) // 6
    expected = pipeline.predict_proba(frame, passages=passages)
    assert pipeline[-1].estimator_.instruments_ == ["flute"]
    louder = frame.assign(audio=[wave * (2 + p) for wave, p in zip(waves, passages)])
    found = pipeline.predict_proba(louder, passages=passages)
    np.testing.assert_allclose(found, expected, atol=1e-3)
    with config_context(enable_metadata_routing=True):
        pipeline[-1].set_predict_proba_request(passages=True)
        found = pipeline.predict_proba(frame, passages=passages)
        pipeline[-1].set_score_request(passages=True)
        right = pipeline[-1].classes_[expected.argmax(axis=1)] == np.arange(12) % 2
        assert pipeline.score(frame, np.arange(12) % 2, passages=passages) == right.mean()
    np.testing.assert_array_equal(found, expected)


def test_it_can_be_cloned_pickled_and_set(fitted, asked):
    items, _, passages, _ = asked
    again = pickle.loads(pickle.dumps(fitted))
    expected = fitted.predict_proba(items, passages)
    np.testing.assert_array_equal(again.predict_proba(items, passages), expected)
    copy = clone(fitted).set_params(estimator__max_epochs=3, level_step=5.0)
    assert copy.estimator.max_epochs == 3
    assert copy.get_params()["level_step"] == 5.0
    assert fitted.estimator.max_epochs == 8
    assert not hasattr(copy, "estimator_")
    own = PassageClassifier(model(max_epochs=1), model(max_epochs=2, level="relative"))
    own.fit(*notes(30, 0))
    assert [len(one.history_) for one in (own.estimator_, own.level_estimator_)] == [1, 2]
    assert not hasattr(own.estimator, "net_")


def test_notes_without_sound_say_nothing_of_the_gain(fitted, asked):
    items, _, passages, _ = asked
    with_silence = [*items, np.full((9, N_BINS), -100.0, np.float32)]
    of_which = [*passages, 0]
    with pytest.warns(AudioDecodeWarning, match="row 96") as caught:
        found = fitted.predict_proba(with_silence, of_which)
    assert len([one for one in caught if issubclass(one.category, AudioDecodeWarning)]) == 1
    np.testing.assert_allclose(found[:-1], fitted.predict_proba(items, passages), atol=1e-5)
    prior = fitted.estimator_.class_count_ / fitted.estimator_.class_count_.sum()
    np.testing.assert_allclose(found[-1], prior, atol=1e-5)


def test_notes_without_sound_are_left_out_of_the_levels():
    items, y = notes(30, 0)
    silence = np.full((9, N_BINS), -100.0, np.float32)
    with pytest.warns(AudioDecodeWarning, match="row 30"):
        found = small(max_epochs=1).fit([*items, silence], [*y, y[0]])
    expected = small(max_epochs=1).fit(items, y)
    np.testing.assert_array_equal(found.levels_, expected.levels_)
    np.testing.assert_array_equal(found.predict_proba(items), expected.predict_proba(items))


def test_notes_of_one_level_are_taken_as_they_are():
    items, y = notes(40, 0)
    items = [item - item.max() - 20 for item in items]
    fitted = small(max_epochs=1).set_params(level_step=50.0).fit(items, y)
    assert fitted.level_estimator_ is None
    found = fitted.predict_proba(items, np.zeros(40))
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    louder = fitted.predict_proba(amplify(items, [7.0] * 40), np.zeros(40))
    np.testing.assert_allclose(louder, found, atol=1e-3)


def test_a_weight_is_a_repetition_and_none_of_it_an_absence():
    items, y = notes(30, 0)
    weight = np.arange(30) % 3
    rows = np.repeat(np.arange(30), weight)
    weighted = small(max_epochs=1).fit(items, y, sample_weight=weight)
    repeated = small(max_epochs=1).fit([items[row] for row in rows], y[rows])
    np.testing.assert_array_equal(weighted.levels_, repeated.levels_)
    found = weighted.predict_proba(items, np.zeros(30))
    np.testing.assert_allclose(found, repeated.predict_proba(items, np.zeros(30)), atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"estimator": model(level="relative")}, "estimator with level='absolute'"),
        ({"level_estimator": NoteClassifier()}, "level_estimator with level='relative'"),
        ({"level_step": 0.0}, "level_step"),
        ({"level_step": 1e-9}, r"level_step.*range \[0.1, 60.0\]"),
        ({"level_step": 1e9}, r"level_step.*range \[0.1, 60.0\]"),
        ({"level_step": float("inf")}, "level_step"),
        ({"estimator": "compact"}, "estimator"),
    ],
)
def test_parameters_are_checked_before_anything_is_trained(change, message):
    with pytest.raises(ValueError, match=message):
        small().set_params(**change).fit(*notes(20, 0))


@pytest.mark.parametrize(
    ("passages", "message"),
    [
        ([1, 2], "values in passages"),
        ([None] * 96, "passage of row 0 is missing"),
        ([[1, 2]] * 96, "one passage"),
    ],
)
def test_passages_are_checked(fitted, asked, passages, message):
    with pytest.raises(ValueError, match=f"PassageClassifier.*{message}"):
        fitted.predict(asked[0], passages)
