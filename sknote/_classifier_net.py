"""The training of NoteClassifier: its net, and how it goes through the notes."""

import contextlib
import functools
import inspect
import threading

import numpy as np
import torch
from sklearn.utils import check_random_state
from skorch.helper import predefined_split

from sknote._classifier_notes import MODULES
from sknote.model_selection import report_epoch
from sknote.nn import BatchLoader, EpochReport, SpectrogramAugment, make_net, torch_threads


class NetMixin:
    """The part of NoteClassifier that makes a net and trains it on prepared notes."""

    def _train(self, notes, classes, *, go_on, n_epochs, one_cycle):
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        if not go_on:
            self.classes_ = classes
            names = {name for name in notes["instrument"] if name is not None}
            self.instruments_ = sorted(names)
            self.n_bins_ = notes["items"][0].shape[1]
            self.frame_rate_ = self.frame_rate
            self.module_class_ = (
                MODULES[self.module] if isinstance(self.module, str) else self.module
            )
        self._check_bins(notes["items"], self.n_bins_)
        notes = self._summarized(notes, np.float32, self.n_threads)
        if not go_on:
            self.mean_, self.scale_ = self._statistics(notes)
        train, valid = self._split(notes, seed)
        n_threads = self.n_threads or torch.get_num_threads()
        # networks that are independent have a thread each; any more would be in their way
        independent = hasattr(self.module_class_, "network_calls")
        # further training draws other dropout masks than what went before
        seed_now = seed + (len(self.net_.history) if go_on else 0)
        with torch_threads(1 if independent else n_threads), _flushed_denormals():
            with _own_generator(seed_now):
                if not go_on:
                    self.net_ = self._make_net(notes).initialize()
                net = self.net_
                loader = functools.partial(
                    BatchLoader,
                    training=True,
                    max_frames=self._max_frames(),
                    augment=self._bound_augment(),
                    instrument_dropout=self.instrument_dropout,
                    seed=seed,
                    epoch=len(net.history),
                )
                n_steps = n_epochs * len(loader(train, self.batch_size))
                # plain attributes: skorch's set_params takes these for parts of the module
                net.n_threads = n_threads
                net.iterator_train = loader
                net.train_split = None if valid is None else predefined_split(valid)
                net.set_params(max_epochs=n_epochs, lr=self.lr)
                dict(net.callbacks_)["one_cycle"].set_params(
                    n_steps=n_steps if one_cycle else None, max_lr=self.lr
                )
                if not independent:  # their dropout draws from torch's global generator
                    net.partial_fit(train)
            if independent:
                net.generator = torch.Generator().manual_seed(seed_now)
                try:
                    net.partial_fit(train)
                finally:
                    net.generator = None
        net.train_split = None  # it holds the validation notes
        net.module_.eval()
        self.history_ = net.history
        self._check_finite()
        return self

    def _check_finite(self):
        """Refuse weights by which every note would be of the first class."""
        if all(bool(value.isfinite().all()) for value in self.net_.module_.state_dict().values()):
            return
        raise ValueError(
            "NoteClassifier: the training diverged: weights are no longer finite, and the losses "
            f"were {[round(epoch['train_loss'], 3) for epoch in self.history_]}. Lower lr (now "
            f"{self.lr}) or set gradient_clip (now {self.gradient_clip})."
        )

    def _make_net(self, notes):
        module = self.module_class_
        known = {
            "num_instruments": len(self.instruments_) + 1,
            "num_classes": len(self.classes_),
            "n_bins": self.n_bins_,
            "frame_rate": self.frame_rate_,
        }
        accepted = inspect.signature(module).parameters
        params = {name: value for name, value in known.items() if name in accepted}
        params |= self.module_params or {}
        if unknown := set(params) - set(accepted):
            raise ValueError(
                f"NoteClassifier: module_params names {sorted(unknown)}; {module.__name__} "
                f"accepts {sorted(set(accepted) - {'num_instruments', 'num_classes'})}."
            )
        return make_net(
            module,
            params,
            class_weight=self._class_weight(notes),
            label_smoothing=self.label_smoothing,
            lr=self.lr,
            weight_decay=self.weight_decay,
            batch_size=self.batch_size,
            gradient_clip=self.gradient_clip,
            patience=self.patience,
            callbacks=[("epoch_report", EpochReport(report_epoch)), *(self.callbacks or ())],
            device=self.device,
            precision=self.precision,
            progress=bool(self.verbose),
        )

    def _class_weight(self, notes):
        """Return the weight of each class, or None."""
        if isinstance(self.class_weight, dict):
            known = self.classes_.tolist()
            unknown = [label for label in self.class_weight if label not in known]
            missing = [label for label in known if label not in self.class_weight]
            if unknown and missing:  # either alone is no mistake: in a fold a class may be absent
                raise ValueError(
                    f"NoteClassifier: class_weight names the labels {unknown}, which are not in y, "
                    f"and does not name {missing}, which are."
                )
            return np.array([self.class_weight.get(label, 1.0) for label in known])
        if self.class_weight == "balanced":
            count = np.bincount(notes["target"], notes["weight"], minlength=len(self.classes_))
            return count.sum() / (np.count_nonzero(count) * np.where(count > 0, count, np.inf))
        return None

    def _bound_augment(self):
        if self.augment is None:
            return None
        augment = SpectrogramAugment() if self.augment == "auto" else self.augment
        return augment.bind(self.classes_)

    def _max_frames(self):
        if self.max_train_seconds is None:
            return None
        return max(2, round(self.max_train_seconds * self.frame_rate_))


_GLOBAL_GENERATOR = threading.RLock()


@contextlib.contextmanager
def _own_generator(seed):
    """Seed torch's global generator, for one thread at a time, and give it back as it was."""
    with _GLOBAL_GENERATOR, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


@contextlib.contextmanager
def _flushed_denormals():
    """Let the processor take denormal numbers, which are slow, for 0."""
    before = float(torch.tensor(1e-40) * 1) == 0.0  # torch has no getter for it
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)
