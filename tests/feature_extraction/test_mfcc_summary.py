"""MFCCSummary, against librosa, NumPy and closed forms."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from sknote import MFCCSummary
from sknote.exceptions import AudioDecodeWarning

librosa = pytest.importorskip("librosa")
RATE = 22050


def note(seconds=0.8, hz=220.0, amplitude=0.3):
    time = np.arange(round(seconds * RATE)) / RATE
    noise = 1e-3 * np.random.default_rng(0).standard_normal(len(time))
    tone = sum(np.sin(2 * np.pi * hz * k * time) / k for k in range(1, 9))
    return amplitude * np.exp(-3 * time) * tone + noise


def summarize(waveforms, **params):
    summary = MFCCSummary(**params)
    table = summary.fit_transform(waveforms)
    return pd.DataFrame(table, columns=summary.get_feature_names_out())


def mfcc(waveform, n_mfcc=20, n_fft=2048, hop_length=512, n_mels=96):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="n_fft=.* is too large")
        power = librosa.feature.melspectrogram(
            y=waveform, sr=RATE, n_fft=n_fft, hop_length=hop_length, n_mels=n_mels
        )
    return librosa.feature.mfcc(S=librosa.power_to_db(power, top_db=None), n_mfcc=n_mfcc)


@pytest.mark.parametrize(
    "params", [{}, {"n_mfcc": 13, "n_mels": 40, "n_fft": 1024, "hop_length": 256}]
)
@pytest.mark.parametrize("seconds", [0.05, 0.8])
def test_statistics_agree_with_librosa(params, seconds):
    waveform = note(seconds)
    row = summarize([waveform], **params).iloc[0]
    coefficients = mfcc(waveform, **params)
    statistics = {
        "mean": coefficients.mean(axis=1),
        "std": coefficients.std(axis=1),
        "min": coefficients.min(axis=1),
        "p10": np.quantile(coefficients, 0.1, axis=1),
        "p50": np.median(coefficients, axis=1),
        "p90": np.quantile(coefficients, 0.9, axis=1),
        "max": coefficients.max(axis=1),
    }
    for name, values in statistics.items():
        ours = [row[f"mfcc{i}_{name}"] for i in range(len(values))]
        np.testing.assert_allclose(ours, values, atol=1e-2)


def test_deltas_agree_with_librosa():
    row = summarize([note()]).iloc[0]
    delta = librosa.feature.delta(mfcc(note()), width=9, mode="nearest")
    for i in range(20):
        assert row[f"delta{i}_abs_mean"] == pytest.approx(np.abs(delta[i]).mean(), abs=1e-3)
        assert row[f"delta{i}_std"] == pytest.approx(delta[i].std(), abs=1e-3)


def test_peak_and_duration():
    row = summarize([np.concatenate([note(0.5), [0.9]])]).iloc[0]
    assert row["peak"] == pytest.approx(0.9)
    short, long = summarize([note(0.1), note(1.0)])["duration"]
    assert np.exp(long) - np.exp(short) == pytest.approx(0.9, abs=1e-6)


def test_a_gain_moves_levels_and_the_first_coefficient_alone():
    noise = 0.01 * np.random.default_rng(0).standard_normal(8000)
    soft, loud = summarize([noise, 10 * noise]).to_numpy()
    names = MFCCSummary().fit([noise]).get_feature_names_out()
    moved = {name for name, a, b in zip(names, soft, loud) if abs(a - b) > 1e-3}
    levels = {f"level_{name}" for name in ("p5", "p50", "p95", "first", "last")}
    first = {f"mfcc0_{name}" for name in ("mean", "min", "p10", "p50", "p90", "max")}
    assert moved == levels | first | {"peak"}
    change = dict(zip(names, loud - soft))
    for name in levels:
        assert change[name] == pytest.approx(20.0, abs=1e-3)
    assert change["mfcc0_mean"] == pytest.approx(20.0 * np.sqrt(96), rel=1e-4)


def test_time_of_the_peak_counts_from_where_the_note_sounds():
    waveform = np.zeros(RATE)
    waveform[11000:12000] = note(1.0)[:1000]
    assert summarize([waveform])["level_peak_time"][0] == pytest.approx(0.0, abs=1024 / RATE)
    swelling = note(1.0)[::-1] * (np.arange(RATE) > 9000)
    found = summarize([swelling])["level_peak_time"][0]
    assert found == pytest.approx(1 - 9000 / RATE, abs=2048 / RATE)


@pytest.mark.filterwarnings("ignore:MFCCSummary. there is no sound")
@pytest.mark.parametrize("n_samples", [0, 1, 100, 511, 512, 2048, 5000])
@pytest.mark.parametrize("amplitude", [0.0, 0.5])
def test_every_length_is_finite(n_samples, amplitude):
    waveform = amplitude * np.random.default_rng(0).standard_normal(n_samples)
    table = summarize([waveform])
    assert table.shape == (1, 188)
    assert np.isfinite(table.to_numpy()).all()


@pytest.mark.filterwarnings("ignore:MFCCSummary. there is no sound")
def test_alone_is_as_in_any_batch():
    waveforms = [note(0.5), note(0.05), np.zeros(0), note(1.0), note(0.51)]
    together = MFCCSummary().fit_transform(waveforms)
    for waveform, row in zip(waveforms, together):
        alone = MFCCSummary().fit_transform([waveform])[0]
        np.testing.assert_allclose(alone, row, atol=1e-3)


def test_names_are_unique_and_as_many_as_columns():
    summary = MFCCSummary(n_mfcc=5).fit([note()])
    names = summary.get_feature_names_out()
    assert len(set(names)) == len(names) == summary.transform([note()]).shape[1] == 5 * 9 + 8


def frame():
    return pd.DataFrame(
        {
            "audio": [note(0.2), note(0.1), note(0.15)],
            "instrument": ["oboe", None, "bass"],
            "n": [1, 2, 3],
            "path": ["a.wav", "b.wav", "c.wav"],
        },
        index=[9, 8, 7],
    )


def test_of_a_frame_the_instrument_is_kept():
    summary = MFCCSummary(n_mfcc=5)
    out = summary.fit_transform(frame())
    assert out.columns.tolist() == summary.get_feature_names_out().tolist()
    assert out.index.tolist() == [9, 8, 7]
    assert out.columns[-1] == "instrument"
    assert isinstance(out["instrument"].dtype, pd.CategoricalDtype)
    assert out["instrument"].cat.categories.tolist() == ["bass", "oboe"]
    assert out["instrument"].isna().tolist() == [False, True, False]
    numbers = out.drop(columns="instrument").to_numpy()
    np.testing.assert_array_equal(numbers, MFCCSummary(n_mfcc=5).fit_transform(frame()["audio"]))


def test_an_instrument_that_fit_did_not_see_is_missing():
    summary = MFCCSummary().fit(frame())
    out = summary.transform(frame().assign(instrument=["tuba", "oboe", np.nan]))
    assert out["instrument"].isna().tolist() == [True, False, True]
    assert out["instrument"].cat.categories.tolist() == ["bass", "oboe"]


def test_fit_decides_on_the_columns():
    summary = MFCCSummary(n_mfcc=5).fit(frame())
    expected = summary.transform(frame().assign(instrument=None))
    pd.testing.assert_frame_equal(summary.transform(frame()[["audio"]]), expected)
    pd.testing.assert_frame_equal(summary.transform(frame()["audio"]), expected)
    for items in (list(frame()["audio"]), np.stack([note(0.1)] * 3)):
        out = summary.transform(items)
        assert out.columns.tolist() == summary.get_feature_names_out().tolist()
        assert out.dtypes.tolist() == expected.dtypes.tolist()
        assert out["instrument"].isna().all()
    numbers = expected.drop(columns="instrument")
    without = MFCCSummary(n_mfcc=5).fit(frame()[["audio"]])
    pd.testing.assert_frame_equal(
        without.transform(list(frame()["audio"])).set_index(numbers.index), numbers
    )
    plain = MFCCSummary(n_mfcc=5).fit(list(frame()["audio"]))
    np.testing.assert_array_equal(plain.transform(frame()), numbers.to_numpy())


@pytest.mark.parametrize("dtype", [object, "string", "category"])
def test_the_type_of_the_instruments_means_nothing(dtype):
    expected = MFCCSummary().fit_transform(frame())
    other = frame().assign(instrument=frame()["instrument"].astype(dtype))
    pd.testing.assert_frame_equal(MFCCSummary().fit_transform(other), expected)


def test_boosting_takes_the_instrument_as_a_category():
    """Equal sounds, labels by instrument alone: only a category can tell them apart."""
    X = pd.DataFrame({"audio": [note(0.1)] * 60, "instrument": ["a", "b", "c", "d"] * 15})
    y = np.array(["odd", "even", "odd", "even"] * 15)
    pipeline = make_pipeline(
        MFCCSummary(n_mfcc=2), HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=2)
    )
    assert (pipeline.fit(X, y).predict(X) == y).all()
    unseen = X.iloc[:2].assign(instrument=["tuba", None])
    assert np.isfinite(pipeline.predict_proba(unseen)).all()


@pytest.mark.filterwarnings("ignore:MFCCSummary. there is no sound")
def test_output_as_a_frame():
    summary = MFCCSummary(n_mfcc=5).set_output(transform="pandas")
    for form in (frame(), list(frame()["audio"]), np.zeros((2, 500))):
        out = summary.fit_transform(form)
        assert out.columns.tolist() == summary.get_feature_names_out().tolist()


def test_unfitted():
    with pytest.raises(NotFittedError):
        MFCCSummary().transform([note()])
    with pytest.raises(NotFittedError):
        MFCCSummary().get_feature_names_out()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_mfcc": 0}, "'n_mfcc'"),
        ({"n_mfcc": 41, "n_mels": 40}, "n_mfcc of at most n_mels=40, got 41"),
        ({"hop_length": 0}, "'hop_length'"),
        ({"top_db": 0}, "'top_db'"),
        ({"instrument": "one-hot"}, "'instrument'"),
    ],
)
def test_parameters_are_checked(params, message):
    with pytest.raises(ValueError, match=message):
        MFCCSummary(**params).fit([note()])


def test_clone_and_pickle():
    summary = MFCCSummary(n_mfcc=5).fit(frame())
    assert clone(summary).get_params() == summary.get_params()
    again = pickle.loads(pickle.dumps(summary))
    pd.testing.assert_frame_equal(again.transform(frame()), summary.transform(frame()))


def test_an_instrument_in_columns_of_its_own():
    summary = MFCCSummary(n_mfcc=5, instrument="onehot")
    out = summary.fit_transform(frame())
    names = ["instrument_bass", "instrument_oboe"]
    assert out.columns.tolist() == summary.get_feature_names_out().tolist()
    assert out.columns[-2:].tolist() == names
    np.testing.assert_array_equal(out[names], [[0, 1], [0, 0], [1, 0]])
    numbers = MFCCSummary(n_mfcc=5, instrument="drop").fit_transform(frame())
    pd.testing.assert_frame_equal(out.drop(columns=names), numbers)
    category = MFCCSummary(n_mfcc=5).fit_transform(frame())
    pd.testing.assert_frame_equal(category.drop(columns="instrument"), numbers)
    unknown = summary.transform(frame().assign(instrument=["tuba", None, np.nan]))
    assert (unknown[names] == 0).all(axis=None)
    assert (summary.transform(list(frame()["audio"]))[names] == 0).all(axis=None)


def test_without_any_known_instrument():
    nobody = frame().assign(instrument=None)
    for instrument, more in (("category", 1), ("onehot", 0), ("drop", 0)):
        out = MFCCSummary(n_mfcc=1, instrument=instrument).fit_transform(nobody)
        assert out.shape == (3, 17 + more)


def test_a_category_is_a_plain_string_elsewhere():
    column = pickle.loads(pickle.dumps(MFCCSummary(n_mfcc=1).fit_transform(frame())))["instrument"]
    assert {type(name) for name in column.cat.categories} == {str}
    with pytest.raises(ValueError, match=r"'oboe'\. Pass MFCCSummary"):
        MFCCSummary(n_mfcc=1).fit_transform(frame()).to_numpy(dtype=float)


def test_a_recording_without_sound_is_named():
    rows = pd.DataFrame(
        {"audio": [np.zeros(9000), 0.1 * np.sin(np.arange(9000))]}, index=["a", "b"]
    )
    with pytest.warns(
        AudioDecodeWarning, match=r"MFCCSummary: there is no sound in row 0 \(index 'a"
    ):
        table = MFCCSummary().fit_transform(rows)
    assert np.isfinite(np.asarray(table)).all()
