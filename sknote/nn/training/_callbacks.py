"""The callbacks of the net: learning rate, best weights, what is reported, and a user's own."""

import contextlib
import copy
import functools
import itertools

import torch
from skorch.callbacks import BatchScoring, Callback, EpochScoring, InputShapeSetter, LRScheduler
from skorch.utils import to_numpy
from tqdm.auto import tqdm

__all__ = [
    "BestWeights",
    "EpochProgress",
    "EpochReport",
    "OneCycle",
    "check_callbacks",
    "named_errors",
    "smaller_is_better",
]


class OneCycle(Callback):
    """One-cycle learning rate, stepped after each batch; `n_steps` None leaves the rate alone.

    So does an LRScheduler among the net's callbacks, which sets it instead.

    L. N. Smith and N. Topin, "Super-convergence: very fast training of neural networks using large
    learning rates", 2018.
    """

    def __init__(
        self, n_steps=None, max_lr=1e-3, pct_start=0.2, div_factor=25.0, final_div_factor=1e3
    ):
        self.n_steps = n_steps
        self.max_lr = max_lr
        self.pct_start = pct_start
        self.div_factor = div_factor
        self.final_div_factor = final_div_factor

    def on_train_begin(self, net, **kwargs):
        self.schedule_ = None
        others = [callback for _, callback in getattr(net, "callbacks_", ())]
        if self.n_steps is None or any(isinstance(one, LRScheduler) for one in others):
            return
        n_steps = max(self.n_steps, 2)
        # it rises for a step at least; a rise that ends at the first would be a division by zero
        pct_start = max(float(self.pct_start), 1.5 / n_steps)
        self.schedule_ = torch.optim.lr_scheduler.OneCycleLR(
            net.optimizer_,
            max_lr=self.max_lr,
            total_steps=n_steps,
            pct_start=pct_start,
            div_factor=self.div_factor,
            final_div_factor=self.final_div_factor,
        )

    def on_batch_end(self, net, training, **kwargs):
        if not training or self.schedule_ is None:
            return
        if self.schedule_.last_epoch < self.schedule_.total_steps - 1:
            net.history.record_batch("lr", self.schedule_.get_last_lr()[0])
            self.schedule_.step()

    def on_train_end(self, net, **kwargs):
        self.schedule_ = None  # it holds the optimizer, which a pickle would hold twice


class BestWeights(Callback):
    """Keep the weights of the epoch where `monitor` was best, and put them back.

    The smallest ``valid_loss``, or the highest ``valid_accuracy``; of equal epochs, the first.
    Without a validation part it does nothing.
    """

    def __init__(self, monitor="valid_loss"):
        self.monitor = monitor

    def on_train_begin(self, net, **kwargs):
        self.best_score_, self.best_epoch_, self.best_state_ = float("-inf"), None, None

    def on_epoch_end(self, net, **kwargs):
        value = net.history[-1].get(self.monitor)
        if value is None:
            return
        score = -value if smaller_is_better(self.monitor) else value
        if score > self.best_score_:
            self.best_score_, self.best_epoch_ = score, len(net.history)
            self.best_state_ = copy.deepcopy(net.module_.state_dict())

    def on_train_end(self, net, **kwargs):
        if self.best_state_ is not None:
            net.module_.load_state_dict(self.best_state_)
            self.best_state_ = None


def smaller_is_better(monitor):
    """Tell whether the best epoch is that where a quantity of the history is smallest."""
    return monitor.endswith("_loss")


class EpochProgress(Callback):
    """A progress bar over epochs, with the losses beside it."""

    def on_train_begin(self, net, **kwargs):
        self.bar_ = tqdm(total=net.max_epochs, unit="epoch")

    def on_epoch_end(self, net, **kwargs):
        losses = {key: net.history[-1].get(key) for key in ("train_loss", "valid_loss")}
        self.bar_.set_postfix({key: f"{value:.3f}" for key, value in losses.items() if value})
        self.bar_.update()

    def on_train_end(self, net, **kwargs):
        self.bar_.close()
        del self.bar_


class EpochReport(Callback):
    """Call ``report(accuracy, epoch)`` after each epoch, with the accuracy on the validation part.

    The first epoch is 0. It is kept in the history as ``valid_accuracy``, and as
    ``valid_accuracy_best`` whether it is higher than all before. Without a validation part nothing
    is reported.
    """

    def __init__(self, report):
        self.report = report

    def on_epoch_begin(self, net, **kwargs):
        self.right_, self.weight_ = 0.0, 0.0

    def on_batch_end(self, net, batch, training, y_pred, **kwargs):
        if training:
            return
        _, (target, weight) = batch
        right = y_pred.argmax(dim=-1).cpu() == target.cpu()
        self.right_ += float((right * weight.cpu()).sum())
        self.weight_ += float(weight.sum())

    def on_epoch_end(self, net, **kwargs):
        if self.weight_ > 0:
            accuracy = self.right_ / self.weight_
            before = [epoch.get("valid_accuracy", -1.0) for epoch in net.history[:-1]]
            net.history.record("valid_accuracy", accuracy)
            net.history.record("valid_accuracy_best", accuracy > max(before, default=-1.0))
            self.report(accuracy, len(net.history) - 1)


def check_callbacks(callbacks, classes, has_validation):
    """Check the callbacks that a user passed, and let those that score see labels.

    A ValueError says which cannot work, and why.
    """
    checked = []
    for given in callbacks or ():
        is_pair = isinstance(given, (tuple, list)) and len(given) == 2
        name, callback = given if is_pair else (None, given)
        callback = _made(name, callback)
        _refuse(callback, has_validation)
        if _is_skorchs(type(callback)):
            with named_errors(type(callback)):
                copy.copy(callback).initialize()  # which also the net does, without a name
        if isinstance(callback, _SCORING) and callback.target_extractor is to_numpy:
            callback = copy.copy(callback)  # fit changes no parameter
            callback.target_extractor = functools.partial(_labels, classes)
        checked.append((name, callback))
    return _named(checked)


def _made(name, callback):
    """Return a callback, made without arguments of its class if that is what was given."""
    kind = callback if isinstance(callback, type) else type(callback)
    if not issubclass(kind, Callback) or not isinstance(name, (str, type(None))):
        got = callback if name is None else (name, callback)
        raise ValueError(
            f"NoteClassifier: expected callbacks of skorch, or pairs of a name and a callback, got "
            f"{got!r}. Pass for example skorch.callbacks.EpochScoring('f1_macro')."
        )
    if callback is not kind:
        return callback
    try:
        return kind()
    except Exception as error:
        raise ValueError(
            f"NoteClassifier: the callback {kind.__name__} is a class that cannot be called "
            f"without arguments: {type(error).__name__}: {error}. Pass {kind.__name__}(...)."
        ) from error


def _named(callbacks):
    """Name callbacks as skorch does, those of one class by number; each name is there once."""
    kinds = [type(callback).__name__ for name, callback in callbacks if name is None]
    numbers = {kind: itertools.count(1) for kind in kinds if kinds.count(kind) > 1}
    named = {}
    for name, callback in callbacks:
        kind = type(callback).__name__
        if name is None:
            name = f"{kind}_{next(numbers[kind])}" if kind in numbers else kind
        if name in _TAKEN or name in named:
            other = "another of them" if name in named else "one of the net's own"
            raise ValueError(
                f"NoteClassifier: the callback {kind} is named {name!r}, as {other}. Choose "
                f"another name: pass ('name', {kind}(...))."
            )
        named[name] = callback
    return list(named.items())


@contextlib.contextmanager
def named_errors(kind, history=()):
    """Say which callback of skorch has failed, and what it can watch, if it watches something else.

    What one of someone's own raises is theirs, as to prune a trial.
    """
    try:
        yield
    except Exception as error:
        if not _is_skorchs(kind):
            raise
        seen = [name for name in history[-1] if name != "batches"] if len(history) else []
        watches = f" In the history are {seen}." if "in history" in str(error) else ""
        raise ValueError(
            f"NoteClassifier: the callback {kind.__name__} cannot work: {type(error).__name__}: "
            f"{error}{watches}"
        ) from error


def _is_skorchs(kind):
    return kind.__module__.startswith("skorch.")


_SCORING = (BatchScoring, EpochScoring)
_TAKEN = ("one_cycle", "best_weights", "clip", "early_stopping", "progress", "epoch_report")
_TAKEN += ("epoch_timer", "train_loss", "valid_loss", "print_log")


def _refuse(callback, has_validation):
    who = f"NoteClassifier: the callback {type(callback).__name__}"
    if isinstance(callback, InputShapeSetter):
        raise ValueError(
            f"{who} cannot see the data. A network of your own is told its shape by the argument "
            "n_bins of its constructor."
        )
    watched = getattr(callback, "monitor", None)
    if isinstance(callback, _SCORING) and not callback.on_train:
        watched = "valid_"
    if not has_validation and str(watched).startswith("valid_"):
        raise ValueError(
            f"{who} watches a validation part, and there is none. Set validation_fraction, for "
            "example to 0.1, or let it watch the training."
        )


def _labels(classes, target_and_weight):
    return classes[to_numpy(target_and_weight[0])]
