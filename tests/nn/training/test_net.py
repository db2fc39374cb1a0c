"""The loss and the callbacks of the net, against torch's own."""

import math
from types import SimpleNamespace

import pytest
import torch
from skorch.history import History
from torch.nn import functional as F

from sknote.nn.training._callbacks import BestWeights, EpochReport, OneCycle
from sknote.nn.training._loss import WeightedCrossEntropy


def logits_and_target():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(6, 3, generator=generator), torch.tensor([0, 1, 2, 0, 1, 2])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_loss_with_equal_weights_is_that_of_torch(smoothing):
    logits, target = logits_and_target()
    loss = WeightedCrossEntropy(label_smoothing=smoothing)(logits, (target, torch.ones(6)))
    expected = F.cross_entropy(logits, target, label_smoothing=smoothing)
    torch.testing.assert_close(loss, expected)


def test_loss_weighted_by_note_and_by_class():
    logits, target = logits_and_target()
    weight, class_weight = torch.arange(6.0), torch.tensor([1.0, 2.0, 3.0])
    loss = WeightedCrossEntropy(class_weight)(logits, (target, weight))
    each = -torch.log_softmax(logits, dim=1)[torch.arange(6), target]
    torch.testing.assert_close(loss, (each * weight * class_weight[target]).mean())


def small_net(lr=0.1):
    module = torch.nn.Linear(2, 2)
    return SimpleNamespace(
        module_=module,
        optimizer_=torch.optim.AdamW(module.parameters(), lr=lr),
        history=History(),
    )


def test_one_cycle_is_that_of_torch():
    net, reference = small_net(), small_net()
    callback = OneCycle(n_steps=20, max_lr=0.1)
    callback.on_train_begin(net)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        reference.optimizer_, max_lr=0.1, total_steps=20, pct_start=0.2, final_div_factor=1e3
    )
    net.history.new_epoch()
    for step in range(25):  # more steps than promised leave the rate where it is
        net.history.new_batch()
        net.optimizer_.step()
        callback.on_batch_end(net, training=True)
        callback.on_batch_end(net, training=False)
        if step < 19:
            reference.optimizer_.step()
            schedule.step()
        assert net.optimizer_.param_groups[0]["lr"] == reference.optimizer_.param_groups[0]["lr"]


@pytest.mark.parametrize(
    "shape",
    [
        {"pct_start": 0.3, "final_div_factor": 1e4},  # torch's own
        {"pct_start": 0.9, "div_factor": 3.0, "final_div_factor": 1.0},
        {"pct_start": 1, "div_factor": 100},
        {"div_factor": 1.0},
    ],
)
def test_the_shape_of_one_cycle_is_that_of_torch(shape):
    net, reference = small_net(), small_net()
    callback = OneCycle(n_steps=20, max_lr=0.1, **shape)
    callback.on_train_begin(net)
    defaults = {"pct_start": 0.2, "div_factor": 25.0, "final_div_factor": 1e3}
    expected = {name: float(value) for name, value in (defaults | shape).items()}
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        reference.optimizer_, max_lr=0.1, total_steps=20, **expected
    )
    net.history.new_epoch()
    rates = []
    for _ in range(19):
        net.history.new_batch()
        for one in (net, reference):
            one.optimizer_.step()
        callback.on_batch_end(net, training=True)
        schedule.step()
        rates.append(net.optimizer_.param_groups[0]["lr"])
        assert rates[-1] == reference.optimizer_.param_groups[0]["lr"]
    # the closed form: two halves of a cosine between three rates
    begin, top = 0.1 / expected["div_factor"], expected["pct_start"] * 20 - 1
    end = begin / expected["final_div_factor"]
    for step, rate in enumerate(rates, start=1):
        start, stop, part = begin, 0.1, step / top
        if step > top:
            start, stop, part = 0.1, end, (step - top) / (19 - top)
        closed = stop + (start - stop) * (1 + math.cos(math.pi * part)) / 2
        assert rate == pytest.approx(closed, rel=1e-9)


@pytest.mark.parametrize("n_steps", [1, 2, 5, 10, 25, 50])
@pytest.mark.parametrize("pct_start", [0, 0.02, 0.04, 0.1, 0.5, 1])
def test_any_shape_rises_for_a_step_at_least(n_steps, pct_start):
    net, rates = small_net(), []
    callback = OneCycle(n_steps=n_steps, max_lr=0.1, pct_start=pct_start)
    callback.on_train_begin(net)
    net.history.new_epoch()
    for _ in range(n_steps):
        net.history.new_batch()
        rates.append(net.optimizer_.param_groups[0]["lr"])
        net.optimizer_.step()
        callback.on_batch_end(net, training=True)
    assert rates[0] == pytest.approx(0.1 / 25)
    assert max(rates) <= 0.1 * (1 + 1e-9)
    if n_steps > 2:
        assert max(rates) > 0.06


@pytest.mark.parametrize("n_steps", range(1, 12))
def test_short_training_goes_up_and_down_too(n_steps):
    net, rates = small_net(), []
    callback = OneCycle(n_steps=n_steps, max_lr=0.1)
    callback.on_train_begin(net)
    net.history.new_epoch()
    for _ in range(n_steps):
        net.history.new_batch()
        rates.append(net.optimizer_.param_groups[0]["lr"])
        net.optimizer_.step()
        callback.on_batch_end(net, training=True)
    assert rates[0] == pytest.approx(0.1 / 25)
    assert max(rates) <= 0.1 * (1 + 1e-9)
    if n_steps > 2:
        assert max(rates) > 0.06
        assert rates[-1] < 1e-3


def test_without_steps_the_rate_is_left_alone():
    net = small_net()
    callback = OneCycle()
    callback.on_train_begin(net)
    callback.on_batch_end(net, training=True)
    assert net.optimizer_.param_groups[0]["lr"] == 0.1


def test_the_best_weights_are_put_back():
    net, callback = small_net(), BestWeights()
    callback.on_train_begin(net)
    for epoch, loss in enumerate([3.0, 1.0, 2.0, 1.0]):
        net.history.new_epoch()
        net.history.record("valid_loss", loss)
        torch.nn.init.constant_(net.module_.weight, epoch)
        callback.on_epoch_end(net)
    callback.on_train_end(net)
    assert callback.best_epoch_ == 2
    assert (net.module_.weight == 1).all()


def test_the_weights_of_the_best_accuracy_are_put_back():
    net, callback = small_net(), BestWeights("valid_accuracy")
    callback.on_train_begin(net)
    for epoch, accuracy in enumerate([0.3, 0.4, 0.6, 0.6, 0.5]):
        net.history.new_epoch()
        net.history.record("valid_loss", 1.0 + epoch)  # by which the first would be the best
        net.history.record("valid_accuracy", accuracy)
        torch.nn.init.constant_(net.module_.weight, epoch)
        callback.on_epoch_end(net)
    callback.on_train_end(net)
    assert callback.best_epoch_ == 3
    assert (net.module_.weight == 2).all()


def test_without_a_validation_part_the_last_weights_stay():
    net, callback = small_net(), BestWeights()
    callback.on_train_begin(net)
    net.history.new_epoch()
    callback.on_epoch_end(net)
    torch.nn.init.constant_(net.module_.weight, 5.0)
    callback.on_train_end(net)
    assert (net.module_.weight == 5).all()


def test_epoch_report_is_the_weighted_accuracy_of_the_validation_part():
    reported = []
    callback = EpochReport(lambda score, epoch: reported.append((score, epoch)))
    net = small_net()
    logits, target = logits_and_target()
    weight = torch.arange(6.0)
    right = (logits.argmax(dim=1) == target).double()
    for _ in range(2):
        net.history.new_epoch()
        callback.on_epoch_begin(net)
        callback.on_batch_end(net, batch=None, training=True, y_pred=None)
        for part in (slice(0, 4), slice(4, 6)):
            batch = ({}, (target[part], weight[part]))
            callback.on_batch_end(net, batch=batch, training=False, y_pred=logits[part])
        callback.on_epoch_end(net)
    expected = pytest.approx(float((right * weight).sum() / weight.sum()))
    assert reported == [(expected, 0), (expected, 1)]
    assert net.history[:, "valid_accuracy"] == [expected] * 2


def test_epoch_report_without_a_validation_part_is_silent():
    callback, net = EpochReport(pytest.fail), small_net()
    net.history.new_epoch()
    callback.on_epoch_begin(net)
    callback.on_epoch_end(net)
    assert "valid_accuracy" not in net.history[-1]
