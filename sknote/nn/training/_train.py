"""Training: a function of a network, notes and options."""

import contextlib
import copy
import dataclasses
import functools
from collections.abc import Callable

import numpy as np
import torch
from skorch.helper import predefined_split

from sknote._torch import flushed_denormals, own_generator, torch_threads
from sknote.nn.networks import traits_of
from sknote.nn.training._augment import SpectrogramAugment
from sknote.nn.training._batches import BatchLoader
from sknote.nn.training._net import make_net

__all__ = ["TrainingOptions", "train"]


@dataclasses.dataclass(frozen=True)
class TrainingOptions:
    """How a network is trained; see the parameters of :class:`~sknote.NoteClassifier`."""

    max_epochs: int
    batch_size: int
    lr: float  # the highest of the one-cycle schedule, or constant without one
    one_cycle: bool
    pct_start: float  # these three are the shape of it
    div_factor: float
    final_div_factor: float
    classes: np.ndarray
    instruments: list
    weight_decay: float
    gradient_clip: float | None
    label_smoothing: float
    class_weight: np.ndarray | None  # of shape (n_classes,)
    augment: SpectrogramAugment | None  # bound to the classes
    max_frames: int | None  # longest stretch of a note in a step
    instrument_dropout: float
    monitor: str  # of the history: whose best epoch is kept
    patience: int | None
    report: Callable  # of the accuracy on the validation part and the epoch
    callbacks: list
    precision: str
    device: str
    n_threads: int | None
    progress: bool
    seed: int


def train(network, params, data, valid, options, net=None):
    """Train a network on notes, and return its net.

    `params` are all arguments of the network's constructor. `data` and `valid` are
    :class:`FrameNotes` or :class:`DescribedNotes`; `valid` may be None. A net that was trained
    before goes on, changed in place; after an error it is as before. A training that diverges is a
    ValueError.
    """
    with torch_threads(options.n_threads), _as_before_on_error(net):
        net = _train(network, params, data, valid, options, net)
        net.train_split = None  # it holds the validation notes
        net.module_.eval()
        net.module_.zero_grad(set_to_none=True)
        _check_finite(net, data, options)
    return net


def _train(network, params, data, valid, options, net):
    independent = traits_of(network).independent
    n_threads = torch.get_num_threads()
    # further training draws other dropout masks than what went before
    seed = options.seed + (0 if net is None else len(net.history))
    # networks that are independent have a thread each; any more would be in their way
    with torch_threads(1 if independent else n_threads), flushed_denormals():
        with own_generator(seed):
            if net is None:
                net = make_net(network, params, options).initialize()
            _set_up(net, data, valid, options, n_threads)
            if not independent:  # their dropout draws from torch's global generator
                net.partial_fit(data)
        if independent:
            net.generator = torch.Generator().manual_seed(seed)
            try:
                net.partial_fit(data)
            finally:
                net.generator = None
    return net


@contextlib.contextmanager
def _as_before_on_error(net):
    """Put a net back that was trained before, if what is done inside fails or is broken off."""
    if net is None:
        yield
        return
    parts = net.module_, net.optimizer_
    states = [copy.deepcopy(part.state_dict()) for part in parts]
    n_epochs = len(net.history)
    try:
        yield
    except BaseException:
        for part, state in zip(parts, states):
            part.load_state_dict(state)
        del net.history[n_epochs:]
        net.train_split = None
        net.module_.eval()
        raise


def _set_up(net, data, valid, options, n_threads):
    """Tell a net what it trains on, for how long and in which order."""
    loader = functools.partial(
        BatchLoader,
        training=True,
        max_frames=options.max_frames,
        augment=options.augment,
        instrument_dropout=options.instrument_dropout,
        seed=options.seed,
        epoch=len(net.history),
    )
    # plain attributes: skorch's set_params takes these for parts of the module
    net.n_threads = n_threads
    net.classes_ = options.classes
    net.instruments_ = options.instruments
    net.iterator_train = loader
    net.train_split = None if valid is None else predefined_split(valid)
    net.set_params(max_epochs=options.max_epochs, lr=options.lr)
    n_steps = options.max_epochs * len(loader(data, options.batch_size))
    callbacks = dict(net.callbacks_)
    callbacks["best_weights"].set_params(monitor=options.monitor)
    callbacks["one_cycle"].set_params(
        n_steps=n_steps if options.one_cycle else None,
        max_lr=options.lr,
        pct_start=options.pct_start,
        div_factor=options.div_factor,
        final_div_factor=options.final_div_factor,
    )


def _check_finite(net, data, options):
    """Refuse weights by which every note would be of the first class, or of none."""
    if all(bool(value.isfinite().all()) for value in net.module_.state_dict().values()):
        some, (target, _) = next(iter(net.get_iterator(data, training=False)))
        with torch.inference_mode():
            logits = net.infer(some)
            net.check_logits(logits, len(target))
            if bool(logits.isfinite().all()):
                return
    raise ValueError(
        "NoteClassifier: the training diverged: weights or answers are not finite, and the losses "
        f"were {[round(float(epoch['train_loss']), 3) for epoch in net.history]}. Lower lr (now "
        f"{options.lr}) or set gradient_clip (now {options.gradient_clip})."
    )
