"""CompactNet: its views and its ensemble."""

import copy

import numpy as np
import pytest
import scipy.fft
import torch
from torch.nn import functional as F

from sknote.nn import CompactNet
from sknote.nn.descriptors import PROFILES, count_functionals
from sknote.nn.networks._compact import CepstralView, ProfileView

SMALL = {"channels": 8, "n_members": 3, "width": 16}


@pytest.fixture(autouse=True)
def _own_generator():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def inputs(n_notes=6, n_bins=40, dtype=torch.float32):
    generator = torch.Generator().manual_seed(1)
    shape = (n_notes, len(PROFILES), n_bins)
    profiles = torch.randn(shape, generator=generator, dtype=dtype)
    functionals = torch.randn(n_notes, count_functionals(n_bins), generator=generator, dtype=dtype)
    instrument = torch.randint(0, 3, (n_notes,), generator=generator)
    return instrument, profiles, functionals


def lived_in(n_bins=40, **params):
    network = CompactNet(3, 5, n_bins=n_bins, **SMALL | params).train()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
        for _ in range(3):
            network(*inputs(n_bins=n_bins))
    return network.eval()


def test_a_note_alone_is_as_in_a_batch():
    network, batch = lived_in(), inputs()
    alone = [network(*(part[[i]] for part in batch))[0] for i in range(6)]
    torch.testing.assert_close(torch.stack(alone), network(*batch), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kinds", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (2, 1, 1), (3, 2, 2)])
def test_probabilities_are_the_mean_of_all_members(kinds):
    names = ("n_profiles", "n_cepstra", "n_functionals")
    network = lived_in(**dict(zip(names, kinds)), dropout=0.0)
    assert len(network.networks) == sum(kinds)
    proba = network(*inputs()).exp()
    torch.testing.assert_close(proba.sum(dim=1), torch.ones(6))
    for part in network.networks:
        part.head.train()
    network.training = True  # the views stay in evaluation: their batch statistics are not asked
    members = network(*inputs())
    assert members.shape == (6, 3 * sum(kinds), 5)
    torch.testing.assert_close(members.softmax(dim=2).mean(dim=1), proba)


def test_no_network_at_all_is_refused():
    with pytest.raises(ValueError, match="at least one network"):
        CompactNet(3, 5, n_profiles=0, n_cepstra=0, n_functionals=0)


@pytest.mark.parametrize("part", range(3))
def test_everything_is_heard(part):
    network, given = lived_in(), list(inputs())
    before = network(*given)
    given[part] = given[part] + torch.randn(given[part].shape) if part else (given[part] + 1) % 3
    after = network(*given)
    assert (after - before).abs().amax(dim=1).min() > 1e-4


def test_every_parameter_learns():
    network = lived_in().train()
    logits = network(*inputs())
    target = torch.arange(6).remainder(5).repeat_interleave(logits.shape[1])
    F.cross_entropy(logits.flatten(0, 1), target).backward()
    still = [name for name, p in network.named_parameters() if not (p.grad != 0).any()]
    assert still == []


@pytest.mark.parametrize("n_bins", [1, 2, 24, 200])
def test_double_precision(n_bins):
    network = lived_in(n_bins)
    instrument, profiles, functionals = inputs(n_bins=n_bins, dtype=torch.float64)
    single = network(instrument, profiles.float(), functionals.float())
    double = network.double()(instrument, profiles, functionals)
    assert double.dtype == torch.float64
    torch.testing.assert_close(double.float(), single, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("n_bins", [1, 8, 24])
def test_bfloat16_reads_no_memory_that_nobody_wrote(n_bins):
    """oneDNN's strided convolutions did; memory is filled with NaN here, so that it would show."""
    start = lived_in(n_bins).train()
    seen = []
    for _ in range(5):
        network = copy.deepcopy(start)
        spoilt = [
            torch.full((n,), torch.nan, dtype=dtype)
            for n in (64, 10**3, 10**4, 10**5)
            for dtype in (torch.float32, torch.bfloat16)
        ]
        del spoilt
        torch.manual_seed(1)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = network(*inputs(2, n_bins))
        logits.float().square().sum().backward()
        grads = [p.grad.flatten() for p in network.parameters()]
        seen.append(torch.cat([logits.float().detach().flatten(), *grads]))
    assert torch.isfinite(seen[0]).all()
    assert all(torch.equal(again, seen[0]) for again in seen)


def test_another_pitch_is_the_same_pattern_elsewhere():
    """Away from the edges, a profile of local patterns moves with them and changes no more."""
    view = ProfileView(2, 8).eval()
    with torch.no_grad():
        view.layers[0].weight[:, -1] = 0.0  # where the pattern lies
    profiles = torch.zeros(1, 2, 160)
    profiles[0, :, 70:80] = torch.randn(2, 10)
    there = view(profiles)
    torch.testing.assert_close(view(profiles.roll(8, dims=2)), there, atol=1e-5, rtol=0)
    assert (view(profiles * 2) - there).abs().max() > 1e-3


def test_cepstra_are_standardised_cosine_coefficients():
    view = CepstralView(3, 20, n_coefficients=6).train()
    batches = torch.randn(4, 16, 3, 20)
    for batch in batches:
        view(batch)
    values = batches.flatten(0, 1)
    cepstra = scipy.fft.dct(values.numpy(), axis=2)[:, :, :6].reshape(64, -1)
    expected = (cepstra - cepstra.mean(axis=0)) / cepstra.std(axis=0)
    actual = view.eval()(values)
    np.testing.assert_allclose(actual, expected.clip(-4, 4), atol=1e-3)


def test_cepstra_of_a_class_at_a_time_keep_the_classes_apart():
    view = CepstralView(1, 8).train()
    for _ in range(10):
        low, high = (view(torch.randn(16, 1, 8) + 3 * c) for c in (0, 1))
    assert (high[:, 0] - low[:, 0]).mean() > 1.0
