"""What was saved is loaded as it was: answers, parameters, and what else a pipeline can do."""

import json
import os
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from model_files import COMPACT, KEPT, LABELS, baseline, note_pipeline, notes, sounds
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from skorch.callbacks import EarlyStopping

from sknote import AudioLoader, LabelHierarchy, MFCCSummary, NoteClassifier, Spectrogram
from sknote.confidence import SelectiveClassifier
from sknote.deploy import load, model_card, save
from sknote.feature_extraction import FeatureCache
from sknote.nn import NoteAnalyzer, RecordingAugment, SimpleStarterModel, SpectrogramAugment
from sknote.pipelines import NotePipeline, note_model

LINEAR = {"spectrogram__scale": "linear", "spectrogram__n_fft": 128}
MEL = {"spectrogram__scale": "mel", "spectrogram__n_fft": 512, "spectrogram__n_bins": 16}


@pytest.fixture(scope="module")
def data():
    return notes(18)


@pytest.fixture(scope="module")
def fitted(data):
    return note_pipeline().fit(data.data, data.target)


@pytest.fixture(scope="module")
def boosted(data):
    return baseline().fit(data.data, data.target)


def through_a_file(pipeline, tmp_path, X):
    """Save, load and compare; return what was loaded."""
    found = load(save(pipeline, tmp_path / "a.sknote"))
    expected = pipeline.predict_proba(X)
    np.testing.assert_array_equal(found.predict_proba(X), expected)
    labels = found.predict(X)
    np.testing.assert_array_equal(labels, pipeline.predict(X))
    assert found.classes_.dtype == pipeline.classes_.dtype
    np.testing.assert_array_equal(found.classes_, pipeline.classes_)
    return found


SETTINGS = {
    "compact": {},
    "for the practice room": {
        "classify__augment": RecordingAugment(codec=0.0, snr_db=(20.0, 50.0)),
        "classify__level": "relative",
        "classify__validation_fraction": 0.2,
        "classify__monitor": "valid_accuracy",
        "classify__patience": 3,
    },
    "analyzer": {"classify__module": "analyzer", **LINEAR, "spectrogram__normalize": "band"},
    "starter": {
        "classify__module": SimpleStarterModel,
        "classify__module_params": {"attack_seconds": 0.1},
        "classify__class_weight": "balanced",
        "classify__augment": SpectrogramAugment(2, protect={"level": ("good",)}),
        **MEL,
        "spectrogram__normalize": "note",
        "spectrogram__dtype": "float16",
    },
    "other compact": {
        "classify__module_params": COMPACT | {"n_cepstra": 0, "dropout": 0, "n_profiles": 3},
        "classify__class_weight": {label: i + 0.5 for i, label in enumerate(LABELS)},
        "load__max_duration": 0.25,
        "load__on_error": "warn",
        "spectrogram__top_db": 70,
    },
}


@pytest.mark.parametrize("name", SETTINGS)
def test_note_pipelines(name, data, tmp_path):
    pipeline = note_pipeline(**SETTINGS[name]).fit(data.data, data.target)
    found = through_a_file(pipeline, tmp_path, data.data)
    through_a_file(pipeline, tmp_path, sounds())
    assert repr(found.get_params()) == repr(pipeline.get_params())
    ours, theirs = found[-1], pipeline[-1]
    assert vars(ours).keys() == vars(theirs).keys()
    assert ours.instruments_ == theirs.instruments_ and ours.axes_ == theirs.axes_
    np.testing.assert_array_equal(ours.class_count_, theirs.class_count_)
    assert ours.history_[:, "train_loss"] == theirs.history_[:, "train_loss"]
    assert len(pickle.loads(pickle.dumps(found)).predict(sounds())) == 3
    # equal pipelines are equal files
    again = save(found, tmp_path / "b.sknote")
    assert again.read_bytes() == (tmp_path / "a.sknote").read_bytes()


def test_in_single_precision(fitted, data, tmp_path):
    """In float32, as everything but float64 arrays is, not a bit is other."""
    found = through_a_file(fitted, tmp_path, data.data)
    X = fitted[:-1].transform(data.data)
    expected = fitted[-1].model_.predict_logits(list(X["audio"]), np.zeros(len(X), np.int64))
    logits = found[-1].model_.predict_logits(list(X["audio"]), np.zeros(len(X), np.int64))
    np.testing.assert_array_equal(logits, expected)


@pytest.mark.parametrize("make", [note_pipeline, baseline])
@pytest.mark.parametrize(
    "y",
    [
        np.arange(18) % 3,
        (np.arange(18) % 2).astype(bool),
        (np.arange(18) % 3).astype(np.uint8),
        (np.arange(18) % 2).astype(np.float32),
        np.array(["b^", "a>\n", "ü"] * 6, dtype=object),
    ],
    ids=["integers", "booleans", "small integers", "floats", "objects"],
)
def test_labels_of_any_type(make, y, data, tmp_path):
    pipeline = make(**({} if make is baseline else {"classify__max_epochs": 1}))
    through_a_file(pipeline.fit(data.data, y), tmp_path, data.data)


@pytest.mark.parametrize("make", [note_pipeline, baseline])
def test_labels_of_a_type_that_is_wider_than_they_are(make, data, tmp_path):
    """As those of a part of a data set are, whose longest label is in another part."""
    pipeline = make().fit(data.data, data.target.astype("<U90"))
    assert pipeline.classes_.dtype == "<U90"
    found = load(save(pipeline, tmp_path / "a.sknote"))
    assert found.classes_.tolist() == pipeline.classes_.tolist()
    assert found.predict(data.data).tolist() == pipeline.predict(data.data).tolist()


@pytest.mark.parametrize("make", [note_pipeline, baseline])
@pytest.mark.parametrize("form", ["list", "missing", "no instruments", "polars", "other columns"])
def test_whatever_it_was_fitted_on(make, form, data, tmp_path):
    X = data.data
    if form == "list":
        X = list(X["audio"])
    elif form == "missing":
        X = X.assign(instrument=X["instrument"].where(np.arange(len(X)) % 3 > 0))
    elif form == "no instruments":
        X = X[["audio"]]
    elif form == "other columns":
        X = X.assign(take=np.arange(len(X)))[["take", "instrument", "audio"]]
    else:
        polars = pytest.importorskip("polars")
        audio = polars.Series("audio", list(X["audio"]), dtype=polars.Object)
        X = polars.DataFrame([audio, polars.Series("instrument", list(X["instrument"]))])
    pipeline = make(**({} if make is baseline else {"classify__max_epochs": 1}))
    found = through_a_file(pipeline.fit(X, data.target), tmp_path, X)
    if form not in ("list", "polars", "other columns"):
        unknown = (
            data.data.assign(instrument="kazoo") if "instrument" in X else data.data[["audio"]]
        )
        expected = pipeline.predict_proba(unknown)
        np.testing.assert_array_equal(found.predict_proba(unknown), expected)
    if form == "polars":
        np.testing.assert_array_equal(
            found.predict_proba(data.data), pipeline.predict_proba(data.data)
        )


@pytest.mark.parametrize(
    "params",
    [
        {"mfcc__instrument": "onehot", "mfcc__n_mfcc": 5},
        {"mfcc__instrument": "drop", "classify__max_leaf_nodes": None},
        {"classify__early_stopping": True, "classify__validation_fraction": None},
        {"classify__max_features": 0.3, "classify__class_weight": "balanced"},
    ],
)
def test_baselines(params, data, tmp_path):
    pipeline = baseline(**params).fit(data.data, data.target)
    found = through_a_file(pipeline, tmp_path, data.data)
    assert repr(found.get_params()) == repr(pipeline.get_params())
    theirs, ours = vars(pipeline[-1]), vars(found[-1])
    assert set(theirs) == set(ours)
    np.testing.assert_array_equal(ours["train_score_"], theirs["train_score_"])
    assert found[-1].n_iter_ == pipeline[-1].n_iter_


def test_trees_with_categories(data, tmp_path):
    """Instruments decide: the splits are categorical, and an unknown instrument is missing."""
    same = data.data.assign(audio=[data.data["audio"].iloc[0]] * 18)
    same = same.iloc[np.tile(np.arange(18), 3)]  # a category of less than 10 notes is no split
    y = np.where(same["instrument"] == "flute", "a", "b")
    pipeline = baseline(mfcc__n_mfcc=1).fit(same, y)
    assert any(tree.nodes["is_categorical"].any() for (tree,) in pipeline[-1]._predictors)
    found = through_a_file(pipeline, tmp_path, data.data)
    unknown = data.data.assign(instrument="kazoo")
    np.testing.assert_array_equal(found.predict_proba(unknown), pipeline.predict_proba(unknown))


@pytest.mark.parametrize("kind", [NotePipeline, Pipeline])
def test_put_together_by_hand(kind, fitted, data, tmp_path):
    steps = [("a", AudioLoader(n_jobs=1)), ("b", Spectrogram()), ("c", fitted[-1])]
    found = through_a_file(kind(steps), tmp_path, data.data)
    assert type(found) is kind and list(found.named_steps) == ["a", "b", "c"]
    cached = make_pipeline(FeatureCache(fitted[:-1], tmp_path / "features"), fitted[-1])
    assert list(through_a_file(cached, tmp_path, data.data).named_steps)[-1] == "classify"
    search = GridSearchCV(fitted, {"classify__max_epochs": [1]}, cv=2)
    search.fit(data.data, ["a", "b"] * 9)
    through_a_file(search, tmp_path, data.data)


def test_a_loaded_pipeline_is_an_estimator(fitted, boosted, data, tmp_path):
    for pipeline in (fitted, boosted):
        found = through_a_file(pipeline, tmp_path, data.data)
        again = clone(found).fit(data.data, data.target)
        np.testing.assert_array_equal(
            again.predict_proba(data.data), pipeline.predict_proba(data.data)
        )
        found.set_params(load__max_duration=0.1)
        assert found.get_params()["load__max_duration"] == 0.1
        with pytest.raises(NotFittedError):
            clone(found).predict(data.data)


def test_further_training(fitted, boosted, data, tmp_path):
    """It goes on as it would have, but for what only the optimizer knows."""
    y = data.target
    found = through_a_file(fitted, tmp_path, data.data)
    before = torch.random.get_rng_state()
    X = fitted[:-1].transform(data.data)
    both = [pickle.loads(pickle.dumps(fitted[-1])), found[-1]]
    proba = [one.partial_fit(X, y).predict_proba(X) for one in both]
    np.testing.assert_array_equal(*proba)
    assert len(found[-1].history_) == 3
    assert not np.array_equal(proba[0], fitted[-1].predict_proba(X))
    assert torch.equal(before, torch.random.get_rng_state())
    both = [pickle.loads(pickle.dumps(boosted)), through_a_file(boosted, tmp_path, data.data)]
    more = {"classify__warm_start": True, "classify__max_iter": 5}
    proba = [one.set_params(**more).fit(data.data, y).predict_proba(data.data) for one in both]
    np.testing.assert_array_equal(*proba)


def test_what_is_exported_is_the_same(fitted, tmp_path):
    """The module that `export_onnx` writes."""
    found = load(save(fitted, tmp_path / "a.sknote"))
    sound = torch.from_numpy(np.stack(sounds())), torch.full((3,), 6000), torch.tensor([0, 1, 2])
    with torch.no_grad():
        assert torch.equal(note_model(found)(*sound), note_model(fitted)(*sound))


class Own(NoteAnalyzer):
    """A network of a user's own."""


class OwnLoader(AudioLoader):
    """A step of a user's own."""


def test_what_no_file_can_hold_is_refused(data, fitted, boosted, tmp_path):
    path = tmp_path / "a.sknote"

    def refused(pipeline, message, error=ValueError):
        with pytest.raises(error, match=message):
            save(pipeline, path)
        assert not list(tmp_path.iterdir())

    own = note_pipeline(classify__module=Own, classify__max_epochs=1, **LINEAR)
    own = own.fit(data.data, data.target)
    refused(own, r"save: the network Own is a class of your own, .*export_onnx, or pickle")
    refused(note_pipeline(), "save: expected a fitted pipeline", NotFittedError)
    refused(baseline(), "save: expected a fitted pipeline", NotFittedError)
    steps = [AudioLoader(), Spectrogram(), fitted[-1]]
    refused(make_pipeline(OwnLoader(), *steps[1:]), "the step OwnLoader is a class of your own")
    refused(make_pipeline(*steps, memory=str(tmp_path)), r"call set_params\(memory=None\) before")
    refused(fitted[-1], "save: expected a pipeline with the steps", TypeError)
    other = make_pipeline(AudioLoader(), MFCCSummary(), RandomForestClassifier())
    refused(other, r"got \['AudioLoader', 'MFCCSummary', 'RandomForestClassifier'\].*joblib.dump")
    around = SelectiveClassifier(RandomForestClassifier(5), min_accuracy=0.01, cv=2)
    around = make_pipeline(MFCCSummary(), around)
    around.fit(list(data.data["audio"]), np.resize(["a", "b"], len(data.target)))
    words = r"got \['MFCCSummary', 'SelectiveClassifier\(RandomForestClassifier\)'\].*joblib.dump"
    refused(around, words)
    other = make_pipeline(AudioLoader(), Spectrogram(), RandomForestClassifier(2))
    refused(other, r"with make_note_pipeline, or keep the whole by joblib.dump\.$", TypeError)
    changed = pickle.loads(pickle.dumps(fitted)).set_params(spectrogram__hop_length=300)
    refused(changed, "was fitted on spectrograms of .*Fit the pipeline again")
    changed = pickle.loads(pickle.dumps(boosted)).set_params(mfcc__instrument="drop")
    refused(changed, "was fitted on other columns than its MFCCSummary makes")
    for params in (
        {"classify__callbacks": [EarlyStopping("train_loss")]},
        {"classify__random_state": np.random.RandomState(0)},
        {"classify__gradient_clip": float("inf")},
    ):
        (name,) = params
        changed = pickle.loads(pickle.dumps(fitted)).set_params(**params)
        refused(changed, rf"the parameter {name} is .*call set_params\({name}=")
        assert save(changed.set_params(**{name: None}), path).unlink() is None
    changed = pickle.loads(pickle.dumps(fitted)).set_params(classify__module="starter")
    refused(changed, "was fitted with the network CompactNet")
    for device in ("meta", "xyz", 99):
        changed = pickle.loads(pickle.dumps(fitted)).set_params(classify__device=device)
        refused(changed, f"device of classify is {device!r}, which torch does not have here")


def test_bad_paths(fitted, tmp_path):
    with pytest.raises(IsADirectoryError, match=r"save: .* is a folder"):
        save(fitted, tmp_path)
    with pytest.raises(FileNotFoundError, match="save: there is no folder"):
        save(fitted, tmp_path / "no" / "a.sknote")
    with pytest.raises(ValueError, match=r"expected a name that ends otherwise, as \.sknote"):
        save(fitted, tmp_path / "a.ONNX")
    with pytest.raises(TypeError, match="save: expected the path of a file to write, got None"):
        save(fitted, None)
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    with pytest.raises(FileExistsError, match=r"save: expected a model in .*a\.wav"):
        save(fitted, tmp_path / "a.wav")
    with pytest.raises(FileNotFoundError, match="load: there is no file"):
        load(tmp_path / "a.sknote")
    with pytest.raises(TypeError, match="load: expected the path of a file, got bytes"):
        load(b"PK")


def inside_itself():
    told = {}
    told["a"] = told
    return told


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"data": {"a": float("nan")}}, "'a' of data is nan, and should be a text or a finite"),
        ({"data": {"a": {1}}}, r"'a' of data is \{1\}, and should be a text or a finite number"),
        ({"data": inside_itself()}, "'a' of data is .*, and should be a text or a finite number"),
        ({"scores": {"f1": np.inf}}, "'f1' of scores is inf, and should be a finite number"),
        ({"hierarchy": LabelHierarchy(normalize=str.lower)}, "normalize of hierarchy is .* plain"),
        ({"hierarchy": LabelHierarchy(orders=inside_itself())}, "orders of hierarchy is .* plain"),
    ],
)
def test_what_cannot_be_told_of_a_model_is_named(fitted, tmp_path, told, message):
    with pytest.raises(ValueError, match=f"^save: {message}") as caught:
        save(fitted, tmp_path / "a.sknote", **told)
    assert "set_params" not in str(caught.value)  # it is no parameter of the pipeline


def test_a_file_is_replaced_whole_or_not_at_all(fitted, tmp_path):
    path = save(fitted, tmp_path / "a.sknote")
    before = path.read_bytes()
    with pytest.raises(ValueError, match="'accuracy' of scores is 'good'"):
        save(fitted, path, scores={"accuracy": "good"})
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
    os.symlink(save(fitted, path, scores={"accuracy": 0.5}), tmp_path / "link.sknote")
    assert path.read_bytes() != before
    assert load(tmp_path / "link.sknote").predict(sounds()).shape == (3,)


def test_what_is_told_of_a_model_goes_with_it(fitted, tmp_path):
    told = {
        "data": {"name": "a|b <script>\n# c", "licence": "CC BY 4.0", "sha256": "0" * 64, "n": 3},
        "scores": {"balanced accuracy": 0.5, "folds": 5},
        "hierarchy": LabelHierarchy(level_names=("a", "b"), orders={"a": ("x", "y")}),
    }
    found = load(save(fitted, tmp_path / "a.sknote", **told))
    assert found.about_["data"] == told["data"] and found.about_["scores"] == told["scores"]
    assert found.about_["hierarchy"].get_params() == told["hierarchy"].get_params()
    again = load(save(found, tmp_path / "b.sknote", scores={"accuracy": 1}))
    assert again.about_["data"] == told["data"] and again.about_["scores"] == {"accuracy": 1}
    card = model_card(tmp_path / "a.sknote")
    assert card == model_card(found)
    words = ("# Notes to 3 labels", "CompactNet", "balanced accuracy | 0.5", "flute, violin")
    for one in (*words, "Levels of the labels: a, b."):
        assert one in card
    assert "a&#124;b &lt;script&gt; # c" in card
    assert not any(line.startswith("# c") for line in card.splitlines())
    assert "good-sound" in model_card(fitted)
    with pytest.raises(ValueError, match=r"hierarchy is .*, and should be a LabelHierarchy"):
        save(fitted, tmp_path / "a.sknote", hierarchy="good_sounds")


def test_another_device(fitted, tmp_path, monkeypatch):
    path = save(fitted, tmp_path / "a.sknote")
    with pytest.raises(ValueError, match="expected device to be"):
        load(path, device="nowhere")
    if not torch.cuda.is_available():  # as a file of a machine that has one
        from sknote.deploy.model_file import _network

        assert _network._device("cuda") == "cpu" and _network._device("auto") == "auto"


@pytest.mark.parametrize("name", ["note", "baseline"])
def test_files_of_format_1_are_read_for_ever(name):
    """They were written once, and stay as they are."""
    expected = json.loads((KEPT / "answers-1.json").read_text())[name]
    found = load(KEPT / f"{name}-1.sknote")
    np.testing.assert_allclose(found.predict_proba(sounds()), expected, atol=1e-5)
    assert found.classes_.tolist() == LABELS
    assert found.about_["hierarchy"].get_params() == LabelHierarchy.good_sounds().get_params()
    assert isinstance(found[-1], (NoteClassifier, HistGradientBoostingClassifier))
    assert "make\\_notes" in model_card(KEPT / f"{name}-1.sknote")


def test_networks_are_the_same_on_no_device():
    """As `load` makes them, to learn their shapes; nothing of it is kept."""
    from sknote.nn import CompactNet

    with torch.device("meta"):
        shapes = {k: v.shape for k, v in CompactNet(n_bins=33).state_dict().items()}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = CompactNet(n_bins=33).state_dict()
    assert shapes == {k: v.shape for k, v in made.items()}
    assert {v.device.type for v in made.values()} == {"cpu"}


def test_a_table_of_pandas_is_given(boosted, tmp_path):
    boosted = pickle.loads(pickle.dumps(boosted))
    boosted[1].set_output(transform="pandas")
    found = load(save(boosted, tmp_path / "a.sknote"))
    assert isinstance(found[:-1].transform(sounds()), (pd.DataFrame, np.ndarray))
    assert type(found[:-1].transform(sounds())) is type(boosted[:-1].transform(sounds()))
