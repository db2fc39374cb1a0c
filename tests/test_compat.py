"""What other packages keep private comes through one file, and is there."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import sknote
from sknote import _compat

PACKAGE = Path(sknote.__file__).parent
# Attributes that belong to other packages' objects; `self` may be an heir of these.
ATTRIBUTES = {
    *("_scorers", "_sklearn_output_config", "_storage", "_study_id", "_trial_id"),
    *("_file_path", "_lock"),
}


@pytest.mark.parametrize("name", sorted(_compat.PATHS))
def test_the_name_is_there(name):
    assert callable(getattr(_compat, name))
    assert any(part.startswith("_") for part in _compat.PATHS[name].split("."))


def test_a_name_that_is_not_in_the_table():
    with pytest.raises(AttributeError, match=r"'sknote\._compat' has no attribute 'Intervall'"):
        _compat.Intervall  # noqa: B018


def test_it_imports_nothing():
    code = (
        "import sys; import sknote._compat; print({'sklearn', 'torch', 'optuna', 'joblib'}"
        " & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def private_names(source):
    """Name what a file uses of other packages that begins with an underscore."""
    imported, found = set(), set()
    tree = ast.parse(source)
    for node in ast.walk(tree):
        paths = []
        if isinstance(node, ast.Import):
            paths = [alias.name for alias in node.names]
            imported |= {alias.asname or alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not (node.module or "sknote").startswith(
            "sknote"
        ):
            paths = [f"{node.module}.{alias.name}" for alias in node.names]
            imported |= {alias.asname or alias.name for alias in node.names}
        paths = [path.split(".") for path in paths if path.split(".")[0] != "sknote"]
        found |= {".".join(path) for path in paths if any(part.startswith("_") for part in path)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_"):
            chain, root = [node.attr], node.value
            while isinstance(root, ast.Attribute):
                chain, root = [root.attr, *chain], root.value
            is_dunder = node.attr.startswith("__")
            of_module = isinstance(root, ast.Name) and root.id in imported and not is_dunder
            of_object = node.attr in ATTRIBUTES and not (
                isinstance(root, ast.Name) and root.id == "self"
            )
            if of_module or of_object:
                found.add(".".join([ast.unparse(root), *chain]))
        elif isinstance(node, ast.Constant) and node.value in ATTRIBUTES:
            found.add(node.value)  # by getattr
    return found


FILES = [str(path.relative_to(PACKAGE)) for path in sorted(PACKAGE.rglob("*.py"))]


@pytest.mark.parametrize("file", [file for file in FILES if file != "_compat.py"])
def test_no_other_file_has_a_private_name_of_another_package(file):
    assert private_names((PACKAGE / file).read_text(encoding="utf-8")) == set()


def test_the_reader_sees_what_it_should():
    source = (
        "import torch, numpy as np\nfrom sklearn.base import _fit_context, clone\n"
        "from joblib._dask import X\nfrom sknote.nn._net import make_net\n"
        "torch.cpu._is_fast(); np.lib._format; trial._trial_id; self._storage\n"
        "torch.__version__; self.x._mine; getattr(e, '_sklearn_output_config')\n"
    )
    assert private_names(source) == {
        "sklearn.base._fit_context",
        "joblib._dask.X",
        "torch.cpu._is_fast",
        "np.lib._format",
        "trial._trial_id",
        "_sklearn_output_config",
    }
