"""Files that outlive a run: keys from what made them, and writes that are all or nothing."""

import ast
import hashlib
import json
import os
from pathlib import Path

import sknote

_PACKAGE = Path(sknote.__file__).parent
# What turns a recording into features, and all that can change a trained model besides.
FEATURE_SOURCES = (
    "_forms.py",
    "_mapped.py",
    "_validation.py",
    "audio/*.py",
    "nn/_batching.py",
    "nn/_fourier.py",
    "nn/_frontend.py",
    "nn/_masking.py",
    "nn/_scales.py",
    "nn/_threads.py",
    "feature_extraction/*.py",
)
MODEL_SOURCES = (
    *FEATURE_SOURCES,
    "nn/*.py",
    "_classifier*.py",
    "classifier.py",
    "model_selection/_report.py",
    "model_selection/_split.py",
)


def default_cache_dir():
    """Folder of cached features and finished folds, outside the project."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "sknote-benchmarks"


def digest(*parts):
    """Return 16 hexadecimal digits that stand for plain data (dicts, lists, strings, numbers)."""
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def source_digest(patterns):
    """Return a digest of the code in some of sknote's files; comments and docstrings are no code.

    The version number does not change while one develops, and a result of yesterday's code must
    not pass for one of today's.
    """
    paths = sorted({path for pattern in patterns for path in _PACKAGE.glob(pattern)})
    return digest([[path.relative_to(_PACKAGE).as_posix(), _code(path)] for path in paths])


def write_atomic(path, write):
    """Call ``write(temporary_path)`` and rename the file, so that `path` is whole or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        write(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path, value):
    """Write JSON atomically."""
    text = json.dumps(value, indent=1, allow_nan=False)
    write_atomic(path, lambda temporary: temporary.write_text(text + "\n", encoding="utf-8"))


def _code(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(
            node, clean=False
        ):
            node.body = node.body[1:]
    return ast.dump(tree)
