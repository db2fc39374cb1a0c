"""Pieces of work that are timed side by side: sknote's default pipeline, and the guide's."""

import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from skorch.callbacks import Callback
from threadpoolctl import threadpool_limits

from benchmarks import guide
from sknote import NoteClassifier, make_note_pipeline
from sknote.deploy import OnnxNoteClassifier, export_onnx

NETWORKS = ("full", "starter")
LONGEST = 10.0  # seconds of a note that the guide's pipeline is given at most
ALONE_CALLS = 20  # notes by themselves in one repetition


@dataclass
class Work:
    """A piece of work that is timed several times.

    Attributes
    ----------
    name : str
    side : str
        Whose: "sknote", "guide" (both networks alike), "full", "starter" or "machine".
    run : callable
        Called with what `prepare` returned, or without it with the number of the repetition.
    n_notes : int
        How many notes it treats; times are divided by it.
    prepare : callable or None
        Called with the number of the repetition, and not timed.
    n_threads : int or None
        Threads that it may use; None is as many as there are.
    n_calls : int
        How often it is run in one repetition.
    """

    name: str
    side: str
    run: Callable
    n_notes: int = 1
    prepare: Callable | None = None
    n_threads: int | None = None
    n_calls: int = 1


@dataclass
class Notes:
    """What is worked on.

    Attributes
    ----------
    files : dict of str to list of str
        Format → paths, one for each note.
    instrument : object ndarray of shape (n_notes,)
    target : ndarray of shape (n_notes,)
    """

    files: dict
    instrument: np.ndarray
    target: np.ndarray

    def __len__(self):
        return len(self.target)

    def frame(self, audio):
        """Return the notes, with this audio, as a pipeline takes them."""
        column = np.empty(len(audio), dtype=object)
        column[:] = audio
        return pd.DataFrame({"audio": column, "instrument": self.instrument[: len(audio)]})


class _DatasetKeeper(Callback):
    """Keep what a net was trained on, to make more batches of it."""

    def on_train_begin(self, net, X=None, **kwargs):
        self.dataset_ = X


def run_works(works, *, repeats, n_threads, on_repeat=None):
    """Run each piece of work once, unmeasured, and then all of them in turn, several times.

    Parameters
    ----------
    works : list of Work
    repeats : int
    n_threads : int
        Threads at most.
    on_repeat : callable or None, default=None
        Called with the number of each repetition when it ends.

    Returns
    -------
    dict of (str, str) to list of float
        Name and side → seconds per note, of each call.
    """
    seconds = defaultdict(list)
    before = torch.get_num_threads()
    try:
        # both the guide and sknote's fit do so; denormal numbers would slow either down
        torch.set_flush_denormal(True)
        for repeat in range(-1, repeats):
            for work in works:
                own_threads = min(work.n_threads or n_threads, n_threads)
                torch.set_num_threads(own_threads)
                with threadpool_limits(own_threads):
                    argument = repeat if work.prepare is None else work.prepare(max(repeat, 0))
                    for _ in range(work.n_calls):
                        start = time.perf_counter()
                        work.run(argument)
                        elapsed = time.perf_counter() - start
                        if repeat >= 0:
                            seconds[work.name, work.side].append(elapsed / work.n_notes)
            if on_repeat is not None and repeat >= 0:
                on_repeat(repeat)
    finally:
        torch.set_num_threads(before)
        torch.set_flush_denormal(False)
    return dict(seconds)


def feature_works(notes):
    """Read files, and transform what was read, on one core; and as many threads as `fit` has."""
    works = []
    for kind, paths in notes.files.items():
        name = f"features, {kind}"
        steps = make_note_pipeline()[:-1]
        frame = notes.frame(paths)

        def by_guide(_, paths=paths):
            for path in paths:
                guide.spectrogram(guide.load(path))

        def by_sknote(_, steps=steps, frame=frame):
            steps.fit_transform(frame)

        def read_by_guide(_, paths=paths):
            for path in paths:
                guide.load(path)

        def read_by_sknote(_, load=steps[0], frame=frame):
            load.fit_transform(frame)

        reading = f"reading, {kind}"
        works.append(Work(reading, "sknote", read_by_sknote, len(notes), n_threads=1))
        works.append(Work(reading, "guide", read_by_guide, len(notes), n_threads=1))
        works.append(Work(name, "sknote", by_sknote, len(notes), n_threads=1))
        works.append(Work(name, "guide", by_guide, len(notes), n_threads=1))
    # the last one's steps again
    works.append(Work("features of a fit", "sknote", by_sknote, len(notes)))
    return works


class SknoteSide:
    """sknote's default pipeline, fitted on the notes, and what is timed of it.

    Parameters
    ----------
    notes : Notes
    waveforms : list of ndarray
        The notes at 22,050 Hz.
    epochs : int
        Of each fit.
    seed : int
    """

    def __init__(self, notes, waveforms, *, epochs, seed):
        self.notes, self.waveforms = notes, waveforms
        self.pipeline = make_note_pipeline(classify__max_epochs=epochs, classify__random_state=seed)
        self.spectrograms = self.pipeline[:-1].fit_transform(notes.frame(waveforms))
        self.fits = []  # (seconds before the first epoch, seconds of the last epoch)
        self.nets, self.datasets = {}, {}
        for augment in ("auto", None):
            keeper = _DatasetKeeper()
            classifier = self._classifier(augment, [keeper])
            classifier.fit(self.spectrograms, notes.target)
            self.nets[augment], self.datasets[augment] = classifier.net_, keeper.dataset_
        self._fit(None)
        self.fits.clear()
        with tempfile.TemporaryDirectory() as folder:
            self.exported = OnnxNoteClassifier(export_onnx(self.pipeline, f"{folder}/notes.onnx"))

    def works(self):
        """Return the pieces of work."""
        notes, waveforms = self.notes, self.waveforms
        n = len(notes)
        one = notes.frame([_one_second(waveforms)])
        alone = {"n_calls": ALONE_CALLS}
        kind = list(notes.files)[-1]
        return [
            Work("batches, augmented", "sknote", lambda _: self.batches("auto"), n),
            Work("batches, plain", "sknote", lambda _: self.batches(None), n),
            Work("step", "sknote", self.train, n, prepare=lambda _: self.batches("auto")),
            Work("fit", "sknote", self._fit, n),
            Work("batched", "sknote", lambda _: self._predict(waveforms), n),
            Work("batched, files", "sknote", lambda _: self._predict(notes.files[kind]), n),
            Work("alone", "sknote", lambda _: self.pipeline.predict(one), **alone),
            Work("alone, exported", "sknote", lambda _: self.exported.predict(one), **alone),
        ]

    def batches(self, augment="auto"):
        """Assemble the batches of an epoch."""
        net = self.nets[augment]
        return list(net.get_iterator(self.datasets[augment], training=True))

    def train(self, batches):
        """Train a step on each batch."""
        net = self.nets["auto"]
        for batch in batches:
            net.train_step(batch)

    def _classifier(self, augment="auto", callbacks=None):
        params = self.pipeline[-1].get_params(deep=False)
        return NoteClassifier(**params | {"augment": augment, "callbacks": callbacks})

    def _fit(self, _):
        classifier = self.pipeline[-1]
        start = time.perf_counter()
        classifier.fit(self.spectrograms, self.notes.target)
        seconds = time.perf_counter() - start
        epochs = classifier.history_[:, "dur"]
        self.fits.append((seconds - sum(epochs), epochs[-1]))

    def _predict(self, audio):
        return self.pipeline.predict(self.notes.frame(audio))


class GuideSide:
    """The guide's pipeline with both of its networks, and what is timed of it.

    Parameters
    ----------
    notes : Notes
    waveforms : list of ndarray
        The notes at 22,050 Hz.
    seed : int
    """

    def __init__(self, notes, waveforms, *, seed):
        limit = round(LONGEST * guide.SAMPLE_RATE)
        self.waveforms = [waveform[:limit] for waveform in waveforms]
        self.paths = list(notes.files.values())[-1]
        names, self.instrument = np.unique(notes.instrument.astype(str), return_inverse=True)
        classes, self.target = np.unique(notes.target, return_inverse=True)
        self.seed = seed
        self.trainings = {}
        for kind in NETWORKS:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                network = guide.GuideNetwork(kind, len(names), len(classes))
            self.trainings[kind] = guide.GuideTraining(network, self.target)

    def works(self):
        """Return the pieces of work; each repetition draws other notes."""
        second = _one_second(self.waveforms)
        n = min(guide.PREDICT_BATCH_SIZE, len(self.waveforms))
        first = range(n)
        works = [
            Work("augmentation", "guide", self._augment, self._batch_size(), prepare=self._draw)
        ]
        for kind, training in self.trainings.items():
            network = training.network

            def step(batch, training=training):
                training.step(*batch)

            def batched(_, network=network):
                waveforms = [self.waveforms[row] for row in first]
                guide.predict_batch(network, waveforms, self.instrument[:n])

            def from_files(_, network=network):
                limit = round(LONGEST * guide.SAMPLE_RATE)
                waveforms = [guide.load(self.paths[row])[:limit] for row in first]
                guide.predict_batch(network, waveforms, self.instrument[:n])

            def alone(_, network=network):
                guide.predict(network, second, self.instrument[0])

            works += [
                Work("step", kind, step, self._batch_size(), prepare=self._batch),
                Work("batched", kind, batched, n),
                Work("batched, files", kind, from_files, n),
                Work("alone", kind, alone, n_calls=ALONE_CALLS),
            ]
        return works

    def _batch_size(self):
        return min(guide.BATCH_SIZE, len(self.waveforms))

    def _draw(self, repeat):
        rng = np.random.default_rng([self.seed, repeat])
        return rng.choice(len(self.waveforms), self._batch_size(), replace=False)

    def _augment(self, rows):
        rng = np.random.default_rng([self.seed, *rows[:2]])
        return [guide.augment(self.waveforms[row], rng) for row in rows]

    def _batch(self, repeat):
        rows = self._draw(repeat)
        spectrograms = [guide.spectrogram(waveform) for waveform in self._augment(rows)]
        instrument, target = (torch.as_tensor(x[rows]) for x in (self.instrument, self.target))
        return guide.pad(spectrograms), instrument, target


def matmul_works(size=2048):
    """Multiply two large matrices, in float32 and in bfloat16.

    Returns
    -------
    works : list of Work
    flops : int
        Operations of a product.
    """
    works = []
    for dtype in (torch.float32, torch.bfloat16):
        matrix = torch.linspace(-1, 1, size * size).reshape(size, size).to(dtype)
        name = f"matmul, {str(dtype).removeprefix('torch.')}"

        def multiply(_, matrix=matrix):
            return matrix @ matrix

        works.append(Work(name, "machine", multiply, n_calls=5))
    return works, 2 * size**3


def _one_second(waveforms):
    return np.resize(max(waveforms, key=len), guide.SAMPLE_RATE)
