"""ConformalClassifier: sets that hold the true label, by instrument and label; and bad input."""

import builtins
import pickle
import sys

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, LeaveOneGroupOut, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from sknote import (
    AudioLoader,
    LabelHierarchy,
    MFCCSummary,
    NoteClassifier,
    deploy,
    make_note_pipeline,
)
from sknote.confidence import ConformalClassifier
from sknote.confidence._pools import label_pools
from sknote.datasets import make_notes

pytest.importorskip("mapie", reason="MAPIE is not installed")

LABELS = np.array(["bad-attack-air", "bad-attack-tongue", "bad-richness", "good-sound"])

SMALL = {"n_profiles": 1, "n_cepstra": 1, "channels": 8, "n_members": 2, "width": 32}


@pytest.mark.filterwarnings("ignore")  # the checks make warnings on purpose
@parametrize_with_checks([ConformalClassifier(LogisticRegression())])
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


class Hearing(ClassifierMixin, BaseEstimator):
    """Knows what is likely: the probabilities are columns of X, and labels are drawn from them.

    It is worse in instruments of which the name ends in ``-hard``, and hears groups.
    """

    def __init__(self, groups_of=None):
        self.groups_of = groups_of

    def fit(self, X, y, groups=None):
        self.classes_ = np.unique(y)
        self.heard_ = set() if groups is None else set(groups)
        return self

    def predict_proba(self, X):
        if self.groups_of is not None:
            asked = set(self.groups_of[X["row"].to_numpy()])
            assert not asked & self.heard_, "a group on both sides"
        return X[[f"p{k}" for k in range(len(self.classes_))]].to_numpy()


def notes(n_notes, seed=0, shares=(1, 1, 1, 1)):
    """Notes of two instruments, in one of which the classifier is far too sure of itself."""
    rng = np.random.default_rng(seed)
    shares = np.array(shares) / np.sum(shares)
    target = rng.choice(len(shares), n_notes, p=shares)
    hard = rng.random(n_notes) < 0.2
    logits = rng.normal(size=(n_notes, len(shares)))
    logits[np.arange(n_notes), target] += np.where(hard, 0.5, 2.2)
    proba = np.exp(2 * logits)
    X = pd.DataFrame(proba / proba.sum(axis=1, keepdims=True)).add_prefix("p")
    X["instrument"] = np.where(hard, "oboe", "flute")
    X["row"] = np.arange(n_notes)
    return X, LABELS[target], target


def coverage(model, X, target, rows=slice(None)):
    return model.predict_set(X)[np.arange(len(X)), target][rows].mean()


# --- what is promised ---------------------------------------------------------------------------


@pytest.mark.parametrize("level", [0.9, 0.95])
def test_sets_hold_the_true_label_as_often_as_asked(level):
    X, y, _ = notes(3000)
    new, _, target = notes(20_000, seed=1)
    plain = ConformalClassifier(Hearing(), level, conditional=False, cv=2).fit(X, y)
    assert coverage(plain, new, target) == pytest.approx(level, abs=0.015)
    model = ConformalClassifier(Hearing(), level, cv=2).fit(X, y)
    assert coverage(model, new, target) == pytest.approx(level, abs=0.025)


def test_no_instrument_pays_for_another():
    X, y, _ = notes(3000)
    new, _, target = notes(20_000, seed=1)
    hard = (new["instrument"] == "oboe").to_numpy()
    plain, model = (
        ConformalClassifier(Hearing(), cv=2, conditional=own).fit(X, y) for own in (False, True)
    )
    assert coverage(plain, new, target, hard) < 0.75
    assert 0.82 < coverage(model, new, target, hard) < 0.93
    assert coverage(model, new, target, ~hard) < coverage(plain, new, target, ~hard)
    sizes = model.predict_set(new).sum(axis=1)
    assert sizes[hard].mean() > 1.5 * sizes[~hard].mean()


def test_without_conditions_it_is_split_conformal_prediction_by_mapie():
    from mapie.classification import SplitConformalClassifier

    X, y, target = notes(400)
    model = ConformalClassifier(Hearing(), cv=2, conditional=False).fit(X, y)
    # by hand: the ceil(.9 x 401)th smallest of what true labels lack to the most probable
    proba = model.predict_proba(X)
    lack = np.log(proba.max(axis=1) / proba[np.arange(400), target])
    np.testing.assert_allclose(model.thresholds_, np.sort(lack)[360])
    # MAPIE's own sets by probabilities hold the same share, if not the same labels
    mapie = SplitConformalClassifier(model.estimator_, confidence_level=0.9).conformalize(X, y)
    sets = mapie.predict_set(X)[1][:, :, 0]
    own = model.predict_set(X)
    rows = np.arange(400), target
    assert sets[rows].sum() == own[rows].sum() == 361


def test_no_set_is_empty_and_the_most_probable_label_is_in_it():
    X, y, _ = notes(500)
    for level in (0.05, 0.5, 0.9):
        model = ConformalClassifier(Hearing(), level).fit(X, y)
        found = model.predict_set(X)
        assert found.dtype == bool and found.shape == (500, 4)
        best = np.searchsorted(model.classes_, model.predict(X))
        assert found[np.arange(500), best].all()


def test_sets_grow_with_the_level():
    X, y, _ = notes(1000)
    sets = [ConformalClassifier(Hearing(), level).fit(X, y).predict_set(X) for level in (0.8, 0.95)]
    assert (sets[0] <= sets[1]).all()
    assert sets[0].sum() < sets[1].sum()


def test_a_sharper_classifier_gives_the_same_sets():
    X, y, _ = notes(600)
    sharp, columns = X.copy(), [f"p{k}" for k in range(4)]
    powers = X[columns].to_numpy() ** 0.5
    sharp[columns] = powers / powers.sum(axis=1, keepdims=True)
    found = [ConformalClassifier(Hearing()).fit(one, y).predict_set(one) for one in (X, sharp)]
    assert (found[0] == found[1]).all()


def test_sets_are_alone_as_together_and_instruments_may_be_new():
    X, y, _ = notes(800)
    model = ConformalClassifier(Hearing()).fit(X, y)
    together = model.predict_set(X[:20])
    alone = np.vstack([model.predict_set(X[k : k + 1]) for k in range(20)])
    assert (together == alone).all()
    for change in ({"instrument": "kazoo"}, {"instrument": None}):
        own = model.predict_set(X[:20].assign(**change))
        plain = model.predict_set(X[:20].drop(columns="instrument"))
        assert (own == plain).all()
    assert model.thresholds_.index.tolist() == ["", "flute", "oboe"]
    assert (model.thresholds_.loc["oboe"] > model.thresholds_.loc["flute"]).all()


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_the_instrument_is_read_from_the_columns_of_a_summary(library):
    X, y, _ = notes(400)
    table = X.drop(columns="instrument").assign(mfcc0_min=0.0)
    for name in ("flute", "oboe"):
        table[f"instrument_{name}"] = (X["instrument"] == name).astype(float)
    alike = X.assign(instrument=X["instrument"].where(np.arange(400) % 9 > 0))  # some unknown
    table.loc[::9, ["instrument_flute", "instrument_oboe"]] = 0.0
    by_name = ConformalClassifier(Hearing()).fit(alike, y)
    if library == "polars":
        table = pytest.importorskip("polars").DataFrame(table.to_dict("list"))
    model = ConformalClassifier(Hearing()).fit(table, y)
    assert model.thresholds_.index.tolist() == ["", "flute", "oboe"]
    pd.testing.assert_frame_equal(model.thresholds_, by_name.thresholds_)
    assert (model.predict_set(table) == by_name.predict_set(alike)).all()


def test_columns_of_other_tables_are_no_instruments():
    X, y, _ = notes(200)
    table = X.drop(columns="instrument").assign(instrument_id=1.0)
    for one in (table, table.assign(mfcc0_min=0.0, instrument_id=0.5)):  # of no summary; scaled
        assert ConformalClassifier(Hearing()).fit(one, y).thresholds_.index.tolist() == [""]


def test_a_forest_on_summaries_has_thresholds_of_instruments():
    how = {"labels": ["good-sound", "bad-richness"], "duration_range": (0.2, 0.3)}
    data = make_notes(60, instruments=["flute", "oboe"], **how, random_state=0)
    forest = RandomForestClassifier(5, random_state=0)
    steps = AudioLoader(), MFCCSummary(instrument="onehot")
    classify = ConformalClassifier(forest, 0.8, cv=2, extrapolate=False)
    model = make_pipeline(*steps, classify).fit(data.data, data.target)
    assert model[-1].thresholds_.index.tolist() == ["", "flute", "oboe"]


def test_a_zero_probability_of_the_truth_is_a_finite_answer():
    X, y, _ = notes(300)
    X.loc[:149, ["p0", "p1", "p2", "p3"]] = [0.0, 0.0, 0.0, 1.0]
    model = ConformalClassifier(Hearing()).fit(X, y)
    assert np.isfinite(model.thresholds_).all(axis=None)
    assert model.predict_set(X[:3]).all()  # then 0 tells nothing


# --- rare labels --------------------------------------------------------------------------------


def test_rare_labels_are_calibrated_with_their_siblings():
    hierarchy = LabelHierarchy()
    pools = label_pools(LABELS, np.array([4, 7, 30, 50]), hierarchy, 10)
    assert pools.tolist() == [
        [True, True, False, False],  # bad-attack
        [True, True, False, False],
        [False, False, True, False],
        [False, False, False, True],
    ]
    # then with the parents; and where there is no node, with all
    assert label_pools(LABELS, np.array([4, 3, 8, 50]), hierarchy, 10)[0].tolist() == [1, 1, 1, 0]
    assert label_pools(LABELS, np.array([20, 20, 20, 2]), hierarchy, 10)[3].all()
    assert label_pools(LABELS, np.array([20, 20, 20, 2]), None, 10)[3].all()
    assert label_pools(LABELS, np.array([1, 1, 1, 1]), hierarchy, 10).all()


def test_parallel_levels_pool_with_the_node_of_fewest_notes():
    classes = np.array(["a/forte", "a/piano", "b/forte", "b/piano"])
    pools = label_pools(classes, np.array([3, 12, 40, 40]), LabelHierarchy.philharmonia(), 10)
    assert pools[0].tolist() == [True, True, False, False]


def test_a_rare_label_is_held_as_well():
    def share(conditional):
        held = []
        for seed in range(8):
            X, y, _ = notes(900, seed=seed, shares=(30, 30, 5, 35))
            # the rare label is often taken for another
            rare = y == LABELS[2]
            X = X.drop(columns="instrument")
            X.loc[rare, "p3"] += 1.0
            columns = [f"p{k}" for k in range(4)]
            X[columns] = X[columns].div(X[columns].sum(axis=1), axis=0)
            half = np.arange(900) < 450
            model = ConformalClassifier(Hearing(), cv=2, conditional=conditional)
            model.fit(X[half], y[half])
            held.append(model.predict_set(X[~half & rare])[:, 2])
        return np.concatenate(held).mean()

    assert share(True) > share(False) + 0.03


# --- folds learn from fewer notes ---------------------------------------------------------------


class Learner(Hearing):
    """Misses fewer notes the more it has heard: the share of misses is 1 in a root of notes."""

    def fit(self, X, y, groups=None):
        self.share_ = 4 / np.sqrt(len(X))
        return super().fit(X, y)

    def predict_proba(self, X):
        proba = np.full((len(X), 4), 0.01)
        # the hidden truth, unless the note is one that is missed with so few notes
        missed = X["luck"].to_numpy() < self.share_
        answer = np.where(missed, X["wrong"], X["right"]).astype(int)
        proba[np.arange(len(X)), answer] = 0.97
        return proba


def learned(n_notes, seed):
    rng = np.random.default_rng(seed)
    right = rng.integers(0, 4, n_notes)
    wrong = (right + 1) % 4
    table = {"luck": rng.random(n_notes), "right": right, "wrong": wrong}
    return pd.DataFrame(table), LABELS[right]


def test_the_level_allows_for_what_more_notes_bring():
    X, y = learned(3000, 0)
    model = ConformalClassifier(Learner(), cv=5).fit(X, y)
    # a root: the share of missed notes falls by (4 / 5) ** .5
    assert model.level_ == pytest.approx(1 - 0.1 * 1.25**0.5, abs=0.002)
    assert ConformalClassifier(Learner(), extrapolate=False).fit(X, y).level_ == 0.9
    # one that learns nothing more needs no allowance
    X, y, _ = notes(3000)
    model = ConformalClassifier(Hearing(), cv=5).fit(X, y)
    assert model.level_ == pytest.approx(0.9, abs=1e-9)


def test_too_few_notes_tell_nothing_of_learning():
    X, y = learned(150, 0)
    assert ConformalClassifier(Learner(), 0.9).fit(X, y).level_ == 0.9


# --- groups -------------------------------------------------------------------------------------


@pytest.mark.parametrize("cv", [None, 3, GroupKFold(4), LeaveOneGroupOut()])
@pytest.mark.filterwarnings("ignore:.*class.es. in fewer groups:UserWarning")
def test_no_group_is_on_both_sides(cv):
    X, y, _ = notes(400)
    groups = np.random.default_rng(0).integers(0, 12, 400)
    model = ConformalClassifier(Hearing(groups_of=groups), cv=cv)
    model.fit(X, y, groups=groups)  # Hearing asserts it, of each fold and of half of them
    assert model.estimator_.heard_ == set(groups)


def test_groups_reach_it_in_cross_validation():
    X, y, _ = notes(300)
    groups = np.arange(300) % 15
    with sklearn.config_context(enable_metadata_routing=True):
        inner = Hearing(groups_of=groups).set_fit_request(groups=True)
        model = ConformalClassifier(inner).set_fit_request(groups=True)
        model.set_score_request(sample_weight=False)
        found = cross_validate(
            model, X, y, cv=GroupKFold(3), params={"groups": groups}, error_score="raise"
        )
    assert found["test_score"].min() > 0.5


def test_lost_groups_are_warned_of():
    X, y, _ = notes(300)
    with pytest.warns(UserWarning, match=r"ConformalClassifier.*params=.'groups': groups"):
        cross_validate(
            ConformalClassifier(Hearing()), X, y, groups=np.arange(300) % 15, cv=GroupKFold(3)
        )


# --- recordings, copies, files ------------------------------------------------------------------


@pytest.fixture(scope="module")
def pipeline():
    how = {"labels": ["good-sound", "bad-richness"], "duration_range": (0.2, 0.3)}
    data = make_notes(40, instruments=["flute", "cello"], random_state=0, **how)
    classify = NoteClassifier(max_epochs=1, module_params=SMALL, random_state=0, n_threads=1)
    model = make_note_pipeline(classify=ConformalClassifier(classify, cv=2))
    return model.fit(data.data, data.target, classify__groups=data.groups), data


def test_it_is_the_last_step_of_a_pipeline(pipeline):
    model, data = pipeline
    X = model[:-1].transform(data.data[:6])
    found = model[-1].predict_set(X)
    assert (model.predict_set(data.data[:6]) == found).all()
    assert not hasattr(make_note_pipeline(), "predict_set")
    assert found.shape == (6, 2) and found.any(axis=1).all()
    assert model[-1].thresholds_.index.tolist()[0] == ""
    np.testing.assert_allclose(model.predict_proba(data.data[:6]).sum(axis=1), 1)


def test_it_is_not_saved_and_says_what_is(pipeline, tmp_path):
    model, _ = pipeline
    with pytest.raises(TypeError, match=r"estimator_ of ConformalClassifier.*or keep the whole"):
        deploy.save(model, tmp_path / "model.sknote")
    assert not list(tmp_path.iterdir())


def test_a_pickle_and_a_clone_give_the_same_sets():
    X, y, _ = notes(300)
    model = ConformalClassifier(Hearing()).fit(X, y)
    before = model.predict_set(X)
    assert (pickle.loads(pickle.dumps(model)).predict_set(X) == before).all()
    assert (clone(model).fit(X, y).predict_set(X) == before).all()


def test_labels_may_be_numbers():
    X, _, target = notes(300)
    model = ConformalClassifier(Hearing()).fit(X, target)
    assert set(model.predict(X)) <= {0, 1, 2, 3}
    assert model.predict_set(X).any(axis=1).all()


def test_notes_without_weight_are_as_if_they_were_not_there():
    X, y, _ = notes(200)
    X, weight = X[["p0", "p1", "p2"]], np.repeat([1.0, 0.0], 100)
    model = ConformalClassifier(LogisticRegression())
    found = model.fit(X, y, sample_weight=weight).thresholds_
    assert found.equals(clone(model).fit(X[:100], y[:100], sample_weight=np.ones(100)).thresholds_)


# --- bad input ----------------------------------------------------------------------------------


def test_what_is_missing_is_said_before_anything_is_fitted(monkeypatch):
    real = builtins.__import__

    def without_mapie(name, *args, **kwargs):
        if name.startswith("mapie"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    for name in [name for name in sys.modules if name.split(".")[0] == "mapie"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(builtins, "__import__", without_mapie)

    class Never(Hearing):
        def fit(self, X, y, groups=None):
            raise AssertionError("fitted")

    X, y, _ = notes(30)
    with pytest.raises(ImportError, match=r"ConformalClassifier.*sknote\[confidence\]"):
        ConformalClassifier(Never()).fit(X, y)


@pytest.mark.parametrize("level", [0, 1, 90, "high"])
def test_a_level_that_is_none_is_refused(level):
    X, y, _ = notes(30)
    with pytest.raises(ValueError, match="confidence_level"):
        ConformalClassifier(Hearing(), level).fit(X, y)


def test_few_notes_promise_nothing_and_say_so():
    X, y = np.arange(8.0)[:, None], np.repeat(["bad", "good"], 4)
    with pytest.warns(UserWarning, match="nothing can be promised"):
        model = ConformalClassifier(LogisticRegression(), cv=2).fit(X, y)
    assert model.predict_set(X).all()


def test_other_bad_input_is_an_error():
    X, y, _ = notes(60)
    with pytest.raises(ValueError, match="does not know 1 of the labels, such as 'good-sound'"):
        hierarchy = LabelHierarchy().fit(LABELS[:3])
        ConformalClassifier(Hearing(), hierarchy=hierarchy).fit(X, y)
    with pytest.raises(ValueError, match="predict_proba"):
        ConformalClassifier(LinearSVC()).fit(X[["p0", "p1"]], y)
    with pytest.raises(ValueError, match="at least 2 classes"):
        ConformalClassifier(Hearing()).fit(X, ["a"] * 60)
    with pytest.raises(ValueError, match=r"inconsistent numbers|60"):
        ConformalClassifier(Hearing()).fit(X, y, groups=[1, 2])
    with pytest.raises(ValueError, match=r"ConformalClassifier.*sum of 1"):
        ConformalClassifier(Hearing()).fit(X.assign(p0=9.0), y)
    with pytest.raises(NotFittedError):
        ConformalClassifier(Hearing()).predict_set(X)
    with pytest.raises(ValueError, match="instrument"):
        ConformalClassifier(Hearing()).fit(X.assign(instrument=3), y)
