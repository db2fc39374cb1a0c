"""Masks, against NumPy and against torch's own layers on data without padding."""

import numpy as np
import pytest
import torch
from torch import nn

from sknote.nn import MaskedBatchNorm2d, attack_frames, frame_mask


def batch(lengths, n_channels=5, n_bins=None, dtype=torch.float32):
    shape = (len(lengths), max(lengths), n_channels)
    if n_bins is not None:
        shape = (len(lengths), n_channels, n_bins, max(lengths))
    generator = torch.Generator().manual_seed(0)
    return 2.0 + 3.0 * torch.randn(shape, generator=generator, dtype=dtype)


def test_frame_mask():
    mask = frame_mask(torch.tensor([1, 3, 0]), 3)
    assert mask.tolist() == [[True, False, False], [True, True, True], [False, False, False]]


@pytest.mark.parametrize("stride", [1, 4, 8])
@pytest.mark.parametrize("frame_rate", [50.0, 22050 / 128, 22050 / 256])
def test_attack_focus_is_set_in_seconds(stride, frame_rate):
    lengths = torch.arange(1, 400)
    kept = attack_frames(lengths, frame_rate, 0.1, 0.5, stride=stride)
    strided = -(-lengths // stride)
    is_short = lengths / frame_rate < 0.5
    assert torch.equal(kept[~is_short], strided[~is_short])
    assert (kept >= 1).all()
    assert (kept <= strided).all()
    # the frames that are kept reach just over the attack, by less than a frame of the network
    seconds = kept[is_short & (strided > kept)] * stride / frame_rate
    assert ((seconds > 0.1) & (seconds <= 0.1 + stride / frame_rate)).all()
    assert (is_short & (strided > kept)).any()


def test_without_attack_focus_all_is_kept():
    lengths = torch.tensor([1, 8, 9, 100])
    assert attack_frames(lengths, 100.0, None, 0.5, stride=8).tolist() == [1, 1, 2, 13]


def test_batch_norm_without_padding_is_that_of_torch():
    ours, theirs = MaskedBatchNorm2d(5), nn.BatchNorm2d(5)
    for parameter in ("weight", "bias"):
        value = torch.rand(5) + 0.5
        getattr(ours, parameter).data = value
        getattr(theirs, parameter).data = value.clone()
    mask = torch.ones(3, 7, dtype=torch.bool)
    for step in range(4):
        x = batch([7, 7, 7], n_bins=4) + step
        torch.testing.assert_close(ours(x, mask), theirs(x), rtol=1e-5, atol=1e-5)
    for name, buffer in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], buffer, rtol=1e-5, atol=1e-5)
    ours.eval()
    theirs.eval()
    torch.testing.assert_close(ours(x, mask), theirs(x), rtol=1e-5, atol=1e-5)


def test_batch_norm_with_padding_sees_the_real_frames_alone():
    lengths = [2, 9, 5]
    x = batch(lengths, n_bins=4, dtype=torch.float64)
    mask = frame_mask(torch.tensor(lengths), 9)
    x = torch.where(mask[:, None, None], x, 1e6)  # whatever the padding holds
    ours = MaskedBatchNorm2d(5).double()
    out = ours(x, mask)
    real = torch.cat([x[i, :, :, :n].flatten(1) for i, n in enumerate(lengths)], dim=1)
    np.testing.assert_allclose(ours.running_mean, 0.1 * real.mean(dim=1), rtol=1e-9)
    np.testing.assert_allclose(ours.running_var, 0.9 + 0.1 * real.var(dim=1), rtol=1e-9)
    expected = (real - real.mean(dim=1, keepdim=True)) / torch.sqrt(
        real.var(dim=1, correction=0, keepdim=True) + 1e-5
    )
    got = torch.cat([out[i, :, :, :n].flatten(1) for i, n in enumerate(lengths)], dim=1)
    torch.testing.assert_close(got, expected)
    assert (out.transpose(1, 3)[~mask] == 0).all()
    ours.eval()
    assert (ours(x, mask).transpose(1, 3)[~mask] == 0).all()


def test_gradients_of_batch_norm_are_those_of_torch():
    x = batch([6, 6], n_bins=3, dtype=torch.float64)
    target = torch.randn(x.shape, dtype=torch.float64)
    grads = []
    for layer in (MaskedBatchNorm2d(5).double(), nn.BatchNorm2d(5).double()):
        leaf = x.clone().requires_grad_()
        mask = (torch.ones(2, 6, dtype=torch.bool),) * isinstance(layer, MaskedBatchNorm2d)
        (layer(leaf, *mask) * target).sum().backward()
        grads.append((leaf.grad, layer.weight.grad, layer.bias.grad))
    for ours, theirs in zip(*grads):
        torch.testing.assert_close(ours, theirs)


def test_batch_norm_of_a_single_value_is_finite():
    layer = MaskedBatchNorm2d(5)
    out = layer(batch([1], n_bins=1), torch.ones(1, 1, dtype=torch.bool))
    torch.testing.assert_close(out, torch.zeros_like(out))
    assert torch.isfinite(layer.running_var).all()


def test_batch_norm_sums_bfloat16_in_float32():
    lengths = [300, 700, 999]
    x = batch(lengths, n_bins=8).bfloat16()
    mask = frame_mask(torch.tensor(lengths), 999)
    half, full = MaskedBatchNorm2d(5), MaskedBatchNorm2d(5)
    half(x, mask)
    full(x.float(), mask)
    torch.testing.assert_close(half.running_mean, full.running_mean)
    torch.testing.assert_close(half.running_var, full.running_var)
