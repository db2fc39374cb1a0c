import numpy as np
import pytest
from sklearn.metrics import f1_score, log_loss

from benchmarks.metrics import one_step_share, repeated_errors, score, tables
from sknote import LabelHierarchy

HIERARCHY = LabelHierarchy.philharmonia()
CLASSES = np.array(["long/forte", "long/mezzo-forte", "long/piano", "short/forte"])
Y_TRUE = CLASSES[[0, 0, 1, 2, 0]]
PREDICTED = [0, 1, 1, 0, 1]
GROUPS = np.array(["a", "a", "a", "b", "b"])


def certain(columns, confidence=0.7):
    proba = np.full((len(columns), len(CLASSES)), (1 - confidence) / (len(CLASSES) - 1))
    proba[np.arange(len(columns)), columns] = confidence
    return proba.astype(np.float32)


def test_scores_by_hand():
    scores = score(Y_TRUE, certain(PREDICTED), CLASSES, HIERARCHY, GROUPS)
    assert scores["accuracy"] == pytest.approx(2 / 5)
    # recalls: forte 1/3, mezzo-forte 1, piano 0; no note is short/forte
    assert scores["balanced_accuracy"] == pytest.approx((1 / 3 + 1 + 0) / 3)
    # F1: forte 2/(2+1+2), mezzo-forte 2/(2+2), piano 0; short/forte is nowhere: left out
    assert scores["macro_f1"] == pytest.approx((2 / 5 + 2 / 4 + 0) / 3)
    expected = -np.mean(np.log([0.7, 0.1, 0.7, 0.1, 0.1]))
    assert scores["log_loss"] == pytest.approx(expected, rel=1e-5)
    assert scores["calibration_error"] == pytest.approx(0.7 - 0.4, abs=1e-6)
    assert scores["articulation_accuracy"] == 1.0
    assert scores["dynamic_accuracy"] == pytest.approx(2 / 5)


def test_a_class_that_is_only_predicted_lowers_macro_f1():
    scores = score(Y_TRUE, certain([0, 1, 1, 0, 3]), CLASSES, HIERARCHY, GROUPS)
    # now over four classes, as scikit-learn does with the union of true and predicted labels
    y_pred = CLASSES[[0, 1, 1, 0, 3]]
    assert scores["macro_f1"] == pytest.approx(f1_score(Y_TRUE, y_pred, average="macro"))


def test_a_probability_of_zero_for_the_truth_is_finite():
    proba = np.eye(4, dtype=np.float32)[[1]]
    scores = score(CLASSES[[0]], proba, CLASSES, HIERARCHY, GROUPS[:1])
    assert scores["log_loss"] == pytest.approx(-np.log(np.finfo(np.float32).eps), rel=1e-3)
    assert scores["log_loss"] == log_loss(CLASSES[[0]], proba, labels=CLASSES)


@pytest.mark.parametrize(
    ("true", "answer", "share"),
    [
        ("long/forte", "long/mezzo-forte", 1.0),  # the next dynamic
        ("long/forte", "long/fortissimo", 1.0),
        ("long/forte", "long/piano", 0.0),  # two steps and more
        ("long/forte", "short/mezzo-forte", 0.0),  # the articulation is wrong as well
        ("long/forte", "long/cresc-decresc", 0.0),  # has no place in the order
        ("long/forte", "short/forte", 0.0),
        ("long/forte", "long/forte", 0.0),  # no error at all
    ],
)
def test_near_misses_of_one_answer(true, answer, share):
    got = one_step_share(np.array([true]), np.array([answer]), HIERARCHY)
    assert got == {"dynamic": share}


def test_near_misses_are_a_share_of_the_errors():
    # wrong: forte for mezzo-forte twice (near), piano for forte once (far)
    assert one_step_share(Y_TRUE, CLASSES[PREDICTED], HIERARCHY) == {
        "dynamic": pytest.approx(2 / 3)
    }


def test_hierarchies_without_an_order_have_no_near_misses():
    assert one_step_share(np.array(["a-b"]), np.array(["a-c"]), LabelHierarchy()) == {}


def test_the_second_answer_counts_where_the_first_is_wrong():
    proba = np.array([[0.5, 0.3, 0.2, 0.0], [0.2, 0.3, 0.5, 0.0], [0.1, 0.2, 0.3, 0.4]])
    scores = score(CLASSES[[1, 0, 3]], proba, CLASSES, HIERARCHY, GROUPS[:3])
    assert scores["accuracy"] == pytest.approx(1 / 3)
    assert scores["top_2_accuracy"] == pytest.approx(2 / 3)


def test_errors_repeat_within_a_group_and_a_label():
    groups = np.array(["a", "a", "a", "a", "b", "b"])
    y_true = np.array(["x", "x", "x", "y", "x", "x"])
    # of a and x two of three are wrong: of four pairs that begin with an error two end with one;
    # a and y is a single note; of b and x one of two is wrong: one pair, that ends with none
    y_pred = np.array(["y", "y", "x", "x", "y", "x"])
    assert repeated_errors(y_true, y_pred, groups) == pytest.approx(2 / 5)
    pairs = [
        (y_pred[i] != y_true[i], y_pred[j] != y_true[j])
        for i in range(6)
        for j in range(6)
        if i != j and groups[i] == groups[j] and y_true[i] == y_true[j]
    ]
    expected = np.mean([second for first, second in pairs if first])
    assert repeated_errors(y_true, y_pred, groups) == pytest.approx(expected)


def test_without_errors_in_pairs_none_can_repeat():
    assert np.isnan(repeated_errors(Y_TRUE, Y_TRUE, GROUPS))
    assert np.isnan(repeated_errors(Y_TRUE[3:4], Y_TRUE[:1], GROUPS[:1]))


def test_tables_hold_every_class_instrument_and_level():
    instrument = np.array(["flute", "flute", "oboe", "oboe", "oboe"])
    found = tables(Y_TRUE, CLASSES[PREDICTED], instrument, HIERARCHY)
    assert set(found["classes"]) == set(CLASSES[:3])
    assert found["instruments"]["flute"]["accuracy"] == 0.5
    assert found["levels"]["dynamic"]["accuracy"] == pytest.approx(2 / 5)
