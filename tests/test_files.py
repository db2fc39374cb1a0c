"""A file is written whole, or is left as it was."""

import errno
import os
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sknote._files import (
    TEMPORARY,
    Kind,
    check_target,
    file_beside,
    is_plain,
    locked,
    open_plain,
    replacing,
    sweep,
)

MODEL = Kind("a model", re.compile(rb"MODEL"))


@pytest.mark.parametrize("sync", [False, True])
def test_a_file_is_replaced_when_the_block_ends(tmp_path, sync):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with replacing(path, sync=sync) as beside:
        assert beside.parent == tmp_path and beside.match(TEMPORARY)
        beside.write_bytes(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_after_an_error_all_is_as_before(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), replacing(path) as beside:
        beside.write_bytes(b"half")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_where_nothing_can_be_written_it_is_said_before_anything_is_computed(tmp_path):
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "missing" / "a.bin"):
        raise AssertionError


def test_what_is_written_has_the_usual_permissions(tmp_path):
    (tmp_path / "plain").write_bytes(b"")
    with replacing(tmp_path / "a.bin") as beside:
        beside.write_bytes(b"x")
    modes = [os.stat(tmp_path / name).st_mode for name in ("plain", "a.bin")]
    assert modes[0] == modes[1]


def test_only_files_are_opened_and_no_pipe_is_waited_for(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"x")
    (tmp_path / "link").symlink_to(path)
    (tmp_path / "nowhere").symlink_to(tmp_path / "missing")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "nowhere", "pipe", "missing", ".", "/dev/zero"):
        assert not is_plain(tmp_path / name)
        with pytest.raises(OSError):
            open_plain(tmp_path / name)
    assert is_plain(path)
    for name, options in (("a.bin", {}), ("link", {"follow": True})):
        with open_plain(tmp_path / name, **options) as file:
            assert file.read() == b"x"


def test_leftovers_are_deleted_and_what_is_being_written_is_not(tmp_path):
    old = time.time() - 5000
    for name in (".left.tmp", ".young.tmp", "other.tmp", "like"):
        (tmp_path / name).write_bytes(b"")
        if name != "like" and name != ".young.tmp":
            os.utime(tmp_path / name, (old, old))
    (tmp_path / ".link.tmp").symlink_to(tmp_path / "other.tmp")
    with replacing(tmp_path / "a.bin") as beside:
        os.utime(beside, (old, old))
        sweep(tmp_path, age=1000, like=tmp_path / "like")
    kept = {path.name for path in tmp_path.iterdir()}
    assert kept == {".young.tmp", ".link.tmp", "other.tmp", "like", "a.bin"}
    sweep(tmp_path, age=1000, like=tmp_path / "missing")


def test_a_lock_is_waited_for_and_ends_with_its_process(tmp_path):
    script = (
        "import sys, time; from sknote._files import locked\n"
        "with locked(sys.argv[1]): print('held', flush=True); time.sleep(60)"
    )
    path, entered = tmp_path / "lock", threading.Event()
    command = [sys.executable, "-c", script, str(path)]

    def enter():
        with locked(path):
            entered.set()

    thread = threading.Thread(target=enter)
    with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        thread.start()
        assert not entered.wait(0.2)
        other.kill()
    thread.join(30)
    assert entered.is_set()


def test_where_no_lock_can_be_had_it_goes_on_without(tmp_path):
    with locked(tmp_path / "missing" / "lock"):
        pass


@pytest.mark.parametrize("kind", ["pipe", "device", "socket"])
def test_no_file_takes_the_place_of_what_is_none(kind, tmp_path):
    path = tmp_path / "target"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path = Path(os.devnull)
    else:
        with socket.socket(socket.AF_UNIX) as held:
            held.bind(str(path))
    mode = os.stat(path).st_mode
    message = r"save: .* is a device, a pipe or the like. Name a file"
    with pytest.raises(OSError, match=message), file_beside(path, "save", MODEL):
        raise AssertionError("nothing may be written")
    assert os.stat(path).st_mode == mode
    assert not list(tmp_path.glob(".*"))


def test_a_file_goes_where_a_link_leads(tmp_path):
    real, link, dangling = tmp_path / "real", tmp_path / "link", tmp_path / "dangling"
    real.write_text("MODEL: old")
    link.symlink_to("real")
    dangling.symlink_to("new")
    for path in (link, dangling):
        with file_beside(path, "save", MODEL) as beside:
            beside.write_text("new")
        assert path.is_symlink() and path.read_text() == "new"
    assert real.read_text() == (tmp_path / "new").read_text() == "new"


@pytest.mark.parametrize("content", [b"RIFF....WAVEfmt ", b"import sknote\n", b"model", b"xMODEL"])
def test_a_file_of_something_else_is_not_replaced(content, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a").write_bytes(content)
    os.symlink("a", "link")
    for name in ("a", "link"):
        message = f"save: expected a model in '{name}', .* got another file, which would be lost"
        with pytest.raises(FileExistsError, match=message), file_beside(name, "save", MODEL):
            raise AssertionError("nothing may be written")
    assert Path("a").read_bytes() == content


def test_a_file_that_is_empty_or_cannot_be_read(tmp_path, monkeypatch):
    (tmp_path / "a").touch()
    assert check_target(tmp_path / "a", "save", MODEL) == tmp_path / "a"

    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("sknote._files.open_plain", refuse)
    with pytest.raises(OSError, match=r"save: .* cannot be read, to see what .*: Permission"):
        check_target(tmp_path / "a", "save", MODEL)


@pytest.mark.parametrize(
    "name, error, message",
    [
        ("x" * 300, OSError, "save: 'x+' cannot be written: File name too long"),
        ("loop", OSError, "save: 'loop' cannot be written: Too many levels"),
        ("", TypeError, "save: expected the path of a file to write, got ''"),
        ("a\0b", ValueError, "cannot be the name of a file"),
        ("no/a", FileNotFoundError, "save: there is no folder 'no'"),
        (".", IsADirectoryError, "save: '.' is a folder"),
    ],
)
def test_why_a_file_cannot_be_written_is_said(name, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.symlink("loop", "loop")
    with pytest.raises(error, match=message):
        check_target(name, "save", MODEL)


def test_where_there_is_no_room_the_file_is_named(tmp_path):
    path = tmp_path / "a.sknote"
    with (
        pytest.raises(OSError, match=r"^save: .*a\.sknote' cannot be written: No space left"),
        file_beside(path, "save", MODEL),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(FileNotFoundError, match="b"), file_beside(path, "save", MODEL):
        raise FileNotFoundError("b")
    assert list(tmp_path.iterdir()) == []
