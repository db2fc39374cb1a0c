import functools

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats
from sklearn.datasets import make_classification
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, log_loss
from sklearn.model_selection import KFold, cross_validate

from sknote import LabelHierarchy
from sknote.metrics import compare_models, hierarchical_f1_score

RNG = np.random.default_rng(0)
SCORES = {"old": RNG.normal(0.8, 0.03, 6), "new": RNG.normal(0.82, 0.03, 6)}
SIZES = {"n_train": 400, "n_test": 100}


def row_of(table):
    return table.iloc[0][["difference", "low", "high", "p_value"]].astype(float).to_numpy()


# --- folds --------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_without_test_notes_it_is_the_paired_t_test(level):
    found = compare_models(SCORES, n_train=1e18, n_test=1, confidence_level=level)
    expected = stats.ttest_rel(SCORES["new"], SCORES["old"])
    interval = expected.confidence_interval(level)
    mean = np.mean(SCORES["new"] - SCORES["old"])
    assert_allclose(row_of(found), [mean, interval.low, interval.high, expected.pvalue])


@pytest.mark.parametrize("n_test", [100, [80, 90, 100, 100, 110, 120]])
def test_the_correction_is_that_of_the_paper(n_test):
    changes = SCORES["new"] - SCORES["old"]
    found = compare_models(SCORES, n_train=400, n_test=n_test)
    error = np.sqrt((1 / 6 + 1 / 4) * changes.var(ddof=1))
    t = changes.mean() / error
    low, high = stats.t.interval(0.95, 5, changes.mean(), error)
    assert_allclose(row_of(found), [changes.mean(), low, high, 2 * stats.t.sf(abs(t), 5)])
    assert found["within_luck"].item() == (low <= 0 <= high)


def test_the_corrected_interval_holds_the_truth_where_the_usual_one_does_not():
    # scores of folds that share most of what they learned from, with correlation n_test / n
    rng, ratio, n_folds = np.random.default_rng(1), 0.25, 5
    shared = ratio / (1 + ratio)
    common = rng.normal(size=(1500, 1)) * np.sqrt(shared)
    changes = 1 + common + rng.normal(size=(1500, n_folds)) * np.sqrt(1 - shared)

    def coverage(n_train):
        models = {"zero": np.zeros(n_folds)} | dict(enumerate(changes))
        found = compare_models(models, n_train=n_train, n_test=1, confidence_level=0.9)
        return ((found.low <= 1) & (found.high >= 1)).mean()

    assert abs(coverage(1 / ratio) - 0.9) < 0.03
    assert coverage(1e9) < 0.82


def test_it_takes_what_cross_validate_returns():
    X, y = make_classification(200, random_state=0)
    cv = KFold(4, shuffle=True, random_state=0)
    models = {"none": DummyClassifier(), "linear": LogisticRegression()}
    how = {"cv": cv, "scoring": ["accuracy", "f1"], "return_indices": True}
    found = {name: cross_validate(model, X, y, **how) for name, model in models.items()}
    table = compare_models(found, score="test_f1")
    plain = {name: own["test_f1"] for name, own in found.items()}
    assert table.equals(compare_models(plain, n_train=150, n_test=50))
    assert table.index.tolist() == ["linear"]
    assert table["baseline"].tolist() == ["none"]


def test_the_baseline_may_be_any_model():
    table = compare_models(SCORES | {"third": SCORES["old"]}, baseline="new", **SIZES)
    assert table.index.tolist() == ["old", "third"]
    assert_allclose(table.loc["old", "difference"], np.mean(SCORES["old"] - SCORES["new"]))
    assert (table["baseline"] == "new").all()


@pytest.mark.parametrize("n_folds", [2, 3])
def test_equal_differences_say_nothing_of_luck(n_folds):
    old = np.array([0.7, 0.8, 0.6])[:n_folds]
    with pytest.warns(UserWarning, match=f"'new' differ from 'old' by the same in all {n_folds}"):
        found = compare_models({"old": old, "new": old + 0.1}, **SIZES)
    assert_allclose(row_of(found), [0.1, np.nan, np.nan, np.nan], atol=1e-9)
    assert found["within_luck"].item()


def test_models_that_score_the_same_do_not_differ():
    old = np.array([0.7, 0.8, 0.6])
    found = compare_models({"old": old, "new": old}, **SIZES)
    assert row_of(found).tolist() == [0, 0, 0, 1]
    assert found["within_luck"].item()


def test_two_folds_are_warned_of():
    scores = {"old": [0.70, 0.80], "new": [0.75, 0.86]}
    with pytest.warns(UserWarning, match="two folds tell next to nothing of luck"):
        found = compare_models(scores, n_train=100, n_test=100)
    low, high = stats.t.interval(0.95, 1, 0.055, np.sqrt(1.5) * 0.01 / np.sqrt(2))
    assert_allclose(row_of(found)[:3], [0.055, low, high])


@pytest.mark.parametrize("folds", [KFold(4, shuffle=True, random_state=1), KFold(3)])
def test_scores_of_other_folds_are_refused(folds):
    X, y = make_classification(120, random_state=0)
    found = {
        str(cv): cross_validate(DummyClassifier(), X, y, cv=cv, return_indices=True)
        for cv in (KFold(len(list(folds.split(X))), shuffle=True, random_state=0), folds)
    }
    with pytest.raises(ValueError, match=r"in the same folds, but those of .* are of other notes"):
        compare_models(found)


def test_the_order_of_the_notes_in_a_fold_does_not_matter():
    X, y = make_classification(60, random_state=0)
    folds = list(KFold(3).split(X))
    turned = [(train[::-1], test[::-1]) for train, test in folds]
    models = {
        name: cross_validate(model, X, y, cv=cv, return_indices=True)
        for name, model, cv in (
            ("none", DummyClassifier(), folds),
            ("linear", LogisticRegression(), turned),
        )
    }
    assert compare_models(models).index.tolist() == ["linear"]


# --- notes --------------------------------------------------------------------------------------


def notes_of(n_groups, n_each, rng, gain=0.0):
    """Whole groups are right or wrong together."""
    groups = np.repeat(np.arange(n_groups), n_each)
    y = rng.choice(["air", "good"], len(groups))
    wrong = np.where(y == "air", "good", "air")
    right = {
        name: (rng.random(n_groups) < share)[groups]
        for name, share in {"old": 0.6, "new": 0.6 + gain}.items()
    }
    return y, {name: np.where(own, y, wrong) for name, own in right.items()}, groups


def test_groups_are_drawn_whole():
    y, models, groups = notes_of(60, 10, np.random.default_rng(0))
    whole = compare_models(models, y_true=y, groups=groups)
    torn = compare_models(models, y_true=y)
    width = (whole.high - whole.low).item(), (torn.high - torn.low).item()
    assert 2.5 < width[0] / width[1] < 4  # the root of 10
    # of equal groups, it is the spread of their means
    changes = (models["new"] == y).astype(float) - (models["old"] == y)
    means = changes.reshape(60, 10).mean(axis=1)
    assert_allclose(width[0], 2 * 1.96 * means.std() / np.sqrt(60), rtol=0.1)
    assert_allclose(whole.difference.item(), changes.mean())


def test_the_interval_over_groups_holds_the_truth():
    rng, held = np.random.default_rng(2), []
    for _ in range(200):
        y, models, groups = notes_of(50, 3, rng, gain=0.1)
        found = compare_models(models, y_true=y, groups=groups, n_resamples=300)
        held.append(found.low.item() <= 0.1 <= found.high.item())
    assert 0.90 <= np.mean(held) <= 0.99


def test_another_metric_is_that_of_the_drawn_notes():
    y, models, groups = notes_of(30, 2, np.random.default_rng(0), gain=0.2)
    same = {"y_true": y, "groups": groups, "n_resamples": 100}
    slow = compare_models(models, **same, metric=lambda true, pred: np.mean(true == pred))
    assert_allclose(row_of(slow), row_of(compare_models(models, **same)))
    f1 = compare_models(models, **same, metric=functools.partial(f1_score, pos_label="good"))
    expected = [f1_score(y, models[name], pos_label="good") for name in ("new", "old")]
    assert_allclose(f1.difference.item(), expected[0] - expected[1])


def test_a_metric_may_take_probabilities():
    y = np.tile([0, 1], 20)
    sure = np.where(y[:, None] == [0, 1], 0.9, 0.1)
    models = {"unsure": np.full((40, 2), 0.5), "sure": sure}
    metric = functools.partial(log_loss, labels=[0, 1])
    found = compare_models(models, y_true=y, metric=metric, n_resamples=50)
    assert_allclose(found.difference.item(), np.log(0.5 / 0.9))
    assert not found.within_luck.item()


def test_equal_predictions_do_not_differ():
    y = ["good", "bad", "good"]
    found = compare_models({"y_true": y, "groups": y}, y_true=y)  # names of models are free
    assert row_of(found).tolist() == [0, 0, 0, 1]


def test_the_same_seed_gives_the_same_interval():
    y, models, groups = notes_of(20, 2, np.random.default_rng(0))
    first, again, other = (
        compare_models(models, y_true=y, groups=groups, random_state=seed) for seed in (1, 1, 2)
    )
    assert first.equals(again)
    assert not first.equals(other)


# --- messages -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("models", "how", "message"),
    [
        ({"a": [1, 2]}, SIZES, "at least 2 models"),
        ([[1, 2], [2, 3]], SIZES, "a dict of at least 2 models"),
        (SCORES, {}, "n_train and n_test"),
        (SCORES, {"n_train": 4}, "n_train and n_test"),
        (SCORES, {"n_train": 0, "n_test": 1}, "positive numbers"),
        (SCORES, {"n_train": [4, 4], "n_test": 1}, "one or 6"),
        (SCORES, SIZES | {"baseline": "nobody"}, "'nobody'"),
        (SCORES, SIZES | {"confidence_level": 95}, "between 0 and 1, got 95"),
        ({"a": [0.5], "b": [0.6]}, SIZES, "at least 2 folds"),
        ({"a": [0.5, np.nan], "b": [0.6, 0.7]}, SIZES, "finite score"),
        ({"a": [0.5, 0.6], "b": [0.6, 0.7, 0.8]}, SIZES, "3 of 'b'"),
        ({"a": {"fit_time": [1, 2]}, "b": [1, 2]}, SIZES, "'test_score' among"),
        ({"a": ["x", "y"], "b": [1, 2]}, SIZES, "numbers as scores of 'a' .* or y_true for"),
        ({"a": "abc", "b": [1, 2]}, SIZES, "numbers as scores of 'a' .* got 'abc'"),
        (SCORES, {"n_train": "many", "n_test": 1}, "numbers as n_train, got 'many'"),
        ({"a": "xy", "b": ["x", "y"]}, {"y_true": ["x", "y"]}, "2 predictions, .* shape .. of 'a'"),
        ("abc", {}, "a dict of at least 2 models, .* got str"),
        ({"a": ["x", "y"], "b": ["x"]}, {"y_true": ["x", "y"]}, "expected 2 predictions"),
        ({"a": ["x", "y"], "b": ["x", "y"]}, {"y_true": ["x", "y"], "groups": [1, 1]}, "2 groups"),
        ({"a": ["x", "y"], "b": ["x", "y"]}, {"y_true": ["x", "y"], "groups": [1]}, "groups has 1"),
        (SCORES, {"n_train": 400, "n_test": np.inf}, "positive numbers, .* n_test=inf"),
        (SCORES, {"n_train": 10**400, "n_test": 1}, "numbers as n_train"),
    ],
)
def test_what_cannot_be_compared_is_said(models, how, message):
    with pytest.raises(ValueError, match=f"compare_models: .*{message}"):
        compare_models(models, **how)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"n_resamples": 0}, "`n_resamples` must be an int in the range"),
        ({"n_resamples": -1}, "`n_resamples`"),
        ({"n_resamples": 1.5}, "`n_resamples`"),
        ({"n_resamples": "a"}, "`n_resamples`"),
        ({"n_resamples": 10**9}, "`n_resamples`"),
        ({"random_state": "a"}, "`random_state` must be None, a RandomState or an int"),
        ({"random_state": -1}, "`random_state` .* Got -1"),
        ({"random_state": np.random.default_rng(0)}, "`random_state` .* Got Generator"),
        ({"groups": [np.nan, 1, 2, 2]}, "the group of row 0 is missing"),
        ({"groups": [np.nan] * 4}, "the group of row 0 is missing"),
        ({"groups": [None, "a", "b", "b"]}, "the group of row 0 is missing"),
        ({"metric": lambda a, b: np.nan}, "finite number, got nan of 'a' for all notes"),
        ({"metric": lambda a, b: np.inf}, "finite number, got inf"),
        ({"metric": lambda a, b: "x"}, "finite number, got 'x'"),
        ({"metric": lambda a, b: [1, 2]}, r"finite number, got \[1, 2\]"),
        ({"metric": lambda a, b: np.nan if len(set(a)) < 2 else 1.0}, "in draw .* lack a class"),
    ],
)
def test_what_cannot_be_drawn_is_said(how, message):
    labels = ["x", "y", "x", "y"]
    with pytest.raises(ValueError, match=f"compare_models: .*{message}"):
        compare_models({"a": labels, "b": labels[::-1]}, y_true=labels, **how)


def test_the_name_of_a_metric_is_no_metric():
    labels = ["x", "y"]
    with pytest.raises(TypeError, match=r"expected `metric` to be a function .* got 'accuracy'"):
        compare_models({"a": labels, "b": labels}, y_true=labels, metric="accuracy")


@pytest.mark.parametrize("how", [{"n_train": 4}, {"n_test": 4}, {"n_train": 4, "n_test": 1}])
def test_numbers_of_folds_are_refused_with_predictions(how):
    labels = ["x", "y"]
    with pytest.raises(ValueError, match=f"no {next(iter(how))} .*with y_true"):
        compare_models({"a": labels, "b": labels}, y_true=labels, **how)


@pytest.mark.parametrize("how", [{"groups": [1, 2]}, {"metric": f1_score}])
def test_what_is_of_predictions_is_refused_with_scores(how):
    with pytest.raises(ValueError, match=f"no {next(iter(how))} without y_true"):
        compare_models(SCORES, **SIZES, **how)


def test_a_metric_that_needs_a_hierarchy_is_told_how_to_get_it():
    labels = ["good", "bad-air"]
    models = {"a": labels, "b": labels}
    with pytest.raises(TypeError, match=r"hierarchical_f1_score, .*functools.partial"):
        compare_models(models, y_true=labels, metric=hierarchical_f1_score)
    metric = functools.partial(hierarchical_f1_score, hierarchy=LabelHierarchy())
    found = compare_models(models, y_true=labels, metric=metric, n_resamples=20)
    assert row_of(found).tolist() == [0, 0, 0, 1]


def test_folds_of_other_sizes_are_not_the_same_folds():
    X, y = make_classification(90, random_state=0)
    found = {
        n: cross_validate(DummyClassifier(), X[:n], y[:n], cv=3, return_indices=True)
        for n in (60, 90)
    }
    with pytest.raises(ValueError, match="other notes"):
        compare_models(found)
