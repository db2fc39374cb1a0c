"""DataFrames of pandas and polars: the same notes in either, and the one made of the other."""

import io
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest

from sknote import AudioLoader
from sknote._input.forms import repack, unpack_recordings
from sknote._input.frames import column_items, make_frame

WAVEFORMS = [np.arange(n, dtype=np.float32) for n in (4, 0, 7)]
SPECTROGRAMS = [np.full((n, 3), n, dtype=np.float32) for n in (4, 1, 7)]
NAMES = ["audio", "instrument", "take"]


def same(left, right):
    return len(left) == len(right) and all(
        a.dtype == b.dtype and np.array_equal(a, b) for a, b in zip(left, right)
    )


def frame(items=WAVEFORMS):
    return pd.DataFrame({"audio": items, "instrument": ["oboe", None, "bass"], "take": [1, 2, 3]})


@pytest.mark.parametrize("items", [WAVEFORMS, SPECTROGRAMS, [x.astype("f2") for x in SPECTROGRAMS]])
def test_there_and_back(items):
    there = make_frame(frame(), items, NAMES, "polars")
    assert isinstance(there, pl.DataFrame)
    assert there.columns == NAMES
    assert same(column_items(there["audio"]), items)
    assert there["instrument"].to_list() == ["oboe", None, "bass"]
    for part in (there, pickle.loads(pickle.dumps(there)), there[[0, 1, 2]]):
        back = make_frame(part, column_items(part["audio"]), NAMES, "pandas", {"unit": "dB"})
        assert same(back["audio"], items)
        assert back["take"].tolist() == [1, 2, 3]
        assert back["instrument"].isna().tolist() == [False, True, False]
        assert back.attrs == {"unit": "dB"}


def test_it_can_be_written_to_a_file():
    file = io.BytesIO()
    make_frame(frame(), SPECTROGRAMS, NAMES, "polars").write_parquet(file)
    file.seek(0)
    assert same(column_items(pl.read_parquet(file)["audio"]), SPECTROGRAMS)


def test_items_of_several_types_are_kept_as_they_are():
    items = [np.zeros(2, np.float32), np.zeros(3), np.zeros((2, 2))]
    assert same(column_items(make_frame(items, items, ["audio"], "polars")["audio"]), items)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_columns_are_those_that_are_asked_for(library):
    for X in (frame(), frame()[["audio"]], pl.DataFrame({"audio": WAVEFORMS}), list(WAVEFORMS)):
        out = make_frame(X, WAVEFORMS, ["instrument", "audio"], library)
        assert list(out.columns) == ["instrument", "audio"]
        assert same(column_items(out["audio"]), WAVEFORMS)


def test_columns_of_any_type():
    X = frame().assign(
        when=pd.Timestamp("2020-01-01"),
        kind=pd.Categorical(["a", None, "b"]),
        count=pd.array([1, None, 3], dtype="Int64"),
        text=pd.array(["x", None, "y"], dtype="string"),
        good=[True, False, True],
        mixed=[1, "a", {"b": 2}],
    )
    out = make_frame(X, WAVEFORMS, list(X.columns), "polars")
    assert out["kind"].to_list() == ["a", None, "b"]
    assert out["count"].to_list() == [1, None, 3]
    assert out["text"].to_list() == ["x", None, "y"]
    assert out["mixed"].to_list() == [1, "a", {"b": 2}]
    assert out["when"].dtype == pl.Datetime("us")


def test_an_index_of_pandas_is_kept():
    X = frame().set_index(pd.Index([9, 8, 7]))
    assert make_frame(X, WAVEFORMS, NAMES, "pandas").index.tolist() == [9, 8, 7]


def test_recordings_of_polars():
    for column in (WAVEFORMS, ["a.wav", "b.wav", "c.wav"], [b"RIFF", b"", b"x"]):
        X = pl.DataFrame({"audio": column, "instrument": ["oboe", None, "bass"]})
        items, instrument = unpack_recordings(X, "Probe")
        assert [type(item) for item in items] == [type(item) for item in column]
        assert instrument.tolist() == ["oboe", None, "bass"]
        assert unpack_recordings(X["audio"], "Probe")[1] is None
    stereo = pl.DataFrame({"audio": [pl.Series(np.zeros((5, 2), np.float32))]})
    assert unpack_recordings(stereo, "Probe")[0][0].shape == (5, 2)
    X = pl.DataFrame({"audio": WAVEFORMS, "instrument": ["oboe", None, "bass"]})
    names = X.with_columns(pl.col("instrument").cast(pl.Categorical))
    assert unpack_recordings(names, "Probe")[1].tolist() == ["oboe", None, "bass"]


@pytest.mark.filterwarnings("ignore:.*it is empty")
def test_repack_keeps_a_frame_of_polars():
    X = pl.DataFrame({"audio": WAVEFORMS, "take": [1, 2, 3]})
    out = repack(X, SPECTROGRAMS, {"unit": "dB"})
    assert isinstance(out, pl.DataFrame)
    assert same(column_items(out["audio"]), SPECTROGRAMS)
    assert out["take"].to_list() == [1, 2, 3]
    assert AudioLoader().fit_transform(X).columns == ["audio", "take"]


def test_an_empty_frame_and_one_without_columns():
    with pytest.raises(ValueError, match="got a DataFrame with 0 rows"):
        AudioLoader().fit(pl.DataFrame({"audio": WAVEFORMS})[:0])
    with pytest.raises(ValueError, match="got a DataFrame without columns"):
        AudioLoader().fit(pl.DataFrame())
    with pytest.raises(ValueError, match="at least 1 note, got an empty Series"):
        AudioLoader().fit(pl.Series([], dtype=pl.String))
