"""What tests of the synthetic notes share."""

import numpy as np
import pytest

from sknote.datasets.synthetic import _draws


@pytest.fixture
def no_sound(monkeypatch):
    """Keep the records and skip the sound, which takes nearly all of the time."""
    monkeypatch.setattr(
        _draws, "render", lambda note, room, floor, rng: np.zeros(note.n_samples, np.float32)
    )
