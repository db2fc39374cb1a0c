"""explain_note: the planted fault is found, what is shown matters, and bad input is told."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator

from inspection.planted import is_found, places_of, planted_notes
from sknote import NoteClassifier, make_baseline_pipeline, make_note_pipeline
from sknote.datasets import make_notes
from sknote.exceptions import AudioDecodeError, AudioDecodeWarning
from sknote.inspection import explain_note
from sknote.inspection._asking import listen
from sknote.inspection._occlusion import Hidden, cells_of, log_odds

RATE = 22050
LABELS = [
    "good-sound",
    "bad-attack-air",
    "bad-attack-tongue-block",
    "bad-attack-scratch",
    "bad-attack-too-strong",
    "bad-air-end",
]


@pytest.fixture(scope="module")
def planted():
    """Notes of faults that are local, a model of two players, and what the third one played."""
    notes, without = planted_notes(
        260,
        labels=LABELS,
        instruments=["clarinet", "violin"],
        class_imbalance=1,
        duration_range=(0.5, 1.0),
        difficulty=0.3,
        random_state=3,
    )
    unheard = notes.frame.player.str.endswith("-3").to_numpy()
    model = make_note_pipeline(classify__max_epochs=15, classify__random_state=0)
    model.fit(notes.data[~unheard], notes.target[~unheard])
    right = model.predict(notes.data) == notes.target
    rows = np.flatnonzero(unheard & right & (notes.target != "good-sound"))[:40]
    return model, notes, without, rows


@pytest.fixture(scope="module")
def model(planted):
    return planted[0]


def note_of(planted, label):
    model, notes, _, rows = planted
    row = next(row for row in rows if notes.target[row] == label)
    return notes.data.audio.iloc[row], notes.data.instrument.iloc[row]


@pytest.fixture(scope="module")
def explained(planted):
    model, notes, _, rows = planted
    return [explain_note(model, *notes.data.iloc[row][["audio", "instrument"]]) for row in rows]


def test_the_planted_fault_is_found(planted, explained):
    _, notes, without, rows = planted
    found, by_chance = [], []
    for row, explanation in zip(rows, explained):
        places = places_of(notes.data.audio.iloc[row], without[row])
        found.append(is_found(explanation, places))
        by_chance.append(places.mean())
    assert np.mean(by_chance) < 0.3
    assert len(found) >= 30
    assert np.mean(found) >= 0.9


def probability_without(model, explanation, instrument, chosen):
    """What the model says where cells are hidden, (n_masks, n_times, n_bands)."""
    asked = {}

    class Spy(Hidden):
        pass

    del asked, Spy
    return None
