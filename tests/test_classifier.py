"""NoteClassifier: learning, probabilities, weights, validation, further training."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from skorch.callbacks import Callback, Checkpoint
from torch import nn

from sknote import NoteClassifier
from sknote.nn import NoteAnalyzer, SimpleStarterModel, SpectrogramAugment

LABELS = ["bad^attack", "bad > worse", "good sound"]
SMALL = {"n_profiles": 2, "n_cepstra": 1, "channels": 8, "n_members": 4, "width": 32}
FRAMES = {"module": "starter", "module_params": None}  # a network that looks at frames


def model(**params):
    return NoteClassifier(
        **{
            "max_epochs": 6,
            "module_params": SMALL,
            "lr": 0.01,
            "augment": None,  # 8 bins are too few for the shifts of the default
            "random_state": 0,
        }
        | params
    )


def toy(n_notes=60, seed=0, n_bins=8, dtype=np.float32):
    """Ragged spectrograms whose class is the band that is loudest."""
    rng = np.random.default_rng(seed)
    X = [
        (rng.standard_normal((rng.integers(3, 60), n_bins)) + 3 * np.eye(3, n_bins)[i % 3]).astype(
            dtype
        )
        for i in range(n_notes)
    ]
    return X, np.array(LABELS)[np.arange(n_notes) % 3]


def weights_of(classifier):
    parameters = classifier.net_.module_.parameters()
    return torch.cat([parameter.detach().flatten() for parameter in parameters])


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


def test_weights_of_one_are_none(data):
    weighted = model(max_epochs=2).fit(*data, sample_weight=np.ones(60)).predict_proba(data[0])
    np.testing.assert_array_equal(weighted, model(max_epochs=2).fit(*data).predict_proba(data[0]))


def test_a_common_factor_of_all_weights_means_nothing(data):
    first = model(max_epochs=2).fit(*data, sample_weight=np.full(60, 7.0)).predict_proba(data[0])
    np.testing.assert_allclose(
        first, model(max_epochs=2).fit(*data).predict_proba(data[0]), atol=1e-6
    )


def test_whole_weights_are_repetitions(data):
    X, y = data
    weight = np.random.default_rng(0).integers(0, 4, len(X))
    rows = np.repeat(np.arange(len(X)), weight)
    weighted = model().fit(X, y, sample_weight=weight)
    repeated = model().fit([X[i] for i in rows], y[rows])
    np.testing.assert_allclose(weighted.mean_, repeated.mean_)
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), atol=1e-6)


def test_weights_matter():
    X, _ = toy(40)
    y = np.array(["a", "b"] * 20)  # noise
    lean = model().fit(X, y, sample_weight=np.where(y == "a", 1.0, 0.05))
    assert lean.predict_proba(X)[:, 0].mean() > 0.65


def test_frame_statistics_in_closed_form(data):
    X, y = data
    weight = np.random.default_rng(0).uniform(0.5, 2, len(X))
    classifier = model(**FRAMES, max_epochs=1).fit(X, y, sample_weight=weight)
    frames = np.concatenate(X).astype(np.float64)
    each = np.repeat(weight, [len(x) for x in X])
    mean = np.average(frames, axis=0, weights=each)
    np.testing.assert_allclose(classifier.mean_, mean, rtol=1e-9)
    deviation = np.sqrt(np.average((frames - mean) ** 2, axis=0, weights=each))
    np.testing.assert_allclose(classifier.scale_, deviation, rtol=1e-9)


def test_a_constant_band_is_no_division_by_zero(data):
    X = [np.concatenate([x, np.full((len(x), 1), -80, np.float32)], axis=1) for x in data[0]]
    classifier = model(**FRAMES, max_epochs=1).fit(X, data[1])
    assert classifier.scale_[-1] == 1.0
    assert np.isfinite(classifier.predict_proba(X)).all()


def test_balanced_weights_with_a_class_of_one_member(data):
    X, y = data[0], data[1].astype("U20")
    y[0] = "rare"
    count = {label: (y == label).sum() for label in np.unique(y)}
    closed_form = {label: 60 / (4 * n) for label, n in count.items()}
    balanced = model(class_weight="balanced").fit(X, y).predict_proba(X)
    given = model(class_weight=closed_form).fit(X, y).predict_proba(X)
    np.testing.assert_allclose(balanced, given, atol=1e-6)
    assert np.abs(balanced - model().fit(X, y).predict_proba(X)).max() > 1e-2


def test_class_weight_of_an_unknown_label_is_named(data):
    with pytest.raises(ValueError, match=r"class_weight names the labels \['tuba'\]"):
        model(class_weight={"tuba": 1.0}).fit(*data)


class Sides(Callback):
    """Remember what both parts of the training were made of: the last bin names the group."""

    def on_epoch_begin(self, net, dataset_train=None, dataset_valid=None, **kwargs):
        self.train, self.valid = (
            None if part is None else set(part.frames[:, -1].tolist())
            for part in (dataset_train, dataset_valid)
        )


def grouped(data, n_groups=12):
    """Notes whose last bin holds the number of their group, and the groups."""
    groups = np.arange(len(data[0])) // 3 % n_groups
    X = [np.c_[x, np.full(len(x), g)].astype(np.float32) for x, g in zip(data[0], groups)]
    return X, data[1], groups


@pytest.mark.parametrize("kind", [np.asarray, pd.Series, lambda g: pd.Series(g, dtype="category")])
def test_no_group_is_on_both_sides_of_the_validation_split(data, kind):
    X, y, groups = grouped(data)
    sides = Sides()
    classifier = model(**FRAMES, max_epochs=1, validation_fraction=0.25, callbacks=[sides])
    classifier.fit(X, y, groups=kind(groups))
    assert len(sides.valid) == 3
    assert sides.train | sides.valid == set(range(12))
    assert not sides.train & sides.valid


def test_without_groups_each_note_is_its_own(data):
    X, y, _ = grouped(data, n_groups=60)
    sides = Sides()
    model(**FRAMES, max_epochs=1, validation_fraction=0.25, callbacks=[sides]).fit(X, y)
    assert sides.train & sides.valid


def test_without_a_fraction_there_is_no_validation_part(data):
    X, y, groups = grouped(data)
    sides = Sides()
    classifier = model(**FRAMES, max_epochs=1, callbacks=[sides]).fit(X, y, groups=groups)
    assert sides.valid is None
    assert sides.train == set(range(12))
    assert "valid_loss" not in classifier.history_[-1]


class Held(Callback):
    """Keep the validation part."""

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        self.train = X

    def on_epoch_begin(self, net, dataset_valid=None, **kwargs):
        self.valid = dataset_valid


def test_the_best_weights_are_kept(data):
    X, y = data[0], np.random.default_rng(0).permutation(data[1])  # nothing to learn: it overfits
    held = Held()
    classifier = model(
        **FRAMES, max_epochs=15, validation_fraction=0.3, callbacks=[held], precision="float32"
    ).fit(X, y)
    losses = classifier.history_[:, "valid_loss"]
    assert np.argmin(losses) < len(losses) - 1
    notes = [held.valid[row][0].numpy() for row in range(len(held.valid))]
    proba = classifier.predict_proba(notes)
    loss = -np.log(proba[np.arange(len(notes)), held.valid.target]).mean()
    assert loss == pytest.approx(min(losses), rel=1e-4)


def test_early_stopping(data):
    X, y = data[0], np.random.default_rng(0).permutation(data[1])
    classifier = model(max_epochs=60, validation_fraction=0.3, patience=3).fit(X, y)
    losses = classifier.history_[:, "valid_loss"]
    assert len(losses) < 60
    assert np.argmin(losses) == len(losses) - 4


def test_early_stopping_needs_a_validation_part(data):
    with pytest.raises(ValueError, match=r"patience needs a validation part.*validation_fraction"):
        model(patience=3).fit(*data)


def test_the_history_has_a_row_for_each_epoch(data):
    classifier = model(max_epochs=5, validation_fraction=0.2).fit(*data)
    assert classifier.history_ is classifier.net_.history
    assert classifier.history_[:, "epoch"] == [1, 2, 3, 4, 5]
    losses = np.array(classifier.history_[:, ("train_loss", "valid_loss", "dur")])
    assert np.isfinite(losses).all()
    assert losses[-1, 0] < losses[0, 0]


def test_the_learning_rate_is_one_cycle_over_all_batches(data):
    classifier = model(max_epochs=4, batch_size=16, lr=0.01).fit(*data)
    rates = [
        batch["lr"] for epoch in classifier.history_ for batch in epoch["batches"] if "lr" in batch
    ]
    assert len(rates) == 4 * 4 - 1  # 60 notes are 4 batches; the last has no rate to come
    assert max(rates) == pytest.approx(0.01, rel=0.1)
    assert 0 < rates.index(max(rates)) < 6
    assert rates[-1] < 0.01 / 25


def test_warm_start_goes_on(data):
    classifier = model(warm_start=True, max_epochs=3).fit(*data)
    before = classifier.history_[-1]["train_loss"]
    weights = weights_of(classifier)
    classifier.fit(*data)
    assert classifier.history_[:, "epoch"] == list(range(1, 7))
    assert classifier.history_[-1]["train_loss"] < before
    moved = (weights_of(classifier) - weights).abs().mean()
    assert 0 < moved < 0.5 * weights.abs().mean()
    assert len(model(max_epochs=3).fit(*data).fit(*data).history_) == 3


def test_warm_start_refuses_what_it_does_not_know(data):
    classifier = model(warm_start=True, max_epochs=1).fit(*data)
    with pytest.raises(ValueError, match=r"y has new ones: \['new'\]"):
        classifier.fit(data[0], np.where(data[1] == LABELS[0], "new", data[1]))
    with pytest.raises(ValueError, match="of 8 bins, got shape"):
        classifier.fit([x[:, :5] for x in data[0]], data[1])


def test_partial_fit_learns_batch_by_batch(data):
    X, y = data
    classifier = model(lr=3e-3)
    for _ in range(6):
        for part in range(3):
            rows = range(part, 60, 3)  # a part holds a single class
            classifier.partial_fit([X[i] for i in rows], y[rows], classes=LABELS)
    assert classifier.classes_.tolist() == sorted(LABELS)
    assert len(classifier.history_) == 18
    assert {group["lr"] for group in classifier.net_.optimizer_.param_groups} == {3e-3}
    assert classifier.score(X, y) > 0.6


def test_partial_fit_refines_a_fit(data):
    classifier = model(max_epochs=3).fit(*data)
    before = classifier.history_[-1]["train_loss"]
    for _ in range(5):
        classifier.partial_fit(*data)
    assert len(classifier.history_) == 8
    assert classifier.history_[-1]["train_loss"] < before


@pytest.mark.parametrize("module", ["compact", "analyzer", "starter"])
def test_batches_of_one_note(data, module):
    params = SMALL if module == "compact" else None
    classifier = model(module=module, module_params=params, batch_size=1, max_epochs=1)
    classifier.fit(data[0][:5], data[1][:5])
    assert np.isfinite(classifier.predict_proba(data[0])).all()
    for row in range(3):
        classifier.partial_fit(data[0][row : row + 1], data[1][row : row + 1])
    assert np.isfinite(classifier.predict_proba(data[0])).all()


def test_partial_fit_refuses_new_classes(data):
    classifier = model().partial_fit(*data)
    with pytest.raises(ValueError, match=r"new ones: \['new'\].*pass all classes to the first"):
        classifier.partial_fit(data[0], ["new"] * 60)


def instruments(n_notes=80, seed=0):
    """Sounds that tell nothing: the instrument alone tells the label."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"audio": list(rng.standard_normal((n_notes, 20, 8)).astype(np.float32))})
    X["instrument"] = ["oboe", "bass"] * (n_notes // 2)
    return X, np.array(["good", "bad"] * (n_notes // 2))


@pytest.fixture(scope="module")
def by_instrument():
    classifier = model(max_epochs=15, lr=0.02, batch_size=16, instrument_dropout=0.2)
    return classifier.fit(*instruments())


def test_the_instrument_is_heard(by_instrument):
    assert by_instrument.instruments_ == ["bass", "oboe"]
    assert by_instrument.score(*instruments(seed=1)) > 0.95


@pytest.mark.parametrize("unknown", ["tuba", None, np.nan, pd.NA, "Oboe"])
def test_an_unknown_instrument_is_a_learned_one(by_instrument, unknown):
    X, _ = instruments(seed=1)
    proba = by_instrument.predict_proba(X.assign(instrument=unknown))
    np.testing.assert_allclose(proba, by_instrument.predict_proba(list(X["audio"])), atol=1e-6)
    sure = by_instrument.predict_proba(X).max(axis=1).mean()
    assert proba.max(axis=1).mean() < sure - 0.1  # it cannot be as sure as with the instrument


@pytest.mark.parametrize("dtype", ["str", "string", object, "category"])
def test_instruments_in_every_dress(by_instrument, dtype):
    X, _ = instruments(seed=1)
    expected = by_instrument.predict_proba(X)
    dressed = X.assign(instrument=X["instrument"].astype(dtype))
    np.testing.assert_array_equal(by_instrument.predict_proba(dressed), expected)


def test_instruments_missing_in_fit():
    X, y = instruments()
    X.loc[::3, "instrument"] = None
    classifier = model(max_epochs=1).fit(X, y)
    assert classifier.instruments_ == ["bass", "oboe"]
    classifier = model(max_epochs=1).fit(X.assign(instrument=np.nan), y)
    assert classifier.instruments_ == []
    assert np.isfinite(classifier.predict_proba(X)).all()


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
    classifier = model(module="starter", module_params=params, max_epochs=1, frame_rate=50.0)
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


def test_half_precision_trains_as_well(data):
    full = model(precision="float32", max_epochs=10).fit(*data)
    half = model(precision="bfloat16", max_epochs=10).fit(*data)
    assert half.net_.bfloat16
    assert not full.net_.bfloat16
    assert min(full.score(*data), half.score(*data)) > 0.9
    assert {p.dtype for p in half.net_.module_.parameters()} == {torch.float32}


def test_progress_bar(data, capsys):
    model(max_epochs=2, verbose=1, validation_fraction=0.2).fit(*data)
    assert "2/2" in capsys.readouterr().err
    model(max_epochs=2).fit(*data)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_augmentation_can_be_set_and_turned_off(data, monkeypatch):
    seen = []
    original = SpectrogramAugment.bind

    def spy(self, classes):
        seen.append((self, list(classes)))
        return original(self, classes)

    monkeypatch.setattr(SpectrogramAugment, "bind", spy)
    own = SpectrogramAugment(semitones=0)
    model(max_epochs=1, augment=own).fit(*data)
    model(max_epochs=1, augment="auto").fit(*data)
    model(max_epochs=1, augment=None).fit(*data)
    assert [classes for _, classes in seen] == [sorted(LABELS)] * 2
    assert seen[0][0] is own
    assert seen[1][0].get_params() == SpectrogramAugment().get_params()


def test_parameters_of_the_augmentation_can_be_set():
    classifier = NoteClassifier().set_params(augment__semitones=2, max_epochs=3)
    assert classifier.augment.get_params() == SpectrogramAugment(semitones=2).get_params()
    assert classifier.set_params(augment__level_db=1.0).augment.semitones == 2
    assert clone(classifier).augment.level_db == 1.0
    with pytest.raises(ValueError, match="Invalid parameter 'semitone'"):
        NoteClassifier().set_params(augment__semitone=2)


class Longest(Callback):
    def on_train_begin(self, net, **kwargs):
        self.frames = 0

    def on_batch_begin(self, net, batch=None, training=None, **kwargs):
        self.frames = max(self.frames, int(batch[0]["lengths"].max()))


def test_training_shows_no_more_than_its_seconds(data):
    longest = Longest()
    params = {"frame_rate": 10.0, "callbacks": [longest], "max_epochs": 1} | FRAMES
    for seconds, expected in [(2.0, 20), (None, max(len(x) for x in data[0]))]:
        model(max_train_seconds=seconds, **params).fit(*data)
        assert longest.frames == expected


def test_equal_notes_are_one(data):
    """100 copies cost no more than one, and mean the same."""
    X, y = [data[0][0], data[0][1]] * 100, np.array(["a", "b"] * 100)
    held = Held()
    classifier = model(callbacks=[held], max_epochs=2).fit(X, y)
    assert len(held.train) == 2
    expected = model(max_epochs=2).fit(X[:2], y[:2]).predict_proba(X[:2])
    np.testing.assert_allclose(classifier.predict_proba(X[:2]), expected, atol=1e-6)


def test_equal_notes_with_other_labels_groups_or_instruments_are_not_one(data):
    X = pd.DataFrame({"audio": [data[0][0]] * 6, "instrument": ["a", "b", None] * 2})
    held = Held()
    model(callbacks=[held], max_epochs=1).fit(X, list("xxxyyy"))
    assert len(held.train) == 6
    model(callbacks=[held], max_epochs=1).fit([data[0][0]] * 6, list("xxyyyy"), groups=[1, 2] * 3)
    assert len(held.train) == 4


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("module", "resnet"),
        ("module_params", [1]),
        ("max_epochs", 0),
        ("batch_size", 2.5),
        ("lr", 0.0),
        ("weight_decay", -1.0),
        ("gradient_clip", 0.0),
        ("label_smoothing", 1.0),
        ("class_weight", "auto"),
        ("augment", True),
        ("max_train_seconds", 0.0),
        ("instrument_dropout", 1.0),
        ("frame_rate", 0.0),
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
