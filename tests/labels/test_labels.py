import json
import os
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import estimator_checks

from sknote import LabelHierarchy
from sknote.exceptions import LabelParseWarning


@pytest.fixture
def good_sounds():
    return LabelHierarchy.good_sounds()


@pytest.fixture
def philharmonia():
    return LabelHierarchy.philharmonia()


@pytest.mark.parametrize(
    "label, articulation, dynamic",
    [
        ("arco-normal/forte", "arco-normal", "forte"),
        ("/mezzo-forte", "unspecified", "mezzo-forte"),
        ("normal/", "normal", "unspecified"),
        ("normal", "normal", "unspecified"),
        ("", "unspecified", "unspecified"),
        ("a/b/c", "a", "b/c"),
        ("con sord>/ forte^ ", "con sord>", "forte^"),
    ],
)
def test_parallel_levels(philharmonia, label, articulation, dynamic):
    assert philharmonia.parse(label) == {"articulation": articulation, "dynamic": dynamic}
    assert philharmonia.roll_up([label], "articulation").tolist() == [articulation]
    assert philharmonia.roll_up([label], "dynamic").tolist() == [dynamic]
    assert philharmonia.transform([label]).tolist() == [label.strip()]


def test_path_and_value_alone(good_sounds, philharmonia):
    y = ["bad-attack-air", "good-attack", "bad", "air-outside"]
    path = good_sounds.roll_up(y, "aspect")
    assert path.tolist() == ["bad-attack", "good-attack", "bad", "unspecified-air"]
    alone = good_sounds.roll_up(y, "aspect", alone=True)
    assert alone.tolist() == ["attack", "attack", "unspecified", "air"]
    assert philharmonia.roll_up(["a/forte"], "dynamic", alone=False).tolist() == ["a/forte"]


def test_longest_compound_wins():
    hierarchy = LabelHierarchy(compounds=("pitch", "pitch-stability", "pitch-stab"))
    assert hierarchy.parse("bad-pitch-stability-late")["aspect"] == "pitch-stability"
    assert hierarchy.parse("bad-pitch-stability")["aspect"] == "pitch-stability"
    assert hierarchy.parse("bad-pitch-stable")["aspect"] == "pitch"


def test_rules_of_ones_own():
    def shout(label):
        return label.lower(), "lowered" if label != label.lower() else "as spelled", label == "?"

    hierarchy = LabelHierarchy(normalize=shout)
    assert hierarchy.parse("BAD-Air")["aspect"] == "air"
    with pytest.warns(LabelParseWarning, match=r"no spelling rule knows \['\?'\]"):
        table = hierarchy.fit(["BAD", "bad", "?"]).table_.set_index("original")
    assert table.note.to_dict() == {"BAD": "lowered", "bad": "as spelled", "?": "as spelled"}
    assert hierarchy.classes_.tolist() == ["?", "bad"]


def test_replacements():
    hierarchy = LabelHierarchy(normalize={"wrong": "bad", "": "good"})
    assert hierarchy.transform(["wrong ", "", "bad-air"]).tolist() == ["bad", "good", "bad-air"]
    assert hierarchy.fit(["wrong"]).table_["note"].tolist() == ["replaced"]


@pytest.mark.parametrize(
    "container",
    [
        list,
        tuple,
        np.array,
        pd.Index,
        pd.Series,
        lambda y: np.array(y, dtype=object),
        lambda y: pd.Series(y, dtype="category"),
        lambda y: pd.Series(y, dtype="string"),
        lambda y: pd.Series(y, index=[7, 7, 1]),
    ],
)
def test_any_container_of_labels(container):
    y = ["bad-attack", "good", "bad-air"]
    hierarchy = LabelHierarchy()
    quality = hierarchy.roll_up(container(y), "quality")
    assert type(quality) is np.ndarray and quality.dtype.kind == "U"
    assert quality.tolist() == ["bad", "good", "bad"]
    assert hierarchy.fit(container(y)).classes_.tolist() == sorted(y)


def test_no_labels_roll_up_to_none():
    assert LabelHierarchy().roll_up([], "quality").shape == (0,)


def test_natural_order(philharmonia, good_sounds):
    labels = ["b/forte", "/piano", "b/pianissimo", "b/crescendo", "a/mezzo-forte", "a", "a/piano"]
    ordered = ["a/piano", "a/mezzo-forte", "a", "b/pianissimo", "b/forte", "b/crescendo", "/piano"]
    assert philharmonia.sort(labels).tolist() == ordered
    levels = philharmonia.fit(labels).levels_
    assert levels["articulation"].tolist() == ["a", "b", "unspecified"]
    dynamics = ["pianissimo", "piano", "mezzo-forte", "forte", "crescendo", "unspecified"]
    assert levels["dynamic"].tolist() == dynamics
    qualities = good_sounds.fit(["good", "regular", "bad", "air-inside"]).levels_["quality"]
    assert qualities.tolist() == ["bad", "regular", "good", "unspecified"]


@pytest.fixture
def random_proba():
    rng = np.random.default_rng(0)
    classes = np.array(["bad", "bad-air", "bad-attack", "bad-attack-air", "good", "good-air-x"])
    return rng.dirichlet(np.full(6, 0.5), size=200), classes


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("alone", [True, False, None])
@pytest.mark.parametrize("level", ["quality", "aspect", "specific"])
def test_roll_up_proba_adds_up(random_proba, level, alone, dtype):
    proba, classes = random_proba
    proba = proba.astype(dtype)
    hierarchy = LabelHierarchy()
    rolled, values = hierarchy.roll_up_proba(proba, classes, level, alone=alone)
    assert rolled.dtype == dtype and rolled.shape == (200, len(values))
    assert values.tolist() == sorted(set(values))
    assert_allclose(rolled.sum(axis=1), proba.sum(axis=1), rtol=1e-5)
    of_class = hierarchy.roll_up(classes, level, alone=alone)
    for column, value in enumerate(values):
        assert_allclose(rolled[:, column], proba[:, of_class == value].sum(axis=1), rtol=1e-5)


def test_rolling_up_in_two_steps_equals_one(random_proba):
    proba, classes = random_proba
    hierarchy = LabelHierarchy()
    once, values = hierarchy.roll_up_proba(proba, classes, "quality")
    middle = hierarchy.roll_up_proba(proba, classes, "aspect")
    twice, same = hierarchy.roll_up_proba(*middle, "quality")
    assert_array_equal(values, same)
    assert_allclose(once, twice)


def test_decode_disagreement_by_hand():
    classes = ["bad-air", "bad-attack", "good-sound"]
    proba = [[0.31, 0.29, 0.4]]
    hierarchy = LabelHierarchy()
    assert hierarchy.decode(proba, classes).tolist() == ["good-sound"]
    assert hierarchy.decode(proba, classes, "quality").tolist() == ["good"]
    assert hierarchy.decode(proba, classes, method="top_down").tolist() == ["bad-air"]
    assert hierarchy.decode(proba, classes, "quality", method="top_down").tolist() == ["bad"]


@pytest.mark.parametrize("method", ["leaf", "top_down"])
def test_answers_at_all_levels_agree(random_proba, method):
    proba, classes = random_proba
    hierarchy = LabelHierarchy()
    leaf = hierarchy.decode(proba, classes, method=method)
    assert set(leaf) <= set(classes)
    for level in hierarchy.level_names:
        answer = hierarchy.decode(proba, classes, level, method=method)
        assert_array_equal(answer, hierarchy.roll_up(leaf, level))
    if method == "leaf":
        assert_array_equal(leaf, classes[proba.argmax(axis=1)])
    else:
        rolled, values = hierarchy.roll_up_proba(proba, classes, "quality")
        quality = hierarchy.decode(proba, classes, "quality", method=method)
        assert_array_equal(quality, values[rolled.argmax(axis=1)])


def test_top_down_is_greedy_at_each_level(random_proba):
    proba, classes = random_proba
    hierarchy = LabelHierarchy()
    got = hierarchy.decode(proba, classes, method="top_down")
    for row, answer in zip(proba, got):
        left = list(range(len(classes)))
        for depth in range(3):
            mass = {}
            for i in left:
                key = tuple(hierarchy.parse(classes[i]).values())[: depth + 1]
                mass[key] = mass.get(key, 0) + row[i]
            best = max(mass, key=mass.get)
            left = [
                i for i in left if tuple(hierarchy.parse(classes[i]).values())[: depth + 1] == best
            ]
        assert answer == classes[left[0]]


def test_decode_returns_members_of_classes():
    classes = np.array([" bad", "good"], dtype=object)
    answer = LabelHierarchy().decode([[0.9, 0.1]], classes)
    assert answer[0] is classes[0]


def test_ancestors(good_sounds, philharmonia):
    assert good_sounds.ancestors("bad-stability-timbre") == ["bad", "bad-timbre-stability"]
    assert good_sounds.ancestors("") == ["unspecified"]
    assert philharmonia.ancestors("a/forte") == ["a", "unspecified/forte", "a/forte"]
    assert philharmonia.ancestors("/forte") == ["unspecified/forte"]
    assert philharmonia.ancestors("a") == ["a"]


@pytest.mark.parametrize("name", ["good_sounds", "philharmonia"])
def test_ancestor_matrix_matches_sets(request, name):
    hierarchy = request.getfixturevalue(name)
    classes = ["bad-attack/forte", "bad/forte", "good", "bad-attack", "good/piano"]
    matrix, nodes = hierarchy.ancestor_matrix(classes)
    for row, label in zip(matrix, classes):
        assert set(nodes[row]) == set(hierarchy.ancestors(label))
    assert matrix.any(axis=0).all()


@pytest.mark.parametrize("name", ["good_sounds", "philharmonia"])
def test_distance_is_a_metric(request, name):
    hierarchy = request.getfixturevalue(name)
    classes = ["bad-air/forte", "bad-attack/forte", "bad-attack/piano", "good", "bad", "bad-attack"]
    distance = hierarchy.distance_matrix(classes)
    assert_array_equal(distance, distance.T)
    assert_array_equal(distance == 0, np.eye(len(classes), dtype=bool))
    assert (distance[:, None, :] <= distance[:, :, None] + distance[None, :, :]).all()


def test_distance_is_the_number_of_steps(good_sounds):
    classes = ["good-sound", "bad-attack", "bad-attack-air", "bad-attack-gallo", "bad-air"]
    expected = [
        [0, 4, 5, 5, 4],
        [4, 0, 1, 1, 2],
        [5, 1, 0, 2, 3],
        [5, 1, 2, 0, 3],
        [4, 2, 3, 3, 0],
    ]
    assert good_sounds.distance_matrix(classes).tolist() == expected
    good_sounds.fit(classes)
    order = np.argsort(classes)
    assert_array_equal(good_sounds.distance_matrix(), np.array(expected)[np.ix_(order, order)])


def test_distance_of_parallel_levels_sees_both(philharmonia):
    distance = philharmonia.distance_matrix(["a/forte", "a/piano", "b/forte", "b/piano"])
    assert distance[0].tolist() == [0, 4, 4, 6]


@pytest.mark.parametrize("make", [LabelHierarchy, "good_sounds", "philharmonia"])
def test_pickle_clone_and_json(make):
    hierarchy = make() if callable(make) else getattr(LabelHierarchy, make)()
    labels = ["good-sound", "bad-attack", "/forte"]
    hierarchy.set_params(normalize=None).fit(labels)
    again = pickle.loads(pickle.dumps(hierarchy))
    copy = clone(hierarchy)
    from_json = LabelHierarchy(**json.loads(json.dumps(hierarchy.get_params())))
    assert not hasattr(copy, "classes_")
    for other in (again, copy.fit(labels), from_json.fit(labels)):
        assert_array_equal(other.classes_, hierarchy.classes_)
        pd.testing.assert_frame_equal(other.table_, hierarchy.table_)
        assert other.sort(labels).tolist() == hierarchy.sort(labels).tolist()
    assert repr(copy).startswith("LabelHierarchy(")


@pytest.mark.parametrize(
    "check",
    [
        estimator_checks.check_estimator_cloneable,
        estimator_checks.check_parameters_default_constructible,
        estimator_checks.check_no_attributes_set_in_init,
        estimator_checks.check_get_params_invariance,
        estimator_checks.check_set_params,
        estimator_checks.check_estimator_repr,
        estimator_checks.check_estimator_tags_renamed,
        estimator_checks.check_valid_tag_types,
    ],
    ids=lambda check: check.__name__,
)
def test_scikit_learn_checks_that_need_no_table(check):
    check("LabelHierarchy", LabelHierarchy.good_sounds())


@pytest.mark.parametrize(
    "call, match",
    [
        (lambda h: h.roll_up(["bad"], "qualty"), "Did you mean 'quality'"),
        (lambda h: h.roll_up(["bad"], 3), r"unknown level 3. Expected one of \['quality'"),
        (lambda h: h.roll_up("bad-air", "quality"), "got the single string 'bad-air'"),
        (lambda h: h.roll_up([["bad"], ["good"]], "quality"), r"shape \(2, 1\)"),
        (lambda h: h.fit([]), "at least 1 label"),
        (lambda h: h.roll_up_proba([[0.5, 0.5]], ["bad"], "quality"), r"shape \(n_samples, 1\)"),
        (lambda h: h.roll_up_proba([0.5], ["bad"], "quality"), r"Got \(1,\)"),
        (lambda h: h.decode([[np.nan]], ["bad"]), "finite"),
        (
            lambda h: h.decode([["many"]], ["bad"]),
            "proba: expected rows of numbers",
        ),
        (
            lambda h: h.decode([[0.5, 0.5]], ["bad", "bad "]),
            "different .* got 'bad' 2 times",
        ),
        (lambda h: h.roll_up_proba([[0.5] * 2], ["bad"] * 2, "quality"), "got 'bad' 2 times"),
        (lambda h: h.fit([None, "bad"]), "LabelHierarchy: labels .* label of row 0 is missing"),
        (lambda h: h.roll_up(["bad", float("nan")], "quality"), "label of row 1 is missing"),
        (lambda h: h.parse(pd.NA), "the label of row 0 is missing"),
        (lambda h: h.parse(b"bad"), "got bytes, such as b'bad'. Decode"),
        (lambda h: h.fit(np.array([b"bad"])), "got bytes, such as b'bad'. Decode"),
        (lambda h: h.decode([[-0.1]], ["bad"]), "finite values of at least 0"),
        (lambda h: h.decode([[1.0]], ["bad"], method="leaves"), "'leaf' or 'top_down'. Got 'le"),
        (lambda h: h.decode([[1.0]], ["bad"], "aspects"), "Did you mean 'aspect'"),
        (lambda h: h.set_params(level_names="quality").fit(["bad"]), "`level_names` must be"),
        (lambda h: h.set_params(level_names=()).parse("bad"), "`level_names` must be"),
        (lambda h: h.set_params(level_names=("a", "a")).parse("bad"), "`level_names` must be"),
        (lambda h: h.set_params(level_names=("note",)).fit(["bad"]), "`level_names` must be"),
        (lambda h: h.set_params(separator="").fit(["bad"]), "`separator` must be"),
        (lambda h: h.set_params(normalize="goodsounds").fit(["bad"]), "`normalize` must be"),
        (lambda h: h.set_params(normalize="good-sounds").transform(["bad"]), "`normalize` must be"),
        (lambda h: h.set_params(compounds="pitch-stability").parse("bad"), "`compounds` must be"),
        (lambda h: h.set_params(compounds="pitch").transform(["bad"]), r"Pass \('pitch',\) for"),
        (lambda h: h.set_params(compounds=None).parse("bad"), "`compounds` must be"),
        (lambda h: h.set_params(compounds=[1]).parse("bad"), "`compounds` must be"),
        (lambda h: h.set_params(level_names=5).parse("bad"), "`level_names` must be"),
        (lambda h: h.set_params(level_names=None).parse("bad"), "`level_names` must be"),
        (lambda h: h.set_params(level_names=[["a"]]).parse("bad"), "`level_names` must be"),
        (lambda h: h.set_params(level_names=(1, 2)).parse("bad"), "`level_names` must be"),
        (lambda h: h.set_params(orders=5).parse("bad"), "`orders` must be None or a dict. Got 5"),
        (lambda h: h.set_params(orders=["bad"]).sort(["bad"]), "`orders` must be None or a dict"),
        (lambda h: h.set_params(parallel="yes").parse("bad"), "`parallel` must be True or False"),
        (lambda h: h.set_params(normalize=lambda s: None).parse("bad"), "must return .* got None"),
        (lambda h: h.set_params(normalize=lambda s: s).fit(["bad"]), "must return .* of 'bad'"),
        (lambda h: h.set_params(normalize=lambda s: (1, "", 0)).parse("bad"), "must return"),
        (lambda h: h.set_params(normalize={"bad": None}).parse("bad"), "must return .* of 'bad'"),
        (lambda h: h.set_params(orders={"quality": "bad"}).sort(["bad"]), "`orders.*` must"),
        (lambda h: h.set_params(orders={"aspct": ()}).sort(["bad"]), "Did you mean 'aspect'"),
    ],
)
def test_bad_input_is_named(call, match):
    with pytest.raises(ValueError, match=match):
        call(LabelHierarchy())


def test_unfitted():
    with pytest.raises(NotFittedError):
        LabelHierarchy().distance_matrix()


@pytest.mark.data
def test_real_philharmonia_labels(philharmonia):
    folder = Path(os.environ.get("SKNOTE_DATA", "")) / "philharmonia"
    if "SKNOTE_DATA" not in os.environ or not folder.is_dir():
        pytest.skip("SKNOTE_DATA is unset or has no folder 'philharmonia'")
    parts = [path.stem.split("_")[-2:] for path in folder.glob("*/*.mp3")]
    y = [f"{articulation}/{dynamic}" for dynamic, articulation in parts]
    assert philharmonia.fit(y).classes_.tolist() == sorted(set(y))
    assert philharmonia.roll_up(y, "dynamic").tolist() == [dynamic for dynamic, _ in parts]
    assert philharmonia.levels_["dynamic"].tolist() == [
        *philharmonia.orders["dynamic"],
        *("cresc-decresc", "crescendo", "decrescendo"),
    ]
