import functools

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.dummy import DummyClassifier
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    classification_report,
    confusion_matrix,
    f1_score,
    make_scorer,
)
from sklearn.model_selection import cross_val_score

from sknote import LabelHierarchy
from sknote.metrics import (
    class_report,
    expected_calibration_error,
    hierarchical_f1_score,
    hierarchical_precision_recall_fscore,
    instrument_report,
    level_scores,
)

TREE = LabelHierarchy()
PHILHARMONIA = LabelHierarchy.philharmonia()


@pytest.fixture
def notes():
    rng = np.random.default_rng(3)
    labels = np.array(["good-sound", "bad-attack", "bad-attack-air", "bad-air", "good-attack"])
    y_true = rng.choice(labels, size=300)
    y_pred = np.where(rng.random(300) < 0.6, y_true, rng.choice(labels, size=300))
    return y_true, y_pred, rng.choice(["cello", "flute", "oboe"], size=300)


def test_hierarchical_scores_by_hand():
    # Nodes shared / predicted / true: 2/3/2, 1/2/3, 0/1/2 and 3/3/3.
    y_true = ["bad-attack", "bad-attack-air", "good-sound", "bad-air-out"]
    y_pred = ["bad-attack-air", "bad-richness", "bad", "bad-air-out"]
    precision, recall, fscore = hierarchical_precision_recall_fscore(y_true, y_pred, hierarchy=TREE)
    assert_allclose([precision, recall], [6 / 9, 6 / 10])
    assert_allclose(fscore, 2 * 6 / (9 + 10))
    assert_allclose(hierarchical_f1_score(y_true, y_pred, hierarchy=TREE), fscore)


def test_hierarchical_scores_of_parallel_levels_by_hand():
    # The articulation is right and the dynamic is not: 1 of 3 nodes.
    score = hierarchical_f1_score(["a/forte"], ["a/piano"], hierarchy=PHILHARMONIA)
    assert_allclose(score, 1 / 3)
    # Only the dynamic is right: as good.
    score = hierarchical_f1_score(["a/forte"], ["b/forte"], hierarchy=PHILHARMONIA)
    assert_allclose(score, 1 / 3)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_hierarchical_scores_match_sets(notes, beta, weighted):
    y_true, y_pred, _ = notes
    weight = np.random.default_rng(0).random(300) if weighted else None
    shared = predicted = true = 0.0
    for i, (t, p) in enumerate(zip(y_true, y_pred)):
        t_nodes, p_nodes = set(TREE.ancestors(t)), set(TREE.ancestors(p))
        w = weight[i] if weighted else 1.0
        shared += w * len(t_nodes & p_nodes)
        predicted += w * len(p_nodes)
        true += w * len(t_nodes)
    p, r = shared / predicted, shared / true
    expected = p, r, (1 + beta**2) * p * r / (beta**2 * p + r)
    got = hierarchical_precision_recall_fscore(
        y_true, y_pred, hierarchy=TREE, beta=beta, sample_weight=weight
    )
    assert_allclose(got, expected)


def test_flat_labels_score_as_accuracy():
    rng = np.random.default_rng(1)
    y_true, y_pred = rng.choice(["a", "b", "c"], size=(2, 100))
    got = hierarchical_precision_recall_fscore(y_true, y_pred, hierarchy=TREE)
    assert_allclose(got, accuracy_score(y_true, y_pred))


def test_hierarchical_extremes():
    y = ["bad-attack", "good"]
    assert hierarchical_precision_recall_fscore(y, y, hierarchy=TREE) == (1, 1, 1)
    assert hierarchical_precision_recall_fscore(y, y[::-1], hierarchy=TREE) == (0, 0, 0)


def test_integer_weights_equal_repeats(notes):
    y_true, y_pred, _ = notes
    weight = np.arange(300) % 3
    repeated = hierarchical_f1_score(
        np.repeat(y_true, weight), np.repeat(y_pred, weight), hierarchy=TREE
    )
    weighted = hierarchical_f1_score(y_true, y_pred, hierarchy=TREE, sample_weight=weight)
    assert_allclose(weighted, repeated)


def test_spellings_are_normalized_before_they_are_scored():
    hierarchy = LabelHierarchy.good_sounds()
    score = hierarchical_f1_score(
        ["bad-stability-timbre"], ["bad-timbre-stability"], hierarchy=hierarchy
    )
    assert score == 1


def test_works_as_a_scorer(notes):
    y_true, _, _ = notes
    scorer = make_scorer(hierarchical_f1_score, hierarchy=TREE)
    model = DummyClassifier(strategy="constant", constant="bad-attack")
    scores = cross_val_score(model, np.zeros((300, 1)), y_true, scoring=scorer, cv=3)
    assert ((scores > 0) & (scores < 1)).all()


def ece_by_loop(y_true, proba, classes, n_bins, weight):
    error = 0.0
    for b in range(n_bins):
        picked = []
        for i, row in enumerate(proba):
            if b / n_bins < row.max() <= (b + 1) / n_bins:
                picked.append(i)
        if picked:
            w = weight[picked]
            right = np.array([classes[proba[i].argmax()] == y_true[i] for i in picked])
            confidence = np.array([proba[i].max() for i in picked])
            difference = (w * right).sum() / w.sum() - (w * confidence).sum() / w.sum()
            error += w.sum() / weight.sum() * abs(difference)
    return error


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_bins", [1, 4, 10, 15])
def test_calibration_error_matches_its_definition(n_bins, weighted):
    rng = np.random.default_rng(n_bins)
    classes = np.array(["a", "b", "c", "d"])
    proba = rng.dirichlet(np.full(4, 0.4), size=300)
    proba[:4] = [[1, 0, 0, 0], [0.5, 0.5, 0, 0], [0.25] * 4, [0.75, 0.25, 0, 0]]
    y_true = rng.choice(classes, size=300)
    weight = rng.random(300) if weighted else None
    expected = ece_by_loop(
        y_true, proba, classes, n_bins, np.ones(300) if weight is None else weight
    )
    got = expected_calibration_error(y_true, proba, classes, n_bins=n_bins, sample_weight=weight)
    assert_allclose(got, expected, atol=1e-12)


def test_calibration_error_of_a_calibrated_and_of_a_sure_model():
    classes = ["a", "b"]
    proba = np.tile([0.75, 0.25], (8, 1))
    assert expected_calibration_error(["a"] * 6 + ["b"] * 2, proba, classes) == 0
    assert expected_calibration_error(["b"] * 8, np.tile([1.0, 0.0], (8, 1)), classes) == 1
    assert expected_calibration_error(["never seen"] * 8, proba, classes) == 0.75


def test_calibration_error_takes_float32(notes):
    proba = np.random.default_rng(0).dirichlet(np.ones(5), size=300)
    classes = np.unique(notes[0])
    double = expected_calibration_error(notes[0], proba, classes)
    single = expected_calibration_error(notes[0], proba.astype(np.float32), classes)
    assert_allclose(single, double, atol=1e-6)


def test_instrument_report_matches_scikit_learn(notes):
    y_true, y_pred, instrument = notes
    report = instrument_report(y_true, y_pred, instrument, hierarchy=TREE)
    assert report.index.tolist() == ["cello", "flute", "oboe"]
    for name, row in report.iterrows():
        true, pred = y_true[instrument == name], y_pred[instrument == name]
        expected = [
            len(true),
            len(set(true)),
            accuracy_score(true, pred),
            balanced_accuracy_score(true, pred),
            f1_score(true, pred, average="macro"),
            hierarchical_f1_score(true, pred, hierarchy=TREE),
        ]
        assert_allclose(row.to_numpy(), expected)
    assert report["n"].sum() == 300
    assert_allclose(report["accuracy"] @ report["n"] / 300, accuracy_score(y_true, y_pred))


def test_instrument_report_of_few_and_unnamed_notes():
    # One note, answered with a label that the instrument does not have: no warning, no NaN.
    report = instrument_report(["good", "bad"], ["bad", "bad"], ["oboe", np.nan])
    assert report.columns.tolist() == [
        "n",
        "n_classes",
        "accuracy",
        "balanced_accuracy",
        "macro_f1",
    ]
    assert report.loc["oboe"].tolist() == [1, 1, 0, 0, 0]
    assert report.loc["unknown"].tolist() == [1, 1, 1, 1, 1]
    # Balanced accuracy is over the labels that the instrument has: here over "good" only.
    report = instrument_report(["good", "good"], ["good", "bad"], ["oboe", "oboe"])
    assert report.loc["oboe", "balanced_accuracy"] == 0.5


def test_class_report_matches_scikit_learn(notes):
    y_true, y_pred, _ = notes
    report = class_report(y_true, y_pred)
    expected = classification_report(y_true, y_pred, output_dict=True)
    matrix = confusion_matrix(y_true, y_pred)
    assert report.index.tolist() == np.unique(y_true).tolist()
    for i, (name, row) in enumerate(report.iterrows()):
        assert_allclose(row["precision"], expected[name]["precision"])
        assert_allclose(row["recall"], expected[name]["recall"])
        assert_allclose(row["f1"], expected[name]["f1-score"])
        assert row["support"] == matrix[i].sum() and row["n_predicted"] == matrix[:, i].sum()
        matrix[i, i] = -1
        assert row["n_mistaken"] == matrix[i].max()
        assert row["mistaken_for"] == report.index[matrix[i].argmax()]


def test_class_report_order_and_empty_cells():
    y_true, y_pred = ["a/forte", "a/piano", "a/piano"], ["a/forte", "a/piano", "a/pianissimo"]
    report = class_report(y_true, y_pred, hierarchy=PHILHARMONIA)
    assert report.index.tolist() == ["a/pianissimo", "a/piano", "a/forte"]
    assert report.loc["a/pianissimo", ["recall", "support", "n_predicted"]].tolist() == [0, 0, 1]
    assert report["mistaken_for"].tolist() == ["", "a/pianissimo", ""]
    assert report["n_mistaken"].tolist() == [0, 1, 0]


def test_level_scores_by_hand():
    y_true = ["a/piano", "a/forte", "b/forte", "/mezzo-forte", "a/crescendo", "a/fortissimo"]
    y_pred = ["a/mezzo-piano", "b/forte", "b/forte", "/forte", "a/forte", "a/crescendo"]
    scores = level_scores(y_true, y_pred, hierarchy=PHILHARMONIA)
    assert scores.index.tolist() == ["articulation", "dynamic"]
    assert scores["n_values"].tolist() == [3, 5]
    assert_allclose(scores["accuracy"], [5 / 6, 2 / 6])
    assert_allclose(scores["path_accuracy"], [5 / 6, 1 / 6])
    # Five true dynamics have a place in the order; two of the answers are its neighbours.
    assert_allclose(scores["one_step_away"], [np.nan, 2 / 5])


def test_level_scores_match_scikit_learn(notes):
    y_true, y_pred, _ = notes
    scores = level_scores(y_true, y_pred, hierarchy=TREE)
    assert_allclose(scores.loc["specific", "path_accuracy"], accuracy_score(y_true, y_pred))
    quality_true, quality_pred = ([y.split("-")[0] for y in ys] for ys in (y_true, y_pred))
    quality = scores.loc["quality"]
    assert_allclose(quality["accuracy"], accuracy_score(quality_true, quality_pred))
    assert_allclose(quality["macro_f1"], f1_score(quality_true, quality_pred, average="macro"))
    assert quality["path_accuracy"] == quality["accuracy"]
    assert (np.diff(scores["path_accuracy"]) <= 0).all()


@pytest.mark.parametrize(
    "container",
    [
        list,
        lambda v: np.array(v, dtype=object),
        lambda v: pd.Series(v, dtype="category"),
        lambda v: pd.Series(v, dtype="string"),
        lambda v: pd.Series(v, index=np.arange(len(v)) % 7),
    ],
    ids=["list", "object", "categorical", "arrow", "odd index"],
)
def test_any_container(notes, container):
    plain, packed = notes, [container(column.tolist()) for column in notes]
    for report in (instrument_report, lambda t, p, i: class_report(t, p)):
        pd.testing.assert_frame_equal(report(*plain), report(*packed))
    pd.testing.assert_frame_equal(
        level_scores(*plain[:2], hierarchy=TREE), level_scores(*packed[:2], hierarchy=TREE)
    )
    score = hierarchical_f1_score(*packed[:2], hierarchy=TREE)
    assert score == hierarchical_f1_score(*plain[:2], hierarchy=TREE)


GOOD = ["good", "bad"]
EVEN = [[0.5, 0.5], [0.5, 0.5]]


@pytest.mark.parametrize(
    "call, error, match",
    [
        (
            lambda: hierarchical_f1_score(GOOD, ["good"], hierarchy=TREE),
            ValueError,
            "y_true has 2, y_pred has 1",
        ),
        (lambda: hierarchical_f1_score([], [], hierarchy=TREE), ValueError, "at least 1 label"),
        (lambda: hierarchical_f1_score(GOOD, GOOD, hierarchy="-"), TypeError, "Got '-' instead"),
        (
            lambda: hierarchical_f1_score(GOOD, GOOD, hierarchy=TREE, sample_weight=[1]),
            ValueError,
            "`sample_weight` must be 2 finite numbers",
        ),
        (
            lambda: hierarchical_f1_score(GOOD, GOOD, hierarchy=TREE, sample_weight=[1, np.nan]),
            ValueError,
            "`sample_weight` must be",
        ),
        (
            lambda: hierarchical_f1_score(GOOD, GOOD, hierarchy=TREE, sample_weight=[0, 0]),
            ValueError,
            "not all 0",
        ),
        (
            lambda: hierarchical_f1_score(GOOD, GOOD, hierarchy=TREE, sample_weight=[2, -1]),
            ValueError,
            "none negative",
        ),
        (lambda: class_report("good", "bad"), ValueError, "class_report: y_true: expected a list"),
        (lambda: class_report(GOOD, GOOD, hierarchy=1), TypeError, "must be a LabelHierarchy"),
        (lambda: instrument_report(GOOD, GOOD, ["oboe"]), ValueError, "instrument has 1"),
        (lambda: level_scores(GOOD, GOOD, hierarchy=None), TypeError, "level_scores: `hierarchy`"),
        (
            lambda: level_scores(
                GOOD, GOOD, hierarchy=LabelHierarchy(orders={"qality": ("bad", "good")})
            ),
            ValueError,
            "Did you mean 'quality'",
        ),
        (
            lambda: expected_calibration_error(GOOD, EVEN[:1], GOOD),
            ValueError,
            "y_true has 2 values and proba 1 rows",
        ),
        (lambda: expected_calibration_error(GOOD, EVEN, ["a"]), ValueError, "one column for each"),
        (
            lambda: expected_calibration_error(GOOD, [[0.5, 0.4]] * 2, GOOD),
            ValueError,
            "sum to 1",
        ),
        (
            lambda: expected_calibration_error(GOOD, [[2.0, -1.0]] * 2, GOOD),
            ValueError,
            "finite values of at least 0",
        ),
        (
            lambda: expected_calibration_error(GOOD, EVEN, GOOD, n_bins=0),
            ValueError,
            r"expected_calibration_error: `n_bins` must be an int in the range \[1, 10000\]. Got 0",
        ),
    ],
)
def test_bad_input_is_named(call, error, match):
    with pytest.raises(error, match=match):
        call()


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, pd.NaT])
def test_a_missing_label_is_refused_as_in_fit(missing):
    y = ["good", missing]
    kinds = (hierarchical_f1_score, level_scores), (class_report,)
    calls = [functools.partial(one, hierarchy=TREE) for one in kinds[0]] + list(kinds[1])
    calls.append(functools.partial(instrument_report, instrument=["oboe", "flute"]))
    for call in calls:
        with pytest.raises(ValueError, match="y_true contains NaN: the label of row 1 is missing"):
            call(y, GOOD)
        with pytest.raises(ValueError, match="y_pred contains NaN: the label of row 1 is missing"):
            call(GOOD, y)
    with pytest.raises(ValueError, match="classes contains NaN: the label of row 1 is missing"):
        expected_calibration_error(GOOD, EVEN, y)


def test_a_missing_instrument_is_an_unknown_one():
    found = instrument_report(GOOD, GOOD, ["oboe", None])
    assert found.index.tolist() == ["oboe", "unknown"]


@pytest.mark.parametrize("classes", [["a", "a"], ["a", "a "], [1, "1"], np.array([1.0, 1.0])])
def test_a_class_that_is_named_twice_is_refused(classes):
    message = "expected_calibration_error: expected different `classes`, got '.' 2 times"
    with pytest.raises(ValueError, match=message):
        expected_calibration_error(["a", "b"], [[0.9, 0.1]] * 2, classes)


def test_columns_that_are_named_have_the_order_of_classes():
    table = pd.DataFrame({"good": [0.9, 0.2], "bad": [0.1, 0.8]})
    assert_allclose(expected_calibration_error(GOOD, table, GOOD), 0.15)
    unnamed = table.set_axis(range(2), axis=1), table.set_axis(["p0", "p1"], axis=1)
    for other in unnamed:
        assert_allclose(expected_calibration_error(GOOD, other, GOOD), 0.15)
    with pytest.raises(ValueError, match=r"columns in the order of `classes`, .* got \['good'"):
        expected_calibration_error(GOOD, table, GOOD[::-1])


@pytest.mark.parametrize("n_bins", [None, "3", 1.5, True, 10**400, 10**9, np.nan])
def test_a_number_of_bins_is_a_count_that_is_not_absurd(n_bins):
    with pytest.raises(ValueError, match="expected_calibration_error: `n_bins` must be an int in"):
        expected_calibration_error(GOOD, EVEN, GOOD, n_bins=n_bins)


@pytest.mark.parametrize("beta", [np.nan, np.inf, -1, None, "1", 10**400, 1e300, True])
def test_a_weight_of_recall_is_a_number_that_is_not_absurd(beta):
    with pytest.raises(ValueError, match="fscore: `beta` must be a float in the range"):
        hierarchical_precision_recall_fscore(GOOD, GOOD, hierarchy=TREE, beta=beta)


def test_a_weight_of_recall_may_be_any_kind_of_number(notes):
    scores = [
        hierarchical_precision_recall_fscore(*notes[:2], hierarchy=TREE, beta=beta)[2]
        for beta in (16, np.uint8(16), np.float32(16))  # squared, 0 in uint8
    ]
    assert len(set(scores)) == 1


@pytest.mark.parametrize("weight", ["a", ["a", "b"], [10**400, 1], [None, {}]])
def test_weights_that_are_no_numbers_are_said(weight):
    with pytest.raises(ValueError, match="fscore: `sample_weight` must be 2 finite numbers"):
        hierarchical_f1_score(GOOD, GOOD, hierarchy=TREE, sample_weight=weight)


@pytest.mark.parametrize(
    ("dtype", "other"),
    [
        ("int64", "int8"),
        ("float64", "int64"),
        ("float32", "Int64"),
        ("bool", "int64"),
        ("boolean", "float64"),
        ("category", "float64"),
    ],
)
def test_equal_numbers_are_the_same_label(dtype, other):
    y_true = pd.Series([0, 1, 1, 0]).astype(dtype)
    y_pred, classes = (pd.Series(values).astype(other) for values in ([0, 1, 0, 0], [0, 1]))
    error = expected_calibration_error(y_true, [[0.8, 0.2], [0.2, 0.8]] * 2, classes)
    assert error == pytest.approx(0.8 - 0.5)
    report = class_report(y_true, y_pred)
    assert report.index.tolist() == ["0", "1"]
    assert report["recall"].tolist() == [1, 0.5]
    assert report["mistaken_for"].tolist() == ["", "0"]


def test_other_numbers_and_strings_are_other_labels():
    labels = [0.25, -3.0, 2.5e-9, 1e300, np.inf, "1.0", "1", 7]
    report = class_report(labels, labels)
    assert len(report) == len(labels)
    assert {"0.25", "-3", "2.5e-09", "inf", "1.0", "1", "7"} < set(report.index)
