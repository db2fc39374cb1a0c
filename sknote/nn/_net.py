"""The skorch net that NoteClassifier builds, and its loss."""

import contextlib
import signal
import threading

import skorch
import torch
from skorch.callbacks import EarlyStopping, GradientNormClipping
from skorch.utils import to_tensor
from torch import nn
from torch.nn import functional

from sknote.nn._batching import BatchLoader
from sknote.nn._callbacks import BestWeights, EpochProgress, OneCycle
from sknote.nn._threads import in_threads

__all__ = ["NoteNet", "WeightedCrossEntropy", "bfloat16_is_fast", "make_net"]


class NoteNet(skorch.NeuralNet):
    """A skorch net that may train in bfloat16, and independent networks in threads.

    Parameters
    ----------
    *args : object
        As in :class:`skorch.NeuralNet`.
    bfloat16 : bool, default=False
        Run the training's matrix products in bfloat16.
    **kwargs : object
        As in :class:`skorch.NeuralNet`.
    """

    # for networks that are independent of each other; None is torch's choice, in both
    n_threads = None
    generator = None
    _interrupt = None

    def __init__(self, *args, bfloat16=False, **kwargs):
        self.bfloat16 = bfloat16
        super().__init__(*args, **kwargs)

    def partial_fit(self, X, y=None, classes=None, **fit_params):
        """Train on; a Ctrl-C is raised, which skorch would take for the wish to stop early.

        Parameters
        ----------
        X : Dataset
            Training notes.
        y, classes : None
            Not used.
        **fit_params : object
            As in :class:`skorch.NeuralNet`.

        Returns
        -------
        NoteNet
        """
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

    def infer(self, x, **fit_params):
        with self._autocast():
            logits = super().infer(x, **fit_params)
        return logits.float()

    def train_step_single(self, batch, **fit_params):
        """Compute the loss of a batch and its gradients.

        Networks that are independent of each other learn side by side, in threads.

        Parameters
        ----------
        batch : tuple
            Inputs, and targets with their weights.
        **fit_params : object
            As in :class:`skorch.NeuralNet`.

        Returns
        -------
        dict
            ``loss`` and ``y_pred``.
        """
        if not hasattr(self.module_, "network_calls"):
            return super().train_step_single(batch, **fit_params)
        self._set_training(True)
        x, y = to_tensor(batch, device=self.device)
        calls = self.module_.network_calls(**x, generator=self.generator)

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


class WeightedCrossEntropy(nn.Module):
    """Cross-entropy of logits, weighted by note and by class.

    Parameters
    ----------
    class_weight : Tensor of shape (n_classes,) or None, default=None
        Weight of each class.
    label_smoothing : float, default=0.0
        Share of the target that is spread over all classes.
    """

    def __init__(self, class_weight=None, label_smoothing=0.0):
        super().__init__()
        self.register_buffer("class_weight", class_weight)
        self.label_smoothing = label_smoothing

    def forward(self, logits, target_and_weight):
        target, weight = target_and_weight
        if self.class_weight is not None:
            weight = weight * self.class_weight[target]
        if logits.ndim == 3:  # the members of an ensemble, each trained on its own
            n_members = logits.shape[1]
            logits = logits.flatten(0, 1)
            target, weight = (x.repeat_interleave(n_members) for x in (target, weight))
        loss = functional.cross_entropy(
            logits, target, reduction="none", label_smoothing=self.label_smoothing
        )
        return (loss * weight).mean()


def bfloat16_is_fast(device):
    """Tell whether matrix products in bfloat16 are fast (AMX on a CPU).

    Parameters
    ----------
    device : str or torch.device
        Where they would run.

    Returns
    -------
    bool
    """
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return device.type == "cpu" and torch.cpu._is_amx_tile_supported()


def make_net(
    module,
    module_params,
    *,
    class_weight,
    label_smoothing,
    lr,
    weight_decay,
    batch_size,
    gradient_clip,
    patience,
    callbacks,
    device,
    precision,
    progress,
):
    """Put a net together; the parameters are those of :class:`~sknote.NoteClassifier`.

    Parameters
    ----------
    module : nn.Module class
        The network.
    module_params : dict
        All arguments of its constructor.
    class_weight : ndarray of shape (n_classes,) or None
        Weight of each class in the loss.
    label_smoothing, lr, weight_decay : float
        As in :class:`~sknote.NoteClassifier`.
    batch_size : int
        As in :class:`~sknote.NoteClassifier`.
    gradient_clip, patience, callbacks : float, int, list; or None
        As in :class:`~sknote.NoteClassifier`.
    device : str
        As in :class:`~sknote.NoteClassifier`.
    precision : {"auto", "float32", "bfloat16"}
        As in :class:`~sknote.NoteClassifier`.
    progress : bool
        Show a progress bar.

    Returns
    -------
    NoteNet
        Not yet initialised.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    fast = precision == "bfloat16" or (precision == "auto" and bfloat16_is_fast(device))
    own = [("one_cycle", OneCycle()), ("best_weights", BestWeights())]
    if gradient_clip is not None:
        own.append(("clip", GradientNormClipping(gradient_clip)))
    if patience is not None:
        stopping = EarlyStopping(patience=patience, threshold=0.0, sink=_silent)
        own.append(("early_stopping", stopping))
    if progress:
        own.append(("progress", EpochProgress()))
    if class_weight is not None:
        class_weight = torch.as_tensor(class_weight, dtype=torch.float32)
    return NoteNet(
        module,
        **{f"module__{name}": value for name, value in module_params.items()},
        criterion=WeightedCrossEntropy,
        criterion__class_weight=class_weight,
        criterion__label_smoothing=label_smoothing,
        optimizer=torch.optim.AdamW,
        optimizer__weight_decay=weight_decay,
        optimizer__fused=True,
        optimizer__param_groups=[(name, {"weight_decay": 0.0}) for name in _NO_DECAY],
        lr=lr,
        batch_size=batch_size,
        iterator_valid=BatchLoader,
        callbacks=[*own, *(callbacks or ())],
        device=device,
        bfloat16=fast,
        verbose=0,
    )


_NO_DECAY = ("*bias*", "*norm*", "*gain", "*scale*")


def _silent(*args, **kwargs):
    """Take what early stopping would print."""
