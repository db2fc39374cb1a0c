"""The parts of the spectrogram that are tested on their own; Spectrogram's tests do the rest."""

import numpy as np
import pytest
import torch

from sknote._torch import torch_threads
from sknote.spectral import SpectralAxes, SpectrogramFrontend
from sknote.spectral._fourier import mel_filterbank

librosa = pytest.importorskip("librosa")


@pytest.mark.parametrize(
    ("rate", "n_fft", "n_bins", "f_min", "f_max"),
    [
        (22050, 2048, 64, 0.0, None),
        (22050, 2048, 96, 30.0, 8000.0),
        (44100, 4096, 128, 0.0, 16000.0),
        (8000, 400, 20, 100.0, None),
    ],
)
def test_mel_bands_agree_with_librosa(rate, n_fft, n_bins, f_min, f_max):
    theirs = librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=n_bins, fmin=f_min, fmax=f_max)
    ours = mel_filterbank(rate, n_fft, n_bins, f_min, f_max)
    np.testing.assert_allclose(ours, theirs.T, atol=1e-7)


def test_a_batch_says_how_many_frames_each_note_has():
    frontend = SpectrogramFrontend(SpectralAxes("mel", hop_length=100))
    lengths = torch.tensor([0, 99, 100, 1000])
    values, n_frames = frontend(torch.zeros(4, 1000), lengths)
    assert n_frames.tolist() == [1, 1, 2, 11] == [frontend.n_frames(n) for n in lengths.tolist()]
    assert values.shape == (4, 11, 64)


def test_the_peak_of_a_note_is_not_that_of_the_batch():
    """A range below the maximum counts from each note's own maximum."""
    noise = torch.randn(2, 4096, generator=torch.Generator().manual_seed(0))
    frontend = SpectrogramFrontend(SpectralAxes("mel"), top_db=5.0)
    values, _ = frontend(noise * torch.tensor([[1.0], [1e-4]]), torch.tensor([4096, 4096]))
    span = values.amax(dim=(1, 2)) - values.amin(dim=(1, 2))
    torch.testing.assert_close(span, torch.full((2,), 5.0), atol=1e-3, rtol=0)


def test_threads_are_put_back_also_after_an_error():
    before = torch.get_num_threads()
    with pytest.raises(KeyError), torch_threads(before + 1):
        assert torch.get_num_threads() == before + 1
        raise KeyError
    assert torch.get_num_threads() == before
    with torch_threads(None):
        assert torch.get_num_threads() == before


@pytest.mark.parametrize("hop_length", [512, 500, 501])
def test_decimation_changes_nothing_that_can_be_heard(hop_length, monkeypatch):
    """Long windows from fewer samples, against all samples; also beside a loud high tone."""
    time = torch.arange(22050, dtype=torch.float64) / 22050
    quiet = 1e-3 * torch.sin(2 * torch.pi * 110 * time)
    loud = torch.sin(2 * torch.pi * 5402 * time)  # 22050 / 4 - 110 Hz: folds onto the quiet one
    waveform, lengths = (quiet + loud)[None], torch.tensor([22050])
    settings = {"scale": "log", "n_fft": 4096, "hop_length": hop_length, "n_bins": 200}
    frontend = SpectrogramFrontend(SpectralAxes(**settings))
    expected = {512: [8, 4, 1], 500: [4, 4, 1], 501: [1, 1, 1]}
    assert [part.transform.factor for part in frontend.parts] == expected[hop_length]
    monkeypatch.setattr("sknote.spectral._frontend.decimation", lambda *args: 1)
    plain = SpectrogramFrontend(SpectralAxes(**settings))
    assert [part.transform.factor for part in plain.parts] == [1, 1, 1]
    inner = slice(6, -6)
    values, expected = (f(waveform, lengths)[0][0, inner] for f in (frontend, plain))
    assert expected[:, 42].mean() > -65  # the band of the quiet tone holds it
    audible = expected > -80
    torch.testing.assert_close(values[audible], expected[audible], atol=0.1, rtol=0)


@pytest.mark.parametrize(
    "settings",
    [
        {"scale": "log", "n_fft": 4096, "hop_length": 512, "n_bins": 200},
        {"scale": "mel", "n_fft": 1200},  # no power of two
        {"scale": "mel", "n_fft": 2048},
        {"scale": "linear", "n_fft": 512, "hop_length": 128},
        {"scale": "linear", "n_fft": 512, "hop_length": 5},  # many hops in a frame
        {"scale": "mel", "n_fft": 301, "hop_length": 400},  # gaps between frames
    ],
)
@pytest.mark.parametrize("n_samples", [0, 1, 700, 20000])
def test_the_portable_form_computes_the_same(settings, n_samples):
    waveforms = torch.randn(2, n_samples, dtype=torch.float64)
    lengths = torch.tensor([n_samples, n_samples // 2])
    axes = SpectralAxes(**settings)
    plain, portable = (SpectrogramFrontend(axes, portable=p) for p in (False, True))
    values, n_frames = portable(waveforms, lengths)
    expected, expected_frames = plain(waveforms, lengths)
    assert n_frames.tolist() == expected_frames.tolist()
    torch.testing.assert_close(values, expected, atol=1e-6, rtol=0)
