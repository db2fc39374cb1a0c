"""Exported pipelines, damaged, and what OnnxNoteClassifier makes of them."""

import json
import warnings

import numpy as np
import pytest
from faults.worker import Case

from sknote.deploy import OnnxNoteClassifier
from sknote.exceptions import AudioDecodeWarning

onnx = pytest.importorskip("onnx")

VALUES = [None, True, -1, 0, 1, 1e9, 10**30, 0.5, "", "x", "|O", "<f4", [], [1], [[1]], {}, "warn"]
VALUES += [["a"], ["a"] * 3, ["a", None, "b"], {"a": 1}, [[0, 1], [2, 3], [4, 5]], float("nan")]
NOTES = [np.sin(np.arange(n) / 10).astype(np.float32) for n in (3000, 1)]
_MADE = {}


def make_model(path):
    """Train and export a small model."""
    from torch import nn

    from sknote import make_note_pipeline
    from sknote.datasets import make_notes
    from sknote.deploy import export_onnx

    class Mean(nn.Module):
        def __init__(self, num_instruments, num_classes, n_bins):
            super().__init__()
            self.instruments = nn.Embedding(num_instruments, num_classes)
            self.layer = nn.Linear(n_bins, num_classes)

        def forward(self, spectrogram, lengths, instrument):
            mean = spectrogram.sum(dim=1) / lengths[:, None]
            return self.layer(mean) + self.instruments(instrument)

    labels = ["good-sound", "bad-richness", "bad-attack"]
    notes = make_notes(9, labels=labels, duration_range=(0.1, 0.2), random_state=0)
    pipeline = make_note_pipeline(
        spectrogram__n_fft=512, spectrogram__scale="mel", spectrogram__n_bins=16,
        classify__module=Mean, classify__max_epochs=1, classify__random_state=0,
    )  # fmt: skip
    export_onnx(pipeline.fit(notes.data, notes.target), path)


def prepare(folder):
    path = folder / "whole.onnx"
    _MADE.update(data=path.read_bytes(), expected=OnnxNoteClassifier(path).predict_proba(NOTES))


def make_case(seed, folder):
    rng = np.random.default_rng(seed)
    data, about = [_bytes, _metadata, _graph][rng.integers(3)](rng)
    path = folder / f"export-{seed}.onnx"
    path.write_bytes(data)

    def run():
        outcome = _check(path)
        path.unlink()  # what offends stays
        return outcome

    return Case(about, run)


def _check(path):
    """Hold what OnnxNoteClassifier promises: probabilities, or its own error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", AudioDecodeWarning)  # which a file may ask for
        try:
            model = OnnxNoteClassifier(path)
            found = model.predict_proba(NOTES)
            labels = model.predict(NOTES)
            model.predict_proba(NOTES, instrument="flute")
        except ValueError as error:
            is_its_own = str(error).startswith("OnnxNoteClassifier: ")
            assert is_its_own and "TypeError" not in str(error), f"not its own: {error!r}"
            return "refused"
    assert found.shape == (len(NOTES), len(model.classes_)), f"shape {found.shape}"
    assert found.dtype == np.float64 and np.isfinite(found).all(), "not finite"
    assert (found >= 0).all() and np.allclose(found.sum(axis=1), 1), "no probabilities"
    assert labels.shape == (len(NOTES),) and set(labels) <= set(model.classes_), f"{labels!r}"
    same = found.shape == _MADE["expected"].shape and np.allclose(found, _MADE["expected"])
    return "answers as before" if same else "answers otherwise"


def _bytes(rng):
    data = bytearray(_MADE["data"])
    start, stop = sorted(map(int, rng.integers(len(data) + 1, size=2)))
    if rng.random() < 0.5:  # near the graph's beginning, and the metadata at the end
        start, stop = max(0, start % 5000), min(len(data), start % 5000 + stop % 100)
    how = rng.integers(5)
    if how == 0:
        places = [int(place) for place in rng.integers(len(data), size=rng.integers(1, 30))]
        for place in places:
            data[place] ^= 1 << rng.integers(8)
        return bytes(data), f"bits flipped in {places}"
    if how == 1:
        return bytes(data[:stop]), f"cut to {stop}"
    if how == 2:
        return bytes(data[:start] + data[stop:]), f"{start}:{stop} deleted"
    if how == 3:
        return bytes(data[:stop] + data[start:]), f"{start}:{stop} doubled"
    data[start:stop] = rng.bytes(stop - start)
    return bytes(data), f"{start}:{stop} drawn"


def _changeable():
    """The model without its digest, which would tell of every change before anything else does."""
    model = onnx.load_from_string(_MADE["data"])
    del model.metadata_props[1]
    return model


def _metadata(rng):
    """Put other values, or none, into what is said beside the graph."""
    model = _changeable()
    (entry,) = model.metadata_props
    about, said = json.loads(entry.value), []
    for _ in range(rng.integers(1, 3)):
        place = (
            about["read"] if isinstance(about.get("read"), dict) and rng.random() < 0.4 else about
        )
        if not place:
            break
        key = str(rng.choice(list(place)))
        if rng.random() < 0.15:
            del place[key]
            said.append(f"no {key}")
        else:
            place[key] = VALUES[rng.integers(len(VALUES))]
            said.append(f"{key}: {place[key]!r}")
    entry.value = json.dumps(about)
    if rng.random() < 0.2:
        odd = ["", "{", "[]", "null", "3", '"x"', "\ud7ff", "[" * 5000, "{}", '{"format": 1}']
        entry.value = odd[rng.integers(len(odd))]
        said = [f"metadata {entry.value[:20]}"]
    return model.SerializeToString(), ", ".join(said)


def _graph(rng):
    """Change numbers, names, types and shapes of the graph."""
    model = _changeable()
    graph = model.graph
    how = rng.integers(6)
    if how == 0:
        floats = [one for one in graph.initializer if one.data_type == onnx.TensorProto.FLOAT]
        tensor = floats[rng.integers(len(floats))]
        value = float(rng.choice([np.nan, np.inf, -np.inf, 1e38, -1e38, 0]))
        array = onnx.numpy_helper.to_array(tensor).copy()
        array.ravel()[rng.integers(array.size)] = value
        tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
        return model.SerializeToString(), f"{value} in {tensor.name}"
    if how == 1:
        value = [*graph.input, *graph.output][rng.integers(3)]
        value.type.tensor_type.elem_type = kind = int(rng.integers(1, 17))
        return model.SerializeToString(), f"{value.name} of type {kind}"
    if how == 2:
        value = [*graph.input, *graph.output][rng.integers(3)]
        said = f"{value.name} renamed"
        value.name = ["waveform", "other", ""][rng.integers(3)]
        return model.SerializeToString(), f"{said} to {value.name!r}"
    if how == 3:
        node = graph.node[rng.integers(len(graph.node))]
        said, node.op_type = (
            f"{node.name} is",
            str(rng.choice(["Relu", "Identity", "Log", "Nonsense"])),
        )
        return model.SerializeToString(), f"{said} {node.op_type}"
    if how == 4:
        number = int(rng.integers(len(graph.node)))
        said = f"without {graph.node[number].name}"
        del graph.node[number]
        return model.SerializeToString(), said
    tensor = graph.initializer[rng.integers(len(graph.initializer))]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    place = str(rng.choice(["/etc/passwd", "../x", "/dev/zero", "whole.onnx", ""]))
    tensor.external_data.add(key="location", value=place)
    tensor.ClearField("raw_data")
    return model.SerializeToString(), f"{tensor.name} is in {place!r}"
