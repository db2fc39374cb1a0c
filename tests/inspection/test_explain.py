"""explain_note: the planted fault is found, what is shown matters, and bad input is told."""

import dataclasses
import warnings

import numpy as np
import pandas as pd
import pytest
from planted import is_found, places_of, planted_notes
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from sknote import NoteClassifier, make_baseline_pipeline, make_note_pipeline
from sknote.confidence import SelectiveClassifier
from sknote.exceptions import AudioDecodeError, AudioDecodeWarning
from sknote.inspection import explain_note
from sknote.inspection._asking import hear
from sknote.inspection._occlusion import cells_of
from sknote.inspection._sentence import Place, say
from sknote.spectral import SpectralAxes, SpectrogramFrontend, compute_spectrograms

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
        400,
        labels=LABELS,
        instruments=["clarinet", "violin"],
        class_imbalance=1,
        duration_range=(0.4, 0.8),
        difficulty=0.3,
        random_state=3,
    )
    unheard = notes.frame.player.str.endswith("-3").to_numpy()
    model = make_note_pipeline(classify__max_epochs=12, classify__random_state=0)
    model.set_params(classify__precision="float32")  # alike on every processor
    model.fit(notes.data[~unheard], notes.target[~unheard])
    right = model.predict(notes.data) == notes.target
    rows = np.flatnonzero(unheard & right & (notes.target != "good-sound"))[:80]
    return model, notes, without, rows


@pytest.fixture(scope="module")
def model(planted):
    return planted[0]


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
    assert len(found) == 80
    assert np.mean(found) >= 0.9


def test_what_is_shown_matters_and_the_rest_does_not(planted, explained):
    model, notes, _, rows = planted
    random = np.random.default_rng(0)
    lost_top, lost_random = [], []
    for row, explanation in zip(rows, explained):
        waveform, instrument = notes.data.iloc[row][["audio", "instrument"]]
        hidden, axes, _ = hear(model, lambda how, waveform=waveform: waveform, instrument)
        shape, size = explanation.importance.shape, explanation.importance.size
        chosen = np.zeros((5, size))
        chosen[1, np.argsort(-explanation.importance, axis=None)[: round(size / 10)]] = 1
        for mask in chosen[2:]:
            mask[random.permutation(size)[: round(size / 10)]] = 1
        masks = cells_of(hidden.decibels, axes).masks(chosen.reshape(5, *shape))
        proba = np.exp(hidden.log_proba(masks, hidden.to_noise))
        proba = proba[:, list(model.classes_).index(explanation.label)]
        lost_top.append(proba[0] - proba[1])
        lost_random.append(proba[0] - proba[2:].mean())
    assert np.median(lost_top) >= 0.5
    assert np.median(lost_random) <= 0.1


def test_it_says_what_the_model_says(planted, explained):
    model, notes, _, rows = planted
    proba = model.predict_proba(notes.data.iloc[rows])
    for explanation, own in zip(explained, proba):
        assert explanation.probability == pytest.approx(own.max(), abs=1e-5)
        assert explanation.label == explanation.answer == model.classes_[own.argmax()]
        assert np.isfinite(explanation.importance).all()
        assert (np.diff(explanation.times) > 0).all() and (np.diff(explanation.bands) > 0).all()


def test_the_sentence_names_attack_and_end(planted, explained):
    _, notes, _, rows = planted
    said = {label: [] for label in LABELS}
    for row, explanation in zip(rows, explained):
        said[notes.target[row]].append(explanation.sentence)
    for label in ("bad-attack-air", "bad-attack-scratch", "bad-attack-too-strong"):
        assert np.mean(["in the first" in one for one in said[label]]) > 0.7, said[label]
    assert np.mean(["in the last" in one for one in said["bad-air-end"]]) > 0.5
    assert all(one.startswith(f"{label} (") for label in said for one in said[label])


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (Place(0, 1, 3, 4), "in the first 100 ms, above 4.0 kHz: the attack"),
        (Place(0, 3, 0, 4), "in the first 2.0 s, at all frequencies: the beginning"),
        (Place(3, 4, 0, 1), "in the last 2.0 s, below 500 Hz: the end of the note"),
        (Place(2, 3, 1, 2), "from 1.0 s to 2.0 s after it begins, between 500 Hz and 1.0 kHz"),
    ],
)
def test_places_have_a_musicians_words(place, words):
    times, bands = np.array([0.2, 0.3, 1.2, 2.2, 4.2]), np.array([100.0, 500, 1000, 4000, 9000])
    assert f"heard mainly {words}" in say(place, times, bands, np.nan)
    assert "fundamental" in say(Place(0, 1, 0, 1), times, bands, 69.0)
    assert "upper partials" in say(Place(0, 1, 3, 4), times, bands, 69.0)


def test_the_sound_is_what_mattered(planted, explained):
    _, notes, _, rows = planted
    more = []  # of its energy in the first half than the note itself has
    for row, explanation in zip(rows, explained):
        if notes.target[row] == "bad-attack-air":
            waveform, (part, rate) = notes.data.audio.iloc[row], explanation.to_audio()
            assert (part.dtype, part.shape, rate) == (np.float32, waveform.shape, RATE)
            assert np.abs(part).max() == pytest.approx(np.abs(waveform).max(), rel=1e-3)
            half = len(part) // 2
            mattered, whole = (np.sum(x[:half] ** 2) / np.sum(x**2) for x in (part, waveform))
            more.append(mattered - whole)
    assert len(more) >= 10
    assert np.median(more) > 0.1


def test_the_same_note_is_explained_the_same(planted, encode):
    model, notes, _, rows = planted
    waveform, instrument = notes.data.iloc[rows[0]][["audio", "instrument"]]
    first, again = (explain_note(model, waveform, instrument) for _ in range(2))
    np.testing.assert_array_equal(first.importance, again.importance)
    assert first.sentence == again.sentence
    file = encode(waveform, RATE, "WAV", "FLOAT")
    np.testing.assert_allclose(explain_note(model, file, instrument).importance, first.importance)


def test_another_label_is_explained_by_the_cells_that_speak_for_it(planted):
    model, notes, _, rows = planted
    waveform, instrument = notes.data.iloc[rows[0]][["audio", "instrument"]]
    answer = explain_note(model, waveform, instrument)
    other = explain_note(model, waveform, instrument, label="good-sound")
    assert (other.label, other.answer) == ("good-sound", answer.answer)
    assert other.probability < answer.probability
    assert np.corrcoef(other.importance.ravel(), answer.importance.ravel())[0, 1] < 0.5


def test_of_a_label_that_it_is_not_the_fault_is_what_speaks_against_it(planted):
    model, notes, without, rows = planted
    against, found = [], []
    for row in rows[:40]:
        waveform, instrument = notes.data.iloc[row][["audio", "instrument"]]
        other = explain_note(model, waveform, instrument, label="good-sound")
        assert other.sentence.startswith("good-sound")
        said = "what speaks against it is heard mainly" in other.sentence
        assert said == other.against == (other.importance.sum() < 0)
        against.append(other.against)
        if other.against:
            assert (other.importance[other.top] < 0).all()
            turned = dataclasses.replace(other, importance=-other.importance)
            found.append(is_found(turned, places_of(waveform, without[row])))
    assert np.mean(against) > 0.7
    assert np.mean(found) > 0.8


def test_a_recording_may_bring_its_own_rate(model, tone):
    note = tone(0.3)
    slower = explain_note(model, (note, RATE // 2))
    assert len(slower.waveform) == pytest.approx(2 * len(note), abs=2)
    same = explain_note(model, (note, RATE))
    np.testing.assert_array_equal(same.importance, explain_note(model, note).importance)
    with pytest.raises(ValueError, match=r"explain_note: expected \(samples, sample_rate\)"):
        explain_note(model, (note, note))


class Behind:
    """A model that says no more of itself than it must."""

    def __init__(self, model, instrument):
        self.classes_, self._model, self._instrument = model.classes_, model, instrument

    def predict_proba(self, X):
        assert all(item.ndim == 1 and item.dtype == np.float32 for item in X)
        X = pd.DataFrame({"audio": list(X), "instrument": self._instrument})
        return self._model.predict_proba(X)


def test_any_model_of_waveforms_is_explained_alike(planted):
    model, notes, without, rows = planted
    row = next(row for row in rows if notes.target[row] == "bad-attack-scratch")
    waveform, instrument = notes.data.iloc[row][["audio", "instrument"]]
    inside, outside = (
        explain_note(one, waveform, instrument) for one in (model, Behind(model, instrument))
    )
    assert np.corrcoef(inside.importance.ravel(), outside.importance.ravel())[0, 1] > 0.7
    assert outside.probability == pytest.approx(inside.probability, abs=1e-5)
    assert is_found(outside, places_of(waveform, without[row]))


def test_wrapped_and_classical_models_are_explained(planted):
    model, notes, _, rows = planted
    waveform = notes.data.audio.iloc[rows[0]][: RATE // 8]
    few = notes.data[:40], notes.target[:40]
    calibrated = CalibratedClassifierCV(FrozenEstimator(model), method="temperature").fit(*few)
    baseline = make_baseline_pipeline(classify__max_iter=3).fit(*few)
    careful = SelectiveClassifier(FrozenEstimator(model), cv=2, novelty=False, min_accuracy=0.2)
    step = SelectiveClassifier(FrozenEstimator(model[-1]), cv=2, novelty=False, min_accuracy=0.2)
    inside = Pipeline([*model.steps[:-1], ("classify", step)]).fit(*few)
    for one in (calibrated, baseline, careful.fit(*few), inside):
        explanation = explain_note(one, waveform, "violin")
        assert np.isfinite(explanation.importance).all()
        assert explanation.sentence.startswith(explanation.label)
        columns = one.feature_names_in_ if hasattr(one, "feature_names_in_") else few[0].columns
        note = pd.DataFrame({"audio": pd.Series([waveform], dtype=object), "instrument": "violin"})
        note = note.reindex(columns=columns, fill_value=None)
        assert explanation.probability == pytest.approx(one.predict_proba(note).max(), abs=1e-5)
        # what has such a network within is asked for spectrograms, which is ten times as fast
        hidden, _, _ = hear(one, lambda _: waveform, "violin")
        assert hidden._of_sound == (one is baseline)


@pytest.mark.parametrize("params", [{"scale": "mel"}, {"scale": "linear", "normalize": "note"}])
def test_other_spectrograms_and_networks_are_explained(planted, params):
    notes = planted[1]
    spectrogram = {f"spectrogram__{name}": value for name, value in params.items()}
    model = make_note_pipeline(
        classify__module="starter", classify__max_epochs=1, classify__random_state=0, **spectrogram
    )
    data = notes.data[:20].assign(audio=[one[:4000] for one in notes.data.audio[:20]])
    explanation = explain_note(model.fit(data, notes.target[:20]), data.audio.iloc[0], "violin")
    assert np.isfinite(explanation.importance).all()
    assert explanation.bands[-1] <= RATE / 2 and explanation.sentence


@pytest.mark.parametrize("n_samples", [1, 100, 600, 3000])
def test_a_note_of_one_frame_has_a_finite_explanation(model, tone, n_samples):
    explanation = explain_note(model, tone()[7 : 7 + n_samples])
    assert np.isfinite(explanation.importance).all() and explanation.sentence
    assert explanation.importance.size > 1
    assert (
        explanation.too_short == ("too short to say" in explanation.sentence) == (n_samples < 1e3)
    )
    assert explanation.top.any() != explanation.too_short
    assert np.isfinite(explanation.to_audio()[0]).all()
    assert len(explanation.to_audio()[0]) == n_samples


@pytest.fixture(scope="module")
def careful(planted):
    """A selective classifier, and a note of each level that it answers at, by it."""
    model, notes, _, _ = planted
    step = SelectiveClassifier(FrozenEstimator(model[-1]), cv=2, novelty=False, min_accuracy=0.2)
    found = Pipeline([*model.steps[:-1], ("classify", step)]).fit(notes.data, notes.target)
    step = found[-1]
    step.beta_, step.rule_ = 0.35, dataclasses.replace(step.rule_, threshold=0.8)  # less sure
    table = step.predict_with_confidence(found[:-1].transform(notes.data))
    return found, {level: own.iloc[0] for level, own in table.groupby("level")}, notes


@pytest.mark.parametrize("level", ["label", "aspect", "quality", "unknown"])
def test_what_a_selective_model_answers_is_explained(careful, level):
    model, by_level, notes = careful
    row = by_level[level]
    note = notes.data.iloc[[row.name]]
    explanation = explain_note(model, note.audio.iloc[0], note.instrument.iloc[0])
    assert explanation.answer == row.answer
    assert explanation.probability == pytest.approx(row.confidence, abs=1e-5)
    if level == "unknown":
        best = model.classes_[model.predict_proba(note).argmax()]
        assert explanation.label == explanation.most_probable == row.runner_up == best
        start = f"unknown (not sure at any level); most probable label {best} ("
    else:
        assert (explanation.label, explanation.reason) == (row.answer, "")
        start = f"{row.answer} ("
    assert explanation.sentence.startswith(start)
    assert np.isfinite(explanation.importance).all()


def test_a_node_is_explained_by_the_sum_of_its_labels(planted):
    model, notes, _, rows = planted
    note = notes.data.iloc[rows[:1]]
    waveform, instrument = note.iloc[0][["audio", "instrument"]]
    proba = model.predict_proba(note)[0]
    for node in ("bad", "bad-attack", "good"):
        below = [label.startswith(node) for label in model.classes_]
        explanation = explain_note(model, waveform, instrument, label=node)
        assert (explanation.label, explanation.answer) == (node, model.classes_[proba.argmax()])
        assert explanation.probability == pytest.approx(proba[below].sum(), abs=1e-5)
    bad, good = (
        explain_note(model, waveform, instrument, label=one).importance for one in ("bad", "good")
    )
    np.testing.assert_allclose(bad, -good, atol=1e-6)  # there is nothing else
    with pytest.raises(ValueError, match=r"got 'unknown', which is the answer where neither"):
        explain_note(model, waveform, instrument, label="unknown")


def test_a_constant_has_no_sound_as_the_model_hears_it(model):
    explanation = explain_note(model, np.full(9000, 0.3, np.float32))
    assert explanation.silent
    silence = explain_note(model, np.zeros(9000, np.float32))
    assert explanation.probability == silence.probability


def test_of_stereo_the_mean_is_explained(model, tone):
    note = tone(0.2)
    stereo = explain_note(model, np.stack([note, 0.5 * note], axis=1))
    np.testing.assert_allclose(
        stereo.importance, explain_note(model, 0.75 * note).importance, atol=1e-3
    )


@pytest.mark.parametrize("waveform", [np.zeros(9000, np.float32), np.zeros(0, np.float32)])
def test_silence_has_no_part_that_matters(model, waveform):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AudioDecodeWarning)
        explanation = explain_note(model, waveform)
    assert explanation.silent and not explanation.importance.any() and not explanation.top.any()
    assert "no sound" in explanation.sentence
    assert not explanation.to_audio()[0].any()


def test_noise_and_a_click_have_a_finite_explanation(model):
    noise = np.random.default_rng(0).normal(0, 0.1, 9000).astype(np.float32)
    click = np.zeros(9000, np.float32)
    click[5000] = 1
    for waveform in (noise, click):
        explanation = explain_note(model, waveform, "an instrument never heard")
        assert np.isfinite(explanation.importance).all() and explanation.sentence


def test_what_cannot_be_explained_is_told(model, tone):
    note = tone(0.1)
    for several in ([note, note], np.stack([note, note]), pd.DataFrame({"audio": [note]})):
        with pytest.raises(TypeError, match="explain_note: expected one recording"):
            explain_note(model, several)
    for label in ("worse", [], ["dark"], np.array(["dark", "bright", "dark"])):
        with pytest.raises(ValueError, match="explain_note: the model does not know the label"):
            explain_note(model, note, label=label)
    with pytest.raises(TypeError, match="name of one instrument"):
        explain_note(model, note, ["violin"])
    with pytest.raises(AudioDecodeError, match=r"explain_note: 'nowhere\.wav'"):
        explain_note(model, "nowhere.wav")
    with pytest.raises(AudioDecodeError, match="explain_note"):
        explain_note(model, np.full(100, np.nan, np.float32))
    for unfitted in (make_note_pipeline(), make_baseline_pipeline()):
        with pytest.raises(NotFittedError, match="fitted"):
            explain_note(unfitted, note)
    with pytest.raises(TypeError, match=r"got a Series\. Pass its 'audio', and instrument="):
        explain_note(model, pd.Series({"audio": note, "instrument": "violin"}))
    for no_model in (make_note_pipeline, NoteClassifier, "violin", None):
        with pytest.raises(TypeError, match="expected a model"):
            explain_note(no_model, note)
    careful = SelectiveClassifier(model[-1])
    careful.estimator_, careful.classes_ = model[-1], model.classes_
    for step in (model[-1], careful):
        with pytest.raises(TypeError, match="expected a pipeline that takes recordings"):
            explain_note(step, note)


def test_the_picture_has_seconds_and_hertz(planted, explained):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    explanation = explained[0]
    figure, ax = pyplot.subplots()
    try:
        assert explanation.plot(ax) is ax
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("time (s)", "frequency (Hz)")
        assert ax.get_ylim()[1] == pytest.approx(explanation.axes.frequencies[-1])
        seconds = len(explanation.waveform) / RATE
        assert ax.get_xlim()[1] == pytest.approx(seconds, abs=0.03)
        assert explanation.label in ax.get_title(loc="left")
        figure.canvas.draw()
    finally:
        pyplot.close("all")
    assert explanation.plot() is not ax
    pyplot.close("all")


def test_hidden_cells_cover_the_sounding_part_once(tone):
    axes = SpectralAxes()
    waveform = np.concatenate([np.zeros(8000, np.float32), tone(0.7), np.zeros(8000, np.float32)])
    decibels = compute_spectrograms(SpectrogramFrontend(axes), [waveform])[0]
    cells = cells_of(decibels, axes)
    whole = cells.masks(np.ones((1, len(cells.in_time), len(cells.in_frequency))))[0]
    np.testing.assert_allclose(whole[cells.frames[0] : cells.frames[-1]], 1, atol=1e-6)
    assert not whole[: cells.frames[0]].any()
    assert cells.seconds(axes)[0] == pytest.approx(8000 / RATE, abs=0.1)
