"""What recordings do to notes, against closed forms and sounds that were really changed."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from skorch.callbacks import Callback

from sknote import NoteClassifier, Spectrogram
from sknote.datasets import make_notes
from sknote.nn import NoteNetwork, RecordingAugment, SpectrogramAugment
from sknote.nn.training._draws import Draws
from sknote.nn.training._recording_effects import (
    add_noise,
    add_reverberation,
    calibrate,
    clip,
    code,
    equalize,
    shaped_noise,
    surround,
    truncate,
)
from sknote.spectral import SpectralAxes
from sknote.spectral._sounding import frame_levels

RATE, HOP = 22050, 512
AXES = SpectralAxes()
FREQUENCIES = AXES.frequencies
SMALL = {"n_profiles": 1, "n_cepstra": 1, "channels": 8, "n_members": 4, "width": 32}
NEVER = dict.fromkeys(
    ("noise", "hum", "room", "microphone", "band", "codec", "gain", "silence", "cut"), 0.0
)


def one(value):
    return torch.tensor([value])


def spectrogram(waveform):
    values = Spectrogram().transform([np.asarray(waveform, np.float32)])[0]
    return torch.from_numpy(values)[None], torch.tensor([len(values)])


def tone(seconds=1.0, hz=440.0, level=0.3):
    time = np.arange(int(seconds * RATE)) / RATE
    return level * sum(np.sin(2 * np.pi * hz * k * time) / k for k in range(1, 8))


def recorder(labels=("good-sound",), **params):
    return RecordingAugment(**NEVER | params).bind(labels, AXES)


def record(recorder, values, lengths, seed=0, target=0):
    target = torch.full((len(lengths),), target)
    return recorder.record(values, lengths, target, seed)


def test_silence_is_what_windows_see_across_the_edges():
    waveform = tone()[: 40 * HOP]
    tight, lengths = spectrogram(waveform)
    padded, _ = spectrogram(np.concatenate([np.zeros(9 * HOP), waveform, np.zeros(7 * HOP)]))
    ours, n_frames = surround(tight, lengths, one(9), one(7))
    assert n_frames.tolist() == [padded.shape[1]]
    assert torch.equal(ours[:, 9 : 9 + int(lengths)], tight)
    level = [values[0].exp().sum(dim=1).log() for values in (padded / 4.343, ours / 4.343)]
    for frame in (7, 8):  # those whose windows reach into the note
        assert 4.343 * abs(level[0][frame] - level[1][frame]) < 3.0
    assert (ours[0, :5] < tight.min() - 60).all()


@pytest.mark.parametrize("seconds", [0.2, 0.8])
@pytest.mark.parametrize("gain_db", [-10.0, 0.0])
def test_a_room_decays_by_60_dB_in_its_time(seconds, gain_db):
    power = torch.zeros(1, 200, 200)
    power[0, 0] = 1.0
    gain = 10 ** (gain_db / 10)
    out = add_reverberation(power, one(seconds), one(gain), torch.ones(1, 200), AXES)
    low = int(np.searchsorted(FREQUENCIES, 900.0))  # higher ones are damped more
    tail = out[0, 1:, low].double().log10() * 10
    slope = float(tail[20] - tail[10]) / (10 / AXES.frame_rate)
    assert slope == pytest.approx(-60.0 / seconds, rel=0.01)
    assert float(out[0, :, low].sum()) - 1.0 == pytest.approx(gain, rel=0.02)
    assert out[0, 30, -1] < out[0, 30, low]


@pytest.mark.parametrize("order", [1.0, 2.0, 4.0])
def test_band_limits_are_those_of_butterworth_filters(order):
    flat = torch.zeros(1, 5)
    response = equalize(flat, one(300.0), one(order), one(1e6), one(1.0), AXES)[0]
    expected = 1 / (1 + (300.0 / FREQUENCIES) ** (2 * order))
    np.testing.assert_allclose(response.numpy(), expected, rtol=1e-3)
    response = equalize(flat, one(1e-3), one(1.0), one(4000.0), one(order), AXES)[0]
    expected = 1 / (1 + (FREQUENCIES / 4000.0) ** (2 * order))
    np.testing.assert_allclose(response.numpy(), expected, rtol=1e-3)


def test_ripples_are_cosines_in_decibels():
    ripples = torch.tensor([[3.0, 0.0, 0.0, 0.0, 1.0]])
    response = equalize(ripples, one(1e-3), one(1.0), one(1e6), one(1.0), AXES)[0]
    place = np.linspace(0, np.pi, 200)
    expected = 3 * np.cos(place) + np.cos(5 * place)
    np.testing.assert_allclose(10 * response.log10().numpy(), expected, atol=0.01)


@pytest.mark.parametrize(("tilt", "exponent"), [(0.0, 0.0), (-3.0103, -1.0), (-6.0206, -2.0)])
def test_noise_is_that_of_a_waveform(tilt, exponent):
    rng = np.random.default_rng(0)
    spectrum = np.fft.rfft(rng.standard_normal(20 * RATE))
    frequencies = np.fft.rfftfreq(20 * RATE, 1 / RATE)
    spectrum[1:] *= frequencies[1:] ** (exponent / 2)
    real, _ = spectrogram(np.fft.irfft(spectrum))
    real = (10 ** (real[0] / 10)).mean(dim=0)
    ours = shaped_noise(one(100), 300, one(tilt), AXES)
    assert float(ours.sum(dim=2).mean()) == pytest.approx(1.0, rel=1e-3)
    ratio = 10 * (ours[0].mean(dim=0) / (real / real.sum())).log10()
    middle = ratio[24:180]  # below, windows are wide and the tilt within one counts
    assert middle.abs().max() < 3.0
    assert middle.mean().abs() < 1.0


def test_clipping_leaves_what_is_soft_and_adds_odd_partials():
    values, _ = spectrogram(0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE))
    power = 10 ** (values / 10)
    limit = calibrate(AXES)[1]
    assert torch.equal(clip(power, torch.tensor(limit), AXES), power)
    clipped = clip(power * 100, torch.tensor(limit), AXES)
    assert float(clipped[0, 20].sum()) < float(power[0, 20].sum()) * 20
    third = round(float(AXES.positions(np.array(1320.0))))
    assert clipped[0, 20, third] > 100 * power[0, 20, third] * 5


def test_a_codec_loses_what_is_masked_and_what_is_high():
    power = torch.full((1, 3, 200), 1e-4)
    power[0, :, 100] = 1.0
    out = code(power, one(1e-2), one(1e-3), one(0.0), one(0), one(1e6), AXES)
    assert out[0, 0, 100] == 1.0
    assert out[0, 0, 90] == pytest.approx(1e-7)
    assert out[0, 0, 60] == pytest.approx(1e-4)
    out = code(power, one(0.0), one(1.0), one(0.0), one(0), one(4000.0), AXES)
    lost = out[0, 0].numpy() < 1e-9
    np.testing.assert_array_equal(lost, FREQUENCIES > 4000.0)


def test_a_codec_rounds_to_noise_that_follows_the_spectrum():
    power = torch.full((1, 400, 200), 1e-9)
    power[0, :, 100] = 1.0
    out = code(power, one(0.0), one(1.0), one(1e-4), one(7), one(1e6), AXES)
    added = (out - power)[0].mean(dim=0)
    distance = abs(torch.arange(200) - 100)
    near = (distance <= 12) & (distance > 0)
    np.testing.assert_allclose(10 * added[near].log10().numpy(), -40.0, atol=1.0)
    assert added[distance > 12].max() < 1e-11


def test_without_effects_a_variant_is_the_note_itself():
    values, lengths = spectrogram(tone())
    varied, n_frames = record(recorder(), values, lengths)
    assert n_frames.tolist() == lengths.tolist()
    torch.testing.assert_close(varied[:, : int(lengths)], values, rtol=0, atol=2e-3)


@pytest.mark.parametrize("gain_db", [-15.0, 4.0])
def test_a_gain_is_that_of_a_waveform(gain_db):
    values, lengths = spectrogram(tone(level=0.05))
    expected, _ = spectrogram(tone(level=0.05) * 10 ** (gain_db / 20))
    varied, _ = record(recorder(gain=1.0, gain_db=(gain_db, gain_db)), values, lengths)
    floor = -95.0  # where there is nothing, a gain leaves nothing
    torch.testing.assert_close(
        varied.clamp_min(floor), expected.clamp_min(floor), rtol=0, atol=0.01
    )


def test_no_gain_makes_silence_louder():
    loud = tone(0.5, level=0.05)
    values, lengths = spectrogram(np.concatenate([loud, np.zeros(8 * HOP)]))
    expected, _ = spectrogram(np.concatenate([2 * loud, np.zeros(8 * HOP)]))
    assert (values <= -99.9).any()
    louder = recorder(gain=1.0, gain_db=(6.0206, 6.0206))
    varied, n_frames = record(louder, values, lengths)
    n = int(n_frames)
    torch.testing.assert_close(varied[:, :n], expected[:, :n], rtol=0, atol=6.03)
    far = expected[:, :n] <= -99.9
    assert far.any() and (varied[:, :n][far] <= -99.9).all()


@pytest.mark.parametrize("snr_db", [20.0, 40.0])
def test_noise_is_as_loud_as_it_says(snr_db):
    values, lengths = spectrogram(tone())
    noisy = recorder(noise=1.0, snr_db=(snr_db, snr_db), microphone=0.0)
    many = values.expand(200, -1, -1), lengths.expand(200)  # sound and noise interfere by chance
    varied, _ = record(noisy, *many)
    power = [10 ** (each / 10) for each in (varied, values)]
    added = float((power[0] - power[1]).sum(dim=2).mean())
    assert 10 * np.log10(float(power[1].sum(dim=2).mean()) / added) == pytest.approx(snr_db, abs=2)


def test_noise_interferes_with_sound_as_waveforms_do():
    rng = np.random.default_rng(0)
    sound = np.sin(2 * np.pi * 440 * np.arange(10 * RATE) / RATE)
    noise = rng.standard_normal(10 * RATE)
    (whole, tonal, noisy) = (spectrogram(x)[0] for x in (sound + noise, sound, noise))
    power = [10 ** (values[:, 8:-8] / 10) for values in (tonal, noisy, whole)]
    ours = add_noise(*power[:2], one(3), AXES)
    middle = int(AXES.positions(np.array(440.0)))
    for places in (slice(middle - 1, middle + 2), slice(middle + 3, middle + 8)):
        levels = [10 * each[0, :, places].log10() for each in (ours, power[2])]
        for tell in (torch.mean, torch.std):
            assert tell(levels[0]) == pytest.approx(float(tell(levels[1])), abs=0.8)
        assert (levels[0].diff(dim=0).abs().mean() / levels[1].diff(dim=0).abs().mean()) < 1.5
    # to add powers alone would be too steady
    flat = 10 * (power[0] + power[1])[0, :, middle].log10()
    assert flat.std() < 0.7 * (10 * power[2][0, :, middle].log10()).std()


def test_a_cut_keeps_the_beginning():
    values, lengths = spectrogram(tone())
    for seed in range(5):
        varied, n_frames = record(recorder(cut=1.0), values, lengths, seed)
        assert int(lengths) // 2 <= int(n_frames) <= int(lengths)
        n = int(n_frames) - 4  # before windows see the edge
        torch.testing.assert_close(varied[:, :n], values[:, :n], rtol=0, atol=0.1)


@pytest.mark.parametrize("hz", [110.0, 440.0, 1661.2])
@pytest.mark.parametrize("scale", ["log", "mel"])
def test_what_is_cut_off_fades_and_spreads_as_a_waveform_does(hz, scale):
    front = Spectrogram(scale=scale)
    hop = {"log": HOP, "mel": 256}[scale]
    n_samples = 30 * hop + hop // 2  # frame 30 is the last one before the end
    time = np.arange(60 * hop) / RATE
    rng, whole, real = np.random.default_rng(0), 0.0, 0.0
    for _ in range(24):  # what windows see of an edge depends on phases
        phases = rng.uniform(0, 2 * np.pi, 7)
        waveform = sum(
            0.3 * np.sin(2 * np.pi * hz * k * time + phases[k - 1]) / k for k in range(1, 8)
        ).astype(np.float32)
        both = front.fit_transform([waveform, np.where(time < n_samples / RATE, waveform, 0)])
        whole, real = (
            total + 10 ** (torch.from_numpy(each)[None] / 10) / 24
            for total, each in zip((whole, real), both)
        )
    assert front.axes.hop_length == hop
    stopped = whole.clone()
    stopped[:, 31:] = 0.0
    ours = truncate(stopped, torch.tensor([30]), front.axes)

    def decibels(power):
        return 10 * power[0, 27:33].clamp_min(1e-10).log10()

    torch.testing.assert_close(ours[:, :26], whole[:, :26], rtol=0.02, atol=0)
    heard = torch.maximum(decibels(real), decibels(ours)) > decibels(whole).max() - 60.0
    error = (decibels(ours) - decibels(real))[heard]
    assert error.mean().abs() < 1.5 and error.abs().mean() < 2.5
    # frames that merely end are further off
    assert (decibels(stopped) - decibels(real))[heard].abs().mean() > 3 * error.abs().mean()


def test_effects_come_together_or_one_alone():
    shares = {"noise": 0.6, "room": 0.3, "gain": 0.1}
    for together in (0.0, 1.0):
        chosen = Draws(0, 20_000).choose(shares, together)
        number = sum(values.long() for values in chosen.values())
        assert number.unique().tolist() == ([1] if together == 0 else [0, 1, 2, 3])
        for name, share in shares.items():
            assert float(chosen[name].float().mean()) == pytest.approx(share, abs=0.015)
    # shares of those that have one: they need not add up to 1
    chosen = Draws(1, 20_000).choose({"noise": 0.9, "room": 0.9}, 0.0)
    assert float(chosen["room"].float().mean()) == pytest.approx(0.5, abs=0.015)
    assert not Draws(2, 100).choose({"noise": 0.0}, 0.0)["noise"].any()


@pytest.mark.parametrize(
    ("effect", "label"),
    [
        ("cut", "bad-dynamics-stability-crescendo"),
        ("cut", "a/release"),
        ("cut", "bad-air-end"),
        ("noise", "air-inside"),
    ],
)
def test_labels_that_an_effect_would_make_untrue_are_left_alone(effect, label):
    values, lengths = spectrogram(tone())
    params = {effect: 1.0, "snr_db": (20.0, 20.0)}
    classes = sorted(["good-sound", label])
    bound = recorder(classes, **params)
    for name, is_changed in (("good-sound", True), (label, False)):
        varied, n_frames = record(bound, values, lengths, 1, classes.index(name))
        n = min(int(n_frames), int(lengths))
        same = n == int(lengths) and bool((varied[:, :n] - values[:, :n]).abs().max() < 0.01)
        assert same != is_changed


@pytest.mark.parametrize("scale", ["log", "mel", "linear"])
@pytest.mark.parametrize("make", [RecordingAugment, RecordingAugment.studio])
def test_any_note_has_finite_variants(scale, make):
    front = Spectrogram(scale=scale)
    waveforms = [tone(s) for s in (0.05, 0.3, 1.2)] + [np.zeros(3000), 1e-4 * tone(0.2)]
    notes = front.fit_transform([np.asarray(one, np.float32) for one in waveforms])
    lengths = torch.tensor([len(note) for note in notes])
    batch = torch.zeros(len(notes), int(lengths.max()), notes[0].shape[1])
    for row, note in enumerate(notes):
        batch[row, : len(note)] = torch.from_numpy(note)
    bound = make().bind(["good-sound"], front.axes)
    for seed in range(6):
        values, n_frames = record(bound, batch, lengths, seed)
        assert torch.isfinite(values).all() and (values >= -100.01).all()
        assert (n_frames >= 1).all() and (n_frames <= values.shape[1]).all()
        again, _ = record(bound, batch, lengths, seed)
        assert torch.equal(values, again)


@pytest.fixture(scope="module")
def data():
    labels = ["good-sound", "bad-richness", "bad-attack"]
    notes = make_notes(45, labels=labels, duration_range=(0.3, 0.6), random_state=0)
    return Spectrogram().fit_transform(notes.data), notes.target


def fit(data, **params):
    defaults = {"module_params": SMALL, "max_epochs": 2, "random_state": 0}
    return NoteClassifier(**defaults | params).fit(*data)


def test_as_it_is_alone_is_no_recording_at_all(data):
    recorded = fit(data, augment=RecordingAugment(as_it_is=1.0)).predict_proba(data[0])
    plain = fit(data, augment=SpectrogramAugment()).predict_proba(data[0])
    np.testing.assert_array_equal(recorded, plain)
    practice = fit(data, augment="practice").predict_proba(data[0])
    assert np.abs(practice - plain).max() > 1e-3


def test_there_are_fewer_variants_of_more_notes():
    augment = RecordingAugment(n_variants=6)
    assert [augment.count_variants(n) for n in (1, 8_000, 10_000, 80_000)] == [6, 6, 5, 1]
    assert max(n * augment.count_variants(n) for n in range(1, 50_000, 99)) <= 50_000


@pytest.mark.parametrize("augment", ["auto", "practice"])
def test_names_stand_for_augmentations_and_a_seed_for_a_model(data, augment):
    own = RecordingAugment.studio() if augment == "auto" else RecordingAugment()
    found = fit(data, augment=augment).predict_proba(data[0])
    np.testing.assert_array_equal(found, fit(data, augment=own).predict_proba(data[0]))
    other = fit(data, augment=augment, n_threads=1).predict_proba(data[0])
    np.testing.assert_allclose(found, other, atol=1e-4)


class Scaled(NoteNetwork):
    """A network whose description has numbers of every size."""

    looks_at = "description"
    scales = {"usual": 1.0, "large": 1e6, "small": 1e-9, "none": 0.0}

    def __init__(self, num_instruments, num_classes):
        super().__init__()
        self.layer = torch.nn.Linear(1, num_classes)

    @classmethod
    def describe(cls, spectrogram, lengths, axes):
        mean = spectrogram.mean(dim=(1, 2))[:, None]
        return {name: scale * mean for name, scale in cls.scales.items()}

    def forward(self, instrument, **parts):
        return self.layer(parts["usual"])


def test_variants_are_kept_in_half_the_memory_where_nothing_is_lost_by_it(data):
    class Keeper(Callback):
        def on_train_begin(self, net, X=None, **kwargs):
            self.data = X

    def train(augment):
        keeper = Keeper()
        fit(data, module=Scaled, module_params=None, augment=augment, callbacks=[keeper])
        return keeper.data

    notes = train(RecordingAugment(**NEVER, n_variants=2))  # nothing happens to them
    assert len(notes.variants) == 2
    for variant in notes.variants:
        types = {name: str(values.dtype)[6:] for name, values in variant.items()}
        single = {"large": "float32", "small": "float32"}
        assert types == {"usual": "float16", "none": "float16"} | single
        for name, values in variant.items():
            np.testing.assert_allclose(values.float(), notes.description[name], rtol=1e-3)
    for variant in train("practice").variants:
        assert all(values.isfinite().all() for values in variant.values())


def test_networks_on_frames_hear_other_recordings_too(data):
    params = {"module": "starter", "module_params": None, "max_epochs": 1}
    practice, plain = (
        fit(data, augment=augment, **params).predict_proba(data[0])
        for augment in (RecordingAugment(as_it_is=0.0), SpectrogramAugment())
    )
    assert np.isfinite(practice).all() and np.abs(practice - plain).max() > 1e-4
    again = fit(data, augment=RecordingAugment(as_it_is=0.0), **params).predict_proba(data[0])
    np.testing.assert_array_equal(practice, again)


def test_frames_without_level_have_none_in_other_recordings_either(data):
    class Loudest(Callback):
        seen = ()

        def on_batch_begin(self, net, batch=None, training=None, **kwargs):
            levels = frame_levels(batch[0]["spectrogram"] * scale + mean)[2].amax(dim=1)
            self.seen = [*self.seen, *levels.tolist()]

    plain = fit(data, module="starter", module_params=None, level="relative", max_epochs=1)
    mean, scale = (
        torch.as_tensor(one["spectrogram"]).float() for one in (plain.mean_, plain.scale_)
    )
    loudest = Loudest()
    params = {"module": "starter", "module_params": None, "max_epochs": 1, "callbacks": [loudest]}
    fit(data, augment=RecordingAugment(0, 0.0, as_it_is=0.0), level="relative", **params)
    assert len(loudest.seen) == 45
    np.testing.assert_allclose(loudest.seen, 0.0, atol=0.5)


@pytest.mark.parametrize("pair", [(9.0, 1.0), (1.0,), 3.0, ("a", "b")])
@pytest.mark.parametrize("name", ["snr_db", "gain_db"])
def test_ranges_that_are_none_are_refused(data, name, pair):
    message = f"{name} to be two numbers|parameter of RecordingAugment"
    with pytest.raises(ValueError, match=message):
        fit(data, augment=RecordingAugment(**{name: pair}))


@pytest.mark.parametrize("normalize", ["note", "band"])
def test_normalized_spectrograms_are_no_decibels(data, normalize):
    own = RecordingAugment(semitones=2, protect={"cut": ("a",), "pitch": ("bad",)})
    assert own.for_notes(list(data[0]["audio"])) is own
    notes = make_notes(45, labels=["good-sound", "bad-attack"], random_state=0)
    X = Spectrogram(normalize=normalize).fit_transform(notes.data)
    plain = own.for_notes(list(X["audio"]))
    assert type(plain) is SpectrogramAugment and plain.semitones == 2
    assert plain.protect == {"pitch": ("bad",)}
    with pytest.warns(UserWarning, match="augment='practice' makes no other recordings"):
        found = fit((X, notes.target), augment="practice").predict_proba(X)
    expected = fit((X, notes.target), augment=SpectrogramAugment()).predict_proba(X)
    np.testing.assert_array_equal(found, expected)


def test_it_is_an_estimator_as_others_are():
    augment = RecordingAugment(codec=0.0)
    assert clone(augment).get_params() == augment.get_params()
    with pytest.raises(ValueError, match="RecordingAugment: protect names the effects"):
        RecordingAugment(protect={"reverb": ("a",)}).bind(["a"], AXES)
    assert RecordingAugment.studio(semitones=2).semitones == 2
