"""Training that is interrupted, diverges, or goes on in several threads at once."""

import os
import pickle
import signal
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from sklearn.model_selection import cross_val_score
from skorch.callbacks import Callback, EarlyStopping

from sknote import NoteClassifier
from sknote.spectral import SpectralAxes

SMALL = {"n_profiles": 1, "n_cepstra": 1, "channels": 8, "n_members": 4, "width": 32}


def model(**params):
    defaults = {"max_epochs": 4, "module_params": SMALL, "lr": 0.01, "random_state": 0}
    return NoteClassifier(**defaults | {"augment": None, "n_threads": 1} | params)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = [(rng.standard_normal((20, 8)) + 2 * (i % 2)).astype(np.float32) for i in range(40)]
    return X, np.array(["good", "bad"])[np.arange(40) % 2]


class Interrupt(Callback):
    """Press Ctrl-C at the end of the second epoch."""

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 2:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture
def heard_interrupts():
    """Ctrl-C raises, also where the tests run in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard_interrupts")
@pytest.mark.parametrize("module", ["compact", "starter"])
def test_an_interrupt_reaches_the_caller(data, module):
    handler = signal.getsignal(signal.SIGINT)
    params = {} if module == "compact" else {"module_params": None}
    classifier = model(module=module, callbacks=[Interrupt()], **params)
    with pytest.raises(KeyboardInterrupt):
        classifier.fit(*data)
    assert signal.getsignal(signal.SIGINT) is handler
    with pytest.raises(KeyboardInterrupt):
        cross_val_score(classifier, *data, cv=3)
    assert len(model().fit(*data).history_) == 4  # nothing is left of it


def test_a_callback_may_stop_early_as_in_skorch(data):
    stopping = EarlyStopping(monitor="train_loss", patience=1, threshold=1e6, sink=str)
    classifier = model(max_epochs=20, callbacks=[stopping]).fit(*data)
    assert 0 < len(classifier.history_) < 20
    again = pickle.loads(pickle.dumps(classifier))
    np.testing.assert_array_equal(again.predict(data[0]), classifier.predict(data[0]))


@pytest.mark.parametrize("module", ["compact", "starter"])
def test_fits_in_threads_are_those_of_one_after_the_other(data, module):
    params = {} if module == "compact" else {"module_params": None}

    def proba(seed):
        return model(module=module, random_state=seed, **params).fit(*data).predict_proba(data[0])

    before = torch.get_rng_state()
    expected = [proba(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(proba, range(4)))
    for a, b in zip(found, expected):
        np.testing.assert_array_equal(a, b)
    assert torch.equal(torch.get_rng_state(), before)


def test_training_that_diverges_is_an_error(data):
    with pytest.raises(ValueError, match=r"the training diverged: .* losses were .*Lower lr \(now"):
        model(lr=1e30, gradient_clip=None).fit(*data)


def test_a_fitted_classifier_stays_what_it_was_fitted_as(data):
    classifier = model().fit(*data)
    expected = classifier.predict_proba(data[0])
    axes = SpectralAxes(sample_rate=10_000, hop_length=100, n_bins=8)
    classifier.set_params(axes=axes, module="starter", module_params=None)
    np.testing.assert_array_equal(classifier.predict_proba(data[0]), expected)
    assert classifier.fit(*data).axes_ == axes
    assert np.abs(classifier.predict_proba(data[0]) - expected).max() > 1e-6
