import numpy as np
import pandas as pd
import pytest

from benchmarks.datasets import make_folds
from benchmarks.features import as_input, describe_features, load_features, make_features
from benchmarks.folds import plan, read_fold, run_fold
from benchmarks.models import Options, build

OPTIONS = Options(max_epochs=1)


def features(task, cache_dir, names):
    pipelines = {name: build(name, OPTIONS) for name in names}
    return pipelines, make_features(task, pipelines, cache_dir=cache_dir, n_jobs=1)


def test_models_with_equal_steps_share_their_features(task, cache_dir):
    _, files = features(task, cache_dir, ["baseline", "extra_trees", "compact", "dummy"])
    assert files["baseline"] == files["extra_trees"] != files["compact"]
    assert files["dummy"] == []


def test_features_are_made_once(task, cache_dir):
    _, files = features(task, cache_dir, ["baseline", "compact"])
    made = [path.stat().st_mtime_ns for name in files for path in files[name]]
    _, again = features(task, cache_dir, ["baseline", "compact"])
    assert again == files
    assert [path.stat().st_mtime_ns for name in files for path in files[name]] == made


def test_other_settings_are_other_features(task, cache_dir):
    pipeline = build("baseline", OPTIONS)
    _, files = features(task, cache_dir, ["baseline"])
    pipeline.set_params(mfcc__n_mfcc=13)
    other = make_features(task, {"other": pipeline}, cache_dir=cache_dir, n_jobs=1)
    assert not set(other["other"]) & set(files["baseline"])
    assert load_features(other["other"]).shape[1] < load_features(files["baseline"]).shape[1]


@pytest.mark.parametrize("name", ["compact", "baseline"])
def test_cached_features_give_the_answers_of_the_whole_pipeline(name, task, cache_dir, tmp_path):
    pipelines, files = features(task, cache_dir, [name])
    folds, _ = make_folds(task, 2, seed=0)
    options = {"cache_dir": tmp_path, "options": OPTIONS, "n_jobs": 1}
    own, of_fold = {name: [pipelines[name]]}, {(name, 0): files[name]}
    job = plan(task, folds[:1], own, of_fold, **options)[0]
    run_fold(job)
    (train, test), pipeline = folds[0], pipelines[name]
    pipeline.fit(task.data.iloc[train], task.target[train])
    expected = pipeline.predict_proba(task.data.iloc[test])
    columns = np.searchsorted(task.classes, pipeline.classes_)
    np.testing.assert_allclose(read_fold(job)[1][:, columns], expected, atol=2e-4)


def test_the_speed_of_features_is_measured(task, cache_dir):
    _, files = features(task, cache_dir, ["compact"])
    speed, unreadable, remarks = describe_features(task, files["compact"])
    assert speed["notes_per_s"] == pytest.approx(len(task.names) / speed["seconds"])
    assert speed["x_real_time"] > 1
    assert (unreadable, remarks) == ([], {})


def test_an_instrument_that_training_did_not_have_is_missing_in_a_table():
    X = as_input(np.eye(2), np.array(["flute", "oboe"], dtype=object), ["flute"])
    assert X.shape == (2, 3)
    assert X.instrument.tolist()[0] == "flute"
    assert pd.isna(X.instrument[1])


def test_spectrograms_keep_every_instrument():
    spectrograms = np.empty(2, dtype=object)
    spectrograms[:] = [np.zeros((3, 4)), np.zeros((5, 4))]
    X = as_input(spectrograms, np.array(["flute", "oboe"], dtype=object), ["flute"])
    assert X.instrument.tolist() == ["flute", "oboe"]
    assert X.audio[1].shape == (5, 4)
