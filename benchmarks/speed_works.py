"""Pieces of work that are timed side by side: sknote's default pipeline, the reference recipe."""

import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from skorch.callbacks import Callback

from benchmarks import reference_recipe as recipe
from benchmarks.processes import threads_of
from sknote import NoteClassifier, make_note_pipeline
from sknote.deploy import OnnxNoteClassifier, export_onnx

NETWORKS = ("full", "starter")  # of the recipe
LONGEST = 10.0  # seconds of a note that the recipe is given at most
ALONE_CALLS = 20  # notes by themselves in one repetition


class Work(NamedTuple):
    """A piece of work that is timed several times.

    `side` says whose it is: "sknote", "reference" (both networks alike), "full", "starter" or
    "machine". ``run`` is called, `n_calls` times in a repetition, with what ``prepare(number of the
    repetition)`` returned, which is not timed. Times are divided by `n_notes`; None as `n_threads`
    is as many as there are.
    """

    name: str
    side: str
    run: Callable
    n_notes: int = 1
    prepare: Callable = lambda repeat: None
    n_threads: int | None = None
    n_calls: int = 1


class Notes(NamedTuple):
    """What is worked on: format → paths of all notes; instrument and target of each."""

    files: dict
    instrument: np.ndarray
    target: np.ndarray

    def frame(self, audio):
        """Return the first notes, with this audio, as a pipeline takes them."""
        instrument = self.instrument[: len(audio)]
        return pd.DataFrame(
            {"audio": pd.Series(list(audio), dtype=object), "instrument": instrument}
        )


class _DatasetKeeper(Callback):
    """Keep what a net was trained on, to make more batches of it."""

    def on_train_begin(self, net, X=None, **kwargs):
        self.dataset_ = X


def run_works(works, *, repeats, n_threads):
    """Run each piece of work once, unmeasured, and then all of them in turn, several times.

    Returns a dict of (name, side) → seconds per note of each call.
    """
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
    works, n = [], len(notes.target)
    for kind, paths in notes.files.items():
        steps, X = make_note_pipeline()[:-1], notes.frame(paths)
        own = {"reading": steps[0], "features": steps}
        literal = {
            "reading": recipe.load,
            "features": lambda path: recipe.spectrogram(recipe.load(path)),
        }
        for name, part in own.items():
            one = literal[name]
            run = {
                "sknote": lambda _, part=part, X=X: part.fit_transform(X),
                "reference": lambda _, one=one, paths=paths: [one(path) for path in paths],
            }
            works += [Work(f"{name}, {kind}", side, run[side], n, n_threads=1) for side in run]
    return [*works, Work("features of a fit", "sknote", run["sknote"], n)]


class SknoteSide:
    """sknote's default pipeline, fitted on the notes, and what is timed of it.

    `waveforms` are those of the notes, at 22,050 Hz; `epochs` those of each fit.
    """

    def __init__(self, notes, waveforms, *, epochs, seed):
        pipeline = make_note_pipeline(classify__max_epochs=epochs, classify__random_state=seed)
        spectrograms = pipeline[:-1].fit_transform(notes.frame(waveforms))
        self.nets, self.datasets = {}, {}
        for augment in ("auto", None):
            keeper = _DatasetKeeper()
            params = pipeline[-1].get_params(deep=False)
            params |= {"augment": augment, "callbacks": [keeper]}
            self.nets[augment] = NoteClassifier(**params).fit(spectrograms, notes.target).net_
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

        def batched(_, network=network):
            recipe.predict_batch(network, waveforms[:n], instrument[:n])

        def from_files(_, network=network):
            loaded = [recipe.load(path)[:limit] for path in paths[:n]]
            recipe.predict_batch(network, loaded, instrument[:n])

        def alone(_, network=network):
            recipe.predict(network, second, instrument[0])

        works += [
            Work("step", kind, lambda b, t=training: t.step(*b), n_batch, prepare=batch),
            Work("batched", kind, batched, n),
            Work("batched, files", kind, from_files, n),
            Work("alone", kind, alone, n_calls=ALONE_CALLS),
        ]
    return works


def matmul_works(size=2048):
    """Multiply two large matrices, in float32 and in bfloat16.

    Returns a list of Work, and the number of operations of a product.
    """
    works = []
    for dtype in (torch.float32, torch.bfloat16):
        matrix = torch.linspace(-1, 1, size * size).reshape(size, size).to(dtype)
        name = f"matmul, {str(dtype).removeprefix('torch.')}"
        works.append(Work(name, "machine", lambda _, m=matrix: m @ m, n_calls=5))
    return works, 2 * size**3


def _one_second(waveforms):
    return np.resize(max(waveforms, key=len), recipe.SAMPLE_RATE)
