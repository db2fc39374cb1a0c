"""Arrays of what is no number are refused in each form of X, by all that take waveforms."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator

from sknote import AudioLoader, MFCCSummary, NoteClassifier, Spectrogram
from sknote._input.checks import unpack

TYPES = ["datetime64[ns]", "timedelta64[s]", "bool", "complex64", "V8", "U3", "S3"]


def of_type(dtype):
    values = np.arange(3000).reshape(3, 1000) % 2
    return np.zeros(values.shape, dtype) if dtype == "V8" else values.astype(dtype)


FORMS = {
    "array": lambda array: array,
    "list of rows": list,
    "list of lists": lambda array: [list(row) for row in array],
    "Series": lambda array: pd.Series(list(array), dtype=object),
    "table": lambda array: pd.DataFrame({"audio": pd.Series(list(array), dtype=object)}),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", TYPES)
def test_what_is_no_number_is_no_sound(dtype, form):
    X = FORMS[form](of_type(dtype))
    for made in (AudioLoader(), Spectrogram(), MFCCSummary()):
        with pytest.raises(ValueError, match=f"{type(made).__name__}: .*(expected|not supported)"):
            made.fit(X).transform(X)
    with pytest.raises(ValueError, match=r"NoteClassifier: .*(expected|not supported)"):
        NoteClassifier().fit(X, ["a", "b", "a"])


@pytest.mark.parametrize("dtype", ["datetime64[ms]", "timedelta64[D]", "bool", "V4"])
def test_nor_are_spectrograms_of_it(dtype):
    X = np.zeros((2, 4, 3), dtype)
    with pytest.raises(ValueError, match=r"expected a 2-D spectrogram .* of shape \(2, 4, 3\)"):
        unpack(BaseEstimator(), X, ndim=2, reset=True)


@pytest.mark.parametrize("dtype", ["float16", "longdouble", "uint8", "int64", ">f4", object])
def test_numbers_of_any_width_are(dtype):
    items, _ = unpack(BaseEstimator(), np.ones((2, 4), dtype), ndim=1, reset=True)
    assert [item.tolist() for item in items] == [[1.0] * 4] * 2


@pytest.mark.parametrize("estimator", [AudioLoader(), Spectrogram(), MFCCSummary()])
def test_tensors_that_numpy_does_not_know_are_refused_with_a_remedy(estimator):
    torch = pytest.importorskip("torch")
    notes = torch.zeros((2, 4000), dtype=torch.bfloat16)
    name = type(estimator).__name__
    for X in (notes, list(notes), [notes[0], notes[1, 1:]], pd.Series(list(notes), dtype=object)):
        with pytest.raises(ValueError, match=rf"^{name}: .*bfloat16.* Pass its \.float\(\)\."):
            estimator.fit_transform(X)


NUMBERS = [(AudioLoader, name) for name in ("sample_rate", "input_sample_rate", "offset", "n_jobs")]
NUMBERS += [(Spectrogram, "n_bins"), (MFCCSummary, "n_mfcc"), (NoteClassifier, "batch_size")]


@pytest.mark.parametrize(("kind", "parameter"), NUMBERS)
def test_true_is_no_number(kind, parameter):
    with pytest.raises(ValueError, match=f"'{parameter}' parameter of {kind.__name__} .*Got True"):
        kind(**{parameter: True}).fit([np.ones(4000)] * 2, ["a", "b"])


@pytest.mark.parametrize("rate", [768_001, 10**12, 10**400])
@pytest.mark.parametrize("parameter", ["sample_rate", "input_sample_rate"])
def test_no_rate_is_larger_than_that_of_a_file_can_be(parameter, rate):
    with pytest.raises(ValueError, match=rf"'{parameter}' parameter .*\[1, 768000\].*Got 1?7?"):
        AudioLoader(**{parameter: rate}).fit_transform([np.ones(4000)])


@pytest.mark.parametrize("rate", ["22050", 22050, np.array(22050)])
def test_pairs_of_samples_and_a_rate_are_known(rate):
    pair = (np.ones(4000), rate)
    sets = [[pair, np.ones(10)]] + ([] if isinstance(rate, np.ndarray) else [[pair, pair]])
    for X in sets:
        with pytest.raises(ValueError, match=r"a pair of samples and a rate.*input_sample_rate"):
            AudioLoader().fit_transform(X)


WAVEFORMS = [AudioLoader(), Spectrogram(), MFCCSummary()]


@pytest.mark.parametrize("estimator", WAVEFORMS)
@pytest.mark.parametrize("X", [[[0.1, 0.2, 0.3], [0.1, None, 0.3]], [[0.1, 0.2], [0.1, None]]])
def test_a_missing_sample_is_named_with_its_row(estimator, X):
    with pytest.raises(ValueError, match=r"the values in row 1 contain NaN"):
        estimator.fit_transform(X)
    table = pd.DataFrame({"audio": pd.Series(X, dtype=object)})
    with pytest.raises(ValueError, match=r"row 1\b") as error:
        estimator.fit_transform(table)
    assert "a pair" not in str(error.value)


@pytest.mark.parametrize("estimator", WAVEFORMS)
@pytest.mark.parametrize(
    ("X", "row"), [([[[0.1, 0.2], [0.3]]], 0), ([[0.1, 0.2], [[0.3], [0.1, 0.2]]], 1)]
)
def test_parts_of_several_lengths_are_named_with_their_row(estimator, X, row):
    match = f"{type(estimator).__name__}: .*a list whose parts differ in length in row {row}"
    with pytest.raises(ValueError, match=match):
        estimator.fit_transform(X)


@pytest.mark.parametrize("estimator", WAVEFORMS)
def test_masked_values_are_refused_in_each_form(estimator):
    X = np.ma.masked_array(np.ones((2, 100)), mask=np.eye(2, 100))
    for form in (X, list(X), pd.Series(list(X), dtype=object)):
        with pytest.raises(ValueError, match=r"masked.* Fill them, as with x\.filled\(0\)"):
            estimator.fit_transform(form)
    estimator.fit_transform(np.ma.masked_array(np.random.default_rng(0).normal(size=(2, 100))))


def test_masked_and_sparse_spectrograms_are_refused():
    torch = pytest.importorskip("torch")
    X = np.ma.masked_array(np.ones((2, 5, 4)), mask=True)
    for form in (X, list(X)):
        with pytest.raises(ValueError, match=r"NoteClassifier: .*masked"):
            NoteClassifier().fit(form, ["a", "b"])
    with pytest.raises(ValueError, match=r"NoteClassifier: .* Pass a dense one"):
        NoteClassifier().fit(torch.ones(2, 5, 4).to_sparse(), ["a", "b"])
