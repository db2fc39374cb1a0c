import argparse
import io
import json

import numpy as np
import pytest
import soundfile

from benchmarks.cli import main
from benchmarks.several_notes import (
    AS_IT_IS,
    amplified,
    draw_passages,
    passage_sizes,
    score_table,
    size_table,
)


def test_the_whole_way_from_notes_to_tables_a_result_and_a_picture(run, tmp_path):
    more = ("--models", "dummy", "--sizes", "1,3", "--first-folds", "1")
    status, _, printed = run(*more, name="", command="several_notes")
    name = "several-notes-synthetic-60-notes-1-epochs-2-folds-3-a-class-first-1-folds"
    assert status == 0
    assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    result = json.loads((tmp_path / f"{name}.json").read_text())
    assert result["kind"] == "several_notes"
    cases = result["models"]["dummy"]["cases"]
    assert list(cases) == [AS_IT_IS, "1", "3"]
    # who hears nothing answers the same at any gain
    assert cases["3"]["mean"] == cases[AS_IT_IS]["mean"]
    assert "passages of 3 notes of one instrument" in printed.out
    (tmp_path / "README.md").write_text(f"<!-- results:{name}/sizes -->\n<!-- /results -->\n")
    assert main(["report", "--root", str(tmp_path), "--results", str(tmp_path)]) == 0
    assert f"{cases['1']['mean']['accuracy']:.3f}" in (tmp_path / "README.md").read_text()


def test_each_note_is_dealt_to_one_passage_of_its_instrument():
    instrument = np.array(["flute", "oboe", "tuba"])[np.random.default_rng(0).integers(0, 2, 50)]
    for size in (1, 4, 100):
        passage = draw_passages(instrument, size, np.random.default_rng(1))
        numbers, counts = np.unique(passage, return_counts=True)
        assert list(numbers) == list(range(len(numbers)))
        assert all(len(set(instrument[passage == number])) == 1 for number in numbers)
        shorter = counts[counts < size]
        assert counts.max() <= size
        assert len(shorter) <= 2
        again = draw_passages(instrument, size, np.random.default_rng(1))
        np.testing.assert_array_equal(again, passage)


def test_a_gain_changes_all_of_a_recording_and_clips_nothing(tmp_path):
    wave = 0.9 * np.sin(0.05 * np.arange(4410))
    soundfile.write(tmp_path / "a.wav", wave, 44100, subtype="FLOAT")
    for gain in (-12.0, 0.0, 12.0):
        heard, rate = soundfile.read(io.BytesIO(amplified(tmp_path / "a.wav", gain)))
        assert rate == 44100
        np.testing.assert_allclose(heard, wave * 10 ** (gain / 20), atol=1e-6)
    (tmp_path / "b.wav").write_bytes(b"no sound")
    assert amplified(tmp_path / "b.wav", 3.0) == tmp_path / "b.wav"


def test_tables_show_eight_notes_where_there_are_such():
    def cases(value):
        return {"mean": {"accuracy": value}, "std": {"accuracy": 0.01}}

    entry = {"cases": {AS_IT_IS: cases(0.9), "2": cases(0.5), "8": cases(0.6), "16": cases(0.7)}}
    result = {"models": {"passages": entry}, "task": {"settings": {"sizes": [2, 8, 16]}}}
    assert score_table(result)[1] == ["passages", "0.600 ± 0.010"]
    assert [row[0] for row in size_table(result)[1:]] == [AS_IT_IS, "2", "8", "16"]
    result["task"]["settings"]["sizes"] = [2, 16]
    assert score_table(result)[1] == ["passages", "0.700 ± 0.010"]


def test_sizes_are_numbers_from_one():
    assert passage_sizes("1,8") == [1, 8]
    with pytest.raises(argparse.ArgumentTypeError, match="from 1"):
        passage_sizes("0,8")
