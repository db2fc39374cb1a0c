"""What stands beside the graph of a foreign file is checked, and what is wrong with it is said."""

import copy
import json
from types import SimpleNamespace

import numpy as np
import pytest

from sknote.deploy._about import CONFIDENT, FORMAT, OLDER, read_about

ABOUT = {
    "format": FORMAT,
    "classes": ["bad-attack", "good-sound"],
    "dtype": "<U10",
    "instruments": ["flute", "oboe"],
    "read": {"sample_rate": 22050, "input_rate": None, "offset": 0.0, "max_duration": None},
    "on_error": "raise",
}
INPUTS = [
    ("waveform", "tensor(float)", ["n", "m"]),
    ("length", "tensor(int64)", ["n"]),
    ("instrument", "tensor(int64)", ["n"]),
]
OUTPUTS = [("probabilities", "tensor(float)", ["n", 2])]
OLDER_INPUTS = [("waveform", "tensor(float)", ["n"]), ("instrument", "tensor(int64)", [])]
OLDER_OUTPUTS = [("probabilities", "tensor(float)", [2])]


def session(about, inputs=INPUTS, outputs=OUTPUTS):
    """Make what ONNX Runtime gives of a file."""
    text = about if isinstance(about, str) or about is None else json.dumps(about)
    values = {} if text is None else {"sknote": text}

    def arguments(parts):
        return [SimpleNamespace(name=a, type=b, shape=c) for a, b, c in parts]

    return SimpleNamespace(
        get_modelmeta=lambda: SimpleNamespace(custom_metadata_map=values),
        get_inputs=lambda: arguments(inputs),
        get_outputs=lambda: arguments(outputs),
    )


def test_what_was_exported_is_read():
    about = read_about(session(ABOUT), "a.onnx")
    assert about["classes"].tolist() == ABOUT["classes"]
    assert about["classes"].dtype == "<U10"
    assert about["read"] == ABOUT["read"]


def test_what_older_versions_exported_is_read():
    about = ABOUT | {"format": OLDER}
    assert read_about(session(about, OLDER_INPUTS, OLDER_OUTPUTS), "a.onnx")["format"] == OLDER
    for version, inputs, outputs in (
        (OLDER, INPUTS, OUTPUTS),
        (OLDER, OLDER_INPUTS, OUTPUTS),
        (FORMAT, OLDER_INPUTS, OLDER_OUTPUTS),
        (FORMAT, INPUTS, OLDER_OUTPUTS),
    ):
        with pytest.raises(ValueError, match=r"its (inputs|outputs) are .*, and should be"):
            read_about(session(ABOUT | {"format": version}, inputs, outputs), "a.onnx")


@pytest.mark.parametrize(
    ("classes", "dtype"),
    [([0, 7], "<i8"), ([False, True], "|b1"), ([0.0, 1.0], "<f8"), ([1, 2], "<u2")],
)
def test_labels_of_other_types(classes, dtype):
    found = read_about(session(ABOUT | {"classes": classes, "dtype": dtype}), "a.onnx")["classes"]
    assert found.tolist() == classes
    assert found.dtype == dtype


def test_the_length_of_labels_is_not_believed():
    """It would take 8 GB."""
    about = ABOUT | {"dtype": "<U1000000000"}
    assert read_about(session(about), "a.onnx")["classes"].nbytes == 80


WRONG = {
    "no JSON": ("{", "its metadata is no JSON"),
    "deep JSON": ("[" * 100_000, "its metadata is no JSON"),
    "empty": ("", "its metadata is no JSON"),
    "a list": ("[1]", "no JSON object, but a list"),
    "null": ("null", "no JSON object, but a NoneType"),
    "an empty object": ("{}", "lacks 'format'"),
    "one class": ({"classes": ["good-sound"]}, r"its outputs are .* should be one of 1 numbers"),
    "a class too many": ({"classes": ["a", "b", "c"]}, "should be one of 3 numbers"),
    "no class": ({"classes": []}, r"'classes' is \[\], and should be different labels"),
    "equal classes": ({"classes": ["a", "a"]}, "should be different labels"),
    "classes of two types": ({"classes": ["a", 1]}, "are not of the type '<U10'"),
    "lists as classes": ({"classes": [["a"], ["b"]]}, "should be different labels"),
    "a string of classes": ({"classes": "ab"}, "'classes' is 'ab', and should be a list"),
    "NaN as a class": ('{"classes": [NaN, 1.0], "dtype": "<f8"}', "should be different labels"),
    "strings as numbers": ({"dtype": "<i8"}, "are not of the type '<i8'"),
    "objects": ({"dtype": "|O"}, r"are not of the type '\|O'"),
    "a type of Python": ({"dtype": "numpy.void"}, "are not of the type"),
    "no type": ({"dtype": None}, "'dtype' is None, and should be the name of a type"),
    "a huge number": ({"classes": [1, 2**70], "dtype": "<i8"}, "are not of the type '<i8'"),
    "an unknown type": ({"classes": [1, 2], "dtype": "<i7"}, "are not of the type '<i7'"),
    "instruments by number": ({"instruments": {"flute": 1}}, "a list of different names"),
    "equal instruments": ({"instruments": ["flute", "flute"]}, "a list of different names"),
    "numbers as instruments": ({"instruments": [1]}, "a list of different names"),
    "on_error": ({"on_error": "ignore"}, "'on_error' is 'ignore', and should be 'raise' or"),
    "a list as on_error": ({"on_error": ["raise"]}, "'on_error' is"),
    "a fraction as format": ({"format": 1.5}, "'format' is 1.5"),
    "true as format": ({"format": True}, "'format' is True"),
    "read": ({"read": None}, "'read' is None, and should be an object"),
    "long text": ({"on_error": "x" * 10**6}, r"x\.\.\., and should be"),
}
WRONG_READ = {
    "sample_rate": [0, -22050, 10**12, 2**70, 22050.0, "22050", None, True],
    "input_rate": [0, -1, 10**12, 1.5, "a"],
    "offset": [-1, 1e300, float("nan"), float("inf"), "0", None],
    "max_duration": [0, -1, float("nan"), 1e300, "1"],
}


def refused(about, message):
    with pytest.raises(ValueError, match=message) as caught:
        read_about(session(about), "a.onnx")
    text = str(caught.value)
    assert text.startswith(
        "OnnxNoteClassifier: 'a.onnx' is not as sknote.deploy.export_onnx writes"
    )
    assert text.endswith("Export the pipeline again.")
    assert len(text) < 500


@pytest.mark.parametrize("name", WRONG)
def test_wrong_metadata(name):
    given, message = WRONG[name]
    if isinstance(given, str) and name == "NaN as a class":
        given = ABOUT | json.loads(given)
    refused(given if isinstance(given, str) else ABOUT | given, message)


@pytest.mark.parametrize("name", WRONG_READ)
def test_wrong_ways_to_read(name):
    for value in WRONG_READ[name]:
        refused(ABOUT | {"read": ABOUT["read"] | {name: value}}, f"'{name}' is .*, and should be")


@pytest.mark.parametrize("name", [*ABOUT, *ABOUT["read"]])
def test_missing_fields(name):
    about = copy.deepcopy(ABOUT)
    about.pop(name, None)
    about.get("read", {}).pop(name, None)
    refused(about, f"its metadata lacks '{name}'")


@pytest.mark.parametrize("part", ["get_modelmeta", "get_inputs", "get_outputs"])
def test_names_and_metadata_that_are_no_text(part):
    """ONNX Runtime decodes them when it is asked, and lets the error out."""
    damaged = session(ABOUT)
    setattr(damaged, part, lambda: b"vi\xeflin".decode())
    with pytest.raises(ValueError, match=r"export_onnx writes it: 'utf-8'"):
        read_about(damaged, "a.onnx")


def test_further_ways_to_read():
    refused(ABOUT | {"read": ABOUT["read"] | {"code": 1}}, "'code' is nothing that recordings are")


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [
        ([("image", "tensor(float)", [1, 3, 224, 224])], OUTPUTS),  # another model
        (INPUTS[:1], OUTPUTS),
        ([("waveform", "tensor(double)", ["n", "m"]), *INPUTS[1:]], OUTPUTS),
        ([("waveform", "tensor(float)", ["n"]), *INPUTS[1:]], OUTPUTS),
        ([*INPUTS[:2], ("instrument", "tensor(int64)", [])], OUTPUTS),
        ([*INPUTS, ("more", "tensor(float)", [])], OUTPUTS),
        (INPUTS, []),
        (INPUTS, OUTPUTS * 2),
        (INPUTS, [("probabilities", "tensor(float)", ["n", 3])]),
        (INPUTS, [("probabilities", "tensor(float)", [2, "n"])]),
        (INPUTS, [("probabilities", "tensor(string)", ["n", 2])]),
        (INPUTS, [("probabilities", "seq(map(int64,tensor(float)))", [])]),
    ],
)
def test_graphs_of_other_models(inputs, outputs):
    with pytest.raises(ValueError, match=r"its (inputs|outputs) are .*, and should be"):
        read_about(session(ABOUT, inputs, outputs), "a.onnx")


def test_files_of_others_and_of_other_versions():
    with pytest.raises(ValueError, match="was not written by sknote"):
        read_about(session(None), "a.onnx")
    for version in (CONFIDENT + 1, 10**30):
        with pytest.raises(
            ValueError, match=rf"has format {version}, .* reads formats 1 to {CONFIDENT}"
        ):
            read_about(session(ABOUT | {"format": version}), "a.onnx")


def test_fields_that_were_damaged_in_any_way():
    """Whatever stands in a field, the answer is a ValueError or what may be used."""
    rng = np.random.default_rng(0)
    text = json.dumps(ABOUT)
    for _ in range(500):
        damaged = bytearray(text.encode())
        for place in rng.integers(0, len(damaged), rng.integers(1, 4)):
            damaged[place] = rng.integers(32, 127)
        try:
            about = read_about(session(damaged.decode()), "a.onnx")
        except ValueError as error:
            assert str(error).startswith("OnnxNoteClassifier: 'a.onnx' ")
        else:
            assert 1 <= about["read"]["sample_rate"] <= 10**7
            assert len(about["classes"]) == 2


def test_weights_in_another_file_are_refused(tmp_path):
    """The runtime would open whatever file is named, before anything can be asked of it."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from sknote.deploy import OnnxNoteClassifier

    weights = onnx.numpy_helper.from_array(np.ones(2, np.float32), "w")
    values = [onnx.helper.make_tensor_value_info(name, 1, [2]) for name in "xy"]
    node = onnx.helper.make_node("Add", ["x", "w"], ["y"])
    graph = onnx.helper.make_graph([node], "g", values[:1], values[1:], [weights])
    path = tmp_path / "a.onnx"
    where = {"location": "w.bin", "size_threshold": 0}
    model = onnx.helper.make_model(graph, ir_version=9)
    onnx.save_model(model, path, save_as_external_data=True, **where)
    entry = b"\n\x08location\x12\x05w.bin"
    contents = path.read_bytes()
    assert entry in contents
    for same in (entry, b"\x12\x05w.bin\n\x08location", entry.replace(b"\x08", b"\x88\x80\x00")):
        path.write_bytes(contents.replace(entry, same))
        with pytest.raises(ValueError, match="keeps weights in another file, which export_onnx ne"):
            OnnxNoteClassifier(path)


def test_how_sure_an_answer_must_be_is_read_and_checked():
    rule = {"threshold": 0.7, "levels": [], "limits": [["unlike the notes of fit", 2.0]]}
    about = ABOUT | {"format": CONFIDENT, "confidence": rule}
    outputs = [*OUTPUTS, ("novelty", "tensor(float)", ["n", 1])]
    found = read_about(session(about, outputs=outputs), "a.onnx")["rule"]
    assert found.threshold == 0.7 and found.limits == (("unlike the notes of fit", 2.0),)
    level = {"name": "quality", "nodes": ["bad", "good"], "node_of": [0, 1]}
    for change in (
        {"threshold": "high"},
        {"limits": []},  # and the graph has an output for one
        {"limits": [["no sound", 1.0]]},
        {"levels": [level | {"node_of": [0]}]},
        {"levels": [level | {"node_of": [0, 2]}]},
        {"levels": [level | {"nodes": ["bad", "bad"]}]},
        {"levels": [level, level]},
        {"more": 1},
    ):
        wrong = session(about | {"confidence": rule | change}, outputs=outputs)
        with pytest.raises(ValueError, match=r"is not as sknote.deploy.export_onnx writes it"):
            read_about(wrong, "a.onnx")
    for wrong in ({"format": CONFIDENT}, about | {"format": 2}):
        with pytest.raises(ValueError, match=r"is not as sknote.deploy.export_onnx writes it"):
            read_about(session(ABOUT | wrong, outputs=outputs), "a.onnx")
