"""What trains the segmenter: the same numbers as in the package, and wanted where they belong."""

import numpy as np
import pytest
import torch

from benchmarks.onset_network import OnsetNet, as_arrays
from benchmarks.onset_passages import synthetic_passages
from benchmarks.segmenter import DELAY, batch_of, describe, train, wanted
from sknote.audio.segmentation import HOP, N_HIGH, N_LOW, _network, band_levels, relative_levels
from sknote.audio.segmentation._frames import FrameStream


def test_the_network_says_in_numpy_what_it_says_in_torch(monkeypatch):
    torch.manual_seed(0)
    net = OnsetNet(low=(3, 4, 5), high=(2, 3), n_joined=6, n_units=7)
    weights = as_arrays(net, DELAY)
    monkeypatch.setattr(_network, "_load_weights", lambda: (weights, int(weights["delay"])))
    frames = np.random.default_rng(0).random((40, N_LOW + N_HIGH), np.float32)
    with torch.no_grad():
        expected = net(torch.from_numpy(frames[None]))[0][0].sigmoid().numpy()
    network = _network.OnsetNetwork()
    np.testing.assert_allclose([network.push(frame) for frame in frames], expected, atol=1e-6)


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_frames_of_a_stream_are_those_of_the_whole(rate):
    rng = np.random.default_rng(rate)
    waveform = (0.1 * rng.standard_normal(rate)).astype(np.float32)
    waveform[: rate // 4] *= 1e-4
    stream = FrameStream(rate)
    frames = []
    for part in np.array_split(waveform, 37):
        frames += list(stream.push(part))
    whole = relative_levels(band_levels(waveform, rate))
    np.testing.assert_allclose(np.array(frames), whole, atol=1e-5)
    assert len(frames) == int(1 / HOP)


@pytest.mark.parametrize("rate", [22050, 48000])
@pytest.mark.parametrize("frequency", [110.0, 440.0, 1760.0])
def test_a_sine_is_loudest_in_its_band_with_its_level(rate, frequency):
    waveform = 0.5 * np.sin(2 * np.pi * frequency * np.arange(rate) / rate)
    levels = band_levels(waveform.astype(np.float32), rate)[-1, :N_LOW]
    assert levels.argmax() == pytest.approx(24 * np.log2(frequency / 65.4), abs=1.5)
    assert levels.max() == pytest.approx(20 * np.log10(0.5), abs=2)


def test_what_is_wanted_comes_after_the_delay():
    onsets, sounds, pitches = wanted(np.array([[0.5, 0.8, 60.0]]), 100)
    at = round(0.5 / HOP) - 1 + DELAY
    assert onsets.argmax() == at
    assert onsets[at] == 1
    assert onsets[at - 1] == onsets[at + 1] == pytest.approx(0.75)
    assert onsets[: at - 2].max() == onsets[at + 3 :].max() == 0
    np.testing.assert_array_equal(np.flatnonzero(sounds), np.arange(at, at + 30))
    np.testing.assert_array_equal(np.flatnonzero(pitches == 60 - 36), np.arange(at, at + 30))


def test_training_is_reproducible():
    passages = list(describe(synthetic_passages(6, [0, 0])))
    nets = [train(passages, 1, 0) for _ in range(2)]
    first, second = (as_arrays(net, DELAY) for net in nets)
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])


def test_what_began_before_a_piece_is_not_asked_for():
    passages = list(describe(synthetic_passages(1, [0, 1])))
    *_, weights = batch_of(passages, [(0, 0), (0, 300)], np.random.default_rng(0))
    assert weights[1, :10].sum() == 0
    assert weights[1, 10:].min() == 1
