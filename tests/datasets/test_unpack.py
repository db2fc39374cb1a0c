"""Archives are unpacked as a whole and nowhere else, also by two at once, and after a kill."""

import hashlib
import stat
import subprocess
import sys
import threading
import zipfile

import pytest

from sknote.datasets import _good_sounds, _unpack, fetch_good_sounds
from sknote.datasets._unpack import unpack

FILES = {f"good-sounds/sound_files/pack/{i}.wav": bytes([i]) * 1000 * i for i in range(20)}


def pack(path, files=FILES, **more):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in [*files.items(), *more.items()]:
            archive.writestr(name, content)
    return path


def contents(folder):
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {f"good-sounds/{path.relative_to(folder)}": path.read_bytes() for path in paths}


def link(name):
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def test_all_of_it_with_the_usual_permissions(tmp_path):
    (tmp_path / "plain").mkdir()
    mac = {"__MACOSX/good-sounds/sound_files/._0.wav": b"", "good-sounds/.DS_Store": b""}
    for number, files in enumerate([FILES, FILES | mac]):
        target = tmp_path / f"target{number}"
        unpack(pack(tmp_path / "a.zip", files), "sound_files", target)
        assert contents(target) == FILES
        assert target.stat().st_mode == (tmp_path / "plain").stat().st_mode
    top = {name.removeprefix("good-sounds/"): content for name, content in FILES.items()}
    unpack(pack(tmp_path / "a.zip", top), "sound_files", tmp_path / "top")
    assert contents(tmp_path / "top") == FILES
    assert (tmp_path / "top").stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert len(list(tmp_path.iterdir())) == 5


@pytest.mark.parametrize(
    "name",
    ["../out.wav", "/out.wav", "good-sounds/../../out.wav", "C:/out.wav", "..\\out.wav"]
    + ["\\\\host\\share\\out.wav", "good-sounds/sound_files/pack/1.wav", link("good-sounds/link")]
    + [link("good-sounds/sound_files"), "second/sound_files/a.wav"],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_archive_with_odd_names_is_refused(name, tmp_path):
    folder = tmp_path / "deep" / "folder"
    folder.mkdir(parents=True)
    archive = folder / "a.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for one in FILES:
            file.writestr(one, FILES[one])
        file.writestr(name, "/etc")
    with pytest.raises(ValueError, match=r"a\.zip: (expected|got two)"):
        unpack(archive, "sound_files", folder / "target")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [archive]


@pytest.mark.parametrize("damage", ["cut", "flipped", "no zip", "no folder", "encrypted"])
def test_a_damaged_archive_leaves_nothing(damage, tmp_path):
    archive = pack(tmp_path / "a.zip", {"a.wav": b""} if damage == "no folder" else FILES)
    content = bytearray(archive.read_bytes())
    if damage == "flipped":
        content[content.index(b"\x05" * 500) + 100] ^= 1
    if damage == "encrypted":
        place = content.index(b"PK\x01\x02")
        content[place + 8] |= 1
    content = {"cut": content[:9000], "no zip": b"<html>"}.get(damage, content)
    archive.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.zip: "):
        unpack(archive, "sound_files", tmp_path / "target")
    assert list(tmp_path.iterdir()) == [archive]


def test_an_interruption_leaves_nothing(tmp_path, monkeypatch):
    archive, extract, done = pack(tmp_path / "a.zip"), zipfile.ZipFile.extract, []

    def interrupted(self, *args):
        done.append(extract(self, *args))
        if len(done) == 7:
            raise KeyboardInterrupt
        return done[-1]

    monkeypatch.setattr(zipfile.ZipFile, "extract", interrupted)
    with pytest.raises(KeyboardInterrupt):
        unpack(archive, "sound_files", tmp_path / "target")
    assert list(tmp_path.iterdir()) == [archive]


def test_what_another_process_deletes_meanwhile_is_missed(tmp_path, monkeypatch):
    archive, move = pack(tmp_path / "a.zip"), _unpack._move
    extract, overtakes = zipfile.ZipFile.extract, []

    def shortened(self, member, *args):
        path = extract(self, member, *args)
        if member.filename.endswith("7.wav"):
            with open(path, "r+b") as file:
                file.truncate(10)
        return path

    monkeypatch.setattr(zipfile.ZipFile, "extract", shortened)
    with pytest.raises(ValueError, match=r"7\.wav' was not unpacked as a whole"):
        unpack(archive, "sound_files", tmp_path / "target")
    monkeypatch.undo()

    def overtaken(top, target, wanted):  # by one that needs no lock
        overtakes.append(1)
        if len(overtakes) == 1:
            unpack(archive, wanted, target)
        move(top, target, wanted)

    monkeypatch.setattr(_unpack, "_move", overtaken)
    unpack(archive, "sound_files", tmp_path / "target")
    assert contents(tmp_path / "target") == FILES
    assert len(list(tmp_path.iterdir())) == 2


@pytest.fixture
def downloads(tmp_path, monkeypatch):
    """Let the data set be "downloaded" from a folder; the list of what was."""
    source, asked = tmp_path / "server", []
    source.mkdir()
    pack(source / "good-sounds.zip")
    for name in _good_sounds.FILES:
        if name.endswith(".json"):
            (source / name).write_text("{}")

    def download(url, path, *, md5, progressbar):
        asked.append(path.name)
        if not path.exists():
            path.write_bytes((source / path.name).read_bytes())
        assert hashlib.md5(path.read_bytes()).hexdigest()
        return path

    monkeypatch.setattr(_good_sounds, "download_file", download)
    return asked


def test_two_fetches_at_once_wait_for_each_other(downloads, tmp_path, monkeypatch):
    inside, most, unpack_really = [], [], _good_sounds.unpack

    def slowly(*args):
        inside.append(1)
        most.append(len(inside))
        unpack_really(*args)
        inside.pop()

    monkeypatch.setattr(_good_sounds, "unpack", slowly)
    threads = [threading.Thread(target=fetch_good_sounds, args=(tmp_path,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert downloads.count("good-sounds.zip") == 1
    assert contents(tmp_path / "good_sounds" / "good-sounds") == FILES


KILLED = """
import os, sys, zipfile
from pathlib import Path
from sknote.datasets._unpack import unpack
from sknote._files import locked

extract, done = zipfile.ZipFile.extract, []
def killed(self, *args):
    done.append(extract(self, *args))
    if len(done) == 7:
        os.kill(os.getpid(), 9)
    return done[-1]
zipfile.ZipFile.extract = killed
archive, lock, target = map(Path, sys.argv[1:])
with locked(lock):
    unpack(archive, "sound_files", target)
"""


def test_what_a_killed_process_leaves_counts_for_nothing(downloads, tmp_path):
    root = tmp_path / "good_sounds"
    root.mkdir()
    archive = pack(root / "good-sounds.zip")
    places = [archive, tmp_path / ".good_sounds.lock", root / "good-sounds"]
    assert subprocess.run([sys.executable, "-c", KILLED, *places]).returncode == -9
    assert len(list(root.glob(".unpacking-*"))) == 1
    assert fetch_good_sounds(tmp_path) == root  # the lock has ended with its process
    assert contents(root / "good-sounds") == FILES
    assert {path.name for path in root.iterdir()} == {"good-sounds", *_good_sounds.FILES} - {
        "good-sounds.zip"
    }
    pack(archive)  # killed before it was deleted
    fetch_good_sounds(tmp_path)
    assert not archive.exists()


def test_a_folder_that_is_there_and_empty_is_not_the_data_set(downloads, tmp_path):
    (tmp_path / "good_sounds" / "good-sounds").mkdir(parents=True)
    fetch_good_sounds(tmp_path)
    assert contents(tmp_path / "good_sounds" / "good-sounds") == FILES
