"""What chance decides about a note in an epoch, by name."""

import torch

__all__ = ["draw"]

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
