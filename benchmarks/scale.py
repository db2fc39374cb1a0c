"""Time features, fit and predictions on 1,000 to 80,000 notes, with features cached on disk."""

import os
import resource
import shutil
import sys
import time

import numpy as np
import pandas as pd
from joblib.externals.loky import get_reusable_executor
from sklearn.base import clone

from benchmarks import cli
from benchmarks.cli import BenchmarkError, available_threads, positive
from benchmarks.datasets import synthesize
from benchmarks.environment import environment, peak_memory_mib
from benchmarks.layout import measured_on, new_figure, publish, table
from benchmarks.models import settings
from benchmarks.processes import Job, is_kept, run_kept
from benchmarks.results import plain
from sknote import make_note_pipeline
from sknote.feature_extraction import FeatureCache

LIMIT_MIB = 4096  # of memory, at the largest size
# What is timed → heading
TIMED = {"features": "features, new", "cached_features": "features, cached"}
TIMED |= {"fit": "fit", "predict": "predict"}
_DRAWN = {
    "peak_memory_mib": "peak memory of the process that fits",
    "worker_peak_memory_mib": "of one that computes features",
    "disk_mib": "features on disk",
}
_COLUMNS = {
    "hours": ("hours", ".1f"),
    "make_seconds": ("making them (CPU s)", ".0f"),
    **{name: (f"{head} (s)", ".1f") for name, head in TIMED.items()},
    "fit_speed": ("fit (notes/s)", ".0f"),
    "predict_speed": ("predict (notes/s)", ".0f"),
    "peak_memory_mib": ("peak memory (MiB)", ".0f"),
    "worker_peak_memory_mib": ("of a worker", ".0f"),
    "disk_mib": ("disk (MiB)", ".0f"),
}
SETTINGS = ("max_epochs", "duration_range", "seed")
OPTIONS = {
    "--sizes": (cli.names, "1000,2000,5000,10000,20000,40000,80000", "of notes, with commas"),
    # the cost of an epoch is what grows with the notes
    "--max-epochs": (positive, 2, "of a fit"),
    "--duration-range": ([float, float], (0.5, 3.0), "of the notes: shortest and longest, in s"),
    "--keep": (bool, False, "do not delete notes and features afterwards"),
    **cli.SHARED,  # the cache takes 8 GB for the default sizes
}


def main(args):
    """Run the command; returns its exit status."""
    n_threads = available_threads()
    params = {"classify__max_epochs": args.max_epochs, "classify__random_state": args.seed}
    pipeline = make_note_pipeline(**params)
    about, durations = environment(n_threads), tuple(args.duration_range)
    key = {"settings": settings(pipeline), "machine": about["machine"], "n_threads": n_threads}
    key |= {"duration_range": durations, "seed": args.seed}
    folder = args.cache_dir / "scale"
    same = {"pipeline": pipeline, "n_jobs": n_threads, "folder": folder}
    numbers = sorted(map(int, args.sizes))
    jobs = [Job(f"{n:,} notes", key | {"n": n}, same | {"n_notes": n}) for n in numbers]
    missing = [job for job in jobs if not is_kept(measure_size, job, args.cache_dir)]
    if missing:
        notes = synthesize(numbers[-1], args.seed, args.cache_dir, duration_range=durations)
        for job in missing:
            job.arguments["notes"] = notes
    # one after the other: each has all cores, and a peak memory of its own
    how = {"cache_dir": args.cache_dir, "n_jobs": 1, "n_threads": n_threads}
    sizes = run_kept(measure_size, jobs, **how)
    result = {
        "kind": "scale",
        "settings": {name: getattr(args, name) for name in SETTINGS},
        "sizes": sizes,
        "slopes": slopes(sizes, "seconds"),
        "cpu_slopes": slopes(sizes, "cpu_seconds"),
        "environment": about,
    }
    if missing and not args.keep:
        shutil.rmtree(notes.folder)
        shutil.rmtree(folder)
    publish(plain(result), args.out / "scale.json", sys.modules[__name__])
    if sizes[-1]["peak_memory_mib"] > LIMIT_MIB:
        raise BenchmarkError(f"the largest size took more than {LIMIT_MIB} MiB of memory.")
    return 0


def measure_size(n_notes, notes, pipeline, folder, n_jobs):
    """Make features of the first notes in a new `folder`, read them again, fit and predict."""
    data, target = notes.data[["audio", "instrument"]][:n_notes], notes.target[:n_notes]
    seconds, cpu = {}, {}

    def timed(name, function, *arguments):
        start, start_cpu = time.perf_counter(), sum(os.times()[:4])
        result = function(*arguments)
        seconds[name] = time.perf_counter() - start
        # workers end: their CPU time and memory are known then, and none is left to the fit; the
        # executor of joblib deletes its temporary folder only if it is told to terminate
        executor = get_reusable_executor(reuse=True)
        getattr(executor, "terminate", executor.shutdown)()
        cpu[name] = sum(os.times()[:4]) - start_cpu
        return result

    shutil.rmtree(folder, ignore_errors=True)
    cache = FeatureCache(pipeline[:-1], folder, n_jobs=n_jobs)
    timed("features", cache.fit_transform, data)
    worker_mib = peak_memory_mib(resource.RUSAGE_CHILDREN)
    X = timed("cached_features", clone(cache).fit_transform, data)
    classifier = clone(pipeline[-1])
    timed("fit", classifier.fit, X, target)
    timed("predict", classifier.predict, X)
    return {
        "n_notes": n_notes,
        "n_classes": len(classifier.classes_),
        "hours": notes.frame.duration[:n_notes].sum() / 3600,
        "make_seconds": notes.seconds * n_notes / len(notes.target),
        "seconds": seconds,
        "cpu_seconds": cpu,
        "peak_memory_mib": peak_memory_mib(),
        "worker_peak_memory_mib": worker_mib,
        "disk_mib": sum(path.stat().st_size for path in folder.rglob("*.features")) / 2**20,
    }


def slopes(sizes, kind):
    """Return the slope of the logarithm of each time over that of the number of notes."""
    if len(sizes) < 2:
        return {}
    notes = np.log([size["n_notes"] for size in sizes])
    times = np.array([[size[kind][name] for name in TIMED] for size in sizes])
    times = np.log(np.maximum(times, 1e-6))  # what a clock cannot tell from nothing
    return dict(zip(TIMED, np.polyfit(notes, times, 1)[0].tolist()))


def size_table(result):
    """Return the header and one row per size."""
    rows, epochs = {}, result["settings"]["max_epochs"]
    for size in result["sizes"]:
        n, seconds = size["n_notes"], size["seconds"]
        speeds = {"fit_speed": n * epochs / seconds["fit"], "predict_speed": n / seconds["predict"]}
        rows[f"{n:,}"] = size | seconds | speeds
    return table("notes", rows, _COLUMNS)


def slope_table(result):
    """Return the header and one row for each time that was measured."""
    slopes, cpu = result["slopes"], result["cpu_slopes"]
    rows = {TIMED[name]: {"time": slopes[name], "cpu": cpu[name]} for name in slopes}
    columns = {"time": ("log-log slope of the time", ".3f"), "cpu": ("of the CPU time", ".3f")}
    return table("cost", rows, columns)


TABLES = {"scores": ("Scale", size_table), "slopes": ("Slopes", slope_table)}


def caption(result):
    """Return a sentence about what was timed."""
    settings = result["settings"]
    shortest, longest = settings["duration_range"]
    return (
        f"Synthetic notes of {shortest:g} to {longest:g} s from FLAC files; spectrograms of "
        f"float32; fits of {settings['max_epochs']} epochs (notes/s: notes times "
        f"epochs); predictions of all notes; {result['environment']['n_threads']} threads. "
        f"{measured_on(result['environment'])}"
    )


def draw(result, path):
    """Draw time on the left, and memory and disk on the right, over the number of notes."""
    sizes = pd.DataFrame(result["sizes"]).set_index("n_notes")
    times = pd.DataFrame(sizes.seconds.tolist(), sizes.index)[[*TIMED]]
    times["slope 1"] = times.fit.iloc[0] * times.index / times.index[0]
    slopes = {name: f"{TIMED[name]}: slope {slope:.2f}" for name, slope in result["slopes"].items()}
    memory = sizes[[*_DRAWN]].rename(columns=_DRAWN).assign(**{"4 GiB": LIMIT_MIB})
    figure, (left, right) = new_figure(10.5, 4.6)
    how = {"style": ["o-", "s-", "D-", "^-", "--"], "loglog": True, "grid": True, "xlabel": "notes"}
    times.rename(columns=TIMED | slopes).plot(ax=left, ylabel="time (s)", **how)
    memory.loc[:, memory.any()].plot(ax=right, ylabel="MiB", **how)  # on one core: no workers
    figure.savefig(path)
