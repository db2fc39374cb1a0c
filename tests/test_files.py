"""A file is written whole, or is left as it was."""

import os

import pytest

from sknote._files import TEMPORARY, replacing


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
