"""Time exported files beside the pipeline that they are of, by the length of notes."""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import cli
from benchmarks.cli import available_threads, positive
from benchmarks.environment import environment
from benchmarks.layout import measured_on, number, publish
from benchmarks.processes import threads_of
from benchmarks.results import plain
from sknote import make_note_pipeline
from sknote.datasets import make_notes
from sknote.deploy import OnnxNoteClassifier, export_onnx

LENGTHS = (0.25, 0.5, 1.0, 2.0)  # seconds
BATCH = 30
ALONE = 5  # calls of one note for each call of a batch
SIDES = {"pipeline": "pipeline", "file": "file", "int8": "file, weights as int8"}
OPTIONS = {
    "--notes": (positive, 240, "to fit on; as many more are judged"),
    "--max-epochs": (positive, 5, "of the fit: times do not depend on it"),
    "--repeats": (positive, 15, "of each piece of work"),
    "--n-threads": (positive, min(2, available_threads()), "of pipeline and files"),
    **{name: cli.SHARED[name] for name in ("--seed", "--out")},
}


def main(args):
    """Run the command; returns its exit status."""
    notes = make_notes(2 * args.notes, random_state=args.seed)
    train, test = slice(args.notes), slice(args.notes, None)
    fit = {"classify__max_epochs": args.max_epochs, "classify__random_state": args.seed}
    with threads_of(args.n_threads), tempfile.TemporaryDirectory() as folder:
        pipeline = make_note_pipeline(**fit).fit(notes.data[train], notes.target[train])
        path = export_onnx(pipeline, f"{folder}/notes.onnx")
        small = quantize(path, Path(folder) / "int8.onnx")
        models = {"pipeline": pipeline}
        for side, file in (("file", path), ("int8", small)):
            models[side] = OnnxNoteClassifier(file, n_threads=args.n_threads)
        result = {
            "kind": "files",
            "times": measure(models, args.repeats, args.seed),
            "answers": compare(models, notes.data[test], notes.target[test]),
            "megabytes": {"file": size(path), "int8": size(small)},
            "settings": {n: getattr(args, n) for n in ("notes", "max_epochs", "repeats", "seed")},
            "environment": environment(args.n_threads, packages=["onnxruntime"]),
        }
    publish(plain(result), args.out / "files.json", sys.modules[__name__])
    return 0


def quantize(path, target):
    """Write a file with the weights of the network's linear layers as whole numbers of 8 bits.

    Those of the spectrogram have to stay as they are. The digest is of another file: it goes.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    model = onnx.load(path)
    linear = [one.name for one in model.graph.node if one.name.startswith("node_linear")]
    how = {"op_types_to_quantize": ["MatMul"], "nodes_to_quantize": linear}
    quantize_dynamic(path, target, weight_type=QuantType.QInt8, **how)
    model = onnx.load(target)
    kept = [one for one in model.metadata_props if one.key != "sknote_sha256"]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    onnx.save(model, target)
    return target


def size(path):
    """Return the size of a file in megabytes."""
    return Path(path).stat().st_size / 1e6


def measure(models, repeats, seed):
    """Time notes of each length, alone and in a batch, by all models in turns.

    Returns rows with seconds, n_notes and, for each model, the milliseconds per note: median,
    percentiles, and how many times faster than the pipeline it was in the same turn.
    """
    rows = []
    for seconds in LENGTHS:
        X = make_notes(BATCH, duration_range=(seconds, 1.001 * seconds), random_state=seed).data
        for n_notes in (1, BATCH):
            n_calls = ALONE if n_notes == 1 else 1
            taken = {side: [] for side in models}
            for repeat in range(-1, repeats):
                for side, model in models.items():
                    for _ in range(n_calls):
                        start = time.perf_counter()
                        model.predict_proba(X[:n_notes])
                        if repeat >= 0:
                            taken[side].append(time.perf_counter() - start)
            row = {"seconds": seconds, "n_notes": n_notes}
            for side, values in taken.items():
                values = 1e3 * np.array(values) / n_notes
                row[side] = dict(zip(("low", "median", "high"), np.percentile(values, [5, 50, 95])))
                beside = 1e3 * np.array(taken["pipeline"]) / n_notes
                row[side]["ratio"] = np.median(beside / values)
            rows.append(row)
            print(f"{n_notes} notes of {seconds} s", flush=True)
    return rows


def compare(models, X, y):
    """Compare the answers of files with the pipeline's, on notes that it was not fitted on."""
    expected, found = models["pipeline"].predict_proba(X), {}
    for side, model in models.items():
        proba = model.predict_proba(X)
        off = np.abs(proba - expected).max(axis=1)
        found[side] = {
            "accuracy": np.mean(model.classes_[proba.argmax(axis=1)] == y),
            "same_label": np.mean(proba.argmax(axis=1) == expected.argmax(axis=1)),
            "median_difference": np.median(off),
            "largest_difference": off.max(),
        }
    return found


def times_table(result):
    """Return the header and one row per length and number of notes."""
    heads = [f"{SIDES[side]}, ms/note" for side in SIDES]
    cells = [["length of notes", "notes in a call", *heads, "file faster", "int8 faster"]]
    for row in result["times"]:
        cells.append([f"{row['seconds']} s", str(row["n_notes"])])
        for side in SIDES:
            median, low, high = (number(row[side][name]) for name in ("median", "low", "high"))
            cells[-1].append(f"{median} ({low}–{high})")
        cells[-1] += [f"{number(row[side]['ratio'])} times" for side in ("file", "int8")]
    return cells


def answers_table(result):
    """Return the header and one row per number about what files answer, and their size."""
    found, megabytes = result["answers"], result["megabytes"]
    cells = [["answers and size", *SIDES.values()]]
    for name, words, spec in (
        ("accuracy", "accuracy", ".3f"),
        ("same_label", "same label as the pipeline", ".4f"),
        ("median_difference", "probabilities differ by, median note", ".1e"),
        ("largest_difference", "by, at most", ".1e"),
    ):
        cells.append([words, *(f"{found[side][name]:{spec}}" for side in SIDES)])
    cells.append(["size, MB", "-", *(number(megabytes[side]) for side in ("file", "int8"))])
    return cells


def caption(result):
    """Return sentences about what was run."""
    settings, n_threads = result["settings"], result["environment"]["n_threads"]
    return (
        f"From waveforms to probabilities, {n_threads} threads; medians of {settings['repeats']} "
        f"repetitions in turns ({ALONE} calls in each where a note is alone), with 5th and 95th "
        f"percentile; times faster: median of the turns. The default pipeline, fitted on "
        f"{settings['notes']} synthetic notes in {settings['max_epochs']} epochs, and asked about "
        f"as many others. {measured_on(result['environment'])}"
    )


TABLES = {"scores": ("Exported files", times_table), "answers": ("Answers", answers_table)}
