"""NoteModel: one module from waveforms to probabilities."""

import copy

import numpy as np
import torch
from torch import nn

from sknote._input.equal import first_equal
from sknote._torch import in_threads, torch_threads
from sknote.nn.networks import inputs_of, standardize, traits_of
from sknote.spectral._lengths import length_batches, pad
from sknote.spectral._silence import silent_notes

__all__ = ["NoteModel"]

_BATCH = 64  # notes that are classified at a time, at most
_OVERHEAD = 400  # frames that take as long as a batch does besides


class NoteModel(nn.Module):
    """All that lies between a waveform and the probabilities of labels, as one module.

    What predicts, exports, saves or explains runs this and nothing else.
    :func:`~sknote.pipelines.note_model` makes one of a fitted pipeline; that of a
    :class:`~sknote.NoteClassifier`, its ``model_``, begins with spectrograms.

    Parameters
    ----------
    network : nn.Module
        The network; it is kept, not copied.
    axes : SpectralAxes
        What the frames and bins of its spectrograms mean.
    mean, scale : dict of str to ndarray
        What inputs of the network are standardized by.
    frontend : SpectrogramFrontend or None, default=None
        From waveforms to decibels; None begins with spectrograms.
    normalization : Normalization or None, default=None
        What is done to the decibels.
    prior : ndarray of shape (n_classes,) or None, default=None
        Probabilities for what holds no sound; None leaves these to the network, too.
    level : {"absolute", "relative"}, default="absolute"
        Whether the network knows the level of a recording.
    device : str or torch.device, default="cpu"
        Where the network is.
    """

    @torch_threads()
    def __init__(
        self,
        network,
        axes,
        mean,
        scale,
        *,
        frontend=None,
        normalization=None,
        prior=None,
        level="absolute",
        device="cpu",
    ):
        super().__init__()
        self.network = network
        self.axes = axes
        self.level = level
        self.frontend = frontend
        self.normalization = normalization
        self.standardized = sorted(mean)
        for name in self.standardized:
            for kind, values in (("mean", mean[name]), ("scale", scale[name])):
                values = torch.as_tensor(np.asarray(values), dtype=torch.float32, device=device)
                self.register_buffer(f"{kind}_{name}", values)
        if prior is not None:  # as logits; none of them infinite
            prior = torch.as_tensor(np.maximum(prior, 1e-30), dtype=torch.float32, device=device)
            prior = prior.log()
        self.register_buffer("prior", prior)

    def spectrograms(self, waveforms, n_samples):
        """Compute spectrograms.

        Parameters
        ----------
        waveforms : Tensor of shape (batch, n_samples)
            Padded with zeros at the end.
        n_samples : Tensor of shape (batch,), int64
            Lengths before padding, in samples.

        Returns
        -------
        spectrogram : Tensor of shape (batch, n_frames, n_bins)
            What lies beyond a note's own frames means nothing.
        lengths : Tensor of shape (batch,), int64
            Frames that belong to each note.
        """
        spectrogram, lengths = self.frontend(waveforms, n_samples)
        if self.normalization is not None:
            spectrogram = self.normalization(spectrogram, lengths)
        return spectrogram, lengths

    def logits(self, spectrogram, lengths, instrument):
        """Classify spectrograms.

        Parameters
        ----------
        spectrogram : Tensor of shape (batch, n_frames, n_bins)
            As :meth:`spectrograms` gives it.
        lengths : Tensor of shape (batch,), int64
            Frames that belong to each note.
        instrument : Tensor of shape (batch,), int64
            Index of each note's instrument, 0 for an unknown one.

        Returns
        -------
        Tensor of shape (batch, n_classes)
        """
        inputs = inputs_of(self.network, spectrogram, lengths, self.axes, self.level)
        mean, scale = (
            {name: getattr(self, f"{kind}_{name}") for name in self.standardized}
            for kind in ("mean", "scale")
        )
        logits = self.network(**standardize(inputs, mean, scale), instrument=instrument)
        if self.prior is None or logits.ndim != 2:
            return logits
        silent = silent_notes(spectrogram, lengths)[:, None]
        return torch.where(silent, self.prior.to(logits.dtype), logits)

    def predict_logits(self, spectrograms, instrument, n_threads=None):
        """Classify spectrograms of any lengths, in batches of like length.

        Parameters
        ----------
        spectrograms : list of ndarray of shape (n_frames, n_bins)
            If one is float64 all are computed in float64, else in float32.
        instrument : ndarray of shape (n_notes,), int64
            Index of each note's instrument, 0 for an unknown one.
        n_threads : int or None, default=None
            Number of threads; None is torch's own choice.

        Returns
        -------
        ndarray of shape (n_notes, n_classes), float64
        """
        exact = any(values.dtype == np.float64 for values in spectrograms)
        model = copy.deepcopy(self).double() if exact else self
        dtype = np.float64 if exact else np.float32
        lengths = np.array([len(values) for values in spectrograms], dtype=np.int64)
        device = next(self.parameters()).device
        firsts = first_equal(spectrograms, instrument.tolist())  # equal notes are computed once
        different = np.flatnonzero(firsts == np.arange(len(firsts)))
        logits = {}

        def compute(rows):
            batch = pad([spectrograms[row] for row in rows], lengths[rows], dtype)
            batch = batch, torch.from_numpy(lengths[rows]), torch.from_numpy(instrument[rows])
            with torch.inference_mode():
                found = model.logits(*(part.to(device) for part in batch))
            if found.ndim != 2:
                raise ValueError(
                    f"{type(self.network).__name__}: expected logits of shape (n_notes, n_classes) "
                    f"where nothing is trained, got shape {tuple(found.shape)}."
                )
            logits.update(zip(rows.tolist(), found.double().cpu().numpy()))

        batches = length_batches(lengths[different], _BATCH, overhead=_OVERHEAD)
        batches = [different[places] for places in batches]
        if traits_of(self.network).independent:
            in_threads(compute, batches, n_threads)
        else:
            with torch_threads(n_threads):
                for rows in batches:
                    compute(rows)
        return np.stack([logits[first] for first in firsts.tolist()])

    def forward(self, waveforms, n_samples, instrument):
        """Compute probabilities from waveforms.

        Parameters
        ----------
        waveforms : Tensor of shape (batch, n_samples)
            Padded with zeros at the end.
        n_samples : Tensor of shape (batch,), int64
            Lengths before padding, in samples.
        instrument : Tensor of shape (batch,), int64
            Index of each note's instrument, 0 for an unknown one.

        Returns
        -------
        Tensor of shape (batch, n_classes)
        """
        spectrogram, lengths = self.spectrograms(waveforms, n_samples)
        return self.logits(spectrogram, lengths, instrument).softmax(dim=1)
