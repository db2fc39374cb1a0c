"""What has no form of X is refused in one line, which says what to pass and never shows samples."""

import array
import io
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

from sknote import AudioLoader, MFCCSummary, Spectrogram, make_baseline_pipeline
from sknote._input.forms import form_of, sequence_items, unpack_recordings
from sknote.feature_extraction import WaveformAugment

WAVEFORM = np.linspace(-0.123456, 0.123456, 2000, dtype=np.float32)

SINGLE = {
    "array": WAVEFORM,
    "integers": (1000 * WAVEFORM).astype(np.int16),
    "objects": WAVEFORM.astype(object),
    "list": WAVEFORM.tolist(),
    "tuple": tuple(WAVEFORM.tolist()),
    "list of scalars": list(WAVEFORM),
    "tensor": torch.from_numpy(WAVEFORM),
    "tensor that learns": torch.zeros(2000, requires_grad=True),
    "column": pd.Series(WAVEFORM),
    "nullable column": pd.Series(WAVEFORM, dtype="Float32"),
    "column of polars": pl.Series(WAVEFORM),
    "one number": np.float64(0.123456),
    "no dimension": np.array(0.123456),
    "path": "a.wav",
    "Path": Path("a.wav"),
    "name in an array": np.array("a.wav"),
    "bytes": b"RIFF0.123456",
    "file": io.BytesIO(b"0.123456"),
    "memory": memoryview(b"0.123456"),
}


@pytest.mark.parametrize("name", SINGLE)
@pytest.mark.parametrize("step", [AudioLoader, Spectrogram, MFCCSummary, WaveformAugment])
def test_a_single_recording_belongs_into_a_list(step, name):
    X = SINGLE[name]
    with pytest.raises(ValueError, match=rf"^{step.__name__}: .* got a single") as caught:
        step().fit(X)
    message = str(caught.value)
    if name != "one number":  # which is no recording
        assert "Pass [X] instead of X." in message
    assert "0.12" not in message
    assert len(message) < 250


def test_one_that_comes_after_a_fit():
    waveforms = [WAVEFORM, 0.5 * WAVEFORM] * 4
    fitted = make_baseline_pipeline(classify__max_iter=1).fit(waveforms, ["a", "b"] * 4)
    for X in (WAVEFORM, WAVEFORM.tolist(), "a.wav"):
        with pytest.raises(ValueError, match=r"Pass \[X\] instead of X") as caught:
            fitted.predict(X)
        assert "0.12" not in str(caught.value)
    assert fitted.predict([WAVEFORM]).shape == (1,)


FRAME = pd.DataFrame({"audio": ["a.wav", "b.wav"], "instrument": ["flute", "oboe"]})
WAVEFORMS = FRAME.assign(audio=[WAVEFORM, WAVEFORM])

TABLES = {
    "to_numpy": (FRAME.to_numpy(), "got rows of 2 values without names"),
    "to_numpy of waveforms": (WAVEFORMS.to_numpy(), "got rows of 2 values without names"),
    "the instrument first": (FRAME.to_numpy()[:, ::-1], "rows of 2 values"),
    "three columns": (FRAME.assign(n=1).to_numpy(), "rows of 3 values"),
    "strings": (FRAME.to_numpy().astype(str), "rows of 2 values"),
    "numbers and strings": (np.array([[1.0, "flute"]], dtype=object), "rows of 2 values"),
    "lists": (FRAME.to_numpy().tolist(), "rows of 2 values"),
    "pairs": (list(zip(FRAME.audio, FRAME.instrument)), "rows of 2 values"),
    "pairs of waveforms": ([(WAVEFORM, "flute")], "rows of 2 values"),
    "paths": ([[Path("a.wav"), "flute"]], "rows of 2 values"),
    "bytes": ([[b"RIFF", 1]], "rows of 2 values"),
    "fields": (FRAME.to_records(), r"the fields \['index', 'audio', .* pandas.DataFrame\(X\)"),
    "number fields": (np.zeros(2, [("a", "f4"), ("b", "f4")]), r"the fields \['a', 'b'\]"),
    "dict of lists": (FRAME.to_dict("list"), r"got dict\. Pass pandas\.DataFrame\(X\)"),
    "list of dicts": (FRAME.to_dict("records"), r"list of dicts\. Pass pandas\.DataFrame\(list"),
    "column of dicts": (pd.Series(FRAME.to_dict("records")).to_numpy(), "ndarray of dicts"),
    "lazy": (pl.LazyFrame({"audio": ["a.wav"]}), r"got LazyFrame\. Pass X\.collect\(\)"),
    "buffer": (array.array("f", [0.5]), r"got array\. Pass list\(X\)"),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_without_its_names(name):
    X, message = TABLES[name]
    expected = r"^AudioLoader: expected a DataFrame with a column 'audio', a sequence or an array"
    for refuse in (AudioLoader().fit, lambda X: unpack_recordings(X, "AudioLoader")):
        with pytest.raises(ValueError, match=expected + f".*{message}") as caught:
            refuse(X)
        assert "0.12" not in str(caught.value)


@pytest.mark.parametrize(
    ("columns", "renamed"),
    [
        (["label", "path"], "path"),
        (["label", "Audio"], "Audio"),
        (["label", "recordings"], "recordings"),
        (["x", "y"], "y"),  # as its contents say
        (["filename", "y"], "y"),
    ],
)
def test_the_column_that_holds_recordings_is_proposed(columns, renamed):
    X = pd.DataFrame([["good.sound", "a/b.wav"]], columns=columns).replace("good.sound", "good")
    with pytest.raises(ValueError, match=rf"columns={{'{renamed}': 'audio'}}"):
        form_of(X, "Probe")
    with pytest.raises(ValueError, match=rf"rename\({{'{renamed}': 'audio'}}\)"):
        form_of(pl.DataFrame(X.to_dict("list")), "Probe")


def test_labels_are_not_proposed_as_recordings():
    X = pd.DataFrame({"label": ["bad-attack", "good-sound"], "instrument": "oboe", "midi": 60})
    with pytest.raises(ValueError, match=r"None of them seems to hold recordings.* `data`"):
        form_of(X, "Probe")


def test_what_is_still_a_sequence_or_an_array():
    pairs = [(WAVEFORM, 44100), (WAVEFORM, 44100)]  # as readers of files return them
    for X in ([WAVEFORM], pairs, np.array([["a.wav"], ["b.wav"]]), pl.Series(["a.wav"])):
        assert form_of(X, "Probe") == "sequence"
    assert sequence_items(np.array([["a.wav"], ["b.wav"]])) == ["a.wav", "b.wav"]
    for X in ([[1, 2], [3, 4]], np.zeros((2, 3)), pl.DataFrame({"x0": [1.0], "x1": [2]})):
        assert form_of(X, "Probe") == "array"
