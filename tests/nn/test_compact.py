"""CompactNet: its views and its ensemble."""

import numpy as np
import pytest
import scipy.fft
import torch
from torch.nn import functional as F

from sknote.nn import CompactNet
from sknote.nn._profile import CepstralView, ProfileView
from sknote.nn._summary import SUMMARY_ROWS

SMALL = {"n_profiles": 2, "n_cepstra": 1, "channels": 8, "n_members": 3, "width": 16}


@pytest.fixture(autouse=True)
def _own_generator():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def inputs(n_notes=6, n_bins=40, dtype=torch.float32):
    generator = torch.Generator().manual_seed(1)
    shape = (n_notes, len(SUMMARY_ROWS), n_bins)
    summary = torch.randn(shape, generator=generator, dtype=dtype)
    lengths = torch.randint(1, 200, (n_notes,), generator=generator)
    return summary, lengths, torch.randint(0, 3, (n_notes,), generator=generator)


def lived_in(n_bins=40, **params):
    network = CompactNet(3, 5, n_bins=n_bins, **SMALL | params).train()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
        for _ in range(3):
            network(*inputs(n_bins=n_bins))
    return network.eval()


def test_a_note_alone_is_as_in_a_batch():
    network, (summary, lengths, instrument) = lived_in(), inputs()
    together = network(summary, lengths, instrument)
    alone = [network(summary[[i]], lengths[[i]], instrument[[i]])[0] for i in range(6)]
    torch.testing.assert_close(torch.stack(alone), together, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("n_profiles", "n_cepstra"), [(1, 0), (0, 1), (2, 1), (3, 2)])
def test_probabilities_are_the_mean_of_all_members(n_profiles, n_cepstra):
    network = lived_in(n_profiles=n_profiles, n_cepstra=n_cepstra, dropout=0.0)
    n_networks = n_profiles + n_cepstra
    assert len(network.views) == len(network.heads) == n_networks
    summary, lengths, instrument = inputs()
    proba = network(summary, lengths, instrument).exp()
    torch.testing.assert_close(proba.sum(dim=1), torch.ones(6))
    for head in network.heads:
        head.train()
    network.training = True  # the views stay in evaluation: their batch statistics are not asked
    members = network(summary, lengths, instrument)
    assert members.shape == (6, 3 * n_networks, 5)
    torch.testing.assert_close(members.softmax(dim=2).mean(dim=1), proba)


@pytest.mark.parametrize("part", ["lengths", "instrument", "summary"])
def test_everything_is_heard(part):
    network, (summary, lengths, instrument) = lived_in(), inputs()
    before = network(summary, lengths, instrument)
    if part == "lengths":
        lengths = lengths * 3
    elif part == "instrument":
        instrument = (instrument + 1) % 3
    else:
        summary = summary + torch.randn(summary.shape)
    assert (network(summary, lengths, instrument) - before).abs().amax(dim=1).min() > 1e-4


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
    summary, lengths, instrument = inputs(n_bins=n_bins, dtype=torch.float64)
    single = network(summary.float(), lengths, instrument)
    double = network.double()(summary, lengths, instrument)
    assert double.dtype == torch.float64
    torch.testing.assert_close(double.float(), single, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("n_bins", [1, 8, 24])
def test_bfloat16_reads_no_memory_that_nobody_wrote(n_bins):
    """oneDNN's strided convolutions did; memory is filled with NaN here, so that it would show."""
    network = lived_in(n_bins).train()
    seen = []
    for _ in range(5):
        spoilt = [
            torch.full((n,), torch.nan, dtype=dtype)
            for n in (64, 10**3, 10**4, 10**5)
            for dtype in (torch.float32, torch.bfloat16)
        ]
        del spoilt
        torch.manual_seed(1)
        network.zero_grad()
        for view in network.views:
            if isinstance(view, CepstralView):
                view.n_batches.zero_()  # or else it would go on from what it saw before
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
    summary = torch.zeros(1, 2, 160)
    summary[0, :, 70:80] = torch.randn(2, 10)
    there = view(summary)
    torch.testing.assert_close(view(summary.roll(8, dims=2)), there, atol=1e-5, rtol=0)
    assert (view(summary * 2) - there).abs().max() > 1e-3


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
