"""Time sknote's default pipeline and the reference recipe side by side, and a training step."""

import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from benchmarks import cli, show_speed, speed_works
from benchmarks import reference_recipe as recipe
from benchmarks.cli import BenchmarkError, available_threads, positive
from benchmarks.datasets import load_task, synthesize
from benchmarks.environment import environment, peak_memory_mib
from benchmarks.layout import publish
from benchmarks.processes import threads_of
from benchmarks.results import plain
from benchmarks.speed_step import count_flops, profile_epoch
from benchmarks.speed_works import NETWORKS, Notes
from sknote import AudioLoader, make_note_pipeline

FIT_NOTES = 8000  # what an epoch and a fit are given for
SAMPLE_RATE = 44100  # of synthetic files, in Hz
EPOCHS = 2  # of the fits that are timed; sknote's default is extrapolated from them
SETTINGS = ("dataset", "notes", "repeats", "n_threads", "seed", "full")


OPTIONS = {
    **cli.DATA,
    "--notes": (positive, 256, "to time with"),
    "--repeats": (positive, 5, "of each piece of work"),
    "--n-threads": (positive, min(2, available_threads()), "of a fit and of predictions"),
    "--full": (bool, False, f"fit sknote's pipeline on {FIT_NOTES:,} notes; else extrapolate"),
    "--name": (str, "speed", "of the result's files"),
    **cli.SHARED,
}


def main(args):
    """Run the command; returns its exit status."""
    notes, mean_seconds = load_notes(args, max(args.notes, FIT_NOTES) if args.full else args.notes)
    fit = fit_really(notes, args) if args.full else None
    with tempfile.TemporaryDirectory() as folder:
        result = measure(as_files(notes, args.notes, folder, args.dataset), args, fit)
    result |= {
        "kind": "speed",
        "data": {"n_notes": min(args.notes, len(notes.target)), "mean_seconds": mean_seconds},
        "settings": {name: getattr(args, name) for name in SETTINGS},
        "environment": environment(args.n_threads, packages=["librosa"]),
    }
    publish(plain(result), args.out / f"{args.name}.json", show_speed)
    return 0


def load_notes(args, n_notes):
    """Find or synthesize at most `n_notes`; returns `Notes` and their mean duration in seconds."""
    if args.dataset == "synthetic":
        bunch = synthesize(n_notes, args.seed, args.cache_dir, sample_rate=SAMPLE_RATE)
        data, target = bunch.data, bunch.target
    else:
        args.max_notes, args.min_class_count = n_notes, 1
        task = load_task(args)
        order = np.random.default_rng(args.seed).permutation(task.rows)
        data, target = task.data.iloc[order], task.target[order]
    durations = np.array([_seconds(path) for path in data.audio])
    readable = np.flatnonzero(np.isfinite(durations))
    if len(readable) < 2:
        raise BenchmarkError(f"{args.dataset} has {len(readable)} readable recordings.")
    paths = list(data.audio.iloc[readable])
    instrument = data.instrument.to_numpy(dtype=object)[readable]
    files = {Path(paths[0]).suffix[1:].upper(): paths}
    return Notes(files, instrument, target[readable]), float(durations[readable].mean())


def _seconds(path):
    try:
        return soundfile.info(path).duration
    except soundfile.LibsndfileError:
        return np.nan  # the recipe would stop there


def as_files(notes, n_notes, folder, dataset):
    """Take the first notes; synthetic ones are written into `folder`, as MP3 and as WAV."""
    ((kind, paths),) = notes.files.items()
    files = {kind: paths[:n_notes]}
    if dataset == "synthetic":
        files = {kind: [] for kind in ("MP3", "WAV") if kind in soundfile.available_formats()}
        for row, path in enumerate(paths[:n_notes]):
            waveform, sample_rate = soundfile.read(path)
            for kind, written in files.items():
                written.append(f"{folder}/{row:06d}.{kind.lower()}")
                soundfile.write(written[-1], waveform, sample_rate, format=kind)
    return Notes(files, notes.instrument[:n_notes], notes.target[:n_notes])


def fit_really(notes, args):
    """Fit sknote's default pipeline from files; returns times (s) and memory (MiB)."""
    print(f"Fitting on {len(notes.target):,} notes ...", flush=True)
    pipeline = make_note_pipeline(classify__random_state=args.seed)
    frame = notes.frame(next(iter(notes.files.values())))
    with threads_of(args.n_threads):
        start = time.perf_counter()
        spectrograms = pipeline[:-1].fit_transform(frame)
        middle = time.perf_counter()
        pipeline[-1].fit(spectrograms, notes.target)
        stop = time.perf_counter()
    return {
        "seconds": stop - start,
        "feature_seconds": middle - start,
        "classifier_seconds": stop - middle,
        "epochs": len(pipeline[-1].history_),
        "n_notes": len(notes.target),
        "peak_memory_mib": peak_memory_mib(),
    }


def measure(notes, args, fit):
    """Time everything in turns; `fit` is what `fit_really` returned, or None to extrapolate."""
    n_notes, repeats = len(notes.target), args.repeats
    with threads_of(args.n_threads):
        waveforms = list(AudioLoader().fit_transform(list(notes.files.values())[-1]))
        sknote = speed_works.SknoteSide(notes, waveforms, epochs=EPOCHS, seed=args.seed)
        literal = speed_works.reference_works(notes, waveforms, seed=args.seed)
        products, product_flops = speed_works.matmul_works()
    todo = [*speed_works.feature_works(notes), *sknote.works, *literal, *products]
    seconds = speed_works.run_works(todo, repeats=repeats, n_threads=args.n_threads)
    timed = {key: np.array(values) for key, values in seconds.items()}
    fixed, timed["epoch", "sknote"] = np.array(sknote.fits[-repeats:]).T / n_notes
    default_epochs = make_note_pipeline()[-1].max_epochs
    learning = fixed + default_epochs * timed["epoch", "sknote"]
    timed["whole fit", "sknote"] = timed["features of a fit", "sknote"] + learning
    if fit is not None:
        timed["whole fit", "sknote"] = np.array([fit["seconds"] / fit["n_notes"]])
    rows = _rows(timed, kinds=list(notes.files), n_threads=args.n_threads)
    # on one thread: what networks do in threads of their own would be out of sight
    with threads_of(1):
        sknote.nets["auto"].n_threads = 1
        batches = sknote.batches()
        flops = count_flops(lambda: sknote.train(batches)) / n_notes
        shares = profile_epoch(sknote.batches, sknote.train)
    rates = {
        one.name: product_flops / np.median(timed[one.name, one.side]) / 1e9 for one in products
    }
    return {
        "speed": rows,
        "step": {
            "flops_per_note": flops,
            "gflops_per_second": flops / np.median(timed["step", "sknote"]) / 1e9,
            "matmul_gflops_per_second": {n.removeprefix("matmul, "): rates[n] for n in rates},
            "uses_bfloat16": bool(getattr(sknote.nets["auto"], "bfloat16", False)),
            **shares,
        },
        "extrapolation": {
            "fit_notes": FIT_NOTES,
            "sknote_notes": n_notes,
            "sknote_epochs": EPOCHS,
            "sknote_default_epochs": default_epochs,
            "reference_steps": repeats,
            "reference_batch_size": min(recipe.BATCH_SIZE, n_notes),
            "reference_epochs": recipe.EPOCHS,
            "reference_longest_seconds": speed_works.LONGEST,
        },
        "fit": fit,
    }


def _rows(timed, *, kinds, n_threads):
    """Turn seconds per note, by name and side, into rows of a table."""

    def of(side, name):
        return timed.get((name, side), timed.get((name, "reference")))

    added = timed["batches, augmented", "sknote"] - timed["batches, plain", "sknote"]
    # two nearly equal times may differ by less than their noise
    timed["augmentation", "sknote"] = np.maximum(added, 1e-7)
    # the recipe's workers prepare notes while the network trains: as if they lost nothing by it
    prepared = of("reference", f"features, {kinds[-1]}") + of("reference", "augmentation")
    for side in NETWORKS:
        timed["epoch", side] = of(side, "step") + prepared / n_threads
        timed["whole fit", side] = recipe.EPOCHS * timed["epoch", side]
        timed["alone, exported", side] = of(side, "alone")
    measured = []
    for kind in kinds:
        measured.append((f"features from {kind}, one core", "notes/s", 1, f"features, {kind}"))
        measured.append((f"only reading {kind}, one core", "notes/s", 1, f"reading, {kind}"))
    alone = "inference of one 1-s note"
    measured += [
        ("augmentation", "ms/note", 1e3, "augmentation"),
        ("training step", "ms/note", 1e3, "step"),
        (f"epoch of {FIT_NOTES:,} notes", "s", FIT_NOTES, "epoch"),
        (f"fit of {FIT_NOTES:,} notes", "s", FIT_NOTES, "whole fit"),
        ("inference in batches, from waveforms", "notes/s", 1, "batched"),
        ("inference in batches, from files", "notes/s", 1, "batched, files"),
        (alone, "ms", 1e3, "alone"),
        (f"{alone}, exported to ONNX", "ms", 1e3, "alone, exported"),
    ]
    rows = []
    for name, unit, scale, work in measured:
        row = {"name": name, "unit": unit}
        for side in ("sknote", *NETWORKS):
            low, median, high = np.percentile(of(side, work), [5, 50, 95])
            values = scale * median, scale * low, scale * high
            if unit == "notes/s":
                values = 1 / median, 1 / high, 1 / low
            row[side] = dict(zip(("median", "low", "high"), values))
            if side != "sknote":
                row[side]["ratio"] = median / np.median(of("sknote", work))
        rows.append(row)
    return rows
