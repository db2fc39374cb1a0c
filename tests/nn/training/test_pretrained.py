"""A training that begins with weights that there are."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from toys import FRAMES, LABELS, SMALL, model, toy

from sknote.nn import NoteAnalyzer, PretrainedWeights, SimpleStarterModel

X, Y = toy(36)
INSTRUMENTS = ["trumpet", "flute", "cello"]  # in an order of their own
NAMES = ["good sound", "bad^attack", "never seen", "bad > worse"]


def notes(instruments=("cello", "trumpet")):
    names = np.array(instruments)[np.arange(len(X)) % len(instruments)]
    return pd.DataFrame({"audio": pd.Series(X, dtype=object), "instrument": names})


def weights(kind=SimpleStarterModel, n_rows=3, n_labels=4):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        return kind(n_rows, n_labels).state_dict()


def as_reference(state):
    """The same state in the names of the reference recipe."""
    out = {}
    for name, value in state.items():
        if name.startswith("cnn."):
            index = int(name.split(".")[1])
            name = name.replace(f"cnn.{index}.", f"cnn.{index // 2 * 3 + index % 2}.")
        out[name] = value
    return out


def started(callback, X=None, **params):
    """A network as it was before the first step: its rate is next to nothing."""
    settings = FRAMES | {"max_epochs": 1, "lr": 1e-12, "n_threads": 1} | params
    fitted = model(callbacks=[callback], **settings).fit(notes() if X is None else X, Y)
    return fitted, fitted.net_.module_.state_dict()


def same(found, expected):
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "kind", "head"),
    [("starter", SimpleStarterModel, "classifier.3"), ("analyzer", NoteAnalyzer, "classifier")],
)
@pytest.mark.parametrize("written", [lambda state: state, as_reference], ids=["own", "reference"])
def test_rows_are_matched_by_name(name, kind, head, written, tmp_path):
    state = weights(kind)
    torch.save(written(state), tmp_path / "best.pth")
    begin = PretrainedWeights(tmp_path / "best.pth", instruments=INSTRUMENTS, labels=NAMES)
    fitted, found = started(begin, module=name)
    assert fitted.instruments_ == ["cello", "trumpet"]
    table = state["instrument_embedding.weight"]
    same(found["instrument_embedding.weight"], torch.stack([table.mean(dim=0), table[2], table[0]]))
    assert list(fitted.classes_) == sorted(LABELS)
    rows = [NAMES.index(label) for label in fitted.classes_]
    for part in ("weight", "bias"):
        same(found[f"{head}.{part}"], state[f"{head}.{part}"][rows])
    for other in ("cnn.0.weight", "cnn.2.bias"):
        same(found[other], state[other])


def test_a_row_for_unknown_instruments_is_kept():
    state = weights(n_rows=4)
    begin = PretrainedWeights(state, instruments=INSTRUMENTS, labels=NAMES)
    _, found = started(begin, notes(["cello", "flute", "tuba"]))
    table = state["instrument_embedding.weight"]
    same(found["instrument_embedding.weight"], table[[0, 3, 2, 0]])  # a tuba is as unknown


def test_what_is_not_named_begins_anew():
    state = weights()
    fitted, found = started(PretrainedWeights(state))
    _, new = started(PretrainedWeights(state, labels=["good sound", "a", "b", "c"]))
    table = state["instrument_embedding.weight"].mean(dim=0)
    same(found["instrument_embedding.weight"], table.expand(3, -1))
    head = "classifier.3.weight"
    assert found[head].shape == (3, 256)
    row = list(fitted.classes_).index("good sound")
    same(new[head][row], state[head][0])
    others = [i for i in range(3) if i != row]
    same(new[head][others], found[head][others])  # as in a new network of this seed
    assert not torch.allclose(found[head][row], state[head][0])


def test_a_note_is_answered_as_by_the_network_that_there_was():
    state = weights()
    begin = PretrainedWeights(state, instruments=INSTRUMENTS, labels=NAMES)
    fitted, found = started(begin)
    network = SimpleStarterModel(3, 4).train()
    network.load_state_dict(state)
    # statistics of the normalization are the training's
    network.load_state_dict({name: x for name, x in found.items() if "cnn." in name}, strict=False)
    x = (np.concatenate(X[:1]) - fitted.mean_["spectrogram"]) / fitted.scale_["spectrogram"]
    x = torch.as_tensor(x, dtype=torch.float32)[None]
    with torch.no_grad():
        logits = network.eval()(x, torch.tensor([x.shape[1]]), torch.tensor([2]))  # a cello
    expected = logits[0, [NAMES.index(label) for label in fitted.classes_]].softmax(dim=0)
    found = fitted.predict_proba(notes().iloc[:1])[0]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_further_training_goes_on_from_its_own_weights():
    begin = PretrainedWeights(weights(), instruments=INSTRUMENTS, labels=NAMES)
    fitted = model(**FRAMES, callbacks=[begin], warm_start=True, max_epochs=2).fit(notes(), Y)
    before = fitted.net_.module_.classifier[3].weight.detach().clone()
    fitted.set_params(lr=1e-12).fit(notes(), Y)
    same(fitted.net_.module_.classifier[3].weight.detach(), before)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict(notes()), fitted.predict(notes()))
    assert len(clone(fitted).fit(notes(), Y).history_) == 2


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"instruments": INSTRUMENTS[:1]}, r"expected instruments to be 2 or 3 different names"),
        ({"instruments": ["flute"] * 3}, r"different names.*got 1 different of 3"),
        ({"labels": NAMES[:3]}, "expected labels to be 4 different names, .*got 3 different of 3"),
        ({"labels": "abcd"}, "expected labels to be a list, got 'abcd'"),
        ({"labels": list("abcd")}, r"got \['a', 'b', 'c', 'd'\]\. Pass labels=None"),
        ({"weights": weights(NoteAnalyzer)}, "weights do not fit SimpleStarterModel. Choose the"),
        ({"weights": {}}, "weights do not fit SimpleStarterModel.*Missing key"),
    ],
)
def test_what_does_not_fit_is_refused(params, message):
    with pytest.raises(ValueError, match=f"(?s)PretrainedWeights: .*{message}"):
        started(PretrainedWeights(**({"weights": weights()} | params)))


def test_the_default_network_has_no_such_layer():
    with pytest.raises(ValueError, match=r"last layer is linear.*CompactNet has none.*warm_start"):
        started(PretrainedWeights(weights()), module="compact", module_params=SMALL)


class Mine(torch.nn.Module):
    """A network of one's own, in names of its own."""

    def __init__(self, num_instruments, num_classes, n_bins):
        super().__init__()
        self.who = torch.nn.Embedding(num_instruments, 8)
        self.out = torch.nn.Linear(n_bins + 8, num_classes)

    def forward(self, spectrogram, lengths, instrument):
        mean = spectrogram.sum(dim=1) / lengths[:, None]
        return self.out(torch.cat([mean, self.who(instrument)], dim=1))


class Deaf(Mine):
    """One that has no rows of instruments."""

    def __init__(self, num_classes, n_bins):
        super().__init__(1, num_classes, n_bins)


@pytest.mark.parametrize("n_rows", [3, 4])
def test_rows_of_instruments_have_any_name(n_rows):
    state = Mine(n_rows, 4, X[0].shape[1]).state_dict()
    begin = PretrainedWeights(state, instruments=INSTRUMENTS, labels=NAMES)
    _, found = started(begin, module=Mine)
    table = state["who.weight"]
    unknown, known = (table[0], table[1:]) if n_rows == 4 else (table.mean(dim=0), table)
    same(found["who.weight"], torch.stack([unknown, known[2], known[0]]))


def test_names_for_which_there_are_no_rows_are_refused():
    state = Deaf(4, X[0].shape[1]).state_dict()
    with pytest.raises(ValueError, match="Deaf or its weights have no rows of them"):
        started(PretrainedWeights(state, instruments=INSTRUMENTS), module=Deaf)


def test_instruments_of_other_names_are_said():
    begin = PretrainedWeights(weights(), instruments=["Trumpet", "Flute", "Cello"])
    with pytest.warns(UserWarning, match=r"none of .*\['cello', 'trumpet'\].*begin as unknown"):
        _, found = started(begin)
    same(found["instrument_embedding.weight"].std(dim=0, correction=0), torch.zeros(32))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (SimpleStarterModel(3, 4), "holds something else.*pass its state_dict"),
        (
            {"model": weights(), "epoch": 3},
            r"no Tensor: \['model', 'epoch'\]. Pass what is .*'model'",
        ),
        ([1.0, 2.0], r"got '.*best.pth'\."),
        (b"hello, this is text", "holds something else"),
        (b"", "holds something else"),
    ],
    ids=["a network", "more than weights", "a list", "text", "nothing"],
)
def test_files_of_something_else_are_refused(content, message, tmp_path):
    path = tmp_path / "best.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(
        (ValueError, TypeError), match=f"(?s)PretrainedWeights: expected.*{message}"
    ):
        started(PretrainedWeights(path))


def test_a_network_is_no_state_and_a_missing_file_is_one(tmp_path):
    with pytest.raises(TypeError, match=r"got a SimpleStarterModel\. Pass its state_dict\(\)"):
        started(PretrainedWeights(SimpleStarterModel(3, 4)))
    with pytest.raises(FileNotFoundError, match=r"none\.pth"):
        started(PretrainedWeights(tmp_path / "none.pth"))


def test_weights_of_parallel_networks_are_weights():
    begin, parallel = (
        PretrainedWeights(state, instruments=INSTRUMENTS, labels=NAMES)
        for state in (weights(), {f"module.{name}": value for name, value in weights().items()})
    )
    (_, one), (_, other) = started(begin), started(parallel)
    same(one, other)
