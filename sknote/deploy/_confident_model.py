"""One module of a note pipeline with confidence: probabilities, and scores that refuse notes."""

import numpy as np
import torch
from torch import nn

from sknote.confidence._features import note_features
from sknote.confidence._novelty import CLIP
from sknote.deploy._calibrated import tempered

__all__ = ["ConfidentModel"]


class ConfidentModel(nn.Module):
    """A model whose probabilities are calibrated, and which scores notes for what is none.

    `betas` are inverse temperatures, one after another, and `novelty` is that of a
    SelectiveClassifier, or None: then there are no scores.
    """

    def __init__(self, model, betas, novelty):
        super().__init__()
        self.model = model
        self.betas = [float(beta) for beta in betas]
        self.has_distance = novelty is not None
        self.has_several = self.has_distance and novelty.several is not None
        parts = {}
        if self.has_distance:
            one = novelty.distance
            parts |= {"mean": one.mean, "scale": one.scale}
            parts |= {"whitening": one.whitening, "centers": one.centers}
        if self.has_several:
            one = novelty.several
            parts |= {"own_mean": one.mean, "own_scale": one.scale, "weights": one.weights}
            self.offset = float(one.offset)
        for name, values in parts.items():
            self.register_buffer(name, torch.as_tensor(np.asarray(values, np.float32)))

    @property
    def network(self):
        """The network within."""
        return self.model.network

    def forward(self, waveforms, n_samples, instrument):
        """Compute probabilities, and scores of shape (batch, n_scores) if there are any."""
        spectrogram, lengths = self.model.spectrograms(waveforms, n_samples)
        proba = self.model.logits(spectrogram, lengths, instrument).softmax(dim=1)
        for beta in self.betas:
            proba = tempered(proba, beta)
        if not self.has_distance:
            return proba
        return proba, self._scores(note_features(spectrogram, lengths, self.model.axes))

    def _scores(self, features):
        n_own = len(self.mean)
        standard = ((features[:, :n_own] - self.mean) / self.scale).clamp(-CLIP, CLIP)
        white = standard @ self.whitening
        squares = (white[:, None] - self.centers).square().sum(dim=2)
        scores = [(squares.amin(dim=1) / n_own).sqrt()]
        if self.has_several:
            standard = ((features - self.own_mean) / self.own_scale).clamp(-CLIP, CLIP)
            scores.append(standard @ self.weights + self.offset)
        return torch.stack(scores, dim=1)
