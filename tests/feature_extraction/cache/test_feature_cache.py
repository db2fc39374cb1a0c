"""FeatureCache: the same as without it, what it computes, and what it refuses."""

import io
import mmap
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from caches import CALLS, STEPS, Square, assert_alike, files, steps_with, waveforms
from joblib import parallel_config
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sknote import AudioLoader, MFCCSummary, Spectrogram
from sknote._input.forms import carried_by
from sknote.exceptions import AudioDecodeError, AudioDecodeWarning
from sknote.feature_extraction import FeatureCache, WaveformAugment


@pytest.fixture(autouse=True)
def calls():
    CALLS.clear()


FORMS = {
    "list": list,
    "object array": lambda items: pd.Series(items).to_numpy(),
    "Series": lambda items: pd.Series(items, index=range(len(items), 0, -1)),
    "DataFrame": lambda items: pd.DataFrame(
        {"take": range(len(items)), "audio": items, "instrument": "oboe"},
        index=range(5, 5 + len(items)),
    ),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_the_same_as_without_it(form, dtype, tmp_path):
    X = FORMS[form](waveforms())
    steps = steps_with(spectrogram__dtype=dtype)
    expected = steps.fit_transform(X)
    cache = FeatureCache(steps, tmp_path, chunk_size=4)
    for out in (cache.fit_transform(X), cache.transform(X), clone(cache).transform(X)):
        assert type(out) is type(expected)
        if form == "DataFrame":
            pd.testing.assert_frame_equal(out.drop(columns="audio"), X.drop(columns="audio"))
            assert_alike(out.audio, expected.audio)
        else:
            assert_alike(out, expected)
    assert len(files(tmp_path)) == 3  # of 4, 4 and 2 notes


@pytest.mark.parametrize("n_samples", [300, 900])
def test_arrays_of_equal_items(n_samples, tmp_path):
    """300 samples are less than a second frame, which makes two dimensions of three."""
    X = np.random.default_rng(0).uniform(-1, 1, (6, n_samples)).astype(np.float32)
    expected = STEPS.fit_transform(X)
    out = FeatureCache(STEPS, tmp_path).fit_transform(X)
    np.testing.assert_array_equal(out, expected)
    assert out.shape == expected.shape


def test_alone_in_any_order_and_batched(tmp_path):
    items = waveforms()
    expected = STEPS.fit_transform(items)
    cache = FeatureCache(STEPS, tmp_path / "alone", chunk_size=1)
    assert_alike(cache.fit_transform(items), expected)
    assert_alike(cache.transform(items[::-1]), expected[::-1])
    together = FeatureCache(STEPS, tmp_path / "together").fit_transform(items)
    assert_alike(together, expected)


def test_what_comes_back_is_mapped_and_read_only(tmp_path):
    out = FeatureCache(STEPS, tmp_path, chunk_size=4).fit_transform(waveforms())
    maps = set()
    for values in out:
        base = values
        while isinstance(base, np.ndarray):
            base = base.base
        assert isinstance(base, mmap.mmap)
        maps.add(id(base))
        with pytest.raises(ValueError, match="read-only"):
            values[0] = 0
        assert values.ctypes.data % values.itemsize == 0
    assert len(maps) == 3


def test_a_subset_and_another_order_compute_nothing(tmp_path):
    items = waveforms()
    cache = FeatureCache(Square(), tmp_path, chunk_size=4)
    cache.fit_transform(items)
    assert CALLS == [4, 4, 2]
    before = files(tmp_path)
    out = cache.transform([items[i] for i in (7, 3, 3, 9)])
    assert_alike(out, [items[i][:, None] ** 2 for i in (7, 3, 3, 9)])
    assert CALLS == [4, 4, 2]
    assert files(tmp_path) == before


def test_only_what_is_new_is_computed(tmp_path):
    items = waveforms()
    cache = FeatureCache(Square(), tmp_path, chunk_size=100)
    cache.fit_transform(items[:6])
    assert_alike(cache.transform(items), [item[:, None] ** 2 for item in items])
    changed = [items[0] + np.float32(0.1), *items[1:]]
    cache.transform(changed)
    assert CALLS == [6, 4, 1]


def test_equal_recordings_are_computed_once(tmp_path):
    item = waveforms(1)[0]
    out = FeatureCache(Square(), tmp_path).fit_transform([item, item.copy(), item])
    assert CALLS == [1]
    assert_alike(out, [item[:, None] ** 2] * 3)


def test_content_counts_and_not_the_name(tmp_path, encode):
    folder = tmp_path / "recordings"
    folder.mkdir()
    data = [encode(item, format="FLAC") for item in waveforms(4)]
    paths = [folder / f"{i}.flac" for i in range(4)]
    for path, content in zip(paths, data):
        path.write_bytes(content)
    cache = FeatureCache(STEPS, tmp_path / "cache")
    expected = STEPS.fit_transform(paths)
    assert_alike(cache.fit_transform(paths), expected)
    before = files(tmp_path)
    moved = [path.rename(folder / f"note{path.name}") for path in paths]
    assert_alike(cache.transform([str(path) for path in moved]), expected)
    assert_alike(cache.transform(data), expected)
    assert files(tmp_path) == before

    moved[0].write_bytes(data[1])
    assert_alike(cache.transform(moved), expected[[1, 1, 2, 3]])
    assert files(tmp_path) == before
    moved[0].write_bytes(encode(waveforms(1, seed=1)[0], format="FLAC"))
    assert_alike(cache.transform(moved), STEPS.transform(moved))
    assert len(files(tmp_path)) == len(before) + 1


def test_a_file_object_is_read_from_its_position(tmp_path, encode):
    content = encode(waveforms(1)[0])
    file = io.BytesIO(b"before" + content)
    file.seek(6)
    for n_jobs in (None, 2):
        cache = FeatureCache(STEPS, tmp_path / str(n_jobs), n_jobs=n_jobs)
        assert_alike(cache.fit_transform([file]), STEPS.transform([content]))
        assert file.tell() == 6


def test_parameters_decide_and_not_how_it_is_computed(tmp_path):
    items = waveforms(3)
    cache = FeatureCache(steps_with(), tmp_path)
    cache.fit_transform(items)
    first = files(tmp_path)
    same = {"audioloader__n_jobs": 2, "audioloader__on_error": "warn", "spectrogram__n_threads": 2}
    same["spectrogram__n_bins"] = np.int64(16)
    cache.set_params(**{f"transformer__{name}": value for name, value in same.items()})
    cache.fit_transform(items)
    assert files(tmp_path) == first
    cache.set_params(transformer__spectrogram__n_bins=8)
    out = cache.fit_transform(items)
    assert_alike(out, steps_with(spectrogram__n_bins=8).fit_transform(items))
    assert len(files(tmp_path)) == 2
    assert len(list(tmp_path.iterdir())) == 2
    abouts = sorted(path.read_text() for path in tmp_path.glob("*/about.txt"))
    assert ["n_bins=16" in about for about in abouts] in ([True, False], [False, True])


def test_another_version_of_a_package_is_another_cache(tmp_path, monkeypatch):
    from sknote.feature_extraction.cache import _feature_cache

    cache = FeatureCache(Square(), tmp_path)
    cache.fit_transform(waveforms(3))
    real = _feature_cache._version
    monkeypatch.setattr(
        _feature_cache, "_version", lambda name: "0" if name == "soxr" else real(name)
    )
    cache.fit_transform(waveforms(3))
    assert CALLS == [3, 3]


def test_arrays_of_other_types_and_shapes_are_other_recordings(tmp_path):
    values = np.arange(1, 13, dtype=np.int16)
    stereo, other = values.reshape(2, 6), values.reshape(6, 2)
    items = [values, values.astype(np.int32) << 20, values.astype(np.float32), stereo, other]
    loader = AudioLoader()
    cache = FeatureCache(loader, tmp_path)
    assert_alike(cache.fit_transform(items), loader.fit_transform(items))
    assert_alike(cache.transform(items), loader.fit_transform(items))


def test_settings_that_are_doubtful_are_warned_of_once(tmp_path):
    cache = FeatureCache(steps_with(spectrogram__f_max=40000.0), tmp_path, chunk_size=2)
    with pytest.warns(UserWarning, match="of 16 bands hold no bin") as caught:
        cache.fit_transform(waveforms(5))
    assert len(caught) == 1


def test_an_item_that_is_no_recording(tmp_path):
    with pytest.raises(ValueError, match=r"expected a 1-D waveform, got NoneType in row 2"):
        FeatureCache(Spectrogram(), tmp_path).fit_transform([*waveforms(2), None])


@pytest.mark.timeout(60)
@pytest.mark.parametrize("n_jobs", [None, 2])
@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_a_cache_in_a_cache(n_jobs, backend, tmp_path):
    items = [*waveforms(5), b"no sound", waveforms(1, seed=1)[0], "missing.wav"]
    steps = steps_with(audioloader__on_error="warn")
    with warnings.catch_warnings(record=True) as expected:
        warnings.simplefilter("always")
        features = steps.fit_transform(items)
    loader = AudioLoader(on_error="warn", n_jobs=2)
    inner = FeatureCache(loader, tmp_path / "waveforms", chunk_size=2, n_jobs=2)
    both = make_pipeline(inner, steps[1])
    cache = FeatureCache(both, tmp_path / "spectrograms", chunk_size=3, n_jobs=n_jobs)
    for _ in range(2):
        with parallel_config(backend), pytest.warns(AudioDecodeWarning) as caught:
            assert_alike(cache.fit_transform(items), features)
        assert [str(one.message) for one in caught] == [str(one.message) for one in expected]
    sounds = [*items[:5], items[6]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_alike(inner.transform(sounds), loader.fit_transform(sounds))
    loader.set_params(on_error="raise")
    with parallel_config(backend), pytest.raises(AudioDecodeError, match=r"bytes \(row 5\)"):
        cache.fit_transform(items)


def test_an_inner_cache_is_in_no_name(tmp_path):
    """Where waveforms are kept, and whether they are, does not decide what is made of them."""
    items = waveforms(3)
    outer = tmp_path / "outer"
    for loader in (
        AudioLoader(),
        FeatureCache(AudioLoader(), tmp_path / "one"),
        FeatureCache(AudioLoader(), tmp_path / "two", chunk_size=1),
    ):
        steps = Pipeline([("load", loader), ("square", Square())])
        FeatureCache(steps, outer).fit_transform(items)
    assert CALLS == [3]
    assert len(files(outer)) == 1
    assert not (tmp_path / "two").exists()


@pytest.mark.parametrize(
    ("transformer", "message"),
    [
        (Spectrogram(normalize="band"), "got Spectrogram, which learns from the data in fit"),
        (MFCCSummary(), "got MFCCSummary, which learns"),
        (make_pipeline(AudioLoader(), WaveformAugment()), "got WaveformAugment, which"),
        (make_pipeline(make_pipeline(AudioLoader(), MFCCSummary())), "got MFCCSummary, which"),
    ],
)
def test_what_learns_is_refused(transformer, message, tmp_path):
    for method in ("fit", "transform"):
        with pytest.raises(ValueError, match=message):
            getattr(FeatureCache(transformer, tmp_path), method)(waveforms(2))
    assert list(tmp_path.iterdir()) == []


def lengths(X):
    return np.array([[len(x), 1, 2] for x in X])


@pytest.mark.parametrize("n_samples", [40, 4000])
@pytest.mark.parametrize("steps", [STEPS, AudioLoader(), AudioLoader(input_sample_rate=44100)])
def test_arrays_become_the_tables_that_they_become_without_it(steps, n_samples, tmp_path):
    X = np.random.default_rng(0).uniform(-0.5, 0.5, (3, n_samples))
    expected = clone(steps).set_output(transform="pandas").fit_transform(X)
    out = FeatureCache(steps, tmp_path).set_output(transform="pandas").fit_transform(X)
    assert out.columns.tolist() == expected.columns.tolist()
    for column in out:
        np.testing.assert_array_equal(np.stack(out[column]), np.stack(expected[column]))


def test_a_table_is_refused(tmp_path):
    table = FunctionTransformer(lengths)
    message = r"into an object array .*, got an array of shape \(1, 3\) for 1\. Put what"
    with pytest.raises(TypeError, match=message):
        FeatureCache(table, tmp_path).fit_transform(waveforms(2))
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"transformer": 3}, "'transformer' parameter of FeatureCache must be an object"),
        ({"cache_dir": None}, "'cache_dir' parameter of FeatureCache must be"),
        ({"chunk_size": 0}, "'chunk_size' parameter of FeatureCache must be an int"),
        ({"n_jobs": 1.5}, "'n_jobs' parameter of FeatureCache must be"),
        ({"n_jobs": 10**6}, r"'n_jobs' parameter of FeatureCache must be .* Got 1000000"),
        ({"transformer": FunctionTransformer(lambda X: X)}, "expected parameters that can be pick"),
        ({"transformer": Spectrogram(scale="bark")}, "'scale' parameter of Spectrogram must be"),
    ],
)
def test_bad_parameters(params, message, tmp_path):
    cache = FeatureCache(Square(), tmp_path).set_params(**params)
    with pytest.raises(ValueError, match=message):
        cache.fit_transform(waveforms(2))


def test_a_pickle_knows_its_folder(tmp_path):
    items = waveforms(3)
    cache = FeatureCache(Square(), tmp_path).fit(items)
    expected = cache.transform(items)
    assert_alike(pickle.loads(pickle.dumps(cache)).transform(items), expected)
    # features themselves can be pickled too, by value
    assert_alike(pickle.loads(pickle.dumps(expected)), expected)
    assert CALLS == [3]


def test_folds_share_it(tmp_path):
    items, y = waveforms(12), ["a", "b"] * 6
    steps = [("features", FeatureCache(Square(), tmp_path)), ("classify", DummyClassifier())]
    cross_val_score(Pipeline(steps), items, y, cv=3, error_score="raise")
    assert CALLS == [8, 4]  # the first fold's training part, then what it left out


def test_a_search_computes_it_once_for_each_setting(tmp_path):
    from sknote.model_selection import OptunaSearch

    items, y = waveforms(12), ["a", "b"] * 6
    pipeline = make_pipeline(FeatureCache(Square(), tmp_path), DummyClassifier())
    space = {
        "featurecache__transformer__gain": [1.0, 2.0],
        "dummyclassifier__strategy": ["most_frequent", "prior", "uniform"],
    }
    search = OptunaSearch(pipeline, space, n_trials=6, cv=2, random_state=0)
    search.fit(items, y).predict(items)
    gains = {params["featurecache__transformer__gain"] for params in search.cv_results_["params"]}
    assert sum(CALLS) == 12 * len(gains)


@pytest.mark.slow
def test_on_a_cluster(tmp_path, encode):
    distributed = pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")
    paths = []
    for i, item in enumerate(waveforms(8)):
        paths.append(tmp_path / f"{i}.wav")
        paths[-1].write_bytes(encode(item))
    cache = FeatureCache(STEPS, tmp_path / "cache", chunk_size=2, n_jobs=2)
    options = {"n_workers": 1, "threads_per_worker": 1, "dashboard_address": None}
    with (
        distributed.LocalCluster(processes=True, host="127.0.0.1", **options) as cluster,
        distributed.Client(cluster),
        parallel_config("dask"),
    ):
        out = cache.fit_transform(paths)
    assert_alike(out, STEPS.fit_transform(paths))
    assert len(files(tmp_path)) == 4


def test_progress_is_shown_when_asked_for(tmp_path, capsys):
    FeatureCache(Square(), tmp_path / "a").fit_transform(waveforms(2))
    assert capsys.readouterr().err == ""
    FeatureCache(Square(), tmp_path / "b", verbose=1).fit_transform(waveforms(2))
    assert "features: 100%" in capsys.readouterr().err


def test_processes_that_were_started_in_another_folder(tmp_path, tone, encode, monkeypatch):
    """Relative paths are meant from where one is, and processes live on between two calls."""
    for name in ("before", "now"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "before")
    FeatureCache(Spectrogram(), "started", n_jobs=2, chunk_size=2).fit_transform(waveforms(4))
    monkeypatch.chdir(tmp_path / "now")
    paths = [f"{i}.wav" for i in range(4)]
    for i, path in enumerate(paths):
        (tmp_path / "now" / path).write_bytes(
            encode(tone(0.3, 200.0 + i, 0.3, 22050), 22050, "WAV")
        )
    inner = FeatureCache(AudioLoader(), "waveforms")
    steps = make_pipeline(inner, Spectrogram())
    found = FeatureCache(steps, "features", n_jobs=2, chunk_size=2).fit_transform(paths)
    assert_alike(found, make_pipeline(AudioLoader(), Spectrogram()).fit_transform(paths))
    with pytest.raises(AudioDecodeError, match=r"'missing.wav' \(row 1\)"):
        FeatureCache(steps, "others", n_jobs=2, chunk_size=1).fit_transform(
            ["0.wav", "missing.wav"]
        )
    assert not (tmp_path / "before" / "waveforms").exists()
    assert (tmp_path / "now" / "waveforms").exists()


def test_features_carry_what_those_of_the_transformer_do(tmp_path):
    """Else a classifier could not tell what its spectrograms are."""
    steps = make_pipeline(AudioLoader(), Spectrogram(hop_length=100))
    waveforms = [np.zeros(3000, np.float32), np.ones(2000, np.float32)]
    for X in (waveforms, pd.DataFrame({"audio": waveforms})):
        for _ in range(2):
            out = FeatureCache(steps, tmp_path).fit_transform(X)
            assert carried_by(out, "spectral_axes")["hop_length"] == 100
