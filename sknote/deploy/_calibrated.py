"""A temperature in an exported file."""

import numpy as np
from torch import nn

_EPS = float(np.finfo(np.float64).eps)  # what scikit-learn adds before it takes logarithms


class Tempered(nn.Module):
    """A model whose probabilities are those of a temperature, as scikit-learn has it."""

    def __init__(self, model, calibrator):
        super().__init__()
        self.model = model
        self.beta = float(calibrator.beta_)

    @property
    def network(self):
        """The network within."""
        return self.model.network

    def forward(self, waveforms, n_samples, instrument):
        """Compute probabilities, as :class:`sknote.nn.NoteModel` does."""
        return tempered(self.model(waveforms, n_samples, instrument), self.beta)


def tempered(proba, beta):
    """Bring probabilities of a batch to another temperature, 1 / `beta`."""
    return (beta * (proba + _EPS).log()).softmax(dim=1)
