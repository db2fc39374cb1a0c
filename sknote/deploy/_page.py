"""The page for players, with a model in it: a folder that any web server of files can serve."""

import hashlib
import html
import json
import os
import shutil
import tempfile
from importlib.resources import as_file, files
from pathlib import Path

from sknote.deploy._onnx_export import export_onnx

_WORKER = "sw.js"  # keeps the page on a device
_MARK = "sknote-page-"  # in it, by which a page is known
_NO_NAME = '<meta name="sknote-model" content="" />'


def export_page(pipeline, folder, title=None):
    """Write the page with an exported pipeline into a folder, and return the folder.

    It is new, or empty, or holds a page that was written before, whose place the new one takes.
    `title` is what the page calls the model.
    """
    folder = check_folder(folder)
    with as_file(files("sknote.deploy").joinpath("page")) as page:
        made = Path(tempfile.mkdtemp(prefix=".", suffix=".tmp", dir=folder.parent))
        try:
            shutil.copytree(page, made, dirs_exist_ok=True)
            (made / "model").mkdir()
            export_onnx(pipeline, made / "model" / "notes.onnx")
            if title is not None:
                _name_model(made / "index.html", title)
            _list_files(made)
            made.chmod(0o755)
            _take_place(made, folder)
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            raise
    return folder


def check_folder(folder):
    """Return where a page may be written, if it is built; a link leads to its end."""
    page = files("sknote.deploy").joinpath("page")
    if not page.joinpath("index.html").is_file():
        raise FileNotFoundError(
            f"export: expected the built page in {str(page)!r}, and it is not there. Run "
            "'make web' in a checkout of sknote; it needs Node."
        )
    folder = Path(os.path.realpath(folder))
    if not folder.parent.is_dir():
        raise FileNotFoundError(f"export: there is no folder {str(folder.parent)!r}.")
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"export: {str(folder)!r} is a file. Name a folder for the page.")
    if folder.is_dir() and any(folder.iterdir()) and not _is_page(folder):
        raise FileExistsError(
            f"export: {str(folder)!r} holds something else than a page. Name a new folder."
        )
    return folder


def _is_page(folder):
    try:
        return _MARK in (folder / _WORKER).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False


def _name_model(path, title):
    text = path.read_text(encoding="utf-8")
    named = _NO_NAME.replace('content=""', f'content="{html.escape(title)}"')
    path.write_text(text.replace(_NO_NAME, named), encoding="utf-8")


def _list_files(made):
    """Tell the service worker which files there are, and a version that changes with them."""
    paths = [path for path in sorted(made.rglob("*")) if path.is_file() and path.name != _WORKER]
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    names = ["./", *(path.relative_to(made).as_posix() for path in paths)]
    worker = made / _WORKER
    text = worker.read_text(encoding="utf-8")
    text = text.replace('VERSION = ""', f'VERSION = "{digest.hexdigest()[:16]}"')
    text = text.replace("FILES = []", f"FILES = {json.dumps(names)}")
    worker.write_text(text, encoding="utf-8")


def _take_place(made, folder):
    """Put a folder in the place of another, which is there as a whole until then."""
    if not folder.exists():
        made.rename(folder)
        return
    old = made.with_name(f"{made.name}.old")
    folder.rename(old)
    made.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
