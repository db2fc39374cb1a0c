"""The loader of the Philharmonia's samples."""

import os
from pathlib import Path

import numpy as np
import pytest
from sklearn.model_selection import GroupKFold

from sknote.datasets import load_philharmonia
from sknote.datasets._philharmonia import parse_philharmonia_name
from sknote.exceptions import DataNotFoundError

FILES = (
    "cello/cello_A2_025_forte_arco-normal.mp3",
    "cello/cello_A2_1_forte_arco-normal.mp3",
    "cello/cello_A2_phrase_forte_arco-legato.mp3",
    "cor-anglais/english-horn_As4_025_piano_normal.mp3",
    "bass-clarinet/bass-clarinet_Cs2_phrase_mezzo-forte_.mp3",
    "bass-drum/bass-drum__15_mezzo-piano_rhythm.mp3",
    "bass-drum/bass-drum__1_forte_struck_twice.mp3",
    "cello/readme.mp3",
)


@pytest.fixture
def home(tmp_path):
    for name in FILES:
        path = tmp_path / "philharmonia" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def test_every_field_of_every_name(home):
    notes = load_philharmonia(data_home=home)
    frame = notes.frame.set_index(notes.frame.path.map(lambda path: Path(path).name))
    assert len(frame) == 7
    horn = frame.loc["english-horn_As4_025_piano_normal.mp3"]
    assert (horn.instrument, horn.pitch, horn.midi, horn.length) == (
        "cor-anglais",
        "As4",
        70,
        "025",
    )
    assert (horn.label, horn.group) == ("normal/piano", "cor-anglais/As4")
    nameless = frame.loc["bass-clarinet_Cs2_phrase_mezzo-forte_.mp3"]
    assert (nameless.articulation, nameless.label) == ("", "unspecified/mezzo-forte")
    drum = frame.loc["bass-drum__1_forte_struck_twice.mp3"]
    assert (drum.articulation, drum.group) == ("struck_twice", "bass-drum/unpitched")
    assert drum.isna().midi


def test_bunch_is_aligned_and_plain(home):
    notes = load_philharmonia(data_home=home)
    assert notes.data.columns.tolist() == ["audio", "instrument"]
    assert all(type(path) is str and Path(path).is_file() for path in notes.data.audio)
    assert notes.data.audio.tolist() == sorted(notes.data.audio) == notes.frame.path.tolist()
    for array, column in ((notes.target, "label"), (notes.groups, "group")):
        assert type(array) is np.ndarray and array.dtype.kind == "U"
        assert array.tolist() == notes.frame[column].tolist()
    assert notes.dropped == {"file name without the five fields": 1}
    assert "- 1 x file name without the five fields" in notes.DESCR


def test_the_folder_itself_is_a_data_home_too(home):
    inside = load_philharmonia(data_home=home / "philharmonia")
    assert inside.target.tolist() == load_philharmonia(data_home=home).target.tolist()


def test_hierarchy_has_the_two_levels(home):
    hierarchy = load_philharmonia(data_home=home).hierarchy
    assert hierarchy.parse("arco-normal/forte") == {
        "articulation": "arco-normal",
        "dynamic": "forte",
    }
    assert "unspecified/mezzo-forte" in hierarchy.classes_


def test_filters_and_the_order_of_counting(home):
    notes = load_philharmonia(data_home=home, instruments=["cello", "bass-drum"])
    assert set(notes.data.instrument) == {"cello", "bass-drum"}
    assert notes.dropped["other instrument"] == 2
    assert load_philharmonia(data_home=home, lengths="025").frame.length.tolist() == ["025"] * 2
    single = load_philharmonia(data_home=home, single_notes_only=True)
    assert single.dropped["phrase or rhythm, not a single note"] == 3
    # Two forte notes of the cello; with one length only one is left, and then none.
    frequent = load_philharmonia(data_home=home, min_class_count=2)
    assert frequent.target.tolist() == ["arco-normal/forte"] * 2
    assert frequent.dropped["label with fewer than 2 notes"] == 5
    with pytest.raises(ValueError, match=r"^load_philharmonia: the filters left no recording"):
        load_philharmonia(data_home=home, lengths="1", min_class_count=2)


def test_errors(home, tmp_path):
    with pytest.raises(ValueError, match=r"instruments must be .* Did you mean 'cello'"):
        load_philharmonia(data_home=home, instruments="celo")
    with pytest.raises(DataNotFoundError, match=r"load_philharmonia: .*philharmonia.* SKNOTE_DATA"):
        load_philharmonia(data_home=tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["x.mp3", "flute_A4_1_forte.mp3", "notes about the flute.mp3"])
def test_names_of_other_files_are_not_parsed(name):
    assert parse_philharmonia_name(name) is None


NOTE = "flute_A6_025_forte_normal.mp3"


def library(tmp_path, *names):
    for name in names:
        path = tmp_path / "philharmonia" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path


def instruments_of(home):
    return load_philharmonia(data_home=home).data.instrument.tolist()


@pytest.mark.parametrize(
    "other",
    [f"flute/._{NOTE}", f"__MACOSX/flute/._{NOTE}", f"__MACOSX/{NOTE}", f"flute/.{NOTE}"]
    + [f".trash/{NOTE}", "flute/.DS_Store", f"flute/__MACOSX/._{NOTE}"]
    + [f"{folder}/{NOTE}" for folder in ("$RECYCLE.BIN", "@eaDir", "System Volume Information")]
    + [f"flute/{folder}/x/{NOTE}" for folder in (".Trash-1000", "$Recycle.Bin", "lost+found")],
)
def test_what_systems_put_beside_recordings_is_no_note(other, tmp_path):
    notes = load_philharmonia(data_home=library(tmp_path, f"flute/{NOTE}", other))
    assert (notes.target.tolist(), notes.groups.tolist()) == (["normal/forte"], ["flute/A6"])
    assert notes.dropped == {"hidden, or of the system": 1}
    hidden = tmp_path / "philharmonia" / "flute" / NOTE
    hidden.unlink()
    with pytest.raises(DataNotFoundError, match=r"found no .*_.*\.mp3"):
        load_philharmonia(data_home=tmp_path)


@pytest.mark.parametrize("below", ["", "flute/", "all-samples/flute/", "flute/loud/", "Flute/"])
def test_an_instrument_is_named_by_the_folder_or_the_file_that_knows_it(below, tmp_path):
    home = library(tmp_path, f"{below}{NOTE}", f"{below}flute_B4_05_piano_normal.mp3")
    name = "Flute" if "Flute" in below else "flute"
    assert instruments_of(home) == [name] * 2
    assert instruments_of(home / "philharmonia") == [name] * 2
    assert load_philharmonia(data_home=home).groups.tolist() == [f"{name}/A6", f"{name}/B4"]


def test_a_folder_of_several_instruments_is_none(tmp_path):
    names = [f"{name}_A4_025_forte_normal.mp3" for name in ("cello", "english-horn", "oboe")]
    mixed = library(tmp_path, *[f"new/{name}" for name in names], f"flute/{NOTE}")
    assert set(instruments_of(mixed)) == {"cello", "english-horn", "oboe", "flute"}
    spare = library(tmp_path / "spare", f"flute/{NOTE}", "backup/flute_B4_1_forte_normal.mp3")
    assert instruments_of(spare) == ["flute", "flute"]
    named = library(tmp_path / "named", f"flute/{NOTE}", f"cor-anglais/{names[1]}")
    assert instruments_of(named) == ["cor-anglais", "flute"]
    spelt = library(tmp_path / "spelt", f"flute/{NOTE}", "FLUTE/flute_B4_1_forte_normal.mp3")
    assert len(set(instruments_of(spelt))) == 1


def test_accents_are_spelt_in_one_way(tmp_path):
    names = ["flu\u0302te_A4_1_forte_normal.mp3", "fl\u00fbte_B4_1_forte_normal.mp3"]
    notes = load_philharmonia(
        data_home=library(tmp_path, f"flu\u0302te/{names[0]}", f"fl\u00fbte/{names[1]}")
    )
    assert set(notes.data.instrument) == {"fl\u00fbte"}
    assert all(Path(path).is_file() for path in notes.data.audio)


@pytest.mark.parametrize("suffix", [".MP3", ".Mp3"])
@pytest.mark.parametrize("below", ["flute/", ""])
def test_capitals_in_a_suffix(suffix, below, tmp_path):
    home = library(tmp_path, below + NOTE.replace(".mp3", suffix))
    assert load_philharmonia(data_home=home).target.tolist() == ["normal/forte"]


def test_links_are_followed_once(tmp_path):
    oboe, horn = "oboe_A4_1_forte_normal.mp3", "horn_A4_1_forte_normal.mp3"
    library(tmp_path, f"flute/{NOTE}")
    library(tmp_path / "elsewhere", oboe, f"deep/horn/{horn}")
    top, other = tmp_path / "philharmonia", tmp_path / "elsewhere" / "philharmonia"
    (top / "oboe").symlink_to(other)  # which holds a folder, too
    (top / "horn").symlink_to(other / "deep" / "horn")
    (top / "flute" / "up").symlink_to("..")
    (top / "flute" / "self").symlink_to("self")
    (top / "a-flute").symlink_to("flute")
    (top / "flute" / "flute_B4_1_forte_normal.mp3").symlink_to(other / oboe)
    (top / "flute" / "flute_C4_1_forte_normal.mp3").symlink_to("nowhere")
    os.mkfifo(top / "flute" / "flute_D4_1_forte_normal.mp3")
    notes = load_philharmonia(data_home=tmp_path)
    assert sorted(notes.groups) == ["flute/A6", "flute/B4", "horn/A4", "oboe/A4"]
    assert all(f"{os.sep}a-flute" not in path for path in notes.data.audio)
    assert notes.dropped == {
        "link to a folder that is read already": 3,
        "no file: a broken link, a pipe or the like": 3,
    }


@pytest.mark.parametrize(
    "name, reason",
    [
        ("flute_A6_025_forte_normal (1).mp3", "file name without the five fields"),
        ("flute_A6_025_forte_normal - Copy.mp3", "file name without the five fields"),
        ("flute_A6_025_forte_normal copy.MP3", "file name without the five fields"),
        ("_A6_025_forte_normal.mp3", "file name without the five fields"),
        ("flute_A6__forte_normal.mp3", "file name without the five fields"),
        ("flute_A6_025_forte_normal\n.mp3", "file name without the five fields"),
        ("flute_A6_025_forte_normal.wav", "other than .mp3"),
        ("flute_A6_025_forte_normal.mp3.part", "other than .mp3"),
        (f"copy/{NOTE}", "copy: the same name, instrument and size"),
        (f"copy/{NOTE.upper()}", "copy: the same name, instrument and size"),
        ("flute_A6_025_forte_normal\udcff.mp3", "name that is not UTF-8"),
        (f"fl\udcffte/{NOTE}", "name that is not UTF-8"),
    ],
)
def test_nothing_is_left_out_without_being_counted(name, reason, tmp_path):
    home = library(tmp_path, f"flute/{NOTE}")
    path = tmp_path / "philharmonia" / "flute" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"flute/{NOTE}")
    notes = load_philharmonia(data_home=home)
    assert (notes.target.tolist(), notes.groups.tolist()) == (["normal/forte"], ["flute/A6"])
    assert notes.dropped == {reason: 1}


def test_recordings_that_differ_are_no_copies(tmp_path):
    notes = load_philharmonia(
        data_home=library(tmp_path, f"a/flute/{NOTE}", f"second/flute/{NOTE}")
    )
    assert notes.groups.tolist() == ["flute/A6"] * 2


def test_a_folder_that_may_not_be_read_is_counted(tmp_path, monkeypatch):
    home = library(tmp_path, f"flute/{NOTE}", "oboe/oboe_A4_1_forte_normal.mp3")
    scandir = os.scandir

    def refuse(path="."):
        if str(path).endswith("oboe"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    notes = load_philharmonia(data_home=home)
    assert notes.data.instrument.tolist() == ["flute"]
    assert notes.dropped == {"folder that cannot be read": 1}


def test_a_pitch_beyond_all_instruments_is_no_number(tmp_path):
    home = library(tmp_path, f"flute/{NOTE}", f"flute/flute_A{10**30}_1_forte_normal.mp3")
    assert load_philharmonia(data_home=home).frame.midi.isna().tolist() == [True, False]


def test_a_folder_without_a_note_says_what_is_expected(tmp_path):
    home = library(tmp_path, "flute/a_b_c_d_e f.mp3")
    with pytest.raises(DataNotFoundError, match=r"<instrument>_<pitch>.* left out: .*five fields"):
        load_philharmonia(data_home=home)


@pytest.mark.data
def test_the_real_library():
    home = os.environ.get("SKNOTE_DATA")
    if not home or not Path(home, "philharmonia").is_dir():
        pytest.skip("no philharmonia in $SKNOTE_DATA")
    notes = load_philharmonia()
    assert len(notes.target) == len(list(Path(home, "philharmonia").glob("*/*.mp3")))
    assert notes.dropped == {}
    assert notes.frame.midi.isna().sum() == (notes.frame.pitch == "").sum()
    assert set(notes.frame.length) <= {"025", "05", "1", "15", "long", "very-long", "phrase"}
    assert all(len(label.split("/")) == 2 and all(label.split("/")) for label in notes.target)
    for train, test in GroupKFold(3).split(notes.data, notes.target, notes.groups):
        heard = set(zip(notes.frame.instrument[train], notes.frame.pitch[train]))
        assert heard.isdisjoint(zip(notes.frame.instrument[test], notes.frame.pitch[test]))
