"""Tests of the sampler whose draws depend on seed, place and name only."""

import copy
from functools import partial

import numpy as np
import optuna
import pytest
from optuna.samplers import (
    BruteForceSampler,
    CmaEsSampler,
    GPSampler,
    GridSampler,
    NSGAIISampler,
    PartialFixedSampler,
    RandomSampler,
    TPESampler,
)

from sknote.model_selection.search._sampler import SeededSampler

pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")

GRID = {"a": [0.0, 0.5, 1.0], "b": [1, 2, 3, 4]}


def _number(study, trial):
    return trial.number


def _objective(trial):
    a = trial.suggest_float("a", 0, 1, step=0.5 if trial.study.user_attrs.get("grid") else None)
    return a + trial.suggest_int("b", 1, 4) ** 2


def _run(sampler, n_trials, storage, seed=0, grid=False):
    """Run in pieces; each has a new sampler, as a resumed search has."""
    study = optuna.create_study(storage=storage, study_name="s", load_if_exists=True)
    study.set_user_attr("grid", grid)
    for n in n_trials:
        study.sampler = SeededSampler(
            copy.deepcopy(sampler), seed, lambda study, trial: trial.number
        )
        study.optimize(_objective, n_trials=n)
    return [trial.params for trial in study.trials]


@pytest.fixture(autouse=True)
def quiet():
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield
    optuna.logging.set_verbosity(before)


SAMPLERS = {
    "random": RandomSampler,
    "tpe": TPESampler,
    "tpe one by one": partial(TPESampler, multivariate=False, constant_liar=False),
    "tpe with a start of 3": partial(TPESampler, n_startup_trials=3, seed=9),
    "nsga": partial(NSGAIISampler, population_size=4),
    "partial": lambda: PartialFixedSampler({"b": 2}, RandomSampler()),
    "grid": partial(GridSampler, GRID),
    "brute force": BruteForceSampler,
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_run_in_pieces_equals_run_in_one(name):
    sampler = SAMPLERS[name]()
    grid = name in ("grid", "brute force")
    whole = _run(sampler, [12], optuna.storages.InMemoryStorage(), grid=grid)
    pieces = _run(sampler, [1, 5, 2, 4], optuna.storages.InMemoryStorage(), grid=grid)
    assert whole == pieces
    assert len({tuple(params.values()) for params in whole}) == 12
    if name != "grid":  # which is dealt in an order of its own
        assert whole != _run(sampler, [12], optuna.storages.InMemoryStorage(), seed=1, grid=grid)


@pytest.mark.parametrize("sampler", [CmaEsSampler, GPSampler])
def test_samplers_of_optional_packages(sampler):
    pytest.importorskip({CmaEsSampler: "cmaes", GPSampler: "torch"}[sampler])
    made = sampler(n_startup_trials=3)
    assert _run(made, [6], optuna.storages.InMemoryStorage()) == _run(
        made, [4, 2], optuna.storages.InMemoryStorage()
    )


def test_draws_are_uniform_and_independent():
    """Seeds made of neighbouring numbers must not make neighbouring draws."""
    study = optuna.create_study()
    study.sampler = SeededSampler(RandomSampler(), 0, _number)
    draws = []
    for _ in range(400):
        trial = study.ask()
        draws.append([trial.suggest_float(name, 0, 1) for name in "ab"])
    draws = np.array(draws)
    np.testing.assert_allclose(draws.mean(axis=0), 0.5, atol=4 / np.sqrt(12 * 400))
    np.testing.assert_allclose(draws.var(axis=0), 1 / 12, atol=0.015)
    assert abs(np.corrcoef(draws.T)[0, 1]) < 0.2
    assert np.all(np.abs([np.corrcoef(d[1:], d[:-1])[0, 1] for d in draws.T]) < 0.2)


def test_place_decides_and_not_the_number():
    def values(place_of):
        study = optuna.create_study()
        study.sampler = SeededSampler(RandomSampler(), 0, place_of)
        return [study.ask().suggest_float("a", 0, 1) for _ in range(3)]

    first, second, third = values(_number)
    assert values(lambda study, trial: max(trial.number - 1, 0)) == [first, first, second]
    assert third not in (first, second)
