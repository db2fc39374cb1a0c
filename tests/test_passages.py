"""predict_passage: one row a note, whatever the recording and the model are."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

import sknote.audio
from sknote import AudioLoader, make_baseline_pipeline, predict_passage
from sknote.datasets import make_notes, make_passage
from sknote.deploy import CachedClassifier
from sknote.exceptions import AudioDecodeError, AudioDecodeWarning
from sknote.passages import array_rate

RATE = 22050
COLUMNS = ["start", "end", "pitch", "label", "confidence", "runner_up"]
# Onset and offset of the notes of `scale`, a slur among them.
SPANS = np.array([[0.2, 0.4], [0.5, 0.9], [0.9, 1.2], [2.0, 2.4]])
PITCHES = [60, 62, 64, 60]


@pytest.fixture(scope="module")
def scale():
    """Four tones in silence, each a little louder than the one before."""
    sound = np.zeros(3 * RATE, np.float32)
    for i, ((start, end), midi) in enumerate(zip(SPANS, PITCHES), 1):
        time = np.arange(round((end - start) * RATE)) / RATE
        tone = 0.2 * i * np.sin(2 * np.pi * 440 * 2 ** ((midi - 69) / 12) * time)
        sound[round(start * RATE) :][: len(tone)] = tone
    return sound


@pytest.fixture
def cut(monkeypatch):
    """Put a segmenter that finds SPANS into the place of sknote's."""

    def find(waveform, rate):
        return SPANS[SPANS[:, 1] <= len(waveform) / rate]

    monkeypatch.setattr(sknote.audio, "segment_notes", find)


class ByLevel(ClassifierMixin, BaseEstimator):
    """A classifier of waveforms, which remembers what it was asked."""

    classes_ = np.array(["soft", "mid", "loud"])

    def predict_proba(self, X):
        self.asked = list(X.audio if hasattr(X, "columns") else X)
        self.instruments = list(X.instrument) if hasattr(X, "columns") else None
        peaks = np.array([np.abs(note).max() for note in self.asked])
        proba = np.stack([1 - peaks, np.full(len(peaks), 0.3), peaks], axis=1)
        return proba / proba.sum(axis=1, keepdims=True)

    def fit(self, X=None, y=None):
        self.classes_ = type(self).classes_
        return self


def in_pipeline(instrument=True, **loader):
    X = pd.DataFrame({"audio": pd.Series([np.zeros(99, np.float32)], dtype=object)})
    X = X.assign(instrument="flute") if instrument else X
    classifier = ByLevel().fit()
    steps = [("load", AudioLoader(**loader).fit(X)), ("classify", classifier)]
    return Pipeline(steps), classifier


def test_a_row_a_note(cut, scale):
    model = ByLevel()
    table = predict_passage(model, scale)
    assert table.columns.tolist() == COLUMNS
    np.testing.assert_allclose(table[["start", "end"]], SPANS)
    np.testing.assert_allclose(table.pitch, PITCHES, atol=0.2)
    assert table.label.tolist() == ["soft", "soft", "loud", "loud"]
    assert table.runner_up.tolist() == ["mid", "loud", "soft", "mid"]
    assert table.confidence.iloc[0] == pytest.approx(0.8 / 1.3, rel=1e-3)
    assert [table[name].dtype.kind for name in ("start", "end", "pitch", "confidence")] == ["f"] * 4


def test_all_notes_are_asked_for_at_once_with_what_is_before_them(cut, scale):
    model = ByLevel()
    predict_passage(model, scale)
    lengths = [len(note) / RATE for note in model.asked]
    # 50 ms before, and never into a neighbour
    np.testing.assert_allclose(lengths, [0.25, 0.45, 0.3, 0.45], atol=1e-4)
    np.testing.assert_array_equal(model.asked[2], scale[round(0.9 * RATE) : round(1.2 * RATE)])


def test_recordings_of_all_kinds_give_the_same(cut, scale, encode, tmp_path):
    path = tmp_path / "scale.wav"
    data = encode(scale, subtype="FLOAT")
    path.write_bytes(data)
    expected = predict_passage(ByLevel(), scale)
    stereo = np.stack([scale, scale], axis=1)
    kinds = [path, str(path), data, (scale, RATE), (scale.tolist(), 22050.0), stereo]
    kinds += [(stereo, np.int64(RATE))]
    for recording in kinds:
        pd.testing.assert_frame_equal(predict_passage(ByLevel(), recording), expected)
    with open(path, "rb") as file:
        pd.testing.assert_frame_equal(predict_passage(ByLevel(), file), expected)
    other = predict_passage(ByLevel(), (np.repeat(scale, 2), 2 * RATE))
    assert other.label.tolist() == expected.label.tolist()
    np.testing.assert_allclose(other.pitch, expected.pitch, atol=0.05)


def test_a_pipeline_gets_the_columns_that_it_was_fitted_on(cut, scale):
    pipeline, classifier = in_pipeline()
    expected = predict_passage(ByLevel(), scale)
    pd.testing.assert_frame_equal(predict_passage(pipeline, scale, "flute"), expected)
    assert classifier.instruments == ["flute"] * 4
    predict_passage(pipeline, scale)
    assert classifier.instruments == [None] * 4


ASKED = []


class Even(ClassifierMixin, BaseEstimator):
    """A classifier that cannot tell, and keeps nothing of what it is asked."""

    def fit(self, X=None, y=None):
        self.classes_ = np.array(["good", "bad"])
        return self

    def predict_proba(self, X):
        ASKED.append(len(X))
        return np.full((len(X), 2), 0.5)


def test_answers_that_are_kept_are_those_of_the_pipeline(cut, scale):
    pipeline, _ = in_pipeline()
    pipeline.steps[-1] = ("classify", Even().fit())
    expected = predict_passage(pipeline, scale, "oboe")
    kept = CachedClassifier(pipeline)
    for _ in range(2):  # the second time it is not asked
        pd.testing.assert_frame_equal(predict_passage(kept, scale, "oboe"), expected)
    assert ASKED == [4, 4]


@pytest.mark.parametrize(
    "answer",
    [
        lambda n: np.full((n, 3), np.nan),
        lambda n: np.full((n, 2), 1 / 2),
        lambda n: np.full((n + 1, 3), 1 / 3),
        lambda n: np.full((n, 3), 2.0),
        lambda n: np.full((n, 3), -1.0),
        lambda n: np.full((n, 3), "sure"),
        lambda n: None,
    ],
)
def test_answers_that_are_no_probabilities_are_refused(cut, scale, answer):
    class Odd(ByLevel):
        def predict_proba(self, X):
            return answer(len(X))

    message = r"predict_passage: expected of Odd probabilities of shape"
    with pytest.raises(ValueError, match=message):
        predict_passage(Odd().fit(), scale)


def test_what_knows_passages_is_told_that_it_is_one(cut, scale):
    class Knowing(ByLevel):
        def predict_proba(self, X, passages=None):
            self.passages = passages
            return super().predict_proba(X)

    model = Knowing().fit()
    predict_passage(model, scale)
    np.testing.assert_array_equal(model.passages, np.zeros(4))
    pipeline, _ = in_pipeline()
    pipeline.steps[-1] = ("classify", model)
    model.passages = None
    predict_passage(pipeline, scale)
    np.testing.assert_array_equal(model.passages, np.zeros(4))


def test_the_rate_is_that_of_the_arrays_that_the_model_takes(cut, scale):
    pipeline, classifier = in_pipeline(sample_rate=11025, input_sample_rate=44100)
    assert array_rate(pipeline) == 44100
    predict_passage(pipeline, (scale, RATE))
    assert len(classifier.asked[0]) == pytest.approx(0.25 * 11025, abs=2)
    search = GridSearchCV(pipeline, {})
    search.best_estimator_ = pipeline
    assert array_rate(search) == array_rate(FrozenEstimator(search)) == 44100
    assert array_rate(in_pipeline(sample_rate=16000)[0]) == 16000
    assert array_rate(ByLevel()) == RATE


@pytest.mark.parametrize("equal", [True, False])
def test_notes_of_equal_length_are_still_many(monkeypatch, scale, equal):
    spans = np.array([[0.0, 0.2], [0.2, 0.4], [0.4, 0.6 + 0.1 * (not equal)]])
    monkeypatch.setattr(sknote.audio, "segment_notes", lambda waveform, rate: spans)
    model = ByLevel()
    assert len(predict_passage(model, scale[: round(0.75 * RATE)])) == 3
    assert [note.ndim for note in model.asked] == [1, 1, 1]


def test_one_class_has_no_runner_up_and_labels_may_be_numbers(cut, scale):
    class One(ByLevel):
        classes_ = np.array([7])

        def predict_proba(self, X):
            return np.ones((len(X), 1))

    table = predict_passage(One(), scale)
    assert table.label.tolist() == [7] * 4 and table.runner_up.isna().all()


def test_no_notes_are_a_warning_and_a_table_of_the_same_columns(monkeypatch, cut, scale):
    full = predict_passage(ByLevel(), scale)
    monkeypatch.setattr(sknote.audio, "segment_notes", lambda waveform, rate: np.zeros((0, 2)))
    with pytest.warns(UserWarning, match="predict_passage: found no notes in 3.00 s"):
        table = predict_passage(ByLevel(), scale)
    assert len(table) == 0
    assert table.dtypes.to_dict() == full.dtypes.to_dict()


@pytest.mark.filterwarnings("ignore:.*it is empty")
@pytest.mark.parametrize("seconds", [0, 0.01, 1.0])
def test_silence_has_no_notes(seconds):
    with pytest.warns(UserWarning, match="found no notes"):
        assert len(predict_passage(ByLevel(), np.zeros(round(seconds * RATE), np.float32))) == 0


@pytest.mark.parametrize("level", [1e-3, 0.3])
def test_noise_gets_an_answer(level):
    noise = level * np.random.default_rng(0).standard_normal(3 * RATE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = predict_passage(ByLevel(), noise)
    assert table.columns.tolist() == COLUMNS and (table.end > table.start).all()


def test_what_cannot_be_read_is_one_clear_error(scale, tmp_path):
    bad = scale.copy()
    bad[999] = np.nan
    for recording, words in (
        (bad, "ndarray could not be decoded"),
        ((bad, RATE), "tuple could not be decoded"),
        (tmp_path / "absent.wav", "absent.wav' could not be decoded: there is no such file"),
        (b"no sound at all" * 9, "bytes could not be decoded"),
        (None, "missing"),
    ):
        with pytest.raises(AudioDecodeError, match=words) as caught:
            predict_passage(ByLevel(), recording)
        assert str(caught.value).startswith("predict_passage: ")
    rates = (0, 1, 768_001, 22050.5, np.nan, np.inf, "fast", None, True)
    for pair in ((RATE, scale), *((scale, rate) for rate in rates)):
        with pytest.raises(ValueError, match=r"expected \(samples, .* recorded at\.$"):
            predict_passage(ByLevel(), pair)


def test_what_is_odd_about_a_recording_is_said(cut, encode, scale):
    with pytest.warns(AudioDecodeWarning, match="predict_passage: .*header promises"):
        predict_passage(ByLevel(), encode(scale)[:-9000])


def test_samples_that_were_not_divided_are_said_once(cut, scale):
    labels = np.array(["low", "high"])[np.arange(4) % 2]
    X = pd.DataFrame({"audio": [np.sin(np.arange(4000.0) * (1 + n)) for n in range(4)]})
    model = make_baseline_pipeline(classify__max_iter=2).fit(X, labels)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = predict_passage(model, scale * 32767)
    assert len(found) > 1
    assert len(said) == 1 and "full scale" in str(said[0].message)
    assert said[0].filename == __file__


def test_ten_minutes_are_one_question(monkeypatch):
    starts = np.arange(0, 600, 0.5)
    spans = np.stack([starts, starts + 0.3], axis=1)
    monkeypatch.setattr(sknote.audio, "segment_notes", lambda waveform, rate: spans)
    time = np.arange(600 * RATE, dtype=np.float32) / RATE
    model = ByLevel()
    table = predict_passage(model, np.sin(2 * np.pi * 220 * time))
    assert len(table) == len(model.asked) == 1200
    np.testing.assert_allclose(table.pitch, 57, atol=0.5)


def test_an_instrument_is_one_name(cut, scale):
    for instrument in (["flute"] * 4, 3, b"flute"):
        with pytest.raises(TypeError, match="expected the name of one instrument"):
            predict_passage(ByLevel(), scale, instrument)


def test_several_recordings_are_not_one():
    with pytest.raises(TypeError, match=r"expected one recording, got a list of 2\. Call it for"):
        predict_passage(ByLevel(), ["a.wav", "b.wav"])


def test_what_is_no_model_or_not_fitted_is_named():
    with pytest.raises(TypeError, match="expected a model with predict_proba, got AudioLoader"):
        predict_passage(AudioLoader(), np.zeros(RATE))
    with pytest.raises(TypeError, match=r"got str\. Load the model with sknote\.deploy\.load"):
        predict_passage("scale.wav", ByLevel())
    with pytest.raises(ValueError, match=r"expected a fitted model, got .*Call fit first"):
        predict_passage(make_baseline_pipeline(), np.zeros(RATE))


def test_a_fitted_baseline_judges_a_synthetic_passage():
    notes = make_notes(
        30,
        instruments="oboe",
        labels=["good-sound", "bad-richness"],
        duration_range=(0.1, 0.3),
        class_imbalance=1,
        random_state=0,
    )
    model = make_baseline_pipeline(classify__max_iter=5).fit(notes.data, notes.target)
    passage = make_passage(3, instrument="oboe", notes_per_second=4, noise=-60, random_state=1)
    table = predict_passage(model, (passage.waveform, passage.sample_rate), instrument="oboe")
    assert 0.5 * len(passage.notes) < len(table) < 2 * len(passage.notes)
    assert set(table.label) <= {"good-sound", "bad-richness"}
    assert table.confidence.between(0.5, 1).all()
