"""Time features, fit and predictions on 1,000 to 80,000 notes, with features cached on disk.

Each size in a process of its own, so that its peak memory is its own. A size that is finished is
not repeated.
"""

import json
import shutil
from pathlib import Path

import numpy as np

from benchmarks.cache import (
    MODEL_SOURCES,
    default_cache_dir,
    digest,
    source_digest,
    write_json,
)
from benchmarks.cli import BenchmarkError
from benchmarks.environment import available_threads, git_commit, machine, versions
from benchmarks.run import RESULTS, positive

LIMIT_MIB = 4096  # of memory, at the largest size
# What is timed → heading
TIMED = {
    "features": "features, new",
    "cached_features": "features, cached",
    "fit": "fit",
    "predict": "predict",
}


def add_arguments(parser):
    """Define the options of the command."""
    parser.add_argument(
        "--sizes",
        type=lambda text: sorted({positive(size) for size in text.split(",")}),
        default="1000,2000,5000,10000,20000,40000,80000",
        help="numbers of notes, separated by commas (default: %(default)s)",
    )
    parser.add_argument(
        "--max-epochs",
        type=positive,
        default=2,
        help="of a fit; the cost of an epoch is what grows with the notes (default: %(default)s)",
    )
    parser.add_argument(
        "--duration-range",
        type=float,
        nargs=2,
        default=(0.5, 3.0),
        metavar=("SHORTEST", "LONGEST"),
        help="of the synthetic notes, in seconds (default: 0.5 3.0, 1.4 s on average)",
    )
    parser.add_argument(
        "--dtype",
        default="float32",
        choices=("float32", "float16"),
        help="of the cached spectrograms (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of notes and fits")
    parser.add_argument(
        "--cache-dir",
        type=Path,
        default=default_cache_dir(),
        help="for notes and features: 8 GB for the default sizes (default: %(default)s)",
    )
    parser.add_argument(
        "--keep", action="store_true", help="do not delete notes and features afterwards"
    )
    parser.add_argument(
        "--out", type=Path, default=RESULTS, help="folder of the result (default: %(default)s)"
    )
    parser.add_argument("--name", default="scale", help="of the result (default: %(default)s)")


def main(args):
    """Run the command; returns its exit status."""
    from benchmarks import scale_plot, show
    from benchmarks.models import settings
    from benchmarks.results import plain
    from benchmarks.scale_measure import SizeJob, measure_size
    from sknote import make_note_pipeline

    n_threads = available_threads()
    folder = args.cache_dir / "scale"
    pipeline = make_note_pipeline(
        spectrogram__dtype=args.dtype,
        classify__max_epochs=args.max_epochs,
        classify__random_state=args.seed,
    )
    key = [settings(pipeline), source_digest(MODEL_SOURCES), versions(), machine(), n_threads]
    key += [list(args.duration_range), args.seed]
    paths = {n: folder / "sizes" / f"{digest(key, n)}.json" for n in args.sizes}
    missing = [n for n in args.sizes if not paths[n].exists()]
    if missing:
        parts = _make_notes(args, folder, max(missing), n_threads)
        for n in missing:  # one after the other: each has all cores
            features = folder / "features" / paths[n].stem
            job = SizeJob(parts, n, pipeline, features, paths[n], n_threads, args.keep)
            _run(measure_size, [job], f"{n:,} notes", n_threads=n_threads)
    result = plain(
        {
            "settings": {
                "max_epochs": args.max_epochs,
                "duration_range": list(args.duration_range),
                "dtype": args.dtype,
                "seed": args.seed,
            },
            "sizes": (sizes := [json.loads(paths[n].read_text()) for n in args.sizes]),
            "slopes": slopes(sizes, "seconds"),
            "cpu_slopes": slopes(sizes, "cpu_seconds"),
            "environment": {
                "versions": versions(),
                "commit": git_commit(),
                "machine": machine(),
                "n_threads": n_threads,
            },
        }
    )
    write_json(args.out / f"{args.name}.json", result)
    scale_plot.plot(result, args.out / f"{args.name}.png")
    if missing and not args.keep:
        shutil.rmtree(parts[0].parent)
    print(f"\n{caption(result)}\n\n{show.as_text(table(result))}")
    print(f"\n{show.as_text(slope_table(result))}\n\nResult: {args.out / args.name}.json")
    last = result["sizes"][-1]
    if last["peak_memory_mib"] > LIMIT_MIB:
        raise BenchmarkError(
            f"{last['peak_memory_mib']:.0f} MiB for {last['n_notes']:,} notes are more than "
            f"{LIMIT_MIB} MiB."
        )
    return 0


def slopes(sizes, kind):
    """Fit a straight line to the logarithm of each time over that of the number of notes.

    Parameters
    ----------
    sizes : list of dict
        ``n_notes``, and times of each of `TIMED`.
    kind : {"seconds", "cpu_seconds"}
        Which times.

    Returns
    -------
    dict of str to float
        Slopes by least squares; 1 is a cost that is linear in notes. Empty for a single size.
    """
    if len(sizes) < 2:
        return {}
    notes = np.log([size["n_notes"] for size in sizes])
    return {
        name: float(np.polyfit(notes, np.log([size[kind][name] for size in sizes]), 1)[0])
        for name in TIMED
    }


def table(result):
    """Return the header and one row per size."""
    rows = [
        ["notes", "hours", "making them (CPU s)", *(f"{head} (s)" for head in TIMED.values())]
        + ["fit (notes/s)", "predict (notes/s)", "peak memory (MiB)", "of a worker", "disk (MiB)"]
    ]
    epochs = result["settings"]["max_epochs"]
    for size in result["sizes"]:
        n, seconds = size["n_notes"], size["seconds"]
        cells = [n, size["hours"], size["make_seconds"], *(seconds[name] for name in TIMED)]
        rows.append(
            [f"{cells[0]:,}", f"{cells[1]:.1f}", f"{cells[2]:.0f}"]
            + [f"{cell:.1f}" for cell in cells[3:]]
            + [f"{n * epochs / seconds['fit']:.0f}", f"{n / seconds['predict']:.0f}"]
            + [f"{size[name]:.0f}" for name in ("peak_memory_mib", "worker_peak_memory_mib")]
            + [f"{size['disk_mib']:.0f}"]
        )
    return rows


def slope_table(result):
    """Return the header and one row for each time that was measured."""
    rows = [["cost", "log-log slope of the time", "of the CPU time"]]
    for name, slope in result["slopes"].items():
        rows.append([TIMED[name], f"{slope:.3f}", f"{result['cpu_slopes'][name]:.3f}"])
    return rows


def caption(result):
    """Return a sentence about what was timed."""
    settings, environment = result["settings"], result["environment"]
    shortest, longest = settings["duration_range"]
    return (
        f"Synthetic notes of {shortest:g} to {longest:g} s from FLAC files; spectrograms of "
        f"{settings['dtype']}; fits of {settings['max_epochs']} epochs (notes/s: notes times "
        f"epochs); predictions of all notes; {environment['n_threads']} threads. "
        f"{environment['machine']['processor']}; commit {environment['commit']}."
    )


TABLES = {"scores": ("Scale", table), "slopes": ("Slopes", slope_table)}


def _make_notes(args, folder, n_notes, n_threads):
    """Make the notes that are not there yet; return their folders."""
    from benchmarks.scale_measure import PART, NotesJob, make_part

    code = source_digest(("datasets/*.py",))
    folder = folder / "notes" / digest(code, versions(), list(args.duration_range), args.seed)
    jobs = []
    for start in range(0, n_notes, PART):
        stop = min(start + PART, n_notes)
        part = folder / f"{start:06d}-{stop:06d}"
        jobs.append(NotesJob(part, start, stop, tuple(args.duration_range), args.seed))
    missing = [job for job in jobs if not (job.folder / "notes.json").exists()]
    _run(make_part, missing, "making notes", n_jobs=n_threads)
    return [job.folder for job in jobs]


def _run(function, jobs, name, *, n_jobs=1, n_threads=1):
    from tqdm.auto import tqdm

    from benchmarks.processes import JobFailed, run_jobs

    results = run_jobs(function, jobs, n_jobs=n_jobs, n_threads=n_threads)
    for _, failed in tqdm(results, name, total=len(jobs), disable=None):
        if isinstance(failed, JobFailed):
            raise BenchmarkError(f"{name}: {failed}")
