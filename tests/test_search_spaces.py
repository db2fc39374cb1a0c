"""Tests of the ready search spaces on the steps that they name."""

import optuna
import pytest
from optuna.samplers import RandomSampler
from sklearn.base import clone

from sknote import make_baseline_pipeline, make_note_pipeline
from sknote.datasets import make_notes
from sknote.model_selection import (
    OptunaSearch,
    baseline_space,
    note_space,
    suggest_baseline,
    suggest_note,
)
from sknote.model_selection.search._space import check_space, suggest
from sknote.nn import SpectrogramAugment

NOTE = make_note_pipeline()
BASELINE = make_baseline_pipeline()


def _trials(n):
    study = optuna.create_study(sampler=RandomSampler(seed=0))
    return [study.ask() for _ in range(n)]


@pytest.mark.parametrize(
    ("pipeline", "space", "by_run"),
    [(NOTE, note_space, suggest_note), (BASELINE, baseline_space, suggest_baseline)],
    ids=["note", "baseline"],
)
def test_each_draw_is_accepted_by_every_step(pipeline, space, by_run):
    distributions = check_space(space(), pipeline)
    for draw in (lambda trial: suggest(distributions, trial), by_run):
        for trial in _trials(20):
            drawn = clone(pipeline).set_params(**draw(trial))
            for _, step in drawn.steps:
                step._validate_params()
    assert space() is not space()


@pytest.mark.parametrize(("pipeline", "space"), [(NOTE, note_space), (BASELINE, baseline_space)])
def test_defaults_lie_in_the_space(pipeline, space):
    defaults = pipeline.get_params()
    for name, distribution in space().items():
        value = distribution.to_internal_repr(defaults[name])
        assert distribution._contains(value), name


@pytest.mark.parametrize("part", ["front_end", "network", "training", "augmentation"])
def test_part_of_the_note_space(part):
    assert note_space(part).items() <= note_space().items()


@pytest.mark.parametrize("augment", ["auto", SpectrogramAugment()])
def test_effects_are_the_sizes_of_an_augmentation(augment):
    pipeline = clone(NOTE).set_params(classify__augment=augment)
    assert check_space(note_space("effects"), pipeline) == note_space("effects")


def test_effects_need_an_augmentation_to_be_the_sizes_of():
    pipeline = clone(NOTE).set_params(classify__augment=None)
    with pytest.raises(ValueError, match="no parameter 'classify__augment__semitones'"):
        check_space(note_space("effects"), pipeline)


def test_part_that_does_not_exist():
    with pytest.raises(ValueError, match=r"got 'trainig'. Did you mean 'training'\?"):
        note_space("trainig")


@pytest.mark.parametrize("module", ["compact", "analyzer", "starter"])
def test_network_can_be_trained_as_drawn(module):
    notes = make_notes(
        12, labels=["good-sound", "bad-richness"], duration_range=(0.25, 0.3), random_state=0
    )
    study = optuna.create_study(sampler=RandomSampler(seed=0))
    study.enqueue_trial({"classify__module": module})
    params = suggest_note(study.ask())
    assert params["classify__module"] == module
    assert ("classify__module_params" in params) == (module == "compact")
    pipeline = clone(NOTE).set_params(**params | {"classify__max_epochs": 1})
    proba = pipeline.fit(notes.data, notes.target).predict_proba(notes.data)
    assert proba.shape == (12, 2)


def test_search_of_the_baseline():
    notes = make_notes(
        24, labels=["good-sound", "bad-richness"], duration_range=(0.25, 0.3), random_state=0
    )
    search = OptunaSearch(BASELINE, baseline_space(), n_trials=2, cv=2, random_state=0)
    search.fit(notes.data, notes.target, groups=notes.groups)
    assert search.cv_results_["trial_state"].tolist() == ["COMPLETE"] * 2
    assert len(search.predict(notes.data)) == 24
