"""The networks that look at frames: layers, counts, masks, attack focus."""

import math
from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from sknote.nn import NoteAnalyzer, SimpleStarterModel

RATE = 22050 / 128
NETWORKS = {
    "starter": SimpleStarterModel,
    "starter with focus": lambda *args: SimpleStarterModel(*args, attack_seconds=0.1),
    "analyzer": NoteAnalyzer,
}


def spectrogram(lengths, n_bins=24, dtype=torch.float32):
    generator = torch.Generator().manual_seed(sum(lengths))
    x = torch.randn(len(lengths), max(lengths), n_bins, generator=generator, dtype=dtype)
    for row, length in enumerate(lengths):
        x[row, length:] = 0
    return x


def lived_in(name, n_instruments=12, n_classes=10):
    """A network whose parameters and running statistics are not those of a new one."""
    torch.manual_seed(0)
    network = NETWORKS[name](n_instruments, n_classes)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    network.train()
    with torch.no_grad():
        for _ in range(3):
            network(3 + 2 * spectrogram([40, 30]), torch.tensor([40, 30]), torch.tensor([0, 1]))
    return network.eval()


@pytest.fixture(autouse=True)
def _own_generator():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def n_parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


def dense(n_in, n_out):
    return n_in * n_out + n_out


def conv(n_in, n_out, *kernel):
    return n_in * n_out * math.prod(kernel) + n_out


@pytest.mark.parametrize(("n_instruments", "n_classes"), [(12, 100), (3, 7)])
def test_parameters_of_the_starter(n_instruments, n_classes):
    convolutions = conv(1, 64, 3, 3) + 2 * 64 + conv(64, 128, 3, 3) + 2 * 128
    head = dense(128 + 32, 256) + dense(256, n_classes)
    expected = 32 * n_instruments + convolutions + head
    assert n_parameters(SimpleStarterModel(n_instruments, n_classes)) == expected


@pytest.mark.parametrize(("n_instruments", "n_classes"), [(12, 100), (3, 7)])
def test_parameters_of_the_analyzer(n_instruments, n_classes):
    widths = [(1, 64), (64, 128), (128, 256)]
    convolutions = sum(conv(a, b, 3, 3) + 2 * b for a, b in widths)
    temporal = conv(256 * 8, 512, 3)
    head = dense(512 + 64, 512) + dense(512, n_classes)
    expected = 64 * n_instruments + convolutions + temporal + head
    assert n_parameters(NoteAnalyzer(n_instruments, n_classes)) == expected


@pytest.mark.parametrize(
    ("network", "widths", "dropout"),
    [(SimpleStarterModel(), (1, 64, 128), 0.3), (NoteAnalyzer(), (1, 64, 128, 256), 0.3)],
)
def test_layers(network, widths, dropout):
    convolutions = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    for layer, (n_in, n_out) in zip(convolutions, pairwise(widths), strict=True):
        assert (layer.in_channels, layer.out_channels) == (n_in, n_out)
        assert (layer.kernel_size, layer.stride, layer.padding) == ((3, 3), (2, 2), (1, 1))
    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert [layer.num_features for layer in norms] == list(widths[1:])
    assert [m.p for m in network.modules() if isinstance(m, nn.Dropout)] == [dropout]
    assert network.instrument_embedding.weight.shape[0] == 12


def test_shapes_of_the_analyzer():
    network = NoteAnalyzer()
    assert network.instrument_embedding.embedding_dim == 64
    assert (network.temporal.in_channels, network.temporal.out_channels) == (2048, 512)
    assert (network.temporal.kernel_size, network.temporal.padding) == ((3,), (1,))
    assert network.fusion[0].weight.shape == (512, 576)
    assert network.classifier.weight.shape == (100, 512)


def test_shapes_of_the_starter():
    network = SimpleStarterModel()
    assert network.instrument_embedding.embedding_dim == 32
    assert network.classifier[0].weight.shape == (256, 160)
    assert network.classifier[-1].weight.shape == (100, 256)


def convolved(network, x):
    """Convolution, batch normalization, ReLU on notes of equal length, by torch's functions."""
    x = x.transpose(1, 2)[:, None]
    layers = list(network.cnn)
    for c, n in zip(layers[::2], layers[1::2]):
        x = F.conv2d(x, c.weight, c.bias, stride=2, padding=1)
        x = F.batch_norm(x, n.running_mean, n.running_var, n.weight, n.bias, eps=n.eps)
        x = F.relu(x)
    return x


@pytest.mark.parametrize("n_frames", [87, 200, 201])  # half a second and more
@pytest.mark.parametrize("n_bins", [257, 64])
def test_the_analyzer_without_padding_in_torch_functions(n_frames, n_bins):
    network = lived_in("analyzer")
    x, instrument = spectrogram([n_frames, n_frames], n_bins), torch.tensor([3, 4])
    features = F.adaptive_avg_pool2d(convolved(network, x), (8, None)).flatten(1, 2)
    features = F.conv1d(features, network.temporal.weight, network.temporal.bias, padding=1)
    features = F.adaptive_avg_pool1d(features, 1).squeeze(2)
    features = torch.cat([features, network.instrument_embedding.weight[instrument]], dim=1)
    fused = F.relu(F.linear(features, network.fusion[0].weight, network.fusion[0].bias))
    expected = F.linear(fused, network.classifier.weight, network.classifier.bias)
    logits = network(x, torch.tensor([n_frames, n_frames]), instrument)
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("n_frames", [1, 20, 201])
def test_the_starter_without_padding_in_torch_functions(n_frames):
    network = lived_in("starter")
    x, instrument = spectrogram([n_frames, n_frames], 257), torch.tensor([3, 4])
    features = F.adaptive_avg_pool2d(convolved(network, x), 1).flatten(1)
    features = torch.cat([features, network.instrument_embedding.weight[instrument]], dim=1)
    first, last = network.classifier[0], network.classifier[-1]
    hidden = F.relu(F.linear(features, first.weight, first.bias))
    expected = F.linear(hidden, last.weight, last.bias)
    logits = network(x, torch.tensor([n_frames, n_frames]), instrument)
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)


# frames of: 1 frame, around every stride, 0.05 s, around 0.5 s, 1 s, 5 s; and, below, 60 s
LENGTHS = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 24, 25, 85, 86, 87, 172, 861]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("lengths", [LENGTHS, LENGTHS[::-1], [9, 10336, 1]])
def test_alone_is_as_in_any_batch(name, lengths):
    network = lived_in(name)
    x, lengths = spectrogram(lengths), torch.tensor(lengths)
    instrument = torch.arange(len(lengths)) % 12
    with torch.inference_mode():
        together = network(x, lengths, instrument)
        for row, length in enumerate(lengths):
            alone = network(
                x[row : row + 1, :length], lengths[row : row + 1], instrument[row : row + 1]
            )
            torch.testing.assert_close(alone[0], together[row], rtol=0, atol=1e-5)
    assert torch.isfinite(together).all()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("training", [False, True])
def test_gradients_never_see_padding(name, training):
    network = lived_in(name).train(training)
    lengths = torch.tensor([1, 40, 13, 100])
    x = torch.randn(4, 100, 24, requires_grad=True)  # the padding holds anything
    network(x, lengths, torch.tensor([0, 1, 2, 3])).square().sum().backward()
    for row, length in enumerate(lengths.tolist()):
        assert (x.grad[row, length:] == 0).all()
        assert (x.grad[row, :1] != 0).any()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("training", [False, True])
def test_what_the_padding_holds_means_nothing(name, training):
    network = lived_in(name).train(training)
    lengths, instrument = torch.tensor([1, 40, 13, 100]), torch.tensor([0, 1, 2, 3])
    x = spectrogram(lengths.tolist())
    spoilt = x.clone()
    for row, length in enumerate(lengths.tolist()):
        spoilt[row, length:] = 1e3
    out = []
    for values in (x, spoilt):
        torch.manual_seed(1)  # dropout
        out.append(network(values, lengths, instrument))
    assert torch.equal(*out)


@pytest.mark.parametrize("name", NETWORKS)
def test_more_padding_means_nothing(name):
    network = lived_in(name)
    lengths, instrument = torch.tensor([30, 50]), torch.tensor([0, 1])
    x = spectrogram([30, 50])
    expected = network(x, lengths, instrument)
    for extra in (1, 2, 3, 4, 5, 6, 7, 50):
        padded = F.pad(x, (0, 0, 0, extra))
        torch.testing.assert_close(
            network(padded, lengths, instrument), expected, atol=1e-5, rtol=0
        )


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", ["analyzer", "starter with focus"])
def test_a_short_note_is_judged_by_its_attack(name, training):
    """The gradient tells what a logit looks at; dropout off, so that it looks at all it may."""
    network = lived_in(name).train(training)
    for module in network.modules():
        if isinstance(module, (nn.Dropout, nn.BatchNorm2d)):
            module.eval()  # the statistics of a batch look at every frame
    short, long = round(0.4 * RATE), round(0.6 * RATE)
    for length, seen_until in [(short, 0.15), (long, 0.6)]:
        x = spectrogram([length]).requires_grad_()
        network(x, torch.tensor([length]), torch.tensor([0])).square().sum().backward()
        seen = x.grad[0].abs().sum(dim=1).nonzero()[:, 0] / RATE
        assert seen.min() == 0
        assert 0.1 <= seen.max() <= seen_until
        if length == long:
            assert seen.max() > 0.55


def test_the_starter_as_in_the_literature_hears_the_whole_of_a_short_note():
    network = lived_in("starter")
    x = spectrogram([60]).requires_grad_()
    network(x, torch.tensor([60]), torch.tensor([0])).square().sum().backward()
    assert (x.grad[0].abs().sum(dim=1) > 0).all()


def test_attack_focus_follows_the_frame_rate():
    for factor in (1, 4):
        network = NoteAnalyzer(frame_rate=factor * RATE).eval()
        length = round(0.4 * factor * RATE)
        x = spectrogram([length]).requires_grad_()
        network(x, torch.tensor([length]), torch.tensor([0])).square().sum().backward()
        seen = x.grad[0].abs().sum(dim=1).nonzero().max() / (factor * RATE)
        assert 0.09 <= seen <= 0.15


@pytest.mark.parametrize("name", NETWORKS)
def test_the_instrument_is_heard(name):
    network = lived_in(name)
    x, lengths = spectrogram([50, 50]), torch.tensor([50, 50])
    x[1] = x[0]
    same = network(x, lengths, torch.tensor([2, 2]))
    other = network(x, lengths, torch.tensor([2, 3]))
    torch.testing.assert_close(same[0], same[1], atol=1e-6, rtol=0)
    assert (other[0] - other[1]).abs().max() > 1e-4


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("n_bins", [1, 2, 24])
def test_double_precision(name, n_bins):
    network = NETWORKS[name](3, 4)
    x, lengths = spectrogram([1, 30], n_bins, torch.float64), torch.tensor([1, 30])
    single = network.eval()(x.float(), lengths, torch.tensor([0, 1]))
    double = network.double()(x, lengths, torch.tensor([0, 1]))
    assert double.dtype == torch.float64
    torch.testing.assert_close(double.float(), single, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("lengths", [[1, 1], [3, 2], [9, 5]])
def test_bfloat16_on_few_frames_reads_no_memory_that_nobody_wrote(name, lengths):
    """oneDNN's strided convolutions did; memory is filled with NaN here, so that it would show."""
    network = lived_in(name).train()
    seen = []
    for _ in range(5):
        spoilt = [
            torch.full((n,), torch.nan, dtype=dtype)
            for n in (64, 10**3, 10**4, 10**5)
            for dtype in (torch.float32, torch.bfloat16)
        ]
        del spoilt
        torch.manual_seed(1)
        network.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = network(spectrogram(lengths), torch.tensor(lengths), torch.tensor([0, 1]))
        logits.float().square().sum().backward()
        grads = [p.grad.flatten() for p in network.parameters() if p.grad is not None]
        seen.append(torch.cat([logits.float().detach().flatten(), *grads]))
    assert torch.isfinite(seen[0]).all()
    assert all(torch.equal(again, seen[0]) for again in seen)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_parameter_learns(name):
    network = lived_in(name, n_instruments=2).train()
    lengths = torch.tensor([40, 31, 100])
    logits = network(spectrogram(lengths.tolist()), lengths, torch.tensor([0, 1, 1]))
    target = torch.tensor([0, 1, 2])
    F.cross_entropy(logits, target).backward()
    still = [
        name
        for name, parameter in network.named_parameters()
        if parameter.grad is None or not (parameter.grad != 0).any()
    ]
    assert still == []
