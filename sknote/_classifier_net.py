"""The training of NoteClassifier: its net, and how it goes through the notes."""

import functools
import inspect

import numpy as np
import torch
from sklearn.utils import check_random_state
from skorch.helper import predefined_split

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
        self._check_bins(notes["items"], self.n_bins_)
        notes = self._summarized(notes, np.float32, self.n_threads)
        if not go_on:
            self.mean_, self.scale_ = self._statistics(notes)
        train, valid = self._split(notes, seed)
        n_threads = self.n_threads or torch.get_num_threads()
        # networks that are independent have a thread each; any more would be in their way
        own_threads = 1 if hasattr(self._module_class(), "network_calls") else n_threads
        with torch_threads(own_threads), torch.random.fork_rng(devices=[]):
            # further training draws other dropout masks than what went before
            torch.manual_seed(seed + (len(self.net_.history) if go_on else 0))
            flushed = float(torch.tensor(1e-40) * 1) == 0.0  # torch has no getter for it
            torch.set_flush_denormal(True)
            try:
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
                net.partial_fit(train)
            finally:
                torch.set_flush_denormal(flushed)
        net.train_split = None  # it holds the validation notes
        net.module_.eval()
        self.history_ = net.history
        return self

    def _make_net(self, notes):
        module = self._module_class()
        known = {
            "num_instruments": len(self.instruments_) + 1,
            "num_classes": len(self.classes_),
            "n_bins": self.n_bins_,
            "frame_rate": self.frame_rate,
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
            if unknown := [label for label in self.class_weight if label not in known]:
                raise ValueError(
                    f"NoteClassifier: class_weight names the labels {unknown}, which are not in y."
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
        return max(2, round(self.max_train_seconds * self.frame_rate))
