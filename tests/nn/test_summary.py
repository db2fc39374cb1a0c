"""The summary of a note against an independent reference, and what it does not depend on."""

import numpy as np
import pytest
import torch

from sknote.nn import summarize_note
from sknote.nn._summary import LEVEL_ROWS, SUMMARY_ROWS

RATE = 40.0  # frames per second


def note(n_frames=120, n_bins=7, seed=0, silence=(0, 0)):
    rng = np.random.default_rng(seed)
    values = rng.normal(-30, 4, (n_frames, n_bins))
    values[: silence[0]] -= 40
    values[n_frames - silence[1] :] -= 40
    return values


def rows_of(values, rate=RATE):
    summary = summarize_note(torch.from_numpy(values), rate).numpy()
    return dict(zip(SUMMARY_ROWS, summary, strict=True))


def test_moments_and_percentiles():
    values = note()
    rows = rows_of(values)
    np.testing.assert_allclose(rows["energy"], 10 * np.log10((10 ** (values / 10)).mean(axis=0)))
    for share in (0.1, 0.5, 0.9):
        np.testing.assert_allclose(rows[f"quantile {share}"], np.quantile(values, share, axis=0))
    np.testing.assert_allclose(rows["maximum"], values.max(axis=0))
    np.testing.assert_allclose(rows["deviation"], values.std(axis=0))
    np.testing.assert_allclose(rows["beginning"], values[:4].mean(axis=0))
    np.testing.assert_allclose(rows["end"], values[-4:].mean(axis=0))


def test_attack_and_release_are_counted_from_where_the_note_sounds():
    values = note(silence=(11, 17))
    onset, offset = 11, 120 - 17
    rows = rows_of(values)
    pieces = {
        "attack -0.05 to 0 s": (onset - 2, onset),
        "attack 0 to 0.025 s": (onset, onset + 1),
        "attack 0.025 to 0.05 s": (onset + 1, onset + 2),
        "attack 0.05 to 0.1 s": (onset + 2, onset + 4),
        "attack 0.1 to 0.19 s": (onset + 4, onset + 8),
        "attack 0.19 to 0.37 s": (onset + 8, onset + 15),
        "release -0.21 to -0.095 s": (offset - 8, offset - 4),
        "release -0.095 to -0.025 s": (offset - 4, offset - 1),
        "release 0 to 0.07 s": (offset, offset + 3),
        "release 0.07 to 0.21 s": (offset + 3, offset + 8),
    }
    assert set(pieces) == {row for row in rows if row.startswith(("attack", "release"))}
    for row, (start, stop) in pieces.items():
        np.testing.assert_allclose(rows[row], values[start:stop].mean(axis=0), err_msg=row)


def test_times():
    rows = rows_of(note(silence=(11, 17)))
    np.testing.assert_allclose(rows["silence before"], np.log(11 / RATE + 0.03))
    np.testing.assert_allclose(rows["sound"], np.log(92 / RATE + 0.03))


def test_modulation_by_moving_averages():
    values = note(silence=(11, 17))
    sounding = values[11:103]
    rows = rows_of(values)

    def moving(width):
        centred = [
            sounding[max(0, i - width // 2) : max(1, i - width // 2 + width)].mean(axis=0)
            for i in range(len(sounding))
        ]
        return np.array(centred)

    finer = sounding
    for seconds, width in [(0.05, 2), (0.1, 4), (0.19, 8), (0.37, 15), (0.75, 30)]:
        coarser = moving(width)
        expected = np.sqrt(np.square(finer - coarser).mean(axis=0) + 1e-3)
        np.testing.assert_allclose(rows[f"modulation within {seconds} s"], expected)
        finer = coarser


@pytest.mark.parametrize("rate", [5.0, 43.07, 172.3])
@pytest.mark.parametrize("n_frames", [1, 2, 3, 10])
def test_short_notes(n_frames, rate):
    values = note(n_frames)
    rows = rows_of(values, rate)
    assert all(np.isfinite(row).all() for row in rows.values())
    low, high = values.min(axis=0) - 1e-9, values.max(axis=0) + 1e-9
    for row, is_level in zip(SUMMARY_ROWS, LEVEL_ROWS):
        if is_level:
            assert ((low <= rows[row]) & (rows[row] <= high)).all(), row


def test_of_one_frame_every_level_is_that_frame():
    values = note(1)
    for row, is_level in zip(SUMMARY_ROWS, LEVEL_ROWS):
        if row in ("silence before", "sound"):
            continue
        expected = values[0] if is_level else np.sqrt(1e-3) * (row != "deviation")
        np.testing.assert_allclose(rows_of(values)[row], np.broadcast_to(expected, 7), atol=1e-9)


def test_a_gain_moves_the_rows_that_are_levels_and_no_others():
    values = note(silence=(5, 9))
    before, after = rows_of(values), rows_of(values + 6.0)
    for row, is_level in zip(SUMMARY_ROWS, LEVEL_ROWS):
        np.testing.assert_allclose(after[row] - before[row], 6.0 * bool(is_level), atol=1e-9)


def test_bins_do_not_mix():
    values = note(silence=(5, 9))
    order = np.random.default_rng(1).permutation(7)
    before, after = rows_of(values), rows_of(values[:, order])
    for row in SUMMARY_ROWS:
        np.testing.assert_allclose(after[row], before[row][order], atol=1e-9)


def test_single_precision_is_near_double():
    values = note(3000)
    single = summarize_note(torch.from_numpy(values).float(), RATE)
    assert single.dtype == torch.float32
    exact = summarize_note(torch.from_numpy(values), RATE)
    torch.testing.assert_close(single.double(), exact, atol=1e-4, rtol=0)
