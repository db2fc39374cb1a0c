"""What chance decides about a note: in an epoch, by name; and about a recording of it."""

import numpy as np
import torch

__all__ = ["Draws", "draw"]

# Each is uniform in [0, 1). Where there are two of a name, the first decides whether, the other
# how much or where.
_NAMES = (
    "crop",
    "crop_place",
    "hide_instrument",
    "pitch",
    "pitch_size",
    "noise",
    "noise_size",
    "level",
    "level_size",
    "stretch",
    "stretch_size",
    "band_width",
    "band_place",
    "time_width",
    "time_place",
    "variant",
)
_N_DRAWS = 19  # some more than have names, so that a new one changes none of the others


def draw(rng, n_notes):
    """Draw all that chance decides about notes: Tensors of shape (n_notes,), float64, by name."""
    return dict(zip(_NAMES, torch.from_numpy(rng.random((n_notes, _N_DRAWS))).unbind(1)))


class Draws:
    """Random numbers, one of each note of a batch."""

    def __init__(self, seed, n_notes):
        self.rng = np.random.default_rng(seed)
        self.n_notes = n_notes

    def between(self, low, high):
        return torch.from_numpy(self.rng.uniform(low, high, self.n_notes)).float()

    def decibels(self, low, high):
        """Factors of power, of levels between two in dB."""
        return 10.0 ** (self.between(low, high) / 10.0)

    def some(self, probability):
        return self.between(0.0, 1.0) < probability

    def normal(self, n_values):
        return torch.from_numpy(self.rng.normal(size=(self.n_notes, n_values))).float()

    def exponential(self, n_values):
        return torch.from_numpy(self.rng.exponential(size=(self.n_notes, n_values))).float()

    def choose(self, shares, together):
        """Draw effects by their shares, a dict: name → Tensor of shape (n_notes,), bool.

        In a share `together` of the notes each effect is drawn by itself; all others have one.
        """
        several = self.some(together)
        place = self.between(0.0, 1.0) * max(sum(shares.values()), 1e-9)
        chosen, before = {}, 0.0
        for name, share in shares.items():
            alone = (place >= before) & (place < before + share)
            chosen[name] = torch.where(several, self.some(share), alone)
            before += share
        return chosen
