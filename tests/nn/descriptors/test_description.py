"""The description of a note against an independent reference, and what it does not depend on."""

import numpy as np
import pytest
import scipy.fft
import torch

from sknote.nn import describe_notes
from sknote.nn.descriptors import PROFILES, count_functionals, level_slopes
from sknote.nn.descriptors._rhythm import N_RHYTHM
from sknote.spectral import SpectralAxes

RATE = 40.0  # frames per second


def axes_of(rate, n_bins=7):
    """Axes with a given number of frames per second."""
    return SpectralAxes(sample_rate=round(100 * rate), hop_length=100, n_bins=n_bins)


IS_LEVEL = level_slopes(axes_of(RATE))["profiles"][:, 0] == 1


def note(n_frames=120, n_bins=7, seed=0, silence=(0, 0)):
    rng = np.random.default_rng(seed)
    values = rng.normal(-30, 4, (n_frames, n_bins))
    values[: silence[0]] -= 40
    values[n_frames - silence[1] :] -= 40
    return values


def description_of(values, rate=RATE):
    batch = torch.from_numpy(values)[None]
    description = describe_notes(batch, torch.tensor([len(values)]), axes_of(rate))
    return {name: part[0].numpy() for name, part in description.items()}


def rows_of(values, rate=RATE):
    return dict(zip(PROFILES, description_of(values, rate)["profiles"], strict=True))


def functionals_of(values, rate=RATE):
    """Cepstra's functionals, shape (8, n_coefficients), and the others but for rhythm by name."""
    found = description_of(values, rate)["functionals"]
    names = ("maximum", "minimum", "first", "last", "mean", "peak", "deviation", "place")
    names += ("duration", "silence before", "sound")
    found = np.delete(found, slice(-3 - N_RHYTHM, -3))
    cepstra = found[: -len(names)].reshape(8, -1)
    return cepstra, dict(zip(names, found[-len(names) :], strict=True))


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


def test_a_note_alone_is_as_in_a_batch():
    notes = [note(n, seed=n) for n in (1, 2, 17, 60, 61)]
    batch = np.full((5, 70, 7), np.nan)  # what lies beyond a note means nothing
    for row, values in enumerate(notes):
        batch[row, : len(values)] = values
    lengths = torch.tensor([len(values) for values in notes])
    together = describe_notes(torch.from_numpy(batch), lengths, axes_of(RATE))
    for row, values in enumerate(notes):
        for name, alone in description_of(values).items():
            np.testing.assert_allclose(together[name][row], alone, atol=1e-9, err_msg=name)


def test_functionals_of_cepstra():
    values = note(n_bins=30, silence=(11, 17))
    cepstra = scipy.fft.dct(values, norm="ortho")[:, :20] * np.where(np.arange(20), 1, np.sqrt(2))
    quantiles = np.quantile(cepstra, (0.1, 0.5, 0.9), axis=0)
    steps = np.diff(cepstra, axis=0, prepend=cepstra[:1])
    expected = [cepstra.mean(0), *quantiles, cepstra.max(0), cepstra.min(0), cepstra.std(0)]
    found, _ = functionals_of(values)
    np.testing.assert_allclose(found, [*expected, steps.std(0)], rtol=1e-5, atol=1e-4)


def test_functionals_of_level_and_time():
    values = note(silence=(11, 17))
    level = 10 * np.log10((10 ** (values / 10)).sum(axis=1))
    _, found = functionals_of(values)
    expected = {
        "maximum": level.max(),
        "minimum": level.min(),
        "first": level[0],
        "last": level[-1],
        "mean": level.mean(),
        "peak": values.max(),
        "deviation": level.std(),
        "place": level.argmax() / 120,
        "duration": np.log(120 / RATE + 0.03),
        "silence before": np.log(11 / RATE + 0.03),
        "sound": np.log(92 / RATE + 0.03),
    }
    assert found == pytest.approx(expected)


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
    for row, is_level in zip(PROFILES, IS_LEVEL):
        if is_level:
            assert ((low <= rows[row]) & (rows[row] <= high)).all(), row


def test_of_one_frame_every_level_is_that_frame():
    values = note(1)
    for row, is_level in zip(PROFILES, IS_LEVEL):
        expected = values[0] if is_level else np.sqrt(1e-3) * (row != "deviation")
        np.testing.assert_allclose(rows_of(values)[row], np.broadcast_to(expected, 7), atol=1e-9)


def test_a_gain_moves_the_rows_that_are_levels_and_no_others():
    values = note(silence=(5, 9))
    before, after = rows_of(values), rows_of(values + 6.0)
    for row, is_level in zip(PROFILES, IS_LEVEL):
        np.testing.assert_allclose(after[row] - before[row], 6.0 * bool(is_level), atol=1e-9)


@pytest.mark.parametrize("n_bins", [1, 7, 30])
def test_a_gain_moves_functionals_by_their_slopes(n_bins):
    values = note(n_bins=n_bins, silence=(5, 9))
    before, after = (description_of(v)["functionals"] for v in (values, values + 6.0))
    assert len(before) == count_functionals(n_bins)
    np.testing.assert_allclose(
        after - before, 6.0 * level_slopes(axes_of(RATE, n_bins))["functionals"], atol=1e-4
    )


def test_bins_do_not_mix():
    values = note(silence=(5, 9))
    order = np.random.default_rng(1).permutation(7)
    before, after = rows_of(values), rows_of(values[:, order])
    for row in PROFILES:
        np.testing.assert_allclose(after[row], before[row][order], atol=1e-9)


def test_single_precision_is_near_double():
    values = note(3000)
    batch, lengths = torch.from_numpy(values)[None], torch.tensor([3000])
    single = describe_notes(batch.float(), lengths, axes_of(RATE))
    for name, exact in describe_notes(batch, lengths, axes_of(RATE)).items():
        assert single[name].dtype == torch.float32
        torch.testing.assert_close(single[name].double(), exact, atol=1e-4, rtol=1e-5)
