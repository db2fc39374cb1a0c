"""RecordingAugment: training notes as if they had been recorded elsewhere, and otherwise."""

from numbers import Integral, Real

import numpy as np
import torch

from sknote._interval import Interval
from sknote.nn.training._augment import SpectrogramAugment
from sknote.nn.training._draws import Draws
from sknote.nn.training._recording_effects import (
    add_noise,
    add_reverberation,
    calibrate,
    clip,
    code,
    equalize,
    shaped_noise,
    surround,
    truncate,
)
from sknote.spectral._lengths import frame_mask
from sknote.spectral._sounding import crop_to_sound

_N_RIPPLES = 5
_DECIBELS = 25.0  # what a note in dB spans at least
_LOOKED_AT = 64  # notes
_LEAST_POWER = 1e-10  # of a bin, as in spectrograms
_MOST_VARIANTS = 50_000  # about half a gigabyte; of so many notes, more would teach nothing new
_ALONE = ("noise", "hum", "room", "microphone", "band", "codec", "gain")
_SHARES = (*_ALONE, "as_it_is", "together", "silence", "cut")
_STUDIO = {"n_variants": 4, "as_it_is": 0.34, "together": 1.0, "noise": 1.0, "hum": 0.0}
_STUDIO |= {"snr_db": (45.0, 75.0), "room": 0.0, "microphone": 1.0, "ripple_db": 1.0}
_STUDIO |= {"band": 0.0, "codec": 0.0, "gain": 0.0, "cut": 0.5}
_EFFECTS = ("pitch", "stretch", "level", "noise", "band_mask", "time_mask", "cut")
_PROTECT = {
    "noise": ("air", "noise", "breath"),
    "cut": ("cresc", "dimin", "release", "decay", "end", "tail"),
}


class RecordingAugment(SpectrogramAugment):
    """Vary notes as recordings vary, besides what :class:`SpectrogramAugment` does.

    Noise, hum, rooms, microphones and loudspeakers, codecs, clipping, a gain that nobody knows,
    silence around a note, and tails that are cut off, all drawn on spectrograms in power, which
    must be in dB: where most notes span less than 25 from the softest bin to the loudest,
    spectrograms were normalized, and nothing of this happens. Where a network looks at
    descriptions, as :class:`CompactNet` does, a few variants of each note are made and described
    before the training, so that an epoch costs what it does without; else they are made of each
    batch.

    The defaults are what ``NoteClassifier(augment="practice")`` has, for recordings as users make
    them; :meth:`studio` has those of "auto".

    Parameters
    ----------
    semitones, stretch, level_db, noise_db, band_mask, time_mask, probability : int and float
        As in :class:`SpectrogramAugment`.
    n_variants : int, default=6
        Variants of each note that are made where a network looks at descriptions; fewer of more
        notes, so that there are 50,000 in all, but at least one of each.
    as_it_is : float, default=0.5
        Share of the notes of each batch that are shown as they are.
    together : float, default=0.25
        Share of the variants in which effects from noise to gain are drawn each by itself, so that
        several come together; all others have one of them.
    noise : float, default=0.6
        With which probability a variant has noise, from white over pink to that of traffic.
    snr_db : pair of float, default=(18.0, 62.0)
        The note is at least and at most so much louder than its noise, in dB.
    hum : float, default=0.1
        With which probability it has the hum of the mains, 25 to 60 dB softer than the note.
    room : float, default=0.45
        With which probability it has reverberation, of 0.15 to 0.9 s, from 14 dB below the note to
        1 dB above it (Polack's model [1]_).
    microphone : float, default=0.5
        With which probability a microphone or loudspeaker colors it.
    ripple_db : float, default=2.5
        By how much they do, in dB; the standard deviation of the widest ripple.
    band : float, default=0.6
        With which probability low frequencies are lost, up to 60 to 400 Hz, or high ones, from 3
        to 10 kHz on, or both.
    codec : float, default=0.3
        With which probability masked bins and high frequencies are lost, and noise follows the
        spectrum, 28 to 55 dB below it.
    gain : float, default=0.75
        With which probability a variant has another gain.
    gain_db : pair of float, default=(-18.0, 9.0)
        Lowest and highest gain, in dB; what is above full scale is clipped.
    silence : float, default=0.5
        With which probability there is silence before it, up to 0.4 s, and after it, up to 0.6 s.
    cut : float, default=0.5
        With which probability up to half of it is cut off at its end.
    protect : dict of str to tuple of str or None, default=None
        As in :class:`SpectrogramAugment`, with the effects "noise" and "cut" of recordings; None
        leaves out noise for labels of air, and cuts for those of a course of the level or of the
        end.

    References
    ----------
    .. [1] J.-D. Polack, "La transmission de l'énergie sonore dans les salles", thesis, Université
       du Maine, Le Mans, 1988.

    Examples
    --------
    >>> from sknote import NoteClassifier
    >>> from sknote.nn import RecordingAugment
    >>> NoteClassifier(augment=RecordingAugment(codec=0.0))
    NoteClassifier(augment=RecordingAugment(codec=0.0))
    """

    _parameter_constraints = {
        **SpectrogramAugment._parameter_constraints,
        "n_variants": [Interval(Integral, 1, None, closed="left")],
        **{name: [Interval(Real, 0, 1, closed="both")] for name in _SHARES},
        "snr_db": [tuple, list],
        "ripple_db": [Interval(Real, 0, None, closed="left")],
        "gain_db": [tuple, list],
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
        n_variants=6,
        as_it_is=0.5,
        together=0.25,
        noise=0.6,
        snr_db=(18.0, 62.0),
        hum=0.1,
        room=0.45,
        microphone=0.5,
        ripple_db=2.5,
        band=0.6,
        codec=0.3,
        gain=0.75,
        gain_db=(-18.0, 9.0),
        silence=0.5,
        cut=0.5,
        protect=None,
    ):
        super().__init__(
            semitones,
            stretch,
            level_db=level_db,
            noise_db=noise_db,
            band_mask=band_mask,
            time_mask=time_mask,
            probability=probability,
            protect=protect,
        )
        self.n_variants = n_variants
        self.as_it_is = as_it_is
        self.together = together
        self.noise = noise
        self.snr_db = snr_db
        self.hum = hum
        self.room = room
        self.microphone = microphone
        self.ripple_db = ripple_db
        self.band = band
        self.codec = codec
        self.gain = gain
        self.gain_db = gain_db
        self.silence = silence
        self.cut = cut

    @classmethod
    def studio(cls, **params):
        """Make the augmentation that "auto" stands for: no more than a studio has.

        Four variants of each note, with silence around them, noise 45 to 75 dB softer, colored by
        1 dB; and half of them are cut off before their end.

        Parameters
        ----------
        **params : dict
            Parameters that are to be others.

        Returns
        -------
        RecordingAugment
        """
        return cls(**_STUDIO | params)

    def for_notes(self, spectrograms):
        """Return the augmentation itself or, for spectrograms that are not in dB, what is left.

        Parameters
        ----------
        spectrograms : list of ndarray of shape (n_frames, n_bins)
            All that is to be trained on.

        Returns
        -------
        RecordingAugment or SpectrogramAugment
        """
        some = spectrograms[:: max(1, len(spectrograms) // _LOOKED_AT)]
        if np.median([np.ptp(np.asarray(values)) for values in some]) >= _DECIBELS:
            return self
        names = SpectrogramAugment._parameter_constraints
        params = {name: getattr(self, name) for name in names}
        if self.protect is not None:
            params["protect"] = {k: v for k, v in self.protect.items() if k != "cut"}
        return SpectrogramAugment(**params)

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
        RecordingAugment
        """
        for name in ("snr_db", "gain_db"):
            pair = getattr(self, name)
            numbers = isinstance(pair, (tuple, list)) and all(isinstance(v, Real) for v in pair)
            if not (numbers and len(pair) == 2 and pair[0] <= pair[1]):
                raise ValueError(
                    f"RecordingAugment: expected {name} to be two numbers in dB, the lower one "
                    f"first, got {pair!r}."
                )
        return super().bind(classes, axes)

    def count_variants(self, n_notes):
        """Return how many variants to make of each of so many notes.

        Parameters
        ----------
        n_notes : int
            All that is to be trained on.

        Returns
        -------
        int
        """
        return max(1, min(self.n_variants, _MOST_VARIANTS // n_notes))

    def apply(self, x, lengths, target, draws, fill, slopes):
        """Vary one batch by given draws, as :meth:`SpectrogramAugment.apply`.

        Parameters
        ----------
        x, lengths, target, draws, fill, slopes : dict and Tensor
            As there. Frames become those of another recording here; descriptions, before.

        Returns
        -------
        dict of str to Tensor
        """
        if "lengths" in x:
            rows = (draws["variant"] >= self.as_it_is).nonzero()[:, 0]
            if len(rows):
                seed = (draws["variant"][rows[0]] * 2**32).long().item()
                values = x["spectrogram"][rows]
                values, of_variants = self.record(values, lengths[rows], target[rows], seed)
                x, lengths = _put(x["spectrogram"], lengths, rows, values, of_variants)
        return super().apply(x, lengths, target, draws, fill, slopes)

    def record(self, spectrogram, lengths, target, seed):
        """Make one variant of each note of a batch; call :meth:`bind` before.

        Single frames are left alone.

        Parameters
        ----------
        spectrogram : Tensor of shape (batch, n_frames, n_bins)
            In dB.
        lengths : Tensor of shape (batch,), int64
            Frames that belong to each note.
        target : Tensor of shape (batch,), int64
            Class indices.
        seed : int or sequence of int
            Of all that is drawn.

        Returns
        -------
        spectrogram : Tensor of shape (batch, new_n_frames, n_bins)
        lengths : Tensor of shape (batch,), int64
            Of what sounds in the variants.
        """
        axes, draw = self.axes_, Draws(seed, len(lengths))
        as_given, single = spectrogram, lengths == 1
        allowed = {effect: values[target] for effect, values in self.allowed_.items()}
        shares = {name: getattr(self, name) for name in _ALONE}
        chosen = draw.choose(shares, self.together)
        cut = draw.some(self.cut) & allowed["cut"]
        shorter = (lengths * draw.between(0.5, 1.0)).ceil().long().clamp_min(1)
        lengths = torch.where(cut, shorter, lengths)
        around = [
            torch.where(draw.some(self.silence), draw.between(0.0, seconds * axes.frame_rate), 0.0)
            for seconds in (0.4, 0.6)
        ]
        before, after = (frames.long() for frames in around)
        n_sounding = lengths
        spectrogram, lengths = surround(spectrogram.float(), lengths, before, after)
        inside = frame_mask(lengths, spectrogram.shape[1])[:, :, None]
        # what lies at the floor of spectrograms is nothing, which no gain makes louder
        power = 10.0 ** (spectrogram / 10.0)
        power = torch.where(inside & (power > 1.001 * _LEAST_POWER), power, 0.0)
        if bool(cut.any()):
            power[cut] = truncate(power[cut], (before + n_sounding - 1)[cut], axes)
        level = (power.sum(dim=(1, 2)) / n_sounding)[:, None, None]
        power = self._in_a_room(power, chosen["room"], draw)
        power = self._by_a_microphone(power, level, allowed["noise"], chosen, draw)
        gain = torch.where(chosen["gain"], draw.decibels(*self.gain_db), 1.0)
        limit = calibrate(axes)[1] * draw.decibels(-4.0, 0.0)
        power = clip(power * gain[:, None, None], limit[:, None, None], axes)
        power = self._coded(power, chosen["codec"], draw)
        values, lengths = crop_to_sound(10.0 * power.clamp_min(_LEAST_POWER).log10(), lengths)
        # a single frame is a spectrum, and no recording
        values = torch.where(single[:, None, None], as_given[:, :1].to(values.dtype), values)
        return values, torch.where(single, 1, lengths)

    def _in_a_room(self, power, room, draw):
        seconds = 0.15 * 6.0 ** draw.between(0.0, 1.0)
        gain = torch.where(room, draw.decibels(-14.0, 1.0), 0.0)
        # of many waves with random phases, in part over neighbouring bins alike
        color = draw.exponential(power.shape[2])
        color = (color + torch.nn.functional.avg_pool1d(color[:, None], 5, 1, 2)[:, 0]) / 2
        if not bool(room.any()):
            return power
        return add_reverberation(power, seconds, gain, color, self.axes_)

    def _by_a_microphone(self, power, level, may_be_noisy, chosen, draw):
        axes = self.axes_
        ripples = draw.normal(_N_RIPPLES) * self.ripple_db / torch.arange(1, _N_RIPPLES + 1).sqrt()
        ripples = ripples * chosen["microphone"][:, None]
        ends = draw.between(0.0, 3.0).floor()  # the low one, the high one, or both
        low, high = (chosen["band"] & (ends != other) for other in (1.0, 0.0))
        low = torch.where(low, 60.0 * 6.7 ** draw.between(0.0, 1.0), 1e-3)
        high = torch.where(high, 3000.0 * 3.3 ** draw.between(0.0, 1.0), 1e6)
        orders = draw.between(1.0, 5.0).floor(), draw.between(1.0, 9.0).floor()
        response = equalize(ripples, low, orders[0], high, orders[1], axes)[:, None]
        first = draw.between(0.0, 1e6).long()
        noise = shaped_noise(first, power.shape[1], draw.between(-7.0, 1.0), axes)
        loudness = torch.where(
            chosen["noise"],
            draw.decibels(*(-decibels for decibels in reversed(self.snr_db))),
            0.0,
        )
        noise = noise * loudness[:, None, None]
        hum = torch.where(chosen["hum"], draw.decibels(-60.0, -25.0), 0.0)
        mains = torch.where(draw.some(0.5), 50.0, 60.0)
        if bool(hum.any()):
            noise = noise + (self._hum(mains) * hum[:, None])[:, None]
        noise = noise * level * may_be_noisy[:, None, None]
        # half of the noise is in the room, half of it comes from what is behind the microphone
        heard = torch.where(draw.some(0.5)[:, None, None], response, 1.0)
        return add_noise(power * response, noise * heard, first, axes)

    def _hum(self, mains):
        """Spectra of the hum of mains of so many Hz, of power 1."""
        bins = torch.arange(self.axes_.n_bins)
        hum = torch.zeros(len(mains), len(bins))
        for number in range(1, 8):
            place = torch.from_numpy(self.axes_.positions((mains * number).double().numpy()))
            distance = (bins - place[:, None].float()) / 0.7
            hum += torch.exp(-0.5 * distance.square()) / number**2
        return hum / hum.sum(dim=1, keepdim=True).clamp_min(1e-6)

    def _coded(self, power, coded, draw):
        depth = torch.where(coded & draw.some(0.5), draw.decibels(-35.0, -14.0), 0.0)
        left = draw.decibels(-40.0, -3.0)
        rounding = torch.where(coded & draw.some(0.8), draw.decibels(-55.0, -28.0), 0.0)
        first = draw.between(0.0, 1e6).long()
        narrow = coded & draw.some(0.6)
        highest = torch.where(narrow, 4000.0 * 2.5 ** draw.between(0.0, 1.0), 1e6)
        if bool(coded.any()):
            how = (depth, left, rounding, first, highest)
            power[coded] = code(power[coded], *(values[coded] for values in how), self.axes_)
        return power

    def _protected(self):
        return _EFFECTS, super()._protected()[1] | _PROTECT


def _put(spectrogram, lengths, rows, values, of_rows):
    """Put variants in the place of some notes of a batch, whose last frames are repeated."""
    lengths = lengths.clone()
    lengths[rows] = of_rows
    n_frames = int(lengths.max())
    index = torch.arange(n_frames)
    out = spectrogram[:, index.clamp_max(spectrogram.shape[1] - 1)]
    out[rows] = values[:, index.clamp_max(values.shape[1] - 1)].to(out.dtype)
    return {"spectrogram": out, "lengths": lengths}, lengths
