"""Augmentation, against closed forms and spectrograms of sounds that were really changed."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone

from sknote import LabelHierarchy, NoteClassifier, Spectrogram
from sknote.nn import SpectrogramAugment
from sknote.nn.training import _augment as augment_module
from sknote.nn.training._effects import (
    add_noise_floor,
    change_level,
    mask_bands,
    mask_time,
    shift_pitch,
    stretch_time,
)
from sknote.spectral import SpectralAxes

RATE = 22050
OFF = {
    "semitones": 0,
    "stretch": 0.0,
    "level_db": 0.0,
    "noise_db": 0.0,
    "band_mask": 0.0,
    "time_mask": 0.0,
    "probability": 0.5,
}


def mel_axes(n_bins):
    return SpectralAxes("mel", n_bins=n_bins)


def notes(n_notes=6, n_frames=50, n_bins=64):
    generator = torch.Generator().manual_seed(0)
    lengths = torch.linspace(2, n_frames, n_notes).long()
    return -40 + 10 * torch.randn(n_notes, n_frames, n_bins, generator=generator), lengths


@pytest.mark.parametrize("semitones", [-12, -2, -1, 0, 1, 2, 12])
def test_a_smooth_spectrum_moves_by_its_closed_form(semitones):
    axes = mel_axes(256)
    frequencies = axes.frequencies

    def spectrum(hz):
        return np.exp(-((np.log2(hz / 2000)) ** 2))

    values = torch.from_numpy(spectrum(frequencies))[None, None]
    moved = shift_pitch(values, torch.tensor([float(semitones)]), axes)
    expected = spectrum(frequencies * 2 ** (-semitones / 12))
    inside = (frequencies > 400) & (frequencies < 6000)
    np.testing.assert_allclose(moved[0, 0, inside], expected[inside], atol=2e-3)


@pytest.mark.parametrize("scale", ["log", "mel", "linear"])
@pytest.mark.parametrize("semitones", [-2, -1, 1, 2])
def test_a_shift_is_nearly_the_spectrogram_of_the_other_pitch(scale, semitones):
    def tone(hz):
        time = np.arange(RATE // 2) / RATE
        return 0.3 * sum(np.sin(2 * np.pi * hz * k * time) / k for k in range(1, 6))

    spectrogram = Spectrogram(scale=scale, n_fft=4096 if scale == "log" else 2048)
    before = spectrogram.fit_transform([tone(440)])[0][10:-10]
    after = spectrogram.transform([tone(440 * 2 ** (semitones / 12))])[0][10:-10]
    steps = torch.tensor([float(semitones)])
    moved = shift_pitch(torch.from_numpy(before)[None], steps, spectrogram.axes)[0].numpy()
    peaks = after > after.max() - 40  # what lies below are the side lobes of the window
    assert np.abs(moved - after)[peaks].mean() < np.abs(before - after)[peaks].mean() / 3
    assert np.abs(moved.argmax(axis=1) - after.argmax(axis=1)).max() <= 1


@pytest.mark.parametrize("semitones", [-3, -1, 0, 2])
def test_on_a_logarithmic_axis_a_shift_moves_the_pattern_by_whole_bins(semitones):
    """A semitone is two quarter tones; the edge is repeated."""
    values = torch.randn(1, 5, 100)
    moved = shift_pitch(values, torch.tensor([float(semitones)]), SpectralAxes(n_bins=100))
    source = (torch.arange(100) - 2 * semitones).clamp(0, 99)
    torch.testing.assert_close(moved, values[:, :, source], atol=1e-5, rtol=0)


def test_each_note_moves_by_its_own_interval():
    values, _ = notes()
    axes = mel_axes(64)
    semitones = torch.tensor([0.0, 1.0, -2.0, 0.0, 2.0, 1.0])
    together = shift_pitch(values, semitones, axes)
    for row in range(6):
        one = slice(row, row + 1)
        alone = shift_pitch(values[one], semitones[one], axes)
        torch.testing.assert_close(together[one], alone)
    torch.testing.assert_close(together[0], values[0], atol=1e-4, rtol=0)
    torch.testing.assert_close(together[3], values[3], atol=1e-4, rtol=0)


def test_a_shift_of_a_single_bin_changes_nothing():
    values = torch.randn(2, 5, 1)
    moved = shift_pitch(values, torch.tensor([1.0, -1.0]), mel_axes(1))
    torch.testing.assert_close(moved, values)


@pytest.mark.parametrize("rate", [0.5, 0.9, 1.0, 1.1, 2.0])
def test_a_stretch_has_its_length_and_its_times(rate):
    lengths = torch.tensor([1, 2, 37, 100])
    ramp = torch.arange(100.0).repeat(4, 1)[:, :, None]  # a frame holds its own time
    values, new = stretch_time(ramp, lengths, torch.full((4,), rate, dtype=torch.float64))
    assert new.tolist() == [max(1, round(length / rate)) for length in lengths.tolist()]
    assert values.shape == (4, max(new), 1)
    for row, (length, n) in enumerate(zip(lengths.tolist(), new.tolist())):
        expected = np.minimum(np.arange(n) * rate, length - 1)
        np.testing.assert_allclose(values[row, :n, 0], expected, atol=1e-5)


@pytest.mark.parametrize("floor", [-80.0, -40.0, 0.0])
def test_noise_adds_power(floor):
    values, _ = notes(2)
    noisy = add_noise_floor(values.double(), torch.full((len(values),), floor).double())
    expected = 10 * np.log10(10 ** (values.double().numpy() / 10) + 10 ** (floor / 10))
    np.testing.assert_allclose(noisy, expected, rtol=1e-9, atol=1e-12)


def test_level_adds_decibels():
    values, _ = notes(2)
    changed = change_level(values, torch.tensor([3.0, -1.5]))
    torch.testing.assert_close(changed[0], values[0] + 3)
    torch.testing.assert_close(changed[1], values[1] - 1.5)


def test_masks_hide_what_they_should():
    values, _ = notes(2, n_frames=5, n_bins=4)
    fill = torch.tensor([1.0, 2.0, 3.0, 4.0])
    bands = mask_bands(values, torch.tensor([1, 0]), torch.tensor([2, 0]), fill)
    assert torch.equal(bands[0, :, 1:3], fill[1:3].expand(5, 2))
    assert torch.equal(bands[0, :, ::3], values[0, :, ::3])
    assert torch.equal(bands[1], values[1])
    time = mask_time(values, torch.tensor([3, 0]), torch.tensor([2, 0]), fill)
    assert torch.equal(time[0, 3:], fill.expand(2, 4))
    assert torch.equal(time[0, :3], values[0, :3])
    assert torch.equal(time[1], values[1])


def test_all_effects_off_change_nothing():
    values, lengths = notes()
    out, new = SpectrogramAugment(**OFF)(values, lengths, random_state=0)
    assert torch.equal(new, lengths)
    for row, n in enumerate(lengths):
        assert torch.equal(out[row, :n], values[row, :n])


def changed_rows(params, labels=None, n_notes=200, seed=0):
    values, _ = notes(n_notes)
    lengths = torch.full((n_notes,), 50)
    augment = SpectrogramAugment(**OFF | params)
    out, new = augment(values, lengths, labels, random_state=seed)
    return np.array(
        [
            n != 50 or not torch.allclose(out[row, :50], values[row, :50], atol=1e-3)
            for row, n in enumerate(new)
        ]
    )


@pytest.mark.parametrize(
    ("params", "share"),
    [
        ({"semitones": 1}, 0.5 * 2 / 3),  # a third of the shifts is by nothing
        ({"stretch": 0.5}, 0.5),
        ({"level_db": 6.0}, 0.5),
        ({"noise_db": 60.0}, 0.5),
        ({"noise_db": 60.0, "probability": 1.0}, 1.0),
        ({"level_db": 6.0, "probability": 0.0}, 0.0),
        ({"band_mask": 0.5}, 32 / 33),
        ({"time_mask": 1.0}, 49 / 50),
    ],
)
def test_each_effect_alone_with_its_probability(params, share):
    changed = changed_rows(params)
    margin = 4 * np.sqrt(share * (1 - share) / len(changed))
    assert abs(changed.mean() - share) <= margin


DYNAMICS = LabelHierarchy.philharmonia().orders["dynamic"]
PROTECTED = {
    "semitones": [],
    "stretch": [],
    "level_db": [
        "bad-dynamics-stability",
        *(f"arco/{dynamic}" for dynamic in DYNAMICS),
        "bad-x-decrescendo",
        "arco/diminuendo",
    ],
    "noise_db": ["bad-attack-air", "air-outside"],
    "band_mask": [],
    "time_mask": ["bad-attack-tongue", "bad-attack-air"],
}
SIZES = {
    "semitones": 2,
    "stretch": 0.5,
    "level_db": 6.0,
    "noise_db": 60.0,
    "band_mask": 0.5,
    "time_mask": 1.0,
}


@pytest.mark.parametrize("effect", SIZES)
def test_labels_that_an_effect_would_make_wrong_are_protected(effect):
    labels = sorted({label for some in PROTECTED.values() for label in some} | {"good-sound"})
    drawn = labels * 40
    changed = changed_rows({effect: SIZES[effect], "probability": 1.0}, drawn, len(drawn))
    for label in labels:
        rows = [row for row, name in enumerate(drawn) if name == label]
        assert changed[rows].any() != (label in PROTECTED[effect]), label


def test_the_table_of_protected_labels_can_be_set():
    labels = ["vibrato", "good"] * 50
    params = {"stretch": 0.5, "probability": 1.0, "protect": {"stretch": ("vibrato",)}}
    changed = changed_rows(params, labels, 100)
    assert not changed[::2].any()
    assert changed[1::2].all()
    params = {"level_db": 6.0, "probability": 1.0, "protect": {}}
    assert changed_rows(params, ["bad-dynamics"] * 20, 20).all()


def test_an_unknown_effect_is_named():
    augment = SpectrogramAugment(protect={"volume": ("forte",)})
    with pytest.raises(ValueError, match=r"the effects \['volume'\]; expected some of .*'level'"):
        augment(*notes())


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"semitones": 1.5}, "'semitones' parameter of SpectrogramAugment must be an int"),
        ({"stretch": -2.0}, "'stretch' parameter"),
        ({"level_db": np.nan}, "'level_db' parameter"),
        ({"noise_db": -1.0}, "'noise_db' parameter"),
        ({"band_mask": 1.5}, "'band_mask' parameter"),
        ({"time_mask": -0.1}, "'time_mask' parameter"),
        ({"probability": 2.0}, "'probability' parameter"),
        ({"protect": {"level": "dynamics"}}, r"single string 'dynamics'. Write \('dynamics',\)"),
    ],
)
def test_parameters_are_checked(params, message):
    with pytest.raises(ValueError, match=message):
        SpectrogramAugment(**params)(*notes())


def test_shifts_are_whole_semitones_within_their_size(monkeypatch):
    seen = []

    def spy(values, semitones, axes):
        seen.extend(semitones.tolist())
        return values

    monkeypatch.setattr(augment_module, "shift_pitch", spy)
    changed_rows({"semitones": 2, "probability": 1.0}, n_notes=500)
    assert set(seen) == {-2.0, -1.0, 0.0, 1.0, 2.0}


def test_sizes_are_kept_within():
    values, lengths = torch.full((500, 50, 8), -40.0), torch.full((500,), 50)
    level = SpectrogramAugment(**OFF | {"level_db": 3.0, "probability": 1.0})
    gains = (level(values, lengths, random_state=0)[0] + 40)[:, 0, 0]
    assert gains.abs().max() <= 3
    assert gains.min() < -2.5
    assert gains.max() > 2.5
    stretch = SpectrogramAugment(**OFF | {"stretch": 0.2, "probability": 1.0})
    new = stretch(values, lengths, random_state=0)[1]
    assert new.min() == round(50 / 1.2)
    assert new.max() == round(50 * 1.2)
    hide = SpectrogramAugment(**OFF | {"time_mask": 0.2})
    marked = torch.cat([torch.zeros(500, 50, 1), values[:, :, 1:]], dim=2)
    marked[:, :, 1:] += torch.arange(50)[:, None]
    out = hide(marked, lengths, random_state=0)[0]
    hidden = (out != marked).any(dim=2).sum(dim=1)
    assert hidden.max() <= 10
    assert hidden.max() >= 8


def test_noise_is_relative_to_the_peak_of_the_note_not_of_the_padding():
    values, lengths = torch.zeros(2, 50, 8), torch.tensor([50, 10])
    values[0] = -100.0
    values[1, :10] = -100.0  # the padding is at 0 dB
    augment = SpectrogramAugment(**OFF | {"noise_db": 20.0, "probability": 1.0})
    out, _ = augment(values, lengths, random_state=0)
    assert out[1, :10].max() < -90


@pytest.mark.parametrize("n_notes", [1, 3])
def test_notes_of_a_single_frame_are_left_alone(n_notes):
    values, _ = notes(n_notes)
    lengths = torch.ones(n_notes, dtype=torch.long)
    if n_notes > 1:
        lengths[0] = 50
    for seed in range(20):
        out, new = SpectrogramAugment(noise_db=20.0, probability=1.0)(
            values, lengths, random_state=seed
        )
        assert new[-1] == 1
        torch.testing.assert_close(out[-1, 0], values[-1, 0], atol=1e-4, rtol=0)


def test_the_same_seed_gives_the_same_and_another_another():
    values, lengths = notes()
    augment = SpectrogramAugment(noise_db=20.0)
    first, second, third = (augment(values, lengths, random_state=seed)[0] for seed in (1, 1, 2))
    assert torch.equal(first, second)
    assert first.shape != third.shape or not torch.equal(first, third)


def test_the_input_is_not_changed():
    values, lengths = notes()
    before = values.clone(), lengths.clone()
    SpectrogramAugment(noise_db=20.0, probability=1.0)(values, lengths, random_state=0)
    assert torch.equal(values, before[0])
    assert torch.equal(lengths, before[1])


def test_numbers_of_numpy_are_those_of_python():
    values, lengths = notes(n_bins=200)  # more bins than the narrowest integers count
    plain = {"semitones": 2, "band_mask": 1, "time_mask": 1, "noise_db": 20}
    numpys = {name: np.int8(value) for name, value in plain.items()}
    one, other = (
        SpectrogramAugment(**how)(values, lengths, random_state=0) for how in (plain, numpys)
    )
    assert torch.equal(one[0], other[0])
    assert torch.equal(one[1], other[1])


@pytest.mark.parametrize("n_bins", [1, 2, 3, 64, 257])
@pytest.mark.parametrize("scale", ["log", "mel", "linear"])
def test_any_number_of_bins_stays_finite(n_bins, scale):
    values, lengths = notes(n_bins=n_bins)
    for seed in range(5):
        out, new = SpectrogramAugment(noise_db=20.0, probability=1.0)(
            values, lengths, axes=SpectralAxes(scale, n_bins=n_bins), random_state=seed
        )
        assert torch.isfinite(out).all()
        assert (new >= 1).all()
        assert out.shape[1] >= new.max()


def test_it_is_an_estimator_with_parameters():
    augment = SpectrogramAugment(semitones=1, protect={"noise": ("air",)})
    assert clone(augment).get_params() == augment.get_params()
    assert pickle.loads(pickle.dumps(augment)).get_params() == augment.get_params()
    assert "SpectrogramAugment(protect=" in repr(augment)
    bound = augment.bind(["air", "good"], SpectralAxes())
    assert bound is not augment
    assert not hasattr(augment, "allowed_")
    assert bound.allowed_["noise"].tolist() == [False, True]


def test_nothing_is_augmented_at_predict(monkeypatch):
    X = [np.random.default_rng(i).normal(size=(20, 4)) for i in range(8)]
    small = {"n_profiles": 2, "n_cepstra": 1, "channels": 8, "n_members": 4, "width": 32}
    classifier = NoteClassifier(max_epochs=1, module_params=small, random_state=0)
    calls = []
    original = SpectrogramAugment.apply

    def spy(self, *args, **params):
        calls.append(1)
        return original(self, *args, **params)

    monkeypatch.setattr(SpectrogramAugment, "apply", spy)
    classifier.fit(X, ["a", "b"] * 4)
    assert calls
    calls.clear()
    first = classifier.predict_proba(X)
    np.testing.assert_array_equal(first, classifier.predict_proba(X))
    assert not calls
