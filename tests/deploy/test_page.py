"""The page for players: its modules, run by Node, and all of it in Chromium, as Python says."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sknote.deploy import _page

HERE = Path(__file__).parents[2] / "examples" / "web"
VECTORS = Path(__file__).parents[1] / "page_vectors.py"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # some machines are busy


@pytest.fixture(scope="module")
def vectors(tmp_path_factory):
    if shutil.which("node") is None:
        pytest.skip("there is no node")
    if not (HERE / "node_modules" / "onnxruntime-web").is_dir():
        pytest.skip("examples/web has no node_modules: run npm ci there")
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    folder = tmp_path_factory.mktemp("vectors")
    command = [sys.executable, VECTORS, folder]
    subprocess.run(command, check=True, capture_output=True, timeout=400)
    return folder


@pytest.fixture(scope="module")
def page(vectors, tmp_path_factory):
    """The page as it is exported, with the small model of the vectors."""
    built = tmp_path_factory.mktemp("built")
    subprocess.run(["node", HERE / "build.mjs", built / "page"], check=True, capture_output=True)

    def export(_, path):
        for name in ("notes.onnx", "notes.json"):
            shutil.copy(vectors / name, Path(path).with_name(name))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_page, "files", lambda _: built)
        patch.setattr(_page, "export_onnx", export)
        yield _page.export_page(None, built / "exported", title="A <small> model")


def run_node(vectors, subject, **more):
    run = subprocess.run(
        ["node", "--test", f"test/{subject}.test.mjs"],
        cwd=HERE,
        env=os.environ | {"SKNOTE_VECTORS": str(vectors)} | more,
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr
    assert "# fail 0" in run.stdout


@pytest.mark.parametrize("subject", ["model", "notes", "parts"])
def test_the_page_computes_what_python_does(vectors, subject):
    run_node(vectors, subject)


@pytest.mark.parametrize("subject", ["page", "hearing", "kept", "slow"])
def test_players_use_the_page(vectors, page, subject):
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip("there is no Chromium")
    if not (HERE / "node_modules" / "puppeteer-core").is_dir():
        pytest.skip("examples/web has no puppeteer-core: run npm ci there")
    run_node(vectors, subject, SKNOTE_PAGE=str(page), CHROMIUM=browser)


def test_the_exported_page_lists_its_files_and_names_its_model(page):
    worker = (page / "sw.js").read_text()
    assert 'VERSION = ""' not in worker
    assert '"model/notes.onnx"' in worker
    assert '"sw.js"' not in worker
    assert 'content="A &lt;small&gt; model"' in (page / "index.html").read_text()
