"""The JSON file beside an exported one: the same as its metadata, and nobody else's file."""

import hashlib
import json

import numpy as np
import pytest

import sknote

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from sknote.deploy._described import describe, described_beside  # noqa: E402

ABOUT = {"format": 2, "classes": ["größe", "b"], "dtype": "<U5", "instruments": ["flute"]}


def write(path, contents=b"graph"):
    path.write_bytes(contents)
    with described_beside(path) as beside:
        describe(beside, path, ABOUT)
    return path.with_suffix(".json")


def test_it_says_what_the_metadata_says(path):
    beside = path.with_suffix(".json")
    document = json.loads(beside.read_text(encoding="utf-8"))
    model = onnx.load(path)
    about = json.loads(model.metadata_props[0].value)
    assert {name: document[name] for name in about} == about
    assert document["sknote"] == sknote.__version__
    assert document["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    for kind, values in (("inputs", model.graph.input), ("outputs", model.graph.output)):
        assert [one["name"] for one in document[kind]] == [one.name for one in values]
        for one, value in zip(document[kind], values):
            tensor = value.type.tensor_type
            assert onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type) == one["type"]
            for said, size in zip(one["shape"], tensor.shape.dim, strict=True):
                assert isinstance(said, int) == size.HasField("dim_value")
                assert isinstance(said, str) or said == size.dim_value
    assert sorted(one.name for one in path.parent.glob("notes*")) == ["notes.json", "notes.onnx"]


def test_its_own_file_is_replaced_and_no_other(tmp_path):
    beside = write(tmp_path / "a.onnx")
    assert json.loads(beside.read_text(encoding="utf-8"))["classes"] == ABOUT["classes"]
    before = beside.read_bytes()
    write(tmp_path / "a.onnx", b"another graph")
    assert beside.read_bytes() != before
    for foreign in (b"{}", b"[]", b"{", b'{"made_by": "me"}', b"\xff" * 9, b"[" * 100_000):
        beside.write_bytes(foreign)
        with pytest.raises(FileExistsError, match=r"expected classes .*a\.json'.* another file"):
            write(tmp_path / "a.onnx")
        assert beside.read_bytes() == foreign
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.json", "a.onnx"]


def test_a_name_for_both_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"a name that ends in .onnx, got .*a\.json"):
        write(tmp_path / "a.json")


def test_it_is_whole_or_as_it_was(tmp_path):
    beside = write(tmp_path / "a.onnx")
    before = beside.read_bytes()
    odd = ABOUT | {"classes": [np.float64("nan")]}
    with pytest.raises(ValueError, match="JSON"), described_beside(tmp_path / "a.onnx") as other:
        describe(other, tmp_path / "a.onnx", odd)
    assert beside.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2
