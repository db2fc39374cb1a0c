"""Nested tuning; as a script, this file is the command line with a model that is quick to fit."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.distributions import FloatDistribution, IntDistribution
from sklearn.compose import make_column_transformer
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks import models, search
from benchmarks.cli import BenchmarkError, main
from benchmarks.datasets import make_folds
from benchmarks.models import Options, build
from benchmarks.results import plain
from benchmarks.search import importance, plan_searches, search_fold, search_space
from sknote.model_selection import baseline_space

TINY = ["tune", "--model", "quick", "--max-notes", "60", "--min-class-count", "3"]
TINY += ["--trials", "3", "--outer", "2", "--inner", "2", "--n-jobs", "1"]


def quick(options):
    pipeline = build("baseline", options)
    one_hot = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["instrument"]), remainder="passthrough"
    )
    trees = ExtraTreesClassifier(5, random_state=options.seed)
    return pipeline.set_params(classify=make_pipeline(one_hot, trees))


def space_of_quick():
    trees = {
        "classify__extratreesclassifier__max_depth": IntDistribution(1, 9),
        "classify__extratreesclassifier__max_features": FloatDistribution(0.1, 1.0),
    }
    mfcc = {n: d for n, d in baseline_space().items() if n.startswith("mfcc")}
    return {"mfcc": mfcc, "classify": trees}


def enter_quick_model(set_item):
    set_item(models.MODELS, "quick", ("five trees", quick))
    set_item(models.MODELS, "tuned_quick", ("five chosen trees", quick))
    set_item(search.SPACES, "quick", (space_of_quick(), ("mfcc", "classify")))


@pytest.fixture
def quick_model(monkeypatch):
    enter_quick_model(monkeypatch.setitem)


@pytest.fixture
def tune(quick_model, cache_dir, tmp_path, capsys):
    """Tune the quick model in this process; returns (exit status, result, what was printed)."""

    def call(*arguments, name="tune-synthetic-quick"):
        where = ["--cache-dir", str(cache_dir), "--out", str(tmp_path), "--name", name]
        status = main([*TINY, *where, *arguments])
        path = tmp_path / f"{name}.json"
        result = json.loads(path.read_text()) if path.exists() else None
        return status, result, capsys.readouterr()

    return call


@pytest.fixture
def fresh_cache(cache_dir, tmp_path):
    """A cache without searches and folds; features and notes need not be made again."""
    folder = tmp_path / "cache"
    folder.mkdir()
    for part in ("features", "synthetic"):
        (cache_dir / part).mkdir(exist_ok=True)
        (folder / part).symlink_to(cache_dir / part)
    return ["--cache-dir", str(folder)]


def outcome(result):
    """What must be the same where the same was asked for: all but times and numbers of trials."""
    return [
        {
            "params": fold["params"],
            "inner": fold["inner_score"],
            "accuracy": {name: scores["accuracy"] for name, scores in fold["scores"].items()},
            "trials": sorted(
                (trial["state"], sorted(trial["params"].items()), trial["inner_scores"])
                for trial in fold["trials"]
            ),
        }
        for fold in result["folds"]
    ]


def test_the_whole_way_to_honest_and_optimistic_scores(tune, task, tmp_path):
    status, result, printed = tune()
    assert status == 0
    assert list(result["models"]) == ["quick", "tuned_quick"]
    assert len(result["folds"]) == 2
    for fold in result["folds"]:
        assert fold["n_trials"] == {"COMPLETE": 3}
        means = [np.mean(trial["inner_scores"]) for trial in fold["trials"]]
        assert fold["inner_score"] == pytest.approx(max(means), rel=1e-4)
        assert fold["params"] == fold["trials"][int(np.argmax(means))]["params"]
        assert set(fold["params"]) == set(result["space"])
        assert fold["search_seconds"] > 0
    for name, entry in result["models"].items():
        values = [fold["scores"][name]["accuracy"] for fold in result["folds"]]
        assert entry["mean"]["accuracy"] == pytest.approx(np.mean(values), rel=1e-4)
    gains = [
        fold["scores"]["tuned_quick"]["macro_f1"] - fold["scores"]["quick"]["macro_f1"]
        for fold in result["folds"]
    ]
    assert result["gain"]["mean"]["macro_f1"] == pytest.approx(np.mean(gains), abs=1e-4)
    assert sum(result["importance"].values()) == pytest.approx(1, abs=1e-3)
    assert "fANOVA" in result["importance_evaluator"]
    assert "optuna" in result["environment"]["versions"]
    assert (tmp_path / "tune-synthetic-quick.png").read_bytes().startswith(b"\x89PNG")
    assert "search of outer fold 1 finished" in printed.out
    assert f"{result['inner_score']['mean']['score']:.3f} ± " in printed.out

    # the real pipeline, from recordings, with what was chosen, on the same outer folds
    folds, _ = make_folds(task, 2, seed=0)
    for (train, test), fold in zip(folds, result["folds"]):
        pipeline = quick(Options()).set_params(**fold["params"])
        pipeline.fit(task.data.iloc[train], task.target[train])
        accuracy = pipeline.score(task.data.iloc[test], task.target[test])
        assert fold["scores"]["tuned_quick"]["accuracy"] == pytest.approx(accuracy, rel=1e-4)


def test_nothing_finished_is_repeated_and_a_seed_gives_one_result(tune, fresh_cache):
    _, first, _ = tune()
    _, second, _ = tune()
    assert second == first
    _, third, _ = tune(*fresh_cache)
    assert outcome(third) == outcome(first)
    _, other, _ = tune("--seed", "1")
    assert outcome(other) != outcome(first)


def test_a_tuned_model_in_a_comparison_has_the_scores_of_its_search(tune, cache_dir, tmp_path):
    _, tuned, _ = tune()
    command = ["run", "--models", "tuned_quick", "--folds", "2", "--max-notes", "60"]
    command += ["--min-class-count", "3", "--cache-dir", str(cache_dir), "--out", str(tmp_path)]
    assert main([*command, "--n-jobs", "1", "--name", "tuned"]) == 0
    entry = json.loads((tmp_path / "tuned.json").read_text())["models"]["tuned_quick"]
    assert entry["mean"] == plain(tuned["models"]["tuned_quick"]["mean"])
    own = entry.get("settings_of_folds", [{}, {}])  # none if all folds chose the same
    for fold, settings_of_fold in zip(tuned["folds"], own):
        known = entry["settings"] | settings_of_fold
        assert {name: known[name] for name in fold["params"]} == {
            name: repr(value) for name, value in fold["params"].items()
        }


def test_a_tuned_model_is_refused_where_its_choice_has_seen_the_test_notes(
    tune, cache_dir, tmp_path, capsys
):
    command = ["run", "--models", "tuned_quick", "--max-notes", "60", "--min-class-count", "3"]
    command += ["--cache-dir", str(cache_dir), "--out", str(tmp_path), "--folds"]
    assert main([*command, "2"]) == 2
    message = capsys.readouterr().err
    assert "tune-synthetic-quick.json is not there" in message
    assert "python -m benchmarks tune --dataset synthetic --model quick --outer 2" in message
    tune()
    for other in (["3"], ["2", "--seed", "1"]):
        assert main([*command, *other]) == 2
        assert "were chosen on other folds" in capsys.readouterr().err


def test_a_search_never_sees_the_outer_test_part_nor_splits_a_group(
    quick_model, task, cache_dir, tmp_path, monkeypatch
):
    seen = []
    row_of = {path: row for row, path in enumerate(task.data.audio)}

    class Recording(search.CachedPipeline):
        def fit(self, X, y):
            seen.append(([row_of[path] for path in X.audio], []))
            return super().fit(X, y)

        def predict(self, X):
            seen[-1][1].extend(row_of[path] for path in X.audio)
            return super().predict(X)

    monkeypatch.setattr(search, "CachedPipeline", Recording)
    folds, _ = make_folds(task, 2, seed=0)
    for job, (train, test) in zip(jobs_of(task, folds, cache_dir, tmp_path), folds):
        seen.clear()
        found = search_fold(**job.arguments)
        assert len(seen) == 3 * 2
        for fitted, scored in seen:
            assert set(fitted + scored) == set(train)
            assert not set(fitted + scored) & set(test)
            assert not set(task.groups[fitted]) & set(task.groups[scored])
            assert not set(task.groups[fitted + scored]) & set(task.groups[test])
        assert [trial["number"] for trial in found["trials"]] == [0, 1, 2]


def jobs_of(task, folds, cache_dir, storage_dir, **changed):
    asked = {"trials": 3, "inner": 2, "pruner": "none", "seed": 0} | changed
    space, pipeline = search_space("quick", quick(Options()), None, max_epochs=None)
    return plan_searches(
        task,
        folds,
        "quick",
        pipeline,
        space,
        asked,
        str(storage_dir / "journal.log"),
        cache_dir=cache_dir,
        options=Options(),
    )


def test_a_study_of_another_space_and_trials_that_all_fail_are_told(
    quick_model, task, cache_dir, tmp_path
):
    folds, _ = make_folds(task, 2, seed=0)
    arguments = jobs_of(task, folds, cache_dir, tmp_path)[0].arguments
    search_fold(**arguments)
    depth = "classify__extratreesclassifier__max_depth"
    other = arguments["space"] | {depth: IntDistribution(1, 3)}
    with pytest.raises(ValueError, match="made with another search space"):
        search_fold(**arguments | {"space": other})
    broken = {"space": {depth: IntDistribution(-5, -1)}, "study_name": "broken"}
    with pytest.raises(ValueError, match="All the 6 fits failed"):
        search_fold(**arguments | broken)


@pytest.mark.parametrize("changed", [{"trials": 4}, {"inner": 3}, {"pruner": "median"}], ids=str)
def test_a_changed_search_never_takes_an_old_one(changed, quick_model, task, tmp_path):
    folds, _ = make_folds(task, 2, seed=0)
    before, after = (jobs_of(task, folds, tmp_path, tmp_path, **asked) for asked in ({}, changed))
    assert not any(job.key in [one.key for one in before] for job in after)
    names = [{job.arguments["study_name"] for job in jobs} for jobs in (before, after)]
    assert not names[0] & names[1]


@pytest.mark.slow
def test_a_search_that_was_killed_goes_on_where_it_was(tune, fresh_cache, tmp_path):
    command = [*TINY, "--trials", "4", *fresh_cache, "--out", str(tmp_path), "--name", "killed"]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [sys.executable, __file__, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )
    before = []
    for line in process.stdout:
        before += re.findall(r"fold \d+, trial \d+", line)
        if len(before) == 5:  # one into the second fold
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert len(before) == 5
    assert not (tmp_path / "killed.json").exists()

    run = [sys.executable, __file__, *command]
    out = subprocess.run(run, capture_output=True, text=True, env=environment, check=True).stdout
    resumed = json.loads((tmp_path / "killed.json").read_text())
    after = re.findall(r"fold \d+, trial \d+", out)
    assert not set(before) & set(after)
    assert 1 <= len(after) <= 3
    _, straight, _ = tune("--trials", "4", name="straight")
    assert outcome(resumed) == outcome(straight)


def test_ctrl_c_says_how_to_go_on(tune, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("benchmarks.tune.run_kept", interrupted)
    status, result, printed = tune()
    assert (status, result) == (130, None)
    assert "The same command goes on from here" in printed.err


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--model", "qick"], r"no model 'qick'.*Did you mean 'quick'\?"),
        (
            ["--model", "dummy"],
            r"'dummy' has no search space; compact, baseline, extra_trees, quick have",
        ),
        (["--space", "classfy"], r"the parts of the space of quick are mfcc, classify\."),
    ],
    ids=["model", "no space", "part"],
)
def test_errors_of_the_user_come_without_a_traceback(arguments, message, tune, fresh_cache):
    status, result, printed = tune(*arguments, *fresh_cache)
    assert (status, result) == (2, None)
    assert re.search(message, printed.err)
    assert "Traceback" not in printed.err


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--storage", "sqlite:////no/such/folder/study.db"], "storage .* could not be opened"),
        (["--storage", "/no/such/folder/journal.log"], "storage .* could not be opened"),
        (["--inner", "50"], "n_splits=50"),
    ],
    ids=["database", "journal", "folds"],
)
def test_a_search_that_fails_says_why(arguments, message, tune, fresh_cache):
    with pytest.raises((ValueError, OSError), match=message):
        tune(*arguments, *fresh_cache)


@pytest.mark.parametrize("arguments", [["--trials", "0"], ["--outer", "1"], ["--inner", "1"]])
def test_numbers_that_make_no_search_are_refused(arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["tune", *arguments])
    assert arguments[0] in capsys.readouterr().err


def test_one_trial_gives_a_result(tune):
    _, result, _ = tune("--trials", "1", name="short")
    assert [fold["n_trials"] for fold in result["folds"]] == [{"COMPLETE": 1}] * 2
    assert result["importance"] == {}


def test_classes_in_too_few_groups_are_named(tune):
    _, result, printed = tune()
    assert any("in too few groups for 2 folds" in text for text in result["warnings"])
    assert "in too few groups" in printed.out


def test_the_network_is_tuned_where_its_space_is_asked_for():
    pipeline = build("compact", Options())
    space, _ = search_space("compact", pipeline, None, max_epochs=None)
    assert "classify__lr" in space
    assert "classify__augment" in space
    assert not any(name.startswith("spectrogram") for name in space)
    short, _ = search_space("compact", pipeline, None, max_epochs=2)
    assert set(space) - set(short) == {"classify__max_epochs"}
    front_end, _ = search_space("compact", pipeline, ["front_end"], max_epochs=None)
    assert set(front_end) == {n for n in front_end if n.startswith("spectrogram__")} != set()
    effects, augmented = search_space("compact", pipeline, ["effects"], max_epochs=None)
    assert set(effects) <= set(augmented.get_params())
    assert pipeline["classify"].augment == "auto"
    with pytest.raises(BenchmarkError, match="not both"):
        search_space("compact", pipeline, ["augmentation", "effects"], max_epochs=None)


def test_importance_finds_the_parameter_that_matters():
    space = {"a": FloatDistribution(0, 1), "b": FloatDistribution(0, 1)}
    draws = np.random.default_rng(0).uniform(size=(40, 2))

    def study_of(score):
        study = optuna.create_study()
        for a, b in draws.tolist():
            how = {"params": {"a": a, "b": b}, "distributions": space}
            study.add_trial(optuna.trial.create_trial(**how, value=score(a)))
        return study

    found = importance(study_of(lambda a: a), space, seed=0)
    assert found == importance(study_of(lambda a: a), space, seed=0)
    assert found["a"] > 0.9
    assert sum(found.values()) == pytest.approx(1)
    assert importance(study_of(lambda a: 0.5), space, seed=0) == {}


def test_documents_show_the_tables_of_a_search(tune, tmp_path):
    tune()
    place = "<!-- results:tune-synthetic-quick{} -->\n<!-- /results -->\n"
    readme = tmp_path / "README.md"
    readme.write_text(place.format("") + place.format("/parameters") + place.format("/costs"))
    assert main(["report", "--root", str(tmp_path), "--results", str(tmp_path)]) == 0
    text = readme.read_text()
    assert "| tuned_quick | 0." in text
    assert "| gain in a fold | " in text
    assert "| mfcc__n_mels | 0." in text
    assert text.count("2 outer and 2 inner stratified grouped folds") == 3


if __name__ == "__main__":
    enter_quick_model(dict.__setitem__)
    sys.exit(main(sys.argv[1:]))
