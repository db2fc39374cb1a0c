"""Batches of notes of like length, assembled without a loop over notes."""

import numpy as np
import torch

from sknote.nn._masking import frame_mask

__all__ = ["BatchLoader", "NoteDataset", "SummaryDataset", "length_batches"]


class NoteDataset(torch.utils.data.Dataset):
    """Spectrograms in one flat array, with what a network needs beside them.

    Parameters
    ----------
    spectrograms : list of ndarray of shape (n_frames, n_bins)
        Float arrays; every one has at least one frame.
    instrument : ndarray of shape (n_notes,), int64
        Instrument index of each note.
    mean, scale : ndarray of shape (n_bins,)
        Subtracted from, and divided out of, every frame.
    target : ndarray of shape (n_notes,), int64, or None
        Class index of each note.
    weight : ndarray of shape (n_notes,) or None
        Weight of each note in the loss; None is 1.
    dtype : torch.dtype, default=torch.float32
        Type of the batches.
    """

    def __init__(
        self,
        spectrograms,
        instrument,
        *,
        mean,
        scale,
        target=None,
        weight=None,
        dtype=torch.float32,
    ):
        lengths = np.array([len(values) for values in spectrograms], dtype=np.int64)
        self.frames = torch.from_numpy(np.concatenate(spectrograms))
        self.lengths = torch.from_numpy(lengths)
        self.starts = torch.from_numpy(np.cumsum(lengths) - lengths)
        _describe(self, instrument, mean, scale, target, weight, dtype)

    def __len__(self):
        return len(self.lengths)

    def __getitem__(self, row):
        start = self.starts[row]
        return self.frames[start : start + self.lengths[row]], self.target[row]

    def gather(self, rows, first, lengths):
        """Assemble a padded batch.

        Parameters
        ----------
        rows : Tensor of shape (batch,), int64
            Which notes.
        first : Tensor of shape (batch,), int64
            The first frame to take of each.
        lengths : Tensor of shape (batch,), int64
            How many frames to take of each.

        Returns
        -------
        Tensor of shape (batch, max(lengths), n_bins)
            Beyond a note's end its last frame is repeated.
        """
        steps = torch.arange(int(lengths.max()))
        steps = torch.minimum(steps, lengths[:, None] - 1)
        index = (self.starts[rows] + first)[:, None] + steps
        shape = (*index.shape, self.frames.shape[1])
        return self.frames.index_select(0, index.flatten()).reshape(shape).to(self.dtype)


class SummaryDataset(torch.utils.data.Dataset):
    """Summaries of notes, all of one shape, with what a network needs beside them.

    Parameters
    ----------
    summaries : dict of str to ndarray of shape (n_notes, ...)
        What a network's ``summarize`` made of the notes; ``"spectrogram"`` has shape (n_notes,
        n_rows, n_bins).
    lengths : ndarray of shape (n_notes,), int64
        Frames that each spectrogram had.
    instrument : ndarray of shape (n_notes,), int64
        Instrument index of each note.
    mean, scale : ndarray of shape (n_rows, 1)
        Subtracted from, and divided out of, every ``"spectrogram"``.
    level_rows : Tensor of shape (n_rows,), bool
        Rows that move with the level of a recording.
    level_slopes : dict of str to Tensor, or None, default=None
        How much the values of other summaries grow with the level, per dB.
    target : ndarray of shape (n_notes,), int64, or None
        Class index of each note.
    weight : ndarray of shape (n_notes,) or None
        Weight of each note in the loss; None is 1.
    dtype : torch.dtype, default=torch.float32
        Type of the batches.
    """

    def __init__(
        self,
        summaries,
        lengths,
        instrument,
        *,
        mean,
        scale,
        level_rows,
        level_slopes=None,
        target=None,
        weight=None,
        dtype=torch.float32,
    ):
        self.summaries = {name: torch.from_numpy(values) for name, values in summaries.items()}
        self.lengths = torch.from_numpy(lengths)
        self.level_rows = level_rows
        self.level_slopes = level_slopes or {}
        _describe(self, instrument, mean, scale, target, weight, dtype)

    def __len__(self):
        return len(self.lengths)

    def __getitem__(self, row):
        return self.summaries["spectrogram"][row], self.target[row]

    def gather(self, rows):
        """Assemble a batch.

        Parameters
        ----------
        rows : Tensor of shape (batch,), int64
            Which notes.

        Returns
        -------
        dict of str to Tensor of shape (batch, ...)
        """
        return {name: values[rows].to(self.dtype) for name, values in self.summaries.items()}


def _describe(dataset, instrument, mean, scale, target, weight, dtype):
    n_notes = len(dataset.lengths)
    dataset.instrument = torch.from_numpy(instrument)
    dataset.mean = torch.as_tensor(mean, dtype=dtype)
    dataset.scale = torch.as_tensor(scale, dtype=dtype)
    dataset.target = torch.from_numpy(np.zeros(n_notes, int) if target is None else target)
    weight = np.ones(n_notes) if weight is None else weight
    dataset.weight = torch.as_tensor(weight, dtype=dtype)
    dataset.dtype = dtype


class BatchLoader:
    """Iterate over batches of a :class:`NoteDataset` or :class:`SummaryDataset`.

    Every pass over it is an epoch. Its batches, crops and augmentation depend on `seed`, the
    number of the epoch and the note's row alone.

    Parameters
    ----------
    dataset : NoteDataset or SummaryDataset
        The notes.
    batch_size : int
        Notes in a batch; a tail of fewer than a quarter of that joins the batch before it.
    training : bool, default=False
        Shuffle, crop, augment and hide instruments. Without it the notes come in order of length.
    max_frames : int or None, default=None
        In training, the longest stretch of a note to show to the network; where it lies is drawn
        anew in each epoch, and half of the time it is the beginning. Summaries are of whole notes.
    augment : SpectrogramAugment or None, default=None
        Applied to each training batch.
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
        self.training = training
        self.summarized = isinstance(dataset, SummaryDataset)
        self.max_frames = max_frames if training and not self.summarized else None
        self.augment = augment if training else None
        self.instrument_dropout = instrument_dropout if training else 0.0
        self.seed = seed
        self.epoch = epoch
        lengths = dataset.lengths.numpy()
        self.shown = lengths if self.max_frames is None else np.minimum(lengths, self.max_frames)
        self.batch_size = batch_size
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
        if self.summarized:
            order = rng.permutation(len(self.dataset))
        else:
            # Lengths are blurred, so that the same notes do not always meet.
            blurred = self.shown * np.exp(rng.uniform(-0.4, 0.4, len(self.shown)))
            order = np.lexsort((rng.random(len(blurred)), np.round(blurred)))
        parts = np.split(order, np.cumsum(self.sizes)[:-1])
        draws = rng.random((len(self.dataset), 3 + 16))
        for i in rng.permutation(len(parts)):
            yield self._batch(parts[i], draws[parts[i]])

    def _batch(self, rows, draws):
        data = self.dataset
        index = torch.from_numpy(rows)
        lengths = torch.from_numpy(self.shown[rows])
        first = torch.zeros_like(lengths)
        instrument = data.instrument[index]
        target = data.target[index]
        if draws is not None:
            uniform = torch.from_numpy(draws)
            slack = (data.lengths[index] - lengths + 1) * (uniform[:, 0] < 0.5)
            first = (uniform[:, 1] * slack).long()
            instrument = instrument * (uniform[:, 2] >= self.instrument_dropout)
        x = {"instrument": instrument}
        if self.summarized:
            x |= data.gather(index)
            values = x["spectrogram"]
        else:
            values = data.gather(index, first, lengths)
        if self.augment is not None:
            draws, level_rows = uniform[:, 3:], None
            if self.summarized:
                level_rows = data.level_rows
                gain = self.augment.gain(lengths, target, draws).to(values.dtype)
                for name, slopes in data.level_slopes.items():
                    x[name] = x[name] + gain[:, None] * slopes
            values, lengths = self.augment.apply(
                values, lengths, target, draws, data.mean, level_rows=level_rows
            )
        values = (values - data.mean) / data.scale
        if not self.summarized:
            inside = frame_mask(lengths, values.shape[1])
            values = values * inside[:, :, None].to(values.dtype)
        x |= {"spectrogram": values, "lengths": lengths}
        return x, (target, data.weight[index])


def length_batches(lengths, batch_size, max_frames=1 << 15):
    """Rows of batches in order of length, none with more than `max_frames` frames.

    Parameters
    ----------
    lengths : ndarray of shape (n_notes,)
        In frames.
    batch_size : int
        Notes in a batch at most.
    max_frames : int, default=32768
        Frames in a batch at most, unless a single note has more.

    Yields
    ------
    ndarray of shape (batch,)
    """
    order = np.argsort(lengths, kind="stable")
    start = 0
    while start < len(order):
        stop = min(start + batch_size, len(order))
        while stop > start + 1 and (stop - start) * lengths[order[stop - 1]] > max_frames:
            stop -= 1
        yield order[start:stop]
        start = stop


def _batch_sizes(n_notes, batch_size):
    n_full, tail = divmod(n_notes, batch_size)
    sizes = [batch_size] * n_full
    if tail and sizes and tail < max(2, batch_size // 4):
        sizes[-1] += tail
    elif tail:
        sizes.append(tail)
    return sizes
