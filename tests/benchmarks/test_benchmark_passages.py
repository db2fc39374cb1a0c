"""The benchmark of passages: mir_eval's scores, delays from the true onsets, the command."""

import json

import numpy as np
import pytest
import soundfile

import sknote.audio
from benchmarks import passages, segmenters
from benchmarks.cli import BenchmarkError, main
from benchmarks.held_notes import count_cuts
from benchmarks.passage_scores import Passage, delays, score_all, scores, timed

pytest.importorskip("mir_eval")
TRUTH = np.array([[0.5, 0.9], [1.0, 1.4], [1.5, 1.6], [2.0, 3.0]])
RATE = 8000


class Oracle:
    """A segmenter that knows of a note some time after it began, and gives it after its end."""

    def __init__(self, notes, after=0.03, offset=0.0, rate=RATE):
        self.notes, self.after, self.rate = np.asarray(notes) + offset, after, rate
        self.heard = self.given = 0

    @property
    def sounding_since(self):
        now = self.heard / self.rate
        on = [a for a, b in self.notes if a + self.after <= now < b]
        return on[0] if on else None

    def push(self, samples):
        self.heard += len(samples)
        over = [note for note in self.notes[self.given :] if note[1] <= self.heard / self.rate]
        self.given += len(over)
        return np.array(over, dtype=float).reshape(-1, 2)

    def flush(self):
        return self.notes[self.given :]


def passage(notes=TRUTH, seconds=3.5):
    return Passage("test", np.zeros(round(seconds * RATE), np.float32), RATE, np.asarray(notes))


def test_all_is_right_where_all_was_found():
    row = scores(TRUTH, TRUTH)
    assert row == {
        "n_notes": 4,
        "n_found": 4,
        **dict.fromkeys(["f_50", "f_25", "precision_50", "recall_50", "f_notes"], 1.0),
    }


@pytest.mark.parametrize("shift, f_50, f_25", [(0.02, 1, 1), (0.04, 1, 0), (0.06, 0, 0)])
def test_windows_are_of_50_and_25_ms(shift, f_50, f_25):
    row = scores(TRUTH, TRUTH + shift)
    assert (row["f_50"], row["f_25"]) == (f_50, f_25)


def test_offsets_count_by_a_fifth_of_the_duration():
    late = TRUTH + np.array([[0, 0.06], [0, 0.09], [0, 0.045], [0, 0.19]])
    assert scores(TRUTH, late)["f_notes"] == 0.75  # a fifth of 0.4 s is 80 ms
    assert scores(TRUTH, TRUTH[:2])["f_notes"] == pytest.approx(2 / 3)


def test_who_finds_onsets_alone_has_no_score_of_notes():
    onsets = np.stack([TRUTH[:, 0], np.full(4, np.nan)], axis=1)
    row = scores(TRUTH, onsets)
    assert row["f_50"] == 1 and row["f_notes"] is None
    assert scores(TRUTH, onsets[:2])["recall_50"] == 0.5


def test_nothing_found_and_nothing_there():
    assert scores(TRUTH, np.zeros((0, 2)))["f_50"] == 0
    nothing = scores(np.zeros((0, 2)), TRUTH)
    assert nothing["n_found"] == 4 and nothing["f_50"] is None
    with pytest.raises(BenchmarkError, match="ends before it begins"):
        scores(TRUTH, TRUTH[:, ::-1])


def test_all_passages_together_are_one_long_one():
    one, other = passage(), Passage("other", np.zeros(RATE, np.float32), RATE, TRUTH[:1])
    rows = score_all([one, other], [TRUTH, np.zeros((0, 2))])
    assert rows["test"]["f_50"] == 1 and rows["other"]["f_50"] == 0
    assert rows["all"]["n_notes"] == 5
    assert rows["all"]["f_50"] == pytest.approx(2 * 0.8 / 1.8)


def test_time_is_per_second_of_sound():
    found, factor = timed(lambda waveform, rate: TRUTH, [passage(), passage()])
    assert len(found) == 2 and 0 <= factor < 0.1


def test_a_note_is_cut_where_another_begins_in_its_inside():
    bounds = np.array([[0.0, 1.0], [1.0, 2.0], [2.0, 3.0], [3.0, 4.0]])
    one = Passage("test", np.zeros(4 * RATE, np.float32), RATE, bounds)
    found = [[0.05, 0.5], [0.5, 0.95], [0.95, 2.05], [2.05, 2.2], [2.2, 2.9], [3.0, 4.0]]
    kinds = [("real", "plain")] * 2 + [("synthetic", "trill")] * 2
    assert count_cuts([one, one], [found, bounds], [kinds, kinds]) == {
        "real, plain": {"n_notes": 4, "n_cut": 1},
        "synthetic, with a trill": {"n_notes": 4, "n_cut": 1},
    }


@pytest.mark.parametrize("after", [0.02, 0.07])
def test_a_delay_is_counted_from_the_true_onset(after):
    late, waits = delays(lambda rate: Oracle(TRUTH, after), [passage()])
    # known at the end of a chunk of 10 ms
    assert len(late) == 4
    np.testing.assert_array_less(late, after + 0.0101)
    assert (late >= after - 1e-9).all()
    np.testing.assert_allclose(waits, 0, atol=0.0101)


def test_a_note_that_is_given_or_flushed_is_known_and_a_wrong_one_never():
    class Late(Oracle):
        sounding_since = None

    late, _ = delays(lambda rate: Late(TRUTH), [passage(seconds=2.5)])
    np.testing.assert_allclose(late, [0.4, 0.4, 0.1, 0.5], atol=0.011)
    assert np.isnan(delays(lambda rate: Oracle(TRUTH, offset=0.08), [passage()])[0]).all()


def test_a_wait_is_counted_from_the_end_that_is_told():
    class Hesitant(Oracle):
        def push(self, samples):
            notes = super().push(samples)
            self.held = [*getattr(self, "held", []), notes]
            return self.held.pop(0) if len(self.held) > 12 else np.empty((0, 2))

    _, waits = delays(lambda rate: Hesitant(TRUTH), [passage()])
    np.testing.assert_allclose(waits, 0.12, atol=0.0101)


@pytest.fixture
def data_home(tmp_path):
    folder = tmp_path / "passages"
    folder.mkdir()
    time = np.arange(RATE * 2) / RATE
    soundfile.write(folder / "solo.flac", 0.3 * np.sin(2 * np.pi * 440 * time), RATE)
    (folder / "solo.csv").write_text("onset,offset,midi\n0.0,0.9,69\n1.0,1.9,69\n")
    (folder / "no_sound.csv").write_text("onset,offset,midi\n")
    return tmp_path


@pytest.fixture
def segment(monkeypatch):
    """Put a segmenter that finds a note a second into the place of sknote's."""

    def each_second(waveform, rate):
        starts = np.arange(len(waveform) // rate, dtype=float)
        return np.stack([starts, starts + 0.9], axis=1)

    class Live(Oracle):
        look_ahead = 0.04

        def __init__(self, rate):
            super().__init__([[second, second + 0.9] for second in range(60)], rate=rate)

    def onsets_alone(waveform, rate):
        return each_second(waveform, rate) * [1.0, np.nan]

    monkeypatch.setitem(segmenters.SEGMENTERS, "sknote", (each_second, "sknote"))
    monkeypatch.setitem(segmenters.SEGMENTERS, "librosa", (onsets_alone, "librosa"))
    monkeypatch.setattr(sknote.audio, "NoteSegmenter", Live, raising=False)


def test_the_command(segment, data_home, tmp_path, capsys):
    command = ["passages", "--segmenters", "sknote,librosa", "--synthetic", "1"]
    status = main([*command, "--data-home", str(data_home), "--out", str(tmp_path)])
    printed = capsys.readouterr()
    assert status == 0 and "nothing to splice" in printed.out
    result = json.loads((tmp_path / "passages.json").read_text())
    assert set(result["parts"]) == {"solos", "synthetic"}
    assert result["parts"]["solos"] == {"n_passages": 1, "n_notes": 2, "seconds": 2.0}
    ours = result["segmenters"]["sknote"]
    assert ours["scores"]["solos"]["f_50"] == ours["scores"]["solos"]["f_notes"] == 1
    assert ours["scores"]["solos"]["lowest_f_50"] == 1 == ours["solos"]["solo"]["f_50"]
    assert ours["delay"]["look_ahead_ms"] == 40
    solos = ours["delay"]["parts"]["solos"]
    assert solos["known"] == 1 and 30 <= solos["p95_ms"] <= 41
    assert result["segmenters"]["librosa"]["scores"]["solos"]["f_notes"] is None
    assert ours["held"]["synthetic, plain"]["n_notes"] > 0
    assert (tmp_path / "passages.png").stat().st_size > 5000
    for title, rows_of in passages.TABLES.values():
        assert len(rows_of(result)) > 1, title


def test_a_segmenter_that_is_not_there_is_left_out_and_a_misspelt_one_named(
    segment, data_home, tmp_path, monkeypatch, capsys
):
    monkeypatch.setitem(segmenters.SEGMENTERS, "other", (None, "no_such_package_at_all"))
    where = ["--data-home", str(data_home), "--out", str(tmp_path), "--synthetic", "1"]
    assert main(["passages", "--segmenters", "sknote,other", *where]) == 0
    result = json.loads((tmp_path / "passages.json").read_text())
    assert list(result["segmenters"]) == ["sknote"]
    assert main(["passages", "--segmenters", "sknot", *where]) == 2
    assert "Did you mean 'sknote'?" in capsys.readouterr().err
