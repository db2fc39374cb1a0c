"""Time sknote's default pipeline and the reference recipe side by side.

Features, augmentation, a training step, an epoch, a whole fit and inference, in turns within one
run. Then: how near a training step comes to what the processor can do, and where its time goes.
"""

import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from benchmarks import options, show_speed, speed_works
from benchmarks import reference_recipe as recipe
from benchmarks.datasets import load_task, synthesize
from benchmarks.environment import environment, peak_memory_mib
from benchmarks.layout import publish
from benchmarks.options import BenchmarkError, available_threads, positive
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
    **options.DATA,
    "--notes": (positive, 256, "to time with"),
    "--repeats": (positive, 5, "of each piece of work"),
    "--n-threads": (positive, min(2, available_threads()), "of a fit and of predictions"),
    "--full": (bool, False, f"fit sknote's pipeline on {FIT_NOTES:,} notes; else extrapolate"),
    "--name": (str, "speed", "of the result's files"),
    **options.SEED,
    **options.FOLDERS,
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
    """Find recordings (of a real data set at most `n_notes`), or synthesize them.

    Returns `Notes` in one format, and their mean duration in seconds.
    """
    if args.dataset == "synthetic":
        bunch = synthesize(n_notes, args.seed, args.cache_dir, sample_rate=SAMPLE_RATE)
        data, target = bunch.data, bunch.target
    else:
        args.max_notes, args.min_class_count = n_notes, 1
        task = load_task(args)
        order = np.random.default_rng(args.seed).permutation(task.rows)
        data, target = task.data.iloc[order], task.target[order]
    durations = [_seconds(path) for path in data.audio]
    readable = [row for row, seconds in enumerate(durations) if seconds is not None]
    if len(readable) < 2:
        raise BenchmarkError(f"{args.dataset} has {len(readable)} readable recordings.")
    paths = [str(data.audio.iloc[row]) for row in readable]
    instrument = data.instrument.to_numpy(dtype=object)[readable]
    files = {Path(paths[0]).suffix[1:].upper(): paths}
    mean_seconds = float(np.mean([durations[row] for row in readable]))
    return Notes(files, instrument, target[readable]), mean_seconds


def _seconds(path):
    try:
        return soundfile.info(path).duration
    except soundfile.LibsndfileError:
        return None  # the recipe would stop there


def as_files(notes, n_notes, folder, dataset):
    """Take the first notes; synthetic ones are written into `folder`, as MP3 and as WAV."""
    ((kind, paths),) = notes.files.items()
    files = {kind: paths[:n_notes]}
    if dataset == "synthetic":
        kinds = [kind for kind in ("MP3", "WAV") if kind in soundfile.available_formats()]
        written = {kind: [] for kind in kinds}
        for row, path in enumerate(paths[:n_notes]):
            waveform, sample_rate = soundfile.read(path)
            for kind, done in written.items():
                done.append(f"{folder}/{row:06d}.{kind.lower()}")
                soundfile.write(done[-1], waveform, sample_rate, format=kind)
        files = written
    return Notes(files, notes.instrument[:n_notes], notes.target[:n_notes])


def fit_really(notes, args):
    """Fit sknote's default pipeline from files.

    Returns a dict: ``seconds`` of the fit, ``feature_seconds`` and ``classifier_seconds`` (its two
    parts), ``epochs``, ``n_notes`` and ``peak_memory_mib``.
    """
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
    """Time everything in turns; `fit` is what `fit_really` returned, or None to extrapolate.

    Returns a dict: ``speed``, rows, each with ``name``, ``unit`` and for each side ``median``,
    ``low`` and ``high`` (5th and 95th percentile); ``step``, operations of a training step, and
    where the time of an epoch goes; ``extrapolation``, what was timed, and stands for more; `fit`.
    """
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
        name.removeprefix("matmul, "): product_flops / np.median(values) / 1e9
        for (name, side), values in timed.items()
        if side == "machine"
    }
    return {
        "speed": rows,
        "step": {
            "flops_per_note": flops,
            "gflops_per_second": flops / np.median(timed["step", "sknote"]) / 1e9,
            "matmul_gflops_per_second": rates,
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
    rows = []

    def add(name, unit, scale, sknote, reference):
        row = {"name": name, "unit": unit}
        for side, seconds in {"sknote": sknote, **reference}.items():
            median, low, high = np.percentile(seconds, [50, 5, 95])
            numbers = [scale * median, scale * low, scale * high]
            if unit == "notes/s":
                numbers = [1 / median, 1 / high, 1 / low]
            row[side] = dict(zip(("median", "low", "high"), numbers))
            if side != "sknote":
                row[side]["ratio"] = median / np.median(sknote)
        rows.append(row)

    def each(name):
        return {side: timed[name, side] for side in NETWORKS}

    for kind in kinds:
        for name, work in (("features from", "features"), ("only reading", "reading")):
            both = dict.fromkeys(NETWORKS, timed[f"{work}, {kind}", "reference"])
            own = timed[f"{work}, {kind}", "sknote"]
            add(f"{name} {kind}, one core", "notes/s", 1, own, both)
    added = timed["batches, augmented", "sknote"] - timed["batches, plain", "sknote"]
    augmentation = timed["augmentation", "reference"]
    both = dict.fromkeys(NETWORKS, augmentation)
    # two nearly equal times may differ by less than their noise
    add("augmentation", "ms/note", 1e3, np.maximum(added, 1e-7), both)
    add("training step", "ms/note", 1e3, timed["step", "sknote"], each("step"))
    # the recipe's workers prepare notes while the network trains: as if they lost nothing by it
    prepared = (timed[f"features, {kinds[-1]}", "reference"] + augmentation) / n_threads
    epochs = {side: seconds + prepared for side, seconds in each("step").items()}
    fits = {side: recipe.EPOCHS * seconds for side, seconds in epochs.items()}
    add(f"epoch of {FIT_NOTES:,} notes", "s", FIT_NOTES, timed["epoch", "sknote"], epochs)
    add(f"fit of {FIT_NOTES:,} notes", "s", FIT_NOTES, timed["whole fit", "sknote"], fits)
    for name, work in (("waveforms", "batched"), ("files", "batched, files")):
        own = timed[work, "sknote"]
        add(f"inference in batches, from {name}", "notes/s", 1, own, each(work))
    for name, work in (("", "alone"), (", exported to ONNX", "alone, exported")):
        add(f"inference of one 1-s note{name}", "ms", 1e3, timed[work, "sknote"], each("alone"))
    return rows
