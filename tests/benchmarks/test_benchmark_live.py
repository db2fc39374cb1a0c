import json
from types import SimpleNamespace

import numpy as np
import pytest
from streams import RATE, ByLevel, LoudParts, stream_of

from benchmarks import live
from benchmarks.cli import RESULTS, main


def play(sound, seconds, **options):
    """Play to a stream that takes so many seconds for each chunk, and the same for the end."""
    now = 0.0

    class Slow(LoudParts):
        def push(self, samples):
            nonlocal now
            now += seconds
            return super().push(samples)

        def flush(self):
            nonlocal now
            now += seconds
            return super().flush()

    return live.play(stream_of(segmenter=Slow, **options), sound, lambda: now)


@pytest.fixture
def sound(tone):
    """One note from 0.1 to 0.4 s, in 0.6 s."""
    sound = np.zeros(round(0.6 * RATE), np.float32)
    sound[round(0.1 * RATE) : round(0.4 * RATE)] = tone(0.3, 440, 0.5, RATE) + 0.1
    return sound


def test_a_quick_machine_tells_when_the_chunk_has_come(sound):
    played = play(sound, 0.001, hop=None)
    assert played["used"] == pytest.approx(
        0.061
    )  # a chunk takes a millisecond, and so does the end
    (began, *when), (judged, *later) = played["events"]
    assert (began.kind, judged.kind) == ("began", "judged")
    assert when == pytest.approx([began.at, began.at + 0.001])
    assert later == pytest.approx([judged.at, judged.at + 0.001])


def test_a_slow_machine_is_later_and_later(sound):
    played = play(sound, 0.015, hop=None)
    assert played["used"] == pytest.approx(61 * 0.015)
    for event, arrived, done in played["events"]:
        chunk = round(event.at / 0.01)
        assert arrived == pytest.approx(event.at)
        assert done == pytest.approx(0.01 + 0.015 * chunk)


def test_what_was_played_becomes_numbers(sound):
    played = play(sound, 0.001, hop=0.1)
    row = live.summarize([played | {"onsets": np.array([0.1, 0.3])}])
    assert row["n_notes"] == 2 and row["n_judged"] == 1 and row["n_revised"] == 3
    assert row["found"] == 0.5
    assert row["real_time_factor"] == pytest.approx(0.061 / 0.6)
    assert row["onset_median_ms"] == row["onset_p95_ms"] == pytest.approx(11, abs=0.2)
    assert row["verdict_median_ms"] == pytest.approx(1)
    nothing = live.summarize([live.play(stream_of(), 0 * sound) | {"onsets": []}])
    assert nothing["found"] is None and nothing["verdict_p95_ms"] is None


def test_the_quickest_time_of_each_passage_counts(monkeypatch):
    times = iter([0.3, 0.1, 0.2, 0.4, 0.5, 0.6])
    monkeypatch.setattr(
        live, "play", lambda *_: {"events": [], "seconds": 1.0, "used": next(times)}
    )
    args = SimpleNamespace(sample_rate=RATE, hop=None, repeats=3)
    row = live.play_all(ByLevel(), [(np.zeros(RATE), [], None)] * 2, args)
    assert row["real_time_factor"] == pytest.approx((0.1 + 0.4) / 2)


def test_the_command_writes_tables(cache_dir, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(live, "make_models", lambda args, folder: {"quick": ByLevel()})
    monkeypatch.setattr("sknote.audio.NoteSegmenter", LoudParts)
    command = [
        "live",
        "--synthetic",
        "1",
        "--repeats",
        "1",
        "--sample-rate",
        str(RATE),
        "--out",
        str(tmp_path),
    ]
    assert main([*command, "--data-home", str(tmp_path), "--cache-dir", str(cache_dir)]) == 0
    printed = capsys.readouterr().out
    assert "quick, synthetic" in printed and "nothing to splice" in printed
    result = json.loads((tmp_path / "live.json").read_text())
    (row,) = result["models"]["quick"].values()
    assert row["seconds"] == pytest.approx(10, abs=0.5) and row["n_passages"] == 1
    (tmp_path / "README.md").write_text(
        "<!-- results:live -->\n<!-- /results -->\n<!-- results:live/aims -->\n<!-- /results -->\n"
    )
    assert main(["report", "--root", str(tmp_path), "--results", str(tmp_path)]) == 0
    text = (tmp_path / "README.md").read_text()
    assert "| quick, synthetic |" in text
    assert text.count("| quick |") == 3


def test_aims_are_judged_by_the_worst_part():
    row = {"real_time_factor": 0.01, "onset_p95_ms": 40.0, "verdict_p95_ms": None}
    worse = row | {"onset_p95_ms": 61.0}
    result = {"limits": live.LIMITS, "models": {"m": {"a": row, "b": worse}}}
    assert [cells[-1] for cells in live.aim_table(result)[1:]] == ["yes", "no", "no"]


def test_the_committed_result_is_of_all_parts():
    result = json.loads((RESULTS / "live.json").read_text())
    assert set(result["models"]) == {"pipeline", "exported"}
    for parts in result["models"].values():
        assert len(parts) == len(live.RATES) + 1
        assert all(row["n_notes"] >= 100 for row in parts.values())
