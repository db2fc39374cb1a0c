"""Displays: what they show is what scikit-learn and closed forms say, and they draw it."""

import numpy as np
import pandas as pd
import pytest
from selective import CLASSES, Exported, selective
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, confusion_matrix
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from toys import model as toy_classifier

from sknote import LabelHierarchy, Spectrogram
from sknote.confidence import SelectiveClassifier
from sknote.inspection import (
    HierarchicalConfusionDisplay,
    HistoryDisplay,
    ReliabilityDisplay,
    RiskCoverageDisplay,
    ScoreBarsDisplay,
    SpectrogramDisplay,
)
from sknote.metrics import class_report, expected_calibration_error

plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def no_window():
    plt.switch_backend("agg")
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def answered():
    rng = np.random.default_rng(0)
    proba = rng.dirichlet(np.full(4, 0.4), 300)
    y = np.array([rng.choice(CLASSES, p=row) for row in proba])
    return y, proba, CLASSES[proba.argmax(axis=1)]


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(0)
    y = rng.choice(CLASSES, 120)
    X = pd.DataFrame(rng.normal(size=(120, 2)) + 2 * np.searchsorted(CLASSES, y)[:, None])
    X.columns = ["a", "b"]
    return LogisticRegression().fit(X, y), X, y


def test_confusion_is_that_of_scikit_learn_in_the_order_of_the_hierarchy(answered):
    y, _, pred = answered
    shuffled = LabelHierarchy()
    display = HierarchicalConfusionDisplay.from_predictions(y, pred, hierarchy=shuffled)
    order = shuffled.sort(CLASSES)
    np.testing.assert_array_equal(display.confusion, confusion_matrix(y, pred, labels=order))
    assert display.display_labels == list(order)
    assert [text.get_text() for text in display.ax_.get_xticklabels()] == list(order)


def test_lines_part_the_levels_of_the_labels():
    display = HierarchicalConfusionDisplay.from_predictions(CLASSES, CLASSES)
    assert display.display_labels == list(CLASSES)
    assert display.boundaries == [(2, 1), (3, 0)]  # attack | pitch || good
    widths = {line.get_ydata()[0]: line.get_linewidth() for line in display.ax_.get_lines()[::2]}
    assert widths[2.5] > widths[1.5]


def test_a_hundred_labels_can_still_be_read():
    aspects = [f"{quality}-{aspect}" for quality in ("bad", "good") for aspect in ("air", "pitch")]
    labels = [f"{one}-{i:02}" for one in aspects for i in range(25)]
    display = HierarchicalConfusionDisplay.from_predictions(labels, labels, normalize="true")
    names = [text.get_text() for text in display.ax_.get_yticklabels()]
    assert names == [f"{one}-00, ..." for one in aspects]
    assert not display.ax_.texts  # no numbers in cells that are too small


PLAYED = ["arco/forte", "arco/piano", "pizzicato/piano", "pizzicato/forte"]


@pytest.mark.parametrize(
    "classes, hierarchy, nodes",
    [
        (CLASSES, None, ["bad-attack", "bad", "unknown"]),
        (PLAYED, LabelHierarchy.philharmonia(), ["arco", "pizzicato", "unspecified/piano"]),
    ],
)
def test_answers_that_name_no_label_are_columns_without_a_row(classes, hierarchy, nodes):
    model, X, y = selective(classes, hierarchy)
    answers = model.predict(X)
    levels = hierarchy or LabelHierarchy()
    labels = levels.sort(model.classes_).tolist()
    for display in (
        HierarchicalConfusionDisplay.from_estimator(model, X, y),
        HierarchicalConfusionDisplay.from_predictions(y, answers, hierarchy=hierarchy),
    ):
        assert display.display_labels[:4] == labels
        assert set(display.display_labels[4:]) == set(nodes)
        counts = pd.crosstab(y, answers).reindex(index=labels, columns=display.display_labels)
        np.testing.assert_array_equal(display.confusion, counts.fillna(0))
        assert [text.get_text() for text in display.ax_.get_yticklabels()] == labels
        assert (4, 0) in display.boundaries


def test_bars_of_a_selective_model_are_of_its_most_probable_labels():
    model, X, y = selective()
    best = model.classes_[model.predict_proba(X).argmax(axis=1)]
    display = ScoreBarsDisplay.from_estimator(model, X, y)
    pd.testing.assert_series_equal(
        display.scores, class_report(y, best)["f1"], check_names=False, check_like=True
    )
    display = ScoreBarsDisplay.from_estimator(model, X, y, by=["flute"] * len(y))
    assert display.scores["flute"] == pytest.approx(np.mean(best == y))
    display = ScoreBarsDisplay.from_predictions(y, model.predict(X))
    assert set(display.scores.index) == set(CLASSES)  # none of nodes, of which there are no notes


@pytest.mark.parametrize(
    "labels", [["arco", "pizzicato", "tremolo"], ["forte", "mezzo-forte", "mezzo-piano"]]
)
def test_labels_of_others_have_no_levels(labels):
    assert not HierarchicalConfusionDisplay.from_predictions(labels, labels).boundaries


def test_a_hierarchy_that_was_fitted_to_other_labels_is_refused(fitted):
    model, X, y = fitted
    hierarchy = LabelHierarchy().fit(["good-sound", "air-outside"])
    for kind in (HierarchicalConfusionDisplay, ScoreBarsDisplay):
        with pytest.raises(ValueError, match=f"{kind.__name__}: the hierarchy does not know 3"):
            kind.from_estimator(model, X, y, hierarchy=hierarchy)


def test_a_model_that_was_exported_is_drawn(fitted):
    model, X, y = fitted
    for kind in (
        HierarchicalConfusionDisplay,
        ReliabilityDisplay,
        RiskCoverageDisplay,
        ScoreBarsDisplay,
    ):
        assert kind.from_estimator(Exported(model), X, y).ax_.has_data()


def test_labels_may_be_numbers():
    display = HierarchicalConfusionDisplay.from_predictions([1, 2, 2], [1, 2, 1])
    assert display.confusion.tolist() == [[1, 0], [1, 1]]
    assert display.display_labels == ["1", "2"]


def test_reliability_is_that_of_bins_of_as_many_notes(answered):
    y, proba, pred = answered
    display = ReliabilityDisplay.from_predictions(y, proba, CLASSES, n_bins=5)
    order = np.argsort(proba.max(axis=1))
    parts = np.array_split(order, 5)
    expected = [np.mean(pred[part] == y[part]) for part in parts]
    np.testing.assert_allclose(display.accuracy, expected, atol=0.02)
    assert display.calibration_error == expected_calibration_error(y, proba, CLASSES)


def test_risk_is_the_error_of_the_surest(answered):
    y, proba, pred = answered
    display = RiskCoverageDisplay.from_predictions(y, proba, CLASSES)
    assert display.coverage[-1] == 1 and display.risk[-1] == pytest.approx(np.mean(pred != y))
    half = np.argsort(-proba.max(axis=1))[:150]
    at = np.flatnonzero(np.isclose(display.coverage, 0.5))[0]
    assert display.risk[at] == pytest.approx(np.mean(pred[half] != y[half]))
    assert 0 < display.area < display.risk[-1]


def test_notes_that_are_equally_sure_come_together():
    proba = [[0.8, 0.2]] * 3 + [[0.6, 0.4]]
    display = RiskCoverageDisplay.from_predictions(["a", "b", "a", "a"], proba, ["a", "b"])
    np.testing.assert_allclose(display.coverage, [0.75, 1])
    np.testing.assert_allclose(display.risk, [1 / 3, 1 / 4])


def test_bars_of_instruments_are_their_accuracies(fitted):
    model, X, y = fitted
    who = np.where(np.arange(120) % 3 == 0, "flute", "cello")
    display = ScoreBarsDisplay.from_estimator(model, X, y, by=who)
    for name in ("flute", "cello"):
        expected = accuracy_score(y[who == name], model.predict(X)[who == name])
        assert display.scores[name] == pytest.approx(expected)
    assert [bar.get_width() for bar in display.bars_] == display.scores.tolist()
    assert [t.get_text() for t in display.ax_.get_yticklabels()] == ["cello (80)", "flute (40)"]


@pytest.mark.parametrize(
    "display", [HierarchicalConfusionDisplay, ReliabilityDisplay, RiskCoverageDisplay]
)
def test_an_estimator_gives_what_its_predictions_give(display, fitted):
    model, X, y = fitted
    _, ax = plt.subplots()
    one = display.from_estimator(model, X, y, ax=ax)
    if display is HierarchicalConfusionDisplay:
        other = display.from_predictions(y, model.predict(X))
    else:
        other = display.from_predictions(y, model.predict_proba(X), model.classes_)
    assert one.ax_ is ax and one.figure_ is ax.figure and other.ax_ is not ax
    for name, value in vars(other).items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(getattr(one, name), value)


def test_history_has_a_row_an_epoch():
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(6, 12)).astype(np.float32) for _ in range(24)]
    fitted = toy_classifier(max_epochs=3, validation_fraction=0.25).fit(X, ["a", "b"] * 12)
    display = HistoryDisplay.from_estimator(fitted)
    assert display.epochs.tolist() == [1, 2, 3]
    assert {"train_loss", "valid_loss"} <= set(display.curves)
    np.testing.assert_allclose(display.curves["train_loss"], fitted.history_[:, "train_loss"])


def test_history_is_that_of_the_classifier_within():
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(6, 12)).astype(np.float32) for _ in range(24)]
    model = SelectiveClassifier(toy_classifier(max_epochs=2), cv=2, novelty=False, min_accuracy=0.1)
    model.fit(X, ["a", "b"] * 12)
    for one in (model, make_pipeline(FunctionTransformer(), model)):
        curves = HistoryDisplay.from_estimator(one).curves
        expected = model.estimator_.history_[:, "train_loss"]
        np.testing.assert_allclose(curves["train_loss"], expected)


@pytest.mark.parametrize("scale", ["log", "mel", "linear"])
def test_a_tone_lies_at_its_hertz_and_seconds(scale):
    rate, hertz = 22050, 880.0
    tone = np.sin(2 * np.pi * hertz / rate * np.arange(rate)).astype(np.float32)
    maker = Spectrogram(rate, scale=scale)
    display = SpectrogramDisplay.from_recording(tone, spectrogram=maker)
    corners = display.mesh_.get_coordinates()
    values = display.mesh_.get_array()
    row = int(np.argmax(values.mean(axis=1)))
    low, high = corners[row, 0, 1], corners[row + 1, 0, 1]
    assert low / 1.06 < hertz < high * 1.06
    assert corners[0, -1, 0] == pytest.approx(1.0, abs=0.1)
    assert display.ax_.get_yscale() == "log"


TWO = ["a", "b"]


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: ReliabilityDisplay.from_predictions(["a"], [[0.5, 0.6]], TWO), "sums to 1.1"),
        (
            lambda: RiskCoverageDisplay.from_predictions(["a"], [[np.nan, 1]], TWO),
            "RiskCoverageDisplay: proba: expected finite",
        ),
        (lambda: ReliabilityDisplay.from_predictions(TWO, [[1.0, 0.0]], TWO), "2 labels and 1"),
        (
            lambda: ReliabilityDisplay.from_predictions(["a"], [[1.0, 0.0]], ["a", "a"]),
            "ReliabilityDisplay: expected different `classes`, got 'a' 2 times",
        ),
        (
            lambda: ScoreBarsDisplay.from_predictions(["a", None], TWO),
            "the label of row 1 is missing",
        ),
        (lambda: ReliabilityDisplay.from_predictions(["a"], [[1, 0]], TWO, n_bins=True), "n_bins"),
        (lambda: ReliabilityDisplay.from_predictions(["a"], [[1, 0]], TWO, n_bins=0), "n_bins"),
        (lambda: HierarchicalConfusionDisplay.from_predictions(["a"], []), "1 labels and 0"),
        (lambda: ScoreBarsDisplay.from_predictions(["a"], ["a"], by="colour"), "by='class'"),
        (lambda: HistoryDisplay.from_history([]), "0 epochs"),
        (lambda: SpectrogramDisplay(np.zeros((3, 7)), Spectrogram().axes).plot(), r"\(3, 7\)"),
    ],
)
def test_what_cannot_be_drawn_is_said(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_what_is_no_fitted_classifier_is_said(fitted):
    _, X, y = fitted
    with pytest.raises(NotFittedError, match=r"ReliabilityDisplay: this LogisticRegression"):
        ReliabilityDisplay.from_estimator(LogisticRegression(), X, y)
    with pytest.raises(TypeError, match="expected a fitted classifier with predict, got"):
        HierarchicalConfusionDisplay.from_estimator("model", X, y)
    with pytest.raises(TypeError, match="got the class LogisticRegression"):
        ReliabilityDisplay.from_estimator(LogisticRegression, X, y)
    with pytest.raises(TypeError, match="or None, got the class LabelHierarchy"):
        HierarchicalConfusionDisplay.from_predictions(y, y, hierarchy=LabelHierarchy)
    message = "by='class', by='instrument' or a value for .* Did you mean 'instrument'"
    with pytest.raises(ValueError, match=message):
        ScoreBarsDisplay.from_estimator(*fitted, by="instruments")
    with pytest.raises(TypeError, match="which keeps a history_"):
        HistoryDisplay.from_estimator(LogisticRegression().fit(X, y))
    with pytest.raises(TypeError, match="expected hierarchy to be a LabelHierarchy"):
        HierarchicalConfusionDisplay.from_predictions(y, y, hierarchy="levels")


def test_labels_of_which_a_model_knows_none_are_said(fitted):
    model, X, y = fitted
    numbers = np.searchsorted(CLASSES, y)
    kinds = (
        ReliabilityDisplay,
        RiskCoverageDisplay,
        HierarchicalConfusionDisplay,
        ScoreBarsDisplay,
    )
    for kind in kinds:
        message = f"{kind.__name__}: expected true labels that the model knows, such as 'bad-attack"
        with pytest.raises(ValueError, match=message):
            kind.from_estimator(model, X, numbers)
        kind.from_estimator(model, X, ["new", *y[1:]])  # others may be new
    with pytest.raises(ValueError, match="expected a list of labels, got the single string 'bad"):
        HierarchicalConfusionDisplay.from_estimator(model, X, "bad-pitch")


@pytest.mark.parametrize("wrong", [3, "ax", [1]])
def test_what_is_no_place_to_draw_on_is_said(wrong):
    display = ScoreBarsDisplay.from_predictions(TWO, TWO)
    with pytest.raises(TypeError, match=r"ScoreBarsDisplay.plot: expected ax to be an Axes .* got"):
        display.plot(ax=wrong)
