"""Networks side by side are networks one after the other."""

import copy

import pytest
import torch
from torch import nn

from sknote.nn import CompactNet
from sknote.nn._functionals import count_functionals
from sknote.nn._side_by_side import side_by_side


@pytest.fixture(autouse=True)
def _own_state():
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield
    torch.set_num_threads(threads)


def networks(n=5):
    return nn.ModuleList(
        nn.Sequential(nn.Linear(4, 9), nn.Tanh(), nn.Linear(9, 2)) for _ in range(n)
    )


def outcome(n_threads, autocast=False):
    torch.set_num_threads(n_threads)
    torch.manual_seed(0)
    nets, x = networks(), torch.randn(8, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        outputs = side_by_side(nets, x)
    sum((i + 1) * output.float().square().sum() for i, output in enumerate(outputs)).backward()
    assert torch.get_num_threads() == n_threads
    return [output.detach() for output in outputs], [p.grad for p in nets.parameters()]


@pytest.mark.parametrize("autocast", [False, True])
def test_outputs_and_gradients_do_not_depend_on_threads(autocast):
    alone, one_by_one = outcome(1, autocast)
    for n_threads in (2, 3, 8):
        outputs, gradients = outcome(n_threads, autocast)
        assert outputs[0].dtype == (torch.bfloat16 if autocast else torch.float32)
        assert all(torch.equal(a, b) for a, b in zip(outputs, alone, strict=True))
        assert all(torch.equal(a, b) for a, b in zip(gradients, one_by_one, strict=True))


def test_inputs_that_want_a_gradient_get_it():
    torch.set_num_threads(2)
    x = torch.randn(8, 4, requires_grad=True)
    sum(output.sum() for output in side_by_side(networks(), x)).backward()
    assert (x.grad != 0).any()


def test_inference_mode_and_no_grad_hold_in_threads():
    torch.set_num_threads(2)
    with torch.inference_mode():
        assert all(output.is_inference() for output in side_by_side(networks(), torch.randn(3, 4)))
    with torch.no_grad():
        assert not any(o.requires_grad for o in side_by_side(networks(), torch.randn(3, 4)))


def test_an_error_in_a_thread_is_the_callers():
    torch.set_num_threads(2)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        side_by_side(networks(), torch.randn(3, 5))


def test_training_compactnet_does_not_depend_on_threads():
    """Dropout included: each network draws its own."""
    torch.manual_seed(0)
    start = CompactNet(3, 5, n_bins=40, channels=8, n_members=3, width=16)
    values = torch.randn(6, count_functionals(40))
    batch = torch.randn(6, 23, 40), torch.full((6,), 9), torch.tensor([0, 1, 2] * 2), values
    seen = []
    for n_threads in (1, 2, 4):
        torch.set_num_threads(n_threads)
        torch.manual_seed(1)
        network = copy.deepcopy(start).train()
        for _ in range(2):
            network(*batch).square().sum().backward()
        seen.append([p.grad for p in network.parameters()])
    for other in seen[1:]:
        assert all(torch.equal(a, b) for a, b in zip(seen[0], other, strict=True))
