"""The loader of good-sounds, on a tree of the same layout and on the real sample track."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sklearn.model_selection import GroupKFold

from sknote.datasets import load_good_sounds
from sknote.datasets._good_sounds import instrument_of_pack, player_of_pack
from sknote.exceptions import DataNotFoundError

# Pack, instrument, note, octave, klass and the microphones that recorded it.
SOUNDS = [
    ("flute_almudena_reference", "flute", "C", 4, "good-sound", "akg neumann"),
    ("flute_almudena_attack", "flute", "C", 4, "bad-attack-tongue-block", "akg neumann"),
    ("flute_almudena_attack", "flute", "D#", 5, "good-attack-accent>", "akg"),
    ("flute_josep_evaluation_recordings", "flute", "C", 4, "good-sound", "iphone"),
    ("clarinet_pablo_air", "", "A", 3, "air-outside", "akg neumann iphone"),
    ("clarinet_pablo_timbre_stability", "clarinet", "A", 3, " bad-stability-timbre", "akg"),
    ("clarinet_pablo_richness", "clarinet", "B", 3, "", "akg"),
    ("clarinet_scale_gener_recordings", "clarinet", "", None, "scale-good-minor", "neumann"),
    ("saxo_bariton_raul_recordings", None, None, None, "good-sound", "neumann"),
]
PACKS = [
    "bass_alejandro_recordings",
    "cello_margarita_attack",
    "cello_nico_improvement_recordings",
    "clarinet_gener_evaluation_recordings",
    "clarinet_marti_evaluation_recordings",
    "clarinet_pablo_air",
    "clarinet_scale_gener_recordings",
    "flute_almudena_reference_piano",
    "flute_josep_improvement_recordings",
    "flute_scale_irene_recordings",
    "oboe_marta_recordings",
    "piccolo_irene_recordings",
    "sax_alto_scale_2_raul_recordings",
    "sax_tenor_tenor_scales_raul_recordings",
    "saxo_bariton_raul_recordings",
    "saxo_soprane_raul_recordings",
    "saxo_tenor_iphone_raul_recordings",
    "trumpet_jesus_evaluation_recordings",
    "trumpet_ramon_attack_stability",
    "trumpet_scale_jesus_recordings",
    "violin_laia_improvement_recordings_2",
    "violin_raquel_richness",
    "violin_violin_scales_laia_recordings",
]


@pytest.fixture
def root(tmp_path):
    """Write a data set; the values are numbered from 1 as in the real one."""
    packs, sounds, takes = {}, {}, {}
    for sound_id, (pack, instrument, note, octave, klass, microphones) in enumerate(SOUNDS, 1):
        pack_id = next((k for k, entry in packs.items() if entry["name"] == pack), None)
        if pack_id is None:
            pack_id = str(len(packs) + 1)
            packs[pack_id] = {"id": int(pack_id), "name": pack, "description": ""}
        sounds[str(sound_id)] = {
            "id": sound_id,
            "instrument": instrument,
            "note": note,
            "octave": octave,
            "dynamics": "mf",
            "pack_id": int(pack_id),
            "attack": 100,
            "klass": klass,
        }
        for microphone in microphones.split():
            name = f"sound_files/{pack}/{microphone}/{sound_id:04d}.wav"
            path = tmp_path / "good_sounds" / "good-sounds" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            # FLAC by content, as many of the real ones.
            soundfile.write(path, np.zeros(64), 48000, format="FLAC", subtype="PCM_24")
            take_id = len(takes) + 1
            takes[str(take_id)] = {
                "id": take_id,
                "microphone": microphone,
                "filename": name,
                "sound_id": sound_id,
            }
    tables = {"packs": packs, "sounds": sounds, "takes": takes, "ratings": {}}
    for name, table in tables.items():
        (tmp_path / "good_sounds" / f"{name}.json").write_text(json.dumps(table))
    return tmp_path / "good_sounds"


def edit(root, table, change):
    path = root / f"{table}.json"
    entries = json.loads(path.read_text())
    change(entries)
    path.write_text(json.dumps(entries))


def test_join_of_takes_sounds_and_packs(root):
    notes = load_good_sounds(data_home=root, single_notes_only=False)
    assert notes.frame.take_id.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13]
    first = notes.frame.iloc[0]
    assert (first.microphone, first["pack"]) == ("akg", "flute_almudena_reference")
    assert (first.player, first.pitch, first.midi) == ("almudena", "C4", 60)
    assert (first.attack, first.dynamics) == (100, "mf")
    assert notes.frame.midi[4] == 75
    assert all(type(path) is str and Path(path).is_file() for path in notes.data.audio)
    assert type(notes.target) is np.ndarray and notes.target.dtype.kind == "U"


def test_labels_are_respelled_and_the_table_says_how(root):
    notes = load_good_sounds(data_home=root)
    assert notes.frame.klass[9] == "bad-stability-timbre"
    assert notes.target[9] == "bad-timbre-stability"
    table = notes.hierarchy.table_.set_index("original").normalized
    assert table["good-attack-accent>"] == notes.target[4]
    assert notes.hierarchy.parse("air-outside")["aspect"] == "air"


def test_nothing_is_dropped_without_being_counted(root):
    notes = load_good_sounds(data_home=root)
    assert notes.dropped == {"scale, not a single note": 1, "empty klass": 1}
    assert len(notes.target) + sum(notes.dropped.values()) == 13
    assert "- 1 x empty klass" in notes.DESCR
    assert "4 takes had no instrument" in notes.DESCR
    assert notes.data.instrument.tolist()[6:] == ["clarinet"] * 4 + ["sax_baritone"]


@pytest.mark.parametrize("below", ["", "good_sounds", "good_sounds_sample"])
def test_places_where_the_data_may_lie(root, below):
    home = root.rename(root.parent / (below or "elsewhere"))
    home = home.parent if below else home
    assert len(load_good_sounds(data_home=home).target) == 11


def test_groups(root):
    by_pitch = load_good_sounds(data_home=root, single_notes_only=False)
    expected = ["flute/almudena/C4"] * 4 + ["flute/almudena/D#5", "flute/josep/C4"]
    expected += ["clarinet/pablo/A3"] * 4 + ["clarinet/gener/scale", "sax_baritone/raul/unpitched"]
    assert by_pitch.groups.tolist() == expected
    by_sound = load_good_sounds(data_home=root, group_by="sound").groups.tolist()
    assert by_sound[:5] == ["sound-1", "sound-1", "sound-2", "sound-2", "sound-3"]
    by_player = load_good_sounds(data_home=root, group_by="player").groups
    assert set(by_player) == {"almudena", "josep", "pablo", "raul"}


@pytest.mark.parametrize("group_by", ["sound", "pitch", "player"])
def test_no_performance_is_on_both_sides_of_a_split(root, group_by):
    notes = load_good_sounds(data_home=root, group_by=group_by)
    for train, test in GroupKFold(3).split(notes.data, notes.target, notes.groups):
        assert set(notes.frame.sound_id[train]).isdisjoint(notes.frame.sound_id[test])


def test_filters(root):
    flute = load_good_sounds(data_home=root, instruments="flute", microphones=["akg"])
    assert set(flute.frame.microphone) == {"akg"} and set(flute.data.instrument) == {"flute"}
    assert flute.dropped == {"other instrument": 7, "other microphone": 3}
    # Three takes with one microphone each are not "at least two of a label".
    frequent = load_good_sounds(data_home=root, microphones="neumann", min_class_count=2)
    assert frequent.target.tolist() == ["good-sound"] * 2
    with pytest.raises(ValueError, match=r"instruments must be .* Did you mean 'flute'"):
        load_good_sounds(data_home=root, instruments="flutes")
    with pytest.raises(ValueError, match="microphones must be among"):
        load_good_sounds(data_home=root, microphones="shure")
    with pytest.raises(ValueError, match="the filters left no recording"):
        load_good_sounds(data_home=root, min_class_count=100)
    with pytest.raises(ValueError, match=r"group_by must be one of .* Got 'take'"):
        load_good_sounds(data_home=root, group_by="take")


def test_missing_data_set(tmp_path):
    with pytest.raises(DataNotFoundError, match=r"good_sounds_sample.*fetch_good_sounds"):
        load_good_sounds(data_home=tmp_path)


def test_missing_file(root):
    notes = load_good_sounds(data_home=root)
    Path(notes.data.audio[2]).unlink()
    with pytest.raises(DataNotFoundError, match=r"1 of 11 files are missing, .*0002\.wav"):
        load_good_sounds(data_home=root)
    # What is not asked for need not be there.
    assert len(load_good_sounds(data_home=root, instruments="clarinet").target) == 4
    with pytest.warns(UserWarning, match="1 of 11 files are missing"):
        rest = load_good_sounds(data_home=root, on_missing="warn")
    assert rest.dropped["file missing"] == 1 and len(rest.target) == 10


@pytest.mark.parametrize(
    "name",
    ["/etc/hostname", "../outside.wav", "sound_files/../../outside.wav", "..", "C:\\outside.wav"]
    + ["..\\..\\outside.wav", "sound_files/out.wav", "sound_files/out/outside.wav", "\\\\host\\a"]
    + ["sound_files/a\0b.wav", ""],
)
def test_a_take_cannot_name_a_file_outside_of_the_data_set(root, name):
    outside = root.parent / "elsewhere" / "outside.wav"
    outside.parent.mkdir()
    outside.write_bytes(b"secret")
    (root.parent / "outside.wav").write_bytes(b"secret")
    (root / "good-sounds" / "sound_files" / "out").symlink_to(outside.parent)
    (root / "good-sounds" / "sound_files" / "out.wav").symlink_to(outside)
    edit(root, "takes", lambda takes: takes["1"].update(filename=name))
    with pytest.warns(UserWarning, match="1 of 11 takes are left out, whose file name leads out"):
        notes = load_good_sounds(data_home=root)
    assert notes.dropped["file name that leads elsewhere"] == 1
    assert len(notes.target) == 10 and "outside" not in " ".join(notes.data.audio)


@pytest.mark.parametrize("moved", [".", "good-sounds", "good-sounds/sound_files"])
def test_a_data_set_may_lie_behind_a_link(root, moved):
    here = (root / moved).resolve()
    there = here.rename(root.parent / "disk")
    here.symlink_to(there)
    assert len(load_good_sounds(data_home=root).target) == 11
    (there / "link.wav").symlink_to(root / "takes.json")


def test_two_takes_of_one_file_are_one(root):
    takes = json.loads((root / "takes.json").read_text())
    edit(root, "takes", lambda entries: entries["9"].update(filename=takes["1"]["filename"]))
    notes = load_good_sounds(data_home=root)
    assert notes.dropped["file of another take"] == 1
    assert len(set(notes.data.audio)) == len(notes.target) == 10


@pytest.mark.parametrize("table", ["takes", "sounds", "packs"])
@pytest.mark.parametrize(
    "text",
    ["[]", "3", "{}", '{"1": 3}', '{"1": {"id": 1}}', "[" * 100_000, '{"1": {"id": "\\ud800"}}']
    + [b"\xff\xfe"],
)
def test_what_is_no_table_is_said(root, table, text):
    data = text if isinstance(text, bytes) else text.encode()
    (root / f"{table}.json").write_bytes(data)
    with pytest.raises(DataNotFoundError, match=rf"{table}\.json.* Delete it and fetch it again"):
        load_good_sounds(data_home=root)


def test_an_octave_that_is_no_number(root):
    edit(root, "sounds", lambda sounds: sounds["1"].update(octave="high"))
    assert load_good_sounds(data_home=root).frame.midi.isna()[0]


@pytest.mark.parametrize(
    "table, message",
    [("sounds", "2 takes have a sound_id .* take 1, 2"), ("packs", "1 sounds have a pack_id")],
)
def test_missing_entry(root, table, message):
    edit(root, table, lambda entries: entries.pop("1"))
    with pytest.raises(DataNotFoundError, match=message):
        load_good_sounds(data_home=root)


@pytest.mark.parametrize("table", ["takes", "packs"])
def test_missing_or_broken_table(root, table):
    path = root / f"{table}.json"
    path.write_text(path.read_text()[:-20])
    with pytest.raises(DataNotFoundError, match=rf"{table}\.json is not valid JSON"):
        load_good_sounds(data_home=root)
    path.unlink()
    with pytest.raises(DataNotFoundError, match=rf"{table}\.json is missing"):
        load_good_sounds(data_home=root)


def test_players_of_the_whole_data_set():
    players = {}
    for pack in PACKS:
        players.setdefault(instrument_of_pack(pack), set()).add(player_of_pack(pack))
    counts = {instrument: len(names) for instrument, names in players.items()}
    several = {"clarinet": 3, "flute": 3, "cello": 2, "trumpet": 2, "violin": 2}
    saxes = ("sax_alto", "sax_tenor", "sax_baritone", "sax_soprano")
    assert counts == several | dict.fromkeys(("bass", "oboe", "piccolo", *saxes), 1)
    assert players["sax_tenor"] == {"raul"}


@pytest.mark.parametrize("pack", ["", "test", "recordings_2014"])
def test_pack_that_tells_no_instrument(pack):
    assert instrument_of_pack(pack) == "unknown"


@pytest.mark.data
def test_the_real_track():
    home = os.environ.get("SKNOTE_DATA")
    if not home or not Path(home, "good_sounds_sample").is_dir():
        pytest.skip("no good_sounds_sample in $SKNOTE_DATA")
    notes = load_good_sounds(data_home=Path(home, "good_sounds_sample"))
    assert notes.target.tolist() == ["good-sound"]
    assert notes.groups.tolist() == ["flute/almudena/C4"]
    assert notes.frame.player[0] == "almudena" and notes.frame.midi[0] == 60
    assert notes.frame.attack[0] < notes.frame.release[0] < notes.frame.offset[0]
    assert soundfile.info(notes.data.audio[0]).frames > 0
