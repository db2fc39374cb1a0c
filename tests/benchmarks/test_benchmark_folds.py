import dataclasses

import pytest

from benchmarks import folds as folds_module
from benchmarks.datasets import make_folds
from benchmarks.folds import forget, plan, read_fold, run_folds
from benchmarks.models import Options, build

PLAIN = Options()


def jobs_of(task, tmp_path, *, model="dummy", options=PLAIN, n_folds=2, seed=0, n_jobs=1):
    folds, _ = make_folds(task, n_folds, seed)
    pipelines = {model: [build(model, options)] * n_folds}
    return plan(
        task,
        folds,
        pipelines,
        {(model, k): [] for k in range(n_folds)},
        cache_dir=tmp_path,
        options=options,
        n_jobs=n_jobs,
    )


def test_a_finished_fold_is_not_run_again(task, tmp_path):
    jobs = jobs_of(task, tmp_path)
    ran = [job.fold for job, _ in run_folds(jobs, n_jobs=1, n_threads=1)]
    assert ran == [0, 1]
    jobs[0].path.unlink()
    again = jobs_of(task, tmp_path)
    assert [job.fold for job, _ in run_folds(again, n_jobs=1, n_threads=1)] == [0]
    forget(again)
    assert not any(job.path.exists() for job in again)


def test_a_finished_fold_says_what_it_took(task, tmp_path):
    job = jobs_of(task, tmp_path)[0]
    assert [result for _, result in run_folds([job], n_jobs=1, n_threads=1)] == [None]
    measured, proba = read_fold(job)
    assert proba.shape == (len(job.test), len(task.classes))
    assert proba.sum(axis=1) == pytest.approx(1)
    assert measured["n_train"] + measured["n_test"] == len(task.rows)
    assert measured["fit_seconds"] >= 0
    assert 20 < measured["peak_memory_mib"] < 4000
    assert {"versions", "commit", "machine"} <= set(measured["environment"])


def test_half_a_result_counts_for_nothing(task, tmp_path):
    # a process that died between the two files
    job = jobs_of(task, tmp_path)[0]
    job.path.parent.mkdir(parents=True)
    job.path.with_suffix(".npz").write_bytes(b"PK")
    assert len(list(run_folds([job], n_jobs=1, n_threads=1))) == 1
    assert read_fold(job)[1].shape[0] == len(job.test)


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
    before = {job.path for job in jobs_of(task, tmp_path, model="compact")}
    assert not before & {job.path for job in jobs_of(task, tmp_path, model="compact", **change)}
    assert before == {job.path for job in jobs_of(task, tmp_path, model="compact")}


def test_changed_data_never_take_an_old_fold(task, tmp_path):
    before = {job.path for job in jobs_of(task, tmp_path)}
    target = task.target.copy()
    target[task.rows[0]], target[task.rows[1]] = target[task.rows[1]], target[task.rows[0]]
    groups = task.groups.copy()
    groups[task.rows[0]] = "another"
    for change in ({"target": target}, {"groups": groups}):
        changed = dataclasses.replace(task, **change)
        assert not before & {job.path for job in jobs_of(changed, tmp_path)}


def test_changed_code_or_versions_never_take_an_old_fold(task, tmp_path, monkeypatch):
    before = {job.path for job in jobs_of(task, tmp_path)}
    with monkeypatch.context() as patch:
        patch.setattr(folds_module, "source_digest", lambda patterns: "other code")
        assert not before & {job.path for job in jobs_of(task, tmp_path)}
    with monkeypatch.context() as patch:
        patch.setattr(folds_module, "versions", lambda: {"torch": "0.1"})
        assert not before & {job.path for job in jobs_of(task, tmp_path)}
