"""Files that were damaged, or made to do harm: each is refused, at once, and nothing is run."""

import copy
import io
import json
import os
import pickle
import struct
import subprocess
import sys
import warnings
import zipfile

import numpy as np
import pytest
from model_files import DATE, KEPT, NOTE, TREES, members, note_pipeline, notes, pack, refused

from sknote.deploy import load, model_card


@pytest.fixture(scope="module", autouse=True)
def imported():
    """So that no refusal is the first to import something."""
    for path in (NOTE, TREES):
        load(path)


class Bomb:
    def __reduce__(self):
        return exec, ("raise SystemExit('a pickle was loaded')",)


def zip_of(entries, comment=b"", compress=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compress) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # names that come twice are meant to
        file.comment = comment
        for name, data in entries:
            info = zipfile.ZipInfo(name, DATE)
            info.external_attr, info.compress_type = 0o100644 << 16, compress
            file.writestr(info, data)
    return buffer.getvalue()


WHOLE = NOTE.read_bytes()
TEXT, ARRAYS = json.dumps(members(NOTE)[0]).encode(), members(NOTE)[1]
PAIR = [("model.json", TEXT), ("arrays.safetensors", ARRAYS)]
NO_FILES = {
    "nothing": b"",
    "text": b"hello, world" * 10,
    "a pickle inside": zip_of([("model.json", pickle.dumps(Bomb())), PAIR[1]]),
    "a pickle as arrays": zip_of([PAIR[0], ("arrays.safetensors", pickle.dumps(Bomb()))]),
    "a pickle beside": zip_of([*PAIR, ("data.pkl", pickle.dumps(Bomb()))]),
    "a path that leads out": zip_of([("../model.json", TEXT), PAIR[1]]),
    "an absolute path": zip_of([("/tmp/model.json", TEXT), PAIR[1]]),
    "a path that ends in NUL": WHOLE.replace(b"model.json", b"model.js\0n"),
    "a name twice": zip_of([PAIR[0], PAIR[0]]),
    "three members": zip_of([*PAIR, PAIR[0]]),
    "one member": zip_of(PAIR[:1]),
    "the other way round": zip_of(PAIR[::-1]),
    "a comment": zip_of(PAIR, b"hello"),
    "something before": b"#!/bin/sh\n" + WHOLE,
    "something behind": WHOLE + b"x",
    "a zip behind": WHOLE + zip_of(PAIR),
    "a zip bomb": zip_of([("model.json", b" " * 10**7), PAIR[1]], compress=zipfile.ZIP_DEFLATED),
    "a compressed one": zip_of(PAIR, compress=zipfile.ZIP_DEFLATED),
    "a large document": zip_of([("model.json", b" " * 10**7 + TEXT), PAIR[1]]),
    "an end of a zip alone": b"PK\5\6" + struct.pack("<4H2LH", 0, 0, 2, 2, 0, 0, 0),
    "an end that promises much": b"x" * 99
    + b"PK\5\6"
    + struct.pack("<4H2LH", 0, 0, 2, 2, 99, 0, 0),
}


@pytest.mark.parametrize(
    ("contents", "said"),
    [
        (pickle.dumps(Bomb()), r"is a pickle, .*any code.*pickle.load or joblib.load"),
        (
            b"\x08\x0a\x12\x07pytorch" * 9,
            r"is an ONNX file, .*OnnxNoteClassifier; `sknote predict`",
        ),
        (b"RIFF\x24\x08\x00\x00WAVEfmt ", "is a recording, .* Name the model first"),
    ],
)
def test_what_another_file_is_is_said_with_what_to_do(contents, said, tmp_path):
    path = tmp_path / "a.sknote"
    path.write_bytes(contents)
    refused(path, said)
    with pytest.raises(ValueError, match=f"model_card: .*{said}"):
        model_card(path)


@pytest.mark.parametrize("name", NO_FILES)
def test_other_files(name, tmp_path):
    path = tmp_path / "a.sknote"
    path.write_bytes(NO_FILES[name])
    refused(path, "is not as sknote.deploy.save writes it: .*. Copy it again, or save")
    with pytest.raises(ValueError, match=r"model_card: .* is not as sknote.deploy.save writes it"):
        model_card(path)


@pytest.mark.parametrize(
    "how",
    [
        {"external_attr": 0o120777 << 16},  # a link
        {"external_attr": 0o040755 << 16},  # a folder
        {"extra": b"\1\0\4\0abcd"},
        {"comment": b"hello"},
        {"date_time": (2026, 1, 1, 0, 0, 0)},
    ],
)
def test_members_that_are_something_else(how, tmp_path):
    refused(pack(tmp_path / "a.sknote", TEXT, ARRAYS, **how), "packed otherwise than by sknote")


def test_things_that_are_no_files(tmp_path):
    with pytest.raises(
        IsADirectoryError, match=r"^load: expected a file .* got the folder '.*'\.$"
    ):
        load(tmp_path)
    os.mkfifo(tmp_path / "pipe.sknote")
    with pytest.raises(OSError, match=r"^load: '.*' cannot be read: it is no plain file\.$"):
        load(tmp_path / "pipe.sknote")


@pytest.mark.parametrize("whole", [NOTE, TREES], ids=["note", "baseline"])
def test_every_cut_is_noticed(whole, tmp_path):
    data, path = whole.read_bytes(), tmp_path / "a.sknote"
    for stop in [*range(0, len(data), len(data) // 40), len(data) - 1]:
        path.write_bytes(data[:stop])
        refused(path)


@pytest.mark.parametrize("whole", [NOTE, TREES], ids=["note", "baseline"])
def test_flipped_bits_are_noticed_or_harmless(whole, tmp_path):
    """In all that is not one of a few bytes of the zip that say nothing."""
    rng, data, path = np.random.default_rng(0), whole.read_bytes(), tmp_path / "a.sknote"
    edges = [*range(0, 30, 3), *range(len(data) - 140, len(data), 3)]
    for place in [*edges, *rng.integers(len(data), size=50)]:
        damaged = bytearray(data)
        damaged[place] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        try:
            load(path)
        except ValueError as error:
            assert str(error).startswith("load: ")
        else:
            assert place < 30 or place > len(data) - 140, place


@pytest.mark.parametrize("whole", [NOTE, TREES], ids=["note", "baseline"])
def test_a_second_name_that_is_no_text_is_damage(whole, tmp_path):
    """A zip names each member twice; the copy beside it may say that it is UTF-8, and be none."""
    damaged, path = bytearray(whole.read_bytes()), tmp_path / "a.sknote"
    damaged[7] |= 0x08
    damaged[30:32] = b"\xeb\x93"
    path.write_bytes(damaged)
    refused(path, "'model.json' in it is damaged")


@pytest.fixture
def document():
    return copy.deepcopy(members(NOTE)[0])


DOCUMENTS = {
    "a name twice": (
        TEXT.replace(b'{"format": 1', b'{"format": 99, "format": 1', 1),
        "comes twice",
    ),
    "a name twice inside": (TEXT.replace(b'"n_features"', b'"params"', 1), "comes twice"),
    "no number": (TEXT.replace(b'"lr": 0.004', b'"lr": NaN', 1), "NaN is no number"),
    "depth": (b"[" * 10**5 + b"]" * 10**5, "is no JSON"),
    "more depth": (
        TEXT.replace(b'"lr": 0.004', b'"lr": ' + b'{"tuple": [' * 400 + b"]}" * 400),
        None,
    ),
    "a list": (b"[]", "is no JSON object, but a list"),
    "no text": (b"\xff\xfe\x00", "is no JSON"),
    "half": (TEXT[:500], "is no JSON"),
    "many digits": (TEXT.replace(b'"lr": 0.004', b'"lr": ' + b"9" * 5000, 1), "is no JSON"),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_that_are_none(name, tmp_path):
    text, message = DOCUMENTS[name]
    refused(pack(tmp_path / "a.sknote", text, ARRAYS), message)


def test_formats_of_later_versions(document, tmp_path):
    path = tmp_path / "a.sknote"
    for number in (3, 99):
        refused(
            pack(path, document | {"format": number, "new": []}, ARRAYS),
            f"has format {number}, and this version of sknote reads formats 1 and 2. Install a",
        )
    for number in (0, -1, 1.5, "1", None, True, [1]):
        refused(pack(path, document | {"format": number}, ARRAYS), "its format is")


CLASSIFY = {
    "a class of Python": ({"class": "os.system"}, "a step is 'os.system'"),
    "another step": ({"class": "AudioLoader"}, "a step is 'AudioLoader'"),
    "labels of one class": ({"classes": {"labels": ["a"], "dtype": "<U1"}}, "should be sorted"),
    "unsorted labels": ({"classes": {"labels": ["b", "a", "c"], "dtype": "<U1"}}, "sorted labels"),
    "fewer labels": ({"classes": {"labels": ["a", "b"], "dtype": "<U1"}}, "'class_count' is"),
    "labels of two parts": (
        {"classes": {"labels": [1.0, 2.0, 3.0], "dtype": "f4,f8"}},
        "in 'dtype'",
    ),
    "counts below 0": ({"class_count": [1, -1, 1]}, "'class_count' is"),
    "a huge count": ({"class_count": [1, 10**400, 1]}, "'class_count' of a step is"),
    "more instruments": ({"instruments": ["a"] * 5}, "different names"),
    "other instruments": ({"instruments": list("abc")}, "and should be float32 of shape"),
    "a level": ({"level": "loud"}, "'absolute' or 'relative'"),
    "axes of code": ({"axes": {"__class__": "x"}}, "the axes are"),
    "endless axes": ({"axes": {"scale": "mel", "n_bins": 10**12}}, "which is too large"),
    "other axes": ({"axes": {"hop_length": 128}}, "different axes"),
    "not fitted": ({"n_features": None, "features": None}, "was not fitted"),
    "columns": ({"features": ["audio"]}, "another number of columns"),
    "a container": ({"output": "os"}, "name of a container"),
    "a new field": ({"new": 1}, "has 'new', which nothing is known of"),
}
PARAMS = {
    "a network of nobody": ({"module": "os.system"}, "its parameters are wrong"),
    "a network by path": ({"module": {"class": "torch.nn.Linear"}}, "of which nothing is known"),
    "another network": ({"module": "starter", "module_params": None}, "parts, and there are"),
    "a class elsewhere": ({"lr": {"class": "NoteAnalyzer"}}, "'lr' of NoteClassifier is a class"),
    "a tag": ({"callbacks": {"exec": "1"}}, "of which nothing is known"),
    "a callback": ({"callbacks": [{"class": "NoteAnalyzer"}]}, "it has callbacks"),
    "an unknown parameter": ({"code": "1"}, "has no parameter 'code'"),
    "a negative rate": ({"lr": -1}, "its parameters are wrong"),
    "a thousand threads": ({"n_threads": 10**6}, "which is too large"),
    "a network without end": (
        {"module_params": {"dict": [["n_profiles", 10**9]]}},
        "is 1000000000",
    ),
    "many networks": ({"module_params": {"dict": [["n_profiles", 60000]]}}, "parts, and there are"),
    "a wide network": (
        {
            "module_params": {
                "dict": [
                    ["width", 60000],
                    ["n_profiles", 1],
                    ["n_cepstra", 1],
                    ["n_coefficients", 4],
                ]
            }
        },
        "and should be",
    ),
    "many cosines": (
        {
            "module_params": {
                "dict": [["n_coefficients", 60000], ["n_profiles", 1], ["n_cepstra", 1]]
            }
        },
        "cosines of another shape",
    ),
    "an argument": ({"module_params": {"dict": [["axes", 1]]}}, "the argument 'axes'"),
    "text as a size": ({"module_params": {"dict": [["width", "8"]]}}, "the argument 'width'"),
    "an augmentation": (
        {"augment": {"SpectrogramAugment": {"semitones": -1}}},
        "parameters are wrong",
    ),
}


@pytest.mark.parametrize("name", [*CLASSIFY, *PARAMS])
def test_steps_that_are_wrong(name, document, tmp_path):
    change, message = {**CLASSIFY, **PARAMS}[name]
    step = document["steps"][2]
    (step if name in CLASSIFY else step["params"]).update(change)
    refused(pack(tmp_path / "a.sknote", document, ARRAYS), message)


@pytest.mark.parametrize(
    "change",
    [
        {"names": ["a", "b"]},
        {"names": ["a", "a", "b"]},
        {"names": ["a", "b__c", "d"]},
        {"names": ["steps", "b", "c"]},
        {"class": "GridSearchCV"},
        {"verbose": "yes"},
        {"memory": "/tmp"},
    ],
)
def test_pipelines_that_are_wrong(change, document, tmp_path):
    document["pipeline"].update(change)
    refused(pack(tmp_path / "a.sknote", document, ARRAYS), "its pipeline")


def places(value, path=()):
    """Give the paths of all that is in a document."""
    if isinstance(value, (dict, list)) and path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        yield (*path, key)
        if isinstance(inner, (dict, list)):
            yield from places(inner, (*path, key))


@pytest.mark.parametrize("whole", [NOTE, TREES], ids=["note", "baseline"])
def test_any_value_may_be_another(whole, tmp_path):
    """What is loaded in spite of it is a pipeline, and all else is refused in its own words."""
    original, arrays = members(whole)
    rng, known = np.random.default_rng(0), list(places(original))
    values = [None, True, -1, 0, 1, 1e9, 10**30, 0.5, "", "x", "|O", [], [1], [[1]], {}, {"a": 1}]
    values += [{"tuple": [1]}, {"dict": [["a", []]]}, {"class": "NoteAnalyzer"}, float("-1e308")]
    for _ in range(100):
        damaged = copy.deepcopy(original)
        *path, key = known[rng.integers(len(known))]
        place = damaged
        for one in path:
            place = place[one]
        value = values[rng.integers(len(values))]
        if rng.random() < 0.2:
            del place[key]
        else:
            place[key] = value
        try:
            load(pack(tmp_path / "a.sknote", damaged, arrays)).get_params()
        except ValueError as error:
            assert str(error).startswith("load: "), (path, key, value)


AUDITED = """
import sys
from pathlib import Path
import numpy as np
from sknote.deploy import load, model_card

kept, hostile = Path(sys.argv[1]), Path(sys.argv[2])
paths = [*sorted(kept.glob("*.sknote")), hostile]
for path in paths[:-1]:
    load(path).get_params(), model_card(path)
try:
    load(hostile)
except ValueError:
    pass
seen = []
sys.addaudithook(lambda event, args: seen.append((event, str(args[:1])[:200])))
for path in paths:
    print("LOAD", path)
    seen.clear()
    try:
        load(path)
    except ValueError:
        pass
    found, seen[:] = list(seen), []
    for event, what in found:
        print("EVENT", event, what)
"""
HARMLESS = {"object.__getattr__", "sys._getframe", "builtins.id", "sys.setprofile"}


def test_loading_opens_no_other_file_and_runs_nothing(tmp_path):
    """As the interpreter's own audit tells."""
    hostile = tmp_path / "hostile.sknote"
    hostile.write_bytes(NO_FILES["a pickle inside"])
    command = [sys.executable, "-W", "ignore", "-c", AUDITED, str(KEPT), str(hostile)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    loads = done.stdout.split("LOAD ")[1:]
    assert len(loads) == 4
    for one in loads:
        path, *lines = one.splitlines()
        events = [line.split(" ", 2)[1:] for line in lines]
        opened = [what for event, what in events if event == "open"]
        assert set(opened) == {f"({path!r},)"}, opened  # with an opener, `open` is said twice
        others = {event for event, _ in events} - HARMLESS - {"open"}
        assert others == set(), others


def test_a_larger_file_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "a.sknote"
    with open(path, "wb") as file:  # as long as it says, and empty
        file.truncate(3 << 30)
    refused(path, "it has 3221225472 bytes")
    with open(path, "wb") as file:
        file.truncate(900 << 20)
    refused(path, "it is no zip, or cut off")


def test_a_file_of_a_wider_network_is_read(tmp_path):
    """The sizes that are refused above are none that a pipeline has."""
    data = notes(18)
    wide = {"n_profiles": 1, "n_cepstra": 0, "n_functionals": 0, "width": 1024, "channels": 2}
    pipeline = note_pipeline(classify__module_params=wide, classify__max_epochs=1)
    from sknote.deploy import save

    path = save(pipeline.fit(data.data, data.target), tmp_path / "a.sknote")
    assert path.stat().st_size > 4_000_000
    assert len(load(path).predict(data.data)) == 18
