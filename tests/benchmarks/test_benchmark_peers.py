import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import RidgeClassifierCV

from benchmarks import peers
from benchmarks.cli import BenchmarkError, main
from benchmarks.models import MODELS, Options, build
from benchmarks.peers import PEERS, RocketFeatures, SoftmaxRidge

RATE = 22050


def needs(package):
    if not peers.importlib.util.find_spec(package):
        pytest.skip(f"{package} is not installed: pip install 'sknote[peers]'")


def tones(frequencies, seconds=0.4):
    time = np.arange(round(seconds * RATE)) / RATE
    return [np.sin(2 * np.pi * f * time).astype(np.float32) * 0.3 for f in frequencies]


def test_all_peers_are_models():
    assert set(PEERS) <= set(MODELS)


@pytest.mark.parametrize("name, package", PEERS.items())
def test_a_missing_extra_is_named_with_the_command_that_installs_it(
    name, package, monkeypatch, capsys
):
    monkeypatch.setattr(peers.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(BenchmarkError, match=rf"'{name}' needs {package}: pip install 'sknote\["):
        build(name, Options())
    assert main(["run", "--models", name]) == 2
    assert "pip install 'sknote[peers]'" in capsys.readouterr().err


@pytest.mark.parametrize("n_classes", [2, 5])
def test_softmax_ridge_predicts_as_ridge_and_gives_probabilities(n_classes):
    rng = np.random.default_rng(0)
    y = np.arange(60) % n_classes
    X = rng.normal(size=(60, 4)) + y[:, None]
    ours, ridge = SoftmaxRidge().fit(X, y), RidgeClassifierCV().fit(X, y)
    proba = ours.predict_proba(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)
    np.testing.assert_array_equal(ours.classes_[proba.argmax(axis=1)], ridge.predict(X))


def test_series_are_cropped_and_padded_as_aeon_does():
    needs("aeon")
    from aeon.transformations.collection.unequal_length import Padder

    rng = np.random.default_rng(0)
    items = [rng.normal(size=(n, 3)).astype(np.float32) for n in (5, 12, 20)]
    series = np.stack([peers._of_length(item.T, 12) for item in items])
    padder = Padder(padded_length=12, fill_value="min")
    expected = padder.fit_transform([np.ascontiguousarray(item[:12].T) for item in items])
    np.testing.assert_array_equal(series[1:], expected[1:])
    # aeon takes the minimum of each band; that of the note is silence in all of them
    np.testing.assert_array_equal(series[0, :, :5], items[0].T)
    assert (series[0, :, 5:] == items[0].min()).all()


@pytest.mark.slow  # compiles
@pytest.mark.parametrize("kind", ["minirocket", "multirocket_hydra"])
def test_rocket_features_are_those_of_aeons_classifiers(kind):
    needs("aeon")
    from aeon.classification.convolution_based import (
        MiniRocketClassifier,
        MultiRocketHydraClassifier,
    )

    rng = np.random.default_rng(0)
    y = np.arange(12) % 2
    items = [rng.normal(size=(30, 2)).astype(np.float32) + label for label in y]
    features = RocketFeatures(kind, n_frames=30, random_state=0)
    found = SoftmaxRidge(alphas=np.logspace(-3, 3, 10)).fit(features.fit_transform(items), y)
    if kind == "minirocket":
        theirs = MiniRocketClassifier(random_state=0)
    else:
        theirs = MultiRocketHydraClassifier(random_state=0)
    new = [rng.normal(size=(30, 2)).astype(np.float32) + label for label in y]
    stack = [np.stack([item.T for item in part]) for part in (items, new)]
    theirs.fit(stack[0], y)
    np.testing.assert_array_equal(found.predict(features.transform(new)), theirs.predict(stack[1]))


def test_egemaps_tells_pitch_and_takes_notes_that_are_too_short():
    needs("opensmile")
    import opensmile

    table = peers.EgemapsFunctionals().transform([*tones([220.0, 440.0]), np.zeros(0)])
    assert table.shape == (3, 88)
    assert np.isfinite(table).all()
    names = opensmile.Smile(
        feature_set=opensmile.FeatureSet.eGeMAPSv02,
        feature_level=opensmile.FeatureLevel.Functionals,
    ).feature_names
    pitch = names.index("F0semitoneFrom27.5Hz_sma3nz_amean")
    np.testing.assert_allclose(table[:2, pitch], [36.0, 48.0], atol=0.5)  # A0 is 27.5 Hz


def table(numbers, instrument):
    categories = pd.Categorical(instrument, categories=["cello", "flute"])
    return pd.DataFrame({"feature0": numbers, "instrument": categories})


@pytest.mark.parametrize("name", ["egemaps_linear", "egemaps_trees"])
def test_the_instrument_alone_can_decide(name):
    needs("opensmile")
    rng = np.random.default_rng(0)
    instrument = np.array(["flute", "cello"] * 20, dtype=object)
    X = table(rng.normal(size=40) * 1e-3, instrument)
    classifier = build(name, Options())[-1].fit(X, instrument)
    X = table(np.zeros(3), ["flute", "cello", None])
    proba = classifier.predict_proba(X)
    assert classifier.predict(X)[:2].tolist() == ["flute", "cello"]
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)


def test_a_rocket_is_told_the_instrument():
    needs("aeon")
    classifier = build("minirocket", Options())[-1]
    audio = np.empty(4, dtype=object)
    audio[:] = [np.random.default_rng(i).normal(size=(40, 64)) for i in range(4)]
    X = pd.DataFrame({"audio": audio, "instrument": ["flute", "cello"] * 2})
    values = classifier.fit(X, ["a", "b"] * 2)[0].transform(X)
    np.testing.assert_array_equal(values[:, -2:], [[0, 1], [1, 0]] * 2)
