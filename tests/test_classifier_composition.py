"""NoteClassifier inside scikit-learn: copies, cross-validation, searches, routing, ensembles."""

import copy
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline
from sklearn.utils import estimator_html_repr

from sknote import MFCCSummary, NoteClassifier, Spectrogram, classifier
from sknote.nn import SpectrogramAugment

SMALL = {"n_profiles": 2, "n_cepstra": 1, "channels": 8, "n_members": 4, "width": 32}
LABELS = np.array(["good sound", "bad>x"])


def model(**params):
    defaults = {"max_epochs": 2, "module_params": SMALL, "lr": 0.02, "random_state": 0}
    defaults["augment"] = None  # 6 bins are too few for the shifts of the default
    return NoteClassifier(**defaults | params)


@pytest.fixture(scope="module")
def data():
    """Ragged spectrograms of two classes in a DataFrame, labels and groups."""
    rng = np.random.default_rng(0)
    audio = [
        (rng.standard_normal((rng.integers(3, 20), 6)) + 2 * (i % 2)).astype(np.float32)
        for i in range(48)
    ]
    X = pd.DataFrame({"audio": audio, "instrument": ["oboe", "oboe", "bass", "bass"] * 12})
    return X, LABELS[np.arange(48) % 2], np.arange(48) // 4


@pytest.fixture(scope="module")
def fitted(data):
    return model(validation_fraction=0.2).fit(data[0], data[1], groups=data[2])


@pytest.mark.parametrize(
    "copied",
    [
        lambda model, path: pickle.loads(pickle.dumps(model)),
        lambda model, path: joblib.load(joblib.dump(model, path / "model.joblib")[0]),
        lambda model, path: copy.deepcopy(model),
    ],
)
def test_copies_predict_the_same_and_learn_on(data, fitted, tmp_path, copied):
    again = copied(fitted, tmp_path)
    np.testing.assert_array_equal(again.predict_proba(data[0]), fitted.predict_proba(data[0]))
    before = copy.deepcopy(fitted.net_.module_.state_dict())
    again.partial_fit(data[0], data[1])
    assert len(again.history_) == len(fitted.history_) + 1
    after = fitted.net_.module_.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_a_pickle_holds_weights_and_moments_and_no_training_data():
    sizes = []
    for n_notes, n_frames in [(20, 10), (40, 2000)]:
        X = np.random.default_rng(0).standard_normal((n_notes, n_frames, 6)).astype(np.float32)
        classifier = model(max_epochs=1, validation_fraction=0.2)
        sizes.append(len(pickle.dumps(classifier.fit(X, LABELS[np.arange(n_notes) % 2]))))
    weights = sum(value.numel() for value in classifier.net_.module_.state_dict().values()) * 4
    assert sizes[1] == pytest.approx(sizes[0], rel=0.01)
    assert max(sizes) < 3 * weights + 150_000


def test_cross_validation_in_processes_is_that_in_this_one(data):
    X, y, groups = data
    cv = StratifiedGroupKFold(2)
    scores = [
        cross_val_score(model(max_epochs=8), X, y, groups=groups, cv=cv, n_jobs=n_jobs)
        for n_jobs in (None, 2)
    ]
    np.testing.assert_allclose(*scores)
    assert scores[0].min() > 0.6


@pytest.mark.parametrize("form", ["DataFrame", "list", "array"])
@pytest.mark.parametrize("dtype", ["str", "string", "category", object])
def test_out_of_fold_predictions_of_labels_in_a_series(data, form, dtype):
    X, y, _ = data
    X = {
        "DataFrame": X,
        "list": list(X["audio"]),
        "array": np.stack([x[:3] for x in X["audio"]]),
    }[form]
    out = cross_val_predict(model(max_epochs=1), X, pd.Series(y, dtype=dtype), cv=2)
    assert out.shape == (48,)
    assert set(out) <= set(LABELS)


class Spy:
    """Record the groups that reach the validation split."""

    def __init__(self, monkeypatch):
        self.seen = []
        original = classifier.grouped_validation_split

        def split(y, groups=None, **kwargs):
            self.seen.append(None if groups is None else sorted(groups.tolist()))
            train, valid = original(y, groups, **kwargs)
            if groups is not None:
                assert not set(groups[train]) & set(groups[valid])
            return train, valid

        monkeypatch.setattr(classifier, "grouped_validation_split", split)


def folds(data):
    """Groups of the training part of each fold, as they must reach fit."""
    X, y, groups = data
    return [sorted(groups[train].tolist()) for train, _ in GroupKFold(3).split(X, y, groups)]


def test_groups_reach_the_inner_split_without_routing(data, monkeypatch):
    X, y, groups = data
    spy = Spy(monkeypatch)
    classifier = model(max_epochs=1, validation_fraction=0.2)
    pipeline = Pipeline([("classify", classifier)])
    pipeline.fit(X, y, classify__groups=groups)
    assert spy.seen == [sorted(groups.tolist())]
    given = {"cv": GroupKFold(3), "groups": groups}
    spy.seen.clear()
    cross_val_score(classifier, X, y, **given, params={"groups": groups})
    assert spy.seen == folds(data)
    spy.seen.clear()
    with pytest.warns(UserWarning, match="NoteClassifier: the groups that .* do not reach its fit"):
        cross_val_score(classifier, X, y, **given)
    assert spy.seen == [None] * 3


def test_groups_reach_the_inner_split_by_routing(data, monkeypatch):
    X, y, groups = data
    spy = Spy(monkeypatch)
    with sklearn.config_context(enable_metadata_routing=True):
        asking = model(max_epochs=1, validation_fraction=0.2).set_fit_request(groups=True)
        pipeline = Pipeline([("classify", asking)])
        for estimator in (asking, pipeline):
            spy.seen.clear()
            cross_validate(estimator, X, y, cv=GroupKFold(3), params={"groups": groups})
            assert spy.seen == folds(data)
        spy.seen.clear()
        search = GridSearchCV(asking, {"lr": [0.01]}, cv=GroupKFold(3))
        search.fit(X, y, groups=groups)
        assert spy.seen == [*folds(data), sorted(groups.tolist())]


def test_without_a_request_routing_says_so_or_drops_the_groups(data, monkeypatch):
    X, y, groups = data
    spy = Spy(monkeypatch)
    with sklearn.config_context(enable_metadata_routing=True):
        silent = model(max_epochs=1, validation_fraction=0.2)
        with pytest.raises(sklearn.exceptions.UnsetMetadataPassedError, match="set_fit_request"):
            cross_validate(silent, X, y, cv=GroupKFold(3), params={"groups": groups})
        refusing = silent.set_fit_request(groups=False)
        cross_validate(refusing, X, y, cv=GroupKFold(3), params={"groups": groups})
        assert spy.seen == [None] * 3


def test_weights_are_routed(data):
    X, y, _ = data
    weight = np.where(y == LABELS[0], 1.0, 0.02)
    with sklearn.config_context(enable_metadata_routing=True):
        asking = model().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        routed = cross_validate(
            asking,
            X,
            y,
            cv=StratifiedKFold(2),
            params={"sample_weight": weight},
            return_estimator=True,
        )
    train = next(StratifiedKFold(2).split(X, y))[0]
    direct = model().fit(X.iloc[train], y[train], sample_weight=weight[train])
    np.testing.assert_allclose(
        routed["estimator"][0].predict_proba(X), direct.predict_proba(X), atol=1e-6
    )


def test_grid_search(data):
    X, y, groups = data
    grid = {"max_epochs": [1, 2], "module_params": [SMALL, SMALL | {"dropout": 0.0}]}
    search = GridSearchCV(model(), grid, cv=GroupKFold(2)).fit(X, y, groups=groups)
    assert len(search.cv_results_["params"]) == 4
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert set(search.predict(X)) <= set(LABELS)
    assert search.best_estimator_.get_params()["max_epochs"] == search.best_params_["max_epochs"]


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_calibration(data, method):
    calibrated = CalibratedClassifierCV(model(max_epochs=12), method=method, cv=2).fit(
        data[0], data[1]
    )
    proba = calibrated.predict_proba(data[0])
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)
    assert calibrated.score(data[0], data[1]) > 0.8


def test_stacking_and_voting(data):
    X, y, _ = data
    members = [(str(seed), model(max_epochs=12, random_state=seed)) for seed in (0, 1)]
    stack = StackingClassifier(members, LogisticRegression(), cv=2).fit(X, y)
    assert stack.score(X, y) > 0.8
    vote = VotingClassifier(members, voting="soft").fit(X, y)
    expected = np.mean([member.predict_proba(X) for member in vote.estimators_], axis=0)
    np.testing.assert_allclose(vote.predict_proba(X), expected)


def test_one_versus_rest(data):
    X = np.stack([x[:3] for x in data[0]["audio"]])
    y = np.array(["a", "b", "c", "d"] * 12)
    proba = OneVsRestClassifier(model()).fit(X, y).predict_proba(X)
    assert proba.shape == (48, 4)


def test_a_pipeline_from_waveforms_with_pandas_output():
    waveforms = [np.sin(0.1 * (1 + i % 2) * np.arange(2000 + i)).astype("f4") for i in range(8)]
    X = pd.DataFrame({"audio": waveforms, "instrument": "oboe"})
    y = np.array(["low", "high"] * 4)
    pipeline = Pipeline([("spectrogram", Spectrogram(n_bins=6)), ("classify", model())])
    plain = pipeline.fit(X, y).predict_proba(X)
    pipeline.set_output(transform="pandas")
    np.testing.assert_array_equal(pipeline.fit(X, y).predict_proba(X), plain)
    assert pipeline[:-1].get_feature_names_out().tolist() == ["audio", "instrument"]
    assert clone(pipeline).fit(X, y).predict_proba(X).tolist() == plain.tolist()


def test_html_and_text(fitted):
    for estimator in (NoteClassifier(), fitted, Pipeline([("classify", fitted)]), MFCCSummary()):
        html = estimator_html_repr(estimator)
        assert type(estimator).__name__ in html
        assert "<div" in html
    assert repr(NoteClassifier()) == "NoteClassifier()"
    assert repr(NoteClassifier(lr=0.1)) == "NoteClassifier(lr=0.1)"


def test_parameters_by_name():
    classifier = NoteClassifier().set_params(lr=0.5, augment=None, module="starter")
    assert (classifier.lr, classifier.augment, classifier.module) == (0.5, None, "starter")
    with pytest.raises(ValueError, match="Invalid parameter 'learning_rate'"):
        NoteClassifier().set_params(learning_rate=0.1)
    nested = NoteClassifier(augment=SpectrogramAugment())
    assert nested.set_params(augment__semitones=1).augment.semitones == 1


def test_tags():
    tags = sklearn.utils.get_tags(NoteClassifier())
    assert tags.estimator_type == "classifier"
    assert tags.input_tags.two_d_array
    assert tags.input_tags.three_d_array
    assert not tags.no_validation
    assert not tags.non_deterministic
    for estimator in (NoteClassifier(), Spectrogram(), MFCCSummary()):
        assert not sklearn.utils.get_tags(estimator)._skip_test
