"""Time notes that come again: copies in one call, answers that are kept, a second pass."""

import contextlib
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from benchmarks import cli
from benchmarks.cli import available_threads, positive
from benchmarks.datasets import synthesize
from benchmarks.environment import environment
from benchmarks.layout import measured_on, publish, table
from benchmarks.processes import threads_of
from benchmarks.results import plain
from sknote import make_note_pipeline
from sknote.cli import main as main_of_sknote
from sknote.deploy import CachedClassifier, save

FIT_NOTES = 200
COPIES = 50
DECODING = "decoding alone, by soundfile, one thread"
SETTINGS = ("notes", "repeats", "seed")
OPTIONS = {
    "--notes": (positive, 2000, "files of a pass, in MP3"),
    "--repeats": (positive, 15, "of each question about few notes"),
    **cli.SHARED,
}


def main(args):
    """Run the command; returns its exit status."""
    n_notes, n_threads = max(args.notes, FIT_NOTES), available_threads()
    bunch = synthesize(n_notes, args.seed, args.cache_dir, sample_rate=44100)
    how = {"classify__max_epochs": 2, "classify__random_state": args.seed}
    with tempfile.TemporaryDirectory() as folder, threads_of(n_threads):
        pipeline = make_note_pipeline(**how)
        pipeline.fit(bunch.data[:FIT_NOTES], bunch.target[:FIT_NOTES])
        waveforms = list(pipeline[0].transform(bunch.data.audio[: COPIES + 1]))
        few = measure_few(pipeline, waveforms, Path(folder), args.repeats)
        names = as_mp3(bunch.data.audio[: args.notes], Path(folder))
        passes = measure_passes(pipeline, names, Path(folder), n_threads)
    result = {
        "kind": "repeats",
        "settings": {name: getattr(args, name) for name in SETTINGS},
        "few": few,
        "passes": passes,
        "environment": environment(n_threads),
    }
    publish(plain(result), args.out / "repeats.json", sys.modules[__name__])
    return 0


def measure_few(pipeline, waveforms, folder, repeats):
    """Time questions about few notes, in turns; returns milliseconds of each, wall and CPU."""
    note, others = waveforms[0][:22050], waveforms[1:]
    path = folder / "few.db"
    in_memory = CachedClassifier(pipeline)
    on_disk = CachedClassifier(pipeline, path, max_memory=0)
    questions = {
        "one note of 1 s": lambda: pipeline.predict_proba([note]),
        f"{COPIES} copies of it in one call": lambda: pipeline.predict_proba([note] * COPIES),
        f"{COPIES} different notes in one call": lambda: pipeline.predict_proba(others),
        "one note again, its answer in memory": lambda: in_memory.predict_proba([note]),
        "one note again, its answer in a file": lambda: on_disk.predict_proba([note]),
    }
    times = {name: [] for name in questions}
    for _ in range(repeats + 1):  # the first does not count
        for name, ask in questions.items():
            times[name].append(_timed(ask))
    on_disk.close()
    medians = {name: 1e3 * np.median(found[1:], axis=0) for name, found in times.items()}
    return {name: dict(zip(("ms", "cpu_ms"), both)) for name, both in medians.items()}


def measure_passes(pipeline, names, folder, n_threads):
    """Time passes over files; returns seconds of each, wall and CPU."""
    path, model = folder / "answers.db", folder / "model.sknote"
    save(pipeline, model)
    pipeline.predict_proba(names[:8])
    found = {
        DECODING: _timed(lambda: [soundfile.read(name, dtype="float32") for name in names]),
        "the pipeline": _timed(lambda: pipeline.predict_proba(names)),
    }
    for name in ("CachedClassifier, first", "CachedClassifier, again"):
        with CachedClassifier(pipeline, path) as cached:
            found[name] = _timed(lambda cached=cached: cached.predict_proba(names))
    begins = [_command(model, names[:1], folder, n_threads) for _ in range(3)]
    begin = np.min(begins, axis=0)  # a model has to be read
    kept = ["--cache", str(folder / "command.db")]
    found["sknote predict"] = _command(model, names, folder, n_threads) - begin
    for name in ("sknote predict --cache, first", "sknote predict --cache, again"):
        found[name] = _command(model, names, folder, n_threads, *kept) - begin
    found = {name: np.maximum(both, 1e-6) for name, both in found.items()}
    return {name: dict(zip(("seconds", "cpu_seconds"), both)) for name, both in found.items()}


def as_mp3(paths, folder):
    """Write recordings as MP3; returns the names of the files."""
    names = []
    for row, path in enumerate(paths):
        names.append(str(folder / f"{row:06d}.mp3"))
        soundfile.write(names[-1], *soundfile.read(path), format="MP3")
    return names


def _timed(function):
    start, cpu = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - start, time.process_time() - cpu


def _command(model, names, folder, n_threads, *more):
    """Run ``sknote predict`` on files in this process; returns seconds, wall and CPU."""
    listed = folder / "names.csv"
    listed.write_text("\n".join(["audio", *names]))
    words = ["predict", model, listed, "--csv", "--jobs", n_threads, *more]
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        return np.array(_timed(lambda: main_of_sknote([str(word) for word in words])))


def few_table(result):
    """Return the header and one row for each question about few notes."""
    one = result["few"]["one note of 1 s"]
    rows = {name: row | {"times": row["ms"] / one["ms"]} for name, row in result["few"].items()}
    columns = {
        "ms": ("ms", ".2f"),
        "cpu_ms": ("CPU ms", ".2f"),
        "times": ("times one note", ".3g"),
    }
    return table("question", rows, columns)


def pass_table(result):
    """Return the header and one row for each pass over the files."""
    n_notes, base = result["settings"]["notes"], result["passes"]["the pipeline"]
    rows = {
        name: {
            "speed": n_notes / row["seconds"],
            "cpu_speed": n_notes / row["cpu_seconds"],
            "ratio": base["seconds"] / row["seconds"],
            "cpu_ratio": base["cpu_seconds"] / row["cpu_seconds"],
        }
        for name, row in result["passes"].items()
    }
    columns = {
        "speed": ("notes/s", ",.0f"),
        "cpu_speed": ("notes per CPU second", ",.0f"),
        "ratio": ("times the pipeline's", ".3g"),
        "cpu_ratio": ("per CPU second", ".3g"),
    }
    return table("pass", rows, columns)


TABLES = {"scores": ("Few notes", few_table), "passes": ("Passes over files", pass_table)}


def caption(result):
    """Return a sentence about what was timed."""
    settings, about = result["settings"], result["environment"]
    return (
        f"Medians of {settings['repeats']} repetitions in turns; passes over {settings['notes']:,} "
        "files of MP3, each once, those of the command without what it takes for one; a network "
        f"that was fitted on {FIT_NOTES} synthetic notes; {about['n_threads']} threads. "
        f"{measured_on(about)}"
    )
