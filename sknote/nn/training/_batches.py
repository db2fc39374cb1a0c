"""Batches of notes, assembled, varied and standardized without a loop over notes."""

import numpy as np
import torch

from sknote.nn.networks import standardize
from sknote.nn.training._draws import draw
from sknote.spectral._lengths import length_batches
from sknote.spectral._sounding import without_level

__all__ = ["BatchLoader"]


class BatchLoader:
    """Iterate over batches of :class:`FrameNotes` or :class:`DescribedNotes`.

    Every pass over it is an epoch. Its batches, crops and augmentation depend on `seed`, the
    number of the epoch and the note's row alone.

    Parameters
    ----------
    dataset : FrameNotes or DescribedNotes
        The notes.
    batch_size : int
        Notes in a batch; a tail of fewer than a quarter of that joins the batch before it.
    training : bool, default=False
        Shuffle, crop, augment and hide instruments. Without it the notes come in order of length.
    max_frames : int or None, default=None
        In training, the longest stretch of a note to show to a network that looks at frames; where
        it lies is drawn anew in each epoch, and half of the time it is the beginning.
    augment : SpectrogramAugment or None, default=None
        Bound to classes; applied to each training batch.
    instrument_dropout : float, default=0.0
        Share of notes whose instrument is shown as unknown in training.
    seed : int, default=0
        Seed of everything that is drawn.
    epoch : int, default=0
        Number of the first epoch.
    """

    def __init__(
        self,
        dataset,
        batch_size,
        *,
        training=False,
        max_frames=None,
        augment=None,
        instrument_dropout=0.0,
        seed=0,
        epoch=0,
    ):
        self.dataset = dataset
        self.batch_size = batch_size
        self.training = training
        self.augment = augment
        self.instrument_dropout = instrument_dropout
        self.seed = seed
        self.epoch = epoch
        self.shown = dataset.shown(max_frames if training else None)
        self.sizes = _batch_sizes(len(dataset), batch_size)

    def __len__(self):
        return len(self.sizes)

    def __iter__(self):
        if not self.training:
            for rows in length_batches(self.shown, self.batch_size):
                yield self._batch(rows, None)
            return
        rng = np.random.default_rng([self.seed, self.epoch])
        self.epoch += 1
        order = self.dataset.order(self.shown, rng)
        parts = np.split(order, np.cumsum(self.sizes)[:-1])
        draws = draw(rng, len(self.dataset))
        for i in rng.permutation(len(parts)):
            yield self._batch(parts[i], {name: drawn[parts[i]] for name, drawn in draws.items()})

    def _batch(self, rows, draws):
        data, index = self.dataset, torch.from_numpy(rows)
        lengths = torch.from_numpy(self.shown[rows])
        target, instrument = data.target[index], data.instrument[index]
        x = data.gather(index, lengths, draws)
        if draws is not None:
            instrument = instrument * (draws["hide_instrument"] >= self.instrument_dropout)
            if self.augment is not None:
                x = self.augment.apply(x, lengths, target, draws, data.mean, data.slopes)
                if data.level == "relative" and "spectrogram" in x:  # another recording has one
                    x["spectrogram"] = without_level(x["spectrogram"])
        x = standardize(x, data.mean, data.scale)
        return x | {"instrument": instrument}, (target, data.weight[index])


def _batch_sizes(n_notes, batch_size):
    n_full, tail = divmod(n_notes, batch_size)
    sizes = [batch_size] * n_full
    if tail and sizes and tail < max(2, batch_size // 4):
        sizes[-1] += tail
    elif tail:
        sizes.append(tail)
    return sizes
