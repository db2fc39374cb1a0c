"""Time features, fit and predictions on 1,000 to 80,000 notes, with features cached on disk.

Each size in a process of its own, so that its peak memory is its own. A size that is finished is
not repeated.
"""

import os
import resource
import shutil
import time
import warnings

import numpy as np
from joblib.externals.loky import get_reusable_executor
from sklearn.base import clone

from benchmarks import options, show_scale
from benchmarks.datasets import synthesize
from benchmarks.environment import environment, max_rss_mib, peak_memory_mib
from benchmarks.layout import publish
from benchmarks.options import BenchmarkError, available_threads, positive
from benchmarks.processes import Job, JobFailed, is_kept, run_kept
from benchmarks.results import plain
from benchmarks.settings import settings
from benchmarks.show_scale import LIMIT_MIB, TIMED
from sknote import make_note_pipeline
from sknote.feature_extraction import FeatureCache

SETTINGS = ("max_epochs", "duration_range", "dtype", "seed")
OPTIONS = {
    "--sizes": (
        options.sizes,
        "1000,2000,5000,10000,20000,40000,80000",
        "numbers of notes, with commas",
    ),
    # the cost of an epoch is what grows with the notes
    "--max-epochs": (positive, 2, "of a fit"),
    "--duration-range": ([float, float], (0.5, 3.0), "of the notes: shortest and longest, in s"),
    "--dtype": (("float32", "float16"), "float32", "of the cached spectrograms"),
    "--keep": (bool, False, "do not delete notes and features afterwards"),
    "--name": (str, "scale", "of the result's files"),
    **options.SEED,
    **options.FOLDERS,  # the cache takes 8 GB for the default sizes
}


def main(args):
    """Run the command; returns its exit status."""
    n_threads = available_threads()
    pipeline = make_note_pipeline(
        spectrogram__dtype=args.dtype,
        classify__max_epochs=args.max_epochs,
        classify__random_state=args.seed,
    )
    about = environment(n_threads)
    key = {"settings": settings(pipeline), "machine": about["machine"], "n_threads": n_threads}
    key |= {"duration_range": list(args.duration_range), "seed": args.seed}
    same = {"pipeline": pipeline, "n_jobs": n_threads, "keep": args.keep}
    folder = args.cache_dir / "scale"
    jobs = [Job(n, key | {"n": n}, same | {"folder": folder / str(n)}) for n in args.sizes]
    missing = [job for job in jobs if not is_kept(measure_size, job, args.cache_dir)]
    if missing:
        n_notes, durations = missing[-1].name, tuple(args.duration_range)
        notes = synthesize(n_notes, args.seed, args.cache_dir, duration_range=durations)
        frame = notes.data.assign(label=notes.target, duration=notes.frame.duration)
        frame["seconds"] = notes.seconds / n_notes  # to make a note, on one core
        for job in missing:
            job.arguments["notes"] = frame[: job.name]
    sizes = []
    # one after the other: each has all cores
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
    publish(plain(result), args.out / f"{args.name}.json", show_scale)
    memory, n_notes = sizes[-1]["peak_memory_mib"], sizes[-1]["n_notes"]
    if memory > LIMIT_MIB:
        raise BenchmarkError(
            f"{memory:.0f} MiB for {n_notes:,} notes are more than {LIMIT_MIB} MiB."
        )
    return 0


def measure_size(notes, pipeline, folder, n_jobs, keep):
    """Make features in a new `folder`, read them again, fit and predict.

    `notes` is a DataFrame with ``audio``, ``instrument``, ``label``, ``duration`` and ``seconds``.
    Returns times (s), memory and disk (MiB); the features stay if `keep` says so.
    """
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
    cache = FeatureCache(clone(pipeline[:-1]), folder, n_jobs=n_jobs)
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
    """Fit a straight line to the logarithm of each time over that of the number of notes.

    `sizes` is what `measure_size` returned for each, `kind` "seconds" or "cpu_seconds". Returns a
    dict of slopes by least squares; 1 is a cost that is linear in notes. Empty for a single size.
    """
    if len(sizes) < 2:
        return {}
    notes = np.log([size["n_notes"] for size in sizes])
    return {
        name: float(np.polyfit(notes, np.log([size[kind][name] for size in sizes]), 1)[0])
        for name in TIMED
    }


def _end_workers():
    executor = get_reusable_executor(reuse=True)
    # joblib's own executor has a temporary folder, too, which it would delete at exit; processes of
    # multiprocessing leave without that
    getattr(executor, "terminate", executor.shutdown)()
