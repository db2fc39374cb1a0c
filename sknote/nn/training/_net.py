"""The skorch net that NoteClassifier builds: its steps, its arithmetic, and what it is made of."""

import contextlib
import signal
import threading

import numpy as np
import skorch
import torch
from sklearn.base import ClassifierMixin
from skorch.callbacks import EarlyStopping, GradientNormClipping
from skorch.utils import to_tensor

from sknote._compat import is_amx_tile_supported, is_avx512_bf16_supported
from sknote._input.arrays import plain_value
from sknote._torch import in_threads
from sknote.nn.networks import check_network, name_of, traits_of
from sknote.nn.training._batches import BatchLoader
from sknote.nn.training._callbacks import (
    BestWeights,
    EpochProgress,
    EpochReport,
    OneCycle,
    named_errors,
    smaller_is_better,
)
from sknote.nn.training._loss import WeightedCrossEntropy

__all__ = ["NoteNet", "bfloat16_is_fast", "check_same_network", "make_net"]


class NoteNet(ClassifierMixin, skorch.NeuralNet):
    """A skorch net that may train in bfloat16, and independent networks in threads.

    Its parameters are those of :class:`skorch.NeuralNet`, and `bfloat16`: run the training's matrix
    products in it; and `n_classes`. To callbacks it is a classifier of the labels `classes_`.
    """

    # for networks that are independent of each other; None is torch's choice, in both
    n_threads = None
    generator = None
    classes_ = None
    instruments_ = None
    _interrupt = None

    def __init__(self, *args, bfloat16=False, n_classes=None, **kwargs):
        self.bfloat16 = bfloat16
        self.n_classes = n_classes
        super().__init__(*args, **kwargs)

    def partial_fit(self, X, y=None, classes=None, **fit_params):
        """Train on; a Ctrl-C is raised, which skorch would take for the wish to stop early."""
        super().partial_fit(X, y, classes, **fit_params)
        if self._interrupt is not None:
            interrupt, self._interrupt = self._interrupt, None
            raise interrupt
        return self

    def fit_loop(self, *args, **kwargs):
        with _seen_interrupts() as seen:
            try:
                return super().fit_loop(*args, **kwargs)
            except KeyboardInterrupt as error:  # callbacks raise it as well, to stop early
                self._interrupt = error if seen else None
                raise

    def notify(self, method_name, **cb_kwargs):
        """Call a method of all callbacks; an error of one of skorch's says which it was."""
        getattr(self, method_name)(self, **cb_kwargs)
        for _, callback in self.callbacks_:
            with named_errors(type(callback), self.history):
                getattr(callback, method_name)(self, **cb_kwargs)

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        """Begin a batch; refuse to train a network of which callbacks have frozen everything."""
        if training and not any(one.requires_grad for one in self.module_.parameters()):
            raise ValueError(
                f"NoteClassifier: expected weights of {type(self.module_).__name__} to train, and "
                "all are frozen. Let callbacks such as Freezer leave some, as of the last layer."
            )
        super().on_batch_begin(net, batch=batch, training=training, **kwargs)

    def predict(self, X):
        """Predict labels, of which the scores of callbacks are made."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def initialize_module(self):
        """Make the network; an error says that its arguments, or its class, do not fit."""
        try:
            super().initialize_module()
        except Exception as error:
            params = {k: v for k, v in self.get_params_for("module").items() if k not in _GIVEN}
            raise ValueError(
                f"NoteClassifier: {name_of(self.module)} cannot be made with module_params="
                f"{params}: {type(error).__name__}: {error}"
            ) from error
        check_network(self.module_, self.module)
        return self

    def infer(self, x, **fit_params):
        try:
            with self._autocast():
                logits = super().infer(x, **fit_params)
        except RuntimeError as error:
            if type(error) is not RuntimeError:  # such as a lack of memory
                raise
            shapes = ", ".join(f"{name} {tuple(value.shape)}" for name, value in x.items())
            raise ValueError(
                f"NoteClassifier: {name_of(self.module)} cannot compute logits of inputs of these "
                f"shapes: {shapes}. A network is told how many bins spectrograms have if its "
                f"constructor takes n_bins. {type(error).__name__}: {error}"
            ) from error
        return logits.float() if isinstance(logits, torch.Tensor) else logits

    def train_step_single(self, batch, **fit_params):
        """Compute the loss of a batch and its gradients.

        Networks that are independent of each other learn side by side, in threads.
        """
        if not traits_of(self.module_).independent:
            return super().train_step_single(batch, **fit_params)
        self._set_training(True)
        x, y = to_tensor(batch, device=self.device)
        calls = self.module_.members(x, self.generator)

        def learn(call):
            with self._autocast():
                logits = call()
            loss = self.get_loss(logits.float(), y, training=True) / len(calls)
            loss.backward()
            return logits.detach().float(), loss.detach()

        # elsewhere than on a CPU there is one queue of work, and one generator for all
        n_threads = self.n_threads if torch.device(self.device).type == "cpu" else 1
        logits, losses = zip(*in_threads(learn, calls, n_threads))
        return {"loss": torch.stack(losses).sum(), "y_pred": torch.cat(logits, dim=1)}

    def get_loss(self, y_pred, y_true, X=None, training=False):
        """Compute the loss of logits, of each member of an ensemble in training."""
        self.check_logits(y_pred, len(y_true[0]), training)
        return super().get_loss(y_pred, y_true, X=X, training=training)

    def check_logits(self, logits, n_notes, training=False):
        """Check the shape of logits, which in training may be of members of an ensemble."""
        shape = tuple(getattr(logits, "shape", ()))
        members = shape[1:-1] if training and len(shape) == 3 else ()
        if shape != (n_notes, *members, self.n_classes):
            got = f"shape {shape}" if shape else type(logits).__name__
            raise ValueError(
                f"NoteClassifier: expected {type(self.module_).__name__} to return logits of shape "
                f"(n_notes, n_classes) = ({n_notes}, {self.n_classes}), got {got}."
            )

    def _autocast(self):
        if not self.bfloat16:
            return contextlib.nullcontext()
        return torch.autocast(torch.device(self.device).type, dtype=torch.bfloat16)


@contextlib.contextmanager
def _seen_interrupts():
    """Yield a list that gets the signals of a Ctrl-C; what they do does not change."""
    seen = []
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield seen
        return

    def note(number, frame):
        seen.append(number)
        before(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield seen
    finally:
        signal.signal(signal.SIGINT, before)


def bfloat16_is_fast(device):
    """Tell whether a device has units for products in bfloat16; a CPU, AMX or AVX-512 BF16."""
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return device.type == "cpu" and (is_amx_tile_supported() or is_avx512_bf16_supported())


def make_net(network, params, options):
    """Put a net together, not yet initialized; `params` are all arguments of the constructor."""
    device = options.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.ones(1, device=device).item()  # which "meta" has none of
    except (RuntimeError, AssertionError, ImportError) as error:  # unknown, or not there
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(
            f"NoteClassifier: expected device to be 'auto', 'cpu' or another one that torch has "
            f"here, got {device!r}: {reason}"
        ) from error
    precision = options.precision
    fast = precision == "bfloat16" or (precision == "auto" and bfloat16_is_fast(device))
    # the report first: the others may watch what it says, and one may end the training
    own = [("epoch_report", EpochReport(options.report))]
    own += [("one_cycle", OneCycle()), ("best_weights", BestWeights())]
    if options.gradient_clip is not None:
        own.append(("clip", GradientNormClipping(options.gradient_clip)))
    if options.patience is not None:
        stopping = EarlyStopping(
            options.monitor,
            patience=options.patience,
            threshold=0.0,
            lower_is_better=smaller_is_better(options.monitor),
            sink=_silent,
        )
        own.append(("early_stopping", stopping))
    if options.progress:
        own.append(("progress", EpochProgress()))
    class_weight = options.class_weight
    if class_weight is not None:
        class_weight = torch.as_tensor(class_weight, dtype=torch.float32)
    return NoteNet(
        network,
        **{f"module__{name}": value for name, value in params.items()},
        criterion=WeightedCrossEntropy,
        criterion__class_weight=class_weight,
        criterion__label_smoothing=options.label_smoothing,
        optimizer=torch.optim.AdamW,
        optimizer__weight_decay=options.weight_decay,
        optimizer__fused=True,
        optimizer__param_groups=[(name, {"weight_decay": 0.0}) for name in _NO_DECAY],
        lr=options.lr,
        batch_size=options.batch_size,
        iterator_valid=BatchLoader,
        callbacks=[*own, *options.callbacks],
        device=device,
        predict_nonlinearity=_probabilities,
        use_caching=True,
        bfloat16=fast,
        n_classes=len(options.classes),
        verbose=0,
    )


def check_same_network(net, level, network, params, asked_level):
    """Refuse to go on with another network than was trained, or another level; net has its weights.

    `params` are all arguments of the constructor, `asked_level` is that of the classifier now.
    """
    then = {"module": net.module, "level": level} | net.get_params_for("module")
    now = {"module": network, "level": asked_level} | params
    if changed := [name for name in {**now, **then} if not _same(now.get(name), then.get(name))]:
        old, new = ({name: d[name] for name in changed if name in d} for d in (then, now))
        raise ValueError(
            "NoteClassifier: expected the network that was trained, as warm_start and partial_fit "
            f"go on with its weights, but since then were changed {', '.join(changed)}: then "
            f"{old}, now {new}. Set them back; or begin anew, by fit with warm_start=False."
        )


def _same(one, other):
    one, other = plain_value(one), plain_value(other)
    return one is other or (type(one) is type(other) and np.array_equal(one, other))


# Arguments of a network that do not come from users.
_GIVEN = ("num_instruments", "num_classes", "axes", "n_bins", "frame_rate")

_NO_DECAY = ("*bias*", "*norm*", "*gain", "*scale*")


def _probabilities(logits):
    """Make probabilities of logits; in training, average those of an ensemble's members."""
    proba = logits.softmax(dim=-1)
    return proba.mean(dim=1) if proba.ndim == 3 else proba


def _silent(*args, **kwargs):
    """Take what early stopping would print."""
