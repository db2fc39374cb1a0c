import json

import numpy as np
import pytest

from benchmarks import datasets
from benchmarks.cli import BenchmarkError
from benchmarks.datasets import make_folds
from sknote.exceptions import DataNotFoundError


def test_rare_classes_are_left_out_and_counted(task):
    labels, counts = np.unique(task.target, return_counts=True)
    assert task.classes.tolist() == labels[counts >= 3].tolist()
    assert set(task.target[task.rows]) == set(task.classes)
    found = task.description
    assert found["n_files"] == 60
    assert found["n_notes"] + found["n_in_rare_classes"] == 60
    assert found["n_classes"] + found["n_rare_classes"] == len(labels)
    assert found["smallest_class"] >= 3


def test_synthetic_notes_are_made_once(task, cache_dir, load):
    made = task.data.audio[0]
    before = [path for path in (cache_dir / "synthetic").rglob("*") if path.is_file()]
    again = load()
    assert again.data.audio[0] == made
    assert [path for path in (cache_dir / "synthetic").rglob("*") if path.is_file()] == before
    assert again.key() == task.key()


def test_the_large_set_has_100_labels_and_8000_notes(load, monkeypatch):
    task = load("synthetic-100", max_notes=100, min_class_count=2)
    assert {"regular-attack", "ponticello"} <= set(task.target)
    assert task.description["n_files"] == 100 and task.dataset == "synthetic-100"
    assert "regular" in task.hierarchy.levels_["quality"]
    asked = []

    def synthesize(n_notes, seed, cache_dir, **options):
        asked.append((n_notes, options))
        raise BenchmarkError

    monkeypatch.setattr(datasets, "synthesize", synthesize)
    for name in ("synthetic", "synthetic-100"):
        with pytest.raises(BenchmarkError):
            load(name, max_notes=None)
    assert asked == [(900, {}), (8000, {"labels": "all"})]


def test_another_seed_or_another_number_of_notes_is_another_task(task, load):
    keys = {task.key(), load(seed=1).key(), load(max_notes=40).key()}
    assert len(keys) == 3


def test_another_content_of_a_file_is_another_task(tmp_path, load):
    paths = philharmonia_tree(tmp_path, n_pitches=4)
    before = load("philharmonia", data_home=tmp_path)
    paths[0].write_bytes(b"something else")
    assert load("philharmonia", data_home=tmp_path).key() != before.key()


def test_names_do_not_tell_where_the_data_lie(tmp_path, load):
    philharmonia_tree(tmp_path, n_pitches=4)
    philharmonia_tree(tmp_path, n_pitches=4, instrument="oboe")
    task = load("philharmonia", data_home=tmp_path)
    assert task.names[0] == "flute/flute_A0_1_forte_normal.mp3"


def test_a_draw_by_lot_is_the_same_for_the_same_seed(tmp_path, load):
    philharmonia_tree(tmp_path, n_pitches=20)
    tasks = [
        load("philharmonia", data_home=tmp_path, max_notes=30, seed=seed) for seed in (0, 0, 1)
    ]
    assert tasks[0].names == tasks[1].names != tasks[2].names
    assert len(tasks[0].names) == 30
    assert tasks[0].description["n_files"] == 40
    assert tasks[0].description["n_not_drawn"] == 10


def test_folds_keep_groups_whole_and_take_each_note_once(task):
    folds, _ = make_folds(task, 3, seed=0)
    for train, test in folds:
        assert not set(task.groups[train]) & set(task.groups[test])
        assert set(train) | set(test) == set(task.rows)
    tested = np.concatenate([test for _, test in folds])
    assert sorted(tested) == task.rows.tolist()


def test_inner_folds_see_nothing_of_the_first_test_part(task):
    (train, test), *_ = make_folds(task, 3, seed=0)[0]
    inner = task.within(train)
    folds, _ = make_folds(inner, 2, seed=1)
    for part in folds:
        assert set(np.concatenate(part).tolist()) == set(train.tolist())
    assert not set(task.groups[train]) & set(task.groups[test])
    assert inner.description["n_notes"] == len(train)
    assert inner.key() != task.key()
    assert task.description["n_notes"] == len(task.rows)  # the task itself is as it was


def test_folds_follow_the_seed(task):
    one, again, other = (make_folds(task, 3, seed)[0][0][1].tolist() for seed in (0, 0, 1))
    assert one == again != other


def test_a_class_in_one_group_is_named(tmp_path, load):
    philharmonia_tree(tmp_path, n_pitches=6)
    for take in range(3):
        (tmp_path / f"philharmonia/flute/flute_B9_{take}_piano_trill.mp3").touch()
    task = load("philharmonia", data_home=tmp_path)
    _, messages = make_folds(task, 2, seed=0)
    assert any("'trill/piano' (in 1)" in message for message in messages)


def test_good_sounds_keep_the_takes_of_a_performance_together(tmp_path, load):
    root = tmp_path / "good_sounds"
    labels = ["good-sound", "bad-attack"] * 6
    packs = {"0": {"id": 0, "name": "flute_almudena_reference"}}
    sounds, takes = {}, {}
    for i, klass in enumerate(labels):
        sounds[str(i)] = {"id": i, "klass": klass, "instrument": "flute", "note": "ABCDEF"[i // 2]}
        sounds[str(i)] |= {"octave": 4, "pack_id": 0}
        for microphone in ("akg", "neumann"):
            name = f"sound_files/flute_almudena_reference/{microphone}/{i:04d}.wav"
            take = {"id": len(takes), "sound_id": i, "microphone": microphone, "filename": name}
            takes[str(len(takes))] = take
            path = root / "good-sounds" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    for name, table in {"packs": packs, "sounds": sounds, "takes": takes}.items():
        (root / f"{name}.json").write_text(json.dumps(table))
    (root / "good-sounds" / takes["0"]["filename"]).unlink()

    task = load("good_sounds", data_home=tmp_path)
    assert task.description["n_files"] == 24
    assert task.description["not_used_by_loader"] == {"file missing": 1}
    assert task.description["n_groups"] == 6
    assert any("1 of 24 files are missing" in text for text in task.warnings)
    folds, _ = make_folds(task, 2, seed=0)
    for train, test in folds:
        assert not set(task.groups[train]) & set(task.groups[test])


@pytest.mark.parametrize("dataset", ["philharmonia", "good_sounds"])
def test_missing_data_is_told_with_the_remedy(dataset, tmp_path, load):
    with pytest.raises(DataNotFoundError, match="SKNOTE_DATA"):
        load(dataset, data_home=tmp_path)


def test_too_few_notes_of_a_class_are_told(load):
    with pytest.raises(BenchmarkError, match=r"has 0 classes with 50 notes or more.*at least 2"):
        load(min_class_count=50)


def test_more_folds_than_groups_are_told(tmp_path, load):
    philharmonia_tree(tmp_path, n_pitches=4)
    task = load("philharmonia", data_home=tmp_path)
    with pytest.raises(ValueError, match="n_splits=10"):
        make_folds(task, 10, seed=0)


def philharmonia_tree(folder, n_pitches, instrument="flute"):
    """Two dynamics of each of some pitches, as empty files; only names and sizes count here."""
    paths = []
    for pitch in range(n_pitches):
        for dynamic in ("forte", "piano"):
            name = f"{'ABCDEFG'[pitch % 7]}{pitch // 7}_1_{dynamic}_normal.mp3"
            path = folder / "philharmonia" / instrument / f"{instrument}_{name}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            paths.append(path)
    return paths
