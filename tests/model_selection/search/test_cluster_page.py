"""The files of the page "From a laptop to a cluster" do what it says."""

import subprocess
import sys
from pathlib import Path

import pytest

FILES = Path(__file__).parents[3] / "docs" / "user_guide" / "cluster"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("laptop")

    def run(name, *args):
        command = [sys.executable, FILES / name, *args]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=280)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("record.py")
    return run


@pytest.mark.slow
def test_search_is_resumed_and_shown(run):
    first = run("search.py", "search.log")
    assert run("search.py", "search.log") == first
    assert run("progress.py", "search.log").count("COMPLETE") == 6


@pytest.mark.slow
def test_folds_run_on_a_cluster(run):
    distributed = pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
    ) as cluster:
        scores = run("folds.py", cluster.scheduler_address)
    assert len(scores.strip("[] \n").split()) == 4
