"""CachedClassifier: what was answered is not asked again, and never answered wrongly."""

import io
import os
import pickle
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from answering import ASKED, ByLevel, notes
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from sknote.deploy import CachedClassifier
from sknote.exceptions import AudioDecodeError, AudioDecodeWarning

ROUNDED = 1e-7


@pytest.fixture(autouse=True)
def nothing_asked():
    ASKED.clear()


@pytest.fixture(params=["memory", "file"])
def make(request, tmp_path):
    """Wrap a model; what was put into a file is found by the next one alone."""

    def wrap(model, **how):
        if request.param == "file":
            how = {"path": tmp_path / "answers.db", "max_memory": 0} | how
        return CachedClassifier(model, **how)

    return wrap


@pytest.fixture
def put(tmp_path, tone, encode):
    def write(name, peak=0.5, seconds=0.05, cut=None):
        path = tmp_path / name
        path.write_bytes(encode(tone(seconds, 551.25, peak), subtype="FLOAT")[:cut])
        return str(path)

    return write


def forms_of(paths):
    waveforms = notes(4)
    yield "arrays", waveforms
    yield "matrix", np.stack(waveforms)
    yield "files", paths
    yield "series", pd.Series(paths)
    yield "bytes", [Path(path).read_bytes() for path in paths]
    yield "streams", [io.BytesIO(Path(path).read_bytes()) for path in paths]
    yield (
        "frame",
        pd.DataFrame({"audio": paths, "instrument": ["oboe", None] * 2}, index=list("abcd")),
    )


def test_a_second_question_is_not_asked(make, put):
    paths = [put(f"{i}.wav", 0.2 * (i + 1)) for i in range(4)]
    for name, X in forms_of(paths):
        ASKED.clear()
        model = make(ByLevel())
        first = model.predict_proba(X)
        n_asked = len(ASKED)
        second = model.predict_proba(X)
        assert len(ASKED) == n_asked, name
        assert (first == second).all()
        np.testing.assert_allclose(first, ByLevel().predict_proba(X), atol=ROUNDED)
        np.testing.assert_allclose(first.sum(axis=1), 1, atol=1e-15)
        assert (
            model.predict(X).tolist()
            == ByLevel()
            .predict_proba(X)
            .argmax(axis=1)
            .choose([["loud"] * 4, ["soft"] * 4])
            .tolist()
        )
        assert model.n_hits + model.n_misses == 12 and model.n_hits >= 8


def test_what_is_new_is_asked_alone_and_rows_stay_in_their_order(make):
    model, X = make(ByLevel()), notes(9)
    model.predict_proba(X[2:5])
    found = model.predict_proba(X)
    assert ASKED == [3, 6]
    np.testing.assert_allclose(found, ByLevel().predict_proba(X), atol=ROUNDED)


def test_a_file_is_known_by_its_bytes(make, put):
    path, other = put("a.wav", 0.5), put("b.wav", 0.5)
    model = make(ByLevel())
    model.predict_proba([path])
    model.predict_proba([other, Path(path).read_bytes()])
    assert ASKED == [1]
    before = os.stat(path)
    put("a.wav", 0.25)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert os.stat(path).st_size == before.st_size
    assert model.predict_proba([path])[0, 0] == pytest.approx(0.25, abs=1e-3)


def test_the_instrument_counts(make):
    X, model = notes(2), make(ByLevel())
    frame = pd.DataFrame({"audio": pd.Series(X, dtype=object), "instrument": ["oboe", None]})
    mixed = model.predict_proba(frame)
    np.testing.assert_allclose(mixed, ByLevel().predict_proba(frame), atol=ROUNDED)
    alone, oboe = model.predict_proba(X), model.predict_proba(X, instrument="oboe")
    assert model.n_hits == 2  # the same note and instrument in another form
    np.testing.assert_allclose(oboe, ByLevel().predict_proba(X, "oboe"), atol=ROUNDED)
    assert (mixed[0] == oboe[0]).all() and (mixed[1] == alone[1]).all()
    with pytest.raises(ValueError, match="an instrument for each of 2 notes, got 3"):
        model.predict_proba(X, instrument=["oboe"] * 3)


def test_columns_that_are_no_plain_values_are_asked_each_time(make):
    frame = pd.DataFrame({"audio": pd.Series(notes(2), dtype=object), "more": [[1], [2]]})
    model = make(ByLevel())
    assert (model.predict_proba(frame) == model.predict_proba(frame)).all()
    assert ASKED[-1] == 2 and model.n_hits == 0


def test_models_do_not_answer_for_each_other(make):
    X, model = notes(3), ByLevel()
    cached, louder = make(model), make(ByLevel(1.1))
    for one in (cached, louder, cached):
        np.testing.assert_allclose(one.predict_proba(X), one.model.predict_proba(X), atol=ROUNDED)
    model.gain = 0.9
    np.testing.assert_allclose(cached.predict_proba(X), model.predict_proba(X), atol=ROUNDED)


def weights(pipeline, how):
    parameter = list(pipeline[2].net_.module_.parameters())[-1]
    if how == "data":
        parameter.data.mul_(1.5)
    elif how == "numpy":
        parameter.detach().numpy()[:] += 0.5
    else:
        with torch.no_grad():
            parameter.view(-1)[-1:].add_(0.5)


CHANGES = {
    "fit": lambda p, X, y: p[2].fit(p[:2].transform(X), y[::-1]),
    "partial_fit": lambda p, X, y: p[2].partial_fit(p[:2].transform(X), y),
    "a parameter": lambda p, X, y: p.set_params(load__max_duration=0.1),
    "a step": lambda p, X, y: p.steps.__setitem__(
        0, ("load", clone(p[0]).set_params(max_duration=0.1))
    ),
    "a weight": lambda p, X, y: weights(p, "torch"),
    "weights by data": lambda p, X, y: weights(p, "data"),
    "weights by NumPy": lambda p, X, y: weights(p, "numpy"),
    "moments": lambda p, X, y: next(iter(p[2].mean_.values())).__iadd__(3.0),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_pipeline_that_was_changed_answers_anew(pipeline, notes, change, make):
    model = pickle.loads(pickle.dumps(pipeline))
    X, y = notes.data[:12], notes.target[:12]
    cached = make(model)
    before = cached.predict_proba(X)
    CHANGES[change](model, X, y)
    expected = model.predict_proba(X)
    assert np.abs(expected - before).max() > 1e-4
    np.testing.assert_allclose(cached.predict_proba(X), expected, atol=1e-5)
    assert cached.n_hits == 0


def test_what_does_not_matter_and_another_copy_change_nothing(pipeline, notes, tmp_path):
    path, X = tmp_path / "answers.db", notes.data[:6]
    first = CachedClassifier(pipeline, path).predict_proba(X)
    np.testing.assert_allclose(first, pipeline.predict_proba(X), atol=1e-5)
    other = pickle.loads(pickle.dumps(pipeline))
    other.set_params(classify__n_threads=1, load__n_jobs=2, load__on_error="warn")
    other = CachedClassifier(Pipeline(other.steps), path)
    assert (other.predict_proba(X) == first).all() or other.n_hits == 0
    again = CachedClassifier(pickle.loads(pickle.dumps(pipeline)), path)
    assert (again.predict_proba(X) == first).all() and again.n_hits == 6


def test_what_is_odd_is_said_each_time_and_the_rest_is_kept(make, put):
    paths = [put(f"{i}.wav", 0.1 * (i + 1)) for i in range(8)]
    paths[3], paths[6] = put("cut.wav", 0.5, 0.2, -999), put("silent.wav", 0.0)
    model = make(ByLevel())
    for n_asked in (8, 2):
        with pytest.warns(AudioDecodeWarning) as caught:
            found = model.predict_proba(paths)
        said = sorted(str(one.message).partition(" promises")[0] for one in caught)
        assert said == ["ByLevel: (row 3): the header", "ByLevel: there is no sound in row 6"]
        assert ASKED[0] == n_asked
        ASKED.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.testing.assert_allclose(found, ByLevel().predict_proba(paths), atol=ROUNDED)


def test_an_error_names_its_row_and_spoils_no_other(make, put):
    paths = [put(f"{i}.wav", 0.1 * (i + 1)) for i in range(8)]
    model = make(ByLevel())
    with pytest.raises(AudioDecodeError, match=r"\(row 5\) could not be decoded"):
        model.predict_proba([*paths[:5], "absent.wav", *paths[5:]])
    ASKED.clear()
    model.predict_proba(paths[:5])
    assert ASKED == []
    with pytest.raises(AudioDecodeError, match=r"\(row 1\)"):
        model.predict_proba([paths[0], "absent.wav"])


def test_a_file_that_changes_while_it_is_judged_is_not_kept(make, put):
    class Slow(ByLevel):
        def predict_proba(self, X, instrument=None):
            put("a.wav", 0.25)
            return super().predict_proba(X)

    Slow.__module__, Slow.__qualname__ = "answering", "ByLevel"  # so that it can be pickled
    path, model = put("a.wav", 0.75), make(ByLevel())
    model.model = model._digest.model = Slow()
    model._digest = lambda: b"digest"
    assert model.predict_proba([path])[0, 0] == pytest.approx(0.25, abs=1e-3)
    put("a.wav", 0.75)
    model.model = ByLevel()
    assert model.predict_proba([path])[0, 0] == pytest.approx(0.75, abs=1e-3)


def test_what_can_be_read_only_once_is_asked(make, put):
    class Stream(io.BytesIO):
        def seekable(self):
            return False

        tell = seek = None

    contents, model = Path(put("a.wav", 0.25)).read_bytes(), make(ByLevel())
    for _ in range(2):
        assert model.predict([Stream(contents)]) == ["soft"]
    assert model.n_hits == 0


def test_in_memory_what_was_not_used_for_long_goes_first():
    X = notes(20)
    model = CachedClassifier(ByLevel(), max_memory=208 * 10)
    for note in X:
        model.predict_proba([note])
        model.predict_proba(X[:1])
    ASKED.clear()
    model.predict_proba(X[:1] + X[-9:])
    assert ASKED == []
    model.predict_proba(X[-10:-9])
    assert ASKED == [1]


def test_threads_ask_at_the_same_time(make):
    model, X, found = make(ByLevel()), notes(60), {}

    def ask(start):
        found[start] = model.predict_proba(X[start : start + 20])

    threads = [threading.Thread(target=ask, args=(start,)) for start in range(0, 41, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for start, rows in found.items():
        expected = ByLevel().predict_proba(X[start : start + 20])
        np.testing.assert_allclose(rows, expected, atol=ROUNDED)


def test_it_is_pickled_with_its_model_and_the_name_of_its_file(make):
    model, X = make(ByLevel()), notes(3)
    first = model.predict_proba(X)
    again = pickle.loads(pickle.dumps(model))
    assert (again.predict_proba(X) == first).all()
    assert again.n_hits == (0 if model.path is None else 3)
    assert repr(again).startswith("CachedClassifier(")


@pytest.mark.parametrize(
    ("model", "how", "error", "message"),
    [
        (object(), {}, TypeError, "a fitted classifier with predict_proba"),
        (ByLevel(), {"path": 3}, TypeError, "the path of a file, or None, got 3"),
        (ByLevel(), {"path": ""}, TypeError, "the path of a file"),
        (ByLevel(), {"max_memory": -1}, ValueError, "max_memory of at least 0, got -1"),
        (ByLevel(), {"max_disk": 10}, ValueError, "max_disk of at least 65536, got 10"),
    ],
)
def test_parameters_are_checked(model, how, error, message):
    with pytest.raises(error, match=f"CachedClassifier: expected {message}"):
        CachedClassifier(model, **how)


def test_a_model_of_which_there_is_no_digest_is_refused():
    model = ByLevel()
    model.gain = lambda: None
    with pytest.raises(TypeError, match="expected a model that can be pickled"):
        CachedClassifier(model).predict_proba(notes(1))


WITHOUT = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "sklearn", "pandas", "scipy", "joblib"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
import numpy as np
from sknote.deploy import CachedClassifier, OnnxNoteClassifier
for n_hits in (0, 3):
    model = CachedClassifier(OnnxNoteClassifier(sys.argv[1]), sys.argv[2])
    X = [np.sin(np.arange(n, dtype=np.float32)) for n in (900, 2000, 3000)]
    found = model.predict_proba(X, instrument="flute")
    assert model.n_hits == n_hits, (model.n_hits, n_hits)
    assert np.abs(found - model.model.predict_proba(X, instrument="flute")).max() < 1e-6
"""


def test_an_exported_model_needs_no_more_with_it(path, tmp_path):
    words = [sys.executable, "-c", WITHOUT, str(path), str(tmp_path / "answers.db")]
    done = subprocess.run(words, capture_output=True, text=True, env=os.environ)
    assert (done.returncode, done.stderr) == (0, "")
