"""The rule: which node is answered, what is right, and the threshold that keeps a promise."""

import numpy as np
import pytest

from sknote import LabelHierarchy
from sknote.confidence._answers import AnswerRule, tempered
from sknote.confidence._hierarchies import check_hierarchy
from sknote.confidence._temperature import fit_temperature
from sknote.confidence._thresholds import choose_threshold, levels_of
from sknote.exceptions import LabelParseWarning

LABELS = ["bad-attack-air", "bad-attack-tongue", "bad-richness", "good-sound"]


def rule(threshold, labels=LABELS, hierarchy=None, limits=()):
    levels = levels_of(np.array(labels), hierarchy or LabelHierarchy(), "x")
    return AnswerRule(np.array(labels), tuple(levels), threshold, limits)


def draw(n_notes, n_groups, seed=0, sharpness=2.0):
    """Probabilities, and labels that are as they say."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n_notes, len(LABELS))) * sharpness
    proba = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    target = (proba.cumsum(axis=1) > rng.random((n_notes, 1))).argmax(axis=1)
    return proba, target, rng.integers(n_groups, size=n_notes)


@pytest.mark.parametrize(
    ("proba", "answer", "level", "confidence", "runner_up", "second"),
    [
        ([0.9, 0.04, 0.03, 0.03], "bad-attack-air", "label", 0.9, "bad-attack-tongue", 0.04),
        ([0.5, 0.4, 0.03, 0.07], "bad-attack", "aspect", 0.9, "good-sound", 0.07),
        ([0.3, 0.2, 0.35, 0.15], "bad", "quality", 0.85, "good", 0.15),
        ([0.2, 0.2, 0.2, 0.4], "unknown", "unknown", 0.4, "good-sound", 0.4),
        # the most probable label is good, and yet the note is bad
        ([0.09, 0.3, 0.29, 0.32], "unknown", "unknown", 0.32, "good-sound", 0.32),
    ],
)
def test_the_finest_node_that_is_sure_is_answered(
    proba, answer, level, confidence, runner_up, second
):
    found = rule(0.8).answer(np.array([proba]))
    assert [found[name][0] for name in ("answer", "level", "runner_up")] == [
        answer,
        level,
        runner_up,
    ]
    assert found["confidence"][0] == pytest.approx(confidence)
    assert found["runner_up_probability"][0] == pytest.approx(second)


def test_a_note_alone_is_answered_as_among_others():
    proba, *_ = draw(50, 5)
    together = rule(0.7).answer(proba)
    for row in range(50):
        alone = rule(0.7).answer(proba[row : row + 1])
        for name, values in together.items():
            assert values[row] == alone[name][0] or values[row] == pytest.approx(alone[name][0])


def test_what_is_refused_is_unknown_for_the_first_reason():
    limits = (("far", 2.0), ("chord", 0.0), ("never", np.inf))
    scores = np.array([[1, -1, 9], [3, -1, 9], [3, 1, 9], [1, 1, 9], [np.nan, np.nan, np.nan]])
    one = rule(0.5, limits=limits)
    silent = np.array([False, False, False, False, True])
    refused = one.refusals(5, scores.astype(float), silent)
    assert refused.tolist() == ["", "far", "far", "chord", "no sound"]
    found = one.answer(np.tile([0.9, 0.1, 0, 0], (5, 1)), refused)
    assert found["answer"].tolist() == ["bad-attack-air", *["unknown"] * 4]
    assert found["reason"].tolist() == ["sure", "far", "far", "chord", "no sound"]
    assert found["confidence"].tolist() == [0.9] * 5


def test_an_answer_is_right_if_it_is_the_label_or_a_node_above_it():
    answers = ["bad-attack", "bad-attack", "bad", "bad", "good-sound", "bad-richness", "unknown"]
    levels = ["aspect", "aspect", "quality", "quality", "label", "label", "unknown"]
    y = [LABELS[0], LABELS[2], LABELS[2], LABELS[3], LABELS[3], "never heard", LABELS[0]]
    found = rule(0.5).is_right(answers, levels, y)
    assert found.tolist() == [True, False, True, False, True, False, False]


def test_an_answer_says_the_less_the_more_labels_it_holds():
    answers = ["good-sound", "bad-attack", "bad", "unknown", "bad-attack-air"]
    levels = ["label", "aspect", "quality", "unknown", "label"]
    of_three = 1 - np.log(3) / np.log(4)
    np.testing.assert_allclose(rule(0.5).says(answers, levels), [1, 0.5, of_three, 0, 1])


@pytest.mark.parametrize(
    ("labels", "hierarchy", "expected"),
    [
        # every label is normal: a level that says so says nothing
        (["normal/forte", "normal/piano"], LabelHierarchy.philharmonia(), []),
        (["bad-air", "bad-attack-air", "bad-attack-tongue"], LabelHierarchy(), ["aspect"]),
        (["bad", "bad-air", "bad-pitch"], LabelHierarchy(), []),
        (LABELS, LabelHierarchy(), ["aspect", "quality"]),
    ],
)
def test_a_node_above_all_labels_is_no_level(labels, hierarchy, expected):
    one = rule(0.5, labels, hierarchy)
    assert [level.name for level in one.levels[1:]] == expected
    found = one.answer(np.full((1, len(labels)), 1 / len(labels)) - 0.1 / len(labels))
    assert found["answer"][0] in ({"bad-attack", "bad"} if expected else {"unknown"})


@pytest.mark.parametrize(
    ("labels", "hierarchy", "expected"),
    [
        (LABELS, LabelHierarchy(), {"aspect": {"bad-attack"}, "quality": {"bad"}}),
        # a label that is also above others is both
        (["bad-attack", "bad-attack-air", "good"], LabelHierarchy(), {"aspect": {"bad-attack"}}),
        (["a", "b", "c"], LabelHierarchy(), {}),
        (
            ["arco/forte", "arco/piano", "staccato/forte"],
            LabelHierarchy.philharmonia(),
            {"articulation": {"arco"}, "dynamic": {"unspecified/forte"}},
        ),
        (
            ["bad-stability-timbre", "bad-timbre-stability", "good-sound"],
            LabelHierarchy.good_sounds(),
            {"aspect": {"bad-timbre-stability"}, "quality": {"bad"}},
        ),
    ],
)
def test_nodes_hold_several_labels_and_are_named_by_their_path(labels, hierarchy, expected):
    levels = levels_of(np.array(labels), hierarchy, "x")
    assert levels[0].name == "label" and levels[0].nodes == tuple(labels)
    found = {}
    for level in levels[1:]:
        sizes = np.bincount(level.node_of)
        found[level.name] = {node for node, size in zip(level.nodes, sizes) if size > 1}
    for name, nodes in expected.items():
        assert nodes <= found[name]
    assert set(found) >= set(expected) and (expected or not found)


def test_labels_that_the_hierarchy_does_not_know():
    known = LabelHierarchy().fit(LABELS[:3])
    with pytest.raises(ValueError, match=r"x: the hierarchy does not know 1 .* 'good-sound'"):
        check_hierarchy(known, np.array(LABELS), "x")
    assert check_hierarchy(known, np.array(LABELS[:2]), "x") is known
    with pytest.raises(ValueError, match="there is a label 'unknown'"):
        levels_of(np.array(["good", "unknown"]), None, "x")


PLAYED = ["arco-normal/forte", "arco-normal/piano", "arco-tremolo/forte"]


@pytest.mark.parametrize("labels", [PLAYED, ["forte", "mezzo-forte", "mezzo-piano"]])
def test_labels_of_another_kind_are_not_cut_by_default(labels):
    with pytest.warns(
        UserWarning, match=r"x: hierarchy=None .*'(arco|mezzo)-.*philharmonia"
    ) as said:
        assert check_hierarchy(None, np.array(labels), "x") is None
    assert said[0].filename == __file__
    own = LabelHierarchy()
    assert check_hierarchy(own, np.array(labels), "x") is own  # who asks for it gets it


@pytest.mark.parametrize("labels", [["arco", "mezzo-forte"], ["loud", "soft"], [1, 2]])
def test_labels_with_nothing_above_them_have_no_hierarchy(labels):
    assert check_hierarchy(None, np.array(labels), "x") is None
    assert len(levels_of(np.array(labels), None, "x")) == 1


def test_a_hierarchy_of_other_labels_is_told():
    with pytest.warns(
        UserWarning, match=r"x: the hierarchy finds no levels .*'bad-attack-air'.* '/'"
    ):
        check_hierarchy(LabelHierarchy.philharmonia(), np.array(LABELS), "x")
    with pytest.warns(LabelParseWarning, match="no spelling rule knows .*arco-normal/forte"):
        check_hierarchy(LabelHierarchy.good_sounds(), np.array(PLAYED), "x")
    for own, labels in [(LabelHierarchy.philharmonia(), PLAYED), (LabelHierarchy(), ["a", "b"])]:
        assert check_hierarchy(own, np.array(labels), "x") is own


@pytest.mark.parametrize("min_accuracy", [0.7, 0.9, 0.97])
def test_the_threshold_keeps_the_promise_on_other_notes(min_accuracy):
    levels = rule(1).levels
    threshold = choose_threshold(levels, *draw(4000, 200), min_accuracy)
    proba, target, _ = draw(20_000, 200, seed=1)
    one = rule(threshold)
    found = one.answer(proba)
    right = one.is_right(found["answer"], found["level"], np.array(LABELS)[target])
    answered = found["level"] != "unknown"
    # the margin is half a standard error of 4000 notes, of which each is at most .008
    assert min_accuracy - 0.012 < right[answered].mean() < min_accuracy + 0.04
    assert answered.mean() > 0.2  # and it is not kept by saying little


def test_groups_that_are_wrong_as_a_whole_make_it_more_careful():
    levels = rule(1).levels
    proba, target, groups = draw(2000, 40)
    wrong = (groups % 5 == 0) & (np.random.default_rng(2).random(2000) < 0.3)
    target = np.where(wrong, (target + 1) % 4, target)
    by_note = choose_threshold(levels, proba, target, None, 0.85)
    by_group = choose_threshold(levels, proba, target, groups, 0.85)
    assert by_group > by_note


def test_nothing_is_promised_of_few_notes_or_of_wrong_ones():
    levels = rule(1).levels
    sure = np.tile([0.97, 0.01, 0.01, 0.01], (40, 1))
    assert choose_threshold(levels, sure[:10], np.zeros(10, int), None, 0.95) == np.inf
    assert choose_threshold(levels, sure, np.zeros(40, int), None, 0.95) <= 0.97
    assert choose_threshold(levels, sure, np.full(40, 3), None, 0.95) == np.inf


@pytest.mark.parametrize("beta", [0.6, 1.0, 2.5])
def test_the_temperature_is_found_and_is_that_of_scikit_learn(beta):
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.frozen import FrozenEstimator

    from sknote.confidence._temperature import _Known

    proba, target, _ = draw(8000, 10, sharpness=1.0)
    distorted = tempered(proba, 1 / beta)
    assert fit_temperature(distorted, target) == pytest.approx(beta, rel=0.15)
    rows = np.arange(len(target))
    known = CalibratedClassifierCV(
        FrozenEstimator(_Known().fit(distorted)), method="temperature", cv=[(rows, rows)],
        ensemble=True,
    ).fit(distorted, target)  # fmt: skip
    found = known.calibrated_classifiers_[0].calibrators[0].beta_
    np.testing.assert_allclose(
        tempered(distorted, found), known.predict_proba(distorted), atol=1e-12
    )


def test_the_temperature_of_two_classes_of_rare_ones_and_of_one():
    proba, *_ = draw(4000, 10, sharpness=1.0)
    two = proba[:, :2] / proba[:, :2].sum(axis=1, keepdims=True)
    label = (np.random.default_rng(0).random(4000) > two[:, 0]).astype(int)
    assert fit_temperature(tempered(two, 2.0), label) == pytest.approx(0.5, rel=0.15)
    assert np.isfinite(fit_temperature(proba[:60], np.where(np.arange(60) == 0, 3, 0)))
    assert fit_temperature(proba, np.zeros(4000, int)) == 1.0


def test_a_few_labels_that_mean_nothing_do_not_soften_the_rest():
    rng = np.random.default_rng(0)
    proba = np.tile([0.999998, 1e-6, 1e-6], (2000, 1))
    target = np.where(rng.random(2000) < 0.004, 1, 0)
    assert fit_temperature(proba, target) > 0.8
