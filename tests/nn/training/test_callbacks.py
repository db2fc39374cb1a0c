"""Callbacks of skorch that users pass: each in a real fit, or refused with the reason."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import accuracy_score, make_scorer, recall_score
from skorch.callbacks import (
    BatchScoring,
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    EpochTimer,
    Freezer,
    GradientNormClipping,
    InputShapeSetter,
    LRScheduler,
    ProgressBar,
    TrainEndCheckpoint,
    WarmRestartLR,
)
from toys import FRAMES, LABELS, model, toy

X, Y = toy(36)


def fit(*callbacks, **params):
    settings = {"max_epochs": 3, "n_threads": 1, "validation_fraction": 0.3} | params
    return model(callbacks=list(callbacks), **settings).fit(X, Y)


NETWORKS = pytest.mark.parametrize("network", [{}, FRAMES], ids=["ensemble", "frames"])


@NETWORKS
def test_a_score_of_an_epoch(network):
    def accuracy(name, scoring="accuracy", **params):
        return EpochScoring(scoring, name=name, lower_is_better=False, **params)

    history = fit(
        accuracy("by name"),
        accuracy("by a metric", accuracy_score),
        accuracy("the net's own", None),
        accuracy("not cached", use_caching=False),
        ("mine", accuracy("in a pair")),
        **network,
    ).history_
    for name in ("by name", "by a metric", "the net's own", "not cached", "in a pair"):
        np.testing.assert_allclose(history[:, name], history[:, "valid_accuracy"])
        assert history[:, f"{name}_best"] == history[:, "valid_accuracy_best"]


@NETWORKS
def test_scores_see_labels_and_probabilities(network):
    recall = make_scorer(recall_score, labels=[LABELS[0]], average="macro")
    history = fit(
        EpochScoring(recall, name="recall", lower_is_better=False),
        EpochScoring("neg_log_loss", lower_is_better=False),
        EpochScoring("roc_auc_ovr", lower_is_better=False),
        EpochScoring(lambda net, X, y: set(y) <= set(LABELS), name="labels"),
        EpochScoring("f1_macro", on_train=True, name="train_f1"),
        **network,
    ).history_
    assert all(history[:, "labels"])
    for name in ("recall", "roc_auc_ovr", "train_f1"):
        assert all(0 <= value <= 1 for value in history[:, name])
    loss = history[:, "valid_loss"]
    if network:  # that of an ensemble is of its members
        np.testing.assert_allclose(history[:, "neg_log_loss"], np.negative(loss), atol=1e-4)


def test_scores_of_batches():
    history = fit(
        BatchScoring("accuracy", name="score", lower_is_better=False),
        BatchScoring("accuracy", on_train=True, name="train_score"),
        batch_size=5,
    ).history_
    np.testing.assert_allclose(history[:, "score"], history[:, "valid_accuracy"])
    assert all(0 <= value <= 1 for value in history[:, "train_score"])


def test_the_weights_of_the_best_epoch_are_kept_in_a_file(tmp_path):
    checkpoint = Checkpoint(monitor="valid_accuracy_best", dirname=tmp_path)
    fitted = fit(checkpoint, max_epochs=5)
    history = fitted.history_
    best = [bool(kept) for kept in history[:, "event_cp"]]
    assert best == history[:, "valid_accuracy_best"]
    assert best[0]
    assert best[np.argmax(history[:, "valid_accuracy"])]
    assert (tmp_path / "params.pt").exists()
    assert pickle.loads(pickle.dumps(fitted)).predict(X).tolist() == fitted.predict(X).tolist()


def test_further_training_knows_the_best_before():
    fitted = fit(max_epochs=6)
    accuracy = [*fitted.history_[:, "valid_accuracy"]]
    fitted.partial_fit(X, Y)
    now = fitted.history_[-1]
    assert now["valid_accuracy_best"] == (now["valid_accuracy"] > max(accuracy))


def test_a_schedule_takes_the_place_of_the_one_cycle():
    history = fit(LRScheduler("StepLR", step_size=1, gamma=0.1), lr=0.01).history_
    np.testing.assert_allclose(history[:, "event_lr"], [0.01, 0.001, 0.0001])
    assert "lr" not in history[0, "batches", 0]
    assert "lr" in fit().history_[0, "batches", 0]
    plateau = LRScheduler("ReduceLROnPlateau", monitor="valid_loss", patience=0)
    for schedule in (plateau, LRScheduler(WarmRestartLR), LRScheduler(step_every="batch")):
        assert fit(schedule).predict(X).shape == (36,)


def test_others_do_what_they_are_for(tmp_path):
    stopping = EarlyStopping("valid_accuracy", lower_is_better=False, patience=1)
    stopping.set_params(threshold=2.0, threshold_mode="abs")
    assert len(fit(stopping).history_) == 2
    assert len(fit(EarlyStopping("train_loss", patience=3), validation_fraction=None).history_) == 3
    fitted = fit(
        EpochTimer,
        ProgressBar(),
        Freezer("nothing*"),
        GradientNormClipping(1.0),
        TrainEndCheckpoint(dirname=tmp_path),
    )
    assert (tmp_path / "train_end_params.pt").exists()
    assert fitted.predict(X).shape == (36,)


def test_fit_changes_no_callback():
    scoring = EpochScoring("accuracy")
    params = {name: getattr(scoring, name) for name in scoring.get_params()}
    fitted = fit(scoring)
    assert {name: getattr(scoring, name) for name in scoring.get_params()} == params
    assert clone(fitted).fit(X, Y).history_[:, "accuracy"] == fitted.history_[:, "accuracy"]


class Watch(Callback):
    def __init__(self, what):
        self.what = what


@pytest.mark.parametrize(
    ("callback", "message"),
    [
        ("accuracy", r"expected callbacks of skorch, .* got 'accuracy'\. Pass for example"),
        (3, "expected callbacks of skorch"),
        (print, "expected callbacks of skorch"),
        (("score", "accuracy"), "expected callbacks of skorch"),
        (("best_weights", EpochTimer()), r"EpochTimer is named 'best_weights'.*another name"),
        (("valid_loss", EpochScoring("accuracy")), "is named 'valid_loss'"),
        (InputShapeSetter(), r"InputShapeSetter cannot see the data.* n_bins"),
        (EarlyStopping("zz"), r"EarlyStopping cannot work: KeyError.*'zz'.*are .*'train_loss'"),
        (LRScheduler("zz"), "LRScheduler cannot work: AttributeError: .* has no attribute 'zz'"),
        (LRScheduler("StepLR"), "LRScheduler cannot work: TypeError: .*'step_size'"),
        (EpochScoring, r"EpochScoring is a class .*'scoring'\. Pass EpochScoring\(\.\.\.\)\.$"),
        (("mine", EpochScoring), "EpochScoring is a class that cannot be called without arguments"),
        (Watch, r"Watch is a class .*'what'\. Pass Watch\(\.\.\.\)\.$"),
        ((3, EpochTimer()), r"pairs of a name and a callback, got \(3, <"),
        (Freezer("*"), "weights of CompactNet to train, and all are frozen"),
    ],
)
def test_what_cannot_work_is_refused(callback, message):
    with pytest.raises(ValueError, match=f"NoteClassifier: .*{message}"):
        fit(callback)


def names(classifier):
    return [name for name, _ in classifier.net_.callbacks_]


def test_callbacks_are_named_as_in_skorch():
    timers = [EpochTimer(), ("mine", EpochTimer), EpochTimer, ["yours", EpochTimer()], LRScheduler]
    fitted = fit(*timers)
    own = [name for name in names(fitted) if name not in names(fit())]
    assert own == ["EpochTimer_1", "mine", "EpochTimer_2", "yours", "LRScheduler"]


class clip(Callback):
    pass


@pytest.mark.parametrize(
    ("callbacks", "message"),
    [
        ([("a", EpochTimer()), ("a", Freezer("b*"))], "Freezer is named 'a', as another of them"),
        (
            [("EpochTimer", Freezer("b*")), EpochTimer()],
            "EpochTimer is named 'EpochTimer'",
        ),
        ([EpochTimer, EpochTimer, ("EpochTimer_2", EpochTimer())], ".* 'EpochTimer_2', as anot"),
        ([clip()], "clip is named 'clip', as one of the net's own"),
    ],
)
def test_two_callbacks_of_one_name_are_refused(callbacks, message):
    expected = f"^NoteClassifier: the callback {message}.* Choose another name: pass"
    with pytest.raises(ValueError, match=expected):
        fit(*callbacks)


@pytest.mark.parametrize(
    "callback",
    [
        Checkpoint(),
        Checkpoint(monitor="valid_accuracy_best"),
        EarlyStopping(),
        Checkpoint,
        ("mine", EarlyStopping),
        EpochScoring("accuracy"),
        BatchScoring("accuracy"),
        LRScheduler("ReduceLROnPlateau", monitor="valid_loss"),
        ("mine", EarlyStopping()),
    ],
)
def test_what_watches_a_validation_part_needs_one(callback):
    with pytest.raises(ValueError, match=r"watches a validation part, .* Set validation_fraction"):
        fit(callback, validation_fraction=None)


def test_what_a_callback_of_ones_own_raises_is_left_as_it_is():
    class Pruned(Exception):
        pass

    class Prunes(Callback):
        def on_epoch_end(self, net, **kwargs):
            raise Pruned("enough")

    with pytest.raises(Pruned, match=r"^enough$"):
        fit(Prunes())


def test_a_callback_of_ones_own():
    class Count(Callback):
        seen = 0

        def on_epoch_end(self, net, **kwargs):
            self.seen += 1

    count = Count()
    fit(count, validation_fraction=None)
    assert count.seen == 3
