"""EnsembleHead against one perceptron at a time, and its dropout."""

import pytest
import torch
from torch.nn import functional as F

from sknote.nn import EnsembleHead


@pytest.fixture(autouse=True)
def _own_generator():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def head(**params):
    network = EnsembleHead(6, 4, **{"n_members": 3, "width": 10, "dropout": 0.0} | params)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return network


def test_members_are_perceptrons_of_shared_layers_with_scales_of_their_own():
    network, x = head().train(), torch.randn(5, 6)
    logits = network(x)
    assert logits.shape == (5, 3, 4)
    for i in range(3):
        first = F.linear(x * network.scale_in[i], network.layer1.weight)
        first = F.relu(first * network.scale1[i] + network.bias1[i]) * network.scale_middle[i]
        second = F.linear(first, network.layer2.weight)
        second = F.relu(second * network.scale2[i] + network.bias2[i])
        expected = second @ network.output_weight[i] + network.output_bias[i]
        torch.testing.assert_close(logits[:, i], expected)


def test_no_member_is_refused():
    with pytest.raises(ValueError, match="n_members to be a whole number of at least 1, got 0"):
        head(n_members=0)


def test_it_predicts_the_mean_probability_of_its_members():
    network, x = head(dropout=0.5), torch.randn(5, 6)
    proba = network.eval()(x).exp()
    network.dropout = 0.0
    torch.testing.assert_close(proba, network.train()(x).softmax(dim=2).mean(dim=1))


@pytest.mark.parametrize("dropout", [1 / 256, 0.1, 0.3, 0.5, 0.9, 255 / 256])
def test_dropout_drops_its_share_and_keeps_the_mean(dropout):
    network, x = head(dropout=dropout).train(), torch.ones(100, 1001)
    out = network._drop(x, None)
    share = round(dropout * 256) / 256
    assert (out == 0).float().mean().item() == pytest.approx(share, abs=0.005)
    kept = out[out != 0]
    torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - share)))
    # bytes of one draw, and neighbours, are independent of one another
    dropped = (out == 0).float()
    for step in (1, 7, 8):
        both = (dropped[:, step:] * dropped[:, :-step]).mean().item()
        assert both == pytest.approx(share**2, abs=0.01)


def test_dropout_draws_from_the_generator_that_it_is_given():
    network, x = head(dropout=0.5).train(), torch.randn(5, 6)
    first, same, other = (
        network(x, torch.Generator().manual_seed(seed)).detach() for seed in (1, 1, 2)
    )
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    torch.manual_seed(5)
    a = network(x)
    torch.manual_seed(5)
    assert torch.equal(a, network(x))


def test_bfloat16_is_near():
    network, x = head().train(), torch.randn(50, 6)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = network(x)
    torch.testing.assert_close(low, network(x), atol=0.15, rtol=0.05)
