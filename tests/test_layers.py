"""The order of the rooms: a file imports only what lies below it, and nothing goes in a circle."""

import ast
from pathlib import Path

import pytest

import sknote

PACKAGE = Path(sknote.__file__).parent
PROJECT = PACKAGE.parent

# Rooms of one layer do not know each other.
LAYERS = [
    ["exceptions", "_caller", "_optional", "_params"],
    ["_lazy"],
    ["_compat", "_files"],
    ["_interval"],
    ["_input", "_portable", "_torch"],
    ["audio", "labels", "model_selection", "spectral"],
    ["nn", "metrics", "datasets"],
    ["feature_extraction"],
    ["classifier"],
    ["passage_classifier", "passages", "pipelines", "search_spaces"],
    ["confidence"],
    ["inspection"],
    ["deploy"],
    [""],  # the package itself, which imports its public names lazily
    ["cli"],
    ["__main__"],
]
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
# Within a room, the same for the folders in it.
FOLDERS = {
    "nn": ["descriptors", "networks", "_model", "training"],
    "feature_extraction": ["_base", "_audio_loader", "cache"],
    "model_selection": ["_deal", "_split", "search"],
    "datasets": ["_base", "synthetic"],
}


def name_of(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(("sknote", *(part for part in parts if part != "__init__")))


FILES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def room_of(module):
    return (module.split(".") + [""])[1]


def imports(path, module=None):
    """All modules of sknote that a file imports, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.split(".")[0] == "sknote"}
        elif isinstance(node, ast.ImportFrom):
            source = node.module or ""
            if node.level:
                package = module if path.name == "__init__.py" else module.rpartition(".")[0]
                base = package.split(".")[: len(package.split(".")) - node.level + 1]
                source = ".".join([*base, source] if source else base)
            if source.split(".")[0] != "sknote":
                continue
            for alias in node.names:
                inner = f"{source}.{alias.name}"
                found.add(inner if inner in FILES else source)
    return found


def test_every_room_has_a_layer():
    rooms = {room_of(module) for module in FILES}
    assert rooms <= set(LEVEL), f"not in LAYERS: {sorted(rooms - set(LEVEL))}"


@pytest.mark.parametrize("module", sorted(FILES))
def test_a_file_imports_only_from_below(module):
    here = room_of(module)
    for target in imports(FILES[module], module):
        there = room_of(target)
        assert there == here or LEVEL[there] < LEVEL[here], f"{module} imports {target}"


@pytest.mark.parametrize("module", sorted(FILES))
def test_a_folder_imports_only_from_folders_before_it(module):
    order = FOLDERS.get(room_of(module), [])
    here = (module.split(".") + ["", ""])[2]
    for target in imports(FILES[module], module):
        there = (target.split(".") + ["", ""])[2]
        if room_of(target) == room_of(module) and {here, there} <= set(order):
            assert order.index(there) <= order.index(here), f"{module} imports {target}"


def test_there_is_no_cycle():
    graph = {module: imports(path, module) & set(FILES) for module, path in FILES.items()}
    done, trail = set(), []

    def visit(module):
        assert module not in trail, " -> ".join([*trail[trail.index(module) :], module])
        if module in done:
            return
        trail.append(module)
        for target in sorted(graph[module]):
            visit(target)
        done.add(trail.pop())

    for module in graph:
        visit(module)
    assert done == set(FILES)


def test_the_reader_of_imports_sees_what_it_should(tmp_path):
    source = (
        "import os, sknote.nn\nfrom sknote.audio import decode\nfrom . import _model\n"
        "def f():\n    from .._optional import import_optional\n    from sknote import labels\n"
    )
    path = tmp_path / "file.py"
    path.write_text(source)
    assert imports(path, "sknote.nn._other") == {
        "sknote.nn",
        "sknote.audio",
        "sknote.nn._model",
        "sknote._optional",
        "sknote.labels",
    }


OUTSIDE = [
    path
    for folder in ("benchmarks", "examples")
    for path in sorted((PROJECT / folder).rglob("*.py"))
]


@pytest.mark.parametrize("path", OUTSIDE, ids=lambda path: str(path.relative_to(PROJECT)))
def test_benchmarks_and_examples_use_public_names_only(path):
    private = [
        f"{node.module}.{alias.name}"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "sknote"
        for alias in node.names
        if any(part.startswith("_") for part in [*node.module.split("."), alias.name])
        and alias.name != "__version__"
    ]
    assert private == []
