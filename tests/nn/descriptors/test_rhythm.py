"""The rhythm of a note against an independent reference, and on notes of known rhythm."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from sknote.nn import describe_notes
from sknote.nn.descriptors._description import HEARD
from sknote.nn.descriptors._rhythm import N_RHYTHM, compute_rhythm
from sknote.nn.descriptors._time_statistics import sounding_parts
from sknote.spectral import SpectralAxes

RATE = 43.0  # frames per second
AXES = SpectralAxes(sample_rate=21500, hop_length=500, n_bins=60)
PARTS = {"flux": 4, "number": 4, "rate": 4, "flux period": 5, "level period": 5, "around": 17}
PARTS |= {"spread": 2, "steps": 13}


def rhythm_of(values, rate=RATE):
    values = np.asarray(values, dtype=float)
    level = 10 * np.log10((10 ** (values / 10)).sum(axis=1))
    energy = 10 * np.log10((10 ** (values / 10)).mean(axis=0))
    batch = [torch.from_numpy(part)[None] for part in (values, energy, level)]
    first, stop = sounding_parts(batch[2], HEARD)
    found = compute_rhythm(*batch, first[:, 0], stop[:, 0], rate)[0].numpy()
    assert len(found) == N_RHYTHM == sum(PARTS.values())
    return dict(zip(PARTS, np.split(found, np.cumsum(list(PARTS.values()))[:-1]), strict=True))


def noise(n_frames=150, n_bins=60, silence=(12, 9), seed=0):
    rng = np.random.default_rng(seed)
    values = rng.normal(-40, 4, (n_frames, n_bins)) + 8 * np.sin(np.arange(n_bins))
    values[: silence[0]] -= 50
    values[n_frames - silence[1] :] -= 50
    return values


def tones(pitches, frames_each, n_bins=200, dip=0.0, dip_frames=2):
    """Tones with 8 partials, one after the other, with a dip of the level before each."""
    values = np.full((len(pitches) * frames_each, n_bins), -90.0)
    for i, pitch in enumerate(pitches):
        part = values[i * frames_each : (i + 1) * frames_each]
        for partial in range(1, 9):
            place = round(pitch + 24 * np.log2(partial))
            if place < n_bins:
                part[:, place] = -20.0 - 3 * partial
        part[:dip_frames] -= dip if i else 0.0
    return values


def reference(values, rate):
    """The same, frame by frame."""
    power = 10 ** (values / 10)
    level = 10 * np.log10(power.sum(axis=1))
    energy = 10 * np.log10(power.mean(axis=0))
    weight = np.maximum(energy - energy.max() + 40, 0)
    weight /= weight.sum()
    heard = np.flatnonzero(level > level.max() - 30)
    values = values[heard[0] : heard[-1] + 1]
    level = level[heard[0] : heard[-1] + 1]
    n_frames = len(values)
    step = [
        np.sum(weight * np.abs((b - weight @ b) - (a - weight @ a))) for a, b in pairwise(values)
    ]
    flux = (np.append(step, 0) + np.append(0, step)) / 2
    seconds = n_frames / rate + 0.1
    found = {"flux": [*np.quantile(flux, (0.1, 0.5, 0.9)), flux.max()]}
    padded = np.concatenate([[0], flux, [0]])
    peaks = [flux[t] for t in range(n_frames) if padded[t] < flux[t] and flux[t] >= padded[t + 2]]
    number = [sum(np.clip(p - size + 0.5, 0, 1) for p in peaks) for size in (1, 2, 3, 5)]
    found["number"] = np.log(np.array(number) + 1)
    found["rate"] = np.array(number) / seconds
    limits = [round(second * rate) for second in (0.046, 0.093, 0.163, 0.279, 0.465, 1.0)]
    for name, course in (("flux period", flux), ("level period", level)):
        half = limits[-1] // 2
        slow = [course[max(0, t - half) : t + half + 1].mean() for t in range(n_frames)]
        course = course - slow
        lags = [course[: max(0, n_frames - k)] @ course[k:] for k in range(limits[-1] + 1)]
        lags = np.array(lags) / (course @ course + 1e-3)
        found[name] = [lags[a + 1 : b + 1].max() for a, b in pairwise(limits)]
    edge = round(0.07 * rate)
    at = np.arange(n_frames)
    weight = np.maximum(flux - np.median(flux), 0) ** 2 * ((at >= edge) & (at < n_frames - edge))
    weight /= weight.sum() + 1e-6
    relative = level - np.median(level)
    steps = np.round(np.linspace(-0.186, 0.186, 17) * rate).astype(int)
    found["around"] = [weight @ relative[np.clip(at + k, 0, n_frames - 1)] for k in steps]
    n_low = values.shape[1] - 48
    partials = sum(values[:, first : first + n_low] for first in (0, 24, 38, 48))
    of_tones = partials + 1e-3 * np.arange(max(n_low, 0)) if n_low > 0 else values
    pitch = of_tones.argmax(axis=1)
    found["spread"] = [pitch.std(), np.quantile(pitch, 0.9) - np.quantile(pitch, 0.1)]
    moves = np.minimum(np.abs(np.diff(pitch)), 12)
    found["steps"] = np.bincount(moves, minlength=13) / seconds
    return found


@pytest.mark.parametrize("rate", [RATE, 90.0])
@pytest.mark.parametrize(
    "values",
    [noise(), noise(silence=(0, 0)), noise(n_bins=20), noise(20, silence=(0, 3)), noise(2)],
    ids=["silence about it", "no silence", "few bins", "short", "two frames"],
)
def test_reference(values, rate):
    found, expected = rhythm_of(values, rate), reference(values, rate)
    for name in PARTS:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-6, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("interval", [2, 4])
def test_a_trill_moves_by_its_interval(interval):
    steps = rhythm_of(tones([60, 60 + interval] * 10, 5))["steps"]
    assert np.argmax(steps[1:]) + 1 == interval
    assert steps[interval] == pytest.approx(19 / (100 / RATE + 0.1))


@pytest.mark.parametrize("partials", [1, 3])
def test_rounding_moves_no_pitch_where_the_floor_is_flat(partials):
    """One partial above a floor may be of four tones, which are alike but for rounding."""
    values = np.full((80, 200), -55.0)
    for partial in range(1, partials + 1):
        values[:, 70 + round(24 * np.log2(partial))] = -10.0 * partial
    rounding = 1e-5 * np.random.default_rng(0).standard_normal(values.shape)
    found = rhythm_of(values + rounding)
    np.testing.assert_allclose(found["spread"], 0.0, atol=1e-6)
    np.testing.assert_array_equal(found["steps"], rhythm_of(values)["steps"])


@pytest.mark.parametrize(("frames_each", "period"), [(3, 0), (5, 1), (8, 2), (16, 3), (30, 4)])
def test_the_period_of_changes_is_found(frames_each, period):
    pitches = np.random.default_rng(0).integers(40, 90, 40)
    assert np.argmax(rhythm_of(tones(pitches, frames_each))["flux period"]) == period


def test_legato_and_tongued_phrases_differ_by_the_level_at_changes():
    pitches = [60, 64, 68, 70, 74, 78, 82, 84]
    legato, tongued = (rhythm_of(tones(pitches, 20, dip=dip))["around"] for dip in (0.0, 20.0))
    np.testing.assert_allclose(legato, 0.0, atol=1e-3)
    assert tongued[8:10].min() < -5.0
    assert abs(tongued[0]) < 1.0


def test_a_held_tone_has_no_rhythm():
    found = rhythm_of(tones([60], 100))
    for name in set(PARTS) - {"steps"}:
        np.testing.assert_allclose(found[name], 0.0, atol=1e-6, err_msg=name)
    assert np.flatnonzero(found["steps"]).tolist() == [0]


def test_a_single_frame_and_silence_are_finite():
    for values in (noise(1, silence=(0, 0)), np.full((50, 60), -100.0)):
        assert all(np.isfinite(part).all() for part in rhythm_of(values).values())


@pytest.mark.parametrize("padding", [1, 70])
def test_padding_is_harmless(padding):
    values = torch.from_numpy(noise()).float()[None]
    padded = torch.cat([values, torch.full((1, padding, 60), torch.nan)], dim=1)
    length = torch.tensor([values.shape[1]])
    alone, batched = (describe_notes(x, length, AXES)["functionals"] for x in (values, padded))
    torch.testing.assert_close(alone, batched, atol=1e-4, rtol=1e-5)
