"""Pieces of work that are timed side by side: sknote's default pipeline, the reference recipe."""

import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
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
LONGEST = 10.0  # seconds of a note that the recipe is given at most
ALONE_CALLS = 20  # notes by themselves in one repetition


class Work(NamedTuple):
    """A piece of work that is timed several times."""

    name: str
    side: str  # "sknote", "reference" (both networks alike), "full", "starter" or "machine"
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
    try:
        # both the recipe and sknote's fit do so; denormal numbers would slow either down
        torch.set_flush_denormal(True)
        for repeat in range(-1, repeats):
            for work in works:
                with threads_of(min(work.n_threads or n_threads, n_threads)):
                    argument = work.prepare(max(repeat, 0))
                    for _ in range(work.n_calls):
                        start = time.perf_counter()
                        work.run(argument)
                        elapsed = time.perf_counter() - start
                        if repeat >= 0:
                            seconds[work.name, work.side].append(elapsed / work.n_notes)
            print(f"Repetition {repeat + 1} of {repeats}", flush=True)
    finally:
        torch.set_flush_denormal(False)
    return dict(seconds)


def feature_works(notes):
    """Read files, and transform what was read, on one core; and as many threads as `fit` has."""
    works, n, steps = [], len(notes.target), make_note_pipeline()[:-1]

    def read(paths):
        return [recipe.load(path) for path in paths]

    def transform(paths):
        return [recipe.spectrogram(recipe.load(path)) for path in paths]

    runs = {"reading": (steps[0].fit_transform, read), "features": (steps.fit_transform, transform)}
    for kind, paths in notes.files.items():
        X = notes.frame(paths)
        given = {"sknote": lambda _, X=X: X, "reference": lambda _, X=paths: X}
        for name, both in runs.items():
            for run, (side, prepare) in zip(both, given.items()):
                works.append(Work(f"{name}, {kind}", side, run, n, prepare, n_threads=1))
    return [*works, Work("features of a fit", "sknote", steps.fit_transform, n, given["sknote"])]


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
        self.fits = []  # (seconds before the first epoch, seconds of the last epoch)

        def fit(_):
            start = time.perf_counter()
            epochs = pipeline[-1].fit(spectrograms, notes.target).history_[:, "dur"]
            self.fits.append((time.perf_counter() - start - sum(epochs), epochs[-1]))

        fit(None)
        with tempfile.TemporaryDirectory() as folder:
            exported = OnnxNoteClassifier(export_onnx(pipeline, f"{folder}/notes.onnx"))
        n, one = len(notes.target), notes.frame([_one_second(waveforms)])
        heard, files = notes.frame(waveforms), notes.frame(list(notes.files.values())[-1])
        alone = {"n_calls": ALONE_CALLS}
        self.works = [
            Work("batches, augmented", "sknote", lambda _: self.batches(), n),
            Work("batches, plain", "sknote", lambda _: self.batches(None), n),
            Work("step", "sknote", self.train, n, prepare=lambda _: self.batches()),
            Work("fit", "sknote", fit, n),
            Work("batched", "sknote", lambda _: pipeline.predict(heard), n),
            Work("batched, files", "sknote", lambda _: pipeline.predict(files), n),
            Work("alone", "sknote", lambda _: pipeline.predict(one), **alone),
            Work("alone, exported", "sknote", lambda _: exported.predict(one), **alone),
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
    limit = round(LONGEST * recipe.SAMPLE_RATE)
    waveforms = [waveform[:limit] for waveform in waveforms]
    paths, second = list(notes.files.values())[-1], _one_second(waveforms)
    names, instrument = np.unique(notes.instrument.astype(str), return_inverse=True)
    classes, target = np.unique(notes.target, return_inverse=True)
    n_batch = min(recipe.BATCH_SIZE, len(waveforms))
    n = min(recipe.PREDICT_BATCH_SIZE, len(waveforms))

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
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = recipe.ReferenceNetwork(kind, len(names), len(classes))
        training = recipe.ReferenceTraining(network, target)

        def predict(audio, network=network):
            recipe.predict_batch(network, audio, instrument[:n])

        def from_files(_, predict=predict):
            predict([recipe.load(path)[:limit] for path in paths[:n]])

        def alone(_, network=network):
            recipe.predict(network, second, instrument[0])

        works += [
            Work("step", kind, lambda b, t=training: t.step(*b), n_batch, prepare=batch),
            Work("batched", kind, predict, n, prepare=lambda _: waveforms[:n]),
            Work("batched, files", kind, from_files, n),
            Work("alone", kind, alone, n_calls=ALONE_CALLS),
        ]
    return works


def matmul_works(size=2048):
    """Multiply large matrices: a list of Work, and the number of operations of a product."""
    works = []
    for dtype in (torch.float32, torch.bfloat16):
        matrix = torch.linspace(-1, 1, size * size).reshape(size, size).to(dtype)
        name = f"matmul, {str(dtype).removeprefix('torch.')}"
        works.append(Work(name, "machine", lambda _, m=matrix: m @ m, n_calls=5))
    return works, 2 * size**3


def _one_second(waveforms):
    return np.resize(max(waveforms, key=len), recipe.SAMPLE_RATE)
