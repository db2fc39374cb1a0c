"""SelectiveClassifier: scikit-learn's checks, notes of a pipeline, groups, and bad input."""

import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_validate
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from sknote import LabelHierarchy, NoteClassifier, Spectrogram, make_note_pipeline
from sknote.confidence import ConformalClassifier, SelectiveClassifier
from sknote.datasets import make_notes
from sknote.exceptions import AudioDecodeWarning
from sknote.spectral import SpectralAxes

LABELS = np.array(["bad-attack-air", "bad-attack-tongue", "bad-richness", "good-sound"])
SMALL = {"n_profiles": 1, "n_cepstra": 1, "channels": 8, "n_members": 2, "width": 32}


@pytest.mark.filterwarnings("ignore")  # the checks make warnings on purpose
@parametrize_with_checks([SelectiveClassifier(LogisticRegression())])
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


def blobs(n_notes=240, seed=0, spread=1.0, n_groups=40):
    """Two labels that are near each other, two that are not, and groups."""
    rng = np.random.default_rng(seed)
    target = np.arange(n_notes) % 4
    centers = np.array([[0, 0, 0], [1.5, 0, 0], [0, 9, 0], [9, 9, 0]])
    X = centers[target] + spread * rng.normal(size=(n_notes, 3))
    return X, LABELS[target], rng.permutation(np.arange(n_notes) % n_groups)


@pytest.fixture(scope="module")
def fitted():
    X, y, groups = blobs(600)
    return SelectiveClassifier(LogisticRegression()).fit(X, y, groups=groups)


def test_near_labels_get_the_node_above_them(fitted):
    table = fitted.predict_with_confidence([[0.75, 0, 0], [9, 9, 0], [0, 9, 0], [40, -40, 40]])
    assert table.answer.tolist() == ["bad-attack", "good-sound", "bad-richness", "unknown"]
    assert table.level.tolist() == ["aspect", "label", "label", "unknown"]
    assert table.reason.tolist()[1:] == ["sure", "sure", "unlike the notes of fit"]
    assert table.runner_up.tolist()[2:] != [None, None]
    assert fitted.predict([[0.75, 0, 0]]).tolist() == ["bad-attack"]
    assert 0 < fitted.threshold_ < 1 and fitted.temperature_ > 0
    assert fitted.levels_.level.tolist() == ["label", "aspect", "quality", "unknown"]
    assert fitted.levels_.share.sum() == pytest.approx(1)


def test_what_is_answered_is_right_as_often_as_promised(fitted):
    X, y, _ = blobs(4000, seed=1)
    table = fitted.predict_with_confidence(X)
    right, answered = fitted.is_right(table, y), table.answer != "unknown"
    assert right[answered].mean() >= 0.95
    assert answered.mean() > 0.9
    plain = fitted.estimator_.score(X, y)
    assert plain < 0.9 < right.mean()
    refused = table.reason == "unlike the notes of fit"
    assert refused.mean() < 0.045


def test_the_score_counts_a_right_answer_by_how_much_it_says(fitted):
    X, y, _ = blobs(4000, seed=1)
    table = fitted.predict_with_confidence(X)
    right, weight = fitted.is_right(table, y), np.arange(4000) % 3
    # of 4 labels, bad-attack holds 2, and bad holds 3
    says = table.answer.map({"unknown": 0.0, "bad-attack": 0.5, "bad": 1 - np.log(3) / np.log(4)})
    says = says.fillna(1.0)
    assert fitted.score(X, y) == pytest.approx((says * right).mean())
    assert fitted.score(X, y, weight) == pytest.approx(np.average(says * right, weights=weight))
    assert (table.answer == "bad-attack").any() and fitted.score(X, y) < right.mean()


def test_what_hears_nothing_does_not_beat_what_does():
    X, y, groups = blobs(600)
    noise = np.random.default_rng(0).normal(size=X.shape)
    y = np.where(y == "good-sound", "bad-pitch", y)  # all are bad
    deaf = SelectiveClassifier(LogisticRegression(), min_accuracy=0.4).fit(noise, y, groups)
    heard = LogisticRegression().fit(X, y)
    assert [level.name for level in deaf.rule_.levels] == ["label", "aspect"]
    assert deaf.score(noise, y) < 0.5 < heard.score(X, y)


def test_of_a_model_that_always_names_a_label_the_score_is_the_accuracy():
    X, y, groups = blobs()
    model = SelectiveClassifier(LogisticRegression(), min_accuracy=0.01, novelty=False)
    model.fit(X, y, groups)
    assert (model.predict_with_confidence(X).level == "label").all()
    assert model.score(X, y) == np.mean(model.predict(X) == y)


def test_probabilities_are_calibrated_and_alone_as_together(fitted):
    X, _, _ = blobs(50, seed=2)
    proba = fitted.predict_proba(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    table = fitted.predict_with_confidence(X)
    alone = pd.concat([fitted.predict_with_confidence(X[i : i + 1]) for i in range(50)])
    pd.testing.assert_frame_equal(table, alone.reset_index(drop=True))
    framed = fitted.predict_with_confidence(pd.DataFrame(X, index=range(7, 57)).to_numpy())
    assert framed.index.tolist() == list(range(50))


def test_the_index_of_a_frame_is_kept_and_names_of_columns():
    X, y, groups = blobs()
    X = pd.DataFrame(X, columns=["a", "b", "c"], index=[f"note {i}" for i in range(len(X))])
    model = SelectiveClassifier(LogisticRegression()).fit(X, y, groups)
    assert model.predict_with_confidence(X[::2]).index.tolist() == X.index[::2].tolist()
    assert model.feature_names_in_.tolist() == ["a", "b", "c"] and model.n_features_in_ == 3


@pytest.mark.parametrize(
    "inner",
    [
        make_pipeline(StandardScaler(), LogisticRegression()),
        HistGradientBoostingClassifier(max_iter=20),
    ],
    ids=["pipeline", "trees"],
)
def test_any_classifier_with_probabilities(inner):
    X, y, groups = blobs()
    model = SelectiveClassifier(inner, min_accuracy=0.8).fit(X, y, groups)
    assert model.score(X, y) > 0.8
    assert model.predict([[300, 300, -300]]).tolist() == ["unknown"]
    without = SelectiveClassifier(inner, min_accuracy=0.8, novelty=False).fit(X, y, groups)
    assert without.limits_ == {} and without.predict([[300, 300, -300]]).tolist() != ["unknown"]


def test_labels_that_are_numbers_have_a_table_that_says_unknown():
    X, y, _ = blobs()
    model = SelectiveClassifier(LogisticRegression()).fit(X, np.searchsorted(LABELS, y))
    far = [[40, -40, 40]]
    assert model.predict(far).dtype == model.classes_.dtype
    assert model.predict_with_confidence(far).answer.tolist() == ["unknown"]
    assert [level.name for level in model.rule_.levels] == ["label"]
    with pytest.warns(UserWarning, match=r"predict_with_confidence \(predict gives numbers"):
        few = clone(model).fit(X[:12], np.searchsorted(LABELS, y[:12]))
    assert set(few.predict_with_confidence(X).answer) == {"unknown"}
    assert set(few.predict(X)) <= {0, 1, 2, 3}


@pytest.mark.parametrize("kind", [SelectiveClassifier, ConformalClassifier])
def test_labels_of_another_data_set_need_its_hierarchy(kind):
    X, y, groups = blobs()
    names = ["arco-normal/forte", "arco-normal/piano", "arco-tremolo/forte", "arco-tremolo/piano"]
    y = np.array(names)[np.searchsorted(LABELS, y)]
    with pytest.warns(UserWarning, match=f"{kind.__name__}: hierarchy=None knows") as said:
        model = kind(LogisticRegression()).fit(X, y, groups)
    assert said[0].filename == __file__
    model.set_params(hierarchy=LabelHierarchy.philharmonia()).fit(X, y, groups)
    if kind is SelectiveClassifier:
        assert model.levels_.level.tolist() == ["label", "articulation", "dynamic", "unknown"]


@pytest.mark.parametrize("kind", [SelectiveClassifier, ConformalClassifier])
def test_labels_that_a_slash_parts_are_told_how_to_cut_them(kind):
    X, y, groups = blobs()
    names = np.array(["faulty/attack air", "faulty/dull", "clean/none", "other"])
    y = names[np.searchsorted(LABELS, y)]
    with pytest.warns(UserWarning, match=r"such as '[^']*/.*, or LabelHierarchy\('/', \(") as said:
        model = kind(LogisticRegression()).fit(X, y, groups)
    assert len(said) == 1
    model.set_params(hierarchy=LabelHierarchy("/", ("first", "second"))).fit(X, y, groups)
    if kind is SelectiveClassifier:
        assert model.levels_.level.tolist() == ["label", "first", "unknown"]
    apart = np.char.replace(y, "faulty/dull", "dull")  # no cut would put any together
    kind(LogisticRegression()).fit(X, apart, groups)


def test_it_works_in_cross_validation_with_routed_groups():
    X, y, groups = blobs(120)
    with sklearn.config_context(enable_metadata_routing=True):
        seen = Seen().set_fit_request(groups=True)
        model = SelectiveClassifier(seen, min_accuracy=0.7).set_fit_request(groups=True)
        found = cross_validate(
            model, X, y, cv=GroupKFold(3), params={"groups": groups}, return_estimator=True
        )
    assert (found["test_score"] > 0.5).all()
    assert all(len(one.estimator_.groups_) < 40 for one in found["estimator"])


def lost(said):
    return [str(one.message) for one in said if "do not reach its fit" in str(one.message)]


def test_lost_groups_are_told_once_and_the_remedy_works():
    X, y, groups = blobs(120)
    how = {"groups": groups, "cv": GroupKFold(3), "return_estimator": True}
    model = SelectiveClassifier(Seen(), min_accuracy=0.5)
    with pytest.warns(UserWarning) as said:
        cross_validate(clone(model).set_params(estimator=LogisticRegression()), X, y, **how)
    (message,) = lost(said)
    assert said[0].filename == __file__
    assert "SelectiveClassifier: the groups that cross_validate has" in message
    assert "params={'groups': groups}" in message and "{'classify__groups': groups}" in message
    found = cross_validate(model, X, y, **how, params={"groups": groups})
    assert all(0 < len(one.estimator_.groups_) < 40 for one in found["estimator"])
    piped = Pipeline([("classify", model)])
    found = cross_validate(piped, X, y, **how, params={"classify__groups": groups})
    assert all(0 < len(one[-1].estimator_.groups_) < 40 for one in found["estimator"])


def test_lost_groups_of_a_search_are_told_once_and_the_remedy_works():
    X, y, groups = blobs(120)
    grid, folds = {"classify__min_accuracy": [0.4, 0.5]}, GroupKFold(3)
    plain = Pipeline([("classify", SelectiveClassifier(LogisticRegression()))])
    with pytest.warns(UserWarning) as said:
        GridSearchCV(plain, grid, cv=folds).fit(X, y, groups=groups)
    (message,) = lost(said)
    assert "SelectiveClassifier: the groups that GridSearchCV.fit has" in message
    assert "fit(X, y, groups=groups, classify__groups=groups)" in message
    asking = Pipeline([("classify", SelectiveClassifier(Seen()))])
    search = GridSearchCV(asking, grid, cv=folds, error_score="raise")
    search.fit(X, y, groups=groups, classify__groups=groups)
    assert len(search.best_estimator_[-1].estimator_.groups_) == 40


@pytest.mark.parametrize("kind", [SelectiveClassifier, ConformalClassifier])
@pytest.mark.parametrize("scored", [True, False])
@pytest.mark.parametrize("asked", [True, None])
def test_weights_reach_the_classifier_by_routing(kind, scored, asked):
    X, y, groups = blobs(120)
    weight = np.random.default_rng(0).uniform(0.5, 2.0, len(y))
    folds = GroupKFold(3)
    with sklearn.config_context(enable_metadata_routing=True):
        model = kind(LogisticRegression().set_fit_request(sample_weight=True))
        model.set_fit_request(groups=True).set_score_request(sample_weight=scored)
        if asked:
            model.set_fit_request(sample_weight=True)
        params = {"sample_weight": weight, "groups": groups}
        how = {"cv": folds, "params": params, "return_estimator": True, "error_score": "raise"}
        found = cross_validate(model, X, y, **how)
    for k, (train, test) in enumerate(folds.split(X, y, groups)):
        one = found["estimator"][k]
        inner = LogisticRegression().fit(X[train], y[train], sample_weight=weight[train])
        np.testing.assert_array_equal(one.estimator_.coef_, inner.coef_)
        expected = one.score(X[test], y[test], sample_weight=weight[test] if scored else None)
        assert found["test_score"][k] == expected


class Seen(LogisticRegression):
    def fit(self, X, y, groups=None):
        self.groups_ = set(groups.tolist())
        return super().fit(X, y)


def test_weights_go_to_the_classifier_and_0_is_not_there():
    X, y, groups = blobs()
    weight = np.where(y == "bad-richness", 0.0, 1.0 + np.arange(len(y)) % 2)
    model = SelectiveClassifier(LogisticRegression())
    model.fit(X, y, groups, sample_weight=weight)
    assert "bad-richness" not in model.classes_
    kept = weight > 0
    other = clone(model).fit(X[kept], y[kept], groups[kept], sample_weight=weight[kept])
    np.testing.assert_array_equal(model.predict_proba(X), other.predict_proba(X))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"min_accuracy": 1.0}, "min_accuracy"),
        ({"min_accuracy": 95}, "min_accuracy"),
        ({"novelty": 2}, "novelty"),
        ({"hierarchy": "quality"}, "hierarchy"),
        ({"cv": 0.5}, "cv"),
        ({"estimator": LinearSVC()}, "estimator"),
    ],
)
def test_parameters_of_the_wrong_kind(params, message):
    model = SelectiveClassifier(LogisticRegression()).set_params(**params)
    with pytest.raises(ValueError, match=f"{message}.* parameter of SelectiveClassifier"):
        model.fit(*blobs()[:2])


def test_bad_input():
    X, y, groups = blobs()
    model = SelectiveClassifier(LogisticRegression())
    with pytest.raises(NotFittedError):
        model.predict_with_confidence(X)
    with pytest.raises(ValueError, match="at least 2 classes"):
        model.fit(X, np.full(len(X), "good"))
    with pytest.raises(ValueError, match="groups"):
        model.fit(X, y, groups[:-1])
    with pytest.raises(ValueError, match="does not know 1 of the labels, such as 'good-sound'"):
        clone(model).set_params(hierarchy=LabelHierarchy().fit(LABELS[:3])).fit(X, y)
    with pytest.raises(ValueError, match=r"in at least 2 groups, .* each label in a single one"):
        model.fit(X, y, groups=y)
    with pytest.raises(ValueError, match="the test part of fold 0"):
        clone(model).set_params(cv=[(np.arange(240), [])]).fit(X, y)
    assert not hasattr(model, "estimator_")
    with pytest.warns(UserWarning, match=r"no threshold gives answers .* Give more notes"):
        model.fit(X[:12], y[:12])
    assert (model.predict(X) == "unknown").all()
    y[:3] = "rare"
    with pytest.warns(UserWarning, match=r"1 class.es. in fewer groups .*'rare' .in 3."):
        model.fit(X, y.astype("<U20"), groups)


@pytest.mark.parametrize("kind", [SelectiveClassifier, ConformalClassifier])
def test_where_there_is_no_note_there_is_no_answer(kind):
    X, y, groups = blobs()
    model = kind(LogisticRegression()).fit(X, y, groups)
    ways = ["predict", "predict_proba"]
    ways += ["predict_set"] if kind is ConformalClassifier else ["predict_with_confidence"]
    nothing = {
        "a DataFrame with 0 rows": pd.DataFrame(X[:0]),
        "an empty ndarray": X[:0],
        "an empty list": [],
    }
    for way in ways:
        for got, none in nothing.items():
            with pytest.raises(ValueError, match=f"^{kind.__name__}: expected at least 1 .*{got}"):
                getattr(model, way)(none)


def test_what_is_no_table_of_answers_is_told(fitted):
    X, y, _ = blobs(20)
    table = fitted.predict_with_confidence(X)
    right = fitted.is_right(table, y)
    assert (fitted.is_right(table.to_dict("list"), y) == right).all()
    for wrong, got in (
        (fitted.predict(X), "ndarray"),
        (table["answer"], "Series"),
        (table.answer.tolist(), "list"),
        (table[["answer"]], r"a DataFrame with the columns \['answer'\]"),
    ):
        words = rf"SelectiveClassifier\.is_right: expected the table .*got {got}\. Pass model\.pred"
        with pytest.raises(TypeError, match=words):
            fitted.is_right(wrong, y)


@pytest.mark.parametrize("kind", [SelectiveClassifier, ConformalClassifier])
@pytest.mark.parametrize(
    "inner", [LogisticRegression(), make_pipeline(StandardScaler(), GaussianNB())]
)
def test_tables_are_not_made_of_spectrograms(kind, inner):
    spectrograms = [np.zeros((5, 9))] * 8
    framed = pd.DataFrame({"audio": pd.Series(spectrograms, dtype=object)})
    words = rf"{kind.__name__}: \w+ takes a table of numbers, and gets .*MFCCSummary"
    for X in (spectrograms, np.stack(spectrograms), framed):
        with pytest.raises(ValueError, match=words):
            kind(inner).fit(X, list("abababab"))


@pytest.mark.parametrize(
    ("cv", "grouped", "words"),
    [
        (41, True, "cv of at most 40, the number of groups, got 41"),
        (999, False, "cv of at most 240, the number of notes, got 999"),
        (GroupKFold(3), False, "'groups' parameter should not be None"),
        (GroupKFold(41), True, "greater than the number of groups"),
    ],
)
def test_folds_that_cannot_be_made_are_told_by_who_wants_them(cv, grouped, words):
    X, y, groups = blobs()
    with pytest.raises(ValueError, match=f"SelectiveClassifier: .*{words}"):
        SelectiveClassifier(LogisticRegression(), cv=cv).fit(X, y, groups if grouped else None)


# Notes: a small network on synthetic recordings


def short_notes(n_notes, seed):
    labels = ["good-sound", "bad-attack-air", "bad-richness"]
    return make_notes(
        n_notes,
        instruments=["flute", "oboe"],
        labels=labels,
        duration_range=(0.2, 0.5),
        random_state=seed,
    )


@pytest.fixture(scope="module")
def notes():
    return short_notes(120, 0)


def selective(**params):
    inner = NoteClassifier(max_epochs=6, module_params=SMALL, random_state=0, n_threads=1)
    return SelectiveClassifier(inner, cv=2, min_accuracy=0.7, **params)


@pytest.fixture(scope="module")
def network(notes):
    X = Spectrogram().fit_transform(notes.data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sknote.confidence._features._FEWEST", 20)  # as if these were enough
        return selective().fit(X, notes.target, notes.groups)


def test_few_notes_do_not_tell_what_several_at_once_are(notes):
    X = Spectrogram().fit_transform(notes.data[:60])
    few = selective().fit(X, notes.target[:60], notes.groups[:60])
    assert set(few.limits_) == {"unlike the notes of fit"}
    assert few.predict_with_confidence(X).reason.isin(list(few.limits_)).mean() <= 0.1


def test_what_is_no_note_is_unknown(network, notes):
    rng = np.random.default_rng(0)
    sounds = [rng.normal(0, 0.1, 9000), np.zeros(9000), 0.2 * np.sin(np.arange(9000) / 9) ** 99]
    sounds = [np.asarray(one, np.float32) for one in sounds]
    strange = pd.DataFrame({"audio": pd.Series(sounds, dtype=object), "instrument": "flute"})
    with pytest.warns(AudioDecodeWarning, match="no sound in row 1"):
        table = network.predict_with_confidence(Spectrogram().transform(strange))
    assert (table.answer == "unknown").all()
    assert table.reason.tolist()[:2] == ["unlike the notes of fit", "no sound"]
    assert set(network.limits_) == {"unlike the notes of fit", "more than one note at once"}
    true = short_notes(60, 1)
    table = network.predict_with_confidence(Spectrogram().transform(true.data))
    refused = table.reason.isin(list(network.limits_))
    assert refused.mean() <= 0.1
    loud = true.data.assign(audio=[0.5 * one for one in true.data.audio])
    softer = network.predict_with_confidence(Spectrogram().transform(loud))
    assert softer.reason.isin(list(network.limits_)).mean() <= 0.1  # any gain will do


def test_an_instrument_that_fit_never_heard_is_told(network, notes):
    strange = Spectrogram().fit_transform(notes.data[:4].assign(instrument="theremin"))
    words = "SelectiveClassifier: fit never heard the instrument 'theremin', .* It knows 'flute'"
    with pytest.warns(UserWarning, match=words):
        table = network.predict_with_confidence(strange)
    assert network.predict(strange).tolist() == table.answer.tolist()
    sets = ConformalClassifier(FrozenEstimator(network.estimator_), cv=2)
    sets.fit(Spectrogram().fit_transform(notes.data), notes.target, notes.groups)
    strange["instrument"] = "serpent"
    with pytest.warns(UserWarning, match="ConformalClassifier: fit never heard .*'serpent'"):
        sets.predict_set(strange)


def test_it_may_be_around_a_pipeline_or_in_one(network, notes):
    frozen = FrozenEstimator(network)  # what it learned is the same in either place
    inside = make_note_pipeline(classify=frozen).fit(notes.data, notes.target)
    around = clone(network).set_params(estimator=make_note_pipeline(classify=network.estimator_))
    vars(around).update({k: v for k, v in vars(network).items() if k.endswith("_")})
    around.estimator_ = make_note_pipeline(classify=network.estimator_)
    X = notes.data[:40]
    expected = network.predict_with_confidence(Spectrogram().fit_transform(X))
    pd.testing.assert_frame_equal(inside.predict_with_confidence(X), expected)
    pd.testing.assert_frame_equal(around.predict_with_confidence(X), expected)
    np.testing.assert_array_equal(inside.predict(X), expected.answer.to_numpy(str))
    alone = pd.concat([around.predict_with_confidence(X[i : i + 1]) for i in range(8)])
    pd.testing.assert_frame_equal(expected[:8], alone, rtol=1e-4)
    assert not hasattr(make_note_pipeline(), "predict_with_confidence")


def test_a_pipeline_is_fitted_whole(notes):
    small = {"max_epochs": 2, "module_params": SMALL, "random_state": 0, "n_threads": 1}
    inner = make_note_pipeline(**{f"classify__{name}": value for name, value in small.items()})
    model = SelectiveClassifier(inner, cv=2, min_accuracy=0.1, novelty=False)
    model.fit(notes.data[:40], notes.target[:40], notes.groups[:40])
    assert model.feature_names_in_.tolist() == ["audio", "instrument"]
    table = model.predict_with_confidence(notes.data[:5])
    assert set(table.level) <= {"label", "aspect", "quality", "unknown"}


def test_the_axes_of_a_pipeline_reach_the_classifier_inside():
    inner = SelectiveClassifier(NoteClassifier())
    model = make_note_pipeline(classify=inner, spectrogram__scale="mel")
    assert model[-1].estimator.axes.scale == "mel"
    axes = SpectralAxes(scale="linear")
    model.set_params(classify__estimator__axes=axes, load__sample_rate=16000)
    assert model[-1].estimator.axes is axes


def test_the_network_is_that_of_a_plain_fit(network, notes):
    X = Spectrogram().fit_transform(notes.data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain = clone(network.estimator).fit(X, notes.target)
    np.testing.assert_array_equal(network.estimator_.predict_proba(X), plain.predict_proba(X))
