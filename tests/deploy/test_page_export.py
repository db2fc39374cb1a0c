"""``sknote export --web``: where a page is written, and where not."""

import pytest

from sknote.deploy import _page


@pytest.fixture
def export(tmp_path, monkeypatch):
    """Export a page of three files, with a model of a few bytes."""
    page = tmp_path / "built" / "page"
    page.mkdir(parents=True)
    (page / "index.html").write_text(f"<head>{_page._NO_NAME}</head>")
    worker = 'const VERSION = ""; const FILES = []; const NAME = "sknote-page-" + VERSION;'
    (page / "sw.js").write_text(worker)
    monkeypatch.setattr(_page, "files", lambda _: page.parent)
    monkeypatch.setattr(_page, "export_onnx", lambda model, path: path.write_text(model))
    return _page.export_page


def test_a_page_lists_its_files_and_names_its_model(export, tmp_path):
    page = export("model", tmp_path / "page", title='A "small" <model>')
    worker = (page / "sw.js").read_text()
    assert 'FILES = ["./", "index.html", "model/notes.onnx"]' in worker
    assert 'VERSION = ""' not in worker
    assert 'content="A &quot;small&quot; &lt;model&gt;"' in (page / "index.html").read_text()


def test_a_page_takes_the_place_of_an_empty_folder_and_of_a_page(export, tmp_path):
    folder = tmp_path / "page"
    folder.mkdir()
    first = (export("model", folder) / "sw.js").read_text()
    second = (export("another model", folder) / "sw.js").read_text()
    assert first != second
    assert (folder / "model" / "notes.onnx").read_text() == "another model"
    assert {path.name for path in tmp_path.iterdir()} == {"built", "page"}


def test_nothing_else_is_written_over(export, tmp_path):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "mother.txt").write_text("Dear")
    (tmp_path / "file").write_text("")
    with pytest.raises(FileExistsError, match="something else than a page"):
        export("model", tmp_path / "letters")
    with pytest.raises(NotADirectoryError, match="is a file"):
        export("model", tmp_path / "file")
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        export("model", tmp_path / "absent" / "page")


def test_a_page_that_is_not_built_is_said_before_anything(export, tmp_path):
    (tmp_path / "built" / "page" / "index.html").unlink()
    with pytest.raises(FileNotFoundError, match=r"expected the built page.*Run 'make web'"):
        _page.check_folder(tmp_path / "page")


def test_a_page_that_fails_leaves_the_one_that_was_there(export, tmp_path, monkeypatch):
    export("model", tmp_path / "page")

    def fail(model, path):
        raise RuntimeError("no")

    monkeypatch.setattr(_page, "export_onnx", fail)
    with pytest.raises(RuntimeError):
        export("another", tmp_path / "page")
    assert (tmp_path / "page" / "model" / "notes.onnx").read_text() == "model"
    assert {path.name for path in tmp_path.iterdir()} == {"built", "page"}


def test_a_page_that_was_not_built_is_asked_for(export, tmp_path):
    (tmp_path / "built" / "page" / "index.html").unlink()
    with pytest.raises(FileNotFoundError, match="make web"):
        export("model", tmp_path / "page")
