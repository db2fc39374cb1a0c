"""Timings of pieces of work, and the rows that follow from them."""

import time

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from benchmarks import guide
from benchmarks.environment import peak_memory_mib
from benchmarks.speed_step import count_flops, profile_epoch
from benchmarks.speed_works import (
    LONGEST,
    NETWORKS,
    GuideSide,
    SknoteSide,
    feature_works,
    matmul_works,
    run_works,
)
from sknote import AudioLoader, make_note_pipeline
from sknote.nn import torch_threads


def measure(notes, *, repeats, n_threads, epochs, fit_notes, seed, fit=None, on_repeat=None):
    """Time everything in turns.

    Parameters
    ----------
    notes : Notes
    repeats : int
        How often each piece of work is timed.
    n_threads : int
        Threads of a fit and of predictions.
    epochs : int
        Of sknote's fits.
    fit_notes : int
        How many notes an epoch and a fit are given for.
    seed : int
    fit : dict or None, default=None
        A fit that was really run, as `fit_really` returns it; without one it is extrapolated.
    on_repeat : callable or None, default=None
        Called when a repetition ends.

    Returns
    -------
    dict
        ``speed``: rows, each with ``name``, ``unit`` and for each side ``median``, ``low`` and
        ``high`` (5th and 95th percentile); ``step``: operations of a training step, and where the
        time of an epoch goes; ``extrapolation``: what was timed, and stands for more; ``fit``.
    """
    with torch_threads(n_threads), threadpool_limits(n_threads):
        waveforms = list(AudioLoader().fit_transform(list(notes.files.values())[-1]))
        sknote = SknoteSide(notes, waveforms, epochs=epochs, seed=seed)
        literal = GuideSide(notes, waveforms, seed=seed)
        products, product_flops = matmul_works()
    works = [*feature_works(notes), *sknote.works(), *literal.works(), *products]
    seconds = run_works(works, repeats=repeats, n_threads=n_threads, on_repeat=on_repeat)
    timed = {key: np.array(values) for key, values in seconds.items()}
    fixed, epoch = np.array(sknote.fits[-repeats:]).T / len(notes)
    default_epochs = make_note_pipeline()[-1].max_epochs
    sknote_fit = timed["features of a fit", "sknote"] + fixed + default_epochs * epoch
    if fit is not None:
        sknote_fit = np.array([fit["seconds"] / fit["n_notes"]])
    rows = _rows(
        timed,
        kinds=list(notes.files),
        n_threads=n_threads,
        fit_notes=fit_notes,
        sknote_epoch=epoch,
        sknote_fit=sknote_fit,
    )
    # on one thread: what networks do in threads of their own would be out of sight
    with torch_threads(1), threadpool_limits(1):
        sknote.nets["auto"].n_threads = 1
        batches = sknote.batches()
        flops = count_flops(lambda: sknote.train(batches)) / len(notes)
        shares = profile_epoch(sknote.batches, sknote.train)
    step = np.median(timed["step", "sknote"])
    rates = {
        name.removeprefix("matmul, "): product_flops / np.median(values) / 1e9
        for (name, side), values in timed.items()
        if side == "machine"
    }
    return {
        "speed": rows,
        "step": {
            "flops_per_note": flops,
            "gflops_per_second": flops / step / 1e9,
            "matmul_gflops_per_second": rates,
            "uses_bfloat16": bool(getattr(sknote.nets["auto"], "bfloat16", False)),
            **shares,
        },
        "extrapolation": {
            "fit_notes": fit_notes,
            "sknote_notes": len(notes),
            "sknote_epochs": epochs,
            "sknote_default_epochs": default_epochs,
            "guide_steps": repeats,
            "guide_batch_size": min(guide.BATCH_SIZE, len(notes)),
            "guide_epochs": guide.EPOCHS,
            "guide_longest_seconds": LONGEST,
        },
        "fit": fit,
    }


def fit_really(paths, instrument, target, *, n_threads, seed):
    """Fit sknote's default pipeline from files.

    Parameters
    ----------
    paths : list of str
    instrument, target : ndarray of shape (n_notes,)
    n_threads, seed : int

    Returns
    -------
    dict
        ``seconds`` of the fit, ``feature_seconds`` and ``classifier_seconds`` (its two parts),
        ``epochs``, ``n_notes`` and ``peak_memory_mib``.
    """
    pipeline = make_note_pipeline(classify__random_state=seed)
    frame = pd.DataFrame({"audio": paths, "instrument": instrument}, dtype=object)
    with torch_threads(n_threads), threadpool_limits(n_threads):
        start = time.perf_counter()
        spectrograms = pipeline[:-1].fit_transform(frame)
        middle = time.perf_counter()
        pipeline[-1].fit(spectrograms, target)
        stop = time.perf_counter()
    return {
        "seconds": stop - start,
        "feature_seconds": middle - start,
        "classifier_seconds": stop - middle,
        "epochs": len(pipeline[-1].history_),
        "n_notes": len(paths),
        "peak_memory_mib": peak_memory_mib(),
    }


def _rows(timed, *, kinds, n_threads, fit_notes, sknote_epoch, sknote_fit):
    """Turn seconds per note into rows of a table."""
    rows = []

    def add(name, unit, scale, sides):
        row = {"name": name, "unit": unit}
        for side, seconds in sides.items():
            median, low, high = np.percentile(seconds, [50, 5, 95])
            if unit == "notes/s":
                row[side] = {"median": 1 / median, "low": 1 / high, "high": 1 / low}
            else:
                row[side] = {"median": scale * median, "low": scale * low, "high": scale * high}
            if side != "sknote":
                row[side]["ratio"] = median / np.median(sides["sknote"])
        rows.append(row)

    def both(name):
        seconds = timed[name, "guide"]
        return {"sknote": timed[name, "sknote"]} | dict.fromkeys(NETWORKS, seconds)

    def each(name):
        return {side: timed[name, side] for side in ("sknote", *NETWORKS)}

    for kind in kinds:
        add(f"features from {kind}, one core", "notes/s", 1, both(f"features, {kind}"))
        add(f"only reading {kind}, one core", "notes/s", 1, both(f"reading, {kind}"))
    added = timed["batches, augmented", "sknote"] - timed["batches, plain", "sknote"]
    augmentation = timed["augmentation", "guide"]
    # two nearly equal times may differ by less than their noise
    added = np.maximum(added, 1e-7)
    add(
        "augmentation",
        "ms/note",
        1e3,
        {"sknote": added} | dict.fromkeys(NETWORKS, augmentation),
    )
    add("training step", "ms/note", 1e3, each("step"))
    # the guide's workers prepare notes while the network trains: as if they lost nothing by it
    prepared = (timed[f"features, {kinds[-1]}", "guide"] + augmentation) / n_threads
    epochs = {side: timed["step", side] + prepared for side in NETWORKS}
    add(f"epoch of {fit_notes:,} notes", "s", fit_notes, {"sknote": sknote_epoch} | epochs)
    fits = {side: guide.EPOCHS * seconds for side, seconds in epochs.items()}
    add(f"fit of {fit_notes:,} notes", "s", fit_notes, {"sknote": sknote_fit} | fits)
    add("inference in batches, from waveforms", "notes/s", 1, each("batched"))
    add("inference in batches, from files", "notes/s", 1, each("batched, files"))
    add("inference of one 1-s note", "ms", 1e3, each("alone"))
    exported = {"sknote": timed["alone, exported", "sknote"]}
    add("inference of one 1-s note, exported to ONNX", "ms", 1e3, each("alone") | exported)
    return rows
