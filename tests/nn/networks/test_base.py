"""What a network says of itself, and what it is given."""

import functools
import pickle

import numpy as np
import pytest
import torch
from toys import toy

from sknote import NoteClassifier, Spectrogram
from sknote.datasets import make_notes
from sknote.nn import CompactNet, NoteNetwork, SpectrogramAugment
from sknote.nn.networks import inputs_of, standardize, traits_of
from sknote.spectral import SpectralAxes

AXES = SpectralAxes(n_bins=8)


class Profile(NoteNetwork):
    """A network that looks at a description: a mean spectrum, and the length in seconds."""

    looks_at = "description"

    def __init__(self, num_instruments, num_classes, axes):
        super().__init__()
        self.layer = torch.nn.Linear(axes.n_bins + 1, num_classes)

    @staticmethod
    def describe(spectrogram, lengths, axes):
        inside = torch.arange(spectrogram.shape[1]) < lengths[:, None]
        mean = (spectrogram * inside[:, :, None]).sum(dim=1) / lengths[:, None]
        return {"profile": mean[:, None], "seconds": lengths[:, None] / axes.frame_rate}

    @staticmethod
    def level_slopes(axes):
        return {"profile": torch.ones(())}

    def forward(self, instrument, profile, seconds):
        return self.layer(torch.cat([profile[:, 0], seconds.to(profile.dtype)], dim=1))


def test_what_says_nothing_looks_at_frames():
    for plain in (torch.nn.Linear, torch.nn.Linear(1, 1), functools.partial(torch.nn.Linear, 1)):
        assert traits_of(plain) is NoteNetwork
    assert NoteNetwork.looks_at == "frames"
    assert not NoteNetwork.independent
    assert NoteNetwork.level_slopes(AXES) == {}
    for own in (CompactNet, functools.partial(CompactNet, width=8), CompactNet(3, 4)):
        assert traits_of(own) is CompactNet


def test_members_are_the_network_itself_if_there_are_no_others():
    class Sum(NoteNetwork):
        def forward(self, spectrogram, lengths, instrument):
            return spectrogram.sum(dim=(1, 2)) + instrument

    inputs = {"spectrogram": torch.ones(2, 3, 4), "lengths": None, "instrument": torch.ones(2)}
    (call,) = Sum().members(inputs)
    assert call().tolist() == [13.0, 13.0]


def test_inputs_are_frames_or_a_description():
    batch = torch.randn(2, 5, 8), torch.tensor([5, 3])
    frames = inputs_of(torch.nn.Linear, *batch, AXES)
    own = torch.arange(5) < batch[1][:, None]  # all of them sound
    assert torch.equal(frames["spectrogram"][own], batch[0][own])
    assert torch.equal(frames["lengths"], batch[1])
    described = inputs_of(Profile, *batch, AXES)
    torch.testing.assert_close(described["profile"][1, 0], batch[0][1, :3].mean(dim=0))
    np.testing.assert_allclose(described["seconds"][:, 0], np.array([5, 3]) / AXES.frame_rate)


def test_frames_beyond_a_notes_own_are_zero_and_what_has_no_moments_is_left():
    x = {"spectrogram": torch.ones(2, 5, 8), "lengths": torch.tensor([5, 3])}
    out = standardize(x, {"spectrogram": torch.tensor(3.0)}, {"spectrogram": torch.tensor(4.0)})
    assert (out["spectrogram"][0] == -0.5).all()
    assert (out["spectrogram"][1, :3] == -0.5).all()
    assert (out["spectrogram"][1, 3:] == 0).all()
    described = {"profile": torch.ones(2, 1, 8), "seconds": torch.ones(2, 1)}
    out = standardize(described, {"profile": torch.tensor(1.0)}, {"profile": torch.tensor(2.0)})
    assert (out["profile"] == 0).all()
    assert out["seconds"] is described["seconds"]


def test_a_network_of_ones_own_learns_from_its_description():
    X, y = toy()
    params = {"max_epochs": 20, "lr": 0.05, "random_state": 0}
    for augment in (None, SpectrogramAugment(semitones=0), SpectrogramAugment(noise_db=10.0)):
        model = NoteClassifier(Profile, augment=augment, **params).fit(X, y)
        assert model.score(X, y) > 0.9
    assert set(model.mean_) == set(model.scale_) == {"profile"}
    assert model.mean_["profile"].shape == (1, 1)
    again = pickle.loads(pickle.dumps(model)).predict_proba(X)
    np.testing.assert_array_equal(again, model.predict_proba(X))
    for row in (0, 7):
        np.testing.assert_allclose(model.predict_proba([X[row]])[0], again[row], atol=1e-6)


class Silent(NoteNetwork):
    looks_at = "description"

    def __init__(self, num_instruments, num_classes):
        super().__init__()
        self.layer = torch.nn.Linear(1, num_classes)


class Misspelt(Silent):
    looks_at = "descriptions"


class Bare(Silent):
    @staticmethod
    def describe(spectrogram, lengths, axes):
        return spectrogram.mean(dim=(1, 2))


class Sloped(Silent):
    @staticmethod
    def describe(spectrogram, lengths, axes):
        return {"mean": spectrogram.mean(dim=(1, 2))[:, None]}

    @staticmethod
    def level_slopes(axes):
        return {"maen": 1.0}


class Infinite(Silent):
    @staticmethod
    def describe(spectrogram, lengths, axes):
        return {"mean": spectrogram.mean(dim=(1, 2))[:, None] / 0}


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Silent, r"Silent looks at a description: write its static method describe\("),
        (Misspelt, "Misspelt: expected looks_at to be 'frames' or 'description', got 'descr"),
        (Bare, r"Bare\.describe: expected a dict of Tensors by name, got Tensor"),
        (Sloped, r"Sloped\.level_slopes names \['maen'\]; its describe makes \['mean'\]"),
        (Infinite, r"Infinite\.describe made values of 'mean' not finite"),
        (
            Profile(1, 2, AXES),
            "to be a class, got an instance of Profile, .* Pass the class",
        ),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_a_network_forgets_is_said(network, message):
    with pytest.raises((TypeError, ValueError), match=message):
        NoteClassifier(network, max_epochs=1).fit(*toy())


@pytest.mark.parametrize(
    ("shape", "got"),
    [
        (lambda x: x[:, None], r"got shape \(\d+, 1, 3\)"),
        (lambda x: x[:, :1], r"got shape \(\d+, 1\)"),
        (lambda x: torch.cat([x, x], dim=1), r"got shape \(\d+, 6\)"),
        (lambda x: None, "got NoneType"),
    ],
    ids=["a member", "a column", "too many", "nothing"],
)
def test_logits_of_another_shape_are_refused(shape, got):
    class Wrong(NoteNetwork):
        def __init__(self, num_instruments, num_classes, n_bins):
            super().__init__()
            self.layer = torch.nn.Linear(n_bins, num_classes)

        def forward(self, spectrogram, lengths, instrument):
            return shape(self.layer(spectrogram.mean(dim=1)))

    with pytest.raises(ValueError, match=rf"Wrong.* logits of shape \(n_notes, n_classes\).*{got}"):
        X, y = toy()
        NoteClassifier(Wrong, max_epochs=1, augment=None).fit(X, y)


def test_a_network_for_other_spectrograms_is_named_with_what_it_was_given():
    class For257(torch.nn.Module):
        def __init__(self, num_instruments, num_classes):
            super().__init__()
            self.layer = torch.nn.Linear(257, num_classes)

        def forward(self, spectrogram, lengths, instrument):
            return self.layer(spectrogram.mean(dim=1))

    X, y = toy()
    n_bins = X[0].shape[1]
    with pytest.raises(ValueError, match=rf"For257 cannot .* \(\d+, \d+, {n_bins}\).* n_bins"):
        NoteClassifier(For257, max_epochs=1, augment=None).fit(X, y)


def test_without_its_level_a_recording_is_the_same_down_to_a_peak_of_35_dbfs():
    notes = make_notes(12, labels=["good-sound", "bad-richness"], random_state=0).data
    step = Spectrogram()

    def described(peak):
        audio = [(peak * one / np.abs(one).max()).astype(np.float32) for one in notes["audio"]]
        for one in step.fit_transform(notes.assign(audio=audio))["audio"]:
            frames = torch.as_tensor(np.asarray(one))[None]
            length = torch.tensor([frames.shape[1]])
            yield inputs_of(CompactNet, frames, length, step.axes, "relative")["profiles"]

    loud, soft, lost = (torch.cat([*described(10 ** (db / 20))]) for db in (-6, -35, -60))
    assert (soft - loud).abs().max() < 0.1  # dB
    assert (lost - loud).abs().max() > 5.0
