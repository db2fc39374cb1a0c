"""SpectrogramAugment: draws what varies in a batch of spectrograms."""

from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, StrOptions

from sknote.nn._effects import (
    add_noise_floor,
    change_level,
    mask_bands,
    mask_time,
    shift_pitch,
    stretch_time,
)
from sknote.nn._scales import BINS_PER_OCTAVE, mel_frequencies, mel_positions

__all__ = ["SpectrogramAugment"]


class SpectrogramAugment(BaseEstimator):
    """Vary a batch of training spectrograms without changing what their labels mean.

    An effect is off where its size is 0, and off for labels that it would make wrong: by default
    a level change for labels of dynamics, added noise for labels of air, and a hidden stretch of
    time for labels of the attack. Notes of a single frame are left alone.

    Where a network looks at summaries of notes, as :class:`CompactNet` does, those are varied:
    pitch and hidden bands as in a spectrogram, level and noise in the rows that are levels;
    `stretch` and `time_mask` do nothing there. Of functionals only the level is varied.

    Parameters
    ----------
    semitones : int, default=6
        Pitch shifts are whole semitones up to this size: a fraction would put a note out of tune.
    stretch : float, default=0.1
        Notes are played faster or slower by up to this share.
    level_db : float, default=3.0
        Level changes are up to this size, in dB.
    noise_db : float, default=0.0
        The noise floor is up to this much above 80 dB below the note's maximum, in dB.
    band_mask : float, default=0.0
        Widest hidden band, as a share of the bins (SpecAugment [1]_).
    time_mask : float, default=0.0
        Longest hidden stretch, as a share of the note (SpecAugment [1]_).
    probability : float, default=0.8
        With which each of pitch, time, level and noise changes a note.
    protect : dict of str to tuple of str or None, default=None
        Which effects ("pitch", "stretch", "level", "noise", "band_mask", "time_mask") are off for
        labels that contain one of the words; None is the default above.
    sample_rate : int, default=22050
        Sample rate that the mel bands were made for, in Hz.
    scale : {"log", "mel", "linear"}, default="log"
        Frequency axis of the spectrograms; the default is that of
        :func:`~sknote.make_note_pipeline`.

    References
    ----------
    .. [1] D. S. Park et al., "SpecAugment: a simple data augmentation method for automatic speech
       recognition", Interspeech 2019.

    Examples
    --------
    >>> import torch
    >>> from sknote.nn import SpectrogramAugment
    >>> augment = SpectrogramAugment(semitones=0)
    >>> values, lengths = augment(torch.randn(2, 50, 64), torch.tensor([50, 30]), random_state=0)
    >>> values.shape[2]
    64
    """

    _parameter_constraints = {
        "semitones": [Interval(Integral, 0, None, closed="left")],
        "stretch": [Interval(Real, 0, None, closed="left")],
        "level_db": [Interval(Real, 0, None, closed="left")],
        "noise_db": [Interval(Real, 0, None, closed="left")],
        "band_mask": [Interval(Real, 0, 1, closed="both")],
        "time_mask": [Interval(Real, 0, 1, closed="both")],
        "probability": [Interval(Real, 0, 1, closed="both")],
        "protect": [dict, None],
        "sample_rate": [Interval(Integral, 1, None, closed="left")],
        "scale": [StrOptions({"log", "mel", "linear"})],
    }

    def __init__(
        self,
        semitones=6,
        stretch=0.1,
        *,
        level_db=3.0,
        noise_db=0.0,
        band_mask=0.0,
        time_mask=0.0,
        probability=0.8,
        protect=None,
        sample_rate=22050,
        scale="log",
    ):
        self.semitones = semitones
        self.stretch = stretch
        self.level_db = level_db
        self.noise_db = noise_db
        self.band_mask = band_mask
        self.time_mask = time_mask
        self.probability = probability
        self.protect = protect
        self.sample_rate = sample_rate
        self.scale = scale

    def __call__(self, values, lengths, labels=None, *, random_state=None):
        """Vary one batch.

        Parameters
        ----------
        values : Tensor of shape (batch, n_frames, n_bins)
            Spectrograms in dB.
        lengths : Tensor of shape (batch,), int64
            Frames that belong to each note.
        labels : sequence of str or None, default=None
            Their labels, for `protect`.
        random_state : int, Generator or None, default=None
            Source of the draws.

        Returns
        -------
        values : Tensor of shape (batch, new_n_frames, n_bins)
        lengths : Tensor of shape (batch,), int64
        """
        rows, steps = torch.arange(len(values)), torch.arange(values.shape[1])
        draws = torch.from_numpy(np.random.default_rng(random_state).random((len(values), 16)))
        fill = values[steps < lengths[:, None]].mean(dim=0)
        # as in training, where the padding repeats the last frame and so has no peak of its own
        values = values[rows[:, None], torch.minimum(steps, lengths[:, None] - 1)]
        bound = self.bind([""] * len(values) if labels is None else labels)
        return bound.apply(values, lengths, rows, draws, fill)

    def bind(self, classes):
        """Return a copy that knows which effect is off for which class.

        Parameters
        ----------
        classes : sequence of str
            Labels, in the order of their indices.

        Returns
        -------
        SpectrogramAugment
        """
        from sklearn.base import clone

        self._validate_params()
        protect = _PROTECT if self.protect is None else self.protect
        if unknown := set(protect) - set(_EFFECTS):
            raise ValueError(
                f"SpectrogramAugment: protect names the effects {sorted(unknown)}; "
                f"expected some of {list(_EFFECTS)}."
            )
        for effect, words in protect.items():
            if isinstance(words, str):
                raise ValueError(
                    f"SpectrogramAugment: protect expects several words for {effect!r}, got the "
                    f"single string {words!r}. Write ({words!r},)."
                )
        bound = clone(self)
        bound.allowed_ = {
            effect: torch.tensor(
                [not any(word in str(name) for word in protect.get(effect, ())) for name in classes]
            )
            for effect in _EFFECTS
        }
        return bound

    def apply(self, values, lengths, target, draws, fill, *, level_rows=None):
        """Vary one batch by given draws; what the training loop calls after :meth:`bind`.

        Parameters
        ----------
        values : Tensor of shape (batch, n_frames, n_bins)
            Spectrograms in dB.
        lengths : Tensor of shape (batch,), int64
            Frames that belong to each note.
        target : Tensor of shape (batch,), int64
            Class indices.
        draws : Tensor of shape (batch, 16)
            Uniform in [0, 1).
        fill : Tensor of shape (n_bins,) or (n_rows, 1)
            What hidden frames and bands become, in dB.
        level_rows : Tensor of shape (n_rows,), bool, or None, default=None
            If given, `values` are summaries, and these of their rows are levels; `lengths` are
            those of the notes, and stay.

        Returns
        -------
        values : Tensor of shape (batch, new_n_frames, n_bins)
        lengths : Tensor of shape (batch,), int64
        """
        several = lengths > 1
        if not bool(several.any()):
            return values, lengths

        def chosen(effect, gate):
            return self._chosen(effect, draws[:, gate], lengths, target)

        n_bins = values.shape[2]
        levels = torch.tensor(True) if level_rows is None else level_rows[:, None]
        if self.semitones:
            span = 2 * self.semitones + 1
            semitones = torch.floor(draws[:, 1] * span) - self.semitones
            semitones = torch.where(chosen("pitch", 0), semitones, 0.0)
            frequencies, positions = self._axis(n_bins)
            values = shift_pitch(values, semitones, frequencies, positions)
        if self.noise_db:
            peak = values.amax(dim=(1, 2))
            floor = peak - 80.0 + (draws[:, 3] * self.noise_db).to(values.dtype)
            noisy = add_noise_floor(values, floor)
            values = torch.where(chosen("noise", 2)[:, None, None] & levels, noisy, values)
        if self.level_db:
            gain = self.gain(lengths, target, draws)
            values = torch.where(levels, change_level(values, gain.to(values.dtype)), values)
        if self.stretch and level_rows is None:
            rate = torch.exp((2.0 * draws[:, 7] - 1.0) * np.log1p(self.stretch))
            values, lengths = stretch_time(
                values, lengths, torch.where(chosen("stretch", 6), rate, 1.0)
            )
        if self.band_mask:
            allowed = several & self.allowed_["band_mask"][target]
            width = (draws[:, 8] * (self.band_mask * n_bins + 1)).long() * allowed
            first = (draws[:, 9] * (n_bins - width + 1)).long()
            values = mask_bands(values, first, width, fill)
        if self.time_mask and level_rows is None:
            allowed = several & self.allowed_["time_mask"][target]
            width = (draws[:, 10] * self.time_mask * lengths).long() * allowed
            first = (draws[:, 11] * (lengths - width + 1)).long()
            values = mask_time(values, first, width, fill)
        return values, lengths

    def gain(self, lengths, target, draws):
        """Level changes of one batch, by the draws that :meth:`apply` takes.

        Parameters
        ----------
        lengths, target, draws : Tensor
            As in :meth:`apply`.

        Returns
        -------
        Tensor of shape (batch,)
            In dB; what :meth:`apply` adds to levels.
        """
        gain = (2.0 * draws[:, 5] - 1.0) * self.level_db
        return torch.where(self._chosen("level", draws[:, 4], lengths, target), gain, 0.0)

    def _chosen(self, effect, draws, lengths, target):
        """Tell which notes an effect changes."""
        return (lengths > 1) & self.allowed_[effect][target] & (draws < self.probability)

    def _axis(self, n_bins):
        if self.scale == "log":
            frequencies = 2.0 ** (np.arange(n_bins) / BINS_PER_OCTAVE)
            return frequencies, lambda hz: BINS_PER_OCTAVE * np.log2(hz)
        if self.scale == "mel":
            frequencies = mel_frequencies(self.sample_rate, n_bins)
            return frequencies, lambda hz: mel_positions(hz, self.sample_rate, n_bins)
        frequencies = np.arange(n_bins, dtype=np.float64)
        return frequencies, lambda hz: hz


_EFFECTS = ("pitch", "stretch", "level", "noise", "band_mask", "time_mask")
_PROTECT = {
    "level": ("dynamic", "pian", "fort", "cresc", "dimin"),
    "noise": ("air",),
    "time_mask": ("attack",),
}
