"""Spectrogram, against librosa and closed forms."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from sknote import Spectrogram
from sknote.spectral import SpectralAxes, SpectrogramFrontend, compute_spectrograms

librosa = pytest.importorskip("librosa")
RATE = 22050
MEL = {"scale": "mel", "top_db": 80.0}


def rng():
    return np.random.default_rng(0)


def signals():
    time = np.arange(RATE) / RATE
    decay = np.exp(-3 * time)
    return {
        "tone": 0.5 * np.sin(2 * np.pi * 440 * time),
        "note": decay * sum(np.sin(2 * np.pi * 220 * k * time) / k for k in range(1, 9)),
        "noise": 0.1 * rng().standard_normal(RATE),
        "quiet": 1e-5 * rng().standard_normal(3000),
        "clipped": np.clip(3 * np.sin(2 * np.pi * 440 * time), -1, 1),
        "shorter than a window": 0.1 * rng().standard_normal(300),
        "shorter than a hop": 0.1 * rng().standard_normal(100),
        "one sample": np.zeros(1),
        "silence": np.zeros(5000),
        "silence, then a tone": np.concatenate([np.zeros(3000), np.sin(0.1 * np.arange(3000))]),
    }


def guide(waveform):
    """The spectrogram that much of the literature feeds to its networks, before normalizing."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="n_fft=.* is too large")
        spectrum = librosa.stft(waveform.astype(np.float32), n_fft=512, hop_length=128)
    return librosa.amplitude_to_db(np.abs(spectrum)).T


@pytest.mark.parametrize("name", signals())
def test_linear_agrees_with_librosa(name):
    waveform = signals()[name]
    ours = Spectrogram(scale="linear", top_db=80.0).fit_transform([waveform])[0]
    theirs = guide(waveform)
    assert ours.shape == theirs.shape == (1 + len(waveform) // 128, 257)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, theirs, atol=1e-3)


@pytest.mark.parametrize("waveform", [np.full(4000, 0.3), np.array([0.7]), np.ones(300, "f4")])
@pytest.mark.parametrize("scale", ["linear", "log"])
def test_what_is_constant_is_silence(waveform, scale):
    ours, silence = Spectrogram(scale=scale).fit_transform([waveform, 0 * waveform])
    np.testing.assert_array_equal(ours, silence)


@pytest.mark.parametrize("name", sorted(set(signals()) - {"silence", "one sample"}))
def test_linear_with_note_normalisation_agrees_with_librosa(name):
    waveform = signals()[name]
    ours = Spectrogram(scale="linear", normalize="note", top_db=80.0).fit_transform([waveform])[0]
    theirs = guide(waveform)
    theirs = (theirs - theirs.mean()) / theirs.std()
    np.testing.assert_allclose(ours, theirs, atol=1e-3)


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"n_bins": 96, "hop_length": 512, "top_db": None},
        {"n_bins": 40, "n_fft": 1024, "f_min": 50.0, "f_max": 8000.0},
        {"n_bins": 20, "n_fft": 512, "hop_length": 128},
        {"sample_rate": 44100, "n_bins": 128, "n_fft": 4096, "hop_length": 441},
        {"sample_rate": 8000, "n_fft": 400, "hop_length": 160, "n_bins": 32, "top_db": 60.0},
    ],
)
@pytest.mark.parametrize(
    "name", ["note", "noise", "one sample", "shorter than a window", "silence"]
)
def test_mel_agrees_with_librosa(params, name):
    waveform = signals()[name]
    ours = Spectrogram(**MEL | params).fit_transform([waveform])[0]
    settings = {"sample_rate": RATE, "n_fft": 2048, "hop_length": 256, "n_bins": 64} | params
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="n_fft=.* is too large")
        power = librosa.feature.melspectrogram(
            y=waveform,
            sr=settings["sample_rate"],
            n_fft=settings["n_fft"],
            hop_length=settings["hop_length"],
            n_mels=settings["n_bins"],
            fmin=params.get("f_min", 0.0),
            fmax=params.get("f_max"),
        )
    theirs = librosa.power_to_db(power, top_db=params.get("top_db", 80.0)).T
    np.testing.assert_allclose(ours, theirs, atol=1e-3)


def quarter_tones(n_bins=200, f_min=440 * 2 ** (-45 / 12)):
    return f_min * 2 ** (np.arange(n_bins) / 24)


@pytest.mark.parametrize("band", [60, 100, 150])
@pytest.mark.parametrize("amplitude", [1.0, 0.1])
def test_level_of_a_tone_in_its_logarithmic_band(band, amplitude):
    hz = quarter_tones()[band]
    tone = amplitude * np.sin(2 * np.pi * hz * np.arange(RATE) / RATE)
    values = Spectrogram(scale="log").fit_transform([tone])[0]
    inside = values[10:-10]
    assert inside.shape[1] == 200
    assert np.abs(inside.argmax(axis=1) - band).max() <= (1 if band < 70 else 0)
    np.testing.assert_allclose(inside[:, band], 20 * np.log10(amplitude), atol=6.0)


@pytest.mark.parametrize("semitones", [-5, 1, 4])
def test_on_the_logarithmic_scale_another_pitch_is_the_same_pattern_elsewhere(semitones):
    def tone(hz):
        time = np.arange(RATE) / RATE
        return 0.2 * sum(np.sin(2 * np.pi * hz * k * time) / k for k in range(1, 5))

    spectrogram = Spectrogram(scale="log")
    low, high = (
        values[10:-10].max(axis=0)
        for values in spectrogram.fit_transform([tone(880), tone(880 * 2 ** (semitones / 12))])
    )
    moved = np.roll(low, 2 * semitones)
    peaks = high > high.max() - 15
    assert peaks.sum() >= 4
    assert np.abs(moved - high)[peaks].mean() < 2.0
    assert np.abs(low - high)[peaks].mean() > 10.0


@pytest.mark.parametrize("n_fft", [4096, 1024, 1000, 1002, 1001])
def test_logarithmic_bands_frame_by_frame(n_fft):
    """Each band from the window that it is said to take, one frame at a time, by NumPy."""
    signal, hop, n_bins = signals()["noise"][:6000], 500, 150
    spectrogram = Spectrogram(scale="log", n_fft=n_fft, hop_length=hop, n_bins=n_bins, top_db=None)
    values = spectrogram.fit_transform([signal])[0]
    ratio = 2 ** (1 / 24) - 1
    padded = np.pad(signal, n_fft)
    expected = np.empty_like(values)
    for frame in range(len(values)):
        for band, centre in enumerate(quarter_tones(n_bins)):
            enough = RATE / (ratio * centre)  # samples that tell quarter tones apart
            if n_fft // 4 >= enough:
                n = n_fft // 4
            elif n_fft // 2 >= enough:
                n = n_fft // 2
            else:
                n = n_fft
            middle = n_fft + frame * hop
            window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n)
            power = np.abs(np.fft.rfft(window * padded[middle - n // 2 :][:n])) ** 2
            distance = np.abs(np.arange(n // 2 + 1) * RATE / n - centre)
            weight = np.maximum(0, 1 - distance / max(centre * ratio, RATE / n))
            power = (power * weight).sum() / weight.sum() / (n / 4) ** 2
            expected[frame, band] = 10 * np.log10(max(power, 1e-10))
    # long windows are computed from fewer samples, with a low-pass filter of 100 dB
    np.testing.assert_allclose(values, expected, atol=3e-3)


def test_logarithmic_bands_above_half_the_sample_rate_are_silent():
    spectrogram = Spectrogram(8000, scale="log", n_bins=200)
    with pytest.warns(UserWarning, match="32 of 200 bands .* silent .* Set n_bins to 168 or less"):
        values = spectrogram.fit_transform([np.ones(4000)])[0]
    assert np.isfinite(values).all()
    assert (values[:, quarter_tones() > 4200] == values.min()).all()


@pytest.mark.parametrize(
    ("sample_rate", "f_min", "n_bins"),
    [(22050, 0.0, 200), (48000, 0.0, 200), (16000, 0.0, 191), (8000, 0, 167), (22050, 1000.0, 84)],
)
def test_logarithmic_bands_end_at_half_the_sample_rate(sample_rate, f_min, n_bins):
    """By default there are no more of them; noise is heard in each."""
    spectrogram = Spectrogram(sample_rate, scale="log", f_min=f_min)
    noise = 0.1 * rng().standard_normal(sample_rate)
    values = spectrogram.fit_transform([noise])[0]
    assert values.shape[1] == spectrogram.n_bins_ == n_bins
    centres = quarter_tones(n_bins + 1, f_min or quarter_tones()[0])
    assert n_bins == 200 or centres[-2] < sample_rate / 2 <= centres[-1]
    assert values.mean(axis=0).min() > -70


SILENT = {
    "300 quarter tones": {"scale": "log", "n_bins": 300},
    "beyond half the sample rate": {"f_max": 16000.0},
    "far beyond it": {"f_max": 1e5, "sample_rate": 8000},
    "short windows": {"n_fft": 128},
    "a narrow range": {"f_min": 400.0, "f_max": 500.0},
}


@pytest.mark.parametrize("name", SILENT)
def test_bands_that_are_silent_whatever_the_sound_is_are_counted(name):
    spectrogram = Spectrogram(**{"scale": "mel"} | SILENT[name])
    with pytest.warns(UserWarning, match="Spectrogram: .* bands hold no bin") as caught:
        values = spectrogram.fit_transform([rng().standard_normal(8000)])[0]
    silent = (values == -100.0).all(axis=0).sum()
    assert 0 < silent < spectrogram.n_bins_
    (message,) = [str(one.message) for one in caught]
    assert message.startswith(f"Spectrogram: {silent} of {spectrogram.n_bins_} bands")


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("300 quarter tones", {"n_bins": 203}),
        ("beyond half the sample rate", {"f_max": 11025}),
        ("far beyond it", {"f_max": 4000}),
        ("short windows", {"n_bins": 20}),
        ("a narrow range", {"n_fft": 32768}),
    ],
)
def test_the_remedies_for_silent_bands_help(name, change):
    Spectrogram(**{"scale": "mel"} | SILENT[name] | change).fit([np.zeros(100)])


@pytest.mark.parametrize("sample_rate", [8000, 11025, 16000, 22050, 44100, 48000, 96000, 192000])
@pytest.mark.parametrize("scale", ["mel", "linear", "log"])
def test_the_defaults_do_not_warn(scale, sample_rate):
    Spectrogram(sample_rate, scale=scale).fit([np.zeros(100)])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"f_min": 12000.0}, r"below half the sample rate \(11025 Hz\), got 12000 Hz"),
        ({"f_min": 12000.0, "f_max": 13000.0}, r"half the sample rate \(11025 Hz\), got 12000 Hz"),
        ({"f_min": 8000.0, "f_max": 4000.0}, r"below f_max \(4000 Hz\), got 8000 Hz\. Set f_min"),
        ({"f_min": 4000.0, "f_max": 4000.0}, r"below f_max \(4000 Hz\), got 4000 Hz"),
        ({"scale": "log", "f_min": 20000.0}, r"sample rate \(11025 Hz\), got 20000 Hz"),
        ({"scale": "log", "sample_rate": 60}, r"sample rate \(30 Hz\), got 32\.7032 Hz"),
        ({"scale": "log", "n_fft": 2}, "n_fft of at least 4 for scale='log', .* got 2"),
        ({"n_fft": 2}, "bins, 11025 Hz apart, none lies in a band. Set n_fft to more"),
        ({"f_min": 100.0, "f_max": 101.0}, "n_fft=2048, of whose bins, 10.7666 Hz apart, none"),
    ],
)
def test_bands_that_are_all_silent_are_refused(params, message):
    with pytest.raises(ValueError, match=f"Spectrogram: expected .*{message}"):
        Spectrogram(**{"scale": "mel"} | params).fit([np.zeros(100)])


def test_settings_that_the_scale_ignores_are_not_checked():
    Spectrogram(scale="linear", f_min=20000.0, f_max=1.0).fit([np.zeros(100)])
    Spectrogram(scale="log", f_max=1.0).fit([np.zeros(100)])


@pytest.mark.parametrize("n_fft", [4, 5, 16])
def test_the_shortest_windows_of_logarithmic_bands(n_fft):
    values = Spectrogram(scale="log", n_fft=n_fft).fit_transform([rng().standard_normal(3000)])[0]
    assert np.isfinite(values).all()
    assert values.std() > 0.1


@pytest.mark.parametrize("scale", ["linear", "mel", "log"])
def test_a_gain_moves_the_level(scale):
    noise = signals()["noise"]
    once, twice = Spectrogram(scale=scale, top_db=None).fit_transform([noise, 2 * noise])
    np.testing.assert_allclose(twice - once, 20 * np.log10(2), atol=1e-3)


@pytest.mark.parametrize("k", [8, 31, 100])
def test_level_of_a_tone_in_closed_form(k):
    """A sine of amplitude A in the middle of bin k has magnitude A * sum(window) / 2 there."""
    tone = 0.5 * np.cos(2 * np.pi * k / 512 * np.arange(8192))
    values = Spectrogram(scale="linear").fit_transform([tone])[0]
    np.testing.assert_allclose(values[8:-8, k], 20 * np.log10(0.5 * 256 / 2), atol=1e-3)
    assert (values[8:-8].argmax(axis=1) == k).all()


@pytest.mark.parametrize("scale", ["mel", "linear", "log"])
@pytest.mark.parametrize("normalize", [None, "note", "band"])
@pytest.mark.parametrize("n_samples", [0, 1, 2, 127, 128, 129, 255, 256, 511, 512, 513, 5000])
def test_every_length_has_its_frames_and_is_finite(scale, normalize, n_samples):
    spectrogram = Spectrogram(scale=scale, normalize=normalize)
    silence, noise = np.zeros(n_samples), 0.1 * rng().standard_normal(n_samples)
    hop = {"linear": 128, "mel": 256, "log": 512}[scale]
    for values in spectrogram.fit_transform([silence, noise]):
        assert values.shape == (1 + n_samples // hop, spectrogram.n_bins_)
        assert np.isfinite(values).all()


@pytest.mark.parametrize("n_fft", [3, 511, 512])
def test_windows_of_odd_length(n_fft):
    for n_samples in (0, 1, 1000):
        values = Spectrogram(scale="linear", n_fft=n_fft).fit_transform([np.zeros(n_samples)])[0]
        assert values.shape == (1 + n_samples // 128, n_fft // 2 + 1)


@pytest.mark.parametrize("normalize", ["note", "band"])
@pytest.mark.parametrize("waveform", [np.zeros(5000), np.zeros(0), np.array([0.7])])
def test_what_is_flat_is_zero_after_normalizing(normalize, waveform):
    spectrogram = Spectrogram(scale="linear", normalize=normalize)
    np.testing.assert_allclose(spectrogram.fit_transform([waveform])[0], 0.0, atol=1e-4)


def test_the_default_keeps_the_level():
    noise = signals()["noise"]
    loud, soft = Spectrogram(**MEL).fit_transform([noise, 0.01 * noise])
    assert loud.mean() - soft.mean() == pytest.approx(40.0, abs=0.5)


@pytest.mark.parametrize("scale", ["mel", "linear", "log"])
@pytest.mark.parametrize("top_db", [80.0, None])
def test_alone_is_as_in_any_batch(scale, top_db):
    waveforms = [
        (0.1 * rng().standard_normal(n)).astype(np.float32)
        for n in (1, 100, 5000, 300, 0, 22050, 7777, 5001, 60000)
    ]
    spectrogram = Spectrogram(scale=scale, top_db=top_db).fit(waveforms)
    together = spectrogram.transform(waveforms)
    for waveform, values in zip(waveforms, together):
        np.testing.assert_allclose(spectrogram.transform([waveform])[0], values, atol=1e-4)
    for waveform, values in zip(waveforms[::-1], spectrogram.transform(waveforms[::-1])):
        np.testing.assert_allclose(spectrogram.transform([waveform])[0], values, atol=1e-4)


@pytest.mark.parametrize("max_samples", [1, 6000, 10**9])
def test_the_size_of_a_batch_changes_nothing(max_samples):
    waveforms = [0.1 * rng().standard_normal(n) for n in (3000, 100, 5000, 2999, 3000)]
    frontend = SpectrogramFrontend(SpectralAxes())
    expected = compute_spectrograms(frontend, waveforms)
    for left, right in zip(
        compute_spectrograms(frontend, waveforms, max_samples=max_samples), expected
    ):
        np.testing.assert_allclose(left, right, atol=1e-4)


def test_threads_change_nothing_and_are_put_back():
    waveforms = [0.1 * rng().standard_normal(n) for n in (3000, 20000)]
    before = torch.get_num_threads()
    one = Spectrogram(n_threads=1).fit_transform(waveforms)
    two = Spectrogram(n_threads=2).fit_transform(waveforms)
    assert torch.get_num_threads() == before
    for left, right in zip(one, two):
        np.testing.assert_allclose(left, right, atol=1e-4)


@pytest.mark.parametrize("normalize", [None, "note", "band"])
def test_half_precision(normalize):
    waveforms = [signals()["note"], signals()["noise"]]
    full = Spectrogram(normalize=normalize).fit_transform(waveforms)
    half = Spectrogram(normalize=normalize, dtype="float16").fit_transform(waveforms)
    for left, right in zip(full, half):
        assert left.dtype == np.float32
        assert right.dtype == np.float16
        np.testing.assert_allclose(left, right, atol=0.07)


def test_statistics_of_the_bands():
    waveforms = [signals()[name] for name in ("note", "noise", "quiet", "shorter than a hop")]
    plain = np.concatenate(Spectrogram().fit_transform(waveforms)).astype(np.float64)
    spectrogram = Spectrogram(normalize="band").fit(waveforms)
    np.testing.assert_allclose(spectrogram.mean_, plain.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(spectrogram.scale_, plain.std(axis=0), rtol=1e-5)
    out = np.concatenate(spectrogram.transform(waveforms))
    assert out.dtype == np.float32
    np.testing.assert_allclose(out.mean(axis=0), 0.0, atol=1e-4)
    np.testing.assert_allclose(out.std(axis=0), 1.0, atol=1e-4)


def test_statistics_of_the_bands_come_from_fit_alone():
    spectrogram = Spectrogram(normalize="band").fit([signals()["noise"]])
    mean = spectrogram.mean_.copy()
    spectrogram.transform([signals()["tone"]])
    np.testing.assert_array_equal(spectrogram.mean_, mean)
    with pytest.raises(NotFittedError, match="Spectrogram"):
        Spectrogram(normalize="band").transform([signals()["tone"]])


def test_without_statistics_no_fit_is_needed():
    values = Spectrogram().transform([signals()["tone"]])[0]
    np.testing.assert_array_equal(values, Spectrogram().fit_transform([signals()["tone"]])[0])


def test_a_list_a_series_a_frame_and_an_array_give_the_same():
    X = 0.1 * rng().standard_normal((3, 2000))
    spectrogram = Spectrogram(scale="mel")
    expected = spectrogram.fit_transform(list(X))
    assert expected.shape == (3,)
    stacked = spectrogram.fit_transform(X)
    assert stacked.shape == (3, 8, 64)
    frame = pd.DataFrame({"instrument": "oboe", "audio": list(X)}, index=[5, 6, 7])
    out = spectrogram.fit_transform(frame)
    assert out["instrument"].tolist() == ["oboe"] * 3
    assert out.index.tolist() == [5, 6, 7]
    for form in (stacked, spectrogram.fit_transform(pd.Series(list(X))), out["audio"]):
        for values, reference in zip(form, expected):
            np.testing.assert_allclose(values, reference, atol=1e-5)


def test_rows_of_a_single_frame_are_a_2d_array():
    out = Spectrogram(scale="mel").fit_transform(rng().standard_normal((3, 50)))
    assert out.shape == (3, 64)


def test_names_of_the_output():
    spectrogram = Spectrogram(n_bins=4)
    with pytest.raises(NotFittedError):
        spectrogram.get_feature_names_out()
    names = spectrogram.fit([np.zeros(500)]).get_feature_names_out().tolist()
    assert names == ["audio"]
    frame = pd.DataFrame({"instrument": ["oboe"], "audio": [np.zeros(500)]})
    assert spectrogram.fit(frame).get_feature_names_out().tolist() == ["instrument", "audio"]
    names = spectrogram.fit(np.zeros((2, 50))).get_feature_names_out().tolist()
    assert names == ["bin0", "bin1", "bin2", "bin3"]


def test_output_as_a_frame():
    X = 0.1 * rng().standard_normal((3, 2000))
    spectrogram = Spectrogram(scale="mel", n_bins=4).set_output(transform="pandas")
    for form in (X, list(X), pd.DataFrame({"audio": list(X)})):
        out = spectrogram.fit_transform(form)
        assert out.columns.tolist() == ["audio"]
        assert [values.shape for values in out["audio"]] == [(8, 4)] * 3
    out = spectrogram.fit_transform(X[:, :50])
    assert out.columns.tolist() == ["bin0", "bin1", "bin2", "bin3"]
    np.testing.assert_array_equal(
        out.to_numpy(), Spectrogram(scale="mel", n_bins=4).fit_transform(X[:, :50])
    )


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int16])
def test_waveforms_of_any_type(dtype):
    waveform = np.round(100 * signals()["noise"]).astype(dtype)
    values = Spectrogram().fit_transform([waveform])[0]
    assert values.dtype == np.float32
    np.testing.assert_allclose(
        values, Spectrogram().fit_transform([waveform.astype(np.float64)])[0], atol=1e-3
    )


def test_the_input_is_not_changed():
    waveform = signals()["note"].astype(np.float32)
    before = waveform.copy()
    Spectrogram(normalize="band").fit_transform([waveform])
    np.testing.assert_array_equal(waveform, before)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"scale": "cqt"}, "'scale' .* Got 'cqt'"),
        ({"hop_length": 0}, "'hop_length'"),
        ({"n_fft": 1}, "'n_fft'"),
        ({"n_bins": 0}, "'n_bins'"),
        ({"normalize": "max"}, "'normalize'"),
        ({"top_db": -1.0}, "'top_db'"),
        ({"dtype": "int8"}, "'dtype'"),
        ({"n_threads": 0}, "'n_threads'"),
        ({"f_min": -1.0}, "'f_min'"),
    ],
)
def test_parameters_are_checked(params, message):
    with pytest.raises(ValueError, match=message):
        Spectrogram(**params).fit([np.zeros(3)])


def test_clone_and_pickle():
    spectrogram = Spectrogram(normalize="band", n_bins=20).fit([signals()["noise"]])
    assert clone(spectrogram).get_params() == spectrogram.get_params()
    again = pickle.loads(pickle.dumps(spectrogram)).transform([signals()["note"]])[0]
    np.testing.assert_array_equal(again, spectrogram.transform([signals()["note"]])[0])
