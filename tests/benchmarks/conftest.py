"""A tiny benchmark, its features made once for all tests of this folder."""

import json
import os
import sys
from pathlib import Path

import pytest

# The benchmarks are no part of the installed package.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

TINY = ["--max-notes", "60", "--folds", "2", "--min-class-count", "3", "--max-epochs", "1"]


@pytest.fixture(scope="session", autouse=True)
def one_core():
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    yield
    if before is None:
        del os.environ["OMP_NUM_THREADS"]
    else:
        os.environ["OMP_NUM_THREADS"] = before


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("benchmark-cache")


@pytest.fixture
def run(cache_dir, tmp_path, capsys):
    """Run a tiny benchmark in this process; returns (exit status, result, what was printed)."""

    from benchmarks.cli import main

    def call(*arguments, name="tiny", dataset="synthetic", command="run"):
        status = main(
            [command, "--dataset", dataset, *TINY, "--cache-dir", str(cache_dir)]
            + ["--out", str(tmp_path), "--name", name, *arguments]
        )
        path = tmp_path / f"{name}{'-inner' * ('--inner' in arguments)}.json"
        result = json.loads(path.read_text()) if path.exists() else None
        return status, result, capsys.readouterr()

    return call


@pytest.fixture(scope="session")
def load(cache_dir):
    """Load a small data set: ``load(dataset, **what the command line would say)``."""
    from argparse import Namespace

    from benchmarks.datasets import load_task

    def call(dataset="synthetic", **options):
        tiny = {"data_home": None, "max_notes": 60, "min_class_count": 3, "seed": 0}
        return load_task(Namespace(dataset=dataset, cache_dir=cache_dir, **tiny | options))

    return call


@pytest.fixture(scope="session")
def task(load):
    return load()
