import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from benchmarks.datasets import make_folds
from benchmarks.features import (
    CachedPipeline,
    inputs,
    make_features,
    measure_features,
    read_features,
)
from benchmarks.folds import fit_fold
from benchmarks.models import Options, build

OPTIONS = Options(max_epochs=1)


def settings_of_features(cache_dir):
    return {path.name for path in (cache_dir / "features").glob("*")}


def test_models_with_equal_steps_share_their_features(task, cache_dir):
    make_features(task, [build("baseline", OPTIONS)], cache_dir, 1)
    before = settings_of_features(cache_dir)
    make_features(task, [build(name, OPTIONS) for name in ("extra_trees", "dummy")], cache_dir, 1)
    assert settings_of_features(cache_dir) == before
    make_features(task, [build("baseline", OPTIONS).set_params(mfcc__n_mfcc=13)], cache_dir, 1)
    assert len(settings_of_features(cache_dir)) >= len(before)


def test_a_table_and_spectrograms_come_back_as_they_were_made(task, cache_dir):
    paths = task.data.audio[:3]
    for name in ("baseline", "compact"):
        pipeline = build(name, OPTIONS)
        made = pipeline[:-1].fit_transform(list(paths))
        for found, expected in zip(read_features(pipeline, paths, cache_dir), made):
            np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    "model, params",
    [
        ("baseline", {"mfcc__n_mfcc": 13, "mfcc__n_mels": 64, "classify__max_iter": 3}),
        ("compact", {"spectrogram__n_bins": 40, "classify__max_epochs": 1}),
    ],
    ids=["table", "spectrograms"],
)
@pytest.mark.filterwarnings("ignore:.*fit never heard the instruments")
def test_cached_features_give_the_answers_of_the_whole_pipeline(model, params, task, cache_dir):
    train, test = make_folds(task, 2, seed=0)[0][0]
    pipeline = build(model, Options()).set_params(**params)
    cached = clone(CachedPipeline(pipeline.steps, cache_dir))
    cached.fit(task.notes(train), task.target[train])
    fold = fit_fold(pipeline, task, train, test, cache_dir, {})
    pipeline.fit(task.data.iloc[train], task.target[train])
    np.testing.assert_array_equal(cached.classes_, pipeline.classes_)
    expected = pipeline.predict_proba(task.data.iloc[test])
    np.testing.assert_array_equal(
        cached.predict(task.notes(test)), pipeline.classes_[expected.argmax(axis=1)]
    )
    columns = np.searchsorted(task.classes, pipeline.classes_)
    np.testing.assert_allclose(fold["proba"][:, columns], expected, atol=2e-4)


def test_its_parameters_are_those_of_the_pipeline(cache_dir):
    pipeline = build("compact", OPTIONS)
    cached = CachedPipeline(pipeline.steps, cache_dir)
    assert set(cached.get_params()) - {"cache_dir"} == set(pipeline.get_params())
    changed = clone(cached).set_params(spectrogram__n_bins=7)
    assert changed["spectrogram"].n_bins == 7
    assert pipeline["spectrogram"].n_bins != 7


def test_the_speed_of_features_is_measured(task, cache_dir):
    pipelines = {name: build(name, OPTIONS) for name in ("compact", "dummy")}
    found = measure_features(task, pipelines, cache_dir)
    speed = found["compact"]
    assert speed["notes_per_s"] == pytest.approx(speed["n_notes"] / speed["seconds"])
    assert found["dummy"] is None
    assert measure_features(task, pipelines, cache_dir) == found


def test_an_instrument_that_training_did_not_have_is_missing_in_a_table(task, cache_dir):
    notes = pd.DataFrame({"audio": task.data.audio[:2], "instrument": ["flute", "oboe"]})
    X = inputs(build("baseline", OPTIONS), notes, ["flute"], cache_dir)
    assert X.shape == (2, 20 * 9 + 8 + 1)
    assert X.instrument.tolist()[0] == "flute"
    assert pd.isna(X.instrument[1])
    spectrograms = inputs(build("compact", OPTIONS), notes, ["flute"], cache_dir)
    assert spectrograms.instrument.tolist() == ["flute", "oboe"]
