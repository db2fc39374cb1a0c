"""Ask models about passages of several notes of an instrument, each at a gain that nobody knows."""

import argparse
import io
import sys
import time
import warnings

import numpy as np
import soundfile
from sklearn.base import clone
from sklearn.utils.validation import has_fit_parameter

from benchmarks import cli, conditions, run
from benchmarks.conditions import SCORES, choose_folds
from benchmarks.datasets import load_task
from benchmarks.environment import peak_memory_mib
from benchmarks.features import inputs, make_features
from benchmarks.folds import count_warnings, plan
from benchmarks.layout import describe_data, new_figure, print_remarks, publish, table
from benchmarks.metrics import score
from benchmarks.models import MODELS, settings
from benchmarks.processes import run_kept
from benchmarks.results import describe_task, mean_and_spread, merge, rests_on
from sknote import PassageClassifier
from sknote.audio import decode
from sknote.exceptions import AudioDecodeError

SETTINGS = (*conditions.SETTINGS, "sizes", "gain_db")
AS_IT_IS = "as recorded"
_MODELS, _SIZES, _GAIN = "compact,gains,relative,passages", "1,2,4,8,16", 12.0
_RATE = 44_100  # at which notes are read, in Hz


def passage_sizes(text):
    """Read numbers of notes that are separated by commas."""
    sizes = [int(size) for size in text.split(",")]
    if min(sizes) < 1:
        raise argparse.ArgumentTypeError(f"expected numbers from 1, got {text}")
    return sizes


OPTIONS = {
    **conditions.FOLD_OPTIONS,
    "--models": (cli.names, _MODELS, "with commas; an unknown one lists them"),
    "--sizes": (passage_sizes, _SIZES, "of the passages, in notes, with commas"),
    "--gain-db": (float, _GAIN, "largest gain of a passage, up and down, in dB"),
}


def main(args):
    """Run the command; returns its exit status."""
    common, models = run.prepare(args)
    task = load_task(args)
    pipelines, folds, remarks = choose_folds(task, models, args)
    every = [pipeline for own in pipelines.values() for pipeline in own]
    n_jobs = args.n_jobs * common.n_threads
    unreadable, more = make_features(task, every, args.cache_dir, n_jobs)
    how = {"cache_dir": args.cache_dir, "options": common, "n_jobs": args.n_jobs}
    asked = {"sizes": args.sizes, "gain_db": args.gain_db, "seed": args.seed}
    jobs = [
        job._replace(key=job.key | asked, arguments=job.arguments | asked)
        for job in plan(task, folds, pipelines, **how)
    ]
    how = {"cache_dir": args.cache_dir, "n_jobs": args.n_jobs, "n_threads": common.n_threads}
    found = iter(run_kept(fit_and_ask, jobs, **how, fresh=args.fresh))
    entries = {}
    for name, own in pipelines.items():
        entries[name] = summarize(task, name, own[0], [next(found) for _ in folds])
    about = {name: getattr(args, name) for name in SETTINGS}
    about = describe_task(task, about, [*remarks, *more], unreadable)
    path = args.out / f"{args.name or 'several-notes-' + run.result_name(args, conditions.USUAL)}"
    path = path.with_name(f"{path.name}.json")
    result = merge(path, about, entries, "several_notes")
    publish(result, path, sys.modules[__name__])
    print_remarks(result["task"], {n: entry["warnings"] for n, entry in result["models"].items()})
    return 0


def draw_passages(instrument, size, rng):
    """Deal the notes of each instrument out to passages of so many; the last one may be shorter.

    Returns the number of each note's passage.
    """
    passage, n_passages = np.zeros(len(instrument), dtype=int), 0
    for name in sorted(set(instrument)):
        rows = rng.permutation(np.flatnonzero(instrument == name))
        passage[rows] = n_passages + np.arange(len(rows)) // size
        n_passages = passage[rows].max() + 1
    return passage


def amplified(path, gain):
    """Return the bytes of a WAV: a recording at another gain, in dB, without clipping.

    What cannot be read stays a path.
    """
    try:
        waveform = decode(path, sample_rate=_RATE, remarks=[])
    except (OSError, AudioDecodeError):
        return path
    changed = (waveform * 10 ** (gain / 20)).astype(np.float32)
    soundfile.write(file := io.BytesIO(), changed, _RATE, format="WAV", subtype="FLOAT")
    return file.getvalue()


def fit_and_ask(pipeline, task, train, test, cache_dir, environment, sizes, gain_db, seed):
    """Fit on the one part of a task, as it is; ask about passages of the other, for each size."""
    notes = task.notes(test)
    instruments = sorted(set(task.data.instrument.iloc[train]))
    pipeline = clone(pipeline)
    X = inputs(pipeline, task.notes(train), instruments, cache_dir)
    estimator, fit_params = pipeline[-1], {}
    if has_fit_parameter(estimator, "groups"):
        fit_params["groups"] = task.groups[train]
    answers = {}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        start, cpu_start = time.perf_counter(), time.process_time()
        estimator.fit(X, task.target[train], **fit_params)
        middle, cpu_stop = time.perf_counter(), time.process_time()
        for case in [AS_IT_IS, *map(str, sizes)]:
            # the same passages and gains for every model
            rng = np.random.default_rng([seed, 0 if case == AS_IT_IS else int(case)])
            size = max(sizes) if case == AS_IT_IS else int(case)
            passage = draw_passages(notes.instrument.to_numpy(dtype=str), size, rng)
            gain = rng.uniform(-gain_db, gain_db, passage.max() + 1)[passage]
            asked = notes
            if case != AS_IT_IS:
                asked = notes.assign(audio=list(map(amplified, notes.audio, gain)))
            X = inputs(pipeline, asked, instruments, cache_dir)
            together = {}
            if isinstance(estimator, PassageClassifier):
                together["passages"] = passage
            answers[case] = _all_classes(task, estimator, X, **together)
    return {
        "rows": test,
        "proba": answers,
        "fit_seconds": middle - start,
        "fit_cpu_seconds": cpu_stop - cpu_start,
        "peak_memory_mib": peak_memory_mib(),
        "warnings": count_warnings(caught),
        "environment": environment,
    }


def _all_classes(task, estimator, X, **params):
    """Return probabilities with a column for each class of the task."""
    proba = np.zeros((len(X), len(task.classes)), dtype=np.float32)
    columns = np.searchsorted(task.classes, estimator.classes_)
    proba[:, columns] = estimator.predict_proba(X, **params)
    return proba


def summarize(task, name, pipeline, outcomes):
    """Put together how good a model is in each fold for each size of passages."""
    cases = {}
    for case in outcomes[0]["proba"]:
        folds = []
        for outcome in outcomes:
            rows = outcome["rows"]
            about = (task.classes, task.hierarchy, task.groups[rows])
            scores = score(task.target[rows], outcome["proba"][case], *about)
            folds.append({key: scores[key] for key in SCORES if key in scores})
        cases[case] = mean_and_spread(folds) | {"folds": folds}
    about = {"summary": MODELS[name][0], "settings": settings(pipeline), **rests_on(outcomes)}
    about["fit_cpu_seconds"] = [outcome["fit_cpu_seconds"] for outcome in outcomes]
    return about | {"cases": cases}


def usual_size(result):
    """Return the size of passages that models are compared at: 8 notes, if there are such."""
    sizes = result["task"]["settings"]["sizes"]
    return "8" if 8 in sizes else str(max(sizes))


def score_table(result):
    """Return the header and one row per model: scores on passages at unknown gains."""
    case, rows = usual_size(result), {}
    for name, entry in result["models"].items():
        known = entry["cases"][case]
        rows[name] = {key: (known["mean"][key], known["std"][key]) for key in known["mean"]}
    shown = next(iter(rows.values()), {})
    return table("model", rows, {key: (SCORES[key], ".3f") for key in SCORES if key in shown})


def size_table(result, score="accuracy"):
    """Return the header and one row per size of the passages: a score of each model."""
    models = result["models"]
    rows = {
        case: {
            name: (entry["cases"][case]["mean"][score], entry["cases"][case]["std"][score])
            for name, entry in models.items()
        }
        for case in next(iter(models.values()))["cases"]
    }
    return table("notes in a passage", rows, {name: (name, ".3f") for name in models})


TABLES = {
    "scores": ("Passages at unknown gains", score_table),
    "sizes": ("Accuracy by the size of passages", size_table),
}


def caption(result):
    """Return sentences about the data, the folds and the passages."""
    asked = result["task"]["settings"]
    return (
        "Trained on notes as they are (gains: at such gains); passages of "
        f"{usual_size(result)} notes of one instrument, each passage at a gain of "
        f"-{asked['gain_db']:g} to {asked['gain_db']:g} dB. "
        f"{run.caption(result)}"
    )


def draw(result, path):
    """Draw accuracy and macro-F1 over the number of notes in a passage."""
    models, task = result["models"], result["task"]
    title = f"{task['dataset']}: {describe_data(task['data'])}"
    figure, panels = new_figure(10.5, 4.6, title)
    sizes = sorted(task["settings"]["sizes"])
    for axes, name in zip(panels, ("accuracy", "macro_f1")):
        for colour, (model, entry) in enumerate(models.items()):
            means = {case: one["mean"][name] for case, one in entry["cases"].items()}
            values, how = [means[str(size)] for size in sizes], {"color": f"C{colour}"}
            axes.plot(sizes, values, marker="o", label=model, **how)
            axes.axhline(means[AS_IT_IS], linestyle=":", **how)
        axes.set_xscale("log")
        axes.set_xticks(sizes, list(map(str, sizes)))
        axes.minorticks_off()
        axes.set_xlabel("notes in a passage (dotted: as recorded)")
        axes.set_ylabel(SCORES[name])
        axes.grid(alpha=0.3)
    panels[0].legend()
    figure.savefig(path)
