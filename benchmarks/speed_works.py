"""Pieces of work that are timed side by side: sknote's default pipeline, the reference recipe."""

import tempfile
import timeit
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from sklearn.base import clone
from skorch.callbacks import Callback

from benchmarks import reference_recipe as recipe
from benchmarks.processes import threads_of
from sknote import make_note_pipeline
from sknote.deploy import OnnxNoteClassifier, export_onnx

NETWORKS = ("full", "starter")  # of the recipe
ALONE_CALLS = 20  # notes by themselves in one repetition
MATRIX_SIZE = 2048
TEMPORAL_INPUTS = 256 * 8  # channels and bands that the full network's layer over time gets


class Work(NamedTuple):
    """A piece of work that is timed several times."""

    name: str
    side: str  # "sknote", "reference" (both networks alike), "full", "starter", "GRU" or "machine"
    run: Callable  # of what was prepared
    n_notes: int = 1  # that times are divided by
    prepare: Callable = lambda repeat: None  # untimed, with the number of the repetition
    n_threads: int | None = None  # None: as many as there are
    n_calls: int = 1  # in a repetition


class Notes(NamedTuple):
    """What is worked on: format → paths of all notes; instrument and target of each."""

    files: dict
    instrument: np.ndarray
    target: np.ndarray

    def frame(self, audio):
        """Return the first notes, with this audio, as a pipeline takes them."""
        audio = pd.Series(list(audio), dtype=object)
        return pd.DataFrame({"audio": audio, "instrument": self.instrument[: len(audio)]})


class _DatasetKeeper(Callback):
    """Keep what a net was trained on, to make more batches of it."""

    def on_train_begin(self, net, X=None, **kwargs):
        self.dataset_ = X


def run_works(works, *, repeats, n_threads):
    """Run all work once, unmeasured, and then in turns; returns (name, side) → seconds per note."""
    seconds = defaultdict(list)
    # both the recipe and sknote's fit do so; denormal numbers would slow either down
    torch.set_flush_denormal(True)
    for repeat in range(-1, repeats):
        for work in works:
            with threads_of(min(work.n_threads or n_threads, n_threads)):
                run = partial(work.run, work.prepare(max(repeat, 0)))
                elapsed = np.array(timeit.repeat(run, number=1, repeat=work.n_calls))
            if repeat >= 0:
                seconds[work.name, work.side].extend(elapsed / work.n_notes)
        print(f"Repetition {repeat + 1} of {repeats}", flush=True)
    torch.set_flush_denormal(False)
    return {key: np.array(values) for key, values in seconds.items()}


def feature_works(notes):
    """Read files, and transform what was read, on one core; and as many threads as `fit` has."""
    works, n, steps = [], len(notes.target), make_note_pipeline()[:-1]

    def read(paths):
        return [recipe.load(path) for path in paths]

    def transform(paths):
        return [recipe.spectrogram(recipe.load(path)) for path in paths]

    runs = {"reading": (steps[0].fit_transform, read), "features": (steps.fit_transform, transform)}
    for kind, paths in notes.files.items():
        given = {"sknote": notes.frame(paths), "reference": paths}
        for name, both in runs.items():
            for run, (side, X) in zip(both, given.items()):
                one_core = {"prepare": lambda _, X=X: X, "n_threads": 1}
                works.append(Work(f"{name}, {kind}", side, run, n, **one_core))
    X = notes.frame(notes.files["WAV"])
    return [*works, Work("features of a fit", "sknote", lambda _: steps.fit_transform(X), n)]


class SknoteSide:
    """sknote's default pipeline, fitted on the notes (at 22,050 Hz), and what is timed of it."""

    def __init__(self, notes, waveforms, *, epochs, seed):
        pipeline = make_note_pipeline(classify__max_epochs=epochs, classify__random_state=seed)
        spectrograms = pipeline[:-1].fit_transform(notes.frame(waveforms))
        self.nets, self.datasets = {}, {}
        for augment in ("auto", None):
            keeper = _DatasetKeeper()
            classifier = clone(pipeline[-1]).set_params(augment=augment, callbacks=[keeper])
            self.nets[augment] = classifier.fit(spectrograms, notes.target).net_
            self.datasets[augment] = keeper.dataset_
        self.epochs = []  # seconds of each epoch of each fit

        def fit(_):
            pipeline[-1].fit(spectrograms, notes.target)
            self.epochs.append(pipeline[-1].history_[:, "dur"])

        fit(None)
        with tempfile.TemporaryDirectory() as folder:
            exported = OnnxNoteClassifier(export_onnx(pipeline, f"{folder}/notes.onnx"))
        n, one = len(notes.target), notes.frame([np.resize(waveforms[0], recipe.SAMPLE_RATE)])
        heard, files = notes.frame(waveforms), notes.frame(notes.files["WAV"])
        self.works = [
            Work("batches, augmented", "sknote", lambda _: self.batches(), n),
            Work("batches, plain", "sknote", lambda _: self.batches(None), n),
            Work("step", "sknote", self.train, n, prepare=lambda _: self.batches()),
            Work("fit", "sknote", fit, n),
            Work("batched", "sknote", lambda _: pipeline.predict(heard), n),
            Work("batched, files", "sknote", lambda _: pipeline.predict(files), n),
            Work("alone", "sknote", lambda _: pipeline.predict(one), n_calls=ALONE_CALLS),
            Work("alone, exported", "sknote", lambda _: exported.predict(one), n_calls=ALONE_CALLS),
        ]

    def batches(self, augment="auto"):
        """Assemble the batches of an epoch."""
        return list(self.nets[augment].get_iterator(self.datasets[augment], training=True))

    def train(self, batches):
        """Train a step on each batch."""
        for batch in batches:
            self.nets["auto"].train_step(batch)


def reference_works(notes, waveforms, *, seed):
    """Return what is timed of the reference recipe; each repetition draws other notes."""
    names, instrument = np.unique(notes.instrument.astype(str), return_inverse=True)
    classes, target = np.unique(notes.target, return_inverse=True)
    n_batch = min(recipe.BATCH_SIZE, len(waveforms))
    one_second = np.resize(waveforms[0], recipe.SAMPLE_RATE)
    files = notes.files["WAV"][: recipe.PREDICT_BATCH_SIZE]
    n = len(files)

    def draw(repeat):
        rng = np.random.default_rng([seed, repeat])
        return rng.choice(len(waveforms), n_batch, replace=False)

    def augment(rows):
        rng = np.random.default_rng([seed, *rows[:2]])
        return [recipe.augment(waveforms[row], rng) for row in rows]

    def batch(repeat):
        rows = draw(repeat)
        spectrograms = recipe.pad([recipe.spectrogram(waveform) for waveform in augment(rows)])
        return spectrograms, torch.as_tensor(instrument[rows]), torch.as_tensor(target[rows])

    works = [Work("augmentation", "reference", augment, n_batch, prepare=draw)]
    for kind in NETWORKS:
        torch.manual_seed(seed)
        network = recipe.ReferenceNetwork(kind, len(names), len(classes))
        step = recipe.training_step(network, target)
        predict = partial(recipe.predict, network, instrument=instrument[:n])
        alone = partial(recipe.predict, network, instrument=instrument[:1])
        works += [
            Work("step", kind, lambda b, step=step: step(*b), n_batch, prepare=batch),
            Work("batched", kind, predict, n, prepare=lambda _: waveforms[:n]),
            Work("batched, files", kind, lambda _, f=predict: f(map(recipe.load, files)), n),
            Work("alone", kind, alone, prepare=lambda _: [one_second], n_calls=ALONE_CALLS),
        ]
    torch.manual_seed(seed)
    network = recipe.ReferenceNetwork("full", len(names), len(classes), recurrent=True)
    step = recipe.training_step(network, target)
    works.append(Work("step", "GRU", lambda b, step=step: step(*b), n_batch, prepare=batch))
    return [*works, *_temporal_works(n_batch, lambda repeat: batch(repeat)[0].shape[-1])]


def _temporal_works(n_batch, n_frames):
    """Return a forward and a backward pass of the full network's layer over time, of both kinds."""

    def features(repeat):
        # three strides of 2 lie before it
        shape = n_batch, TEMPORAL_INPUTS, -(-n_frames(repeat) // 8)
        return torch.randn(shape, generator=torch.Generator().manual_seed(repeat))

    def both_ways(x, layer):
        layer(x.requires_grad_()).sum().backward()

    layers = {
        side: recipe.temporal_layer(TEMPORAL_INPUTS, recurrent=side == "GRU")
        for side in ("full", "GRU")
    }
    return [
        Work("layer", side, partial(both_ways, layer=layer), n_batch, prepare=features)
        for side, layer in layers.items()
    ]


def matmul_works():
    """Multiply large matrices, in each type of numbers that a network may be trained in."""
    works = []
    for dtype in ("float32", "bfloat16"):
        matrix = torch.ones(MATRIX_SIZE, MATRIX_SIZE, dtype=getattr(torch, dtype))
        works.append(Work(dtype, "machine", lambda _, m=matrix: m @ m, n_calls=5))
    return works
