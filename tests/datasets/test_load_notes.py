"""load_notes: folders as people have them, and tables."""

import gc
import itertools
import os
import sys
import unicodedata
import warnings

import numpy as np
import pytest

from sknote import NoteClassifier, make_note_pipeline
from sknote.datasets import load_good_sounds, load_notes, load_philharmonia
from sknote.datasets._walk import SOUND
from sknote.exceptions import DataNotFoundError, NoSoundWarning


@pytest.fixture
def put(tmp_path, tone, encode):
    """Write files below a folder: a tone in each, no two alike, or the bytes that are given."""
    levels = itertools.count(1)

    def make(*names, contents=None):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode(tone(0.1) / next(levels)) if contents is None else contents)
        return tmp_path

    return make


def names(notes, folder):
    return [os.path.relpath(path, folder) for path in notes.data.audio]


def left_out(notes, folder):
    paths = (os.path.relpath(path, folder) for path in notes.left_out.path)
    return dict(zip(paths, notes.left_out.reason))


@pytest.mark.parametrize("n_jobs", [0, 10**6, 1.5, "2"])
def test_jobs_that_are_none(n_jobs, put):
    with pytest.raises(ValueError, match="load_notes: expected n_jobs to be from 1 to 1024"):
        load_notes(put("flute/good/b.wav"), n_jobs=n_jobs)


def test_a_folder_says_instrument_and_label(put):
    folder = put("flute/good/b.wav", "flute/good/a.wav", "oboe/bad-air/c.wav")
    notes = load_notes(folder)
    assert names(notes, folder) == ["flute/good/a.wav", "flute/good/b.wav", "oboe/bad-air/c.wav"]
    assert notes.data.columns.tolist() == ["audio", "instrument"]
    assert notes.data.instrument.tolist() == ["flute", "flute", "oboe"]
    assert notes.target.tolist() == ["good", "good", "bad-air"]
    assert notes.target.dtype.kind == notes.groups.dtype.kind == "U"
    assert len(set(notes.groups)) == 3
    assert "a group of its own" in notes.DESCR
    assert notes.dropped == {} and notes.left_out.empty
    assert notes.hierarchy.levels_["quality"].tolist() == ["bad", "good"]


@pytest.mark.parametrize(
    "ending", ["WAV", "Wav", "flac", "FLAC", "ogg", "OGG", "mp3", "aiff", "AIF"]
)
def test_every_format_and_case_is_found(put, tone, encode, ending):
    kind = {"AIF": "AIFF"}.get(ending, ending.upper())
    folder = put(f"flute/good/a.{ending}", contents=encode(tone(0.2), 22050, kind))
    assert len(load_notes(folder).data) == 1


def test_what_is_no_note_is_left_out_counted_and_named(put, encode):
    put("flute/good/a.wav")
    lost = {
        "flute/good/._a.wav": ("hidden, or of the system", b"x"),
        "flute/.DS_Store": ("hidden, or of the system", b"x"),
        "flute/good/Thumbs.db": ("no sound file by its name", b"x"),
        "flute/good/remarks.txt": ("no sound file by its name", b"x"),
        "readme.wav": ("not in a folder instrument/label", b"x"),
        "flute/a.wav": ("not in a folder instrument/label", None),
        "flute/good/empty.wav": ("cannot be read", b""),
        "flute/good/text.mp3": ("cannot be read", b"this is text" * 99),
        "flute/bad/nan.wav": (
            "cannot be read",
            encode(np.full(99, np.nan, "f4"), 22050, subtype="FLOAT"),
        ),
        "flute/bad/zeros.wav": ("silent", encode(np.zeros(999, "f4"))),
        "flute/bad/constant.WAV": ("silent", encode(np.full(999, 0.25, "f4"))),
    }
    for name, (_, contents) in lost.items():
        folder = put(name, contents=contents)
    notes = load_notes(folder, n_jobs=2)
    assert names(notes, folder) == ["flute/good/a.wav"]
    assert left_out(notes, folder) == {name: reason for name, (reason, _) in lost.items()}
    assert notes.dropped == {
        "hidden, or of the system": 2,
        "no sound file by its name": 2,
        "not in a folder instrument/label": 2,
        "cannot be read": 3,
        "silent": 2,
    }
    assert "- 3 x cannot be read" in notes.DESCR
    details = notes.left_out.set_index("reason").detail
    assert details["cannot be read"].str.contains("it is empty").any()


@pytest.mark.filterwarnings("ignore:AudioLoader")
def test_what_the_classifier_hears_nothing_in_is_left_out_and_what_is_soft_is_not(
    put, tone, encode
):
    sound, kinds = tone(0.5, 3000, 1.0), {"subtype": "FLOAT"}
    soft = put("flute/good/soft.wav", contents=encode(1e-4 * sound, **kinds))
    put("flute/good/rounded.wav", contents=encode(np.stack([sound, -sound], axis=1) / 2))
    put("flute/good/tiny.wav", contents=encode(1e-40 * sound.astype(float), **kinds))
    put("flute/good/offset.wav", contents=encode(np.full(24000, 0.5), 48000, **kinds))
    rows = [str(soft / "flute/good" / name) for name in ("rounded.wav", "soft.wav", "tiny.wav")]
    with pytest.warns(NoSoundWarning, match="in rows 0, 2, 4") as said:
        frames = make_note_pipeline()[:2].fit_transform([*rows, tone(0.1), np.ones(9)])
        NoteClassifier("starter", max_epochs=1).fit(frames, ["a", "a", "a", "b", "b"])
    assert said[-1].message.rows == (0, 2, 4)
    notes = load_notes(soft)
    assert names(notes, soft) == ["flute/good/soft.wav"]
    assert notes.dropped == {"silent": 3}


def test_copies_with_different_labels_are_warned_of_once(put, tone, encode):
    folder = put("flute/good/a.wav", "flute/bad/other.wav", "flute/bad/text.wav", contents=b"x")
    copies = ["flute/bad/1.wav", "flute/bad/2.wav", "flute/good/1.wav", "oboe/good/1.wav"]
    put(*copies, contents=encode(tone(0.2)))
    put("flute/airy/a.wav", "flute/bad/a.wav", "flute/bad/b.wav", contents=encode(tone(0.3)))
    put("flute/good/a.wav", "flute/bad/other.wav")  # of one size, and not the same
    path, copy = folder / "flute/airy/a.wav", folder / "flute/bad/a.wav"
    match = (
        f"^load_notes: {str(copy)!r} with the label 'bad' is a copy of {str(path)!r} with the "
        "label 'airy', as are 3 more. Keep the one whose label is right.$"
    )
    with pytest.warns(UserWarning, match=match) as said:
        notes = load_notes(folder)
    assert len(said) == 1
    assert said[0].filename == __file__
    assert notes.dropped == {"cannot be read": 1}
    load_notes(folder, check_sound=False)
    path.unlink()
    (folder / "flute/good/1.wav").unlink()
    with pytest.warns(UserWarning, match=r" with the label 'bad'\. Keep"):
        load_notes(folder)
    (folder / "oboe/good/1.wav").unlink()
    load_notes(folder)  # under one label there may be copies


def test_sound_is_not_read_if_so_told(put):
    folder = put("flute/good/a.wav", contents=b"no sound")
    assert len(load_notes(folder, check_sound=False).data) == 1


def test_folders_of_takes_are_groups(put):
    folder = put("oboe/good/take-1/near.wav", "oboe/good/take-1/far.wav", "oboe/good/b/2/x.wav")
    notes = load_notes(put("oboe/bad/take-1/near.wav"))
    assert names(notes, folder)[1] == "oboe/good/b/2/x.wav"
    assert notes.groups.tolist() == ["take-1", "b/2", "take-1", "take-1"]
    assert "the folder between" in notes.DESCR


def test_players_come_from_a_pattern_of_the_name(put):
    put("flute/good/anna-c4-1.wav", "flute/good/ben-d4-1.wav", "oboe/bad/anna-c4-1.wav")
    folder = put("oboe/bad/nobody.wav")
    notes = load_notes(folder, group_pattern="^(?P<player>[^-]+)-")
    assert notes.groups.tolist() == ["anna", "ben", "anna"]
    assert notes.frame.player.tolist() == ["anna", "ben", "anna"]
    assert left_out(notes, folder) == {"oboe/bad/nobody.wav": "no group"}
    both = load_notes(folder, group_pattern=r"^(?P<player>\w+)-(?P<pitch>\w+)")
    assert both.groups.tolist() == ["anna/c4", "ben/d4", "anna/c4"]
    one = load_notes(folder, group_pattern=r"^(?P<group>\w+)-(?P<pitch>\w+)")
    assert one.groups.tolist() == ["anna", "ben", "anna"]
    assert one.frame.pitch.tolist() == ["c4", "d4", "c4"]
    deep = load_notes(folder, group_pattern="^(?P<group>.*?/.*?)/")
    assert deep.groups.tolist() == ["flute/good", "flute/good", "oboe/bad", "oboe/bad"]


@pytest.mark.parametrize("pattern", ["(", "no parts", "(.*)", "(?P<label>.*)", b"(?P<group>.)", 3])
def test_a_pattern_without_named_parts_is_refused(put, pattern):
    with pytest.raises(ValueError, match=r"^load_notes: expected group_pattern to"):
        load_notes(put("flute/good/a.wav"), group_pattern=pattern)


def test_names_are_equal_however_a_system_writes_accents(put):
    composed, apart = (unicodedata.normalize(form, "Flöte") for form in ("NFC", "NFD"))
    assert composed != apart
    notes = load_notes(put(f"{composed}/gut/a.wav", f"{apart}/gut/b.wav"))
    assert notes.data.instrument.tolist() == [composed, composed]


def test_a_folder_without_notes_is_one_clear_error(put, tmp_path):
    for folder in (
        tmp_path,
        put("readme.txt"),
        put("flute/a.wav", "flute/good/x.wav", contents=b""),
    ):
        with pytest.raises(
            DataNotFoundError, match=r"^load_notes: found no note.* instrument/label"
        ):
            load_notes(folder)
    with pytest.raises(DataNotFoundError, match=r"no folder or table .*absent"):
        load_notes(tmp_path / "absent")
    with pytest.raises(TypeError, match=r"^load_notes: expected the path"):
        load_notes(None)
    with pytest.raises(ValueError, match=r"^load_notes: expected the path .* empty one"):
        load_notes("")


def test_a_table_of_files_that_are_not_there_names_the_first(tmp_path):
    (tmp_path / "notes.csv").write_text("audio,instrument,label\nx.wav,flute,a\ny.wav,flute,b\n")
    with pytest.raises(
        DataNotFoundError, match=r"2 x cannot be read.*x\.wav': there is no such file.* table count"
    ) as caught:
        load_notes(tmp_path / "notes.csv")
    assert "instrument/label" not in str(caught.value)


@pytest.mark.parametrize("column", ["Group", "player"])
def test_a_column_that_most_likely_says_the_group_is_told(column, put, tmp_path):
    put("a.wav", "b.wav")
    table = tmp_path / "notes.csv"
    table.write_text(f"audio,instrument,label,{column}\na.wav,flute,x,p\nb.wav,flute,y,p\n")
    with pytest.warns(UserWarning, match=f"group of its own.* group_column='{column}'") as caught:
        notes = load_notes(table)
    assert len(caught) == 1 and caught[0].filename == __file__
    assert len(set(notes.groups)) == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(set(load_notes(table, group_column=column).groups)) == 1
        load_notes(table, group_pattern="^(?P<name>.)")


def test_a_folder_of_an_instrument_alone_is_one_error_without_a_warning(put, recwarn):
    with pytest.raises(DataNotFoundError, match="found no note"):
        load_notes(put("flute/a.wav"), n_jobs=2)
    gc.collect()  # joblib warns when it is given up with nothing to do
    assert not recwarn.list


@pytest.mark.parametrize("count", ["2", 2.0, True, None, -1])
@pytest.mark.parametrize("load", [load_notes, load_philharmonia, load_good_sounds])
def test_a_least_number_of_notes_that_is_none_is_refused(put, load, count):
    where = [put("flute/good/a.wav")] if load is load_notes else []
    message = f"^{load.__name__}: expected min_class_count to be a whole number .* got {count!r}"
    with pytest.raises(ValueError, match=message):
        load(*where, min_class_count=count)


def test_names_that_differ_in_large_letters_alone_are_told(put):
    folder = put("Flute/good/a.wav", "flute/good/b.wav", "flute/Good/c.wav", "oboe/bad/d.wav")
    with pytest.warns(UserWarning, match="^load_notes: ") as told:
        notes = load_notes(folder)
    assert [str(one.message).partition(" are ")[0] for one in told] == [
        "load_notes: 'Flute' and 'flute'",
        "load_notes: 'good' and 'Good'",
    ]
    assert set(notes.data.instrument) == {"Flute", "flute", "oboe"}


def test_filters_name_what_they_leave_out(put):
    folder = put("flute/good/a.wav", "flute/good/b.wav", "flute/bad/c.wav", "oboe/good/d.wav")
    notes = load_notes(folder, instruments="flute", min_class_count=2)
    assert names(notes, folder) == ["flute/good/a.wav", "flute/good/b.wav"]
    assert left_out(notes, folder) == {
        "oboe/good/d.wav": "other instrument",
        "flute/bad/c.wav": "label with fewer than 2 notes",
    }
    with pytest.raises(ValueError, match="Did you mean 'flute'"):
        load_notes(folder, instruments="flut")
    with pytest.raises(ValueError, match="the filters left no recording"):
        load_notes(folder, min_class_count=9)


@pytest.fixture
def table(put):
    """Write a table beside some recordings and return its path."""
    folder = put("a.wav", "sub/b.wav", "sub/c.wav")

    def make(text, encoding="utf-8"):
        (folder / "notes.csv").write_bytes(text.encode(encoding))
        return folder / "notes.csv"

    return make


ROWS = "audio,instrument,label,group\na.wav,flute,good,anna\nsub/b.wav,oboe,bad,ben\n"


@pytest.mark.parametrize(
    ("change", "encoding"),
    [
        (lambda text: text, "utf-8"),
        (lambda text: text.replace(",", ";"), "utf-8-sig"),
        (lambda text: "sep=;\r\n" + text.replace(",", ";"), "utf-8-sig"),
        (lambda text: "SEP=,\n" + text, "utf-8"),
        (lambda text: text.replace(",", "\t").replace("\n", "\r\n"), "utf-8"),
        (lambda text: text.replace(",", " , ").replace("\n", ",,\n") + ",,,\n\n", "utf-8"),
    ],
)
def test_a_table_says_the_same_in_all_spellings(table, change, encoding):
    path = table(change(ROWS), encoding)
    notes = load_notes(path)
    assert names(notes, path.parent) == ["a.wav", "sub/b.wav"]
    assert notes.data.instrument.tolist() == ["flute", "oboe"]
    assert notes.target.tolist() == ["good", "bad"]
    assert notes.groups.tolist() == ["anna", "ben"]
    assert notes.dropped == {}


@pytest.mark.parametrize(
    ("cells", "groups"),
    [
        (("1", "1.0", "2.0"), ["1", "1", "2"]),
        (("1.0", "2", "1.00"), ["1", "2", "1"]),
        (("-1.0", "1,0", "1"), ["-1", "1", "1"]),
        (("1.5", "1.50", "v1.0"), ["1.5", "1.50", "v1.0"]),
        (("1.01", "10.0", "1.0.0"), ["1.01", "10", "1.0.0"]),
    ],
)
@pytest.mark.parametrize("column", ["group", "label", "instrument", "player"])
def test_whole_numbers_are_the_same_with_a_fraction(table, cells, groups, column):
    rows = [dict.fromkeys(("label", "instrument", "group", "player"), "x") for _ in cells]
    lines = ["audio;instrument;label;group;player"]
    for row, name, cell in zip(rows, ("a.wav", "sub/b.wav", "sub/c.wav"), cells):
        row[column] = cell
        one = [row[key] for key in ("instrument", "label", "group", "player")]
        lines.append(";".join([name, *one]))
    name = column if column == "player" else "group"
    notes = load_notes(table("\n".join(lines)), group_column=name)
    found = notes.groups if column == "player" else notes.frame[column]
    assert list(found) == groups


def test_a_table_keeps_its_other_columns_and_names_that_look_like_missing_ones(table):
    path = table("label,audio,instrument,room\nNA,a.wav,null,1\nnan,sub/b.wav,,2\n")
    notes = load_notes(path)
    assert notes.target.tolist() == ["NA", "nan"]
    assert notes.data.instrument.tolist() == ["null", None]
    assert notes.frame.room.tolist() == ["1", "2"]
    assert notes.groups.tolist() == ["a.wav", "sub/b.wav"]
    assert "a group of its own" in notes.DESCR


def test_rows_of_no_use_are_left_out_counted_and_named(table):
    rows = [",flute,good,anna", "sub/c.wav,flute,,anna", "gone.wav,flute,good,anna"]
    rows += ["a.wav,flute,bad,anna", "sub,flute,good,anna", "/dev/null,flute,good,x"]
    path = table(ROWS + "\n".join(rows) + "\n")
    notes = load_notes(path)
    assert len(notes.data) == 2
    assert notes.dropped == {
        "row without a recording": 1,
        "no label": 1,
        "cannot be read": 3,
        "file of an earlier row": 1,
    }
    path = table(ROWS + "sub/c.wav,flute,good,\n")
    assert left_out(load_notes(path), path.parent) == {"sub/c.wav": "no group"}


def test_the_group_is_in_another_column_or_in_the_name(table):
    path = table(ROWS.replace("group", "player"))
    assert load_notes(path, group_column="player").groups.tolist() == ["anna", "ben"]
    notes = load_notes(path, group_pattern="^(?P<group>.)")
    assert notes.groups.tolist() == ["a", "b"]
    with pytest.raises(ValueError, match=r"expected the column 'plaier'.*Did you mean 'player'"):
        load_notes(path, group_column="plaier")
    with pytest.raises(ValueError, match=r"group_column='player' is of a table.* is a folder"):
        load_notes(path.parent, group_column="player")


def test_a_recording_is_no_table(tmp_path):
    (tmp_path / "a.WAV").write_bytes(b"RIFF\xff")
    with pytest.raises(ValueError, match=r"expected a folder or a table, got the recording .*WAV"):
        load_notes(tmp_path / "a.WAV")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("audio,instrument,labels\na.wav,flute,good\n", "columns audio.*Did you mean 'labels'"),
        ("path,instrument,label\na.wav,flute,good\n", "Name the column 'audio'"),
        ("audio,label\na.wav,good\n", "Name the column 'instrument'"),
        ("", "got an empty file"),
        ("audio,instrument,label,label\na.wav,flute,good,bad\n", "one column of each name"),
        ("audio,instrument,label\na.wav,flute,good, nearly\n", "got 4 in line 2"),
        ("audio,instrument,label\na.wav,flute\n", "expected 3 cells"),
        ('audio,instrument,label\n"a.wav,flute,good\n', "cannot be read as one"),
    ],
)
def test_a_table_that_is_none_is_one_clear_error(table, text, message):
    with pytest.raises(ValueError, match=f"^load_notes: .*{message}"):
        load_notes(table(text))


def test_a_table_in_another_encoding_is_told_so(table):
    path = table(ROWS.replace("good", "schön"), "latin-1")
    with pytest.raises(ValueError, match="in UTF-8"):
        load_notes(path)


def test_a_recording_in_place_of_a_table_is_told_so(put):
    with pytest.raises(ValueError, match=r"^load_notes: expected"):
        load_notes(put("a.wav") / "a.wav")


def test_endings_are_written_as_they_are_compared():
    assert all(ending == ending.lower() and ending[0] == "." for ending in SOUND)


@pytest.mark.skipif(sys.platform == "darwin", reason="names are Unicode there")
def test_a_name_that_is_not_utf8_is_left_out(tmp_path, encode, tone):
    folder = tmp_path / "flute" / "good"
    folder.mkdir(parents=True)
    for name in (b"a.wav", b"fl\xf6te.wav"):
        (folder / os.fsdecode(name)).write_bytes(encode(tone(0.1)))
    bunch = load_notes(tmp_path)
    assert len(bunch.data) == 1
    assert bunch.dropped == {"name that is not UTF-8": 1}
    assert bunch.left_out.path.str.endswith("te.wav").tolist() == [True]


def test_a_pipe_is_no_table(tmp_path):
    os.mkfifo(tmp_path / "notes.csv")
    with pytest.raises(OSError, match="no plain file"):
        load_notes(tmp_path / "notes.csv")
