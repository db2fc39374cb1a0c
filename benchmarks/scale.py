"""Time features, fit and predictions on 1,000 to 80,000 notes, with features cached on disk."""

import os
import resource
import shutil
import sys
import time
import warnings

import numpy as np
import pandas as pd
from joblib.externals.loky import get_reusable_executor
from sklearn.base import clone

from benchmarks import cli
from benchmarks.cli import BenchmarkError, available_threads, positive
from benchmarks.datasets import synthesize
from benchmarks.environment import environment, max_rss_mib, peak_memory_mib
from benchmarks.layout import measured_on, new_figure, publish, table
from benchmarks.models import settings
from benchmarks.processes import Job, JobFailed, is_kept, run_kept
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
SETTINGS = ("max_epochs", "duration_range", "dtype", "seed")
OPTIONS = {
    "--sizes": (cli.sizes, "1000,2000,5000,10000,20000,40000,80000", "of notes, with commas"),
    # the cost of an epoch is what grows with the notes
    "--max-epochs": (positive, 2, "of a fit"),
    "--duration-range": ([float, float], (0.5, 3.0), "of the notes: shortest and longest, in s"),
    "--dtype": (("float32", "float16"), "float32", "of the cached spectrograms"),
    "--keep": (bool, False, "do not delete notes and features afterwards"),
    "--name": (str, "scale", "of the result's files"),
    **cli.SHARED,  # the cache takes 8 GB for the default sizes
}


def main(args):
    """Run the command; returns its exit status."""
    n_threads = available_threads()
    pipeline = make_note_pipeline(classify__max_epochs=args.max_epochs)
    pipeline.set_params(spectrogram__dtype=args.dtype, classify__random_state=args.seed)
    about, durations = environment(n_threads), tuple(args.duration_range)
    key = {"settings": settings(pipeline), "machine": about["machine"], "n_threads": n_threads}
    key |= {"duration_range": durations, "seed": args.seed}
    same = {"pipeline": pipeline, "n_jobs": n_threads, "keep": args.keep}
    folder = args.cache_dir / "scale"
    jobs = [Job(n, key | {"n": n}, same | {"folder": folder / str(n)}) for n in args.sizes]
    missing = [job for job in jobs if not is_kept(measure_size, job, args.cache_dir)]
    if missing:
        n_notes = missing[-1].name
        notes = synthesize(n_notes, args.seed, args.cache_dir, duration_range=durations)
        frame = notes.data.assign(label=notes.target, duration=notes.frame.duration)
        frame["seconds"] = notes.seconds / n_notes  # to make a note, on one core
        for job in missing:
            job.arguments["notes"] = frame[: job.name]
    sizes = []
    # one after the other: each has all cores, and a peak memory of its own
    how = {"cache_dir": args.cache_dir, "n_jobs": 1, "n_threads": n_threads}
    for job, size in run_kept(measure_size, jobs, **how):
        if isinstance(size, JobFailed):
            raise BenchmarkError(f"{job.name:,} notes: {size}")
        print(f"{job.name:,} notes: fit in {size['seconds']['fit']:.1f} s", flush=True)
        sizes.append(size)
    sizes.sort(key=lambda size: size["n_notes"])
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
    publish(plain(result), args.out / f"{args.name}.json", sys.modules[__name__])
    if (memory := sizes[-1]["peak_memory_mib"]) > LIMIT_MIB:
        used = f"{memory:.0f} MiB for {sizes[-1]['n_notes']:,} notes"
        raise BenchmarkError(f"{used} are more than {LIMIT_MIB} MiB.")
    return 0


def measure_size(notes, pipeline, folder, n_jobs, keep):
    """Make features in a new `folder`, read them again, fit and predict."""
    data = notes[["audio", "instrument"]]
    seconds, cpu = {}, {}

    def timed(name, function, *arguments):
        start, start_cpu = time.perf_counter(), sum(os.times()[:4])
        result = function(*arguments)
        seconds[name] = time.perf_counter() - start
        _end_workers()  # then their CPU time and memory are known, and none is left to the fit
        cpu[name] = sum(os.times()[:4]) - start_cpu
        return result

    shutil.rmtree(folder, ignore_errors=True)
    cache = FeatureCache(pipeline[:-1], folder, n_jobs=n_jobs)
    timed("features", cache.fit_transform, data)
    worker_mib = max_rss_mib(resource.RUSAGE_CHILDREN)
    X = timed("cached_features", clone(cache).fit_transform, data)
    classifier = clone(pipeline[-1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        timed("fit", classifier.fit, X, notes["label"].to_numpy(dtype=str))
        timed("predict", classifier.predict, X)
    files = [path for path in folder.rglob("*") if path.is_file()]
    result = {
        "n_notes": len(notes),
        "n_classes": len(classifier.classes_),
        "hours": float(notes["duration"].sum() / 3600),
        "make_seconds": float(notes["seconds"].sum()),
        "seconds": seconds,
        "cpu_seconds": cpu,
        "peak_memory_mib": peak_memory_mib(),
        "worker_peak_memory_mib": worker_mib,
        "disk_mib": sum(path.stat().st_size for path in files) / 2**20,
        "n_files": sum(path.suffix == ".features" for path in files),
    }
    if not keep:
        shutil.rmtree(folder)
    return result


def slopes(sizes, kind):
    """Return the slope of the logarithm of each time over that of the number of notes."""
    if len(sizes) < 2:
        return {}
    notes = np.log([size["n_notes"] for size in sizes])
    times = np.log([[size[kind][name] for name in TIMED] for size in sizes])
    return dict(zip(TIMED, np.polyfit(notes, times, 1)[0].tolist()))


def _end_workers():
    executor = get_reusable_executor(reuse=True)
    # joblib's own executor has a temporary folder, too, which it would delete at exit; processes of
    # multiprocessing leave without that
    getattr(executor, "terminate", executor.shutdown)()


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
        f"{settings['dtype']}; fits of {settings['max_epochs']} epochs (notes/s: notes times "
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
