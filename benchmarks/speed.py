"""Time sknote's default pipeline and the reference recipe side by side, and a training step."""

import tempfile
import time

import numpy as np
import soundfile

from benchmarks import cli, show_speed, speed_works
from benchmarks import reference_recipe as recipe
from benchmarks.cli import available_threads, positive
from benchmarks.datasets import synthesize
from benchmarks.environment import environment, peak_memory_mib
from benchmarks.layout import publish
from benchmarks.processes import threads_of
from benchmarks.results import plain
from benchmarks.speed_step import count_flops, profile_epoch
from benchmarks.speed_works import NETWORKS, Notes
from sknote import AudioLoader, make_note_pipeline

FIT_NOTES = 8000  # what an epoch and a fit are given for
SAMPLE_RATE = 44100  # of the files, in Hz
DEFAULT_EPOCHS = 40  # what max_epochs="auto" is for so many
FITTED = ("auto", "practice")  # augmentations whose fits are run with --full
EPOCHS = 2  # of the fits that are timed; sknote's default is extrapolated from them
SETTINGS = ("notes", "repeats", "n_threads", "seed", "full")
OPTIONS = {
    "--notes": (positive, 256, "to time with"),
    "--repeats": (positive, 5, "of each piece of work"),
    "--n-threads": (positive, min(2, available_threads()), "of a fit and of predictions"),
    "--full": (
        bool,
        False,
        f"fit on {FIT_NOTES:,} notes, with each augmentation; else extrapolate",
    ),
    **cli.SHARED,
}


def main(args):
    """Run the command; returns its exit status."""
    n_notes = max(args.notes, FIT_NOTES) if args.full else args.notes
    bunch = synthesize(n_notes, args.seed, args.cache_dir, sample_rate=SAMPLE_RATE)
    # the default first: the peak of memory that is told is its own
    fits = [fit_really(bunch, args, augment) for augment in FITTED] if args.full else [None] * 2
    with tempfile.TemporaryDirectory() as folder:
        result = measure(as_files(bunch, args.notes, folder), args, fits[0])
    result["practice"] = fits[1]
    result |= {
        "kind": "speed",
        "settings": {name: getattr(args, name) for name in SETTINGS},
        "environment": environment(args.n_threads, packages=["librosa"]),
    }
    publish(plain(result), args.out / "speed.json", show_speed)
    return 0


def as_files(bunch, n_notes, folder):
    """Write the first notes into `folder`, as MP3 and as WAV; returns `Notes`."""
    files = {"MP3": [], "WAV": []}
    for row, path in enumerate(bunch.data.audio[:n_notes]):
        waveform, sample_rate = soundfile.read(path)
        for kind, written in files.items():
            written.append(f"{folder}/{row:06d}.{kind.lower()}")
            soundfile.write(written[-1], waveform, sample_rate, format=kind)
    return Notes(files, bunch.data.instrument.to_numpy()[:n_notes], bunch.target[:n_notes])


def fit_really(bunch, args, augment):
    """Fit sknote's default pipeline from files; returns its time (s) and memory (MiB)."""
    print(f"Fitting on {len(bunch.target):,} notes, augment={augment!r} ...", flush=True)
    pipeline = make_note_pipeline(classify__augment=augment, classify__random_state=args.seed)
    with threads_of(args.n_threads):
        start = time.perf_counter()
        pipeline.fit(bunch.data, bunch.target)
        seconds = time.perf_counter() - start
    return {
        "seconds": seconds,
        "epochs": len(pipeline[-1].history_),
        "n_notes": len(bunch.target),
        "peak_memory_mib": peak_memory_mib(),
    }


def measure(notes, args, fit):
    """Time everything in turns; `fit` is what `fit_really` returned, or None to extrapolate."""
    n_notes, repeats = len(notes.target), args.repeats
    with threads_of(args.n_threads):
        waveforms = list(AudioLoader().fit_transform(notes.files["WAV"]))
        sknote = speed_works.SknoteSide(notes, waveforms, epochs=EPOCHS, seed=args.seed)
        literal = speed_works.reference_works(notes, waveforms, seed=args.seed)
        products = speed_works.matmul_works()
    todo = [*speed_works.feature_works(notes), *sknote.works, *literal, *products]
    timed = speed_works.run_works(todo, repeats=repeats, n_threads=args.n_threads)
    epochs = np.array(sknote.epochs[-repeats:]) / n_notes
    timed["epoch", "sknote"] = epochs[:, -1]
    once = timed["features of a fit", "sknote"] + timed["fit", "sknote"] - epochs.sum(axis=1)
    timed["whole fit", "sknote"] = once + DEFAULT_EPOCHS * epochs[:, -1]
    if fit is not None:
        timed["whole fit", "sknote"] = np.array([fit["seconds"] / fit["n_notes"]])
    rows = speed_rows(timed, n_threads=args.n_threads)
    # on one thread: what networks do in threads of their own would be out of sight
    with threads_of(1):
        sknote.nets["auto"].n_threads = 1
        batches = sknote.batches()
        flops = count_flops(lambda: sknote.train(batches)) / n_notes
        shares = profile_epoch(sknote.batches, sknote.train)
    product = 2 * speed_works.MATRIX_SIZE**3 / 1e9
    rates = {one.name: product / np.median(timed[one.name, one.side]) for one in products}
    mean_seconds = np.mean([len(waveform) for waveform in waveforms]) / recipe.SAMPLE_RATE
    return {
        "speed": rows,
        "step": {
            "flops_per_note": flops,
            "gflops_per_second": flops / np.median(timed["step", "sknote"]) / 1e9,
            "matmul_gflops_per_second": rates,
            **shares,
        },
        # of the full network, what a GRU takes beside its Conv1d
        "recurrent": {
            name: np.median(timed[name, "GRU"]) / np.median(timed[name, "full"])
            for name in ("layer", "step")
        },
        "extrapolation": {
            "fit_notes": FIT_NOTES,
            "sknote_notes": n_notes,
            "sknote_epochs": EPOCHS,
            "sknote_default_epochs": DEFAULT_EPOCHS,
            "reference_steps": repeats,
            "reference_batch_size": min(recipe.BATCH_SIZE, n_notes),
            "reference_epochs": recipe.EPOCHS,
            "reference_longest_seconds": recipe.LONGEST,
        },
        "fit": fit,
        "data": {"n_notes": n_notes, "mean_seconds": mean_seconds},
    }


def speed_rows(timed, *, n_threads):
    """Turn seconds per note, by name and side, into rows of a table."""

    def of(side, name):
        return timed.get((name, side), timed.get((name, "reference")))

    added = timed["batches, augmented", "sknote"] - timed["batches, plain", "sknote"]
    # two nearly equal times may differ by less than their noise
    timed["augmentation", "sknote"] = np.maximum(added, 1e-7)
    # the recipe's workers prepare notes while the network trains: as if they lost nothing by it
    prepared = of("reference", "features, WAV") + of("reference", "augmentation")
    for side in NETWORKS:
        timed["epoch", side] = of(side, "step") + prepared / n_threads
        timed["whole fit", side] = recipe.EPOCHS * timed["epoch", side]
        timed["alone, exported", side] = of(side, "alone")
    rows = []
    for name, unit, scale, work in (
        ("features from MP3, one core", "notes/s", 1, "features, MP3"),
        ("only reading MP3, one core", "notes/s", 1, "reading, MP3"),
        ("features from WAV, one core", "notes/s", 1, "features, WAV"),
        ("only reading WAV, one core", "notes/s", 1, "reading, WAV"),
        ("augmentation", "ms/note", 1e3, "augmentation"),
        ("training step", "ms/note", 1e3, "step"),
        (f"epoch of {FIT_NOTES:,} notes", "s", FIT_NOTES, "epoch"),
        (f"fit of {FIT_NOTES:,} notes", "s", FIT_NOTES, "whole fit"),
        ("inference in batches, from waveforms", "notes/s", 1, "batched"),
        ("inference in batches, from files", "notes/s", 1, "batched, files"),
        ("inference of one 1-s note", "ms", 1e3, "alone"),
        ("inference of one 1-s note, exported to ONNX", "ms", 1e3, "alone, exported"),
    ):
        row = {"name": name, "unit": unit}
        for side in ("sknote", *NETWORKS):
            seconds = of(side, work)
            values = 1 / seconds if unit == "notes/s" else scale * seconds
            row[side] = dict(zip(("low", "median", "high"), np.percentile(values, [5, 50, 95])))
            if side != "sknote":
                row[side]["ratio"] = np.median(seconds) / np.median(of("sknote", work))
        rows.append(row)
    return rows
