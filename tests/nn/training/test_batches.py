"""Batches: every note once, of like length, the same for the same seed."""

import itertools

import numpy as np
import pytest
import torch

from sknote.nn import SpectrogramAugment
from sknote.nn.training._batches import BatchLoader
from sknote.nn.training._data import DescribedNotes, FrameNotes
from sknote.spectral import SpectralAxes
from sknote.spectral._lengths import length_batches


def dataset(lengths, mean=(0.0, 0.0), scale=(1.0, 1.0)):
    """Note i has the target i, and its frames hold i and their own time."""
    spectrograms = [
        np.stack([np.full(n, i), np.arange(n)], axis=1).astype(np.float32)
        for i, n in enumerate(lengths)
    ]
    data = FrameNotes(spectrograms)
    data.standardize_by({"spectrogram": np.array(mean)}, {"spectrogram": np.array(scale)})
    data.target = torch.arange(len(lengths))
    data.weight = torch.arange(len(lengths)) + 0.5
    data.instrument = torch.full((len(lengths),), 3)
    return data


def log_spread(n_notes=1000):
    return np.random.default_rng(0).permutation(np.geomspace(20, 400, n_notes).round().astype(int))


def rows(loader):
    return [target.tolist() for _, (target, _) in loader]


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("n_notes", [1, 2, 31, 32, 33, 40, 41, 1000])
def test_every_note_comes_exactly_once_in_an_epoch(training, n_notes):
    loader = BatchLoader(dataset(log_spread(n_notes)), 32, training=training)
    for _ in range(3):
        batches = rows(loader)
        assert sorted(note for batch in batches for note in batch) == list(range(n_notes))
        if training:
            assert len(batches) == len(loader)


@pytest.mark.parametrize(
    ("n_notes", "sizes"),
    [
        (5, [5]),
        (32, [32]),
        (33, [33]),  # a tail of one would spoil a batch normalization
        (39, [39]),
        (40, [32, 8]),
        (64, [32, 32]),
        (70, [32, 38]),
        (100, [32, 32, 36]),
        (105, [32, 32, 32, 9]),
    ],
)
def test_a_short_tail_joins_the_batch_before(n_notes, sizes):
    loader = BatchLoader(dataset(np.full(n_notes, 5)), 32, training=True)
    assert sorted(len(batch) for batch in rows(loader)) == sorted(sizes)
    assert len(loader) == len(sizes)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 4])
def test_small_batches(batch_size):
    loader = BatchLoader(dataset(np.full(9, 5)), batch_size, training=True)
    sizes = [len(batch) for batch in rows(loader)]
    assert sum(sizes) == 9
    assert min(sizes) >= min(2, batch_size)


@pytest.mark.parametrize("training", [False, True])
def test_batches_hold_notes_of_like_length(training):
    lengths = log_spread()
    loader = BatchLoader(dataset(lengths), 32, training=training)
    real = padded = 0
    for x, _ in loader:
        real += int(x["lengths"].sum())
        padded += x["spectrogram"].shape[0] * x["spectrogram"].shape[1]
    assert real == lengths.sum()
    assert 1 - real / padded < (1 / 3 if training else 0.08)
    shuffled = lengths[: 1000 // 32 * 32].reshape(-1, 32)
    assert 1 - real / padded < 0.6 * (1 - shuffled.sum() / (32 * shuffled.max(axis=1).sum()))


def test_a_batch_holds_the_notes_and_zeros():
    x, (target, weight) = next(iter(BatchLoader(dataset([3, 7, 5]), 8)))
    assert target.tolist() == [0, 2, 1]
    assert weight.tolist() == [0.5, 2.5, 1.5]
    assert x["lengths"].tolist() == [3, 5, 7]
    assert x["instrument"].tolist() == [3, 3, 3]
    assert x["spectrogram"].shape == (3, 7, 2)
    for row, (note, n) in enumerate(zip(target.tolist(), x["lengths"].tolist())):
        assert (x["spectrogram"][row, :n, 0] == note).all()
        assert x["spectrogram"][row, :n, 1].tolist() == list(range(n))
        assert (x["spectrogram"][row, n:] == 0).all()


def test_notes_are_standardised_and_padding_stays_zero():
    data = dataset([3, 5], mean=(1.0, 2.0), scale=(2.0, 4.0))
    x, (target, _) = next(iter(BatchLoader(data, 8)))
    assert target.tolist() == [0, 1]
    np.testing.assert_allclose(x["spectrogram"][1, :, 0], (1 - 1) / 2)
    np.testing.assert_allclose(x["spectrogram"][1, :, 1], (np.arange(5) - 2) / 4)
    assert (x["spectrogram"][0, 3:] == 0).all()


@pytest.mark.parametrize("stored", [np.float16, np.float32, np.float64])
def test_the_type_of_a_batch_is_not_that_of_the_store(stored):
    data = FrameNotes([np.ones((4, 3), dtype=stored)])
    x = data.gather(torch.tensor([0]), torch.tensor([4]))
    assert x["spectrogram"].dtype == torch.float32


def test_a_part_has_its_own_notes_and_a_mean_weight_of_1():
    data = dataset([3, 7, 5])
    data.weight = data.weight.double()
    part = data.take(np.array([2, 1]))
    assert [part[0][0][0, 0].item(), part[1][0][0, 0].item()] == [2, 1]
    assert part.lengths.tolist() == [5, 7]
    torch.testing.assert_close(part.weight, torch.tensor([2.5, 1.5]) / 2)
    assert len(data) == 3


def test_a_data_set_has_items_and_a_length():
    data = dataset([3, 7, 5])
    assert len(data) == 3
    values, target = data[1]
    assert values.shape == (7, 2)
    assert (values[:, 0] == 1).all()
    assert target == 1


def contents(loader):
    return [
        (target.tolist(), x["spectrogram"].numpy().tobytes(), x["instrument"].tolist())
        for x, (target, _) in loader
    ]


def loader(seed=0, epoch=0, batch_size=32, n_notes=200, **params):
    options = {"max_frames": 50, "instrument_dropout": 0.3, "training": True}
    return BatchLoader(
        dataset(log_spread(n_notes)), batch_size, seed=seed, epoch=epoch, **options | params
    )


def test_the_same_seed_gives_the_same_batches():
    augment = SpectrogramAugment().bind([""] * 200, SpectralAxes(n_bins=2))
    first, second = (loader(augment=augment) for _ in range(2))
    for _ in range(2):
        assert contents(first) == contents(second)


def test_another_epoch_and_another_seed_give_others():
    epochs = loader()
    first, second = contents(epochs), contents(epochs)
    assert first != second
    assert first != contents(loader(seed=1))
    assert contents(loader(epoch=1)) == second


def test_what_is_drawn_for_a_note_does_not_depend_on_its_batch():
    def crops(batch_size):
        found = {}
        for x, (target, _) in loader(batch_size=batch_size):
            for row, note in enumerate(target.tolist()):
                n = x["lengths"][row]
                found[note] = (x["spectrogram"][row, :n, 1].tolist(), x["instrument"][row].item())
        return found

    assert crops(4) == crops(32)


def test_the_order_of_the_batches_is_not_that_of_the_lengths():
    means = [x["lengths"].float().mean().item() for x, _ in loader(max_frames=None, n_notes=1000)]
    assert means != sorted(means)


def test_a_long_note_shows_a_stretch_of_itself():
    data = dataset([30, 100, 400])
    starts = []
    train = BatchLoader(data, 8, training=True, max_frames=50)
    for _ in range(200):
        for x, (target, _) in train:
            for row, note in enumerate(target.tolist()):
                n = x["lengths"][row].item()
                assert n == min(50, data.lengths[note])
                time = x["spectrogram"][row, :n, 1].numpy()
                np.testing.assert_array_equal(np.diff(time), 1)
                assert time[-1] < data.lengths[note]
                if note == 2:
                    starts.append(time[0])
    assert np.mean(np.array(starts) == 0) == pytest.approx(0.5, abs=0.15)
    assert max(starts) > 300
    x, _ = next(iter(BatchLoader(data, 8, max_frames=50)))
    assert x["lengths"].tolist() == [30, 100, 400]  # not so outside training


@pytest.mark.parametrize(
    ("share", "training"), [(0.0, True), (0.3, True), (1.0, True), (0.3, False)]
)
def test_instruments_are_hidden_in_training_alone(share, training):
    shown = BatchLoader(dataset(np.full(1000, 3)), 32, training=training, instrument_dropout=share)
    hidden = np.mean([i == 0 for x, _ in shown for i in x["instrument"].tolist()])
    expected = share if training else 0.0
    assert abs(hidden - expected) <= 4 * np.sqrt(expected * (1 - expected) / 1000)


def test_augmentation_happens_in_training_alone():
    class Spy:
        calls = 0

        def apply(self, x, lengths, target, draws, fill, slopes):
            self.calls += 1
            assert {drawn.shape for drawn in draws.values()} == {lengths.shape}
            assert fill["spectrogram"].tolist() == [0.0, 0.0]
            assert slopes["spectrogram"] == 1
            return x

    spy = Spy()
    rows(BatchLoader(dataset([3, 4]), 8, training=False, augment=spy))
    assert spy.calls == 0
    rows(BatchLoader(dataset([3, 4]), 8, training=True, augment=spy))
    assert spy.calls == 1


@pytest.mark.parametrize("batch_size", [1, 7, 64])
@pytest.mark.parametrize("max_frames", [1, 1000, 1 << 15])
def test_batches_in_order_of_length(batch_size, max_frames):
    lengths = np.append(log_spread(300), 5000)
    batches = list(length_batches(lengths, batch_size, max_frames))
    assert sorted(np.concatenate(batches)) == list(range(301))
    assert (np.diff(lengths[np.concatenate(batches)]) >= 0).all()
    for batch in batches:
        assert 1 <= len(batch) <= batch_size
        assert len(batch) == 1 or len(batch) * lengths[batch].max() <= max_frames


def test_a_single_very_long_note_does_not_make_its_batch_costly():
    lengths = np.append(np.full(63, 20), 100_000)
    batches = list(length_batches(lengths, 64))
    assert [len(batch) for batch in batches] == [63, 1]


def cost(lengths, batches, overhead):
    return sum(overhead + len(rows) * lengths[rows].max() for rows in batches)


@pytest.mark.parametrize("overhead", [0, 7, 400])
@pytest.mark.parametrize("max_frames", [1, 60, 1 << 15])
def test_batches_that_cost_least(overhead, max_frames):
    rng = np.random.default_rng(0)
    for _ in range(5):
        lengths = rng.integers(1, 100, 9)
        batches = list(length_batches(lengths, 4, max_frames, overhead=overhead))
        assert sorted(np.concatenate(batches)) == list(range(9))
        ordered = np.argsort(lengths, kind="stable")
        possible = []
        for cuts in itertools.product([False, True], repeat=8):
            parts = np.split(ordered, np.flatnonzero(cuts) + 1)
            fits = (len(p) == 1 or len(p) * lengths[p].max() <= max_frames for p in parts)
            if max(map(len, parts)) <= 4 and all(fits):
                possible.append(cost(lengths, parts, overhead))
        assert cost(lengths, batches, overhead) == min(possible)


@pytest.mark.parametrize("lengths", [[], [0], [0, 0, 5], [7] * 200])
def test_batches_of_few_or_empty_notes(lengths):
    lengths = np.array(lengths, dtype=np.int64)
    batches = list(length_batches(lengths, 64, overhead=400))
    assert sorted(row for rows in batches for row in rows) == list(range(len(lengths)))
    assert all(0 < len(rows) <= 64 for rows in batches)


def test_notes_do_not_wait_for_one_that_is_much_longer():
    lengths = np.append(np.full(60, 40), np.full(4, 400))
    parts = [sorted(lengths[rows]) for rows in length_batches(lengths, 64, overhead=400)]
    assert parts == [[40] * 60, [400] * 4]


def described(n_notes=20):
    values = np.random.default_rng(0).normal(-50, 10, (n_notes, 3, 6)).astype(np.float32)
    parts = {"profiles": values, "functionals": values[:, :2, 0].copy()}
    slopes = {
        "profiles": torch.tensor([[1.0], [1.0], [0.0]]),
        "functionals": torch.tensor([1.0, 0.0]),
    }
    data = DescribedNotes(parts, np.arange(1, n_notes + 1), slopes)
    data.standardize_by(
        {"profiles": np.full((3, 1), -50.0)}, {"profiles": np.array([[10.0], [5.0], [1.0]])}
    )
    data.target = torch.zeros(n_notes, dtype=torch.int64)
    data.weight = torch.ones(n_notes)
    data.instrument = torch.arange(n_notes)
    return values, data


def test_descriptions_are_standardised_by_row():
    values, data = described()
    for x, (target, weight) in BatchLoader(data, 8):
        order = x["instrument"].numpy()  # the instrument is the row
        expected = (values[order] + 50) / np.array([10, 5, 1])[:, None]
        np.testing.assert_allclose(x["profiles"], expected, rtol=1e-5, atol=1e-5)
        np.testing.assert_array_equal(x["functionals"], values[order, :2, 0])
        assert set(x) == {"instrument", "profiles", "functionals"}
        assert target.tolist() == [0] * len(order)
        assert weight.tolist() == [1.0] * len(order)


def test_descriptions_have_the_moments_of_their_rows():
    values, data = described()
    weight = np.random.default_rng(1).random(len(values))
    mean, scale = data.statistics(weight)
    assert set(mean) == set(scale) == {"profiles"}
    share = weight / weight.sum() / 6
    expected = (values * share[:, None, None]).sum(axis=(0, 2))
    np.testing.assert_allclose(mean["profiles"][:, 0], expected, rtol=1e-6)
    squares = ((values - expected[:, None]) ** 2 * share[:, None, None]).sum(axis=(0, 2))
    np.testing.assert_allclose(scale["profiles"][:, 0], np.sqrt(squares), rtol=1e-6)


def test_descriptions_are_neither_cropped_nor_left_out():
    _, data = described()
    loader = BatchLoader(data, 8, training=True, max_frames=2)
    for _ in range(2):
        seen = [(x["instrument"], x["profiles"].shape) for x, _ in loader]
        assert sorted(torch.cat([row for row, _ in seen]).tolist()) == list(range(20))
        assert {shape[1:] for _, shape in seen} == {(3, 6)}


def test_descriptions_meet_at_random_and_not_by_length():
    _, data = described(400)
    spread = [x["instrument"].float().std() for x, _ in BatchLoader(data, 40, training=True)]
    assert min(spread) > 80  # of all 400 it is 116; the length is the row


def test_descriptions_are_varied_in_training_alone():
    _, data = described()
    augment = SpectrogramAugment(semitones=0, level_db=20, probability=1.0)
    augment = augment.bind(["note"], SpectralAxes(n_bins=6))
    still = torch.cat([x["profiles"] for x, _ in BatchLoader(data, 8, augment=augment)])
    plain = (data.description["profiles"] - data.mean["profiles"]) / data.scale["profiles"]
    torch.testing.assert_close(still, plain)
    loader = BatchLoader(data, 20, training=True, augment=augment)
    ((x, _),) = loader
    change = x["profiles"] - still[x["instrument"]]
    is_one = x["instrument"] == 0  # a single frame is left alone
    assert (change[is_one] == 0).all()
    gain = change[~is_one, 0] * 10
    torch.testing.assert_close(gain, gain[:, :1].expand_as(gain), atol=1e-4, rtol=0)
    torch.testing.assert_close(change[~is_one, 1] * 5, gain, atol=1e-3, rtol=0)
    assert (change[:, 2] == 0).all()
    assert gain.std() > 5
    moved = x["functionals"] - data.description["functionals"][x["instrument"]]
    torch.testing.assert_close(moved[~is_one, 0], gain[:, 0], atol=1e-3, rtol=0)
    assert (moved[:, 1] == 0).all()
