"""A picture of `scale`: time, and memory and disk, over the number of notes."""

import numpy as np

from benchmarks.cache import write_atomic
from benchmarks.scale import LIMIT_MIB, TIMED

_COLOURS = ("#0072B2", "#56B4E9", "#D55E00", "#009E73")
_MARKERS = "osD^"


def plot(result, path):
    """Draw a result into a PNG file.

    Parameters
    ----------
    result : dict
        As read from a result's file.
    path : Path
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    sizes = result["sizes"]
    notes = np.array([size["n_notes"] for size in sizes])
    figure = Figure(figsize=(10.5, 4.6), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)

    for (name, head), colour, marker in zip(TIMED.items(), _COLOURS, _MARKERS):
        seconds = [size["seconds"][name] for size in sizes]
        slope = result["slopes"].get(name)
        label = head if slope is None else f"{head}: slope {slope:.2f}"
        left.plot(notes, seconds, marker=marker, markersize=5, color=colour, label=label)
    guide = sizes[0]["seconds"]["fit"] * notes / notes[0]
    left.plot(notes, guide, color="#999999", linewidth=0.8, linestyle="--", label="slope 1")
    left.set_ylabel("time (s)")

    drawn = {
        "peak_memory_mib": "peak memory of the process that fits",
        "worker_peak_memory_mib": "of one that computes features",
        "disk_mib": "features on disk",
    }
    for (name, label), colour, marker in zip(drawn.items(), _COLOURS[::-1], _MARKERS):
        values = [size[name] for size in sizes]
        if any(values):  # on one core there are no workers
            right.plot(notes, values, marker=marker, markersize=5, color=colour, label=label)
    right.axhline(LIMIT_MIB, color="#999999", linewidth=0.8, linestyle="--", label="4 GiB")
    right.set_ylabel("MiB")
    for axes in (left, right):
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xticks(notes, [f"{n:,}" for n in notes], rotation=30)
        axes.minorticks_off()
        axes.set_xlabel("notes")
        where = {"loc": "lower left", "bbox_to_anchor": (0, 1.0), "ncols": 2}
        axes.legend(**where, frameon=False, fontsize=9)
        axes.grid(color="#dddddd", linewidth=0.7)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    write_atomic(path, lambda temporary: figure.savefig(temporary, format="png"))
