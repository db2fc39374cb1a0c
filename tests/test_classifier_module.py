"""NoteClassifier(module=, module_params=): what makes a network, and what is refused by name."""

import functools

import pytest
import torch
from toys import SMALL, model, toy

from sknote.nn import CompactNet, NoteAnalyzer, NoteNetwork, SimpleStarterModel


@pytest.fixture(scope="module")
def data():
    return toy()


class Mean(torch.nn.Module):
    """The simplest network that there can be, with the arguments that it names."""

    def __init__(self, num_classes, n_bins=8, **others):
        super().__init__()
        self.others = others
        self.layer = torch.nn.Linear(n_bins, num_classes)

    def forward(self, spectrogram, lengths, instrument):
        return self.layer(spectrogram.mean(dim=1))


class Other(Mean):
    def forward(self, x):
        return self.layer(x)


class Without(torch.nn.Module):
    def __init__(self, num_classes):
        super().__init__()

    def forward(self, spectrogram, lengths, instrument):
        return spectrogram.mean(dim=1)


class Needs(Mean):
    def __init__(self, num_classes, depth):
        super().__init__(num_classes)


class Fails(Mean):
    def __init__(self, num_classes):
        raise KeyError("depth")


def make_mean(num_classes, num_instruments):
    return Mean(num_classes)


@pytest.mark.parametrize(
    ("module", "params"),
    [
        (Mean, None),
        (Mean, {"anything": 3}),
        (functools.partial(Mean), None),
        (functools.partial(CompactNet, **SMALL), None),
        (make_mean, None),
        (lambda num_classes: Mean(num_classes), None),
        (lambda **given: Mean(given["num_classes"]), None),
        (lambda **given: NoteAnalyzer(**given), {"attack_seconds": None}),
        (Needs, {"depth": 2}),
    ],
)
def test_what_makes_a_network(data, module, params):
    classifier = model(module=module, module_params=params, max_epochs=1).fit(*data)
    assert classifier.predict_proba(data[0]).shape == (len(data[0]), 3)


IS_NONE = "expected module to be 'compact', 'analyzer', 'starter' or a class of torch"


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (int, IS_NONE),
        (dict, IS_NONE),
        (Exception, IS_NONE),
        (functools.partial(int, base=2), IS_NONE),
        (print, "expected module to make a torch.nn.Module, print makes NoneType"),
        (len, "len cannot be made with module_params={}: TypeError: "),
        (lambda **given: 5, "<lambda> makes int. Pass the class of your network"),
        (lambda *given: {}, "<lambda> makes dict"),
        (lambda **given: CompactNet(**given), "<lambda> makes CompactNet, and does not say so"),
        (
            torch.nn.Linear,
            r"Linear cannot be made .* missing 2 .* 'in_features' and 'out_features'",
        ),
        (
            functools.partial(torch.nn.Linear, 8, 3),
            r"expected Linear.forward\(spectrogram, lengths",
        ),
        (torch.nn.ReLU, "expected ReLU to have weights that can be trained"),
        (Without, "expected Without to have weights that can be trained"),
        (Other, r"expected Other.forward\(spectrogram, lengths, instrument\), got forward\(x\)"),
        (Needs, "Needs cannot be made .* missing 1 required positional argument: 'depth'"),
        (Fails, "Fails cannot be made with module_params={}: KeyError: 'depth'"),
        (NoteNetwork, "NoteNetwork cannot be made|NoteNetwork to have weights"),
        (CompactNet(), "expected module to be a class, got an instance of CompactNet"),
    ],
)
def test_what_makes_none_is_named(data, module, message):
    classifier = model(module=module, module_params=None, max_epochs=1)
    with pytest.raises(ValueError, match=f"^NoteClassifier: .*{message}"):
        classifier.fit(*data)
    assert not hasattr(classifier, "net_")


COMPACT = [
    *[("dropout", value) for value in (5, -0.1, 1.0, float("nan"), "0.2", None, True)],
    *[(name, -1) for name in ("n_profiles", "n_cepstra", "n_functionals")],
    *[(name, 1.5) for name in ("n_profiles", "channels", "width")],
    *[(name, 0) for name in ("channels", "n_coefficients", "n_members", "width")],
    *[(name, "2") for name in ("n_cepstra", "n_members")],
    ("n_members", True),
    ("width", 10**12),
]
FOCUS = [
    *[("attack_seconds", value) for value in (0, -1, float("nan"), float("inf"), "0.1")],
    *[("short_seconds", value) for value in (-1, float("nan"), None)],
    *[("frame_rate", value) for value in (0, -50.0)],
]


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [
        *[("compact", *pair) for pair in COMPACT],
        *[(kind, *pair) for kind in ("analyzer", "starter") for pair in FOCUS[:-2]],
    ],
)
def test_parameters_that_make_no_network(data, module, name, value):
    params = (SMALL if module == "compact" else {}) | {name: value}
    kind = {"compact": "CompactNet", "analyzer": "NoteAnalyzer", "starter": "SimpleStarterModel"}
    match = rf"NoteClassifier: {kind[module]} cannot be made with module_params=.*: (\w+: )+.*"
    with pytest.raises(ValueError, match=match) as caught:
        model(module=module, module_params=params).fit(*data)
    assert value == 10**12 or f"expected {name}" in str(caught.value)


@pytest.mark.parametrize("name", ["num_classes", "num_instruments", "n_bins"])
def test_parameters_that_are_those_of_the_notes(data, name):
    with pytest.raises(ValueError, match=f"expected module_params without {name}, .* got 7"):
        model(module_params=SMALL | {name: 7}).fit(*data)
    model(module_params=SMALL | {"n_bins": 8, "num_classes": 3}, max_epochs=1).fit(*data)


@pytest.mark.parametrize("kind", ["analyzer", "starter"])
def test_a_frame_rate_that_is_not_that_of_the_notes(data, kind):
    with pytest.raises(ValueError, match=r"module_params without frame_rate, .* got 10.0"):
        model(module=kind, module_params={"frame_rate": 10.0}).fit(*data)
    match = r"names \['sample_rate'\]; .* and the classifier itself gives \['frame_rate', 'num_"
    with pytest.raises(ValueError, match=match):
        model(module=kind, module_params={"sample_rate": 8000}).fit(*data)


class Anything(NoteAnalyzer):
    """Takes whatever it is given."""

    def __init__(self, num_classes=2, num_instruments=2, **params):
        super().__init__(num_classes=num_classes, num_instruments=num_instruments)


@pytest.mark.parametrize("name", ["num_classes", "num_instruments", "n_bins", "axes", "frame_rate"])
def test_a_network_that_takes_anything_is_not_told_another_thing_either(data, name):
    with pytest.raises(ValueError, match=f"expected module_params without {name}, .* got 7"):
        model(module=Anything, module_params={name: 7}).fit(*data)


@pytest.mark.parametrize("kind", [NoteAnalyzer, SimpleStarterModel])
def test_networks_refuse_them_by_themselves(kind):
    with pytest.raises(ValueError, match=f"{kind.__name__}: expected short_seconds"):
        kind(short_seconds=-1)
    with pytest.raises(ValueError, match="CompactNet: expected n_bins to be a whole number"):
        CompactNet(n_bins=0)
