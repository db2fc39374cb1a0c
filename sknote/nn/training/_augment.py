"""SpectrogramAugment: draws what varies in a batch of spectrograms."""

from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import BaseEstimator, clone

from sknote._interval import Interval, plain_number
from sknote.nn.training._draws import draw
from sknote.nn.training._effects import (
    add_noise_floor,
    change_level,
    mask_bands,
    mask_time,
    shift_pitch,
    stretch_time,
)
from sknote.spectral import SpectralAxes

__all__ = ["SpectrogramAugment"]


class SpectrogramAugment(BaseEstimator):
    """Vary a batch of training spectrograms without changing what their labels mean.

    An effect is off where its size is 0, and off for labels that it would make wrong: by default
    a level change for labels of dynamics, added noise for labels of air, and a hidden stretch of
    time for labels of the attack. Notes of a single frame are left alone.

    Where a network looks at descriptions of notes, as :class:`CompactNet` does, those are varied:
    pitch and hidden bands where there is a frequency axis, level and noise in what moves with the
    level; `stretch` and `time_mask` do nothing there.

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
    ):
        self.semitones = semitones
        self.stretch = stretch
        self.level_db = level_db
        self.noise_db = noise_db
        self.band_mask = band_mask
        self.time_mask = time_mask
        self.probability = probability
        self.protect = protect

    def __call__(self, values, lengths, labels=None, *, axes=None, random_state=None):
        """Vary one batch.

        Parameters
        ----------
        values : Tensor of shape (batch, n_frames, n_bins)
            Spectrograms in dB.
        lengths : Tensor of shape (batch,), int64
            Frames that belong to each note.
        labels : sequence of str or None, default=None
            Their labels, for `protect`.
        axes : SpectralAxes or None, default=None
            What bins and frames mean; None is those of ``Spectrogram()``.
        random_state : int, Generator or None, default=None
            Source of the draws.

        Returns
        -------
        values : Tensor of shape (batch, new_n_frames, n_bins)
        lengths : Tensor of shape (batch,), int64
        """
        if axes is None:
            axes = SpectralAxes(n_bins=values.shape[2])
        rows, steps = torch.arange(len(values)), torch.arange(values.shape[1])
        draws = draw(np.random.default_rng(random_state), len(values))
        fill = values[steps < lengths[:, None]].mean(dim=0)
        # as in training, where the padding repeats the last frame and so has no peak of its own
        values = values[rows[:, None], torch.minimum(steps, lengths[:, None] - 1)]
        bound = self.bind([""] * len(values) if labels is None else labels, axes)
        x = {"spectrogram": values, "lengths": lengths}
        fill, slopes = {"spectrogram": fill}, {"spectrogram": torch.ones(())}
        x = bound.apply(x, lengths, rows, draws, fill, slopes)
        return x["spectrogram"], x["lengths"]

    def bind(self, classes, axes):
        """Return a copy that knows the axes, and which effect is off for which class.

        Parameters
        ----------
        classes : sequence of str
            Labels, in the order of their indices.
        axes : SpectralAxes
            What bins and frames mean.

        Returns
        -------
        SpectrogramAugment
        """
        self._validate_params()
        name = type(self).__name__
        effects, usual = self._protected()
        protect = usual if self.protect is None else self.protect
        if unknown := set(protect) - set(effects):
            raise ValueError(
                f"{name}: protect names the effects {sorted(unknown)}; "
                f"expected some of {list(effects)}."
            )
        for effect, words in protect.items():
            if isinstance(words, str):
                raise ValueError(
                    f"{name}: protect expects several words for {effect!r}, got the "
                    f"single string {words!r}. Write ({words!r},)."
                )
        bound = clone(self)
        numbers = {key: plain_number(value) for key, value in self.get_params(deep=False).items()}
        bound.set_params(**numbers)
        bound.axes_ = axes
        bound.allowed_ = {
            effect: torch.tensor(
                [
                    not any(word in str(label) for word in protect.get(effect, ()))
                    for label in classes
                ]
            )
            for effect in effects
        }
        return bound

    def _protected(self):
        """Return the names of the effects, and the words of labels that each is off for."""
        return _EFFECTS, _PROTECT

    def apply(self, x, lengths, target, draws, fill, slopes):
        """Vary one batch by given draws; what the training loop calls after :meth:`bind`.

        Parameters
        ----------
        x : dict of str to Tensor
            What a network looks at, before it is standardized: spectrograms in dB, or descriptions.
        lengths : Tensor of shape (batch,), int64
            Frames that belong to each note.
        target : Tensor of shape (batch,), int64
            Class indices.
        draws : dict of str to Tensor of shape (batch,)
            Uniform in [0, 1).
        fill : dict of str to Tensor
            What hidden frames and bands become, in dB: of shape (n_bins,) or (n_rows, 1).
        slopes : dict of str to Tensor
            How much each grows with the level, per dB.

        Returns
        -------
        dict of str to Tensor
            Spectrograms may have another number of frames.
        """
        several = lengths > 1
        if not bool(several.any()):
            return x

        def chosen(effect):
            return self.allowed_[effect][target] & several & (draws[effect] < self.probability)

        gain = (2.0 * draws["level_size"] - 1.0) * self.level_db
        gain = torch.where(chosen("level"), gain, 0.0)
        out = dict(x)
        for name, values in x.items():
            if values.ndim == 3:
                moves = slopes.get(name, torch.zeros(()))
                values = self._pitch(values, draws, chosen("pitch"))
                values = self._noise(values, draws, chosen("noise"), moves != 0)
            if name in slopes:
                out[name] = change_level(values, gain, slopes[name])
            elif name != "lengths":
                out[name] = values
        if self.stretch and "lengths" in x:
            size = (2.0 * draws["stretch_size"] - 1.0) * np.log1p(self.stretch)
            rate = torch.where(chosen("stretch"), torch.exp(size), 1.0)
            out["spectrogram"], out["lengths"] = stretch_time(out["spectrogram"], lengths, rate)
        for name in fill:
            out[name] = self._hide_band(out[name], draws, several, target, fill[name])
        if self.time_mask and "lengths" in x:
            lengths = out["lengths"]
            width = (draws["time_width"] * self.time_mask * lengths).long()
            width = width * (several & self.allowed_["time_mask"][target])
            first = (draws["time_place"] * (lengths - width + 1)).long()
            out["spectrogram"] = mask_time(out["spectrogram"], first, width, fill["spectrogram"])
        return out

    def _pitch(self, values, draws, chosen):
        if not self.semitones:
            return values
        span = 2 * self.semitones + 1
        semitones = torch.floor(draws["pitch_size"] * span) - self.semitones
        return shift_pitch(values, torch.where(chosen, semitones, 0.0), self.axes_)

    def _noise(self, values, draws, chosen, levels):
        if not self.noise_db:
            return values
        peak = values.amax(dim=(1, 2))
        floor = peak - 80.0 + (draws["noise_size"] * self.noise_db).to(values.dtype)
        noisy = add_noise_floor(values, floor)
        return torch.where(chosen[:, None, None] & levels, noisy, values)

    def _hide_band(self, values, draws, several, target, fill):
        if not self.band_mask:
            return values
        n_bins = values.shape[2]
        allowed = several & self.allowed_["band_mask"][target]
        width = (draws["band_width"] * (self.band_mask * n_bins + 1)).long() * allowed
        first = (draws["band_place"] * (n_bins - width + 1)).long()
        return mask_bands(values, first, width, fill)


_EFFECTS = ("pitch", "stretch", "level", "noise", "band_mask", "time_mask")
_PROTECT = {
    "level": ("dynamic", "pian", "fort", "cresc", "dimin"),
    "noise": ("air",),
    "time_mask": ("attack",),
}
