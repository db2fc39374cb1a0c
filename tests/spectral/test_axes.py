"""SpectralAxes: what frames and bins mean, against librosa and what the spectrogram does."""

import dataclasses
import pickle

import numpy as np
import pytest

from sknote import Spectrogram
from sknote.spectral import SpectralAxes
from sknote.spectral._axes import agreed_axes

librosa = pytest.importorskip("librosa")

SCALES = ("log", "mel", "linear")


def test_the_defaults_are_those_of_the_spectrogram():
    axes = SpectralAxes()
    assert Spectrogram().axes == axes
    assert (axes.scale, axes.n_fft, axes.hop_length, axes.n_bins) == ("log", 4096, 512, 200)
    assert axes.frame_rate == 22050 / 512


def test_frequencies_are_those_of_librosa():
    np.testing.assert_allclose(
        SpectralAxes("linear", 44100, n_fft=1024).frequencies,
        librosa.fft_frequencies(sr=44100, n_fft=1024),
    )
    np.testing.assert_allclose(
        SpectralAxes("mel", n_bins=40, f_min=50.0, f_max=8000.0).frequencies,
        librosa.mel_frequencies(42, fmin=50.0, fmax=8000.0)[1:-1],
    )
    np.testing.assert_allclose(
        SpectralAxes().frequencies,
        librosa.cqt_frequencies(200, fmin=librosa.note_to_hz("C1"), bins_per_octave=24),
        rtol=1e-6,
    )


def test_times_are_those_of_librosa():
    axes = SpectralAxes(hop_length=300)
    expected = librosa.frames_to_time(np.arange(7), sr=22050, hop_length=300)
    np.testing.assert_allclose(axes.times(7), expected)


@pytest.mark.parametrize("scale", SCALES)
def test_positions_are_the_inverse_of_frequencies(scale):
    axes = SpectralAxes(scale, 16000)
    np.testing.assert_allclose(axes.positions(axes.frequencies), np.arange(axes.n_bins), atol=1e-9)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("hz", [440.0, 3000.0])
def test_a_tone_is_loudest_where_its_frequency_lies(scale, hz):
    spectrogram = Spectrogram(scale=scale)
    values = spectrogram.fit_transform([np.sin(2 * np.pi * hz * np.arange(22050) / 22050)])[0]
    assert values.shape[1] == len(spectrogram.frequencies_) == spectrogram.axes.n_bins
    loudest = values[len(values) // 2].argmax()
    assert abs(loudest - spectrogram.axes.positions(np.array(hz))) <= 1


@pytest.mark.parametrize("scale", SCALES)
def test_a_click_is_loudest_at_its_time(scale):
    waveform = np.zeros(22050)
    waveform[11025] = 1.0
    spectrogram = Spectrogram(scale=scale)
    level = spectrogram.fit_transform([waveform])[0].max(axis=1)
    time = spectrogram.axes.times(len(level))[level.argmax()]
    assert time == pytest.approx(0.5, abs=2 / spectrogram.axes.frame_rate)


def test_other_sample_rates_have_as_many_quarter_tones_as_there_are():
    for sample_rate in (8000, 16000):
        frequencies = SpectralAxes(sample_rate=sample_rate).frequencies
        assert frequencies[-1] < sample_rate / 2 <= frequencies[-1] * 2 ** (1 / 24)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"scale": "Log"}, r"expected scale to be one of \['linear', 'log', 'mel'\], got 'Log'"),
        ({"sample_rate": 0}, "expected sample_rate to be a whole number above 0, got 0"),
        (
            {"sample_rate": 22050.0},
            "expected sample_rate to be a whole number above 0, got 22050.0",
        ),
        ({"hop_length": -1}, "expected hop_length to be a whole number above 0, got -1"),
        ({"n_bins": 2.5}, "expected n_bins to be a whole number above 0, got 2.5"),
        ({"hop_length": 0}, "expected hop_length to be a whole number above 0, got 0"),
        ({"f_min": -5.0}, "expected f_min of at least 0, got -5.0"),
    ],
)
def test_what_cannot_be_is_refused(params, message):
    with pytest.raises(ValueError, match=message):
        SpectralAxes(**params)


def test_they_are_values():
    axes = SpectralAxes("mel", f_max=8000.0)
    assert pickle.loads(pickle.dumps(axes)) == axes == SpectralAxes(**dataclasses.asdict(axes))
    assert hash(axes) == hash(SpectralAxes("mel", f_max=8000.0))
    with pytest.raises(dataclasses.FrozenInstanceError):
        axes.n_bins = 3
    assert str(SpectralAxes()) == (
        "200 bins on a log scale from 32.7 to 10247.8 Hz, 43.07 frames per second (hop_length=512)"
    )


def test_axes_agree_if_frames_and_bins_are_at_the_same_places():
    axes = SpectralAxes()
    assert axes.agrees_with(SpectralAxes(n_fft=2048))
    assert axes.agrees_with(SpectralAxes(f_min=axes.f_min))
    for other in ({"hop_length": 256}, {"n_bins": 120}, {"f_min": 55.0}, {"scale": "mel"}):
        assert not axes.agrees_with(SpectralAxes(**other))


def spectra(n_bins, n_frames=5):
    return [np.zeros((n_frames, n_bins), np.float32)] * 2


def agree(items, stated=None, carried=None, fitted=False):
    return agreed_axes(items, stated, carried, name="Who", fitted=fitted)


def test_without_a_word_the_number_of_bins_is_free_as_far_as_it_can_be():
    assert agree(spectra(40)) == SpectralAxes(n_bins=40)
    with pytest.raises(ValueError, match="got some of 257 bins, more than there are on this scale"):
        agree(spectra(257))
    assert agree(spectra(300, n_frames=1)).n_bins == 300  # a table, and no spectrogram


def test_stated_axes_hold():
    with pytest.raises(ValueError, match=r"of 200 bins, got shape \(5, 40\) in row 0"):
        agree(spectra(40), SpectralAxes())
    with pytest.raises(ValueError, match=r"at least 1 frame .* got shape \(0, 40\) in row 0"):
        agree(spectra(40, n_frames=0))


def test_carried_axes_are_compared():
    carried = dataclasses.asdict(SpectralAxes(n_fft=2048, n_bins=40))
    assert agree(spectra(40), None, carried).n_fft == 2048
    with pytest.raises(ValueError, match=r"Who: expected .* Pass axes=Spectrogram.* to Who\."):
        agree(spectra(40), SpectralAxes(), carried)
    with pytest.raises(ValueError, match="It was fitted on the former"):
        agree(spectra(40), SpectralAxes(), carried, fitted=True)
