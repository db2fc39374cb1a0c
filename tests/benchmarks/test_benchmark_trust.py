import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from benchmarks import fits, odd_sounds
from benchmarks.cli import main
from benchmarks.odd_sounds import KINDS
from benchmarks.trust_scores import (
    chance_error,
    reliability,
    risk_curve,
    score_answers,
    score_sets,
)
from sknote import make_note_pipeline
from sknote.datasets import make_notes

pytest.importorskip("mapie", reason="MAPIE is not installed")


def test_the_whole_way_from_notes_to_tables_a_result_and_a_picture(run, tmp_path):
    status, _, printed = run("--n-odd", "3", "--first-folds", "1", name="", command="trust")
    name = "trust-synthetic-60-notes-1-epochs-2-folds-3-a-class-first-1-folds"
    assert status == 0, printed.err
    assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    result = json.loads((tmp_path / f"{name}.json").read_text())
    assert result["kind"] == "trust"
    entry = result["models"]["compact"]
    assert set(KINDS) <= set(entry["odd"])
    assert all(own["n"] == 3 for kind, own in entry["odd"].items() if kind in KINDS)
    assert entry["odd"]["silence"]["novel"] == 1
    assert 0 < entry["pooled"]["sets: coverage"] <= 1
    assert 1 <= entry["pooled"]["sets: size"] <= result["task"]["data"]["n_classes"]
    assert entry["folds"][0]["level_of_folds"] <= 0.9
    places = [name, *(f"{name}/{table}" for table in ("sets", "novelty", "levels"))]
    text = "".join(f"<!-- results:{place} -->\n<!-- /results -->\n" for place in places)
    (tmp_path / "README.md").write_text(text)
    assert main(["report", "--root", str(tmp_path), "--results", str(tmp_path)]) == 0
    text = (tmp_path / "README.md").read_text()
    assert "| compact: one threshold |" in text
    assert "| babble of three voices | 3 |" in text


def test_fits_are_shared_by_the_rows_that_they_are_of():
    fits._FITTED.clear()
    X = pd.DataFrame({"a": np.arange(40.0)})
    y, once = np.arange(40) % 2, fits.Remembered(LogisticRegression())
    first, again, other = once.fit(X, y), fits.Remembered(LogisticRegression()), None
    again.fit(X, y)
    other = fits.Remembered(LogisticRegression()).fit(X.iloc[:30], y[:30])
    assert first.best_estimator_ is again.best_estimator_
    assert other.best_estimator_ is not first.best_estimator_
    own = LogisticRegression().fit(X.iloc[:30], y[:30])
    np.testing.assert_array_equal(other.predict_proba(X), own.predict_proba(X))


def test_a_fit_is_found_by_the_next_process_and_answers_as_it_did(tmp_path, monkeypatch):
    pipeline = make_note_pipeline(classify__max_epochs=1, classify__random_state=0)
    notes = make_notes(40, labels=("good-sound", "bad-attack"), random_state=0)
    X = pipeline[:-1].fit_transform(notes.data)

    def fit():
        monkeypatch.setattr(fits, "_FITTED", {})
        about = {"steps": pipeline.steps[:-1], "folder": tmp_path, "key": "notes"}
        return fits.Remembered(pipeline[-1], **about).fit(X, notes.target, notes.groups)

    first, again = fit(), fit()
    assert len(list(tmp_path.iterdir())) == 1
    assert first.best_estimator_ is not again.best_estimator_
    np.testing.assert_array_equal(first.predict_proba(X), again.predict_proba(X))
    monkeypatch.setattr(fits, "code_digest", lambda *_, **__: "another")
    fit()
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_odd_sounds_are_finite_and_of_the_length_of_a_note(kind):
    rng = np.random.default_rng(0)
    notes = [np.sin(np.arange(n) * 0.1).astype(np.float32) for n in (9000, 12000)]
    found = KINDS[kind](*notes, 44_100, rng)
    assert found.shape == (9000,) and found.dtype == np.float32
    assert np.isfinite(found).all() and np.abs(found).max() <= 0.51
    if kind != "silence":
        assert np.abs(found).max() > 0.009
        assert not np.array_equal(found, KINDS[kind](*notes, 44_100, rng))


def test_noise_has_the_spectrum_of_its_colour():
    def octaves(kind):
        note = np.zeros(88_200, dtype=np.float32)
        power = np.abs(np.fft.rfft(KINDS[kind](note, note, 44_100, np.random.default_rng(0)))) ** 2
        return power[1000:2000].sum() / power[8000:16000].sum()

    assert octaves("white noise") == pytest.approx(1 / 8, rel=0.2)
    assert octaves("pink noise") == pytest.approx(1, rel=0.2)


def test_pairs_are_of_an_instrument_and_of_two_groups():
    instrument = np.array(["flute"] * 4 + ["cello"] * 4)
    groups = np.array([0, 0, 1, 1, 2, 2, 3, 3])
    pairs = odd_sounds._pairs(instrument, groups, 40, np.random.default_rng(0))
    assert all(instrument[a] == instrument[b] and groups[a] != groups[b] for a, b in pairs)
    assert len({first for first, _ in pairs}) > 4


def test_answers_are_counted_by_level():
    target = np.array([0, 1, 1, 0])
    proba = np.array([[0.9, 0.1], [0.3, 0.7], [0.6, 0.4], [0.8, 0.2]])
    known = {
        "proba": proba,
        "calibrated": proba,
        "level": np.array([0, 1, -1, 0]),
        "right": np.array([True, True, False, False]),
        "novel": np.array([False, False, True, False]),
    }
    scores = score_answers(target, known)
    assert scores["answered"] == 0.75 and scores["leaf"] == 0.5 and scores["refused"] == 0.25
    assert scores["answered_right"] == pytest.approx(2 / 3) and scores["leaf_right"] == 0.5
    # the surest three of four are right
    assert scores["right_at_80"] == 1
    assert risk_curve(target, proba, [0.5, 1.0]) == [0, 0.25]
    bins = reliability(target, proba)
    assert [n for *_, n in bins] == [1, 1, 1, 1]
    assert bins[0] == [pytest.approx(0.6), 0, 1]
    nothing = known | {"level": np.full(4, -1)}
    assert score_answers(target, nothing)["answered_right"] is None


def test_sets_are_scored_by_instrument_and_label():
    target = np.repeat([0, 1, 2], [40, 40, 5])
    instrument = np.array(["flute"] * 40 + ["cello"] * 45)
    sets = np.zeros((85, 3), dtype=bool)
    sets[:, 0] = True
    sets[40:60, 1] = sets[80:84, 2] = True
    scores = score_sets(target, instrument, sets, np.array([40, 40, 5]))
    assert scores["coverage"] == pytest.approx(64 / 85)
    assert scores["worst_instrument"] == pytest.approx(24 / 45)
    assert scores["rare_labels"] == 0.8 and scores["worst_label"] == 0.5
    assert scores["size"] == pytest.approx((85 + 24) / 85)
    assert scores["single"] == pytest.approx(61 / 85)


def test_instruments_that_are_in_no_fold_are_asked_about(monkeypatch):
    monkeypatch.setattr(odd_sounds, "_waveform", lambda path: np.zeros(4410, dtype=np.float32))
    data = pd.DataFrame({"audio": list("abcdef"), "instrument": ["flute"] * 4 + ["gong"] * 2})
    task = SimpleNamespace(
        data=data,
        rows=np.arange(4),
        groups=np.arange(6),
        notes=lambda rows: data.iloc[rows].reset_index(drop=True),
    )
    found = odd_sounds.odd_notes(task, np.array([2, 3]), 5, np.random.default_rng(0))
    assert found[odd_sounds.NEVER]["audio"].tolist() == ["e", "f"]
    assert len(found["clicks"]) == 5
    assert (found["clicks"]["instrument"] == "flute").all()


def test_a_calibration_error_by_chance_is_that_of_a_mean():
    proba = np.tile([0.7, 0.3], (10_000, 1))
    expected = np.sqrt(2 / np.pi * 0.7 * 0.3 / 10_000)  # mean of the size of a normal number
    assert chance_error(proba) == pytest.approx(expected, rel=0.2)
    assert chance_error(proba[:100]) == pytest.approx(10 * expected, rel=0.2)
