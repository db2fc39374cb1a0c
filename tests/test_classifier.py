"""NoteClassifier: learning, probabilities, seeds, networks, parameters."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from skorch.callbacks import Callback, Checkpoint
from torch import nn
from toys import LABELS, SMALL, model, toy

from sknote.nn import NoteAnalyzer, SimpleStarterModel, SpectrogramAugment
from sknote.nn.training import _net
from sknote.spectral import SpectralAxes


@pytest.fixture(scope="module")
def data():
    return toy()


@pytest.fixture(scope="module")
def fitted(data):
    return model().fit(*data)


@pytest.mark.parametrize("module", ["compact", "analyzer", "starter", NoteAnalyzer])
def test_learns_what_can_be_separated(data, module):
    params = SMALL if module == "compact" else None
    settings = {"module": module, "module_params": params}
    classifier = model(**settings, lr=3e-3, batch_size=16, max_epochs=6).fit(*data)
    assert classifier.score(*toy(90, seed=1)) > 0.9


def test_probabilities(data, fitted):
    proba = fitted.predict_proba(data[0])
    assert proba.shape == (60, 3)
    assert proba.dtype == np.float64
    assert (proba >= 0).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, rtol=1e-12)
    assert fitted.classes_.tolist() == sorted(LABELS)
    np.testing.assert_array_equal(fitted.predict(data[0]), fitted.classes_[proba.argmax(axis=1)])
    for k, label in enumerate(fitted.classes_):
        own = proba[data[1] == label, k].mean()  # columns in the order of classes_
        assert own > 2 * proba[data[1] != label, k].mean()


@pytest.mark.parametrize(
    "make",
    [
        lambda y: y,
        list,
        lambda y: y.astype(object),
        pd.Series,
        lambda y: pd.Series(y, dtype="string"),
        lambda y: pd.Series(y, dtype="category", index=range(100, 160)),
        lambda y: np.unique(y, return_inverse=True)[1] * 10 - 7,
        lambda y: pd.Series(np.unique(y, return_inverse=True)[1], dtype="Int64"),
        lambda y: y == LABELS[0],
    ],
)
def test_labels_of_every_kind(data, make):
    y = make(data[1])
    classifier = model(max_epochs=1).fit(data[0], y)
    assert set(classifier.predict(data[0])) <= set(np.asarray(y).tolist())
    assert classifier.classes_.tolist() == sorted(set(np.asarray(y).tolist()))


def test_the_same_seed_gives_the_same_model(data):
    first, second = (model(max_epochs=2).fit(*data).predict_proba(data[0]) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    refitted = model(max_epochs=2).fit(*toy(30, seed=5)).fit(*data).predict_proba(data[0])
    np.testing.assert_array_equal(first, refitted)
    other = model(max_epochs=2, random_state=1).fit(*data).predict_proba(data[0])
    assert np.abs(first - other).max() > 1e-3


def test_a_random_state_instance_and_none(data):
    first, second = (
        model(max_epochs=1, random_state=np.random.RandomState(3)).fit(*data).predict_proba(data[0])
        for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)
    unseeded = [model(max_epochs=1, random_state=None).fit(*data) for _ in range(2)]
    first, second = (classifier.predict_proba(data[0]) for classifier in unseeded)
    assert np.abs(first - second).max() > 1e-6


def test_the_state_of_the_caller_is_untouched(data):
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()
    n_threads = torch.get_num_threads()
    classifier = model(max_epochs=1, n_threads=n_threads + 1, validation_fraction=0.2).fit(*data)
    classifier.predict_proba(data[0])
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.random.get_state()[2] == numpy_state[2]
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state[1])
    assert torch.get_num_threads() == n_threads
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()


@pytest.mark.parametrize("flush", [False, True])
def test_the_denormal_mode_of_the_caller_is_given_back(data, flush):
    torch.set_flush_denormal(flush)
    try:
        model(max_epochs=1).fit(*data)
        assert (float(torch.tensor(1e-40) * 1) == 0.0) == flush
    finally:
        torch.set_flush_denormal(False)


def test_fit_changes_no_parameter_and_not_the_data(data):
    params = {
        "module_params": dict(SMALL),
        "augment": SpectrogramAugment(semitones=1),
        "callbacks": [],
        "class_weight": {LABELS[0]: 2.0},
        "validation_fraction": 0.2,
        "device": "auto",
    }
    classifier = model(max_epochs=1, **params)
    before = classifier.get_params()
    X, y = [x.copy() for x in data[0]], data[1].copy()
    classifier.fit(X, y)
    assert classifier.get_params() == before
    assert all(classifier.get_params()[name] is before[name] for name in params)
    assert params["module_params"] == SMALL
    assert params["callbacks"] == []
    assert all(np.array_equal(a, b) for a, b in zip(X, data[0]))
    np.testing.assert_array_equal(y, data[1])


def test_the_order_of_the_rows_means_nothing(data):
    X, y = data
    order = np.random.default_rng(1).permutation(len(X))
    groups = np.arange(len(X)) // 4
    expected = model(validation_fraction=0.2).fit(X, y, groups=groups).predict_proba(X)
    shuffled = model(validation_fraction=0.2)
    shuffled.fit([X[i] for i in order], y[order], groups=groups[order])
    np.testing.assert_allclose(shuffled.predict_proba(X), expected, atol=1e-7)
    proba = shuffled.predict_proba([X[i] for i in order])
    np.testing.assert_allclose(proba, expected[order], atol=1e-6)


@pytest.mark.parametrize(
    ("module", "params"), [("compact", SMALL), ("starter", None), ("analyzer", None)]
)
def test_alone_is_as_in_any_batch(module, params):
    X, y = toy(12)
    classifier = model(module=module, module_params=params, max_epochs=1).fit(X, y)
    rng = np.random.default_rng(0)
    lengths = [1, 2, 4, 5, 8, 9, 43, 86, 430, 5168]  # 1 frame, 0.05 s and more, 0.5, 1, 5 and 60 s
    notes = [rng.standard_normal((n, 8)).astype(np.float32) for n in lengths]
    together = classifier.predict_proba(notes)
    for note, row in zip(notes, together):
        np.testing.assert_allclose(classifier.predict_proba([note])[0], row, rtol=0, atol=1e-5)
    subset = classifier.predict_proba(notes[::3])
    np.testing.assert_allclose(subset, together[::3], rtol=0, atol=1e-5)


def test_double_precision_is_kept(data, fitted):
    exact = [x.astype(np.float64) for x in data[0]]
    proba = fitted.predict_proba(exact)
    np.testing.assert_allclose(proba, fitted.predict_proba(data[0]), atol=1e-5)
    for row in (0, 7):
        np.testing.assert_allclose(fitted.predict_proba([exact[row]])[0], proba[row], atol=1e-9)
    assert next(fitted.net_.module_.parameters()).dtype == torch.float32  # a copy was cast


def test_all_forms_give_the_same():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((12, 9, 8)).astype(np.float32), np.array(LABELS * 4)
    expected = model().fit(X, y).predict_proba(X)
    frame = pd.DataFrame({"audio": list(X)})
    for form in (list(X), tuple(X), pd.Series(list(X)), frame):
        np.testing.assert_allclose(model().fit(form, y).predict_proba(form), expected, atol=1e-7)
    single = model().fit(X[:, 0], y).predict_proba(X[:, 0])
    np.testing.assert_allclose(model().fit(X[:, :1], y).predict_proba(X[:, :1]), single, atol=1e-7)


AXES = SpectralAxes(sample_rate=5000, hop_length=100, n_bins=8)  # 50 frames a second


class MeanNet(nn.Module):
    """The least that a network must be."""

    def __init__(self, num_instruments, num_classes, n_bins, gain=1.0):
        super().__init__()
        self.gain = gain
        self.linear = nn.Linear(n_bins, num_classes)

    def forward(self, spectrogram, lengths, instrument):
        return self.gain * self.linear(spectrogram.sum(dim=1) / lengths[:, None])


def test_a_network_of_ones_own(data):
    classifier = model(module=MeanNet, module_params={"gain": 2.0}, max_epochs=10, lr=0.05)
    classifier.fit(*data)
    assert isinstance(classifier.net_.module_, MeanNet)
    assert classifier.net_.module_.gain == 2.0
    assert classifier.score(*data) > 0.9


def test_an_unknown_module_parameter_is_named(data):
    match = r"module_params names \['dropuot'\]; CompactNet accepts .*'dropout'"
    with pytest.raises(ValueError, match=match):
        model(module_params={"dropuot": 0.1}).fit(*data)


def test_module_parameters_reach_the_network(data):
    params = {"attack_seconds": 0.2}
    classifier = model(module="starter", module_params=params, max_epochs=1, axes=AXES)
    assert classifier.fit(*data).net_.module_.focus == (50.0, 0.2, 0.5)
    assert isinstance(classifier.net_.module_, SimpleStarterModel)


class Counter(Callback):
    def __init__(self):
        self.n_epochs = self.n_batches = 0

    def on_epoch_end(self, net, **kwargs):
        self.n_epochs += 1

    def on_batch_end(self, net, training=None, **kwargs):
        self.n_batches += training


def test_callbacks_of_the_user(data, tmp_path):
    counter = Counter()
    callbacks = [counter, ("named", Checkpoint(dirname=tmp_path, monitor="train_loss_best"))]
    classifier = model(max_epochs=3, batch_size=16, callbacks=callbacks).fit(*data)
    assert counter.n_epochs == 3
    assert counter.n_batches == 3 * 4
    assert (tmp_path / "params.pt").exists()
    assert classifier.callbacks is callbacks


@pytest.mark.parametrize("device", ["cpu", "auto"])
def test_device(data, device):
    proba = model(max_epochs=1, device=device).fit(*data).predict_proba(data[0])
    assert np.isfinite(proba).all()
    if device == "auto" and not torch.cuda.is_available():
        expected = model(max_epochs=1).fit(*data).predict_proba(data[0])
        np.testing.assert_array_equal(proba, expected)


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "tpu0", "meta", "lazy", "privateuseone", ""])
def test_a_device_that_is_not_there_is_named(data, device):
    with pytest.raises(ValueError, match=f"expected device to be 'auto', 'cpu' .* got '{device}'"):
        model(device=device).fit(*data)


def test_the_message_on_axes_names_what_users_import(data):
    with pytest.raises(ValueError, match=r"instance of 'sknote\.spectral\.SpectralAxes' or None"):
        model(axes="log").fit(*data)


def test_half_precision_trains_as_well(data):
    full = model(precision="float32", max_epochs=10).fit(*data)
    half = model(precision="bfloat16", max_epochs=10).fit(*data)
    assert half.net_.bfloat16
    assert not full.net_.bfloat16
    assert min(full.score(*data), half.score(*data)) > 0.9
    assert {p.dtype for p in half.net_.module_.parameters()} == {torch.float32}


@pytest.mark.parametrize("has", [(), ("amx_tile",), ("avx512_bf16",)])
def test_half_precision_is_for_processors_that_have_it(data, monkeypatch, has):
    for unit in ("amx_tile", "avx512_bf16"):
        monkeypatch.setattr(_net, f"is_{unit}_supported", lambda unit=unit: unit in has)
    assert model(max_epochs=1).fit(*data).net_.bfloat16 == bool(has)


def test_progress_bar(data, capsys):
    model(max_epochs=2, verbose=1, validation_fraction=0.2).fit(*data)
    assert "2/2" in capsys.readouterr().err
    model(max_epochs=2).fit(*data)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("module", "resnet"),
        ("module_params", [1]),
        ("max_epochs", 0),
        ("n_threads", 5000),
        ("batch_size", 2.5),
        ("lr", 0.0),
        ("weight_decay", -1.0),
        ("gradient_clip", 0.0),
        ("label_smoothing", 1.0),
        ("class_weight", "auto"),
        ("augment", True),
        ("max_train_seconds", 0.0),
        ("instrument_dropout", 1.0),
        ("axes", 50.0),
        ("validation_fraction", 1.0),
        ("patience", 0),
        ("callbacks", Counter()),
        ("warm_start", "yes"),
        ("precision", "float16"),
        ("device", 0),
        ("n_threads", 0),
        ("random_state", "seed"),
    ],
)
def test_parameters_are_checked(data, name, bad):
    with pytest.raises(ValueError, match=f"The '{name}' parameter of NoteClassifier must be"):
        model(**{name: bad}).fit(*data)
    with pytest.raises(ValueError, match=f"The '{name}' parameter of NoteClassifier must be"):
        model(**{name: bad}).partial_fit(*data)


def test_a_clone_is_unfitted_and_equal(fitted):
    copy = clone(fitted)
    assert not hasattr(copy, "net_")
    assert copy.get_params() == fitted.get_params()
