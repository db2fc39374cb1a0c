"""Work in threads is the same work."""

import copy
import dataclasses

import numpy as np
import pytest
import torch

from sknote import NoteClassifier, Spectrogram
from sknote._torch import in_threads, torch_threads
from sknote.nn import CompactNet
from sknote.nn.descriptors import count_functionals
from sknote.nn.training import TrainingOptions
from sknote.nn.training._loss import WeightedCrossEntropy
from sknote.nn.training._net import make_net

SMALL = {"channels": 8, "n_members": 4, "width": 32}


@pytest.fixture(autouse=True)
def _own_state():
    with torch_threads(4), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


@pytest.mark.parametrize("n_threads", [None, 1, 2, 9])
def test_results_come_in_order_and_every_call_has_one_thread(n_threads):
    found = in_threads(lambda i: (i * i, torch.get_num_threads()), range(20), n_threads)
    assert found == [(i * i, 1) for i in range(20)]
    assert torch.get_num_threads() == 4
    assert in_threads(str, [], n_threads) == []


def test_an_error_in_a_thread_is_the_callers():
    def fail(item):
        raise ValueError(f"item {item}")

    with pytest.raises(ValueError, match="item 0"):
        in_threads(fail, range(3), 2)
    assert torch.get_num_threads() == 4


def test_the_calls_of_a_network_are_its_forward():
    network = CompactNet(3, 5, n_bins=40, **SMALL).eval()
    values = torch.randn(6, count_functionals(40))
    batch = {"profiles": torch.randn(6, 23, 40), "functionals": values}
    batch["instrument"] = torch.tensor([0, 1, 2] * 2)
    parts = torch.stack([call() for call in network.members(batch)]).exp().mean(dim=0)
    torch.testing.assert_close(parts, network(**batch).exp())
    network.train()
    same = copy.deepcopy(network)
    torch.manual_seed(1)
    parts = torch.cat([call() for call in network.members(batch)], dim=1)
    torch.manual_seed(1)
    assert torch.equal(same(**batch), parts)


def notes(n=40):
    rng = np.random.default_rng(0)
    spectrograms = [rng.normal(-40, 9, (rng.integers(1, 60), 30)) for _ in range(n)]
    return [values.astype(np.float32) for values in spectrograms], np.arange(n) % 3


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_model_does_not_depend_on_threads(precision):
    X, y = notes()
    seen = []
    for n_threads in (1, 2, 3):
        model = NoteClassifier(
            max_epochs=3,
            batch_size=16,
            module_params=SMALL,
            n_threads=n_threads,
            precision=precision,
            random_state=0,
        ).fit(X, y)
        seen.append([model.history_[:, "train_loss"], model.predict_proba(X)])
    for losses, proba in seen[1:]:
        assert losses == seen[0][0]
        np.testing.assert_array_equal(proba, seen[0][1])


def test_networks_side_by_side_have_the_gradients_of_one_loss():
    torch.manual_seed(0)
    options = dict.fromkeys(field.name for field in dataclasses.fields(TrainingOptions))
    options |= {
        "n_classes": 5,
        "label_smoothing": 0.1,
        "lr": 0.1,
        "weight_decay": 0.0,
        "batch_size": 6,
    }
    options |= {"device": "cpu", "precision": "float32", "callbacks": []}
    settings = {"num_instruments": 3, "num_classes": 5, "n_bins": 40, "dropout": 0.0, **SMALL}
    net = make_net(CompactNet, settings, TrainingOptions(**options)).initialize()
    x = {
        "profiles": torch.randn(6, 23, 40),
        "instrument": torch.tensor([0, 1, 2] * 2),
        "functionals": torch.randn(6, count_functionals(40)),
    }
    y = torch.arange(6) % 5, torch.rand(6)
    whole = copy.deepcopy(net.module_).train()
    loss = WeightedCrossEntropy(label_smoothing=0.1)(whole(**x), y)
    loss.backward()
    step = net.train_step_single((x, y))
    torch.testing.assert_close(step["loss"], loss.detach())
    assert step["y_pred"].shape == (6, 4 * len(whole.networks), 5)
    for ours, expected in zip(net.module_.parameters(), whole.parameters()):
        torch.testing.assert_close(ours.grad, expected.grad)


def test_spectrograms_do_not_depend_on_threads():
    rng = np.random.default_rng(0)
    waveforms = [rng.normal(0, 0.1, n) for n in rng.integers(100, 60_000, 30)]
    for scale in ("log", "mel", "linear"):
        alone = Spectrogram(scale=scale, n_threads=1).fit_transform(waveforms)
        for one, other in zip(alone, Spectrogram(scale=scale, n_threads=3).transform(waveforms)):
            np.testing.assert_array_equal(one, other)
