"""Pipelines in and out of pandas and polars: the same answers, whatever `set_output` says."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from toys import SMALL

from sknote import (
    AudioLoader,
    MFCCSummary,
    NoteClassifier,
    Spectrogram,
    make_baseline_pipeline,
    make_note_pipeline,
)
from sknote.feature_extraction import FeatureCache, WaveformAugment

PIPELINES = {
    "network": make_note_pipeline(
        classify__max_epochs=1, classify__random_state=0, classify__module_params=SMALL
    ),
    "baseline": make_baseline_pipeline(classify__max_iter=3, classify__random_state=0),
}
LABELS = np.array(["steady", "fading"] * 8)


def waveforms():
    rng = np.random.default_rng(0)
    notes = []
    for i in range(16):
        time = np.arange(4000 + 100 * i) / 22050
        note = np.sin(2 * np.pi * 220 * (1 + i % 3) * time) * np.exp(-8 * (i % 2) * time)
        notes.append((note + 0.01 * rng.standard_normal(len(time))).astype(np.float32))
    return notes


X = pd.DataFrame({"audio": waveforms(), "instrument": ["oboe", "bass", None, "oboe"] * 4})
POLARS = pl.DataFrame({"audio": waveforms(), "instrument": ["oboe", "bass", None, "oboe"] * 4})


@pytest.fixture(scope="module", params=PIPELINES)
def pipeline(request):
    return PIPELINES[request.param]


@pytest.fixture(scope="module")
def expected(pipeline):
    fitted = clone(pipeline).fit(X, LABELS)
    return fitted.predict_proba(X), fitted.predict_proba(X[["audio"]])


@pytest.mark.parametrize("container", ["default", "pandas", "polars"])
@pytest.mark.parametrize("fit_on", [X, POLARS], ids=["pandas", "polars"])
def test_answers_are_the_same(pipeline, expected, container, fit_on):
    fitted = clone(pipeline).set_output(transform=container).fit(fit_on, LABELS)
    for given in (X, POLARS):
        np.testing.assert_array_equal(fitted.predict_proba(given), expected[0])
    for given in (X[["audio"]], POLARS[["audio"]], list(X["audio"]), POLARS["audio"]):
        np.testing.assert_array_equal(fitted.predict_proba(given), expected[1])


def test_the_global_setting(pipeline, expected, tmp_path):
    with sklearn.config_context(transform_output="polars"):
        remembering = clone(pipeline).set_params(memory=str(tmp_path / "memory"))
        cached = make_pipeline(FeatureCache(pipeline[:1], tmp_path / "cache"), *pipeline[1:])
        for model in (pipeline, remembering, cached):
            fitted = clone(model).fit(X, LABELS)
            np.testing.assert_array_equal(fitted.predict_proba(POLARS), expected[0])


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_columns_are_those_of_fit(pipeline, container):
    """Also where a later X has more or less of them."""
    fitted = clone(pipeline).set_output(transform=container).fit(list(X["audio"]), LABELS)
    alone = fitted.predict_proba(list(X["audio"]))
    for given in (X, POLARS, X["audio"]):
        np.testing.assert_array_equal(fitted.predict_proba(given), alone)


@pytest.mark.parametrize("step", [AudioLoader(), Spectrogram(), WaveformAugment(random_state=0)])
def test_transformers_give_a_frame(step):
    expected = clone(step).fit_transform(X)
    out = clone(step).set_output(transform="polars").fit_transform(X)
    assert isinstance(out, pl.DataFrame)
    assert out.columns == ["audio", "instrument"]
    for left, right in zip(expected["audio"], out["audio"]):
        np.testing.assert_array_equal(left, right.to_numpy())
    array = np.zeros((3, 600), np.float32)
    out = clone(step).set_output(transform="polars").fit_transform(array)
    assert isinstance(out, pl.DataFrame)
    assert len(out) == 3


def test_axes_that_are_stated_need_not_travel():
    """Polars carries none; what is behind it believes what it was told."""
    spectrogram = Spectrogram(scale="mel").set_output(transform="polars")
    classify = NoteClassifier("starter", axes=spectrogram.axes, max_epochs=1, random_state=0)
    model = make_pipeline(spectrogram, classify).fit(X, LABELS)
    assert model[-1].axes_ == spectrogram.axes
    plain = make_pipeline(Spectrogram(scale="mel"), clone(classify)).fit(X, LABELS)
    np.testing.assert_array_equal(model.predict_proba(X), plain.predict_proba(X))


OTHERS = {
    "forest": RandomForestClassifier(5, random_state=0),
    "linear": make_pipeline(StandardScaler(), LogisticRegression()),
}


@pytest.mark.parametrize("container", ["default", "pandas", "polars"])
@pytest.mark.parametrize("instrument", ["onehot", "drop"])
@pytest.mark.parametrize("other", OTHERS)
def test_other_classifiers_behind_the_summary(other, instrument, container):
    summary = MFCCSummary(n_mfcc=3, instrument=instrument)
    model = make_pipeline(summary, clone(OTHERS[other])).set_output(transform=container)
    assert cross_validate(model, X, LABELS, cv=2)["test_score"].min() > 0.8
    model.fit(X, LABELS)
    unknown = model.predict_proba(X.assign(instrument="tuba"))
    for given in (X[["audio"]], list(X["audio"]), X.assign(instrument=None)):
        np.testing.assert_array_equal(model.predict_proba(given), unknown)
    if instrument == "drop":
        np.testing.assert_array_equal(model.predict_proba(X), unknown)
    without = clone(model).fit(X[["audio"]], LABELS)
    assert without.predict(list(X["audio"])).shape == (16,)


@pytest.mark.parametrize("other", OTHERS)
def test_a_classifier_of_numbers_says_what_to_do_with_the_instrument(other):
    model = make_pipeline(MFCCSummary(n_mfcc=3), clone(OTHERS[other]))
    match = r"MFCCSummary: .* takes categories.* 'oboe'\. Pass MFCCSummary\(instrument='onehot'\)"
    with pytest.raises(ValueError, match=match):
        model.fit(X, LABELS)
