"""The files of `benchmarks` import each other in one direction, and all can be imported."""

import ast
import importlib
from pathlib import Path

import pytest

import benchmarks

FILES = {path.stem: path for path in Path(benchmarks.__file__).parent.glob("*.py")}


def imports(path):
    """Names of the files of benchmarks that a file imports, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.removeprefix("benchmarks.") for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "benchmarks":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").removeprefix("benchmarks."))
    return found & set(FILES)


def test_no_import_goes_in_a_circle():
    left = {name: imports(path) - {name} for name, path in FILES.items()}
    while left:
        # those that import nothing that is left
        free = [name for name, targets in left.items() if not targets & set(left)]
        assert free, f"a circle among {sorted(left)}"
        for name in free:
            del left[name]


def test_the_reader_of_imports_sees_what_it_should(tmp_path):
    path = tmp_path / "file.py"
    path.write_text(
        "import benchmarks.run\nfrom benchmarks import tune, layout as lay\nimport os\n"
        "def f():\n    from benchmarks.cli import positive\n"
    )
    assert imports(path) == {"run", "tune", "layout", "cli"}


@pytest.mark.parametrize("name", sorted(set(FILES) - {"__main__"}))
def test_a_file_says_what_it_is(name):
    module = importlib.import_module("benchmarks" if name == "__init__" else f"benchmarks.{name}")
    assert module.__doc__
