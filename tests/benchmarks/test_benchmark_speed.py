import json
import time

import librosa
import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from sklearn.utils import Bunch

from benchmarks import reference_recipe as recipe
from benchmarks import show_speed, speed, speed_works
from benchmarks.cli import main
from benchmarks.speed_step import GROUPS, PYTHON, count_flops, group_of, profile_epoch
from benchmarks.speed_works import Work, run_works
from sknote.nn import NoteAnalyzer, SimpleStarterModel

RATE = 22050
N_NOTES = 12


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("notes")
    rng = np.random.default_rng(0)
    found = []
    for row in range(N_NOTES):
        seconds = np.arange(round(44100 * (0.3 + 0.02 * row))) / 44100
        tone = 0.3 * np.sin(2 * np.pi * 220 * 2 ** (row / 12) * seconds)
        found.append(str(folder / f"{row}.wav"))
        soundfile.write(found[-1], tone + rng.normal(0, 0.01, len(tone)), 44100)
    return found


@pytest.fixture
def bunch(paths):
    data = pd.DataFrame({"audio": paths, "instrument": ["flute", "cello"] * (N_NOTES // 2)})
    return Bunch(data=data, target=np.array(["good", "good", "bad"] * (N_NOTES // 3)))


# the reference recipe


@pytest.mark.parametrize("kind, ours", [("full", NoteAnalyzer), ("starter", SimpleStarterModel)])
def test_the_recipes_networks_have_the_layers_that_sknotes_have(kind, ours):
    literal, corrected = recipe.ReferenceNetwork(kind, 12, 100), ours(12, 100)
    shapes = [sorted(tuple(p.shape) for p in net.parameters()) for net in (literal, corrected)]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("kind, ours", [("full", NoteAnalyzer), ("starter", SimpleStarterModel)])
def test_a_note_without_padding_is_judged_as_by_sknotes_network(kind, ours):
    torch.manual_seed(0)
    literal, corrected = recipe.ReferenceNetwork(kind, 3, 5), ours(3, 5)
    # of each shape there may be several: they come in the order of the layers in both
    source, goal = (
        {name: x for name, x in net.state_dict().items() if "num_batches" not in name}
        for net in (literal, corrected)
    )
    for name, value in goal.items():
        match = next(key for key, x in source.items() if x.shape == value.shape)
        goal[name] = source.pop(match)
    assert not source
    corrected.load_state_dict(goal, strict=False)
    x = torch.randn(2, 1, 257, 160)
    instrument = torch.tensor([0, 2])
    with torch.no_grad():
        expected = literal.eval()(x, instrument)
        lengths = torch.full((2,), 160)
        found = corrected.eval()(x[:, 0].transpose(1, 2), lengths, instrument)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_a_gru_takes_the_place_of_the_convolution_over_time():
    torch.manual_seed(0)
    x = torch.randn(2, 24, 7)
    layer = recipe.temporal_layer(24, recurrent=True)
    expected = torch.nn.GRU(24, 512, batch_first=True)
    expected.load_state_dict(layer.state_dict())
    torch.testing.assert_close(layer(x), expected(x.mT)[0].mT)
    assert layer(x).shape == recipe.temporal_layer(24)(x).shape == (2, 512, 7)
    networks = [recipe.ReferenceNetwork("full", 3, 5, recurrent=kind) for kind in (False, True)]
    kinds = [{type(part).__name__ for part in network.modules()} for network in networks]
    assert kinds[0] ^ kinds[1] == {"Conv1d", "Recurrent"}
    logits = networks[1](torch.randn(2, 1, 257, 80), torch.tensor([0, 2]))
    assert logits.shape == (2, 5)


def test_the_recipes_spectrogram_is_normalised_decibels():
    waveform = np.sin(0.1 * np.arange(RATE)).astype(np.float32)
    values = recipe.spectrogram(waveform)
    assert values.shape == (1, 257, 1 + RATE // 128)
    assert values.mean() == pytest.approx(0, abs=1e-4)
    assert values.std() == pytest.approx(1, abs=1e-4)
    magnitude = np.abs(librosa.stft(waveform, n_fft=512, hop_length=128))
    order = np.argsort(librosa.amplitude_to_db(magnitude)[:, 50])
    assert (np.diff(values[0, :, 50].numpy()[order]) >= -1e-5).all()


def test_a_batch_is_padded_to_its_longest_note():
    batch = recipe.pad([torch.ones(1, 257, 5), torch.ones(1, 257, 9)])
    assert batch.shape == (2, 1, 257, 9)
    assert batch[0, 0, :, 5:].abs().max() == 0
    assert batch[1].min() == 1


def test_augmentation_repeats_with_its_seed_and_changes_the_length():
    waveform = np.sin(0.1 * np.arange(6000)).astype(np.float32)
    first, again = (
        [recipe.augment(waveform, rng) for _ in range(12)]
        for rng in (np.random.default_rng(0), np.random.default_rng(0))
    )
    assert all(np.array_equal(a, b) for a, b in zip(first, again))
    lengths = [len(varied) for varied in first]
    assert min(lengths) >= 6000 / 1.11 and max(lengths) <= 6000 / 0.89
    assert len(set(lengths)) > 2
    assert any(varied is waveform for varied in first)  # one in eight stays as it is


@pytest.mark.parametrize("kind", ["full", "starter"])
def test_the_recipes_training_learns_and_predicts(kind):
    torch.manual_seed(0)
    network = recipe.ReferenceNetwork(kind, 1, 2)
    target = np.array([0, 1] * 4)
    step = recipe.training_step(network, target)
    rng = np.random.default_rng(0)
    notes = [rng.normal(size=3000) if y else np.sin(0.1 * np.arange(3000)) for y in target]
    batch = recipe.pad([recipe.spectrogram(note) for note in notes])
    instrument = np.zeros(8, dtype=np.int64)
    losses = [step(batch, torch.from_numpy(instrument), torch.from_numpy(target)) for _ in range(8)]
    assert losses[-1] < 0.5 * losses[0]
    for _ in range(10):  # for the statistics of the normalisation
        step(batch, torch.from_numpy(instrument), torch.from_numpy(target))
    np.testing.assert_array_equal(recipe.predict(network, notes, instrument), target)


# timing


def test_works_are_timed_in_turns_per_note_after_a_warm_up(capsys):
    calls = []

    def sleep(argument):
        calls.append(("slow", argument))
        time.sleep(0.02)

    works = [
        Work("a", "slow", sleep, n_notes=10, prepare=lambda repeat: f"batch {repeat}"),
        Work("a", "quick", lambda _: calls.append(("quick", None)), n_calls=2),
    ]
    seconds = run_works(works, repeats=3, n_threads=1)
    assert capsys.readouterr().out.splitlines()[-1] == "Repetition 3 of 3"
    assert [len(values) for values in seconds.values()] == [3, 6]
    assert min(seconds["a", "slow"]) >= 0.002
    assert max(seconds["a", "quick"]) < 0.002
    assert calls[:6] == [
        ("slow", "batch 0"),
        ("quick", None),
        ("quick", None),
        ("slow", "batch 0"),
        ("quick", None),
        ("quick", None),
    ]


def test_works_get_their_threads_and_leave_torchs_settings_alone():
    before = torch.get_num_threads()
    seen = []
    works = [
        Work("one", "", lambda _: seen.append(torch.get_num_threads()), n_threads=1),
        Work("all", "", lambda _: seen.append(torch.get_num_threads())),
    ]
    run_works(works, repeats=1, n_threads=2)
    assert seen[-2:] == [1, 2]
    assert torch.get_num_threads() == before
    assert float(torch.tensor(1e-40) * 1) > 0  # denormal numbers are back


# the step


def test_flops_of_a_linear_layer_are_counted_forward_and_backward():
    layer = torch.nn.Linear(30, 20, bias=False)
    x = torch.randn(10, 30, requires_grad=True)
    # the product, and its gradients by the input and by the weight
    assert count_flops(lambda: layer(x).sum().backward()) == 3 * 2 * 10 * 20 * 30


@pytest.mark.parametrize(
    "operator, group",
    [
        ("aten::mkldnn_convolution", "convolution"),
        ("aten::convolution_backward", "convolution"),
        ("aten::addmm", "matmul"),
        ("aten::bmm", "matmul"),
        ("aten::native_batch_norm_backward", "normalisation"),
        ("aten::bernoulli_", "dropout and random"),
        ("aten::_fused_adamw_", "optimizer"),
        ("Optimizer.step#AdamW.step", PYTHON),
        ("aten::copy_", "copies and types"),
        ("aten::mul", "elementwise"),
        ("autograd::engine::evaluate_function: MulBackward0", "Python and the framework"),
        ("sknote::steps", "Python and the framework"),
    ],
)
def test_operators_are_grouped(operator, group):
    assert group_of(operator) == group


def test_the_profile_of_an_epoch_sums_to_one_and_finds_what_takes_long():
    matrix = torch.randn(300, 300, requires_grad=True)

    def train(batches):
        for batch in batches:
            (batch @ matrix).relu().sum().backward()

    shares = profile_epoch(lambda: [torch.randn(300, 300) for _ in range(20)], train)
    assert set(GROUPS) < set(shares["groups"])
    assert sum(shares["groups"].values()) == pytest.approx(1)
    assert all(share >= 0 for share in shares["groups"].values())
    assert next(iter(shares["operators"])) == "aten::mm"
    assert shares["groups"]["matmul"] > shares["groups"]["normalisation"] == 0
    assert 0 < shares["groups"]["batches and augmentation"] < 1


# the whole


@pytest.mark.filterwarnings(r"ignore:'(aifc|audioop|sunau)':DeprecationWarning")  # audioread's
def test_the_command_writes_a_table_that_documents_can_show(bunch, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(speed, "synthesize", lambda *_, **__: bunch)
    monkeypatch.setattr(recipe, "BATCH_SIZE", 4)
    monkeypatch.setattr(speed_works, "ALONE_CALLS", 2)
    monkeypatch.setattr(speed_works, "MATRIX_SIZE", 64)
    monkeypatch.setattr(speed_works, "TEMPORAL_INPUTS", 16)
    command = ["speed", "--notes", "8", "--repeats", "1", "--n-threads", "2"]
    command += ["--out", str(tmp_path), "--full"]
    assert main(command) == 0
    printed = capsys.readouterr().out
    result = json.loads((tmp_path / "speed.json").read_text())
    assert result["kind"] == "speed"
    rows = {row["name"]: row for row in result["speed"]}
    assert list(rows)[-3].startswith("inference in batches")
    for row in rows.values():
        for side in ("sknote", "full", "starter"):
            entry = row[side]
            assert 0 < entry["low"] <= entry["median"] <= entry["high"]
            if side != "sknote":
                better = entry["median"] / row["sknote"]["median"]
                better = 1 / better if row["unit"] == "notes/s" else better
                assert entry["ratio"] == pytest.approx(better, rel=1e-3)
    features, reading = rows["features from WAV, one core"], rows["only reading WAV, one core"]
    assert features["full"] == features["starter"]
    for side in ("sknote", "full"):
        assert features[side]["low"] < reading[side]["high"]
    epoch, fit = rows["epoch of 8,000 notes"], rows["fit of 8,000 notes"]
    step, augmentation = rows["training step"], rows["augmentation"]
    for side in ("full", "starter"):
        assert fit[side]["median"] == pytest.approx(30 * epoch[side]["median"], rel=1e-3)
        assert epoch[side]["low"] > 8 * step[side]["low"]  # ms a note, and notes are prepared
    assert augmentation["full"]["median"] > 0
    step = result["step"]
    assert step["flops_per_note"] > 1e5
    assert set(step["matmul_gflops_per_second"]) == {"float32", "bfloat16"}
    assert sum(step["groups"].values()) == pytest.approx(1, abs=1e-3)
    assert all(ratio > 0 for ratio in result["recurrent"].values())
    lines = [line for line in printed.splitlines() if "a GRU in place of the Conv1d" in line]
    assert len(lines) == 2 and all("times as long" in line for line in lines)
    older = {name: value for name, value in result.items() if name != "recurrent"}
    assert len(show_speed.step_table(older)) == len(show_speed.step_table(result)) - 2
    assert "fit was run, from files, on 12 notes" in printed
    seconds = result["fit"]["seconds"]
    assert fit["sknote"]["median"] == pytest.approx(seconds / 12 * 8000, rel=1e-3)
    ratio = result["practice"]["seconds"] / seconds
    aims = {cells[0]: cells for cells in show_speed.aim_table(result)}
    (practice,) = (cells for name, cells in aims.items() if "practice" in name)
    assert float(practice[2]) == pytest.approx(ratio, rel=0.05)
    without = show_speed.caption(result | {"fit": None})
    assert "extrapolated from 2 epochs on 8 notes" in without
    assert "extrapolated from 1 training steps of 4 notes to 30 epochs" in printed

    (tmp_path / "README.md").write_text("<!-- results:speed -->\n<!-- /results -->\n")
    assert main(["report", "--root", str(tmp_path), "--results", str(tmp_path)]) == 0
    text = (tmp_path / "README.md").read_text()
    assert "| inference of one 1-s note | ms |" in text
    assert show_speed.caption(result) in text


def test_notes_are_written_in_both_formats(bunch, paths, tmp_path):
    notes = speed.as_files(bunch, 2, tmp_path)
    assert len(notes.target) == 2
    assert list(notes.files) == ["MP3", "WAV"]
    for row, path in enumerate(notes.files["WAV"]):
        written, rate = soundfile.read(path)
        assert rate == speed.SAMPLE_RATE
        np.testing.assert_allclose(written, soundfile.read(paths[row])[0], atol=1e-4)
    assert {soundfile.info(path).format for path in notes.files["MP3"]} == {"MP3"}


def test_aims_are_reached_or_not():
    def row(name, value, ratio):
        full = {"ratio": ratio, "median": value / ratio}
        return {"name": name, "sknote": {"median": value}, "full": full}

    rows = [
        row("features from MP3, one core", 500, 7.0),
        row("only reading MP3, one core", 600, 1.1),
        row("features from WAV, one core", 490, 4.9),
        row("only reading WAV, one core", 510, 1.0),
        row("fit of 8,000 notes", 240, 99.0),
        row("inference in batches, from waveforms", 499, 1.0),
        row("inference of one 1-s note", 5.01, 1.0),
        row("inference of one 1-s note, exported to ONNX", 4.99, 1.0),
    ]
    table = show_speed.aim_table({"speed": rows})
    assert [cells[-1] for cells in table] == [
        "reached",
        "yes",
        *["no"] * 2,
        "yes",
        *["no"] * 2,
        "yes",
    ]
    assert table[3][2] == "4.9"
    assert table[4][2] == "5.1"  # 510 notes/s beside the recipe's 100
    fits = {"fit": {"seconds": 200.0}, "practice": {"seconds": 262.0}}
    table = show_speed.aim_table({"speed": rows} | fits)
    assert table[2] == ['a fit with augment="practice", times a fit', "at most 1.3", "1.31", "no"]
