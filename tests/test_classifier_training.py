"""Training that is interrupted, diverges, or goes on in several threads at once."""

import os
import pickle
import signal
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.exceptions import NotFittedError
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


class Fails(Callback):
    """Fail after a number of epochs, once one is set."""

    after = None

    def on_epoch_end(self, net, **kwargs):
        if self.after is not None and len(net.history) >= self.after:
            raise ZeroDivisionError


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
    classifier = model(lr=1e30, gradient_clip=None)
    with pytest.raises(ValueError, match=r"the training diverged: .* losses were .*Lower lr \(now"):
        classifier.fit(*data)
    with pytest.raises(NotFittedError):
        classifier.predict(data[0])


def test_a_single_epoch_that_diverges_is_an_error_at_once(data):
    classifier = model().partial_fit(*data)
    expected = classifier.predict_proba(data[0])
    with pytest.raises(ValueError, match="the training diverged: weights or answers are not finit"):
        classifier.set_params(lr=1e30).partial_fit(*data)
    np.testing.assert_array_equal(classifier.predict_proba(data[0]), expected)
    classifier.set_params(lr=1e-3).partial_fit(*data)


FAILURES = {
    "it diverges": ({"lr": 1e38}, lambda X, y: (X, y)),
    "other bins": ({}, lambda X, y: ([values[:, :5] for values in X], ["a"] * len(y))),
    "other form": ({}, lambda X, y: (pd.DataFrame({"audio": X}), y[:3])),
    "not finite": ({}, lambda X, y: ([*X[:-1], X[-1] * np.float32(1e20)], y)),
    "a callback fails": ({}, lambda X, y: (X, y)),
    "an unknown parameter": ({"module_params": {"bogus": 1}}, lambda X, y: (X, np.char.upper(y))),
}


@pytest.mark.parametrize("name", FAILURES)
@pytest.mark.parametrize("method", ["fit", "partial_fit", "warm_start"])
@pytest.mark.parametrize("module", ["compact", "starter"])
def test_training_that_fails_leaves_the_classifier_as_it_was(
    data, name, method, module, monkeypatch
):
    params = {"gradient_clip": None, "warm_start": method == "warm_start", "batch_size": 8}
    params |= {"module": module, "callbacks": [("fails", Fails())]}
    if module == "starter":
        params["module_params"] = None
    classifier, expected = (model(**params).fit(*data) for _ in range(2))
    attributes, proba = set(vars(classifier)), classifier.predict_proba(data[0])
    bad, change = FAILURES[name]
    with monkeypatch.context() as patch, pytest.raises((ValueError, ZeroDivisionError)):
        patch.setattr(Fails, "after", {"fit": 2, "partial_fit": 5, "warm_start": 6}[method])
        classifier.set_params(**bad)
        (classifier.partial_fit if method == "partial_fit" else classifier.fit)(*change(*data))
    classifier.set_params(**{key: expected.get_params()[key] for key in bad})
    assert set(vars(classifier)) == attributes
    np.testing.assert_array_equal(classifier.predict_proba(data[0]), proba)
    assert len(classifier.history_) == 4
    for one in (classifier, expected):  # it goes on as if nothing had been
        one.partial_fit(*data)
    np.testing.assert_array_equal(*(one.predict_proba(data[0]) for one in (classifier, expected)))


def test_what_is_kept_of_a_fit_is_little_more_than_its_weights(data):
    classifier = model(module_params={"width": 96}).fit(*data)
    states = classifier.net_.module_.state_dict().values()
    weights = sum(value.numel() * value.element_size() for value in states)
    assert len(pickle.dumps(classifier)) < 1.2 * weights + 100_000
    again = pickle.loads(pickle.dumps(classifier))
    for one in (classifier, again):
        one.partial_fit(*data).partial_fit(*data)
    np.testing.assert_array_equal(again.predict_proba(data[0]), classifier.predict_proba(data[0]))
    assert pickle.loads(pickle.dumps(classifier)).net_.optimizer_.state  # to go on with


@pytest.mark.parametrize("value", [1e16, 1e20, 3e38])
def test_values_beyond_all_decibels_are_refused_with_their_row(data, value):
    classifier = model().fit(*data)
    absurd = np.full((5, 8), value, np.float32)
    with pytest.raises(ValueError, match=r"values up to 1e\+15, got .* in row 1"):
        classifier.predict_proba([data[0][0], absurd])


def test_answers_that_are_not_finite_are_an_error(data):
    classifier = model().fit(*data)
    with torch.no_grad():
        next(classifier.net_.module_.parameters()).fill_(np.nan)
    with pytest.raises(ValueError, match="answers for rows 0, 1, 2, 3, 4 and 35 more are not fin"):
        classifier.predict(data[0])


def test_a_fitted_classifier_stays_what_it_was_fitted_as(data):
    classifier = model().fit(*data)
    expected = classifier.predict_proba(data[0])
    axes = SpectralAxes(sample_rate=10_000, hop_length=100, n_bins=8)
    classifier.set_params(axes=axes, module="starter", module_params=None)
    np.testing.assert_array_equal(classifier.predict_proba(data[0]), expected)
    assert classifier.fit(*data).axes_ == axes
    assert np.abs(classifier.predict_proba(data[0]) - expected).max() > 1e-6
