"""The data sets that a net is trained on: frames of notes, or their descriptions."""

import copy

import numpy as np
import torch

from sknote._input.mapped import read_once
from sknote._torch import in_threads
from sknote.nn.networks import inputs_of, traits_of
from sknote.spectral._lengths import length_batches, pad
from sknote.spectral._sounding import frame_levels, sounding_frames, without_level
from sknote.spectral._statistics import frame_statistics

__all__ = ["DescribedNotes", "FrameNotes", "describe_all", "training_data"]

_BATCH = 64  # notes that are described at a time
_FRAMES = 1024  # of such a batch; more are no faster, and leave smaller caches


def training_data(
    network,
    axes,
    notes,
    instrument,
    moments=None,
    n_threads=None,
    *,
    recording=None,
    level="absolute",
    seed=0,
):
    """Make the data set that a network trains on: frames or descriptions of prepared notes.

    `instrument` has the index of each note's instrument. Inputs are standardized by `moments`, mean
    and scale, each a dict of str to ndarray; None is the moments of these notes. `recording` is a
    bound :class:`RecordingAugment`, which makes variants where descriptions are looked at, or None.
    """
    traits = traits_of(network)
    if traits.looks_at == "frames":
        data = FrameNotes(crop_all(notes.spectrograms, level))
    else:
        description = describe_all(network, notes.spectrograms, axes, n_threads, level)
        lengths = [len(item) for item in notes.spectrograms]
        slopes = traits.level_slopes(axes)
        if unknown := set(slopes) - set(description):
            raise ValueError(
                f"{traits.__name__}.level_slopes names {sorted(unknown)}; its describe makes "
                f"{sorted(description)}."
            )
        data = DescribedNotes(description, lengths, slopes)
        if recording is not None:
            data.as_it_is = recording.as_it_is
            dtypes = {name: _least_dtype(part) for name, part in description.items()}
            for number in range(recording.count_variants(len(lengths))):

                def vary(values, lengths, rows, batch, number=number):
                    target = torch.from_numpy(notes.target[rows])
                    return recording.record(values, lengths, target, [seed, number, batch])

                how = {"level": level, "vary": vary, "dtypes": dtypes}
                data.add_variant(describe_all(network, notes.spectrograms, axes, n_threads, **how))
    data.level = level
    if level == "relative":
        data.slopes = {}  # there is none to vary
    data.target = torch.from_numpy(notes.target)
    data.weight = torch.from_numpy(notes.weight)
    data.instrument = torch.from_numpy(instrument)
    data.standardize_by(*(moments or data.statistics(notes.weight)))
    return data


class _NoteData(torch.utils.data.Dataset):
    """What both kinds have: lengths, targets, weights and instruments, one of each note.

    `slopes` tell how much inputs grow with the level of a recording, per dB; `level`, whether they
    have one.
    """

    level = "absolute"

    def __init__(self, lengths, slopes):
        self.lengths = torch.as_tensor(lengths, dtype=torch.int64)
        self.slopes = slopes

    def __len__(self):
        return len(self.lengths)

    def __iter__(self):
        return map(self.__getitem__, range(len(self)))

    def standardize_by(self, mean, scale):
        """Keep the moments by which batches are standardized, in the type of batches."""
        self.moments = mean, scale
        self.mean, self.scale = (
            {name: torch.as_tensor(values, dtype=torch.float32) for name, values in moment.items()}
            for moment in (mean, scale)
        )

    def take(self, rows):
        """Take some notes; their weights are scaled to a mean of 1."""
        part = copy.copy(self)
        for name in ("lengths", "target", "weight", "instrument"):
            setattr(part, name, getattr(self, name)[rows])
        part.weight = (part.weight * (len(part.weight) / part.weight.sum())).float()
        return part


class FrameNotes(_NoteData):
    """Spectrograms of shape (n_frames, n_bins), at least one frame each, in one flat array."""

    def __init__(self, spectrograms):
        super().__init__([len(values) for values in spectrograms], {"spectrogram": torch.ones(())})
        self.starts = self.lengths.cumsum(0) - self.lengths
        dtype = np.result_type(*{values.dtype for values in spectrograms})
        frames = np.empty((int(self.lengths.sum()), spectrograms[0].shape[1]), dtype)
        for start, values in zip(self.starts.tolist(), read_once(spectrograms)):
            frames[start : start + len(values)] = values
        self.frames = torch.from_numpy(frames)

    def __getitem__(self, row):
        start = self.starts[row]
        return self.frames[start : start + self.lengths[row]], self.target[row]

    def statistics(self, weight):
        """Mean and deviation of each bin over all frames."""
        spectrograms = (self[row][0].numpy() for row in range(len(self)))
        mean, scale = frame_statistics(spectrograms, weight)
        return {"spectrogram": mean}, {"spectrogram": scale}

    def take(self, rows):
        part = super().take(rows)
        part.starts = self.starts[rows]
        return part

    def shown(self, max_frames):
        """How many frames of each note a training step shows, an ndarray."""
        lengths = self.lengths.numpy()
        return lengths if max_frames is None else np.minimum(lengths, max_frames)

    def order(self, shown, rng):
        """Draw an order in which notes of like length stand together, but not always the same."""
        blurred = shown * np.exp(rng.uniform(-0.4, 0.4, len(shown)))
        return np.lexsort((rng.random(len(blurred)), np.round(blurred)))

    def gather(self, rows, lengths, draws=None):
        """Assemble a padded batch of `lengths` frames of each note, where its last is repeated.

        Draws decide where a stretch of a longer note lies; without them it is the beginning.
        """
        first = torch.zeros_like(lengths)
        if draws is not None:  # half of the time it is the beginning
            slack = (self.lengths[rows] - lengths + 1) * (draws["crop"] < 0.5)
            first = (draws["crop_place"] * slack).long()
        steps = torch.arange(int(lengths.max()))
        steps = torch.minimum(steps, lengths[:, None] - 1)
        index = (self.starts[rows] + first)[:, None] + steps
        shape = (*index.shape, self.frames.shape[1])
        values = self.frames.index_select(0, index.flatten()).reshape(shape).float()
        return {"spectrogram": values, "lengths": lengths}


class DescribedNotes(_NoteData):
    """Descriptions of notes, by name: arrays in which each note has a place."""

    def __init__(self, description, lengths, slopes):
        super().__init__(lengths, slopes)
        self.places = torch.arange(len(self))
        self.description = {name: torch.from_numpy(part) for name, part in description.items()}
        self.variants = []
        self.as_it_is = 1.0

    def add_variant(self, description):
        """Add descriptions of the same notes in other recordings, to train on as well."""
        self.variants.append({name: torch.from_numpy(part) for name, part in description.items()})

    def __getitem__(self, row):
        place = self.places[row]
        return {name: part[place] for name, part in self.description.items()}, self.target[row]

    def statistics(self, weight):
        """Mean and deviation of each row that has a frequency axis, over notes and bins alike."""
        mean, scale = {}, {}
        for name, part in self.description.items():
            if part.ndim == 3:
                # what looks alike at every pitch must not be scaled by pitch
                rows = (part[place].numpy().T for place in self.places)
                moments = frame_statistics(rows, weight)
                mean[name], scale[name] = (moment[:, None] for moment in moments)
        return mean, scale

    def take(self, rows):
        part = super().take(rows)
        part.places = self.places[rows]  # no copy: they may be gigabytes
        return part

    def shown(self, max_frames):
        """How many frames each note has: a description is of all of them."""
        return self.lengths.numpy()

    def order(self, shown, rng):
        """Draw any order."""
        return rng.permutation(len(self))

    def gather(self, rows, lengths, draws=None):
        """Assemble a batch: a dict of Tensors of shape (batch, ...)."""
        places = self.places[rows]
        batch = {name: part[places].float() for name, part in self.description.items()}
        if draws is None or not self.variants:
            return batch
        share = (draws["variant"] - self.as_it_is) / max(1.0 - self.as_it_is, 1e-9)
        which = (share * len(self.variants)).floor()
        for number, variant in enumerate(self.variants):
            own = (which == number).nonzero()[:, 0]
            for name, values in batch.items():
                values[own] = variant[name][places[own]].float()
        return batch


def crop_all(spectrograms, level="absolute"):
    """Leave of each spectrogram what sounds, as a network is shown it when it predicts."""
    out = []
    for values in read_once(spectrograms):
        padded, lengths = pad([values], [len(values)]), torch.tensor([len(values)])
        (first,), (stop,) = sounding_frames(frame_levels(padded)[2], lengths)
        values = values[int(first) : int(stop)]
        if level == "relative":
            values = without_level(padded[:, int(first) : int(stop)])[0].numpy()
        out.append(values)
    return out


def describe_all(
    network, spectrograms, axes, n_threads=None, level="absolute", vary=None, dtypes=None
):
    """Describe spectrograms, in batches of like length: arrays of shape (n_notes, ...).

    `vary(values, lengths, rows, number of the batch)` makes other recordings of them before.
    `dtypes` of parts by name, else float32; what is too large for one becomes its largest number.
    """
    lengths = np.array([len(item) for item in spectrograms], dtype=np.int64)
    out = {}

    def fill(batch):
        number, rows = batch
        values = pad([spectrograms[row] for row in rows], lengths[rows])
        n_frames = torch.from_numpy(lengths[rows])
        with torch.inference_mode():
            if vary is not None:
                values, n_frames = vary(values, n_frames, rows, number)
            parts = inputs_of(network, values, n_frames, axes, level)
        for name, part in parts.items():
            if name not in out:
                dtype = np.float32 if dtypes is None else dtypes[name]
                out[name] = np.empty((len(lengths), *part.shape[1:]), dtype)
            numbers = part.float().numpy()
            if not np.isfinite(numbers).all():
                network_name = traits_of(network).__name__
                raise ValueError(f"{network_name}.describe made values of {name!r} not finite.")
            largest = np.finfo(out[name].dtype).max
            out[name][rows] = np.clip(numbers, -largest, largest)

    first, *others = enumerate(length_batches(lengths, _BATCH, _FRAMES))
    in_threads(fill, [first], 1)  # which makes room for all
    in_threads(fill, others, n_threads)
    return out


def _least_dtype(part):
    """Tell whether half precision is enough for a part of a description, by its first rows."""
    some = part[:1000]
    with np.errstate(over="ignore"):
        lost = np.abs(some.astype(np.float16) - some).max()
    return np.float16 if lost <= 1e-3 * np.abs(some).max() else np.float32
