"""Work in threads is the same work."""

import contextlib
import copy
import dataclasses
import multiprocessing
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_limits

from sknote import NoteClassifier, Spectrogram, make_baseline_pipeline, make_note_pipeline
from sknote._torch import in_threads, torch_threads
from sknote.datasets import make_notes
from sknote.feature_extraction._spectrogram import _kept_frontend
from sknote.nn import CompactNet
from sknote.nn.descriptors import count_functionals
from sknote.nn.training import TrainingOptions
from sknote.nn.training._loss import WeightedCrossEntropy
from sknote.nn.training._net import make_net

SMALL = {"channels": 8, "n_members": 4, "width": 32}


@pytest.fixture(autouse=True)
def _own_state():
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("n_threads", [None, 1, 2, 9])
def test_results_come_in_order_and_every_call_has_one_thread(n_threads):
    found = in_threads(lambda i: (i * i, torch.get_num_threads()), range(20), n_threads)
    assert found == [(i * i, 1) for i in range(20)]
    assert torch.get_num_threads() == 4
    assert in_threads(str, [], n_threads) == []


def test_a_new_thread_finds_the_number_of_the_caller_while_others_compute():
    inside, seen = threading.Barrier(3), []

    def compute():
        with torch_threads(1):
            inside.wait()  # all are inside of their blocks at once
            with torch_threads():
                seen.append(torch.get_num_threads())
            inside.wait()
        with torch_threads():
            seen.append(torch.get_num_threads())

    workers = [threading.Thread(target=compute) for _ in range(2)]
    for worker in workers:
        worker.start()
    inside.wait()
    found = []
    late = threading.Thread(target=lambda: in_threads(found.append, [0], None))
    late.start()
    late.join()
    with torch_threads():
        seen.append(torch.get_num_threads())
    inside.wait()
    for worker in workers:
        worker.join()
    assert sorted(seen) == [1, 1, 4, 4, 4]
    assert torch.get_num_threads() == 4


@pytest.mark.parametrize("module", ["compact", "analyzer"])
def test_fits_at_the_same_time_give_the_model_of_one_alone(module):
    X, y = notes(20)
    params = {"module_params": SMALL} if module == "compact" else {"max_train_seconds": 0.3}

    def proba(_=None):
        model = NoteClassifier(module, max_epochs=1, random_state=0, **params)
        return model.fit(X, y).predict_proba(X)

    alone = proba()
    with ThreadPoolExecutor(3) as pool:
        for found in pool.map(proba, range(3)):
            np.testing.assert_array_equal(found, alone)
    assert torch.get_num_threads() == 4


@pytest.mark.parametrize("module", ["compact", "starter"])
def test_defaults_of_the_caller_change_nothing(module):
    made = make_notes(
        12, duration_range=(0.2, 0.3), labels=["good-sound", "bad-attack"], random_state=0
    )

    def proba():
        _kept_frontend.cache_clear()
        params = {"classify__module": module, "classify__max_epochs": 1}
        if module == "compact":
            params["classify__module_params"] = SMALL
        model = make_note_pipeline(**params, classify__random_state=0)
        baseline = make_baseline_pipeline(classify__max_iter=2)
        return [
            one.fit(made.data, made.target).predict_proba(made.data) for one in (model, baseline)
        ]

    expected = proba()
    try:
        for name, change in CHANGES.items():
            with change() or contextlib.nullcontext():
                found = proba()
            for one, other in zip(found, expected):
                np.testing.assert_array_equal(one, other, err_msg=name)
        assert torch.get_default_dtype() == torch.float64
        assert torch.get_default_device().type == "meta"
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)


CHANGES = {
    "no gradients": torch.no_grad,
    "inference": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "type": lambda: torch.set_default_dtype(torch.float64),
    "device": lambda: torch.set_default_device("meta"),
}


@pytest.fixture
def two_threads():
    """Give every library two threads; the tests begin with one."""
    with threadpool_limits(2):
        yield


@pytest.mark.usefixtures("two_threads")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("how", ["fork", "joblib"])
def test_a_forked_process_does_not_hang(how):
    made = make_notes(
        12, duration_range=(0.2, 0.3), labels=["good-sound", "bad-attack"], random_state=0
    )
    models = [
        make_note_pipeline(classify__max_epochs=1, classify__random_state=0),
        make_note_pipeline(classify__max_epochs=1, classify__module="analyzer"),
        make_baseline_pipeline(classify__max_iter=2),
    ]
    for model in models:
        model.fit(made.data, made.target).predict(made.data)
    # torch and scikit-learn have threads now, which a fork does not take along
    torch.ones(1000, 1000) @ torch.ones(1000, 1000)
    if how == "fork":
        context = multiprocessing.get_context("fork")
        child = context.Process(target=_fit_all, args=(models, made))
        child.start()
        child.join(60)
        hangs = child.is_alive()
        child.kill()
        child.join()
        assert not hangs
        assert child.exitcode == 0
    else:
        with joblib.parallel_config(backend="multiprocessing"):
            jobs = (joblib.delayed(_fit_all)([model], made) for model in models)
            joblib.Parallel(2, timeout=60)(jobs)


def _fit_all(models, made):
    for model in models:
        proba = model.predict_proba(made.data)
        assert np.isfinite(model.fit(made.data, made.target).predict_proba(made.data)).all()
        assert proba.shape == (12, 2)


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
        "classes": np.arange(5),
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
