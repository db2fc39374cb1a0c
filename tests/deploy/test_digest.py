"""An exported file that was damaged is refused, and says of silence what the pipeline says."""

import numpy as np
import pandas as pd
import pytest
from torch import nn

from sknote import make_note_pipeline
from sknote.datasets import make_notes
from sknote.exceptions import AudioDecodeWarning

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

from sknote.deploy import OnnxNoteClassifier, export_onnx  # noqa: E402


class Mean(nn.Module):
    def __init__(self, num_instruments, num_classes, n_bins):
        super().__init__()
        self.instruments = nn.Embedding(num_instruments, num_classes)
        self.layer = nn.Linear(n_bins, num_classes)

    def forward(self, spectrogram, lengths, instrument):
        mean = spectrogram.sum(dim=1) / lengths[:, None]
        return self.layer(mean) + self.instruments(instrument)


@pytest.fixture(scope="module")
def pipeline():
    labels = ["good-sound", "bad-richness", "bad-attack"]
    notes = make_notes(9, labels=labels, duration_range=(0.1, 0.2), random_state=0)
    pipeline = make_note_pipeline(
        spectrogram__n_fft=512, spectrogram__scale="mel", spectrogram__n_bins=16,
        classify__module=Mean, classify__max_epochs=1, classify__random_state=0,
    )  # fmt: skip
    return pipeline.fit(notes.data, notes.target)


@pytest.fixture(scope="module")
def path(pipeline, tmp_path_factory):
    return export_onnx(pipeline, tmp_path_factory.mktemp("onnx") / "notes.onnx")


@pytest.fixture(scope="module")
def contents(path):
    return path.read_bytes()


def noise(n_samples):
    return (0.1 * np.random.default_rng(0).normal(size=n_samples)).astype(np.float32)


def weights(contents):
    """Return where the largest array of the network is, and its size."""
    arrays = [one.raw_data for one in onnx.load_from_string(contents).graph.initializer]
    largest = max(arrays, key=len)
    return contents.index(largest), len(largest)


def test_a_flipped_bit_is_noticed_wherever_it_is(contents, tmp_path):
    target, rng = tmp_path / "notes.onnx", np.random.default_rng(0)
    target.write_bytes(contents)
    OnnxNoteClassifier(target)
    begin, size = weights(contents)
    digest = contents.rindex(b"sknote_sha256") + 20
    places = [*rng.integers(begin, begin + size, 10), *rng.integers(len(contents), size=10)]
    for at in [*places, digest]:
        damaged = bytearray(contents)
        damaged[at] ^= 1 << rng.integers(8)
        target.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"^OnnxNoteClassifier: "):
            OnnxNoteClassifier(target)
    damaged = bytearray(contents)
    damaged[begin + 3] ^= 1
    target.write_bytes(damaged)
    with pytest.raises(ValueError, match=r"not as export_onnx wrote it.*'sknote_sha256'"):
        OnnxNoteClassifier(target)


def test_labels_that_were_exchanged_are_noticed(contents, tmp_path):
    changed = contents.replace(b'"bad-attack", "bad-richness"', b'"bad-richness", "bad-attack"')
    assert changed != contents
    (tmp_path / "notes.onnx").write_bytes(changed)
    with pytest.raises(ValueError, match="not as export_onnx wrote it"):
        OnnxNoteClassifier(tmp_path / "notes.onnx")


@pytest.mark.parametrize("digest", ["", "x", "0" * 63, "0" * 65])
def test_a_digest_of_another_length_is_none(contents, tmp_path, digest):
    model = onnx.load_from_string(contents)
    model.metadata_props[1].value = digest
    onnx.save(model, tmp_path / "notes.onnx")
    with pytest.raises(ValueError, match="not as export_onnx wrote it"):
        OnnxNoteClassifier(tmp_path / "notes.onnx")


def test_a_file_without_a_digest_is_read(path, contents, tmp_path):
    """One of an older version, or one that was changed on purpose."""
    model = onnx.load_from_string(contents)
    del model.metadata_props[1]
    assert [entry.key for entry in model.metadata_props] == ["sknote"]
    onnx.save(model, tmp_path / "notes.onnx")
    older, exported = OnnxNoteClassifier(tmp_path / "notes.onnx"), OnnxNoteClassifier(path)
    X = [noise(4000)]
    np.testing.assert_array_equal(older.predict_proba(X), exported.predict_proba(X))


def test_the_same_pipeline_makes_the_same_file(pipeline, contents, tmp_path):
    assert export_onnx(pipeline, tmp_path / "again.onnx").read_bytes() == contents


def test_the_same_is_said_of_silence(pipeline, path):
    """What is constant, or far below what a spectrogram shows, is no sound either."""
    silent = [noise(0), np.zeros(9000, np.float32), np.full(9000, 1e-30, np.float32)]
    X = pd.DataFrame({"audio": [noise(4000), *silent, 1e-12 * noise(9000)]}, index=list("abcde"))
    said = {}
    for model in (pipeline, OnnxNoteClassifier(path)):
        with pytest.warns(AudioDecodeWarning) as record:
            proba = model.predict_proba(X)
        words = [str(one.message).partition(": ")[2] for one in record]
        (said[model],) = (text for text in words if "it is empty" not in text)
        np.testing.assert_allclose(proba[1:], proba[[1] * 4], atol=1e-7)
        assert np.abs(proba[0] - proba[1]).max() > 1e-4
    first, second = said.values()
    assert first == second
    assert first == (
        "there is no sound in rows 1, 2, 3, 4 (index 'b', 'c', 'd', 'e'). The answer is how "
        "frequent each class was in fit."
    )
