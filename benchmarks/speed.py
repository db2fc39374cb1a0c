"""Time sknote's default pipeline and the guide's side by side.

Features, augmentation, a training step, an epoch, a whole fit and inference, in turns within one
run. Then: how near a training step comes to what the processor can do, and where its time goes.
"""

import tempfile
from importlib.metadata import version
from pathlib import Path

from benchmarks.cache import default_cache_dir, digest, source_digest, write_json
from benchmarks.cli import BenchmarkError
from benchmarks.environment import available_threads, git_commit, machine, versions
from benchmarks.run import RESULTS, plot_into, positive

FIT_NOTES = 8000  # what an epoch and a fit are given for
SAMPLE_RATE = 44100  # of synthetic files, in Hz
EPOCHS = 2  # of the fits that are timed; sknote's default is extrapolated from them
SETTINGS = ("dataset", "notes", "repeats", "n_threads", "seed", "full")


def add_arguments(parser):
    """Define the options of the command."""
    parser.add_argument(
        "--dataset", default="synthetic", choices=("synthetic", "philharmonia", "good_sounds")
    )
    parser.add_argument(
        "--notes", type=positive, default=256, help="to time with (default: %(default)s)"
    )
    parser.add_argument("--repeats", type=positive, default=5, help="(default: %(default)s)")
    parser.add_argument(
        "--n-threads",
        type=positive,
        default=min(2, available_threads()),
        help="of a fit and of predictions in batches (default: %(default)s)",
    )
    parser.add_argument(
        "--full",
        action="store_true",
        help=f"fit sknote's pipeline on {FIT_NOTES:,} notes instead of extrapolating to them",
    )
    parser.add_argument("--seed", type=int, default=0, help="of notes, draws and networks")
    parser.add_argument("--data-home", help="default: $SKNOTE_DATA, else ~/sknote_data")
    parser.add_argument(
        "--cache-dir",
        type=Path,
        default=default_cache_dir(),
        help="synthetic notes (default: %(default)s)",
    )
    parser.add_argument(
        "--out", type=Path, default=RESULTS, help="folder of the result (default: %(default)s)"
    )
    parser.add_argument("--name", default="speed", help="of the result's files")


def main(args):
    """Run the command; returns its exit status."""
    from benchmarks import show, show_speed
    from benchmarks.results import plain
    from benchmarks.speed_measure import fit_really, measure

    n_notes = max(args.notes, FIT_NOTES) if args.full else args.notes
    paths, instrument, target, audio_seconds = load_notes(args, n_notes)
    fit = None
    if args.full:
        print(f"Fitting on {len(paths):,} notes ...", flush=True)
        fit = fit_really(paths, instrument, target, n_threads=args.n_threads, seed=args.seed)
    with tempfile.TemporaryDirectory() as folder:
        notes = as_files(paths, instrument, target, args.notes, folder, args.dataset)
        result = measure(
            notes,
            repeats=args.repeats,
            n_threads=args.n_threads,
            epochs=EPOCHS,
            fit_notes=FIT_NOTES,
            fit=fit,
            seed=args.seed,
            on_repeat=lambda repeat: print(
                f"Repetition {repeat + 1} of {args.repeats}", flush=True
            ),
        )
    result |= {
        "data": {"n_notes": len(notes), "mean_seconds": audio_seconds},
        "settings": {name: getattr(args, name) for name in SETTINGS},
        "environment": {
            "versions": versions() | {"librosa": version("librosa")},
            "commit": git_commit(),
            "machine": machine(),
            "n_threads": args.n_threads,
        },
    }
    result = plain(result)
    path = args.out / f"{args.name}.json"
    write_json(path, result)
    print(f"\n{show_speed.caption(result)}\n")
    for title, table in show_speed.TABLES.values():
        print(f"{title}:\n{show.as_text(table(result))}\n")
    print(f"Result: {path}")
    plot_into(path.with_suffix(".png"), "benchmarks.speed_plot", result)
    return 0


def load_notes(args, n_notes):
    """Find recordings, or synthesise them.

    Parameters
    ----------
    args : Namespace
    n_notes : int
        How many; of a real data set at most.

    Returns
    -------
    paths : list of str
    instrument, target : ndarray of shape (n_notes,)
    mean_seconds : float
        Their mean duration.
    """
    import joblib
    import numpy as np
    import soundfile

    from benchmarks.cache import write_atomic
    from benchmarks.datasets import load_task
    from sknote.datasets import make_notes

    if args.dataset == "synthetic":
        key = digest(n_notes, args.seed, SAMPLE_RATE, source_digest(["datasets/*.py"]))
        folder = args.cache_dir / "speed" / key
        done = folder / "bunch.joblib"
        if not done.exists():
            print(f"Synthesising {n_notes:,} notes ...", flush=True)
            bunch = make_notes(
                n_notes, sample_rate=SAMPLE_RATE, out_dir=folder, random_state=args.seed
            )
            write_atomic(done, lambda path: joblib.dump(bunch, path))
        bunch = joblib.load(done)
        data, target = bunch.data, bunch.target
    else:
        task = load_task(
            args.dataset,
            data_home=args.data_home,
            max_notes=n_notes,
            min_class_count=1,
            seed=args.seed,
            cache_dir=args.cache_dir,
        )
        order = np.random.default_rng(args.seed).permutation(task.rows)
        data, target = task.data.iloc[order], task.target[order]
    readable, seconds = [], []
    for row, path in enumerate(data.audio):
        try:
            seconds.append(soundfile.info(path).duration)
        except soundfile.LibsndfileError:
            continue  # the guide's pipeline would stop there
        readable.append(row)
    if len(readable) < 2:
        raise BenchmarkError(f"{args.dataset} has {len(readable)} readable recordings.")
    instrument = data.instrument.to_numpy(dtype=object)[readable]
    paths = [str(data.audio.iloc[row]) for row in readable]
    return paths, instrument, target[readable], float(np.mean(seconds))


def as_files(paths, instrument, target, n_notes, folder, dataset):
    """Choose the notes that are timed; synthetic ones are written as WAV and as MP3.

    Parameters
    ----------
    paths : list of str
    instrument, target : ndarray
    n_notes : int
        How many to take.
    folder : path-like
        Where to write.
    dataset : str

    Returns
    -------
    Notes
    """
    import soundfile

    from benchmarks.speed_works import Notes

    chosen = paths[:n_notes]
    files = {Path(chosen[0]).suffix[1:].upper(): chosen}
    if dataset == "synthetic":
        kinds = [kind for kind in ("MP3", "WAV") if kind in soundfile.available_formats()]
        files = {kind: [] for kind in kinds}
        for row, path in enumerate(chosen):
            waveform, sample_rate = soundfile.read(path)
            for kind, written in files.items():
                written.append(f"{folder}/{row:06d}.{kind.lower()}")
                soundfile.write(written[-1], waveform, sample_rate, format=kind)
    return Notes(files, instrument[:n_notes], target[:n_notes])
