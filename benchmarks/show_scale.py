"""What `scale` finds, as tables and as a picture."""

import numpy as np

from benchmarks.layout import measured_on, new_figure

LIMIT_MIB = 4096  # of memory, at the largest size
# What is timed → heading
TIMED = {
    "features": "features, new",
    "cached_features": "features, cached",
    "fit": "fit",
    "predict": "predict",
}
_COLOURS = ("#0072B2", "#56B4E9", "#D55E00", "#009E73")


def table(result):
    """Return the header and one row per size."""
    rows = [
        ["notes", "hours", "making them (CPU s)", *(f"{head} (s)" for head in TIMED.values())]
        + ["fit (notes/s)", "predict (notes/s)", "peak memory (MiB)", "of a worker", "disk (MiB)"]
    ]
    epochs = result["settings"]["max_epochs"]
    for size in result["sizes"]:
        n, seconds = size["n_notes"], size["seconds"]
        whole = [n * epochs / seconds["fit"], n / seconds["predict"]]
        whole += [size[n] for n in ("peak_memory_mib", "worker_peak_memory_mib", "disk_mib")]
        row = [f"{n:,}", f"{size['hours']:.1f}", f"{size['make_seconds']:.0f}"]
        row += [f"{seconds[name]:.1f}" for name in TIMED]
        rows.append(row + [f"{cell:.0f}" for cell in whole])
    return rows


def slope_table(result):
    """Return the header and one row for each time that was measured."""
    rows = [["cost", "log-log slope of the time", "of the CPU time"]]
    for name, slope in result["slopes"].items():
        rows.append([TIMED[name], f"{slope:.3f}", f"{result['cpu_slopes'][name]:.3f}"])
    return rows


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


TABLES = {"scores": ("Scale", table), "slopes": ("Slopes", slope_table)}


def draw(result, path):
    """Draw time on the left, and memory and disk on the right, over the number of notes."""
    sizes = result["sizes"]
    notes = np.array([size["n_notes"] for size in sizes])
    figure, (left, right) = new_figure(10.5, 4.6, None)
    styles = [{"color": c, "marker": m} for c, m in zip(_COLOURS, "osD^")]
    for (name, head), style in zip(TIMED.items(), styles):
        slope = result["slopes"].get(name)
        label = head if slope is None else f"{head}: slope {slope:.2f}"
        left.plot(notes, [size["seconds"][name] for size in sizes], label=label, **style)
    linear = sizes[0]["seconds"]["fit"] * notes / notes[0]
    left.plot(notes, linear, color="#999999", linewidth=0.8, linestyle="--", label="slope 1")
    left.set_ylabel("time (s)")

    drawn = {
        "peak_memory_mib": "peak memory of the process that fits",
        "worker_peak_memory_mib": "of one that computes features",
        "disk_mib": "features on disk",
    }
    for (name, label), style in zip(drawn.items(), styles[::-1]):
        values = [size[name] for size in sizes]
        if any(values):  # on one core there are no workers
            right.plot(notes, values, label=label, **style)
    right.axhline(LIMIT_MIB, color="#999999", linewidth=0.8, linestyle="--", label="4 GiB")
    right.set_ylabel("MiB")
    for axes in (left, right):
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xticks(notes, [f"{n:,}" for n in notes], rotation=30)
        axes.minorticks_off()
        axes.set_xlabel("notes")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, frameon=False, fontsize=9)
        axes.grid(color="#dddddd", linewidth=0.7)
    figure.savefig(path)
