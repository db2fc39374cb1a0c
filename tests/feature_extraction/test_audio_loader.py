"""AudioLoader: every form of X, errors by row, and what scikit-learn documents of a transformer."""

import io
import pickle
import re

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from sknote import AudioLoader
from sknote.audio import decode
from sknote.exceptions import AudioDecodeError, AudioDecodeWarning

RATE = 22050


@pytest.fixture
def folder(tmp_path, tone, encode):
    """Four recordings of a tone, in four formats, channel counts and rates."""
    kinds = [("WAV", 1, 22050), ("FLAC", 2, 48000), ("OGG", 1, 44100), ("AIFF", 3, 8000)]
    for i, (format, n_channels, rate) in enumerate(kinds):
        samples = np.tile(tone(0.2 + 0.1 * i, 440, 0.5, rate)[:, None], n_channels)
        (tmp_path / f"note{i}.{format.lower()}").write_bytes(encode(samples, rate, format))
    return tmp_path


def paths(folder):
    return sorted(folder.glob("note*"))


def test_files_become_waveforms(folder):
    waveforms = AudioLoader().fit_transform(paths(folder))
    assert waveforms.shape == (4,)
    for i, (waveform, path) in enumerate(zip(waveforms, paths(folder))):
        assert waveform.dtype == np.float32
        assert abs(len(waveform) - (0.2 + 0.1 * i) * RATE) <= 1
        np.testing.assert_array_equal(waveform, decode(path, sample_rate=RATE))


def test_sources_of_several_kinds_in_one_list(folder):
    path = paths(folder)[0]
    with path.open("rb") as file:
        sources = [path, str(path), path.read_bytes(), file, decode(path, sample_rate=RATE)]
        waveforms = AudioLoader().fit_transform(sources)
    for waveform in waveforms:
        np.testing.assert_array_equal(waveform, waveforms[0])


def test_a_frame_keeps_its_other_columns_and_its_index(folder):
    X = pd.DataFrame(
        {"audio": paths(folder), "instrument": ["oboe", None, "bass", "oboe"], "n": range(4)},
        index=[4, 3, 2, 1],
    )
    out = AudioLoader().fit_transform(X)
    pd.testing.assert_frame_equal(out.drop(columns="audio"), X.drop(columns="audio"))
    for waveform, path in zip(out["audio"], paths(folder)):
        np.testing.assert_array_equal(waveform, decode(path, sample_rate=RATE))
    assert X["audio"].tolist() == paths(folder)


@pytest.mark.parametrize("dtype", ["str", "string", object, "category"])
def test_a_column_of_paths_may_have_any_string_type(folder, dtype):
    X = pd.DataFrame({"audio": pd.Series([str(path) for path in paths(folder)], dtype=dtype)})
    out = AudioLoader().fit_transform(X)
    assert [len(waveform) > 0 for waveform in out["audio"]] == [True] * 4


def test_rows_of_an_array_are_waveforms():
    X = np.random.default_rng(0).uniform(-1, 1, (3, 50))
    out = AudioLoader().fit_transform(X)
    assert out.dtype == np.float32
    np.testing.assert_array_equal(out, X.astype(np.float32))


def test_arrays_of_another_rate_are_resampled(tone):
    out = AudioLoader(RATE, input_sample_rate=44100).fit_transform([tone(0.5, 440, 0.5, 44100)])
    np.testing.assert_allclose(out[0][500:-500], tone(0.5)[500:-500], atol=1e-4)


def test_integer_arrays_are_scaled():
    stereo = np.array([[16384, 0], [-32768, -32768], [0, 0]], dtype=np.int16)
    out = AudioLoader().fit_transform([stereo])
    np.testing.assert_array_equal(out[0], [0.25, -1.0, 0.0])


def test_offset_and_duration(folder, tone):
    loader = AudioLoader(max_duration=0.05, offset=0.1)
    for waveform in loader.fit_transform(paths(folder)):
        assert abs(len(waveform) - 0.05 * RATE) <= 1
    whole = tone()
    np.testing.assert_array_equal(loader.transform([whole])[0], whole[2205 : 2205 + 1102])


def test_an_error_names_row_path_reason_and_remedy(folder):
    missing = folder / "missing.wav"
    match = (
        rf"AudioLoader: {re.escape(repr(str(missing)))} \(row 4\) could not be decoded: there is "
        r"no such file\. Pass on_error='warn'"
    )
    with pytest.raises(AudioDecodeError, match=match):
        AudioLoader().fit_transform([*paths(folder), missing])


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_with_warn_the_bad_rows_are_named_and_empty(folder, n_jobs):
    (folder / "text.mp3").write_bytes(b"I am a text file.")
    (folder / "empty.wav").write_bytes(b"")
    sources = [
        folder / "text.mp3",
        paths(folder)[0],
        folder / "empty.wav",
        folder,
        np.array([0.0, np.nan]),
        b"",
    ]
    loader = AudioLoader(on_error="warn", n_jobs=n_jobs)
    with pytest.warns(AudioDecodeWarning) as record:
        waveforms = loader.fit_transform(sources)
    assert [len(waveform) for waveform in waveforms] == [0, 4410, 0, 0, 0, 0]
    assert {waveform.dtype for waveform in waveforms} == {np.dtype(np.float32)}
    messages = [str(warning.message) for warning in record]
    expected = [
        r"'.*text\.mp3' \(row 0\) could not be decoded: it is no readable sound file",
        r"'.*empty\.wav' \(row 2\) could not be decoded: it is empty",
        r"\(row 3\) could not be decoded: it is a directory",
        r"ndarray \(row 4\) could not be decoded: it contains NaN or infinity",
        r"bytes \(row 5\) could not be decoded: it is empty",
    ]
    assert len(messages) == len(expected)
    for message, pattern in zip(messages, expected):
        assert re.search(pattern + r".*\. An empty waveform takes its place\.$", message)


@pytest.mark.parametrize(
    ("index", "label"),
    [
        ([7, 3, 12], ", index 3"),
        (["a17", "b17", "c17"], ", index 'b17'"),
        ([0, 1, 2], ""),
        (pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)]), r", index \('a', 2\)"),
        (pd.RangeIndex(2, 8, 2), ", index 4"),
    ],
)
@pytest.mark.parametrize("form", [pd.Series, pd.DataFrame])
def test_a_row_is_named_as_the_caller_names_it(folder, index, label, form):
    sources = [paths(folder)[0], folder / "missing.wav", paths(folder)[1]]
    X = pd.Series(sources, index=index, name="audio", dtype=object)
    X = X.to_frame() if form is pd.DataFrame else X
    with pytest.raises(AudioDecodeError, match=rf"missing\.wav' \(row 1{label}\) could not"):
        AudioLoader().fit_transform(X)
    with pytest.warns(AudioDecodeWarning, match=rf"missing\.wav' \(row 1{label}\) could not"):
        AudioLoader(on_error="warn").fit_transform(X)


class _Hostile:
    """A path that is none, and a file that breaks in a way of its own."""

    def __init__(self, kind):
        self.kind = kind

    def __getattr__(self, name):
        if name == "read":
            raise self.kind("no")
        raise AttributeError(name)

    def __fspath__(self):
        raise self.kind("no")


def test_whatever_is_wrong_with_a_recording_is_said_of_its_row(folder, tone):
    sources = {
        "long name": "a" * 5000 + ".wav",
        "NUL": "a\0b.wav",
        "pair": (tone(), 22050),
        "dict": {"array": tone(), "sampling_rate": 22050},
        "ragged": [[0.1, 0.2], [0.3]],
        "masked": np.ma.masked_less(tone(), 0),
        "complex": tone().astype(complex),
        "object": object(),
        "none": None,
        "loud": tone() * 1e30,
        "runtime": _Hostile(RuntimeError),
        "memory": _Hostile(MemoryError),
        "empty": memoryview(b""),
    }
    good = tone()
    for name, source in sources.items():
        rows = np.empty(3, dtype=object)
        rows[:] = [good, good, good]
        rows[1] = source
        with pytest.warns(AudioDecodeWarning, match=r"\(row 1\) could not be decoded") as record:
            waveforms = AudioLoader(on_error="warn").fit_transform(rows)
        assert [len(waveform) for waveform in waveforms] == [len(good), 0, len(good)], name
        assert len(record) == 1
        assert len(str(record[0].message)) < 600
        with pytest.raises(AudioDecodeError, match=r"\(row 1\) could not be decoded"):
            AudioLoader().fit_transform(rows)


@pytest.mark.filterwarnings("ignore:.*it is empty")
def test_an_empty_waveform_loads_again(folder):
    with pytest.warns(AudioDecodeWarning):
        once = AudioLoader(on_error="warn").fit_transform([folder / "missing"])
    assert AudioLoader().fit_transform(once)[0].shape == (0,)


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_a_missing_path_is_an_error_of_its_row(folder, missing):
    X = pd.DataFrame({"audio": pd.Series([str(paths(folder)[0]), missing], dtype=object)})
    with pytest.raises(AudioDecodeError, match=r"\(row 1\) could not be decoded"):
        AudioLoader().fit_transform(X)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_in_an_array_is_refused_with_its_row(bad):
    X = np.zeros((3, 10))
    X[2, 4] = bad
    with pytest.raises(ValueError, match="AudioLoader: the values in row 2 contain NaN"):
        AudioLoader().fit_transform(X)
    with pytest.raises(AudioDecodeError, match=r"\(row 2\).*NaN or infinity"):
        AudioLoader().fit_transform(list(X))


def test_a_truncated_file_is_named(folder, tone, encode):
    path = folder / "cut.wav"
    path.write_bytes(encode(tone(1.0))[:20000])
    match = r"cut\.wav' \(row 1\): the header promises 1\.000 s of sound, there are only 0\.45"
    with pytest.warns(AudioDecodeWarning, match=match):
        waveforms = AudioLoader().fit_transform([paths(folder)[0], path])
    assert len(waveforms[1]) == pytest.approx(0.4525 * RATE, abs=20)


def test_threads_change_nothing(folder):
    sources = paths(folder) * 5
    alone = AudioLoader(n_jobs=1).fit_transform(sources)
    together = AudioLoader(n_jobs=2).fit_transform(sources)
    for left, right in zip(alone, together):
        np.testing.assert_array_equal(left, right)


def test_no_fit_is_needed(folder):
    assert len(AudioLoader().transform(paths(folder))) == 4


def test_names_of_the_output(folder):
    loader = AudioLoader()
    with pytest.raises(NotFittedError):
        loader.get_feature_names_out()
    assert loader.fit(paths(folder)).get_feature_names_out().tolist() == ["audio"]
    X = pd.DataFrame({"audio": paths(folder), "instrument": "oboe"})
    assert loader.fit(X).get_feature_names_out().tolist() == ["audio", "instrument"]
    assert loader.fit(np.zeros((2, 3))).get_feature_names_out().tolist() == ["x0", "x1", "x2"]
    assert loader.get_feature_names_out(["a", "b", "c"]).tolist() == ["a", "b", "c"]
    table = pd.DataFrame({"a": [0.0, 1.0], "b": [1.0, 0.0]})
    assert loader.fit(table).get_feature_names_out().tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("params", "n_samples"),
    [({}, 100), ({"input_sample_rate": 44100}, 50), ({"max_duration": 10 / RATE}, 10)],
)
def test_output_as_a_table_of_samples(params, n_samples):
    X = np.random.default_rng(0).uniform(-1, 1, (3, 100))
    loader = AudioLoader(**params)
    array = loader.fit_transform(X)
    out = loader.set_output(transform="pandas").fit_transform(X)
    assert array.shape == (3, n_samples)
    assert out.columns.tolist() == [f"x{i}" for i in range(n_samples)]
    np.testing.assert_array_equal(out.to_numpy(), array)


def test_output_as_a_frame_of_waveforms(folder):
    loader = AudioLoader().set_output(transform="pandas")
    out = loader.fit_transform(paths(folder))
    assert out.columns.tolist() == ["audio"]
    np.testing.assert_array_equal(out["audio"][1], decode(paths(folder)[1], sample_rate=RATE))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"sample_rate": 0}, "'sample_rate' parameter of AudioLoader"),
        ({"sample_rate": 22050.5}, "'sample_rate'"),
        ({"offset": -1}, "'offset'"),
        ({"max_duration": 0}, "'max_duration'"),
        ({"input_sample_rate": -1}, "'input_sample_rate'"),
        ({"on_error": "ignore"}, "'on_error' .* Got 'ignore'"),
        ({"n_jobs": "two"}, "'n_jobs'"),
    ],
)
def test_parameters_are_checked(params, message):
    with pytest.raises(ValueError, match=message):
        AudioLoader(**params).fit([np.zeros(3)])


def test_clone_and_pickle(folder):
    loader = AudioLoader(8000, max_duration=0.1, n_jobs=2).fit(paths(folder))
    assert clone(loader).get_params() == loader.get_params()
    again = pickle.loads(pickle.dumps(loader)).transform(paths(folder))
    for left, right in zip(again, loader.transform(paths(folder))):
        np.testing.assert_array_equal(left, right)


def test_a_file_object_may_be_read_twice(folder):
    file = io.BytesIO(paths(folder)[0].read_bytes())
    first, second = AudioLoader().transform([file]), AudioLoader().transform([file])
    np.testing.assert_array_equal(first[0], second[0])


@pytest.mark.data
def test_odd_files_of_real_life(real_data):
    odd = real_data("odd_audio")
    names = ["empty.wav", "flac_inside.wav", "text.mp3", "trumpet_16bit_48k.wav", "truncated.wav"]
    with pytest.warns(AudioDecodeWarning) as record:
        waveforms = AudioLoader(on_error="warn").fit_transform([odd / name for name in names])
    assert [len(waveform) > 0 for waveform in waveforms] == [False, True, False, True, True]
    text = "\n".join(str(warning.message) for warning in record)
    for row in (0, 2, 4):
        assert f"{names[row]}' (row {row})" in text
    assert len(record) == 3


@pytest.mark.parametrize("row", [0, 2])
@pytest.mark.parametrize("bad", [np.nan, 3, None, (np.ones(9), 44100), object()])
def test_a_row_that_is_no_recording_spoils_no_other(bad, row):
    X = [np.ones(500, np.float32) for _ in range(4)]
    X[row] = bad
    with pytest.warns(AudioDecodeWarning, match=rf"\(row {row}\) could not be decoded: expected"):
        waveforms = AudioLoader(on_error="warn").fit_transform(X)
    assert [len(waveform) for waveform in waveforms] == [0 if i == row else 500 for i in range(4)]


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e9])
def test_bad_rows_of_an_array_are_like_bad_recordings(bad):
    X = np.full((3, 500), 0.1)
    X[1, 7] = bad
    loader = AudioLoader(on_error="warn")
    for given in (X, pd.DataFrame(X, index=list("abc"))):
        for transform in (loader.transform, AudioLoader(on_error="warn").fit_transform):
            with pytest.warns(AudioDecodeWarning, match=r"\(row 1.*An empty waveform takes its"):
                waveforms = transform(given)
            assert [len(one) for one in waveforms] == [500, 0, 500]
        with pytest.raises(ValueError, match="row 1"):
            AudioLoader().transform(given)


@pytest.mark.parametrize(
    "params", [{"sample_rate": "x"}, {"offset": -3}, {"max_duration": 0}, {"on_error": "ignore"}]
)
def test_parameters_are_checked_where_there_was_no_fit(params):
    (name,) = params
    with pytest.raises(ValueError, match=f"'{name}' parameter of AudioLoader"):
        AudioLoader(**params).transform([np.zeros(9)])


def test_a_fit_that_fails_leaves_no_number_of_columns():
    loader = AudioLoader()
    with pytest.raises(TypeError):
        loader.fit(pd.DataFrame({"audio": [np.zeros(9)], 1: ["flute"]}))
    assert not hasattr(loader, "n_features_in_")


def test_waveforms_of_which_resampling_leaves_nothing():
    loader = AudioLoader(input_sample_rate=768_000)
    with pytest.warns(AudioDecodeWarning, match=r"\(row 0\): it is shorter than a sample at 22050"):
        (waveform,) = loader.transform([np.ones(9)])
    assert waveform.size == 0


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("https://example.org/a4.wav", "it is a URL: fetch the file first"),
        ("file:///a4.wav", "it is a URL"),
        ("~/a4.wav", r"os\.path\.expanduser"),
        ("a4.wav ", "there is 'a4.wav', without the blanks"),
        ("\ta4.wav\n", "there is 'a4.wav', without the blanks"),
        ("b4.wav ", r"there is no such file\. Pass on_error"),
    ],
)
def test_names_that_are_nearly_those_of_files(name, hint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a4.wav").write_bytes(b"")
    with pytest.raises(AudioDecodeError, match=f"there is no such file.*{hint}|{hint}"):
        AudioLoader().transform([name])


@pytest.mark.parametrize(
    "changed", [{"on_error": "x"}, {"max_duration": 0}, {"offset": -1}, {"offset": float("nan")}]
)
def test_parameters_that_were_set_after_fit_are_checked_too(changed):
    notes = [np.full(100, 0.1, np.float32)]
    loader = AudioLoader().fit(notes).set_params(**changed)
    with pytest.raises(ValueError, match=f"'{next(iter(changed))}' parameter of AudioLoader"):
        loader.transform(notes)
