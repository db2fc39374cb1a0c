"""The three forms of X; labels, groups and instruments in every dress that pandas gives them."""

import io
import pickle

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.base import BaseEstimator
from sklearn.utils import _safe_indexing

from sknote._input.checks import (
    check_classes,
    check_groups,
    check_labels,
    check_threads,
    unpack,
)
from sknote._input.forms import as_object_array, carried_by, check_instrument, repack


class Probe(BaseEstimator):
    """An estimator without a fit of its own."""


def waveforms():
    return [np.arange(n, dtype=np.float32) for n in (4, 7, 1)]


def spectrograms():
    return [np.full((n, 3), n, dtype=np.float32) for n in (4, 7, 1)]


def two_columns(name):
    return pd.DataFrame([[np.zeros(3), np.zeros(3)]], columns=[name, name])


def same(left, right):
    return len(left) == len(right) and all(np.array_equal(a, b) for a, b in zip(left, right))


SEQUENCES = {
    "list": list,
    "tuple": tuple,
    "object array": as_object_array,
    "column of objects": lambda items: as_object_array(items).reshape(-1, 1),
    "Series": pd.Series,
}


@pytest.mark.parametrize("form", SEQUENCES)
@pytest.mark.parametrize(("ndim", "make"), [(1, waveforms), (2, spectrograms)])
def test_a_sequence_becomes_a_list(form, ndim, make):
    items, instrument = unpack(Probe(), SEQUENCES[form](make()), ndim=ndim, reset=True)
    assert isinstance(items, list)
    assert same(items, make())
    assert instrument is None


@pytest.mark.parametrize("form", ["list", "tuple", "object array", "Series"])
def test_items_of_equal_shape_stay_separate(form):
    equal = [np.ones(4), np.zeros(4)]
    items, _ = unpack(Probe(), SEQUENCES[form](equal), ndim=1, reset=True)
    assert same(items, equal)


@pytest.mark.parametrize(("ndim", "make"), [(1, waveforms), (2, spectrograms)])
def test_a_frame_becomes_a_list_and_instruments(ndim, make):
    X = pd.DataFrame({"instrument": ["oboe", None, "bass"], "audio": make(), "other": 1})
    probe = Probe()
    items, instrument = unpack(probe, X, ndim=ndim, reset=True)
    assert same(items, make())
    assert instrument.tolist() == ["oboe", None, "bass"]
    assert probe.n_features_in_ == 3
    assert probe.feature_names_in_.tolist() == ["instrument", "audio", "other"]


def test_a_frame_without_instrument():
    items, instrument = unpack(Probe(), pd.DataFrame({"audio": waveforms()}), ndim=1, reset=True)
    assert same(items, waveforms())
    assert instrument is None


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_rows_of_a_2d_array_are_waveforms_or_single_frames(dtype):
    X = np.arange(12, dtype=dtype).reshape(3, 4)
    probe = Probe()
    items, _ = unpack(probe, X, ndim=1, reset=True)
    assert same(items, list(X))
    assert {item.dtype for item in items} == {np.dtype(dtype)}
    assert probe.n_features_in_ == 4
    items, _ = unpack(Probe(), X, ndim=2, reset=True)
    assert same(items, list(X[:, None]))


def test_rows_of_a_3d_array_are_spectrograms():
    X = np.arange(24.0).reshape(2, 3, 4)
    probe = Probe()
    items, _ = unpack(probe, X, ndim=2, reset=True)
    assert same(items, list(X))
    assert probe.n_features_in_ == 4


def test_lists_of_numbers_are_a_2d_array():
    items, _ = unpack(Probe(), [[1, 2, 3], [4, 5, 6]], ndim=1, reset=True)
    assert same(items, [[1, 2, 3], [4, 5, 6]])


def test_a_numeric_table_is_an_array_with_names():
    X = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    probe = Probe()
    items, instrument = unpack(probe, X, ndim=1, reset=True)
    assert same(items, X.to_numpy())
    assert instrument is None
    assert probe.feature_names_in_.tolist() == ["a", "b"]


@pytest.mark.parametrize(
    "sources",
    [
        ["a.wav", "b.wav"],
        np.array(["a.wav", "b.wav"]),
        pd.Series(["a.wav", "b.wav"]),
        pd.Series(["a.wav", "b.wav"], dtype="string"),
        pd.DataFrame({"audio": ["a.wav", "b.wav"]}),
    ],
)
def test_paths_in_every_form(sources):
    items, _ = unpack(Probe(), sources, ndim=0, reset=True)
    assert [str(item) for item in items] == ["a.wav", "b.wav"]


@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.int64])
def test_integer_waveforms_become_float(dtype):
    items, _ = unpack(Probe(), [np.array([1, 2], dtype=dtype)], ndim=1, reset=True)
    assert items[0].dtype == np.float32


def test_lists_of_several_lengths_are_a_sequence():
    items, _ = unpack(Probe(), [[0.5], [0.5, -0.5]], ndim=1, reset=True)
    assert [item.tolist() for item in items] == [[0.5], [0.5, -0.5]]


def test_what_is_called_read_is_no_file():
    frame = pd.DataFrame({"audio": waveforms(), "read": 1.0})
    assert len(unpack(Probe(), frame, ndim=1, reset=True)[0]) == 3
    column = pd.Series(waveforms(), index=["read", "b", "c"])
    assert len(unpack(Probe(), column, ndim=1, reset=True)[0]) == 3


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([], "at least 1 note, got an empty list"),
        (np.empty(0, dtype=object), "at least 1 note, got an empty ndarray"),
        (pd.DataFrame({"audio": []}), "at least 1 note, got a DataFrame with 0 rows"),
        ("a.wav", r"single one of type str\. Pass \[X\] instead"),
        (b"RIFF", r"single one of type bytes\. Pass \[X\] instead"),
        (io.BytesIO(), r"single one of type BytesIO\. Pass \[X\] instead"),
        ({np.inf}, r"got set\. Pass list\(X\)"),
        (map(str, [1]), r"got map\. Pass list\(X\)"),
        ({}.values(), r"got dict_values\. Pass list\(X\)"),
        (None, r"an array of notes, got NoneType\.$"),
        (two_columns("audio"), r"one column of each name, got the columns \['audio', 'audio'\]"),
        (pd.DataFrame(index=range(3)), "got a DataFrame without columns"),
        (
            pd.DataFrame({"audio": [1], "n": [2]}).iloc[0],
            r"a single row .* Pass X\.to_frame\(\)\.T",
        ),
        (pa.table({"audio": ["a.wav"]}), r"got Table\. Pass X\.to_pandas\(\)"),
        (pa.array(["a.wav"]), r"got StringArray\. Pass X\.to_pandas\(\)"),
        ({"audio": []}, r"got dict\. Pass pandas\.DataFrame\(X\)"),
        (
            pd.DataFrame({"path": ["a"], "n": [1]}),
            r"column 'audio', got the columns \['path', 'n'\].*columns=\{'path': 'audio'\}",
        ),
        ([np.zeros(3), np.zeros((3, 2))], r"1-D waveform, got an array of shape \(3, 2\).*row 1"),
        ([np.zeros(3), "a.wav"], "1-D waveform, got str in row 1"),
        ([np.zeros(3), None], "got NoneType in row 1"),
        ([np.zeros(3), np.zeros(3, complex)], "type complex128 in row 1"),
        ([np.zeros(3), np.array(["a"])], "type <U1 in row 1"),
        (np.zeros((2, 3, 4)), r"1-D waveform in each row, got an array of shape \(2, 3, 4\)"),
        (np.zeros(3), r"got a single one: ndarray of 3 numbers\. Pass \[X\] instead of X\."),
    ],
)
def test_what_has_no_form_is_refused_by_name(X, message):
    with pytest.raises(ValueError, match=message):
        unpack(Probe(), X, ndim=1, reset=True)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("form", ["list", "2-D", "3-D", "DataFrame"])
def test_nan_and_infinity_are_refused_with_their_row(bad, form):
    array = np.zeros((4, 5, 3))
    array[2, 1, 1] = bad
    X = {
        "list": list(array),
        "2-D": array[:, 1],
        "3-D": array,
        "DataFrame": pd.DataFrame({"audio": list(array)}),
    }[form]
    with pytest.raises(ValueError, match="Probe: the values in row 2 contain NaN or infinity"):
        unpack(Probe(), X, ndim=2, reset=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: X.rename(columns={"instrument": "Instrument"}), "fit time:\n- Instrument"),
        (lambda X: X.assign(player="pablo"), "unseen at fit time"),
        (lambda X: X[["instrument", "audio"]], "same order"),
    ],
)
def test_other_columns_than_in_fit_are_refused(change, message):
    X = pd.DataFrame({"audio": waveforms(), "instrument": "oboe"})
    probe = Probe()
    unpack(probe, X, ndim=1, reset=True)
    with pytest.raises(ValueError, match=message):
        unpack(probe, change(X), ndim=1, reset=False)


def test_a_sequence_may_follow_a_frame():
    probe = Probe()
    unpack(probe, pd.DataFrame({"audio": waveforms(), "instrument": "oboe"}), ndim=1, reset=True)
    items, instrument = unpack(probe, waveforms(), ndim=1, reset=False)
    assert same(items, waveforms())
    assert instrument is None


def test_columns_but_the_audio_may_be_missing():
    X = pd.DataFrame({"take": 1, "audio": waveforms(), "instrument": "oboe", "n": 2})
    probe = Probe()
    unpack(probe, X, ndim=1, reset=True)
    for columns in (["audio"], ["take", "audio"], ["audio", "n"]):
        items, instrument = unpack(probe, X[columns], ndim=1, reset=False)
        assert same(items, waveforms())
        assert instrument is None
    _, instrument = unpack(probe, X[["audio", "instrument"]], ndim=1, reset=False)
    assert instrument.tolist() == ["oboe"] * 3
    assert probe.n_features_in_ == 4


@pytest.mark.parametrize("ndim", [0, 1, 2])
def test_any_form_may_follow_any_other(ndim):
    """Of waveforms any length, except after an array of rows of one length."""
    shape = (3, 5) if ndim < 2 else (3, 5, 4)
    array = np.random.default_rng(0).random(shape)
    forms = {
        "list": list(array),
        "DataFrame": pd.DataFrame({"audio": list(array), "instrument": "oboe"}),
        "array": array,
    }
    for fitted in forms.values():
        probe = Probe()
        unpack(probe, fitted, ndim=ndim, reset=True)
        for X in forms.values():
            items, _ = unpack(probe, X, ndim=ndim, reset=False)
            assert same(items, array)
        if fitted is not array or ndim == 2:
            longer = np.repeat(array, 2, axis=1)
            assert same(unpack(probe, longer, ndim=ndim, reset=False)[0], longer)


def test_single_frames_may_follow_a_frame_of_spectrograms():
    probe = Probe()
    unpack(probe, pd.DataFrame({"audio": spectrograms(), "n": 1}), ndim=2, reset=True)
    items, _ = unpack(probe, np.ones((2, 3)), ndim=2, reset=False)
    assert same(items, np.ones((2, 1, 3)))


def test_another_width_than_in_fit_is_refused():
    probe = Probe()
    unpack(probe, np.zeros((2, 4)), ndim=1, reset=True)
    with pytest.raises(ValueError, match="X has 5 features, but Probe is expecting 4"):
        unpack(probe, np.zeros((2, 5)), ndim=1, reset=False)


def test_refit_on_a_sequence_forgets_the_names():
    probe = Probe()
    unpack(probe, pd.DataFrame({"audio": waveforms(), "x": 1}), ndim=1, reset=True)
    unpack(probe, waveforms(), ndim=1, reset=True)
    assert probe.n_features_in_ == 1
    assert not hasattr(probe, "feature_names_in_")


def test_repack_keeps_the_form():
    new = [np.zeros(2), np.zeros(3), np.zeros(2)]
    frame = pd.DataFrame({"audio": waveforms(), "x": [1, 2, 3]}, index=[7, 8, 9])
    out = repack(frame, new)
    assert same(out["audio"], new)
    assert out.index.tolist() == [7, 8, 9]
    assert out["x"].tolist() == [1, 2, 3]
    assert same(frame["audio"], waveforms())  # the input is not changed
    for form in SEQUENCES.values():
        out = repack(form(waveforms()), new)
        assert out.shape == (3,)
        assert out.dtype == object
        assert same(out, new)


def test_repack_of_an_array_is_an_array_where_shapes_agree():
    X = np.zeros((2, 5))
    assert repack(X, [np.zeros(3), np.ones(3)]).shape == (2, 3)
    assert repack(X, [np.zeros(3), np.ones(4)]).shape == (2,)


def test_equal_lengths_do_not_make_an_object_array_2d():
    array = as_object_array([np.zeros(3), np.ones(3)])
    assert array.shape == (2,)
    assert array.dtype == object


@pytest.mark.parametrize(
    "make",
    [
        list,
        np.array,
        lambda names: np.array(names, dtype=object),
        pd.Series,
        lambda names: pd.Series(names, dtype=object),
        lambda names: pd.Series(names, dtype="category"),
        lambda names: pd.Series(names, dtype="string"),
        lambda names: pd.Series(names, index=[9, 5, 7]),
        pd.Index,
        pd.Categorical,
    ],
)
def test_strings_in_every_dress_become_plain_numpy(make):
    names = ["b c", "a>", "a^"]
    for out in (check_labels(make(names), 3, "Probe"), check_groups(make(names), 3, "Probe")):
        assert type(out) is np.ndarray
        assert out.dtype.kind == "U"
        assert out.tolist() == names
    assert check_instrument(make(names), "Probe").tolist() == names


@pytest.mark.parametrize("dtype", ["int64", "Int64", "category", "int64[pyarrow]", object])
def test_integers_in_every_dress_stay_integers(dtype):
    if dtype == "int64[pyarrow]":
        pytest.importorskip("pyarrow")
    out = check_labels(pd.Series([3, 1, 2], dtype=dtype), 3, "Probe")
    assert out.dtype.kind == "i"
    assert out.tolist() == [3, 1, 2]


@pytest.mark.parametrize("dtype", ["bool", "boolean", object])
def test_booleans_stay_booleans(dtype):
    out = check_labels(pd.Series([True, False], dtype=dtype), 2, "Probe")
    assert out.dtype == bool
    assert out.tolist() == [True, False]


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_a_missing_label_is_named(missing):
    with pytest.raises(ValueError, match="label of row 1 is missing"):
        check_labels(np.array(["a", missing, "b"], dtype=object), 3, "Probe")
    with pytest.raises(ValueError, match="label of row 1 is missing"):
        check_labels(["a", missing, "b"], 3, "Probe")


def test_labels_are_required():
    with pytest.raises(ValueError, match="Probe: requires y to be passed"):
        check_labels(None, 3, "Probe")


@pytest.mark.parametrize("check", [check_labels, check_groups])
def test_another_length_is_refused(check):
    with pytest.raises(ValueError, match=r"Probe: X and .* 4 notes in X, 3 values in"):
        check(["a", "b", "c"], 4, "Probe")


def test_two_columns_of_labels_are_refused():
    with pytest.raises(ValueError, match="1d array"):
        check_labels(np.zeros((3, 2)), 3, "Probe")


def test_no_groups():
    assert check_groups(None, 3, "Probe") is None


@pytest.mark.parametrize(
    "groups",
    [
        ["a", None, None],
        ["a", np.nan, None],
        [1.0, np.nan, np.nan],
        [1, None, pd.NA],
        pd.array([1, None, None], dtype="Int64"),
        pd.Series(["a", None, None], dtype="category"),
        pd.Series(["a", None, None], dtype="string"),
        pd.Series([True, None, None], dtype="boolean"),
        pd.to_datetime(pd.Series(["2020-01-01", None, None])),
        np.array(["2020-01-01", "NaT", "NaT"], dtype="datetime64[D]"),
    ],
    ids=lambda groups: f"{type(groups).__name__}-{getattr(groups, 'dtype', '')}",
)
def test_a_missing_group_is_named(groups):
    message = r"Probe: .* the group of row 1 is missing \(2 in all\)"
    with pytest.raises(ValueError, match=message):
        check_groups(groups, 3, "Probe")


@pytest.mark.parametrize("make", [list, lambda values: np.array(values, dtype=object), pd.Series])
def test_values_of_two_types_are_refused(make):
    for check, what in ((check_groups, "groups"), (check_labels, "labels")):
        with pytest.raises(ValueError, match=f"expected {what} of one type, got int and str"):
            check(make(["a", 1, "1"]), 3, "Probe")


def test_groups_in_two_columns_are_refused():
    with pytest.raises(ValueError, match=r"Probe: expected one group .* shape \(2, 2\)"):
        check_groups([("a", 1), ("b", 2)], 2, "Probe")


@pytest.mark.parametrize("missing", [None, np.nan, float("nan"), pd.NA, pd.NaT])
def test_a_missing_instrument_is_none(missing):
    values = np.array(["oboe", missing], dtype=object)
    assert check_instrument(values, "Probe").tolist() == ["oboe", None]


@pytest.mark.parametrize("dtype", [object, "string", "str", "category"])
def test_missing_instruments_in_every_dress(dtype):
    values = pd.Series(["oboe", None, "bass"], dtype=dtype)
    assert check_instrument(values, "Probe").tolist() == ["oboe", None, "bass"]


@pytest.mark.parametrize("bad", [3, 3.5, b"oboe"])
def test_an_instrument_is_a_string(bad):
    with pytest.raises(ValueError, match=rf"name of an instrument .* got {bad!r} in row 1"):
        check_instrument(["oboe", bad], "Probe")


CARRIED = {"meaning": {"unit": "dB"}}


def test_what_holds_for_all_items_travels_with_a_frame_and_a_sequence():
    items = [np.zeros((2, 3)), np.ones((4, 3))]
    frame = pd.DataFrame({"audio": items, "instrument": "oboe"})
    for form in (frame, items, tuple(items), frame["audio"]):
        out = repack(form, items, CARRIED)
        for part in (out, out[:1], pickle.loads(pickle.dumps(out)), _safe_indexing(out, [1])):
            assert carried_by(part, "meaning") == {"unit": "dB"}
            assert carried_by(part, "other") is None
        assert carried_by(repack(form, items), "meaning") is None
    assert carried_by(frame, "meaning") is None  # what came in is left alone


def test_an_array_carries_nothing():
    X = np.zeros((2, 5))
    out = repack(X, [np.zeros((3, 4))] * 2, CARRIED)
    assert out.shape == (2, 3, 4)
    assert carried_by(out, "meaning") is None
    assert repack(X, [np.zeros((1, 4))] * 2).shape == (2, 4)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.arange(8) * 0.37, "Unknown label type: continuous"),
        ([1, 2.5] * 4, "Unknown label type: continuous"),
        (np.arange(8) * 1j, "Complex data not supported$"),
        ([["a", "b"]] * 8, "y should be a 1d array, got an array of shape"),
        (np.array([b"a", b"b"] * 4), "labels represented as bytes is not supported"),
        ("abababab", "y should be a 1d array"),
        (
            [10**30, 1] * 4,
            "expected whole numbers of at most 64 bits .* such as 10{30}\\.",
        ),
        (pd.Series([1, -(2**64)] * 4), "expected whole numbers of at most 64 bits"),
        ([10**30, "a"] * 4, "expected labels of one type, got int and str"),
    ],
)
def test_labels_that_are_none_name_the_estimator(y, message):
    with pytest.raises((ValueError, TypeError), match=f"^Probe: .*{message}"):
        check_classes(check_labels(y, 8, "Probe"), None, "Probe")


@pytest.mark.parametrize("ndim", [0, 1, 2])
@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 3)])
def test_arrays_that_are_none_name_the_estimator(shape, ndim):
    X = np.ones(shape)
    for bad, message in ((X * 1j, "Complex data not supported"), (X[None, None], "expected|array")):
        with pytest.raises((ValueError, TypeError), match=f"^Probe: .*{message}") as caught:
            unpack(Probe(), bad, ndim=ndim, reset=True)
        assert len(str(caught.value)) < 300


@pytest.mark.parametrize("n_threads", [-1, 0, 1025, 2.5, "2", float("nan"), True])
def test_threads_that_are_none(n_threads):
    with pytest.raises(ValueError, match=r"^Probe: expected n_threads to be None or .* got "):
        check_threads(n_threads, "Probe")
    for fine in (None, 1, np.int64(4), 1024):
        check_threads(fine, "Probe")
