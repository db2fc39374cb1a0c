"""A stream says of a note what its model says, whatever kind of model it is."""

import copy
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from streams import ByLevel, LoudParts, cut, final, pieces

from sknote import make_baseline_pipeline
from sknote.audio import resample, segment_notes
from sknote.datasets import make_passage
from sknote.deploy import NoteStream

RATE = 22050


@pytest.fixture(scope="module")
def passage():
    how = {"instrument": "flute", "notes_per_second": 5, "random_state": 0}
    clear = {"reverberation": 0, "noise": -70, "level": -3, "ornaments": 0, "faults": 0, "rests": 0}
    return make_passage(3, **how, **clear).waveform


def answers(model, waveform, rate, instrument, model_rate=RATE, segmenter=None):
    """What a model says of the notes that are cut, all at once."""
    if segmenter is None:
        notes = segment_notes(waveform, rate)
    else:
        notes = np.concatenate([segmenter.push(waveform), segmenter.flush()])
    audio = [resample(note, rate, model_rate) for note in cut(waveform, notes, rate)]
    audio = pd.Series(audio, dtype=object)
    X = pd.DataFrame({"audio": audio, "instrument": [instrument] * len(audio)})
    return notes, model.predict_proba(X)


def heard(model, waveform, rate, instrument, seed=0, **options):
    stream, events = NoteStream(model, instrument, sample_rate=rate, **options), []
    for piece in pieces(waveform, np.random.default_rng(seed)):
        events += stream.push(piece)
    return events + stream.close()


@pytest.mark.filterwarnings("ignore:.*sarangi. is unknown to the model")
@pytest.mark.parametrize("rate, instrument", [(RATE, "flute"), (RATE, None), (32000, "sarangi")])
def test_a_pipeline_hears_the_notes_of_a_passage(pipeline, passage, rate, instrument):
    waveform = resample(passage, RATE, rate)
    notes, expected = answers(pipeline, waveform, rate, instrument)
    found = final(heard(pipeline, waveform, rate, instrument, hop=None))
    assert len(notes) >= 5
    times = [(event.onset, event.offset) for event in found]
    np.testing.assert_allclose(times, notes, atol=0.51 / rate)  # a whole sample
    given = np.array([event.probabilities for event in found])
    np.testing.assert_allclose(given, expected, atol=1e-5)
    assert [event.label for event in found] == pipeline.classes_[expected.argmax(axis=1)].tolist()


def test_any_chunks_of_a_passage_give_the_same_events(passage):
    at_once = NoteStream(ByLevel(RATE), sample_rate=RATE)
    expected = at_once.push(passage) + at_once.close()
    assert {event.kind for event in expected} >= {"began", "judged"}
    for seed in range(3):
        assert heard(ByLevel(RATE), passage, RATE, None, seed) == expected


def test_what_its_loader_reads_of_a_note_is_what_counts(pipeline, passage):
    short = copy.deepcopy(pipeline).set_params(load__max_duration=0.1, load__offset=0.02)
    _, expected = answers(short, passage, RATE, "flute")
    found = final(heard(short, passage, RATE, "flute", hop=None))
    np.testing.assert_allclose([event.probabilities for event in found], expected, atol=1e-5)
    other = copy.deepcopy(pipeline).set_params(load__input_sample_rate=16000)
    stream = NoteStream(other, "flute", hop=None)
    assert stream.sample_rate == 16000
    waveform = resample(passage, RATE, 16000)
    _, expected = answers(other, waveform, 16000, "flute", model_rate=16000)
    found = final(stream.push(waveform) + stream.close())
    np.testing.assert_allclose([event.probabilities for event in found], expected, atol=1e-5)


def search(pipeline, notes):
    made = GridSearchCV(pipeline, {})
    made.best_estimator_ = pipeline
    return made


def calibrated(pipeline, notes):
    return CalibratedClassifierCV(FrozenEstimator(pipeline), cv=2).fit(notes.data, notes.target)


def baseline(pipeline, notes):
    return make_baseline_pipeline(classify__max_iter=2).fit(notes.data, notes.target)


@pytest.mark.parametrize("make", [search, calibrated, baseline])
def test_what_is_around_a_pipeline_is_asked(make, pipeline, notes, tone):
    model = make(pipeline, notes)
    rest = np.zeros(RATE // 4, np.float32)
    sound = [tone(0.3, 440, 0.4, RATE) + 0.05, rest, tone(0.5, 660, 0.1, RATE) + 0.05, rest]
    sound = np.concatenate(sound).astype(np.float32)
    rate = RATE * 2
    waveform = resample(sound, RATE, rate)
    segmenter = LoudParts(rate)
    _, expected = answers(model, waveform, rate, "flute", segmenter=segmenter)
    options = {"hop": None, "segmenter": LoudParts}
    found = final(heard(model, waveform, rate, "flute", **options))
    np.testing.assert_allclose([event.probabilities for event in found], expected, atol=1e-5)
    assert NoteStream(model, segmenter=LoudParts).sample_rate == RATE


def test_a_misspelt_instrument_is_said_once(pipeline, passage):
    with pytest.warns(UserWarning, match="NoteStream: got the unknown instrument 'Flute'"):
        stream = NoteStream(pipeline, "Flute")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stream.push(passage)


def test_a_model_that_asks_for_an_instrument_gets_it():
    class Asks(ByLevel):
        asked = ()

        def predict_proba(self, X, instrument=None):
            self.asked = {*self.asked, instrument}
            return super().predict_proba(X)

    model = Asks()
    NoteStream(model, "oboe", segmenter=LoudParts)
    assert model.asked == {"oboe"}
