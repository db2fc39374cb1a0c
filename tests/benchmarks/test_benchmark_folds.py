import dataclasses

import pytest

from benchmarks import processes
from benchmarks.datasets import make_folds
from benchmarks.folds import fit_fold, plan, run_folds
from benchmarks.models import Options, build
from benchmarks.processes import is_kept

PLAIN = Options()


def jobs_of(task, tmp_path, *, model="dummy", options=PLAIN, n_folds=2, seed=0, n_jobs=1):
    folds, _ = make_folds(task, n_folds, seed)
    pipelines = {model: [build(model, options)] * n_folds}
    return plan(task, folds, pipelines, cache_dir=tmp_path, options=options, n_jobs=n_jobs)


def test_a_fold_says_what_it_took(task, tmp_path):
    job = jobs_of(task, tmp_path)[0]
    fold = fit_fold(**job.arguments)
    assert fold["proba"].shape == (len(fold["rows"]), len(task.classes))
    assert fold["proba"].sum(axis=1) == pytest.approx(1)
    assert fold["n_train"] + fold["n_test"] == len(task.rows)
    assert fold["fit_seconds"] >= 0
    assert 20 < fold["peak_memory_mib"] < 4000
    assert {"versions", "commit", "machine"} <= set(fold["environment"])


def test_a_finished_fold_is_not_run_again(task, tmp_path):
    folds, _ = make_folds(task, 2, seed=0)
    how = {"cache_dir": tmp_path, "options": PLAIN, "n_jobs": 1}
    pipelines = {"dummy": [build("dummy", PLAIN)] * 2}
    outcomes = run_folds(task, folds, pipelines, **how)
    jobs = jobs_of(task, tmp_path)
    assert all(is_kept(fit_fold, job, tmp_path) for job in jobs)
    again = run_folds(task, folds, pipelines, **how)
    times = [[fold["fit_seconds"] for fold in found["dummy"]] for found in (outcomes, again)]
    assert times[0] == times[1]


@pytest.mark.parametrize(
    "change",
    [
        {"options": Options(seed=1)},
        {"options": Options(max_epochs=2)},
        {"options": Options(device="cuda")},
        {"options": Options(n_threads=2)},
        {"n_folds": 3},
        {"seed": 1},
        {"n_jobs": 2},
    ],
    ids=str,
)
def test_a_changed_setting_never_takes_an_old_fold(change, task, tmp_path):
    before = [job.key for job in jobs_of(task, tmp_path, model="compact")]
    after = [job.key for job in jobs_of(task, tmp_path, model="compact", **change)]
    assert not any(key in before for key in after)
    assert before == [job.key for job in jobs_of(task, tmp_path, model="compact")]


def test_changed_data_never_take_an_old_fold(task, tmp_path):
    before = [job.key for job in jobs_of(task, tmp_path)]
    target, groups = task.target.copy(), task.groups.copy()
    target[task.rows[0]], target[task.rows[1]] = target[task.rows[1]], target[task.rows[0]]
    groups[task.rows[0]] = "another"
    for change in ({"target": target}, {"groups": groups}):
        after = [job.key for job in jobs_of(dataclasses.replace(task, **change), tmp_path)]
        assert not any(key in before for key in after)


def test_changed_code_or_versions_never_take_an_old_fold(task, tmp_path, monkeypatch):
    job = jobs_of(task, tmp_path)[0]
    before = processes._place(fit_fold, job, tmp_path)
    for name, changed in (("code_digest", "other"), ("versions", {"torch": "0.1"})):
        with monkeypatch.context() as patch:
            patch.setattr(processes, name, lambda *_, changed=changed: changed)
            assert processes._place(fit_fold, job, tmp_path) != before
