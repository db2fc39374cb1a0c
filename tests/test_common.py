"""What holds for every estimator: scikit-learn's checks, and the like for ragged input."""

import contextlib
import pickle
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import estimator_html_repr
from sklearn.utils.estimator_checks import parametrize_with_checks

from sknote import (
    AudioLoader,
    MFCCSummary,
    NoteClassifier,
    PassageClassifier,
    Spectrogram,
    make_baseline_pipeline,
    make_note_pipeline,
)
from sknote.feature_extraction import FeatureCache, WaveformAugment

# Enough to learn what the checks ask for, in a fraction of the time.
CHEAP = {
    "max_epochs": 8,
    "lr": 0.01,
    "module_params": {"n_profiles": 2, "n_cepstra": 1, "channels": 8, "n_members": 4, "width": 32},
}
CACHE = "cache"  # its name is in the names of tests, which must be the same in every process


FAIL_FOR = {
    "AudioLoader": {
        "check_estimators_nan_inf": "a row of NaN is a bad recording, of which it warns"
    },
    "PassageClassifier": {
        "check_classifiers_train": "the means of its blobs differ, and those are the level of a "
        "note, which is not known of a passage of one"
    },
}


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory):
    with contextlib.chdir(tmp_path_factory.mktemp("common")):
        yield


@pytest.mark.filterwarnings("ignore")  # the checks make warnings on purpose
@parametrize_with_checks(
    [
        AudioLoader(),
        AudioLoader(n_jobs=2, on_error="warn"),
        Spectrogram(),
        Spectrogram(scale="linear", normalize="note"),
        Spectrogram(normalize="band"),
        MFCCSummary(),
        WaveformAugment(),
        FeatureCache(Spectrogram(), CACHE),
        NoteClassifier(**CHEAP),
        NoteClassifier(max_epochs=8, n_threads=1),  # all defaults, but a shorter training
        PassageClassifier(
            NoteClassifier(**CHEAP, random_state=0),
            NoteClassifier(**CHEAP, level="relative", random_state=0),
        ),
    ],
    expected_failed_checks=lambda estimator: (
        FAIL_FOR.get(type(estimator).__name__, {})
        if getattr(estimator, "on_error", "warn") == "warn"
        else {}
    ),
)
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


def notes(n_notes=8, seed=0):
    """Short waveforms, each of another length."""
    rng = np.random.default_rng(seed)
    return [
        (
            0.3 * np.sin(0.1 * (1 + i % 2) * np.arange(1500 + 37 * i))
            + 0.01 * rng.standard_normal()
        ).astype(np.float32)
        for i in range(n_notes)
    ]


def spectrograms(n_notes=8, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((4 + i, 5)).astype(np.float32) + i % 2 for i in range(n_notes)]


@dataclass
class Case:
    estimator: BaseEstimator
    make: callable
    tolerance: float = 1e-5
    needs_fit: bool = True


SMALL = {"n_profiles": 2, "n_cepstra": 1, "channels": 8, "n_members": 4, "width": 32}
FAST = {"max_epochs": 2, "module_params": SMALL, "random_state": 0}
CASES = {
    "AudioLoader": Case(AudioLoader(), notes, 0.0, needs_fit=False),
    "Spectrogram": Case(Spectrogram(n_bins=8), notes, 1e-4, needs_fit=False),
    "Spectrogram of bands": Case(Spectrogram(n_bins=8, normalize="band"), notes, 1e-3),
    "FeatureCache": Case(
        FeatureCache(Spectrogram(n_bins=8), CACHE, chunk_size=3), notes, 0.0, needs_fit=False
    ),
    "WaveformAugment": Case(WaveformAugment(random_state=0), notes, 0.0),
    "MFCCSummary": Case(MFCCSummary(n_mfcc=4), notes, 1e-3),
    "NoteClassifier": Case(NoteClassifier(**FAST), spectrograms),
    "NoteClassifier with validation": Case(
        NoteClassifier(**FAST, validation_fraction=0.3, class_weight="balanced"), spectrograms
    ),
    "PassageClassifier": Case(
        PassageClassifier(NoteClassifier(**FAST), NoteClassifier(**FAST, level="relative")),
        spectrograms,
    ),
    "note pipeline": Case(
        make_note_pipeline(**{f"classify__{name}": value for name, value in FAST.items()}), notes
    ),
    "baseline": Case(
        make_baseline_pipeline(classify__max_iter=2, mfcc__n_mfcc=4, classify__random_state=0),
        notes,
        1e-6,
    ),
}
Y = np.array(["good sound", "bad>x"] * 4)
FORMS = {
    "list": lambda items: list(items),
    "Series": lambda items: pd.Series(items, index=range(len(items), 0, -1)),
    "DataFrame": lambda items: pd.DataFrame(
        {"audio": items, "instrument": (["oboe", "bass", None, "oboe"] * len(items))[: len(items)]},
        index=range(10, 10 + len(items)),
    ),
}


def rows(X, index):
    if hasattr(X, "iloc"):
        return X.iloc[index]
    return [X[i] for i in index]


def outputs(estimator, X):
    """What an estimator makes of X, as a list with one item a row."""
    if hasattr(estimator, "predict_proba"):
        return list(estimator.predict_proba(X))
    out = estimator.transform(X)
    if hasattr(out, "columns"):
        out = out.drop(columns="instrument", errors="ignore")
        out = out["audio"] if "audio" in out else out.to_numpy()
    return list(out)


def assert_same(left, right, tolerance):
    assert len(left) == len(right)
    for a, b in zip(left, right):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=tolerance)


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


@pytest.fixture(params=FORMS)
def form(request):
    return FORMS[request.param]


def fit(case, X, y=Y):
    return clone(case.estimator).fit(X, y)


def test_fit_returns_self_and_changes_no_parameter(case, form):
    estimator = clone(case.estimator)
    before = repr(estimator.get_params())
    assert estimator.fit(form(case.make()), Y) is estimator
    assert repr(estimator.get_params()) == before


def test_the_input_is_not_changed(case, form):
    X, y = form(case.make()), Y.copy()
    before = pickle.dumps(X)
    outputs(fit(case, X, y), X)
    assert pickle.dumps(X) == before
    np.testing.assert_array_equal(y, Y)


def test_a_clone_learns_the_same(case, form):
    X = form(case.make())
    first = fit(case, X)
    assert_same(outputs(first, X), outputs(clone(first).fit(X, Y), X), case.tolerance)


def test_a_refit_forgets_what_was_before(case, form):
    X, other = form(case.make()), form(case.make(seed=1))
    expected = outputs(fit(case, X), X)
    assert_same(outputs(fit(case, other).fit(X, Y), X), expected, case.tolerance)
    frame = FORMS["DataFrame"](case.make(seed=1)).assign(extra=1)
    assert_same(outputs(fit(case, frame).fit(X, Y), X), expected, case.tolerance)


def test_the_order_of_rows_means_nothing_afterwards(case, form):
    X = form(case.make())
    estimator, order = fit(case, X), [5, 2, 7, 0, 1, 3, 6, 4]
    expected = outputs(estimator, X)
    shuffled = outputs(estimator, rows(X, order))
    assert_same(shuffled, [expected[i] for i in order], case.tolerance)


def test_a_subset_of_rows_gives_the_same(case, form):
    X = form(case.make())
    estimator = fit(case, X)
    expected = outputs(estimator, X)
    for index in ([3], [0, 7], [6, 2, 4]):
        part = outputs(estimator, rows(X, index))
        assert_same(part, [expected[i] for i in index], case.tolerance)


def test_equal_items_stay_separate_rows(case, form):
    """A sequence of items of one shape is not taken for an array of another meaning."""
    equal = [case.make()[0]] * 8
    X = form(equal)
    expected = outputs(fit(case, form(case.make())), X)
    assert len(expected) == 8
    for row in expected[1:] if not hasattr(X, "columns") else []:
        np.testing.assert_allclose(row, expected[0], atol=case.tolerance)


def test_a_pickle_gives_the_same(case, form):
    X = form(case.make())
    estimator = fit(case, X)
    again = pickle.loads(pickle.dumps(estimator))
    assert_same(outputs(again, X), outputs(estimator, X), 0.0)
    pickle.loads(pickle.dumps(clone(estimator))).fit(X, Y)


def test_unfitted(case, form):
    X = form(case.make())
    if case.needs_fit:
        with pytest.raises(NotFittedError):
            outputs(clone(case.estimator), X)
    else:
        expected = outputs(fit(case, X), X)
        assert_same(outputs(clone(case.estimator), X), expected, case.tolerance)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: X.rename(columns={"instrument": "violin"}), "unseen at fit time"),
        (lambda X: X.assign(player="pablo"), "unseen at fit time"),
        (lambda X: X[["instrument", "audio"]], "same order"),
        (lambda X: X.rename(columns={"audio": "path"}), "column 'audio'"),
    ],
)
def test_columns_that_changed_are_refused(case, change, message):
    X = FORMS["DataFrame"](case.make())
    estimator = fit(case, X)
    assert estimator.n_features_in_ == 2
    assert estimator.feature_names_in_.tolist() == ["audio", "instrument"]
    with pytest.raises(ValueError, match=message):
        outputs(estimator, change(X))


def test_an_instrument_may_be_absent_after_fit(case):
    X = FORMS["DataFrame"](case.make())
    estimator = fit(case, X)
    expected = outputs(estimator, X.assign(instrument=None))
    for absent in (X.drop(columns="instrument"), list(X["audio"]), X["audio"]):
        assert_same(outputs(estimator, absent), expected, case.tolerance)


def test_instruments_that_fit_did_not_see(case):
    X = FORMS["DataFrame"](case.make())
    estimator = fit(case, X)
    unseen = outputs(estimator, X.assign(instrument="tuba"))
    assert all(np.isfinite(row).all() for row in unseen)
    for missing in (None, np.nan, pd.NA):
        assert_same(outputs(estimator, X.assign(instrument=missing)), unseen, case.tolerance)


@pytest.mark.parametrize("dtype", ["string", "category", object])
def test_the_type_of_the_columns_means_nothing(case, dtype):
    X = FORMS["DataFrame"](case.make())
    dressed = X.assign(instrument=X["instrument"].astype(dtype))
    expected = outputs(fit(case, X), X)
    assert_same(outputs(fit(case, dressed, pd.Series(Y, dtype=dtype)), dressed), expected, 1e-6)


@pytest.mark.parametrize(
    "name", [name for name, case in CASES.items() if hasattr(case.estimator, "transform")]
)
def test_names_of_the_output_are_its_columns(name, form):
    case = CASES[name]
    estimator = fit(case, form(case.make()))
    for container in ("default", "pandas"):
        out = estimator.set_output(transform=container).transform(form(case.make()))
        names = estimator.get_feature_names_out().tolist()
        if hasattr(out, "columns"):
            assert out.columns.tolist() == names
            if hasattr(form(case.make()), "columns"):
                assert out.index.tolist() == form(case.make()).index.tolist()
        elif out.ndim == 2:
            assert out.shape[1] == len(names)
        assert len(out) == 8


def test_html_and_text(case, form):
    for estimator in (case.estimator, fit(case, form(case.make()))):
        assert type(estimator).__name__ in estimator_html_repr(estimator)
        assert type(estimator).__name__ in repr(estimator)


def test_every_public_estimator_is_here():
    import sknote

    covered = {type(case.estimator).__name__ for case in CASES.values()}
    rooms = (sknote, sknote.feature_extraction)
    everything = {name: getattr(room, name) for room in rooms for name in room.__all__}
    public = {
        name
        for name, value in everything.items()
        if hasattr(value, "transform") or hasattr(value, "predict")
    }
    assert public - {"LabelHierarchy"} <= covered  # that one is about labels, not about X
