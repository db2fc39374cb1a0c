"""Arrays of a file that are damaged, or made to lead astray: headers, weights and trees."""

import json
import struct

import numpy as np
import pytest
from model_files import NOTE, TREES, members, pack, refused
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from sknote.deploy import load


@pytest.fixture(scope="module", autouse=True)
def imported():
    """So that no refusal is the first to import something."""
    for path in (NOTE, TREES):
        load(path)


@pytest.fixture
def document():
    return members(NOTE)[0]


ARRAYS = members(NOTE)[1]


def tensors(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(shape, start, stop, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}


TENSORS = {
    "nothing": (b"", "would take"),
    "gigabytes of header": (struct.pack("<Q", 5 << 30) + b"{}", "would take 5368709120 bytes"),
    "a header of 2**63": (struct.pack("<Q", 1 << 63) + b"{}" * 99, "would take"),
    "no JSON": (tensors(b"{"), "is no JSON"),
    "a name twice": (tensors(b'{"a": 1, "a": 2}'), "comes twice"),
    "overlap": (
        tensors({"a": entry([2], 0, 8), "b": entry([2], 4, 12)}, b"0" * 12),
        "where 8 is next",
    ),
    "a gap": (
        tensors({"a": entry([1], 0, 4), "b": entry([1], 8, 12)}, b"0" * 12),
        "where 4 is next",
    ),
    "a gap at first": (tensors({"a": entry([1], 4, 8)}, b"0" * 8), "where 0 is next"),
    "too few bytes": (tensors({"a": entry([4], 0, 16)}, b"0" * 8), "end at 16"),
    "too many bytes": (tensors({"a": entry([1], 0, 4)}, b"0" * 8), "end at 4"),
    "backwards": (tensors({"a": entry([1], 4, 0)}, b"0" * 4), "where 0 is next"),
    "below 0": (tensors({"a": entry([1], -4, 0)}, b"0" * 4), "where an array begins"),
    "another size": (tensors({"a": entry([3], 0, 8)}, b"0" * 8), "an array of 12 bytes"),
    "an endless shape": (tensors({"a": entry([2**62, 2**62], 0, 8)}, b"0" * 8), "an array of"),
    "many dimensions": (tensors({"a": entry([1] * 99, 0, 4)}, b"0" * 4), "at most 8 sizes"),
    "an unknown type": (tensors({"a": entry([1], 0, 4, "pickle")}, b"0" * 4), "one of the types"),
    "metadata": (tensors({"__metadata__": {"a": "b"}}), "lacks 'dtype'"),
    "other arrays": (tensors({"a": entry([1], 0, 4)}, b"0" * 4), None),
}


@pytest.mark.parametrize("whole", [NOTE, TREES], ids=["note", "baseline"])
@pytest.mark.parametrize("name", TENSORS)
def test_arrays_that_are_wrong(name, whole, tmp_path):
    data, message = TENSORS[name]
    refused(pack(tmp_path / "a.sknote", members(whole)[0], data), message)


WEIGHTS = {
    "one is missing": (lambda a: a.popitem(), "is missing, and should be"),
    "one too many": (lambda a: a.update(more=np.zeros(2)), "should be missing"),
    "another shape": (lambda a: a.update({"mean.profiles": np.zeros((22, 1))}), "of shape"),
    "another type": (lambda a: a.update({"mean.profiles": np.zeros((23, 1), "f4")}), "float64 of"),
    "no number": (
        lambda a: a.update({"mean.profiles": np.full((23, 1), np.nan)}),
        "no finite number",
    ),
    "a scale of 0": (lambda a: a.update({"scale.profiles": np.zeros((23, 1))}), "is not above 0"),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_that_are_wrong(name, document, tmp_path):
    change, message = WEIGHTS[name]
    arrays = load_arrays(ARRAYS)
    change(arrays)
    refused(pack(tmp_path / "a.sknote", document, save_arrays(arrays)), message)


def put(name, place, value):
    def change(arrays):
        arrays[name][place] = value

    return change


INNER = int(np.flatnonzero(load_arrays(members(TREES)[1])["node.is_leaf"] == 0)[0])
NODES = {
    "a child far away": (put("node.left", INNER, 2**31), "children"),
    "a child of another tree": (put("node.right", INNER, 10**6), "children"),
    "a circle": (put("node.left", INNER, 0), "children"),
    "twins": (lambda a: a["node.left"].__setitem__(INNER, a["node.right"][INNER]), "parents"),
    "a feature before the first": (put("node.feature_idx", INNER, -1), "feature_idx"),
    "a feature after the last": (put("node.feature_idx", INNER, 10**9), "feature_idx"),
    "a feature of a leaf": (put("node.feature_idx", -1, 10**9), "feature_idx"),
    "a category of numbers": (put("node.is_categorical", INNER, 1), "is_categorical"),
    "a leaf of no kind": (put("node.is_leaf", INNER, 7), "is_leaf"),
    "a leaf without end": (put("node.value", -1, np.nan), "value"),
    "a depth": (put("node.depth", INNER, 5), "depth"),
    "empty trees": (put("tree.n_nodes", 0, 0), "wrong numbers of nodes"),
    "negative trees": (put("tree.n_nodes", 0, -(2**40)), "wrong numbers of nodes"),
    "more nodes than there are": (put("tree.n_nodes", 0, 10**6), "wrong numbers of nodes"),
    "nodes of the next tree": (lambda a: a["tree.n_nodes"].__iadd__(1), "the trees have"),
    "bitsets that are not there": (put("tree.n_bitsets", 0, 1), "bitsets"),
    "other fields": (lambda a: a.pop("node.gain"), "'node.gain'"),
    "no trees": (lambda a: a.update({"tree.n_nodes": np.zeros(0, "i8")}), "it has 0 trees"),
}


@pytest.mark.parametrize("name", NODES)
def test_trees_that_are_wrong(name, tmp_path):
    change, message = NODES[name]
    document, data = members(TREES)
    arrays = {key: value.copy() for key, value in load_arrays(data).items()}
    change(arrays)
    refused(pack(tmp_path / "a.sknote", document, save_arrays(arrays)), message)
