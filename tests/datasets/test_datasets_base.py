"""What the loaders share: folders, pitch names, filters."""

from pathlib import Path

import pandas as pd
import pytest

from sknote.datasets._base import (
    find_folder,
    get_data_home,
    keep_frequent,
    keep_rows,
    midi_to_pitch,
    pitch_to_midi,
)
from sknote.exceptions import DataNotFoundError


def test_data_home_comes_from_the_argument_then_the_environment_then_home(monkeypatch, tmp_path):
    monkeypatch.setenv("SKNOTE_DATA", str(tmp_path / "env"))
    assert get_data_home(tmp_path / "arg") == tmp_path / "arg"
    assert get_data_home() == tmp_path / "env"
    monkeypatch.delenv("SKNOTE_DATA")
    assert get_data_home() == Path.home() / "sknote_data"
    assert get_data_home("~/x") == Path.home() / "x"


def test_find_folder_takes_the_first_place_with_the_marker(tmp_path):
    for name in ("empty", "first", "second"):
        (tmp_path / name).mkdir()
    for name in ("first", "second"):
        (tmp_path / name / "a.json").touch()
    places = ("absent", "empty", "first", "second")
    found = find_folder(tmp_path, places, "*.json", caller="me", remedy="")
    assert found == tmp_path / "first"


def test_find_folder_says_where_it_looked_and_what_to_do(tmp_path):
    with pytest.raises(DataNotFoundError, match=r"^load_x: found no 'a.*") as error:
        find_folder(tmp_path, ("here", "."), "a.json", caller="load_x", remedy="Fetch it.")
    assert str(tmp_path / "here") in str(error.value)
    assert str(error.value).endswith("Fetch it.")


@pytest.mark.parametrize(
    "name, midi",
    [("C4", 60), ("A4", 69), ("As0", 22), ("Bb3", 58), ("F#5", 78), ("C-", None), ("", None)]
    + [("H4", None), ("snare", None), ("C", None)],
)
def test_pitch_to_midi(name, midi):
    assert pitch_to_midi(name) == midi


@pytest.mark.parametrize("midi", range(12, 128))
def test_pitch_names_there_and_back(midi):
    assert pitch_to_midi(midi_to_pitch(midi)) == midi


def test_filters_book_what_they_drop():
    frame = pd.DataFrame({"label": ["a", "a", "b", "a"]})
    dropped = {}
    assert len(keep_rows(frame, [True] * 4, "nothing", dropped)) == 4
    assert dropped == {}
    frame = keep_rows(frame, [True, True, True, False], "the last", dropped)
    frame = keep_frequent(frame, 2, dropped)
    assert frame.label.tolist() == ["a", "a"]
    assert dropped == {"the last": 1, "label with fewer than 2 notes": 1}
