"""Checkpoints of the reference recipe's networks, which are written out here, in sknote's."""

import copy
import pickle
from itertools import pairwise

import pytest
import torch
from torch import nn

from sknote.nn import NoteAnalyzer, SimpleStarterModel


def convolutions(*widths):
    layers = []
    for before, after in pairwise(widths):
        convolution = nn.Conv2d(before, after, kernel_size=3, stride=2, padding=1)
        layers += [convolution, nn.BatchNorm2d(after), nn.ReLU()]
    return layers


class ReferenceAnalyzer(nn.Module):
    def __init__(self, num_instruments, num_classes):
        super().__init__()
        self.instrument_embedding = nn.Embedding(num_instruments, 64)
        self.cnn = nn.Sequential(*convolutions(1, 64, 128, 256), nn.AdaptiveAvgPool2d((8, None)))
        self.temporal = nn.Conv1d(256 * 8, 512, kernel_size=3, padding=1)
        self.temporal_pool = nn.AdaptiveAvgPool1d(1)
        self.fusion = nn.Sequential(nn.Linear(512 + 64, 512), nn.ReLU(), nn.Dropout(0.3))
        self.classifier = nn.Linear(512, num_classes)

    def forward(self, spectrogram, instrument):
        features = self.cnn(spectrogram)
        features = features.reshape(len(features), -1, features.shape[-1])
        pooled = self.temporal_pool(self.temporal(features)).squeeze(-1)
        combined = torch.cat([pooled, self.instrument_embedding(instrument)], dim=1)
        return self.classifier(self.fusion(combined))


class ReferenceStarter(nn.Module):
    def __init__(self, num_instruments, num_classes):
        super().__init__()
        self.instrument_embedding = nn.Embedding(num_instruments, 32)
        self.cnn = nn.Sequential(*convolutions(1, 64, 128), nn.AdaptiveAvgPool2d(1))
        self.classifier = nn.Sequential(
            nn.Linear(128 + 32, 256), nn.ReLU(), nn.Dropout(0.3), nn.Linear(256, num_classes)
        )

    def forward(self, spectrogram, instrument):
        embedding = self.instrument_embedding(instrument)
        return self.classifier(torch.cat([self.cnn(spectrogram).flatten(1), embedding], dim=1))


BOTH = pytest.mark.parametrize(
    ("reference", "own"),
    [(ReferenceAnalyzer, NoteAnalyzer), (ReferenceStarter, SimpleStarterModel)],
    ids=["analyzer", "starter"],
)


def lived_in(reference, num_instruments=3, num_classes=5):
    """A network whose running statistics are not those of a new one."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = reference(num_instruments, num_classes)
        for _ in range(3):
            network.train()(3 + 2 * torch.randn(2, 1, 24, 40), torch.tensor([0, 1]))
    return network.eval()


def spectrograms(n_frames, n_bins=40):
    return torch.randn(2, n_frames, n_bins, generator=torch.Generator().manual_seed(n_frames))


def same_logits(theirs, own, n_frames, shift=0, n_bins=40):
    x, instrument = spectrograms(n_frames, n_bins), torch.tensor([2, 1])
    with torch.no_grad():
        expected = theirs(x.transpose(1, 2)[:, None], instrument)
        found = own.eval()(x, torch.tensor([n_frames] * 2), instrument + shift)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@BOTH
@pytest.mark.parametrize(("n_frames", "n_bins"), [(87, 257), (201, 40)])  # half a second and more
def test_equal_weights_give_equal_logits(reference, own, n_frames, n_bins):
    theirs, network = lived_in(reference), own(3, 5)
    state = theirs.state_dict()
    before = list(state)
    assert not any(network.load_state_dict(state))
    assert list(state) == before  # it is the caller's
    same_logits(theirs, network, n_frames, n_bins=n_bins)


def test_of_a_short_note_without_attack_focus_too():
    theirs, network = lived_in(ReferenceAnalyzer), NoteAnalyzer(3, 5, attack_seconds=None)
    network.load_state_dict(theirs.state_dict())
    same_logits(theirs, network, 20)


@BOTH
def test_a_row_more_is_for_unknown_instruments(reference, own):
    theirs, network = lived_in(reference), own(4, 5)
    network.load_state_dict(theirs.state_dict())
    same_logits(theirs, network, 87, shift=1)
    table = theirs.instrument_embedding.weight
    torch.testing.assert_close(network.instrument_embedding.weight[0], table.mean(dim=0))


@BOTH
@pytest.mark.parametrize("changed", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_sknotes_own_states_are_taken_as_before(reference, own, changed):
    network, other = changed(own(3, 5)), own(3, 5)
    assert not any(other.load_state_dict(network.state_dict()))
    for name, value in other.state_dict().items():
        torch.testing.assert_close(value, network.state_dict()[name], rtol=0, atol=0)
    # a copy knows the recipe's names, too
    theirs = lived_in(reference)
    network.load_state_dict(theirs.state_dict())
    same_logits(theirs, network, 87)


@BOTH
def test_as_a_part_of_another_module(reference, own):
    theirs = lived_in(reference)
    whole, other = nn.ModuleDict({"one": theirs}), nn.ModuleDict({"one": own(4, 5)})
    other.load_state_dict(whole.state_dict())
    same_logits(theirs, other["one"], 87, shift=1)


@BOTH
def test_what_does_not_fit_is_refused(reference, own):
    state = lived_in(reference).state_dict()
    for wrong in (own(3, 6), own(7, 5), own(2, 5)):
        with pytest.raises(RuntimeError, match="size mismatch"):
            wrong.load_state_dict(state)
    del state["cnn.1.running_mean"]
    with pytest.raises(RuntimeError, match=r"cnn\.1\.running_mean"):
        own(3, 5).load_state_dict(state)
    with pytest.raises(RuntimeError, match="Unexpected key"):
        own(3, 5).load_state_dict(
            lived_in(reference).state_dict() | {"cnn.9.weight": torch.ones(1)}
        )
