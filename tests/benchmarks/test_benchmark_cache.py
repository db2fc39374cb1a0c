import ast
import importlib
import sys
from pathlib import Path

import pytest

from benchmarks import cache


def test_a_digest_tells_data_apart_and_ignores_the_order_of_keys():
    assert cache.digest({"a": 1, "b": 2}) == cache.digest({"b": 2, "a": 1})
    values = [{"a": 1}, {"a": 2}, {"b": 1}, [["a", 1]], "a1"]
    assert len({cache.digest(value) for value in values}) == len(values)


def test_code_counts_and_comments_do_not(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "_PACKAGE", tmp_path)
    module = tmp_path / "module.py"

    def digest(text):
        module.write_text(text)
        return cache.source_digest(["*.py"])

    code = digest("def f(x):\n    return x + 1\n")
    assert digest('"""Says."""\n\n\ndef f(x):\n    """Add."""\n    return x + 1  # one\n') == code
    assert digest("def f(x):\n    return x + 2\n") != code


@pytest.mark.parametrize("patterns", [cache.FEATURE_SOURCES, cache.MODEL_SOURCES])
def test_every_pattern_of_sources_finds_a_file(patterns):
    # a file that was renamed would silently be left out of the keys
    assert [p for p in patterns if not list(cache._PACKAGE.glob(p))] == []


@pytest.mark.parametrize("patterns", [cache.FEATURE_SOURCES, cache.MODEL_SOURCES])
def test_what_sources_import_is_among_them(patterns):
    sources = {path for pattern in patterns for path in cache._PACKAGE.glob(pattern)}
    sources |= {cache._PACKAGE / name for name in ("exceptions.py", "_optional.py")}  # no numbers
    missing = {}
    for path in sources:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sknote"):
                module = importlib.import_module(node.module)
                for alias in node.names:
                    home = getattr(getattr(module, alias.name), "__module__", node.module)
                    home = Path(sys.modules[home].__file__)
                    if home not in sources and home.name != "__init__.py":
                        missing.setdefault(str(home), []).append(str(path))
    assert missing == {}


def test_a_write_that_fails_leaves_what_was_there(tmp_path):
    path = tmp_path / "new" / "file.json"
    cache.write_json(path, {"a": 1})
    before = path.read_text()

    def half(temporary):
        temporary.write_text("{")
        raise RuntimeError("cut off")

    with pytest.raises(RuntimeError, match="cut off"):
        cache.write_atomic(path, half)
    assert path.read_text() == before
    assert [p.name for p in path.parent.iterdir()] == ["file.json"]
