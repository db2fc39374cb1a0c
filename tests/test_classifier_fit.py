"""How NoteClassifier trains: validation part, history, augmentation, further training."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from skorch.callbacks import Callback
from toys import FRAMES, LABELS, SMALL, Held, model, toy, weights_of

from sknote import NoteClassifier
from sknote.nn import RecordingAugment, SpectrogramAugment
from sknote.spectral import SpectralAxes


@pytest.fixture(scope="module")
def data():
    return toy()


class Sides(Callback):
    """Remember what both parts of the training were made of: the last bin names the group."""

    def on_epoch_begin(self, net, dataset_train=None, dataset_valid=None, **kwargs):
        self.train, self.valid = (
            None if part is None else {note[0, -1].item() for note, _ in part}
            for part in (dataset_train, dataset_valid)
        )


def grouped(data, n_groups=12):
    """Notes whose last bin holds the number of their group, and the groups."""
    groups = np.arange(len(data[0])) // 3 % n_groups
    X = [np.c_[x, np.full(len(x), g)].astype(np.float32) for x, g in zip(data[0], groups)]
    return X, data[1], groups


@pytest.mark.parametrize(
    ("n_notes", "expected"), [(2, 100), (960, 100), (1000, 96), (1500, 64), (2400, 40), (9**6, 40)]
)
def test_few_notes_are_passed_over_more_often(n_notes, expected):
    assert NoteClassifier()._count_epochs(n_notes) == expected
    assert NoteClassifier(batch_size=24)._count_epochs(n_notes) == min(
        100, max(40, -(-2000 * 24 // n_notes))
    )
    assert NoteClassifier(max_epochs=7)._count_epochs(n_notes) == 7
    narrow = NoteClassifier(batch_size=np.uint8(24))._count_epochs(n_notes)
    assert narrow == NoteClassifier(batch_size=24)._count_epochs(n_notes)


@pytest.mark.parametrize("kind", [np.uint8, np.int32, np.int64])
@pytest.mark.parametrize("params", [{}, FRAMES], ids=["ensemble", "frames"])
def test_numbers_of_numpy_are_those_of_python(data, kind, params):
    how = {"max_epochs": 2, "batch_size": 1, "module_params": SMALL} | params
    plain = model(**how).fit(*data)  # 120 steps in all
    how |= {"max_epochs": kind(2), "batch_size": kind(1)}
    numpys = model(**how, max_train_seconds=np.float32(4)).fit(*data)
    assert numpys.get_params()["max_epochs"] is how["max_epochs"]
    np.testing.assert_array_equal(numpys.predict_proba(data[0]), plain.predict_proba(data[0]))


@pytest.mark.parametrize("name", ["lr", "div_factor", "weight_decay", "max_epochs", "patience"])
def test_numbers_beyond_all_floats_are_refused(data, name):
    with pytest.raises(ValueError, match=f"The '{name}' parameter of NoteClassifier must be"):
        model(**{name: 10**400}).fit(*data)


def test_by_itself_a_fit_of_few_notes_has_a_hundred_epochs(data):
    params = {"module_params": SMALL | {"n_profiles": 0}, "random_state": 0}
    auto, stated = (NoteClassifier(**params | how).fit(*data) for how in ({}, {"max_epochs": 100}))
    assert len(auto.history_) == 100
    np.testing.assert_array_equal(auto.predict_proba(data[0]), stated.predict_proba(data[0]))
    assert len(auto.partial_fit(*data).history_) == 101


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


@pytest.mark.parametrize("monitor", ["valid_loss", "valid_accuracy"])
@pytest.mark.parametrize("params", [{}, FRAMES], ids=["ensemble", "frames"])
def test_what_makes_an_epoch_the_best(data, monitor, params):
    X, y = data[0], np.random.default_rng(0).permutation(data[1])
    held = Held()
    settings = {"max_epochs": 12, "validation_fraction": 0.4, "precision": "float32"} | params
    classifier = model(monitor=monitor, callbacks=[held], **settings).fit(X, y)
    history = classifier.history_
    for name, best in (("valid_loss", np.minimum), ("valid_accuracy", np.maximum)):
        values = np.array(history[:, name])
        news = [True, *(best.accumulate(values)[1:] != best.accumulate(values)[:-1])]
        assert history[:, f"{name}_best"] == news
    # the weights of the epoch that was the last to be the best so far
    chosen = np.flatnonzero(history[:, f"{monitor}_best"])[-1]
    other = {"valid_loss": "valid_accuracy", "valid_accuracy": "valid_loss"}[monitor]
    assert chosen != np.flatnonzero(history[:, f"{other}_best"])[-1]
    batches = classifier.net_.get_iterator(held.valid, training=False)
    parts = [(classifier.net_.infer(x).softmax(dim=-1), *target) for x, target in batches]
    proba, target, weight = (torch.cat(part) for part in zip(*parts))
    right = (proba.argmax(dim=1) == target).float()
    accuracy = float((right * weight).sum() / weight.sum())
    assert accuracy == pytest.approx(history[int(chosen), "valid_accuracy"])


def test_early_stopping_watches_what_is_monitored(data):
    X, y = data[0], np.random.default_rng(0).permutation(data[1])
    settings = {"max_epochs": 60, "validation_fraction": 0.3, "patience": 3}
    history = model(monitor="valid_accuracy", **settings).fit(X, y).history_
    accuracy = history[:, "valid_accuracy"]  # the last epoch has it, too
    assert len(accuracy) < 60
    assert np.argmax(accuracy) == len(accuracy) - 4


def rates_of(classifier):
    batches = [batch for epoch in classifier.history_ for batch in epoch["batches"]]
    return [batch["lr"] for batch in batches if "lr" in batch]


def test_the_shape_of_the_one_cycle(data):
    def rates(**params):
        return rates_of(model(max_epochs=5, batch_size=12, lr=0.01, **params).fit(*data))

    torch_default = rates(pct_start=0.2, div_factor=25.0, final_div_factor=1e3)
    np.testing.assert_array_equal(rates(), torch_default)
    late = rates(pct_start=0.8, div_factor=10, final_div_factor=1)
    assert late[0] == pytest.approx(0.01 / 10)
    assert torch_default[0] == pytest.approx(0.01 / 25)
    assert np.argmax(late) == 0.8 * 25 - 1
    assert np.argmax(torch_default) == 0.2 * 25 - 1
    assert late[-1] > 0.01 / 10 > torch_default[-1]


def test_early_stopping(data):
    X, y = data[0], np.random.default_rng(0).permutation(data[1])
    classifier = model(max_epochs=60, validation_fraction=0.3, patience=3).fit(X, y)
    losses = classifier.history_[:, "valid_loss"]
    assert len(losses) < 60
    assert np.argmin(losses) == len(losses) - 4


@pytest.mark.parametrize(
    ("params", "name"), [({"patience": 3}, "patience"), ({"monitor": "valid_accuracy"}, "monitor=")]
)
def test_what_watches_a_validation_part_needs_one(data, params, name):
    with pytest.raises(ValueError, match=rf"{name}.*needs a validation part.*validation_fraction"):
        model(**params).fit(*data)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("monitor", ["loss", "valid_acc", "train_loss", None]),
        ("pct_start", [-0.1, 1.1, float("nan"), None]),
        ("div_factor", [0, 0.5, float("nan")]),
        ("final_div_factor", [0, -1e3, "1e4"]),
    ],
)
def test_wrong_values_of_the_schedule_are_refused(data, name, values):
    for value in values:
        with pytest.raises(ValueError, match=f"The '{name}' parameter of NoteClassi"):
            model(**{name: value}).fit(*data)


def test_the_history_has_a_row_for_each_epoch(data):
    classifier = model(max_epochs=5, validation_fraction=0.2).fit(*data)
    assert classifier.history_ is classifier.net_.history
    assert classifier.history_[:, "epoch"] == [1, 2, 3, 4, 5]
    losses = np.array(classifier.history_[:, ("train_loss", "valid_loss", "dur")])
    assert np.isfinite(losses).all()
    assert losses[-1, 0] < losses[0, 0]


def test_the_learning_rate_is_one_cycle_over_all_batches(data):
    classifier = model(max_epochs=4, batch_size=16, lr=0.01).fit(*data)
    rates = rates_of(classifier)
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


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"module": "starter", "module_params": None}, "module, "),
        ({"module_params": SMALL | {"width": 16}}, "width: then {'width': 32}, now {'width': 16}"),
        ({"module_params": SMALL | {"dropout": 0.5}}, "dropout: then {}, now {'dropout': 0.5}"),
        ({"level": "relative"}, "level: then {'level': 'absolute'}, now {'level': 'relative'}"),
    ],
)
def test_what_goes_on_is_the_network_that_was_trained(data, change, named):
    classifier = model(max_epochs=1).fit(*data).set_params(warm_start=True, **change)
    before = weights_of(classifier)
    for go_on in (classifier.fit, classifier.partial_fit):
        with pytest.raises(ValueError, match=f"expected the network that was tr.* changed {named}"):
            go_on(*data)
    assert torch.equal(weights_of(classifier), before)
    anew = classifier.set_params(warm_start=False).fit(*data)
    assert len(anew.history_) == 1
    params = {name: np.array(value)[()] for name, value in (anew.module_params or {}).items()}
    same = {"module_params": params, "module": type(anew.net_.module_)}
    assert len(anew.set_params(warm_start=True, **same).fit(*data).history_) == 2


ALL = sorted(LABELS)


@pytest.mark.parametrize("classes", [ALL, ALL[::-1], np.array(ALL, object), (*ALL, ALL[0]), None])
def test_partial_fit_takes_the_classes_of_the_first_call(data, classes):
    classifier = model().partial_fit(*data, classes=LABELS)
    classifier.partial_fit(*data, classes=classes)
    assert classifier.classes_.tolist() == ALL
    assert len(classifier.history_) == 2


@pytest.mark.parametrize("classes", [ALL[1:], [*ALL, "new"], ["x", "y"], [1, 2, 3], []])
@pytest.mark.parametrize("begin", ["partial_fit", "fit"])
def test_partial_fit_refuses_other_classes_than_before(data, classes, begin):
    classifier = getattr(model(max_epochs=1), begin)(*data)
    before = weights_of(classifier).clone()
    match = "NoteClassifier: expected the classes of the first call, .* got "
    with pytest.raises(ValueError, match=match):
        classifier.partial_fit(*data, classes=classes)
    assert (weights_of(classifier) == before).all()
    assert len(classifier.history_) == 1


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ([], "at least 2 classes, got 0 classes"),
        (["one"], "at least 2 classes, got 1 class: 'one'"),
        (["x", "y"], "y has new ones"),
        ("abc", "expected classes to be a list of labels, got 'abc'"),
        (3, "expected classes to be a list of labels, got 3"),
        ([ALL], "expected classes to be a list of labels"),
        ([*ALL, None], "classes contains NaN: the label of row"),
        ([*ALL, ""], "expected labels in classes, the label of row"),
        ([*ALL, 1], "expected labels of one type"),
    ],
)
def test_classes_that_are_none(data, classes, message):
    with pytest.raises(ValueError, match=f"NoteClassifier: .*{message}"):
        model().partial_fit(*data, classes=classes)


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


def test_augmentation_can_be_set_and_turned_off(data, monkeypatch):
    seen = []
    original = SpectrogramAugment.bind

    def spy(self, classes, axes):
        seen.append((self, list(classes)))
        return original(self, classes, axes)

    monkeypatch.setattr(SpectrogramAugment, "bind", spy)
    own = SpectrogramAugment(semitones=0)
    model(max_epochs=1, augment=own).fit(*data)
    model(max_epochs=1, augment="auto").fit(*data)
    model(max_epochs=1, augment=None).fit(*data)
    assert [classes for _, classes in seen] == [sorted(LABELS)] * 2
    assert seen[0][0] is own
    # these spectrograms are not in dB, and so are not recorded anew
    assert seen[1][0].get_params() == SpectrogramAugment().get_params()


def test_parameters_of_the_augmentation_can_be_set():
    classifier = NoteClassifier().set_params(augment__semitones=2, max_epochs=3)
    assert classifier.augment.get_params() == RecordingAugment.studio(semitones=2).get_params()
    practice = NoteClassifier(augment="practice").set_params(augment__room=0.0)
    assert practice.augment.get_params() == RecordingAugment(room=0.0).get_params()
    assert classifier.set_params(augment__level_db=1.0).augment.semitones == 2
    assert clone(classifier).augment.level_db == 1.0
    with pytest.raises(ValueError, match="Invalid parameter 'semitone'"):
        NoteClassifier().set_params(augment__semitone=2)
    with pytest.raises(ValueError, match="augment is None, which has no parameters"):
        NoteClassifier(augment=None).set_params(augment__semitones=2)
    both = NoteClassifier(augment=None).set_params(augment="auto", augment__semitones=2)
    assert both.augment.semitones == 2


class Longest(Callback):
    def on_train_begin(self, net, **kwargs):
        self.frames = 0

    def on_batch_begin(self, net, batch=None, training=None, **kwargs):
        self.frames = max(self.frames, int(batch[0]["lengths"].max()))


def test_training_shows_no_more_than_its_seconds(data):
    longest = Longest()
    axes = SpectralAxes(sample_rate=1000, hop_length=100, n_bins=8)
    params = {"axes": axes, "callbacks": [longest], "max_epochs": 1} | FRAMES
    for seconds, expected in [(2.0, 20), (None, max(len(x) for x in data[0]))]:
        model(max_train_seconds=seconds, **params).fit(*data)
        assert longest.frames == expected


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (["x"] * 60, "could not convert string to float: 'x'"),
        ("balanced", "could not convert string to float"),
        ([1j] * 60, "not 'complex'"),
        ([1.0] * 59, r"sample_weight.shape == \(59,\), expected \(60,\)"),
        ([[1, 2]] * 60, "Sample weights must be 1D"),
        ([0] * 60, "at least one non-zero"),
        ([1e308] * 60, "the sum of sample_weight is too large"),
        ([10**400] * 60, "too large for a float"),
        (float("inf"), "infinity|too large, or infinite"),
        ([1] * 59 + [-1], r"finite numbers of at least 0, got -1 in row 59 \(1 such in all\)\.$"),
        ([np.nan] * 60, r"got nan in row 0 \(60 such in all\)\.$"),
    ],
)
def test_weights_that_are_none_name_the_classifier(data, weight, message):
    with pytest.raises((ValueError, TypeError), match=f"^NoteClassifier: .*({message})"):
        model(max_epochs=1).fit(*data, sample_weight=weight)


def test_threads_are_checked_when_it_predicts_too(data):
    classifier = model(max_epochs=1).fit(*data)
    expected = classifier.predict_proba(data[0])
    for wrong in (-1, 0, 2.5, "2", 10**6):
        with pytest.raises(ValueError, match=r"NoteClassifier: expected n_threads .* got"):
            classifier.set_params(n_threads=wrong).predict(data[0])
    proba = classifier.set_params(n_threads=np.int64(2)).predict_proba(data[0])
    np.testing.assert_allclose(proba, expected, atol=1e-6)
