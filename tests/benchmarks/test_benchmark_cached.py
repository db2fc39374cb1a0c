import numpy as np
import pytest
from sklearn.base import clone

from benchmarks.cached import CachedPipeline, NoteFeatures
from benchmarks.datasets import make_folds
from benchmarks.models import Options, build


@pytest.mark.parametrize(
    "model, params",
    [
        ("baseline", {"mfcc__n_mfcc": 13, "mfcc__n_mels": 64, "classify__max_iter": 3}),
        ("baseline", {"mfcc__n_mfcc": 40, "mfcc__n_mels": 96, "classify__max_iter": 3}),
        ("baseline", {"mfcc__n_mfcc": 5, "mfcc__n_mels": 24, "classify__max_iter": 3}),
        ("compact", {"spectrogram__n_bins": 40, "classify__max_epochs": 1}),
    ],
    ids=str,
)
def test_it_answers_as_the_real_pipeline_does(model, params, task, cache_dir):
    train, test = make_folds(task, 2, seed=0)[0][0]
    pipeline = build(model, Options()).set_params(**params)
    cached = clone(CachedPipeline(pipeline.steps, NoteFeatures(task, cache_dir)))
    pipeline.fit(task.data.iloc[train], task.target[train])
    cached.fit(train, task.target[train])
    np.testing.assert_array_equal(cached.classes_, pipeline.classes_)
    np.testing.assert_array_equal(cached.predict(test), pipeline.predict(task.data.iloc[test]))


def test_its_parameters_are_those_of_the_pipeline(task, cache_dir):
    pipeline = build("baseline", Options())
    cached = CachedPipeline(pipeline.steps, NoteFeatures(task, cache_dir))
    assert set(cached.get_params()) - {"notes"} == set(pipeline.get_params())
    changed = clone(cached).set_params(mfcc__n_mfcc=7)
    assert changed["mfcc"].n_mfcc == 7
    assert pipeline["mfcc"].n_mfcc == 20
    assert changed.notes is cached.notes


def test_features_are_made_once_for_all_numbers_of_coefficients(task, cache_dir, monkeypatch):
    notes = NoteFeatures(task, cache_dir)
    pipeline = build("baseline", Options())
    few = notes.load(pipeline)
    monkeypatch.setattr("benchmarks.cached.find_features", None)
    many = notes.load(clone(pipeline).set_params(mfcc__n_mfcc=30))
    assert (few.shape[1], many.shape[1]) == (20 * 9 + 8, 30 * 9 + 8)
    np.testing.assert_array_equal(few[:, :20], many[:, :20])
